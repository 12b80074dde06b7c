"""XES logs: events with their traces, and XML that must not be trusted."""

from __future__ import annotations

import pytest
from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("xes")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["xes"].sample) == ["xes"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("xes")


def test_entities_and_document_types_are_refused() -> None:
    sample = readers()["xes"].sample
    doctype = b'<!DOCTYPE log [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>\n<log '
    with pytest.raises(EvidenceRefused, match="entities"):
        read("xes", sample.replace(b"<log ", doctype, 1))


def test_xml_that_is_cut_off_is_refused_with_its_line() -> None:
    with pytest.raises(EvidenceRefused, match=r":\d+: .*not plain XML"):
        read("xes", readers()["xes"].sample[:-20])


def test_other_xml_is_not_claimed() -> None:
    assert claimants("<feed><entry/></feed>") == []
    with pytest.raises(EvidenceRefused, match="not a log"):
        read("xes", "<feed/>")


def test_a_trace_is_a_change_only_where_it_says_so() -> None:
    row = read("xes", readers()["xes"].sample).only("maintenance_event")
    assert row["session_id"] == "CHG0039901"
    assert "change_id" not in row
