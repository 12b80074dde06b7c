"""Text to UTC instants, with the uncertainty that the text leaves.

A time stamp in evidence is rarely an instant: it has a precision, it may lack a zone or a year,
and twice a year a local time happens twice or never. ``parse`` turns one value into an
``Instant``: a point in UTC, the interval that the value can mean, and flags for all that deviates.
It never guesses zone, year, day/month order or unit: where the value and its ``TimeRule`` do not
settle them, it raises a ``TimeError`` whose reason says what to declare.

Two questions can be answered only for many records at once, and are functions of their own: the
day/month order of a column (``prove_order``) and the years of a log that prints none
(``unwrap_years``).

Zone rules come from the ``tzdata`` distribution, never from the host, so that a value reads the
same on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from zoneinfo import ZoneInfo

__all__ = [
    "CODES",
    "FIRST_YEAR",
    "FLAGS",
    "LAST_YEAR",
    "Instant",
    "TimeError",
    "TimeRule",
    "check_zone",
    "parse",
    "parse_epoch",
    "prove_order",
    "unwrap_years",
]

FIRST_YEAR, LAST_YEAR = 1970, 2100

CODES: Mapping[str, str] = MappingProxyType(
    {
        "TIME_NO_ZONE": "the value states no zone or offset and none is declared",
        "TIME_UNKNOWN_ZONE": "the zone name or abbreviation does not name one zone",
        "TIME_SYNTAX": "the value does not have the declared or any self-describing form",
        "TIME_ORDER": "day and month cannot be told apart, or contradict the declared order",
        "TIME_NO_YEAR": "the value prints no year and nothing anchors one",
        "TIME_RANGE": "the value is no calendar time, or lies outside the years 1970 to 2100",
        "TIME_UNIT": "a bare number without a declared unit",
    }
)
"""Every ``TimeError.code`` with its meaning."""

FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "date_only": "no time of day; the interval is the whole local day",
        "dst_ambiguous": "the local time happened twice; the interval holds both readings",
        "dst_nonexistent": "the clocks skipped the local time; moved forward by the gap",
        "leap_second": "second 60; read as the next second",
        "midnight_24": "24:00; read as 00:00 of the next day",
        "out_of_order": "earlier than the record before it; raised by callers that see the file",
        "two_digit_year": "70 to 99 read as 19xx, 00 to 68 as 20xx",
        "year_inferred": "no year in the record; raised by callers that use unwrap_years",
        "zone_abbreviation": "the offset comes from an abbreviation such as EST",
    }
)
"""Every flag that an ``Instant`` can carry with its meaning."""


class TimeError(ValueError):
    """A value or a rule from which no instant follows.

    ``code`` is one of ``CODES`` and stable; ``reason`` is one clause that says what to do. Text
    from the evidence appears in it quoted, shortened and with control characters escaped.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason

    def __reduce__(self) -> tuple[type[TimeError], tuple[str, str]]:
        return type(self), (self.code, self.reason)


@dataclass(frozen=True, slots=True)
class Instant:
    """What a time stamp means: ``lo <= truth <= hi``, all in UTC to the microsecond.

    ``at`` is the reading to show and to sort by. ``hi`` ends the precision interval: ``10:00``
    read to the minute ends at 10:00:59.999999. ``basis`` says where the zone came from: ``epoch,
    utc, offset, zone_in_record, zone_declared``. ``flags`` are sorted keys of ``FLAGS``.
    ``nanos`` (0 to 999) are the nanoseconds beyond the microsecond, cut from ``at``, never rounded.
    """

    at: datetime
    lo: datetime
    hi: datetime
    basis: str
    flags: tuple[str, ...] = ()
    nanos: int = 0

    def flagged(self, *flags: str) -> Instant:
        """The same instant with more flags, for what only a reader of the whole file can know."""
        unknown = sorted(set(flags) - FLAGS.keys())
        if unknown:
            raise ValueError(f"unknown time flags: {', '.join(unknown)}")
        return replace(self, flags=tuple(sorted({*self.flags, *flags})))


