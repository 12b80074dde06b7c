"""cState issues: what the front matter dates, and what it leaves undated."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from evidence import GOLDEN, claimed_by, expected, read
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import EvidenceRefused, ToolkitError
from toolkit.readers.cstate import CState


def issue(front: str, body: str = "Text.") -> bytes:
    return f"---\n{front}\nsection: issue\n---\n\n{body}\n".encode()


OPEN = "title: T\ndate: 2022-03-09T10:00:00Z\nresolved: false\nseverity: down\naffected:\n  - A"
ENDED = OPEN.replace("false", "true\nresolvedWhen: 2022-03-09T12:00:00Z")


def test_the_golden_issue_reads_as_expected() -> None:
    assert read("cstate", GOLDEN / "cstate" / "2022-03-09-mirror-slow.md") == expected("cstate")


def test_the_sample_is_claimed_by_this_reader_alone() -> None:
    assert claimed_by(CState.sample) == ["cstate"]
    assert read("cstate", CState.sample)["accepted"] == 2


def test_a_real_history_is_read_or_refused_for_want_of_a_zone(shared_data: Path) -> None:
    files = sorted((shared_data / "jenkins_status_cstate" / "content" / "issues").glob("*.md"))
    refused = []
    for file in files:
        assert claimed_by(file.read_bytes()) == ["cstate"], file.name
        try:
            found = read("cstate", file)
            assert found["rejected"] == []
        except EvidenceRefused as refusal:
            assert "no offset" in refusal.message
            refused.append(file)
    assert (len(files), len(refused)) == (297, 11)
    for file in refused:
        assert read("cstate", file, zone="UTC")["accepted"] == 2


def test_an_open_issue_has_an_opening_and_no_end() -> None:
    found = read("cstate", issue(OPEN))
    (row,) = found["status_update"]
    assert (row["state"], row["body"]) == ("update", "Text.")
    (component,) = found["status_component"]
    assert component["component_status"] == "major_outage"


def test_the_text_of_an_ended_issue_is_not_claimed_to_have_stood_there_before_the_end() -> None:
    opening, end = read("cstate", issue(ENDED))["status_update"]
    assert "body" not in opening
    assert end["body"] == "Text."


def test_an_end_without_a_time_is_no_update() -> None:
    found = read("cstate", issue(OPEN.replace("false", "true")))
    assert [row["state"] for row in found["status_update"]] == ["update"]


def test_a_notice_and_an_informational_post_say_nothing_of_the_state_of_components() -> None:
    for front in (OPEN.replace("down", "notice"), OPEN + "\ninformational: true"):
        found = read("cstate", issue(front))
        assert "component_status" not in found["status_component"][0]


def test_an_informational_post_is_neither_incident_nor_maintenance() -> None:
    assert "kind" not in read("cstate", issue(OPEN + "\ninformational: true"))["status_update"][0]


def test_what_a_comment_hides_was_not_said() -> None:
    found = read("cstate", issue(OPEN, "Said. <!-- all data are lost -->"))
    assert found["status_update"][0]["body"] == "Said."
    assert [note[2] for note in found["noted"]] == ["HTML_COMMENT"]


def test_a_time_without_an_offset_needs_the_zone_of_the_site() -> None:
    data = issue(OPEN.replace("T10:00:00Z", " 10:00:00"))
    with pytest.raises(EvidenceRefused, match=r"evidence:3: date: .* has no offset"):
        read("cstate", data)
    (row,) = read("cstate", data, zone="Europe/Dublin")["status_update"]
    assert row["posted_at"] == "2022-03-09T10:00:00+00:00"


def test_an_unknown_severity_is_kept_and_noted() -> None:
    found = read("cstate", issue(OPEN.replace("down", "Ablaze")))
    assert found["status_update"][0]["impact"] == "Ablaze"
    assert found["noted"] == [[1, "component_status", "UNKNOWN_WORD", "Ablaze"]]


@pytest.mark.parametrize(
    "data",
    [
        b"no front matter",
        issue("title: T\ndate: 2022-03-09T10:00:00Z\ntitle: U"),
        issue("title: [T]\ndate: 2022-03-09T10:00:00Z"),
        issue("title: T\ndate:"),
        issue("title: T\ndate: 'x"),
        issue("- title\n- date"),
        b"---\ntitle: \xff\n---\n",
    ],
)
def test_what_is_no_issue_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceRefused):
        read("cstate", data)


@given(position=st.integers(0, 400), mutation=st.binary(max_size=3))
def test_mutated_issues_are_accounted_for_or_refused(position: int, mutation: bytes) -> None:
    data = CState.sample[:position] + mutation + CState.sample[position + 1 :]
    with suppress(ToolkitError):
        read("cstate", data)
