"""The state of a MySQL or MariaDB replica: SHOW REPLICA STATUS, as text or JSON.

Source: the reference manuals of MySQL 8.0 and MariaDB (SHOW REPLICA STATUS).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.captured import captured_at
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import documents, part, peek, printable, text
from toolkit.ingest.keyvalue import line_text
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.readers.pg_stat_replication import earlier
from toolkit.timestamps import Instant

_HEAD = re.compile(r"\*{10,} \d+\. row \*{10,}", re.ASCII)
_FIELD = re.compile(r" *(\w+): ?(.*)", re.ASCII)
# The names of MySQL since 8.0.22 (and of MariaDB since 10.5 in part), and those before.
_NAMES = {
    "io": ("Replica_IO_Running", "Slave_IO_Running"),
    "sql": ("Replica_SQL_Running", "Slave_SQL_Running"),
    "lag": ("Seconds_Behind_Source", "Seconds_Behind_Master"),
    "channel": ("Channel_Name", "Connection_name"),
}
_EMPTY = ("", "NULL")


class MysqlReplicaReader(Reader):
    name = "mysql_replica"
    title = "MySQL or MariaDB replica status (text, JSON)"
    fills = ("replication_sample",)
    obtain = "mysql -e 'SHOW REPLICA STATUS\\G' > FILE.txt on the replica (before 8.0.22: SLAVE)"
    traps: ClassVar[tuple[str, ...]] = (
        "the output states no time and no replica: declare captured_at and asset_id",
        "lag is the age of what is being applied, and may read 0 while the receiving thread is"
        " behind; it is read only where both threads run",
        "lag is NULL where replication is broken; NULL is not zero",
    )
    sample = (
        b"*************************** 1. row ***************************\n"
        b"             Replica_IO_State: Waiting for source to send event\n"
        b"                  Source_Host: db1.example.org\n"
        b"           Replica_IO_Running: Yes\n"
        b"          Replica_SQL_Running: Yes\n"
        b"                   Last_Errno: 0\n"
        b"                   Last_Error: \n"
        b"        Seconds_Behind_Source: 17\n"
        b"                Last_IO_Errno: 0\n"
        b"                Last_IO_Error: \n"
        b"               Last_SQL_Errno: 0\n"
        b"               Last_SQL_Error: \n"
        b"                 Channel_Name: vault\n"
    )

    def matches(self, file: EvidenceFile) -> bool:
        if _HEAD.match(file.head.lstrip()):
            return any(f" {name}: " in file.head for name in _NAMES["io"]) and any(
                f" {name}:" in file.head for name in _NAMES["lag"]
            )
        found = peek(file, "rows")
        return bool(found) and all(
            any(name in each for name in _NAMES["io"])
            and any(name in each for name in _NAMES["lag"])
            for each in found
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        at = captured_at(file, settings)
        if settings.asset_id is None:
            raise EvidenceRefused(
                "the output does not name the replica (ASSET_NONE)",
                path=file.path,
                field="asset_id",
                remedy="declare asset_id for this file in case.toml",
            )
        if file.data.lstrip()[:1] in (b"{", b"["):
            for record, row in file.elements(_rows(file)):
                if isinstance(row, dict):
                    fields = {key: text(row, key) or "" for key in row}
                    _send(record, fields, at, settings.asset_id, sink)
                else:
                    sink.reject(record, "RECORD_SHAPE", "the row is not a JSON object")
            return
        _read_text(file, at, settings.asset_id, sink)


def _rows(file: EvidenceFile) -> list[object]:
    """The rows of a JSON answer: of a list, of `rows`, or objects one after another."""
    found: list[object] = []
    for value in documents(file):
        rows = part(value).get("rows", value)
        found += rows if isinstance(rows, list) else [rows]
    return found


def _read_text(file: EvidenceFile, at: Instant, asset_id: str, sink: Sink) -> None:
    """Blocks of `name: value`, each below a line of stars, which stands for the row."""
    head: Record | None = None
    fields: dict[str, str] = {}
    last = ""
    for record in file.lines():
        line = line_text(record, sink)
        if line is None:
            continue
        field = _FIELD.fullmatch(line)
        if _HEAD.fullmatch(line.strip()):
            if head is not None:
                _send(head, fields, at, asset_id, sink)
            head, fields, last = record, {}, ""
        elif head is None or not line.strip():
            sink.skip(record, "blank line, or no part of a row")
        else:
            if field is not None and field[1][0].isupper():
                last = field[1]
                fields[last] = field[2].strip()
            elif last:  # an error text of several lines
                fields[last] += f" {line.strip()}"
            sink.continued(record)
    if head is not None:
        _send(head, fields, at, asset_id, sink)


def _send(
    record: Record, fields: Mapping[str, str], at: Instant, asset_id: str, sink: Sink
) -> None:
    receiving, applying = _named(fields, "io"), _named(fields, "sql")
    if receiving is None or applying is None:
        field = _NAMES["io" if receiving is None else "sql"][0]
        sink.reject(record, "VALUE_MISSING", "the row does not say what runs", field=field)
        return
    runs = receiving == applying == "Yes"
    errors = [fields.get(f"Last_{part}_Error", "") for part in ("IO", "SQL")]
    failed = any(fields.get(f"Last_{part}_Errno", "0") not in ("0", "") for part in ("IO", "SQL"))
    lag = _named(fields, "lag") if runs else None
    row: dict[str, Value] = {
        "sampled_at": at,
        "asset_id": asset_id,
        "state": "connected" if runs else "failure" if failed else "disconnected",
        "job_id": _named(fields, "channel"),
        "lag_seconds": lag,
        "recovery_point_at": earlier(at, int(lag)) if lag and _is_seconds(lag) else None,
        "error": printable("; ".join(error for error in errors if error)) or None,
    }
    sink.accept(record, ("replication_sample", row))


def _named(fields: Mapping[str, str], what: str) -> str | None:
    value = next((fields[name] for name in _NAMES[what] if name in fields), "")
    return None if value in _EMPTY else value


def _is_seconds(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= 9