@dataclass(frozen=True, slots=True)
class TimeRule:
    """How the values of one column are read; what is not declared must stand in the value.

    ``zone``: IANA name, ``UTC``, or fixed ``+05:30``; used for values that state no zone.
    ``format``: strptime directives ``%Y %y %m %d %e %b %B %H %I %M %S %f %p %z %Z %a %A %F %T``;
    a blank stands for one or more blanks, ``%f`` for 1 to 9 digits.
    ``order``: ``day-first``, ``month-first`` or ``year-first``, for dates such as 03/09/2022.
    ``unit``: ``s, ms, us, ns``, for bare numbers since 1970.
    """

    zone: str | None = None
    format: str | None = None
    order: str | None = None
    unit: str | None = None


_NO_RULE = TimeRule()
_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_ZERO = timedelta(0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Length of the precision interval by number of fraction digits, 0 to 9.
_WIDTHS = tuple(timedelta(microseconds=10 ** max(6 - n, 0) - 1) for n in range(10))

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_WORDS = (
    "January|February|March|April|May|June|July|August|September|October|November|December"
    "|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_WORDS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_ORDERS = {"day-first": "dmy", "month-first": "mdy", "year-first": "ymd"}

# RFC 822 fixed these eight; every other abbreviation means several zones.
_RFC822_HOURS = {"EST": -5, "CST": -6, "MST": -7, "PST": -8}
_RFC822_HOURS |= {"EDT": -4, "CDT": -5, "MDT": -6, "PDT": -7}
_PLACES_MEANT = {
    "EST": "America/New_York",
    "CST": "America/Chicago or Asia/Shanghai",
    "MST": "America/Denver or America/Phoenix",
    "PST": "America/Los_Angeles",
    "HST": "Pacific/Honolulu",
    "IST": "Europe/Dublin, Asia/Kolkata or Asia/Jerusalem",
    "BST": "Europe/London",
    "CEST": "Europe/Berlin",
    "JST": "Asia/Tokyo",
    "AEST": "Australia/Sydney or Australia/Brisbane",
    "AEDT": "Australia/Sydney",
    "NZST": "Pacific/Auckland",
}
# Names in the zone list that read like an abbreviation but hold no daylight saving time, or none.
_NOT_PLACES = frozenset({"EST", "MST", "HST", "Factory"})


def _quote(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


# --- zones ------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    names = resources.files("tzdata").joinpath("zones").read_text(encoding="ascii").split()
    return frozenset(names) - _NOT_PLACES


@lru_cache(maxsize=1024)
def _fixed(offset: str) -> timezone | None:
    """``+hh``, ``+hhmm`` or ``+hh:mm`` as a zone; None for anything else."""
    match = re.fullmatch(r"([+-])(0[0-9]|1[0-4]):?([0-5][0-9])?", offset)
    if match is None or offset.endswith(":"):
        return None
    delta = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(-delta if match[1] == "-" else delta)


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo:
    if name in ("UTC", "Z"):
        return UTC
    fixed = _fixed(name)
    if fixed is not None:
        return fixed
    # The list is also the guard: only names that stand in it become a path.
    if name not in _zone_names():
        raise TimeError("TIME_UNKNOWN_ZONE", _unknown_zone(name))
    place = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with place.open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def _unknown_zone(name: str) -> str:
    reason = f"zone {_quote(name)} is not known"
    hint = _PLACES_MEANT.get(name.upper())
    if hint is None:
        folded = {zone.lower(): zone for zone in sorted(_zone_names())}
        wanted = name.strip().lower().replace(" ", "_")
        cities = {zone.rsplit("/", 1)[-1]: zone for zone in folded}
        close = get_close_matches(wanted[:60], [*folded, *cities], n=1, cutoff=0.75)
        if close:
            hint = folded[close[0] if close[0] in folded else cities[close[0]]]
    if hint is not None:
        return f"{reason}; did you mean {hint}?"
    return f"{reason}; declare an IANA name such as Europe/Dublin, UTC, or an offset as +05:30"


def check_zone(name: str) -> None:
    """Accept an IANA zone name, ``UTC``, or a fixed offset such as ``+05:30``.

    Raises TimeError TIME_UNKNOWN_ZONE, with a suggestion where one is near. Abbreviations are
    refused even where the zone list holds them: ``MST`` is Phoenix there, not Denver.
    """
    _zone(name)


def _offset(zone: tzinfo, local: datetime, fold: int = 0) -> timedelta:
    # ZoneInfo and timezone read only the wall time and the fold, so a naive value will do.
    return zone.utcoffset(local.replace(fold=1) if fold else local) or _ZERO


def _zone_in_value(
    token: str, local: datetime, declared: str | None
) -> tuple[tzinfo, str, tuple[str, ...]]:
    """Zone, basis and flags of the zone that a value prints."""
    upper = token.upper()
    if upper in ("Z", "UTC", "GMT"):
        return UTC, "utc", ()
    if token[0] in "+-":
        fixed = _fixed(token)
        if fixed is None:
            raise TimeError("TIME_UNKNOWN_ZONE", f"{_quote(token)} is not an offset in use")
        return fixed, "offset", ()
    if "/" in token:
        return _zone(token), "zone_in_record", ()
    flags = ("zone_abbreviation",)
    # An abbreviation of the declared zone, at a time when that zone uses it, has one meaning.
    if declared is not None:
        zone = _zone(declared)
        for fold in (0, 1):
            if zone.tzname(local.replace(fold=fold)) == upper:
                return timezone(_offset(zone, local, fold)), "zone_in_record", flags
    if upper in _RFC822_HOURS:
        return timezone(timedelta(hours=_RFC822_HOURS[upper])), "zone_in_record", flags
    raise TimeError("TIME_UNKNOWN_ZONE", f"in the value, {_unknown_zone(token)}")


# --- one instant ------------------------------------------------------------------------------


def _place(
    local: datetime,
    width: timedelta,
    zone: tzinfo,
    basis: str,
    flags: tuple[str, ...] = (),
    nanos: int = 0,
) -> Instant:
    """Put the local interval ``[local, local + width]`` on the UTC line."""
    end = local + width
    before, after = _offset(zone, local), _offset(zone, local, 1)
    end_before, end_after = before, after
    if width >= _SECOND:  # offsets change only at whole seconds
        end_before, end_after = _offset(zone, end), _offset(zone, end, 1)
    # Fold 0 is the first reading of a repeated time, and moves a skipped one forward by the gap.
    at = (local - before).replace(tzinfo=UTC)
    # The smaller offset is the later reading, in both cases.
    hi = (end - min(end_before, end_after)).replace(tzinfo=UTC)
    if "date_only" in flags:
        # A day that begins or ends in a transition is still one day; only a skipped day is not.
        if before < after and end_before < end_after:
            flags += ("dst_nonexistent",)
    elif before > after or end_before > end_after:
        flags += ("dst_ambiguous",)
    elif before < after:
        flags += ("dst_nonexistent",)
    _check_range(at)
    lo = at - _SECOND if "leap_second" in flags else at
    return Instant(at, lo, hi, basis, tuple(sorted(flags)), nanos)


def _check_range(at: datetime) -> None:
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise TimeError(
            "TIME_RANGE", f"the year {at.year} lies outside {FIRST_YEAR} to {LAST_YEAR}"
        )


def _nanos(fraction: str | None) -> int:
    return int(fraction[6:].ljust(3, "0")) if fraction and len(fraction) > 6 else 0


def _assemble(text: str, part: Mapping[str, str | None], rule: TimeRule) -> Instant:
    """Build the instant from the named parts of a matched value."""
    flags: list[str] = []
    year = int(part.get("year") or 0)
    two_digits = part.get("year2")
    if two_digits is not None:
        year = int(two_digits) + (1900 if int(two_digits) >= 69 else 2000)
        flags.append("two_digit_year")
    word = part.get("month_word")
    month = _MONTHS.index(word[:3].lower()) + 1 if word else int(part["month"] or 0)
    day = int(part["day"] or 0)
    # One year of slack: the local date of an instant in range can lie outside it.
    if not FIRST_YEAR - 1 <= year <= LAST_YEAR + 1:
        raise TimeError(
            "TIME_RANGE", f"{_quote(text)} lies outside the years {FIRST_YEAR} to {LAST_YEAR}"
        )
    try:
        local = datetime.combine(date(year, month, day), time.min)
    except ValueError:
        raise TimeError("TIME_RANGE", f"{_quote(text)} is no day of the calendar") from None
    weekday = part.get("weekday")
    if weekday and _DAYS.index(weekday[:3].lower()) != local.weekday():
        said = _DAYS[local.weekday()].capitalize()
        raise TimeError("TIME_SYNTAX", f"{_quote(text)}: that day is a {said}; check day and year")

    local, width = _time_of_day(text, part, local, flags)
    token = part.get("zone")
    if token:
        zone, basis, more = _zone_in_value(token, local, rule.zone)
        flags.extend(more)
    else:
        zone, basis = _declared(text, rule), "zone_declared"
    return _place(local, width, zone, basis, tuple(flags), _nanos(part.get("fraction")))


def _time_of_day(
    text: str, part: Mapping[str, str | None], local: datetime, flags: list[str]
) -> tuple[datetime, timedelta]:
    hours, minutes, seconds = part.get("hour"), part.get("minute"), part.get("second")
    fraction = part.get("fraction") or ""
    if hours is None:
        flags.append("date_only")
        return local, _DAY - _MICROSECOND
    hour, minute, second = int(hours), int(minutes or 0), int(seconds or 0)
    half = part.get("half")
    if half:
        if not 1 <= hour <= 12:
            raise TimeError("TIME_RANGE", f"{_quote(text)}: a 12-hour clock shows 1 to 12")
        hour = hour % 12 + (12 if half[0] in "Pp" else 0)
    micro = int(fraction[:6].ljust(6, "0")) if fraction else 0
    if hour == 24 and minute == second == micro == _nanos(fraction) == 0:
        flags.append("midnight_24")
    elif hour > 23 or minute > 59 or second > 60:
        raise TimeError("TIME_RANGE", f"{_quote(text)} is no time of day")
    if second == 60:
        flags.append("leap_second")
    local += timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micro)
    if seconds is not None:
        return local, _WIDTHS[len(fraction)]
    return local, (_HOUR if minutes is None else _MINUTE) - _MICROSECOND


def _declared(text: str, rule: TimeRule) -> tzinfo:
    if rule.zone is None:
        raise TimeError(
            "TIME_NO_ZONE",
            f"{_quote(text)} states no zone; declare the zone in which it was written",
        )
    return _zone(rule.zone)


# --- self-describing forms --------------------------------------------------------------------

_ZONE = r"(?: *(?P<zone>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?|[A-Za-z][A-Za-z0-9_/+-]*))?"
_HALF = r"(?: ?(?P<half>[AaPp]\.?[Mm](?:\.|\b)))?"
_CLOCK = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?" + _HALF + _ZONE
)
# The common case, strict enough to hand to datetime.fromisoformat. Group 1: fraction, 2: zone.
_FAST = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(?:[.,]([0-9]{1,9}))?(Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)?"
)
_NUMBER = re.compile(r"[+-]?([0-9]+)(?:\.([0-9]+))?")
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        # ISO 8601 and RFC 3339; databases write a blank for the T, nginx slashes
        r"(?P<year>[0-9]{4})(?P<sep>[-/])(?P<month>[0-9]{2})(?P=sep)(?P<day>[0-9]{2})"
        r"(?:(?:[Tt]| +)" + _CLOCK + ")?",
        # ISO 8601 basic form; the T or the zone tells it from a number
        r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})(?:[Tt]|(?=[0-9]{6}[^0-9]))"
        r"(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})"
        r"(?:(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?" + _ZONE,
        # RFC 822, RFC 1123 and mail headers with their comment
        rf"(?:(?P<weekday>{_DAY_WORDS}),? +)?(?P<day>[0-9]{{1,2}}) +(?P<month_word>{_MONTH_WORDS})"
        rf" +(?:(?P<year>[0-9]{{4}})|(?P<year2>[0-9]{{2}})) +{_CLOCK}(?: *\([A-Za-z ]*\))?",
    )
)
_NUMERIC = re.compile(
    r"(?P<a>[0-9]{1,4})(?P<sep>[/.-])(?P<b>[0-9]{1,2})(?P=sep)(?P<c>[0-9]{1,4})"
    r"(?:(?:[Tt]|,? +)" + _CLOCK + ")?"
)
_YEARLESS = re.compile(rf"(?:{_MONTH_WORDS}) +[0-9]{{1,2}} +[0-9]{{2}}:[0-9]{{2}}\b.*")
_BLANKS = str.maketrans("\t\u00a0\u202f", "   ")
_LONGEST = 100


