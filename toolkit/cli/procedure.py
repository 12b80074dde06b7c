"""`postmortem procedure`: procedure files, and models that become such."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import OutputOption, examples
from toolkit.cli.told import say, write_draft

app = typer.Typer(help="Check procedure files, and import models as such.")


@app.command(
    epilog=examples(
        "postmortem procedure check procedures/removal.yaml",
    ),
)
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Procedures.")],
) -> None:
    """Read procedure files as a rebuild does, and say what they hold."""
    from toolkit.procedures import constraints, read

    for path in files:
        found = read(path).procedure
        say(
            f"{path}: {found.id} version {found.version}, {len(found.steps)} steps, "
            f"{len(constraints(found))} constraints"
        )


@app.command(
    "import",
    epilog=examples(
        "postmortem procedure import removal.bpmn --output procedures/removal.yaml",
    ),
)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A diagram or a model.")],
    output: OutputOption = None,
) -> None:
    """Draft a procedure from a BPMN 2.0 or DECLARE model.

    What is not taken over is listed, here and in the draft.
    """
    from toolkit.procedure_import import import_model

    draft = import_model(file)
    write_draft(draft.text, output)
    for each in draft.left_out:
        say(f"not taken over: {each}")
