-- /// relation
-- id = "lag_profile"
-- title = "Course of series that say how far a copy is behind"
-- grain = "One row per series and bucket of time that holds a sample. Buckets are equal parts of a day, as wide as the mean distance of samples, and at most about 2,000 to a series. This is the one reduction of such series; what follows reads buckets."
-- reads = ["metric_sample"]
-- policy = ["lag_series"]
-- [columns]
-- asset_id = "Asset that the series describes; the series itself where none is stated."
-- series = "Name and labels of the series."
-- bucket_no = "Number of the bucket, from the start of the day of the first sample."
-- buckets_per_day = "Buckets in a day."
-- started_at = "Start of the bucket."
-- value = "Median of the samples, in the unit of the series."
-- samples = "Samples in the bucket."
-- ///
with named as (
    select distinct
        asset_id,
        series
    from metric_sample
),

watched as (
    select *
    from named
    where fits(series, policy_list('lag_series'))
),

spans as (
    select
        watched.series,
        coalesce(watched.asset_id, watched.series) as asset_id,
        watched.asset_id as recorded_as,
        date_trunc('day', min(metric_sample.sampled_at)) as begins_at,
        epoch(max(metric_sample.sampled_at) - min(metric_sample.sampled_at)) as seconds,
        count(*) as samples
    from metric_sample
    inner join watched
        on
            metric_sample.series = watched.series
            and metric_sample.asset_id is not distinct from watched.asset_id
    group by watched.series, watched.asset_id
    having count(*) > 1 and seconds > 0
),

widths as (
    select
        *,
        greatest(
            1, floor(86400 / greatest(seconds / (samples - 1), seconds / 2000))
        )::bigint as buckets_per_day
    from spans
)

select
    widths.asset_id,
    widths.series,
    (epoch_us(metric_sample.sampled_at) - epoch_us(widths.begins_at))
    * widths.buckets_per_day // 86400000000 as bucket_no,
    widths.buckets_per_day,
    widths.begins_at + to_microseconds(
        (bucket_no * 86400000000 / widths.buckets_per_day)::bigint
    ) as started_at,
    median(metric_sample.value) as value,
    count(*) as samples
from metric_sample
inner join widths
    on
        metric_sample.series = widths.series
        and metric_sample.asset_id is not distinct from widths.recorded_as
group by
    widths.asset_id,
    widths.series,
    bucket_no,
    widths.buckets_per_day,
    widths.begins_at
order by widths.asset_id, widths.series, bucket_no
