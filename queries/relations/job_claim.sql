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

tied as (
    select
        job_claim.event,
        tool_point.recorded_at,
        tool_point.state,
        tool_point.error,
        tool_point.evidence,
        abs(epoch(tool_point.recorded_at - job_claim.occurred_at)) as seconds_apart
    from job_claim
    left join sampled on job_claim.host = sampled.asset
    inner join tool_point
        on (
            job_claim.asset = tool_point.asset
            or (
                job_claim.asset = tool_point.target_name
                and (sampled.asset is null or job_claim.host = tool_point.asset)
            )
            or (job_claim.host = tool_point.asset and tool_point.target_name is null)
        )
        and tool_point.recorded_at
        >= job_claim.occurred_at - policy_minutes('job_record_minutes')
        and tool_point.recorded_at
        <= job_claim.occurred_at + policy_minutes('job_record_minutes')
    union all
    select
        job_claim.event,
        tool_log.occurred_at as recorded_at,
        tool_log.outcome as state,
        tool_log.message as error,
        pointer(tool_log.source_id, tool_log.record_no) as evidence,
        abs(epoch(tool_log.occurred_at - job_claim.occurred_at)) as seconds_apart
    from job_claim
    inner join maintenance_event as tool_log
        on
            job_claim.asset = asset_name(tool_log.target)
            and job_claim.source_id <> tool_log.source_id
            and tool_log.outcome in ('success', 'failure')
            and (
                lower(trim(tool_log.action)) = 'log'
                or list_contains(policy_list('job_actions'), lower(trim(tool_log.action)))
            )
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
spanned as (
    select
        job_claim.event,
        bool_and(job_run.state = 'success') as is_good,
        bool_and(job_run.state in ('failure', 'warning')) filter (
            where job_claim.asset in (job_run.asset, job_run.target_name)
        ) as is_bad,
        min(job_run.state) as state,
        min(job_run.evidence) as evidence
    from job_claim
    inner join job_run
        on
            job_claim.occurred_at >= job_run.started_at
            and job_claim.occurred_at <= job_run.last_sample_at
            and job_run.state in ('success', 'warning', 'failure')
            and (
                job_claim.asset in (job_run.asset, job_run.target_name)
                or (job_claim.host = job_run.asset and job_run.target_name is null)
            )
    group by job_claim.event
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
