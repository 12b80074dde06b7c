"""Google's incidents.json: updates, edits that are none, and places."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused


def incident(*updates: dict[str, Any], **parts: Any) -> str:
    about = {
        "id": "i", "begin": "2022-03-09T06:00:00+00:00", "external_desc": "D",
        "status_impact": "SERVICE_OUTAGE", "updates": list(updates), **parts,
    }  # fmt: skip
    return json.dumps([about])


def update(created: str, **parts: Any) -> dict[str, Any]:
    return {"created": created, "when": created, "status": "SERVICE_OUTAGE", "text": "T", **parts}


def test_the_golden_history_reads_as_expected() -> None:
    check_golden("gcp_status")


def test_a_real_history_is_read_without_a_reject_and_with_its_real_edits(
    shared_data: Path,
) -> None:
    file = shared_data / "formats" / "gcp_incidents_sample.json"
    assert claimants(file) == ["gcp_status"]
    found = read("gcp_status", file)
    assert found.account == {"accepted": 30, "continued": 0, "skipped": 0, "rejected": 0}
    edited = [row["created_at"] for row in found.rows["status_update"] if "edited_at" in row]
    # Three posts of the second incident were changed together, more than an hour after the last.
    assert {each[:10] for each in edited} <= {"2026-07-16", "2026-07-24"}
    assert len([each for each in edited if each.startswith("2026-07-16")]) == 3


def test_the_trace_of_posting_the_next_update_is_no_edit() -> None:
    first = update("2022-03-09T06:00:00+00:00", modified="2022-03-09T07:00:03+00:00")
    second = update("2022-03-09T07:00:00+00:00", modified="2022-03-09T07:05:00+00:00")
    rows = read("gcp_status", incident(second, first)).rows["status_update"]
    assert [row.get("edited_at") for row in rows] == ["2022-03-09T07:05:00+00:00", None]


def test_recovery_sets_back_every_place_that_was_named_before() -> None:
    place = {"title": "Example (region-a1)", "id": "region-a1"}
    began = update("2022-03-09T06:00:00+00:00", affected_locations=[place])
    ended = update("2022-03-09T09:00:00+00:00", status="AVAILABLE", affected_locations=[])
    rows = read("gcp_status", incident(ended, began)).rows["status_component"]
    assert [(row["region"], row["component_status"]) for row in rows] == [
        ("region-a1", "operational"),
        ("region-a1", "major_outage"),
    ]


def test_an_incident_without_updates_has_no_time_of_posting() -> None:
    row = read("gcp_status", incident()).only("status_update")
    assert "posted_at" not in row
    assert row["claimed_start_at"] == "2022-03-09T06:00:00+00:00"


@pytest.mark.parametrize("data", ['{"id": 1}', "[", '[{"id": 1, "id": 2}]'])
def test_what_is_no_list_of_incidents_is_refused(data: str) -> None:
    with pytest.raises(EvidenceRefused):
        read("gcp_status", data)
