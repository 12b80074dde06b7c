"""Ingest: every file of a case is read once, in one transaction, and accounted for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from toolkit.casefile import CaseFolder, SourceDeclaration, file_sha256, is_file
from toolkit.errors import EvidenceRefused, ToolkitError, UsageError, did_you_mean, one_line
from toolkit.ingest import archive
from toolkit.ingest.bulk import Trust, Unfit
from toolkit.ingest.choose import Piece, pieces
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.mapping import SHIPPED
from toolkit.ingest.reader import Reader, SourceSettings
from toolkit.ingest.recognise import other_claims, recognise
from toolkit.ingest.sink import Account, EvidenceSink
from toolkit.relations import RELATIONS
from toolkit.store import Store
from toolkit.strays import mappings_of, unnamed

_IGNORED = "case.toml names it as no evidence"
_UNNAMED = "no [[source]] of case.toml names it"
# Codes of rejects, with the key of case.toml that can settle them.
_SETTLED_BY = {
    "TIME_NO_ZONE": "zone",
    "TIME_NO_YEAR": "year",
    "TIME_ORDER": "order",
    "TIME_NONE": "captured_at",
    "ASSET_NONE": "asset_id",
}
NOTE_TABLES = ("reject", "skipped", "time_note", "value_note", "source_column")
# Told of the file in work, and how many of all bytes of the files are done.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of one file.

    `loaded`, `unchanged`, `reloaded`, `refused`; `withdrawn`: what it said is evidence no longer,
    for the reason that is told; `ignored`: the case says that it is no evidence; `unnamed`: it lies
    in the folder, and no `[[source]]` names it.
    """

    path: str
    outcome: str
    format: str | None = None
    detected_by: str | None = None
    records_read: int = 0
    accepted: int = 0
    continued: int = 0
    skipped: int = 0
    rejected: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of every file, and the decisions that are missing, as TOML to paste."""

    files: tuple[Loaded, ...] = ()
    refusals: tuple[EvidenceRefused, ...] = field(default=())

    @property
    def unnamed(self) -> tuple[str, ...]:
        """The files that lie in the case and that no `[[source]]` names."""
        return tuple(each.path for each in self.files if each.outcome == "unnamed")


def settled_by(code: str, field: str | None) -> str | None:
    """The key of case.toml that settles a reject of that code, if one does."""
    if code == "TIME_NONE" and field != "sampled_at":
        # A state that is shown held at its capture; what happened did not.
        return None
    return _SETTLED_BY.get(code)


def ingest(
    store: Store,
    case: CaseFolder,
    paths: Sequence[Path] = (),
    *,
    overrides: SourceSettings | None = None,
    numbers: Mapping[str, int] | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Ingested:
    """Bring the evidence tables in line with the files of the case.

    New files are loaded, changed ones and those that are now declared otherwise are reloaded,
    files that are gone are withdrawn; each in a transaction of its own. `paths` restricts the work
    to these files, folders and members of archives (FILE!NAME); files outside of the case are
    copied below `evidence/` first.
    Refused files are collected, never loaded in part, and what an earlier state of them said is
    withdrawn, unless `overrides`, which win over the case file, are what they were refused for.
    `numbers` are those that the sources of a case have, by path, for a case that is made again: a
    source is numbered when it is read first, and records are cited by that number.
    """
    chosen = pieces(case, paths, dry_run=dry_run)
    strays = [] if paths else [each.relative_to(case.path).as_posix() for each in unnamed(case)]
    found = sorted({*strays, *(piece.name for piece in chosen)})
    outcomes = [Loaded(name, "ignored") for name in found if case.ignores(name)]
    outcomes += [Loaded(name, "unnamed") for name in strays if not case.ignores(name)]
    told = {"ignored": _IGNORED, "unnamed": _UNNAMED}
    unread = {each.path: told[each.outcome] for each in outcomes}
    chosen = [piece for piece in chosen if not case.ignores(piece.name)]
    numbers = numbers or {}
    after = max(numbers.values(), default=0) + 1
    chosen.sort(key=lambda piece: numbers.get(piece.name, after))
    known = {row["path"]: row for row in store.rows("select * from source")}
    refusals: list[EvidenceRefused] = []
    if not paths and not dry_run:
        here = {piece.name for piece in chosen}
        for name in sorted(known.keys() - here):
            outer = archive.outer(case.path / name).relative_to(case.path).as_posix()
            if outer != name and outer in here:
                # An archive that is refused as a whole says nothing of its members.
                continue
            with store.transaction():
                _forget(store, known[name]["source_id"])
            outcomes.append(Loaded(name, "withdrawn", reason=_why_gone(case, name, here)))
    meter = _Meter(progress, [archive.outer(case.path / piece.name) for piece in chosen])
    for index, piece in enumerate(chosen):
        meter.begin(piece.name, index)
        try:
            with store.one_thread():
                outcomes.append(
                    _ingest_one(
                        store,
                        case,
                        piece,
                        overrides,
                        meter.read,
                        number=numbers.get(piece.name),
                        dry_run=dry_run,
                    )
                )
        except EvidenceRefused as refusal:
            refusals.append(refusal)
            unread[piece.name] = refusal.message
            outcomes.append(Loaded(piece.name, "refused", reason=str(refusal)))
            if piece.name in known and overrides is None and not dry_run:
                # What an earlier state of the file said is evidence no longer.
                with store.transaction():
                    _forget(store, known[piece.name]["source_id"])
                outcomes.append(Loaded(piece.name, "withdrawn", reason="it is refused now"))
    if not dry_run:
        _note_unread(store, case, outcomes, unread, whole=not paths)
    return Ingested(tuple(outcomes), tuple(refusals))


def _why_gone(case: CaseFolder, name: str, here: Collection[str]) -> str:
    """Why a source is not among the files that a case now names."""
    outer = archive.outer(case.path / name).relative_to(case.path).as_posix()
    if not is_file(case.path / outer):
        return "it is no longer there"
    if case.ignores(name):
        return _IGNORED
    if any(each.startswith(f"{outer}!") for each in here):
        return f"{outer} no longer holds it"
    return "no [[source]] names it any more"


def _note_unread(
    store: Store,
    case: CaseFolder,
    outcomes: Sequence[Loaded],
    reasons: Mapping[str, str],
    *,
    whole: bool,
) -> None:
    """Keep which files of the case no reader took, and why; there is no table where all were read.

    A file that was looked at now is told anew, one that was not as it was told before, unless the
    `whole` case was looked at. Bytes and digest are those of the file; a member of an archive has
    none of its own.
    """
    told: dict[str, list[object]] = {}
    if store.has("unread_file") and not whole:
        told = {row["path"]: list(row.values()) for row in store.rows("from unread_file")}
    for each in outcomes:
        told.pop(_storable(each.path), None)
    for each in outcomes:
        # What has the bytes of another file says nothing that this one does not say.
        reason = reasons.get(each.path) or (each.reason if each.outcome == "unchanged" else None)
        if reason is None or each.outcome == "withdrawn":
            continue
        path = case.path / each.path
        inside = is_file(path) and path.resolve().is_relative_to(case.path.resolve())
        name = _storable(each.path)
        told[name] = [
            name,
            "repeated" if each.outcome == "unchanged" else each.outcome,
            one_line(reason),
            path.stat().st_size if inside else None,
            file_sha256(path) if inside else None,
        ]
    with store.transaction():
        store.execute("drop table if exists unread_file")
        if told:
            columns = ("path", "outcome", "reason", "bytes", "sha256")
            store.load(
                "unread_file",
                {name: "bigint" if name == "bytes" else "varchar" for name in columns},
                [told[name] for name in sorted(told)],
            )
            store.comment("unread_file", "One row per file that no reader took, with the reason.")


def _storable(name: str) -> str:
    """A path with the bytes that are no UTF-8 written out, for the database holds nothing else."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


