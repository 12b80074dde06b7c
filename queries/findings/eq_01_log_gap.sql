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
-- reads = ["maintenance_event", "operation_event", "operation_span"]
-- policy = ["log_gap_minutes"]
-- limitations = """
-- Looked at from the record of the same change before, in the same source, to the one after; any
-- record of the source ends a silence."""
-- ///
with

-- Silences of a source between any two records that follow each other, from the end of the first.
followed as (
    select
        maintenance_event.source_id,
        maintenance_event.occurred_at as from_at,
        lead(maintenance_event.occurred_at) over in_order as to_at,
        greatest(maintenance_event.occurred_lo, maintenance_event.ended_at) as from_lo,
        greatest(
            for_limit(maintenance_event.occurred_at, maintenance_event.occurred_hi),
            maintenance_event.ended_at
        ) as from_hi,
        lead(maintenance_event.occurred_lo) over in_order as to_lo,
        lead(for_limit(maintenance_event.occurred_at, maintenance_event.occurred_hi)) over in_order
            as to_hi,
        pointer(maintenance_event.source_id, maintenance_event.record_no) as from_row,
        lead(pointer(maintenance_event.source_id, maintenance_event.record_no)) over in_order
            as to_row
    from maintenance_event
    window in_order as (
        partition by maintenance_event.source_id
        order by maintenance_event.occurred_at, maintenance_event.record_no
    )
),

silent as (
    select
        followed.*,
        followed.to_lo - followed.from_hi > policy_minutes('log_gap_minutes') as is_sure
    from followed
    where followed.to_hi - followed.from_lo > policy_minutes('log_gap_minutes')
),

-- What is looked at around each record of a change: from its record before to the one after.
placed as (
    select
        operation_event.*,
        lag(operation_event.occurred_at) over in_order as before_at,
        lead(operation_event.occurred_at) over in_order as after_at
    from operation_event
    where operation_event.change_id is not null
    window in_order as (
        partition by operation_event.operation_id, operation_event.source_id
        order by operation_event.occurred_at, operation_event.record_no
    )
),

critical as (
    select
        placed.operation_id,
        placed.source_id,
        placed.occurred_at,
        placed.action,
        placed.target,
        placed.evidence as event,
        placed.basis,
        placed.is_irreversible is not null and placed.basis = 'explicit' as is_critical,
        placed.before_at is not null as has_before,
        placed.after_at is not null as has_after,
        has_before or has_after as has_neighbour,
        count(silent.from_row) as silences,
        bool_or(silent.is_sure) as is_sure,
        arg_max(
            {
                'length': silent.to_at - silent.from_at,
                'from_at': silent.from_at,
                'from_row': silent.from_row,
                'to_row': silent.to_row
            },
            (silent.to_at - silent.from_at, silent.from_at, silent.from_row)
        ) as longest
    from placed
    left join silent
        on
            placed.source_id = silent.source_id
            and silent.from_at >= coalesce(placed.before_at, placed.occurred_at)
            and silent.to_at <= coalesce(placed.after_at, placed.occurred_at)
    where coalesce(placed.is_irreversible, true) and not placed.is_read_only
    group by all
),

judged as (
    select
        critical.operation_id,
        critical.target,
        case
            when not critical.has_neighbour then 'undetermined'
            when critical.silences = 0 then ok_by(critical.basis)
            when critical.is_sure and critical.is_critical then 'exception'
            else 'undetermined'
        end as status,
        critical.occurred_at,
        critical.event,
        case
            when not critical.has_neighbour
                then
                    'Source ' || critical.source_id || ' holds no record of the change besides '
                    || critical.action || ' at ' || utc(critical.occurred_at)
            when critical.silences = 0
                then
                    'From '
                    || if(critical.has_before, 'the record of the change before ', '')
                    || critical.action || ' at ' || utc(critical.occurred_at) || ' to '
                    || case
                        when critical.has_before and critical.has_after then 'the one after it'
                        when critical.has_after then 'the record of the change after it'
                        else 'it'
                    end
                    || ', records of source ' || critical.source_id
                    || ', of the change or not, follow each other within '
                    || plain(policy_number('log_gap_minutes')) || ' min'
                    || tie_note(critical.basis)
            else
                'Around ' || critical.action || ' at ' || utc(critical.occurred_at)
                || ' source ' || critical.source_id || ' is silent for '
                || in_words(critical.longest.length) || ' from '
                || utc(critical.longest.from_at) || '; the limit is '
                || plain(policy_number('log_gap_minutes')) || ' min'
                || case
                    when not critical.is_sure then ', and the times do not decide'
                    when not critical.is_critical then ', and whether the action counts is not sure'
                    else ''
                end
        end as reason,
        [critical.event, critical.longest.from_row, critical.longest.to_row] as evidence
    from critical
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
        'No irreversible action under a change is on record in this operation.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
