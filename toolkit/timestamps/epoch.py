"""Numbers since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from toolkit.timestamps.terms import EPOCH, LAST_YEAR, WIDTHS, Instant, TimeError, quote

NUMBER = re.compile(r"[+-]?([0-9]+)(?:\.([0-9]+))?")
_UNIT_DIGITS = {"s": 9, "ms": 6, "us": 3, "ns": 0}  # digits from the unit down to nanoseconds
_LAST_NS = int((datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()) * 10**9


def parse_epoch(value: int | float | str | Decimal, unit: str) -> Instant:
    """Read a count of ``unit`` (``s, ms, us, ns``) since 1970-01-01T00:00:00Z, exactly.

    The digits written give the precision: 1741500000 s is known to the second. A float counts as
    its shortest decimal text. Text in scientific notation is refused, since it may hide digits.

    Raises TimeError TIME_UNIT, TIME_SYNTAX, or TIME_RANGE with the unit that would fit, if any.
    """
    if unit not in _UNIT_DIGITS:
        raise TimeError("TIME_UNIT", f"unit {quote(unit)} is not one of s, ms, us, ns")
    text = _plain(value)
    match = NUMBER.fullmatch(text)
    if match is None:
        raise TimeError("TIME_SYNTAX", f"{quote(text)} is no plain number; export all its digits")
    whole, fraction = match[1].lstrip("0"), match[2] or ""
    below = _UNIT_DIGITS[unit]
    if len(whole) > 20 or (text[0] == "-" and int(whole + fraction or 0)):
        raise TimeError("TIME_RANGE", f"{quote(text)} {unit} lies outside 1970 to {LAST_YEAR}")
    ns = int(whole or 0) * 10**below + int(fraction[:below].ljust(below, "0") or 0)
    if ns >= _LAST_NS:
        fits = [u for u, n in _UNIT_DIGITS.items() if int(whole) * 10**n < _LAST_NS]
        hint = f"; unit {fits[0]} would fit" if fits else ""
        raise TimeError(
            "TIME_RANGE", f"{quote(text)} {unit} lies outside 1970 to {LAST_YEAR}{hint}"
        )
    micros, nanos = divmod(ns, 1000)
    at = EPOCH + timedelta(microseconds=micros)
    written = 9 - below + len(fraction)
    return Instant(at, at, at + WIDTHS[min(written, 9)], "epoch", (), nanos)


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
