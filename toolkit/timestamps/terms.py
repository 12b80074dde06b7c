"""The words of time: what an instant, a rule and a fault are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

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


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Length of the precision interval by number of fraction digits, 0 to 9.
WIDTHS = tuple(timedelta(microseconds=10 ** max(6 - n, 0) - 1) for n in range(10))
_BLANKS = str.maketrans("\t\u00a0\u202f", "   ")
_LONGEST = 100


def quote(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def tidied(text: str) -> str:
    """A value with plain blanks and none at its ends; raises TimeError for what is too long."""
    if len(text) > _LONGEST:
        raise TimeError("TIME_SYNTAX", f"{quote(text)} is too long for a time stamp")
    return text.translate(_BLANKS).strip(" ")
