-- /// finding
-- id = "CF-20"
-- slug = "colliding-changes"
-- title = "Changes of different implementers met on the same group or dependency"
-- rule_class = "D"
-- level = "system"
-- severity = "medium"
-- criteria = "Changes on what belongs together do not run at the same time in different hands."
-- effect = "Each change could alter the state that the other one had checked."
-- recommendation = "Let the change calendar compare redundancy groups and dependencies, not names."
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

named as (
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

pair as (
    select
        planned.operation_id,
        planned.change_id,
        planned.change_row,
        planned.window_start,
        planned.window_end,
        other.change_id as other_id,
        other.change_row as other_row,
        greatest(planned.window_start, other.window_start) as from_at,
        planned.implementer <> other.implementer as is_apart,
        planned.window_start < other.window_end and other.window_start < planned.window_end
            as is_simultaneous,
        planned.has_unknown_target or other.has_unknown_target as is_doubtful
    from planned
    inner join planned as other
        on
            planned.operation_id <> other.operation_id
            and coalesce(planned.implementer <> other.implementer, true)
            and coalesce(planned.window_start < other.window_end, true)
            and coalesce(planned.window_end > other.window_start, true)
),

relation as (
    select
        pair.change_id,
        pair.other_id,
        min(case
            when mine.asset = theirs.asset then 'both act on ' || mine.asset
            when group_of_mine.redundancy_group is not null
                then
                    mine.asset || ' and ' || theirs.asset || ' are of group '
                    || group_of_mine.redundancy_group
            when down.from_asset is not null then mine.asset || ' depends on ' || theirs.asset
            when up.from_asset is not null then theirs.asset || ' depends on ' || mine.asset
        end) as tie
    from pair
    inner join named as mine on pair.change_id = mine.change_id
    inner join named as theirs on pair.other_id = theirs.change_id
    left join member as group_of_mine
        on
            mine.asset = group_of_mine.asset
            and coalesce(pair.from_at < group_of_mine.valid_to, true)
            and coalesce(pair.window_end >= group_of_mine.valid_from, true)
            and exists (
                select 1
                from member as group_of_theirs
                where
                    group_of_theirs.asset = theirs.asset
                    and group_of_theirs.redundancy_group = group_of_mine.redundancy_group
                    and coalesce(group_of_theirs.valid_to > pair.from_at, true)
                    and coalesce(group_of_theirs.valid_from <= pair.window_end, true)
            )
    left join edge as down
        on
            mine.asset = down.from_asset
            and theirs.asset = down.to_asset
            and coalesce(pair.from_at < down.valid_to, true)
            and coalesce(pair.window_end >= down.valid_from, true)
    left join edge as up
        on
            theirs.asset = up.from_asset
            and mine.asset = up.to_asset
            and coalesce(pair.from_at < up.valid_to, true)
            and coalesce(pair.window_end >= up.valid_from, true)
    group by pair.change_id, pair.other_id
),

judged as (
    select
        pair.operation_id,
        null::varchar as target,
        case
            when
                relation.tie is not null and pair.is_apart and pair.is_simultaneous
                then 'exception'
            when relation.tie is not null then 'undetermined'
            when pair.is_doubtful and pair.is_apart and pair.is_simultaneous then 'undetermined'
            else 'ok'
        end as status,
        pair.from_at as occurred_at,
        null::varchar as event,
        case
            when relation.tie is not null and pair.is_apart and pair.is_simultaneous
                then
                    pair.other_id || ' of another implementer overlaps the window from '
                    || utc(pair.from_at) || ', and ' || relation.tie
            when relation.tie is not null
                then
                    pair.other_id || ' meets the change (' || relation.tie
                    || '), but a window or an implementer is not stated'
            when pair.is_doubtful and pair.is_apart and pair.is_simultaneous
                then
                    pair.other_id || ' of another implementer overlaps the window, and the '
                    || 'register does not hold the targets of both'
            else pair.other_id || ' overlaps the window, on assets that are not related'
        end as reason,
        [pair.change_row, pair.other_row] as evidence
    from pair
    left join relation
        on pair.change_id = relation.change_id and pair.other_id = relation.other_id
    where relation.tie is not null or (pair.is_apart and pair.is_simultaneous)
    union all
    select
        planned.operation_id,
        null as target,
        'ok' as status,
        planned.window_start as occurred_at,
        null as event,
        'No change of another implementer meets it in its window' as reason,
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
        'The operation is no registered change, or was cancelled before any action.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
