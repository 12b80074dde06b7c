"""What a lake gave back: counts of the table, rows of several relations, damage."""

from __future__ import annotations

import io

import pytest
from mutations import survives_damage
from reading import claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest import extract
from toolkit.ingest.reader import readers

SAMPLE = readers()["lake"].sample


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(SAMPLE) == ["lake"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("lake")


def test_the_records_are_those_of_the_table_and_not_the_rows_that_came_back() -> None:
    found = read("lake", SAMPLE)
    assert found.account == {"accepted": 999, "continued": 0, "skipped": 0, "rejected": 1}
    assert found.only("reduced_run")["samples"] == 999
    assert found.only("replication_sample")["record_no"] == 1
    assert found.rejects == [(1000, "sampled_at", "VALUE_MISSING")]


def test_equal_rows_give_equal_bytes() -> None:
    assert extract.example() == SAMPLE


def test_a_changed_byte_of_a_page_is_found() -> None:
    refused, whole = 0, read("lake", SAMPLE)
    for place in range(4, len(SAMPLE) // 4, 3):
        damaged = bytearray(SAMPLE)
        damaged[place] ^= 1
        try:
            found = read("lake", bytes(damaged))
        except EvidenceRefused:
            refused += 1
        else:
            assert found == whole, place
    assert refused > 30


def test_an_account_that_does_not_add_up_is_refused() -> None:
    head, table = extract.read(None, SAMPLE)  # type: ignore[arg-type]
    target = io.BytesIO()
    extract.write(target, head.model_copy(update={"rejected": 2}), [table])
    assert claimants(target.getvalue()) == ["lake"]
    with pytest.raises(EvidenceRefused, match="account"):
        read("lake", target.getvalue())


def test_a_clock_offset_is_not_taken_from_what_is_reduced() -> None:
    with pytest.raises(EvidenceRefused, match="clock offset"):
        read("lake", SAMPLE, clock_offset_seconds=2.0)
