"""Replica status: which threads run, and a time that must be declared."""

from __future__ import annotations

import json

import pytest
from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("mysql_replica")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["mysql_replica"].sample) == ["mysql_replica"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("mysql_replica", captured_at="2022-03-09T09:00:00Z", asset_id="db2")


DECLARED = {"captured_at": "2022-03-09T09:00:00Z", "asset_id": "db2"}


def test_time_and_replica_must_be_declared() -> None:
    sample = readers()["mysql_replica"].sample
    with pytest.raises(EvidenceRefused, match="captured_at"):
        read("mysql_replica", sample, asset_id="db2")
    with pytest.raises(EvidenceRefused, match="ASSET_NONE"):
        read("mysql_replica", sample, captured_at="2022-03-09T09:00:00Z")
    with pytest.raises(EvidenceRefused, match=r"captured_at.*TIME_NO_ZONE"):
        read("mysql_replica", sample, captured_at="2022-03-09 09:00:00", asset_id="db2")


def test_the_names_of_older_servers_and_json_are_read_alike() -> None:
    row = {"Slave_IO_Running": "Yes", "Slave_SQL_Running": "Yes", "Seconds_Behind_Master": 5,
           "Last_IO_Errno": 0, "Last_IO_Error": "", "Connection_name": "c1"}  # fmt: skip
    for text in (json.dumps([row]), json.dumps({"rows": [row]}), json.dumps(row, indent=1)):
        assert claimants(text) == ["mysql_replica"]
        found = read("mysql_replica", text, **DECLARED).only("replication_sample")
        assert (found["state"], found["lag_seconds"], found["job_id"]) == ("connected", 5, "c1")


def test_a_lag_of_zero_is_not_an_absent_one() -> None:
    text = readers()["mysql_replica"].sample
    zero = read("mysql_replica", text.replace(b": 17", b": 0"), **DECLARED)
    assert zero.only("replication_sample")["lag_seconds"] == 0
    none = read("mysql_replica", text.replace(b": 17", b": NULL"), **DECLARED)
    assert "lag_seconds" not in none.only("replication_sample")
