"""The systemd journal in its export format, from `journalctl -o export`: safe for any bytes.

An entry is a block of fields, ended by an empty line. A field is `NAME=text`, or, where its value
holds line feeds or other bytes, NAME, a line feed, eight bytes of length and the value.
Source: https://systemd.io/JOURNAL_EXPORT_FORMATS/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.keyvalue import COLUMN_OF_KEY, PayloadError, message_row
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.timestamps import TimeError, parse_epoch

_NAME = re.compile(rb"[A-Z_][A-Z0-9_]{0,63}")
_START = re.compile(rb"__CURSOR=[^\n]*\n(?:__[A-Z_]+=[^\n]*\n)*__REALTIME_TIMESTAMP=\d+\n")

Fields = dict[str, list[str]]


class JournaldExportReader(Reader):
    name = "journald_export"
    title = "systemd journal (journalctl -o export)"
    fills = ("maintenance_event",)
    obtain = "journalctl -o export --since 2022-03-01 --until 2022-03-20 > host.export"
    traps: ClassVar[tuple[str, ...]] = (
        "the time is that of the message's source where the journal holds it, else of its receipt",
        "a host without a battery clock writes wrong times until its clock is set after boot",
        "_UID and _AUDIT_LOGINUID are numbers of accounts, not names, and are not read as actors",
        "after a block that is damaged, reading goes on at the next empty line",
    )
    sample = (
        b"__CURSOR=s=0f1e;i=2a1;b=77aa;m=9c41;t=5d9c6d3c1a2b0;x=1\n"
        b"__REALTIME_TIMESTAMP=1646816398120312\n__MONOTONIC_TIMESTAMP=40001\n"
        b"_SOURCE_REALTIME_TIMESTAMP=1646816398119876\n_HOSTNAME=mds-eu1\n"
        b"SYSLOG_IDENTIFIER=stor-ctl\n_PID=812\nMESSAGE=change=CHG0030001 step=4 action=detach "
        b"target=meta2 outcome=success actor=mlin\n\n"
        b"__CURSOR=s=0f1e;i=2a2;b=77aa;m=9c55;t=5d9c6d3c1a9f3;x=2\n"
        b"__REALTIME_TIMESTAMP=1646816398127603\n_HOSTNAME=mds-eu1\nSYSLOG_IDENTIFIER=kernel\n"
        b"MESSAGE\n\x0a\x00\x00\x00\x00\x00\x00\x00disk 2\nbad\n\n"
    )

    def matches(self, file: EvidenceFile) -> bool:
        with file.stream() as stream:
            return _START.match(stream.read(1 << 16).lstrip(b"\n")) is not None

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        for record, fields, fault in _entries(file):
            if fields is None:
                sink.reject(record, "EXPORT_FORM", fault)
            else:
                _send(record, fields, sink)


def _send(record: Record, fields: Fields, sink: Sink) -> None:
    received = _only(fields, "__REALTIME_TIMESTAMP")
    source = _only(fields, "_SOURCE_REALTIME_TIMESTAMP")
    if not (received or source):
        sink.reject(record, "TIME_NONE", "the entry states no time", field="__REALTIME_TIMESTAMP")
        return
    row: dict[str, Value] = {"host": _only(fields, "_HOSTNAME") or None}
    try:
        row["occurred_at"] = parse_epoch(source or received, "us")
        if source and received:
            row["recorded_at"] = parse_epoch(received, "us")
    except TimeError as error:
        sink.reject(record, error.code, error.reason, field="__REALTIME_TIMESTAMP")
        return
    words = [(key, value) for key in COLUMN_OF_KEY for value in fields.get(key.upper(), ())[:1]]
    message = "\n".join(fields.get("MESSAGE", ()))
    tag = _only(fields, "SYSLOG_IDENTIFIER") or _only(fields, "_COMM")
    process = _only(fields, "SYSLOG_PID") or _only(fields, "_PID")
    if tag and process:
        tag = f"{tag}[{process}]"
    shown = f"{tag}: {message}" if tag and message else tag or message
    try:
        event = message_row(row, message, fields=words, shown=shown)
    except PayloadError as error:
        sink.reject(record, error.code, error.reason, field=error.field)
        return
    sink.accept(record, ("maintenance_event", event))


def _only(fields: Fields, name: str) -> str:
    return next(iter(fields.get(name, ())), "")


def _entries(file: EvidenceFile) -> Iterator[tuple[Record, Fields | None, str]]:
    """Every entry with its fields, or with what is wrong with it."""
    data, at, number = file.data, 0, 0
    while at < len(data):
        if data[at : at + 1] == b"\n":
            at += 1
            continue
        start, fields, fault = at, Fields(), ""
        while at < len(data) and data[at : at + 1] != b"\n":
            at, fault = _field(data, at, fields)
            if fault:
                at = data.find(b"\n\n", at)
                at = len(data) if at < 0 else at + 1
                break
        number += 1
        file.read_count += 1
        record = Record(number, data[start:at], start)
        yield record, None if fault else fields, fault


def _field(data: bytes, at: int, fields: Fields) -> tuple[int, str]:
    """Read one field at an offset; gives the offset after it, and what is wrong, if anything."""
    stop = data.find(b"\n", at)
    if stop < 0:
        return len(data), "the last entry is cut off"
    name, equals, raw = data[at:stop].partition(b"=")
    if not _NAME.fullmatch(name):
        return stop, "a field has no name of a journal field"
    if equals:
        end = stop + 1
    else:
        length = int.from_bytes(data[stop + 1 : stop + 9], "little")
        end = stop + 9 + length + 1
        if end > len(data) or data[end - 1 : end] != b"\n":
            return stop, "the length of a field is wrong, or the entry is cut off"
        raw = data[stop + 9 : end - 1]
    text = raw.replace(b"\0", b"\\x00").decode("utf-8", "backslashreplace")
    fields.setdefault(name.decode("ascii"), []).append(text)
    return end, ""
