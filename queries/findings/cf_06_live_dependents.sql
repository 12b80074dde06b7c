-- /// finding
-- id = "CF-06"
-- slug = "live-dependents"
-- title = "An irreversible action hit a target that dependents still used"
-- rule_class = "D"
-- level = "system"
-- severity = "critical"
-- criteria = "Nothing depends on a target any more when it is removed for good."
-- effect = "The action could take from its dependents what they still used; by its kind it cannot be undone."
-- recommendation = "Have the maintenance tool show when dependents last used a target, and refuse its removal while any does."
-- questions = [
--     "Were the samples made by probes rather than by dependents that do work?",
--     "Had the dependents been moved while the register still showed the old dependency?",
-- ]
-- codes = ["uca:2", "cream:feedback-missing", "hfacs-7.0:OR008",
--     "dora:4.3.ict_asset_management_and_information_classification"]
-- candidate_codes = ["hfacs-7.0:PC110"]
-- controls = ["nist800-53r5:CM-4", "nist800-53r5:CM-8(1)", "iso27001:A.5.9", "csf2.0:PR.PS-03"]
-- needs = ["dependency", "replication_sample", "maintenance_event"]
-- reads = ["dependency", "dependent_use", "known_asset", "operation_event", "operation_span",
--     "replication_run"]
-- limitations = """
-- Where no sample of a dependent names the target, use is what telemetry shows of the dependent,
-- whichever target it used; the reason says so."""
-- ///
with

hit as (
    select
        operation_event.operation_id,
        operation_event.basis,
        operation_event.occurred_at,
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

-- Assets of which something is on record, so that the lack of a dependent says something.
known as (
    select lower(known_asset.asset_id) as asset
    from known_asset
    union
    select asset_name(dependency.from_asset) as asset
    from dependency
    union
    select asset_name(dependency.to_asset) as asset
    from dependency
    union
    select asset_name(replication_run.target_asset) as asset
    from replication_run
),

counted as (
    select
        dependent_use.event,
        min(dependent_use.since_at) as since_at,
        any_value(dependent_use.drain_event) as drain_event,
        count(*) as dependents,
        count(*) filter (where dependent_use.use = 'used') as used,
        count(*) filter (where dependent_use.use = 'perhaps') as perhaps_used,
        count(*) filter (where dependent_use.use = 'unknown') as unwatched,
        count(*) filter (
            where dependent_use.use = 'used' and not dependent_use.names_target
        ) as untold,
        max(dependent_use.used_at) filter (where dependent_use.use = 'used') as used_at,
        list(dependent_use.dependent order by dependent_use.dependent) filter (
            where dependent_use.use = 'used'
        ) as names,
        flatten(list(
            [dependent_use.dependency_evidence, dependent_use.evidence]
            order by dependent_use.dependent
        ) filter (where dependent_use.use in ('used', 'perhaps'))) as evidence
    from dependent_use
    group by dependent_use.event
),

judged as (
    select
        hit.operation_id,
        hit.target,
        case
            when hit.is_irreversible is null or hit.target is null then 'undetermined'
            when counted.event is null and known.asset is null then 'undetermined'
            when counted.used > 0 and hit.basis = 'explicit' then 'exception'
            when counted.used + counted.perhaps_used + counted.unwatched > 0 then 'undetermined'
            else ok_by(hit.basis)
        end as status,
        hit.occurred_at,
        hit.event,
        case
            when hit.is_irreversible is null
                then 'Whether ' || hit.action || ' can be undone is not known'
            when hit.target is null
                then
                    'The record of ' || hit.action || ' at ' || utc(hit.occurred_at)
                    || ' states no target'
            when counted.event is null and known.asset is null
                then
                    'No register and no telemetry knows ' || hit.target || ', so that the '
                    || 'dependents that it may have had at ' || utc(hit.occurred_at)
                    || ' are not known'
            when counted.event is null
                then
                    'The register names no dependent of ' || hit.target || ' at '
                    || utc(hit.occurred_at) || tie_note(hit.basis)
            else
                'Action ' || hit.action || ' on ' || hit.target || ' at '
                || utc(hit.occurred_at) || ' found ' || counted.used || ' of '
                || counted.dependents || ' dependents in use since '
                || case
                    when counted.drain_event is null then 'the look-back began'
                    else 'the last complete drain'
                end
                || ' at ' || utc(counted.since_at)
                || case
                    when counted.used > 0
                        then
                            ', the last time at ' || utc(counted.used_at) || ' ('
                            || array_to_string(counted.names[:5], ', ')
                            || if(counted.used > 5, ', …', '') || ')'
                            || case
                                when counted.untold = counted.used
                                    then
                                        '; no sample of '
                                        || if(counted.used = 1, 'it', 'them') || ' names '
                                        || hit.target || ', so that the register alone ties the '
                                        || 'use to it'
                                when counted.untold > 0
                                    then
                                        '; the samples of ' || counted.untold || ' of them do not '
                                        || 'name ' || hit.target || ', so that the register alone '
                                        || 'ties their use to it'
                                else ''
                            end
                    else ''
                end
                || case
                    when hit.basis <> 'explicit' then tie_note(hit.basis)
                    when counted.used = 0 and counted.perhaps_used > 0
                        then '; for ' || counted.perhaps_used || ' the samples do not decide'
                    when counted.used = 0 and counted.unwatched > 0
                        then '; ' || counted.unwatched || ' have no telemetry of that time'
                    else ''
                end
        end as reason,
        hit.target
        || coalesce(' (' || counted.used || ' of ' || counted.dependents || ' dependents)', '')
            as brief,
        list_concat([hit.event, counted.drain_event], coalesce(counted.evidence[:60], []))
            as evidence
    from hit
    left join counted on hit.event = counted.event
    left join known on hit.asset = known.asset
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
                judged.reason asc,
                judged.target asc
        ) as decisive,
        alike(
            judged.status, judged.brief, judged.occurred_at, judged.event, judged.reason
        ) as alike,
        gathered(judged.status, judged.evidence) as evidence
    from judged
    group by judged.operation_id
)

select
    operation_span.operation_id,
    operation_span.change_id,
    coalesce(verdict.decisive.target, operation_span.operation_id) as subject,
    settled(verdict.decisive.status) as status,
    verdict.decisive.occurred_at,
    verdict.decisive.event,
    coalesce(
        sentence(verdict.decisive.reason, verdict.alike),
        'No irreversible action is on record in this operation.'
    ) as reason,
    coalesce(foremost(verdict.decisive.evidence, verdict.evidence), []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
