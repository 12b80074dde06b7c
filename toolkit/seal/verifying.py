"""Verifying a bag or a report: is it whole, who signed it, and do its numbers come out again?

Nothing of a bag is trusted. Names are checked before anything is opened, nothing is written into
it, its SQL runs confined, and its Python does not run at all: steps that are code are performed by
this toolkit's own, and the answer says where that is not the sealed one.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq

from toolkit import __version__, report, tables
from toolkit.errors import ToolkitError, UsageError, VerificationFailed
from toolkit.seal import bag, detached, payload, pdf, reperform
from toolkit.seal.reperform import Rebuild

Part = Literal["bag", "signatures", "numbers", "attachments and digest"]
FAILED, PASSED, NOTE = "failed", "passed", "note"
MOST_TOLD = 20
_Lines = Iterator["Check"]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the answer: `outcome` is `passed`, `failed` or `note` (what was not decided)."""

    part: Part
    outcome: str
    told: str


def verify(
    path: Path, *, allowed_signers: Path | None = None, roots: Path | None = None
) -> tuple[Check, ...]:
    """Check a bag, or a single PDF report; any check that `failed` means that it does not hold.

    `allowed_signers` lists the SSH keys and `roots` the certificates that are trusted; without
    them a signature can hold, but its maker stays unknown. Where they are given, a signature that
    leads to them is asked for. Raises UsageError where there is
    nothing to check.
    """
    trusted = None if roots is None else detached.load_roots(roots)
    if path.is_dir():
        return tuple(_bag(path, allowed_signers, trusted))
    if path.is_file():
        return tuple(_report(path, trusted))
    raise UsageError("no such bag or report", path=path, remedy="give a bag's folder, or a PDF")


def _report(path: Path, roots: Sequence[Any] | None) -> _Lines:
    yield from _report_signatures(path, roots)
    try:
        for outcome, told in pdf.content(pdf.read(path), None):
            yield Check("attachments and digest", outcome, told)
    except VerificationFailed as error:
        yield Check("attachments and digest", FAILED, str(error))
    yield Check("numbers", NOTE, "not re-performed: that needs the bag, which holds the evidence")


def _bag(path: Path, allowed_signers: Path | None, roots: Sequence[Any] | None) -> _Lines:
    unsafe = bag.unsafe(path)
    if unsafe is not None:
        yield Check("bag", FAILED, unsafe)
        yield Check("numbers", FAILED, "not re-performed: the bag cannot be read safely")
        return
    found = bag.faults(path)
    yield from _limited("bag", found)
    if not found:
        count = len(bag.read_digests(path, bag.MANIFEST))
        yield Check("bag", PASSED, f"complete and valid: {count} files as they were sealed")
    if not (path / bag.PAYLOAD).is_dir():
        yield Check("numbers", FAILED, f"not re-performed: the bag has no folder {bag.PAYLOAD}")
        return
    yield from _signatures(path, allowed_signers, roots)
    try:
        yield from _numbers(path / bag.PAYLOAD)
    except ToolkitError as error:
        yield Check("numbers", FAILED, _within(path, f"not re-performed: {error}"))
    except RecursionError:
        yield Check("numbers", FAILED, "not re-performed: a file is nested too deeply")
    except Exception as error:
        # Files of a stranger may break any expectation; what cannot be read cannot be confirmed.
        told = f"not re-performed: {type(error).__name__}: {str(error)[:200]}"
        yield Check("numbers", FAILED, _within(path, told))


# -- who signed it ---------------------------------------------------------------------------------


def _report_signatures(path: Path, roots: Sequence[Any] | None, name: str = "") -> _Lines:
    """What is found of the signatures of a PDF; with roots, one of them must lead there."""
    found = pdf.signatures(path, roots or ())
    for outcome, told in found:
        yield Check("signatures", outcome, f"{name}{told}")
    if roots is not None and not any(outcome == PASSED for outcome, _ in found):
        yield Check("signatures", FAILED, f"{name}no signature of the report leads to a given root")


