"""Answers of the Prometheus HTTP API, saved as JSON."""

from __future__ import annotations

from typing import Any

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.metric_map import SampleWriter
from toolkit.ingest.reader import Reader, Sink, SourceSettings
from toolkit.timestamps import TimeError, parse_epoch

_POINT_LIMIT = 11_000
_TYPES = ("matrix", "vector", "scalar", "string")


class PrometheusReader(Reader):
    name = "prometheus"
    title = "Prometheus HTTP API (JSON)"
    fills = ("metric_sample", "replication_sample")
    takes_mapping = True
    obtain = "curl -G http://HOST:9090/api/v1/query --data-urlencode 'query=METRIC[6h]' -d time=…"
    traps = (
        "query_range answers on the grid of its step: a value may be five minutes older than its"
        " time, and a series that ended seems alive; query METRIC[6h] gives the samples themselves",
        "query_range gives at most 11,000 points a series",
        "NaN and Inf hold no value and are skipped, as are native histograms",
        "a metric says which asset it describes only by its labels: map it to lag or state",
    )
    sample = (
        b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":'
        b'"replication_lag_seconds","instance":"db2:9187","job":"postgres"},"values":['
        b'[1646816385.250,"0.5"],[1646816400.250,"NaN"],[1646816415.250,"17.25"]]}]}}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        answer = file.json
        if not isinstance(answer, dict):
            return False
        if answer.get("status") == "error":
            return "errorType" in answer and "error" in answer
        data = answer.get("data")
        return (
            answer.get("status") == "success"
            and isinstance(data, dict)
            and data.get("resultType") in _TYPES
            and isinstance(data.get("result"), list)
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        answer = file.json
        if not isinstance(answer, dict) or answer.get("status") != "success":
            reason = answer.get("error") if isinstance(answer, dict) else "no JSON object"
            raise EvidenceRefused(
                f"the answer is an error ({str(reason)[:80]!r})",
                path=file.path,
                remedy="repeat the query, and save its answer",
            )
        data = answer.get("data")
        kind = data.get("resultType") if isinstance(data, dict) else None
        result = data.get("result") if isinstance(data, dict) else None
        if kind not in ("matrix", "vector") or not isinstance(result, list):
            raise EvidenceRefused(
                f"a result of type {kind} holds no series",
                path=file.path,
                field="data.resultType",
                remedy="query a metric by its name",
            )
        for warning in answer.get("warnings") or ():
            sink.incomplete(f"the server warned: {str(warning)[:200]}")
        samples, longest = _flatten(result, file)
        if longest >= _POINT_LIMIT:
            sink.incomplete(f"a series has {longest:,} points; the API gives at most 11,000")

        writer = SampleWriter(file, settings, sink)
        for record, sample in file.elements(samples):
            labels = sample["metric"]
            if "histogram" in sample:
                sink.skip(record, "native histogram")
                continue
            pair = sample["value"]
            if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], str)):
                sink.reject(record, "JSON_SHAPE", "a sample is a time and a text", field="value")
                continue
            try:
                at = parse_epoch(pair[0], "s")
            except (TimeError, TypeError, AttributeError) as error:
                code = error.code if isinstance(error, TimeError) else "TIME_SYNTAX"
                sink.reject(record, code, str(error), field="sampled_at")
                continue
            writer.send(record, labels, pair[1], at)


def _flatten(result: list[Any], file: EvidenceFile) -> tuple[list[dict[str, Any]], int]:
    """The samples of all series, each with its labels, and the length of the longest series."""
    samples: list[dict[str, Any]] = []
    longest = 0
    for number, series in enumerate(result):
        metric = series.get("metric") if isinstance(series, dict) else None
        if not isinstance(metric, dict) or not all(isinstance(v, str) for v in metric.values()):
            raise EvidenceRefused(
                "a series has no labels",
                path=file.path,
                field=f"data.result[{number}].metric",
                remedy="save the answer as the server gave it",
            )
        single = [series["value"]] if "value" in series else []
        values = [*(series.get("values") or ()), *single]
        longest = max(longest, len(values))
        samples.extend({"metric": metric, "value": pair} for pair in values)
        native = [series["histogram"]] if "histogram" in series else []
        native += series.get("histograms") or ()
        samples.extend({"metric": metric, "histogram": pair} for pair in native)
    return samples, longest
