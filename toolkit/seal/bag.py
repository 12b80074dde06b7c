"""A BagIt 1.0 bag (RFC 8493) with SHA-256, written in one form and read in no other.

Every file that a manifest lists is checked against its digest, and no file may stand in the bag
that none lists. Manifests are held to the bytes that this module writes (lower-case digests, two
spaces, line feeds, sorted), so that a change of any bit of any file of the bag is found. Names that
lead out of the bag, links, and files to be fetched are refused. Nothing here reads a clock.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from toolkit.casefile import file_sha256
from toolkit.errors import VerificationFailed

DECLARATION = "bagit.txt"
INFO = "bag-info.txt"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
# What is added to a sealed bag afterwards, beside the files that the manifests cover: signatures
# and time-stamps of the tag manifest, with digests of their own.
SIGNATURES = "signatures"
SIGNATURE_DIGESTS = f"{SIGNATURES}/sha256.txt"
PAYLOAD = "data"

_DECLARED = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_LINE = re.compile(r"([0-9a-f]{64})  (\S[^\x00-\x1f\x7f]*)")
MAX_MANIFEST_BYTES = 1 << 26
# How every file of a bag is told from another.
digest = file_sha256
MAX_FILES = 200_000


def write(bag: Path, info: Mapping[str, str]) -> str:
    """Make a bag of a folder whose `data/` is filled; returns the digest of its tag manifest.

    `info` are the lines of bag-info.txt; `Payload-Oxum` is added.
    """
    files = [name for name in _walk(bag) if name.startswith(f"{PAYLOAD}/")]
    size = sum((bag / name).stat().st_size for name in files)
    lines = {**info, "Payload-Oxum": f"{size}.{len(files)}"}
    told = "".join(f"{key}: {one_line(value)}\n" for key, value in sorted(lines.items()))
    (bag / DECLARATION).write_bytes(_DECLARED)
    (bag / INFO).write_bytes(told.encode())
    write_digests(bag, MANIFEST, files)
    return write_digests(bag, TAG_MANIFEST, (DECLARATION, INFO, MANIFEST))


def write_digests(bag: Path, name: str, files: Iterable[str]) -> str:
    """Write a list of digests of files of the bag; returns the digest of the list."""
    told = "".join(f"{digest(bag / file)}  {_escaped(file)}\n" for file in sorted(files)).encode()
    (bag / name).write_bytes(told)
    return hashlib.sha256(told).hexdigest()


def unsafe(bag: Path) -> str | None:
    """Why nothing of a bag should be opened, or None: a link, a device, a name, too many files."""
    try:
        _walk(bag)
    except VerificationFailed as error:
        return str(error)
    return None


def faults(bag: Path) -> list[str]:
    """What is wrong with a bag, one line per fault; an empty list for a complete, valid bag."""
    try:
        present = set(_walk(bag))
    except VerificationFailed as error:
        return [str(error)]
    found: list[str] = []
    if "fetch.txt" in present:
        found.append("fetch.txt: the bag asks for files to be fetched; a sealed bag holds its all")
    for name in (DECLARATION, INFO, MANIFEST, TAG_MANIFEST):
        if name not in present:
            found.append(f"{name}: the file is missing")
    if found:
        return found
    if (bag / DECLARATION).read_bytes() != _DECLARED:
        found.append(f"{DECLARATION}: the declaration is not that of BagIt 1.0 in UTF-8")
    listed: dict[str, str] = {}
    tags = {DECLARATION, INFO, MANIFEST}
    signatures = {name for name in present if name.startswith(f"{SIGNATURES}/")}
    lists = [MANIFEST, TAG_MANIFEST] + ([SIGNATURE_DIGESTS] if signatures else [])
    for name in lists:
        try:
            entries = read_digests(bag, name)
        except VerificationFailed as error:
            found.append(str(error))
            continue
        for file in entries:
            belongs = (
                file.startswith(f"{PAYLOAD}/")
                if name == MANIFEST
                else file in tags
                if name == TAG_MANIFEST
                else file.startswith(f"{SIGNATURES}/") and file != SIGNATURE_DIGESTS
            )
            if not belongs:
                found.append(f"{name}: {file} has no place in this list")
        if name == TAG_MANIFEST:
            found += [f"{name}: {file} is not listed" for file in sorted(tags - entries.keys())]
        listed |= entries
    for file in sorted(listed.keys() - present):
        found.append(f"{file}: the file is missing")
    for file in sorted(present - listed.keys() - {TAG_MANIFEST, SIGNATURE_DIGESTS}):
        found.append(f"{file}: the file is listed in no manifest")
    for file in sorted(listed.keys() & present):
        if digest(bag / file) != listed[file]:
            found.append(f"{file}: its SHA-256 is not the one that was sealed")
    return found or _oxum(bag, present)


def read_digests(bag: Path, name: str) -> dict[str, str]:
    """The digests by file of a list of the bag; raises VerificationFailed for any other form."""
    path = bag / name
    if not path.is_file():
        raise VerificationFailed("the file is missing", path=name)
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise VerificationFailed(
            f"the list is larger than {MAX_MANIFEST_BYTES >> 20} MiB", path=name
        )
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise VerificationFailed("the list is not UTF-8", path=name) from None
    entries: dict[str, str] = {}
    if text and not text.endswith("\n"):
        raise VerificationFailed("the last line is not ended", path=name)
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise VerificationFailed(
                "the line is no digest, two spaces and a name", path=name, line=number
            )
        file = _plain(match[2])
        if not safe(file) or _escaped(file) != match[2]:
            raise VerificationFailed(
                f"{match[2]!r} is no plain name below the bag", path=name, line=number
            )
        if file in entries:
            raise VerificationFailed(f"{file} is listed twice", path=name, line=number)
        if entries and file < next(reversed(entries)):
            raise VerificationFailed("the lines are not sorted", path=name, line=number)
        entries[file] = match[1]
    return entries


def read_info(bag: Path) -> dict[str, str]:
    """The lines of bag-info.txt; raises VerificationFailed for any other form."""
    found: dict[str, str] = {}
    for number, line in enumerate((bag / INFO).read_text(encoding="utf-8").splitlines(), start=1):
        key, colon, value = line.partition(": ")
        if not colon or key in found:
            raise VerificationFailed("the line is no new key with a value", path=INFO, line=number)
        found[key] = value
    return found


def safe(name: str) -> bool:
    """Whether a name stays below the folder that it is joined to, on any system."""
    parts = name.split("/")
    return (
        bool(name)
        and not PurePosixPath(name).is_absolute()
        and not any(part in ("", ".", "..") for part in parts)
        and not any(letter in name for letter in "\\\0")
        and not re.match(r"[A-Za-z]:", name)
    )


def _walk(bag: Path) -> list[str]:
    """The names of all files of the bag, sorted; a link or a device is no part of a bag."""
    if not bag.is_dir():
        raise VerificationFailed("no such bag", path=bag, remedy="give the folder of the bag")
    found = []
    for folder, folders, files in os.walk(bag, onerror=_unreadable):
        for name in [*folders, *files]:
            path = Path(folder, name)
            mode = path.lstat().st_mode
            told = path.relative_to(bag).as_posix()
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise VerificationFailed("a link or device has no place in a bag", path=told)
            try:
                told.encode()
            except UnicodeEncodeError:
                raise VerificationFailed(
                    "the name is not UTF-8", path=told.encode("utf-8", "replace").decode()
                ) from None
            if stat.S_ISREG(mode):
                found.append(told)
        if len(found) > MAX_FILES:
            raise VerificationFailed(f"the bag holds more than {MAX_FILES} files", path=bag)
    return sorted(found)


def _unreadable(error: OSError) -> None:
    told = os.fsencode(error.filename or "").decode("utf-8", "replace")
    raise VerificationFailed(f"the folder cannot be read: {error.strerror}", path=told)


def _oxum(bag: Path, present: set[str]) -> list[str]:
    files = [bag / name for name in present if name.startswith(f"{PAYLOAD}/")]
    oxum = f"Payload-Oxum: {sum(file.stat().st_size for file in files)}.{len(files)}"
    if oxum not in (bag / INFO).read_text(encoding="utf-8").split("\n"):
        return [f"{INFO}: the payload is not the stated one, which would be {oxum}"]
    return []


def one_line(text: str) -> str:
    """A value as bag-info.txt holds it."""
    return " ".join(text.split())


def _escaped(name: str) -> str:
    return name.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")


def _plain(name: str) -> str:
    return name.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
