"""PostgreSQL server logs with the prefix `%m [%p] %q%u@%d/%a `, the default of Debian."""

from __future__ import annotations

import re

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.keyvalue import line_text, mostly_lines
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.timestamps import Instant, TimeError, TimeRule, parse

_LEVELS = (
    "LOG", "INFO", "NOTICE", "WARNING", "ERROR", "FATAL", "PANIC", "DEBUG[1-5]?",
    "DETAIL", "HINT", "STATEMENT", "CONTEXT", "QUERY", "LOCATION", "BACKTRACE",
)  # fmt: skip
_LINE = re.compile(
    r"(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?) (?P<zone>[A-Za-z0-9+\-:/_]+) "
    r"\[\d+(?:-\d+)?\] (?P<rest>(?:(?P<account>[^\s@]*)@\S* )?"
    rf"(?P<level>{'|'.join(_LEVELS)}):  ?.*)",
    re.ASCII,
)
_OUTCOME = {"ERROR": "failure", "FATAL": "failure", "PANIC": "failure", "WARNING": "warning"}
_IN_RECORD = ("UTC", "GMT", "Z")
_NOT_NAMED = ("", "[unknown]")


class PostgresLogReader(Reader):
    name = "postgres_log"
    title = "PostgreSQL server log"
    fills = ("maintenance_event",)
    obtain = "copy the files under log_directory; log_line_prefix = '%m [%p] %q%u@%d/%a '"
    traps = (
        "a log names no server: declare asset_id, which becomes the host",
        "zone abbreviations other than UTC and GMT name several zones: declare zone",
        "DETAIL, HINT and STATEMENT lines belong to the line before them of the same process,"
        " which need not be the line above",
        "a standby logs started streaming before the primary answers; the next line may refuse it",
    )
    sample = (
        b"2026-02-03 08:15:02.114 UTC [4102] LOG:  entering standby mode\n"
        b"2026-02-03 08:15:02.390 UTC [4107] repl@[unknown]/standby1 ERROR:  replication slot "
        b'"standby1" does not exist\n'
        b"2026-02-03 08:15:02.390 UTC [4107] repl@[unknown]/standby1 STATEMENT:  "
        b'START_REPLICATION SLOT "standby1" 0/5000000\n\tTIMELINE 1\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        return mostly_lines(file, lambda line: _LINE.fullmatch(line) is not None)

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        rule = TimeRule(zone=settings.zone)
        begun = False
        for record in file.lines():
            if not record.raw.strip():
                sink.skip(record, "blank line")
                continue
            if record.raw[:1] in (b" ", b"\t") and begun:
                sink.continued(record)
                continue
            text = line_text(record, sink)
            if text is None:
                continue
            match = _LINE.fullmatch(text)
            if match is None:
                sink.reject(record, "LINE_FORM", "the line has not the form of a server log")
                continue
            begun = True
            stamp, zone, rest, account, level = match.group(
                "stamp", "zone", "rest", "account", "level"
            )
            at: str | Instant = f"{stamp} {zone}"
            if zone.upper() not in _IN_RECORD and zone[0] not in "+-":
                if settings.zone is None:
                    raise EvidenceRefused(
                        f"the zone {zone} is an abbreviation (TIME_NO_ZONE)",
                        path=file.path,
                        line=record.number,
                        field="occurred_at",
                        remedy="declare the zone of log_timezone: zone in case.toml, or ingest "
                        "--zone",
                    )
                try:
                    at = parse(f"{stamp} {zone}", rule)
                except TimeError as error:
                    sink.reject(record, error.code, error.reason, field="occurred_at")
                    continue
            row: dict[str, Value] = {
                "occurred_at": at,
                "action": "log",
                "host": settings.asset_id,
                "actor": None if account is None or account in _NOT_NAMED else account,
                "outcome": _OUTCOME.get(level),
                "message": rest,
            }
            sink.accept(record, ("maintenance_event", row))
