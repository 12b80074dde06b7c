"""OTLP metrics: points with their labels, and those that hold no value."""

from __future__ import annotations

from pathlib import Path

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("otlp")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["otlp"].sample) == ["otlp"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("otlp")


def test_a_mapping_makes_lag_of_a_metric(tmp_path: Path) -> None:
    mapping = tmp_path / "metrics.yaml"
    mapping.write_text(
        "mapping: 1\ninto: replication_sample\nmetrics:\n  replication.lag:\n"
        "    column: lag_seconds\n    asset_label: host.name\n    state: connected\n"
    )
    row = read("otlp", readers()["otlp"].sample, mapping=str(mapping)).only("replication_sample")
    assert (row["asset_id"], row["lag_seconds"]) == ("fs1", 17.25)


def test_a_value_that_is_not_finite_is_skipped() -> None:
    text = readers()["otlp"].sample.replace(b"17.25", b'"NaN"')
    assert read("otlp", text).skips == {"no value (NaN)": 1, "no value was recorded": 1}
