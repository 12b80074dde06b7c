"""Bytes of evidence: opened once, hashed, recognised and cut into records."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from toolkit.errors import EvidenceRefused
from toolkit.ingest.unpack import (
    CHUNK_BYTES,
    MARKS,
    PACKED_OR_MARKED,
    Scan,
    copy_plain,
    from_utf16,
    scan,
    unpack,
)

SPREAD = 200
HEAD_BYTES = 1 << 16
LARGE_BYTES = 1 << 24
# What is unpacked and larger than this goes to a file, so that memory stays bounded.
MAX_HELD_BYTES = 1 << 24
# A cell that is longer than the standard library's limit cannot be read.
MAX_CELL_BYTES = 131_072
_LINE_FEED = 10


@dataclass(frozen=True, slots=True)
class Record:
    """The smallest unit that a reader turns into rows: a line, a table row, an element.

    `number` counts from 1 in the order of the file (for line formats it is the line number),
    `offset` is the position of its first byte in the unpacked file where that is known.
    """

    number: int
    raw: bytes
    offset: int | None = None

    @property
    def text(self) -> str:
        """The record as text; raises UnicodeDecodeError where it is not UTF-8."""
        return self.raw.decode("utf-8")


class DuplicateKey(ValueError):
    """A JSON object names the same key twice, so that one of the two values would be lost."""


def parse_json(data: bytes | str) -> Any:
    """Parse JSON, refusing duplicate keys, NaN and infinities."""
    return json.loads(data, object_pairs_hook=_unique_pairs, parse_constant=_no_constant)


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise DuplicateKey(f"key {key!r} occurs twice in one object")
            seen.add(key)
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON value")


@dataclass(frozen=True, slots=True)
class Container:
    """An archive or a workbook: its digest, and its size and time when it was opened."""

    path: Path
    sha256: str
    state: tuple[int, int]

    def verify_unchanged(self) -> None:
        """Refuse the archive if it was written to since it was opened."""
        if _state(self.path) != self.state:
            raise changed(self.path)


class EvidenceFile:
    """One file of evidence.

    Plain files stay on disk and are read in passes of bounded memory; packed and re-encoded ones
    are unpacked into memory, or into a temporary file where they are large. `read_count` counts the
    records handed out, so that a reader cannot pass over one unseen. `on_read`, where it is set, is
    told how many bytes have been gone through since it was told last.
    """

    def __init__(self, path: Path, packed: bytes, *, name: str | None = None) -> None:
        self._set(path, name)
        self._read_packed(io.BytesIO(packed), len(packed))
        self._refuse_empty()

    @classmethod
    def open(cls, path: Path, *, on_read: Callable[[int], None] | None = None) -> EvidenceFile:
        """Open a file; refuses folders, unreadable and empty files, and damaged containers."""
        file = cls.__new__(cls)
        file._set(path, None)
        file.on_read = on_read
        try:
            before = path.stat()
            with path.open("rb") as stream:
                head = stream.read(4)
                stream.seek(0)
                if head.startswith(PACKED_OR_MARKED):
                    file._read_packed(stream, before.st_size)
                else:
                    file._place = path
                    file.scan = scan(stream, on_read)
                    file.sha256, file.bytes = file.scan.sha256, file.scan.bytes
        except FileNotFoundError:
            raise EvidenceRefused("no such file", path=path, remedy="check the path") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise EvidenceRefused(
                reason, path=path, remedy="check the path and its rights"
            ) from None
        file._stat = before.st_size, before.st_mtime_ns
        file._refuse_empty()
        file.verify_unchanged()
        return file

    @classmethod
    def inside(
        cls, container: Container, inner: str, stream: BinaryIO, *, name: str, is_sheet: bool
    ) -> EvidenceFile:
        """What lies under a name in an archive or a workbook, from its bytes.

        A member of an archive must not be a container itself. A sheet comes as CSV, of which a row
        is a record that is numbered as in the sheet.
        """
        file = cls.__new__(cls)
        file._set(Path(f"{container.path}!{inner}"), name)
        file.container = container
        file._is_sheet = is_sheet
        file._read_packed(stream, 0)
        if is_sheet:
            file.delimiter = ","
        file._refuse_empty()
        file.verify_unchanged()
        return file

    def _set(self, path: Path, name: str | None) -> None:
        self.path = path
        self.name = name or path.name
        self.sha256 = ""
        self.bytes = 0
        self.encoding = "utf-8"
        self.read_count = 0
        self.on_read: Callable[[int], None] | None = None
        self.scan: Scan
        self.container: Container | None = None
        self._is_sheet = False
        self._stat: tuple[int, int] | None = None
        self._place: Path | None = None
        self._held = b""
        self._temporary: IO[bytes] | None = None

    def _read_packed(self, stream: BinaryIO, size: int) -> None:
        """Read a container to its end, and keep what is in it as UTF-8 without a mark."""
        raw = scan(stream, self.on_read)
        self.sha256, self.bytes = raw.sha256, raw.bytes
        stream.seek(0)
        with tempfile.SpooledTemporaryFile(MAX_HELD_BYTES) as unpacked:
            if self.container is None:
                unpack(self.path, stream, size, unpacked)
            else:
                copy_plain(self.path, stream, unpacked)
            unpacked.seek(0)
            mark = unpacked.read(3)
            encoding, skip = next(
                ((name, len(bom)) for bom, name in MARKS if mark.startswith(bom)), ("utf-8", 0)
            )
            self.encoding = encoding
            unpacked.seek(skip if encoding == "utf-8-sig" else 0)
            if encoding == "utf-16":
                self._held = from_utf16(self.path, unpacked.read())
            else:
                self._keep(unpacked)
        with self.stream() as stream:
            self.scan = scan(stream)

    def _keep(self, stream: IO[bytes]) -> None:
        held = stream.read(MAX_HELD_BYTES)
        if len(held) < MAX_HELD_BYTES:
            self._held = held
            return
        self._temporary = tempfile.NamedTemporaryFile(prefix="evidence-")  # noqa: SIM115
        self._temporary.write(held)
        while chunk := stream.read(CHUNK_BYTES):
            self._temporary.write(chunk)
        self._temporary.flush()
        self._place = Path(self._temporary.name)

    def _refuse_empty(self) -> None:
        if not self._first.strip() and not (self._size > len(self._first) and self.data.strip()):
            raise EvidenceRefused(
                "the file is empty",
                path=self.path,
                remedy="export it again, or take it out of evidence",
            )

    def verify_unchanged(self) -> None:
        """Refuse the file if it was written to since it was opened."""
        if self.container is not None:
            self.container.verify_unchanged()
        elif self._stat is not None and (
            self._stat != _state(self.path) or self.bytes != self._stat[0]
        ):
            raise changed(self.path)

    @property
    def modified_at(self) -> datetime | None:
        """When the file, or the archive around it, was last written; None where nobody knows."""
        try:
            state = (self.container.path if self.container else self.path).stat()
        except OSError:
            return None
        return datetime.fromtimestamp(state.st_mtime, UTC)

    # -- what readers look at ------------------------------------------------------------------

    @property
    def is_on_disk(self) -> bool:
        """Whether the bytes of the file are those that readers see: neither packed nor marked."""
        return self._place == self.path

    @property
    def place(self) -> Path | None:
        """A file on disk that holds the bytes that readers see, one record a line; None where there
        is none."""
        return None if self._is_sheet else self._place

    @property
    def data(self) -> bytes:
        """All bytes, unpacked; for formats that cannot be read in passes."""
        if self._place is not None and not self._held:
            self._held = self._place.read_bytes()
        return self._held

    @cached_property
    def _first(self) -> bytes:
        with self.stream() as stream:
            return stream.read(HEAD_BYTES)

    @property
    def _size(self) -> int:
        return self.scan.bytes

    @cached_property
    def head(self) -> str:
        """The first 64 KiB as text, with undecodable bytes replaced; for recognition only."""
        return self._first.decode("utf-8", errors="replace")

    @cached_property
    def json(self) -> Any | None:
        """The whole file as one JSON value, or None; for recognition and reading."""
        if self._first.lstrip()[:1] not in (b"{", b"[") or self._starts_with_a_json_line:
            return None
        try:
            return parse_json(self.data)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def _starts_with_a_json_line(self) -> bool:
        """Whether the first line is a JSON value of its own, with more lines after it."""
        line, _, rest = self._first.lstrip().partition(b"\n")
        if not rest.strip():
            return False
        try:
            parse_json(line)
        except (ValueError, RecursionError):
            return False
        return True

    @cached_property
    def json_lines(self) -> Sequence[Any] | None:
        """A spread of the lines as JSON objects, or None if one of them is none."""
        if self._first.lstrip()[:1] != b"{":
            return None
        found = []
        for record in self.spread:
            try:
                value = parse_json(record.raw)
            except (ValueError, RecursionError):
                return None
            if not isinstance(value, dict):
                return None
            found.append(value)
        return found or None

    @cached_property
    def spread(self) -> Sequence[Record]:
        """Up to 200 lines that are not blank: the first, the last, and some between.

        In a large file, the lines after evenly spread positions; their numbers are then unknown
        and stand as 0.
        """
        if self._size > LARGE_BYTES:
            return self._spread_of_large()
        records = [record for record in self._lines() if record.raw.strip()]
        if len(records) <= SPREAD:
            return records
        step = (len(records) - 1) / (SPREAD - 1)
        return [records[round(index * step)] for index in range(SPREAD)]

    def _spread_of_large(self) -> list[Record]:
        found = []
        with self.stream() as stream:
            for index in range(SPREAD):
                start = index * (self._size - HEAD_BYTES) // (SPREAD - 1)
                stream.seek(start)
                lines = stream.read(HEAD_BYTES).split(b"\n")
                # A position rarely meets the start of a line, so the first piece is left out.
                whole = lines[:-1] if start == 0 else lines[1:-1] if index < SPREAD - 1 else lines
                pieces = [line.rstrip(b"\r") for line in whole if line.strip()]
                if pieces:
                    found.append(Record(0, pieces[-1] if index == SPREAD - 1 else pieces[0], None))
        return found

    @cached_property
    def header(self) -> Sequence[str] | None:
        """The first row of the file as CSV (separators `,` `;` tab), or None if it is none."""
        if self.is_parquet or self._first.lstrip()[:1] in (b"{", b"[", b"<"):
            return None
        first = self._first.split(b"\n", 1)[0].rstrip(b"\r")
        try:
            line = first.decode("utf-8")
            cells = next(csv.reader([line], delimiter=self.delimiter), [])
        except (UnicodeDecodeError, csv.Error):
            return None
        names = [cell.strip() for cell in cells]
        if len(names) > 1 and all(name and name.isprintable() for name in names):
            return names
        return None

    @cached_property
    def delimiter(self) -> str:
        """The separator that occurs most often in the first line."""
        line = self.head.split("\n", 1)[0]
        return max(",;\t", key=line.count)

    @property
    def is_parquet(self) -> bool:
        return self._first[:4] == b"PAR1"

    # -- records -------------------------------------------------------------------------------

    def lines(self) -> Iterator[Record]:
        """Every line, numbered from 1, with its byte offset; line ends (LF, CRLF) are cut."""
        return self._count(self._lines())

    def elements(self, values: Sequence[Any]) -> Iterator[tuple[Record, Any]]:
        """The elements of a JSON array as records, numbered from 1."""
        for number, value in enumerate(values, start=1):
            self.read_count += 1
            raw = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
                "utf-8", "surrogatepass"
            )
            yield Record(number, raw), value

    def rows(self) -> Iterator[tuple[Record, list[str] | None]]:
        """The rows of a CSV below its header, with the line on which each one starts.

        The cells are None where the row is not UTF-8 or its quotes do not close; the record then
        holds the bytes. Blank lines are rows without cells.
        """
        lines = self._lines()
        next(lines, None)
        return self.rows_of(lines)

    def rows_of(self, lines: Iterable[Record]) -> Iterator[tuple[Record, list[str] | None]]:
        """The rows of a CSV that some of its lines make up; a row may span several of them."""
        pending: list[Record] = []
        is_open = False
        separator = self.delimiter
        for record in lines:
            raw = record.raw
            is_plain = b'"' not in raw and b"\r" not in raw and b"\0" not in raw
            if not is_open and is_plain and len(raw) < MAX_CELL_BYTES:
                # Without quotes, the cells are what lies between the separators.
                self.read_count += 1
                try:
                    text = raw.decode("utf-8")
                except UnicodeDecodeError:
                    yield record, None
                else:
                    yield record, text.split(separator) if text else []
                continue
            pending.append(record)
            is_open ^= raw.count(b'"') % 2 == 1
            if not is_open:
                yield self.row(pending)
                pending = []
        for record in pending:
            # A quote that never closes would swallow the rest: every line is handed out by itself.
            self.read_count += 1
            yield record, None

    def row(self, lines: Sequence[Record]) -> tuple[Record, list[str] | None]:
        """One row of a CSV from the lines that it spans."""
        self.read_count += 1
        first = lines[0]
        record = first
        if len(lines) > 1:
            record = Record(first.number, b"\n".join(line.raw for line in lines), first.offset)
        try:
            text = record.text
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter))
        except (UnicodeDecodeError, csv.Error):
            return record, None
        # A carriage return inside of a line would end the row early and drop what follows.
        if "\0" in text or len(rows) > 1:
            return record, None
        return record, (rows[0] if rows else [])

    def numbered(self, numbers: Sequence[int]) -> Iterator[Record]:
        """The lines of these numbers (ascending), in one pass that looks at no other line."""
        wanted = np.asarray(numbers, np.int64)
        line, offset, at = 1, 0, 0
        for chunk in self.line_chunks():
            inside = chunk.count(b"\n") + (not chunk.endswith(b"\n"))
            upto = int(np.searchsorted(wanted, line + inside))
            if upto > at:
                ends = np.flatnonzero(np.frombuffer(chunk, np.uint8) == _LINE_FEED)
                ends = np.append(ends, len(chunk))
                for number in wanted[at:upto].tolist():
                    index = number - line
                    start = int(ends[index - 1]) + 1 if index else 0
                    raw = chunk[start : int(ends[index])]
                    raw = raw[:-1] if raw.endswith(b"\r") else raw
                    yield Record(number, raw, offset + start)
                at = upto
            line += inside
            offset += len(chunk)

    def line_chunks(self) -> Iterator[bytes]:
        """All bytes in pieces of whole lines, each of about CHUNK_BYTES."""
        rest: list[bytes] = []
        with self.stream() as stream:
            while read := stream.read(CHUNK_BYTES):
                if self.on_read:
                    self.on_read(len(read))
                cut = read.rfind(b"\n") + 1
                if cut:
                    yield b"".join((*rest, read[:cut]))
                    rest = []
                rest.append(read[cut:])
        if last := b"".join(rest):
            yield last

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        """The bytes that readers see, from the first on."""
        if self._place is None:
            yield io.BytesIO(self._held)
            return
        with self._place.open("rb") as stream:
            yield stream

    def _lines(self) -> Iterator[Record]:
        if self._is_sheet:
            yield from self._lines_of_sheet()
            return
        offset, number = 0, 0
        for chunk in self.line_chunks():
            lines = chunk.split(b"\n")
            if not lines[-1]:
                lines.pop()
            for raw in lines:
                number += 1
                yield Record(number, raw[:-1] if raw.endswith(b"\r") else raw, offset)
                offset += len(raw) + 1

    def _lines_of_sheet(self) -> Iterator[Record]:
        """The lines of a sheet, each with the number of its row; a cell may span several of them.

        They have no offset: the bytes of the workbook are others.
        """
        number, is_open = 0, False
        for chunk in self.line_chunks():
            for raw in chunk.removesuffix(b"\n").split(b"\n"):
                number += not is_open
                is_open ^= raw.count(b'"') % 2 == 1
                yield Record(number, raw)

    def _count(self, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            self.read_count += 1
            yield record


def _state(path: Path) -> tuple[int, int]:
    now = path.stat()
    return now.st_size, now.st_mtime_ns


def changed(path: Path) -> EvidenceRefused:
    """The refusal of a file that is written to while it is read."""
    return EvidenceRefused(
        "the file changed while it was read", path=path,
        remedy="copy it first, then ingest the copy",
    )  # fmt: skip
