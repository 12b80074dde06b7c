-- /// relation
-- id = "trace_variant"
-- title = "Courses of operations, and which are alike"
-- grain = "One row per operation whose procedure version is known."
-- reads = ["constraint_part", "operation_event", "operation_span", "procedure_step"]
-- limitations = """
-- Operations are alike where the same steps ran in the same sure order with the same outcomes, and
-- none of it is in doubt. What depends on more than that is judged for each operation.
-- """
-- [columns]
-- operation_id = "Operation."
-- operation_no = "Its number, by its id."
-- variant_no = "Number of the first operation that took the same course; its own where in doubt."
-- version_no = "Number of the procedure version, by procedure and version."
-- is_open = "Whether it is neither closed nor known to have ended."
-- is_cancelled = "Whether it was cancelled."
-- is_empty = "Whether no event names it."
-- closed_us = "When it closed, in microseconds since year 1; a time out of reach where it did not."
-- last_lo_us = "Earliest time of the last event that is tied to it for sure, in the same count."
-- codes = "Its events in order, as source_id * 2^36 + record_no."
-- ///
with version as (
    select
        procedure,
        procedure_version,
        row_number() over (order by procedure, procedure_version) as version_no
    from (
        select distinct
            procedure,
            procedure_version
        from constraint_part
    ) as named
),

judged as (
    select
        operation_span.operation_id,
        coalesce(operation_span.outcome = 'cancelled', false) as is_cancelled,
        operation_span.explicit_event_count = 0 as is_empty,
        version.version_no,
        operation_span.closed_at is null and operation_span.outcome = 'unknown' as is_open,
        coalesce(
            epoch_us(operation_span.closed_at) + 62135596800000000, 1152921504606846975
        ) as closed,
        row_number() over (order by operation_span.operation_id) as op_no
    from operation_span
    inner join version
        on
            operation_span.procedure = version.procedure
            and operation_span.procedure_version = version.procedure_version
),

step as (
    select
        version.version_no,
        procedure_step.step,
        procedure_step.kind,
        row_number() over (
            order by version.version_no, procedure_step.position, procedure_step.step
        ) as step_no
    from version
    inner join procedure_step
        on
            version.procedure = procedure_step.procedure
            and version.procedure_version = procedure_step.version
),

-- A time is the microseconds since year 1, so that none is negative. The packed number puts events
-- in order, and carries what decides whether they count.
placed as (
    select
        judged.op_no,
        (source_id::bigint << 36) | record_no as code,
        epoch_us(occurred_lo) + 62135596800000000 as lo,
        epoch_us(occurred_hi) + 62135596800000000 as hi,
        coalesce(epoch_us(operation_event.ended_at) + 62135596800000000, lo) as ended,
        judged.closed,
        basis = 'explicit' as is_tied,
        coalesce(step.step_no, 0) * 16
        + case operation_event.outcome
            when 'success' then 0
            when 'failure' then 2
            when 'warning' then 4
            else 6
        end
        + coalesce(is_irreversible, false)::integer as symbol,
        is_tied
        and possible_steps is null
        and is_irreversible is not null
        and coalesce(operation_event.outcome in ('success', 'failure', 'warning'), false)
            as is_sure
    from operation_event
    inner join judged on operation_event.operation_id = judged.operation_id
    left join step
        on judged.version_no = step.version_no and operation_event.step = step.step
),

ranked as (
    select
        op_no,
        code,
        symbol,
        is_tied,
        lo,
        row_number() over in_order as place,
        is_sure
        and greatest(hi, ended) < least(coalesce(lead(lo) over in_order, closed), closed)
            as is_plain
    from placed
    window in_order as (partition by op_no order by lo, hi, code)
),

-- One sort gives both lists: the place stands above the code, and that above the symbol.
course as (
    select
        op_no,
        list_sort(
            list((place::hugeint << 90) | (code::hugeint << 30) | symbol)
        ) as packed,
        bool_and(is_plain) as is_plain,
        max(lo) filter (is_tied) as last_lo
    from ranked
    group by op_no
),

spelled as (
    select
        op_no,
        is_plain,
        last_lo,
        list_transform(
            packed, lambda each: ((each >> 30) & 1152921504606846975)::bigint
        ) as codes,
        if(
            is_plain, list_transform(packed, lambda each: (each & 1073741823)::integer), []
        ) as symbols
    from course
),

likeness as (
    select
        judged.version_no,
        judged.is_open,
        judged.is_cancelled,
        judged.is_empty,
        spelled.symbols,
        min(judged.op_no) as like_no
    from judged
    inner join spelled on judged.op_no = spelled.op_no
    where spelled.is_plain
    group by
        judged.version_no, judged.is_open, judged.is_cancelled, judged.is_empty, spelled.symbols
)

select
    judged.operation_id,
    judged.op_no as operation_no,
    coalesce(likeness.like_no, judged.op_no) as variant_no,
    judged.version_no,
    judged.is_open,
    judged.is_cancelled,
    judged.is_empty,
    judged.closed as closed_us,
    spelled.last_lo as last_lo_us,
    coalesce(spelled.codes, []) as codes
from judged
left join spelled on judged.op_no = spelled.op_no
left join likeness
    on
        spelled.is_plain
        and judged.version_no = likeness.version_no
        and judged.is_open = likeness.is_open
        and judged.is_cancelled = likeness.is_cancelled
        and judged.is_empty = likeness.is_empty
        and spelled.symbols = likeness.symbols
order by judged.op_no
