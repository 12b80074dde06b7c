"""What only many records show at once: the order of day and month, and years that none prints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from toolkit.timestamps.terms import FIRST_YEAR, LAST_YEAR, TimeError

_DAY = timedelta(days=1)
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
