"""Which metrics are the lag or the state of a replication, and of which asset.

A metric is a name and labels; that `pg_replication_lag_seconds{instance="db2"}` is the lag of the
standby db2 is knowledge of the people who named it. A small YAML file states it:

    mapping: 1
    into: replication_sample
    metrics:
      pg_replication_lag_seconds:
        column: lag_seconds          # or state, bytes, progress, recovery_point_at
        asset_label: instance        # or asset: a constant
        job_label: slot_name         # or job: a constant; optional
        target: backup-site          # or target_label; optional
        job_kind: replicate          # optional
        state: connected             # what a sample proves; with column: state, use states
      replication_up:
        column: state
        states: {"1": connected, "0": disconnected}
        asset: db-standby

Samples of metrics that the file does not name stay `metric_sample`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from toolkit.errors import UsageError
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.reader import Sink, SourceSettings, Value
from toolkit.relations import JOB_KINDS, REPLICATION_STATES
from toolkit.timestamps import Instant, TimeError, parse_epoch

COLUMNS = ("lag_seconds", "state", "bytes", "progress", "recovery_point_at")


@dataclass(frozen=True, slots=True)
class MetricRule:
    """How one metric is read into `replication_sample`."""

    column: str
    asset: str | None = None
    asset_label: str | None = None
    job: str | None = None
    job_label: str | None = None
    target: str | None = None
    target_label: str | None = None
    job_kind: str | None = None
    state: str | None = None
    states: Mapping[str, str] | None = None


_KEYS = tuple(part.name for part in fields(MetricRule))


def load_metric_map(path: Path) -> Mapping[str, MetricRule]:
    """Read a metric map; raises UsageError with file and field where it is not one."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        data = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else "is not YAML"
        raise UsageError(
            f"the metric map cannot be read ({reason})", path=path, remedy="check the file"
        ) from None
    if not isinstance(data, dict) or data.get("mapping") != 1:
        raise UsageError(
            "not a metric map of version 1", path=path, field="mapping", remedy="write mapping: 1"
        )
    if data.get("into") != "replication_sample":
        raise UsageError(
            "metrics are read into replication_sample",
            path=path,
            field="into",
            remedy="write into: replication_sample",
        )
    metrics = data.get("metrics")
    if not isinstance(metrics, dict) or not metrics:
        raise UsageError(
            "names no metric", path=path, field="metrics", remedy="list metrics by their name"
        )
    for key in data:
        _known(str(key), ("mapping", "name", "into", "metrics"), path, "")
    return {str(name): _rule(str(name), value, path) for name, value in metrics.items()}


def _known(key: str, keys: tuple[str, ...], path: Path, where: str) -> None:
    if key in keys:
        return
    close = difflib.get_close_matches(key, keys, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(keys)}"
    raise UsageError("unknown key", path=path, field=f"{where}{key}", remedy=remedy)


def _rule(name: str, value: Any, path: Path) -> MetricRule:
    where = f"metrics.{name}."
    if not isinstance(value, dict):
        raise UsageError(
            "not a mapping", path=path, field=where[:-1], remedy="write column: and asset:"
        )
    for key in value:
        _known(str(key), _KEYS, path, where)
    states = value.get("states")
    if states is not None and not isinstance(states, dict):
        raise UsageError(
            "not a mapping", path=path, field=f"{where}states", remedy='write {"1": connected}'
        )
    texts = {key: str(part) for key, part in value.items() if key != "states" and part is not None}
    words = None if states is None else {_plain(key): str(word) for key, word in states.items()}
    rule = MetricRule(**{"column": "", **texts}, states=words)

    def need(ok: bool, field: str, message: str, remedy: str) -> None:
        if not ok:
            raise UsageError(message, path=path, field=f"{where}{field}", remedy=remedy)

    need(rule.column in COLUMNS, "column", "no such column", f"one of {', '.join(COLUMNS)}")
    need(
        (rule.asset is None) != (rule.asset_label is None),
        "asset",
        "the asset is not stated once",
        "give either asset or asset_label",
    )
    need(not (rule.job and rule.job_label), "job", "stated twice", "give job or job_label")
    need(not (rule.target and rule.target_label), "target", "stated twice", "give one of the two")
    if rule.column == "state":
        need(bool(words), "states", "no states for the values", 'write {"1": connected}')
        stated = tuple((words or {}).values())
    else:
        need(words is None, "states", "states belong to column: state", "leave it out")
        need(rule.state is not None, "state", "what a sample proves is not stated", "add state")
        stated = (rule.state or "",)
    for word in stated:
        need(
            word in REPLICATION_STATES,
            "state",
            f"{word!r} is no state",
            f"one of {', '.join(REPLICATION_STATES)}",
        )
    need(
        rule.job_kind is None or rule.job_kind in JOB_KINDS,
        "job_kind",
        "no such kind of job",
        f"one of {', '.join(JOB_KINDS)}",
    )
    return rule