def _signatures(path: Path, allowed_signers: Path | None, roots: Sequence[Any] | None) -> _Lines:
    manifest = path / bag.TAG_MANIFEST
    found: list[tuple[str, detached.Signature]] = []
    folder = path / bag.SIGNATURES
    for file in sorted(folder.iterdir()) if folder.is_dir() and manifest.is_file() else ():
        if file.suffix == ".sig":
            found.append((file.name, detached.check_ssh(manifest, file, allowed_signers)))
        elif file.suffix == ".tsr":
            found.append((file.name, detached.check_token(manifest, file, roots or ())))
    for name, signature in found:
        kind = "time-stamp" if name.endswith(".tsr") else "signature"
        yield Check(
            "signatures",
            _outcome(signature),
            f"{bag.SIGNATURES}/{name}: the {kind} {signature.told}",
        )
    reports = path / bag.PAYLOAD / payload.REPORTS
    signed = sorted(reports.glob(f"*{payload.SIGNED}")) if reports.is_dir() else []
    for file in signed:
        yield from _report_signatures(file, roots, f"{file.name}: ")
    if allowed_signers is not None and not any(
        signature.trusted for name, signature in found if name.endswith(".sig")
    ):
        yield Check("signatures", FAILED, "no signature of the bag is by an allowed signer")
    if (
        roots is not None
        and not signed
        and not any(signature.trusted for name, signature in found if name.endswith(".tsr"))
    ):
        yield Check("signatures", FAILED, "no report is signed, and no time-stamp leads to a root")
    if not found and not signed:
        yield Check("signatures", NOTE, "the bag is not signed")


def _outcome(signature: detached.Signature) -> str:
    return FAILED if not signature.holds else PASSED if signature.trusted else NOTE


# -- do the numbers come out again? ----------------------------------------------------------------


def _numbers(data: Path) -> _Lines:
    register = _object(data / payload.REGISTER)
    if register.get("form") != payload.FORM:
        raise VerificationFailed("the register is of another version", path=payload.REGISTER)
    manifest = (data / payload.MANIFEST).read_bytes()
    digest = hashlib.sha256(manifest).hexdigest()
    printed = {path: pdf.read(path) for path in sorted((data / payload.REPORTS).glob("*.pdf"))}
    faults = [
        *_digest_faults(data, register, digest, printed),
        *_query_faults(data, register, manifest),
        *_register_faults(register, manifest),
        *_signed_faults(data / payload.REPORTS),
    ]
    if register["profile"] == "redacted":
        faults += _count_faults(data, register)
        yield from _limited("numbers", faults)
        if not faults:
            yield Check("numbers", PASSED, "digests, queries and row counts agree with each other")
        yield Check(
            "numbers", NOTE, "redacted: not re-performed, since the evidence is not in this bag"
        )
        return
    same = register["toolkit"] == __version__
    if not same:
        yield Check(
            "numbers",
            NOTE,
            f"pages and derived tables not compared (made by version {register['toolkit']}, "
            f"checked with {__version__})",
        )
    case_id = register["case_id"]
    if not bag.safe(case_id) or "/" in case_id:
        raise VerificationFailed(f"{case_id!r} is no name of a case", path=payload.REGISTER)
    times = {name: at for name, at in register["file_times"].items() if bag.safe(name)}
    with reperform.rebuilt(
        data / payload.CASE,
        data / payload.QUERIES,
        case_id=case_id,
        file_times=times,
    ) as made:
        faults += _source_faults(made, register)
        faults += _manifest_faults(made, manifest, same)
        faults += _result_faults(made, data, register, same)
        notes: Sequence[str] = ()
        if same:
            faults += _payload_faults(made, data)
        else:
            notes = _wording(made, data)
    yield from _limited("numbers", faults)
    for note in notes:
        yield Check("numbers", NOTE, note)
    if not faults:
        queries = register["queries"]
        yield Check(
            "numbers",
            PASSED,
            f"re-performed from the sealed evidence: {len(queries)} results, "
            f"{sum(row['row_count'] for row in queries)} rows, all with the sealed digests",
        )


def _digest_faults(
    data: Path, register: Mapping[str, Any], digest: str, printed: Mapping[Path, pdf.Carried]
) -> Iterator[str]:
    """Where the case digest that something states is not that of the manifest."""
    if register["case_digest"] != digest:
        yield f"{payload.REGISTER}: the case digest is not that of {payload.MANIFEST}"
    for path in sorted((data / payload.REPORTS).glob("*.json")):
        if _object(path).get("case_digest") != digest:
            yield f"{path.name}: the case digest is not that of {payload.MANIFEST}"
    for path, carried in printed.items():
        for outcome, told in pdf.content(carried, digest):
            if outcome == FAILED:
                yield f"{path.name}: {told}"


def _query_faults(data: Path, register: Mapping[str, Any], manifest: bytes) -> Iterator[str]:
    """Where a file of SQL is not the one that the manifest names."""
    lines = _manifest_lines(manifest)
    named = {line[1]: line[2] for line in lines if line[0] == "query"}
    macros = data / payload.QUERIES / "macros" / "macros.sql"
    if ["macros", bag.digest(macros)] not in lines:
        yield f"{payload.QUERIES}/macros/macros.sql: the macros are not those of the manifest"
    files = sorted(set((data / payload.QUERIES).rglob("*.sql")) - {macros})
    texts = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in files}
    known = {row["query_id"] for row in register["queries"] if row["kind"] == "step"}
    for name, digest in named.items():
        if digest not in texts and name not in known:
            yield f"query {name}: no file of the bag has the text that the manifest names"
    for digest, path in texts.items():
        is_saved = path.read_bytes().startswith(b"-- /// query")  # asked on demand, never run here
        if digest not in named.values() and not is_saved:
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
    keys = {"policy": 2, "procedure": 3, "component": 2, "case": 1, "query": 2, "macros": 1}
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
    return derived | {"query_catalogue", "source", "policy", "rule_result", "case_info"}


