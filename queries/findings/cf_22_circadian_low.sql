-- /// finding
-- id = "CF-22"
-- slug = "circadian-low"
-- title = "An irreversible action fell into the circadian low of its site"
-- rule_class = "I"
-- level = "precondition"
-- severity = "low"
-- criteria = "Irreversible actions lie outside the circadian low by the site's local time."
-- effect = "Alertness may have been lower; the record shows the hour, not alertness."
-- recommendation = "Plan irreversible steps outside the circadian low, or with a second person."
-- questions = [
--     "Was the person who acted in another time zone, or at the end of a night's rest?",
--     "Was the action carried out by a schedule, not by hand?",
-- ]
-- codes = ["hfacs-7.0:PC307", "cream:time-of-day"]
-- controls = ["policy:circadian-low"]
-- needs = ["asset", "maintenance_event"]
-- reads = ["asset", "operation_event", "operation_span"]
-- policy = ["circadian_low_end_hour", "circadian_low_start_hour"]
-- limitations = "The local time is that of the target's site, not of the person."
-- ///
with

irreversible as (
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
        operation_event.evidence
    from operation_event
    where
        coalesce(operation_event.is_irreversible, true)
        and not operation_event.is_read_only
),

known as (
    select
        asset_name(asset.asset_id) as asset,
        asset.zone,
        asset.valid_from,
        asset.valid_to,
        pointer(asset.source_id, asset.record_no) as asset_row
    from asset
    where asset.zone is not null
),

sited as (
    select
        irreversible.*,
        known.zone,
        known.asset_row,
        try(irreversible.occurred_at at time zone known.zone) as local_at,
        try(irreversible.occurred_lo at time zone known.zone) as local_lo,
        try(irreversible.occurred_hi at time zone known.zone) as local_hi
    from irreversible
    left join known on irreversible.asset = known.asset
    qualify row_number() over (
        partition by irreversible.operation_id, irreversible.evidence
        order by
            coalesce(known.valid_from <= irreversible.occurred_at, true)
            and coalesce(known.valid_to > irreversible.occurred_at, true) desc,
            known.valid_from desc nulls last,
            known.asset_row asc
    ) = 1
),

timed as (
    select
        sited.*,
        -- Hours of the day with their fraction, so that limits need not be whole hours.
        (epoch(sited.local_lo) % 86400) / 3600 >= policy_number('circadian_low_start_hour')
        and (epoch(sited.local_lo) % 86400) / 3600 < policy_number('circadian_low_end_hour')
            as lo_is_low,
        (epoch(sited.local_hi) % 86400) / 3600 >= policy_number('circadian_low_start_hour')
        and (epoch(sited.local_hi) % 86400) / 3600 < policy_number('circadian_low_end_hour')
            as hi_is_low,
        epoch(sited.occurred_hi - sited.occurred_lo) / 3600
        < policy_number('circadian_low_end_hour') - policy_number('circadian_low_start_hour')
            as is_narrow
    from sited
),

judged as (
    select
        timed.operation_id,
        timed.target,
        case
            when timed.is_irreversible is null or timed.local_at is null then 'undetermined'
            when not timed.is_narrow or timed.lo_is_low <> timed.hi_is_low then 'undetermined'
            when not timed.lo_is_low then ok_by(timed.basis)
            when timed.basis = 'explicit' then 'exception'
            else 'undetermined'
        end as status,
        timed.occurred_at,
        timed.evidence as event,
        case
            when timed.is_irreversible is null
                then 'Whether ' || timed.action || ' can be undone is not known'
            when timed.local_at is null
                then
                    'The register has no time zone for '
                    || coalesce(timed.target, 'the target, which the record does not state')
            else
                'Irreversible action ' || timed.action || ' on ' || timed.target || ' came at '
                || strftime(timed.local_at, '%H:%M:%S') || ' local time (' || timed.zone
                || '); the circadian low is from '
                || plain(policy_number('circadian_low_start_hour')) || ' to '
                || plain(policy_number('circadian_low_end_hour')) || ' h'
                || tie_note(timed.basis)
        end as reason,
        [timed.evidence, timed.asset_row] as evidence
    from timed
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
            judged.status, judged.target, judged.occurred_at, judged.event, judged.reason
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
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
