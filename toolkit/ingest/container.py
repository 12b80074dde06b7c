"""Bytes of evidence: opened once, hashed, unpacked, decoded and cut into records.

Everything here fails closed: a container that cannot be read to its end refuses the file.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from toolkit.errors import EvidenceRefused

# A gzip bomb reaches ratios of about 1000; logs reach 30. A file above both limits is refused.
MAX_RATIO = 200
MAX_UNPACKED_BYTES = 4 << 30
SPREAD = 200
HEAD_BYTES = 1 << 16
LARGE_BYTES = 1 << 24
CHUNK_BYTES = 1 << 22
# What is unpacked and larger than this goes to a file, so that memory stays bounded.
MAX_HELD_BYTES = 1 << 24
# A cell that is longer than the standard library's limit cannot be read.
MAX_CELL_BYTES = 131_072
_PACKED_OR_MARKED = (
    b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"LPKS", b"SQLi",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff",
)  # fmt: skip
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_REFUSED = {
    b"PK\x03\x04": ("a zip archive", "unpack it, and give the files inside"),
    b"LPKSHHRH": ("a binary journal", "export it with: journalctl -o json --file FILE"),
    b"SQLite format 3": ("a SQLite database", "export its tables as CSV"),
}
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
class Scan:
    """What one pass over the bytes of a file shows.

    A file is plain if it holds neither quotes nor NUL bytes, and all its line ends are alike.
    `separators` counts the separator that is the most frequent in the first line.
    """

    sha256: str
    bytes: int
    newlines: int
    separators: int
    is_plain: bool
    ends_with_newline: bool

    @property
    def lines(self) -> int:
        return self.newlines + (not self.ends_with_newline)


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
                if head.startswith(_PACKED_OR_MARKED):
                    file._read_packed(stream, before.st_size)
                else:
                    file._place = path
                    file.scan = _scan(stream, on_read)
                    file.sha256, file.bytes = file.scan.sha256, file.scan.bytes
        except FileNotFoundError:
            raise EvidenceRefused("no such file", path=path, remedy="check the path") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise EvidenceRefused(
                reason, path=path, remedy="check the path and its rights"
            ) from None
        file._stat = (before.st_size, before.st_mtime_ns)
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
        self._stat: tuple[int, int] | None = None
        self._place: Path | None = None
        self._held = b""
        self._temporary: IO[bytes] | None = None

    def _read_packed(self, stream: BinaryIO, size: int) -> None:
        """Read a container to its end, and keep what is in it as UTF-8 without a mark."""
        raw = _scan(stream, self.on_read)
        self.sha256, self.bytes = raw.sha256, raw.bytes
        stream.seek(0)
        with tempfile.SpooledTemporaryFile(MAX_HELD_BYTES) as unpacked:
            _unpack(self.path, stream, size, unpacked)
            unpacked.seek(0)
            mark = unpacked.read(3)
            encoding, skip = next(
                ((name, len(bom)) for bom, name in _MARKS if mark.startswith(bom)), ("utf-8", 0)
            )
            self.encoding = encoding
            unpacked.seek(skip if encoding == "utf-8-sig" else 0)
            if encoding == "utf-16":
                self._held = _from_utf16(self.path, unpacked.read())
            else:
                self._keep(unpacked)
        with self.stream() as stream:
            self.scan = _scan(stream)

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
        return self._place == self.path

    @property
    def place(self) -> Path | None:
        """A file on disk that holds the bytes that readers see, or None where memory holds them."""
        return self._place

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
        offset, number = 0, 0
        for chunk in self.line_chunks():
            lines = chunk.split(b"\n")
            if not lines[-1]:
                lines.pop()
            for raw in lines:
                number += 1
                yield Record(number, raw[:-1] if raw.endswith(b"\r") else raw, offset)
                offset += len(raw) + 1

    def _count(self, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            self.read_count += 1
            yield record


def _scan(stream: BinaryIO, on_read: Callable[[int], None] | None = None) -> Scan:
    digest = hashlib.sha256()
    size = newlines = carriage = pairs = separators = 0
    separator = 0
    plain = True
    last = b""
    while chunk := stream.read(CHUNK_BYTES):
        if not size:
            separator = _separator(chunk)
        digest.update(chunk)
        size += len(chunk)
        view = np.frombuffer(chunk, np.uint8)
        newlines += int(np.count_nonzero(view == _LINE_FEED))
        separators += int(np.count_nonzero(view == separator))
        if plain:
            plain = b'"' not in chunk and b"\0" not in chunk
            if b"\r" in chunk or last == b"\r":
                carriage += chunk.count(b"\r")
                pairs += (last + chunk).count(b"\r\n")
        last = chunk[-1:]
        if on_read:
            on_read(len(chunk))
    is_plain = plain and carriage == pairs and (not carriage or carriage == newlines)
    return Scan(digest.hexdigest(), size, newlines, separators, is_plain, last == b"\n")


def _separator(first: bytes) -> int:
    line = first.split(b"\n", 1)[0]
    return max(b",;\t", key=lambda byte: line.count(bytes([byte])))


def _unpack(path: Path, packed: BinaryIO, size: int, unpacked: IO[bytes]) -> None:
    """Write what a container holds; refuses damaged ones and those that no reader takes."""
    head = packed.read(16)
    packed.seek(0)
    for magic, (what, remedy) in _REFUSED.items():
        if head.startswith(magic):
            raise EvidenceRefused(f"the file is {what}", path=path, remedy=remedy)
    if head.startswith(b"\x1f\x8b"):
        _gunzip(path, packed, size, unpacked)
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        _unzstd(path, packed, size, unpacked)
    else:
        while chunk := packed.read(CHUNK_BYTES):
            unpacked.write(chunk)


def _gunzip(path: Path, packed: BinaryIO, size: int, unpacked: IO[bytes]) -> None:
    try:
        with gzip.GzipFile(fileobj=packed) as stream:
            while chunk := stream.read(1 << 20):
                unpacked.write(chunk)
                _limit(path, size, unpacked.tell())
    except (EOFError, OSError, zlib.error) as error:
        raise EvidenceRefused(
            f"the gzip data is damaged or cut off ({error})",
            path=path,
            remedy="copy the file again from where it was exported",
        ) from None


def _unzstd(path: Path, packed: BinaryIO, size: int, unpacked: IO[bytes]) -> None:
    import zstandard

    # A file is a row of frames; one that is not over when the bytes end was cut off.
    frame = zstandard.ZstdDecompressor().decompressobj()
    begun = False
    try:
        while rest := packed.read(1 << 20):
            while rest:
                unpacked.write(frame.decompress(rest))
                begun, rest = True, b""
                _limit(path, size, unpacked.tell())
                if frame.eof:
                    rest = frame.unused_data
                    frame = zstandard.ZstdDecompressor().decompressobj()
                    begun = False
    except zstandard.ZstdError as error:
        raise EvidenceRefused(
            f"the zstd data is damaged ({error})",
            path=path,
            remedy="copy the file again from where it was exported",
        ) from None
    if begun:
        raise EvidenceRefused(
            "the zstd data is cut off",
            path=path,
            remedy="copy the file again from where it was exported",
        )


def _limit(path: Path, packed: int, unpacked: int) -> None:
    if unpacked > MAX_UNPACKED_BYTES or (unpacked > 1 << 26 and unpacked > packed * MAX_RATIO):
        raise EvidenceRefused(
            f"the file unpacks to more than {MAX_RATIO} times its size",
            path=path,
            remedy="unpack it yourself if it is what you expect, and ingest the result",
        )


def _from_utf16(path: Path, data: bytes) -> bytes:
    try:
        return data.decode("utf-16").encode("utf-8")
    except UnicodeDecodeError as error:
        raise EvidenceRefused(
            f"the file is marked as utf-16, but is not ({error.reason})",
            path=path,
            remedy="save it as UTF-8",
        ) from None
