"""Lines that begin with a date as RFC 3164 prints it, found by position, many at once.

`Mmm dd hh:mm:ss host text` has its date at fixed places, so that a file is cut into columns by
array operations instead of line by line. What this module does not take, a reader reads as it
would have read it anyhow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numpy.lib.stride_tricks import sliding_window_view

from toolkit.ingest.container import EvidenceFile, Record

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_STAMP = 15  # length of "Mmm dd hh:mm:ss"
_NAMES = np.array([int.from_bytes(name.encode(), "big") for name in MONTHS])
_BY_NAME = np.argsort(_NAMES)
_LAST_DAY = np.array(MONTH_DAYS)
_BLANK, _COLON, _LINE_FEED, _FIRST_HIGH = 32, 58, 10, 128


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some whole lines of a file.

    `offset` is the place of their first byte in the file and `number` that of their first line;
    `starts` and `ends` are places in `data`, line feeds left out. `stamped` are the lines that
    begin with a date of the calendar and a time of day; for these, `day` is month × 32 + day, and
    `second` that of the day.
    """

    data: bytes
    offset: int
    number: int
    starts: Ints
    ends: Ints
    stamped: Flags
    day: Ints
    second: Ints

    def __len__(self) -> int:
        return len(self.starts)

    def record(self, index: int) -> Record:
        """A line as a record, without its line end (LF or CRLF)."""
        start = int(self.starts[index])
        raw = self.data[start : self.ends[index]]
        raw = raw[:-1] if raw.endswith(b"\r") else raw
        return Record(self.number + index, raw, self.offset + start)

    def columns(self, without: bytes) -> tuple[Ints, pa.Array, pa.Array]:
        """Index, host and text of the stamped lines that need no closer look.

        A line needs one where it holds control characters, bytes that are not UTF-8, or the word
        `without`, or where its host or its text is missing or begins with a blank.
        """
        size = len(self.data)
        if size >= 1 << 31:
            return np.zeros(0, np.int64), pa.array([], pa.string()), pa.array([], pa.string())
        view = np.frombuffer(self.data, np.uint8)
        plain = self.stamped.copy()
        control = (view < _BLANK) & (view != _LINE_FEED)
        plain[self._lines_of(np.flatnonzero(control))] = False
        high = view >= _FIRST_HIGH
        if high.any() and not _is_utf8(self.data):
            plain[self._lines_of(np.flatnonzero(high))] = False
        place = self.data.find(without)
        while place >= 0:
            line = int(self._lines_of(np.array([place]))[0])
            plain[line] = False
            place = self.data.find(without, int(self.ends[line]))

        lines = np.flatnonzero(plain)
        hosts, ends = self.starts[lines] + _STAMP + 1, self.ends[lines]
        blanks = np.append(np.flatnonzero(view == _BLANK), size)
        gaps = blanks[np.searchsorted(blanks, hosts)]
        after = view[np.minimum(gaps + 1, size - 1)]
        good = (gaps > hosts) & (gaps + 1 < ends) & (after != _BLANK) & (after < _FIRST_HIGH)
        lines, hosts, gaps, ends = lines[good], hosts[good], gaps[good], ends[good]
        return lines, self._texts(hosts, gaps), self._texts(gaps + 1, ends)

    def stamps(self, lines: Ints) -> pa.Array:
        """The dates of stamped lines as they stand."""
        return self._texts(self.starts[lines], self.starts[lines] + _STAMP)

    def _texts(self, starts: Ints, ends: Ints) -> pa.Array:
        """Pieces of the data; each begins where the one before has ended, or later."""
        # The data is cut at every start and end, and every second piece is taken.
        cuts = np.empty(2 * len(starts) + 1, np.int32)
        cuts[:-1:2], cuts[1::2], cuts[-1] = starts, ends, len(self.data)
        pieces = pa.StringArray.from_buffers(
            len(cuts) - 1, pa.py_buffer(cuts), pa.py_buffer(self.data)
        )
        return pieces.take(pa.array(np.arange(0, len(cuts) - 1, 2)))

    def _lines_of(self, places: npt.NDArray[np.intp]) -> Ints:
        return np.searchsorted(self.starts, places, "right") - 1


def blocks(file: EvidenceFile) -> Iterator[Block]:
    """All lines of a file, block by block."""
    offset, number = 0, 1
    for data in file.line_chunks():
        view = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero(view == _LINE_FEED).astype(np.int64)
        if not len(ends) or ends[-1] != len(data) - 1:
            ends = np.append(ends, len(data))
        starts = np.append(0, ends[:-1] + 1)
        stamped, day, second = _dates(view, starts, ends)
        yield Block(data, offset, number, starts, ends, stamped, day, second)
        offset += len(data)
        number += len(starts)


def _dates(view: npt.NDArray[np.uint8], starts: Ints, ends: Ints) -> tuple[Flags, Ints, Ints]:
    """Which lines begin with a date and a blank, and the dates of these."""
    long = np.flatnonzero(ends - starts > _STAMP + 1)
    if not len(long):
        nothing = np.zeros(len(starts), np.int64)
        return nothing.astype(np.bool_), nothing, nothing
    # One row per place in the line, because whole rows are fast to compute with.
    head = np.ascontiguousarray(sliding_window_view(view, _STAMP + 1)[starts[long]].T)
    name = head[:3].astype(np.int32)
    name = (name[0] << 16) | (name[1] << 8) | name[2]
    month = _BY_NAME[np.minimum(np.searchsorted(_NAMES, name, sorter=_BY_NAME), 11)]
    digit = head - np.uint8(ord("0"))
    digit[4][head[4] == _BLANK] = 0
    good = _NAMES[month] == name
    for at in (3, 6, 15):
        good &= head[at] == _BLANK
    for at in (9, 12):
        good &= head[at] == _COLON
    for at in (4, 5, 7, 8, 10, 11, 13, 14):
        # What comes before the digits has wrapped around.
        good &= digit[at] <= 9
    number = digit.astype(np.int64)
    day, hour, minute, second = (number[at] * 10 + number[at + 1] for at in (4, 7, 10, 13))
    good &= (day >= 1) & (day <= _LAST_DAY[month]) & (hour < 24) & (minute < 60) & (second < 60)
    lines = long[good]
    stamped = np.zeros(len(starts), np.bool_)
    stamped[lines] = True
    days, seconds = np.zeros(len(starts), np.int64), np.zeros(len(starts), np.int64)
    days[lines] = ((month + 1) * 32 + day)[good]
    seconds[lines] = (hour * 3600 + minute * 60 + second)[good]
    return stamped, days, seconds


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
