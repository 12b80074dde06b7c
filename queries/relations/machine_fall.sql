-- /// relation
-- id = "machine_fall"
-- title = "When each machine began to fall behind"
-- grain = "One row per asset and stretch in which it was in a gap or, where no job records exist, its lag had risen."
-- reads = ["age_rise", "lag_profile", "lag_rise", "machine_gap", "replication_run"]
-- limitations = "A gap begins when the recovery point is too old; where its age rose before, the fall begins with the rise."
-- [columns]
-- asset_id = "The machine."
-- started_lo = "Earliest start; the latest one where the record holds no good sample before."
-- started_hi = "Latest start."
-- ended_at = "End; the end of the record where it is open."
-- is_statistical = "Whether it is known by a rise only: of the age of its recovery points, or of its lag."
-- ///
with recorded as (
    select distinct asset_id
    from replication_run
    where job_kind = 'replicate'
),

record as (
    select max(ends_at) as ends_at
    from (
        select max(last_sample_at) as ends_at from replication_run
        union all
        select max(lag_profile.started_at) as ends_at
        from lag_profile
        anti join recorded on lag_profile.asset_id = recorded.asset_id
    ) as last_seen
),

rises as (
    select
        asset_id,
        stale_at,
        min(started_lo) as started_lo,
        min(started_hi) as started_hi
    from age_rise
    group by asset_id, stale_at
)

select
    machine_gap.asset_id,
    coalesce(rises.started_lo, machine_gap.started_lo, machine_gap.started_hi) as started_lo,
    coalesce(rises.started_hi, machine_gap.started_hi) as started_hi,
    machine_gap.ended_at,
    rises.asset_id is not null as is_statistical
from machine_gap
left join rises
    on machine_gap.asset_id = rises.asset_id and machine_gap.started_hi = rises.stale_at
union all
select
    lag_rise.asset_id,
    lag_rise.started_lo,
    lag_rise.started_hi,
    coalesce(lag_rise.ended_at, record.ends_at) as ended_at,
    true as is_statistical
from lag_rise
anti join recorded on lag_rise.asset_id = recorded.asset_id
cross join record
where coalesce(lag_rise.ended_at, record.ends_at) > lag_rise.started_hi
order by asset_id, started_hi, started_lo
