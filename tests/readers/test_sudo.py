"""The text log of sudo: wrapped lines, missing years, and how commands ended."""

from __future__ import annotations

import pytest
from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("sudo")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["sudo"].sample) == ["sudo"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("sudo", zone="America/Denver", year=2022)


def test_zone_and_year_must_be_declared_where_the_lines_state_none() -> None:
    sample = readers()["sudo"].sample
    with pytest.raises(EvidenceRefused, match="TIME_NO_ZONE"):
        read("sudo", sample, year=2022)
    with pytest.raises(EvidenceRefused, match=r"TIME_NO_YEAR.*--year"):
        read("sudo", sample, zone="America/Denver")


def test_a_year_in_the_line_needs_no_declaration() -> None:
    line = "Mar  9 01:59:58 2022 : op-x : USER=root ; COMMAND=/bin/true ; \n"
    assert claimants(line) == ["sudo"]
    found = read("sudo", line, zone="America/Denver")
    assert found.only("maintenance_event")["occurred_at"] == "2022-03-09T08:59:58+00:00"
    assert found.time_notes == []


def test_the_words_of_a_command_cannot_state_how_it_ended() -> None:
    line = "Mar  9 01:59:58 2022 : op-x : USER=root ; COMMAND=/usr/bin/purge ; EXIT=0\n"
    row = read("sudo", line, zone="UTC").only("maintenance_event")
    assert row["outcome"] == "unknown"


def test_lines_of_syslog_stay_with_their_reader() -> None:
    line = "Mar  9 01:59:58 mds1 sudo[812]:     op-x : TTY=pts/0 ; USER=root ; COMMAND=/bin/true\n"
    assert claimants(line) == ["syslog"]
