"""Whether what lakes have reduced still holds for the case as it is.

A lake reduces by the objectives, cadences and names of the inventory that it was told, and keeps
the samples that it was asked for. Where one of these is another one now, or samples of the same
asset lie elsewhere too, runs would be wrong without a sign of it. That is refused, with what to
do.
"""

from __future__ import annotations

from collections.abc import Collection

from toolkit.errors import UsageError
from toolkit.store import Store

_AGAIN = "ask the lake again: postmortem ingest CASE --lake URL --table TABLE"
_CANONICAL = """
    canonical as (
        select alias, min(canonical) as asset_id from alias where kind = 'asset' group by alias
    ),
    kept as (
        select distinct
            sample.source_id,
            coalesce(canonical.asset_id, sample.asset_id) as asset_id
        from replication_sample as sample
        left join canonical on sample.asset_id = canonical.alias
    ),
    told as (select distinct source_id, asset_id from reduced_run)
"""
_LIMITS = """
    with now as (
        select
            run.source_id,
            run.asset_id,
            run.rpo_minutes is not distinct from known_asset.rpo_minutes
            and run.cadence_minutes is not distinct from coalesce(
                if(known_asset.cadence_minutes > 0, known_asset.cadence_minutes, null),
                run.measured_minutes
            )
            and run.limit_minutes is not distinct from coalesce(
                known_asset.rpo_minutes, policy_number('gap_cadences') * run.cadence_minutes
            ) as holds
        from reduced_run as run
        left join known_asset using (asset_id)
    )
    select source_id, min(asset_id) as asset_id from now where not holds group by source_id
"""
_NAMES = f"""
    with {_CANONICAL}
    select coalesce(kept.source_id, told.source_id) as source_id,
        min(coalesce(kept.asset_id, told.asset_id)) as asset_id
    from (from kept where source_id in (select source_id from told)) as kept
    full join told on kept.source_id = told.source_id and kept.asset_id = told.asset_id
    where kept.asset_id is null or told.asset_id is null
    group by all
"""
_SHARED = f"""
    with {_CANONICAL}
    select told.source_id, min(told.asset_id) as asset_id, min(other.path) as other
    from told
    inner join kept on told.asset_id = kept.asset_id and told.source_id <> kept.source_id
    inner join source as other on kept.source_id = other.source_id
    group by all
"""
_SPANS = """
    with told as (select distinct source_id, lower(asset_id) as asset from reduced_run)
    select told.source_id, min(told.asset) as asset_id
    from use_span
    inner join told on use_span.asset = told.asset
    anti join reduced_span as asked
        on told.source_id = asked.source_id
        and use_span.asset = asked.asset
        and use_span.since_lo = asked.since_lo
        and use_span.since_hi = asked.since_hi
        and use_span.occurred_lo = asked.occurred_lo
        and use_span.occurred_hi = asked.occurred_hi
    where use_span.spans
    group by told.source_id
"""


def check(store: Store, built: Collection[str]) -> None:
    """Raise UsageError where a lake was reduced for another state of the case.

    `built` names the relations that have been built; what rests on others is not looked at.
    """
    if "replication_run" not in built or not store.value("select count(*) from reduced_run"):
        return
    _refuse(store, _SHARED, "{other} holds samples of {asset_id}, too",
            "put all samples of an asset into the lake, or none, and ask it again")  # fmt: skip
    _refuse(store, _NAMES, "{asset_id} has other aliases than the lake was told", _AGAIN)
    _refuse(
        store, _LIMITS, "{asset_id} has another cadence or limit than the lake was told", _AGAIN
    )
    if "span_use" in built:
        _refuse(store, _SPANS, "the lake was not asked when {asset_id} was last used before an "
                "action that is on record now", _AGAIN)  # fmt: skip


def _refuse(store: Store, sql: str, reason: str, remedy: str) -> None:
    for row in store.rows(f"{sql} order by 1 limit 1"):
        path = store.value("select path from source where source_id = ?", [row["source_id"]])
        raise UsageError(reason.format_map(row), path=path, remedy=remedy)
