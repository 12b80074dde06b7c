"""The event log of sudo with log_format=json: objects of which keys stand more than once.

sudo appends an `accept` or `reject` and, when the command ends, an `exit` to one growing object.
An ordinary JSON parser keeps the last pair of each key and drops all others.
Source: sudoers(5), sudo_logsrvd.conf(5), and runs of sudo 1.9.13.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any, ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.commandline import command_columns
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import Object, part, text
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.timestamps import Instant, TimeError, parse_epoch

_KINDS = ("accept", "reject", "alert", "exit")
_HEAD = re.compile(r'\s*\{\s*"(?:accept|reject|alert|exit)"\s*:\s*\{')
_MARKS = ('"submituser"', '"runuser"', '"exit_time"', '"alert_time"')
_BLANK = re.compile(r"[ \t\r\n]*")

Pairs = list[tuple[str, Any]]


class SudoJsonReader(Reader):
    name = "sudo_json"
    title = "sudo event log (log_format=json)"
    fills = ("maintenance_event",)
    obtain = "copy the file of: Defaults logfile=/var/log/sudo.json, log_format=json"
    traps: ClassVar[tuple[str, ...]] = (
        "the file repeats its keys, so that other tools read its last command only",
        "a file that is still being written lacks its last brace",
        "the time is that of the host on which the command was typed; that of the log server is"
        " kept as the time of the record",
        "an accepted command without an exit record has an unknown outcome",
    )
    sample = (
        b'{\n"accept": {"uuid": "6f0e-example-1", "server_time": {"seconds": 1646816405, '
        b'"nanoseconds": 120309000, "iso8601": "20220309090005Z"}, "submit_time": {"seconds": '
        b'1646816405, "nanoseconds": 118041000}, "submituser": "op-x", "command": '
        b'"/usr/sbin/stor-ctl", "runuser": "root", "runargv": ["stor-ctl", "detach", "meta2"], '
        b'"submithost": "mds-us-1", "submitcwd": "/home/op-x"},\n'
        b'"exit": {"uuid": "6f0e-example-1", "exit_time": {"seconds": 1646816409, "nanoseconds": '
        b'500000000}, "run_time": {"seconds": 4, "nanoseconds": 381959000}, "exit_value": 0},\n'
        b'"reject": {"uuid": "6f0e-example-2", "reason": "command not allowed", "server_time": '
        b'{"seconds": 1646816500, "nanoseconds": 0}, "submituser": "op-y", "command": '
        b'"/usr/sbin/stor-ctl", "runuser": "root", "submithost": "mds-us-1"}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        return _HEAD.match(file.head) is not None and any(mark in file.head for mark in _MARKS)

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        entries, is_cut = _entries(file)
        if is_cut:
            sink.incomplete("the file ends before its last brace: it was still being written")
        accepted = {text(entry, "uuid") for kind, entry in entries if kind == "accept"}
        exits = {
            text(entry, "uuid"): entry
            for kind, entry in entries
            if kind == "exit" and text(entry, "uuid") in accepted
        }
        for record, element in file.elements([{kind: entry} for kind, entry in entries]):
            ((kind, entry),) = element.items()
            if not isinstance(entry, dict) or kind not in _KINDS:
                sink.reject(record, "RECORD_SHAPE", "no event of sudo", field=kind)
            elif kind == "exit" and exits.get(text(entry, "uuid")) is entry:
                sink.continued(record)
            else:
                _send(record, kind, entry, exits.get(text(entry, "uuid")), sink)


def _send(record: Record, kind: str, entry: Object, ended: Object | None, sink: Sink) -> None:
    words = entry.get("runargv")
    words = [str(word) for word in words] if isinstance(words, list) else []
    if not words and (command := text(entry, "command")):
        words = [command]
    server = part(entry, "server_time")
    typed = part(entry, "submit_time") or part(entry, "alert_time") or part(entry, "exit_time")
    columns = command_columns(words) if kind in ("accept", "reject") else {"action": kind}
    shown = " ".join(each for each in (text(entry, "reason"), shlex.join(words)) if each)
    row: dict[str, Value] = {
        **columns,
        "actor": text(entry, "submituser"),
        "effective_actor": text(entry, "runuser"),
        "host": text(entry, "submithost"),
        "outcome": "failure" if kind in ("reject", "alert") else "unknown",
        "message": shown,
    }
    try:
        row["occurred_at"] = _instant(typed or server)
        row["recorded_at"] = _instant(server) if typed and server else None
        if kind == "accept" and ended is not None:
            row["ended_at"] = _instant(part(ended, "exit_time")) if "exit_time" in ended else None
            row["outcome"] = _outcome(ended)
        elif kind == "exit":
            row["outcome"] = _outcome(entry)
    except TimeError as error:
        sink.reject(record, error.code, error.reason, field="submit_time")
        return
    clean = {key: text(value) if isinstance(value, str) else value for key, value in row.items()}
    sink.accept(record, ("maintenance_event", clean))


def _outcome(ended: Object) -> str:
    return "success" if ended.get("exit_value") == 0 and "signal" not in ended else "failure"


def _instant(stamp: Object) -> Instant:
    seconds, nanos = stamp.get("seconds"), stamp.get("nanoseconds", 0)
    if type(seconds) is not int or type(nanos) is not int or not 0 <= nanos < 10**9:
        raise TimeError("TIME_SYNTAX", "the time is not seconds and nanoseconds")
    return parse_epoch(f"{seconds}.{nanos:09}", "s")


def _entries(file: EvidenceFile) -> tuple[list[tuple[str, Any]], bool]:
    """Every event with its kind, in the order of the file, and whether the end is missing.

    Also reads several objects, one after another, as the compact form writes them.
    """
    try:
        source = file.data.decode("utf-8").rstrip().rstrip(",")
    except UnicodeDecodeError as error:
        raise _refused(file, f"byte {error.start} is not UTF-8") from None
    try:
        return _parse(source), False
    except (ValueError, RecursionError) as first:
        try:
            return _parse(source + "}"), True
        except (ValueError, RecursionError):
            raise _refused(file, f"the file is not JSON ({str(first)[:120]})") from None


def _parse(source: str) -> Pairs:
    decoder = json.JSONDecoder(object_pairs_hook=_Pairs)
    found: Pairs = []
    at = 0
    while at < len(source):
        blank = _BLANK.match(source, at)
        value, at = decoder.raw_decode(source, blank.end() if blank else at)
        if not isinstance(value, _Pairs):
            raise ValueError("no object")
        found += [(kind, _plain(entry)) for kind, entry in value]
        blank = _BLANK.match(source, at)
        at = blank.end() if blank else at
    return found


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object, all of them."""


def _plain(value: Any) -> Any:
    """Nested pairs as objects; inside of an event no key may stand twice."""
    if isinstance(value, _Pairs):
        plain = {key: _plain(each) for key, each in value}
        if len(plain) != len(value):
            raise ValueError("a key occurs twice in one event")
        return plain
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _refused(file: EvidenceFile, message: str) -> EvidenceRefused:
    return EvidenceRefused(message, path=file.path, remedy="copy the file again, as sudo wrote it")
