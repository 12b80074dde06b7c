-- /// relation
-- id = "partner_impact"
-- title = "What each organization suffered, and when it was told"
-- grain = "One row per organization with a machine that was impacted within the window; machines of no stated organization have a row without one."
-- reads = ["known_asset", "machine_impact", "notice", "replication_run"]
-- limitations = "A notice counts when it was sent at or after the earliest start of the organization's first gap; what it says is not read."
-- [columns]
-- organization = "The organization; NULL where not stated."
-- machines = "Its machines with telemetry."
-- machines_impacted = "Its machines with a gap within the window."
-- machines_struck = "Its machines that the main onset of the case struck (machine_impact.onset_relation); NULL where the case has no onset."
-- machines_open = "Its machines with a gap open when the record ends."
-- machines_lost = "Its machines recorded as lost."
-- machines_relinked = "Its machines recovered by a relink on record."
-- machines_reseeded = "Its machines recovered by a seed on record."
-- machines_class_unknown = "Its machines of which no record says how, or whether, they came back."
-- machine_hours = "Sum of its machines' gap hours."
-- data_at_risk_bytes = "Sum over its impacted machines of which it is stated; NULL where it is stated of none, or the sum is beyond any store."
-- data_unknown = "Impacted machines of which bytes are not stated: they are in no sum of bytes."
-- data_lost_bytes = "Sum over its machines recorded as lost of which it is stated; NULL where none is."
-- data_lost_unknown = "Machines recorded as lost of which bytes are not stated."
-- recovery_points_missed = "Sum over its impacted machines of which it can be told."
-- recovery_points_unknown = "Impacted machines of which it cannot."
-- failover_blocked_hours = "Sum over its impacted machines of which it is on record."
-- failover_known = "Impacted machines of which it is on record."
-- failover_unknown = "Impacted machines of which it is not: they are in no sum of hours."
-- links_lost = "Sum over its impacted machines of which the state of the link is on record; NULL where it is of none."
-- regions = "Regions of its impacted machines."
-- first_impact_lo = "Earliest start of its first gap in the main onset of the case, else within the window."
-- first_impact_at = "Latest start of its first gap in the main onset of the case, else within the window."
-- last_impact_at = "End of its last gap; NULL while one is open."
-- notified_at = "First direct notice to it at or after the earliest start; NULL where none is on record."
-- notice_delay_minutes = "From the latest start of its first gap to that notice, in minutes."
-- notices = "Direct notices to it at or after the earliest start; NULL where no notices are on record at all."
-- evidence = "The first of these notices."
-- ///
with machines as (
    select distinct
        replication_run.asset_id,
        known_asset.organization
    from replication_run
    inner join known_asset using (asset_id)
    where replication_run.job_kind = 'replicate'
),

counted as (
    select
        machines.organization,
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
        round(sum(machine_impact.gap_hours), 6) as machine_hours,
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
        list_sort(
            list(distinct machine_impact.region) filter (where machine_impact.region is not null)
        ) as regions,
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
    group by machines.organization
    having count(machine_impact.asset_id) > 0
),

told as (
    select
        counted.organization,
        count(*) as notices,
        min(notice.sent_at) as notified_at,
        arg_min(
            pointer(notice.source_id, notice.record_no),
            (notice.sent_at, notice.source_id, notice.record_no)
        ) as evidence
    from counted
    inner join notice
        on
            counted.organization = notice.organization
            and counted.first_impact_lo <= notice.sent_hi
    group by counted.organization
),

record as (
    select count(*) > 0 as has_notices from notice
)

select
    counted.organization,
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
    counted.regions,
    counted.first_impact_lo,
    counted.first_impact_at,
    counted.last_impact_at,
    told.notified_at,
    round(
        (epoch_us(told.notified_at) - epoch_us(counted.first_impact_at)) / 60e6, 6
    ) as notice_delay_minutes,
    case when record.has_notices then coalesce(told.notices, 0) end as notices,
    told.evidence
from counted
cross join record
left join told using (organization)
order by counted.organization nulls last
