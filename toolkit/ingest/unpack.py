"""Packed and marked bytes of evidence: gzip, zstd, UTF-16 and byte order marks undone.

Everything here fails closed: a container that cannot be read to its end refuses the file.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from toolkit.errors import EvidenceRefused

# A gzip bomb reaches ratios of about 1000; logs reach 30. A file above both limits is refused.
MAX_RATIO = 200
MAX_UNPACKED_BYTES = 4 << 30
CHUNK_BYTES = 1 << 22
# A zip without members begins with its end; one in several volumes with a mark of its own.
ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", *ZIP, b"LPKS", b"SQLi", b"\xd0\xcf\x11\xe0")
PACKED_OR_MARKED = (*_PACKED, b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_REFUSED = {
    b"LPKSHHRH": ("a binary journal", "export it with: journalctl -o json --file FILE"),
    b"SQLite format 3": ("a SQLite database", "export its tables as CSV"),
    b"\xd0\xcf\x11\xe0": ("a workbook of the old or an encrypted kind", "save it as CSV"),
}
_LINE_FEED = 10


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


def scan(stream: BinaryIO, on_read: Callable[[int], None] | None = None) -> Scan:
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


def unpack(path: Path, packed: BinaryIO, size: int, unpacked: IO[bytes]) -> None:
    """Write what a container holds; refuses damaged ones and those that no reader takes."""
    head = packed.read(16)
    packed.seek(0)
    for magic, (what, remedy) in _REFUSED.items():
        if head.startswith(magic):
            raise EvidenceRefused(f"the file is {what}", path=path, remedy=remedy)
    if head.startswith(ZIP):
        raise EvidenceRefused(
            "the file is an archive or a workbook", path=path,
            remedy="name one of its members or sheets as FILE!NAME",
        )  # fmt: skip
    if head.startswith(b"\x1f\x8b"):
        _gunzip(path, packed, size, unpacked)
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        _unzstd(path, packed, size, unpacked)
    else:
        while chunk := packed.read(CHUNK_BYTES):
            unpacked.write(chunk)


def copy_plain(path: Path, member: BinaryIO, unpacked: IO[bytes]) -> None:
    """Write what a member of an archive holds; refuses one that is a container itself."""
    head = member.read(16)
    if head.startswith((*_PACKED, b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ")):
        raise EvidenceRefused(
            "the member is packed itself", path=path,
            remedy="unpack the outer archive, and give the files inside",
        )  # fmt: skip
    member.seek(0)
    while chunk := member.read(CHUNK_BYTES):
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


def from_utf16(path: Path, data: bytes) -> bytes:
    try:
        return data.decode("utf-16").encode("utf-8")
    except UnicodeDecodeError as error:
        raise EvidenceRefused(
            f"the file is marked as utf-16, but is not ({error.reason})",
            path=path,
            remedy="save it as UTF-8",
        ) from None
