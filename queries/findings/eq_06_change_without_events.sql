-- /// finding
-- id = "EQ-06"
-- slug = "change-without-events"
-- title = "A change closed as done has no event on record"
-- rule_class = "D"
-- level = "evidence"
-- severity = "medium"
-- criteria = "Each change that was carried out has left events in the logs."
-- effect = "The population of events is incomplete; the rules see less than what was done."
-- recommendation = "Find the log of the tool that was used, and add its host to the collection."
-- questions = [
--     "Was the work done by hand, or by a vendor with logs of their own?",
--     "Do the logs that were handed over cover the time of the change?",
-- ]
-- controls = ["nist800-53r5:AU-12", "iso27001:A.8.15", "soc2:CC8.1"]
-- needs = ["change", "maintenance_event"]
-- reads = ["operation_span"]
-- limitations = "Any record tied to the change counts as an event, reading and checking included."
-- ///
with

judged as (
    select
        operation_span.operation_id,
        null::varchar as target,
        case
            when operation_span.explicit_event_count > 0 then 'ok'
            when operation_span.outcome = 'unknown' or operation_span.event_count > 0
                then 'undetermined'
            else 'exception'
        end as status,
        coalesce(operation_span.closed_at, operation_span.window_end) as occurred_at,
        null::varchar as event,
        'The change closed as ' || operation_span.outcome
        || coalesce(' at ' || utc(operation_span.closed_at), '') || ' and has '
        || case operation_span.event_count
            when 0 then 'no event'
            when 1 then '1 event'
            else operation_span.event_count || ' events'
        end
        || ' on record'
        || case
            when operation_span.explicit_event_count = 0 and operation_span.event_count > 0
                then ', all tied to it only by inference'
            else ''
        end as reason,
        [operation_span.evidence] as evidence
    from operation_span
    where
        operation_span.registered
        and (
            operation_span.outcome in ('success', 'partial', 'failure')
            or (operation_span.outcome = 'unknown' and operation_span.closed_at is not null)
        )
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
        'The operation is no registered change that closed as done.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