def _difference(made: Rebuild, data: Path, name: str, sql: str) -> str | None:
    path = data / payload.RELATIONS / f"{name}.parquet"
    if not path.is_file():
        return "the bag does not hold it"
    return reperform.first_difference(pq.read_table(path), made.store.table(sql))


def _payload_faults(made: Rebuild, data: Path) -> Iterator[str]:
    """Where a file of the bag is not the one that sealing its evidence gives now.

    Of the relations the names alone: their rows are compared one by one elsewhere.
    """
    with tempfile.TemporaryDirectory(prefix="postmortem-") as scratch:
        fresh = Path(scratch)
        payload.copy_case(made.folder, fresh / payload.CASE, decisions=True)
        payload.copy_queries(made.folder, fresh / payload.QUERIES)
        payload.write_full_texts(made, fresh)
        reports = fresh / payload.REPORTS
        reports.mkdir()
        kinds, forms = _sealed_reports(data)
        payload.write_reports(made, kinds, forms, reports)
        digest = report.case_digest(made.store)
        payload.write_readme(fresh, made.folder.file.title, digest, ())
        sealed, now = _files(data), _files(fresh)
        known = {f"{payload.RELATIONS}/{name}.parquet" for name in tables.relations(made.store)}
        sealed = {name: path for name, path in sealed.items() if name not in known}
        for name in sorted(sealed.keys() | now.keys()):
            if name not in now:
                if not name.endswith(payload.SIGNED):
                    yield f"{name}: the evidence gives no such file"
            elif name not in sealed:
                yield f"{name}: the bag does not hold it"
            elif bag.digest(sealed[name]) != bag.digest(now[name]):
                yield _file_fault(name, sealed[name], now[name])


def _sealed_reports(data: Path) -> tuple[list[report.Kind], list[str]]:
    names = {path.name for path in (data / payload.REPORTS).iterdir()}
    return (
        [
            kind
            for kind in report.KINDS
            if any(f"{kind}.{form}" in names for form in report.FORMATS)
        ],
        [
            form
            for form in report.FORMATS
            if any(f"{kind}.{form}" in names for kind in report.KINDS)
        ],
    )


def _files(folder: Path) -> dict[str, Path]:
    return {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }


def _file_fault(name: str, sealed: Path, now: Path) -> str:
    """Where two files of one name differ, in words."""
    if name.endswith(".json") and (told := _first_place(_object(sealed), _object(now))):
        return f"{sealed.name}: {told}"
    return f"{name}: it is not what the evidence gives"


def _wording(made: Rebuild, data: Path) -> list[str]:
    """Where a report of another version of the toolkit says something else than one made now."""
    originals = report.original_lines(made.store, made.folder.path)
    model = report.build(made.store, originals=originals)
    brand = report.load_brand(made.folder.path)
    notes: list[str] = []
    for kind in report.KINDS:
        path = data / payload.REPORTS / f"{kind}.json"
        if path.is_file():
            made_now = json.loads(report.render(model, kind, "json", brand))
            if place := _first_place(_object(path), made_now):
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


def _object(path: Path) -> dict[str, Any]:
    """A file of JSON that holds one object."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise VerificationFailed("the file is nested too deeply", path=path.name) from None
    if not isinstance(told, dict):
        raise VerificationFailed("the file does not hold one object of JSON", path=path.name)
    return told


# -- words -----------------------------------------------------------------------------------------


def _manifest_lines(manifest: bytes) -> list[list[str]]:
    lines = [json.loads(line) for line in manifest.decode("utf-8").splitlines()]
    if not all(isinstance(line, list) and len(line) > 1 for line in lines):
        raise VerificationFailed("the manifest is not in its form", path=payload.MANIFEST)
    return lines


def _limited(part: Part, faults: Sequence[str]) -> _Lines:
    for fault in faults[:MOST_TOLD]:
        yield Check(part, FAILED, fault)
    if len(faults) > MOST_TOLD:
        yield Check(part, FAILED, f"and {len(faults) - MOST_TOLD} more")


def _within(path: Path, text: str) -> str:
    """A message without the folders of this machine."""
    return text.replace(f"{path}/", "")
