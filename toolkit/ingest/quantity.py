"""Sizes and lengths of time in text, brought to the unit of a column.

A column of numbers names its unit (`lag_seconds`, `rpo_minutes`, `bytes`). What a number in
evidence is counted in is stated beside it or declared, never guessed: `KB` may mean 1000 or 1024
bytes, `Mb` may mean bits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

SECONDS: Mapping[str, Decimal] = {
    "us": Decimal("0.000001"),
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "min": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_PREFIXES = "KMGTP"
BYTES: Mapping[str, Decimal] = {
    "bytes": Decimal(1),
    **{f"{prefix}B": Decimal(1000) ** n for n, prefix in enumerate(_PREFIXES, 1)},
    **{f"{prefix}iB": Decimal(1024) ** n for n, prefix in enumerate(_PREFIXES, 1)},
}
SHARES: Mapping[str, Decimal] = {"1": Decimal(1), "%": Decimal("0.01")}

_BASES = {"seconds": "s", "minutes": "min", "ms": "ms", "bytes": "bytes", "progress": "1"}
_MAX_EXPONENT = 30

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)(i?)(B|bytes?|)", re.I | re.A)
_CLOCK = re.compile(r"(?:(\d+)(?:\s*d(?:ays?)?,?\s+|\s+|\.))?(\d+):(\d\d):(\d\d(?:\.\d+)?)", re.A)
_ISO = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.A)
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)[\s,]*", re.I | re.A)
_UNIT_OF_WORD = {
    "ms": "ms", "millisecond": "ms", "s": "s", "sec": "s", "second": "s", "m": "min", "min": "min",
    "minute": "min", "h": "h", "hr": "h", "hour": "h", "d": "d", "day": "d",
}  # fmt: skip


class QuantityError(ValueError):
    """A text from which no amount follows; `code` is stable, `reason` says what to do."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def base_unit(column: str) -> str | None:
    """The unit that a column of numbers is kept in, as its name says, or None."""
    return _BASES.get(column.rsplit("_", 1)[-1])


def units(base: str) -> Mapping[str, Decimal]:
    """The units that can be converted to a base unit, each with its factor."""
    return {"bytes": BYTES, "1": SHARES}.get(base, SECONDS)


def amount(
    text: str, base: str, *, unit: str | None = None, form: str | None = None,
    binary: bool | None = None,
) -> Decimal | None:  # fmt: skip
    """A number in the base unit; None for what says itself that it is none (NaN, infinity).

    `unit` is that of numbers which state none, `form` is `size` or `duration` where the text holds
    more than digits, `binary` says whether KB to PB are powers of 1024. Raises `QuantityError`.
    """
    text = text.strip()
    if form == "size":
        result = _size(text, unit, binary)
    else:
        seconds = _duration(text) if form == "duration" else None
        if seconds is not None:
            result = seconds / SECONDS[base]
        else:
            number = _number(text)
            if number is None:
                return None
            result = number * _factor(text, unit, base, binary)
    if result.adjusted() > _MAX_EXPONENT:
        raise QuantityError("NUMBER_RANGE", f"{_short(text)} is out of range")
    return result


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise QuantityError("NUMBER_SYNTAX", f"{_short(text)} is not a number") from None
    if not number.is_finite():
        return None
    if number.adjusted() > _MAX_EXPONENT:
        raise QuantityError("NUMBER_RANGE", f"{_short(text)} is out of range")
    return number


def _factor(text: str, unit: str | None, base: str, binary: bool | None) -> Decimal:
    if unit is None:
        raise QuantityError(
            "NUMBER_UNIT", f"{_short(text)} states no unit: declare the unit of such numbers"
        )
    factors = units(base)
    if unit[:1] in _PREFIXES and unit[1:] == "B" and binary:
        unit = f"{unit[0]}iB"
    return factors[unit] / factors[base]


def _size(text: str, unit: str | None, binary: bool | None) -> Decimal:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise QuantityError("NUMBER_SYNTAX", f"{_short(text)} is not a size")
    number, (prefix, is_iec, word) = Decimal(found[1]), found.groups()[1:]
    if not prefix and not is_iec and not word:
        return number * _factor(text, unit, "bytes", binary)
    if word == "b" or (is_iec and not prefix):
        raise QuantityError("NUMBER_UNIT", f"{_short(text)} may count bits")
    if not prefix:
        return number
    if not is_iec and binary is None:
        raise QuantityError(
            "NUMBER_UNIT", f"whether {_short(text)} counts by 1000 or 1024 is open: declare binary"
        )
    return number * BYTES[f"{prefix.upper()}{'i' if is_iec or binary else ''}B"]


def _duration(text: str) -> Decimal | None:
    """A length of time in seconds; None where the text has none of the known forms."""
    found = _CLOCK.fullmatch(text)
    if found is not None:
        days, hours, minutes, seconds = (Decimal(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    found = _ISO.fullmatch(text)
    if found is not None and any(found.groups()):
        weeks, days, hours, minutes, seconds = (Decimal(part or 0) for part in found.groups())
        return (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds
    total, position = Decimal(0), 0
    for part in _PART.finditer(text):
        word = part[2].lower()
        unit = _UNIT_OF_WORD.get(word) or _UNIT_OF_WORD.get(word.removesuffix("s"))
        if part.start() != position or unit is None:
            return None
        total += Decimal(part[1]) * SECONDS[unit]
        position = part.end()
    return total if position and position == len(text) else None


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
