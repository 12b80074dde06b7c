-- /// finding
-- id = "CF-12"
-- slug = "self-approval"
-- title = "The requester or the implementer approved the change"
-- rule_class = "D"
-- level = "supervision"
-- severity = "medium"
-- criteria = "Nobody approves a change that the same person asked for or carries out."
-- effect = "An approval on record adds no second pair of eyes."
-- recommendation = "Have the change register refuse approvals by those who request or carry out the change."
-- questions = [
--     "Do two people share the account?",
--     "Was the approval given in another role that allows for it?",
-- ]
-- codes = ["hfacs-7.0:SI001", "hfacs-7.0:SV001", "dora:4.3.change_management"]
-- controls = ["nist800-53r5:AC-5", "iso27001:A.5.3", "dora-rts:17(1)(b)"]
-- needs = ["change", "approval"]
-- reads = ["approval", "operation_span"]
-- limitations = "People are told apart by account, after aliases."
-- ///
with

judged as (
    select
        operation_span.operation_id,
        null::varchar as target,
        case
            when person(approval.approver) = person(operation_span.requested_by) then 'exception'
            when person(approval.approver) = person(operation_span.implementer) then 'exception'
            when operation_span.requested_by is null or operation_span.implementer is null
                then 'undetermined'
            else 'ok'
        end as status,
        approval.decided_at as occurred_at,
        null::varchar as event,
        'The approval at ' || utc(approval.decided_at) || ' came from '
        || case
            when person(approval.approver) = person(operation_span.requested_by)
                then if(
                    person(approval.approver) = person(operation_span.implementer),
                    'the requester, who is also the implementer',
                    'the requester'
                )
            when person(approval.approver) = person(operation_span.implementer)
                then 'the implementer'
            when operation_span.requested_by is null and operation_span.implementer is null
                then
                    'an account that cannot be compared: the change names neither requester nor '
                    || 'implementer'
            when operation_span.requested_by is null
                then 'an account that cannot be compared: the change names no requester'
            when operation_span.implementer is null
                then 'an account that cannot be compared: the change names no implementer'
            else 'neither requester nor implementer'
        end as reason,
        [pointer(approval.source_id, approval.record_no), operation_span.evidence] as evidence
    from approval
    inner join operation_span on approval.change_id = operation_span.change_id
    where operation_span.registered and approval.decision = 'approved'
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
        'The operation is no registered change, or no approval of it is on record.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
