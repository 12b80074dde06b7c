"""Tables of plain records, read by the engine itself.

Telemetry comes in millions of rows that all look alike. The engine takes those whose every value
has the one form in which the sink and the engine read it alike; the numbers of all other lines are
handed back, and the sink reads these. So what becomes of a record does not depend on who reads it.

The engine is not trusted with what it is known to get wrong: it drops blank lines, takes a surplus
separator at the end of a line, accepts times of any form, and counts lines otherwise once it has
met a bad one. Therefore it reads texts only, every line must come out as one row (the last line
proves it), and a file whose lines are not all cut alike is first copied with every such line
replaced by an empty one.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

import numpy as np
import numpy.typing as npt

from toolkit.ingest.container import MAX_CELL_BYTES, EvidenceFile
from toolkit.ingest.reader import SourceSettings, target_of
from toolkit.ingest.values import FALSE, TRUE
from toolkit.relations import Column, Relation
from toolkit.store import QueryError, Store, literal, part_table, quoted

# Below this size, reading row by row takes no time that anybody notices.
MIN_BYTES = 1 << 18
# From this size on, a file has a table of its own, with no more columns than it states.
PART_BYTES = 1 << 24
# Lines of a log are expected in order; job records and tickets are not.
ORDERED = frozenset({"maintenance_event"})
# `plain` lets the engine read the file where it stands if its counts add up, `copy` only a copy
# without the lines that are cut otherwise, `none` nothing.
Trust = Literal["plain", "copy", "none"]

_Ints = npt.NDArray[np.intp]
_LINE_FEED, _RETURN, _QUOTE, _NUL, _FIRST_HIGH = 10, 13, 34, 0, 128
_SHAPE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ])[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.([0-9]{1,6}))?(Z|\+00:00)?"
)
_BASIS = {"Z": "utc", "+00:00": "offset", "": "zone_declared"}
# What Python takes for blank, in the engine's regular expressions.
_BLANK = r"'[\s\x0b\x1c-\x1f\x{85}\p{Z}]*'"


class Unfit(Exception):
    """The engine's answer does not stand a check: the file must be read with less trust."""


@dataclass(frozen=True, slots=True)
class Times:
    """How the engine read a time column: how many values, and the first record that has one."""

    basis: str
    readings: int
    first_record: int


@dataclass(frozen=True, slots=True)
class EngineRead:
    """What the engine has read of a file, and which lines are left."""

    relation: str
    accepted: int
    first_at: datetime | None
    last_at: datetime | None
    times: dict[str, Times]
    left: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Shape:
    """The one form of a time column that the engine reads."""

    length: int
    separator: str
    digits: int
    suffix: str


def read_by_engine(
    store: Store,
    source_id: int,
    file: EvidenceFile,
    relation: Relation,
    settings: SourceSettings,
    trust: Trust,
) -> EngineRead | None:
    """Insert the plain records of a CSV, whose header is that of the relation, as its rows.

    Returns None, without a trace, where the file is not one for the engine. Raises Unfit, with the
    transaction to be rolled back, where what the engine did does not stand the checks.
    """
    header = file.header
    place = file.place
    if trust == "none" or place is None or header is None or file.scan.bytes < MIN_BYTES:
        return None
    if relation.name in ORDERED or relation.at is None:
        return None
    shapes = _shapes(file, relation, header, settings)
    if relation.at not in shapes or relation.by_column[relation.at].may_be_empty:
        return None
    last = file.scan.lines
    is_even = file.scan.separators == last * (len(header) - 1)
    if trust == "plain" and file.scan.is_plain and is_even:
        with _named_plainly(place) as name:
            return _read(store, source_id, file, name, relation, settings, shapes)
    quotes = sum(b'"' in record.raw for record in file.spread)
    if quotes * 4 > len(file.spread):
        return None
    with tempfile.NamedTemporaryFile(prefix="evidence-") as copy:
        if not _copy(file, len(header), copy):
            return None
        copy.flush()
        return _read(store, source_id, file, copy.name, relation, settings, shapes)


@contextmanager
def _named_plainly(place: Path) -> Iterator[str]:
    """A path to a file in which the engine sees no pattern."""
    path = place.absolute()
    if not set("*?[]{}") & set(str(path)):
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="evidence-") as folder:
        link = Path(folder) / "evidence.csv"
        link.symlink_to(path)
        yield str(link)


