-- /// relation
-- id = "protection_gap"
-- title = "Intervals without a good recovery point"
-- grain = "One row per asset, job, target and interval in which the last good recovery point was older than the objective, else than so many cadences."
-- reads = ["known_asset", "replication_run", "source"]
-- policy = ["missed_cadence_factor"]
-- limitations = "A job that neither states a cadence nor has three samples, and whose machine has no objective, shows a gap only by a failure. The record of a job ends with the last sample of any file in its format. A job that reports nothing more while a later job of the same asset begins is taken to be continued by it."
-- [columns]
-- asset_id = "Machine or asset without a good recovery point."
-- job_id = "Job or link."
-- target_asset = "Where the copy goes."
-- region = "Region of the asset."
-- organization = "Organization that the asset serves."
-- machine_type = "Type of machine."
-- last_good_at = "Recovery point of the last good sample, else that sample's own time; NULL where the record holds none before."
-- started_lo = "Earliest start: the last good sample; where the recovery point stood still, that recovery point; NULL where the record holds none before."
-- started_hi = "Latest start: the first failure or missed cadence after it."
-- ended_at = "Next good sample of the job, success of a seed or relink job, or end of the asset's validity; NULL where there is none."
-- open = "Whether it had not ended when the record ends."
-- rpo_breach = "Whether it exceeds the recovery point objective; NULL where none is stated."
-- site = "Site of the asset."
-- duration_minutes = "From the last good recovery point (else the first failure) to the end, or to the end of the record, in minutes."
-- ended_by = "What ended it: `job`, `seed`, `relink`, `continued` (by a later job) or `retired`; NULL while open."
-- failures = "Samples that record a failure, or a recovery point too old, within it."
-- error = "First error within it, as recorded."
-- cadence_minutes = "Planned or median interval between recovery points, in minutes."
-- limit_minutes = "Age of a recovery point beyond which it is a gap, in minutes."
-- record_ends_at = "Last sample of any file in the format of the job."
-- evidence = "Last good sample, first failure, and what ended it, where they exist."
-- ///
-- The record of a job ends with the last sample of any file in its format: what is silent while
-- others of its kind report is missing, what ends together with them may only not have been
-- exported.
with formats as (
    select
        replication_run.asset_id,
        replication_run.job_id,
        replication_run.target_asset,
        replication_run.job_kind,
        replication_run.last_sample_at,
        source.format
    from replication_run
    left join source
        on split_part(replication_run.last_evidence, ':', 1)::integer = source.source_id
),

format_end as (
    select
        format,
        max(last_sample_at) as ends_at
    from formats
    group by format
),

record as (
    select
        formats.asset_id,
        formats.job_id,
        formats.target_asset,
        max(format_end.ends_at) as ends_at
    from formats
    inner join format_end on formats.format is not distinct from format_end.format
    where formats.job_kind = 'replicate'
    group by formats.asset_id, formats.job_id, formats.target_asset
),

-- What restores protection of a job: its own good samples, and recovery of the asset's copy.
good as (
    select
        asset_id,
        job_id,
        target_asset,
        'job' as by_kind,
        started_at as first_at,
        last_sample_at as last_at,
        recovery_point_at,
        evidence as first_evidence,
        last_evidence
    from replication_run
    where job_kind = 'replicate' and worth = 'good'
),

jobs as (
    select
        asset_id,
        job_id,
        target_asset,
        min(started_at) as first_at,
        max(last_sample_at) as last_at,
        min(started_at) filter (where worth = 'good') as first_good_at,
        arg_min(evidence, (started_at, evidence)) filter (where worth = 'good')
            as first_good_evidence,
        any_value(cadence_minutes) as cadence_minutes,
        any_value(rpo_minutes) as rpo_minutes,
        any_value(limit_minutes) as limit_minutes
    from replication_run
    where job_kind = 'replicate'
    group by asset_id, job_id, target_asset
),

later as (
    select *
    from jobs
    where first_good_at is not null
),

-- Where a job reports nothing more, the next job of the asset that begins later continues it.
continued as (
    select
        jobs.asset_id,
        jobs.job_id,
        jobs.target_asset,
        later.first_good_at as next_at,
        later.first_good_evidence as next_evidence
    from jobs
    asof inner join later on jobs.asset_id = later.asset_id and jobs.last_at < later.first_at
),

-- A recovery restores the jobs that had begun before it and that no other job continues.
restored as (
    select
        jobs.asset_id,
        jobs.job_id,
        jobs.target_asset,
        recovery.job_kind as by_kind,
        recovery.started_at as first_at,
        recovery.started_at as last_at,
        recovery.started_at as recovery_point_at,
        recovery.evidence as first_evidence,
        recovery.evidence as last_evidence
    from jobs
    inner join replication_run as recovery
        on
            jobs.asset_id = recovery.asset_id
            and coalesce(jobs.target_asset = recovery.target_asset, true)
            and jobs.first_at < recovery.started_at
            and recovery.job_kind in ('seed', 'relink')
            and recovery.state = 'success'
    left join continued
        on
            jobs.asset_id = continued.asset_id
            and jobs.job_id is not distinct from continued.job_id
            and jobs.target_asset is not distinct from continued.target_asset
    anti join good
        on
            jobs.asset_id = good.asset_id
            and jobs.job_id is not distinct from good.job_id
            and jobs.target_asset is not distinct from good.target_asset
            and recovery.started_at between good.first_at and good.last_at
    where coalesce(recovery.started_at < continued.next_at, true)
),

