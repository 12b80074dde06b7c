-- /// relation
-- id = "recovery_progress"
-- title = "Recovery day by day"
-- grain = "One row per UTC day from the main onset to the end of the record, region and machine type."
-- reads = ["machine_recovery", "replication_run"]
-- limitations = "Bytes are those that the inventory states for the machines, not those that were carried."
-- [columns]
-- day = "Day in UTC."
-- region = "Region."
-- machine_type = "Type of machine."
-- seeded = "Machines whose gap a seed ended on that day."
-- failed = "Seeds and relinks that failed on that day."
-- remaining = "Machines struck by the end of the day, and neither recovered nor recorded as lost."
-- bytes = "Bytes that the machines seeded on that day protect; NULL where none of them states it."
-- relinked = "Machines whose gap a relink ended on that day."
-- resumed = "Machines whose own job ended the gap on that day."
-- lost = "Machines recorded as lost on that day."
-- running = "Machines with a seed or relink running at the end of the day."
-- population = "Machines struck by the end of the day."
-- seeded_total = "Machines seeded by the end of the day."
-- relinked_total = "Machines relinked by the end of the day."
-- recovered_total = "Machines seeded, relinked or resumed by the end of the day."
-- lost_total = "Machines recorded as lost by the end of the day."
-- bytes_total = "Bytes that the machines seeded by the end of the day protect; NULL where none of them states it."
-- ///
with machines as (
    select
        *,
        (struck_at at time zone 'UTC')::date as struck_on,
        (recovered_at at time zone 'UTC')::date as recovered_on,
        (lost_at at time zone 'UTC')::date as lost_on
    from machine_recovery
),

span as (
    select
        min(struck_on)::timestamp as first_day,
        max((record_ends_at at time zone 'UTC')::date)::timestamp as last_day
    from machines
),

days as (
    select unnest(generate_series(first_day, last_day, interval 1 day))::date as day
    from span
),

failures as (
    select
        (replication_run.started_at at time zone 'UTC')::date as day,
        machines.region,
        machines.machine_type,
        count(*) as failed
    from replication_run
    inner join machines using (asset_id)
    where
        replication_run.job_kind in ('seed', 'relink')
        and replication_run.state = 'failure'
        and replication_run.started_at >= machines.began_at
    group by
        (replication_run.started_at at time zone 'UTC')::date,
        machines.region,
        machines.machine_type
),

-- What the last record of a machine's recovery says at the end of each day.
job_days as (
    select
        replication_run.asset_id,
        (replication_run.started_at at time zone 'UTC')::date as day,
        arg_max(
            replication_run.state,
            (replication_run.started_at, replication_run.run_no, replication_run.evidence)
        ) = 'running' as is_running,
        max((replication_run.last_sample_at at time zone 'UTC')::date) as told_on
    from replication_run
    inner join machines using (asset_id)
    where
        replication_run.job_kind in ('seed', 'relink')
        and replication_run.started_at >= machines.began_at
    group by replication_run.asset_id, (replication_run.started_at at time zone 'UTC')::date
),

job_spans as (
    select
        *,
        lead(day) over (partition by asset_id order by day) as until_day
    from job_days
),

running as (
    select
        days.day,
        machines.region,
        machines.machine_type,
        count(*) as running
    from job_spans
    inner join machines using (asset_id)
    inner join days
        on
            job_spans.day <= days.day
            -- What fell silent is not known to run at the end of the day on which it did.
            and days.day < coalesce(
                job_spans.until_day,
                if(machines.is_running, 'infinity'::date, job_spans.told_on)
            )
    where job_spans.is_running
    group by days.day, machines.region, machines.machine_type
),

grown as (
    select
        days.day,
        machines.region,
        machines.machine_type,
        count(*) filter (where recovered_on = day and scenario = 'reseeded') as seeded,
        count(*) filter (where recovered_on = day and scenario = 'relinked') as relinked,
        count(*) filter (where recovered_on = day and scenario = 'resumed') as resumed,
        count(*) filter (where lost_on = day) as lost,
        count(*) filter (where struck_on <= day) as population,
        count(*) filter (where recovered_on <= day and scenario = 'reseeded') as seeded_total,
        count(*) filter (where recovered_on <= day and scenario = 'relinked') as relinked_total,
        count(*) filter (where recovered_on <= day) as recovered_total,
        count(*) filter (where lost_on <= day) as lost_total,
        sum(protected_bytes) filter (
            where recovered_on = day and scenario = 'reseeded'
        )::bigint as bytes,
        sum(protected_bytes) filter (
            where recovered_on <= day and scenario = 'reseeded'
        )::bigint as bytes_total
    from machines
    cross join days
    group by days.day, machines.region, machines.machine_type
)

select
    grown.day,
    grown.region,
    grown.machine_type,
    grown.seeded,
    coalesce(failures.failed, 0) as failed,
    grown.population - grown.recovered_total - grown.lost_total as remaining,
    grown.bytes,
    grown.relinked,
    grown.resumed,
    grown.lost,
    coalesce(running.running, 0) as running,
    grown.population,
    grown.seeded_total,
    grown.relinked_total,
    grown.recovered_total,
    grown.lost_total,
    grown.bytes_total
from grown
left join failures
    on
        grown.day = failures.day
        and grown.region is not distinct from failures.region
        and grown.machine_type is not distinct from failures.machine_type
left join running
    on
        grown.day = running.day
        and grown.region is not distinct from running.region
        and grown.machine_type is not distinct from running.machine_type
order by grown.day, grown.region, grown.machine_type
