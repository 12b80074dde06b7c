-- /// finding
-- id = "CF-29"
-- slug = "unrecorded-action"
-- title = "An irreversible or privileged action belongs to no change on record"
-- rule_class = "D"
-- level = "act"
-- severity = "high"
-- criteria = "Every irreversible or privileged action belongs to a registered change."
-- effect = "The action had no assessment, approval or window that could be tested."
-- recommendation = "Have the maintenance tool ask for the number of a running change before such actions."
-- questions = [
--     "Was the action part of a change whose number the log does not carry?",
--     "Is it routine that a standing approval covers?",
-- ]
-- codes = ["hfacs-7.0:AE206", "uca:2", "dora:4.3.change_management"]
-- candidate_codes = ["hfacs-7.0:AV001", "veris:misuse.unapproved_workaround"]
-- controls = ["nist800-53r5:CM-3", "nist800-53r5:CM-5", "soc2:CC8.1", "nis2:6.4.2"]
-- needs = ["maintenance_event", "change"]
-- reads = ["change", "operation_event", "operation_span"]
-- policy = ["privileged_actions"]
-- limitations = "An action that an inferred link ties to a registered change counts as found."
-- ///
with

scope as (
    select
        change.change_id,
        change.window_start,
        coalesce(change.window_end, change.closed_at) as window_end,
        unnest(split_list(change.targets)) as name
    from change
),

named as (
    select
        scope.change_id,
        scope.window_start,
        scope.window_end,
        asset_name(scope.name) as asset
    from scope
),

action as (
    select
        operation_event.operation_id,
        operation_event.change_id,
        operation_event.basis,
        operation_event.occurred_at,
        operation_event.occurred_lo,
        operation_event.occurred_hi,
        operation_event.action,
        operation_event.target,
        asset_name(operation_event.target) as asset,
        operation_event.evidence as event,
        operation_span.registered,
        operation_span.evidence as change_row,
        operation_event.is_irreversible
        or list_contains(policy_list('privileged_actions'), lower(operation_event.action))
            as is_in_scope
    from operation_event
    inner join operation_span on operation_event.operation_id = operation_span.operation_id
),

-- An action without a number that lies in the window and on a target of more than one change.
fitting as (
    select
        action.event,
        list(distinct named.change_id order by named.change_id) as changes
    from action
    inner join named
        on
            action.asset = named.asset
            and action.occurred_lo >= named.window_start
            and action.occurred_hi <= named.window_end
    where action.change_id is null
    group by action.event
),

judged as (
    select
        action.operation_id,
        action.target,
        case
            when action.registered and action.is_in_scope is null then 'not_applicable'
            when action.registered then 'ok'
            when action.is_in_scope is null or fitting.event is not null then 'undetermined'
            else 'exception'
        end as status,
        action.occurred_at,
        action.event,
        'Action ' || action.action || ' on ' || coalesce(action.target, 'no stated target')
        || ' at ' || utc(action.occurred_at)
        || case
            when action.registered
                then
                    ' belongs to a registered change'
                    || case action.basis
                        when 'explicit' then ''
                        when 'window_and_target' then ', by its window and target'
                        else ', by its session'
                    end
            when action.change_id is not null
                then ' names ' || action.change_id || ', which is not in the register'
            when fitting.event is not null
                then ' may belong to any of ' || array_to_string(fitting.changes, ', ')
            else ' belongs to no registered change'
        end
        || if(action.is_in_scope is null, '; whether it can be undone is not known', '') as reason,
        [action.event, action.change_row] as evidence
    from action
    left join fitting on action.event = fitting.event
    where coalesce(action.is_in_scope, true)
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
        'No irreversible or privileged action is on record in this operation.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
