"""The log file of sudo in its own format (Defaults logfile=…): one command a record.

A record is cut at blanks into lines of 80 columns; the lines after its first begin with four
blanks. Through syslog the same text comes as a syslog line, which the reader of syslog keeps.
Source: sudoers(5), and runs of sudo 1.9.13.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.commandline import command_columns, split_command
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.keyvalue import flagged, line_text
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.timestamps import Instant, TimeError, TimeRule, parse, unwrap_years

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HEAD = re.compile(
    rf"(?P<month>{'|'.join(_MONTHS)}) {{1,2}}(?P<day>\d{{1,2}}) (?P<time>\d\d:\d\d:\d\d)"
    r"(?: (?P<year>\d{4}))? : (?P<user>\S+) : (?:HOST=(?P<host>\S+) : )?(?P<rest>.*)",
    re.ASCII | re.DOTALL,
)
_FIELD = re.compile(
    r"(?P<key>HOST|TTY|CHROOT|PWD|CWD|USER|GROUP|TSID|ENV|COMMAND)=(?P<value>.*)", re.S
)

_ENDED = re.compile(r"(.*COMMAND=.*?)((?: ; SIGNAL=[A-Z0-9+]+)?(?: ; EXIT=\d{1,3})?)", re.S | re.A)

Entry = tuple[list[Record], re.Match[str]]


class SudoReader(Reader):
    name = "sudo"
    title = "sudo log file (text)"
    fills = ("maintenance_event",)
    obtain = "copy the file of: Defaults logfile=/var/log/sudo.log (better: log_format=json)"
    traps: ClassVar[tuple[str, ...]] = (
        "times are local and, without log_year, print no year: declare zone, and year where the"
        " file is copied",
        "how a command ended is in the log only with log_exit_status; else that sudo refused it",
        "a line that ends in EXIT= counts as the end of an earlier line with the same words only:"
        " the words of a command can say anything",
        "a command that was cut into lines is joined by single blanks",
        "the host is in the log only with log_host; else declare asset_id, which becomes the host",
    )
    needs_zone = True
    sample = (
        b"Mar  9 01:59:58 : op-x : TTY=pts/0 ; PWD=/home/op-x ; USER=root ;\n"
        b"    TSID=000001 ; COMMAND=/usr/sbin/stor-ctl detach meta2 --force\n"
        b"Mar  9 02:01:10 : op-y : command not allowed ; TTY=pts/1 ; PWD=/home/op-y ;\n"
        b"    USER=root ; COMMAND=/usr/sbin/stor-ctl purge meta2\n"
    )

    def matches(self, file: EvidenceFile) -> bool:
        heads = [
            _HEAD.fullmatch(record.raw.decode("utf-8", errors="replace")) is not None
            for record in file.spread
            if record.raw[:1] not in (b" ", b"\t")
        ]
        return bool(heads) and sum(heads) * 2 > len(heads) and b" ; " in file.data

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        entries = _entries(file, sink)
        if entries and settings.zone is None:
            raise EvidenceRefused(
                "the lines state no zone (TIME_NO_ZONE)",
                path=file.path,
                line=entries[0][0][0].number,
                field="occurred_at",
                remedy="declare the zone of the host's clock: zone in case.toml, or ingest --zone",
            )
        years, is_guessed = _years(file, entries, settings)
        ends = _ends(entries)
        begun = {end: start for start, end in ends.items()}
        rule = TimeRule(zone=settings.zone)
        for number, ((records, match), year) in enumerate(zip(entries, years, strict=True)):
            try:
                row = _row(match, _instant(match, year, is_guessed, rule), settings)
                if number in ends:
                    end = ends[number]
                    ended = entries[end][1]
                    row["ended_at"] = _instant(ended, years[end], is_guessed, rule)
                    row["outcome"] = "success" if _suffix(ended) == " ; EXIT=0" else "failure"
            except TimeError as error:
                sink.reject(records[0], error.code, error.reason, field="occurred_at")
            else:
                if number in begun:
                    sink.continued(records[0])
                else:
                    sink.accept(records[0], ("maintenance_event", row))
            for record in records[1:]:
                sink.continued(record)


def _ends(entries: Sequence[Entry]) -> dict[int, int]:
    """For every command whose end is logged: which entry says it, as the next with its words."""
    running: dict[tuple[str, str | None, str], list[int]] = {}
    found: dict[int, int] = {}
    for number, (_, match) in enumerate(entries):
        suffix = _suffix(match)
        words = match["rest"].removesuffix(suffix) if suffix else match["rest"]
        starts = running.setdefault((match["user"], match["host"], words), [])
        if suffix and starts:
            found[starts.pop(0)] = number
        elif not suffix:
            starts.append(number)
    return found


def _suffix(match: re.Match[str]) -> str:
    """What an entry says of the end of its command, as it stands; empty where it says nothing."""
    found = _ENDED.fullmatch(match["rest"])
    return found[2] if found else ""


def _entries(file: EvidenceFile, sink: Sink) -> list[Entry]:
    """The records of the log, their lines joined; what is no part of one ends in the sink."""
    found: list[tuple[list[Record], str]] = []
    for record in file.lines():
        text = line_text(record, sink)
        if text is None:
            continue
        if not text.strip():
            sink.skip(record, "blank line")
        elif text.startswith("    ") and found:
            records, head = found[-1]
            found[-1] = ([*records, record], f"{head} {text.strip()}")
        elif _HEAD.fullmatch(text):
            found.append(([record], text.rstrip()))
        else:
            sink.reject(record, "LINE_FORM", "the line has not the form of sudo's log")
    entries: list[Entry] = []
    for records, text in found:
        match = _HEAD.fullmatch(text)
        assert match is not None  # a longer rest fits as well
        entries.append((records, match))
    return entries


def _years(
    file: EvidenceFile, entries: Sequence[Entry], settings: SourceSettings
) -> tuple[list[int], bool]:
    """The year of every record, and whether the file's own time was the anchor."""
    dated = [(n, int(match["year"])) for n, (_, match) in enumerate(entries) if match["year"]]
    if len(dated) == len(entries):
        return [year for _, year in dated], False
    stamps = []
    for _, match in entries:
        hour, minute, second = (int(each) for each in match["time"].split(":"))
        month = _MONTHS.index(match["month"]) + 1
        stamps.append((month, int(match["day"]), hour, minute, second, 0))
    not_after = None
    if settings.year is None and not dated:
        not_after = file.modified_at
    try:
        years = unwrap_years(stamps, first_year=settings.year, dated=dated, not_after=not_after)
    except TimeError as error:
        raise EvidenceRefused(
            f"{error.reason} ({error.code})",
            path=file.path,
            line=entries[0][0][0].number,
            field="occurred_at",
            remedy="declare the year of the file's first record: year in case.toml, or --year",
        ) from None
    return years, not_after is not None


