"""Are the files of a bag those that its evidence gives: reports, scripts, register?"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from toolkit import report, tables
from toolkit.errors import VerificationFailed
from toolkit.seal import bag, payload
from toolkit.seal.check import json_object
from toolkit.seal.reperform import Rebuild


def faults(made: Rebuild, data: Path, register: Mapping[str, Any]) -> Iterator[str]:
    """Where a file of the bag is not the one that sealing its evidence gives now.

    Of the relations the names alone: their rows are compared one by one elsewhere.
    """
    with tempfile.TemporaryDirectory(prefix="postmortem-") as scratch:
        fresh = Path(scratch)
        payload.copy_case(made.folder, fresh / payload.CASE, decisions=True)
        payload.copy_queries(made.folder, fresh / payload.QUERIES)
        promised = {name: register[name] for name in ("reports", "signed")}
        payload.write_full_texts(made, fresh, promised)
        reports = fresh / payload.REPORTS
        reports.mkdir()
        payload.write_reports(made, *promised_reports(register), reports)
        digest = report.case_digest(made.store)
        payload.write_readme(fresh, made.folder.file.title, digest, ())
        sealed, now = _files(data), _files(fresh)
        known = {f"{payload.RELATIONS}/{name}.parquet" for name in tables.relations(made.store)}
        sealed = {name: path for name, path in sealed.items() if name not in known}
        for name in sorted(sealed.keys() | now.keys()):
            if name.startswith(f"{payload.REPORTS}/") and (name in sealed) != (name in now):
                continue  # held to what the bag promises
            if name not in now:
                yield f"{name}: the evidence gives no such file"
            elif name not in sealed:
                yield f"{name}: the bag does not hold it"
            elif bag.digest(sealed[name]) != bag.digest(now[name]):
                yield _file_fault(name, sealed[name], now[name])


def promise_faults(data: Path, register: Mapping[str, Any]) -> Iterator[str]:
    """Where the reports of a bag are not those that its register promises."""
    promised = {*register["reports"], *register["signed"]}
    there = {path.name for path in (data / payload.REPORTS).iterdir()}
    for name in sorted(promised - there):
        yield f"{payload.REPORTS}/{name}: the bag promises it, and does not hold it"
    for name in sorted(there - promised):
        yield f"{payload.REPORTS}/{name}: the bag does not promise it"


def promised_reports(register: Mapping[str, Any]) -> tuple[list[report.Kind], list[str]]:
    """The kinds and formats of the reports that a register promises."""
    pairs = {tuple(name.split(".", 1)) for name in register["reports"]}
    kinds = [kind for kind in report.KINDS if any(kind == pair[0] for pair in pairs)]
    forms = [form for form in report.FORMATS if any(form == pair[-1] for pair in pairs)]
    if pairs != {(kind, form) for kind in kinds for form in forms}:
        raise VerificationFailed("no such set of reports is made", path=payload.REGISTER)
    return kinds, forms


def lacking(register: Mapping[str, Any]) -> str | None:
    """What a bag does not promise of what the toolkit makes, in words."""
    kinds, forms = promised_reports(register)
    missing: list[str] = [kind for kind in report.KINDS if kind not in kinds]
    missing += [form for form in report.FORMATS if form not in forms]
    return f"sealed without: {', '.join(missing)}" if missing else None


def _files(folder: Path) -> dict[str, Path]:
    return {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }


def _file_fault(name: str, sealed: Path, now: Path) -> str:
    """Where two files of one name differ, in words."""
    if name.endswith(".json") and (told := _first_place(json_object(sealed), json_object(now))):
        return f"{sealed.name}: {told}"
    return f"{name}: it is not what the evidence gives"


def wording(made: Rebuild, data: Path) -> list[str]:
    """Where a report of another version of the toolkit says something else than one made now."""
    originals = report.original_lines(made.store, made.folder.path)
    model = report.build(made.store, originals=originals)
    brand = report.load_brand(made.folder.path)
    notes: list[str] = []
    for kind in report.KINDS:
        path = data / payload.REPORTS / f"{kind}.json"
        if path.is_file():
            made_now = json.loads(report.render(model, kind, "json", brand))
            if place := _first_place(json_object(path), made_now):
                notes.append(f"{path.name}: worded otherwise by this version: {place}")
    return notes


def _first_place(sealed: Any, made: Any, at: str = "") -> str | None:
    """Where two values of JSON first differ, in words."""
    if type(sealed) is type(made):
        if isinstance(sealed, dict):
            for key in sorted(sealed.keys() | made.keys()):
                told = _first_place(sealed.get(key), made.get(key), f"{at}.{key}" if at else key)
                if told:
                    return told
            return None
        if isinstance(sealed, list):
            for index, (one, two) in enumerate(zip(sealed, made, strict=False)):
                told = _first_place(one, two, f"{at}[{index}]")
                if told:
                    return told
            if len(sealed) == len(made):
                return None
            return f"{at} has {len(sealed)} parts, and the evidence gives {len(made)}"
    if sealed == made:
        return None
    return f"{at} says {str(sealed)[:80]!r}, and the evidence gives {str(made)[:80]!r}"
