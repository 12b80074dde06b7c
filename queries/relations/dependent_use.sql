-- /// relation
-- id = "dependent_use"
-- title = "Use by dependents before irreversible actions on what they depend on"
-- grain = "One row per irreversible event and dependent of its target."
-- reads = ["alias", "dependency", "operation_event", "replication_run", "replication_sample"]
-- policy = ["drain_actions", "live_use_lookback_hours"]
-- limitations = "Use is what telemetry shows of the dependent, whichever target it used. Samples are read only where a run of them spans the time looked at, so that its ends do not tell."
-- [columns]
-- event = "Irreversible event, as source_id:record_no."
-- operation_id = "Operation of the event."
-- target = "Target of the event, as recorded."
-- dependent = "The dependent, as the register names it."
-- drain_event = "Last complete drain of the target in the operation before; NULL without one."
-- since_at = "From when on use counts: that drain, else the look-back."
-- use = "used, perhaps (times do not decide), unused, or unknown (no telemetry of it before that time, or none since, or the record of all telemetry ends before the event)."
-- used_at = "Last use on record before the event, where there is one."
-- dependency_evidence = "Row of the register."
-- evidence = "Record of the last use; NULL without one."
-- ///
with

hit as (
    select
        operation_event.operation_id,
        operation_event.basis,
        operation_event.occurred_at,
        operation_event.occurred_lo,
        operation_event.occurred_hi,
        operation_event.action,
        operation_event.target,
        asset_name(operation_event.target) as asset,
        operation_event.is_irreversible,
        operation_event.evidence as event
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
        coalesce(edge.valid_from <= looked_at.occurred_lo, true)
        and coalesce(edge.valid_to > looked_at.occurred_hi, true) as surely_valid,
        edge.dependency_row
    from looked_at
    inner join edge on looked_at.asset = edge.needed
    where
        coalesce(edge.valid_from <= looked_at.occurred_hi, true)
        and coalesce(edge.valid_to > looked_at.occurred_lo, true)
),

job_run as (
    select
        lower(replication_run.asset_id) as asset,
        replication_run.state in ('success', 'running', 'connected') as is_use,
        replication_run.started_at,
        replication_run.last_sample_at,
        replication_run.asset_id,
        replication_run.evidence,
        replication_run.last_evidence
    from replication_run
),

run_end as (
    select
        job_run.asset,
        job_run.started_at as recorded_at,
        job_run.evidence
    from job_run
    where job_run.is_use
    union
    select
        job_run.asset,
        job_run.last_sample_at as recorded_at,
        job_run.last_evidence as evidence
    from job_run
    where job_run.is_use
),

-- The ends of a run are samples; what lies between them is looked up below where it matters.
by_run as (
    select
        dependent.event,
        dependent.asset,
        min(dependent.name) as name,
        min(dependent.dependency_row) as dependency_row,
        bool_or(dependent.surely_valid) as surely_valid,
        any_value(dependent.since_lo) as since_lo,
        any_value(dependent.since_hi) as since_hi,
        any_value(dependent.occurred_lo) as occurred_lo,
        any_value(dependent.occurred_hi) as occurred_hi,
        bool_or(
            job_run.last_sample_at >= dependent.occurred_lo
            or job_run.started_at < dependent.since_hi
        ) as spans,
        max(run_end.recorded_at) as used_at,
        arg_max(run_end.evidence, (run_end.recorded_at, run_end.evidence)) as evidence
    from dependent
    left join job_run
        on
            dependent.asset = job_run.asset
            and job_run.is_use
            and dependent.occurred_hi >= job_run.started_at
            and dependent.since_lo <= job_run.last_sample_at
    left join run_end
        on
            dependent.asset = run_end.asset
            and dependent.since_hi <= run_end.recorded_at
            and dependent.occurred_lo > run_end.recorded_at
    group by dependent.event, dependent.asset
),

undecided as materialized (
    select *
    from by_run
    where by_run.spans
),

spelling as (
    select distinct
        job_run.asset,
        job_run.asset_id as name
    from job_run
    semi join undecided on job_run.asset = undecided.asset
    union
    select
        undecided.asset,
        alias.alias as name
    from undecided
    inner join alias on alias.kind = 'asset' and undecided.asset = lower(trim(alias.canonical))
),

by_sample as (
    select
        undecided.event,
        undecided.asset,
        max(replication_sample.sampled_at) filter (
            where replication_sample.sampled_at >= undecided.since_hi
            and replication_sample.sampled_at < undecided.occurred_lo
        ) as used_at,
        arg_max(
            pointer(replication_sample.source_id, replication_sample.record_no),
            (
                -- A use that surely lies in the look-back is cited before one that only may.
                replication_sample.sampled_at >= undecided.since_hi
                and replication_sample.sampled_at < undecided.occurred_lo,
                replication_sample.sampled_at,
                replication_sample.source_id,
                replication_sample.record_no
            )
        ) as evidence
    from undecided
    inner join spelling on undecided.asset = spelling.asset
    inner join replication_sample
        on
            spelling.name = replication_sample.asset_id
            and undecided.since_lo <= replication_sample.sampled_at
            and undecided.occurred_hi >= replication_sample.sampled_at
    where replication_sample.state in ('success', 'running', 'connected')
    group by undecided.event, undecided.asset
),

-- Silence tells of no use only where the dependent was heard of before it and in it or after it,
-- and where telemetry goes on at the event.
watched as (
    select
        lower(replication_run.asset_id) as asset,
        min(replication_run.started_at) as begins_at,
        max(replication_run.last_sample_at) as ends_at
    from replication_run
    group by lower(replication_run.asset_id)
),

record as (
    select max(replication_run.last_sample_at) as ends_at from replication_run
)

select
    looked_at.event,
    looked_at.operation_id,
    looked_at.target,
    by_run.name as dependent,
    looked_at.drain_row as drain_event,
    looked_at.since_hi as since_at,
    case
        when by_run.used_at is not null or by_sample.used_at is not null
            then if(by_run.surely_valid, 'used', 'perhaps')
        when by_sample.event is not null then 'perhaps'
        when
            watched.begins_at <= by_run.since_hi
            and watched.ends_at >= by_run.since_hi
            and record.ends_at >= by_run.occurred_lo
            then 'unused'
        else 'unknown'
    end as use,
    greatest(by_run.used_at, by_sample.used_at) as used_at,
    by_run.dependency_row as dependency_evidence,
    case
        when by_run.used_at >= coalesce(by_sample.used_at, '-infinity')
            then by_run.evidence
        else coalesce(by_sample.evidence, by_run.evidence)
    end as evidence
from by_run
inner join looked_at on by_run.event = looked_at.event
left join by_sample on by_run.event = by_sample.event and by_run.asset = by_sample.asset
left join watched on by_run.asset = watched.asset
cross join record
order by looked_at.event, dependent
