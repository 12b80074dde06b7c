"""The systemd journal as JSON lines, from `journalctl -o json`."""

from __future__ import annotations

from typing import Any

from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.keyvalue import (
    COLUMN_OF_KEY,
    PayloadError,
    line_object,
    message_row,
    objects,
)
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.timestamps import TimeError, parse_epoch


class JournaldReader(Reader):
    name = "journald"
    title = "systemd journal (journalctl -o json)"
    fills = ("maintenance_event",)
    obtain = "journalctl -o json --all --utc --since 2022-03-01 --until 2022-03-20 > host.jsonl"
    traps = (
        "the time is that of the message's source where the journal holds it, else of its receipt",
        "without --all, long messages are exported as null",
        "a host without a battery clock writes wrong times until its clock is set after boot",
        "_UID and _AUDIT_LOGINUID are numbers of accounts, not names, and are not read as actors",
    )
    sample = (
        b'{"__CURSOR":"s=0f1e;i=2a1;b=77aa;m=9c41;t=5d9c6d3c1a2b0;x=1","__REALTIME_TIMESTAMP":'
        b'"1646816398120312","_SOURCE_REALTIME_TIMESTAMP":"1646816398119876","_HOSTNAME":"mds-eu1",'
        b'"SYSLOG_IDENTIFIER":"stor-ctl","_PID":"812","PRIORITY":"6","MESSAGE":'
        b'"change=CHG0030001 step=4 action=detach target=meta2 outcome=success actor=mlin"}\n'
        b'{"__CURSOR":"s=0f1e;i=2a2;b=77aa;m=9c55;t=5d9c6d3c1a9f3;x=2","__REALTIME_TIMESTAMP":'
        b'"1646816398127603","_HOSTNAME":"mds-eu1","SYSLOG_IDENTIFIER":"kernel","PRIORITY":"4",'
        b'"MESSAGE":[100,105,115,107,32,255]}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        found = objects(file)
        return bool(found) and all(
            "__REALTIME_TIMESTAMP" in entry and "__CURSOR" in entry for entry in found
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        for record in file.lines():
            entry = line_object(record, sink)
            if entry is None:
                continue
            received = _text(entry.get("__REALTIME_TIMESTAMP"))
            source = _text(entry.get("_SOURCE_REALTIME_TIMESTAMP"))
            if not (received or source):
                sink.reject(
                    record, "TIME_NONE", "the entry states no time", field="__REALTIME_TIMESTAMP"
                )
                continue
            row: dict[str, Value] = {"host": _text(entry.get("_HOSTNAME")) or None}
            try:
                row["occurred_at"] = parse_epoch(source or received, "us")
                if source and received:
                    row["recorded_at"] = parse_epoch(received, "us")
            except TimeError as error:
                sink.reject(record, error.code, error.reason, field="__REALTIME_TIMESTAMP")
                continue
            fields = [
                (key, value)
                for key in COLUMN_OF_KEY
                if isinstance(value := entry.get(key.upper()), str)
            ]
            message = _text(entry.get("MESSAGE"))
            tag = _text(entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM"))
            process = _text(entry.get("SYSLOG_PID") or entry.get("_PID"))
            if tag and process:
                tag = f"{tag}[{process}]"
            shown = f"{tag}: {message}" if tag and message else tag or message
            try:
                event = message_row(row, message, fields=fields, shown=shown)
            except PayloadError as error:
                sink.reject(record, error.code, error.reason, field=error.field)
                continue
            accepted = sink.accept(record, ("maintenance_event", event))
            if accepted and "MESSAGE" in entry and entry["MESSAGE"] is None:
                sink.note(record, "message", "TEXT_LEFT_OUT", "null")


def _text(value: Any) -> str:
    """A journal field as text: a string, bytes as a list of numbers, or repeated fields."""
    if isinstance(value, str):
        return value.replace("\0", "\\x00")
    if isinstance(value, list):
        if all(type(part) is int and 0 <= part < 256 for part in value):
            return bytes(value).replace(b"\0", b"\\x00").decode("utf-8", "backslashreplace")
        return "\n".join(_text(part) for part in value)
    return ""
