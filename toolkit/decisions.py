"""What a case does not yet say about its files: entries for case.toml, and what they still lack.

What a refused file lacks is found by trial, not by the words of its refusal: a key is missing if
giving it changes what becomes of the file. Trials load into a database of their own, in memory.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

from toolkit.casefile import CASE_FILE, EVIDENCE, CaseFolder, file_sha256, is_file
from toolkit.errors import EvidenceRefused, UsageError
from toolkit.ingest import archive
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.load import ingest, settled_by, shipped_mappings
from toolkit.ingest.mapping import load_mapping
from toolkit.ingest.reader import SourceSettings, readers
from toolkit.store import Store
from toolkit.strays import left_out

# Values to try, and what the entry then says of the key. None of them is ever kept.
_TRIALS: dict[str, tuple[tuple[Any, ...], str]] = {
    "zone": (("UTC",), 'the zone of its times, such as "America/Denver" or "UTC"'),
    "order": (
        ("day-first", "month-first", "year-first"),
        '"day-first", "month-first" or "year-first"',
    ),
    "asset_id": (("?",), 'the asset that it tells of, such as "db-1"'),
    "year": ((2000,), "the year of its first record, such as 2022"),
    "captured_at": (("2000-01-01T00:00:00Z",), 'when it was taken: "2022-03-10T08:00:00Z"'),
}
# Documents and pictures, which no reader takes: mostly they only lie beside the exports.
_NO_EXPORTS = frozenset(
    {".pdf", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".mp4", ".doc", ".ppt"}
)
_NO_CAPTURE = "the file does not say when it was made; what is open in it was open then"
_UNNAMED = "no entry names it"
# So many files of one folder and one need are asked about at once.
# What a rejected record waits for is found by reading its file once more; not that of a larger one.
_TRIED_RECORDS = 100_000
_ALIKE = 3
_NAMED = 5
_FILE_TIME = "the lines state no year; the time of the file bounds it, unless a copy changed that"

_TIME = re.compile(rb"\d{4}-\d\d-\d\d|\b\d\d:\d\d:\d\d\b")

SCAFFOLD = """\
# What is reviewed. Every key is described in the documentation; unknown keys are refused.
title = {title}
display_zone = "UTC"
# ignore = ["*.pdf"]        # files that are no evidence

# [window]                  # what the review covers; without it, all evidence
# start = 2022-03-01T00:00:00Z
# end = 2022-04-20T00:00:00Z

