"""Answers of the Prometheus API, and the map from metrics to lag and state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused, UsageError
from toolkit.ingest.metric_map import load_metric_map
from toolkit.ingest.reader import readers

MAP = """\
mapping: 1
into: replication_sample
metrics:
  lag_seconds: {column: lag_seconds, asset_label: instance, job_label: slot, state: connected}
  replication_up:
    column: state
    asset: db2
    states: {"1": connected, 0: disconnected}
  last_success_timestamp_seconds:
    {column: recovery_point_at, asset: db2, target: vault, state: success, job_kind: replicate}
"""


def answer(*series: dict[str, Any], kind: str = "matrix", **more: Any) -> str:
    data = {"resultType": kind, "result": list(series)}
    return json.dumps({"status": "success", "data": data, **more})


def series(name: str, *pairs: tuple[float, str], **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": name, **labels}, "values": [list(pair) for pair in pairs]}


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("prometheus")


def test_only_prometheus_claims_its_sample() -> None:
    assert claimants(readers()["prometheus"].sample) == ["prometheus"]


def test_an_instant_vector_is_one_sample_a_series() -> None:
    vector = {"metric": {"__name__": "up", "b": "2", "a": "1"}, "value": [1646816400, "1"]}
    found = read("prometheus", answer(vector, kind="vector"), asset_id="db2")
    assert found.only("metric_sample") == {
        "record_no": 1,
        "sampled_at": "2022-03-09T09:00:00+00:00",
        "series": 'up{a="1",b="2"}',
        "value": 1.0,
        "asset_id": "db2",
    }


def test_a_saved_error_is_refused() -> None:
    saved = '{"status":"error","errorType":"bad_data","error":"parse error"}'
    assert claimants(saved) == ["prometheus"]
    with pytest.raises(EvidenceRefused, match=r"parse error.*repeat the query"):
        read("prometheus", saved)


def test_a_scalar_holds_no_series_and_is_refused() -> None:
    with pytest.raises(EvidenceRefused, match="holds no series"):
        read("prometheus", answer(kind="scalar"))


def test_a_series_at_the_limit_of_the_api_is_not_complete() -> None:
    pairs = [(1646816400 + index, "1") for index in range(11_000)]
    found = read("prometheus", answer(series("up", *pairs)))
    assert found.account["accepted"] == 11_000
    assert "11,000" in found.incomplete[0]


def test_mapped_metrics_become_replication_samples_and_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(MAP)
    at = 1646816400
    found = read(
        "prometheus",
        answer(
            series("lag_seconds", (at, "2.5"), (at + 15, "NaN"), instance="db3", slot="s1"),
            series("lag_seconds", (at, "1")),
            series("replication_up", (at, "1"), (at + 15, "0"), (at + 30, "2")),
            series("last_success_timestamp_seconds", (at, "1.646812800e+09")),
            series("other", (at, "7")),
        ),
        mapping=str(path),
    )
    rows = found.rows["replication_sample"]
    assert [(row["asset_id"], row["state"]) for row in rows] == [
        ("db3", "connected"),
        ("db2", "connected"),
        ("db2", "disconnected"),
        ("db2", "unknown"),
        ("db2", "success"),
    ]
    assert (rows[0]["lag_seconds"], rows[0]["job_id"]) == (2.5, "s1")
    assert rows[4]["recovery_point_at"] == "2022-03-09T08:00:00+00:00"
    assert rows[4]["target_asset"] == "vault"
    assert found.rejects == [(3, "asset_id", "ASSET_NONE")]
    assert found.value_notes == [(6, "state", "UNKNOWN_WORD", "2")]
    assert found.only("metric_sample")["series"] == "other"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mapping: 2\n", "mapping: not a metric map"),
        ("mapping: 1\ninto: asset\n", "into: metrics are read into"),
        (MAP.replace("asset_label", "asset_lable"), "asset_lable: unknown key; did you mean"),
        (MAP.replace("state: connected}", "state: fine}"), "'fine' is no state"),
        (MAP.replace("column: lag_seconds", "column: lag"), "column: no such column"),
        (MAP.replace("    asset: db2\n", ""), "asset: the asset is not stated once"),
        (MAP.replace("job_kind: replicate", "job_kind: copy"), "no such kind of job"),
        ("mapping: [1\n", "is not YAML"),
        ("mapping: 1\ninto: replication_sample\n", "metrics: names no metric"),
    ],
)
def test_a_map_that_cannot_be_meant_is_refused_with_its_field(
    text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"map\.yaml") as caught:
        load_metric_map(path)
    assert said in str(caught.value)