def _read(
    store: Store,
    source_id: int,
    file: EvidenceFile,
    name: str,
    relation: Relation,
    settings: SourceSettings,
    shapes: dict[str, _Shape],
) -> EngineRead:
    is_part = file.scan.bytes >= PART_BYTES
    whole = f"evidence.{relation.name}"
    table = quoted(part_table(relation.name, source_id)) if is_part else store.rows_table(whole)
    mine = "true" if is_part else f"source_id = {source_id}"
    last = file.scan.lines
    chosen, constants, rows = _statement(file, name, relation, settings, shapes)
    try:
        if is_part:
            columns = ", ".join(f"{value} as {quoted(each)}" for each, value in chosen.items())
            store.execute(f"create table {table} as select {columns} {rows}")
        else:
            chosen = {"source_id": str(source_id)} | chosen | constants
            names = ", ".join(quoted(each) for each in chosen)
            store.execute(
                f"insert into {table} ({names}) select {', '.join(chosen.values())} {rows}"
            )
    except QueryError as error:
        raise Unfit(str(error)) from None
    # The last line is let through in any case, as -1 where it is not read, to prove that every line
    # has become one row. By these limits the engine passes over all other blocks.
    ends = store.rows(
        f"select record_no from {table} where {mine} and (record_no >= {last} or record_no < 0)"
    )
    if [row["record_no"] for row in ends] not in ([last], [-1]):
        raise Unfit(f"line {last} is not the last row of the engine")
    if ends[0]["record_no"] < 0:
        store.execute(f"delete from {table} where {mine} and record_no < 0")
    at = quoted(relation.at or "")
    # The time of a row is never empty; the other times of the relation may be.
    others = [each for each in shapes if each != relation.at]
    measured = "".join(
        f", count({quoted(each)}) as n{index}, "
        f"min(record_no) filter ({quoted(each)} is not null) as first{index}"
        for index, each in enumerate(others)
    )
    (found,) = store.rows(
        f"select count(*) as rows, min(record_no) as first, max(record_no) as last, "
        f"min({at}) as first_at, max({at}) as last_at{measured} from {table} where {mine}"
    )
    left = _left(store, table, mine) if found["rows"] < last - 1 else []
    left += range((found["last"] or 1) + 1, last + 1)
    if found["rows"] + len(left) != last - 1:
        raise Unfit("the engine has not kept the order of the lines")
    readings = {relation.at or "": (found["rows"], found["first"])} | {
        each: (found[f"n{index}"], found[f"first{index}"]) for index, each in enumerate(others)
    }
    if is_part:
        store.add_part(relation, source_id, constants)
    return EngineRead(
        relation.name,
        found["rows"],
        found["first_at"],
        found["last_at"],
        {
            each: Times(_BASIS[shapes[each].suffix], count, first or last)
            for each, (count, first) in readings.items()
        },
        left,
    )


def _left(store: Store, table: str, mine: str) -> list[int]:
    """The lines between the rows: rows stand in the order in which they were inserted."""
    gaps = store.rows(
        "select after, upto from ("
        "select lag(record_no, 1, 1) over () + 1 as after, record_no - 1 as upto "
        f"from {table} where {mine}) where after <> upto + 1"
    )
    return [number for gap in gaps for number in range(gap["after"], gap["upto"] + 1)]


# -- the statement ---------------------------------------------------------------------------------


