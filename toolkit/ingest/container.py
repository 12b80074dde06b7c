"""Bytes of evidence: opened once, hashed, unpacked, decoded and cut into records.

Everything here fails closed: a container that cannot be read to its end refuses the file.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from toolkit.errors import EvidenceRefused

# A gzip bomb reaches ratios of about 1000; logs reach 30. A file above both limits is refused.
MAX_RATIO = 200
MAX_UNPACKED_BYTES = 4 << 30
SPREAD = 200
HEAD_BYTES = 1 << 16
LARGE_BYTES = 1 << 24
CHUNK_BYTES = 1 << 22
_PACKED_OR_MARKED = (
    b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"LPKS", b"SQLi",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff",
)  # fmt: skip


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
class Scan:
    """What one pass over the bytes of a file shows: whether it is plain enough for the engine."""

    sha256: str
    bytes: int
    newlines: int
    is_plain: bool
    ends_with_newline: bool


class EvidenceFile:
    """One file of evidence.

    Plain files stay on disk and are read in passes of bounded memory; packed and re-encoded ones
    are unpacked into memory. `read_count` counts the records handed out, so that a reader cannot
    pass over one unseen.
    """

    def __init__(self, path: Path, packed: bytes, *, name: str | None = None) -> None:
        self._set(path, _scan(io.BytesIO(packed)), name)
        self._held: bytes | None
        self._held, self.encoding = _decode(path, _unpack(path, packed))
        self._refuse_empty()

    @classmethod
    def open(cls, path: Path) -> EvidenceFile:
        """Open a file; refuses folders, unreadable and empty files, and damaged containers."""
        try:
            before = path.stat()
            with path.open("rb") as stream:
                head = stream.read(4)
                stream.seek(0)
                if not head.startswith(_PACKED_OR_MARKED):
                    return cls._on_disk(path, _scan(stream), before)
                packed = stream.read()
        except FileNotFoundError:
            raise EvidenceRefused("no such file", path=path, remedy="check the path") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise EvidenceRefused(
                reason, path=path, remedy="check the path and its rights"
            ) from None
        file = cls(path, packed)
        file._stat = (before.st_size, before.st_mtime_ns)
        file.verify_unchanged()
        return file

    @classmethod
    def _on_disk(cls, path: Path, scan: Scan, before: os.stat_result) -> EvidenceFile:
        file = cls.__new__(cls)
        file._set(path, scan, None)
        file._held, file.encoding = None, "utf-8"
        file._stat = (before.st_size, before.st_mtime_ns)
        file._refuse_empty()
        file.verify_unchanged()
        return file

    def _set(self, path: Path, scan: Scan, name: str | None) -> None:
        self.path = path
        self.name = name or path.name
        self.scan = scan
        self.sha256 = scan.sha256
        self.bytes = scan.bytes
        self.read_count = 0
        self._stat: tuple[int, int] | None = None

    def _refuse_empty(self) -> None:
        if not self._first.strip() and not (self.bytes > len(self._first) and self.data.strip()):
            raise EvidenceRefused(
                "the file is empty",
                path=self.path,
                remedy="export it again, or take it out of evidence",
            )

    def verify_unchanged(self) -> None:
        """Refuse the file if it was written to since it was opened."""
        if self._stat is None:
            return
        now = self.path.stat()
        if self._stat != (now.st_size, now.st_mtime_ns) or self.bytes != now.st_size:
            raise EvidenceRefused(
                "the file changed while it was read",
                path=self.path,
                remedy="copy it first, then ingest the copy",
            )

    # -- what readers look at ------------------------------------------------------------------

    @property
    def is_on_disk(self) -> bool:
        """Whether the bytes of the file are those that readers see: neither packed nor marked."""
        return self._held is None

    @cached_property
    def data(self) -> bytes:
        """All bytes, unpacked; for formats that cannot be read in passes."""
        return self.path.read_bytes() if self._held is None else self._held

    @cached_property
    def _first(self) -> bytes:
        if self._held is not None:
            return self._held[:HEAD_BYTES]
        with self.path.open("rb") as stream:
            return stream.read(HEAD_BYTES)

    @property
    def _size(self) -> int:
        return self.bytes if self._held is None else len(self._held)

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
        with self._stream() as stream:
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
        pending: list[Record] = []
        is_open = False
        for record in lines:
            pending.append(record)
            is_open ^= record.raw.count(b'"') % 2 == 1
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
        """The lines of these numbers (ascending), in one pass."""
        wanted = iter(numbers)
        number = next(wanted, None)
        for record in self._lines():
            if number is None:
                return
            if record.number == number:
                yield record
                number = next(wanted, None)

    @contextmanager
    def _stream(self) -> Iterator[BinaryIO]:
        if self._held is not None:
            yield io.BytesIO(self._held)
            return
        with self.path.open("rb") as stream:
            yield stream

    def _lines(self) -> Iterator[Record]:
        offset, number = 0, 0
        with self._stream() as stream:
            for line in stream:
                number += 1
                raw = line[:-1] if line.endswith(b"\n") else line
                yield Record(number, raw[:-1] if raw.endswith(b"\r") else raw, offset)
                offset += len(line)

    def _count(self, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            self.read_count += 1
            yield record


def _scan(stream: BinaryIO) -> Scan:
    digest = hashlib.sha256()
    size = newlines = carriage = pairs = 0
    plain = True
    last = b""
    while chunk := stream.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        newlines += chunk.count(b"\n")
        if plain:
            plain = b'"' not in chunk and b"\0" not in chunk
            if b"\r" in chunk or last == b"\r":
                carriage += chunk.count(b"\r")
                pairs += (last + chunk).count(b"\r\n")
        last = chunk[-1:]
    is_plain = plain and carriage == pairs and (not carriage or carriage == newlines)
    return Scan(digest.hexdigest(), size, newlines, is_plain, last == b"\n")


def _unpack(path: Path, packed: bytes) -> bytes:
    openers: tuple[tuple[bytes, Callable[[Path, bytes], bytes]], ...] = (
        (b"\x1f\x8b", _gunzip),
        (b"\x28\xb5\x2f\xfd", _unzstd),
    )
    for magic, opener in openers:
        if packed.startswith(magic):
            return opener(path, packed)
    refusals = {
        b"PK\x03\x04": ("a zip archive", "unpack it, and give the files inside"),
        b"LPKSHHRH": ("a binary journal", "export it with: journalctl -o json --file FILE"),
        b"SQLite format 3": ("a SQLite database", "export its tables as CSV"),
    }
    for magic, (what, remedy) in refusals.items():
        if packed.startswith(magic):
            raise EvidenceRefused(f"the file is {what}", path=path, remedy=remedy)
    return packed


def _gunzip(path: Path, packed: bytes) -> bytes:
    unpacked = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            while chunk := stream.read(1 << 20):
                unpacked.write(chunk)
                _limit(path, len(packed), unpacked.tell())
    except (EOFError, OSError, zlib.error) as error:
        raise EvidenceRefused(
            f"the gzip data is damaged or cut off ({error})",
            path=path,
            remedy="copy the file again from where it was exported",
        ) from None
    return unpacked.getvalue()


def _unzstd(path: Path, packed: bytes) -> bytes:
    import zstandard

    unpacked = io.BytesIO()
    rest, whole = packed, True
    try:
        while rest:
            frame = zstandard.ZstdDecompressor().decompressobj()
            for start in range(0, len(rest), 1 << 20):
                unpacked.write(frame.decompress(rest[start : start + (1 << 20)]))
                _limit(path, len(packed), unpacked.tell())
                if frame.eof:
                    rest = frame.unused_data + rest[start + (1 << 20) :]
                    break
            else:
                rest, whole = b"", False
    except zstandard.ZstdError as error:
        raise EvidenceRefused(
            f"the zstd data is damaged ({error})",
            path=path,
            remedy="copy the file again from where it was exported",
        ) from None
    if not whole:
        raise EvidenceRefused(
            "the zstd data is cut off",
            path=path,
            remedy="copy the file again from where it was exported",
        )
    return unpacked.getvalue()


def _limit(path: Path, packed: int, unpacked: int) -> None:
    if unpacked > MAX_UNPACKED_BYTES or (unpacked > 1 << 26 and unpacked > packed * MAX_RATIO):
        raise EvidenceRefused(
            f"the file unpacks to more than {MAX_RATIO} times its size",
            path=path,
            remedy="unpack it yourself if it is what you expect, and ingest the result",
        )


def _decode(path: Path, data: bytes) -> tuple[bytes, str]:
    """Bring text to UTF-8 bytes without a byte order mark; binary formats pass untouched."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            try:
                if encoding == "utf-8-sig":
                    return data[3:], encoding
                return data.decode(encoding).encode("utf-8"), encoding
            except UnicodeDecodeError as error:
                raise EvidenceRefused(
                    f"the file is marked as {encoding}, but is not ({error.reason})",
                    path=path,
                    remedy="save it as UTF-8",
                ) from None
    return data, "utf-8"
