"""BorgBackup: what a command logs with `--log-json`, one JSON object a line."""

from __future__ import annotations

import re
from typing import Any

from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.keyvalue import line_object, objects
from toolkit.ingest.reader import Reader, Row, Sink, SourceSettings
from toolkit.timestamps import TimeError, parse_epoch

_PROGRESS = ("archive_progress", "progress_message", "progress_percent", "file_status")
_QUESTIONS = re.compile(r"(?:question|prompt)_\w+", re.ASCII)
_OUTCOME = {"CRITICAL": "failure", "ERROR": "failure", "WARNING": "warning"}
_CREATE = re.compile(r"^sys\.argv: \[[^\]\n]*'create'", re.MULTILINE)


class BorgLogReader(Reader):
    name = "borg_log"
    title = "BorgBackup log (--log-json)"
    fills = ("maintenance_event", "replication_sample")
    obtain = "borg … --log-json 2> FILE.jsonl"
    traps = (
        "a log names no machine: declare asset_id, or a stopped run makes no replication sample",
        "a run of create that ended in an exception is one sample with state failure, at its first"
        " error; the repository may still hold its archive",
        "questions and their answers print no time and are rejected, with their text kept",
        "lines of the wrapper, such as rc=1, are not JSON and are rejected, with their text kept",
        "a run without a message logs nothing: an empty file is no proof of success",
    )
    sample = (
        b'{"type": "archive_progress", "original_size": 4500000, "nfiles": 20, "path": "data/f20", '
        b'"time": 1770080401.25, "finished": false}\n'
        b'{"type": "log_message", "time": 1770080402.5, "message": "data/f21: file changed while '
        b'we backed it up", "levelname": "WARNING", "name": "borg.archiver"}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        found = objects(file)
        return bool(found) and all(_borg_like(entry) for entry in found)

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        entries = []
        for record in file.lines():
            entry = line_object(record, sink)
            if entry is not None:
                entries.append((record, entry))
        stopped = next(
            (r.number for r, entry in entries if entry.get("msgid") == "Exception"), None
        )
        creating = any(_CREATE.search(_text(entry, "message")) for _, entry in entries)

        for record, entry in entries:
            kind = _text(entry, "type")
            if kind in _PROGRESS:
                sink.skip(record, "progress")
                continue
            if entry.get("time") is None:
                sink.reject(record, "TIME_NONE", f"a {kind} prints no time", field="time")
                continue
            try:
                at = parse_epoch(entry["time"], "s")
            except (TimeError, TypeError, AttributeError) as error:
                code = error.code if isinstance(error, TimeError) else "TIME_SYNTAX"
                sink.reject(record, code, str(error), field="time")
                continue
            message = _text(entry, "message")
            rows: list[tuple[str, Row]] = [
                (
                    "maintenance_event",
                    {
                        "occurred_at": at,
                        "action": "log",
                        "outcome": _OUTCOME.get(_text(entry, "levelname")),
                        "message": message or None,
                    },
                )
            ]
            if record.number == stopped and creating and settings.asset_id is not None:
                sample: Row = {
                    "sampled_at": at,
                    "asset_id": settings.asset_id,
                    "state": "failure",
                    "error": message or None,
                }
                rows.append(("replication_sample", sample))
            sink.accept(record, *rows)


def _borg_like(entry: dict[str, Any]) -> bool:
    kind = _text(entry, "type")
    if kind == "log_message":
        return {"time", "levelname", "name", "message"} <= entry.keys()
    return kind in _PROGRESS or (_QUESTIONS.fullmatch(kind) is not None and "msgid" in entry)


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""
