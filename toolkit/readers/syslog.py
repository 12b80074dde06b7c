"""Syslog files: RFC 3164, the ISO form of rsyslog, and RFC 5424, also mixed in one file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import pyarrow as pa

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.keyvalue import PayloadError, flagged, line_text, message_row, mostly_lines
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.ingest.stampedlines import MONTH_DAYS, MONTHS, Block, Flags, Ints, blocks
from toolkit.timestamps import Instant, TimeError, TimeRule, parse, unwrap_years

_MONTH = {name: number for number, name in enumerate(MONTHS, start=1)}
_NAMES = "|".join(MONTHS)
_PRI = r"(?:<\d{1,3}>)?"

_OLD = re.compile(
    rf"{_PRI}(?P<month>{_NAMES}) {{1,2}}(?P<day>\d{{1,2}}) (?:(?P<year>\d{{4}}) )?"
    # A lone colon after the time, or after a year, is the log file of sudo.
    r"(?P<time>\d\d:\d\d:\d\d(?:\.\d{1,9})?) (?!(?:\d{4} )?: )(?P<host>\S+)(?: (?P<rest>.*))?",
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

# A date in another form than the common one: after a priority, with a year, or ISO.
_DATE = re.compile(
    rb"(?:(?:\d{1,6} )?<\d{1,3}>)?(?:"
    rb"(?P<word>" + _NAMES.encode() + rb") {1,2}(?P<day>\d{1,2}) (?:(?P<stated>\d{4}) )?"
    rb"(?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)"
    rb"|(?:1 )?(?P<year>\d{4})-(?P<month>\d\d)-(?P<mday>\d\d)"
    rb"T(?P<hh>\d\d):(?P<mm>\d\d):(?P<ss>\d\d))"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INSTANT = pa.timestamp("us", tz="UTC")
_UNEVEN = Instant(_EPOCH, _EPOCH, _EPOCH, "")
_YEARS = 1 << 16  # a date as a number: year × 65536 + month × 32 + day, with year 0 for none


class SyslogReader(Reader):
    name = "syslog"
    title = "Syslog files (RFC 3164, rsyslog ISO, RFC 5424)"
    fills = ("maintenance_event",)
    needs_zone = True
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
        forms = (_OLD, _ISO, _NEW)
        return mostly_lines(file, lambda line: any(form.fullmatch(line) for form in forms))

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        lines = _Lines(_Years(file, settings), settings, sink)
        for block in blocks(file):
            file.read_count += len(block)
            lines.send(block)


class _Lines:
    """Sends the lines of one file to the sink, block by block."""

    def __init__(self, years: _Years, settings: SourceSettings, sink: Sink) -> None:
        self._years = years
        self._rule = TimeRule(zone=settings.zone)
        self._sink = sink
        # A sink that takes tables gets the plain lines of a block at once. Where every line is
        # dated there are none, and where the sink does not, every line goes by itself.
        self._accept_timed = getattr(sink, "accept_timed", None) if years.inferred else None
        self._instant = lru_cache(maxsize=1 << 14)(self._read_instant)
        self._hour = lru_cache(maxsize=1 << 10)(self._read_hour)
        self._begun = False
        self._latest = 0

    def send(self, block: Block) -> None:
        """Send every line of a block."""
        if self._accept_timed is None:
            for index in range(len(block)):
                record = block.record(index)
                row = self._row(record)
                if row is not None:
                    self._sink.accept(record, ("maintenance_event", row))
            return

        lines, hosts, texts = block.columns(without=b"action=")
        times = self._times(block, lines)
        if not times.readable.all():
            pick = np.flatnonzero(times.readable)
            lines, times = lines[pick], times.take(pick)
            hosts, texts = hosts.take(pa.array(pick)), texts.take(pa.array(pick))
        others = np.ones(len(block), np.bool_)
        others[lines] = False
        events: list[tuple[int, Record, Instant, dict[str, Value]]] = []
        for index in np.flatnonzero(others).tolist():
            self._begun = self._begun or (len(lines) > 0 and int(lines[0]) < index)
            record = block.record(index)
            row = self._row(record)
            if row is not None:
                at = row["occurred_at"]
                assert isinstance(at, Instant)
                events.append((index, record, at, row))
        self._begun = self._begun or len(lines) > 0

        late = self._late(lines, times, events)
        if len(lines):
            rows, notes = _tables(block, lines, hosts, texts, times, late[: len(lines)])
            self._accept_timed("maintenance_event", rows, notes)
        for (_, record, at, row), is_late in zip(events, late[len(lines) :].tolist(), strict=True):
            if is_late:
                row["occurred_at"] = flagged(at, "out_of_order")
            self._sink.accept(record, ("maintenance_event", row))

    def _late(
        self,
        lines: Ints,
        times: _Times,
        events: Sequence[tuple[int, Record, Instant, dict[str, Value]]],
    ) -> Flags:
        """Which lines, the plain ones first, are earlier than a line that stands before them."""
        place = np.append(lines, [index for index, *_ in events]).astype(np.int64)
        at = np.append(times.at, [_micros(at.at) for _, _, at, _ in events]).astype(np.int64)
        hi = np.append(times.hi, [_micros(at.hi) for _, _, at, _ in events]).astype(np.int64)
        order = np.argsort(place)
        latest = np.maximum.accumulate(np.append(self._latest, at[order]))
        late = np.empty(len(place), np.bool_)
        late[order] = hi[order] < latest[:-1]
        self._latest = int(latest[-1])
        return late

    def _times(self, block: Block, lines: Ints) -> _Times:
        """The times of stamped lines, read once for each hour of the clock that occurs."""
        date = self._years.of(block.starts[lines] + block.offset) * _YEARS + block.day[lines]
        second = date * 86_400 + block.second[lines]
        hours, which = np.unique(second // 3600, return_inverse=True)
        spans = [self._hour(hour) for hour in hours.tolist()]
        into = second % 3600 * 1_000_000
        uneven = np.flatnonzero(np.array([span is _UNEVEN for span in spans], np.bool_)[which])
        if len(uneven):
            seconds, each = np.unique(second[uneven], return_inverse=True)
            which[uneven] = each + len(spans)
            into[uneven] = 0
            spans += [self._second(number) for number in seconds.tolist()]
        return _Times(
            readable=np.array([span is not None for span in spans], np.bool_)[which],
            at=np.array([_micros(span.at) if span else 0 for span in spans], np.int64)[which]
            + into,
            lo=np.array([_micros(span.lo) if span else 0 for span in spans], np.int64)[which]
            + into,
            hi=np.array([_micros(span.hi) if span else 0 for span in spans], np.int64)[which]
            + into,
            basis=[span.basis if span else "" for span in spans],
            flags=[span.flags if span else () for span in spans],
            which=which.astype(np.int64),
        )

    def _read_hour(self, hour: int) -> Instant | None:
        """The first second of an hour of the clock, which stands for all of its seconds.

        None where no second of it can be read, _UNEVEN where they are not read alike. Clocks are
        put forward or back at most once in an hour, so the first and the last tell of the others.
        """
        first, last = self._second(hour * 3600), self._second(hour * 3600 + 3599)
        if first is None and last is None:
            return None
        if first is None or last is None:
            return _UNEVEN
        moved = timedelta(seconds=3599)
        shifted = replace(first, at=first.at + moved, lo=first.lo + moved, hi=first.hi + moved)
        return first if shifted == last else _UNEVEN

    def _second(self, number: int) -> Instant | None:
        """The time of a second that a line prints; None where it cannot be read."""
        date, of_day = divmod(number, 86_400)
        clock = f"{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02}"
        try:
            return self._read_instant(*_split(date), clock, True)
        except TimeError:
            return None

    def _read_instant(self, year: int, month: int, day: int, clock: str, inferred: bool) -> Instant:
        moment = parse(f"{year:04}-{month:02}-{day:02}T{clock}", self._rule)
        if not inferred:
            return moment
        return flagged(
            moment, "year_inferred", *(("file_time_used",) if self._years.guessed else ())
        )

    def _row(self, record: Record) -> dict[str, Value] | None:
        """The row of a line; None where the line has been sent, as what else it is."""
        raw = record.raw
        if not raw.strip():
            self._sink.skip(record, "blank line")
            return None
        if raw[:1] in (b" ", b"\t") and self._begun:
            self._sink.continued(record)
            return None
        text = line_text(record, self._sink)
        if text is None:
            return None
        self._begun = True
        try:
            row = self._old(record, text) or self._iso(text) or self._new(text)
        except TimeError as error:
            self._sink.reject(record, error.code, error.reason, field="occurred_at")
            return None
        except PayloadError as error:
            self._sink.reject(record, error.code, error.reason, field=error.field)
            return None
        if row is None:
            self._sink.reject(record, "LINE_FORM", "the line has none of the forms of syslog")
        return row

    def _old(self, record: Record, text: str) -> dict[str, Value] | None:
        match = _OLD.fullmatch(text)
        if match is None:
            return None
        month, day, stated, clock, host, rest = match.groups()
        year = int(stated) if stated else self._years.at(record.offset or 0)
        at = self._instant(year, _MONTH[month], int(day), clock, stated is None)
        return _tagged({"occurred_at": at, "host": host}, rest or "")

    def _iso(self, text: str) -> dict[str, Value] | None:
        match = _ISO.fullmatch(text)
        if match is None:
            return None
        at, host, rest = match.groups()
        return _tagged({"occurred_at": self._stated(at), "host": host}, rest)

    def _new(self, text: str) -> dict[str, Value] | None:
        match = _NEW.fullmatch(text)
        if match is None:
            return None
        at, host, app, process, data, message = match.groups()
        if at == "-":
            raise PayloadError("TIME_NONE", "the record states no time", "occurred_at")
        fields: list[tuple[str, str]] = []
        quality: dict[str, str] = {}
        for name, params in _ELEMENT.findall(data):
            pairs = [(key, _SD_ESCAPE.sub(r"\1", value)) for key, value in _PARAM.findall(params)]
            if name == "timeQuality":
                quality.update(pairs)
            else:
                fields.extend(pairs)
        moment = _qualified(parse(at, self._rule), quality) if quality else self._stated(at)
        row: dict[str, Value] = {"occurred_at": moment, "host": None if host == "-" else host}
        message = message or ""
        tag = "" if app == "-" else app if process == "-" else f"{app}[{process}]"
        shown = f"{tag}: {message}" if tag and message else tag or message
        return message_row(row, message, fields=fields, shown=shown)

    def _stated(self, at: str) -> str | Instant:
        """A time that the line states in full: left to the sink, unless lines are put in order."""
        return at if self._accept_timed is None else parse(at, self._rule)


@dataclass(frozen=True, slots=True, eq=False)
class _Times:
    """When stamped lines were written, in microseconds since 1970.

    `basis` and `flags` are those of hours or seconds, of which `which` says where a line belongs.
    """

    readable: Flags
    at: Ints
    lo: Ints
    hi: Ints
    basis: Sequence[str]
    flags: Sequence[tuple[str, ...]]
    which: Ints

    def take(self, pick: Ints) -> _Times:
        """The times of some of the lines."""
        return replace(
            self,
            readable=self.readable[pick],
            at=self.at[pick],
            lo=self.lo[pick],
            hi=self.hi[pick],
            which=self.which[pick],
        )


def _tables(
    block: Block, lines: Ints, hosts: pa.Array, texts: pa.Array, times: _Times, late: Flags
) -> tuple[pa.Table, pa.Table]:
    """Plain lines as rows of `maintenance_event`, and a time note for each of them."""
    numbers = pa.array(lines + block.number)
    at, lo, hi = (pa.array(part).cast(_INSTANT) for part in (times.at, times.lo, times.hi))
    rows = {
        "record_no": numbers,
        "occurred_at": at,
        "occurred_lo": lo,
        "occurred_hi": hi,
        "action": _coded(["log"], np.zeros(len(lines), np.int64)),
        "host": hosts.dictionary_encode(),
        "message": texts,
    }
    # Words that repeat on every line are held once.
    flags = [",".join(words) for words in times.flags]
    if late.any():
        flags += [",".join(sorted({*words, "out_of_order"})) for words in times.flags]
    notes = {
        "record_no": numbers,
        "column_name": _coded(["occurred_at"], np.zeros(len(lines), np.int64)),
        "raw": block.stamps(lines),
        "basis": _coded(times.basis, times.which),
        "flags": _coded(flags, times.which + late * len(times.flags)),
        "lo": lo,
        "hi": hi,
    }
    return pa.table(rows), pa.table(notes)


def _coded(words: Sequence[str], which: Ints) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(which.astype(np.int32)), pa.array(words))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _split(date: int) -> tuple[int, int, int]:
    """Year, month and day of a date as a number."""
    return date // _YEARS, date % _YEARS // 32, date % 32


def _tagged(row: dict[str, Value], rest: str) -> dict[str, Value]:
    tag = _TAG.match(rest)
    return message_row(row, rest[tag.end() :] if tag else rest, shown=rest)


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


class _Years:
    """The years of the lines that print none, inferred for the whole file at once.

    Dates come in runs of equal days, so that a file is unwrapped by days, not by lines. `inferred`
    says whether any line needs it, `guessed` whether the file's own time was the anchor.
    """

    def __init__(self, file: EvidenceFile, settings: SourceSettings) -> None:
        starts: list[int] = []
        dates: list[int] = []
        seconds: list[int] = []
        lines: list[int] = []
        for block in blocks(file):
            for line, start, date, second in _runs(block):
                if dates and dates[-1] == date:
                    seconds[-1] = second
                    continue
                lines.append(line)
                starts.append(start)
                dates.append(date)
                seconds.append(second)
        yearless = next((i for i, date in enumerate(dates) if date < _YEARS), None)
        self.inferred = yearless is not None
        self.guessed = False
        self._starts = np.array(starts, np.int64)
        self._years = np.zeros(len(starts), np.int64)
        if yearless is None:
            return

        if settings.zone is None:
            raise EvidenceRefused(
                "the lines state no zone (TIME_NO_ZONE)",
                path=file.path,
                line=lines[yearless],
                field="occurred_at",
                remedy="declare the zone of the host's clock: zone in case.toml, or ingest --zone",
            )
        dated = [(i, date // _YEARS) for i, date in enumerate(dates) if date >= _YEARS]
        self.guessed = settings.year is None and not dated
        try:
            years = unwrap_years(
                [_stamp(date, second) for date, second in zip(dates, seconds, strict=True)],
                first_year=settings.year,
                dated=dated,
                not_after=file.modified_at if self.guessed else None,
            )
        except TimeError as error:
            raise EvidenceRefused(
                f"{error.reason} ({error.code})",
                path=file.path,
                line=lines[yearless],
                field="occurred_at",
                remedy="declare the year of the file's first record: year in case.toml, or --year",
            ) from None
        self._years = np.array(years, np.int64)

    def of(self, offsets: Ints) -> Ints:
        """The years of lines, by the offsets at which they start."""
        if not self.inferred:
            return np.zeros(len(offsets), np.int64)
        runs = np.searchsorted(self._starts, offsets, "right") - 1
        return self._years[np.maximum(runs, 0)]

    def at(self, offset: int) -> int:
        """The year of one line."""
        if not self.inferred:
            raise TimeError("TIME_RANGE", "the day is not in the calendar; check the record")
        return int(self.of(np.array([offset]))[0])


def _runs(block: Block) -> Iterator[tuple[int, int, int, int]]:
    """Runs of lines of the same date: first line, its offset, the date, the last line's second."""
    dates, seconds = block.day.copy(), block.second.copy()
    for index in np.flatnonzero(~block.stamped).tolist():
        match = _DATE.match(block.data, int(block.starts[index]))
        if match is None:
            continue
        word, day, stated, h, m, s, year, month, mday, hh, mm, ss = match.groups()
        number = int(month) if word is None else _MONTH[word.decode()]
        of_month = int(mday if word is None else day)
        if 1 <= number <= 12 and 1 <= of_month <= MONTH_DAYS[number - 1]:
            dates[index] = int(year or stated or 0) * _YEARS + number * 32 + of_month
            seconds[index] = int(h or hh) * 3600 + int(m or mm) * 60 + int(s or ss)
    lines = np.flatnonzero(dates)
    if not len(lines):
        return
    turns = np.flatnonzero(np.diff(dates[lines]))
    firsts = lines[np.append(0, turns + 1)]
    lasts = lines[np.append(turns, len(lines) - 1)]
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        offset = block.offset + int(block.starts[first])
        yield block.number + first, offset, int(dates[first]), int(seconds[last])


def _stamp(date: int, second: int) -> tuple[int, int, int, int, int, int]:
    _, month, day = _split(date)
    return month, day, second // 3600, second // 60 % 60, second % 60, 0
