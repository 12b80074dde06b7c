-- /// relation
-- id = "replication_run"
-- title = "Runs of like samples"
-- grain = "One row per asset, job, target and run of consecutive samples of the same state and the same worth as protection, without a silence long enough to be a gap, nor a recovery between failures. This is the one reduction of the telemetry; what follows reads runs. A lake runs this very text: its runs are added as they came."
-- reads = ["alias", "known_asset", "reduced_run", "replication_sample"]
-- policy = ["gap_cadences"]
-- limitations = "Samples of one machine that name neither a job nor a target are taken to be of one job, whatever tool made them; `target_asset` of a source in case.toml tells them apart."
-- [columns]
-- asset_id = "Machine or asset that is protected, by its canonical name."
-- job_kind = "Kind of job; `replicate` where not stated."
-- job_id = "Job or link; NULL where the ids of three or more jobs each name one run only."
-- target_asset = "Where the copy goes."
-- run_no = "Number of the run within its job and target."
-- state = "State of every sample of the run."
-- worth = "`good`: a recovery point within the limit; `stale`: as recorded good, but the recovery point is older than the limit; `bad`: failure or disconnected; `none`: says nothing either way."
-- started_at = "First sample of the run."
-- last_sample_at = "Last sample of the run."
-- recovery_point_at = "Recovery point of the last sample: as recorded, else the sample less its lag, else the sample."
-- samples = "Samples in the run."
-- error = "Error of the first sample of the run, as recorded."
-- cadence_minutes = "Planned interval between recovery points, else the median interval between samples of the job and target at different times (three samples or more), in minutes."
-- measured_minutes = "That median alone, where there is one."
-- rpo_minutes = "Recovery point objective, in minutes."
-- limit_minutes = "Age of a recovery point beyond which it is a gap: the objective, else so many cadences; NULL where neither is known."
-- evidence = "First sample of the run."
-- last_evidence = "Last sample of the run."
-- ///
with

-- What a lake has reduced is added below; the samples that are kept of it are not all that it holds.
sample as not materialized (
    select *
    from replication_sample
    where source_id not in (select reduced_run.source_id from reduced_run)
),

named as (
    select
        asset_id,
        coalesce(job_kind, 'replicate') as job_kind,
        job_id,
        target_asset,
        count(*) filter (where state <> 'running') as ends
    from sample
    group by asset_id, coalesce(job_kind, 'replicate'), job_id, target_asset
),

canonical as (
    select
        alias,
        min(canonical) as asset_id
    from alias
    where kind = 'asset'
    group by alias
),

-- An id that never comes back names a run of a job and not the job.
known as (
    select
        coalesce(canonical.asset_id, named.asset_id) as asset_id,
        named.asset_id as recorded_as,
        named.job_kind,
        named.job_id as recorded_id,
        named.target_asset,
        if(
            max(named.ends) over kind <= 1 and count(named.job_id) over kind >= 3,
            null,
            named.job_id
        ) as job_id
    from named
    left join canonical on named.asset_id = canonical.alias
    window kind as (
        partition by
            coalesce(canonical.asset_id, named.asset_id), named.job_kind, named.target_asset
    )
),

-- Numbers stand for names from here on: the ordering of millions of rows compares no text.
jobs as materialized (
    select
        *,
        dense_rank() over (order by asset_id, job_kind, job_id, target_asset)::integer as job_no
    from known
),

-- Instants are whole microseconds here, since arithmetic on intervals costs several times as much.
samples as (
    select
        jobs.job_no,
        epoch_us(sample.sampled_at) as instant,
        (sample.source_id::bigint << 40) + sample.record_no as place,
        case sample.state
            when 'success' then 1
            when 'connected' then 2
            when 'warning' then if(sample.recovery_point_at is null, 4, 3)
            when 'failure' then 5
            when 'disconnected' then 6
            when 'running' then 7
            when 'skipped' then 8
            else 9
        end::tinyint as state_no,
        -- No copy is behind by more than a century; a lag that is no number says nothing.
        greatest(
            0,
            coalesce(
                epoch_us(sample.sampled_at) - epoch_us(sample.recovery_point_at),
                case
                    when sample.lag_seconds is not null and not isnan(sample.lag_seconds)
                        then floor(greatest(0, least(sample.lag_seconds, 3e9)) * 1e6 + 0.5)
                end::bigint
            )
        ) as age
    from sample
    inner join jobs
        on
            sample.asset_id = jobs.recorded_as
            and coalesce(sample.job_kind, 'replicate') = jobs.job_kind
            and sample.job_id is not distinct from jobs.recorded_id
            and sample.target_asset is not distinct from jobs.target_asset
),

named_as as (
    select distinct
        asset_id,
        recorded_as
    from known
),

-- A recovery stands in the jobs that it restores as a mark of its own, behind what was recorded at
-- the same instant: a failure after it bounds the start of the gap that follows.
marks as (
    select
        jobs.job_no,
        epoch_us(sample.sampled_at) as instant,
        9223372036854775807 as place,
        0::tinyint as state_no,
        0::bigint as age
    from sample
    inner join named_as on sample.asset_id = named_as.recorded_as
    inner join jobs
        on
            named_as.asset_id = jobs.asset_id
            and coalesce(sample.target_asset = jobs.target_asset, true)
    where
        sample.job_kind in ('seed', 'relink')
        and sample.state = 'success'
        and jobs.job_kind = 'replicate'
),

ordered as materialized (
    select
        *,
        (row_number() over job)::integer as sample_no,
        -- A job that also reports its start reports twice a run; starts are no beat of their own.
        instant - lag(if(state_no in (0, 7), null, instant) ignore nulls) over job as beat,
        instant - lag(instant - age) over job as age_until,
        lag(state_no) over job as before_state_no,
        lag(age) over job as before_age
    from (
        select * from samples
        union all
        select * from marks
    ) as marked
    window job as (partition by job_no order by instant, place)
),

