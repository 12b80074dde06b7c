"""Mapping files: how a table or log of foreign shape is read into one input relation.

A mapping is declarative, so that an auditor can read it beside the evidence: it renames columns,
sets constants, maps words, states the form and zone of times and the unit of numbers, and proves
itself on sample records with the result that its author expects. What it does not state is not
guessed. `load_mapping` checks a file completely before a single record is read.

    mapping: 1
    name: arcserve-jobs
    match: {glob: "*_jobs.csv", header_has: [Node, Status]}
    file: {kind: csv, delimiter: ",", missing: ["", "-"]}
    into: replication_sample
    const: {job_kind: replicate}
    time: {zone: America/New_York, order: month-first}
    fields:
      sampled_at: {from: End Time, time: "%m/%d/%Y %I:%M:%S %p"}
      asset_id: {from: Node}
      job_id: {concat: [Server, Job ID], sep: "#"}
      bytes: {from: Data Processed, parse: size, binary: true}
      state: {from: Status, map: {Finished: success, Failed: failure, "*": unknown}}
    skip_if: {Type: [Report]}
    samples:
      - row: {End Time: 03/09/2022 01:52:10 AM, Node: FS01, Server: rps1, Job ID: "7",
              Data Processed: 1.5 GB, Status: Finished, Type: Backup}
        expect: {sampled_at: "2022-03-09T06:52:10Z", state: success, bytes: 1610612736}

`kind` is `csv`, `jsonl`, `json` (`records` names the array, `$` being the whole file) or `regex`
(`pattern` names the groups of a line; a line that it does not match in full is rejected).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from toolkit.errors import EvidenceRefused, UsageError
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.draft import draft_mapping
from toolkit.ingest.mapping_spec import FieldSpec, MappingSpec, SampleSpec, read_spec
from toolkit.ingest.plain import pick
from toolkit.ingest.quantity import QuantityError, amount, base_unit
from toolkit.ingest.reader import Row, SourceSettings, Value
from toolkit.ingest.sink import EvidenceSink
from toolkit.relations import COMPONENT_COLUMNS, Column, table_headers
from toolkit.timestamps import TimeRule, parse

__all__ = ["Converted", "Mapping", "Unmapped", "Values", "draft_mapping", "load_mapping"]

SHIPPED = Path(__file__).parents[1] / "mappings"
Values = MappingOf[str, str | None]


class Unmapped(ValueError):
    """A record that the mapping cannot turn into a row: a code, a reason and the column."""

    def __init__(self, code: str, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.field = field


@dataclass(frozen=True, slots=True)
class Converted:
    """The row of a record, and the words in it that the mapping does not know."""

    row: dict[str, Value]
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Mapping:
    """A checked mapping file."""

    path: Path
    sha256: str
    spec: MappingSpec
    columns: MappingOf[str, Column] = field(repr=False)
    pattern: re.Pattern[str] | None = field(repr=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns, keys or groups of the file that the mapping reads, in its order."""
        found = [name for each in self.spec.fields.values() for name in each.sources]
        return tuple(dict.fromkeys([*found, *self.spec.skip_if]))

    def rules(self, settings: SourceSettings) -> dict[str, TimeRule]:
        """How the times of each instant column are read.

        Raises `UsageError` where the case and the mapping contradict each other.
        """
        zone = self._agreed("zone", self.spec.time.zone, settings.zone)
        order = self._agreed("order", self.spec.time.order, settings.order)
        return {
            name: TimeRule(zone=zone, format=each.time, order=order, unit=each.unit)
            for name, each in self.spec.fields.items()
            if self.columns[name].kind == "instant"
        }

    def check_file(self, file: EvidenceFile) -> None:
        """Refuse a file that the mapping is not for, or that lacks a mapped column."""
        delimiter = self.spec.file.delimiter
        if delimiter is not None and delimiter != file.delimiter:
            file.delimiter = delimiter
            vars(file).pop("header", None)
        glob = self.spec.match.glob
        if glob is not None and not fnmatchcase(file.name, glob):
            raise EvidenceRefused(
                f"the mapping {self.path.name} is for files named {glob}",
                path=file.path,
                remedy="name another mapping for it, or change the glob of this one",
            )
        needed: Sequence[str] = self.spec.match.header_has
        if self.spec.file.kind == "csv":
            needed = [*needed, *self.sources]
        if not needed:
            return
        header = file.header or ()
        for name in dict.fromkeys(needed):
            if header.count(name) == 1:
                continue
            near = get_close_matches(name, header, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise EvidenceRefused(
                f"the header {'names twice' if name in header else 'has no'} column {name!r}{hint}",
                path=file.path,
                line=1,
                remedy=f"{self.remedy}, or export the file with that column",
            )

    @property
    def remedy(self) -> str:
        """What to do where the mapping does not fit: one that is shipped is not for correction."""
        if self.path.parent == SHIPPED:
            return (
                f"the shipped mapping {self.path.stem!r} is not for such a file: name one of your "
                "own by its file"
            )
        return f"correct the mapping {self.path.name}"

    def is_skipped(self, values: Values) -> bool:
        """Whether the mapping says of such a record that it says nothing."""
        return any((values.get(name) or "") in words for name, words in self.spec.skip_if.items())

    def convert(self, values: Values, asset_id: str | None = None) -> Converted:
        """What the mapping makes of one record; raises `Unmapped`.

        `asset_id` stands for telemetry that names no asset.
        """
        row: dict[str, Value] = dict(self.spec.const)
        notes: list[tuple[str, str]] = []
        for name, spec in self.spec.fields.items():
            raw = self._raw(values, spec)
            row[name] = None if raw is None else self._value(name, spec, raw, notes)
        if "asset_id" in self.columns and "asset_id" not in row:
            row["asset_id"] = asset_id
        return Converted(row, tuple(notes))

    def rows(self, row: Row) -> list[tuple[str, Row]]:
        """A row by relation: a status update and the component that it names are two rows."""
        if self.spec.into != "status_update":
            return [(self.spec.into, row)]
        update = {name: value for name, value in row.items() if name not in COMPONENT_COLUMNS}
        if row.get("component") is None:
            return [("status_update", update)]
        shared = ("incident_id", "update_id", "posted_at", *COMPONENT_COLUMNS)
        component = {name: row.get(name) for name in shared}
        return [("status_update", update), ("status_component", component)]

    def groups(self, line: str) -> dict[str, str | None] | None:
        """The named groups of a line, or None where the pattern does not match all of it."""
        found = self.pattern.fullmatch(line) if self.pattern is not None else None
        return None if found is None else found.groupdict()

    def pick(self, record: MappingOf[str, Any]) -> dict[str, str | None]:
        """The fields of a JSON object that the mapping reads and that are there, as text."""
        try:
            return pick(record, self.sources)
        except ValueError as error:
            name = str(error.args[0])
            raise Unmapped("FIELD_TYPE", "an object where a text is expected", name) from None

    def test(self, settings: SourceSettings | None = None) -> list[str]:
        """Read the samples as evidence is read; says of each that differs where and how.

        `settings` is what the case declares of the file, where the mapping leaves it to the case.
        """
        return [
            f"sample {number}: {difference}"
            for number, sample in enumerate(self.spec.samples, start=1)
            for difference in self._test(sample, settings or SourceSettings())
        ]

    def _agreed(self, key: str, mine: str | None, declared: str | None) -> str | None:
        if mine is not None and declared is not None and mine != declared:
            raise UsageError(
                f"the mapping says {mine}, the case says {declared}",
                path=self.path,
                field=f"time.{key}",
                remedy="state it in one of the two places",
            )
        return mine or declared

    # -- one record ----------------------------------------------------------------------------

    def _raw(self, values: Values, spec: FieldSpec) -> str | None:
        parts = []
        for name in spec.sources:
            part = values.get(name)
            if part is None or part.strip() in self.spec.file.missing:
                return None
            parts.append(part.strip())
        return spec.sep.join(parts)

    def _value(self, name: str, spec: FieldSpec, raw: str, notes: list[tuple[str, str]]) -> Value:
        column = self.columns[name]
        value = self._mapped(name, spec, raw, notes) if spec.map or spec.match else raw
        if value is None:
            return None
        if column.kind not in ("number", "count") or (spec.unit is None and spec.parse is None):
            return value
        try:
            found = amount(
                value,
                base_unit(name) or "1",
                unit=spec.unit,
                form=spec.parse,
                binary=spec.binary,
            )
        except QuantityError as error:
            raise Unmapped(error.code, error.reason, name) from None
        if found is None:
            notes.append((name, raw))
            return None
        return int(found.to_integral_value()) if column.kind == "count" else float(found)

    def _mapped(
        self, name: str, spec: FieldSpec, raw: str, notes: list[tuple[str, str]]
    ) -> str | None:
        if raw in spec.map and raw != "*":
            return spec.map[raw]
        for rule in spec.match:
            if re.search(rule.pattern, raw):
                return rule.value
        if "*" not in spec.map:
            raise Unmapped("UNMAPPED_VALUE", f"the mapping has no value for {raw[:80]!r}", name)
        default = spec.map["*"]
        if self.columns[name].kind == "word" and default in (None, "unknown"):
            notes.append((name, raw))
        return default

    # -- samples -------------------------------------------------------------------------------

    def _test(self, sample: SampleSpec, settings: SourceSettings) -> Iterator[str]:
        sink = EvidenceSink(0, settings)
        for name, rule in self.rules(settings).items():
            sink.rule(name, rule)
        try:
            values = self._sample_values(sample)
            if self.is_skipped(values):
                if sample.expect != "skip":
                    yield "the record is skipped"
                return
            row = self.convert(values, settings.asset_id or "(stated by the case)").row
            if not sink.accept(Record(1, b""), *self.rows(row)):
                *_, column, code, reason, _ = sink.rejects[0]
                raise Unmapped(code, reason, column)
        except Unmapped as error:
            if sample.expect != "reject":
                yield f"{error.field or 'record'}: {error.code}: {error.reason}"
            return
        if not isinstance(sample.expect, dict):
            yield f"expected {sample.expect}, but the record is accepted"
            return
        read: dict[str, object] = {}
        for _, table in reversed(list(sink.tables())):
            read |= table.to_pylist()[0]
        for name, wanted in sample.expect.items():
            difference = _difference(self.columns[name], wanted, read.get(name))
            if difference is not None:
                yield f"{name}: {difference}"

    def _sample_values(self, sample: SampleSpec) -> Values:
        if self.spec.file.kind == "regex":
            groups = self.groups(sample.line or "")
            if groups is None:
                raise Unmapped("LINE_UNMATCHED", "the pattern does not match the line")
            return groups
        values = self.pick(sample.row or {})
        for name in self.sources:
            if self.spec.file.kind == "csv" and name not in values:
                raise Unmapped("COLUMN_MISSING", f"the sample row has no column {name!r}")
        return values


def _difference(column: Column, wanted: str | None, got: object) -> str | None:
    """What keeps a value from being the expected one, or None."""
    if wanted is None or got is None:
        return None if wanted is got else f"expected {wanted}, got {got}"
    try:
        if column.kind == "instant":
            same = parse(wanted).at == got
        elif column.kind in ("number", "count"):
            same = float(wanted) == got
        else:
            same = wanted == (str(got).lower() if column.kind == "flag" else got)
    except ValueError as error:
        return f"what is expected cannot be read ({error})"
    return None if same else f"expected {wanted}, got {got}"


def load_mapping(path: Path) -> Mapping:
    """Read and check a mapping file; raises `UsageError` with file, line and field.

    The samples are not run: that is `Mapping.test`.
    """
    spec, sha256 = read_spec(path)
    pattern = None if spec.file.pattern is None else re.compile(spec.file.pattern)
    columns = {column.name: column for column in table_headers()[spec.into]}
    return Mapping(path, sha256, spec, columns, pattern)
