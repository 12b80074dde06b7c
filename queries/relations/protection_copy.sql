-- /// relation
-- id = "protection_copy"
-- title = "Copies of each machine, before the onset and today"
-- grain = "One row per asset, target of its jobs, and one of two instants: the earliest onset and the end of the record."
-- reads = ["known_asset", "onset", "replication_run"]
-- limitations = "A job for which no age is too old counts as current until it records a failure. That a copy can be restored is not tested here."
-- [columns]
-- as_of = "`before` the main onset of the case, or `today`: the end of the record."
-- as_of_at = "The instant: earliest onset, last sample of any job."
-- asset_id = "The asset that is protected."
-- target_asset = "Where the copy goes; NULL where not stated."
-- copy_group = "Redundancy group of the target, else the target: copies in one group count once."
-- site = "Site of the target; NULL where not stated."
-- kind = "Kind of target; NULL where not stated."
-- is_current = "Whether a good recovery point within the limit is on record."
-- recovery_point_at = "Last good recovery point; NULL where the job was running well beyond the instant, or never before it."
-- age_minutes = "Its age, in minutes."
-- limit_minutes = "Objective, else so many cadences, in minutes; NULL where neither is known."
-- evidence = "Sample of that recovery point, else the first of the run that spans the instant; NULL where there is none."
-- ///
with instants as (
    select
        'before' as as_of,
        onset_lo as as_of_at
    from onset
    where scope_kind = 'all' and main and onset_lo is not null
    union all
    select
        'today' as as_of,
        max(last_sample_at) as as_of_at
    from replication_run
    having max(last_sample_at) is not null
),

runs as (
    select
        instants.as_of,
        instants.as_of_at,
        replication_run.*,
        replication_run.last_sample_at > instants.as_of_at as is_spanning,
        (
            replication_run.started_at, replication_run.last_sample_at, replication_run.run_no,
            replication_run.evidence
        ) as place
    from replication_run
    inner join instants on replication_run.started_at <= instants.as_of_at
    where replication_run.job_kind in ('replicate', 'seed', 'relink')
),

latest as (
    select
        as_of,
        as_of_at,
        asset_id,
        target_asset,
        arg_max(if(is_spanning, null, recovery_point_at), place) filter (
            where worth = 'good'
        ) as recovery_point_at,
        coalesce(bool_or(is_spanning) filter (where worth = 'good'), false) as is_spanned,
        arg_max(if(is_spanning, evidence, last_evidence), place) filter (
            where worth = 'good'
        ) as evidence,
        arg_max(worth, place) filter (where worth in ('good', 'bad', 'stale')) as last_worth,
        max(limit_minutes) filter (where job_kind = 'replicate') as limit_minutes
    from runs
    group by as_of, as_of_at, asset_id, target_asset
    having bool_or(job_kind = 'replicate')
),

aged as (
    select
        *,
        if(is_spanned, null, recovery_point_at) as last_good_at,
        round((epoch_us(as_of_at) - epoch_us(last_good_at)) / 60e6, 6) as age_minutes
    from latest
)

select
    aged.as_of,
    aged.as_of_at,
    aged.asset_id,
    aged.target_asset,
    coalesce(known_asset.redundancy_group, aged.target_asset) as copy_group,
    known_asset.site,
    known_asset.kind,
    coalesce(
        aged.is_spanned
        or aged.age_minutes <= aged.limit_minutes
        or (aged.limit_minutes is null and aged.last_worth = 'good'),
        false
    ) as is_current,
    aged.last_good_at as recovery_point_at,
    aged.age_minutes,
    aged.limit_minutes,
    aged.evidence
from aged
left join known_asset on aged.target_asset = known_asset.asset_id
order by aged.as_of, aged.asset_id, aged.target_asset