-- A median by counting: values that repeat take little room, and what does not fit into memory is
-- put aside, which the engine's own median cannot do.
beat as (
    select
        job_no,
        beat,
        count(*) as n
    from ordered
    where state_no not in (0, 7) and beat > 0
    group by job_no, beat
),

counted as (
    select
        job_no,
        beat,
        sum(n) over (partition by job_no order by beat) as upto,
        sum(n) over (partition by job_no) as total
    from beat
),

middle as (
    select
        job_no,
        (
            min(beat) filter (upto >= (total + 1) // 2) + min(beat) filter (upto >= total // 2 + 1)
        ) / 2 as beat
    from counted
    group by job_no
),

length as (
    select
        job_no,
        count(*) as rows,
        count(*) filter (state_no > 0) as samples
    from ordered
    group by job_no
),

beats as (
    select
        length.job_no,
        length.rows,
        if(length.samples >= 3, middle.beat / 60e6, null) as minutes
    from length
    left join middle on length.job_no = middle.job_no
),

paced as (
    select distinct
        jobs.job_no,
        jobs.asset_id,
        jobs.job_kind,
        jobs.job_id,
        jobs.target_asset,
        beats.rows,
        known_asset.rpo_minutes,
        beats.minutes as measured_minutes,
        coalesce(
            if(known_asset.cadence_minutes > 0, known_asset.cadence_minutes, null), beats.minutes
        ) as beat_minutes
    from jobs
    inner join beats on jobs.job_no = beats.job_no
    left join known_asset on jobs.asset_id = known_asset.asset_id
),

limits as materialized (
    select
        *,
        coalesce(rpo_minutes, policy_number('gap_cadences') * beat_minutes) as limit_minutes
    from paced
),

judged as (
    select
        ordered.job_no,
        ordered.sample_no,
        ordered.state_no,
        ordered.before_state_no,
        limits.job_kind,
        limits.rows,
        coalesce(
            ordered.state_no <= 3 and ordered.age > 60e6 * limits.limit_minutes, false
        ) as is_stale,
        coalesce(
            ordered.before_state_no <= 3 and ordered.before_age > 60e6 * limits.limit_minutes, false
        ) as was_stale,
        coalesce(
            ordered.before_state_no <= 3 and ordered.age_until > 60e6 * limits.limit_minutes, false
        ) as is_late
    from ordered
    inner join limits on ordered.job_no = limits.job_no
),

-- Every success of a recovery job can end a gap, so that each is a run of its own.
starts as (
    select
        job_no,
        sample_no,
        is_stale,
        row_number() over job as run_no,
        coalesce(lead(sample_no) over job - 1, rows) as last_no
    from judged
    where
        before_state_no is null
        or state_no <> before_state_no
        or is_stale <> was_stale
        or (is_late and not was_stale)
        or (job_kind in ('seed', 'relink') and state_no = 1)
    window job as (partition by job_no order by sample_no)
),

-- One number names a sample: two keys with a part in common would let the engine pair all samples
-- of a job with one another before it looks at the runs.
numbered as (
    select
        *,
        (job_no::bigint << 40) + sample_no as sample_key
    from ordered
),

cited as (
    select
        (source_id::bigint << 40) + record_no as place,
        epoch_us(sampled_at) as instant,
        min(error) as error
    from sample
    where error is not null
    group by (source_id::bigint << 40) + record_no, epoch_us(sampled_at)
),

reduced as (
    select
        limits.asset_id,
        limits.job_kind,
        limits.job_id,
        limits.target_asset,
        starts.run_no,
        case first_sample.state_no
            when 1 then 'success'
            when 2 then 'connected'
            when 3 then 'warning'
            when 4 then 'warning'
            when 5 then 'failure'
            when 6 then 'disconnected'
            when 7 then 'running'
            when 8 then 'skipped'
            else 'unknown'
        end as state,
        case
            when starts.is_stale then 'stale'
            when first_sample.state_no <= 3 then 'good'
            when first_sample.state_no in (5, 6) then 'bad'
            else 'none'
        end as worth,
        make_timestamptz(first_sample.instant) as started_at,
        make_timestamptz(last_sample.instant) as last_sample_at,
        make_timestamptz(last_sample.instant - last_sample.age) as recovery_point_at,
        last_sample.sample_no - first_sample.sample_no + 1 as samples,
        cited.error,
        limits.beat_minutes as cadence_minutes,
        limits.measured_minutes,
        limits.rpo_minutes,
        limits.limit_minutes,
        pointer(first_sample.place >> 40, first_sample.place % (1::bigint << 40)) as evidence,
        pointer(last_sample.place >> 40, last_sample.place % (1::bigint << 40)) as last_evidence
    from starts
    inner join limits on starts.job_no = limits.job_no
    inner join numbered as first_sample
        on (starts.job_no::bigint << 40) + starts.sample_no = first_sample.sample_key
    inner join numbered as last_sample
        on (starts.job_no::bigint << 40) + starts.last_no = last_sample.sample_key
    left join cited on first_sample.place = cited.place and first_sample.instant = cited.instant
    where first_sample.state_no > 0
)

select *
from reduced
union all
select
    asset_id,
    job_kind,
    job_id,
    target_asset,
    run_no,
    state,
    worth,
    started_at,
    last_sample_at,
    recovery_point_at,
    samples,
    error,
    cadence_minutes,
    measured_minutes,
    rpo_minutes,
    limit_minutes,
    pointer(source_id, record_no) as evidence,
    pointer(source_id, last_record_no) as last_evidence
from reduced_run
order by asset_id, job_kind, job_id, target_asset, run_no
