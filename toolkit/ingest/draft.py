"""A first mapping for a file that no reader knows: what can be seen is filled in, the rest asked.

Every decision that the file does not settle is a `?`, which a mapping may not keep.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.plain import quote
from toolkit.relations import table_headers
from toolkit.timestamps import TimeError, prove_order

_LOOKED_AT = 200
_SHOWN = 5
_LONGEST = 60
_TIME = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\b\d{1,2}:\d\d:\d\d\b")
_OFFSET = re.compile(r"(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\W*\Z")


def draft_mapping(file: EvidenceFile) -> str:
    """A mapping file in YAML, to be completed by whoever knows the file.

    It names the columns, keys or groups with some of the values seen, and one real record as a
    sample. What must not be guessed (relation, zone, order of day and month, units, meaning of
    words) is left open with `?`.
    """
    kind, header, records = _records(file)
    if kind == "regex":
        _require_text(file, records)
    lines = [
        "mapping: 1",
        f"name: {quote(file.name)}",
        f"match: {{glob: {quote('*' + _suffix(file.name))}}}",
    ]
    if kind == "regex":
        lines += [
            "file:",
            "  kind: regex",
            "  # Named groups of a line; a line that does not match in full is rejected.",
            f"  pattern: {_single(_pattern(records))}",
        ]
    elif kind == "csv":
        delimiter = quote(file.delimiter)
        lines.append(f'file: {{kind: csv, delimiter: {delimiter}, missing: [""]}}')
    else:
        lines.append(f'file: {{kind: {kind}, missing: [""]}}')
    if kind == "json":
        lines.append(f"records: {quote(header)}")
    lines += [
        "# The relation that the records belong to: one of",
        *_wrapped(sorted(table_headers())),
        'into: "?"',
        "# Columns that are the same for every record, such as {host: db-1}.",
        "const: {}",
        *_time_lines(_times(kind, records)),
        "# One line per column of the relation: write its name for the `?`, and take out the lines",
        "# of what the relation has no column for.",
        "fields:",
        *_field_lines(records, kind),
        "# What must come out of a record of the file; without it the mapping is not used.",
        "samples:",
        *_sample_lines(records, kind),
    ]
    return "\n".join(lines) + "\n"


Found = Sequence[Mapping[str, str]]


def _require_text(file: EvidenceFile, records: Found) -> None:
    """Refuse what is no text: bytes of no meaning are no lines that a pattern could read."""
    text = "".join(each["line"] for each in records)
    strange = sum(not (each.isprintable() or each.isspace()) or each == "\ufffd" for each in text)
    if not text or strange * 20 > len(text):
        raise EvidenceRefused(
            "the file is not text" if text else "the file holds no lines",
            path=file.path,
            remedy="export its records as CSV, JSON or lines of text",
        )


def _records(file: EvidenceFile) -> tuple[str, str, Found]:
    """The kind of file, the path of its records, and some of them as text by column."""
    path, array = _longest_array(file.json)
    if array:
        objects = [each for each in array if isinstance(each, dict)]
        return "json", path, [_flat(each) for each in objects[:_LOOKED_AT]]
    if file.json_lines is not None:
        return "jsonl", "$", [_flat(each) for each in file.json_lines]
    header = file.header
    if header is not None and len(header) > 1 and not any(map(_TIME.search, header)):
        rows = islice(_rows(file), _LOOKED_AT)
        return "csv", "$", [dict(zip(header, each, strict=False)) for each in rows]
    return "regex", "$", [{"line": record.raw.decode("utf-8", "replace")} for record in file.spread]


def _rows(file: EvidenceFile) -> Iterator[list[str]]:
    """Rows for a look: a file of its own, so that none of the real records is counted as read."""
    glance = EvidenceFile(file.path, file.data, name=file.name)
    for _, cells in glance.rows():
        if cells:
            yield cells


def _longest_array(value: Any, path: str = "$", depth: int = 3) -> tuple[str, list[Any]]:
    if isinstance(value, list):
        return path, value
    found: tuple[str, list[Any]] = ("$", [])
    if isinstance(value, dict) and depth:
        for key, each in value.items():
            deeper = key if path == "$" else f"{path}.{key}"
            candidate = _longest_array(each, deeper, depth - 1)
            if len(candidate[1]) > len(found[1]):
                found = candidate
    return found


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, each in value.items():
        if isinstance(each, dict):
            found |= _flat(each, f"{prefix}{key}.")
        elif not isinstance(each, list):
            found[prefix + key] = each if isinstance(each, str) else json.dumps(each)
    return found


def _suffix(name: str) -> str:
    return name[name.rindex(".") :] if "." in name else name


def _pattern(records: Found) -> str:
    first = records[0]["line"] if records else ""
    if re.match(r"\d{4}-\d\d-\d\dT\S+ ", first):
        return r"(?P<time>\S+) (?P<text>.*)"
    if re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* ", first):
        return r"(?P<time>\S+ \S+) (?P<text>.*)"
    return r"(?P<text>.*)"


def _times(kind: str, records: Found) -> list[str]:
    """The values that look like times; of a line, the one that it starts with."""
    if kind == "regex":
        pattern = _pattern(records)
        found = (re.match(pattern, each["line"]) for each in records)
        values = [each.groupdict().get("time") or "" for each in found if each]
    else:
        values = [value for each in records for value in each.values()]
    return [value for value in values if _TIME.search(value)]


def _time_lines(times: list[str]) -> list[str]:
    """The zone and the order of day and month, asked for where the values leave them open."""
    lines = ["# What times mean that state no zone or offset of their own."]
    zone = 'zone: "?"' if any(not _OFFSET.search(value) for value in times) else None
    order = None
    if any(re.search(r"\b\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b", value) for value in times):
        proven, *counts = _order_proven(times)
        order = f"order: {proven}" if proven else 'order: "?"'
        lines.append(
            "# order: day-first, month-first or year-first"
            + (f"; {sum(counts)} of the values seen prove {proven}" if proven else "")
        )
    stated = ", ".join(part for part in (zone, order) if part)
    if zone:
        lines.append("# zone: an IANA name such as America/Denver, or UTC")
    return [*lines, f"time: {{{stated}}}"] if stated else []


def _order_proven(times: list[str]) -> tuple[str | None, int, int]:
    try:
        return prove_order(times)
    except TimeError:
        return None, 0, 0


def _field_lines(records: Found, kind: str) -> list[str]:
    if kind == "regex":
        groups = re.findall(r"\?P<(\w+)>", _pattern(records))
        return [f'  "?{number}": {{from: {name}}}' for number, name in enumerate(groups, start=1)]
    known = {column.name for columns in table_headers().values() for column in columns}
    names = list(dict.fromkeys(name for each in records for name in each))
    lines = []
    for number, name in enumerate(names, start=1):
        values = list(dict.fromkeys(each[name] for each in records if each.get(name)))
        shown = ", ".join(quote(value[:_LONGEST]) for value in values[:_SHOWN])
        more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
        lines.append(f"  # seen: {shown}{more}" if values else "  # always empty")
        hints = []
        if any(_TIME.search(value) for value in values):
            hints.append("a time: add `time: FORMAT` unless it reads as ISO 8601")
        elif values and all(
            re.fullmatch(r"\d{10}(\.\d+)?|\d{13}|\d{16}|\d{19}", v) for v in values
        ):
            hints.append("perhaps seconds since 1970: then add `unit: s` (or ms, us, ns)")
        elif values and all(re.match(r"\d+(\.\d+)?\s*[A-Za-z]*\Z", value) for value in values):
            hints.append("a number: state its unit if the column of the relation has one")
        elif 1 < len(values) <= _SHOWN:
            hints.append("words: add `map: {WORD: MEANING}` where the relation has a vocabulary")
        lines += [f"  # {hint}" for hint in hints]
        column = quote(name) if name in known else f'"?{number}"'
        lines.append(f"  {column}: {{from: {quote(name)}}}")
    return lines


def _sample_lines(records: Found, kind: str) -> list[str]:
    expect = '    expect: {"?": "?"}'
    if kind == "regex":
        line = records[0]["line"] if records else ""
        return [f"  - line: {quote(line)}", expect]
    row = records[0] if records else {}
    return ["  - row:", *(f"      {quote(k)}: {quote(v)}" for k, v in row.items()), expect]


def _single(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _wrapped(words: list[str]) -> list[str]:
    lines, line = [], "#  "
    for word in words:
        if len(line) + len(word) > 96:
            lines.append(line)
            line = "#  "
        line += f" {word}"
    return [*lines, line]
