"""ZFS snapshots: recovery points by dataset, as lines or JSON."""

from __future__ import annotations

import json

import pytest
from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("zfs_list")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["zfs_list"].sample) == ["zfs_list"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("zfs_list")


def answer(creation: str, major: int = 0) -> str:
    snapshot = {"name": "tank/fs1@a", "type": "SNAPSHOT", "properties": {"creation": {"value":
                creation}, "written": {"value": "512"}}}  # fmt: skip
    other = {"name": "tank/fs1", "type": "FILESYSTEM", "properties": {}}
    version = {"command": "zfs list", "vers_major": major, "vers_minor": 1}
    return json.dumps({"output_version": version, "datasets": {"a": snapshot, "b": other}})


def test_the_json_form_is_read_alike() -> None:
    assert claimants(answer("1646816400")) == ["zfs_list"]
    found = read("zfs_list", answer("1646816400"))
    row = found.only("replication_sample")
    assert (row["recovery_point_at"], row["bytes"]) == ("2022-03-09T09:00:00+00:00", 512)
    assert found.skips == {"no snapshot": 1}


def test_local_times_of_the_json_form_are_rejected() -> None:
    found = read("zfs_list", answer("Wed Mar  9 02:00 2022"))
    assert found.rejects == [(1, "creation", "VALUE_MISSING")]


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(EvidenceRefused, match="version 1"):
        read("zfs_list", answer("1646816400", major=1))
