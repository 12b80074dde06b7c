"""Text scrapes: where their time comes from, and its unit."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest.reader import readers

SCRAPE = "# TYPE up gauge\nup 1\n"


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("prometheus_text")


def test_only_the_text_reader_claims_its_sample() -> None:
    assert claimants(readers()["prometheus_text"].sample) == ["prometheus_text"]


def test_a_scrape_without_times_and_without_a_name_that_tells_is_refused() -> None:
    with pytest.raises(EvidenceRefused, match=r"metrics\.txt:2: .*TIME_NONE.*captured_at"):
        read("prometheus_text", SCRAPE, "metrics.txt")
    with pytest.raises(EvidenceRefused, match="TIME_NONE"):
        read("prometheus_text", SCRAPE, "20220309T060000.prom")  # no Z: of which zone?


def test_a_file_name_that_is_a_utc_stamp_gives_the_time_and_is_flagged() -> None:
    found = read("prometheus_text", SCRAPE, "20220309T060000Z.prom")
    assert found.only("metric_sample")["sampled_at"] == "2022-03-09T06:00:00+00:00"
    assert found.time_notes == [(2, "sampled_at", "file_name_time")]


def test_the_declared_time_of_capture_wins_over_the_name() -> None:
    found = read(
        "prometheus_text", SCRAPE, "20220309T060000Z.prom", captured_at="2022-03-09T07:00:00Z"
    )
    assert found.only("metric_sample")["sampled_at"] == "2022-03-09T07:00:00+00:00"
    assert found.time_notes == [(2, "sampled_at", "captured_at_used")]


def test_a_time_of_capture_that_cannot_be_read_refuses_the_file() -> None:
    with pytest.raises(EvidenceRefused, match=r"captured_at.*TIME_NO_ZONE"):
        read("prometheus_text", SCRAPE, captured_at="2022-03-09 07:00:00")


def test_openmetrics_counts_seconds_and_states_units() -> None:
    text = (
        "# TYPE lag_seconds gauge\n# UNIT lag_seconds seconds\n"
        'lag_seconds{a="b"} 4 1646816400.25 # {trace="x"} 1 1646816400\n# EOF\n'
    )
    row = read("prometheus_text", text).only("metric_sample")
    assert row["sampled_at"] == "2022-03-09T09:00:00.250000+00:00"
    assert row["unit"] == "seconds"


def test_a_dump_of_promtool_counts_milliseconds() -> None:
    text = '{__name__="up", instance="a"} 1 1646816400250\n{__name__="up", instance="b"} NaN 1\n'
    assert claimants(text) == ["prometheus_text"]
    row = read("prometheus_text", text).only("metric_sample")
    assert row["series"] == 'up{instance="a"}'
    assert row["sampled_at"] == "2022-03-09T09:00:00.250000+00:00"


def test_real_scrapes_are_read_to_their_last_line(shared_data: Path) -> None:
    folder = shared_data / "real_tools_telemetry" / "postgres_replication" / "exporter_scrapes"
    for path in sorted(folder.iterdir()):
        assert claimants(path) == ["prometheus_text"]
        found = read("prometheus_text", path)
        assert found.account["rejected"] == 0
        assert found.account["accepted"] > 400
