-- /// finding
-- id = "CF-13"
-- slug = "approval-after-the-fact"
-- title = "An approval was decided after the first action"
-- rule_class = "D"
-- level = "supervision"
-- severity = "medium"
-- criteria = "Approvals are decided before the first action; in an emergency, within the time set."
-- effect = "The approval could no longer keep the change from starting."
-- recommendation = "Have the maintenance tool refuse the first action of a change until its approvals are complete."
-- questions = [
--     "Was the approval given by word of mouth and recorded later?",
--     "Does the record show a second approval of something that had been approved before?",
-- ]
-- codes = ["hfacs-7.0:SI001", "dora:4.3.change_management"]
-- candidate_codes = ["hfacs-7.0:SV002"]
-- controls = ["nist800-53r5:CM-3", "nis2:6.4.3", "dora-rts:17(1)(g)"]
-- needs = ["approval", "maintenance_event"]
-- reads = ["approval", "operation_event", "operation_span"]
-- policy = ["emergency_approval_hours"]
-- limitations = "The time of an approval is the one in its record."
-- ///
with

begun as (
    select
        operation_event.operation_id,
        min(operation_event.occurred_lo) filter (where operation_event.basis = 'explicit')
            as first_lo,
        min(operation_event.occurred_hi) filter (where operation_event.basis = 'explicit')
            as first_hi,
        min(operation_event.occurred_lo) as inferred_lo,
        min(operation_event.occurred_at) as first_at,
        arg_min(
            operation_event.evidence, (operation_event.occurred_at, operation_event.evidence)
        ) as event
    from operation_event
    where operation_event.is_action
    group by operation_event.operation_id
),

compared as (
    select
        operation_span.operation_id,
        operation_span.evidence as change_row,
        begun.first_lo,
        begun.first_hi,
        begun.inferred_lo,
        begun.first_at,
        begun.event,
        approval.decided_at,
        approval.decided_lo,
        approval.decided_hi,
        pointer(approval.source_id, approval.record_no) as approval_row,
        coalesce(operation_span.emergency, false) as is_emergency,
        case
            when coalesce(operation_span.emergency, false)
                then policy_hours('emergency_approval_hours')
            else interval 0 second
        end as grace
    from approval
    inner join operation_span on approval.change_id = operation_span.change_id
    inner join begun on operation_span.operation_id = begun.operation_id
    where operation_span.registered and approval.decision = 'approved'
),

judged as (
    select
        compared.operation_id,
        null::varchar as target,
        case
            when compared.decided_lo > compared.first_hi + compared.grace then 'exception'
            -- Where no action names the change, an earlier one may be missing from the record.
            when compared.first_lo is null then 'undetermined'
            when compared.decided_hi < least(compared.first_lo, compared.inferred_lo) then 'ok'
            when
                compared.is_emergency
                and for_limit(compared.decided_at, compared.decided_hi)
                <= least(compared.first_lo, compared.inferred_lo) + compared.grace
                then 'ok'
            else 'undetermined'
        end as status,
        compared.decided_at as occurred_at,
        compared.event,
        'The approval at ' || utc(compared.decided_at) || ' was decided '
        || case
            when compared.decided_lo > compared.first_at
                then in_words(compared.decided_at - compared.first_at) || ' after'
            when compared.decided_hi < least(compared.first_lo, compared.inferred_lo)
                then in_words(compared.first_at - compared.decided_at) || ' before'
            else 'at a time that cannot be told from'
        end
        || ' the first action on record'
        || case
            when compared.first_lo is null then ', which is tied to the change only by inference'
            else ''
        end
        || case
            when compared.is_emergency
                then
                    ' of an emergency change, for which ' || in_words(compared.grace)
                    || ' are allowed'
            else ''
        end as reason,
        [compared.approval_row, compared.event, compared.change_row] as evidence
    from compared
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
        'The operation is no registered change, or has no approval or no action on record.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
