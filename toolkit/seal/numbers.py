"""Do the numbers of a bag come out again, and do its parts agree with each other?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from toolkit import __version__, report, tables
from toolkit.casefile import CaseFolder
from toolkit.delivered import MACROS, departures
from toolkit.errors import VerificationFailed
from toolkit.seal import bag, pages, payload, pdf, reperform
from toolkit.seal.check import FAILED, NOTE, PASSED, Check, Lines, json_object, limited
from toolkit.seal.reperform import Rebuild

_NAMED = 8


def of_bag(path: Path) -> Lines:
    """Hold the parts of a bag to each other, and re-perform a full one from its evidence."""
    data = path / bag.PAYLOAD
    register = json_object(data / payload.REGISTER)
    maker, same = str(register.get("toolkit")), register.get("toolkit") == __version__
    if register.get("form") != payload.FORM:
        raise VerificationFailed(
            f"the bag was made by version {maker} of the toolkit, and its form is not known to "
            f"{__version__}",
            path=payload.REGISTER,
            remedy=f"verify it with version {maker}",
        )
    manifest = (data / payload.MANIFEST).read_bytes()
    digest = hashlib.sha256(manifest).hexdigest()
    printed = {path: pdf.read(path) for path in sorted((data / payload.REPORTS).glob("*.pdf"))}
    faults = [
        *_info_faults(path, register),
        *_digest_faults(data, register, digest, printed),
        *_query_faults(data, register, manifest),
        *_register_faults(register, manifest),
        *_signed_faults(data / payload.REPORTS),
    ]
    torn = list(pages.promise_faults(data, register))
    if without := pages.lacking(register):
        yield Check("pages", NOTE, without)
    yield from _departures(data, register, same)
    if register["profile"] == "redacted":
        faults += _count_faults(data, register)
        yield from limited("numbers", faults)
        yield from limited("pages", torn)
        if not faults:
            yield Check("numbers", PASSED, "digests, queries and row counts agree with each other")
        yield Check(
            "numbers", NOTE, "redacted: numbers and pages are not re-performed, since the "
            "evidence is not in this bag",
        )  # fmt: skip
        return
    case_id = register["case_id"]
    if not bag.safe(case_id) or "/" in case_id:
        raise VerificationFailed(f"{case_id!r} is no name of a case", path=payload.REGISTER)
    times = {name: at for name, at in register["file_times"].items() if bag.safe(name)}
    notes: Sequence[str] = ()
    with reperform.rebuilt(
        data / payload.CASE,
        data / payload.QUERIES,
        case_id=case_id,
        source_numbers=_source_numbers(register),
        file_times=times,
    ) as made:
        faults += _source_faults(made, register)
        faults += _manifest_faults(made, manifest, same)
        faults += _result_faults(made, data, register, same)
        if same:
            torn += pages.faults(made, data, register)
        else:
            notes = pages.wording(made, data)
    yield from limited("numbers", faults)
    yield from limited("pages", torn)
    if not faults:
        counts = [row["row_count"] for row in register["queries"] if row["row_count"] is not None]
        yield Check(
            "numbers",
            PASSED,
            f"re-performed from the sealed evidence: {len(counts)} results, "
            f"{sum(counts)} rows, all with the sealed digests",
        )
    if not same:
        told = f"made by version {maker}, checked with {__version__}"
        if faults:
            yield Check("numbers", NOTE, f"{told}: re-perform them with version {maker}")
        yield Check(
            "pages", NOTE, f"{told}: pages and derived tables are not compared, and what the pages "
            f"say is not confirmed; version {maker} can",
        )  # fmt: skip
    elif not torn:
        yield Check("pages", PASSED, "every report and script is what the sealed evidence gives")
    for note in notes:
        yield Check("pages", NOTE, note)


def _info_faults(path: Path, register: Mapping[str, Any]) -> Iterator[str]:
    """Where bag-info.txt says anything else than the register does."""
    title = CaseFolder.open(path / bag.PAYLOAD / payload.CASE).file.title
    said = bag.read_info(path)
    meant = {key: bag.one_line(value) for key, value in payload.info(register, title).items()}
    for key in sorted((said.keys() | meant.keys()) - {"Payload-Oxum"}):
        if said.get(key) != meant.get(key):
            yield f"{bag.INFO}: {key} is {said.get(key)!r}, by the register {meant.get(key)!r}"


def _departures(data: Path, register: Mapping[str, Any], same: bool) -> Lines:
    """What is not as delivered: who reads the numbers must know whose rules gave them."""
    if same:
        found = [f"{name} ({told})" for _, name, told in departures(data / payload.QUERIES)]
        if found:
            yield Check("numbers", NOTE, f"queries not as delivered: {_listed(found)}")
    own = [row["key"] for row in register["policy"] if row["origin"] != "default"]
    if own:
        yield Check("numbers", NOTE, f"thresholds that the case sets: {_listed(own)}")
    case = data / payload.CASE
    look = [path.relative_to(case).as_posix() for path in report.brand_files(case)]
    if look:
        yield Check("pages", NOTE, f"the case gives pages its own look and words: {_listed(look)}")


def _listed(names: Sequence[str]) -> str:
    more = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _digest_faults(
    data: Path, register: Mapping[str, Any], digest: str, printed: Mapping[Path, pdf.Carried]
) -> Iterator[str]:
    """Where the case digest that something states is not that of the manifest."""
    if register["case_digest"] != digest:
        yield f"{payload.REGISTER}: the case digest is not that of {payload.MANIFEST}"
    for path in sorted((data / payload.REPORTS).glob("*.json")):
        if json_object(path).get("case_digest") != digest:
            yield f"{path.name}: the case digest is not that of {payload.MANIFEST}"
    for path, carried in printed.items():
        for outcome, told in pdf.content(carried, digest):
            if outcome == FAILED:
                yield f"{path.name}: {told}"


def _query_faults(data: Path, register: Mapping[str, Any], manifest: bytes) -> Iterator[str]:
    """Where a file of SQL is not the one that the manifest names."""
    lines = _manifest_lines(manifest)
    named = {line[1]: line[2] for line in lines if line[0] == "query"}
    macros = set((data / payload.QUERIES / MACROS).glob("*.sql"))
    there = {(path.name, bag.digest(path)) for path in macros}
    sealed = {(line[1], line[2]) for line in lines if line[0] == "macros"}
    for name in sorted({name for name, _ in there ^ sealed}):
        yield f"{payload.QUERIES}/{MACROS}/{name}: the macros are not those of the manifest"
    files = sorted(set((data / payload.QUERIES).rglob("*.sql")) - macros)
    texts = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in files}
    known = {row["query_id"] for row in register["queries"] if row["kind"] == "step"}
    for name, digest in named.items():
        if digest not in texts and name not in known:
            yield f"query {name}: no file of the bag has the text that the manifest names"
    for digest, path in texts.items():
        if digest not in named.values():
            yield f"{path.relative_to(data).as_posix()}: the query is not the one of the manifest"


def _signed_faults(reports: Path) -> Iterator[str]:
    """Where a signed report does not go on from the bytes of the report beside it."""
    for path in sorted(reports.glob(f"*{payload.SIGNED}")):
        plain = reports / f"{path.name.removesuffix(payload.SIGNED)}.pdf"
        if not plain.is_file() or not path.read_bytes().startswith(plain.read_bytes()):
            yield f"{path.name}: what was signed is not the report {plain.name}"


def _register_faults(register: Mapping[str, Any], manifest: bytes) -> Iterator[str]:
    """Where the register and the manifest name different sources, thresholds or queries."""
    lines = _manifest_lines(manifest)
    sources = {line[1] for line in lines if line[0] == "source"}
    for row in register["sources"]:
        if row["sha256"] not in sources:
            yield f"{row['path']}: the source of the register is not in the manifest"
    policy = {line[1]: line[2] for line in lines if line[0] == "policy"}
    for row in register["policy"]:
        if policy.get(row["key"]) != str(row["value"]):
            yield (
                f"policy {row['key']}: the register has {row['value']!r}, "
                f"the manifest {policy.get(row['key'])!r}"
            )
    queries = {line[1]: line[2] for line in lines if line[0] == "query"}
    for row in register["queries"]:
        if queries.get(row["query_id"]) != row["sha256"]:
            yield f"query {row['query_id']}: register and manifest name different texts"


def _count_faults(data: Path, register: Mapping[str, Any]) -> Iterator[str]:
    for row in register["relations"]:
        path = data / payload.RELATIONS / f"{row['name']}.parquet"
        count = pq.read_metadata(path).num_rows
        if count != row["rows"]:
            yield f"{path.name}: {count} rows, and the register says {row['rows']}"


def _source_numbers(register: Mapping[str, Any]) -> dict[str, int]:
    """The numbers of the sources, by path; a register is a stranger's text."""
    found = {str(row["path"]): row["source_id"] for row in register["sources"]}
    numbers = set(found.values())
    if len(numbers) < len(register["sources"]) or not all(
        type(number) is int and 0 < number < 2**16 for number in numbers
    ):
        raise VerificationFailed(
            "the sources are not each of a path and a number of its own", path=payload.REGISTER
        )
    return found


