"""`postmortem doctor`: whether this machine has what reports need."""

from __future__ import annotations

from typing import Any

import typer

from toolkit.cli.options import FormatOption, OutputOption, examples
from toolkit.cli.told import write_rows
from toolkit.errors import UsageError
from toolkit.listing import Format

app = typer.Typer()


@app.command(
    epilog=examples(
        "postmortem doctor",
    ),
)
def doctor(form: FormatOption = Format.table, output: OutputOption = None) -> None:
    """Check what reports need: libraries, fonts, versions, space."""
    from toolkit.doctor import examine

    checks = examine()
    write_rows([_row(check) for check in checks], form, output)
    if not all(check.ok or check.optional for check in checks):
        raise UsageError("something that is needed is missing", remedy="see the list above")


def _row(check: Any) -> dict[str, Any]:
    """A check as a row."""
    return {
        "check": check.name, "ok": check.ok, "optional": check.optional, "found": check.found,
        "remedy": "" if check.ok else check.remedy,
    }  # fmt: skip
