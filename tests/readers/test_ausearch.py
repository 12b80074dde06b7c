"""Audit events as CSV: the time by its extra columns, else as declared."""

from __future__ import annotations

import pytest
from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("ausearch")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["ausearch"].sample) == ["ausearch"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("ausearch")


SHORT = (
    "EVENT,DATE,TIME,SERIAL_NUM,EVENT_KIND,SUBJ_PRIME,ACTION,RESULT\n"
    "SYSCALL,03/09/22,02:00:05,1,audit-rule,op-x,executed,success\n"
)


def test_without_the_extra_columns_zone_and_order_must_be_declared() -> None:
    assert claimants(SHORT) == ["ausearch"]
    with pytest.raises(EvidenceRefused, match=r"TIME_NO_ZONE.*--extra-time"):
        read("ausearch", SHORT)
    with pytest.raises(EvidenceRefused, match=r"TIME_ORDER.*declare order"):
        read("ausearch", SHORT, zone="America/Denver")
    row = read("ausearch", SHORT, zone="America/Denver", order="month-first")
    assert row.only("maintenance_event")["occurred_at"] == "2022-03-09T09:00:05+00:00"
    row = read("ausearch", SHORT, zone="UTC", order="day-first")
    assert row.only("maintenance_event")["occurred_at"] == "2022-09-03T02:00:05+00:00"


def test_a_date_in_iso_form_needs_the_zone_only() -> None:
    row = read("ausearch", SHORT.replace("03/09/22", "2022-03-09"), zone="UTC")
    assert row.only("maintenance_event")["occurred_at"] == "2022-03-09T02:00:05+00:00"


def test_a_header_without_a_needed_column_is_refused() -> None:
    with pytest.raises(EvidenceRefused, match="RESULT"):
        read("ausearch", SHORT.replace("RESULT", "OUTCOME"))
