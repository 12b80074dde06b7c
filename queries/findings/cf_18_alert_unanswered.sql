-- /// finding
-- id = "CF-18"
-- slug = "alert-unanswered"
-- title = "An alert on a target of the change was acknowledged late or never"
-- rule_class = "D"
-- level = "supervision"
-- severity = "medium"
-- criteria = "Alerts on the targets of a running change are acknowledged within the limit."
-- effect = "The change went on while a sign of its effect was not looked at."
-- recommendation = "Send alerts on the targets of a running change to those who carry it out."
-- questions = [
--     "Did someone act on the alert without acknowledging it?",
--     "Does the monitoring raise this alert in every change of the kind?",
-- ]
-- codes = ["hfacs-7.0:SI006", "sherpa:R1",
--     "dora:4.2.process_failure_insufficient_monitoring_or_failure_of_monitoring_and_control"]
-- candidate_codes = ["hfacs-7.0:PC101", "hfacs-7.0:PC103"]
-- controls = ["soc2:CC7.3", "dora:13(2)(a)", "csf2.0:RS.MA-02"]
-- needs = ["alert", "change"]
-- reads = ["alert", "change", "operation_span"]
-- policy = ["alert_ack_minutes"]
-- limitations = "Looked at from the planned start to the closing, else to the planned end."
-- ///
with

target as (
    select
        change.change_id,
        unnest(split_list(change.targets)) as name
    from change
),

scope as (
    select
        target.change_id,
        list(asset_name(target.name)) as assets
    from target
    group by target.change_id
),

looked_at as (
    select
        operation_span.operation_id,
        operation_span.window_start as from_at,
        coalesce(operation_span.closed_at, operation_span.window_end) as to_at,
        operation_span.evidence as change_row,
        scope.assets
    from operation_span
    left join scope on operation_span.change_id = scope.change_id
    where operation_span.registered
),

raised as (
    select
        looked_at.operation_id,
        looked_at.change_row,
        alert.target,
        alert.fired_at,
        alert.acked_at,
        pointer(alert.source_id, alert.record_no) as alert_row,
        -- Whether the alert surely belongs: in scope, and in the time looked at.
        list_contains(looked_at.assets, asset_name(alert.target))
        and coalesce(looked_at.from_at, looked_at.to_at) is not null
        and coalesce(alert.fired_lo >= looked_at.from_at, true)
        and coalesce(alert.fired_hi <= looked_at.to_at, true) as is_sure,
        coalesce(alert.acked_at - alert.fired_hi > policy_minutes('alert_ack_minutes'), true)
            as is_late,
        coalesce(alert.acked_at - alert.fired_lo <= policy_minutes('alert_ack_minutes'), false)
            as is_timely
    from looked_at
    inner join alert
        on
            coalesce(list_contains(looked_at.assets, asset_name(alert.target)), true)
            and coalesce(looked_at.from_at <= alert.fired_hi, true)
            and coalesce(looked_at.to_at >= alert.fired_lo, true)
    -- Without targets only a stated time ties an alert to the change.
    where
        list_contains(looked_at.assets, asset_name(alert.target))
        or (looked_at.from_at is not null and looked_at.to_at is not null)
),

judged as (
    select
        raised.operation_id,
        raised.target,
        case
            when raised.is_timely then if(coalesce(raised.is_sure, false), 'ok', 'not_applicable')
            when raised.is_late and coalesce(raised.is_sure, false) then 'exception'
            else 'undetermined'
        end as status,
        raised.fired_at as occurred_at,
        null::varchar as event,
        'The alert on ' || coalesce(raised.target, 'no stated target') || ' at '
        || utc(raised.fired_at) || case
            when raised.acked_at is null then ' has no acknowledgement on record'
            else ' was acknowledged after ' || in_words(raised.acked_at - raised.fired_at)
        end
        || '; the limit is ' || plain(policy_number('alert_ack_minutes')) || ' min'
        || case
            when coalesce(raised.is_sure, false) then ''
            else '; whether it concerns the change is not sure'
        end as reason,
        [raised.alert_row, raised.change_row] as evidence
    from raised
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
                judged.reason asc
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
        'The operation is no registered change, or no alert on its targets fell into its time.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
