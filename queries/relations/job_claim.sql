-- /// relation
-- id = "job_claim"
-- title = "Jobs that one system records as done well, with what the tool itself records"
-- grain = "One row per record of a job with outcome success."
-- reads = ["maintenance_event", "replication_run"]
-- policy = ["job_actions", "job_record_minutes"]
-- limitations = """
-- Two records are taken to be of one job by nearness in time and by the names that they share. A
-- record of a tool belongs to the nearest claim; the last one decides, as a job may be tried again."""
-- [columns]
-- event = "Record that states success, as source_id:record_no."
-- change_id = "Change that the record names."
-- subject = "Target of the job, else the host, else the action."
-- action = "Action as recorded."
-- message = "Message of the record."
-- occurred_at = "When the job was recorded."
-- tool_state = "success, warning or failure, as the tool records; NULL where none lies near."
-- tool_at = "When the tool recorded it; NULL where only a run of like samples spans the job."
-- tool_error = "Error or message of the tool's record."
-- tool_evidence = "Record of the tool, as source_id:record_no."
-- is_decided = "Whether the records of the tool that could be meant agree."
-- ///
with

job_run as (
    select
        replication_run.*,
        lower(replication_run.asset_id) as asset,
        asset_name(replication_run.target_asset) as target_name
    from replication_run
),

job_claim as (
    select
        maintenance_event.source_id,
        maintenance_event.change_id,
        maintenance_event.target,
        asset_name(maintenance_event.target) as asset,
        asset_name(maintenance_event.host) as host,
        maintenance_event.occurred_at,
        maintenance_event.message,
        maintenance_event.action,
        pointer(maintenance_event.source_id, maintenance_event.record_no) as event
    from maintenance_event
    where
        maintenance_event.outcome = 'success'
        and list_contains(policy_list('job_actions'), lower(trim(maintenance_event.action)))
),

sampled as (
    select distinct job_run.asset from job_run
),

-- Where a tool's record stands in time: the ends of each run of samples.
tool_point as (
    select
        job_run.asset,
        job_run.target_name,
        job_run.started_at as recorded_at,
        job_run.state,
        job_run.error,
        job_run.evidence
    from job_run
    where job_run.state in ('success', 'warning', 'failure')
    union
    select
        job_run.asset,
        job_run.target_name,
        job_run.last_sample_at as recorded_at,
        job_run.state,
        job_run.error,
        job_run.last_evidence as evidence
    from job_run
    where job_run.state in ('success', 'warning', 'failure')
),

-- By which names a record of a tool can be that of a claimed job: the same target, the claim's
-- target as the machine, or the claim's host where the tool names no target.
tool_name as (
    select
        'asset' as via,
        tool_point.asset as name,
        tool_point.*
    from tool_point
    union all
    select
        'target' as via,
        tool_point.target_name as name,
        tool_point.*
    from tool_point
    where tool_point.target_name is not null
    union all
    select
        'host' as via,
        tool_point.asset as name,
        tool_point.*
    from tool_point
    where tool_point.target_name is null
),

claim_name as (
    select
        job_claim.event,
        job_claim.occurred_at,
        unnest(['asset', 'target', 'host']) as via,
        unnest([job_claim.asset, job_claim.asset, job_claim.host]) as name,
        sampled.asset as sampled_host
    from job_claim
    left join sampled on job_claim.host = sampled.asset
),

tool_log as (
    select
        maintenance_event.source_id,
        asset_name(maintenance_event.target) as asset,
        maintenance_event.occurred_at,
        maintenance_event.outcome,
        maintenance_event.message,
        pointer(maintenance_event.source_id, maintenance_event.record_no) as evidence
    from maintenance_event
    where
        maintenance_event.outcome in ('success', 'failure')
        and (
            lower(trim(maintenance_event.action)) = 'log'
            or list_contains(policy_list('job_actions'), lower(trim(maintenance_event.action)))
        )
),

