"""CSV, JSON Lines and Parquet files whose header is that of an input relation."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile, Record, parse_json
from toolkit.ingest.keyvalue import objects
from toolkit.ingest.reader import Reader, Row, Sink, SourceSettings, target_of
from toolkit.ingest.sink import EvidenceSink
from toolkit.relations import BY_NAME, COMPONENT_COLUMNS, Column, table_headers
from toolkit.timestamps import TimeError, TimeRule, prove_order

BATCH_ROWS = 1 << 13
_DAY_MONTH = re.compile(r"^\s*\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b")


class TableReader(Reader):
    """Reads a file as it is when all its columns belong to one relation."""

    name = "table"
    title = "CSV, JSON Lines or Parquet with the relations' own headers"
    fills = tuple(table_headers())
    obtain = "Write it with any tool; give the columns the names of the relation."
    traps = (
        "Times without an offset need a zone in case.toml.",
        "Days and months in numbers need `order`, unless rows of the file prove it.",
    )
    sample: ClassVar[bytes] = (
        b"occurred_at,action,target,change_id,actor,outcome\n"
        b"2022-03-09T09:14:05Z,decommission,mds-us-2,CHG0030142,op-a,success\n"
    )

    def matches(self, file: EvidenceFile) -> bool:
        return bool(_fitting(_columns(file), None))

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        columns = _columns(file)
        if not columns:
            raise EvidenceRefused(
                "the file has no header", path=file.path, line=1, remedy="give it a header row"
            )
        relation = _choose(file, columns, settings)
        if file.is_parquet:
            _read_parquet(file, relation, settings, sink)
            return
        if objects(file):
            _send(file, relation, settings, sink, lambda: _json_rows(file, relation))
            return
        left = None
        if isinstance(sink, EvidenceSink) and relation != "status_update":
            left = sink.accept_file(relation, file)
        _send(file, relation, settings, sink, lambda: _csv_rows(file, left))


def why_not(file: EvidenceFile, settings: SourceSettings) -> EvidenceRefused:
    """What keeps a file with a header from being one of the relations."""
    try:
        _choose(file, _columns(file), settings)
    except EvidenceRefused as refusal:
        return refusal
    return EvidenceRefused("no reader claims the file", path=file.path)


def _columns(file: EvidenceFile) -> Sequence[str]:
    if file.is_parquet:
        try:
            return list(pq.read_schema(io.BytesIO(file.data)).names)
        except (pa.ArrowException, OSError):
            return []
    if entries := objects(file):
        names: dict[str, None] = {}
        for value in entries:
            names |= dict.fromkeys(value)
        return list(names)
    return file.header or []


def _fitting(columns: Sequence[str], asset_id: str | None) -> list[str]:
    """Relations to which every column belongs and whose required columns are all there."""
    given = set(columns)
    if asset_id:
        given = given | {"asset_id"}
    return [
        name
        for name, known in table_headers().items()
        if columns
        and len(set(columns)) == len(columns)
        and set(columns) <= {column.name for column in known}
        and BY_NAME[name].required <= given
    ]


def _choose(file: EvidenceFile, columns: Sequence[str], settings: SourceSettings) -> str:
    fitting = _fitting(columns, settings.asset_id)
    if len(fitting) == 1:
        return fitting[0]
    if len(set(columns)) != len(columns):
        twice = next(name for name in columns if list(columns).count(name) > 1)
        raise EvidenceRefused(
            "the column stands twice in the header", path=file.path, line=1, field=twice,
            remedy="rename one of them",
        )  # fmt: skip
    if not fitting:
        raise EvidenceRefused(*_why_none(columns), path=file.path, line=1, remedy=_MAPPING)
    stem = file.name.split(".")[0].lower()
    named = [name for name in fitting if stem == name or re.match(rf"{name}[-_.]", stem)]
    if len(named) >= 1:
        return max(named, key=len)
    most = max(len(BY_NAME[name].required) for name in fitting)
    best = [name for name in fitting if len(BY_NAME[name].required) == most]
    if len(best) == 1:
        return best[0]
    raise EvidenceRefused(
        f"the header fits {' and '.join(best)}", path=file.path, line=1,
        remedy="name the file after the relation",
    )  # fmt: skip


_MAPPING = "rename the columns, or write a mapping: postmortem mapping init FILE"


def _why_none(columns: Sequence[str]) -> tuple[str]:
    """What keeps the header from being that of the relation it comes nearest to."""
    given = set(columns)
    nearest = max(
        table_headers(),
        key=lambda name: len(given & {column.name for column in table_headers()[name]}),
    )
    known = {column.name for column in table_headers()[nearest]}
    foreign = [name for name in columns if name not in known]
    missing = sorted(BY_NAME[nearest].required - given)
    if not given & known:
        return ("no column belongs to an input relation",)
    parts = []
    if foreign:
        parts.append(f"column {foreign[0]!r} does not belong to {nearest}")
    if missing:
        parts.append(f"{nearest} needs the column {missing[0]!r}")
    return (", and ".join(parts),)


_Fault = tuple[str, str, str | None]
_Rows = Iterator[tuple[Record, Row | None, _Fault | None]]


def _send(
    file: EvidenceFile,
    relation: str,
    settings: SourceSettings,
    sink: Sink,
    read: Callable[[], _Rows],
) -> None:
    """Send rows to the sink in batches."""
    order_is_known = settings.order is not None
    times = [column.name for column in table_headers()[relation] if column.kind == "instant"]
    rows = read()
    while batch := list(islice(rows, BATCH_ROWS)):
        good: list[tuple[Record, Row]] = []
        for record, row, fault in batch:
            if fault:
                code, reason, field = fault
                sink.reject(record, code, reason, field=field)
            elif row is None:
                sink.skip(record, "blank line")
            else:
                good.append((record, row))
        if not order_is_known and any(_has_day_and_month(row, times) for _, row in good):
            _state_order(file, relation, sink, read)
            order_is_known = True
        _send_batch(relation, settings, sink, good)


def _send_batch(
    relation: str, settings: SourceSettings, sink: Sink, rows: Sequence[tuple[Record, Row]]
) -> None:
    known = BY_NAME[relation].by_column.keys()
    is_split = relation == "status_update" and any(not row.keys() <= known for _, row in rows)
    if is_split or not isinstance(sink, EvidenceSink):
        for record, row in rows:
            sink.accept(record, *_rows(relation, row, settings))
        return
    names = dict.fromkeys(name for _, row in rows for name in row)
    columns = {name: [row.get(name) for _, row in rows] for name in names}
    if settings.asset_id and "asset_id" in BY_NAME[relation].by_column:
        given = columns.get("asset_id", [None] * len(rows))
        columns["asset_id"] = [value or settings.asset_id for value in given]
    sink.accept_columns(relation, [record for record, _ in rows], columns)


def _csv_rows(file: EvidenceFile, numbers: Sequence[int] | None = None) -> _Rows:
    """The rows of a CSV, or those of its lines that have one of the numbers."""
    header = list(file.header or ())
    rows = file.rows() if numbers is None else file.rows_of(file.numbered(numbers))
    for record, cells in rows:
        if cells is None:
            yield record, None, _undecodable(record)
        elif not cells:
            yield record, None, None
        elif len(cells) != len(header):
            reason = f"the row has {len(cells)} cells, the header {len(header)}"
            yield record, None, ("CSV_FIELDS", reason, None)
        else:
            yield record, dict(zip(header, cells, strict=True)), None


def _undecodable(record: Record) -> _Fault:
    try:
        text = record.text
    except UnicodeDecodeError as error:
        return "TEXT_NOT_UTF8", f"byte {error.start + 1} of the record is not UTF-8", None
    if "\0" in text:
        return "TEXT_NUL", "the record holds a NUL byte", None
    return "CSV_QUOTE", "a quote that opens in or before this line does not close", None


def _json_rows(file: EvidenceFile, relation: str) -> _Rows:
    known = {column.name for column in table_headers()[relation]}
    for record in file.lines():
        if not record.raw.strip():
            yield record, None, None
            continue
        try:
            value = parse_json(record.raw)
        except UnicodeDecodeError as error:
            yield record, None, ("TEXT_NOT_UTF8", f"byte {error.start + 1} is not UTF-8", None)
            continue
        except (ValueError, RecursionError) as error:
            yield record, None, ("JSON_UNREADABLE", str(error), None)
            continue
        if not isinstance(value, dict) or any(
            isinstance(item, dict | list) for item in value.values()
        ):
            yield record, None, ("JSON_SHAPE", "the line is no flat JSON object", None)
            continue
        # The relation was chosen by a spread of the lines; one between them may have another key.
        foreign = next((name for name in value if name not in known), None)
        if foreign is not None:
            yield record, None, ("JSON_KEY", f"{relation} has no such column", foreign)
            continue
        yield record, value, None


def _rows(relation: str, row: Row, settings: SourceSettings) -> Iterable[tuple[str, Row]]:
    known = BY_NAME[relation].by_column
    values = {name: value for name, value in row.items() if name in known}
    if settings.asset_id and "asset_id" in known and not values.get("asset_id"):
        values["asset_id"] = settings.asset_id
    yield relation, values
    if relation == "status_update" and any(row.get(name) for name in COMPONENT_COLUMNS):
        shared = {name: row.get(name) for name in ("incident_id", "update_id", "posted_at")}
        yield "status_component", shared | {name: row.get(name) for name in COMPONENT_COLUMNS}


def _has_day_and_month(row: Row, times: Sequence[str]) -> bool:
    for name in times:
        value = row.get(name)
        if isinstance(value, str) and not value[:4].isdigit() and _DAY_MONTH.match(value):
            return True
    return False


def _state_order(file: EvidenceFile, relation: str, sink: Sink, read: Callable[[], _Rows]) -> None:
    """Where days and months stand in numbers, let the file's own rows prove their order."""
    times = [column.name for column in table_headers()[relation] if column.kind == "instant"]
    seen: dict[str, set[str]] = {}
    read_count = file.read_count
    for _, row, _ in read():
        for name in times if row else ():
            value = row.get(name) if row else None
            if isinstance(value, str) and _DAY_MONTH.match(value):
                seen.setdefault(name, set()).add(value)
    file.read_count = read_count
    for name, values in seen.items():
        try:
            order, _, _ = prove_order(values)
        except TimeError as error:
            raise EvidenceRefused(
                error.reason, path=file.path, field=name, remedy="export the times as ISO 8601"
            ) from None
        if order is None:
            raise EvidenceRefused(
                "no row proves whether the day or the month comes first", path=file.path,
                field=name, remedy='declare order = "day-first" or "month-first" in case.toml',
            )  # fmt: skip
        sink.rule(name, TimeRule(order=order))


