-- /// finding
-- id = "CF-23"
-- slug = "handover-unacknowledged"
-- title = "The account changed within a change, and no acknowledged handover is on record"
-- rule_class = "D"
-- level = "precondition"
-- severity = "medium"
-- criteria = "Whoever takes over a change acknowledges a handover near the moment of taking over."
-- effect = "What the first person knew of the state may not have reached the second."
-- recommendation = "Make the acknowledged handover a step of the change."
-- questions = [
--     "Did the two work as a pair?",
--     "Was the handover made on a call?",
-- ]
-- codes = ["hfacs-7.0:PP106", "sherpa:I1", "sherpa:I3", "meda:J",
--     "dora:4.2.process_failure_insufficient_unclear_roles_and_responsibilities"]
-- candidate_codes = ["hfacs-7.0:PP108", "dora:4.2.human_error_miscommunication"]
-- controls = ["iso27001:A.5.37", "nist800-53r5:CM-3"]
-- needs = ["handover", "maintenance_event"]
-- reads = ["handover", "operation_event", "operation_span"]
-- policy = ["handover_minutes", "witness_actions"]
-- limitations = "A change of account is taken for a change of person."
-- ///
with

action as (
    select
        operation_event.operation_id,
        operation_event.change_id,
        operation_event.basis,
        person(operation_event.actor) as actor,
        operation_event.actor as account,
        operation_event.occurred_at,
        operation_event.occurred_lo,
        operation_event.occurred_hi,
        operation_event.source_id,
        operation_event.record_no,
        operation_event.evidence
    from operation_event
    where
        operation_event.change_id is not null
        and operation_event.actor is not null
        and operation_event.is_action
        and not list_contains(policy_list('witness_actions'), lower(operation_event.action))
),

-- What is tied to a change only by inference may not belong to it, so that the actions that surely
-- do are followed by themselves, too.
sequence as (
    select
        action.*,
        false as is_explicit_only
    from action
    union all
    select
        action.*,
        true as is_explicit_only
    from action
    where action.basis = 'explicit'
),

followed as (
    select
        action.*,
        lag(action.actor) over in_order as before_actor,
        lag(action.account) over in_order as before_account,
        lag(action.basis) over in_order as before_basis,
        lag(action.occurred_at) over in_order as before_at,
        lag(action.occurred_lo) over in_order as before_lo,
        lag(action.occurred_hi) over in_order as before_hi,
        lag(action.evidence) over in_order as before_evidence
    from sequence as action
    window in_order as (
        partition by action.operation_id, action.is_explicit_only
        order by action.occurred_at, action.source_id, action.record_no
    )
),

taken_over as (
    select
        followed.*,
        followed.is_explicit_only
        and followed.before_hi < followed.occurred_lo
        -- A third person in between may have passed the change on.
        and not exists (
            select 1
            from action as inferred
            where
                inferred.operation_id = followed.operation_id
                and inferred.basis <> 'explicit'
                and inferred.actor not in (followed.actor, followed.before_actor)
                and inferred.occurred_at between followed.before_at and followed.occurred_at
        ) as is_sure,
        not followed.is_explicit_only as is_tied
    from followed
    where
        followed.actor <> followed.before_actor
        and (
            followed.is_explicit_only
            or followed.basis <> 'explicit'
            or followed.before_basis <> 'explicit'
        )
),

given as (
    select
        handover.change_id,
        person(handover.from_actor) as from_actor,
        person(handover.to_actor) as to_actor,
        handover.given_at,
        handover.given_lo,
        handover.given_hi,
        handover.ack_at,
        pointer(handover.source_id, handover.record_no) as handover_row
    from handover
),

matched as (
    select
        taken_over.operation_id,
        taken_over.evidence,
        taken_over.before_evidence,
        bool_or(
            given.ack_at is not null
            and given.given_lo >= taken_over.before_lo - policy_minutes('handover_minutes')
            and given.given_hi <= taken_over.occurred_hi + policy_minutes('handover_minutes')
        ) as is_acknowledged,
        bool_or(given.ack_at is not null) as may_be_acknowledged,
        min(given.given_at) as given_at,
        list(given.handover_row order by given.handover_row) as handover_rows
    from taken_over
    inner join given
        on
            taken_over.change_id = given.change_id
            and taken_over.before_actor = given.from_actor
            and taken_over.actor = given.to_actor
            and given.given_hi >= taken_over.before_lo - policy_minutes('handover_minutes')
            and given.given_lo <= taken_over.occurred_hi + policy_minutes('handover_minutes')
    group by taken_over.operation_id, taken_over.evidence, taken_over.before_evidence
),

judged as (
    select
        taken_over.operation_id,
        null::varchar as target,
        case
            when matched.is_acknowledged then if(taken_over.is_tied, 'ok_if_tied', 'ok')
            when coalesce(matched.may_be_acknowledged, false) or not taken_over.is_sure
                then 'undetermined'
            else 'exception'
        end as status,
        taken_over.occurred_at,
        taken_over.evidence as event,
        taken_over.account || ' took over from ' || taken_over.before_account || ' between '
        || utc(taken_over.before_at) || ' and ' || utc(taken_over.occurred_at)
        || case
            when matched.is_acknowledged then ' with an acknowledged handover'
            when coalesce(matched.may_be_acknowledged, false)
                then ' with an acknowledged handover whose time does not decide'
            when matched.evidence is not null
                then
                    ' with a handover at ' || utc(matched.given_at) || ' that has no '
                    || 'acknowledgement on record'
            else
                ' without a handover on record within '
                || plain(policy_number('handover_minutes')) || ' min'
        end
        || if(taken_over.is_sure, '', '; order or link of the two actions is not sure') as reason,
        list_concat(
            [taken_over.evidence, taken_over.before_evidence], coalesce(matched.handover_rows, [])
        ) as evidence
    from taken_over
    left join matched
        on
            taken_over.operation_id = matched.operation_id
            and taken_over.evidence = matched.evidence
            and taken_over.before_evidence = matched.before_evidence
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
        'No change of account within a change is on record in this operation.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
