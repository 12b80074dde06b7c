"""Terraform: start and end of the work on a resource become one event."""

from __future__ import annotations

import pytest
from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("terraform")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["terraform"].sample) == ["terraform"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("terraform")


def test_an_unknown_version_of_the_format_is_refused() -> None:
    text = readers()["terraform"].sample.replace(b'"ui":"1.1"', b'"ui":"2.0"')
    with pytest.raises(EvidenceRefused, match=r"version '2\.0'"):
        read("terraform", text)
