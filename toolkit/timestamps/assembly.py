"""From the named parts of a value to the interval in UTC that it can mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from toolkit.timestamps.terms import (
    FIRST_YEAR,
    LAST_YEAR,
    WIDTHS,
    Instant,
    TimeError,
    TimeRule,
    quote,
)
from toolkit.timestamps.zones import offset_at, zone_in_value, zone_named

_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH_WORDS = (
    "January|February|March|April|May|June|July|August|September|October|November|December"
    "|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_WORDS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|Mon|Tue|Wed|Thu|Fri|Sat|Sun"


def place(
    local: datetime,
    width: timedelta,
    zone: tzinfo,
    basis: str,
    flags: tuple[str, ...] = (),
    nanos: int = 0,
) -> Instant:
    """Put the local interval ``[local, local + width]`` on the UTC line."""
    end = local + width
    before, after = offset_at(zone, local), offset_at(zone, local, 1)
    end_before, end_after = before, after
    if width >= _SECOND:  # offsets change only at whole seconds
        end_before, end_after = offset_at(zone, end), offset_at(zone, end, 1)
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


def nanos_of(fraction: str | None) -> int:
    return int(fraction[6:].ljust(3, "0")) if fraction and len(fraction) > 6 else 0


def assemble(text: str, part: Mapping[str, str | None], rule: TimeRule) -> Instant:
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
            "TIME_RANGE", f"{quote(text)} lies outside the years {FIRST_YEAR} to {LAST_YEAR}"
        )
    try:
        local = datetime.combine(date(year, month, day), time.min)
    except ValueError:
        raise TimeError("TIME_RANGE", f"{quote(text)} is no day of the calendar") from None
    weekday = part.get("weekday")
    if weekday and _DAYS.index(weekday[:3].lower()) != local.weekday():
        said = _DAYS[local.weekday()].capitalize()
        raise TimeError("TIME_SYNTAX", f"{quote(text)}: that day is a {said}; check day and year")

    local, width = _time_of_day(text, part, local, flags)
    token = part.get("zone")
    if token:
        zone, basis, more = zone_in_value(token, local, rule.zone)
        flags.extend(more)
    else:
        zone, basis = declared_zone(text, rule), "zone_declared"
    return place(local, width, zone, basis, tuple(flags), nanos_of(part.get("fraction")))


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
            raise TimeError("TIME_RANGE", f"{quote(text)}: a 12-hour clock shows 1 to 12")
        hour = hour % 12 + (12 if half[0] in "Pp" else 0)
    micro = int(fraction[:6].ljust(6, "0")) if fraction else 0
    if hour == 24 and minute == second == micro == nanos_of(fraction) == 0:
        flags.append("midnight_24")
    elif hour > 23 or minute > 59 or second > 60:
        raise TimeError("TIME_RANGE", f"{quote(text)} is no time of day")
    if second == 60:
        flags.append("leap_second")
    local += timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micro)
    if seconds is not None:
        return local, WIDTHS[len(fraction)]
    return local, (_HOUR if minutes is None else _MINUTE) - _MICROSECOND


def declared_zone(text: str, rule: TimeRule) -> tzinfo:
    if rule.zone is None:
        raise TimeError(
            "TIME_NO_ZONE",
            f"{quote(text)} states no zone; declare the zone in which it was written",
        )
    return zone_named(rule.zone)
