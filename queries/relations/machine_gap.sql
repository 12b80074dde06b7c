-- /// relation
-- id = "machine_gap"
-- title = "Stretches in which a machine had a gap"
-- grain = "One row per asset and unbroken stretch in which at least one of its jobs was in a protection gap."
-- reads = ["protection_gap"]
-- [columns]
-- asset_id = "The machine."
-- started_lo = "Earliest start of the first gap; NULL where the record holds no good sample before."
-- started_hi = "Latest start of the first gap."
-- ended_at = "End of the last gap; the end of the record where it is open."
-- open = "Whether it had not ended when the record ends."
-- gaps = "Gaps in it."
-- ///
with touching as (
    select
        asset_id,
        started_lo,
        started_hi,
        open,
        coalesce(ended_at, record_ends_at) as ends_at,
        max(coalesce(ended_at, record_ends_at)) over (
            partition by asset_id
            order by started_hi, coalesce(ended_at, record_ends_at)
            rows between unbounded preceding and 1 preceding
        ) as covered_to
    from protection_gap
    where started_hi < coalesce(ended_at, record_ends_at)
),

numbered as (
    select
        *,
        count(*) filter (where covered_to is null or started_hi > covered_to) over (
            partition by asset_id
            order by started_hi, ends_at
            rows between unbounded preceding and current row
        ) as stretch_no
    from touching
)

select
    asset_id,
    arg_min(started_lo, (started_hi, started_lo)) as started_lo,
    min(started_hi) as started_hi,
    max(ends_at) as ended_at,
    bool_or(open) as open,
    count(*) as gaps
from numbered
group by asset_id, stretch_no
order by asset_id, started_hi
