"""rs.status(): state and lag of the members, seen from one of them."""

from __future__ import annotations

import pytest
from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("mongodb_status")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["mongodb_status"].sample) == ["mongodb_status"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("mongodb_status")


def test_what_the_shell_prints_is_refused_with_a_hint() -> None:
    text = '{ set: "v", date: ISODate("2022-03-09T09:00:05Z"), members: [ { stateStr: "PRIMARY", '
    text += 'optimeDate: ISODate("2022-03-09T09:00:05Z") } ] }'
    assert claimants(text) == ["mongodb_status"]
    with pytest.raises(EvidenceRefused, match="EJSON"):
        read("mongodb_status", text)


def test_without_a_primary_no_lag_is_stated() -> None:
    text = readers()["mongodb_status"].sample.replace(b'"PRIMARY"', b'"SECONDARY"')
    assert all("lag_seconds" not in row
               for row in read("mongodb_status", text).rows["replication_sample"])  # fmt: skip


def test_several_statuses_one_a_line_are_read() -> None:
    text = readers()["mongodb_status"].sample * 2
    assert claimants(text) == ["mongodb_status"]
    assert read("mongodb_status", text).account["accepted"] == 6
