-- /// relation
-- id = "age_profile"
-- title = "Age of recovery points before they were too old"
-- grain = "One row per job that went from good to too old a recovery point, each time that it did so, and good sample of the 400 before, with the first one too old. Only samples of such jobs are read again."
-- reads = ["alias", "replication_run", "replication_sample"]
-- [columns]
-- asset_id = "Machine or asset that is protected, by its canonical name."
-- job_no = "Number of the job and time."
-- job_id = "Job or link; NULL where none is named."
-- target_asset = "Where the copy goes; NULL where not stated."
-- stale_at = "First sample with too old a recovery point."
-- sampled_at = "When the sample was taken."
-- age_seconds = "Age of the recovery point then: as recorded, else the lag."
-- evidence = "The sample."
-- ///
with runs as (
    select
        asset_id,
        job_id,
        target_asset,
        started_at,
        worth,
        lag(worth) over (
            partition by asset_id, job_id, target_asset order by run_no
        ) as before_worth
    from replication_run
    where job_kind = 'replicate' and worth <> 'none'
),

stale as (
    select
        asset_id,
        job_id,
        target_asset,
        started_at as stale_at,
        row_number() over (order by asset_id, job_id, target_asset, started_at) as job_no
    from runs
    where worth = 'stale' and before_worth = 'good'
),

canonical as (
    select
        alias,
        min(canonical) as asset_id
    from alias
    where kind = 'asset'
    group by alias
),

samples as (
    select
        stale.asset_id,
        stale.job_no,
        stale.job_id,
        stale.target_asset,
        stale.stale_at,
        replication_sample.sampled_at,
        greatest(
            0,
            coalesce(
                (
                    epoch_us(replication_sample.sampled_at)
                    - epoch_us(replication_sample.recovery_point_at)
                ) / 1e6,
                replication_sample.lag_seconds
            )
        ) as age_seconds,
        pointer(replication_sample.source_id, replication_sample.record_no) as evidence,
        row_number() over (
            partition by stale.job_no
            order by
                replication_sample.sampled_at desc,
                replication_sample.source_id desc,
                replication_sample.record_no desc
        ) as back_no
    from replication_sample
    left join canonical on replication_sample.asset_id = canonical.alias
    inner join stale
        on
            coalesce(canonical.asset_id, replication_sample.asset_id) = stale.asset_id
            and replication_sample.target_asset is not distinct from stale.target_asset
            and coalesce(replication_sample.job_id = stale.job_id, stale.job_id is null)
            and replication_sample.sampled_at <= stale.stale_at
    where
        coalesce(replication_sample.job_kind, 'replicate') = 'replicate'
        and replication_sample.state in ('success', 'connected', 'warning')
)

select
    asset_id,
    job_no,
    job_id,
    target_asset,
    stale_at,
    sampled_at,
    age_seconds,
    evidence
from samples
where back_no <= 400 and age_seconds is not null
order by job_no, sampled_at
