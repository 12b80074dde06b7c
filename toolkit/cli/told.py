"""What commands tell: messages on stderr, listings, progress, and ends other than success."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from toolkit.errors import ConditionMet, EvidenceRefused, nearest, one_line
from toolkit.listing import Format, printable, render, write

if TYPE_CHECKING:
    from toolkit.casefile import CaseFolder
    from toolkit.ingest.load import Ingested, Progress
    from toolkit.verbs import Ran


def say(text: str) -> None:
    """A message on stderr, made fit for a terminal."""
    typer.echo("\n".join(printable(line) for line in text.split("\n")), err=True)


def write_rows(rows: Sequence[Any], form: Format, output: Path | None) -> None:
    """A listing of mappings or dataclasses, on stdout or to a file."""
    import pandas as pd

    write(pd.DataFrame(list(rows)), form, output)


def write_draft(text: str, output: Path | None) -> None:
    """A file to go on from, on stdout or to where it is wanted."""
    if output is None:
        typer.echo(printable(text), nl=False)
    else:
        output.write_text(text, encoding="utf-8")


def say_ingested(done: Ingested, case: Path | None = None) -> None:
    """What became of every file; with the case, where to see what was rejected."""
    import pandas as pd

    shown = [
        {
            "file": row.path, "outcome": row.outcome, "format": row.format or "",
            "read": row.records_read, "accepted": row.accepted, "continued": row.continued,
            "skipped": row.skipped, "rejected": row.rejected,
        }
        for row in done.files
        if row.outcome not in ("refused", "unnamed")
    ]  # fmt: skip
    if shown:
        typer.echo(render(pd.DataFrame(shown), Format.table), err=True, nl=False)
    if case and (rejected := sum(row.rejected for row in done.files)):
        told = "1 record was" if rejected == 1 else f"{rejected} records were"
        say(f"{told} rejected; each with its reason: postmortem query {case} reject --format csv")
    for row in done.files:
        if row.outcome == "withdrawn":
            say(f"withdrawn: {row.path}: {row.reason}; what it said is evidence no longer")
    for refusal in done.refusals:
        say(f"refused: {refusal}")
    if done.unnamed:
        say(
            f"no [[source]] of case.toml names: {some(done.unnamed)}; nothing of that was read: "
            "name it with a [[source]], or list it in ignore"
        )


def some(names: Sequence[str], most: int = 10) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(one_line(name) for name in names[:most]) + more


def say_unmatched(folder: CaseFolder, done: Ingested) -> None:
    """The patterns of the case file that no file matches."""
    for path in folder.unmatched():
        near = nearest(path, done.unnamed)
        remedy = f"did you mean {near!r}?" if near else "check it"
        say(f"{folder.path / 'case.toml'}: no file matches [[source]] path {path!r}; {remedy}")


def say_ran(ran: Ran) -> None:
    """What a run has read, derived and written."""
    say_ingested(ran.ingested, ran.case.path)
    say(f"{len(ran.rebuilt.relations)} relations, {by_status(ran.rebuilt.findings)}")
    for path in ran.reports:
        say(f"wrote {path}")
    say_untranslated(ran.case.path)


def say_untranslated(path: Path) -> None:
    """The words of a case's own language that it lacks."""
    from toolkit import verbs

    if missing := verbs.untranslated(path):
        say(f"{path / 'brand.toml'}: words in English, as not translated: {', '.join(missing)}")


def by_status(findings: Any) -> str:
    """Numbers of findings by status, in words."""
    counts = ", ".join(f"{count} {status}" for status, count in sorted(findings.items()))
    return f"findings: {counts or 'none'}"


def end_refused(done: Ingested) -> None:
    """End with exit code 3 where a file was refused, or lies there and is not named."""
    told = [
        f"{count} {one if count == 1 else many}"
        for count, one, many in (
            (len(done.refusals), "file was refused", "files were refused"),
            (
                len(done.unnamed),
                "file was not read, as no [[source]] names it",
                "files were not read, as no [[source]] names them",
            ),
        )
        if count
    ]
    if told:
        raise EvidenceRefused("; ".join(told))


def end_failed(fail_on: str | None, findings: Any) -> None:
    """End with exit code 5 where a finding has the status that is asked for."""
    if fail_on and findings.get(fail_on):
        count = findings[fail_on]
        raise ConditionMet(f"{count} {'finding is' if count == 1 else 'findings are'} {fail_on}")


@contextmanager
def progress_bar(verb: str) -> Iterator[Progress | None]:
    """A progress bar on stderr, when it is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(verb, total=None)

        def step(name: str, done: int, total: int) -> None:
            text = escape(printable(f"{verb} {name}"))
            bar.update(task, description=text, completed=done, total=total)

        yield step