def parse(text: str, rule: TimeRule = _NO_RULE) -> Instant:
    """Read one time stamp.

    Without ``rule.format`` the value must have a self-describing form: ISO 8601 / RFC 3339
    (extended or basic, ``T`` or blank, 1 to 9 fraction digits), ``YYYY/MM/DD``, RFC 822 / 1123,
    a bare number with ``rule.unit``, or a numeric date with ``rule.order``. An offset or zone in
    the value wins over ``rule.zone``. A date alone means the whole local day.

    Raises TimeError; its ``code`` is one of ``CODES``. Never reads the clock or the host's zone.
    """
    if rule.format is not None:
        return _parse_format(text, rule)
    fast = _FAST.fullmatch(text)
    if fast is not None:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return _parse_form(text, rule)  # no such day: that path says so
        fraction, offset = fast.groups()
        width = _WIDTHS[len(fraction)] if fraction else _WIDTHS[0]
        nanos = _nanos(fraction) if fraction else 0
        if not FIRST_YEAR < moment.year < LAST_YEAR:
            return _parse_form(text, rule)  # so near the limits that the zone decides
        if offset is None:
            return _place(moment, width, _declared(text, rule), "zone_declared", (), nanos)
        if offset == "Z":
            return Instant(moment, moment, moment + width, "utc", (), nanos)
        moment = moment.astimezone(UTC)
        return Instant(moment, moment, moment + width, "offset", (), nanos)
    return _parse_form(text, rule)


