"""The form of a mapping file, and everything that can be wrong with one.

The keys are shown in `toolkit.ingest.mapping`. A file is checked completely before a record is
read, and what is wrong is said with its line and with the nearest word that would be right.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.errors import UsageError, did_you_mean
from toolkit.ingest.plain import Location, read_yaml
from toolkit.ingest.quantity import base_unit, units
from toolkit.relations import Column, table_headers
from toolkit.timestamps import TimeError, check_zone

OPEN = "?"
EPOCH_UNITS = ("s", "ms", "us", "ns")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MatchSpec(_Model):
    """To which files the mapping belongs; all of it must hold."""

    glob: str | None = Field(default=None, description="Pattern that the name of the file fits.")
    header_has: tuple[str, ...] = Field(default=(), description="Columns that its header has.")


class FileSpec(_Model):
    """How the file is cut into records."""

    kind: Literal["csv", "jsonl", "json", "regex"] = Field(description="Kind of file.")
    delimiter: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="What stands between the cells of a CSV file.",
    )
    missing: tuple[str, ...] = Field(
        default=("",), description="Values that mean that nothing is stated."
    )
    pattern: str | None = Field(
        default=None,
        description="Regular expression with named groups, for kind `regex`; a line that it does "
        "not match in full is rejected.",
    )


class TimeSpec(_Model):
    """What times that state no zone or no order of day and month mean."""

    zone: str | None = Field(
        default=None, description="Zone of times that state none; without it, that of case.toml."
    )
    order: Literal["day-first", "month-first", "year-first"] | None = Field(
        default=None, description="Order of day, month and year in dates of numbers."
    )


class PatternSpec(_Model):
    """A value for the texts in which a regular expression is found."""

    pattern: str = Field(description="Regular expression that is found in the text.")
    value: str | None = Field(description="Value of the column then; null for none.")


class FieldSpec(_Model):
    """Where the value of one column comes from, and how it is read."""

    from_: str | None = Field(
        default=None, alias="from", description="Column, key or group that the value comes from."
    )
    concat: tuple[str, ...] = Field(default=(), description="Columns that are joined to one text.")
    sep: str = Field(default="", description="What stands between them.")
    time: str | None = Field(
        default=None,
        description="Form of a time in directives of strptime, such as `%d.%m.%Y %H:%M`.",
    )
    map: dict[str, str | None] = Field(
        default_factory=dict,
        description="Meaning of words; `*` stands for every other word, and null for no value.",
    )
    match: tuple[PatternSpec, ...] = Field(
        default=(), description="Meaning of texts by regular expressions, the first that is found."
    )
    unit: str | None = Field(
        default=None,
        description="Unit of a number: `s`, `ms`, `us` or `ns` since 1970 for a time, else a unit "
        "of what the column measures.",
    )
    parse: Literal["size", "duration"] | None = Field(
        default=None, description="How a text such as `1.5 GB` or `01:02:03` is read."
    )
    binary: bool | None = Field(
        default=None, description="Whether a kilobyte of the text is 1024 bytes."
    )

    @property
    def sources(self) -> tuple[str, ...]:
        return self.concat if self.from_ is None else (self.from_,)


class SampleSpec(_Model):
    """One record and what the mapping must make of it."""

    row: dict[str, Any] | None = Field(default=None, description="A record by its columns.")
    line: str | None = Field(default=None, description="A line, for kind `regex`.")
    expect: dict[str, str | None] | Literal["reject", "skip"] = Field(
        description="What the columns of the relation hold then; or `reject`, or `skip`."
    )


class MappingSpec(_Model):
    """The whole mapping file."""

    mapping: Literal["1"] = Field(description="Version of the form.")
    name: str | None = Field(default=None, description="Name of the mapping.")
    match: MatchSpec = Field(default=MatchSpec(), description="To which files the mapping belongs.")
    file: FileSpec = Field(description="How the file is cut into records.")
    records: str = Field(
        default="$",
        description="Where the records of a JSON file stand: `$.a.b`, with `$` for the whole file.",
    )
    into: str = Field(description="Relation that the records belong to.")
    const: dict[str, str | None] = Field(
        default_factory=dict, description="Columns that are the same for every record."
    )
    time: TimeSpec = Field(
        default=TimeSpec(), description="What times mean that do not say it themselves."
    )
    fields: dict[str, FieldSpec] = Field(
        description="Columns of the relation, each with where its value comes from."
    )
    skip_if: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Columns of the file and the values at which a record is left out; it is "
        "counted as skipped.",
    )
    samples: tuple[SampleSpec, ...] = Field(
        min_length=1,
        description="Records with what must come out of them; the mapping is not used where they "
        "do not hold.",
    )


def read_spec(path: Path) -> tuple[MappingSpec, str]:
    """A mapping file, checked, and the SHA-256 of its bytes.

    Raises `UsageError`, with file, line and field, for YAML that does not parse, unknown keys,
    columns or words, decisions that are still open (`?`), and whatever cannot be carried out.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(reason, path=path, remedy="check the path of the mapping") from None
    except UnicodeDecodeError:
        raise UsageError("the mapping is not UTF-8", path=path, remedy="save it as UTF-8") from None
    value, lines = read_yaml(path, text)
    check = _Check(path, lines)
    check.nothing_open(value, ())
    try:
        spec = MappingSpec.model_validate(value)
    except ValidationError as error:
        check.refuse_invalid(error)
    check.spec(spec)
    return spec, hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class _Check:
    """Says what is wrong with a mapping, and on which line."""

    path: Path
    lines: MappingOf[Location, int]

    def fail(self, at: Location, message: str, remedy: str | None = None) -> NoReturn:
        known = at
        while known and known not in self.lines:
            known = known[:-1]
        raise UsageError(
            message,
            path=self.path,
            line=self.lines.get(known, 1),
            field=".".join(str(part) for part in at) or None,
            remedy=remedy,
        )

    def nothing_open(self, value: object, at: Location) -> None:
        """Refuse what a draft leaves open; in data, a question mark is a value like another."""
        if {"map", "row", "line", "missing", "skip_if", "const", "header_has"} & set(at):
            return
        if value == OPEN:
            self.fail(at, "still open", "state what the file itself does not say")
        if isinstance(value, dict):
            for key, each in value.items():
                if key.startswith(OPEN):
                    self.fail((*at, key), "still open", "name the column that the value is for")
                self.nothing_open(each, (*at, key))
        elif isinstance(value, list):
            for number, each in enumerate(value):
                self.nothing_open(each, (*at, number))

    def refuse_invalid(self, error: ValidationError) -> NoReturn:
        # A key that is spelt wrongly is also missing: the wrong one tells more.
        errors = error.errors()
        first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
        # pydantic names the alternatives of a union in the location; no line has such a name.
        at = tuple(part for part in first["loc"] if not str(part).startswith(("dict[", "literal[")))
        if first["type"] == "extra_forbidden":
            self.fail(at, "unknown key", did_you_mean(str(at[-1]), _keys_at(at[:-1])))
        if first["type"] == "missing":
            self.fail(at, "missing", "add it")
        self.fail(at, str(first["msg"]))

    def spec(self, spec: MappingSpec) -> None:
        tables = table_headers()
        if spec.into not in tables:
            self.fail(("into",), "no such relation", did_you_mean(spec.into, tables))
        columns = {column.name: column for column in tables[spec.into]}
        if spec.time.zone is not None:
            try:
                check_zone(spec.time.zone)
            except TimeError as error:
                self.fail(("time", "zone"), error.reason)
        groups = self._groups(spec)
        for section, names in (("const", spec.const), ("fields", spec.fields)):
            for name in names:
                if name not in columns:
                    self.fail(
                        (section, name),
                        f"{spec.into} has no such column",
                        did_you_mean(name, columns),
                    )
        for name, value in spec.const.items():
            if name in spec.fields:
                self.fail(("const", name), "also among fields", "keep one of the two")
            self._word(("const", name), columns[name], value)
        for name, each in spec.fields.items():
            self._field(("fields", name), columns[name], each)
            for source in each.sources:
                self._group(("fields", name), source, groups)
        for source in spec.skip_if:
            self._group(("skip_if", source), source, groups)
        for name, column in columns.items():
            given = name in spec.fields or name in spec.const
            # The case file may state one asset for telemetry that names none.
            if column.required and not given and name != "asset_id":
                self.fail(("fields",), f"{spec.into} needs the column {name}", "map it or set it")
        self._samples(spec, columns)

    def _groups(self, spec: MappingSpec) -> frozenset[str] | None:
        if spec.file.kind != "regex":
            if spec.file.pattern is not None:
                self.fail(("file", "pattern"), "only for kind regex", "take it out")
            return None
        if spec.file.pattern is None:
            self.fail(("file",), "kind regex needs a pattern", "add one with named groups")
        return frozenset(self._regex(("file", "pattern"), spec.file.pattern).groupindex)

    def _group(self, at: Location, source: str, groups: frozenset[str] | None) -> None:
        if groups is not None and source not in groups:
            self.fail(at, f"the pattern has no group {source!r}", did_you_mean(source, groups))

    def _regex(self, at: Location, pattern: str) -> re.Pattern[str]:
        try:
            return re.compile(pattern)
        except re.error as error:
            self.fail(at, f"not a regular expression ({error})")

    def _field(self, at: Location, column: Column, spec: FieldSpec) -> None:
        if (spec.from_ is None) == (not spec.concat):
            self.fail(at, "needs one of from and concat")
        if spec.time is not None and column.kind != "instant":
            self.fail((*at, "time"), "only for a column that holds a time")
        for word in spec.map:
            self._word((*at, "map", word), column, spec.map[word])
        for number, rule in enumerate(spec.match):
            self._regex((*at, "match", number, "pattern"), rule.pattern)
            self._word((*at, "match", number, "value"), column, rule.value)
        if spec.parse is not None or spec.unit is not None:
            self._unit(at, column, spec)
        if spec.binary is not None and base_unit(column.name) != "bytes":
            self.fail((*at, "binary"), "only for a column of bytes")

    def _unit(self, at: Location, column: Column, spec: FieldSpec) -> None:
        if column.kind == "instant":
            if spec.parse is not None:
                self.fail((*at, "parse"), "only for a number")
            if spec.unit not in EPOCH_UNITS:
                self.fail((*at, "unit"), "no unit of time since 1970", "one of s, ms, us, ns")
            return
        base = base_unit(column.name)
        if base is None:
            self.fail(at, "the column has no unit to convert to", "take unit and parse out")
        if spec.unit is not None and spec.unit not in units(base):
            self.fail((*at, "unit"), "no such unit here", "one of " + ", ".join(units(base)))
        wanted = {"size": ("bytes",), "duration": ("s", "ms", "min")}
        if spec.parse is not None and base not in wanted[spec.parse]:
            self.fail((*at, "parse"), f"the column holds no {spec.parse}")

    def _word(self, at: Location, column: Column, value: str | None) -> None:
        if value is not None and column.words and value not in column.words:
            remedy = did_you_mean(value, column.words)
            self.fail(at, f"{value!r} is not in the vocabulary of {column.name}", remedy)

    def _samples(self, spec: MappingSpec, columns: MappingOf[str, Column]) -> None:
        for number, sample in enumerate(spec.samples):
            at: Location = ("samples", number)
            wanted, other = ("line", "row") if spec.file.kind == "regex" else ("row", "line")
            if getattr(sample, wanted) is None or getattr(sample, other) is not None:
                self.fail(at, f"a sample of kind {spec.file.kind} is a {wanted}")
            if isinstance(sample.expect, dict):
                if not sample.expect:
                    self.fail((*at, "expect"), "empty", "state what must come out")
                for name in sample.expect:
                    if name not in columns:
                        self.fail(
                            (*at, "expect", name),
                            f"{spec.into} has no such column",
                            did_you_mean(name, columns),
                        )


def _keys_at(at: Location) -> Sequence[str]:
    """The keys that a mapping may have at a place."""
    model: type[_Model] = MappingSpec
    if at[:1] == ("fields",):
        model = PatternSpec if "match" in at[2:] else FieldSpec
    elif at:
        parts: dict[str, type[_Model]] = {
            "match": MatchSpec,
            "file": FileSpec,
            "time": TimeSpec,
            "samples": SampleSpec,
        }
        model = parts[str(at[0])]
    return [each.alias or name for name, each in model.model_fields.items()]
