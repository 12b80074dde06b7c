-- /// relation
-- id = "operation_event"
-- title = "Events of operations, with the procedure step that each belongs to"
-- grain = "One row per event of an operation."
-- reads = ["maintenance_event", "operation_link", "operation_span", "procedure_step"]
-- policy = ["irreversible_actions", "read_only_actions"]
-- limitations = "Where no procedure is known, the step is the one that the record names."
-- [columns]
-- operation_id = "Operation that the event belongs to."
-- change_id = "Change that the event is tied to; NULL in a session without a change."
-- source_id = "Source of the event."
-- record_no = "Record of the event in its source."
-- basis = "explicit: stated, or in a session of its own; else inferred: window_and_target, session."
-- occurred_at = "When it happened, as the record states it."
-- occurred_lo = "Earliest instant that the time can mean."
-- occurred_hi = "Latest instant that the time can mean."
-- step = "Procedure step: the one that the record names, else the one whose match it fits best."
-- step_kind = "action, precheck, verify or approve; NULL where the step is not of the procedure."
-- action = "What was done, in the record's own word."
-- target = "The asset acted upon."
-- actor = "Account that acted."
-- outcome = "How the action ended, as recorded; NULL where not stated."
-- is_irreversible = "Whether it cannot be undone; NULL where the steps that it can be differ in it."
-- is_read_only = "Whether the action changes nothing."
-- evidence = "Record of the event."
-- possible_steps = "Steps that the event fits equally well, where more than one; step is then NULL."
-- ended_at = "When the action ended, where stated."
-- session_id = "Session in which it was done."
-- host = "Host that wrote the record."
-- flags = "Command flags, separated by blanks."
-- is_action = "Whether it carries out something: no approval, and no mere reading that is no step."
-- ///
with event as (
    select
        operation_link.operation_id,
        operation_link.change_id,
        operation_link.source_id,
        operation_link.record_no,
        operation_link.basis,
        maintenance_event.occurred_at,
        coalesce(maintenance_event.occurred_lo, maintenance_event.occurred_at) as occurred_lo,
        coalesce(maintenance_event.occurred_hi, maintenance_event.occurred_at) as occurred_hi,
        maintenance_event.step as stated_step,
        maintenance_event.action,
        maintenance_event.target,
        maintenance_event.actor,
        maintenance_event.outcome,
        maintenance_event.ended_at,
        maintenance_event.session_id,
        maintenance_event.host,
        maintenance_event.flags,
        maintenance_event.message,
        operation_span.procedure,
        operation_span.procedure_version as version,
        lower(trim(maintenance_event.action)) as word,
        lower(trim(maintenance_event.step)) as step_word
    from operation_link
    inner join maintenance_event
        on
            operation_link.source_id = maintenance_event.source_id
            and operation_link.record_no = maintenance_event.record_no
    inner join operation_span on operation_link.operation_id = operation_span.operation_id
),

step as (
    select
        procedure,
        version,
        step,
        kind,
        irreversible,
        match_action,
        match_target,
        match_host,
        match_message,
        lower(step) as step_word,
        (len(match_action) > 0)::integer
        + (len(match_target) > 0)::integer
        + (len(match_host) > 0)::integer
        + (len(match_message) > 0)::integer as keys
    from procedure_step
    qualify
        row_number() over (partition by procedure, version, lower(step) order by position) = 1
),

known as (
    select
        event.*,
        step.step as named_step,
        step.kind as named_kind,
        step.irreversible as named_irreversible,
        list_contains(policy_list('irreversible_actions'), event.word) as is_listed,
        list_contains(policy_list('read_only_actions'), event.word) as is_read_only
    from event
    left join step
        on
            event.procedure = step.procedure
            and event.version = step.version
            and event.step_word = step.step_word
),

-- Few words of action stand for many events, so that steps are compared with words first. A step
-- without a match is meant where the action is the step's own name.
word as (
    select distinct
        procedure,
        version,
        word
    from known
    where version is not null and named_step is null
),

fitting as (
    select
        word.word,
        step.*
    from word
    inner join step on word.procedure = step.procedure and word.version = step.version
    where
        fits(word.word, step.match_action)
        and (step.keys > 0 or word.word = step.step_word)
),

matched as (
    select
        known.source_id,
        known.record_no,
        fitting.step,
        fitting.kind,
        coalesce(fitting.irreversible, known.is_listed) as is_irreversible
    from known
    inner join fitting
        on
            known.procedure = fitting.procedure
            and known.version = fitting.version
            and known.word = fitting.word
    where
        known.named_step is null
        and fits(known.target, fitting.match_target)
        and fits(known.host, fitting.match_host)
        and fits(known.message, fitting.match_message)
    qualify
        fitting.keys = max(fitting.keys) over (partition by known.source_id, known.record_no)
),

fit as (
    select
        source_id,
        record_no,
        list(step order by step) as steps,
        if(min(kind) = max(kind), min(kind), null) as kind,
        bool_or(is_irreversible) as may_be_irreversible,
        bool_and(is_irreversible) as is_irreversible
    from matched
    group by source_id, record_no
)

select
    known.operation_id,
    known.change_id,
    known.source_id,
    known.record_no,
    known.basis,
    known.occurred_at,
    known.occurred_lo,
    known.occurred_hi,
    case
        when known.version is null then known.stated_step
        when known.named_step is not null then known.named_step
        when len(fit.steps) = 1 then fit.steps[1]
    end as step,
    case
        when known.named_step is not null then known.named_kind
        when len(fit.steps) = 1 then fit.kind
    end as step_kind,
    known.action,
    known.target,
    known.actor,
    known.outcome,
    case
        when fit.may_be_irreversible <> fit.is_irreversible then null
        else coalesce(known.named_irreversible, fit.is_irreversible, known.is_listed)
    end as is_irreversible,
    known.is_read_only,
    pointer(known.source_id, known.record_no) as evidence,
    if(len(fit.steps) > 1, fit.steps, null) as possible_steps,
    known.ended_at,
    known.session_id,
    known.host,
    known.flags,
    coalesce(known.named_kind, fit.kind, 'other') <> 'approve'
    and (
        not known.is_read_only
        or known.named_step is not null
        or fit.steps is not null
        or (known.version is null and known.stated_step is not null)
    ) as is_action
from known
left join fit on known.source_id = fit.source_id and known.record_no = fit.record_no
order by known.source_id, known.record_no
