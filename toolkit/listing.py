"""How a listing is printed: table, csv, json, jsonl, md or parquet.

Cells may hold text from logs and status pages. Control characters never reach a terminal, and text
that a spreadsheet would take for a formula is marked as text in CSV.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from toolkit.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


class Format(StrEnum):
    """The forms in which every listing can be had."""

    table = "table"
    csv = "csv"
    json = "json"
    jsonl = "jsonl"
    md = "md"
    parquet = "parquet"


# C0 and C1 controls, and the marks that reorder text (Unicode TR 36).
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# With these a spreadsheet begins a formula, or looks past them for one.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
_WIDEST = 60


def write(frame: pd.DataFrame, form: Format, output: Path | None = None) -> None:
    """Write a listing to a file, or to standard output."""
    if form is Format.parquet:
        if output is None:
            frame.to_parquet(sys.stdout.buffer)
        else:
            frame.to_parquet(output)
        return
    text = render(frame, form)
    if output is None:
        _print(text, sys.stdout)
    else:
        output.write_text(text, encoding="utf-8")


def write_all(frames: Sequence[pd.DataFrame], form: Format, output: Path | None = None) -> None:
    """Write the answers to several questions; only tables for people can hold more than one."""
    if not frames:
        return
    if len(frames) == 1:
        write(frames[0], form, output)
        return
    if form not in (Format.table, Format.md):
        raise UsageError(
            f"{len(frames)} answers do not fit into one {form.value}",
            field="--format",
            remedy="ask one question, or use table or md",
        )
    text = "\n".join(render(frame, form) for frame in frames)
    if output is None:
        _print(text, sys.stdout)
    else:
        output.write_text(text, encoding="utf-8")


def render(frame: pd.DataFrame, form: Format) -> str:
    """A listing as text."""
    names = [str(name) for name in frame.columns]
    rows = [[_plain(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    if form is Format.json:
        records = [dict(zip(names, row, strict=True)) for row in rows]
        return json.dumps(records, ensure_ascii=False, indent=2) + "\n"
    if form is Format.jsonl:
        return "".join(
            json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n"
            for row in rows
        )
    if form is Format.csv:
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_spreadsheet_safe(value) for value in row] for row in rows)
        return buffer.getvalue()
    cells = [[_cell(value) for value in row] for row in rows]
    if form is Format.md:
        lines = [names, ["---"] * len(names), *cells]
        return "".join("| " + " | ".join(map(_md, line)) + " |\n" for line in lines)
    return _aligned(names, cells)


def printable(text: str) -> str:
    """Text without what would steer a terminal."""
    return _CONTROL.sub("\ufffd", text)


def _aligned(names: list[str], cells: list[list[str]]) -> str:
    short = [[_shorten(printable(cell)) for cell in row] for row in cells]
    widths = [
        max([len(name), *(len(row[index]) for row in short)]) for index, name in enumerate(names)
    ]
    lines = [names, ["─" * width for width in widths], *short]
    text = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    return f"{text}\n({len(cells)} {'row' if len(cells) == 1 else 'rows'})\n"


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…"


def _plain(value: Any) -> Any:
    """A value as JSON holds it; instants in UTC with a Z."""
    if value is None or (not isinstance(value, list | str) and _is_missing(value)):
        return None
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool) else str(value)


def _is_missing(value: Any) -> bool:
    """NaN, NaT and NA, which are not equal to themselves or refuse to say."""
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _spreadsheet_safe(value: Any) -> str:
    text = _cell(value) if not isinstance(value, float) else repr(value)
    return "'" + text if isinstance(value, str | list) and text.startswith(FORMULA) else text


def _md(text: str) -> str:
    return (
        " ".join(printable(text).split())
        .replace("\\", "\\\\")
        .replace("|", "\\|")
        .replace("<", "&lt;")
    )


def _print(text: str, stream: TextIO) -> None:
    """Print, also where the terminal's encoding lacks a character."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
