-- /// relation
-- id = "region_impact"
-- title = "What each region suffered, and when its status page first named it"
-- grain = "One row per region with an asset in the inventory or the telemetry; machines of no stated region have a row without region."
-- reads = ["known_asset", "machine_impact", "onset", "replication_run", "status_region"]
-- [columns]
-- region = "The region; NULL where not stated."
-- machines = "Machines with telemetry."
-- machines_impacted = "Machines with a gap within the window."
-- machines_struck = "Machines that the main onset of the case struck (machine_impact.onset_relation); NULL where the case has no onset."
-- machines_open = "Machines with a gap open when the record ends."
-- machines_lost = "Machines recorded as lost."
-- machines_relinked = "Machines recovered by a relink on record."
-- machines_reseeded = "Machines recovered by a seed on record."
-- machines_class_unknown = "Machines of which no record says how, or whether, they came back."
-- machine_hours = "Sum of the machines' gap hours."
-- data_at_risk_bytes = "Sum over the impacted machines of which it is stated; NULL where it is stated of none, or the sum is beyond any store."
-- data_unknown = "Impacted machines of which bytes are not stated: they are in no sum of bytes."
-- data_lost_bytes = "Sum over machines recorded as lost of which it is stated; NULL where none is."
-- data_lost_unknown = "Machines recorded as lost of which bytes are not stated."
-- recovery_points_missed = "Sum over impacted machines of which it can be told."
-- recovery_points_unknown = "Impacted machines of which it cannot."
-- failover_blocked_hours = "Sum over the impacted machines of which it is on record."
-- failover_known = "Impacted machines of which it is on record."
-- failover_unknown = "Impacted machines of which it is not: they are in no sum of hours."
-- links_lost = "Sum over impacted machines of which the state of the link is on record; NULL where it is of none."
-- organizations = "Organizations with an impacted machine."
-- first_impact_lo = "Earliest start of its first gap in the main onset of the case, else within the window."
-- first_impact_at = "Latest start of its first gap in the main onset of the case, else within the window."
-- last_impact_at = "End of the last gap; NULL while one is open."
-- notified_at = "First post of an incident that names the region, at or after its onset, else the earliest start."
-- notice_delay_minutes = "From the best estimate of its onset, else the latest start of its first gap, to that post, in minutes."
-- evidence = "That post."
-- ///
with machines as (
    select distinct
        replication_run.asset_id,
        known_asset.region
    from replication_run
    inner join known_asset using (asset_id)
    where replication_run.job_kind = 'replicate'
),

counted as (
    select
        machines.region,
        count(*) as machines,
        count(machine_impact.asset_id) as machines_impacted,
        if(
            bool_or(machine_impact.onset_relation is not null),
            count(*) filter (where machine_impact.onset_relation = 'struck'),
            null
        ) as machines_struck,
        count(*) filter (where machine_impact.open) as machines_open,
        count(*) filter (where machine_impact.recovery_class = 'lost') as machines_lost,
        count(*) filter (where machine_impact.recovery_class = 'relinked') as machines_relinked,
        count(*) filter (where machine_impact.recovery_class = 'reseeded') as machines_reseeded,
        count(*) filter (where machine_impact.recovery_class = 'unknown')
            as machines_class_unknown,
        round(coalesce(sum(machine_impact.gap_hours), 0), 6) as machine_hours,
        try_cast(sum(machine_impact.data_at_risk_bytes) as bigint) as data_at_risk_bytes,
        machines_impacted - count(machine_impact.data_at_risk_bytes) as data_unknown,
        try_cast(sum(machine_impact.data_lost_bytes) as bigint) as data_lost_bytes,
        machines_lost - count(machine_impact.data_lost_bytes) as data_lost_unknown,
        sum(machine_impact.recovery_points_missed)::bigint as recovery_points_missed,
        machines_impacted - count(machine_impact.recovery_points_missed)
            as recovery_points_unknown,
        round(sum(machine_impact.failover_blocked_hours), 6) as failover_blocked_hours,
        count(machine_impact.failover_blocked_hours) as failover_known,
        machines_impacted - failover_known as failover_unknown,
        sum(machine_impact.links_lost)::bigint as links_lost,
        count(distinct machine_impact.organization) as organizations,
        coalesce(
            min(coalesce(machine_impact.onset_gap_lo, machine_impact.onset_gap_at)),
            min(coalesce(machine_impact.first_gap_lo, machine_impact.first_gap_at))
        ) as first_impact_lo,
        coalesce(
            min(machine_impact.onset_gap_at), min(machine_impact.first_gap_at)
        ) as first_impact_at,
        if(
            bool_or(machine_impact.open), null, max(machine_impact.recovered_at)
        ) as last_impact_at
    from machines
    left join machine_impact using (asset_id)
    group by machines.region
),

started as (
    select
        counted.region,
        coalesce(onset.onset_lo, counted.first_impact_lo) as impact_lo,
        coalesce(onset.onset_at, counted.first_impact_at) as impact_at
    from counted
    left join onset
        on counted.region = onset.scope and onset.scope_kind = 'region' and onset.main
),

named as (
    select
        started.region,
        started.impact_at,
        status_region.posted_at,
        status_region.evidence
    from started
    inner join status_region
        on
            started.region = status_region.region
            and started.impact_lo <= status_region.posted_hi
    where status_region.kind = 'incident'
    qualify row_number() over (
        partition by started.region order by status_region.posted_at, status_region.evidence
    ) = 1
)

select
    counted.region,
    counted.machines,
    counted.machines_impacted,
    counted.machines_struck,
    counted.machines_open,
    counted.machines_lost,
    counted.machines_relinked,
    counted.machines_reseeded,
    counted.machines_class_unknown,
    counted.machine_hours,
    counted.data_at_risk_bytes,
    counted.data_unknown,
    counted.data_lost_bytes,
    counted.data_lost_unknown,
    counted.recovery_points_missed,
    counted.recovery_points_unknown,
    counted.failover_blocked_hours,
    counted.failover_known,
    counted.failover_unknown,
    counted.links_lost,
    counted.organizations,
    counted.first_impact_lo,
    counted.first_impact_at,
    counted.last_impact_at,
    named.posted_at as notified_at,
    round(
        (epoch_us(named.posted_at) - epoch_us(named.impact_at)) / 60e6, 6
    ) as notice_delay_minutes,
    named.evidence
from counted
left join named using (region)
order by counted.region nulls last
