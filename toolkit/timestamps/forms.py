"""Values that describe themselves: ISO 8601, RFC 822, numeric dates, and numbers with a unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from toolkit.timestamps.assembly import (
    DAY_WORDS,
    MONTH_WORDS,
    assemble,
    declared_zone,
    nanos_of,
    place,
)
from toolkit.timestamps.epoch import NUMBER, parse_epoch
from toolkit.timestamps.formats import parse_format
from toolkit.timestamps.terms import (
    FIRST_YEAR,
    LAST_YEAR,
    WIDTHS,
    Instant,
    TimeError,
    TimeRule,
    quote,
    tidied,
)

_NO_RULE = TimeRule()
_ORDERS = {"day-first": "dmy", "month-first": "mdy", "year-first": "ymd"}

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
        rf"(?:(?P<weekday>{DAY_WORDS}),? +)?(?P<day>[0-9]{{1,2}}) +(?P<month_word>{MONTH_WORDS})"
        rf" +(?:(?P<year>[0-9]{{4}})|(?P<year2>[0-9]{{2}})) +{_CLOCK}(?: *\([A-Za-z ]*\))?",
    )
)
_NUMERIC = re.compile(
    r"(?P<a>[0-9]{1,4})(?P<sep>[/.-])(?P<b>[0-9]{1,2})(?P=sep)(?P<c>[0-9]{1,4})"
    r"(?:(?:[Tt]|,? +)" + _CLOCK + ")?"
)
_YEARLESS = re.compile(rf"(?:{MONTH_WORDS}) +[0-9]{{1,2}} +[0-9]{{2}}:[0-9]{{2}}\b.*")


def parse(text: str, rule: TimeRule = _NO_RULE) -> Instant:
    """Read one time stamp.

    Without ``rule.format`` the value must have a self-describing form: ISO 8601 / RFC 3339
    (extended or basic, ``T`` or blank, 1 to 9 fraction digits), ``YYYY/MM/DD``, RFC 822 / 1123,
    a bare number with ``rule.unit``, or a numeric date with ``rule.order``. An offset or zone in
    the value wins over ``rule.zone``. A date alone means the whole local day.

    Raises TimeError; its ``code`` is one of ``CODES``. Never reads the clock or the host's zone.
    """
    if rule.format is not None:
        return parse_format(text, rule)
    fast = _FAST.fullmatch(text)
    if fast is not None:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return _parse_form(text, rule)  # no such day: that path says so
        fraction, offset = fast.groups()
        width = WIDTHS[len(fraction)] if fraction else WIDTHS[0]
        nanos = nanos_of(fraction) if fraction else 0
        if not FIRST_YEAR < moment.year < LAST_YEAR:
            return _parse_form(text, rule)  # so near the limits that the zone decides
        if offset is None:
            return place(moment, width, declared_zone(text, rule), "zone_declared", (), nanos)
        if offset == "Z":
            return Instant(moment, moment, moment + width, "utc", (), nanos)
        moment = moment.astimezone(UTC)
        return Instant(moment, moment, moment + width, "offset", (), nanos)
    return _parse_form(text, rule)


def _parse_form(text: str, rule: TimeRule) -> Instant:
    value = tidied(text)
    if not value:
        raise TimeError("TIME_SYNTAX", "the value is empty")
    if NUMBER.fullmatch(value):
        if rule.unit is None:
            raise TimeError(
                "TIME_UNIT",
                f"{quote(text)} is a bare number; declare its unit (s, ms, us, ns) or its format",
            )
        return parse_epoch(value, rule.unit)
    for form in _FORMS:
        match = form.fullmatch(value)
        if match is not None:
            return assemble(text, match.groupdict(), rule)
    match = _NUMERIC.fullmatch(value)
    if match is not None:
        return assemble(text, _ordered(text, match.groupdict(), rule.order), rule)
    if _YEARLESS.fullmatch(value):
        raise TimeError(
            "TIME_NO_YEAR", f"{quote(text)} prints no year; declare the year of the first record"
        )
    raise TimeError("TIME_SYNTAX", f"{quote(text)} has no self-describing form; declare its format")


def _ordered(
    text: str, part: Mapping[str, str | None], order: str | None
) -> Mapping[str, str | None]:
    """Name the three numbers of a numeric date by the declared order."""
    if order is not None and order not in _ORDERS:
        raise TimeError(
            "TIME_ORDER", f"order {quote(order)} is not one of {', '.join(sorted(_ORDERS))}"
        )
    numbers = [part["a"] or "", part["b"] or "", part["c"] or ""]
    if len(numbers[0]) == 4:
        order = "year-first"
    if order is None:
        raise TimeError(
            "TIME_ORDER",
            f"{quote(text)} does not say which number is the day; "
            "declare order as day-first or month-first",
        )
    named: dict[str, str | None] = dict(zip(_ORDERS[order], numbers, strict=True))
    year, month, day = named["y"] or "", named["m"] or "", named["d"] or ""
    if len(year) not in (2, 4) or len(day) > 2 or int(month) > 12:
        raise TimeError("TIME_ORDER", f"{quote(text)} contradicts the order {order}")
    return {**part, "year" if len(year) == 4 else "year2": year, "month": month, "day": day}
