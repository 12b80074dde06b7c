-- /// finding
-- id = "EQ-01"
-- slug = "log-gap"
-- title = "A source is silent for long next to an irreversible action"
-- rule_class = "D"
-- level = "evidence"
-- severity = "medium"
-- criteria = "The log of a change has no long silence next to its irreversible actions."
-- effect = "What happened in the silence can neither be shown nor excluded."
-- recommendation = "Log a sign of life while a change runs, and keep logs apart from what they log."
-- questions = [
--     "Did the action itself take that long?",
--     "Is the file an excerpt, and does the full log hold more?",
-- ]
-- controls = ["nist800-53r5:AU-5", "nist800-53r5:AU-12", "iso27001:A.8.15"]
-- needs = ["maintenance_event"]
-- reads = ["operation_event", "operation_span"]
-- policy = ["log_gap_minutes"]
-- limitations = "Looked at between records of the same change in the same source."
-- ///
with

record as (
    select
        operation_event.*,
        greatest(operation_event.occurred_hi, operation_event.ended_at) as done_hi,
        greatest(operation_event.occurred_lo, operation_event.ended_at) as done_lo
    from operation_event
    where operation_event.change_id is not null
),

-- Silences between records that surely belong to the change, and between all that may.
ordered as (
    select
        record.operation_id,
        record.evidence,
        record.basis,
        lag(record.evidence) over in_order as before_row,
        record.occurred_lo - lag(record.done_hi) over in_order as before_min,
        record.occurred_hi - lag(record.done_lo) over in_order as before_max,
        lead(record.evidence) over in_order as after_row,
        lead(record.occurred_lo) over in_order - record.done_hi as after_min,
        lead(record.occurred_hi) over in_order - record.done_lo as after_max
    from record
    where record.basis = 'explicit'
    window in_order as (
        partition by record.operation_id, record.source_id
        order by record.occurred_at, record.record_no
    )
),

with_inferred as (
    select
        record.operation_id,
        record.evidence,
        record.occurred_lo - lag(record.done_hi) over in_order as before_min,
        lead(record.occurred_lo) over in_order - record.done_hi as after_min
    from record
    window in_order as (
        partition by record.operation_id, record.source_id
        order by record.occurred_at, record.record_no
    )
),

critical as (
    select
        record.operation_id,
        record.source_id,
        record.occurred_at,
        record.action,
        record.target,
        record.evidence as event,
        record.is_irreversible is not null and record.basis = 'explicit' as is_sure,
        ordered.before_row,
        ordered.before_min,
        ordered.before_max,
        ordered.after_row,
        ordered.after_min,
        ordered.after_max,
        with_inferred.before_min as inferred_before,
        with_inferred.after_min as inferred_after,
        policy_minutes('log_gap_minutes') as longest
    from record
    left join ordered
        on record.operation_id = ordered.operation_id and record.evidence = ordered.evidence
    left join with_inferred
        on record.operation_id = with_inferred.operation_id
        and record.evidence = with_inferred.evidence
    where coalesce(record.is_irreversible, true) and not record.is_read_only
),

judged as (
    select
        critical.operation_id,
        critical.target,
        case
            when critical.before_row is null and critical.after_row is null then 'undetermined'
            when
                coalesce(critical.before_max <= critical.longest, true)
                and coalesce(critical.after_max <= critical.longest, true)
                then 'ok'
            when
                critical.is_sure
                and (
                    least(critical.before_min, critical.inferred_before) > critical.longest
                    or least(critical.after_min, critical.inferred_after) > critical.longest
                )
                then 'exception'
            else 'undetermined'
        end as status,
        critical.occurred_at,
        critical.event,
        case
            when critical.before_row is null and critical.after_row is null
                then 'Source ' || critical.source_id || ' holds no record of the change besides '
                    || critical.action || ' at ' || utc(critical.occurred_at)
            else 'Around ' || critical.action || ' at ' || utc(critical.occurred_at)
                || ' source ' || critical.source_id || ' is silent '
                || case
                    when critical.before_row is null then ''
                    else 'for ' || in_words(greatest(critical.before_min, interval 0 second))
                        || ' before'
                end
                || if(critical.before_row is null or critical.after_row is null, '', ' and ')
                || case
                    when critical.after_row is null then ''
                    else 'for ' || in_words(greatest(critical.after_min, interval 0 second))
                        || ' after'
                end
                || '; the limit is ' || plain(policy_number('log_gap_minutes')) || ' min'
        end as reason,
        [critical.event, critical.before_row, critical.after_row] as evidence
    from critical
),

-- An operation gets the gravest status of what was judged within it.
verdict as (
    select
        judged.operation_id,
        first(
            judged order by
                status_rank(judged.status) desc, judged.occurred_at, judged.event, judged.reason
        ) as decisive,
        gravest(judged.status) as judged_alike,
        gathered(judged.status, judged.evidence) as evidence
    from judged
    group by judged.operation_id
)

select
    operation_span.operation_id,
    operation_span.change_id,
    coalesce(verdict.decisive.target, operation_span.operation_id) as subject,
    coalesce(verdict.decisive.status, 'not_applicable') as status,
    verdict.decisive.occurred_at,
    verdict.decisive.event,
    coalesce(
        sentence(verdict.decisive.reason, verdict.judged_alike),
        'No irreversible action under a change is on record in this operation.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
