"""PostgreSQL server logs: every line of the server is an event, wrapped lines belong to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("postgres_log")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["postgres_log"].sample) == ["postgres_log"]


def test_other_abbreviations_than_utc_need_the_declared_zone() -> None:
    text = "2026-02-03 08:15:02.114 CET [4102] LOG:  entering standby mode\n"
    with pytest.raises(EvidenceRefused, match=r":1: occurred_at: .*CET.*TIME_NO_ZONE.*--zone"):
        read("postgres_log", text)
    row = read("postgres_log", text, zone="Europe/Berlin").only("maintenance_event")
    assert row["occurred_at"] == "2026-02-03T07:15:02.114000+00:00"


def test_words_of_a_statement_are_never_read_as_an_event() -> None:
    text = "2026-02-03 08:15:02 UTC [4] a@b/c STATEMENT:  select 'action=drop target=x'\n"
    assert read("postgres_log", text).only("maintenance_event")["action"] == "log"


@pytest.mark.parametrize(("name", "lines"), [("primary.log", 2080), ("standby.log", 378)])
def test_real_logs_are_read_to_their_last_line(name: str, lines: int, shared_data: Path) -> None:
    path = shared_data / "real_tools_telemetry" / "postgres_replication" / name
    assert claimants(path) == ["postgres_log"]
    found = read("postgres_log", path)
    assert found.account == {"accepted": lines, "continued": 0, "skipped": 0, "rejected": 0}
