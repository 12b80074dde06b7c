"""Telemetry that stays where it lies: a Spark cluster reduces it, and runs of like samples come
back.

What follows the reduction reads runs, and so does not tell a case with a lake from one with files.
The cluster gets what the reduction rests on besides samples (objectives and cadences of the
inventory, aliases, one threshold) and runs the same text of SQL. Of the samples come back: the
first and the last of each run, those by which the onset is timed, the last use of what
irreversible actions hit, and one of each job. All of it becomes one file below `evidence/lake/`,
which is then read like any other, so that the case can be rebuilt, sealed and verified without the
cluster.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toolkit import sqlfile
from toolkit.casefile import EVIDENCE, CaseFolder
from toolkit.errors import EvidenceRefused
from toolkit.ingest import extract
from toolkit.ingest.load import Ingested, ingest, withdraw
from toolkit.rebuild import query_folders, rebuild
from toolkit.relations import BY_NAME, Column
from toolkit.sqlfile import SqlFile
from toolkit.store import Store

FOLDER = f"{EVIDENCE}/lake"
# Of records that cannot be read, as many are kept; all are counted.
MAX_REJECTS = 1000
# Above this, a number of a record does not fit where it is ordered together with a source.
_MAX_RECORD = 1 << 40
_SAMPLE = BY_NAME["replication_sample"]
_TYPES: Mapping[str, re.Pattern[str]] = {
    "instant": re.compile("timestamp(_ntz)?"),
    "text": re.compile("string|(var)?char.*"),
    "word": re.compile("string|(var)?char.*"),
    "number": re.compile("tinyint|smallint|int|bigint|float|double|decimal.*"),
    "count": re.compile("tinyint|smallint|int|bigint"),
}
_REASONS = {
    "VALUE_MISSING": "the value is missing",
    "WORD_UNKNOWN": "{raw!r} is none of {words}",
    "NUMBER_NOT_FINITE": "{raw!r} is no finite number",
}
# What the reduction and its citations are asked for, in this order.
_REDUCTION, _PROFILE, _LAST_USE = "replication_run", "age_profile", "span_use"
# Told of each step that is taken.
Told = Callable[[str], None]


class _Undo(Exception):
    """Ends a transaction of which nothing is to remain."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the reduction rests on besides samples: objectives and cadences of assets, aliases,
    thresholds, and the files of SQL."""

    assets: pa.Table
    aliases: pa.Table
    policy: Mapping[str, float]
    files: Mapping[str, SqlFile]


def ingest_lake(
    path: Path, url: str, table: str, *, zone: str | None = None, told: Told = lambda _: None
) -> Ingested:
    """Reduce a table of `replication_sample` where it lies, and load what comes back.

    `url` is `sc://HOST:PORT` of a Spark Connect server, `table` what Spark calls the table or view,
    or a path, as FORMAT:PATH where it is not Parquet. It has the columns of `replication_sample`,
    as many as there are, and `record_no`: a whole number from 1, another one for each record.
    `zone` is UTC where the times are UTC and the table does not say so.

    Evidence that the reduction rests on (inventory, aliases, changes) is to be loaded before. The
    result takes the place of what the same table gave before. Until all has come back nothing is
    written; raises EvidenceRefused where the cluster cannot be reached, stops half-way, or the
    table is not fit, UsageError for what is wrong with the case or the call.
    """
    from toolkit.lake.cluster import connect

    case = CaseFolder.open(path)
    target = case.path / FOLDER / f"{_slug(table)}.parquet"
    part = target.with_name(f".{target.name}.part")
    name = target.relative_to(case.path).as_posix()
    with Store.create(case.database) as store, connect(url) as cluster:
        given = _given(store, case)
        found = cluster.open_table(table)
        told(f"{table}: {found.version}")
        account = _account(cluster, found.columns, table, zone)
        told(f"{account['records']:,} records, {account['rejected']:,} of them cannot be read")
        runs = reduce(cluster, given)
        told(f"reduced to {runs.num_rows:,} runs")
        kept = _samples(cluster, table, _cited(cluster, given, runs))
        notes = _notes(cluster, found.columns, account)
        head = extract.Head(
            server=cluster.address, engine=cluster.engine, table=table, version=found.version,
            columns=dict(found.columns), statements_sha256=_digest(given.files), **account,
        )  # fmt: skip

        def write(*more: pa.Table) -> None:
            samples = pa.concat_tables([extract.rows(extract.SAMPLE, kept), *more])
            part.parent.mkdir(parents=True, exist_ok=True)
            reduced = extract.rows(extract.RUN, _numbered(runs))
            extract.write(part, head, [reduced, samples, *notes])

        try:
            write()
            spans = _spans(store, case, part, name)
            if spans.num_rows:
                used = _samples(cluster, table, _last_used(cluster, given, runs, spans, kept))
                write(
                    extract.rows(extract.SAMPLE, used),
                    extract.rows(extract.SPAN, spans.drop_columns(["only_target"])),
                )
            if found.has_changed() or _count(cluster) != account["records"]:
                raise EvidenceRefused(
                    "the table changed while it was read", path=table,
                    remedy="nothing was loaded; ask again for one that is not being written",
                )  # fmt: skip
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        told(f"{kept.num_rows:,} samples are kept; loading")
        return ingest(store, case, [target])


def _slug(table: str) -> str:
    """A name for a file; tables that differ get names that differ."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", table).strip("-.")[-80:]
    if plain == table:
        return plain
    return f"{plain}-{hashlib.sha256(table.encode()).hexdigest()[:8]}"


