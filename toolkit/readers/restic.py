"""restic: the JSON lines of `restic backup --json`, and `restic snapshots --json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.keyvalue import flagged, line_object, objects
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.timestamps import Instant, TimeError, TimeRule, parse

_TYPES = ("status", "verbose_status", "error", "summary", "exit_error")
_NO_TIME = (
    "restic before 0.17 writes no time: give captured_at for this file in case.toml, "
    "or add snapshots --json"
)
_NO_ASSET = "the record names no machine: declare asset_id for this file"


class ResticReader(Reader):
    name = "restic"
    title = "restic (backup --json, snapshots --json)"
    fills = ("replication_sample",)
    obtain = "restic backup --json … > FILE.jsonl 2>&1; restic snapshots --json > FILE.json"
    traps = (
        "a listed snapshot proves that the point existed when it was listed, not that it restores",
        "before 0.17 a backup prints no time, and never its host: declare captured_at and asset_id",
        "errors go to stderr; where it was not kept, only error_count of the progress lines tells",
        "a run with unreadable items ends in a warning, whatever the exit code of its wrapper",
        "--time can backdate a snapshot",
    )
    sample = (
        b'{"message_type":"status","percent_done":0.5,"total_files":40,"files_done":20,'
        b'"total_bytes":9000000,"bytes_done":4500000}\n'
        b'{"message_type":"summary","files_new":3,"files_changed":1,"files_unmodified":36,'
        b'"data_blobs":4,"tree_blobs":2,"data_added":812345,"total_files_processed":40,'
        b'"total_bytes_processed":9000000,"total_duration":2.75,"backup_start":'
        b'"2026-02-03T01:00:00.118205511Z","backup_end":"2026-02-03T01:00:02.868301204Z",'
        b'"snapshot_id":"5e1f0c2a"}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        if isinstance(file.json, list):
            return bool(file.json) and all(
                isinstance(item, dict)
                and {"time", "tree", "paths", "hostname", "id"} <= item.keys()
                and isinstance(item["paths"], list)
                for item in file.json
            )
        found = objects(file)
        return bool(found) and all(
            entry.get("message_type") in _TYPES and _restic_like(entry) for entry in found
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        if isinstance(file.json, list):
            for record, snapshot in file.elements(file.json):
                _read_snapshot(record, snapshot, settings, sink)
            return
        runs: list[list[tuple[Record, dict[str, Any]]]] = [[]]
        counted = [0]  # items not read, as the progress lines of each run count them
        for record in file.lines():
            entry = line_object(record, sink)
            if entry is None:
                continue
            if entry.get("message_type") in ("status", "verbose_status"):
                sink.skip(record, "progress")
                counted[-1] = max(counted[-1], _count(entry.get("error_count")) or 0)
                continue
            runs[-1].append((record, entry))
            if entry.get("message_type") in ("summary", "exit_error"):
                runs.append([])
                counted.append(0)
        captured = _captured(file, settings)
        ended = [(run, count) for run, count in zip(runs, counted, strict=True) if run]
        for run, count in ended:
            # One time of capture cannot be that of several runs.
            _read_run(run, count, captured if len(ended) == 1 else None, settings, sink)


def _restic_like(entry: dict[str, Any]) -> bool:
    marks = {
        "status": {"percent_done"},
        "verbose_status": {"action"},
        "error": {"error", "during"},
        "summary": {"total_bytes_processed", "files_new"},
        "exit_error": {"code", "message"},
    }
    return marks[entry["message_type"]] <= entry.keys()


def _captured(file: EvidenceFile, settings: SourceSettings) -> Instant | None:
    if settings.captured_at is None:
        return None
    try:
        return flagged(
            parse(settings.captured_at, TimeRule(zone=settings.zone)), "captured_at_used"
        )
    except TimeError as error:
        raise EvidenceRefused(
            f"{error.reason} ({error.code})",
            path=file.path,
            field="captured_at",
            remedy="give captured_at as 2022-03-09T06:00:00Z",
        ) from None


def _read_run(
    run: Sequence[tuple[Record, dict[str, Any]]],
    counted: int,
    captured: Instant | None,
    settings: SourceSettings,
    sink: Sink,
) -> None:
    """End the records of one run: its last record speaks for it, its errors belong to that."""
    errors = [entry for _, entry in run if entry.get("message_type") == "error"]
    record, last = run[-1]
    kind = last.get("message_type")
    *others, _ = run
    if kind not in ("summary", "exit_error", "error"):
        for other, _ in run:
            sink.reject(other, "UNKNOWN_TYPE", "no message of a backup", field="message_type")
        return

    row: dict[str, Value] = {"asset_id": settings.asset_id, "state": "success"}
    if kind == "summary":
        if last.get("dry_run") is True:
            row["state"] = "skipped"
        elif not last.get("snapshot_id"):
            row["state"] = "skipped"  # nothing changed, and --skip-if-unchanged was given
        row["started_at"] = _text(last.get("backup_start"))
        row["bytes"] = _count(last.get("data_added"))
        if row["state"] == "success":
            row["recovery_point_at"] = row["started_at"]
    row["sampled_at"] = _text(last.get("backup_end")) or captured
    if errors or counted:
        row["state"] = "warning"
        row["error"] = _error_text(errors, counted)
    if kind == "exit_error":
        row["state"] = "failure"
        row["error"] = _text(last.get("message"))

    reason = ""
    if row["sampled_at"] is None:
        code, field, reason = "TIME_NONE", "sampled_at", f"the run states no time; {_NO_TIME}"
    elif settings.asset_id is None:
        code, field, reason = "ASSET_NONE", "asset_id", _NO_ASSET
    for other, entry in others:
        if entry.get("message_type") != "error":
            sink.reject(other, "UNKNOWN_TYPE", "no message of a backup", field="message_type")
        elif reason:
            sink.reject(other, code, reason, field=field)
        else:
            sink.continued(other)
    if reason:
        sink.reject(record, code, reason, field=field)
    else:
        sink.accept(record, ("replication_sample", row))


def _error_text(errors: Sequence[dict[str, Any]], counted: int) -> str:
    text = f"items not read: {max(len(errors), counted)}"
    if errors:
        error = errors[0].get("error")
        reason = error.get("message") if isinstance(error, dict) else error
        parts = (errors[0].get("during"), errors[0].get("item"), reason)
        text += "; the first: " + ": ".join(str(part) for part in parts if part)
    return text


def _read_snapshot(record: Record, snapshot: Any, settings: SourceSettings, sink: Sink) -> None:
    time = _text(snapshot.get("time")) if isinstance(snapshot, dict) else None
    if time is None:
        sink.reject(record, "TIME_NONE", "the snapshot states no time", field="time")
        return
    asset_id = settings.asset_id or _text(snapshot.get("hostname"))
    if asset_id is None:
        sink.reject(record, "ASSET_NONE", _NO_ASSET, field="hostname")
        return
    tags = snapshot.get("tags")
    summary = snapshot.get("summary")
    summary = summary if isinstance(summary, dict) else {}
    row: dict[str, Value] = {
        "sampled_at": time,
        "asset_id": asset_id,
        "state": "success",
        "job_id": ",".join(map(str, tags)) if isinstance(tags, list) and tags else None,
        "started_at": _text(summary.get("backup_start")),
        "bytes": _count(summary.get("data_added")),
        "recovery_point_at": time,
    }
    sink.accept(record, ("replication_sample", row))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: Any) -> int | None:
    return value if type(value) is int else None
