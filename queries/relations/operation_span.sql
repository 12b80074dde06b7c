-- /// relation
-- id = "operation_span"
-- title = "Operations: registered changes, and sessions of events without one"
-- grain = "One row per operation."
-- reads = ["change", "maintenance_event", "operation_link", "procedure", "procedure_step"]
-- policy = ["read_only_actions"]
-- limitations = "Approvals are no action, nor are read-only events that are no step of the procedure: they do not set start and end."
-- [columns]
-- operation_id = "Change number, or session: with session or actor@host and first UTC stamp."
-- change_id = "Change number as stated; NULL in a session without a change."
-- registered = "Whether the change is on record."
-- kind = "Kind of change, in lower case; NULL where not stated."
-- title = "Title of the change."
-- started_at = "First action; NULL where none is on record."
-- started_lo = "Earliest instant that the first action can mean."
-- started_hi = "Latest instant that the first action can mean."
-- ended_at = "Last action, or its end where that is stated."
-- window_start = "Planned start."
-- window_end = "Planned end."
-- closed_at = "When the change was closed; NULL while it is open."
-- requested_by = "Account that asked for the change."
-- implementer = "Account assigned to carry it out."
-- actors = "Accounts that acted, in the order of the alphabet."
-- targets = "Assets in scope as the change states them; without a registered change, acted upon."
-- procedure = "Procedure that the change names, else the one that applies to its kind."
-- procedure_version = "Version in force at the first action; NULL where it is not known."
-- procedure_basis = "named, kind, unknown (none on file), ambiguous (several fit)."
-- outcome = "Outcome at closure; without a registered change, that of its events."
-- emergency = "Whether it ran on the emergency path; NULL where not stated."
-- evidence = "Record of the change."
-- started_basis = "explicit: events that name the operation set start and end; inferred: others."
-- event_count = "Events that belong to the operation, read-only ones included."
-- explicit_event_count = "Those of them that are not tied to it by inference."
-- ///
with event as (
    select
        operation_link.operation_id,
        operation_link.source_id,
        operation_link.record_no,
        operation_link.basis = 'explicit' as is_explicit,
        maintenance_event.occurred_at,
        maintenance_event.step,
        maintenance_event.action,
        maintenance_event.target,
        maintenance_event.host,
        maintenance_event.message,
        maintenance_event.actor,
        maintenance_event.outcome,
        coalesce(maintenance_event.occurred_lo, maintenance_event.occurred_at) as occurred_lo,
        coalesce(maintenance_event.occurred_hi, maintenance_event.occurred_at) as occurred_hi,
        greatest(
            maintenance_event.occurred_at,
            coalesce(maintenance_event.ended_at, maintenance_event.occurred_at)
        ) as done_at,
        list_contains(
            policy_list('read_only_actions'), lower(trim(maintenance_event.action))
        ) as is_read_only
    from operation_link
    inner join maintenance_event
        on
            operation_link.source_id = maintenance_event.source_id
            and operation_link.record_no = maintenance_event.record_no
),

-- The procedures on file that a change can mean.
candidate as (
    select
        change.change_id as operation_id,
        procedure.procedure,
        'named' as basis
    from change
    inner join procedure on lower(trim(change.procedure)) = lower(procedure.procedure)
    union
    select
        change.change_id as operation_id,
        procedure.procedure,
        'kind' as basis
    from change
    inner join procedure on list_contains(procedure.applies_to, lower(trim(change.kind)))
    where change.procedure is null
),

chosen as (
    select
        operation_id,
        min(procedure) as procedure,
        min(basis) as basis
    from candidate
    group by operation_id
    having count(distinct procedure) = 1
),

plan_step as (
    select distinct
        chosen.operation_id,
        procedure_step.step,
        procedure_step.kind = 'approve' as is_approval,
        procedure_step.match_action,
        procedure_step.match_target,
        procedure_step.match_host,
        procedure_step.match_message
    from chosen
    inner join procedure_step on chosen.procedure = procedure_step.procedure
),

approve_step as (
    select *
    from plan_step
    where is_approval
),

-- Events that only read, and carry out a step by that: a pre-check is an action.
reading_step as (
    select
        event.source_id,
        event.record_no
    from event
    semi join plan_step
        on
            event.operation_id = plan_step.operation_id
            and not plan_step.is_approval
            and (
                lower(trim(event.step)) = lower(plan_step.step)
                or (
                    fits(event.action, plan_step.match_action)
                    and fits(event.target, plan_step.match_target)
                    and fits(event.host, plan_step.match_host)
                    and fits(event.message, plan_step.match_message)
                    and (
                        len(plan_step.match_action) + len(plan_step.match_target)
                        + len(plan_step.match_host) + len(plan_step.match_message) > 0
                        or lower(trim(event.action)) = lower(plan_step.step)
                    )
                )
            )
    where event.is_read_only
    union all
    select
        event.source_id,
        event.record_no
    from event
    anti join chosen on event.operation_id = chosen.operation_id
    where event.is_read_only and event.step is not null
),

action as (
    select event.*
    from event
    anti join approve_step
        on
            event.operation_id = approve_step.operation_id
            and (
                lower(event.step) = lower(approve_step.step)
                or (
                    event.step is null
                    and len(approve_step.match_action) > 0
                    and fits(event.action, approve_step.match_action)
                    and fits(event.target, approve_step.match_target)
                    and fits(event.host, approve_step.match_host)
                    and fits(event.message, approve_step.match_message)
                )
            )
    where
        not event.is_read_only
        or (event.source_id, event.record_no) in (
            select (reading_step.source_id, reading_step.record_no) from reading_step
        )
),