# -- what is brought to the cluster ----------------------------------------------------------------


def _given(store: Store, case: CaseFolder) -> Given:
    files = sqlfile.catalogue(*query_folders(case))
    found: list[Any] = []
    with suppress(_Undo), store.transaction():
        rebuild(store, case, only=("known_asset",))
        found += [
            store.table(
                "select asset_id, cadence_minutes, rpo_minutes from known_asset "
                "where cadence_minutes is not null or rpo_minutes is not null order by asset_id"
            ),
            store.table(
                "select kind, alias, canonical from alias where kind = 'asset' order by all"
            ),
            {
                key: store.value("select policy_number(?)", [key])
                for key in files[_REDUCTION].meta.policy
            },
        ]
        raise _Undo
    assets, aliases, policy = found
    asked = {name: files[name] for name in (_REDUCTION, _PROFILE, _LAST_USE)}
    return Given(assets, aliases, policy, asked)


def _digest(files: Mapping[str, SqlFile]) -> str:
    return hashlib.sha256(
        "".join(files[name].sha256 for name in sorted(files)).encode()
    ).hexdigest()


# -- what the table holds --------------------------------------------------------------------------


def _account(
    cluster: Any, columns: Mapping[str, str], table: str, zone: str | None
) -> dict[str, Any]:
    """Read the table as the contract of its relation demands, and count."""
    for name in ("record_no", *_SAMPLE.required):
        if name not in columns:
            raise EvidenceRefused(
                f"the table has no column {name!r}", path=table,
                remedy="make a view of it that has one, and ask for that",
            )  # fmt: skip
    for column in (Column("record_no", "count", ""), *_SAMPLE.columns):
        kind = columns.get(column.name)
        if kind is not None and not _TYPES[column.kind].fullmatch(kind):
            raise EvidenceRefused(
                f"the column is of type {kind}", path=table, field=column.name,
                remedy="make a view of the table that casts it, and ask for that",
            )  # fmt: skip
        if kind == "timestamp_ntz" and (zone or "").upper() != "UTC":
            raise EvidenceRefused(
                "the times are local, and no zone is declared", path=table, field=column.name,
                remedy="give --zone UTC where they are UTC, else make a view with instants",
            )  # fmt: skip
    cluster.define("read_sample", _reading(columns))
    cluster.define(
        "replication_sample",
        "select 0 as source_id, record_no, "
        + ", ".join(column.name for column in _SAMPLE.columns)
        + " from read_sample where fault is null",
    )
    (found,) = cluster.rows(
        "select count(*) as records, count(*) filter (where fault is null) as accepted, "
        "count(fault) as rejected, "
        "count(*) filter (where coalesce(record_no, 0) < 1 "
        f"or record_no >= {_MAX_RECORD}) as odd, "
        "min(sampled_at) filter (where fault is null) as first_at, "
        "max(sampled_at) filter (where fault is null) as last_at from read_sample"
    ).to_pylist()
    if found.pop("odd"):
        raise EvidenceRefused(
            "records have no number from 1 to 2^40", path=table, field="record_no",
            remedy="number the records when the table is loaded",
        )  # fmt: skip
    if not found["accepted"]:
        raise EvidenceRefused(
            f"no record can be read ({found['rejected']} rejected)", path=table,
            remedy="see that the table holds samples of replication",
        )  # fmt: skip
    return found  # type: ignore[no-any-return]