# [[source]]                # what must not be guessed about a file, and how it was obtained
# path = "evidence/*.log"
# zone = "America/Denver"
# year = 2022
# obtained_by = "role that made the export"
"""


def scaffold(path: Path, title: str, entries: str = "") -> None:
    """Write a `case.toml` that says nothing yet but the title and these entries."""
    text = SCAFFOLD.format(title=_quoted(title)) + entries
    (path / CASE_FILE).write_text(text, encoding="utf-8")


def scaffold_around(path: Path) -> None:
    """Make a case of a plain folder: a `case.toml` that names every file where it lies.

    Left out, and named in a comment, are hidden files, links that lead out of the folder, names
    that are not UTF-8, and what a case itself consists of.
    """
    inside: list[str] = []
    outside: list[tuple[str, str]] = []
    for file in sorted(path.rglob("*")):
        if not file.is_file():
            continue
        name = file.relative_to(path).as_posix()
        if why := left_out(path, file):
            outside.append((name, why))
        else:
            inside.append(name)
    if not inside:
        raise UsageError(
            "the folder holds no files", path=path, remedy="give a folder with exports in it"
        )
    comment = "".join(f"# left out: {_quoted(name)} ({why})\n" for name, why in outside)
    entries = "".join(
        f"\n[[source]]\npath = {_quoted(name)}\n"
        for name in inside
        # Every file below it is evidence without an entry.
        if not name.startswith(f"{EVIDENCE}/")
    )
    scaffold(path, path.resolve().name, (f"\n{comment}" if comment else "") + entries)


@dataclass(frozen=True, slots=True)
class _Need:
    """What a refused file lacks: the keys, each with what to say of it, and why it was refused."""

    name: str
    keys: tuple[tuple[str, str], ...]
    reason: str

    @property
    def place(self) -> tuple[PurePosixPath, str, str]:
        """Its folder, the archive that it is a member of, and how its name ends."""
        path = PurePosixPath(self.name)
        return path.parent, path.name.rpartition("!")[0], path.suffix


def missing_decisions(
    case: CaseFolder, refusals: Sequence[EvidenceRefused], strays: Sequence[str] = ()
) -> str:
    """The decisions that files wait for, once each, as TOML to paste into case.toml.

    Those are the refused files, the strays, which no entry names, and loaded files: those whose
    years rest on the time of the file, of which records wait for a key, or which show a state and
    not when. An entry holds all keys that its file lacks, to be filled in;
    until then it is no TOML, so that none is forgotten. Files of one folder that lack the same are
    one entry. What has an entry of its own is printed whole, to replace it. A copy of a file is not
    asked about twice. Empty where no entry would help.
    """
    with Store.open(case.database) as store:
        loaded = {row["path"] for row in store.rows("select path from source")}
    needs = _of_loaded(case)
    hopeless: list[_Need] = []
    seen: set[str] = set()
    with Store.create() as store:
        for refusal in [
            *refusals,
            *(each for name in strays for each in _stray(store, case, name)),
        ]:
            if isinstance(refusal, _Need):
                needs.append(refusal)
                continue
            path = Path(str(refusal.path))
            digest = _digest(path)
            if digest in seen:
                continue
            need = _need(store, case, path, refusal)
            if need.keys:
                seen.add(digest)
                needs.append(need)
            else:
                hopeless.append(need)
    refused = {_name(case, Path(str(refusal.path))) for refusal in refusals}
    loaded |= {path.relative_to(case.path).as_posix() for path, _ in case.evidence()}
    loaded -= refused
    entries = [_entry(case, group, glob) for group, glob in _groups(needs, loaded)]
    endings = {PurePosixPath(need.name).suffix for need in hopeless}
    patterns = sorted(f"*{each}" for each in endings if each.lower() in _NO_EXPORTS)
    hopeless = [need for need in hopeless if f"*{PurePosixPath(need.name).suffix}" not in patterns]
    if hopeless:
        names = "".join(f"#   {_quoted(need.name)}\n" for need in hopeless)
        entries.append(
            "# No entry settles these (see why they were refused): take them out of the folder, and"
            f"\n# their entries out of {CASE_FILE}, if they are no evidence.\n{names}"
        )
    if patterns:
        ignored = ", ".join(map(_quoted, sorted({*case.file.ignore, *patterns})))
        entries.append(
            "# These are no exports. A line that says so, to go above the first table of "
            f"{CASE_FILE}:\n#   ignore = [{ignored}]\n"
        )
    return "\n".join(entries)


def _of_loaded(case: CaseFolder) -> list[_Need]:
    """What loaded files lack, by path."""
    with Store.open(case.database) as store:
        undated = store.rows(
            "select distinct path from time_note inner join source using (source_id) "
            "where contains(flags, 'file_time_used')"
        )
        rejects = store.rows(
            "select path, code, field, any_value(reason order by record_no) as reason, "
            "count(*) as records from reject inner join source using (source_id) "
            "where records_read <= ? group by path, code, field order by path, code, field",
            [_TRIED_RECORDS],
        )
        pages = store.rows(
            "select path from source inner join evidence.status_update using (source_id) "
            "group by path having count(captured_at) = 0"
        )
    found: dict[str, _Need] = {row["path"]: _Need(row["path"], (), "") for row in undated}
    for path in found:
        found[path] = _more(found[path], "year", _FILE_TIME)
    with Store.create() as store:
        for row in rejects:
            need = found.get(row["path"], _Need(row["path"], (), ""))
            for key in _waiting(store, case, row["path"], (row["code"], row["field"])):
                told = f"{row['records']} rejected: {row['reason']}"
                need = found[row["path"]] = _more(need, key, told)
        for row in pages:
            path, tried = row["path"], SourceSettings(captured_at=_TRIALS["captured_at"][0][0])
            if case.declaration(path).captured_at is None and not _refusal(
                store, case, case.path / path, tried
            ):  # fmt: skip
                need = found.get(path, _Need(path, (), ""))
                if store.value(
                    "select count(captured_at) from evidence.status_update "
                    "inner join source using (source_id) where path = ?", [path],
                ):  # fmt: skip
                    found[path] = _more(need, "captured_at", _NO_CAPTURE)
    return [found[path] for path in sorted(found)]


def _more(need: _Need, key: str, reason: str) -> _Need:
    """A need with one more key and reason, if it does not have them."""
    if key in dict(need.keys):
        return need
    reason = "; ".join(each for each in (need.reason, reason) if each and each not in need.reason)
    return replace(need, keys=(*need.keys, (key, _TRIALS[key][1])), reason=reason)


def _waiting(
    store: Store, case: CaseFolder, name: str, reject: tuple[str, str | None]
) -> Iterator[str]:
    """The keys that records of a loaded file wait for, by what they are rejected for."""
    given, seen = SourceSettings(), set()
    while (key := settled_by(*reject)) and key not in seen:
        if getattr(case.declaration(name), key) is not None:
            return
        seen.add(key)
        given = replace(given, **{key: _TRIALS[key][0][0]})
        _refusal(store, case, case.path / name, given)
        left = store.rows(
            "select code, field from reject inner join source using (source_id) where path = ? "
            "order by record_no",
            [name],
        )
        if any((row["code"], row["field"]) == reject for row in left):
            return
        yield key
        if not left:
            return
        reject = left[0]["code"], left[0]["field"]


def _stray(store: Store, case: CaseFolder, name: str) -> Sequence[EvidenceRefused | _Need]:
    """What a file that no entry names would be refused for, and the bare entry that names it, where
    that lets some of it be read."""
    if PurePosixPath(name).suffix.lower() in _NO_EXPORTS:
        return [EvidenceRefused(_UNNAMED, path=case.path / name)]
    done = ingest(store, case, [case.path / name])
    bare = any(each.outcome != "refused" for each in done.files)
    return [*done.refusals, *([_Need(name, (), _UNNAMED)] if bare else [])]


def _digest(path: Path) -> str:
    """The digest of a file, or of a member of an archive; one that cannot be had is its name's."""
    if is_file(path):
        return file_sha256(path)
    try:
        return archive.open_one(path).sha256
    except EvidenceRefused:
        return str(path)


