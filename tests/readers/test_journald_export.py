"""The journal's export format: any bytes, and entries that are damaged."""

from __future__ import annotations

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("journald_export")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["journald_export"].sample) == ["journald_export"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("journald_export")


def test_the_same_entry_reads_like_its_json_form() -> None:
    export = read("journald_export", readers()["journald_export"].sample)
    lines = read("journald", readers()["journald"].sample)
    first, other = export.rows["maintenance_event"][0], lines.rows["maintenance_event"][0]
    assert first == other


def test_a_length_that_leads_beyond_the_file_rejects_the_entry_only() -> None:
    entry = b"__CURSOR=a\n__REALTIME_TIMESTAMP=1646816398120312\nMESSAGE=x\n\n"
    bad = b"__CURSOR=b\nMESSAGE\n" + b"\xff" * 8 + b"x\n\n"
    found = read("journald_export", entry + bad + entry)
    assert found.account == {"accepted": 2, "continued": 0, "skipped": 0, "rejected": 1}


def test_words_that_disagree_reject_the_entry() -> None:
    entry = b"__CURSOR=a\n__REALTIME_TIMESTAMP=1646816398120312\nTARGET=a\n"
    found = read("journald_export", entry + b"MESSAGE=action=drain target=b\n\n")
    assert found.rejects == [(1, "target", "KV_DUPKEY")]
