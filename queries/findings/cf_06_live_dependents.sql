-- /// finding
-- id = "CF-06"
-- slug = "live-dependents"
-- title = "An irreversible action hit a target that dependents still used"
-- rule_class = "D"
-- level = "system"
-- severity = "critical"
-- criteria = "Nothing depends on a target any more when it is removed for good."
-- effect = "What depended on the target lost it at once, without a way back."
-- recommendation = "Show the last use by each dependent at the moment of removal, and refuse on last_use."
-- questions = [
--     "Were the samples made by probes rather than by dependents that do work?",
--     "Had the dependents been moved while the register still showed the old dependency?",
-- ]
-- codes = ["uca:2", "cream:feedback-missing", "hfacs-7.0:OR008",
--     "dora:4.3.ict_asset_management_and_information_classification"]
-- candidate_codes = ["hfacs-7.0:PC110"]
-- controls = ["nist800-53r5:CM-4", "nist800-53r5:CM-8(1)", "iso27001:A.5.9", "csf2.0:PR.PS-03"]
-- needs = ["dependency", "replication_sample", "maintenance_event"]
-- reads = ["dependency", "operation_event", "operation_span", "replication_run"]
-- policy = ["drain_actions", "live_use_lookback_hours"]
-- limitations = """
-- Use is what telemetry shows of the dependent, whichever target it used. Where one run of samples
-- spans the whole time looked at, and that time is short, the rule does not decide."""
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

-- From when on use counts: a span, because times are.
looked_at as (
    select
        hit.*,
        drain.event as drain_row,
        coalesce(drain.occurred_lo, hit.occurred_lo - policy_hours('live_use_lookback_hours'))
            as since_lo,
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
        replication_run.limit_minutes,
        replication_run.evidence,
        replication_run.last_evidence
    from replication_run
),

-- First and last sample of a run are known; a run that begins before and ends after a time longer
-- than its limit has a sample in it, since a longer silence would have ended the run.
last_use as (
    select
        dependent.event,
        dependent.asset,
        min(dependent.name) as name,
        min(dependent.dependency_row) as dependency_row,
        bool_or(dependent.surely_valid and coalesce(
            (
                job_run.started_at >= dependent.since_hi
                and job_run.started_at < dependent.occurred_lo
            )
            or (
                job_run.last_sample_at >= dependent.since_hi
                and job_run.last_sample_at < dependent.occurred_lo
            )
            or (
                job_run.started_at < dependent.since_hi
                and job_run.last_sample_at >= dependent.occurred_lo
                and epoch(dependent.occurred_lo - dependent.since_hi) >= 60 * job_run.limit_minutes
            ),
            false
        )) as surely_used,
        max(least(job_run.last_sample_at, dependent.occurred_lo)) as used_at,
        count(job_run.asset) as runs,
        [max(job_run.last_evidence), max(job_run.evidence)] as evidence
    from dependent
    left join job_run
        on
            dependent.asset = job_run.asset
            and job_run.is_use
            and dependent.occurred_hi >= job_run.started_at
            and dependent.since_lo <= job_run.last_sample_at
    group by dependent.event, dependent.asset
),

watched as (
    select distinct lower(replication_run.asset_id) as asset from replication_run
),

counted as (
    select
        last_use.event,
        count(*) as dependents,
        count(*) filter (where last_use.surely_used) as used,
        count(*) filter (where not last_use.surely_used and last_use.runs > 0) as perhaps_used,
        count(*) filter (where watched.asset is null) as unwatched,
        max(last_use.used_at) filter (where last_use.surely_used) as used_at,
        list(last_use.name order by last_use.name) filter (where last_use.surely_used) as names,
        flatten(list([last_use.dependency_row] || last_use.evidence order by last_use.name) filter (
            where last_use.runs > 0
        )) as evidence
    from last_use
    left join watched on last_use.asset = watched.asset
    group by last_use.event
),

judged as (
    select
        looked_at.operation_id,
        looked_at.target,
        case
            when looked_at.is_irreversible is null or looked_at.asset is null then 'undetermined'
            when counted.event is null then 'ok'
            when counted.used > 0 and looked_at.basis = 'explicit' then 'exception'
            when counted.used + counted.perhaps_used + counted.unwatched > 0 then 'undetermined'
            else 'ok'
        end as status,
        looked_at.occurred_at,
        looked_at.event,
        case
            when looked_at.is_irreversible is null
                then 'Whether ' || looked_at.action || ' can be undone is not known'
            when looked_at.asset is null
                then
                    'The record of ' || looked_at.action || ' at ' || utc(looked_at.occurred_at)
                    || ' states no target'
            when counted.event is null
                then
                    'The register names no dependent of ' || looked_at.target || ' at '
                    || utc(looked_at.occurred_at)
            else
                'Action ' || looked_at.action || ' on ' || looked_at.target || ' at '
                || utc(looked_at.occurred_at) || ' found ' || counted.used || ' of '
                || counted.dependents || ' dependents in use since '
                || case
                    when looked_at.drain_row is null then 'the look-back began'
                    else 'the last complete drain'
                end
                || ' at ' || utc(looked_at.since_hi)
                || case
                    when counted.used > 0
                        then
                            ', the last time before ' || utc(counted.used_at) || ' ('
                            || array_to_string(counted.names[:5], ', ')
                            || if(counted.used > 5, ', …', '') || ')'
                    else ''
                end
                || case
                    when looked_at.basis <> 'explicit'
                        then '; the action is tied to the change only by inference'
                    when counted.used = 0 and counted.perhaps_used > 0
                        then '; for ' || counted.perhaps_used || ' the samples do not decide'
                    when counted.used = 0 and counted.unwatched > 0
                        then '; ' || counted.unwatched || ' have no telemetry on record'
                    else ''
                end
        end as reason,
        list_concat([looked_at.event, looked_at.drain_row], coalesce(counted.evidence[:60], []))
            as evidence
    from looked_at
    left join counted on looked_at.event = counted.event
),

-- An operation gets the gravest status of what was judged within it.
verdict as (
    select
        judged.operation_id,
        first(
            judged order by
                status_rank(judged.status) desc,
                judged.occurred_at,
                judged.event asc,
                judged.reason asc
        ) as decisive,
        gravest(judged.status) as judged_alike,
        gathered(judged.status, judged.evidence) as evidence
    from judged
    group by judged.operation_id
)

select
    operation_span.operation_id,
    operation_span.change_id,
    coalesce(verdict.decisive.target, operation_span.operation_id) as subject,
    coalesce(verdict.decisive.status, 'not_applicable') as status,
    verdict.decisive.occurred_at,
    verdict.decisive.event,
    coalesce(
        sentence(verdict.decisive.reason, verdict.judged_alike),
        'No irreversible action is on record in this operation.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