def _parse_form(text: str, rule: TimeRule) -> Instant:
    if len(text) > _LONGEST:
        raise TimeError("TIME_SYNTAX", f"{_quote(text)} is too long for a time stamp")
    value = text.translate(_BLANKS).strip(" ")
    if not value:
        raise TimeError("TIME_SYNTAX", "the value is empty")
    if _NUMBER.fullmatch(value):
        if rule.unit is None:
            raise TimeError(
                "TIME_UNIT",
                f"{_quote(text)} is a bare number; declare its unit (s, ms, us, ns) or its format",
            )
        return parse_epoch(value, rule.unit)
    for form in _FORMS:
        match = form.fullmatch(value)
        if match is not None:
            return _assemble(text, match.groupdict(), rule)
    match = _NUMERIC.fullmatch(value)
    if match is not None:
        return _assemble(text, _ordered(text, match.groupdict(), rule.order), rule)
    if _YEARLESS.fullmatch(value):
        raise TimeError(
            "TIME_NO_YEAR", f"{_quote(text)} prints no year; declare the year of the first record"
        )
    raise TimeError(
        "TIME_SYNTAX", f"{_quote(text)} has no self-describing form; declare its format"
    )


def _ordered(
    text: str, part: Mapping[str, str | None], order: str | None
) -> Mapping[str, str | None]:
    """Name the three numbers of a numeric date by the declared order."""
    if order is not None and order not in _ORDERS:
        raise TimeError(
            "TIME_ORDER", f"order {_quote(order)} is not one of {', '.join(sorted(_ORDERS))}"
        )
    numbers = [part["a"] or "", part["b"] or "", part["c"] or ""]
    if len(numbers[0]) == 4:
        order = "year-first"
    if order is None:
        raise TimeError(
            "TIME_ORDER",
            f"{_quote(text)} does not say which number is the day; "
            "declare order as day-first or month-first",
        )
    named: dict[str, str | None] = dict(zip(_ORDERS[order], numbers, strict=True))
    year, month, day = named["y"] or "", named["m"] or "", named["d"] or ""
    if len(year) not in (2, 4) or len(day) > 2 or int(month) > 12:
        raise TimeError("TIME_ORDER", f"{_quote(text)} contradicts the order {order}")
    return {**part, "year" if len(year) == 4 else "year2": year, "month": month, "day": day}


