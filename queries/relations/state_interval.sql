-- /// relation
-- id = "state_interval"
-- title = "How long each job was in which state"
-- grain = "One row per asset, job, target and unbroken sequence of samples of the same state."
-- reads = ["replication_run"]
-- [columns]
-- asset_id = "Machine or asset that is protected."
-- job_id = "Job or link."
-- job_kind = "Kind of job."
-- target_asset = "Where the copy goes."
-- state = "The state, as recorded."
-- started_at = "First sample in this state."
-- ended_at = "First sample in the next state; NULL where the record ends in this one."
-- samples = "Samples in this state."
-- last_sample_at = "Last sample in this state."
-- error = "Error of the first sample, as recorded."
-- evidence = "First sample."
-- ///
with stepped as (
    select
        *,
        coalesce(state <> lag(state) over job, true) as is_first
    from replication_run
    window job as (partition by asset_id, job_kind, job_id, target_asset order by run_no)
),

numbered as (
    select
        *,
        count(*) filter (where is_first) over (
            partition by asset_id, job_kind, job_id, target_asset
            order by run_no
            rows between unbounded preceding and current row
        ) as interval_no
    from stepped
),

merged as (
    select
        asset_id,
        job_id,
        job_kind,
        target_asset,
        interval_no,
        min(state) as state,
        min(started_at) as started_at,
        sum(samples)::bigint as samples,
        max(last_sample_at) as last_sample_at,
        min(error) filter (where is_first) as error,
        min(evidence) filter (where is_first) as evidence
    from numbered
    group by asset_id, job_id, job_kind, target_asset, interval_no
)

select
    asset_id,
    job_id,
    job_kind,
    target_asset,
    state,
    started_at,
    lead(started_at) over (
        partition by asset_id, job_kind, job_id, target_asset order by interval_no
    ) as ended_at,
    samples,
    last_sample_at,
    error,
    evidence
from merged
order by asset_id, job_kind, job_id, target_asset, interval_no
