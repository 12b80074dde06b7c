"""XLSX workbooks: every sheet that holds something is a table of its own, `book.xlsx!Sheet`.

A sheet is written out as CSV, so that the readers of CSV read it, and its digest is that of this
text. What a sheet can say otherwise than it is shown is refused rather than settled: formulas are
never evaluated (and what a spreadsheet program once computed is not evidence of the system that
exported it), merged cells would let one value stand for several rows. Cells typed as dates are
local times of an unknown zone, written as precisely as their format shows them.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO, Any

from openpyxl import load_workbook
from openpyxl.cell.read_only import ReadOnlyCell
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._reader import WorkSheetParser

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import MAX_HELD_BYTES, Container, EvidenceFile

MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384
# Workbooks are read by way of XML and held in part: the honest ones stay far below this.
MAX_WORKBOOK_BYTES = 1 << 29
_VALUES = "save the sheet as CSV, or export it without {}"
_QUOTED = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')


class _Parser(WorkSheetParser):  # type: ignore[misc]
    def parse_cell(self, element: Any) -> dict[str, Any]:
        # The library would drop the offset of a time in text, and digits beyond milliseconds.
        if element.get("t") == "d":
            element.set("t", "str")
        return super().parse_cell(element)  # type: ignore[no-any-return]


def sheets(path: Path) -> list[tuple[str, str]]:
    """The titles of the sheets that hold something, each with the name of the file that it is like.

    A single sheet goes by the name of the workbook, one of several by its title.
    """
    with _opened(path) as book:
        titles = [sheet.title for sheet in book.worksheets if _holds_something(book, sheet)]
    if not titles:
        raise EvidenceRefused(
            "the workbook is empty", path=path,
            remedy="export it again, or take it out of evidence",
        )  # fmt: skip
    strange = [title for title in titles if not title.isprintable()]
    if strange:
        raise EvidenceRefused(
            f"a sheet is named {strange[0]!r}", path=path, remedy="rename the sheet"
        )
    return [(title, path.name if len(titles) == 1 else f"{title}.xlsx") for title in titles]


def open_sheet(container: Container, title: str, name: str) -> EvidenceFile:
    """One sheet as a CSV; refuses one with formulas, merged cells, or rows out of order."""
    place = Path(f"{container.path}!{title}")
    container.verify_unchanged()
    with (
        _opened(container.path, place) as book,
        tempfile.SpooledTemporaryFile(MAX_HELD_BYTES) as text,
    ):
        _write(place, book, book[title], text)
        text.seek(0)
        return EvidenceFile.inside(container, title, text, name=name, is_sheet=True)  # type: ignore[arg-type]


@contextmanager
def _opened(path: Path, place: Path | None = None) -> Iterator[Any]:
    try:
        with warnings.catch_warnings(), path.open("rb") as stream:
            warnings.simplefilter("ignore")
            with zipfile.ZipFile(stream) as packed:
                size = sum(info.file_size for info in packed.infolist())
            if size > MAX_WORKBOOK_BYTES:
                raise EvidenceRefused(
                    f"the workbook unpacks to {size:,} bytes", path=path, remedy="export it as CSV"
                )
            book = load_workbook(stream, read_only=True, keep_links=False)
            try:
                yield book
            finally:
                book.close()
    except EvidenceRefused:
        raise
    except Exception as error:
        # The library raises whatever its code meets in a damaged workbook.
        raise EvidenceRefused(
            f"the workbook is damaged ({type(error).__name__}: {error})",
            path=place or path,
            remedy="export it again, or save it as CSV",
        ) from None


def _holds_something(book: Any, sheet: Any) -> bool:
    return any(
        cell["value"] is not None for _, cells in _parser(book, sheet).parse() for cell in cells
    )


def _parser(book: Any, sheet: Any) -> _Parser:
    return _Parser(
        sheet._get_source(),
        sheet._shared_strings,
        epoch=book.epoch,
        date_formats=book._date_formats,
        timedelta_formats=book._timedelta_formats,
    )


def _write(place: Path, book: Any, sheet: Any, text: IO[bytes]) -> None:
    parser = _parser(book, sheet)
    limit = 4 * MAX_WORKBOOK_BYTES
    last = width = 0
    for number, cells in parser.parse():
        if not last < number <= MAX_ROWS:
            raise _refused(place, number, None, "the rows are not in order", "gaps")
        text.write(b"\n" * (number - last - 1))
        last = number
        row: list[str] = []
        for cell in cells:
            column = cell["column"]
            if not len(row) < column <= MAX_COLUMNS:
                raise _refused(place, number, None, "the cells are not in order", "gaps")
            row += [""] * (column - 1 - len(row))
            row.append(_text(place, ReadOnlyCell(sheet, **cell)))
        while row and not row[-1]:
            row.pop()
        width = width or len(row)
        text.write(_line(row + [""] * (width - len(row)) if row else row))
        if text.tell() > limit:
            raise _refused(place, number, None, "the sheet is too large", "blank columns")
    if parser.merged_cells is not None:
        raise _refused(place, None, None, "the sheet has merged cells", "merged cells")


def _line(cells: list[str]) -> bytes:
    held = io.StringIO()
    if any("\r" in cell for cell in cells):
        csv.writer(held, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(cells)
    else:
        csv.writer(held, lineterminator="\n").writerow(cells)
    return held.getvalue().encode("utf-8", "surrogatepass")


def _text(place: Path, cell: Any) -> str:
    """A cell as text: what was typed or exported, and for a date what its format shows."""
    value = cell.value
    if cell.data_type == "f":
        raise _refused(place, cell.row, cell.column, "the cell holds a formula", "formulas")
    if cell.data_type == "e" and value == "#VALUE!":
        raise _refused(place, cell.row, cell.column, "the cell holds an error", "errors")
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime):
        return _moment(value, _QUOTED.sub("", cell.number_format or "").lower())
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return f"{int(seconds // 3600)}:{int(seconds // 60 % 60):02}:{seconds % 60:06.3f}"
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _moment(value: datetime, form: str) -> str:
    """A local time to the last unit that is shown, or that is there though it is not shown."""
    if value.microsecond:
        return value.isoformat(sep=" ", timespec="milliseconds")
    if value.second or "s" in form:
        return value.isoformat(sep=" ", timespec="seconds")
    if value.hour or value.minute or "h" in form:
        return value.isoformat(sep=" ", timespec="minutes")
    return value.date().isoformat()


def _refused(
    place: Path, row: int | None, column: int | None, reason: str, what: str
) -> EvidenceRefused:
    return EvidenceRefused(
        reason, path=place, line=row, field=get_column_letter(column) if column else None,
        remedy=_VALUES.format(what),
    )  # fmt: skip