tied as (
    select distinct
        claim_name.event,
        tool_name.recorded_at,
        tool_name.state,
        tool_name.error,
        tool_name.evidence,
        abs(epoch(tool_name.recorded_at - claim_name.occurred_at)) as seconds_apart
    from claim_name
    inner join tool_name
        on
            claim_name.via = tool_name.via
            and claim_name.name = tool_name.name
            and claim_name.occurred_at
            >= tool_name.recorded_at - policy_minutes('job_record_minutes')
            and claim_name.occurred_at
            <= tool_name.recorded_at + policy_minutes('job_record_minutes')
    -- A target holds the copies of many machines; the host tells which one is meant.
    where
        claim_name.via <> 'target'
        or claim_name.sampled_host is null
        or claim_name.sampled_host = tool_name.asset
    union all
    select
        job_claim.event,
        tool_log.occurred_at as recorded_at,
        tool_log.outcome as state,
        tool_log.message as error,
        tool_log.evidence,
        abs(epoch(tool_log.occurred_at - job_claim.occurred_at)) as seconds_apart
    from job_claim
    inner join tool_log
        on
            job_claim.asset = tool_log.asset
            and job_claim.source_id <> tool_log.source_id
            and tool_log.occurred_at >= job_claim.occurred_at - policy_minutes('job_record_minutes')
            and tool_log.occurred_at <= job_claim.occurred_at + policy_minutes('job_record_minutes')
),

-- Each record of a tool belongs to the claim that is nearest in time.
nearest as (
    select *
    from tied
    qualify row_number() over (
        partition by tied.evidence order by tied.seconds_apart, tied.event
    ) = 1
),

-- The last record of the tool decides: a job may have been tried again.
last_word as (
    select *
    from nearest
    qualify row_number() over (
        partition by nearest.event
        order by nearest.recorded_at desc, nearest.state <> 'success' desc, nearest.evidence
    ) = 1
),

-- Where no record of the tool lies near, a run of like samples may span the time of the job.
run_name as (
    select
        'asset' as via,
        job_run.asset as name,
        job_run.*
    from job_run
    union all
    select
        'target' as via,
        job_run.target_name as name,
        job_run.*
    from job_run
    where job_run.target_name is not null
    union all
    select
        'host' as via,
        job_run.asset as name,
        job_run.*
    from job_run
    where job_run.target_name is null
),

spanned as (
    select
        claim_name.event,
        bool_and(run_name.state = 'success') as is_good,
        bool_and(run_name.state <> 'success') filter (where run_name.via <> 'host') as is_bad,
        min(run_name.state) as state,
        min(run_name.evidence) as evidence
    from claim_name
    inner join run_name
        on
            claim_name.via = run_name.via
            and claim_name.name = run_name.name
            and claim_name.occurred_at >= run_name.started_at
            and claim_name.occurred_at <= run_name.last_sample_at
    where run_name.state in ('success', 'warning', 'failure')
    group by claim_name.event
),

telemetered as (
    select
        job_claim.event,
        true as is_watched
    from job_claim
    semi join sampled on sampled.asset in (job_claim.host, job_claim.asset)
)

select
    job_claim.event,
    job_claim.change_id,
    coalesce(job_claim.target, job_claim.host, job_claim.action) as subject,
    job_claim.action,
    job_claim.message,
    job_claim.occurred_at,
    coalesce(last_word.state, spanned.state) as tool_state,
    last_word.recorded_at as tool_at,
    last_word.error as tool_error,
    coalesce(last_word.evidence, spanned.evidence) as tool_evidence,
    last_word.event is not null
    or coalesce(spanned.is_good, false)
    or coalesce(spanned.is_bad, false) as is_decided
from job_claim
left join last_word on job_claim.event = last_word.event
left join spanned on job_claim.event = spanned.event
left join telemetered on job_claim.event = telemetered.event
-- Without any telemetry of target or host there is nothing to compare with.
where last_word.event is not null or telemetered.is_watched
order by job_claim.occurred_at, job_claim.event
