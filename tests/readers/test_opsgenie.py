"""Opsgenie alerts: acknowledged when, never, or nobody knows when."""

from __future__ import annotations

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("opsgenie")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["opsgenie"].sample) == ["opsgenie"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("opsgenie")


def test_an_acknowledged_alert_without_a_time_is_not_read_as_unanswered() -> None:
    text = readers()["opsgenie"].sample.replace(b'"ackTime":1177000,', b"")
    found = read("opsgenie", text)
    assert "alert" not in found.rows
    assert found.only("ticket_event")["state"] == "triggered"
