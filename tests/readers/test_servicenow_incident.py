"""Incidents: a list of them, or a log of their changes, in the dates of one user."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import GOLDEN, check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.readers.servicenow_incident import ServiceNowIncident

HEADER = "number,incident_state,opened_at,resolved_at,closed_at,sys_updated_on,caused_by,rfc"


def rows(*lines: str, **settings: str) -> list[dict[str, object]]:
    data = "\n".join((HEADER, *lines, ""))
    found = read("servicenow_incident", data, **{"zone": "UTC", **settings})
    assert found.rejects == []
    return found.rows["ticket_event"]


def test_the_golden_export_reads_as_expected() -> None:
    check_golden("servicenow_incident")


def test_the_golden_answer_of_the_api_reads_as_expected() -> None:
    check_golden("servicenow_incident", "servicenow_incident_json")


def test_a_real_event_log_is_read_by_the_order_of_dates_that_it_proves(shared_data: Path) -> None:
    file = shared_data / "formats" / "uci_incident_event_log_2000.csv"
    assert claimants(file) == ["servicenow_incident"]
    found = read("servicenow_incident", file, zone="UTC")
    assert found.account == {"accepted": 2000, "continued": 0, "skipped": 0, "rejected": 0}
    assert found.value_notes == [
        (2, "occurred_at", "ORDER_PROVEN", "day-first, by 3525 values of the file")
    ]
    first = found.rows["ticket_event"][0]
    assert first["occurred_at"] == "2016-02-29T01:23:00+00:00"
    assert {row.get("related_change", "CHG")[:3] for row in found.rows["ticket_event"]} == {"CHG"}


def test_times_without_a_zone_refuse_the_file() -> None:
    with pytest.raises(EvidenceRefused, match="the times carry no zone"):
        read("servicenow_incident", ServiceNowIncident.sample)


def test_a_list_shows_when_an_incident_was_opened_resolved_and_closed() -> None:
    found = rows(
        "INC1,Closed,2022-03-09 01:00,2022-03-09 02:00,2022-03-12 02:00,2022-03-13 00:00,,"
    )
    assert [(row["state"], row["occurred_at"][:16]) for row in found] == [
        ("opened", "2022-03-09T01:00"),
        ("resolved", "2022-03-09T02:00"),
        ("closed", "2022-03-12T02:00"),
    ]


def test_a_log_shows_the_state_of_an_incident_at_each_update() -> None:
    found = rows(
        "INC1,New,2022-03-09 01:00,,,2022-03-09 01:01,,",
        "INC1,Resolved,2022-03-09 01:00,2022-03-09 02:00,,2022-03-09 02:00,CHG1,CHG2",
    )
    assert [(row["state"], row["occurred_at"][:16]) for row in found] == [
        ("New", "2022-03-09T01:01"),
        ("Resolved", "2022-03-09T02:00"),
    ]
    assert found[1]["related_change"] == "CHG1"


def test_dates_that_prove_no_order_are_rejected_and_a_declared_order_reads_them() -> None:
    line = "INC1,New,3/9/2022 01:00,,,,,"
    found = read("servicenow_incident", f"{HEADER}\n{line}\n", zone="UTC")
    assert found.rejects == [(2, "occurred_at", "TIME_ORDER")]
    assert rows(line, order="day-first")[0]["occurred_at"][:10] == "2022-09-03"


def test_dates_in_two_orders_refuse_the_file() -> None:
    with pytest.raises(EvidenceRefused, match="month-first"):
        rows("INC1,New,25/03/2022 01:00,,,,,", "INC2,New,03/25/2022 01:00,,,,,")


def test_an_answer_that_holds_shown_times_needs_the_zone_of_the_user() -> None:
    with pytest.raises(EvidenceRefused, match="stored ones"):
        read("servicenow_incident", GOLDEN / "servicenow_incident_json" / "incident.json")
