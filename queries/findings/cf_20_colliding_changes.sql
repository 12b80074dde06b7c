-- /// finding
-- id = "CF-20"
-- slug = "colliding-changes"
-- title = "Changes of different implementers met on the same group or dependency"
-- rule_class = "D"
-- level = "system"
-- severity = "medium"
-- criteria = "Changes on what belongs together do not run at the same time in different hands."
-- effect = "Each change could alter the state that the other one had checked."
-- recommendation = "Let the change calendar compare redundancy groups and dependencies, not names alone."
-- questions = [
--     "Did the implementers coordinate, with a record elsewhere?",
--     "Was one of the windows left open after its work had ended?",
-- ]
-- codes = ["hfacs-7.0:PP106", "meda:J", "uca:2"]
-- candidate_codes = ["hfacs-7.0:PP108", "dora:4.2.human_error_miscommunication"]
-- controls = ["nist800-53r5:CM-3", "soc2:CC3.4"]
-- needs = ["asset", "change"]
-- reads = ["asset", "change", "dependency", "operation_span"]
-- limitations = "Windows are the planned ones; dependencies are followed one step."
-- ///
with

target as (
    select
        change.change_id,
        unnest(split_list(change.targets)) as name
    from change
),

-- Materialized, since the plan takes what is unnested for a single row and loops over it.
named as materialized (
    select distinct
        target.change_id,
        asset_name(target.name) as asset
    from target
),

member as (
    select distinct
        asset_name(asset.asset_id) as asset,
        asset.redundancy_group,
        asset.valid_from,
        asset.valid_to
    from asset
),

registered as (
    select distinct member.asset from member
),

edge as (
    select distinct
        asset_name(dependency.from_asset) as from_asset,
        asset_name(dependency.to_asset) as to_asset,
        dependency.valid_from,
        dependency.valid_to
    from dependency
),

-- A change that was cancelled before any action took up no window.
planned as (
    select
        operation_span.operation_id,
        operation_span.change_id,
        operation_span.window_start,
        operation_span.window_end,
        person(operation_span.implementer) as implementer,
        operation_span.evidence as change_row,
        bool_or(registered.asset is null) as has_unknown_target
    from operation_span
    left join named on operation_span.change_id = named.change_id
    left join registered on named.asset = registered.asset
    where
        operation_span.registered
        and not (operation_span.outcome = 'cancelled' and operation_span.started_at is null)
    group by all
),

-- What belongs together: an asset and itself, members of a group, two ends of a dependency.
related as (
    select distinct
        named.asset,
        named.asset as other_asset,
        'both act on ' || named.asset as tie,
        null::timestamptz as valid_from,
        null::timestamptz as valid_to
    from named
    union all
    select
        own.asset,
        peer.asset as other_asset,
        own.asset || ' and ' || peer.asset || ' are of group ' || own.redundancy_group as tie,
        greatest(own.valid_from, peer.valid_from) as valid_from,
        least(own.valid_to, peer.valid_to) as valid_to
    from member as own
    inner join member as peer on own.redundancy_group = peer.redundancy_group
    where own.asset <> peer.asset
    union all
    select
        edge.from_asset as asset,
        edge.to_asset as other_asset,
        edge.from_asset || ' depends on ' || edge.to_asset as tie,
        edge.valid_from,
        edge.valid_to
    from edge
    union all
    select
        edge.to_asset as asset,
        edge.from_asset as other_asset,
        edge.from_asset || ' depends on ' || edge.to_asset as tie,
        edge.valid_from,
        edge.valid_to
    from edge
),

reaching as materialized (
    select
        named.change_id,
        related.other_asset,
        related.tie,
        related.valid_from,
        related.valid_to
    from named
    inner join related on named.asset = related.asset
),

touching as (
    select
        reaching.change_id,
        named.change_id as other_id,
        reaching.tie,
        reaching.valid_from,
        reaching.valid_to
    from reaching
    inner join named on reaching.other_asset = named.asset
    where reaching.change_id <> named.change_id
),

meeting as (
    select
        planned.operation_id,
        planned.change_row,
        other.change_id as other_id,
        other.change_row as other_row,
        min(touching.tie) as tie,
        greatest(planned.window_start, other.window_start) as from_at,
        planned.implementer <> other.implementer
        and planned.window_start < other.window_end
        and other.window_start < planned.window_end as is_sure
    from touching
    inner join planned on touching.change_id = planned.change_id
    inner join planned as other on touching.other_id = other.change_id
    where
        coalesce(planned.implementer <> other.implementer, true)
        and coalesce(planned.window_start < other.window_end, true)
        and coalesce(other.window_start < planned.window_end, true)
        and coalesce(touching.valid_from < least(planned.window_end, other.window_end), true)
        and coalesce(touching.valid_to > greatest(planned.window_start, other.window_start), true)
    group by all
),

suspect as (
    select *
    from planned
    where planned.has_unknown_target
),

-- Where the register does not hold the targets of both, overlapping windows leave it open.
doubtful as (
    select
        suspect.operation_id,
        suspect.change_row,
        planned.change_id as other_id,
        planned.change_row as other_row,
        greatest(suspect.window_start, planned.window_start) as from_at
    from suspect
    inner join planned
        on
            suspect.window_start < planned.window_end
            and suspect.window_end > planned.window_start
    where
        suspect.operation_id <> planned.operation_id
        and suspect.implementer <> planned.implementer
    union all
    select
        planned.operation_id,
        planned.change_row,
        suspect.change_id as other_id,
        suspect.change_row as other_row,
        greatest(suspect.window_start, planned.window_start) as from_at
    from suspect
    inner join planned
        on
            suspect.window_start < planned.window_end
            and suspect.window_end > planned.window_start
    where
        not planned.has_unknown_target
        and suspect.operation_id <> planned.operation_id
        and suspect.implementer <> planned.implementer
),

judged as (
    select
        meeting.operation_id,
        null::varchar as target,
        if(meeting.is_sure, 'exception', 'undetermined') as status,
        meeting.from_at as occurred_at,
        null::varchar as event,
        case
            when meeting.is_sure
                then
                    meeting.other_id || ' of another implementer overlaps the window from '
                    || utc(meeting.from_at) || ', and ' || meeting.tie
            else
                meeting.other_id || ' meets the change (' || meeting.tie
                || '), but a window or an implementer is not stated'
        end as reason,
        [meeting.change_row, meeting.other_row] as evidence
    from meeting
    union all
    select
        doubtful.operation_id,
        null as target,
        'undetermined' as status,
        doubtful.from_at as occurred_at,
        null as event,
        doubtful.other_id || ' of another implementer overlaps the window, and the register does '
        || 'not hold the targets of both' as reason,
        [doubtful.change_row, doubtful.other_row] as evidence
    from doubtful
    union all
    select
        planned.operation_id,
        null as target,
        'ok' as status,
        planned.window_start as occurred_at,
        null as event,
        'No change of another implementer on its group or dependencies, as far as these are on'
        || ' record, meets it in its window' as reason,
        [planned.change_row] as evidence
    from planned
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
        'The operation is no registered change, or was cancelled before any action.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
