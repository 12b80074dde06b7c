-- /// finding
-- id = "CF-21"
-- slug = "extended-duty"
-- title = "An irreversible action came late in a long duty"
-- rule_class = "I"
-- level = "precondition"
-- severity = "low"
-- criteria = "Irreversible actions lie within the longest duty that the policy allows."
-- effect = "Alertness may have been lower; the record shows hours of duty, not alertness."
-- recommendation = "Plan irreversible steps into the first hours of a duty."
-- questions = [
--     "Did the duty include rest that the roster does not show?",
--     "Was the action carried out by a schedule, not by hand?",
-- ]
-- codes = ["hfacs-7.0:PC307", "hfacs-7.0:OS002", "meda:F"]
-- controls = ["policy:duty"]
-- needs = ["duty", "maintenance_event"]
-- reads = ["duty", "operation_event", "operation_span"]
-- policy = ["duty_hours"]
-- limitations = "Duty is counted from the latest start on the roster before the action."
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
        person(operation_event.actor) as actor,
        operation_event.is_irreversible,
        operation_event.evidence
    from operation_event
    where
        coalesce(operation_event.is_irreversible, true)
        and not operation_event.is_read_only
),

roster as (
    select
        person(duty.actor) as actor,
        duty.duty_start,
        max(duty.duty_end) as duty_end,
        min(pointer(duty.source_id, duty.record_no)) as duty_row
    from duty
    group by all
),

on_duty as (
    select
        irreversible.*,
        roster.duty_start,
        roster.duty_row,
        -- Past the end on the roster only a duty that went on is meant, which is not on record.
        coalesce(roster.duty_end < irreversible.occurred_hi, false) as is_past_end,
        irreversible.occurred_lo - roster.duty_start as shortest,
        for_limit(irreversible.occurred_at, irreversible.occurred_hi) - roster.duty_start
            as longest
    from irreversible
    asof left join roster
        on
            irreversible.actor = roster.actor
            and irreversible.occurred_lo >= roster.duty_start
),

judged as (
    select
        on_duty.operation_id,
        on_duty.target,
        case
            when on_duty.is_irreversible is null or on_duty.duty_start is null then 'undetermined'
            when on_duty.longest <= policy_hours('duty_hours') then ok_by(on_duty.basis)
            when on_duty.is_past_end then 'undetermined'
            when
                on_duty.shortest > policy_hours('duty_hours') and on_duty.basis = 'explicit'
                then 'exception'
            else 'undetermined'
        end as status,
        on_duty.occurred_at,
        on_duty.evidence as event,
        case
            when on_duty.is_irreversible is null
                then 'Whether ' || on_duty.action || ' can be undone is not known'
            when on_duty.actor is null
                then
                    'The record of ' || on_duty.action || ' at ' || utc(on_duty.occurred_at)
                    || ' names no account'
            when on_duty.duty_start is null
                then
                    'The roster has no duty before ' || on_duty.action || ' at '
                    || utc(on_duty.occurred_at)
            else
                'Irreversible action ' || on_duty.action || ' at ' || utc(on_duty.occurred_at)
                || ' came ' || in_words(on_duty.longest) || ' after the start of duty; the limit '
                || 'is ' || plain(policy_number('duty_hours')) || ' h'
                || if(
                    on_duty.is_past_end and on_duty.longest > policy_hours('duty_hours'),
                    ', and the duty on the roster had ended before', ''
                )
                || tie_note(on_duty.basis)
        end as reason,
        [on_duty.evidence, on_duty.duty_row] as evidence
    from on_duty
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
