"""Declared formats: strptime directives, with what they leave open refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from toolkit.timestamps.assembly import DAY_WORDS, MONTH_WORDS, assemble
from toolkit.timestamps.terms import Instant, TimeError, TimeRule, quote, tidied

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
    "b": ("month_word", MONTH_WORDS),
    "h": ("month_word", MONTH_WORDS),
    "B": ("month_word", MONTH_WORDS),
    "a": ("weekday", DAY_WORDS),
    "A": ("weekday", DAY_WORDS),
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


def parse_format(text: str, rule: TimeRule) -> Instant:
    """Read one time stamp in the format that its rule declares."""
    value, form = tidied(text), rule.format or ""
    match = _compile(form).fullmatch(value)
    if match is None:
        raise TimeError("TIME_SYNTAX", f"{quote(text)} does not have the format {quote(form)}")
    return assemble(text, match.groupdict(), rule)


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
            raise TimeError("TIME_SYNTAX", f"format {quote(form)}: {token} is not supported")
        if name in names:
            raise TimeError("TIME_SYNTAX", f"format {quote(form)} names the {name} twice")
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
        raise TimeError("TIME_NO_YEAR", f"format {quote(form)} has no year; infer it for the file")
    if "day" not in names or not {"month", "month_word"} & set(names):
        raise TimeError("TIME_SYNTAX", f"format {quote(form)} names no day of the calendar")
    for name, needed in _NEEDS.items():
        if name in names and not set(needed) <= set(names):
            raise TimeError("TIME_SYNTAX", f"format {quote(form)} has a {name} but no {needed[0]}")
    twelve = any(token[0] == "%" and token[-1] == "I" for token in tokens)
    if twelve != ("half" in names):
        raise TimeError("TIME_SYNTAX", f"format {quote(form)} must use %I and %p together")
