-- /// finding
-- id = "CF-17"
-- slug = "alert-suppressed"
-- title = "A silence covered the onset and reached beyond the window or targets of its change"
-- rule_class = "D"
-- level = "system"
-- severity = "high"
-- criteria = "A silence set for a change keeps to the window and the targets of that change."
-- effect = "Alerts on the target were silenced while the impact began."
-- recommendation = "Derive silences of alerts from the change, with its targets, and end them with its window."
-- questions = [
--     "Do alerts of the same asset reach the watch on another path?",
--     "Is a wider silence the only one that the monitoring can set?",
-- ]
-- codes = ["hfacs-7.0:PE202", "hfacs-7.0:SI006", "cream:feedback-missing",
--     "dora:4.2.process_failure_insufficient_monitoring_or_failure_of_monitoring_and_control"]
-- controls = ["soc2:CC7.2", "iso27001:A.8.16", "csf2.0:DE.CM-09"]
-- needs = ["change", "silence", "replication_sample"]
-- reads = ["change", "onset", "operation_event", "operation_span", "silence"]
-- limitations = """
-- A silence that names no change is tied to one by window and target, as inference; what the
-- operation acted on is a target too."""
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

acted as (
    select
        operation_event.operation_id,
        list(distinct asset_name(operation_event.target)) as assets
    from operation_event
    where
        operation_event.target is not null
        and operation_event.is_action
        and not operation_event.is_read_only
    group by operation_event.operation_id
),

silenced as (
    select
        silence.change_id,
        silence.target,
        asset_name(silence.target) as asset,
        silence.starts_at,
        silence.ends_at,
        pointer(silence.source_id, silence.record_no) as silence_row
    from silence
),

tied as (
    select
        operation_span.operation_id,
        operation_span.window_start,
        operation_span.window_end,
        operation_span.evidence as change_row,
        silenced.target,
        silenced.starts_at,
        silenced.ends_at,
        silenced.silence_row,
        silenced.change_id is not null as is_stated,
        case
            when silenced.starts_at < operation_span.window_start then true
            when silenced.ends_at > operation_span.window_end then true
            when operation_span.window_start is null or operation_span.window_end is null then null
            else false
        end as is_beyond_window,
        not list_contains(scope.assets, silenced.asset) as is_beyond_targets
    from operation_span
    left join scope on operation_span.change_id = scope.change_id
    left join acted on operation_span.operation_id = acted.operation_id
    inner join silenced
        on
            operation_span.change_id = silenced.change_id
            or (
                silenced.change_id is null
                and operation_span.window_end >= silenced.starts_at
                and operation_span.window_start <= silenced.ends_at
                and list_contains(
                    list_concat(scope.assets, acted.assets), silenced.asset
                )
            )
    where operation_span.registered
),

compared as (
    select
        tied.*,
        onset.scope_kind,
        onset.scope,
        onset.onset_at,
        onset.onset_lo,
        onset.onset_hi,
        tied.starts_at <= onset.onset_lo and tied.ends_at >= onset.onset_hi as covers,
        coalesce(tied.starts_at <= onset.onset_hi and tied.ends_at >= onset.onset_lo, false)
            as may_cover,
        tied.is_beyond_window or tied.is_beyond_targets as is_beyond
    from tied
    cross join onset
    qualify row_number() over (
        partition by tied.operation_id, tied.silence_row
        order by
            coalesce(covers, false) desc,
            may_cover desc,
            onset.scope_kind <> 'all',
            onset.onset_at asc,
            onset.scope_kind asc, onset.scope asc
    ) = 1
),

judged as (
    select
        compared.operation_id,
        compared.target,
        case
            when not compared.may_cover or not compared.is_beyond then 'ok'
            when compared.covers and compared.is_beyond and compared.is_stated then 'exception'
            else 'undetermined'
        end as status,
        compared.starts_at as occurred_at,
        null::varchar as event,
        'A silence on ' || compared.target || ' from ' || utc(compared.starts_at) || ' to '
        || utc(compared.ends_at)
        || case
            when not compared.may_cover then ' covers no onset'
            else
                if(compared.covers, ' covers', ' may cover') || ' the onset'
                || if(compared.scope_kind = 'all', '', ' of ' || compared.scope)
                || case
                    when compared.onset_lo = compared.onset_hi
                        then ' at ' || utc(compared.onset_at)
                    else
                        ' between ' || utc(compared.onset_lo) || ' and '
                        || utc_bound(compared.onset_hi) || ' (best estimate '
                        || utc(compared.onset_at) || ')'
                end
        end
        || case
            when compared.is_beyond_window and compared.is_beyond_targets
                then ' and reaches beyond the window and the targets of the change'
            when compared.is_beyond_window
                then
                    ' and reaches beyond the window of the change, which ends at '
                    || coalesce(utc(compared.window_end), 'no stated time')
            when compared.is_beyond_targets
                then ' and is on an asset that the change does not name'
            when compared.is_beyond is null
                then '; the change states too little of window and targets to compare it'
            else '; it keeps to the window and the targets of the change'
        end
        || if(compared.is_stated, '', '; that it was set for this change is an inference')
            as reason,
        [compared.silence_row, compared.change_row] as evidence
    from compared
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
        'The operation is no registered change, had no silence, or no onset is on record.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