def _need(store: Store, case: CaseFolder, path: Path, refusal: EvidenceRefused) -> _Need:
    need = _Need(_name(case, path), (), refusal.message)
    given = SourceSettings()
    declared = case.declaration(need.name)
    if declared.format is None and declared.mapping is None:
        try:
            file = archive.open_one(path)
            claims = [reader.name for reader in readers().values() if reader.matches(file)]
            if len(claims) > 1:
                said = "one of " + ", ".join(_quoted(name) for name in claims)
                return replace(need, keys=(("format", said),))
            if not claims:
                if not _is_table(file):
                    return need
                shipped = _shipped(file)
                if shipped is None:
                    said = "a file of the case, drafted by: postmortem mapping init FILE"
                    return replace(need, keys=(("mapping", said),))
                said = f"{_quoted(shipped.stem)} was made for such a header"
                need = replace(need, keys=(("mapping", said),))
                given = SourceSettings(mapping=str(shipped))
        except EvidenceRefused:
            return need
    outcome: EvidenceRefused | None = refusal
    if given != SourceSettings():
        outcome = _refusal(store, case, path, given)
    while outcome is not None:
        found = _settles(store, case, path, given, outcome)
        if found is None:
            # What was tried does not load the file: something else is wrong with it.
            break
        key, given, outcome = found
        need = replace(need, keys=(*need.keys, (key, _TRIALS[key][1])))
    if outcome is None and store.value(
        "select count(*) from time_note inner join source using (source_id) "
        "where path = ? and contains(flags, 'file_time_used')",
        [need.name],
    ):
        need = replace(
            need,
            keys=(*need.keys, ("year", _TRIALS["year"][1])),
            reason=f"{need.reason}; {_FILE_TIME}",
        )
    return need


def _settles(
    store: Store, case: CaseFolder, path: Path, given: SourceSettings, before: EvidenceRefused
) -> tuple[str, SourceSettings, EvidenceRefused | None] | None:
    """The first key that changes what becomes of a file, with what then becomes of it."""
    for key, (values, _) in _TRIALS.items():
        if getattr(given, key) is not None:
            continue
        changed = None
        for value in values:
            tried = replace(given, **{key: value})
            outcome = _refusal(store, case, path, tried)
            if outcome is None:
                return key, tried, None
            if str(outcome) != str(before) and changed is None:
                changed = key, tried, outcome
        if changed is not None:
            return changed
    return None