def _reading(columns: Mapping[str, str]) -> str:
    """The statement that reads cells as the sink does, and says what is wrong with a record."""
    values, faults = [], []
    for column in _SAMPLE.columns:
        name = column.name
        there = name in columns
        cell = f"`{name}`" if there else "cast(null as string)"
        if column.kind == "instant":
            value = f"cast({cell} as timestamp)"
            missing = f"{cell} is null"
        elif column.kind == "number":
            value = f"cast({cell} as double)"
            if there:
                # No number, and one without end, compare as greater than the greatest.
                odd = f"{cell} is not null and not abs({value}) <= 1.7976931348623157e308"
                faults.append(f"when {odd} then 'NUMBER_NOT_FINITE {name}'")
        elif column.kind == "count":
            value = f"cast({cell} as bigint)"
        else:
            value = f"case when trim({cell}) = '' then null else {cell} end"
            missing = f"{value} is null"
        if column.kind == "word":
            words = ", ".join(f"'{word}'" for word in column.words)
            word = f"lower(trim({cell}))"
            default = f"'{column.default}'" if column.default else "null"
            value = (
                f"case when {missing} then {default} when {word} in ({words}) then {word} "
                "else 'unknown' end"
            )
            if there and "unknown" not in column.words:
                odd = f"not {missing} and {word} not in ({words})"
                faults.append(f"when {odd} then 'WORD_UNKNOWN {name}'")
        if not column.may_be_empty:
            faults.append(f"when {missing} then 'VALUE_MISSING {name}'")
        values.append(f"{value} as `{name}`")
    return (
        f"select cast(record_no as bigint) as record_no, {', '.join(values)}, "
        f"case {' '.join(faults)} else null end as fault from lake_table"
    )


def _notes(cluster: Any, columns: Mapping[str, str], account: Mapping[str, Any]) -> list[pa.Table]:
    """Records that cannot be read, the first of them, and words that were not known, each once."""
    words = ", ".join(f"'{word}'" for word in _SAMPLE.by_column["state"].words)
    unknown = cluster.rows(
        "select min(record_no) as record_no, 'state' as field, 'UNKNOWN_WORD' as code, "
        f"trim(state) as raw from lake_table where lower(trim(state)) not in ({words}) "
        f"and trim(state) <> '' group by trim(state) order by record_no limit {MAX_REJECTS}"
    )
    found = [extract.rows(extract.WORD, unknown)]
    if account["rejected"]:
        names = [column.name for column in _SAMPLE.columns if column.name in columns]
        cells = ", ".join(f"lake_table.`{name}`" for name in names)
        rejected = cluster.rows(
            f"select read_sample.record_no as at_record, read_sample.fault, {cells} "
            "from read_sample "
            "inner join lake_table on read_sample.record_no = lake_table.record_no "
            f"where read_sample.fault is not null order by at_record limit {MAX_REJECTS}"
        ).to_pylist()
        found.append(extract.rows(extract.REJECT, _rejects(rejected)))
    return found


def _rejects(rows: Sequence[dict[str, Any]]) -> pa.Table:
    told = []
    for row in rows:
        number, (code, name) = row.pop("at_record"), row.pop("fault").split(" ")
        cells = {key: _plain(value) for key, value in row.items()}
        words = ", ".join(_SAMPLE.by_column[name].words)
        reason = _REASONS[code].format(raw=str(cells[name]).strip(), words=words)
        told.append({"record_no": number, "field": name, "code": code, "reason": reason,
                     "raw": repr(cells)})  # fmt: skip
    return pa.Table.from_pylist(told)