-- Each good stretch opens an episode that lasts until the next one.
events as (
    select
        *,
        'good' as worth,
        null::bigint as samples,
        null as error
    from good
    union all by name
    select
        *,
        'good' as worth,
        null::bigint as samples,
        null as error
    from restored
    union all by name
    select
        asset_id,
        job_id,
        target_asset,
        started_at as first_at,
        last_sample_at as last_at,
        evidence as first_evidence,
        worth,
        samples,
        error
    from replication_run
    where job_kind = 'replicate' and worth in ('bad', 'stale')
),

numbered as (
    select
        *,
        count(*) filter (where worth = 'good') over (
            partition by asset_id, job_id, target_asset
            order by first_at, worth = 'good', first_evidence
            rows between unbounded preceding and current row
        ) as episode_no
    from events
),

episodes as (
    select
        asset_id,
        job_id,
        target_asset,
        episode_no,
        max(by_kind) as good_kind,
        max(last_at) filter (where worth = 'good') as good_at,
        max(recovery_point_at) filter (where worth = 'good') as recovery_point_at,
        max(last_evidence) filter (where worth = 'good') as good_evidence,
        min(first_at) filter (where worth = 'good') as good_from,
        max(first_evidence) filter (where worth = 'good') as good_from_evidence,
        min(first_at) filter (where worth <> 'good') as bad_at,
        arg_min(worth, (first_at, first_evidence)) filter (where worth <> 'good') as bad_worth,
        arg_min(first_evidence, (first_at, first_evidence)) filter (
            where worth <> 'good'
        ) as bad_evidence,
        arg_min(error, (first_at, first_evidence)) filter (where worth <> 'good') as error,
        coalesce(sum(samples), 0)::bigint as failures
    from numbered
    group by asset_id, job_id, target_asset, episode_no
),

followed as (
    select
        *,
        lead(good_from) over job as next_at,
        lead(good_kind) over job as next_kind,
        lead(good_from_evidence) over job as next_evidence
    from episodes
    window job as (partition by asset_id, job_id, target_asset order by episode_no)
),

-- A recovery after which the job itself reports nothing, while another one goes on: that one keeps
-- the copy.
last_good as (
    select
        asset_id,
        max(last_at) as last_at
    from good
    group by asset_id
),

handed_over as (
    select
        jobs.asset_id,
        jobs.job_id,
        jobs.target_asset
    from jobs
    inner join last_good on jobs.asset_id = last_good.asset_id and jobs.last_at < last_good.last_at
),

bounded as (
    select
        followed.*,
        jobs.cadence_minutes,
        jobs.rpo_minutes,
        jobs.limit_minutes,
        known_asset.region,
        known_asset.organization,
        known_asset.machine_type,
        known_asset.site,
        record.ends_at as record_ends_at,
        coalesce(followed.recovery_point_at, followed.bad_at) as since,
        least(followed.next_at, continued.next_at) as good_again_at,
        case
            when known_asset.valid_to > since and known_asset.valid_to <= record.ends_at
                then known_asset.valid_to
        end as retired_at,
        least(good_again_at, retired_at) as ended_at,
        case
            when ended_at is null then null
            when good_again_at is null or retired_at < good_again_at then 'retired'
            when followed.next_at <= continued.next_at then followed.next_kind
            when continued.next_at is not null then 'continued'
            else followed.next_kind
        end as ended_by,
        case
            when ended_by = 'continued' then continued.next_evidence
            when ended_by <> 'retired' then followed.next_evidence
        end as end_evidence
    from followed
    inner join jobs
        on
            followed.asset_id = jobs.asset_id
            and followed.job_id is not distinct from jobs.job_id
            and followed.target_asset is not distinct from jobs.target_asset
    left join continued
        on
            followed.asset_id = continued.asset_id
            and followed.job_id is not distinct from continued.job_id
            and followed.target_asset is not distinct from continued.target_asset
    anti join handed_over
        on
            followed.good_kind <> 'job'
            and followed.next_at is null
            and continued.next_at is null
            and followed.bad_at is null
            and followed.asset_id = handed_over.asset_id
            and followed.job_id is not distinct from handed_over.job_id
            and followed.target_asset is not distinct from handed_over.target_asset
    left join known_asset on followed.asset_id = known_asset.asset_id
    inner join record
        on
            followed.asset_id = record.asset_id
            and followed.job_id is not distinct from record.job_id
            and followed.target_asset is not distinct from record.target_asset
),

measured as (
    select
        *,
        epoch(coalesce(ended_at, record_ends_at) - since) / 60 as duration_minutes
    from bounded
    where since is not null
),

missed as (
    select
        *,
        case when bad_worth = 'stale' then recovery_point_at else good_at end as started_lo,
        good_at
        + to_seconds(60 * policy_number('missed_cadence_factor') * cadence_minutes) as missed_at
    from measured
    where duration_minutes > limit_minutes or (limit_minutes is null and bad_at is not null)
)

select
    asset_id,
    job_id,
    target_asset,
    region,
    organization,
    machine_type,
    recovery_point_at as last_good_at,
    started_lo,
    least(
        coalesce(
            if(bad_worth = 'stale', bad_at, least(bad_at, missed_at)),
            recovery_point_at + to_seconds(60 * limit_minutes)
        ),
        ended_at
    ) as started_hi,
    ended_at,
    ended_at is null as open,
    duration_minutes > rpo_minutes as rpo_breach,
    site,
    duration_minutes,
    ended_by,
    failures,
    error,
    cadence_minutes,
    limit_minutes,
    record_ends_at,
    list_filter(
        [good_evidence, bad_evidence, end_evidence], lambda cited: cited is not null
    ) as evidence
from missed
order by asset_id, job_id, target_asset, started_hi
