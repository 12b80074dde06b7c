"""Zip archives: every member is a source of its own, named `exports.zip!member.csv`.

Nothing is unpacked to disk under a name from the archive. An archive that could fill the disk, or
whose listing cannot be trusted, is refused as a whole; a member that is damaged, by itself.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import Container, EvidenceFile
from toolkit.ingest.unpack import CHUNK_BYTES, MAX_RATIO, MAX_UNPACKED_BYTES, ZIP

MAX_MEMBERS = 10_000
_SMALL_BYTES = 1 << 26
_END = b"PK\x05\x06"
_WORKBOOK = "xl/workbook.xml"
_FAULTS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError,
    OSError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """What becomes one source: a file (`inner` is None), a member of an archive, or a sheet."""

    inner: str | None
    open: Callable[[], EvidenceFile]


def parts(path: Path) -> Sequence[Part]:
    """What a file of evidence holds, not yet read; raises EvidenceRefused for a bad archive."""
    try:
        with path.open("rb") as stream:
            is_zip = stream.read(4) in ZIP
    except OSError:
        is_zip = False
    if not is_zip:
        return [Part(None, partial(EvidenceFile.open, path))]
    with _opened(path) as archive:
        members = _members(path, archive)
        names = set(archive.namelist())
    container = _container(path)
    if _WORKBOOK in names:
        from toolkit.ingest import workbook

        return [
            Part(title, partial(workbook.open_sheet, container, title, name))
            for title, name in workbook.sheets(path)
        ]
    return [Part(name, partial(_open_member, container, name)) for name in members]


def outer(path: Path) -> Path:
    """The file that FILE!NAME stands in, which is `path` itself where it is a file."""
    places = [i for i, each in enumerate(str(path)) if each == "!"]
    found = [path, *(Path(str(path)[:place]) for place in places)]
    # A member's name can be longer than a file's name may be, for which `Path.is_file` raises.
    return next((each for each in found if os.path.isfile(each)), path)  # noqa: PTH113


def open_one(path: Path) -> EvidenceFile:
    """Open a file, or the part of one that is named as FILE!NAME, or its only part."""
    file = outer(path)
    found = [part for part in parts(file) if file == path or str(path) == f"{file}!{part.inner}"]
    if not found:
        raise EvidenceRefused("no such member", path=path, remedy="check the name")
    if len(found) > 1:
        names = ", ".join(f"{path.name}!{part.inner}" for part in found[:5])
        raise EvidenceRefused(
            f"the file holds {len(found)} sources", path=path, remedy=f"name one of them: {names}"
        )
    return found[0].open()


def _members(path: Path, archive: zipfile.ZipFile) -> list[str]:
    """The names of the members that hold evidence, after a look at the whole listing."""
    listed = archive.infolist()
    if len(listed) > MAX_MEMBERS:
        raise _refused(path, f"the archive has more than {MAX_MEMBERS:,} members")
    size = path.stat().st_size
    total = sum(info.file_size for info in listed)
    if total > MAX_UNPACKED_BYTES or total > max(_SMALL_BYTES, size * MAX_RATIO):
        raise _refused(path, f"the archive unpacks to {total:,} bytes")
    names = [info.orig_filename for info in listed]
    for info, name in zip(listed, names, strict=True):
        place = PurePosixPath(name.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in name[:2] or not name.isprintable():
            raise _refused(path, f"the archive has a member named {name!r}")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise _refused(path, f"the member {name!r} is a link")
        if info.flag_bits & 1:
            raise _refused(path, f"the member {name!r} is encrypted")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise _refused(path, f"the archive holds {twice!r} twice")
    found = [
        info.filename
        for info in listed
        if not info.is_dir()
        and not info.filename.startswith("__MACOSX/")
        and not PurePosixPath(info.filename).name.startswith(".")
    ]
    if not found:
        raise _refused(path, "the archive holds no files")
    return sorted(found)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, of which the listing stands at the end and describes all that is before."""
    try:
        with zipfile.ZipFile(path) as archive:
            listed = archive.infolist()
            size = path.stat().st_size
            with path.open("rb") as stream:
                stream.seek(max(0, size - 22 - len(archive.comment)))
                ends_with_listing = stream.read(4) == _END
            first = min((info.header_offset for info in listed), default=0)
            if not ends_with_listing or first:
                raise _refused(path, "the archive holds bytes that its listing does not name")
            yield archive
    except (*_FAULTS, UnicodeDecodeError, ValueError) as error:
        raise _damaged(path, error) from None


def _open_member(container: Container, name: str) -> EvidenceFile:
    container.verify_unchanged()
    base = PurePosixPath(name.replace("\\", "/")).name
    try:
        with zipfile.ZipFile(container.path) as archive, archive.open(name) as member:
            return EvidenceFile.inside(container, name, member, name=base, is_sheet=False)  # type: ignore[arg-type]
    except (*_FAULTS, KeyError, UnicodeDecodeError, ValueError) as error:
        place = Path(f"{container.path}!{name}")
        raise _damaged(place, error) from None


def _container(path: Path) -> Container:
    state = path.stat()
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return Container(path, digest.hexdigest(), (state.st_size, state.st_mtime_ns))


def _refused(path: Path, reason: str) -> EvidenceRefused:
    return EvidenceRefused(
        reason, path=path, remedy="unpack it yourself, look at it, and ingest the files inside"
    )


def _damaged(path: Path, error: Exception) -> EvidenceRefused:
    return EvidenceRefused(
        f"the zip data is damaged or cut off ({error})",
        path=path,
        remedy="copy the file again from where it was exported",
    )
