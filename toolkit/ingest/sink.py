"""The sink: values of records are read, checked against the contract, and accounted for.

A record is taken whole or rejected whole. Words, numbers and instants are read here and nowhere
else, so that every format treats them alike and every deviation leaves a note.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toolkit.errors import ToolkitError
from toolkit.ingest.container import Record
from toolkit.ingest.reader import Row, SourceSettings
from toolkit.relations import BY_NAME, SQL_TYPE, Column, Relation
from toolkit.store import columns_of
from toolkit.timestamps import Instant, TimeError, TimeRule, parse

_INSTANT = pa.timestamp("us", tz="UTC")
_ARROW = {
    "TIMESTAMPTZ": _INSTANT,
    "VARCHAR": pa.string(),
    "DOUBLE": pa.float64(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "USMALLINT": pa.uint16(),
}
_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})
# Lines of a log are expected in order; job records and tickets are not.
_ORDERED = frozenset({"maintenance_event"})


class _Unreadable(ValueError):
    """A value that cannot be read as its column demands."""

    def __init__(self, code: str, reason: str, field: str) -> None:
        super().__init__(reason)
        self.code, self.reason, self.field = code, reason, field


@dataclass(slots=True)
class Account:
    """How the records of a source were accounted for."""

    accepted: int = 0
    continued: int = 0
    skipped: int = 0
    rejected: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    incomplete: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.accepted + self.continued + self.skipped + self.rejected


class EvidenceSink:
    """Gathers what one file says, ready to be written in one transaction."""

    def __init__(self, source_id: int, settings: SourceSettings) -> None:
        self.source_id = source_id
        self.settings = settings
        self.account = Account()
        self._shift = timedelta(seconds=settings.clock_offset_seconds)
        self._rows: dict[str, dict[str, list[Any]]] = {}
        self._tables: dict[str, list[pa.Table]] = defaultdict(list)
        self._rules: dict[str, TimeRule] = {}
        self._usual: dict[tuple[str, str], str] = {}
        self._readings: Counter[tuple[str, ...]] = Counter()
        self._deviating: Counter[tuple[str, ...]] = Counter()
        self._skips: dict[str, list[int]] = {}
        self._latest: datetime | None = None
        self.rejects: list[tuple[Any, ...]] = []
        self.time_notes: list[tuple[Any, ...]] = []
        self.value_notes: list[tuple[Any, ...]] = []

    # -- what readers call ---------------------------------------------------------------------

    def accept(self, record: Record, *rows: tuple[str, Row]) -> bool:
        """Take the rows of a record, or reject the record where one value cannot be read."""
        notes: list[tuple[str, tuple[Any, ...]]] = []
        try:
            read = [
                (relation, self._read(BY_NAME[relation], row, record.number, notes))
                for relation, row in rows
            ]
        except _Unreadable as fault:
            self.reject(record, fault.code, fault.reason, field=fault.field)
            return False
        for relation, values in read:
            self._keep(relation, values)
        for kind, note in notes:
            if kind == "reading":
                self._readings[note[:2]] += 1
                self._deviating[note[:2]] += note[2]
            else:
                (self.time_notes if kind == "time" else self.value_notes).append(note)
        self.account.accepted += 1
        return True

    def accept_table(self, relation: str, rows: pa.Table) -> None:
        """Take many records at once: one row each, columns typed as the relation demands, with
        `record_no`; what cannot be taken has been sent to `reject` before."""
        columns = dict(columns_of(BY_NAME[relation]))
        arrays = {
            name: (
                rows.column(name).cast(_ARROW[columns[name]])
                if name in rows.column_names
                else pa.nulls(rows.num_rows, _ARROW[columns[name]])
            )
            for name in columns
            if name != "source_id"
        }
        for column in BY_NAME[relation].columns:
            if column.default is not None:
                arrays[column.name] = pc.fill_null(arrays[column.name], column.default)
        arrays["source_id"] = pa.array([self.source_id] * rows.num_rows, pa.uint16())
        at, bounds = BY_NAME[relation].at, BY_NAME[relation].bounds
        if at is not None:
            if self._shift:
                arrays[at] = pc.subtract(arrays[at], pa.scalar(self._shift, pa.duration("us")))
            for bound in bounds or ():
                arrays[bound] = arrays[at]
            if rows.num_rows:
                extent = pc.min_max(arrays[at]).as_py()
                self._extend(extent["min"], extent["max"])
        for column in BY_NAME[relation].columns:
            if column.kind == "instant" and column.name in rows.column_names:
                self._usual.setdefault((relation, column.name), "utc")
                self._readings[relation, column.name] += (
                    rows.num_rows - rows.column(column.name).null_count
                )
        self._tables[relation].append(pa.table(arrays))
        self.account.accepted += rows.num_rows

    def continued(self, record: Record) -> None:
        """The record is part of the one before it."""
        self.account.continued += 1

    def skip(self, record: Record, reason: str) -> None:
        """The record says nothing by its format's own definition."""
        self._skips.setdefault(reason, [0, record.number])[0] += 1
        self.account.skipped += 1

    def reject(self, record: Record, code: str, reason: str, *, field: str | None = None) -> None:
        """The record cannot be read; its bytes are kept."""
        self.rejects.append(
            (self.source_id, record.number, record.offset, field, code, reason, record.raw)
        )
        self.account.rejected += 1

    def rule(self, column: str, rule: TimeRule) -> None:
        """State how the times of a column are read."""
        self._rules[column] = rule

    def note(self, record: Record, column: str, code: str, raw: str) -> None:
        """Keep a value that was accepted, but not as it stood."""
        self.value_notes.append((self.source_id, record.number, column, code, raw))

    def incomplete(self, reason: str) -> None:
        """The export may not hold all records."""
        if reason not in self.account.incomplete:
            self.account.incomplete.append(reason)

    # -- what is written -----------------------------------------------------------------------

    def tables(self) -> Iterable[tuple[str, pa.Table]]:
        """The rows by relation, as Arrow tables with the columns of the evidence tables."""
        for relation, columns in self._rows.items():
            types = dict(columns_of(BY_NAME[relation]))
            arrays = {name: pa.array(held, _ARROW[types[name]]) for name, held in columns.items()}
            yield relation, pa.table(arrays)
        for relation, parts in self._tables.items():
            yield relation, pa.concat_tables(parts)

    def source_columns(self) -> list[tuple[Any, ...]]:
        """How each time column was read."""
        found = []
        for (relation, column), basis in sorted(self._usual.items()):
            rule = self._rules.get(column, TimeRule())
            found.append(
                (
                    self.source_id, relation, column, rule.format or rule.order or "as written",
                    basis, self._readings[relation, column], self._deviating[relation, column],
                )
            )  # fmt: skip
        return found

    def skips(self) -> list[tuple[Any, ...]]:
        """Why records were skipped, with how many and the first of them."""
        return [
            (self.source_id, reason, count, first)
            for reason, (count, first) in sorted(self._skips.items())
        ]

    # -- reading values ------------------------------------------------------------------------

    def _read(
        self, relation: Relation, row: Row, number: int, notes: list[tuple[str, tuple[Any, ...]]]
    ) -> dict[str, Any]:
        unknown = row.keys() - relation.by_column.keys()
        if unknown:
            raise ToolkitError(f"{relation.name} has no column {sorted(unknown)[0]!r}")
        values: dict[str, Any] = {"record_no": number}
        for column in relation.columns:
            raw = row.get(column.name)
            if raw is None or (isinstance(raw, str) and not raw.strip()):
                if not column.may_be_empty:
                    raise _Unreadable("VALUE_MISSING", "the value is missing", column.name)
                if column.default is not None:
                    values[column.name] = column.default
                continue
            if column.kind == "instant":
                self._read_instant(relation, column, raw, number, values, notes)
            else:
                values[column.name] = self._read_value(column, raw, number, notes)
        return values

    def _read_instant(
        self,
        relation: Relation,
        column: Column,
        raw: object,
        number: int,
        values: dict[str, Any],
        notes: list[tuple[str, tuple[Any, ...]]],
    ) -> None:
        instant = raw if isinstance(raw, Instant) else self._parse(column, str(raw))
        if self._shift:
            instant = replace(
                instant,
                at=instant.at - self._shift,
                lo=instant.lo - self._shift,
                hi=instant.hi - self._shift,
            )
        place = (relation.name, column.name)
        flags = set(instant.flags)
        if column.name == relation.at:
            if relation.name in _ORDERED:
                if self._latest is not None and instant.hi < self._latest:
                    flags.add("out_of_order")
                self._latest = max(self._latest or instant.at, instant.at)
            if relation.bounds:
                values[relation.bounds[0]], values[relation.bounds[1]] = instant.lo, instant.hi
            self._extend(instant.at, instant.at)
        values[column.name] = instant.at
        usual = self._usual.setdefault(place, instant.basis)
        deviates = bool(flags) or instant.basis != usual
        notes.append(("reading", (*place, deviates)))
        if deviates:
            text = raw if isinstance(raw, str) else instant.at.isoformat()
            notes.append(
                (
                    "time",
                    (
                        self.source_id, number, column.name, text, instant.basis,
                        ",".join(sorted(flags)), instant.lo, instant.hi,
                    ),
                )
            )  # fmt: skip

    def _parse(self, column: Column, text: str) -> Instant:
        rule = self._rules.get(column.name) or TimeRule()
        if rule.zone is None and self.settings.zone:
            rule = replace(rule, zone=self.settings.zone)
        if rule.order is None and self.settings.order:
            rule = replace(rule, order=self.settings.order)
        try:
            return parse(text.strip(), rule)
        except TimeError as error:
            raise _Unreadable(error.code, error.reason, column.name) from None

    def _read_value(
        self, column: Column, raw: object, number: int, notes: list[tuple[str, tuple[Any, ...]]]
    ) -> object:
        if column.kind == "text":
            return _text(raw)
        text = _text(raw).strip()
        if column.kind == "word":
            word = text.lower()
            if word in column.words:
                return word
            if "unknown" not in column.words:
                raise _Unreadable(
                    "WORD_UNKNOWN",
                    f"{text!r} is none of {', '.join(column.words)}",
                    column.name,
                )
            notes.append(("value", (self.source_id, number, column.name, "UNKNOWN_WORD", text)))
            return "unknown"
        if column.kind == "flag":
            if text.lower() in _TRUE:
                return True
            if text.lower() in _FALSE:
                return False
            raise _Unreadable("FLAG_UNREADABLE", f"{text!r} is neither yes nor no", column.name)
        return _number(column, text)

    def _keep(self, relation: str, values: Mapping[str, Any]) -> None:
        columns = self._rows.get(relation)
        if columns is None:
            names = [name for name, _ in columns_of(BY_NAME[relation])]
            columns = self._rows[relation] = {name: [] for name in names}
        for name, held in columns.items():
            held.append(self.source_id if name == "source_id" else values.get(name))

    def _extend(self, first: datetime, last: datetime) -> None:
        account = self.account
        account.first_at = min(account.first_at or first, first)
        account.last_at = max(account.last_at or last, last)


def _text(raw: object) -> str:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return raw if isinstance(raw, str) else str(raw)


def _number(column: Column, text: str) -> float | int:
    try:
        number = float(text)
        whole = int(text) if column.kind == "count" and text.lstrip("+-").isdigit() else None
    except ValueError:
        raise _Unreadable("NUMBER_UNREADABLE", f"{text!r} is no number", column.name) from None
    if not math.isfinite(number):
        raise _Unreadable("NUMBER_NOT_FINITE", f"{text!r} is no finite number", column.name)
    if column.kind == "number":
        return number
    if whole is None and number.is_integer() and abs(number) < 2**53:
        whole = int(number)
    if whole is None or not -(2**63) <= whole < 2**63:
        raise _Unreadable("NUMBER_NOT_WHOLE", f"{text!r} is no whole number", column.name)
    return whole


assert set(_ARROW) >= set(SQL_TYPE.values())
