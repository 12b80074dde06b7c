"""From sealed evidence to relations again: one way for making a bag and for checking one.

What is sealed is rebuilt from a copy of the evidence, the procedures, the case file and the SQL of
the bag, in a folder that is thrown away. The numbers of a bag are therefore those that its own
content gives, and whoever has the bag can make them again. SQL of a bag is a stranger's text: each
file must be one SELECT, and it runs where no file, network, extension or setting can be reached.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toolkit import delivered, resources, sqlfile
from toolkit.casefile import DATABASE, CaseFolder
from toolkit.errors import UsageError, VerificationFailed
from toolkit.ingest.load import Ingested, ingest
from toolkit.rebuild import rebuild
from toolkit.store import Store

# Only comments to the end of a line may stand before: others can nest, and hide what is run.
_DEFINES_MACRO = re.compile(
    r"(?:\s|--[^\n]*\n)*create\s+(?:or\s+replace\s+)?macro\s", re.IGNORECASE
)
OWN_QUERIES = "queries"
SECONDS_PER_QUERY, MEMORY_GB, SPILL_GB = 600, 4, 20


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A case that was rebuilt: the store, the folder that it was built from, what was read."""

    store: Store
    folder: CaseFolder
    ingested: Ingested


@contextmanager
def rebuilt(
    case: Path,
    queries: Path,
    *,
    case_id: str,
    source_numbers: Mapping[str, int],
    file_times: Mapping[str, str] | None = None,
    own: CaseFolder | None = None,
) -> Iterator[Rebuild]:
    """Rebuild a copy of a case with a catalogue; the copy is gone afterwards.

    `source_numbers` are those by which the case cites its sources, by path. `file_times` sets the
    times of files whose years hang on them. `own` is the case itself, where it is at hand: its
    database must hold what its files say. Without it the SQL is a stranger's: it is held to single
    SELECTs and runs confined. Raises UsageError as the stages of a rebuild do.
    """
    if own is None and (case / OWN_QUERIES).exists():
        # A bag holds a case's own queries beside the others; these here would be run unchecked.
        raise VerificationFailed("queries have no place in the sealed case", path=OWN_QUERIES)
    with tempfile.TemporaryDirectory(prefix="postmortem-") as scratch:
        work = Path(scratch) / case_id
        shutil.copytree(case, work)
        for name, at in (file_times or {}).items():
            moment = datetime.fromisoformat(at).timestamp()
            os.utime(work / name, (moment, moment))
        folder = CaseFolder.open(work)
        with resources.queries_of(queries), Store.create(work / DATABASE) as store:
            done = ingest(store, folder, numbers=source_numbers)
            store.execute("set threads = 1")  # so that sums of doubles come out the same
            if own is not None:
                _require_agreement(own, store)
            else:
                _hold_to_questions(store, queries)
                store.confine(memory_gb=MEMORY_GB, seconds=SECONDS_PER_QUERY, spill_gb=SPILL_GB)
            rebuild(store, folder)
            yield Rebuild(store, folder, done)


def _hold_to_questions(store: Store, queries: Path) -> None:
    for file in sqlfile.catalogue(queries).values():
        if store.kinds(file.sql) != ["SELECT"]:
            raise VerificationFailed(
                "the file is not one SELECT and was not run", path=file.path.name
            )
    for macros in sorted((queries / delivered.MACROS).glob("*.sql")):
        statements = store.statements(macros.read_text(encoding="utf-8"))
        if not all(kind == "CREATE" and _DEFINES_MACRO.match(text) for kind, text in statements):
            raise VerificationFailed("the file does more than define macros", path=macros.name)


def source_numbers(case: CaseFolder) -> dict[str, int]:
    """The numbers by which a case cites its sources, by path: they hang on when each was read."""
    with Store.open(case.database) as store:
        return {row["path"]: row["source_id"] for row in store.rows("from source")}


def file_times(store: Store, folder: Path) -> dict[str, str]:
    """The times of the files whose years were inferred from them, by path."""
    return {
        row["path"]: datetime.fromtimestamp((folder / row["path"]).stat().st_mtime, UTC).isoformat()
        for row in store.rows(
            "select path from source where source_id in (select source_id from time_note "
            "where flags like '%file_time_used%') order by path"
        )
    }


def catalogue_files(*folders: Path) -> dict[str, Path]:
    """The files of a catalogue by the name they are sealed under; own files of a case win."""
    shipped, *own = folders
    replaced = sqlfile.catalogue(*own)
    found = {
        path.relative_to(shipped).as_posix(): path
        for path in sorted(shipped.rglob("*"))
        if path.suffix in (".sql", ".toml")
        and (path.parent.name == "macros" or path.suffix == ".toml"
             or sqlfile.read(path).id not in replaced)
    }  # fmt: skip
    for file in replaced.values():
        found[f"{delivered.OWN}/{file.id}.sql"] = file.path
    return found


def first_difference(sealed: pa.Table, made: pa.Table) -> str | None:
    """Where two tables in one order first differ, in words; None where they do not."""
    if sealed.column_names != made.column_names:
        return f"columns {', '.join(made.column_names)}, sealed {', '.join(sealed.column_names)}"
    rows = min(sealed.num_rows, made.num_rows)
    first, where = rows, ""
    for name in sealed.column_names:
        one, two = (_plain(table[name].slice(0, rows)) for table in (sealed, made))
        if one.equals(two):
            continue
        place = next(
            (at for at, (a, b) in enumerate(zip(one.to_pylist(), two.to_pylist(), strict=True))
             if not _alike(a, b)), rows,
        )  # fmt: skip
        if place < first:
            first, where = place, name
    if first == rows:
        if sealed.num_rows == made.num_rows:
            return None
        return f"{made.num_rows} rows, sealed {sealed.num_rows}"
    return (
        f"{_place(sealed, first)}: {where} is {_short(made[where][first].as_py())}, "
        f"sealed {_short(sealed[where][first].as_py())}"
    )


def _place(table: pa.Table, row: int) -> str:
    if table.column_names[:2] == ["source_id", "record_no"]:
        return f"record {table['source_id'][row]}:{table['record_no'][row]}"
    return f"row {row + 1}"


def _plain(column: Any) -> Any:
    """A column in a type that both a file and the engine give."""
    if pa.types.is_dictionary(column.type):
        return pc.cast(column, column.type.value_type)
    return column


def _alike(one: object, two: object) -> bool:
    if isinstance(one, float) and isinstance(two, float):
        return f"{one:.9g}" == f"{two:.9g}"
    return one == two


def _short(value: object) -> str:
    text = "empty" if value is None else repr(str(value))
    return text if len(text) <= 80 else text[:79] + "…"


def refused(done: Ingested) -> Sequence[str]:
    """The files of evidence that were refused, sorted."""
    return sorted(row.path for row in done.files if row.outcome == "refused")


def _require_agreement(case: CaseFolder, store: Store) -> None:
    """Refuse to seal a case whose database does not hold what its files say now."""
    asked = "select path, sha256, declaration_sha256, mapping_sha256 from source order by path"
    with Store.open(case.database) as own:
        known = {row["path"]: row for row in own.rows(asked)}
    fresh = {row["path"]: row for row in store.rows(asked)}
    for path in sorted(known.keys() | fresh.keys()):
        if known.get(path) != fresh.get(path):
            raise UsageError(
                "the file is not read now as it stands in the case database: it has changed, or "
                "was read with options of the command line",
                path=path,
                remedy=f"state the options in case.toml, then run: postmortem run {case.path}",
            )