def _plain(value: Any) -> str:
    """A sample value as the key of `states`: 1, 1.0 and "1" are the same."""
    try:
        number = float(value)
        return str(int(number)) if number == int(number) else repr(number)
    except (TypeError, ValueError, OverflowError):
        return str(value)


def series_name(labels: Mapping[str, str]) -> str:
    """The name of a series: metric name and labels in the order of their names."""
    inner = ",".join(
        f'{key}="{_escape(labels[key])}"' for key in sorted(labels) if key != "__name__"
    )
    name = labels.get("__name__", "")
    return f"{name}{{{inner}}}" if inner or not name else name


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class SampleWriter:
    """Sends samples of metrics to the relation that they belong to."""

    def __init__(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        self._sink = sink
        self._asset_id = settings.asset_id
        self._rules = load_metric_map(Path(settings.mapping)) if settings.mapping else {}

    def send(
        self,
        record: Record,
        labels: Mapping[str, str],
        value: str,
        at: Instant,
        *,
        unit: str | None = None,
    ) -> None:
        """End a record with one sample; `value` is its text, of which NaN and Inf say nothing."""
        try:
            number = _number(value)
        except ValueError:
            self._sink.reject(record, "VALUE_NUMBER", f"{value[:40]!r} is no number", field="value")
            return
        if not math.isfinite(number):
            self._sink.skip(record, f"no value ({'NaN' if math.isnan(number) else 'Inf'})")
            return
        rule = self._rules.get(labels.get("__name__", ""))
        if rule is None:
            row: dict[str, Value] = {
                "sampled_at": at,
                "series": series_name(labels),
                "value": number,
                "asset_id": self._asset_id,
                "unit": unit,
            }
            self._sink.accept(record, ("metric_sample", row))
            return
        asset = rule.asset or labels.get(rule.asset_label or "")
        if not asset:
            self._sink.reject(
                record,
                "ASSET_NONE",
                f"the sample has no label {rule.asset_label}",
                field="asset_id",
            )
            return
        mapped: dict[str, Value] = {
            "sampled_at": at,
            "asset_id": asset,
            "state": rule.state,
            "job_kind": rule.job_kind,
            "job_id": rule.job or labels.get(rule.job_label or "") or None,
            "target_asset": rule.target or labels.get(rule.target_label or "") or None,
        }
        unknown = None
        if rule.column == "state":
            word = (rule.states or {}).get(_plain(value))
            mapped["state"] = word or "unknown"
            unknown = None if word else value
        elif rule.column == "recovery_point_at":
            try:
                mapped["recovery_point_at"] = parse_epoch(_digits(value), "s")
            except TimeError as error:
                self._sink.reject(record, error.code, error.reason, field="recovery_point_at")
                return
        elif rule.column == "bytes":
            mapped["bytes"] = int(number)
        else:
            mapped[rule.column] = number
        if self._sink.accept(record, ("replication_sample", mapped)) and unknown is not None:
            self._sink.note(record, "state", "UNKNOWN_WORD", unknown)


def _number(value: str) -> float:
    if "_" in value:  # Python reads it; no exporter writes it
        raise ValueError(value)
    return float(value)


def _digits(value: str) -> str:
    """A number without exponent, as instants are exported: 1.795370484e+09 is 1795370484."""
    return f"{Decimal(value):f}"