def _refusal(
    store: Store, case: CaseFolder, path: Path, given: SourceSettings
) -> EvidenceRefused | None:
    done = ingest(store, case, [path], overrides=given)
    return done.refusals[0] if done.refusals else None


def _is_table(file: EvidenceFile) -> bool:
    """Whether the file has records that a mapping could name the columns of."""
    header = file.header
    if header is not None and len(header) > 1:
        return True
    if file.json_lines or file.is_parquet or isinstance(file.json, dict | list):
        return True
    # A log, of which most lines hold a time.
    lines = [record.raw for record in file.spread]
    return bool(lines) and 2 * sum(bool(_TIME.search(line)) for line in lines) >= len(lines)


def _shipped(file: EvidenceFile) -> Path | None:
    """The shipped mapping that was made for such a header, if there is just one."""
    header = {cell.strip().lower() for cell in file.header or ()}
    fitting = [
        path
        for path in shipped_mappings().values()
        if (wanted := load_mapping(path).spec.match.header_has)
        and {name.strip().lower() for name in wanted} <= header
    ]
    return fitting[0] if len(fitting) == 1 else None


def _groups(
    needs: Iterable[_Need], loaded: set[str]
) -> Iterator[tuple[Sequence[_Need], str | None]]:
    """Needs that one entry can hold: many, where a glob names these files and none that loaded."""
    alike: dict[tuple[Any, ...], list[_Need]] = defaultdict(list)
    for need in needs:
        alike[need.place, need.keys].append(need)
    for group in alike.values():
        glob = _covering(group, loaded) if len(group) >= _ALIKE else None
        if glob is not None:
            yield group, glob
        else:
            yield from (([need], None) for need in group)


def _covering(group: Sequence[_Need], loaded: set[str]) -> str | None:
    """A glob that names the files of a group and none that loaded, if there is one."""
    folder, _, suffix = group[0].place
    first, last = (
        PurePosixPath(name).stem for name in (f([need.name for need in group]) for f in (min, max))
    )
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    stem = "".join(letter for letter, _ in alike).rstrip("0123456789")
    if re.search(r"[*?\[\]]", f"{folder}{stem}{suffix}"):
        return None
    for path in map(PurePosixPath, loaded):
        if path.parent == folder and path.name.startswith(stem) and path.suffix == suffix:
            return None
    return (folder / f"{stem}*{suffix}").as_posix()


def _entry(case: CaseFolder, group: Sequence[_Need], glob: str | None) -> str:
    first = group[0]
    lines = [f"# {_plain(first.reason)}"]
    kept: dict[str, Any] = {}
    if glob:
        lines.append(f"# {len(group)} files; give each an entry of its own where they differ:")
        lines += [f"#   {_quoted(need.name)}" for need in group[:_NAMED]]
        if len(group) > _NAMED:
            lines.append(f"#   and {len(group) - _NAMED} more")
    else:
        places = _lines_of(case, first.name)
        if places:
            lines.append(f"# replaces the entry at line {' and '.join(map(str, places))}")
            kept = _own_keys(case, first.name)
    lines += ["[[source]]", f"path = {_quoted(glob or first.name)}"]
    wanted = dict(first.keys)
    lines += [f"{key} = {_value(each)}" for key, each in kept.items() if key not in wanted]
    lines += [f"{key} =   # {said}" for key, said in first.keys]
    return "\n".join(lines) + "\n"


def _own_keys(case: CaseFolder, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for declared in case.file.source:
        if declared.path == name:
            found |= declared.model_dump(exclude_unset=True, exclude={"path"}, exclude_none=True)
    return found


def _lines_of(case: CaseFolder, name: str) -> list[int]:
    """The lines of case.toml at which entries for just this path begin."""
    found, start = [], 0
    text = (case.path / CASE_FILE).read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip().startswith("[[source]]"):
            start = number
        elif re.match(r"\s*path\s*=", line):
            try:
                path = tomllib.loads(line).get("path")
            except tomllib.TOMLDecodeError:
                continue
            if path == name:
                found.append(start or number)
    return found


def _name(case: CaseFolder, path: Path) -> str:
    if path.is_relative_to(case.path):
        return path.relative_to(case.path).as_posix()
    return path.as_posix()


def _quoted(text: str) -> str:
    """Text as a basic string of TOML, which JSON's strings are but for one character."""
    written = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return json.dumps(written, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _plain(text: str) -> str:
    """Text for a comment: on one line, and without what TOML or a terminal does not bear."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
