"""What lies in a folder: what belongs to the case itself, and what nothing of the case names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from toolkit.casefile import CASE_FILE, DATABASE, EVIDENCE, OUTPUT, PROCEDURES, CaseFolder

REVIEW, BRAND = "review.yaml", "brand.toml"
NOT_UTF8 = "its name is not UTF-8: rename it"
# Folders of the case, and what in them is the case's.
_FOLDERS = {
    OUTPUT: "*",
    PROCEDURES: "*",
    "report_templates": "*",
    "queries": "*.sql",
    "snapshots": "case-*.duckdb",
    "review": "frozen-*.json",
}
_MAPPING = re.compile(rb"^mapping[ \t]*:[ \t]*\d", re.MULTILINE)
_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
_KEY_STORES = (".p12", ".pfx")
_HEAD_BYTES = 1 << 16


def left_out(root: Path, file: Path) -> str | None:
    """Why a file of a folder is no evidence of a case around that folder, if it is none."""
    parts = file.relative_to(root).parts
    try:
        "/".join(parts).encode()
    except UnicodeEncodeError:
        return NOT_UTF8
    if any(part.startswith(".") for part in parts):
        return "hidden"
    if not file.resolve().is_relative_to(root.resolve()):
        return "a link that leads out of the folder: copy the file instead"
    kept = _FOLDERS.get(parts[0])
    if len(parts) > 1 and kept and PurePosixPath(parts[-1]).match(kept):
        return f"{parts[0]}/ belongs to the case"
    if parts[0] == f"{DATABASE}.tmp" or (
        len(parts) == 1
        and (parts[0].startswith(DATABASE) or parts[0] in (CASE_FILE, REVIEW, BRAND))
    ):
        return "it belongs to the case"
    if file.suffix.lower() in _KEY_STORES or _KEY.match(_head(file)):
        # Who signs in the case folder has it there; what is evidence is copied into the bag.
        return "a private key"
    if file.suffix in (".yaml", ".yml") and _is_mapping(file):
        return "a mapping, which says how others are read"
    if file in _of_brand(root):
        return f"{BRAND} names it"
    return None


def unnamed(case: CaseFolder) -> list[Path]:
    """The files of a case around a plain folder that no `[[source]]` names, by path.

    A case that keeps its evidence below `evidence/` has none: what lies elsewhere is no evidence.
    One that keeps some in folders beside it has none among the files of the case folder itself,
    such as a README. Not among them are hidden files, links that lead out, and what belongs to the
    case itself.
    """
    if not _is_around(case):
        return []
    in_root = not (case.path / EVIDENCE).is_dir() or any(
        "/" not in declared.path for declared in case.file.source
    )
    named = {path for path, _ in case.evidence()}
    named |= {case.path / each.mapping for each in case.file.source if each.mapping}
    return [
        file
        for file in sorted(case.path.rglob("*"))
        if file.is_file()
        and file not in named
        and (in_root or file.parent != case.path)
        and left_out(case.path, file) in (None, NOT_UTF8)
    ]


def mappings_of(case: CaseFolder) -> list[str]:
    """The mapping files of a case, by their names in it."""
    return [
        file.relative_to(case.path).as_posix()
        for file in sorted(case.path.rglob("*.y*ml"))
        if file.is_file() and _is_mapping(file)
    ]


def _is_around(case: CaseFolder) -> bool:
    """Whether the evidence lies in the case folder itself, as where `run` made a case of it."""
    if not (case.path / EVIDENCE).is_dir():
        return True
    places = (declared.path.partition("/")[0] for declared in case.file.source)
    return any(place not in (EVIDENCE, "**") for place in places)


def _is_mapping(file: Path) -> bool:
    return _MAPPING.search(_head(file)) is not None


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_HEAD_BYTES)
    except OSError:
        return b""


def _of_brand(root: Path) -> Iterator[Path]:
    """The logo and the words that a case names in `brand.toml`."""
    try:
        told = tomllib.loads((root / BRAND).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    for key in ("logo", "words"):
        if isinstance(name := told.get(key), str):
            yield root / name