def _statement(
    file: EvidenceFile,
    name: str,
    relation: Relation,
    settings: SourceSettings,
    shapes: Mapping[str, _Shape],
) -> tuple[dict[str, str], dict[str, str], str]:
    """The columns, the constant columns, and the source of the records in which the engine reads
    every value as the sink would.

    What a row costs lies in the conditions: these are few per column, look at the first character
    or the length, and stand in a filter, which stops at the first that does not hold.
    """
    header = list(file.header or ())
    last = file.scan.lines
    target = target_of(relation.name, settings)
    shift = round(settings.clock_offset_seconds * 1_000_000)
    targets: dict[str, str] = {}
    constants: dict[str, str] = {}
    reads: list[str] = []
    conditions: list[str] = []
    for column in relation.columns:
        cell = quoted(column.name)
        if column.name == "asset_id" and settings.asset_id and column.name not in header:
            constants[column.name] = literal(settings.asset_id)
            continue
        if column.name == "target_asset" and target and column.name not in header:
            constants[column.name] = literal(target)
            continue
        if column.name not in header:
            if column.default is not None:
                constants[column.name] = literal(column.default)
            continue
        read, guards, value = _reading(column, shapes.get(column.name))
        if read:
            reads.append(f"{read} as {_read_name(column)}")
        holds = " and ".join(guards)
        if column.name == "asset_id" and settings.asset_id:
            value = f"coalesce({value}, {literal(settings.asset_id)})"
            conditions.append(f"({cell} is null or ({holds}))")
        elif column.name == "target_asset" and target:
            value = f"coalesce({value}, {literal(target)})"
            conditions.append(f"({cell} is null or ({holds}))")
        elif column.may_be_empty:
            conditions.append(f"({cell} is null or ({holds}))")
        else:
            conditions.append(holds)
        if column.kind == "instant":
            targets[column.name] = _instant(value, -shift)
            if column.name == relation.at and relation.bounds:
                width = 10 ** (6 - shapes[column.name].digits) - 1
                targets[relation.bounds[0]] = _instant(value, -shift)
                targets[relation.bounds[1]] = _instant(value, width - shift)
        else:
            if column.default is not None:
                value = f"coalesce({value}, {literal(column.default)})"
            targets[column.name] = value
    is_read = " and ".join(conditions)
    texts = ", ".join(f"{literal(each)}: 'VARCHAR'" for each in header)
    number = f"case when record_no < {last} or ({is_read}) then record_no else -1 end"
    rows = f"""
        from (
            select *, row_number() over () + 1 as record_no
            from (
                select {", ".join(["*", *reads])}
                from read_csv(
                    {literal(name)}, columns = {{{texts}}}, header = true, auto_detect = false,
                    delim = {literal(file.delimiter)}, quote = '', escape = '', comment = '',
                    nullstr = '', compression = 'none', hive_partitioning = false,
                    max_line_size = {MAX_CELL_BYTES}
                )
            )
        )
        where ({is_read}) or record_no = {last}
    """
    chosen = {"record_no": number} | targets
    return chosen, constants, rows


def _read_name(column: Column) -> str:
    return quoted(f"read {column.name}")


def _reading(column: Column, shape: _Shape | None) -> tuple[str | None, list[str], str]:
    """How a cell is read, under which conditions the sink reads the same, and the value."""
    cell, read = quoted(column.name), _read_name(column)
    if column.kind == "instant":
        if shape is None:
            return None, ["false"], "null::timestamp"
        return *_moment(cell, read, shape), read
    if column.kind == "text":
        # A first character that is printable ASCII spares the look at the rest.
        seen = f"(({cell} >= '!' and {cell} < chr(127)) or not regexp_full_match({cell}, {_BLANK}))"
        return None, [seen], cell
    if column.kind in ("word", "flag"):
        known = {word: literal(word) for word in column.words}
        if column.kind == "flag":
            known = {word: "true" if word in TRUE else "false" for word in sorted(TRUE | FALSE)}
        # Not by IN, which becomes a join.
        cases = " ".join(f"when {literal(word)} then {value}" for word, value in known.items())
        # What grows or shrinks in lower case does so differently elsewhere.
        guards = [f"{read} is not null", f"strlen(lower({cell})) = strlen({cell})"]
        if column.kind == "word":
            guards[1] = f"strlen({read}) = strlen({cell})"
        return f"case lower({cell}) {cases} end", guards, read
    # A number that begins with a sign other than minus, or a blank, is looked at again.
    number = f"try_cast({cell} as double)"
    if column.kind == "number":
        return number, [f"{cell} >= '-'", f"isfinite({read})"], read
    guards = [f"{cell} >= '-'", f"{read} = trunc({read})", f"abs({read}) < 9007199254740992"]
    return number, guards, f"try_cast({read} as bigint)"


