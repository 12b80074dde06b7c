"""Values of records: words, numbers, flags and texts, read as their column demands."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from toolkit.relations import Column

TRUE = frozenset({"true", "t", "yes", "y", "1"})
FALSE = frozenset({"false", "f", "no", "n", "0"})
UNKNOWN = "unknown"
_HALF = re.compile("[\ud800-\udfff]")


class Unreadable(ValueError):
    """A value that cannot be read as its column demands."""

    def __init__(self, code: str, reason: str, field: str) -> None:
        super().__init__(reason)
        self.code, self.reason, self.field = code, reason, field


def is_blank(raw: object) -> bool:
    """Whether a value is not there."""
    return raw is None or (isinstance(raw, str) and (not raw or raw.isspace()))


def read_value(column: Column, raw: object) -> tuple[object, str | None]:
    """The value of a cell that is no instant, and the word that it stood for if it is unknown.

    A blank cell is the column's default. Raises Unreadable.
    """
    if is_blank(raw):
        if not column.may_be_empty:
            raise Unreadable("VALUE_MISSING", "the value is missing", column.name)
        return column.default, None
    text = _text(raw)
    if not text.isascii() and _HALF.search(text):
        raise Unreadable(
            "TEXT_SURROGATE", "the text holds half of a surrogate pair, which is no character",
            column.name,
        )  # fmt: skip
    if column.kind == "text":
        return text, None
    text = text.strip()
    if column.kind == "word":
        word = text.lower()
        if word in column.words:
            return word, None
        if UNKNOWN not in column.words:
            raise Unreadable(
                "WORD_UNKNOWN", f"{text!r} is none of {', '.join(column.words)}", column.name
            )
        return UNKNOWN, text
    if column.kind == "flag":
        if text.lower() in TRUE:
            return True, None
        if text.lower() in FALSE:
            return False, None
        raise Unreadable("FLAG_UNREADABLE", f"{text!r} is neither yes nor no", column.name)
    return _number(column, text), None


def _text(raw: object) -> str:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return raw if isinstance(raw, str) else str(raw)


def _number(column: Column, text: str) -> float | int:
    try:
        number = float(text)
        whole = int(text) if column.kind == "count" and text.lstrip("+-").isdigit() else None
    except ValueError:
        raise Unreadable("NUMBER_UNREADABLE", f"{text!r} is no number", column.name) from None
    if not math.isfinite(number):
        raise Unreadable("NUMBER_NOT_FINITE", f"{text!r} is no finite number", column.name)
    if column.kind == "number":
        return number
    if whole is None and number.is_integer() and abs(number) < 2**53:
        whole = int(number)
    if whole is None or not -(2**63) <= whole < 2**63:
        raise Unreadable("NUMBER_NOT_WHOLE", f"{text!r} is no whole number", column.name)
    return whole


def read_values(
    column: Column,
    values: Sequence[object],
    faults: dict[int, Unreadable],
    words: list[tuple[int, str, str]],
) -> list[Any]:
    """Values of one column; equal texts are read once."""
    known: dict[str, tuple[object, str | None]] = {}
    read = []
    for index, raw in enumerate(values):
        found = known.get(raw) if isinstance(raw, str) else None
        if found is None:
            try:
                found = read_value(column, raw)
            except Unreadable as fault:
                faults.setdefault(index, fault)
                found = None, None
            else:
                if isinstance(raw, str):
                    known[raw] = found
        read.append(found[0])
        if found[1] is not None:
            words.append((index, column.name, found[1]))
    return read
