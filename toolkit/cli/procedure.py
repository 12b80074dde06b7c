"""`postmortem procedure`: procedure files, and models that become such."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import OutputOption
from toolkit.cli.told import say
from toolkit.listing import printable

app = typer.Typer(help="Check procedure files, and import models as such.")


@app.command()
def check(files: Annotated[list[Path], typer.Argument(metavar="FILE…")]) -> None:
    """Read procedure files as a rebuild does, and say what they hold."""
    from toolkit.procedures import constraints, read

    for path in files:
        found = read(path).procedure
        say(
            f"{path}: {found.id} version {found.version}, {len(found.steps)} steps, "
            f"{len(constraints(found))} constraints"
        )


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE")], output: OutputOption = None
) -> None:
    """Draft a procedure from a BPMN 2.0 diagram or a DECLARE model; lists what is lost."""
    from toolkit.procedure_import import import_model

    draft = import_model(file)
    if output is None:
        typer.echo(printable(draft.text), nl=False)
    else:
        output.write_text(draft.text, encoding="utf-8")
    for each in draft.left_out:
        say(f"not taken over: {each}")
