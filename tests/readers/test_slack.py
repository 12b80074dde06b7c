"""A Slack channel: what people wrote is no record of an action."""

from __future__ import annotations

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("slack")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["slack"].sample) == ["slack"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("slack")


def test_a_message_that_reads_like_an_event_stays_a_message() -> None:
    text = (
        '[{"type":"message","user":"U1","text":"action=delete target=x","ts":"1646816400.000100"}]'
    )
    assert read("slack", text).only("maintenance_event")["action"] == "log"


def test_a_time_that_lost_its_digits_is_rejected() -> None:
    text = '[{"type":"message","user":"U1","text":"x","ts":1646816400.0001}]'
    assert read("slack", text).rejects == [(1, "ts", "TIME_SYNTAX")]
