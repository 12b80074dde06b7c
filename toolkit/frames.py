"""Rows of the database as analysts hold them: DataFrames whose types do not hang on the values.

| SQL | pandas |
|---|---|
| integers, also sums of them | `Int64` |
| boolean | `boolean` |
| varchar | `str` |
| double, real | `float64`, `float32` |
| timestamptz | `datetime64[us, UTC]` |
| timestamp | `datetime64[us]` |
| interval | `timedelta64[us]` |
| date, time, decimal with a fraction, blob | objects of the standard library |
| list, struct, map | lists, dictionaries, lists of pairs |

A column without a single row, or with nothing but NULL, has the type that it always has. Two things
have no fixed length and stay as objects: an interval with months, and an integer beyond 64 bits.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

# As Arrow lays it out: months, days, nanoseconds.
_INTERVAL = np.dtype([("months", "i4"), ("days", "i4"), ("nanoseconds", "i8")])
_DAY = 86_400_000_000


def from_arrow(table: pa.Table) -> pd.DataFrame:
    """A table with the types of analysts, column by column; no row is lost or moved."""
    table = pa.table([_whole(each) for each in table.columns], names=table.column_names)
    frame: pd.DataFrame = table.to_pandas(types_mapper=_pandas_type)
    for place, column in enumerate(table.columns):
        if column.type == pa.month_day_nano_interval():
            spans = _spans(column)
            if spans is not None:
                frame.isetitem(place, spans)
        elif pa.types.is_nested(column.type):
            cells = np.fromiter(column.to_pylist(), dtype=object, count=len(column))
            frame.isetitem(place, cells)
    return frame


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Integers of 128 bits, as every sum of integers is, in 64 where they fit."""
    if pa.types.is_decimal(column.type) and column.type.scale == 0:
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid:
            pass
    return column


def _spans(column: pa.ChunkedArray) -> np.ndarray | None:
    """Intervals as spans of time to the microsecond; None where one of them has months."""
    parts = [_parts(chunk) for chunk in column.chunks]
    found = np.concatenate(parts) if parts else np.empty(0, _INTERVAL)
    missing = column.is_null().to_numpy()
    if found["months"][~missing].any():
        return None
    microseconds = found["days"].astype("i8") * _DAY + found["nanoseconds"] // 1000
    spans: np.ndarray = microseconds.astype("timedelta64[us]")
    spans[missing] = np.timedelta64("NaT")
    return spans


def _parts(chunk: pa.Array) -> np.ndarray:
    return np.frombuffer(chunk.buffers()[1] or b"", _INTERVAL)[
        chunk.offset : chunk.offset + len(chunk)
    ]


def _pandas_type(kind: pa.DataType) -> object | None:
    if pa.types.is_integer(kind):
        return pd.Int64Dtype()
    if pa.types.is_boolean(kind):
        return pd.BooleanDtype()
    return None
