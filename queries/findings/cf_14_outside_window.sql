-- /// finding
-- id = "CF-14"
-- slug = "outside-window"
-- title = "An action under a change lies outside its window"
-- rule_class = "D"
-- level = "act"
-- severity = "medium"
-- criteria = "Actions under a change lie within its window; the limits belong to it."
-- effect = "Those who rely on the announced window had no notice of the action from it."
-- recommendation = "Have the maintenance tool ask for an extension where a window has not begun or has ended."
-- questions = [
--     "Was the window moved, with the old one left in the register?",
--     "Is the zone of the register's times the one that was declared?",
-- ]
-- codes = ["hfacs-7.0:AE107", "cream:timing", "sherpa:A2", "dora:4.3.change_management"]
-- candidate_codes = ["hfacs-7.0:PC207"]
-- controls = ["nist800-53r5:MA-2", "iso27001:A.8.32", "nis2:recital-33"]
-- needs = ["change", "maintenance_event"]
-- reads = ["operation_event", "operation_span"]
-- limitations = "A side of the window that the change does not state is open."
-- ///
with

placed as (
    select
        operation_event.operation_id,
        operation_event.basis,
        operation_event.occurred_at,
        operation_event.action,
        operation_event.target,
        operation_event.evidence as event,
        operation_span.evidence as change_row,
        operation_span.window_start,
        operation_span.window_end,
        coalesce(operation_event.occurred_hi < operation_span.window_start, false) as is_early,
        coalesce(operation_event.occurred_lo > operation_span.window_end, false) as is_late,
        coalesce(operation_event.occurred_lo >= operation_span.window_start, true)
        and coalesce(
            for_limit(operation_event.occurred_at, operation_event.occurred_hi)
            <= operation_span.window_end,
            true
        ) as is_inside
    from operation_event
    inner join operation_span on operation_event.operation_id = operation_span.operation_id
    where
        operation_span.registered
        and operation_event.is_action
),

judged as (
    select
        placed.operation_id,
        placed.target,
        case
            when placed.window_start is null and placed.window_end is null then 'undetermined'
            when placed.is_inside then ok_by(placed.basis)
            when (placed.is_early or placed.is_late) and placed.basis = 'explicit'
                then 'exception'
            else 'undetermined'
        end as status,
        placed.occurred_at,
        placed.event,
        case
            when placed.window_start is null and placed.window_end is null
                then 'The change states no window'
            else
                'Action ' || placed.action || ' at ' || utc(placed.occurred_at) || ' lies '
                || case
                    when placed.is_early
                        then
                            in_words(placed.window_start - placed.occurred_at)
                            || ' before the window'
                    when placed.is_late
                        then
                            in_words(placed.occurred_at - placed.window_end)
                            || ' after the window'
                    when placed.is_inside then 'in the window'
                    else 'so near a limit of the window that its time does not decide: the window'
                end
                || ' ' || coalesce(utc(placed.window_start), 'of no stated start') || ' to '
                || coalesce(utc(placed.window_end), 'no stated end')
                || tie_note(placed.basis)
        end as reason,
        [placed.event, placed.change_row] as evidence
    from placed
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
        'No action is on record under a registered change.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
