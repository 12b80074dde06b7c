"""Every way in which the toolkit says no, each with the exit code that the command ends with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

NO_RIGHT = "have the right to it given to you, or copy the case to where you may read and write"


class ToolkitError(Exception):
    """Something the user can act on; shown as one line, without a traceback.

    The line reads `file:line: field: what is wrong; what to do`, with the parts that are known.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        path: Path | str | None = None,
        line: int | None = None,
        field: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.line = line
        self.field = field
        self.remedy = remedy

    def __str__(self) -> str:
        where = "" if self.path is None else one_line(str(self.path))
        if where and self.line is not None:
            where += f":{self.line}"
        parts = [part for part in (where, one_line(self.field or ""), self.message) if part]
        text = ": ".join(parts)
        return f"{text}; {self.remedy}" if self.remedy else text


class UsageError(ToolkitError):
    """The command line, the case file, a mapping or a procedure cannot be understood."""

    exit_code = 2


class CaseLocked(UsageError):
    """Another process is writing to the case database."""


class EvidenceRefused(ToolkitError):
    """A file of evidence cannot be read as a whole, or nothing names it; none of it was loaded."""

    exit_code = 3

    def __str__(self) -> str:
        return one_line(super().__str__(), 1000)


class VerificationFailed(ToolkitError):
    """A sealed bag or a signature does not hold, or a number does not re-perform."""

    exit_code = 4


class ConditionMet(ToolkitError):
    """The condition given with `--fail-on` is met."""

    exit_code = 5


def one_line(text: str, limit: int = 300) -> str:
    """Text of unknown origin for a message: on one line, cut in the middle, with what would steer a
    terminal, and halves of surrogate pairs, shown escaped."""
    if len(text) > limit:
        text = f"{text[: limit // 2]}…{text[-limit // 2 :]}"
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy for a word that is not known: the nearest one, or the list."""
    options = sorted(known)
    near = nearest(word, options)
    return f"did you mean {near!r}?" if near else f"known are: {', '.join(options)}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like one, if one is like it."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return near[0] if near else None
