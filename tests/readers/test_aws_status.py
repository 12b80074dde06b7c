"""The public AWS page: posts with a time, and posts with a time of day only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.readers.aws_status import AwsStatus


def archive(*posts: tuple[str, str], date: str = "1526457480", summary: str = "S") -> str:
    text = "".join(
        f'<div><span class="yellowfg"> {at}</span>&nbsp;{body}</div>' for at, body in posts
    )
    event = {
        "service_name": "N", "summary": summary, "date": date, "status": 1, "details": "",
        "description": text, "service": "volumes-us-east-1",
    }  # fmt: skip
    return json.dumps({"archive": [event], "current": []})


@pytest.mark.parametrize("folder", ["aws_status", "aws_data"])
def test_the_golden_file_reads_as_expected(folder: str) -> None:
    check_golden("aws_status", folder)


def test_real_events_are_dated_by_their_first_post(shared_data: Path) -> None:
    file = shared_data / "formats" / "aws_data_json_10.json"
    assert claimants(file) == ["aws_status"]
    found = read("aws_status", file)
    assert found.account == {"accepted": 20, "continued": 0, "skipped": 0, "rejected": 0}
    rows = found.rows["status_update"]
    assert all("posted_at" in row for row in rows)
    assert rows[0]["posted_at"] == "2018-05-10T01:06:00+00:00"
    assert sum(row["state"] == "resolved" for row in rows) == 10


def test_the_file_in_utf_16_as_aws_serves_it_is_recognised() -> None:
    assert claimants(AwsStatus.sample.decode().encode("utf-16")) == ["aws_status"]


def test_a_post_past_midnight_is_of_the_next_day_and_noted() -> None:
    data = archive(("12:58 AM PDT", "a"), ("11:50 PM PDT", "b"), ("12:10 AM PDT", "c"))
    found = read("aws_status", data)
    assert [row["posted_at"][:16] for row in found.rows["status_update"]] == [
        "2018-05-16T07:58",
        "2018-05-17T06:50",
        "2018-05-17T07:10",
    ]
    assert [note[2] for note in found.value_notes] == ["DATE_INFERRED", "DATE_INFERRED"]


def test_a_post_that_prints_its_date_is_of_that_day() -> None:
    found = read("aws_status", archive(("12:58 AM PDT", "a"), ("May 19, 1:00 AM PDT", "b")))
    assert found.rows["status_update"][1]["posted_at"] == "2018-05-19T08:00:00+00:00"


def test_posts_have_no_date_where_the_first_is_not_of_the_minute_of_the_event() -> None:
    found = read("aws_status", archive(("3:00 PM PDT", "a"), ("3:10 PM PDT", "b")))
    assert not any("posted_at" in row for row in found.rows["status_update"])
    assert [note[2] for note in found.value_notes] == ["DATE_UNKNOWN", "DATE_UNKNOWN"]


def test_only_the_last_post_of_a_resolved_event_is_resolved() -> None:
    data = archive(("12:58 AM PDT", "a"), ("1:00 AM PDT", "b"), summary="[RESOLVED] S")
    states = [row["state"] for row in read("aws_status", data).rows["status_update"]]
    assert states == ["update", "resolved"]


def test_changes_of_services_are_read_in_seconds_and_in_milliseconds() -> None:
    change = {
        "service": "x-eu-west-1", "service_name": "X", "previous_status": "0",
        "current_status": "3",
    }  # fmt: skip
    event = {
        "service": "x-eu-west-1", "service_name": "X", "summary": "S", "date": "1646806985",
        "event_log": [],
        "impacted_service_status_changes": [
            {**change, "timestamp": 1646806985}, {**change, "timestamp": "1646806985000"},
        ],
    }  # fmt: skip
    rows = read("aws_status", json.dumps([event])).rows["status_component"][1:]
    assert [row["posted_at"] for row in rows] == ["2022-03-09T06:23:05+00:00"] * 2
    assert rows[0]["region"] == "eu-west-1"


@pytest.mark.parametrize("data", ['"x"', "[", '{"archive": 7, "current": []}'])
def test_what_is_no_list_of_events_is_refused(data: str) -> None:
    with pytest.raises(EvidenceRefused):
        read("aws_status", data)