acted as (
    select
        operation_id,
        bool_or(is_explicit) as has_explicit,
        min(occurred_at) filter (is_explicit) as explicit_at,
        min(occurred_lo) filter (is_explicit) as explicit_lo,
        min(occurred_hi) filter (is_explicit) as explicit_hi,
        max(done_at) filter (is_explicit) as explicit_end,
        min(occurred_at) as any_at,
        min(occurred_lo) as any_lo,
        min(occurred_hi) as any_hi,
        max(done_at) as any_end,
        list_sort(list(distinct actor) filter (actor is not null)) as actors,
        list_sort(list(distinct target) filter (target is not null)) as targets,
        case
            when bool_or(outcome is null or outcome = 'unknown') then 'unknown'
            when bool_and(outcome = 'failure') then 'failure'
            when bool_or(outcome = 'failure') then 'partial'
            else 'success'
        end as outcome
    from action
    group by operation_id
),

counted as (
    select
        operation_id,
        count(*) as event_count,
        count(*) filter (is_explicit) as explicit_event_count
    from event
    group by operation_id
),

span as (
    select
        coalesce(change.change_id, counted.operation_id) as operation_id,
        case
            when change.change_id is not null then change.change_id
            when not starts_with(counted.operation_id, 'session:') then counted.operation_id
        end as change_id,
        change.change_id is not null as registered,
        lower(trim(change.kind)) as kind,
        change.title,
        if(acted.has_explicit, acted.explicit_at, acted.any_at) as started_at,
        if(acted.has_explicit, acted.explicit_lo, acted.any_lo) as started_lo,
        if(acted.has_explicit, acted.explicit_hi, acted.any_hi) as started_hi,
        if(acted.has_explicit, acted.explicit_end, acted.any_end) as ended_at,
        change.window_start,
        change.window_end,
        change.closed_at,
        change.requested_by,
        change.implementer,
        coalesce(acted.actors, []) as actors,
        case
            when change.change_id is null then coalesce(acted.targets, [])
            else list_sort(list_distinct(list_filter(
                list_transform(string_split(change.targets, ';'), lambda target: trim(target)),
                lambda target: target <> ''
            )))
        end as targets,
        case
            when change.change_id is not null then coalesce(change.outcome, 'unknown')
            else coalesce(acted.outcome, 'unknown')
        end as outcome,
        change.emergency,
        pointer(change.source_id, change.record_no) as evidence,
        if(acted.has_explicit, 'explicit', 'inferred') as started_basis,
        coalesce(counted.event_count, 0) as event_count,
        coalesce(counted.explicit_event_count, 0) as explicit_event_count
    from counted
    full join change on counted.operation_id = change.change_id
    left join acted on counted.operation_id = acted.operation_id
),

-- Without an action, the planned start decides which version was in force.
reference as (
    select
        chosen.operation_id,
        chosen.procedure,
        chosen.basis,
        coalesce(span.started_lo, span.window_start, span.closed_at, span.window_end) as at_lo,
        coalesce(span.started_hi, span.window_start, span.closed_at, span.window_end) as at_hi
    from chosen
    inner join span on chosen.operation_id = span.operation_id
),

-- The latest version published by then; one that was superseded by then only where no other is
-- left. Where the first action can lie on either side of a publication, two versions come out.
in_force as (
    select
        reference.operation_id,
        arg_max(
            procedure.version,
            row(
                coalesce(procedure.superseded_at > reference.at_lo, true),
                coalesce(procedure.published_at, '-infinity'),
                procedure.version
            )
        ) filter (procedure.published_at is null or procedure.published_at <= reference.at_lo)
            as version_lo,
        arg_max(
            procedure.version,
            row(
                coalesce(procedure.superseded_at > reference.at_hi, true),
                coalesce(procedure.published_at, '-infinity'),
                procedure.version
            )
        ) filter (procedure.published_at is null or procedure.published_at <= reference.at_hi)
            as version_hi
    from reference
    inner join procedure on reference.procedure = procedure.procedure
    group by reference.operation_id
)

select
    span.operation_id,
    span.change_id,
    span.registered,
    span.kind,
    span.title,
    span.started_at,
    span.started_lo,
    span.started_hi,
    span.ended_at,
    span.window_start,
    span.window_end,
    span.closed_at,
    span.requested_by,
    span.implementer,
    span.actors,
    coalesce(span.targets, []) as targets,
    reference.procedure,
    if(in_force.version_lo = in_force.version_hi, in_force.version_lo, null) as procedure_version,
    case
        when in_force.version_lo = in_force.version_hi then reference.basis
        when in_force.version_lo <> in_force.version_hi then 'ambiguous'
        when
            span.operation_id in (select candidate.operation_id from candidate)
            and reference.operation_id is null then 'ambiguous'
        else 'unknown'
    end as procedure_basis,
    span.outcome,
    span.emergency,
    span.evidence,
    if(span.started_at is null, null, span.started_basis) as started_basis,
    span.event_count,
    span.explicit_event_count
from span
left join reference on span.operation_id = reference.operation_id
left join in_force on span.operation_id = in_force.operation_id
order by span.operation_id
