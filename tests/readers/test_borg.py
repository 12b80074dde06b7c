"""BorgBackup: archives with local times, of a run or of a listing."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest.reader import readers

SAMPLE = readers()["borg"].sample


def test_the_golden_files_read_as_expected() -> None:
    check_golden("borg")
    check_golden("borg", "borg_list")


def test_only_borg_claims_its_sample() -> None:
    assert claimants(SAMPLE) == ["borg"]


def test_local_times_without_a_declared_zone_refuse_the_file() -> None:
    with pytest.raises(EvidenceRefused, match=r"TIME_NO_ZONE.*--zone"):
        read("borg", SAMPLE, asset_id="fs1")


def test_times_with_an_offset_need_no_zone() -> None:
    text = SAMPLE.replace(b'.000000"', b'.000000+01:00"')
    row = read("borg", text, asset_id="fs1").only("replication_sample")
    assert row["sampled_at"] == "2026-02-03T00:00:02+00:00"
    assert row["recovery_point_at"] == "2026-02-03T00:00:00+00:00"


def test_an_archive_of_no_named_machine_is_rejected() -> None:
    assert read("borg", SAMPLE, zone="UTC").rejects == [(1, "asset_id", "ASSET_NONE")]


def test_real_runs_and_listings_are_read_whole(shared_data: Path) -> None:
    folder = shared_data / "real_tools_telemetry" / "borg"
    counts = {}
    for path in sorted(folder.glob("*.json")):
        if path.stat().st_size == 0 or path.name == "info_before.json":
            continue
        assert claimants(path) == ["borg"]
        rows = read("borg", path, asset_id="vm", zone="UTC").rows["replication_sample"]
        assert {row["state"] for row in rows} == {"success"}
        counts[path.stem] = len(rows)
    assert counts.pop("list_before") == 8
    assert counts.pop("list_final") == 10
    assert set(counts.values()) == {1}
    assert len(counts) == 9
