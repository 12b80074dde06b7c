"""Questions to a case: `timeline`, `findings`, `query`, `queries`, `sql` and `snapshot`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.options import (
    CaseArgument,
    FailOption,
    FormatOption,
    OutputOption,
    WhereOption,
    examples,
)
from toolkit.cli.told import end_failed, write_rows
from toolkit.errors import UsageError
from toolkit.listing import Format, write, write_all

if TYPE_CHECKING:
    from toolkit.case import Case

app = typer.Typer()


@app.command(
    epilog=examples(
        "postmortem timeline outage-2022 --where \"lane = 'status'\"",
        "postmortem timeline outage-2022 --format csv --output timeline.csv",
    ),
)
def timeline(
    path: CaseArgument,
    where: WhereOption = None,
    form: FormatOption = Format.table,
    output: OutputOption = None,
) -> None:
    """Every event of every source, in order.

    Each with the interval in which it can lie.
    """
    listed(path, "timeline", where, form, output)


@app.command(
    epilog=examples(
        "postmortem findings outage-2022 --where \"status = 'exception'\"",
        "postmortem findings outage-2022 --fail-on exception --format jsonl",
    ),
)
def findings(
    path: CaseArgument,
    where: WhereOption = None,
    form: FormatOption = Format.table,
    output: OutputOption = None,
    fail_on: FailOption = None,
) -> None:
    """What every rule says of every operation."""
    frame = listed(path, "finding", where, form, output)
    if fail_on:
        end_failed(fail_on, frame["status"].value_counts().to_dict())


@app.command(
    epilog=examples(
        "postmortem query outage-2022 onset",
        "postmortem query outage-2022 protection_gap --where \"region = 'IE'\" --format csv",
    ),
)
def query(
    path: CaseArgument,
    name: Annotated[str, typer.Argument(help="A relation or a saved query.")],
    where: WhereOption = None,
    form: FormatOption = Format.table,
    output: OutputOption = None,
) -> None:
    """Print a relation or a saved query."""
    listed(path, name, where, form, output)


@app.command(
    epilog=examples(
        "postmortem queries",
        "postmortem queries outage-2022 --format md",
    ),
)
def queries(
    path: Annotated[Path | None, typer.Argument(metavar="[CASE]", help="The case folder.")] = None,
    form: FormatOption = Format.table,
    output: OutputOption = None,
) -> None:
    """List relations, rules and saved queries.

    With a case, also its own.
    """
    from toolkit import verbs

    write_rows(verbs.catalogue_of_queries(path), form, output)


@app.command(
    epilog=examples(
        'postmortem sql outage-2022 "from onset where main"',
        "postmortem sql outage-2022 -f questions.sql --format csv",
        "postmortem sql outage-2022 --scratch mine.duckdb",
    ),
)
def sql(
    path: CaseArgument,
    statement: Annotated[str | None, typer.Argument(metavar="[SQL]", help="Statements.")] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="Read the SQL here.")] = None,
    scratch: Annotated[
        Path | None,
        typer.Option(help="A DuckDB file of your own, for tables named scratch.NAME."),
    ] = None,
    memory_gb: Annotated[float, typer.Option(help="Memory limit in GB.", min=0.1)] = 4,
    seconds: Annotated[float, typer.Option(help="Time limit in seconds.", min=1)] = 60,
    form: FormatOption = Format.table,
    output: OutputOption = None,
) -> None:
    """Ask a case in SQL, read-only.

    No file, network, extension or setting can be reached. Several statements are answered one after
    another. Without SQL, and at a terminal, a prompt opens; else the SQL is read from standard
    input.
    """
    from toolkit.case import Case

    if statement is not None and file is not None:
        raise UsageError("give either a statement or -f FILE")
    case = Case.open(path)
    limits = {"memory_gb": memory_gb, "seconds": seconds}
    if statement is None and file is None:
        if sys.stdin.isatty():
            from toolkit import shell

            say_snapshot(case)
            shell.run(case, scratch, limits, form)
            return
        statement = sys.stdin.read()
        if not statement.strip():
            raise UsageError("give either a statement or -f FILE")
    if file is not None:
        try:
            statement = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(str(error), path=file, remedy="check the path") from None
    say_snapshot(case)
    write_all(list(case.answers(str(statement), scratch=scratch, **limits)), form, output)


@app.command(
    epilog=examples(
        "postmortem snapshot outage-2022 --keep 5",
    ),
)
def snapshot(
    path: CaseArgument,
    keep: Annotated[int, typer.Option(help="How many of the newest to keep.", min=1)] = 3,
) -> None:
    """Publish a read-only copy of the case database.

    It can be asked while the case is rebuilt.
    """
    from toolkit import verbs

    typer.echo(verbs.snapshot(path, keep=keep))


def listed(path: Path, name: str, where: str | None, form: Format, output: Path | None) -> Any:
    from toolkit.case import Case

    case = Case.open(path)
    say_snapshot(case)
    frame = case.frame(name, where=where)
    write(frame, form, output)
    return frame


def say_snapshot(case: Case) -> None:
    if (asked := case.database) != case.folder.database:
        typer.echo(f"The case is being written to; answered from {asked.name}.", err=True)
