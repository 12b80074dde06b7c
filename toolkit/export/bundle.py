"""A folder of every relation as files, described by a Data Package (https://datapackage.org).

The relations are those that a bag holds, rows in one order. Text is as the reports show it: people
as roles, characters that could deceive a reader spelled out.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit import tables
from toolkit.errors import UsageError
from toolkit.export.writing import Written, write_json
from toolkit.relations import BY_NAME
from toolkit.report import CaseFacts
from toolkit.report.facts import LONGEST
from toolkit.store import Store

DESCRIPTOR = "datapackage.json"
# What the description of every bundle says of text.
CUT = f"Text beyond {LONGEST:,} characters is cut, and says how many more stand in the evidence."
# The board signs with names; a bag without names leaves its decisions out, and so does a bundle.
_BOARD = "review_"
# What the product says of itself: it names nobody, and its text must not change.
_OWN = frozenset(["query_catalogue", "rule_catalogue"])
_TYPES = {
    "BOOLEAN": "boolean", "DATE": "date", "DOUBLE": "number",
    "TIMESTAMP WITH TIME ZONE": "datetime",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation of a bundle: its name, its columns with their types, and its rows."""

    name: str
    types: Mapping[str, str]
    rows: pa.Table


Writer = Callable[[Relation, Path], None]


def write(
    store: Store,
    facts: CaseFacts,
    target: Path,
    form: str,
    mediatype: str,
    writer: Writer,
    type_of: Callable[[str], str],
    notes: str,
) -> Written:
    """Write one file per relation with `writer`, and the description of all of them.

    `type_of` gives the Table Schema type of an SQL type as the files hold it. A folder that
    holds an earlier bundle is replaced; one that holds anything else is refused.
    """
    _require_free(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    part.chmod(0o755)
    left_out: list[str] = []
    resources = []
    comments = _comments(store)
    for relation in _relations(store, facts, left_out):
        path = part / f"{relation.name}.{form}"
        writer(relation, path)
        about = comments.get(relation.name, {})
        fields = [
            {"name": name, "type": type_of(kind), **_described(about.get(name))}
            for name, kind in relation.types.items()
        ]
        resources.append({
            "name": relation.name, "path": path.name, **_described(about.get("")),
            "format": form, "mediatype": mediatype,
            "bytes": path.stat().st_size,
            "hash": "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest(),
            "rows": relation.rows.num_rows,
            "schema": {"fields": fields, "missingValues": [""]},
        })  # fmt: skip
    package = {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": re.sub("[^a-z0-9._-]+", "-", facts.case_id.lower()).strip("-") or "case",
        "title": facts.title,
        "description": notes,
        "caseDigest": facts.digest,
        "people": "names" if facts.names else "roles",
        "leftOut": left_out,
        "resources": resources,
    }
    write_json(part / DESCRIPTOR, package)
    if target.exists():
        shutil.rmtree(target)
    part.replace(target)
    rows = sum(int(str(each["rows"])) for each in resources)
    return Written(target, {"relations": len(resources), "rows": rows}, tuple(left_out))


def type_of(kind: str) -> str:
    """The Table Schema type of an SQL type."""
    if kind.endswith("[]"):
        return "array"
    return "integer" if "INT" in kind and kind != "INTERVAL" else _TYPES.get(kind, "string")


def _require_free(target: Path) -> None:
    if target.is_file():
        raise UsageError("a file of that name exists", path=target, remedy="give a folder")
    if target.is_dir() and any(target.iterdir()) and not _is_bundle(target):
        raise UsageError("the folder holds other files", path=target, remedy="give another folder")


def _is_bundle(folder: Path) -> bool:
    """Whether a folder holds an earlier bundle of this export, and nothing beside it."""
    try:
        package = json.loads((folder / DESCRIPTOR).read_bytes())
        listed = {DESCRIPTOR, *(each["path"] for each in package["resources"])}
        return "caseDigest" in package and {each.name for each in folder.iterdir()} <= listed
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _relations(store: Store, facts: CaseFacts, left_out: list[str]) -> Iterator[Relation]:
    known = tables.relations(store)
    board = [] if facts.names else [name for name in known if name.startswith(_BOARD)]
    if board:
        left_out.append(f"{', '.join(board)}: the board decides and signs by name")
    for name, sql in known.items():
        if name in board:
            continue
        types = {row["column_name"]: row["column_type"] for row in tables.columns(store, name)}
        rows = store.table(sql)
        raw = [each.name for each in rows.schema if pa.types.is_binary(each.type)]
        if raw and not facts.names:
            left_out.append(f"{name}.{', '.join(raw)}: original bytes, which can name people")
            rows = rows.drop_columns(raw)
        types = {each: types[each] for each in rows.column_names}
        yield Relation(name, types, rows if name in _OWN else _shown(rows, facts))


def _shown(rows: pa.Table, facts: CaseFacts) -> pa.Table:
    columns = [_column(each.name, rows[each.name], facts) for each in rows.schema]
    return pa.table(columns, schema=rows.schema)


def _column(name: str, column: pa.ChunkedArray, facts: CaseFacts) -> Any:
    """The column with every distinct text shown once."""
    if pa.types.is_list(column.type):
        if not pa.types.is_string(column.type.value_type):
            return column
        whole = column.combine_chunks()
        told = [facts.shown(name, each) for each in whole.to_pylist()]
        return pa.array(told, type=column.type)
    if not pa.types.is_string(column.type):
        return column
    coded = column.combine_chunks().dictionary_encode()
    told = pa.array([facts.shown(name, each) for each in coded.dictionary.to_pylist()], pa.string())
    return told.take(coded.indices)


def _comments(store: Store) -> dict[str, dict[str, str]]:
    """What the heads of the queries and the input relations say: of a relation ("") and columns."""
    found: dict[str, dict[str, str]] = {}
    for sql in (
        "select table_name as relation, '' as name, comment from duckdb_tables()",
        "select view_name as relation, '' as name, comment from duckdb_views()",
        "select table_name as relation, column_name as name, comment from duckdb_columns()",
    ):
        for row in store.rows(f"{sql} where schema_name = 'main' and comment is not null"):
            found.setdefault(row["relation"], {})[row["name"]] = row["comment"]
    for relation in BY_NAME.values():
        for name in (relation.name, f"evidence.{relation.name}"):
            about = found.setdefault(name, {})
            about.setdefault("source_id", "File of evidence, as in source.")
            about.setdefault("record_no", "Record in it: line, or index in an array.")
            for column in relation.columns:
                about.setdefault(column.name, column.comment)
    return found


def _described(text: str | None) -> dict[str, str]:
    return {"description": text} if text else {}


def write_parquet(relation: Relation, path: Path) -> None:
    """Write a relation as Parquet."""
    pq.write_table(relation.rows, path, compression="zstd")