def _read_parquet(file: EvidenceFile, relation: str, settings: SourceSettings, sink: Sink) -> None:
    try:
        table = pq.read_table(io.BytesIO(file.data))
    except (pa.ArrowException, OSError) as error:
        raise EvidenceRefused(
            f"the Parquet file is damaged ({error})", path=file.path, remedy="copy it again"
        ) from None
    known = {column.name: column for column in table_headers()[relation]}
    for name in table.column_names:
        kind = table.schema.field(name).type
        if known[name].kind == "instant" and pa.types.is_timestamp(kind) and kind.tz is None:
            if settings.zone is None:
                raise EvidenceRefused(
                    "the times are local (not adjusted to UTC), and no zone is declared",
                    path=file.path, field=name, remedy='declare zone = "…" in case.toml',
                )  # fmt: skip
            if settings.zone.upper() != "UTC":
                raise EvidenceRefused(
                    "local times of a zone other than UTC are not read from Parquet",
                    path=file.path, field=name, remedy="write the column as UTC",
                )  # fmt: skip
            column = table.column(name).cast(pa.timestamp(kind.unit, "UTC"))
            table = table.set_column(table.schema.get_field_index(name), name, column)
    if settings.asset_id and "asset_id" in known and "asset_id" not in table.column_names:
        constant = pa.array([settings.asset_id] * table.num_rows, pa.string())
        table = table.append_column("asset_id", constant)
    numbers = pa.array(range(1, table.num_rows + 1), pa.int64())
    table = table.append_column("record_no", numbers)
    file.read_count += table.num_rows
    clean = pa.array([True] * table.num_rows)
    if relation in ("status_update",) or not hasattr(sink, "accept_table"):
        clean = pa.array([False] * table.num_rows)
    for name, column in known.items():
        if name in table.column_names:
            clean = pc.and_(clean, _readable(table.column(name), column))
    rows = _typed(table.filter(clean), known)
    if target := target_of(relation, settings):
        rows = _aimed(rows, target)
    sink.accept_table(relation, rows)  # type: ignore[attr-defined]
    for row in table.filter(pc.invert(clean)).to_pylist():
        number = row.pop("record_no")
        values = {name: _plain(value) for name, value in row.items()}
        raw = repr(values).encode("utf-8", "backslashreplace")
        sink.accept(Record(number, raw), *_rows(relation, values, settings))


