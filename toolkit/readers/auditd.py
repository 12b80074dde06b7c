"""The log of the Linux audit daemon, raw or enriched: what ran, by whom, and how it ended.

One event is several lines with the same node, time and serial number.
Source: auditd.conf(5), and the dictionary of record fields of the audit project.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import ClassVar

from toolkit.ingest.commandline import command_columns, split_command
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import printable
from toolkit.ingest.keyvalue import line_text
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.timestamps import TimeError, parse_epoch

_LINE = re.compile(
    r"(?:node=(?P<node>\S+) )?type=(?P<type>[A-Z0-9_]+|UNKNOWN\[\d+\]) "
    r"msg=audit\((?P<time>\d{1,12}\.\d{3}):(?P<serial>\d+)\): ?(?P<rest>.*)",
    re.ASCII | re.DOTALL,
)
_PAIR = re.compile(r"([\w\-\[\]]+)=(\"[^\"]*\"|'[^']*'|[^\s']*)", re.ASCII)
_ARGUMENT = re.compile(r"a(\d{1,6})(?:\[(\d{1,6})\])?", re.ASCII)
_HEX = re.compile(r"(?:[0-9A-F]{2})+", re.ASCII)
# Fields that the kernel writes in hexadecimal where they hold blanks, quotes or other bytes.
_ENCODED = frozenset({"proctitle", "comm", "exe", "cwd", "name", "cmd", "acct", "path", "key"})
_NOBODY = ("4294967295", "-1", "unset", "?", "")
_OUTCOME = {"yes": "success", "success": "success", "1": "success",
            "no": "failure", "failed": "failure", "fail": "failure", "0": "failure"}  # fmt: skip
_BETWEEN = re.compile(r"-{4}|time->.*", re.ASCII)
_ENRICHED = "\x1d"

Fields = Mapping[str, str]


class AuditdReader(Reader):
    name = "auditd"
    title = "Linux audit log (audit.log, raw)"
    fills = ("maintenance_event",)
    obtain = "copy /var/log/audit/audit.log*; or ausearch --raw --start 03/08/2022 > FILE.log"
    traps: ClassVar[tuple[str, ...]] = (
        "the actor is the account that logged in (auid), the effective actor the one whose rights"
        " were used (uid): as numbers, unless the log is enriched; a service has no actor",
        "one event is several lines; its first line is the record",
        "records that the kernel lost leave no trace but a count",
        "command lines may hold secrets",
    )
    sample = (
        b"type=SYSCALL msg=audit(1646816405.123:4211): arch=c000003e syscall=59 success=yes exit=0 "
        b"a0=55d0 items=2 ppid=801 pid=812 auid=1000 uid=0 gid=0 euid=0 tty=pts0 ses=7 "
        b'comm="stor-ctl" exe="/usr/sbin/stor-ctl" key="maint"\x1dARCH=x86_64 SYSCALL=execve '
        b'AUID="op-x" UID="root"\n'
        b'type=EXECVE msg=audit(1646816405.123:4211): argc=4 a0="stor-ctl" a1="detach" '
        b'a2=6D6574612032 a3="--force"\n'
        b"type=PROCTITLE msg=audit(1646816405.123:4211): "
        b"proctitle=73746F722D63746C00646574616368006D6574612032002D2D666F726365\n"
        b"type=SERVICE_STOP msg=audit(1646816409.001:4212): pid=1 uid=0 auid=4294967295 "
        b'ses=4294967295 msg=\'unit=replicator comm="systemd" exe="/usr/lib/systemd/systemd" '
        b"hostname=? addr=? terminal=? res=success'\n"
    )

    def matches(self, file: EvidenceFile) -> bool:
        lines = [record.raw.decode("utf-8", errors="replace") for record in file.spread]
        lines = [line for line in lines if not _BETWEEN.fullmatch(line)]
        known = sum(_LINE.fullmatch(line) is not None for line in lines)
        return known * 2 > len(lines)

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        groups: dict[tuple[str, ...], list[tuple[Record, str, str]]] = defaultdict(list)
        for record in file.lines():
            text = line_text(record, sink)
            if text is None:
                continue
            if not text.strip() or _BETWEEN.fullmatch(text):
                sink.skip(record, "blank or separating line")
                continue
            match = _LINE.fullmatch(text)
            if match is None:
                sink.reject(record, "LINE_FORM", "the line has not the form of an audit record")
                continue
            key = (match["node"] or "", match["time"], match["serial"])
            groups[key].append((record, match["type"], match["rest"]))
        for (node, time, _), lines in groups.items():
            first = lines[0][0]
            try:
                row = _row([(kind, _fields(rest)) for _, kind, rest in lines])
                row["occurred_at"] = parse_epoch(time, "s")
            except TimeError as error:
                for record, *_ in lines:
                    sink.reject(record, error.code, error.reason, field="occurred_at")
                continue
            row["host"] = node or settings.asset_id
            row["message"] = row["message"] or printable(f"{lines[0][1]} {lines[0][2]}".strip())
            sink.accept(first, ("maintenance_event", row))
            for record, *_ in lines[1:]:
                sink.continued(record)


def _fields(rest: str) -> dict[str, str]:
    """The fields of a record, decoded; those of an inner msg='…' count as its own.

    Enriched fields repeat a field in capitals with its meaning, and keep their own names.
    """
    found: dict[str, str] = {}
    plain, _, enriched = rest.partition(_ENRICHED)
    outer, quote, inner = plain.partition("msg='")
    for text in (outer, inner.removesuffix("'") if quote else "", enriched):
        for key, value in _PAIR.findall(text):
            found.setdefault(key, _decoded(key, value))
    return found


def _decoded(key: str, value: str) -> str:
    if value[:1] in ('"', "'"):
        return value[1:-1]
    is_argument = key[:1] == "a" and key[1:2].isdigit()
    if (key in _ENCODED or is_argument) and _HEX.fullmatch(value):
        return bytes.fromhex(value).decode("utf-8", "backslashreplace")
    return value


def _row(parts: Sequence[tuple[str, Fields]]) -> dict[str, Value]:
    """What the records of one event say together."""
    every: dict[str, str] = {}
    for _, fields in parts:
        for key, value in fields.items():
            every.setdefault(key, value)
    words = next((_arguments(fields) for kind, fields in parts if kind == "EXECVE"), [])
    if not words and parts[0][0] == "USER_CMD":
        words = split_command(every.get("cmd", ""))
    actor = _account(every, "auid", "AUID")
    effective = _account(every, "uid", "UID")
    row: dict[str, Value] = {
        "action": _action(parts[0][0], every),
        "target": printable(every.get("unit", "")) or None,
        "actor": actor,
        "effective_actor": effective if effective != actor else None,
        "session_id": None if (ses := every.get("ses", "")) in _NOBODY else ses,
        "outcome": _OUTCOME.get(every.get("success", every.get("res", ""))),
        "message": None,
    }
    if words:
        row |= command_columns(words)
        row["message"] = shlex.join(words)
    return {
        key: printable(value) if isinstance(value, str) else value for key, value in row.items()
    }


def _arguments(fields: Fields) -> list[str]:
    """The arguments of an EXECVE record; a long one is cut into numbered pieces.

    Only what the record holds is read, whatever its own count says.
    """
    pieces: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for key, value in fields.items():
        match = _ARGUMENT.fullmatch(key)
        if match is not None:
            pieces[int(match[1])].append((int(match[2] or 0), value))
    return ["".join(value for _, value in sorted(pieces[number])) for number in sorted(pieces)]


def _account(fields: Fields, number: str, name: str) -> str | None:
    """An account by name where the log is enriched, else by number; None where nobody is set."""
    for key in (name, number):
        if fields.get(key, "") not in _NOBODY:
            return fields[key]
    return None


def _action(kind: str, fields: Fields) -> str:
    """The operation that the record names, else the system call, else the type of the record."""
    if kind == "SYSCALL":
        call = fields.get("SYSCALL") or fields.get("syscall")
        return f"syscall {call}" if call else "syscall"
    operation = fields.get("op")
    return operation or kind.lower()
