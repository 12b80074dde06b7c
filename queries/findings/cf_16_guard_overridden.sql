-- /// finding
-- id = "CF-16"
-- slug = "guard-overridden"
-- title = "A guard was overridden by a flag, or an irreversible action followed a warning"
-- rule_class = "D"
-- level = "act"
-- severity = "high"
-- criteria = "Guards of a tool stay in force; after a warning no irreversible action follows."
-- effect = "The tool's own check or warning did not keep the action from running."
-- recommendation = "Ask for a second person where a guard is overridden, and record the reason."
-- questions = [
--     "Does the tool need the flag on every run? See the base rate.",
--     "Was the warning looked into, with a record elsewhere?",
-- ]
-- codes = ["hfacs-7.0:AE205", "hfacs-7.0:PE202", "hse:R4", "cream:feedback-not-acted-on",
--     "dora:4.3.change_management"]
-- candidate_codes = ["hfacs-7.0:AV001", "gems:violation"]
-- controls = ["nist800-53r5:CM-5", "nist800-53r5:CM-6", "iso27001:A.8.18"]
-- needs = ["maintenance_event"]
-- reads = ["operation_event", "operation_span"]
-- policy = ["override_flags"]
-- limitations = "Tested in operations with an irreversible event; flags are those of the policy, and show only where the records state the flags of commands."
-- ///
with

event as (
    select
        operation_event.operation_id,
        operation_event.basis,
        operation_event.occurred_at,
        operation_event.occurred_lo,
        operation_event.occurred_hi,
        operation_event.action,
        operation_event.target,
        operation_event.outcome,
        operation_event.is_irreversible,
        operation_event.is_read_only,
        operation_event.evidence,
        coalesce(
            bool_or(operation_event.flags is not null) over (
                partition by operation_event.operation_id
            ),
            false
        ) as states_flags,
        list_sort(list_intersect(
            list_transform(
                string_split_regex(lower(trim(coalesce(operation_event.flags, ''))), '\s+'),
                lambda flag: split_part(flag, '=', 1)
            ),
            policy_list('override_flags')
        )) as flags
    from operation_event
),

irreversible as (
    select event.*
    from event
    where coalesce(event.is_irreversible, true) and not event.is_read_only
),

-- Operations with an irreversible event; whether that is sure.
tested as (
    select
        irreversible.operation_id,
        bool_or(irreversible.is_irreversible is not null and irreversible.basis = 'explicit')
            as is_sure
    from irreversible
    group by irreversible.operation_id
),

warned as (
    select
        irreversible.operation_id,
        irreversible.occurred_at,
        irreversible.action,
        irreversible.target,
        irreversible.evidence,
        warning.action as warned_action,
        warning.occurred_at as warned_at,
        warning.evidence as warning_row,
        warning.occurred_hi < irreversible.occurred_lo
        and irreversible.is_irreversible is not null
        and irreversible.basis = 'explicit'
        and warning.basis = 'explicit' as is_sure
    from irreversible
    inner join event as warning
        on
            irreversible.operation_id = warning.operation_id
            and warning.outcome = 'warning'
            and irreversible.evidence <> warning.evidence
            and irreversible.occurred_hi >= warning.occurred_lo
),

judged as (
    select
        event.operation_id,
        event.target,
        case
            when tested.is_sure and event.basis = 'explicit' then 'exception'
            else 'undetermined'
        end as status,
        event.occurred_at,
        event.evidence as event,
        'Action ' || event.action || ' on ' || coalesce(event.target, 'no stated target') || ' at '
        || utc(event.occurred_at) || ' ran with ' || array_to_string(event.flags, ' ')
        || case
            when not tested.is_sure
                then '; that the operation has an irreversible event is not sure'
            when event.basis <> 'explicit'
                then '; the action is tied to the operation only by inference'
            else ''
        end as reason,
        event.target || ' (' || array_to_string(event.flags, ' ') || ')' as brief,
        [event.evidence] as evidence
    from event
    inner join tested on event.operation_id = tested.operation_id
    where len(event.flags) > 0
    union all
    select
        warned.operation_id,
        warned.target,
        if(warned.is_sure, 'exception', 'undetermined') as status,
        warned.occurred_at,
        warned.evidence as event,
        'Irreversible action ' || warned.action || ' on '
        || coalesce(warned.target, 'no stated target') || ' at ' || utc(warned.occurred_at)
        || if(warned.is_sure, ' followed ', ' may have followed ') || warned.warned_action
        || ', which ended with a warning at ' || utc(warned.warned_at) as reason,
        warned.target || ' (after a warning)' as brief,
        [warned.evidence, warned.warning_row] as evidence
    from warned
    union all
    select
        irreversible.operation_id,
        irreversible.target,
        ok_by(irreversible.basis) as status,
        irreversible.occurred_at,
        irreversible.evidence as event,
        'Irreversible action ' || irreversible.action || ' at ' || utc(irreversible.occurred_at)
        || if(
            irreversible.states_flags,
            ' followed no warning, and no flag that overrides a guard is on record',
            ' followed no warning; no record of the operation states flags of its commands, so'
            || ' whether one overrode a guard is not shown'
        )
        || tie_note(irreversible.basis) as reason,
        irreversible.target as brief,
        [irreversible.evidence] as evidence
    from irreversible
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
            judged.status, judged.brief, judged.occurred_at, judged.event, judged.reason
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