def _readable(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    """Which values need no reading: typed as the column demands, and within its vocabulary."""
    kind = values.type
    present = pc.is_valid(values)
    none = pc.and_(present, pa.scalar(False))
    if column.kind == "instant":
        good = present if pa.types.is_timestamp(kind) else none
    elif column.kind == "word":
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        good = pc.is_in(values, pa.array(column.words, kind)) if is_text else none
    elif column.kind == "count":
        good = present if pa.types.is_integer(kind) else none
    elif column.kind == "number":
        good = none
        if pa.types.is_floating(kind) or pa.types.is_integer(kind):
            good = pc.fill_null(pc.is_finite(values), False)
    elif column.kind == "flag":
        good = present if pa.types.is_boolean(kind) else none
    else:
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        good = pc.fill_null(pc.not_equal(values, ""), False) if is_text else none
    return pc.or_(good, pc.invert(present)) if column.may_be_empty else good


def _typed(table: pa.Table, known: dict[str, Column]) -> pa.Table:
    for index, name in enumerate(table.column_names):
        kind = table.schema.field(name).type
        if name in known and pa.types.is_timestamp(kind) and kind.unit == "ns":
            # Nanoseconds are cut, never rounded: no instant moves into the next microsecond.
            cut = table.column(name).cast(pa.timestamp("us", kind.tz), safe=False)
            table = table.set_column(index, name, cut)
        elif pa.types.is_null(kind):
            table = table.drop_columns([name])
            return _typed(table, known)
    return table


def _aimed(rows: pa.Table, target: str) -> pa.Table:
    """The samples, with the declared target where they name none."""
    if "target_asset" not in rows.column_names:
        return rows.append_column("target_asset", pa.array([target] * rows.num_rows, pa.string()))
    named = pc.fill_null(rows.column("target_asset").cast(pa.string()), target)
    return rows.set_column(rows.schema.get_field_index("target_asset"), "target_asset", named)


def _plain(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value
