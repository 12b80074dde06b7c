"""Samples of pg_stat_replication: lag, standbys that are lost, base backups."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest.reader import readers
from toolkit.readers.pg_stat_replication import interval_seconds

HEADER = "sampled_at,application_name,state,sent_lsn,replay_lsn,replay_lag\n"


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("pg_stat_replication")


def test_only_this_reader_claims_its_sample() -> None:
    sample = readers()["pg_stat_replication"].sample
    assert claimants(sample) == ["pg_stat_replication"]


def test_a_view_without_the_time_of_sampling_is_refused_with_the_command() -> None:
    text = "application_name,state,sent_lsn,replay_lsn\ns1,streaming,0/1,0/1\n"
    assert claimants(text) == ["pg_stat_replication"]
    with pytest.raises(EvidenceRefused, match=r"TIME_NONE.*clock_timestamp"):
        read("pg_stat_replication", text)


def test_a_column_that_says_utc_needs_no_zone() -> None:
    text = HEADER.replace("sampled_at", "sampled_at_utc") + "2022-03-09 06:00:00,s1,streaming,,,\n"
    row = read("pg_stat_replication", text).only("replication_sample")
    assert row["sampled_at"] == "2022-03-09T06:00:00+00:00"


def test_an_idle_standby_has_no_lag_and_no_recovery_point() -> None:
    row = read("pg_stat_replication", HEADER + "2022-03-09T06:00:00Z,s1,streaming,0/1,0/1,\n").only(
        "replication_sample"
    )
    assert "lag_seconds" not in row
    assert "recovery_point_at" not in row


def test_a_declared_asset_is_lost_even_where_no_row_named_it() -> None:
    found = read("pg_stat_replication", HEADER + "2022-03-09T06:00:00Z,,,,,\n", asset_id="db2")
    row = found.only("replication_sample")
    assert (row["asset_id"], row["state"]) == ("db2", "disconnected")


def test_a_seeding_row_is_a_seed_of_the_declared_asset() -> None:
    text = HEADER + "2022-03-09T06:00:00Z,pg_basebackup,backup,,,\n"
    row = read("pg_stat_replication", text, asset_id="db2").only("replication_sample")
    assert (row["asset_id"], row["job_kind"], row["state"]) == ("db2", "seed", "running")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:00:00.100954", 0.100954),
        ("1 day 02:03:04.5", 93784.5),
        ("-00:00:01.5", -1.5),
        ("2 days", 172800.0),
        ("P1DT2H3M4.5S", 93784.5),
        ("PT0.25S", 0.25),
        ("@ 1 day 2 hours 3 mins 4.5 secs", 93784.5),
        ("@ 1.5 secs ago", -1.5),
        ("1 2:03:04.5", 93784.5),
    ],
)
def test_intervals_of_every_style_are_read(text: str, seconds: float) -> None:
    assert interval_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["1 mon", "P1M", "P", "P1Y", "@ ", "0.5", "soon", "1:2"])
def test_intervals_without_a_fixed_length_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no interval"):
        interval_seconds(text)


@settings(deadline=None)
@given(st.text(max_size=30))
def test_reading_an_interval_gives_a_number_or_says_why_not(text: str) -> None:
    try:
        interval_seconds(text)
    except ValueError as error:
        assert "no interval" in str(error)


def test_a_real_export_shows_when_no_standby_was_connected(shared_data: Path) -> None:
    folder = shared_data / "real_tools_telemetry" / "postgres_replication"
    path = folder / "pg_stat_replication.csv"
    assert claimants(path) == ["pg_stat_replication"]
    found = read("pg_stat_replication", path, asset_id="pg-standby")
    assert found.account == {"accepted": 154, "continued": 0, "skipped": 0, "rejected": 0}
    rows = found.rows["replication_sample"]
    assert Counter(row["state"] for row in rows) == {
        "connected": 77,
        "disconnected": 71,
        "running": 6,
    }
    assert {row["job_id"] for row in rows if row["state"] == "disconnected"} == {"walreceiver"}
    assert rows[-1]["state"] == "disconnected"
