-- /// relation
-- id = "use_span"
-- title = "Spans in which use by dependents counts"
-- grain = "One row per irreversible event and dependent of its target, with what the runs of the dependent show."
-- reads = ["dependency", "operation_event", "replication_run"]
-- policy = ["drain_actions", "live_use_lookback_hours"]
-- [columns]
-- event = "Irreversible event, as source_id:record_no."
-- operation_id = "Operation of the event."
-- target = "Target of the event, as recorded."
-- asset = "The dependent, in lower case."
-- name = "The dependent, as the register names it."
-- drain_event = "Last complete drain of the target in the operation before; NULL without one."
-- surely_valid = "Whether the dependency surely held at the event."
-- since_lo = "From when on use may count."
-- since_hi = "From when on use surely counts."
-- since_at = "The same without regard to the validity of the dependency, as it is stated."
-- occurred_lo = "Earliest time of the event."
-- occurred_hi = "Latest time of the event."
-- only_target = "Target that a sample must name, if it names one, to be use of this target, in lower case; NULL where no job of the dependent names it, so that any use counts."
-- spans = "Whether a run in use reaches over an end of the span, so that samples have to tell."
-- used_at = "Last end of a run in use within the span."
-- dependency_evidence = "Row of the register."
-- evidence = "Record of that end."
-- ///
with

hit as (
    select
        operation_event.evidence as event,
        operation_event.operation_id,
        operation_event.target,
        asset_name(operation_event.target) as asset,
        operation_event.occurred_at,
        operation_event.occurred_lo,
        operation_event.occurred_hi
    from operation_event
    where
        coalesce(operation_event.is_irreversible, true)
        and not operation_event.is_read_only
),

-- Moves of dependents away from a target; a partial one does not count.
drain as (
    select
        operation_event.operation_id,
        operation_event.basis,
        asset_name(operation_event.target) as asset,
        operation_event.occurred_at,
        operation_event.occurred_lo,
        operation_event.occurred_hi,
        operation_event.evidence as event
    from operation_event
    where
        operation_event.outcome = 'success'
        and (
            list_contains(policy_list('drain_actions'), lower(operation_event.action))
            or list_contains(policy_list('drain_actions'), lower(operation_event.step))
        )
),

-- From when on use counts: a span, because times are, and a drain may be tied by inference only.
looked_at as (
    select
        hit.*,
        drain.event as drain_row,
        case
            when drain.basis = 'explicit' then drain.occurred_lo
            else
                least(
                    drain.occurred_lo, hit.occurred_lo - policy_hours('live_use_lookback_hours')
                )
        end as since_lo,
        coalesce(
            drain.occurred_hi,
            for_limit(hit.occurred_at, hit.occurred_hi) - policy_hours('live_use_lookback_hours')
        ) as since_hi
    from hit
    left join drain
        on
            hit.operation_id = drain.operation_id
            and hit.asset = drain.asset
            and hit.occurred_lo > drain.occurred_hi
    qualify row_number() over (
        partition by hit.operation_id, hit.event
        order by drain.occurred_at desc nulls last, drain.event asc
    ) = 1
),

edge as (
    select
        asset_name(dependency.from_asset) as asset,
        asset_name(dependency.to_asset) as needed,
        dependency.from_asset as name,
        dependency.valid_from,
        dependency.valid_to,
        pointer(dependency.source_id, dependency.record_no) as dependency_row
    from dependency
),

-- Jobs that name the target of the event tell its use from that of others.
aimed as (
    select distinct
        lower(replication_run.asset_id) as asset,
        asset_name(replication_run.target_asset) as target
    from replication_run
    where replication_run.target_asset is not null
),

dependent as (
    select
        looked_at.event,
        looked_at.occurred_lo,
        looked_at.occurred_hi,
        greatest(looked_at.since_lo, coalesce(edge.valid_from, looked_at.since_lo))
            as since_lo,
        greatest(looked_at.since_hi, coalesce(edge.valid_from, looked_at.since_hi))
            as since_hi,
        edge.asset,
        edge.name,
        aimed.target as only_target,
        coalesce(edge.valid_from <= looked_at.occurred_lo, true)
        and coalesce(edge.valid_to > looked_at.occurred_hi, true) as surely_valid,
        edge.dependency_row
    from looked_at
    inner join edge on looked_at.asset = edge.needed
    left join aimed on edge.asset = aimed.asset and looked_at.asset = aimed.target
    where
        coalesce(edge.valid_from <= looked_at.occurred_hi, true)
        and coalesce(edge.valid_to > looked_at.occurred_lo, true)
),

run_in_use as (
    select
        lower(replication_run.asset_id) as asset,
        asset_name(replication_run.target_asset) as target,
        replication_run.started_at,
        replication_run.last_sample_at,
        replication_run.evidence,
        replication_run.last_evidence
    from replication_run
    where replication_run.state in ('success', 'running', 'connected')
),

run_end as (
    select
        run_in_use.asset,
        run_in_use.target,
        run_in_use.started_at as recorded_at,
        run_in_use.evidence
    from run_in_use
    union
    select
        run_in_use.asset,
        run_in_use.target,
        run_in_use.last_sample_at as recorded_at,
        run_in_use.last_evidence as evidence
    from run_in_use
),

-- The ends of a run are samples; what lies between them is looked up below where it matters.
by_run as (
    select
        dependent.event,
        dependent.asset,
        min(dependent.name) as name,
        any_value(dependent.only_target) as only_target,
        min(dependent.dependency_row) as dependency_row,
        bool_or(dependent.surely_valid) as surely_valid,
        any_value(dependent.since_lo) as since_lo,
        any_value(dependent.since_hi) as since_hi,
        any_value(dependent.occurred_lo) as occurred_lo,
        any_value(dependent.occurred_hi) as occurred_hi,
        bool_or(
            run_in_use.last_sample_at >= dependent.occurred_lo
            or run_in_use.started_at < dependent.since_hi
        ) as spans,
        max(run_end.recorded_at) as used_at,
        arg_max(run_end.evidence, (run_end.recorded_at, run_end.evidence)) as evidence
    from dependent
    left join run_in_use
        on
            dependent.asset = run_in_use.asset
            and coalesce(dependent.only_target = run_in_use.target, true)
            and dependent.occurred_hi >= run_in_use.started_at
            and dependent.since_lo <= run_in_use.last_sample_at
    left join run_end
        on
            dependent.asset = run_end.asset
            and coalesce(dependent.only_target = run_end.target, true)
            and dependent.since_hi <= run_end.recorded_at
            and dependent.occurred_lo > run_end.recorded_at
    group by dependent.event, dependent.asset
)

select
    looked_at.event,
    looked_at.operation_id,
    looked_at.target,
    by_run.asset,
    by_run.name,
    looked_at.drain_row as drain_event,
    by_run.surely_valid,
    by_run.since_lo,
    by_run.since_hi,
    looked_at.since_hi as since_at,
    by_run.occurred_lo,
    by_run.occurred_hi,
    by_run.only_target,
    by_run.spans,
    by_run.used_at,
    by_run.dependency_row as dependency_evidence,
    by_run.evidence
from by_run
inner join looked_at on by_run.event = looked_at.event
order by looked_at.event, looked_at.operation_id, by_run.asset