def _source_faults(made: Rebuild, register: Mapping[str, Any]) -> Iterator[str]:
    fresh = {row["path"]: row for row in made.store.rows("select * from source")}
    sealed = {row["path"]: row for row in register["sources"]}
    refused = set(reperform.refused(made.ingested))
    for name in sorted(refused ^ set(register["refused"])):
        now = "is refused" if name in refused else "is read"
        yield f"{name}: {now} now, which it was not when the case was sealed"
    for path in sorted(fresh.keys() | sealed.keys()):
        if path not in fresh:
            yield f"{path}: the source of the register gives no record now"
        elif path not in sealed:
            yield f"{path}: the evidence is not in the register"
        elif fresh[path]["sha256"] != sealed[path]["sha256"]:
            yield f"{path}: the evidence is not the one that was sealed"
        else:
            for name in ("records_read", "accepted", "continued", "skipped", "rejected"):
                if fresh[path][name] != sealed[path][name]:
                    yield f"{path}: {name} is {fresh[path][name]}, sealed {sealed[path][name]}"


def _manifest_faults(made: Rebuild, manifest: bytes, same: bool) -> Iterator[str]:
    """Lines of the manifest that are not those that the content of the bag gives now.

    Code of another version of the toolkit, not the `same`, has other digests; all else must agree.
    """
    now = report.case_manifest(made.store)
    fresh, sealed = (_named(_manifest_lines(told)) for told in (now, manifest))
    steps = made.store.rows("select query_id from query_catalogue where kind = 'step'")
    free = set() if same else {("query", row["query_id"]) for row in steps}
    found = False
    for name in sorted((fresh.keys() | sealed.keys()) - free):
        if fresh.get(name) != sealed.get(name):
            found = True
            one, two = (" ".join(lines.get(name, ("none",))) for lines in (fresh, sealed))
            yield f"{' '.join(name)}: {one}, sealed {two}"
    if same and not found and now != manifest:
        yield f"{payload.MANIFEST}: its lines are not written as the toolkit writes them"


