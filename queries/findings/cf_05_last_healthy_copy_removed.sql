-- /// finding
-- id = "CF-05"
-- slug = "last-healthy-copy-removed"
-- title = "An irreversible action left fewer healthy copies than the minimum"
-- rule_class = "D"
-- level = "system"
-- severity = "critical"
-- criteria = "A redundancy group keeps its minimum of healthy members after an irreversible action."
-- effect = "Data that only the removed member still held may no longer be readable from the group."
-- recommendation = "Have the maintenance tool check, before it removes a copy, that enough healthy ones remain."
-- questions = [
--     "Did another copy exist outside the redundancy group on record?",
--     "Was the health of the remaining members known to those who acted, and shown how?",
-- ]
-- codes = ["uca:2", "hfacs-7.0:PE205", "hfacs-7.0:SP006", "dora:4.3.backup_and_restore"]
-- candidate_codes = ["hfacs-7.0:AE201"]
-- controls = ["nist800-53r5:CP-6", "nist800-53r5:CP-9", "iso27001:A.8.14", "soc2:A1.2",
--     "nis2:4.2.4"]
-- needs = ["asset", "maintenance_event"]
-- reads = ["asset", "asset_state", "operation_event", "operation_span"]
-- limitations = """
-- A member counts as healthy unless a record says otherwise; where no history of health is among the
-- evidence at all, its health is open."""
-- ///
with

removal as (
    select
        operation_event.operation_id,
        operation_event.basis,
        operation_event.occurred_at,
        operation_event.occurred_lo,
        operation_event.occurred_hi,
        operation_event.action,
        operation_event.target,
        asset_name(operation_event.target) as asset,
        operation_event.outcome,
        operation_event.is_irreversible,
        operation_event.evidence as event
    from operation_event
    where
        coalesce(operation_event.is_irreversible, true)
        and not operation_event.is_read_only
),

-- What the register says of each asset, one row per interval of validity.
registered as (
    select
        asset_name(asset.asset_id) as asset,
        asset.redundancy_group,
        asset.min_copies,
        asset.valid_from,
        asset.valid_to,
        pointer(asset.source_id, asset.record_no) as asset_row
    from asset
),

-- The row of the target that holds at the time, else the one that last began.
hit as (
    select
        removal.*,
        registered.redundancy_group,
        registered.min_copies,
        registered.asset_row
    from removal
    left join registered on removal.asset = registered.asset
    qualify row_number() over (
        partition by removal.operation_id, removal.event
        order by
            coalesce(registered.valid_from <= removal.occurred_at, true)
            and coalesce(registered.valid_to > removal.occurred_at, true) desc,
            registered.valid_from desc nulls last,
            registered.asset_row asc
    ) = 1
),

sibling as (
    select
        hit.event,
        hit.occurred_lo,
        hit.occurred_hi,
        registered.asset,
        bool_or(
            coalesce(registered.valid_from <= hit.occurred_lo, true)
            and coalesce(registered.valid_to > hit.occurred_hi, true)
        ) as surely_valid,
        min(registered.asset_row) as asset_row
    from hit
    inner join registered
        on
            hit.redundancy_group = registered.redundancy_group
            and hit.asset <> registered.asset
    where
        coalesce(registered.valid_from <= hit.occurred_hi, true)
        and coalesce(registered.valid_to > hit.occurred_lo, true)
    group by hit.event, hit.occurred_lo, hit.occurred_hi, registered.asset
),

history as (
    select
        asset_name(asset_state.asset_id) as asset,
        asset_state.state,
        asset_state.observed_at,
        asset_state.observed_lo,
        asset_state.observed_hi,
        pointer(asset_state.source_id, asset_state.record_no) as state_row
    from asset_state
),

followed as (
    select
        history.*,
        lag(history.state) over (
            partition by history.asset order by history.observed_at, history.state_row
        ) as former_state
    from history
),

-- Since when every observation of an asset states the same.
stretch as (
    select
        followed.*,
        max(followed.observed_at) filter (
            where coalesce(followed.state <> followed.former_state, true)
        ) over (
            partition by followed.asset order by followed.observed_at, followed.state_row
        ) as first_at
    from followed
),

-- `unknown` says nothing of the state.
observed as (
    select * from stretch
    where stretch.state <> 'unknown'
),

last_state as (
    select
        sibling.event,
        sibling.asset,
        observed.state,
        observed.observed_at,
        observed.first_at,
        observed.state_row
    from sibling
    inner join observed
        on
            sibling.asset = observed.asset
            and sibling.occurred_lo > observed.observed_hi
    qualify row_number() over (
        partition by sibling.event, sibling.asset
        order by observed.observed_at desc, observed.state_row desc
    ) = 1
),

-- Whether states that lie too near the action to be ordered would change the picture.
near_state as (
    select
        sibling.event,
        sibling.asset,
        bool_or(observed.state = 'healthy') as is_healthy,
        bool_or(observed.state <> 'healthy') as is_unhealthy
    from sibling
    inner join observed
        on
            sibling.asset = observed.asset
            and sibling.occurred_lo <= observed.observed_hi
            and sibling.occurred_hi >= observed.observed_lo
    group by sibling.event, sibling.asset
),

