-- /// relation
-- id = "operation"
-- title = "Operations with the number of exceptions found in each"
-- grain = "One row per registered change, or session of events without one."
-- reads = ["finding", "operation_span"]
-- [columns]
-- operation_id = "Change number, or session: with session or actor@host and first UTC stamp."
-- change_id = "Change number as stated; NULL in a session without a change."
-- kind = "Kind of change, in lower case; NULL where not stated."
-- started_at = "First action; NULL where none is on record."
-- ended_at = "Last action, or its end where that is stated."
-- actors = "Accounts that acted, in the order of the alphabet."
-- targets = "Assets in scope as the change states them; without a registered change, acted upon."
-- procedure = "Procedure that the change names, else the one that applies to its kind."
-- outcome = "Outcome at closure; without a registered change, that of its events."
-- exceptions = "Findings of the operation with status exception."
-- registered = "Whether the change is on record."
-- title = "Title of the change."
-- started_lo = "Earliest instant that the first action can mean."
-- started_hi = "Latest instant that the first action can mean."
-- window_start = "Planned start."
-- window_end = "Planned end."
-- closed_at = "When the change was closed; NULL while it is open."
-- requested_by = "Account that asked for the change."
-- implementer = "Account assigned to carry it out."
-- procedure_version = "Version in force at the first action; NULL where it is not known."
-- procedure_basis = "named, kind, unknown (none on file), ambiguous (several fit)."
-- emergency = "Whether it ran on the emergency path; NULL where not stated."
-- event_count = "Events that belong to the operation, read-only ones included."
-- evidence = "Record of the change."
-- ///
with exception as (
    select
        operation_id,
        count(*) as exceptions
    from finding
    where status = 'exception'
    group by operation_id
)

select
    operation_span.operation_id,
    operation_span.change_id,
    operation_span.kind,
    operation_span.started_at,
    operation_span.ended_at,
    operation_span.actors,
    operation_span.targets,
    operation_span.procedure,
    operation_span.outcome,
    coalesce(exception.exceptions, 0) as exceptions,
    operation_span.registered,
    operation_span.title,
    operation_span.started_lo,
    operation_span.started_hi,
    operation_span.window_start,
    operation_span.window_end,
    operation_span.closed_at,
    operation_span.requested_by,
    operation_span.implementer,
    operation_span.procedure_version,
    operation_span.procedure_basis,
    operation_span.emergency,
    operation_span.event_count,
    operation_span.evidence
from operation_span
left join exception on operation_span.operation_id = exception.operation_id
order by operation_span.operation_id