def _named(lines: Sequence[Sequence[str]]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Lines of a manifest by what they are about."""
    keys = {"policy": 2, "procedure": 3, "component": 2, "case": 1, "query": 2, "macros": 2}
    named = {}
    for line in lines:
        size = keys.get(line[0], len(line))
        named[tuple(line[:size])] = tuple(line[size:])
    return named


def _result_faults(
    made: Rebuild, data: Path, register: Mapping[str, Any], same: bool
) -> Iterator[str]:
    """Where a result is another one now, with the first row that differs."""
    exported = tables.relations(made.store)
    # Another version may derive other tables; then the evidence alone is compared row by row.
    for name in exported if same else sorted(exported.keys() - _derived(register)):
        told = _difference(made, data, name, exported[name])
        if told:
            yield f"relation {name}: {told}"
    fresh = {
        row["query_id"]: row
        for row in made.store.rows(
            "select query_id, kind, sha256, row_count, result_sha256 from query_catalogue"
        )
    }
    for row in register["queries"]:
        name = row["query_id"]
        now = fresh.pop(name, None)
        if now is None:
            yield f"query {name}: it is not run now"
        elif (now["row_count"], now["result_sha256"]) != (row["row_count"], row["result_sha256"]):
            told = ""
            if name in exported:
                told = _difference(made, data, name, exported[name]) or ""
            code = "" if row["sha256"] == now["sha256"] else " (made by other code than the sealed)"
            yield (
                f"query {name}{code}: {now['row_count']} rows, sealed {row['row_count']}"
                + (f"; first difference: {told}" if told else "; the digest of its rows differs")
            )
        elif row["sha256"] != now["sha256"] and (same or now["kind"] != "step"):
            yield f"query {name}: what was run is not the text that the register names"
    for name in sorted(fresh):
        yield f"query {name}: it is not in the register"


def _derived(register: Mapping[str, Any]) -> set[str]:
    # Sources, policy and the register itself are held to the manifest, line by line.
    derived = {row["query_id"] for row in register["queries"]}
    return derived | {
        "query_catalogue",
        "source",
        "policy",
        "rule_result",
        "case_info",
        "departure",
    }


def _difference(made: Rebuild, data: Path, name: str, sql: str) -> str | None:
    path = data / payload.RELATIONS / f"{name}.parquet"
    if not path.is_file():
        return "the bag does not hold it"
    return reperform.first_difference(pq.read_table(path), made.store.table(sql))


def _manifest_lines(manifest: bytes) -> list[list[str]]:
    lines = [json.loads(line) for line in manifest.decode("utf-8").splitlines()]
    if not all(isinstance(line, list) and len(line) > 1 for line in lines):
        raise VerificationFailed("the manifest is not in its form", path=payload.MANIFEST)
    return lines