def _plain(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value


def _count(cluster: Any) -> int:
    return int(cluster.rows("select count(*) as n from lake_table").column("n")[0].as_py())


# -- what comes back -------------------------------------------------------------------------------


def reduce(cluster: Any, given: Given) -> pa.Table:
    """The rows of `replication_run`, in its order."""
    from toolkit.lake.portable import stages

    reduced = [column.name for column in BY_NAME["reduced_run"].columns]
    fields = [extract.SCHEMA.field(name) for name in ("record_no", *reduced)]
    cluster.bring("known_asset", given.assets)
    cluster.bring("alias", given.aliases)
    cluster.bring("reduced_run", pa.schema([("source_id", pa.int32()), *fields]).empty_table())
    runs: pa.Table = cluster.run(stages(given.files[_REDUCTION].sql, given.policy))
    return runs


def _numbered(runs: pa.Table) -> pa.Table:
    """Runs as the cluster gives them, by the names of `reduced_run`."""
    names = {"evidence": "record_no", "last_evidence": "last_record_no"}
    return runs.rename_columns([names.get(name, name) for name in runs.column_names])


def _cited(cluster: Any, given: Given, runs: pa.Table) -> pa.Array:
    """The records at the ends of runs and those that time an onset, and the first of each job as it
    is named in the table."""
    named = cluster.rows(
        "select min(record_no) as record_no from replication_sample "
        "group by asset_id, job_kind, job_id, target_asset"
    )
    columns = [
        runs.column("evidence"), runs.column("last_evidence"),
        profile(cluster, given, runs).column("evidence"), named.column("record_no"),
    ]  # fmt: skip
    return pc.unique(
        pa.chunked_array([part for each in columns for part in each.chunks], pa.int64())
    )


def profile(cluster: Any, given: Given, runs: pa.Table) -> pa.Table:
    """The rows of `age_profile`, in its order."""
    from toolkit.lake.portable import stages

    # What becomes stale is rare, and the rest of the runs has no part in the question.
    stale = pc.unique(runs.filter(pc.equal(runs.column("worth"), "stale")).column("asset_id"))
    cluster.bring("replication_run", runs.filter(pc.is_in(runs.column("asset_id"), stale)))
    rows: pa.Table = cluster.run(stages(given.files[_PROFILE].sql, given.policy))
    return rows


def _samples(cluster: Any, table: str, numbers: pa.Array) -> pa.Table:
    """The samples with these numbers, in their order."""
    cluster.bring("cited", pa.table({"record_no": numbers}))
    found: pa.Table = cluster.rows(
        "select replication_sample.* from replication_sample "
        "left semi join cited on replication_sample.record_no = cited.record_no order by record_no"
    )
    if found.num_rows != len(numbers):
        counts = pc.value_counts(found.column("record_no")).to_pylist()
        twice = max(counts, key=lambda each: each["counts"], default={"values": 0})["values"]
        raise EvidenceRefused(
            f"{len(numbers):,} numbers name {found.num_rows:,} records, {twice} among them",
            path=table, field="record_no",
            remedy="number the records when the table is loaded, each differently",
        )  # fmt: skip
    return found


# -- the last use of what irreversible actions hit -------------------------------------------------


_SPAN = "asset, since_lo, since_hi, occurred_lo, occurred_hi, only_target"


def _spans(store: Store, case: CaseFolder, part: Path, name: str) -> pa.Table:
    """The spans that the runs which came back leave open; of the attempt nothing remains."""
    found: list[pa.Table] = []
    with suppress(_Undo), store.transaction():
        withdraw(store, name)
        refused = ingest(store, case, [part]).refusals
        if refused:
            raise refused[0]
        rebuild(store, case, only=("use_span",))
        # Events are told apart by the spans alone: their pointers are another matter.
        found.append(
            store.table(
                f"select row_number() over (order by {_SPAN}) as record_no, {_SPAN} "
                f"from (select distinct {_SPAN} from use_span where spans) order by record_no"
            )
        )
        raise _Undo
    return found[0]


def _last_used(
    cluster: Any, given: Given, runs: pa.Table, spans: pa.Table, kept: pa.Table
) -> pa.Array:
    """The records of the last use in each span, but for those that are kept."""
    events = spans.column("record_no").cast(pa.string())
    spanning = pa.repeat(pa.scalar(True), spans.num_rows)
    asked = spans.append_column("event", events).append_column("spans", spanning)
    cited = last_uses(cluster, given, runs, asked).column("evidence")
    numbers = pc.unique(cited.combine_chunks().cast(pa.int64()))
    return numbers.filter(pc.invert(pc.is_in(numbers, kept.column("record_no").combine_chunks())))


def last_uses(cluster: Any, given: Given, runs: pa.Table, spans: pa.Table) -> pa.Table:
    """The rows of `span_use` for rows of `use_span`, in its order."""
    from toolkit.lake.portable import stages

    names = pc.unique(runs.column("asset_id").combine_chunks())
    asked = pc.is_in(pc.utf8_lower(names), spans.column("asset").combine_chunks())
    cluster.bring("replication_run", pa.table({"asset_id": names.filter(asked)}))
    cluster.bring("use_span", spans)
    rows: pa.Table = cluster.run(stages(given.files[_LAST_USE].sql, given.policy))
    return rows
