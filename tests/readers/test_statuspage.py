"""Statuspage v2 JSON: what the page said, when, and of which component."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from evidence import GOLDEN, claimed_by, expected, read
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import EvidenceRefused, ToolkitError
from toolkit.readers.statuspage import Statuspage

PAGE = {"id": "p", "name": "P", "url": "https://status.example.org", "time_zone": "Etc/UTC"}


def page(**parts: Any) -> bytes:
    return json.dumps({"page": PAGE, **parts}).encode()


def incident(**parts: Any) -> dict[str, Any]:
    return {"id": "i", "name": "N", "status": "resolved", "impact": "minor", **parts}


def update(**parts: Any) -> dict[str, Any]:
    at = "2022-03-09T08:00:00Z"
    return {"id": "u", "status": "identified", "body": "B", "created_at": at, **parts}


def test_the_golden_history_reads_as_expected() -> None:
    found = read(
        "statuspage",
        GOLDEN / "statuspage" / "incidents.json",
        captured_at="2022-04-20T12:00:00Z",
    )
    assert found == expected("statuspage")


def test_the_sample_is_claimed_by_this_reader_alone() -> None:
    assert claimed_by(Statuspage.sample) == ["statuspage"]
    assert read("statuspage", Statuspage.sample)["accepted"] == 1


def test_real_histories_are_read_without_a_reject(shared_data: Path) -> None:
    for name, updates in (
        ("github_summary_v2_sample.json", 6),
        ("cloudflare_incidents_8.json", 23),
        ("cloudflare_scheduled-maintenances_8.json", 20),
    ):
        file = shared_data / "formats" / name
        assert claimed_by(file.read_bytes()) == ["statuspage"]
        found = read("statuspage", file)
        assert (len(found["status_update"]), found["rejected"]) == (updates, [])


def test_lists_that_a_compatible_page_leaves_null_or_out_are_empty() -> None:
    assert read("statuspage", page(incidents=None, scheduled_maintenances=None))["accepted"] == 0
    found = read("statuspage", page(incidents=[incident(incident_updates=[update()])]))
    assert found["accepted"] == 1
    assert "status_component" not in found


def test_a_summary_without_incidents_says_nothing_about_any_time() -> None:
    found = read("statuspage", page(components=[{"name": "A", "status": "major_outage"}]))
    assert found["accepted"] == 0
    assert sum(found["skipped"].values()) == 1


def test_an_incident_without_updates_has_no_time_of_posting() -> None:
    found = read("statuspage", page(incidents=[incident(created_at="2022-03-09T08:00:00Z")]))
    (row,) = found["status_update"]
    assert "posted_at" not in row
    assert row["state"] == "resolved"


def test_an_update_counts_as_edited_only_by_instant_not_by_text() -> None:
    same = update(updated_at="2022-03-09T01:00:00-07:00")
    later = update(id="v", updated_at="2022-03-09T01:00:01-07:00")
    rows = read("statuspage", page(incidents=[incident(incident_updates=[same, later])]))
    assert ["edited_at" in row for row in rows["status_update"]] == [False, True]


def test_the_owners_list_without_a_page_is_read_and_its_maintenances_told_apart() -> None:
    owned = [
        incident(incident_updates=[update()]),
        incident(id="m", scheduled_for="2022-03-09T09:00:00Z", incident_updates=[update()]),
    ]
    data = json.dumps(owned).encode()
    assert claimed_by(data) == ["statuspage"]
    kinds = [row["kind"] for row in read("statuspage", data)["status_update"]]
    assert kinds == ["incident", "maintenance"]


def test_fifty_incidents_mean_that_older_ones_may_be_missing() -> None:
    many = [incident(id=str(n), incident_updates=[update()]) for n in range(50)]
    assert read("statuspage", page(incidents=many))["incomplete"]
    assert not read("statuspage", page(incidents=many[1:]))["incomplete"]


@pytest.mark.parametrize(
    "data",
    [page(incidents=7), b'"text"', b'{"page": {', b'{"page": {"id": 1, "id": 2}}', b"[[1], 2"],
)
def test_what_is_no_answer_of_a_page_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceRefused):
        read("statuspage", data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "status", "name", "display_at", "x"]), inner)
    ),
    max_leaves=8,
)
fields = st.sampled_from(["incident_updates", "affected_components", "id", "name", "status"])


@given(field=fields, value=json_values, inside=st.booleans())
def test_any_value_in_any_field_is_accounted_for(field: str, value: Any, inside: bool) -> None:
    posted = update(**{field: value}) if inside else update()
    about = incident(**{"incident_updates": [posted], **({} if inside else {field: value})})
    with suppress(ToolkitError):
        read("statuspage", page(incidents=[about]))
