-- /// relation
-- id = "clock_pair"
-- title = "Pairs of cause and effect across clocks"
-- grain = "One row per kind of pair and two clocks, cause first."
-- reads = ["alert", "maintenance_event", "source", "ticket_event"]
-- limitations = "Only pairs whose order follows from what the records are. An approval and the action that it allows are none, nor a step and its prerequisite: whether they kept their order is what the rules test. Nor are tables kept by hand, where times and numbers of changes are filled in later."
-- [columns]
-- kind = "`recorded` (an event, and when the recorder wrote it down), `issued` (a command as it was issued, and its result in the same session), `within_start` and `within_end` (an action of one host within the span of the same action as another host records it), `alerted` (an alert, and the ticket that bears its number), `cited` (the opening of a ticket, and the first record that cites its number)."
-- cause_source_id = "Source whose clock dates the cause."
-- cause_host = "Host whose clock dates the cause; NULL for the system that keeps the source."
-- effect_source_id = "Source whose clock dates the effect."
-- effect_host = "Host whose clock dates the effect; NULL for the system that keeps the source."
-- slack_seconds = "Least time from a cause to its effect, as recorded; the effect's clock is ahead of the cause's by no more than that."
-- pairs = "Pairs of this kind."
-- cause = "The cause of the tightest pair."
-- effect = "The effect of the tightest pair; the same record where it holds both times."
-- ///
with logged as (
    -- Logs that machines write as things happen.
    select
        maintenance_event.source_id,
        lower(trim(maintenance_event.host)) as host,
        maintenance_event.change_id,
        maintenance_event.step,
        lower(maintenance_event.action) as action,
        lower(trim(maintenance_event.target)) as target,
        maintenance_event.session_id,
        maintenance_event.occurred_lo,
        maintenance_event.occurred_hi,
        coalesce(maintenance_event.outcome in ('success', 'failure', 'warning'), false)
            as has_result,
        -- A time is known no better than it is printed: to the minute, the second, the microsecond.
        maintenance_event.recorded_at + case
            when epoch_us(maintenance_event.recorded_at) % 60000000 = 0 then interval 1 minute
            when epoch_us(maintenance_event.recorded_at) % 1000000 = 0 then interval 1 second
            else interval 0 second
        end as recorded_hi,
        maintenance_event.ended_at,
        maintenance_event.ended_at + case
            when epoch_us(maintenance_event.ended_at) % 60000000 = 0 then interval 1 minute
            when epoch_us(maintenance_event.ended_at) % 1000000 = 0 then interval 1 second
            else interval 0 second
        end as ended_hi,
        pointer(maintenance_event.source_id, maintenance_event.record_no) as event,
        source.format
    from maintenance_event
    inner join source on maintenance_event.source_id = source.source_id
    where
        source.format in (
            'ansible', 'auditd', 'ausearch', 'azure_activity', 'cloudtrail', 'gcp_audit',
            'journald', 'journald_export', 'kubernetes_audit', 'shell_history', 'sudo',
            'sudo_json', 'syslog'
        )
),

-- A command and its result, each recorded once, in the same session and under the same change.
issued as (
    select
        min({ 'source_id': source_id, 'host': host, 'at': occurred_lo, 'event': event })
        filter (where not has_result)
            as cause,
        min({ 'source_id': source_id, 'host': host, 'at': occurred_hi, 'event': event })
        filter (where has_result)
            as effect
    from logged
    where
        session_id is not null
        and change_id is not null
        and step is not null
        and target is not null
        and host is not null
    group by session_id, change_id, step, action, target
    having count(*) = 2 and count(*) filter (where has_result) = 1
),

-- An action that one host records with its end, and another as it happens, each once.
spans as (
    select
        min({ 'source_id': source_id, 'host': host, 'at': occurred_lo, 'event': event })
        filter (where ended_at is not null)
            as began,
        min({ 'source_id': source_id, 'host': host, 'at': ended_hi, 'event': event })
        filter (where ended_at is not null)
            as ended,
        min({ 'source_id': source_id, 'host': host, 'at': occurred_lo, 'event': event })
        filter (where ended_at is null)
            as earliest,
        min({ 'source_id': source_id, 'host': host, 'at': occurred_hi, 'event': event })
        filter (where ended_at is null)
            as latest
    from logged
    where change_id is not null and step is not null and target is not null and host is not null
    group by change_id, step, action, target
    having count(*) = 2 and count(ended_at) = 1
),

opened as (
    select
        ticket_event.ticket_id,
        min({
            'at': ticket_event.occurred_lo,
            'source_id': ticket_event.source_id,
            'record_no': ticket_event.record_no
        }) as first
    from ticket_event
    where lower(ticket_event.state) in ('new', 'open', 'opened', 'created', 'draft')
    group by ticket_event.ticket_id
),

paged as (
    select
        ticket_event.ticket_id,
        min({
            'at': ticket_event.occurred_hi,
            'source_id': ticket_event.source_id,
            'record_no': ticket_event.record_no
        }) as first
    from ticket_event
    group by ticket_event.ticket_id
),

pairs as (
    select
        'recorded' as kind,
        { 'source_id': source_id, 'host': host, 'at': occurred_lo, 'event': event } as cause,
        { 'source_id': source_id, 'host': null::varchar, 'at': recorded_hi, 'event': event }
            as effect
    from logged
    -- The journal stamps both times by the clock of its own host.
    where
        recorded_hi is not null
        and host is not null
        and format not in ('journald', 'journald_export')
    union all
    select
        'issued' as kind,
        cause,
        effect
    from issued
    union all
    select
        'within_start' as kind,
        began as cause,
        latest as effect
    from spans
    union all
    select
        'within_end' as kind,
        earliest as cause,
        ended as effect
    from spans
    union all
    select
        'alerted' as kind,
        {
            'source_id': alert.source_id,
            'host': null::varchar,
            'at': alert.fired_lo,
            'event': pointer(alert.source_id, alert.record_no)
        } as cause,
        {
            'source_id': paged.first.source_id,
            'host': null::varchar,
            'at': paged.first.at,
            'event': pointer(paged.first.source_id, paged.first.record_no)
        } as effect
    from alert
    inner join paged on alert.alert_id = paged.ticket_id
    union all
    select
        'cited' as kind,
        {
            'source_id': opened.first.source_id,
            'host': null::varchar,
            'at': opened.first.at,
            'event': pointer(opened.first.source_id, opened.first.record_no)
        } as cause,
        {
            'source_id': logged.source_id,
            'host': logged.host,
            'at': logged.occurred_hi,
            'event': logged.event
        } as effect
    from opened
    inner join logged on opened.ticket_id = logged.change_id
),

measured as (
    select
        kind,
        cause.source_id as cause_source_id,
        cause.host as cause_host,
        effect.source_id as effect_source_id,
        effect.host as effect_host,
        count(*) as pairs,
        min({
            'slack': epoch_us(effect.at) - epoch_us(cause.at),
            'cause': cause.event,
            'effect': effect.event
        }) as tightest
    from pairs
    where
        cause.source_id <> effect.source_id
        or cause.host is distinct from effect.host
    group by all
)

select
    kind,
    cause_source_id,
    cause_host,
    effect_source_id,
    effect_host,
    tightest.slack / 1e6 as slack_seconds,
    pairs,
    tightest.cause,
    tightest.effect
from measured
order by all
