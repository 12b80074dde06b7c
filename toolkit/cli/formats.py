"""What can be read: `formats`, `sniff` and `mapping`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import FormatOption, OutputOption, examples
from toolkit.cli.told import say, write_draft, write_rows
from toolkit.errors import UsageError, did_you_mean
from toolkit.listing import Format

app = typer.Typer()
mapping_app = typer.Typer(help="Draft and test mapping files for foreign headers.")
app.add_typer(mapping_app, name="mapping")


@app.command(
    epilog=examples(
        "postmortem formats",
        "postmortem formats --format md --output formats.md",
    ),
)
def formats(form: FormatOption = Format.table, output: OutputOption = None) -> None:
    """List the formats that can be read.

    With what they fill, and where an export is had.
    """
    from toolkit import verbs

    write_rows(verbs.catalogue_of_formats(), form, output)


@app.command(
    epilog=examples(
        "postmortem sniff incidents.json",
    ),
)
def sniff(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An export.")],
    form: FormatOption = Format.table,
    output: OutputOption = None,
) -> None:
    """Say which format a file is in.

    And what must be declared to read it.
    """
    from toolkit.ingest.recognise import sniff as recognise

    found, reader, how = recognise(file)
    row = {
        "file": str(file), "format": reader.name, "title": reader.title, "how": how,
        "bytes": found.bytes, "encoding": found.encoding, "sha256": found.sha256,
        "fills": ", ".join(reader.fills), "needs_zone": reader.needs_zone,
    }  # fmt: skip
    write_rows([row], form, output)


@mapping_app.command(
    "init",
    epilog=examples(
        "postmortem mapping init jobs.csv --output jobs.yaml",
    ),
)
def mapping_init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An export.")],
    output: OutputOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
) -> None:
    """Draft a mapping from the header and values of a file.

    It asks for what must not be guessed.
    """
    from toolkit.ingest.archive import open_one
    from toolkit.ingest.mapping import draft_mapping

    if output is not None and output.exists() and not force:
        raise UsageError(
            "the file is there already", path=output,
            remedy="choose another name, or give --force to write over it",
        )  # fmt: skip
    write_draft(draft_mapping(open_one(file)), output)


@mapping_app.command(
    "schema",
    epilog=examples(
        "postmortem mapping schema procedure",
    ),
)
def mapping_schema(
    name: Annotated[
        str, typer.Argument(metavar="[mapping|procedure|case]", help="Which.")
    ] = "mapping",
) -> None:
    """Print a JSON Schema, for an editor.

    That of mapping files, of procedures or of case.toml.
    """
    from toolkit.schemas import NAMES, file_of

    if name not in NAMES:
        raise UsageError(f"there is no schema {name!r}", remedy=did_you_mean(name, NAMES))
    typer.echo(file_of(name).read_text(encoding="utf-8"), nl=False)


@mapping_app.command(
    "test",
    epilog=examples(
        "postmortem mapping test jobs.yaml",
    ),
)
def mapping_test(
    mapping: Annotated[Path, typer.Argument(metavar="MAPPING", help="A mapping file.")],
) -> None:
    """Run the sample records of a mapping."""
    from toolkit.ingest.mapping import load_mapping

    faults = load_mapping(mapping).test()
    if faults:
        raise UsageError(
            "; ".join(faults), path=mapping, remedy="correct the mapping or the sample"
        )
    say(f"{mapping}: every sample gives what it expects")
