"""Instatus: the owner's lists and the public summary."""

from __future__ import annotations

import json

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused

PAGE = {"name": "Vault", "url": "https://status.example.org", "status": "HASISSUES"}


def summary(**lists: object) -> str:
    return json.dumps({"page": PAGE, **lists})


def test_the_golden_incidents_read_as_expected() -> None:
    check_golden("instatus")


def test_the_public_summary_says_what_is_active_but_not_when_it_was_posted() -> None:
    active = {
        "name": "Restores delayed", "started": "2022-03-09T08:31:00Z", "status": "IDENTIFIED",
        "impact": "MAJOROUTAGE", "url": "https://status.example.org/incident/clexample0001",
    }  # fmt: skip
    data = summary(activeIncidents=[active])
    assert claimants(data) == ["instatus"]
    found = read("instatus", data)
    row = found.only("status_update")
    assert "posted_at" not in row
    assert (row["incident_id"], row["state"]) == ("clexample0001", "identified")
    assert row["claimed_start_at"] == "2022-03-09T08:31:00+00:00"
    assert found.incomplete


def test_a_summary_of_a_healthy_page_has_no_records() -> None:
    data = summary()
    assert claimants(data) == ["instatus"]
    assert read("instatus", data).account["accepted"] == 0


def test_the_end_of_a_maintenance_is_its_start_and_its_length() -> None:
    work = {
        "id": "m", "name": "W", "status": "INPROGRESS", "start": "2022-03-20T22:00:00Z",
        "duration": 45, "updates": [],
    }  # fmt: skip
    row = read("instatus", json.dumps([work])).only("status_update")
    assert row["kind"] == "maintenance"
    assert row["scheduled_end_at"] == "2022-03-20T22:45:00+00:00"


def test_a_full_page_may_be_one_of_several() -> None:
    incident = {"id": "i", "name": "N", "status": "RESOLVED", "started": None, "updates": []}
    many = [{**incident, "id": str(n)} for n in range(100)]
    assert read("instatus", json.dumps(many)).incomplete
    assert not read("instatus", json.dumps(many[1:])).incomplete


@pytest.mark.parametrize("data", ['"x"', "[", '{"page": {}, "activeIncidents": 7}'])
def test_what_is_no_answer_of_the_api_is_refused(data: str) -> None:
    with pytest.raises(EvidenceRefused):
        read("instatus", data)
