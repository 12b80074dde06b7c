"""Every relation as CSV, with a description of the columns (Data Package).

A CSV file knows neither types nor what is missing, and a spreadsheet runs what looks like a
formula. One rule answers both: an empty cell is NULL, and text that is empty, or begins with an
apostrophe or with what begins a formula, has an apostrophe put before it. To read it back, take
one apostrophe off the front of every text.
"""

from __future__ import annotations

from pathlib import Path

from toolkit.export import bundle
from toolkit.export.writing import Written
from toolkit.listing import FORMULA
from toolkit.report import CaseFacts
from toolkit.store import Store, literal, quoted

TITLE = "all relations as CSV, with a Data Package"
NAME = "csv"
_NOTES = (
    "An empty cell is NULL. Text that is empty, or begins with an apostrophe or with what begins "
    "a formula in a spreadsheet (= + - @, tab, carriage return), has an apostrophe put before it; "
    "to read it back, take one apostrophe off the front of every text. Instants are ISO 8601 in "
    "UTC with microseconds and offset, lists are JSON, bytes are hexadecimal. " + bundle.CUT
)
_MARKED = ", ".join(literal(first) for first in ("", "'", *FORMULA))


def export(store: Store, facts: CaseFacts, target: Path) -> Written:
    """One file per relation in the folder `target`."""

    def write(relation: bundle.Relation, path: Path) -> None:
        typed = path.with_suffix(".typed")
        bundle.write_parquet(relation, typed)
        cells = ", ".join(
            f"{_cell(name, kind)} as {quoted(name)}" for name, kind in relation.types.items()
        )
        store.execute(
            f"copy (select {cells} from read_parquet({literal(str(typed))})) "
            f"to {literal(str(path))} (format csv, header, nullstr '')"
        )
        typed.unlink()

    return bundle.write(store, facts, target, "csv", "text/csv", write, bundle.type_of, _NOTES)


def _cell(name: str, kind: str) -> str:
    """The text of a column's value, as it stands in a statement."""
    value = quoted(name)
    if kind.endswith("[]"):
        return f"to_json({value})::varchar"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime({value}, '%Y-%m-%dT%H:%M:%S.%f+00:00')"
    if kind == "DOUBLE":
        return (
            f"case when isnan({value}) then 'NaN' when isinf({value}) "
            f"then if({value} > 0, 'INF', '-INF') else {value}::varchar end"
        )
    if kind == "BLOB":
        return f"hex({value})"
    if kind in ("VARCHAR", "INTERVAL"):
        return (
            f"case when left({value}, 1) in ({_MARKED}) then concat('''', {value}) else {value} end"
        )
    return f"{value}::varchar"
