"""Derived relations of a few hand-written records, without files: for tests of single relations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from toolkit import analysis, copies, rebuild, resources, reviewfile, sqlfile
from toolkit.casefile import default_policy
from toolkit.relations import BY_NAME, RELATIONS
from toolkit.store import Store, columns_of

Record = Mapping[str, Any]
START = datetime(2026, 1, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    """An instant so many hours after the start of the made-up record."""
    return START + timedelta(hours=hours)


def derive(
    wanted: str,
    *,
    window: tuple[datetime | None, datetime | None] = (None, None),
    components: Mapping[str, str] | None = None,
    policy: Mapping[str, object] | None = None,
    review: Sequence[reviewfile.Placed] = (),
    **evidence: Sequence[Record],
) -> Store:
    """A store that holds the evidence and the wanted relation with all that it reads.

    Records are numbered from 1 in the order given, over all relations; their source is 1.
    """
    store = stored(**evidence)
    for declared in RELATIONS:
        store.execute(f'create view "{declared.name}" as select * from evidence."{declared.name}"')
    copies.find(store)
    store.load(
        "case_info",
        {"window_start": "timestamptz", "window_end": "timestamptz"},
        [list(window)],
    )
    values = {key: row["value"] for key, row in default_policy().items()} | dict(policy or {})
    store.load(
        "policy",
        {"key": "varchar", "value": "varchar"},
        [[key, str(value)] for key, value in values.items()],
    )
    store.load(
        "component_region",
        {"component": "varchar", "region": "varchar"},
        [list(pair) for pair in (components or {}).items()],
    )
    store.execute((resources.queries() / "macros" / "macros.sql").read_text(encoding="utf-8"))
    rebuild._load_procedures(store, [])
    store.load("review_entry", reviewfile.COLUMNS, reviewfile.rows(review))
    files = sqlfile.catalogue(resources.queries())
    steps = {step.id: step for step in analysis.steps().values()}
    makers = {output: step.id for step in steps.values() for output in step.writes}
    reads = {name: file.meta.reads for name, file in files.items()}
    reads |= {name: step.reads for name, step in steps.items()}
    needed: dict[str, set[str]] = {}
    pending = [makers.get(wanted, wanted)]
    while pending:
        name = pending.pop()
        if name in reads and name not in needed:
            needed[name] = {makers.get(read, read) for read in reads[name]}
            pending += needed[name]
    for name in sqlfile.order(needed):
        if name in steps:
            rebuild._run_step(store, steps[name])
            continue
        store.derive(name, files[name].sql)
        assert store.columns(name) == list(files[name].meta.columns)
    return store


_ARROW = {
    "USMALLINT": pa.uint16(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "VARCHAR": pa.string(),
    "TIMESTAMPTZ": pa.timestamp("us", tz="UTC"),
}


def stored(**evidence: Sequence[Record]) -> Store:
    """A store that holds the evidence, and nothing derived yet."""
    store = Store.create(None)
    number = iter(range(1, 1_000_000))
    for relation, records in evidence.items():
        declared = BY_NAME[relation]
        rows = []
        for record in records:
            row = {"source_id": 1, "record_no": next(number), **record}
            for bound in declared.bounds or ():
                row.setdefault(bound, row.get(declared.at or ""))
            rows.append(row)
        columns = columns_of(declared)
        unknown = {name for row in rows for name in row} - {name for name, _ in columns}
        assert not unknown, f"{relation} has no column {unknown}"
        schema = pa.schema([(name, _ARROW[kind]) for name, kind in columns])
        store.append(f"evidence.{relation}", pa.Table.from_pylist(rows, schema=schema))
    return store


def samples(
    asset: str, states: Sequence[tuple[float, str]], **values: object
) -> list[dict[str, object]]:
    """Job records of an asset: pairs of hours after the start and state."""
    return [
        {"sampled_at": at(hours), "asset_id": asset, "state": state, **values}
        for hours, state in states
    ]


def hourly(
    asset: str, first: float, last: float, state: str = "success", **values: object
) -> list[dict[str, object]]:
    """One job record an hour, from the first hour to before the last."""
    count = int(last - first)
    return samples(asset, [(first + hour, state) for hour in range(count)], **values)