# --- declared formats -------------------------------------------------------------------------

# directive -> (name of the part, pattern); digit patterns are narrowed where numbers touch
_DIRECTIVES = {
    "Y": ("year", "[0-9]{4}"),
    "y": ("year2", "[0-9]{2}"),
    "m": ("month", "[0-9]{1,2}"),
    "d": ("day", "[0-9]{1,2}"),
    "e": ("day", "[0-9]{1,2}"),
    "H": ("hour", "[0-9]{1,2}"),
    "I": ("hour", "[0-9]{1,2}"),
    "M": ("minute", "[0-9]{1,2}"),
    "S": ("second", "[0-9]{1,2}"),
    "f": ("fraction", "[0-9]{1,9}"),
    "p": ("half", r"[AaPp]\.?[Mm]\.?"),
    "b": ("month_word", _MONTH_WORDS),
    "h": ("month_word", _MONTH_WORDS),
    "B": ("month_word", _MONTH_WORDS),
    "a": ("weekday", _DAY_WORDS),
    "A": ("weekday", _DAY_WORDS),
    "z": ("zone", "[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?"),
    "Z": ("zone", "[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?|[A-Za-z][A-Za-z0-9_/+-]*"),
}
_NEEDS = {
    "month": ("day",),
    "month_word": ("day",),
    "minute": ("hour",),
    "second": ("minute",),
    "fraction": ("second",),
    "half": ("hour",),
}


