"""Better Stack: reports with their updates, and incidents of monitors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused


def answer(*resources: dict[str, Any], **parts: Any) -> str:
    return json.dumps({"data": list(resources), **parts})


def resource(kind: str, native: str, **attributes: Any) -> dict[str, Any]:
    return {"id": native, "type": kind, "attributes": attributes}


def test_the_golden_page_reads_as_expected() -> None:
    check_golden("betterstack")


def test_an_update_is_resolved_where_all_that_it_names_is() -> None:
    def state(*words: str) -> str:
        named = [{"status_page_resource_id": n, "status": each} for n, each in enumerate(words)]
        update = resource(
            "status_update", "1", message="M", published_at="2022-03-09T08:00:00Z",
            affected_resources=named, status_report_id=7,
        )  # fmt: skip
        return read("betterstack", answer(update)).only("status_update")["state"]

    assert state("resolved", "resolved") == "resolved"
    assert state("resolved", "downtime") == "update"
    assert state() == "update"


def test_an_update_that_names_its_report_is_joined_to_it() -> None:
    report = resource("status_report", "7", title="T", report_type="maintenance")
    update = resource("status_update", "1", published_at="2022-03-09T08:00:00Z")
    update["relationships"] = {"status_report": {"data": {"id": "7", "type": "status_report"}}}
    data = answer(report, update)
    assert claimants(data) == ["betterstack"]
    row = read("betterstack", data).only("status_update")
    assert (row["incident_id"], row["title"], row["kind"]) == ("7", "T", "maintenance")


def test_incidents_of_monitors_are_alerts() -> None:
    incident = resource(
        "incident", "25", name="restore", cause="Timeout", started_at="2022-03-09T08:30:00.000Z",
        acknowledged_at="2022-03-09T08:41:00.000Z", resolved_at=None, status="Acknowledged",
    )  # fmt: skip
    data = answer(incident, pagination={"next": "https://example.org/?page=2"})
    assert claimants(data) == ["betterstack"]
    found = read("betterstack", data)
    row = found.only("alert")
    assert (row["alert_id"], row["target"]) == ("25", "restore")
    assert row["acked_at"] == "2022-03-09T08:41:00+00:00"
    assert "cleared_at" not in row
    assert found.incomplete


@pytest.mark.parametrize("data", ["[]", "{", '{"data": 7}'])
def test_what_is_no_answer_is_refused(data: str) -> None:
    with pytest.raises(EvidenceRefused):
        read("betterstack", data)