def _instant(match: re.Match[str], year: int, is_guessed: bool, rule: TimeRule) -> Instant:
    month = _MONTHS.index(match["month"]) + 1
    at = parse(f"{year:04}-{month:02}-{int(match['day']):02}T{match['time']}", rule)
    if match["year"]:
        return at
    return flagged(at, "year_inferred", *(("file_time_used",) if is_guessed else ()))


def _row(match: re.Match[str], at: Instant, settings: SourceSettings) -> dict[str, Value]:
    """The row of a record: `key=value` parts between ` ; `, COMMAND taking all that follows."""
    said: list[str] = []
    fields: dict[str, str] = {}
    rest = match["rest"]
    while rest:
        head, _, tail = rest.partition(" ; ")
        field = _FIELD.fullmatch(rest if rest.startswith("COMMAND=") else head)
        if field is None:
            said.append(head.strip())
        else:
            fields[field["key"]] = field["value"].strip()
        rest = "" if rest.startswith("COMMAND=") else tail.lstrip()
    command = fields.get("COMMAND", "")
    return {
        "occurred_at": at,
        **command_columns(split_command(command)),
        "actor": match["user"],
        "effective_actor": fields.get("USER"),
        "host": match["host"] or fields.get("HOST") or settings.asset_id,
        "outcome": "failure" if said else "unknown",
        "message": " ; ".join([*said, command]) if command else " ; ".join(said) or None,
    }
