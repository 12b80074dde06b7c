"""Shell histories with times: bash (HISTTIMEFORMAT), zsh (EXTENDED_HISTORY), fish.

Source: bash(1), zshoptions(1), fish's history file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from toolkit.ingest.commandline import command_columns, split_command
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import printable
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.timestamps import TimeError, parse_epoch

_BASH = re.compile(rb"#(\d{9,10})\s*")
_ZSH = re.compile(rb": (\d{9,10}):(\d{1,9});(.*)", re.DOTALL)
_FISH = re.compile(rb"- cmd: (.*)", re.DOTALL)
_WHEN = re.compile(rb"  when: (\d{9,10})\s*")
_META = re.compile(rb"\x83(.)", re.DOTALL)

Entry = tuple[list[Record], bytes | None, int, bytes]


class ShellHistoryReader(Reader):
    name = "shell_history"
    title = "Shell history with times (bash, zsh, fish)"
    fills = ("maintenance_event",)
    obtain = "copy ~/.bash_history, ~/.zsh_history or ~/.local/share/fish/fish_history"
    traps: ClassVar[tuple[str, ...]] = (
        "a history names neither host nor account: declare asset_id, which becomes the host",
        "it is written when a shell ends, can be edited, and leaves out what began with a blank:"
        " never evidence that something was not done",
        "how a command ended is not in it",
        "commands without a time (from before HISTTIMEFORMAT was set) are rejected",
    )
    sample = (
        b"#1646816398\nstor-ctl status meta2\n#1646816405\n"
        b'sudo stor-ctl detach meta2 --force\n#1646816460\nfor a in 1 2; do\n  echo "$a"\ndone\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        first = next((record.raw for record in file.spread), b"")
        if _FISH.fullmatch(first):
            return re.search(rb"^  when: \d{9,10}\s*$", file.data[: 1 << 16], re.M) is not None
        return _BASH.fullmatch(first) is not None or _ZSH.fullmatch(first) is not None

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        for records, at, seconds, command in _entries(file):
            first = records[0]
            if at is None and not command.strip():
                sink.skip(first, "blank line")
            elif at is None:
                sink.reject(first, "TIME_NONE", "the command states no time", field="occurred_at")
            elif not command.strip():
                sink.skip(first, "a time without a command")
            else:
                _send(first, at, seconds, command, settings, sink)
            for record in records[1:]:
                sink.continued(record)


def _entries(file: EvidenceFile) -> Iterator[Entry]:
    """The lines of each command, its time, how many seconds it took (-1: not stated), its text."""
    open_entry: Entry | None = None
    for record in file.lines():
        raw = record.raw
        bash, zsh, fish = _BASH.fullmatch(raw), _ZSH.fullmatch(raw), _FISH.fullmatch(raw)
        if bash or zsh or fish:
            if open_entry is not None:
                yield open_entry
            if bash:
                open_entry = ([record], bash[1], -1, b"")
            elif zsh:
                open_entry = ([record], zsh[1], int(zsh[2]), zsh[3])
            elif fish:
                open_entry = ([record], None, -1, fish[1])
            continue
        if open_entry is None:
            yield ([record], None, -1, raw)
            continue
        records, at, seconds, command = open_entry
        when = _WHEN.fullmatch(raw)
        is_fish = _FISH.fullmatch(records[0].raw) is not None
        if is_fish:
            open_entry = ([*records, record], when[1] if when else at, seconds, command)
            continue
        command = command + b"\n" + raw if command else raw
        records.append(record)
        open_entry = (records, at, seconds, command)
    if open_entry is not None:
        yield open_entry


def _send(
    record: Record, at: bytes, seconds: int, command: bytes, settings: SourceSettings, sink: Sink
) -> None:
    if _ZSH.fullmatch(record.raw):
        command = _META.sub(lambda found: bytes([found[1][0] ^ 0x20]), command)
        command = command.replace(b"\\\n", b"\n")
    text = printable(command.decode("utf-8", "backslashreplace")).strip()
    words = split_command(text.split("\n", 1)[0])
    if words[:1] == ["sudo"]:
        words = words[1:] if words[1:2] and not words[1].startswith("-") else words
    try:
        row: dict[str, Value] = {
            "occurred_at": parse_epoch(at.decode("ascii"), "s"),
            **command_columns(words),
            "host": settings.asset_id,
            "message": text,
        }
        if seconds >= 0:
            row["ended_at"] = parse_epoch(str(int(at) + seconds), "s")
    except TimeError as error:
        sink.reject(record, error.code, error.reason, field="occurred_at")
        return
    sink.accept(record, ("maintenance_event", row))
