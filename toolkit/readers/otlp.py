"""Metrics in OTLP JSON, as the file exporter of the OpenTelemetry Collector writes them.

Source: https://opentelemetry.io/docs/specs/otlp/ (JSON Protobuf encoding), metrics.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from toolkit.ingest.container import EvidenceFile, Record, parse_json
from toolkit.ingest.jsonfile import Object, items, part, peek, text
from toolkit.ingest.metric_map import SampleWriter
from toolkit.ingest.reader import Reader, Sink, SourceSettings
from toolkit.timestamps import TimeError, parse_epoch

_KINDS = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")
_NO_RECORDED_VALUE = 1


class OtlpReader(Reader):
    name = "otlp"
    title = "OpenTelemetry metrics (OTLP JSON)"
    fills = ("metric_sample", "replication_sample")
    takes_mapping = True
    obtain = "the file exporter of the Collector, format: json, without compression or with gzip"
    traps: ClassVar[tuple[str, ...]] = (
        "a record is a data point, numbered through the file",
        "of histograms and summaries, count and sum are read",
        "a delta sum is kept as it is, with the label temporality: it is no running total",
        "a point that says that no value was recorded is skipped, not read as zero",
    )
    sample = (
        b'{"resourceMetrics":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":'
        b'"fs1"}}]},"scopeMetrics":[{"scope":{"name":"replicator"},"metrics":[{"name":'
        b'"replication.lag","unit":"s","gauge":{"dataPoints":[{"attributes":[{"key":"target",'
        b'"value":{"stringValue":"vault-eu"}}],"timeUnixNano":"1646816400250000000","asDouble":'
        b'17.25},{"timeUnixNano":"1646816415250000000","flags":1}]}}]}]}]}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        found = peek(file)
        return (
            file.head.lstrip()[:1] == "{"
            and bool(found)
            and all(isinstance(_get(each, "resourceMetrics"), list) for each in found)
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        writer = SampleWriter(file, settings, sink)
        for record, point in file.elements(list(_points(file))):
            if "fault" in point:
                sink.reject(record, "JSON_SYNTAX", point["fault"])
            elif point["value"] is None:
                sink.skip(record, "no value was recorded")
            else:
                _send(record, point, writer, sink)


def _send(record: Record, point: dict[str, Any], writer: SampleWriter, sink: Sink) -> None:
    if point["time"] in (None, "0"):
        sink.reject(record, "TIME_NONE", "the point states no time", field="timeUnixNano")
        return
    try:
        at = parse_epoch(point["time"], "ns")
    except TimeError as error:
        sink.reject(record, error.code, error.reason, field="timeUnixNano")
        return
    writer.send(record, point["labels"], point["value"], at, unit=point["unit"])


def _points(file: EvidenceFile) -> Iterator[dict[str, Any]]:
    """Every data point with its labels, and the lines that are no JSON with their fault."""
    if isinstance(file.json, dict):
        yield from _of_request(file.json)
        return
    for line in file.data.splitlines():
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except (ValueError, RecursionError) as error:
            fault = f"the line is not JSON ({str(error)[:120]})"
            yield {"fault": fault, "line": line.decode("utf-8", "backslashreplace")}
            continue
        if isinstance(value, dict):
            yield from _of_request(value)
        else:
            yield {"fault": "the line is JSON, but no object", "line": value}


def _of_request(request: Object) -> Iterator[dict[str, Any]]:
    for resource in _list(request, "resourceMetrics"):
        about = _labels(part(resource, "resource"))
        for scope in _list(resource, "scopeMetrics"):
            for metric in items(scope, "metrics"):
                for kind in _KINDS:
                    data = part(_get(metric, kind))
                    for point in _list(data, "dataPoints"):
                        yield from _values(metric, kind, data, point, about)


def _values(
    metric: Object, kind: str, data: Object, point: Object, about: dict[str, str]
) -> Iterator[dict[str, Any]]:
    name = text(metric, "name") or ""
    labels = {**about, **_labels(point)}
    if text(data, "aggregationTemporality") in ("1", "AGGREGATION_TEMPORALITY_DELTA"):
        labels["temporality"] = "delta"
    flags = point.get("flags", 0)
    is_empty = type(flags) is int and bool(flags & _NO_RECORDED_VALUE)
    values = {"": text(_get(point, "asDouble")) or text(_get(point, "asInt"))}
    if kind not in ("gauge", "sum"):
        values = {f"_{key}": text(point, key) for key in ("count", "sum")}
    for ending, value in values.items():
        yield {
            "labels": {**labels, "__name__": name + ending},
            "time": text(_get(point, "timeUnixNano")),
            "value": None if is_empty else value,
            "unit": "1" if ending == "_count" else text(metric, "unit"),
        }


def _labels(value: Object) -> dict[str, str]:
    """Attributes as labels; values that are lists or maps name no series and are left out."""
    found: dict[str, str] = {}
    for each in items(value, "attributes"):
        key, held = text(each, "key"), part(each, "value")
        for kind in ("stringValue", "intValue", "doubleValue", "boolValue"):
            shown = text(_get(held, kind))
            if key is not None and shown is not None:
                found[key] = shown
    return found


def _get(value: Object, key: str) -> Any:
    """A field by its name, or by the one that old writers gave it (`resource_metrics`)."""
    if key in value:
        return value[key]
    return value.get("".join(f"_{c.lower()}" if c.isupper() else c for c in key))


def _list(value: Object, key: str) -> list[Object]:
    found = _get(value, key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
