"""The sink: values of records are read, checked against the contract, and accounted for.

A record is taken whole or rejected whole. Words, numbers and instants are read here and nowhere
else, so that every format treats them alike and every deviation leaves a note. Records come one by
one (`accept`), many at once as columns of raw values (`accept_columns`) or of typed ones
(`accept_table`), or the engine itself reads those of a whole file (`accept_file`); what becomes of
a record does not depend on the way it comes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toolkit.errors import ToolkitError, one_line
from toolkit.ingest.bulk import ORDERED, EngineRead, Trust, Unfit, read_by_engine
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.holding import ARROW, INSTANT, NOTES, Holding, Note, plainly
from toolkit.ingest.reader import Row, SourceSettings, Value, target_of
from toolkit.ingest.values import Unreadable, is_blank, read_value, read_values
from toolkit.relations import BY_NAME, SQL_TYPE, Column, Relation
from toolkit.store import Store
from toolkit.timestamps import Instant, TimeError, TimeRule, parse

_MAX_INSTANTS = 1 << 17
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


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


@dataclass(slots=True)
class _Reading:
    """One row as it was read, before it is known whether its record is taken."""

    relation: Relation
    values: dict[str, Any]
    instants: list[tuple[Column, Instant, object]]
    words: list[tuple[str, str]]


class EvidenceSink:
    """Gathers what one file says, and writes it.

    With a `store`, rows and notes go to the database in batches, inside of the caller's
    transaction, so that memory stays bounded; without one they are kept, to be looked at. `trust`
    is how far the engine may read files by itself (see `accept_file`).
    """

    def __init__(
        self,
        source_id: int,
        settings: SourceSettings,
        store: Store | None = None,
        *,
        trust: Trust = "none",
    ) -> None:
        self.source_id = source_id
        self.settings = settings
        self.account = Account()
        self.first_reject: Note | None = None
        self._store = store
        self._trust = trust
        self._engine: EngineRead | None = None
        self._shift = timedelta(seconds=settings.clock_offset_seconds)
        self._held = Holding(source_id, store)
        self._rules: dict[str, TimeRule] = {}
        self._instants: dict[str, dict[str, Instant]] = defaultdict(dict)
        self._usual: dict[tuple[str, str], str] = {}
        self._readings: Counter[tuple[str, str]] = Counter()
        self._deviating: Counter[tuple[str, str]] = Counter()
        self._skips: dict[str, list[int]] = {}
        self._latest: datetime | None = None

    # -- what readers call ---------------------------------------------------------------------

    def accept(self, record: Record, *rows: tuple[str, Row]) -> bool:
        """Take the rows of a record, or reject the record where one value cannot be read."""
        found = []
        try:
            for relation, row in rows:
                found.append(self._read(BY_NAME[relation], row, record.number))
        except Unreadable as fault:
            self.reject(record, fault.code, fault.reason, field=fault.field)
            return False
        for reading in found:
            for column, instant, raw in reading.instants:
                self._keep_instant(reading.relation, column, instant, raw, record.number)
            for name, word in reading.words:
                self.note(record, name, "UNKNOWN_WORD", word)
            self._held.add_row(reading.relation.name, reading.values)
        self.account.accepted += 1
        self._held.grew(len(found))
        return True

    def accept_columns(
        self, relation: str, records: Sequence[Record], columns: Mapping[str, Sequence[Value]]
    ) -> None:
        """Take many records, one row each, as columns of values that may be raw text.

        What becomes of each record is what `accept` makes of it.
        """
        form = BY_NAME[relation]
        _refuse_unknown(form, columns.keys())
        if target := target_of(relation, self.settings):
            given = columns.get("target_asset") or [None] * len(records)
            filled = [target if is_blank(each) else each for each in given]
            columns = {**columns, "target_asset": filled}
        faults: dict[int, Unreadable] = {}
        words: list[tuple[int, str, str]] = []
        read: dict[str, list[Any]] = {}
        for column in form.columns:
            raws = columns.get(column.name) or [None] * len(records)
            if column.kind == "instant":
                read[column.name] = self._read_instants(column, raws, faults)
            else:
                read[column.name] = read_values(column, raws, faults, words)
        for index, fault in sorted(faults.items()):
            self.reject(records[index], fault.code, fault.reason, field=fault.field)
        kept: Sequence[int] = range(len(records))
        if faults:
            kept = [index for index in kept if index not in faults]
            read = {name: [values[index] for index in kept] for name, values in read.items()}
        numbers = [records[index].number for index in kept]
        arrays: dict[str, Any] = {"record_no": pa.array(numbers, pa.int64())}
        for column in form.columns:
            values = read[column.name]
            if column.kind != "instant":
                arrays[column.name] = pa.array(values, ARROW[SQL_TYPE[column.kind]])
                continue
            raws = columns.get(column.name) or [None] * len(records)
            self._keep_instants(form, column, numbers, values, [raws[index] for index in kept])
            arrays[column.name] = _instants([each and each.at for each in values])
            if column.name == form.at and form.bounds:
                arrays[form.bounds[0]] = _instants([each and each.lo for each in values])
                arrays[form.bounds[1]] = _instants([each and each.hi for each in values])
        for index, name, word in words:
            if index not in faults:
                self.note(records[index], name, "UNKNOWN_WORD", word)
        self.account.accepted += len(kept)
        self._held.add_columns(relation, arrays, len(kept))

    def accept_table(self, relation: str, rows: pa.Table, notes: pa.Table | None = None) -> None:
        """Take many records at once: one row each, columns typed as the relation demands, with
        `record_no`; what cannot be taken has been sent to `reject` before.

        `notes` has a row for each time that was not read in the usual way of its column, with
        `record_no, column_name, raw, basis, flags, lo, hi` as in `time_note`.
        """
        form = BY_NAME[relation]
        bounds = form.bounds or ()
        _refuse_unknown(form, set(rows.column_names) - {"record_no", *bounds})
        arrays: dict[str, Any] = dict(zip(rows.column_names, rows.columns, strict=True))
        if notes is not None and notes.num_rows:
            self._take_time_notes(relation, notes)
        for column in form.columns:
            if column.name not in arrays or not rows.num_rows:
                continue
            if column.default is not None:
                filled = plainly(arrays[column.name], pa.string())
                arrays[column.name] = pc.fill_null(filled, column.default)
            if column.kind == "instant":
                place = relation, column.name
                self._usual.setdefault(place, "utc")
                self._readings[place] += rows.num_rows - arrays[column.name].null_count
        if form.at is not None and form.at in arrays:
            for name in bounds:
                arrays.setdefault(name, arrays[form.at])
            for name in (form.at, *bounds):
                arrays[name] = self._shifted(arrays[name])
            extent = pc.min_max(arrays[form.at]).as_py()
            if extent["min"] is not None:
                self._extend(extent["min"], extent["max"])
        self.account.accepted += rows.num_rows
        self._held.add_columns(relation, arrays, rows.num_rows)

    accept_timed = accept_table

    def accept_file(self, relation: str, file: EvidenceFile) -> Sequence[int] | None:
        """Let the engine read the rows of a CSV whose header is that of a relation.

        Takes every record that needs no second look, and returns the numbers of the lines that are
        left, ascending, for the reader to send as it sends any other. None where the engine cannot
        read the file: then all lines are left. Raises Unfit where the engine's answer does not
        stand a check; the caller then begins anew with less trust.
        """
        if self._store is None:
            return None
        self.flush()
        found = read_by_engine(
            self._store, self.source_id, file, BY_NAME[relation], self.settings, self._trust
        )
        if found is None:
            return None
        self._engine = found
        self.account.accepted += found.accepted
        file.read_count += found.accepted
        if found.first_at is not None and found.last_at is not None:
            self._extend(found.first_at, found.last_at)
        for name, times in found.times.items():
            self._readings[relation, name] += times.readings
        return found.left

    def continued(self, record: Record) -> None:
        """The record is part of the one before it."""
        self.account.continued += 1

    def skip(self, record: Record, reason: str) -> None:
        """The record says nothing by its format's own definition."""
        held = self._skips.setdefault(reason, [0, record.number])
        held[0] += 1
        held[1] = min(held[1], record.number)
        self.account.skipped += 1

    def reject(self, record: Record, code: str, reason: str, *, field: str | None = None) -> None:
        """The record cannot be read; its bytes are kept."""
        # A reason may quote the record, which can be of any length and hold anything.
        said = one_line(reason, 500)
        named = None if field is None else one_line(field)
        fault = (self.source_id, record.number, record.offset, named, code, said, record.raw)
        if self.first_reject is None or record.number < self.first_reject[1]:
            self.first_reject = fault
        self._held.notes["reject"].append(fault)
        self.account.rejected += 1
        self._held.grew(1 + len(record.raw) // 256)

    def rule(self, column: str, rule: TimeRule) -> None:
        """State how the times of a column are read."""
        self._rules[column] = rule
        self._instants.pop(column, None)

    def note(self, record: Record, column: str, code: str, raw: str) -> None:
        """Keep a value that was accepted, but not as it stood."""
        # What a note quotes was not checked as a value is: no text column holds half a pair.
        said = raw.encode("utf-8", "backslashreplace").decode("utf-8")
        self._held.notes["value_note"].append((self.source_id, record.number, column, code, said))

    def counted_elsewhere(
        self, accepted: int, rejected: int, first_at: datetime | None, last_at: datetime | None
    ) -> None:
        """State how many records stand behind the rows of a source that was reduced before.

        Said after all rows, it takes the place of what was counted; rejects that are held stay.
        """
        self.account.accepted, self.account.rejected = accepted, rejected
        if first_at is not None and last_at is not None:
            self._extend(first_at, last_at)

    def incomplete(self, reason: str) -> None:
        """The export may not hold all records."""
        if reason not in self.account.incomplete:
            self.account.incomplete.append(reason)

    # -- what is written -----------------------------------------------------------------------

    @property
    def rejects(self) -> list[Note]:
        """The rejects that are held."""
        return self._held.notes["reject"]

    @property
    def value_notes(self) -> list[Note]:
        """The notes on values that are held, in the order of the file."""
        return self._held.told("value_note")

    @property
    def time_notes(self) -> list[Note]:
        """The notes on times that are held, in the order of the file."""
        return self._held.told("time_note")

    def tables(self) -> Iterable[tuple[str, pa.Table]]:
        """The rows that are held, by relation and in the order of the file."""
        for relation, rows in self._held.tables():
            yield relation, rows.sort_by("record_no")

    def flush(self) -> None:
        """Write what is held to the store."""
        self._held.flush()

    def close(self) -> None:
        """Write all that remains, after the last record.

        Raises Unfit where the engine took times in another way than the usual one of the file.
        """
        if self._engine is not None:
            for name, times in self._engine.times.items():
                place = self._engine.relation, name
                if times.readings and self._usual.setdefault(place, times.basis) != times.basis:
                    raise Unfit(f"{name} is usually read otherwise")
        self._held.notes["skipped"] += self.skips()
        self._held.notes["source_column"] += self.source_columns()
        self.flush()

    def source_columns(self) -> list[Note]:
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

    def skips(self) -> list[Note]:
        """Why records were skipped, with how many and the first of them."""
        return [
            (self.source_id, reason, count, first)
            for reason, (count, first) in sorted(self._skips.items())
        ]

    # -- reading values ------------------------------------------------------------------------

    def _read(self, relation: Relation, row: Row, number: int) -> _Reading:
        if not row.keys() <= relation.by_column.keys():
            _refuse_unknown(relation, row.keys())
        target = target_of(relation.name, self.settings)
        if target and is_blank(row.get("target_asset")):
            row = {**row, "target_asset": target}
        reading = _Reading(relation, {"record_no": number}, [], [])
        values = reading.values
        for column in relation.columns:
            raw = row.get(column.name)
            if raw is None and column.may_be_empty:
                if column.default is not None:
                    values[column.name] = column.default
            elif column.kind == "instant":
                instant = self._read_instant(column, raw)
                if instant is None:
                    continue
                values[column.name] = instant.at
                if column.name == relation.at and relation.bounds:
                    values[relation.bounds[0]] = instant.lo
                    values[relation.bounds[1]] = instant.hi
                reading.instants.append((column, instant, raw))
            else:
                values[column.name], word = read_value(column, raw)
                if word is not None:
                    reading.words.append((column.name, word))
        return reading

    def _read_instant(self, column: Column, raw: object) -> Instant | None:
        """The instant of a cell, on the true clock; None where it is blank."""
        if isinstance(raw, Instant):
            return self._on_true_clock(raw)
        text = raw if isinstance(raw, str) else "" if raw is None else str(raw)
        known = self._instants[column.name]
        instant = known.get(text)
        if instant is not None:
            return instant
        if is_blank(text):
            if not column.may_be_empty:
                raise Unreadable("VALUE_MISSING", "the value is missing", column.name)
            return None
        rule = self._rules.get(column.name) or TimeRule()
        if rule.zone is None and self.settings.zone:
            rule = replace(rule, zone=self.settings.zone)
        if rule.order is None and self.settings.order:
            rule = replace(rule, order=self.settings.order)
        try:
            instant = self._on_true_clock(parse(text.strip(), rule))
        except TimeError as error:
            raise Unreadable(error.code, error.reason, column.name) from None
        if len(known) >= _MAX_INSTANTS:
            known.clear()
        known[text] = instant
        return instant

    def _read_instants(
        self, column: Column, values: Sequence[Value], faults: dict[int, Unreadable]
    ) -> list[Instant | None]:
        read: list[Instant | None] = []
        known = self._instants[column.name]
        for index, raw in enumerate(values):
            instant = known.get(raw) if isinstance(raw, str) else None
            if instant is None:
                try:
                    instant = self._read_instant(column, raw)
                except Unreadable as fault:
                    faults.setdefault(index, fault)
            read.append(instant)
        return read

    def _on_true_clock(self, instant: Instant) -> Instant:
        if not self._shift:
            return instant
        return replace(
            instant,
            at=instant.at - self._shift,
            lo=instant.lo - self._shift,
            hi=instant.hi - self._shift,
        )

    def _keep_instants(
        self,
        relation: Relation,
        column: Column,
        numbers: Sequence[int],
        instants: Sequence[Instant | None],
        raws: Sequence[object],
    ) -> None:
        """Note how the times of accepted records were read."""
        present = [each for each in instants if each is not None]
        if not present:
            return
        place = relation.name, column.name
        is_ordered = column.name == relation.at and relation.name in ORDERED
        usual = self._usual.get(place)
        if is_ordered or any(each.flags or each.basis != usual for each in present):
            for number, instant, raw in zip(numbers, instants, raws, strict=True):
                if instant is not None:
                    self._keep_instant(relation, column, instant, raw, number)
            return
        self._readings[place] += len(present)
        if column.name == relation.at:
            times = [each.at for each in present]
            self._extend(min(times), max(times))

    def _keep_instant(
        self, relation: Relation, column: Column, instant: Instant, raw: object, number: int
    ) -> None:
        place = relation.name, column.name
        flags = instant.flags
        if column.name == relation.at:
            if relation.name in ORDERED:
                if self._latest is not None and instant.hi < self._latest:
                    flags = tuple(sorted({*flags, "out_of_order"}))
                self._latest = max(self._latest or instant.at, instant.at)
            self._extend(instant.at, instant.at)
        usual = self._usual.get(place)
        if usual is None:
            usual = self._usual[place] = self._first_basis(place, instant.basis, number)
        self._readings[place] += 1
        if flags or instant.basis != usual:
            self._deviating[place] += 1
            text = raw if isinstance(raw, str) else instant.at.isoformat()
            self._held.notes["time_note"].append(
                (
                    self.source_id, number, column.name, text, instant.basis, ",".join(flags),
                    instant.lo, instant.hi,
                )
            )  # fmt: skip

    def _first_basis(self, place: tuple[str, str], basis: str, number: int) -> str:
        """The basis of the first time of a column: that of this record, or of one before it that
        the engine has read."""
        if self._engine is not None and place[0] == self._engine.relation:
            times = self._engine.times.get(place[1])
            if times is not None and times.readings and times.first_record < number:
                return times.basis
        return basis

    def _take_time_notes(self, relation: str, notes: pa.Table) -> None:
        arrays: dict[str, Any] = {
            "source_id": pa.repeat(pa.scalar(self.source_id, pa.uint16()), notes.num_rows)
        }
        for name, kind in NOTES["time_note"].items():
            if name in ("lo", "hi"):
                arrays[name] = self._shifted(notes.column(name))
            elif name != "source_id":
                arrays[name] = plainly(notes.column(name), kind)
        self._held.add_time_notes(pa.table(arrays))
        names = notes.column("column_name").cast(pa.string())
        for counted in pc.value_counts(names).to_pylist():
            place = relation, counted["values"]
            self._deviating[place] += counted["counts"]
            if place not in self._usual:
                first = pc.index(names, counted["values"]).as_py()
                self._usual[place] = notes.column("basis")[first].as_py()

    def _shifted(self, times: Any) -> Any:
        if not self._shift:
            return times
        return pc.subtract(times.cast(INSTANT), pa.scalar(self._shift, pa.duration("us")))

    def _extend(self, first: datetime, last: datetime) -> None:
        account = self.account
        account.first_at = min(account.first_at or first, first)
        account.last_at = max(account.last_at or last, last)


def _refuse_unknown(relation: Relation, names: Collection[str]) -> None:
    unknown = sorted(set(names) - relation.by_column.keys())
    if unknown:
        raise ToolkitError(f"{relation.name} has no column {unknown[0]!r}")


def _instants(times: Sequence[datetime | None]) -> pa.Array:
    known: dict[datetime | None, int | None] = {None: None}
    for time in set(times):
        if time is not None:
            known[time] = (time - _EPOCH) // _MICROSECOND
    return pa.array([known[time] for time in times], pa.int64()).cast(INSTANT)
