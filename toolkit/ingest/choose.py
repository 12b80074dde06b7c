"""Which files are looked at, and what in them becomes a source of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from toolkit.casefile import EVIDENCE, CaseFolder, SourceDeclaration
from toolkit.errors import EvidenceRefused, UsageError
from toolkit.ingest import archive
from toolkit.ingest.container import EvidenceFile


@dataclass(frozen=True, slots=True)
class Piece:
    """What becomes one source: a file, a member of an archive or a sheet of a workbook."""

    name: str
    declared: SourceDeclaration
    open: Callable[[], EvidenceFile]


def pieces(case: CaseFolder, paths: Sequence[Path], *, dry_run: bool) -> list[Piece]:
    """The sources that lie in these files and folders, or in all that the case names, by path.

    Files outside of the case are copied below `evidence/` first, unless nothing is to be written.
    """
    return [
        piece
        for name, path, is_linked, inner in _chosen(case, paths, dry_run=dry_run)
        for piece in _pieces(case, name, path, inner, is_linked=is_linked)
    ]


def _pieces(
    case: CaseFolder, name: str, path: Path, inner: Collection[str], *, is_linked: bool
) -> list[Piece]:
    """The sources that a file holds, or those that are asked for; one that cannot be looked into is
    refused when opened."""
    try:
        if is_linked:
            raise EvidenceRefused(
                "the link leads out of its folder", path=path,
                remedy="give the file by its name: postmortem ingest CASE FILE copies it",
            )  # fmt: skip
        if not name.isprintable():
            raise EvidenceRefused(
                "the name holds what cannot be shown", path=path, remedy="rename the file"
            )
        parts = archive.parts(path)
    except EvidenceRefused as refusal:
        return [Piece(name, case.declaration(name), partial(_refuse, refusal))]
    for each in inner:
        if all(part.inner != each for part in parts):
            raise EvidenceRefused("no such member", path=f"{path}!{each}", remedy="check the name")
    found = []
    for part in parts:
        if inner and part.inner not in inner:
            continue
        whole = name if part.inner is None else f"{name}!{part.inner}"
        declared = case.declaration(whole, within=name)
        found.append(Piece(whole, declared, part.open))
    return found


def _refuse(refusal: EvidenceRefused) -> EvidenceFile:
    raise refusal


def _chosen(
    case: CaseFolder, paths: Sequence[Path], *, dry_run: bool
) -> list[tuple[str, Path, bool, set[str]]]:
    """The files to look at: their name in the case, their place, whether a link leads out, and the
    members that are asked for, where not all are."""
    root = case.path.resolve()
    if not paths:
        return [
            (
                path.relative_to(case.path).as_posix(),
                path,
                not path.resolve().is_relative_to(root),
                set(),
            )
            for path, _ in case.evidence()
        ]
    found: dict[str, tuple[str, Path, bool, set[str]]] = {}
    for path in paths:
        outer = archive.outer(path)
        if not os.path.exists(outer):  # noqa: PTH110 - a name too long is no such file either
            raise EvidenceRefused("no such file", path=path, remedy="check the path")
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [outer]
        for file in files:
            if path.is_dir() and not file.resolve().is_relative_to(path.resolve()):
                # A folder was named, not what its links lead to.
                name = f"{EVIDENCE}/{file.name}"
                found[name] = (name, file, True, set())
                continue
            if file.resolve().is_relative_to(root):
                name = file.resolve().relative_to(root).as_posix()
                place = case.path / name
            else:
                place = case.path / EVIDENCE / file.name
                name = f"{EVIDENCE}/{file.name}"
                if not dry_run:
                    _copy(file, place)
                else:
                    place = file
            inner = {str(path)[len(str(outer)) + 1 :]} if path != outer else set()
            if name in found:
                inner = inner | found[name][3] if inner and found[name][3] else set()
            found[name] = (name, place, False, inner)
    return [found[name] for name in sorted(found)]


def _copy(file: Path, place: Path) -> None:
    if place.exists():
        if place.read_bytes() == file.read_bytes():
            return
        raise UsageError(
            f"{place} holds another file of that name", path=file, remedy="rename one of them"
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.part")
    shutil.copyfile(file, part)
    part.replace(place)
