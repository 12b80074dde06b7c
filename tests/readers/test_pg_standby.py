"""A standby's own view: what it can know of its link and its lag, and what it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("pg_standby")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["pg_standby"].sample) == ["pg_standby"]


def test_without_a_declared_asset_the_file_is_refused() -> None:
    with pytest.raises(EvidenceRefused, match=r"ASSET_NONE.*asset_id"):
        read("pg_standby", readers()["pg_standby"].sample)


def test_a_real_export_keeps_the_last_recovery_point_after_the_link_was_cut(
    shared_data: Path,
) -> None:
    path = shared_data / "real_tools_telemetry" / "postgres_replication" / "standby_lag.csv"
    assert claimants(path) == ["pg_standby"]
    found = read("pg_standby", path, asset_id="pg-standby")
    assert found.account == {"accepted": 153, "continued": 0, "skipped": 0, "rejected": 0}
    rows = found.rows["replication_sample"]
    cut = [row for row in rows if "2026-11-22T18:03:38" < row["sampled_at"] < "2026-11-22T18:04:08"]
    assert {row["state"] for row in cut} == {"unknown"}
    assert {row["recovery_point_at"][:21] for row in cut} == {"2026-11-22T18:03:14.1"}
    assert not any("lag_seconds" in row for row in cut)
    paused = [
        row
        for row in rows
        if "2026-11-22T18:02:16" < row["sampled_at"][:19] < "2026-11-22T18:02:49"
    ]
    assert max(row["lag_seconds"] for row in paused) > 30
