-- /// finding
-- id = "EQ-03"
-- slug = "shared-account"
-- title = "An account that names no person acted under a change"
-- rule_class = "D"
-- level = "evidence"
-- severity = "medium"
-- criteria = "Actions under a change are recorded under the account of a person."
-- effect = "Who acted cannot be told, so that rules about persons do not decide."
-- recommendation = "Have people log in under their own account and take on rights from there."
-- questions = [
--     "Does another log tell who used the account at that time?",
--     "Is the account that of a tool which a person started?",
-- ]
-- controls = ["nist800-53r5:AU-10", "nist800-53r5:AU-3", "iso27001:A.8.2"]
-- needs = ["maintenance_event"]
-- reads = ["operation_event", "operation_span"]
-- policy = ["shared_accounts"]
-- limitations = "Accounts are those of the policy; the login counts, not the rights it took on."
-- ///
with

action as (
    select
        operation_event.*,
        fits(trim(operation_event.actor), policy_list('shared_accounts')) as is_shared
    from operation_event
    where operation_event.change_id is not null and operation_event.is_action
),

judged as (
    select
        action.operation_id,
        null::varchar as target,
        case
            when action.actor is null then 'undetermined'
            when not action.is_shared then ok_by(action.basis)
            when action.basis = 'explicit' then 'exception'
            else 'undetermined'
        end as status,
        action.occurred_at,
        action.evidence as event,
        case
            when action.actor is null
                then
                    'The record of ' || action.action || ' at ' || utc(action.occurred_at)
                    || ' names no account'
            when action.is_shared
                then
                    'The shared account ' || action.actor || ' carried out ' || action.action
                    || ' at ' || utc(action.occurred_at)
                    || tie_note(action.basis)
            else
                'The policy does not name ' || action.actor || ' as a shared account'
                || tie_note(action.basis)
        end as reason,
        [action.evidence] as evidence
    from action
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
