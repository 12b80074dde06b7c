-- /// finding
-- id = "CF-18"
-- slug = "alert-unanswered"
-- title = "An alert on a target of the change has a late acknowledgement on record, or none"
-- rule_class = "D"
-- level = "supervision"
-- severity = "medium"
-- criteria = "Alerts on the targets of a running change are acknowledged within the limit."
-- effect = "The change went on while no record shows that the alert had been seen."
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
-- reads = ["alert", "change", "operation_event", "operation_span"]
-- policy = ["alert_ack_minutes"]
-- limitations = """
-- Looked at from the planned start to the closing, else to the planned end. What the operation acted
-- on is a target too, from then on, also where the change does not name it."""
-- ///
with

target as (
    select
        change.change_id,
        unnest(split_list(change.targets)) as name
    from change
),

named as (
    select distinct
        target.change_id,
        asset_name(target.name) as asset
    from target
),

looked_at as (
    select
        operation_span.operation_id,
        operation_span.change_id,
        operation_span.window_start as from_at,
        coalesce(operation_span.closed_at, operation_span.window_end) as to_at,
        operation_span.evidence as change_row
    from operation_span
    where operation_span.registered
),

fired as (
    select
        alert.target,
        asset_name(alert.target) as asset,
        alert.fired_at,
        alert.fired_lo,
        alert.fired_hi,
        alert.acked_at,
        pointer(alert.source_id, alert.record_no) as alert_row
    from alert
),

-- What was acted on without being named, from the first action on it.
acted as (
    select
        operation_event.operation_id,
        asset_name(operation_event.target) as asset,
        arg_min(
            struct_pack(
                occurred_at := operation_event.occurred_at,
                occurred_lo := operation_event.occurred_lo,
                occurred_hi := operation_event.occurred_hi,
                action := operation_event.action,
                is_tied := operation_event.basis = 'explicit',
                evidence := operation_event.evidence
            ),
            (
                operation_event.basis <> 'explicit',
                operation_event.occurred_hi,
                operation_event.evidence
            )
        ) as event
    from operation_event
    left join named
        on
            operation_event.change_id = named.change_id
            and asset_name(operation_event.target) = named.asset
    where
        operation_event.target is not null
        and operation_event.is_action
        and not operation_event.is_read_only
        and named.asset is null
    group by operation_event.operation_id, asset_name(operation_event.target)
),

-- Alerts on a target of the change, or on what it acted on; where the change names none, or the alert none, those that
-- fell into its stated time may concern it.
concerning as (
    select
        looked_at.*,
        fired.*,
        true as is_in_scope,
        null as event
    from looked_at
    inner join named on looked_at.change_id = named.change_id
    inner join fired on named.asset = fired.asset
    union all
    select
        looked_at.*,
        fired.*,
        acted.event.is_tied and acted.event.occurred_hi < fired.fired_lo as is_in_scope,
        acted.event
    from looked_at
    inner join acted on looked_at.operation_id = acted.operation_id
    inner join fired on acted.asset = fired.asset and acted.event.occurred_lo <= fired.fired_hi
    union all
    select
        looked_at.*,
        fired.*,
        false as is_in_scope,
        null as event
    from looked_at
    left join target on looked_at.change_id = target.change_id
    inner join fired
        on looked_at.from_at <= fired.fired_hi and looked_at.to_at >= fired.fired_lo
    left join acted
        on
            looked_at.operation_id = acted.operation_id
            and fired.asset = acted.asset
            and fired.fired_hi >= acted.event.occurred_lo
    where (target.change_id is null or fired.asset is null) and acted.asset is null
),

raised as (
    select distinct
        concerning.operation_id,
        concerning.change_row,
        concerning.target,
        concerning.fired_at,
        concerning.acked_at,
        concerning.alert_row,
        concerning.event,
        concerning.is_in_scope
        and coalesce(concerning.from_at, concerning.to_at) is not null
        and coalesce(concerning.fired_lo >= concerning.from_at, true)
        and coalesce(
            for_limit(concerning.fired_at, concerning.fired_hi) <= concerning.to_at, true
        ) as is_sure,
        coalesce(
            concerning.acked_at - concerning.fired_hi > policy_minutes('alert_ack_minutes'), true
        ) as is_late,
        coalesce(
            concerning.acked_at - concerning.fired_lo <= policy_minutes('alert_ack_minutes'), false
        ) as is_timely
    from concerning
    where
        coalesce(concerning.from_at <= concerning.fired_hi, true)
        and coalesce(concerning.to_at >= concerning.fired_lo, true)
),

judged as (
    select
        raised.operation_id,
        raised.target,
        case
            when raised.is_timely then if(raised.is_sure, 'ok', 'not_applicable')
            when raised.is_late and raised.is_sure then 'exception'
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
        || coalesce(
            '; the change does not name it, but ' || raised.event.action
            || ' of it is on record at ' || utc(raised.event.occurred_at),
            ''
        )
        || case
            when raised.is_sure then ''
            else '; whether it concerns the change is not sure'
        end as reason,
        raised.target || case
            when raised.acked_at is null then ' (no acknowledgement on record)'
            else ' (after ' || in_words(raised.acked_at - raised.fired_at) || ')'
        end as brief,
        stated([raised.alert_row, raised.change_row, raised.event.evidence]) as evidence
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
                judged.reason asc,
                judged.target asc
        ) as decisive,
        alike(
            judged.status, judged.brief, judged.occurred_at, judged.event, judged.reason
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
        'The operation is no registered change, or no alert on its targets fell into its time.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