def _parse_format(text: str, rule: TimeRule) -> Instant:
    if len(text) > _LONGEST:
        raise TimeError("TIME_SYNTAX", f"{_quote(text)} is too long for a time stamp")
    form = rule.format or ""
    match = _compile(form).fullmatch(text.translate(_BLANKS).strip(" "))
    if match is None:
        raise TimeError("TIME_SYNTAX", f"{_quote(text)} does not have the format {_quote(form)}")
    return _assemble(text, match.groupdict(), rule)


@lru_cache(maxsize=256)
def _compile(form: str) -> re.Pattern[str]:
    spelled_out = form.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S")
    tokens = re.findall(r"%-?.| +|[^% ]|%$", spelled_out)
    names: list[str] = []
    pattern = ""
    for position, token in enumerate(tokens):
        if token[0] != "%" or token[1:] == "%":
            pattern += " +" if token[0] == " " else re.escape(token[0])
            continue
        name, digits = _DIRECTIVES.get(token[-1], ("", ""))
        if not name or len(token) < 2:
            raise TimeError("TIME_SYNTAX", f"format {_quote(form)}: {token} is not supported")
        if name in names:
            raise TimeError("TIME_SYNTAX", f"format {_quote(form)} names the {name} twice")
        names.append(name)
        if _numeric(tokens, position - 1) or _numeric(tokens, position + 1):
            # Numbers that touch must have full width, else 2025111 has two readings.
            digits = digits.replace("{1,2}", "{2}")
        # A day or hour may be padded with a blank.
        pad = " ?" if digits == "[0-9]{1,2}" else ""
        pattern += f"{pad}(?P<{name}>{digits})"
    _check_format(form, names, tokens)
    return re.compile(pattern, re.IGNORECASE)


def _numeric(tokens: Sequence[str], position: int) -> bool:
    if not 0 <= position < len(tokens):
        return False
    token = tokens[position]
    return token.isdigit() or (token[0] == "%" and token[-1] in "YymdeHIMSf")


def _check_format(form: str, names: Sequence[str], tokens: Sequence[str]) -> None:
    if "year" not in names and "year2" not in names:
        raise TimeError("TIME_NO_YEAR", f"format {_quote(form)} has no year; infer it for the file")
    if "day" not in names or not {"month", "month_word"} & set(names):
        raise TimeError("TIME_SYNTAX", f"format {_quote(form)} names no day of the calendar")
    for name, needed in _NEEDS.items():
        if name in names and not set(needed) <= set(names):
            raise TimeError("TIME_SYNTAX", f"format {_quote(form)} has a {name} but no {needed[0]}")
    twelve = any(token[0] == "%" and token[-1] == "I" for token in tokens)
    if twelve != ("half" in names):
        raise TimeError("TIME_SYNTAX", f"format {_quote(form)} must use %I and %p together")


# --- numbers ----------------------------------------------------------------------------------

