"""Options and arguments that several commands take, and what is read out of them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from toolkit.errors import UsageError
from toolkit.listing import Format

CaseArgument = Annotated[Path, typer.Argument(metavar="CASE", help="The case folder.")]
FormatOption = Annotated[Format, typer.Option("--format", "-F", help="Form of the listing.")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write to this file, not to the terminal.")
]
WhereOption = Annotated[
    str | None, typer.Option("--where", help="A condition in SQL, for example: rule = 'CF-02'")
]


class Kind(StrEnum):
    """Kinds of report."""

    review = "review"
    audit = "audit"
    summary = "summary"


KindOption = Annotated[
    list[Kind] | None, typer.Option("--kind", help="Report to make; may be given several times.")
]
ToOption = Annotated[
    str, typer.Option("--to", help="Forms of the report, separated by commas: pdf,html,json,md")
]


class Answer(StrEnum):
    """What a rule can say of an operation."""

    exception = "exception"
    undetermined = "undetermined"
    not_run = "not_run"
    not_applicable = "not_applicable"
    ok = "ok"


FailOption = Annotated[
    Answer | None,
    typer.Option("--fail-on", help="End with exit code 5 if a finding has this status."),
]


def examples(*commands: str) -> str:
    """What stands below the options of a command: how it is called."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)


def kinds_of(kind: list[Kind] | None) -> list[Any]:
    """The kinds of report that are asked for; all, where none is named."""
    return [each.value for each in kind or Kind]


def forms_of(to: str) -> list[str]:
    """The forms of a report that are asked for."""
    forms = [form.strip() for form in to.split(",") if form.strip()]
    for form in forms:
        if form not in ("pdf", "html", "json", "md"):
            raise UsageError(f"unknown form {form!r}", field="--to", remedy="use pdf,html,json,md")
    return forms
