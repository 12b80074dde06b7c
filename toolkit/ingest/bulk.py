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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

import numpy as np
import numpy.typing as npt

from toolkit.ingest.container import MAX_CELL_BYTES, EvidenceFile
from toolkit.ingest.reader import SourceSettings
from toolkit.ingest.values import FALSE, TRUE
from toolkit.relations import Column, Relation
from toolkit.store import QueryError, Store, literal, quoted

# Below this size, reading row by row takes no time that anybody notices.
MIN_BYTES = 1 << 18
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
_BLANK = r"[\s\x0b\x1c-\x1f\x{85}\p{Z}]*"


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
    header = list(file.header or ())
    table = f"evidence.{relation.name}"
    last = file.scan.lines
    try:
        store.execute(_statement(source_id, file, name, relation, settings, shapes, header, last))
    except QueryError as error:
        raise Unfit(str(error)) from None
    times = [column.name for column in relation.columns if column.name in shapes]
    measured = ", ".join(
        f"count({quoted(each)}) filter (record_no < {last}) as n{index}, "
        f"min(record_no) filter ({quoted(each)} is not null) as first{index}"
        for index, each in enumerate(times)
    )
    at = quoted(relation.at or "")
    (found,) = store.rows(
        f"select count(*) as rows, max(record_no) as last, "
        f"min({at}) filter (record_no < {last}) as first_at, "
        f"max({at}) filter (record_no < {last}) as last_at, {measured} "
        f"from {table} where source_id = {source_id}"
    )
    if found["last"] != last:
        raise Unfit(f"line {last} is row {found['last']} of the engine")
    left = _left(store, table, source_id, last) if found["rows"] < last - 1 else []
    if found["rows"] + len(left) != last - 1:
        raise Unfit("the engine has not kept the order of the lines")
    # The last line was let through to prove the count; what it says is read as any other's.
    store.execute(f"delete from {table} where source_id = {source_id} and record_no = {last}")
    return EngineRead(
        relation.name,
        found["rows"] - 1,
        found["first_at"],
        found["last_at"],
        {
            each: Times(
                _BASIS[shapes[each].suffix], found[f"n{index}"], found[f"first{index}"] or last
            )
            for index, each in enumerate(times)
        },
        [*left, last],
    )


def _left(store: Store, table: str, source_id: int, last: int) -> list[int]:
    """The lines between the rows: rows stand in the order in which they were inserted."""
    gaps = store.rows(
        "select after, upto from ("
        "select lag(record_no, 1, 1) over () + 1 as after, record_no - 1 as upto "
        f"from {table} where source_id = {source_id}) where after <> upto + 1"
    )
    return [number for gap in gaps for number in range(gap["after"], gap["upto"] + 1)]


# -- the statement ---------------------------------------------------------------------------------


def _statement(
    source_id: int,
    file: EvidenceFile,
    name: str,
    relation: Relation,
    settings: SourceSettings,
    shapes: dict[str, _Shape],
    header: Sequence[str],
    last: int,
) -> str:
    shift = round(settings.clock_offset_seconds * 1_000_000)
    targets, values, conditions = [], [], []
    for column in relation.columns:
        cell = quoted(column.name)
        if column.name == "asset_id" and settings.asset_id:
            constant = literal(settings.asset_id)
            cell = f"coalesce({cell}, {constant})" if column.name in header else constant
        elif column.name not in header:
            if column.default is not None:
                targets.append(column.name)
                values.append(f"{literal(column.default)} as {quoted(column.name)}")
            continue
        value, condition = _reading(column, cell, shapes.get(column.name))
        if column.kind == "instant":
            targets.append(column.name)
            values.append(f"{_instant(value, -shift)} as {quoted(column.name)}")
            if column.name == relation.at and relation.bounds:
                width = 10 ** (6 - shapes[column.name].digits) - 1
                for bound, more in zip(relation.bounds, (0, width), strict=True):
                    targets.append(bound)
                    values.append(f"{_instant(value, more - shift)} as {quoted(bound)}")
        else:
            if column.default is not None:
                value = f"coalesce({value}, {literal(column.default)})"
            targets.append(column.name)
            values.append(f"{value} as {quoted(column.name)}")
        conditions.append(
            f"coalesce({condition}, {cell} is null)"
            if column.may_be_empty
            else f"coalesce({condition}, false)"
        )
    texts = ", ".join(f"{literal(each)}: 'VARCHAR'" for each in header)
    names = ", ".join(quoted(each) for each in targets)
    return f"""
        insert into evidence.{relation.name} (source_id, record_no, {names})
        select {source_id}, record_no, {names}
        from (
            select *, row_number() over () + 1 as record_no
            from (
                select {", ".join(values)}, {" and ".join(conditions)} as is_read
                from read_csv(
                    {literal(name)}, columns = {{{texts}}}, header = true, auto_detect = false,
                    delim = {literal(file.delimiter)}, quote = '', escape = '', comment = '',
                    nullstr = '', compression = 'none', hive_partitioning = false,
                    max_line_size = {MAX_CELL_BYTES}
                )
            )
        )
        where is_read or record_no = {last}
    """


def _reading(column: Column, cell: str, shape: _Shape | None) -> tuple[str, str]:
    """The value of a cell, and the condition under which the sink would read the same."""
    if column.kind == "instant":
        value = _moment(cell, shape) if shape else "null::timestamp"
        return value, f"{value} is not null or null" if shape else "null"
    if column.kind == "text":
        # A first character that is printable ASCII spares the look at the rest.
        return cell, (
            f"({cell} >= '!' and {cell} < chr(127)) "
            f"or not regexp_full_match({cell}, {literal(_BLANK)})"
        )
    if column.kind == "word":
        words = ", ".join(literal(word) for word in column.words)
        return f"lower({cell})", (
            f"lower({cell}) in ({words}) and strlen(lower({cell})) = strlen({cell})"
        )
    if column.kind == "flag":
        yes, no = (", ".join(literal(word) for word in sorted(each)) for each in (TRUE, FALSE))
        return f"lower({cell}) in ({yes})", f"lower({cell}) in ({yes}, {no})"
    number = f"case when not contains({cell}, '+-') then try_cast({cell} as double) end"
    if column.kind == "number":
        return number, f"isfinite({number})"
    return (
        f"try_cast({number} as bigint)",
        f"({number}) = trunc({number}) and abs({number}) < 9007199254740992",
    )


def _moment(cell: str, shape: _Shape) -> str:
    """The time of a cell of exactly this shape, else NULL.

    Every field has its full width, because no field can be wider and the whole has the length.
    """
    guards = [
        f"strlen({cell}) = {shape.length}",
        f"{cell} >= '1970'",
        f"{cell} < '2101'",
    ]
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
    return f"case when {' and '.join(guards)} then try_strptime({text}, {literal(form)}) end"


def _instant(moment: str, micros: int) -> str:
    sign = "-" if micros < 0 else "+"
    return f"make_timestamptz(epoch_us({moment}) {sign} {abs(micros)})"


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