class _Meter:
    """Counts the bytes that are done: those of a file half when a reader has gone through it once,
    all when it has been left, however often it was gone through."""

    def __init__(self, progress: Progress | None, paths: Sequence[Path]) -> None:
        self._progress = progress
        self._sizes = [path.stat().st_size if path.is_file() else 0 for path in paths]
        self._name = ""
        self._before = self._size = self._read = 0

    def begin(self, name: str, index: int) -> None:
        """The next file."""
        if self._progress:
            self._before += self._size
            self._name, self._size, self._read = name, self._sizes[index], 0
            self._progress(name, self._before, sum(self._sizes))

    def read(self, count: int) -> None:
        """So many bytes of the file have been gone through."""
        if self._progress:
            self._read += count
            done = self._before + min(self._read // 2, self._size)
            self._progress(self._name, done, sum(self._sizes))


def _settings(
    case: CaseFolder, declared: SourceDeclaration, overrides: SourceSettings | None
) -> SourceSettings:
    values: dict[str, Any] = {
        name: getattr(declared, name)
        for name in ("format", "zone", "year", "asset_id", "order", "captured_at", "target_asset")
    }
    values["clock_offset_seconds"] = declared.clock_offset_seconds
    if declared.mapping:
        values["mapping"] = str(_mapping(case, declared.mapping))
    if overrides is not None:
        for name in SourceSettings.__dataclass_fields__:
            given = getattr(overrides, name)
            if given not in (None, 0.0):
                values[name] = given
    return SourceSettings(**values)


def shipped_mappings() -> dict[str, Path]:
    """The mappings that come with the toolkit, by their names."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def _mapping(case: CaseFolder, name: str) -> Path:
    """The mapping file that a case names: one of its own, or a shipped one by its bare name."""
    shipped = shipped_mappings()
    if name in shipped:
        return shipped[name]
    mapping = (case.path / name).resolve()
    if not mapping.is_relative_to(case.path.resolve()):
        raise UsageError(
            "the mapping lies outside of the case", path=name, remedy="copy it into the case folder"
        )
    if not is_file(mapping):
        # One of the case is what is meant before a shipped one whose name is as near.
        own = get_close_matches(name, mappings_of(case), 1)
        raise UsageError(
            "no such mapping",
            path=case.path / name,
            remedy=f"did you mean {own[0]!r}?" if own else did_you_mean(name, shipped),
        )
    return mapping


def _ingest_one(
    store: Store,
    case: CaseFolder,
    piece: Piece,
    overrides: SourceSettings | None,
    on_read: Callable[[int], None],
    *,
    number: int | None,
    dry_run: bool,
) -> Loaded:
    name, declared = piece.name, piece.declared
    settings = _settings(case, declared, overrides)
    mapping_sha256 = _digest_of(settings.mapping)
    file = piece.open()
    file.on_read = on_read
    same = store.rows("select * from source where sha256 = ? order by source_id", [file.sha256])
    here = store.rows("select * from source where path = ?", [name])
    elsewhere = [
        row
        for row in same
        if row["path"] != name and archive.outer(case.path / row["path"]).is_file()
    ]
    if elsewhere and not here:
        return Loaded(name, "unchanged", reason=f"the same bytes as {elsewhere[0]['path']}")
    declaration = _declaration_digest(settings, declared)
    reader, how = recognise(file, settings)
    if (
        here
        and here[0]["sha256"] == file.sha256
        and (overrides is None or here[0]["declaration_sha256"] == declaration)
        and here[0]["declaration_sha256"] == declaration
        and here[0]["mapping_sha256"] == mapping_sha256
        and (here[0]["reader"], here[0]["reader_version"]) == (reader.name, reader.version)
    ):
        row = here[0]
        return Loaded(name, "unchanged", row["format"], row["detected_by"], *_counts(row))
    source_id = (
        here[0]["source_id"]
        if here
        else number or store.value("select coalesce(max(source_id), 0) + 1 from source")
    )
    source = {
        "source_id": source_id, "sha256": file.sha256, "path": name,
        "container_sha256": file.container.sha256 if file.container else None,
        "format": reader.name,
        "reader": reader.name, "reader_version": reader.version, "detected_by": how,
        "zone": settings.zone, "year": settings.year, "asset_id": settings.asset_id,
        "mapping": declared.mapping, "mapping_sha256": mapping_sha256,
        "declaration_sha256": declaration, "bytes": file.bytes, "encoding": file.encoding,
        "clock_offset_seconds": settings.clock_offset_seconds,
        "clock_basis": "declared" if settings.clock_offset_seconds else "none",
        "system_of_record": declared.system_of_record, "obtained_by": declared.obtained_by,
        "obtained_at": declared.obtained_at, "obtained_how": declared.obtained_how,
        "expected_records": declared.expected_records,
    }  # fmt: skip
    account = _load(store, file, reader, settings, source, is_new=not here, dry_run=dry_run)
    return Loaded(
        name, "reloaded" if here else "loaded", reader.name, how, account.total, account.accepted,
        account.continued, account.skipped, account.rejected,
    )  # fmt: skip


class _DryRun(Exception):
    """Ends a transaction whose outcome is not wanted."""


def _load(
    store: Store,
    file: EvidenceFile,
    reader: Reader,
    settings: SourceSettings,
    source: dict[str, Any],
    *,
    is_new: bool,
    dry_run: bool,
) -> Account:
    """Read a file into the store, all of it or nothing."""
    trusts: tuple[Trust, ...] = ("plain", "copy", "none")
    for trust in trusts:
        file.read_count = 0
        sink = EvidenceSink(source["source_id"], settings, store, trust=trust)
        try:
            with store.transaction():
                if not is_new:
                    _forget(store, source["source_id"])
                reader.read(file, settings, sink)
                sink.close()
                file.verify_unchanged()
                _check(file, reader, sink, source["detected_by"])
                store.insert("source", source | _accounted(sink.account))
                if dry_run:
                    raise _DryRun
        except Unfit:
            continue
        except _DryRun:
            pass
        return sink.account
    raise AssertionError("a file that the engine does not touch cannot be unfit for it")


def _check(file: EvidenceFile, reader: Reader, sink: EvidenceSink, how: str) -> None:
    account = sink.account
    if account.total != file.read_count:
        raise ToolkitError(
            f"reader {reader.name} accounted for {account.total} of {file.read_count} records",
            path=file.path,
        )
    if sink.first_reject is not None and not account.accepted:
        _, _, _, column, code, _, _ = sink.first_reject
        if not account.skipped or settled_by(code, column):
            raise _all_rejected(file.path, sink.first_reject, account.rejected)
    if how == "declared" and reader.name != "mapped" and not account.accepted:
        _refuse_unlike(file, reader)


def _refuse_unlike(file: EvidenceFile, reader: Reader) -> None:
    """A format that the file does not bear out says nothing by finding nothing."""
    if reader.matches(file):
        return
    claims = other_claims(file, reader)
    raise EvidenceRefused(
        f"the file is declared as {reader.name}, and holds no record of that format",
        path=file.path,
        remedy=f"it looks like {' or '.join(claims)}: declare one of these, or a mapping"
        if claims
        else "declare the format that it is in (see: postmortem formats)",
    )


def _accounted(account: Account) -> dict[str, Any]:
    return {
        "records_read": account.total, "accepted": account.accepted,
        "continued": account.continued, "skipped": account.skipped, "rejected": account.rejected,
        "first_at": account.first_at, "last_at": account.last_at,
        "export_complete": not account.incomplete,
        "export_note": "; ".join(account.incomplete) or None,
    }  # fmt: skip


def _all_rejected(path: Path, first: tuple[Any, ...], rejected: int) -> EvidenceRefused:
    """A file of which no record can be read is refused: its structure is not what it seems."""
    _, number, _, column, code, reason, _ = first
    remedies = {
        "TIME_NO_ZONE": 'declare zone = "…" in case.toml, or give ingest --zone',
        "TIME_NO_YEAR": "declare year = … in case.toml, or give ingest --year",
        "TIME_ORDER": 'declare order = "day-first" or "month-first" in case.toml',
        "TIME_NONE": "declare captured_at = … in case.toml",
        "ASSET_NONE": 'declare asset_id = "…" in case.toml',
    }
    return EvidenceRefused(
        f"no record can be read ({rejected} rejected); the first: {reason}",
        path=path, line=number, field=column,
        remedy=remedies[code]
        if settled_by(code, column)
        else "check the format, or declare it in case.toml",
    )  # fmt: skip


def withdraw(store: Store, name: str) -> None:
    """Take out what a file has said, if it is loaded."""
    with store.transaction():
        for row in store.rows("select source_id from source where path = ?", [name]):
            _forget(store, row["source_id"])


def _forget(store: Store, source_id: int) -> None:
    store.reclaim()
    # Most sources fill one or two relations: asking once costs less than to take out of each.
    held = " union all ".join(
        f"select '{relation.name}' as relation "
        f"where exists (from evidence.{relation.name} where source_id = {source_id})"
        for relation in RELATIONS
    )
    parts = (
        "select regexp_extract(view_name, '^(.*)_[0-9]+$', 1) from duckdb_views() "
        f"where schema_name = 'evidence' and regexp_full_match(view_name, '.*_{source_id}')"
    )
    for row in store.rows(f"{held} union {parts}"):
        store.forget(row["relation"], source_id)
    for name in (*NOTE_TABLES, "source"):
        store.execute(f"delete from {name} where source_id = ?", [source_id])


def _counts(row: dict[str, Any]) -> tuple[int, int, int, int, int]:
    return (
        row["records_read"], row["accepted"], row["continued"], row["skipped"], row["rejected"],
    )  # fmt: skip


def _digest_of(mapping: str | None) -> str | None:
    return hashlib.sha256(Path(mapping).read_bytes()).hexdigest() if mapping else None


def _declaration_digest(settings: SourceSettings, declared: SourceDeclaration) -> str:
    parts = [
        str(getattr(settings, name))
        for name in SourceSettings.__dataclass_fields__
        if name not in ("mapping", "target_asset")  # the declaration tells of the latter
    ]
    return hashlib.sha256("|".join([*parts, declared.digest]).encode()).hexdigest()