earlier_removal as (
    select
        sibling.event,
        sibling.asset,
        max(removal.occurred_at) filter (
            where removal.occurred_hi < sibling.occurred_lo
            and removal.outcome in ('success', 'warning')
        ) as removed_at,
        max_by(removal.event, (removal.occurred_at, removal.event)) filter (
            where removal.occurred_hi < sibling.occurred_lo
            and removal.outcome in ('success', 'warning')
        ) as removal_row,
        max_by(removal.action, (removal.occurred_at, removal.event)) filter (
            where removal.occurred_hi < sibling.occurred_lo
            and removal.outcome in ('success', 'warning')
        ) as removal_action,
        bool_or(
            removal.occurred_hi >= sibling.occurred_lo
            or coalesce(removal.outcome, 'unknown') = 'unknown'
        ) as is_doubtful
    from sibling
    inner join removal
        on
            sibling.asset = removal.asset
            and sibling.occurred_hi >= removal.occurred_lo
    where
        removal.is_irreversible
        and coalesce(removal.outcome, 'unknown') <> 'failure'
    group by sibling.event, sibling.asset
),

health as (
    select
        sibling.event,
        sibling.asset,
        case
            when
                earlier_removal.removed_at is not null
                and coalesce(
                    last_state.state <> 'healthy'
                    or last_state.observed_at <= earlier_removal.removed_at,
                    true
                )
                then if(coalesce(near_state.is_healthy, false), 'unsure', 'gone')
            when last_state.state <> 'healthy'
                then if(coalesce(near_state.is_healthy, false), 'unsure', 'unhealthy')
            when
                earlier_removal.removed_at is not null
                or coalesce(earlier_removal.is_doubtful, false)
                or coalesce(near_state.is_unhealthy, false)
                or not sibling.surely_valid
                -- Without any history of health, silence says nothing.
                or not exists (select 1 from asset_state)
                then 'unsure'
            else 'healthy'
        end as health,
        sibling.asset || case
            when
                earlier_removal.removed_at is not null
                and coalesce(last_state.observed_at <= earlier_removal.removed_at, true)
                then
                    ': ' || coalesce(earlier_removal.removal_action, 'an action') || ' at '
                    || utc(earlier_removal.removed_at)
            when last_state.state is not null
                then
                    ' recorded ' || last_state.state || case
                        when last_state.first_at < last_state.observed_at
                            then
                                ' at every observation from ' || utc(last_state.first_at) || ' to '
                        else ' at '
                    end || utc(last_state.observed_at)
            else ' without a record of its state'
        end as told,
        [sibling.asset_row, last_state.state_row, earlier_removal.removal_row] as evidence
    from sibling
    left join last_state
        on sibling.event = last_state.event and sibling.asset = last_state.asset
    left join near_state
        on sibling.event = near_state.event and sibling.asset = near_state.asset
    left join earlier_removal
        on sibling.event = earlier_removal.event and sibling.asset = earlier_removal.asset
),

remaining as (
    select
        health.event,
        count(*) filter (where health.health = 'healthy') as surely_healthy,
        count(*) filter (where health.health in ('healthy', 'unsure')) as perhaps_healthy,
        string_agg(health.told, ', ' order by health.asset) as told,
        flatten(list(health.evidence)) as evidence
    from health
    group by health.event
),

counted as (
    select
        hit.*,
        coalesce(remaining.surely_healthy, 0) as surely_healthy,
        coalesce(remaining.perhaps_healthy, 0) as perhaps_healthy,
        coalesce(remaining.told, 'it has no other member') as told,
        list_concat([hit.event, hit.asset_row], coalesce(remaining.evidence, [])) as evidence
    from hit
    left join remaining on hit.event = remaining.event
),

judged as (
    select
        counted.operation_id,
        counted.target,
        case
            when counted.is_irreversible is null then 'undetermined'
            when counted.outcome = 'failure' then ok_by(counted.basis)
            when counted.asset is null or counted.asset_row is null then 'undetermined'
            when counted.redundancy_group is null and counted.min_copies is null
                then 'not_applicable'
            when counted.redundancy_group is null or counted.min_copies is null
                then 'undetermined'
            when counted.surely_healthy >= counted.min_copies then ok_by(counted.basis)
            when
                counted.perhaps_healthy < counted.min_copies
                and coalesce(counted.outcome, 'unknown') <> 'unknown'
                and counted.basis = 'explicit'
                then 'exception'
            else 'undetermined'
        end as status,
        counted.occurred_at,
        counted.event,
        case
            when counted.is_irreversible is null
                then 'Whether ' || counted.action || ' can be undone is not known'
            when counted.outcome = 'failure'
                then
                    'Action ' || counted.action || ' at ' || utc(counted.occurred_at)
                    || ' is recorded as not carried out' || tie_note(counted.basis)
            when counted.asset is null
                then
                    'The record of ' || counted.action || ' at ' || utc(counted.occurred_at)
                    || ' states no target'
            when counted.asset_row is null
                then 'The asset register has no row for ' || counted.target
            when counted.redundancy_group is null and counted.min_copies is null
                then counted.target || ' belongs to no redundancy group'
            when counted.redundancy_group is null or counted.min_copies is null
                then
                    'The register states a redundancy group for ' || counted.target
                    || ' only in part: group ' || coalesce(counted.redundancy_group, 'not stated')
                    || ', minimum ' || coalesce(counted.min_copies::varchar, 'not stated')
            else
                'Action ' || counted.action || ' on ' || counted.target || ' at '
                || utc(counted.occurred_at) || ' left '
                || case
                    when counted.surely_healthy = counted.perhaps_healthy
                        then counted.surely_healthy::varchar
                    else 'between ' || counted.surely_healthy || ' and ' || counted.perhaps_healthy
                end
                || ' healthy members in group ' || counted.redundancy_group
                || ', whose minimum is ' || counted.min_copies || ' (' || counted.told || ')'
                || case
                    when coalesce(counted.outcome, 'unknown') = 'unknown'
                        then '; whether it was carried out is not recorded'
                    else tie_note(counted.basis)
                end
        end as reason,
        counted.evidence
    from counted
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
        'No irreversible action is on record in this operation.'
    ) as reason,
    coalesce(foremost(verdict.decisive.evidence, verdict.evidence), []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
