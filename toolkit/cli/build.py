"""From evidence to relations: `demo`, `new`, `ingest`, `rebuild` and `run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import (
    CaseArgument,
    FailOption,
    KindOption,
    ToOption,
    examples,
    forms_of,
    kinds_of,
)
from toolkit.cli.told import (
    by_status,
    end_failed,
    end_refused,
    progress_bar,
    say,
    say_ingested,
    say_ran,
    say_unmatched,
)
from toolkit.errors import UsageError

app = typer.Typer()


@app.command(
    epilog=examples(
        "postmortem demo",
        "postmortem demo cases --to html",
    ),
)
def demo(
    into: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write.")] = Path(
        "postmortem-demo"
    ),
    to: ToOption = "pdf,html",
) -> None:
    """Write the sample cases below DIR, and report on them."""
    from toolkit import verbs

    for ran in verbs.demo(into, formats=forms_of(to)):
        say_ran(ran)


@app.command(
    epilog=examples(
        'postmortem new outage-2022 --title "Array removal of 9 March"',
    ),
)
def new(
    path: Annotated[Path, typer.Argument(metavar="CASE", help="Folder to lay out.")],
    title: Annotated[str | None, typer.Option(help="Title of the review.")] = None,
) -> None:
    """Lay out an empty case folder.

    Comments in its case.toml say what can be stated.
    """
    from toolkit import verbs

    made = verbs.new(path, title=title)
    say(f"{made.path} is ready: copy exports into {made.path / 'evidence'}, then run:")
    say(f"  postmortem run {made.path}")


@app.command(
    epilog=examples(
        "postmortem ingest outage-2022",
        "postmortem ingest outage-2022 evidence/ctl-1.log --zone America/Denver --year 2022",
        "postmortem ingest outage-2022 --dry-run",
    ),
)
def ingest(
    path: CaseArgument,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files; default: all.")
    ] = None,
    as_format: Annotated[
        str | None, typer.Option("--as", help="Read the files in this format.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Zone of times that state none.")] = None,
    year: Annotated[int | None, typer.Option(help="Year of the file's first record.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read, but load nothing.")] = False,
    lake: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Reduce telemetry on Spark: sc://HOST:PORT, with --table."
        ),
    ] = None,
    table: Annotated[
        str | None, typer.Option(metavar="TABLE|PATH", help="Table of the lake, or FORMAT:PATH.")
    ] = None,
) -> None:
    """Load evidence into the case database.

    Each file whole or not at all; a file that is unchanged is not read again. `withdrawn`: the file
    is gone, refused, or named no more; what it said is evidence no longer.
    """
    from toolkit import verbs
    from toolkit.casefile import CaseFolder
    from toolkit.ingest.reader import SourceSettings
    from toolkit.timestamps import TimeError, check_zone

    if zone:
        try:
            check_zone(zone)
        except TimeError as error:
            raise UsageError(error.reason, field="--zone") from None
    if lake or table:
        if not (lake and table) or paths or as_format or year or dry_run:
            raise UsageError(
                "--lake and --table go together, and with --zone alone", field="--lake",
                remedy="give postmortem ingest CASE --lake URL --table TABLE",
            )  # fmt: skip
        done = verbs.ingest_lake(path, lake, table, zone=zone, told=say)
        say_ingested(done)
        end_refused(done)
        return
    given = SourceSettings(format=as_format, zone=zone, year=year)
    with progress_bar("reading") as progress:
        done = verbs.ingest_case(
            path,
            paths or (),
            overrides=given if given != SourceSettings() else None,
            dry_run=dry_run,
            progress=progress,
        )
    say_ingested(done, None if dry_run else path)
    say_unmatched(CaseFolder.open(path), done)
    end_refused(done)


@app.command(
    epilog=examples(
        "postmortem rebuild outage-2022",
    ),
)
def rebuild(path: CaseArgument) -> None:
    """Derive every relation and finding anew from the evidence."""
    from toolkit import verbs

    made = verbs.rebuild_case(path)
    say(f"{len(made.relations)} relations, {by_status(made.findings)}")


@app.command(
    epilog=examples(
        "postmortem run exports",
        "postmortem run outage-2022 --kind audit --to pdf,json",
        "postmortem run outage-2022 --fail-on exception",
    ),
)
def run(
    path: Annotated[Path, typer.Argument(metavar="CASE|FOLDER", help="Case or plain folder.")],
    kind: KindOption = None,
    to: ToOption = "pdf,html",
    fail_on: FailOption = None,
) -> None:
    """Go from a case, or a folder of exports, to its reports.

    Ingests what is new, rebuilds, and reports; a plain folder of exports becomes a case. Decisions
    that files wait for are listed as TOML, to paste into case.toml.
    """
    from toolkit import decisions, verbs

    with progress_bar("reading") as progress:
        ran = verbs.run(path, kinds=kinds_of(kind), formats=forms_of(to), progress=progress)
    say_ran(ran)
    say_unmatched(ran.case, ran.ingested)
    if missing := decisions.missing_decisions(
        ran.case, ran.ingested.refusals, ran.ingested.unnamed
    ):
        say("\nMissing decisions, to paste into case.toml:\n")
        say(missing)
    end_failed(fail_on, ran.rebuilt.findings)
    end_refused(ran.ingested)
