-- /// finding
-- id = "CF-19"
-- slug = "concurrent-operator-load"
-- title = "The same account was at work on two or more changes at a time"
-- rule_class = "I"
-- level = "precondition"
-- severity = "low"
-- criteria = "One person carries out one change at a time."
-- effect = "Attention may have been divided; the record shows spans of activity, not attention."
-- recommendation = "Show running changes of the same implementer when a change is scheduled."
-- questions = [
--     "Did one of the changes run by itself at that time?",
--     "Do several people share the account?",
-- ]
-- codes = ["hfacs-7.0:PC103", "hfacs-7.0:OP001", "cream:simultaneous-goals", "meda:F", "meda:I"]
-- candidate_codes = ["dora:4.2.human_error_inadequate_human_resources"]
-- controls = ["iso27001:A.8.32"]
-- needs = ["maintenance_event"]
-- reads = ["operation_event", "operation_span"]
-- policy = ["witness_actions"]
-- limitations = "A span runs from an account's first to its last action in a change."
-- ///
with

action as (
    select
        operation_event.operation_id,
        operation_event.basis,
        person(operation_event.actor) as actor,
        operation_event.actor as account,
        operation_event.occurred_at,
        operation_event.occurred_lo,
        operation_event.occurred_hi,
        greatest(operation_event.occurred_at, operation_event.ended_at) as ended_at,
        greatest(operation_event.occurred_lo, operation_event.ended_at) as ended_lo,
        greatest(operation_event.occurred_hi, operation_event.ended_at) as ended_hi,
        operation_event.evidence
    from operation_event
    where
        operation_event.change_id is not null
        and operation_event.is_action
        and not list_contains(policy_list('witness_actions'), lower(operation_event.action))
),

-- What is tied to a change by inference can widen a span; the sure part is what is stated.
span as (
    select
        action.operation_id,
        action.actor,
        min(action.account) as account,
        min(action.occurred_at) as started_at,
        max(action.ended_at) as ended_at,
        min(action.occurred_lo) as started_lo,
        max(action.ended_hi) as ended_hi,
        min(action.occurred_hi) filter (where action.basis = 'explicit') as sure_start,
        max(action.ended_lo) filter (where action.basis = 'explicit') as sure_end,
        [
            arg_min(action.evidence, (action.occurred_at, action.evidence)),
            arg_max(action.evidence, (action.occurred_at, action.evidence)),
        ] as evidence
    from action
    where action.actor is not null
    group by action.operation_id, action.actor
),

overlap as (
    select
        span.operation_id,
        span.actor,
        min(span.account) as account,
        min(span.started_at) as started_at,
        min(span.ended_at) as ended_at,
        any_value(span.evidence) as evidence,
        bool_or(coalesce(
            span.sure_start < other.sure_end and other.sure_start < span.sure_end, false
        )) as is_sure,
        list(distinct other.operation_id order by other.operation_id) as others,
        flatten(list(other.evidence order by other.operation_id)) as other_evidence
    from span
    inner join span as other
        on
            span.actor = other.actor
            and span.operation_id <> other.operation_id
            and span.started_lo <= other.ended_hi
            and span.ended_hi >= other.started_lo
    group by span.operation_id, span.actor
),

judged as (
    select
        span.operation_id,
        null::varchar as target,
        case
            when overlap.is_sure then 'exception'
            when overlap.actor is not null then 'undetermined'
            when span.sure_start is null then 'ok_if_tied'
            else 'ok'
        end as status,
        span.started_at as occurred_at,
        span.evidence[1] as event,
        span.account || ' was active from ' || utc(span.started_at) || ' to '
        || utc(span.ended_at)
        || case
            when overlap.is_sure
                then ', and in that time also on ' || array_to_string(overlap.others, ', ')
            when overlap.actor is not null
                then ', and may have been active also on ' || array_to_string(overlap.others, ', ')
            else ', and no activity on another change in that time is on record'
        end
        || if(span.sure_start is null, tie_note('inferred'), '') as reason,
        list_concat(span.evidence, coalesce(overlap.other_evidence, [])) as evidence
    from span
    left join overlap
        on span.operation_id = overlap.operation_id and span.actor = overlap.actor
    union all
    select
        action.operation_id,
        null as target,
        'undetermined' as status,
        min(action.occurred_at) as occurred_at,
        null as event,
        'The records of ' || count(*) || ' actions name no account' as reason,
        list(action.evidence order by action.evidence) as evidence
    from action
    where action.actor is null
    group by action.operation_id
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
        'No action under a change is on record in this operation.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
