"""Syslog files: RFC 3164, the ISO form of rsyslog, and RFC 5424, also mixed in one file."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.keyvalue import accept_message, flagged, line_text
from toolkit.ingest.reader import Reader, Sink, SourceSettings
from toolkit.timestamps import Instant, TimeError, TimeRule, parse, unwrap_years

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = {name: number for number, name in enumerate(_MONTHS, start=1)}
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_NAMES = "|".join(_MONTHS)
_PRI = r"(?:<\d{1,3}>)?"

_OLD = re.compile(
    rf"{_PRI}(?P<month>{_NAMES}) {{1,2}}(?P<day>\d{{1,2}}) (?:(?P<year>\d{{4}}) )?"
    r"(?P<time>\d\d:\d\d:\d\d(?:\.\d{1,9})?) (?P<host>\S+)(?: (?P<rest>.*))?",
    re.ASCII,
)
# The tag with its colon is required, and no level may stand for the host: application logs, too,
# begin with an ISO time and a word.
_ISO = re.compile(
    rf"{_PRI}(?P<at>\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{{1,9}})?(?:Z|[+-]\d\d:?\d\d)?)"
    r" (?!(?i:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL)\b)(?P<host>\S+)"
    r" (?P<rest>[^\s:\[]+(?:\[[^\]]*\])?:(?: .*)?|-- MARK --)",
    re.ASCII,
)
_NEW = re.compile(
    r"(?:\d{1,6} )?<\d{1,3}>1 (?P<at>\S+) (?P<host>\S+) (?P<app>\S+) (?P<process>\S+) \S+ "
    r"(?P<data>-|(?:\[[^\s=\]\"]+(?: [^\s=\]\"]+=\"(?:\\.|[^\"\\\]])*\")*\])+)"
    r"(?: \ufeff?(?P<text>.*))?",
    re.ASCII,
)
_TAG = re.compile(r"[^\s:\[]{1,64}(?:\[[^\]]*\])?:(?: |$)")
_ELEMENT = re.compile(r"\[([^\s=\]\"]+)((?: [^\s=\]\"]+=\"(?:\\.|[^\"\\\]])*\")*)\]")
_PARAM = re.compile(r" ([^\s=\]\"]+)=\"((?:\\.|[^\"\\\]])*)\"")
_SD_ESCAPE = re.compile(r"\\([\"\\\]])")

# The same dates on the bytes of the whole file, to infer the years before any line is read.
_DATES = re.compile(
    rb"^(?:(?:\d{1,6} )?<\d{1,3}>)?(?:"
    rb"(?P<word>" + _NAMES.encode() + rb") {1,2}(?P<day>\d{1,2}) (?:(?P<stated>\d{4}) )?"
    rb"(?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)"
    rb"|(?:1 )?(?P<year>\d{4})-(?P<month>\d\d)-(?P<mday>\d\d)"
    rb"T(?P<hh>\d\d):(?P<mm>\d\d):(?P<ss>\d\d))",
    re.MULTILINE,
)


class SyslogReader(Reader):
    name = "syslog"
    title = "Syslog files (RFC 3164, rsyslog ISO, RFC 5424)"
    fills = ("maintenance_event",)
    obtain = "copy /var/log/syslog, /var/log/messages or /var/log/auth.log and their rotated files"
    traps = (
        "RFC 3164 lines print no year and no zone: declare zone, and year where the file is copied",
        "the host is what the sender says; a relay may have overwritten it",
        "a daylight saving change repeats an hour; both readings are kept",
        "folded lines (message repeated N times) stay one row, with their text as it is",
        "any local account can write a syslog line, also one that reads like an event of a tool",
    )
    sample = (
        b"Mar  9 01:58:12 mds1 CRON[771]: pam_unix(cron:session): session opened for user root\n"
        b"Mar  9 01:59:58 mds1 stor-ctl[812]: change=CHG0030001 step=4 action=detach target=meta2 "
        b'outcome=success actor=mlin msg="pool meta2 detached"\n'
        b"2022-03-09T02:00:01.120312-07:00 mds1 sshd[901]: Connection closed by 192.0.2.7 port 22\n"
        b'<134>1 2022-03-09T09:00:03.003Z mds1 stor-ctl 812 DETACH [chg@32473 change="CHG0030001" '
        b'action="verify"] array meta2 checked\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        if file.is_parquet:
            return False
        known = seen = 0
        for record in file.spread:
            if record.raw[:1] in (b" ", b"\t"):
                continue
            seen += 1
            line = record.raw.decode("utf-8", errors="replace")
            known += any(form.fullmatch(line) is not None for form in (_OLD, _ISO, _NEW))
        return known > 0 and known * 2 >= seen

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        year_at, guessed = _years(file, settings)
        rule = TimeRule(zone=settings.zone)

        @lru_cache(maxsize=4096)
        def instant(month: str, day: str, time: str, year: int, inferred: bool) -> Instant:
            moment = parse(f"{year:04}-{_MONTH[month]:02}-{int(day):02}T{time}", rule)
            if not inferred:
                return moment
            return flagged(moment, "year_inferred", *(("file_time_used",) if guessed else ()))

        begun = False
        for record in file.lines():
            raw = record.raw
            if not raw.strip():
                sink.skip(record, "blank line")
                continue
            if raw[:1] in (b" ", b"\t") and begun:
                sink.continued(record)
                continue
            text = line_text(record, sink)
            if text is None:
                continue
            begun = True
            old = _OLD.fullmatch(text)
            if old is not None:
                month, day, stated, time, host, rest = old.groups()
                try:
                    year = int(stated) if stated else year_at(record.offset or 0)
                    at = instant(month, day, time, year, stated is None)
                except TimeError as error:
                    sink.reject(record, error.code, error.reason, field="occurred_at")
                    continue
                row = {"occurred_at": at, "host": host}
                rest = rest or ""
                tag = _TAG.match(rest)
                message = rest[tag.end() :] if tag else rest
                accept_message(sink, record, row, message, shown=rest)
                continue
            iso = _ISO.fullmatch(text)
            if iso is not None:
                at_text, host, rest = iso.groups()
                tag = _TAG.match(rest)
                message = rest[tag.end() :] if tag else rest
                row_text = {"occurred_at": at_text, "host": host}
                accept_message(sink, record, row_text, message, shown=rest)
                continue
            new = _NEW.fullmatch(text)
            if new is not None:
                _read_new(record, new, rule, sink)
                continue
            sink.reject(record, "LINE_FORM", "the line has none of the forms of syslog")


def _read_new(record: Record, match: re.Match[str], rule: TimeRule, sink: Sink) -> None:
    at, host, app, process, data, message = match.groups()
    if at == "-":
        sink.reject(record, "TIME_NONE", "the record states no time", field="occurred_at")
        return
    fields: list[tuple[str, str]] = []
    quality: dict[str, str] = {}
    for name, params in _ELEMENT.findall(data):
        pairs = [(key, _SD_ESCAPE.sub(r"\1", value)) for key, value in _PARAM.findall(params)]
        if name == "timeQuality":
            quality.update(pairs)
        else:
            fields.extend(pairs)
    moment: str | Instant = at
    if quality:
        try:
            moment = _qualified(parse(at, rule), quality)
        except TimeError as error:
            sink.reject(record, error.code, error.reason, field="occurred_at")
            return
    row = {"occurred_at": moment, "host": None if host == "-" else host}
    message = message or ""
    tag = "" if app == "-" else app if process == "-" else f"{app}[{process}]"
    shown = f"{tag}: {message}" if tag and message else tag or message
    accept_message(sink, record, row, message, fields=fields, shown=shown)


def _qualified(moment: Instant, quality: dict[str, str]) -> Instant:
    """Widen an instant by what the sender itself says of its clock (RFC 5424, section 7.1)."""
    flags = []
    if quality.get("tzKnown") == "0":
        flags.append("zone_not_known")
    if quality.get("isSynced") == "0":
        flags.append("clock_not_synced")
    accuracy = quality.get("syncAccuracy", "")
    if accuracy.isascii() and accuracy.isdigit() and 0 < len(accuracy) <= 12 and int(accuracy):
        error = timedelta(microseconds=int(accuracy))
        moment = replace(moment, lo=moment.lo - error, hi=moment.hi + error)
        flags.append("clock_accuracy_stated")
    return flagged(moment, *flags) if flags else moment


def _years(file: EvidenceFile, settings: SourceSettings) -> tuple[Callable[[int], int], bool]:
    """The year of the line at a byte offset, and whether the file's own time was the anchor.

    Dates come in runs of equal days, so the file is unwrapped by days, not by lines.
    """
    starts: list[int] = []
    stamps: list[tuple[int, int, int, int, int, int]] = []
    dated: list[tuple[int, int]] = []
    before: tuple[int, int, int | None] | None = None
    yearless: int | None = None
    for match in _DATES.finditer(file.data):
        word, day, stated, h, m, s, year, month, mday, hh, mm, ss = match.groups()
        number = int(month) if word is None else _MONTH[word.decode()]
        date = int(mday if word is None else day)
        known = year or stated
        if not (1 <= number <= 12 and 1 <= date <= _MONTH_DAYS[number - 1]):
            continue
        if known is None and yearless is None:
            yearless = match.start()
        stamp = (number, date, int(h or hh), int(m or mm), int(s or ss), 0)
        run = (number, date, None if known is None else int(known))
        if run == before:
            stamps[-1] = stamp
            continue
        before = run
        starts.append(match.start())
        stamps.append(stamp)
        if known is not None:
            dated.append((len(stamps) - 1, int(known)))

    if yearless is None:
        return _no_year, False
    line = file.data.count(b"\n", 0, yearless) + 1
    if settings.zone is None:
        raise EvidenceRefused(
            "the lines state no zone (TIME_NO_ZONE)",
            path=file.path,
            line=line,
            field="occurred_at",
            remedy="declare the zone of the host's clock: zone in case.toml, or --zone",
        )
    not_after = None
    if settings.year is None and not dated:
        not_after = _file_time(file)
    try:
        years = unwrap_years(stamps, first_year=settings.year, dated=dated, not_after=not_after)
    except TimeError as error:
        raise EvidenceRefused(
            f"{error.reason} ({error.code})",
            path=file.path,
            line=line,
            field="occurred_at",
            remedy="declare the year of the file's first record: year in case.toml, or --year",
        ) from None
    return (lambda offset: years[max(bisect_right(starts, offset) - 1, 0)]), not_after is not None


def _no_year(_offset: int) -> int:
    raise TimeError("TIME_RANGE", "the day is not in the calendar")


def _file_time(file: EvidenceFile) -> datetime | None:
    try:
        return datetime.fromtimestamp(file.path.stat().st_mtime, UTC)
    except OSError:
        return None
