-- /// finding
-- id = "CF-03"
-- slug = "action-not-in-plan"
-- title = "An action under a change matches no step of its procedure"
-- rule_class = "D"
-- level = "act"
-- severity = "medium"
-- criteria = "Every action under a change, save those that only read or witness, belongs to a step of the procedure in force."
-- effect = "Approval, impact assessment and roll-back rest on a plan that does not name the action."
-- recommendation = "Record deviations as steps of the change, with an approval, before they run."
-- questions = [
--     "Was the deviation agreed on, and is that documented somewhere else?",
--     "Does the procedure describe this action in other words?",
-- ]
-- codes = ["hfacs-7.0:AE206", "sherpa:A10", "sherpa:A7", "cream:sequence-wrong-action", "uca:2",
--     "dora:4.3.change_management"]
-- candidate_codes = ["hfacs-7.0:AV001", "veris:misuse.unapproved_workaround"]
-- controls = ["nist800-53r5:CM-3", "soc2:CC8.1"]
-- needs = ["procedure", "maintenance_event"]
-- reads = ["operation_event", "operation_span", "procedure_step"]
-- policy = ["witness_actions"]
-- limitations = "Actions are compared by name; what a command did inside is not seen."
-- ///
with

-- Read-only actions and witnessing change nothing and need no step.
action as (
    select
        operation_event.*,
        operation_span.procedure,
        operation_span.procedure_version
    from operation_event
    inner join operation_span on operation_event.operation_id = operation_span.operation_id
    where
        not operation_event.is_read_only
        and not list_contains(policy_list('witness_actions'), lower(operation_event.action))
),

judged as (
    select
        action.operation_id,
        action.target,
        case
            when action.procedure_version is null then 'undetermined'
            when procedure_step.step is not null then ok_by(action.basis)
            when action.possible_steps is not null then 'undetermined'
            when action.basis = 'explicit' then 'exception'
            else 'undetermined'
        end as status,
        action.occurred_at,
        action.evidence as event,
        case
            when action.procedure_version is null
                then
                    'The procedure in force is not known, so action ' || action.action
                    || ' cannot be compared with its steps'
            when procedure_step.step is not null
                then
                    'Action ' || action.action || ' belongs to step ' || action.step
                    || tie_note(action.basis)
            when action.possible_steps is not null
                then
                    'Action ' || action.action || ' fits ' || len(action.possible_steps)
                    || ' steps of ' || action.procedure || ' version ' || action.procedure_version
            else
                'Action ' || action.action || ' on ' || coalesce(action.target, 'no stated target')
                || ' at ' || utc(action.occurred_at) || ' matches no step of '
                || action.procedure || ' version ' || action.procedure_version
                || tie_note(action.basis)
        end as reason,
        [action.evidence] as evidence
    from action
    left join procedure_step
        on
            action.procedure = procedure_step.procedure
            and action.procedure_version = procedure_step.version
            and action.step = procedure_step.step
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
        'No action is on record that the procedure has to foresee.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
