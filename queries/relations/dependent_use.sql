-- /// relation
-- id = "dependent_use"
-- title = "Use by dependents before irreversible actions on what they depend on"
-- grain = "One row per irreversible event and dependent of its target."
-- reads = ["replication_run", "span_use", "use_span"]
-- limitations = "Where jobs of the dependent name the target, samples that name another one are no use of it; where none does, use is what telemetry shows of the dependent, whichever target it used. Samples are read only where a run of them spans the time looked at, so that its ends do not tell."
-- [columns]
-- event = "Irreversible event, as source_id:record_no."
-- operation_id = "Operation of the event."
-- target = "Target of the event, as recorded."
-- dependent = "The dependent, as the register names it."
-- drain_event = "Last complete drain of the target in the operation before; NULL without one."
-- since_at = "From when on use counts: that drain, else the look-back."
-- use = "used, perhaps (times do not decide), unused, or unknown (no telemetry of it before that time, or none since, or the record of all telemetry ends before the event)."
-- used_at = "Last use on record before the event, where there is one."
-- names_target = "Whether jobs of the dependent name the target."
-- dependency_evidence = "Row of the register."
-- evidence = "Record of the last use; NULL without one."
-- ///
with

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
    use_span.event,
    use_span.operation_id,
    use_span.target,
    use_span.name as dependent,
    use_span.drain_event,
    use_span.since_at,
    case
        when use_span.used_at is not null or span_use.used_at is not null
            then if(use_span.surely_valid, 'used', 'perhaps')
        when span_use.event is not null then 'perhaps'
        when
            watched.begins_at <= use_span.since_hi
            and watched.ends_at >= use_span.since_hi
            and record.ends_at >= use_span.occurred_lo
            then 'unused'
        else 'unknown'
    end as use,
    greatest(use_span.used_at, span_use.used_at) as used_at,
    use_span.only_target is not null as names_target,
    use_span.dependency_evidence,
    case
        when use_span.used_at >= coalesce(span_use.used_at, '-infinity')
            then use_span.evidence
        else coalesce(span_use.evidence, use_span.evidence)
    end as evidence
from use_span
left join span_use on use_span.event = span_use.event and use_span.asset = span_use.asset
left join watched on use_span.asset = watched.asset
cross join record
order by use_span.event, dependent
