"""Tables and logs of foreign shape, read by the mapping file that the case names for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from toolkit.errors import EvidenceRefused, UsageError
from toolkit.ingest import mapping as mappings
from toolkit.ingest.container import EvidenceFile, Record, parse_json
from toolkit.ingest.mapping import Unmapped, load_mapping
from toolkit.ingest.reader import Reader, Sink, SourceSettings
from toolkit.relations import table_headers

Found = tuple[Record, mappings.Values | Unmapped | None]


class Mapped(Reader):
    """Whatever a mapping file describes; never chosen without one."""

    name = "mapped"
    title = "Tables and logs of any shape, by a mapping file (CSV, JSON, JSON lines, lines)"
    fills = tuple(table_headers())
    obtain = "postmortem mapping init FILE drafts a mapping; name it as mapping in the case file"
    traps: ClassVar[tuple[str, ...]] = (
        "zone, order of day and month, and units are what the mapping says: check them",
        "a value without an entry in its map rejects the record, unless the map has a `*`",
        "a mapped column that the file does not have refuses the file",
    )
    sample = b"""when_done;node;what;result
09.03.2022 01:52;fs01;nightly;Finished
09.03.2022 02:11;fs02;nightly;Aborted
"""

    def matches(self, file: EvidenceFile) -> bool:
        return False

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        if settings.mapping is None:
            raise UsageError(
                "no mapping is named for the file",
                path=file.path,
                remedy="draft one with: postmortem mapping init FILE",
            )
        mapping = load_mapping(Path(settings.mapping))
        differences = mapping.test(settings)
        if differences and settings.zone is None and "TIME_NO_ZONE" in differences[0]:
            raise EvidenceRefused(
                "the mapping leaves the zone of local times to the case, which declares none",
                path=file.path,
                remedy='declare zone = "…" in case.toml, or give ingest --zone',
            )
        if differences:
            raise UsageError(
                differences[0],
                path=mapping.path,
                field="samples",
                remedy="correct the mapping, or what its sample expects",
            )
        mapping.check_file(file)
        for column, rule in mapping.rules(settings).items():
            sink.rule(column, rule)
        for record, found in _KINDS[mapping.spec.file.kind](file, mapping):
            try:
                _send(record, found, mapping, settings, sink)
            except Unmapped as error:
                sink.reject(record, error.code, error.reason, field=error.field)


def _send(
    record: Record,
    found: mappings.Values | Unmapped | None,
    mapping: mappings.Mapping,
    settings: SourceSettings,
    sink: Sink,
) -> None:
    if found is None:
        sink.skip(record, "blank line")
        return
    if isinstance(found, Unmapped):
        raise found
    if mapping.is_skipped(found):
        sink.skip(record, "the mapping's skip_if")
        return
    converted = mapping.convert(found, settings.asset_id)
    if sink.accept(record, *mapping.rows(converted.row)):
        for column, raw in converted.notes:
            sink.note(record, column, "UNKNOWN_WORD", raw)


def _csv(file: EvidenceFile, mapping: mappings.Mapping) -> Iterator[Found]:
    header = file.header or ()
    for record, cells in file.rows():
        if cells is None:
            yield record, Unmapped("CSV_UNREADABLE", "not UTF-8, or a quote that does not close")
        elif not any(cell.strip() for cell in cells):
            yield record, None
        elif len(cells) != len(header):
            yield (
                record,
                Unmapped("CSV_FIELDS", f"{len(cells)} cells under {len(header)} columns"),
            )
        else:
            yield record, dict(zip(header, cells, strict=True))


def _regex(file: EvidenceFile, mapping: mappings.Mapping) -> Iterator[Found]:
    matched = False
    for record in file.lines():
        try:
            line = record.text
        except UnicodeDecodeError:
            yield record, Unmapped("LINE_NOT_UTF8", "the line is not UTF-8")
            continue
        if not line.strip():
            yield record, None
            continue
        groups = mapping.groups(line)
        matched = matched or groups is not None
        yield record, groups or Unmapped("LINE_UNMATCHED", "the pattern does not match the line")
    if not matched:
        raise EvidenceRefused(
            f"the pattern of {mapping.path.name} matches no line",
            path=file.path,
            remedy="correct the pattern, or name another mapping for the file",
        )


def _json_lines(file: EvidenceFile, mapping: mappings.Mapping) -> Iterator[Found]:
    seen = _Seen(file, mapping)
    for record in file.lines():
        if not record.raw.strip():
            yield record, None
            continue
        try:
            value = parse_json(record.text)
        except (ValueError, RecursionError) as error:
            yield record, Unmapped("JSON_UNREADABLE", f"the line is not JSON ({error})")
            continue
        yield record, seen.values(value)
    seen.check()


def _json(file: EvidenceFile, mapping: mappings.Mapping) -> Iterator[Found]:
    seen = _Seen(file, mapping)
    for record, value in file.elements(_array(file, mapping)):
        yield record, seen.values(value)
    seen.check()


def _array(file: EvidenceFile, mapping: mappings.Mapping) -> list[Any]:
    path = mapping.spec.records
    try:
        value = parse_json(file.data)
    except (ValueError, RecursionError) as error:
        raise EvidenceRefused(
            f"the file is not JSON ({error})",
            path=file.path,
            line=getattr(error, "lineno", None),
            remedy="export it again",
        ) from None
    for key in path.removeprefix("$").split("."):
        if key:
            value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, list):
        raise EvidenceRefused(
            f"there is no list of records at {path!r}",
            path=file.path,
            field="records",
            remedy=f"correct records in the mapping {mapping.path.name}",
        )
    return value


class _Seen:
    """The mapped keys that the records of a file hold: one that none holds is a wrong name."""

    def __init__(self, file: EvidenceFile, mapping: mappings.Mapping) -> None:
        self._file = file
        self._mapping = mapping
        self._never = set(mapping.sources)
        self._any = False

    def values(self, value: Any) -> mappings.Values | Unmapped:
        if not isinstance(value, Mapping):
            return Unmapped("RECORD_SHAPE", "the record is not a JSON object")
        self._any = True
        try:
            found = self._mapping.pick(value)
        except Unmapped as error:
            return error
        self._never -= found.keys()
        return found

    def check(self) -> None:
        if self._any and self._never:
            raise EvidenceRefused(
                "no record has this key",
                path=self._file.path,
                field=min(self._never),
                remedy=self._mapping.remedy,
            )


_KINDS = {"csv": _csv, "jsonl": _json_lines, "json": _json, "regex": _regex}
