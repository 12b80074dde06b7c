"""What one source says, held as columns of Arrow until it is written to the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from toolkit.relations import BY_NAME, SQL_TYPE
from toolkit.store import Store, columns_of

BATCH_ROWS = 1 << 16
INSTANT = pa.timestamp("us", tz="UTC")
ARROW = {
    "TIMESTAMPTZ": INSTANT,
    "VARCHAR": pa.string(),
    "DOUBLE": pa.float64(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "USMALLINT": pa.uint16(),
}
# The tables of notes, column by column.
NOTES: dict[str, dict[str, pa.DataType]] = {
    "reject": {
        "source_id": pa.uint16(), "record_no": pa.int64(), "byte_offset": pa.int64(),
        "field": pa.string(), "code": pa.string(), "reason": pa.string(), "raw": pa.binary(),
    },
    "skipped": {
        "source_id": pa.uint16(), "reason": pa.string(), "records": pa.int64(),
        "first_record_no": pa.int64(),
    },
    "time_note": {
        "source_id": pa.uint16(), "record_no": pa.int64(), "column_name": pa.string(),
        "raw": pa.string(), "basis": pa.string(), "flags": pa.string(), "lo": INSTANT,
        "hi": INSTANT,
    },
    "value_note": {
        "source_id": pa.uint16(), "record_no": pa.int64(), "column_name": pa.string(),
        "code": pa.string(), "raw": pa.string(),
    },
    "source_column": {
        "source_id": pa.uint16(), "relation": pa.string(), "column_name": pa.string(),
        "format": pa.string(), "basis": pa.string(), "readings": pa.int64(),
        "deviating": pa.int64(),
    },
}  # fmt: skip
Note = tuple[Any, ...]


class Holding:
    """Rows by relation, and notes by table, of one source.

    With a `store` they are written in batches, inside of the caller's transaction, so that memory
    stays bounded; without one they are kept, to be looked at.
    """

    def __init__(self, source_id: int, store: Store | None) -> None:
        self.source_id = source_id
        self.notes: dict[str, list[Note]] = {name: [] for name in NOTES}
        self._store = store
        self._rows: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        self._tables: dict[str, list[pa.Table]] = defaultdict(list)
        self._time_notes: list[pa.Table] = []
        self._held = 0

    def add_row(self, relation: str, values: Mapping[str, Any]) -> None:
        """Hold one row; say with `grew` when its record is whole."""
        self._rows[relation].append(values)

    def add_columns(self, relation: str, arrays: Mapping[str, Any], rows: int) -> None:
        """Hold so many rows, as arrays or lists by column."""
        if not rows:
            return
        self._gather(relation)
        self._tables[relation].append(self._table(relation, arrays, rows))
        self.grew(rows)

    def add_time_notes(self, notes: pa.Table) -> None:
        """Hold notes on times, as columns of `time_note`."""
        self._time_notes.append(notes)
        self._held += notes.num_rows

    def grew(self, rows: int) -> None:
        """Count what was added, and write all where it is much."""
        self._held += rows
        if self._store is not None and self._held >= BATCH_ROWS:
            self.flush()

    def told(self, name: str) -> list[Note]:
        """The notes of a table that are held, in the order of the file."""
        held: list[Note] = list(self.notes[name])
        if name == "time_note":
            rows = [row for table in self._time_notes for row in table.to_pylist()]
            held += [tuple(row[column] for column in NOTES[name]) for row in rows]
        return sorted(held, key=lambda note: note[1])

    def tables(self) -> Iterable[tuple[str, pa.Table]]:
        """The rows that are held, by relation."""
        for relation in list(self._rows):
            self._gather(relation)
        for relation, parts in self._tables.items():
            yield relation, _joined(parts)

    def flush(self) -> None:
        """Write what is held to the store."""
        if self._store is None:
            return
        for relation, rows in self.tables():
            self._store.append(f"evidence.{relation}", rows)
        self._tables.clear()
        for table in self._time_notes:
            self._store.append("time_note", table)
        self._time_notes.clear()
        for name, notes in self.notes.items():
            self._store.append(name, _note_table(name, notes))
            notes.clear()
        self._held = 0

    def _gather(self, relation: str) -> None:
        rows = self._rows.pop(relation, None)
        if rows:
            names = [name for name, _ in columns_of(BY_NAME[relation])]
            columns = {name: [row.get(name) for row in rows] for name in names}
            self._tables[relation].append(self._table(relation, columns, len(rows)))

    def _table(self, relation: str, columns: Mapping[str, Any], rows: int) -> pa.Table:
        arrays = {}
        for name, sql_type in columns_of(BY_NAME[relation]):
            kind = ARROW[sql_type]
            held = columns.get(name)
            if name == "source_id":
                arrays[name] = pa.repeat(pa.scalar(self.source_id, kind), rows)
            elif held is None:
                arrays[name] = pa.nulls(rows, kind)
            else:
                arrays[name] = (
                    pa.array(held, kind) if isinstance(held, list) else plainly(held, kind)
                )
        return pa.table(arrays)


def plainly(values: Any, kind: pa.DataType) -> Any:
    """Values of a type; a dictionary of texts stays one, because a file holds it as well."""
    if pa.types.is_dictionary(values.type) and pa.types.is_string(kind):
        return values
    return values.cast(kind)


def _joined(parts: Sequence[pa.Table]) -> pa.Table:
    """Tables below one another, with their dictionaries where all have the same."""
    schema = parts[0].schema
    if any(part.schema != schema for part in parts):
        plain = [
            pa.field(each.name, each.type.value_type) if pa.types.is_dictionary(each.type) else each
            for each in schema
        ]
        schema = pa.schema(plain)
        parts = [part.cast(schema) for part in parts]
    return pa.concat_tables(parts)


def _note_table(name: str, notes: Sequence[Note]) -> pa.Table:
    layout = NOTES[name]
    columns = list(zip(*notes, strict=True)) or [()] * len(layout)
    arrays = [pa.array(values, kind) for values, kind in zip(columns, layout.values(), strict=True)]
    return pa.table(arrays, names=list(layout))


assert set(ARROW) >= set(SQL_TYPE.values())
