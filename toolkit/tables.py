"""Every relation of a rebuilt case as it leaves the database: in bags, and in exports."""

from __future__ import annotations

import re
from collections.abc import Mapping

from toolkit.relations import RELATIONS
from toolkit.store import Store, quoted

# Bookkeeping of the database that is no relation of the case, or depends on where it was built.
_LEFT_OUT = frozenset(["schema_version", "macro_file"])


def relations(store: Store) -> dict[str, str]:
    """Every relation of a rebuilt case by name, with the query that gives its rows in one order.

    Evidence stands as it counts (`change`), and as it was read (`evidence.change`) where copies
    and revisions make that more.
    """
    names = [
        row["table_name"]
        for row in store.rows(
            "select table_name from information_schema.tables where table_schema = 'main' "
            "order by table_name"
        )
        if row["table_name"] not in _LEFT_OUT
    ]
    for relation in RELATIONS:
        raw = f"evidence.{relation.name}"
        counts = [store.value(f"select count(*) from {quoted(n)}") for n in (relation.name, raw)]
        if counts[0] != counts[1]:
            names.append(raw)
    return {
        name: f"select {', '.join(_exact(row) for row in columns(store, name))} "
        f"from {quoted(name)} order by all"
        for name in names
    }


def columns(store: Store, name: str) -> list[dict[str, str]]:
    """Name and type of every column of a relation, in order."""
    return store.rows(f"describe {quoted(name)}")


def _exact(column: Mapping[str, str]) -> str:
    """A column as Parquet can hold it without loss: long integers and intervals are text."""
    name, kind = quoted(column["column_name"]), column["column_type"]
    wide = re.sub("U?HUGEINT|INTERVAL", "VARCHAR", kind)
    return name if wide == kind else f"{name}::{wide} as {name}"
