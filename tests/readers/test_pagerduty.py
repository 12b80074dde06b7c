"""PagerDuty: alerts of whole log entries, states of incidents."""

from __future__ import annotations

import json

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("pagerduty")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["pagerduty"].sample) == ["pagerduty"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("pagerduty")


def test_one_page_among_several_makes_no_alert() -> None:
    text = readers()["pagerduty"].sample.replace(b'"more":false', b'"more":true')
    found = read("pagerduty", text)
    assert "alert" not in found.rows
    assert found.incomplete


def test_a_list_of_incidents_makes_states_and_no_alert() -> None:
    incident = {"id": "Q1", "incident_number": 77, "title": "lag", "urgency": "high",
                "created_at": "2022-03-09T09:12:03Z", "resolved_at": "2022-03-09T10:01:00Z",
                "service": {"summary": "Replication"}, "acknowledgements": []}  # fmt: skip
    text = json.dumps({"incidents": [incident], "more": False})
    assert claimants(text) == ["pagerduty"]
    found = read("pagerduty", text)
    assert [row["state"] for row in found.rows["ticket_event"]] == ["triggered", "resolved"]
    assert "alert" not in found.rows
