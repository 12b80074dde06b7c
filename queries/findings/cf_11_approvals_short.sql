-- /// finding
-- id = "CF-11"
-- slug = "approvals-short"
-- title = "Fewer independent approvals than required are on record before the first action"
-- rule_class = "D"
-- level = "supervision"
-- severity = "high"
-- criteria = "The required number of independent persons approves before the first action."
-- effect = "The change began with fewer independent approvals on record than it was meant to get."
-- recommendation = "Have the maintenance tool refuse the first action of a change until its approvals are complete."
-- questions = [
--     "Was an approval given by word of mouth and recorded later?",
--     "Does a standing approval cover this kind of change?",
-- ]
-- codes = ["hfacs-7.0:SI001", "hfacs-7.0:SV001", "uca:1", "dora:4.3.change_management"]
-- controls = ["nist800-53r5:AC-5", "iso27001:A.5.3", "dora-rts:17(1)(b)", "soc2:CC8.1"]
-- needs = ["change", "approval"]
-- reads = ["approval", "change", "operation_event", "operation_span"]
-- policy = ["approvals_required", "emergency_approval_hours"]
-- limitations = "Independent means: neither requester nor implementer of the change."
-- ///
with

-- The first action, and the first that is tied to the change only by inference.
begun as (
    select
        operation_event.operation_id,
        min(operation_event.occurred_lo) filter (where operation_event.basis = 'explicit')
            as first_lo,
        min(operation_event.occurred_hi) filter (where operation_event.basis = 'explicit')
            as first_hi,
        min(operation_event.occurred_lo) as inferred_lo
    from operation_event
    where operation_event.is_action
    group by operation_event.operation_id
),

-- By when approvals count. A change that closed as done without an event began at a time unknown.
tested as (
    select
        operation_span.operation_id,
        operation_span.change_id,
        operation_span.started_at,
        operation_span.requested_by,
        operation_span.implementer,
        operation_span.evidence as change_row,
        coalesce(change.approvals_required, policy_number('approvals_required'))::bigint
            as required,
        coalesce(begun.first_lo, begun.inferred_lo) is not null as is_begun,
        begun.first_lo is not null as is_sure,
        case
            when coalesce(operation_span.emergency, false)
                then policy_hours('emergency_approval_hours')
            else interval 0 second
        end as grace,
        begun.first_hi,
        least(begun.first_lo, begun.inferred_lo) as first_lo
    from operation_span
    inner join change on operation_span.change_id = change.change_id
    left join begun on operation_span.operation_id = begun.operation_id
    where
        begun.operation_id is not null
        or operation_span.outcome in ('success', 'partial', 'failure')
),

decision as (
    select
        tested.operation_id,
        person(approval.approver) as approver,
        approval.decision,
        approval.decided_at,
        pointer(approval.source_id, approval.record_no) as evidence,
        coalesce(
            approval.decided_hi < tested.first_lo + tested.grace
            or (
                tested.grace > interval 0 second
                and for_limit(approval.decided_at, approval.decided_hi)
                <= tested.first_lo + tested.grace
            ),
            false
        ) as is_before,
        coalesce(approval.decided_lo <= tested.first_hi + tested.grace, true) as may_be_before,
        coalesce(
            person(approval.approver) in (
                person(tested.requested_by), person(tested.implementer)
            ),
            false
        ) as is_involved,
        tested.requested_by is null or tested.implementer is null as is_doubtful
    from tested
    inner join approval on tested.change_id = approval.change_id
),

-- The last word of each approver before the first action.
last_sure as (
    select *
    from decision
    where decision.is_before
    qualify row_number() over (
        partition by decision.operation_id, decision.approver
        order by decision.decided_at desc, decision.evidence desc
    ) = 1
),

sure as (
    select
        last_sure.operation_id,
        count(*) as approvers
    from last_sure
    where
        last_sure.decision = 'approved'
        and not last_sure.is_involved
        and not last_sure.is_doubtful
    group by last_sure.operation_id
),

possible as (
    select
        decision.operation_id,
        count(distinct decision.approver) filter (
            where decision.decision = 'approved'
            and decision.may_be_before
            and not decision.is_involved
            and (
                not decision.is_before
                or last_sure.decision = 'approved'
            )
        ) as approvers,
        count(distinct decision.approver) filter (
            where decision.decision = 'approved' and decision.is_involved
        ) as involved,
        list(decision.evidence) as evidence
    from decision
    left join last_sure
        on
            decision.operation_id = last_sure.operation_id
            and decision.approver = last_sure.approver
    group by decision.operation_id
),

judged as (
    select
        tested.operation_id,
        null::varchar as target,
        case
            when coalesce(sure.approvers, 0) >= tested.required
                then if(tested.is_sure, 'ok', 'undetermined')
            when coalesce(possible.approvers, 0) >= tested.required then 'undetermined'
            when tested.is_sure or not tested.is_begun then 'exception'
            else 'undetermined'
        end as status,
        tested.started_at as occurred_at,
        null::varchar as event,
        case
            when coalesce(sure.approvers, 0) = coalesce(possible.approvers, 0)
                then coalesce(sure.approvers, 0)::varchar
            else 'Between ' || coalesce(sure.approvers, 0) || ' and ' || possible.approvers
        end || ' of ' || tested.required || ' required independent approvals '
        || case
            when tested.is_begun
                then 'stood at the first action, ' || utc(tested.started_at)
            else 'can be counted; when the first action began is not on record'
        end
        || case
            when tested.grace > interval 0 second
                then ', plus ' || in_words(tested.grace) || ' for an emergency'
            else ''
        end
        || case
            when coalesce(possible.involved, 0) > 0
                then '; ' || possible.involved || ' more came from requester or implementer'
            when
                (tested.requested_by is null or tested.implementer is null)
                and coalesce(possible.approvers, 0) > 0
                then '; the change does not name both requester and implementer'
            else ''
        end
        || if(
            not tested.is_begun or tested.is_sure, '', '; the actions are tied by inference only'
        ) as reason,
        list_append(coalesce(possible.evidence, []), tested.change_row) as evidence
    from tested
    left join sure on tested.operation_id = sure.operation_id
    left join possible on tested.operation_id = possible.operation_id
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
        'The operation is no registered change, or nothing was done under it.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