def _moment(cell: str, read: str, shape: _Shape) -> tuple[str, list[str]]:
    """How a time of exactly this shape is read.

    Every field has its full width, because no field can be wider and the whole has the length.
    """
    guards = [f"strlen({cell}) = {shape.length}", f"{cell} >= '1970'", f"{cell} < '2101'"]
    text, suffix = cell, shape.suffix
    if shape.suffix:
        guards.append(f"ends_with({cell}, {literal(shape.suffix)})")
    else:
        text, suffix = f"({text} || 'Z')", "Z"
    if shape.separator == " ":
        text = f"replace({text}, ' ', 'T')"
    form = "%Y-%m-%dT%H:%M:%S" + (".%f" if shape.digits else "") + suffix
    if shape.digits:
        guards.append(f"{cell} like '____-__-__{shape.separator}__:__:__.%'")
    return f"try_strptime({text}, {literal(form)})", [*guards, f"{read} is not null"]


def _instant(moment: str, micros: int) -> str:
    if not micros:
        return f"make_timestamptz(epoch_us({moment}))"
    return f"make_timestamptz(epoch_us({moment}) {'-' if micros < 0 else '+'} {abs(micros)})"


def _shapes(
    file: EvidenceFile, relation: Relation, header: Sequence[str], settings: SourceSettings
) -> dict[str, _Shape]:
    """The shape of each time column, by the first lines that show it."""
    found: dict[str, _Shape] = {}
    times = [
        (index, name)
        for index, name in enumerate(header)
        if relation.by_column[name].kind == "instant"
    ]
    for record in file.spread:
        cells = record.raw.decode("utf-8", "replace").split(file.delimiter)
        for index, name in times:
            match = _SHAPE.fullmatch(cells[index]) if index < len(cells) else None
            if match is None or name in found:
                continue
            separator, fraction, suffix = match.groups()
            if suffix is None and settings.zone not in ("UTC", "Z"):
                continue
            found[name] = _Shape(len(match[0]), separator, len(fraction or ""), suffix or "")
    return found


# -- the copy --------------------------------------------------------------------------------------


def _copy(file: EvidenceFile, cells: int, copy: IO[bytes]) -> bool:
    """Copy a CSV with every line emptied that is not cut into cells by its separators alone.

    Returns whether it is worth reading: false where most lines are like that.
    """
    separator = ord(file.delimiter)
    empty = file.delimiter.encode() * (cells - 1) + b"\n"
    lines = emptied = 0
    is_open = False
    for chunk in file.line_chunks():
        view = np.frombuffer(chunk, np.uint8)
        ends = np.flatnonzero(view == _LINE_FEED)
        if not chunk.endswith(b"\n"):
            ends = np.append(ends, len(chunk))
        starts = np.append(0, ends[:-1] + 1)
        cut = np.searchsorted(np.flatnonzero(view == separator), ends)
        bad = np.diff(cut, prepend=0) != cells - 1
        bad |= ends - starts >= MAX_CELL_BYTES
        bad[_lines(ends, np.flatnonzero(view == _NUL))] = True
        returns = np.flatnonzero(view == _RETURN)
        bad[_lines(ends, returns[~np.isin(returns + 1, ends)])] = True
        if view.max(initial=0) >= _FIRST_HIGH:
            high = np.unique(_lines(ends, np.flatnonzero(view >= _FIRST_HIGH)))
            bad[_not_utf8(chunk, starts, ends, high)] = True
        quotes = np.bincount(_lines(ends, np.flatnonzero(view == _QUOTE)), minlength=len(ends))
        if not lines:
            quotes[0], bad[0] = 0, False
        inside = (np.cumsum(quotes) - quotes + is_open) % 2 == 1
        is_open = bool((quotes.sum() + is_open) % 2)
        bad |= inside | (quotes > 0)
        where = np.flatnonzero(bad)
        lines, emptied = lines + len(ends), emptied + len(where)
        if emptied > 100_000 and emptied * 2 > lines:
            return False
        at = 0
        for index in where.tolist():
            copy.write(chunk[at : starts[index]].replace(b"\r\n", b"\n"))
            copy.write(empty)
            at = int(ends[index]) + 1
        copy.write(chunk[at:].replace(b"\r\n", b"\n"))
    return True


def _lines(ends: _Ints, places: _Ints) -> _Ints:
    return np.searchsorted(ends, places)


def _not_utf8(chunk: bytes, starts: _Ints, ends: _Ints, lines: _Ints) -> _Ints:
    """Which of the lines are not UTF-8."""
    if _is_utf8(chunk):
        return np.array([], np.intp)
    bad = [line for line in lines.tolist() if not _is_utf8(chunk[starts[line] : ends[line]])]
    return np.array(bad, np.intp)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