_UNIT_DIGITS = {"s": 9, "ms": 6, "us": 3, "ns": 0}  # digits from the unit down to nanoseconds
_LAST_NS = int((datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()) * 10**9


def parse_epoch(value: int | float | str | Decimal, unit: str) -> Instant:
    """Read a count of ``unit`` (``s, ms, us, ns``) since 1970-01-01T00:00:00Z, exactly.

    The digits written give the precision: 1741500000 s is known to the second. A float counts as
    its shortest decimal text. Text in scientific notation is refused, since it may hide digits.

    Raises TimeError TIME_UNIT, TIME_SYNTAX, or TIME_RANGE with the unit that would fit, if any.
    """
    if unit not in _UNIT_DIGITS:
        raise TimeError("TIME_UNIT", f"unit {_quote(unit)} is not one of s, ms, us, ns")
    text = _plain(value)
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise TimeError("TIME_SYNTAX", f"{_quote(text)} is no plain number; export all its digits")
    whole, fraction = match[1].lstrip("0"), match[2] or ""
    below = _UNIT_DIGITS[unit]
    if len(whole) > 20 or (text[0] == "-" and int(whole + fraction or 0)):
        raise TimeError("TIME_RANGE", f"{_quote(text)} {unit} lies outside 1970 to {LAST_YEAR}")
    ns = int(whole or 0) * 10**below + int(fraction[:below].ljust(below, "0") or 0)
    if ns >= _LAST_NS:
        fits = [u for u, n in _UNIT_DIGITS.items() if int(whole) * 10**n < _LAST_NS]
        hint = f"; unit {fits[0]} would fit" if fits else ""
        raise TimeError(
            "TIME_RANGE", f"{_quote(text)} {unit} lies outside 1970 to {LAST_YEAR}{hint}"
        )
    micros, nanos = divmod(ns, 1000)
    at = _EPOCH + timedelta(microseconds=micros)
    written = 9 - below + len(fraction)
    return Instant(at, at, at + _WIDTHS[min(written, 9)], "epoch", (), nanos)


def _plain(value: int | float | str | Decimal) -> str:
    """The number as decimal text without exponent."""
    if isinstance(value, bool):
        raise TimeError("TIME_SYNTAX", f"{value} is a truth value, not a time")
    if isinstance(value, float | Decimal):
        number = Decimal(repr(float(value))) if isinstance(value, float) else value
        if not number.is_finite():
            raise TimeError("TIME_SYNTAX", f"{number} is not a finite number")
        if number.adjusted() > 20:
            raise TimeError("TIME_RANGE", f"{number:.3E} lies outside 1970 to {LAST_YEAR}")
        if isinstance(value, float) and number == number.to_integral_value():
            return str(int(number))
        return f"{number:f}"
    if isinstance(value, int) and abs(value) > 10**20:
        raise TimeError("TIME_RANGE", f"the number lies outside 1970 to {LAST_YEAR}")
    return str(value).strip()


# --- whole columns and files ------------------------------------------------------------------

_DAY_OR_MONTH_FIRST = re.compile(r"\s*([0-9]{1,2})([/.-])([0-9]{1,2})\2[0-9]{4}(?![0-9])")


def prove_order(values: Iterable[str]) -> tuple[str | None, int, int]:
    """The day/month order that the values of a column prove, and by how many rows each.

    A row such as 25/03/2022 proves day-first, 03/25/2022 month-first; 03/09/2022 proves nothing.
    Returns ``(order or None, day-first rows, month-first rows)``. Two-digit years prove nothing,
    because 22/03/09 may also begin with the year.

    Raises TimeError TIME_ORDER when rows contradict one another.
    """
    day_first = month_first = 0
    for value in values:
        match = _DAY_OR_MONTH_FIRST.match(value)
        if match is None:
            continue
        first, second = int(match[1]), int(match[3])
        day_first += 12 < first <= 31 and 1 <= second <= 12
        month_first += 12 < second <= 31 and 1 <= first <= 12
    if day_first and month_first:
        raise TimeError(
            "TIME_ORDER",
            f"{day_first} rows are day-first and {month_first} month-first; "
            "split the file by its origin",
        )
    order = "day-first" if day_first else "month-first" if month_first else None
    return order, day_first, month_first


def unwrap_years(
    stamps: Sequence[tuple[int, int, int, int, int, int]],
    *,
    first_year: int | None = None,
    dated: Sequence[tuple[int, int]] = (),
    not_after: datetime | None = None,
) -> list[int]:
    """The year of every record of a log that prints none, for the whole file at once.

    ``stamps`` are ``(month, day, hour, minute, second, microsecond)`` in file order. A fall of
    more than six months begins a new year; a record of the last months that follows one of January
    is a late record of the old year; smaller disorder stays within the year. So a silence that
    ends up to six months earlier in the calendar than it began cannot be seen, nor one of whole
    years; ``dated`` records on both sides of it show it.

    The anchor is ``first_year`` (year of the first record); else ``dated``, pairs of index and
    year of records whose year is known; else ``not_after``, an upper bound for the last record
    with one day of tolerance: the latest years that fit, moved back until every February 29
    falls in a leap year. Records so dated carry the flag ``year_inferred``.

    Raises TimeError TIME_NO_YEAR without an anchor, TIME_RANGE when an anchor contradicts the
    records or another anchor, or a day does not exist.
    """
    if not stamps:
        return []
    for index, (month, day, *_) in enumerate(stamps):
        if not (1 <= month <= 12 and 1 <= day <= (_MONTH_DAYS[month - 1])):
            raise TimeError("TIME_RANGE", f"record {index}: no day {day} in month {month}")
    turns = _turns([stamp[0] for stamp in stamps])
    leaps = sorted({turns[i] for i, stamp in enumerate(stamps) if stamp[:2] == (2, 29)})

    if first_year is not None:
        base = first_year - turns[0]
    elif dated:
        index, year = dated[0]
        base = year - turns[index]
    elif not_after is not None:
        base = _latest_base(stamps[-1], turns[-1], leaps, not_after)
    else:
        raise TimeError(
            "TIME_NO_YEAR", "the records print no year; declare the year of the first record"
        )
    for index, year in dated:
        if base + turns[index] != year:
            raise TimeError(
                "TIME_RANGE",
                f"record {index} states {year} but counts as {base + turns[index]}; "
                "split the file where the years break, or correct the declared year",
            )
    for turn in leaps:
        if not _is_leap(base + turn):
            raise TimeError(
                "TIME_RANGE",
                f"a record of February 29 would fall in {base + turn}; correct the declared year",
            )
    if base + min(turns) < FIRST_YEAR or base + max(turns) > LAST_YEAR:
        raise TimeError(
            "TIME_RANGE", f"the years would leave {FIRST_YEAR} to {LAST_YEAR}; declare the year"
        )
    return [base + turn for turn in turns]


_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _turns(months: Sequence[int]) -> list[int]:
    """Turns of the year since the first record, for each record."""
    turns: list[int] = []
    turn, here = 0, months[0]
    behind: int | None = None  # last month seen in the year before the current one
    for month in months:
        step = month - here
        if step < -6:
            turn, behind, here = turn + 1, here, month
        elif step > 6 and here == 1 and (abs(month - behind) <= 2 if behind else step >= 10):
            # A record of the old year that arrives in January, or the log going on after a host
            # whose clock restarted at January 1. The position stays in January, so that disorder
            # around the turn does not add up to years. From February on, a silence is likelier.
            turns.append(turn - 1)
            behind = month
            continue
        else:
            here = month
        turns.append(turn)
    return turns


def _latest_base(
    last: tuple[int, int, int, int, int, int], turn: int, leaps: Sequence[int], bound: datetime
) -> int:
    limit = (bound.astimezone(UTC) if bound.tzinfo else bound) + _DAY
    moment = (limit.month, limit.day, limit.hour, limit.minute, limit.second, limit.microsecond)
    base = limit.year - turn - (tuple(last) > moment)
    for candidate in range(base, max(base - 12, FIRST_YEAR - 2), -1):
        if all(_is_leap(candidate + leap) for leap in leaps):
            return candidate
    raise TimeError(
        "TIME_RANGE",
        "no year fits the records of February 29 before the file's time; declare the year",
    )


def _is_leap(year: int) -> bool:
    return date(year, 3, 1) - date(year, 2, 1) == timedelta(days=29)
