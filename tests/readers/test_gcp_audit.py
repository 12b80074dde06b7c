"""Google Cloud audit log: first and last entry of an operation become one event."""

from __future__ import annotations

import json

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("gcp_audit")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["gcp_audit"].sample) == ["gcp_audit"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("gcp_audit")


def test_entries_one_a_line_are_read_alike() -> None:
    entries = json.loads(readers()["gcp_audit"].sample)
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    assert claimants(lines) == ["gcp_audit"]
    assert read("gcp_audit", lines).rows == read("gcp_audit", readers()["gcp_audit"].sample).rows


def test_other_entries_among_them_are_rejected() -> None:
    entries = json.loads(readers()["gcp_audit"].sample)
    found = read("gcp_audit", json.dumps([*entries, {"textPayload": "x"}]))
    assert found.rejects == [(3, "protoPayload", "RECORD_SHAPE")]
