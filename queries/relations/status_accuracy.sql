-- /// relation
-- id = "status_accuracy"
-- title = "What the status page said of a region, against what was measured"
-- grain = "One row per region and interval in which both were constant. Without a dated update on record there is no row."
-- reads = ["case_info", "known_asset", "machine_gap", "onset", "replication_run", "source", "status_region", "status_update"]
-- limitations = "Before its first post the page said operational, unless its export is known to be cut short. Where an update names no status, the incident's impact stands for it, and an open incident without either counts as degraded performance; where a closing update names no component, those that the incident named before are taken as operational. What the page said after its last capture is not known. A scheduled maintenance says nothing before it begins."
-- [columns]
-- region = "The region; `all` where the page names no region."
-- started_at = "Start of the interval."
-- ended_at = "End of the interval."
-- said = "Worst status that the page showed for the region; NULL where that is not known."
-- measured = "`degraded` while at least the degraded share of the machines was in a gap, `ok`, or `unknown` outside of the telemetry."
-- measured_share = "Mean share of the region's machines in a gap over the interval; NULL where unknown."
-- verdict = "`agree`, `over_claim` (said operational while degraded), `under_claim` (said impaired while ok) or `unknown`; maintenance agrees with either."
-- duration_minutes = "Length of the interval, in minutes."
-- machines = "Machines of the region with telemetry."
-- evidence = "The update that set what was said; NULL before the first."
-- ///
with posts as (
    select
        *,
        pointer(source_id, record_no) as evidence,
        state in ('resolved', 'completed', 'postmortem') as is_closing,
        case
            when state in ('resolved', 'completed', 'postmortem') then 'operational'
            when kind = 'maintenance' or lower(impact) = 'maintenance' then 'under_maintenance'
            when lower(impact) = 'minor' then 'degraded_performance'
            when lower(impact) in ('major', 'disrupted') then 'partial_outage'
            when lower(impact) in ('critical', 'down') then 'major_outage'
            when impact is null then 'degraded_performance'
        end as implied_status
    from status_update
    where posted_at is not null and state <> 'scheduled'
),

-- What each post says of each component; an incident without any stands for itself.
named as (
    select
        posts.*,
        status_region.component as subject,
        status_region.region,
        coalesce(status_region.component_status, posts.implied_status) as status
    from posts
    inner join status_region using (source_id, record_no)
),

components as (
    select
        incident_id,
        component,
        region,
        min(posted_at) as named_at
    from status_region
    group by incident_id, component, region
),

closed as (
    select
        posts.*,
        components.component as subject,
        components.region,
        posts.implied_status as status
    from posts
    inner join components
        on
            posts.incident_id = components.incident_id
            and posts.posted_at >= components.named_at
    anti join status_region
        on
            posts.source_id = status_region.source_id
            and posts.record_no = status_region.record_no
    where posts.is_closing
),

bare as (
    select
        posts.*,
        posts.incident_id as subject,
        null::varchar as region,
        posts.implied_status as status
    from posts
    anti join components on posts.incident_id = components.incident_id
),

statements as (
    select *
    from named
    where status is not null
    union all by name
    select *
    from closed
    where status is not null
    union all by name
    select *
    from bare
    where status is not null
),

naming as (
    select count(region) > 0 as has_regions
    from status_region
),

page as (
    select
        max(posts.captured_at) as captured_at,
        bool_and(coalesce(source.export_complete, true)) as is_complete,
        min(posts.posted_at) as first_at,
        max(posts.posted_at) as last_at,
        naming.has_regions
    from posts
    cross join naming
    left join source using (source_id)
    group by naming.has_regions
),

machines as (
    select distinct
        replication_run.asset_id,
        if(page.has_regions, known_asset.region, 'all') as region
    from replication_run
    inner join known_asset using (asset_id)
    cross join page
    where replication_run.job_kind = 'replicate'
),

record as (
    select
        min(started_at) as starts_at,
        max(last_sample_at) as ends_at
    from replication_run
),

review as (
    select
        page.*,
        record.ends_at as record_ends_at,
        coalesce(case_info.window_start, least(record.starts_at, page.first_at)) as starts_at,
        coalesce(
            case_info.window_end, greatest(record.ends_at, page.last_at, page.captured_at)
        ) as ends_at
    from page
    cross join record
    cross join case_info
),

measured_from as (
    select
        machines.region,
        count(distinct machines.asset_id) as machines,
        min(replication_run.started_at) as starts_at
    from machines
    inner join replication_run using (asset_id)
    where machines.region is not null and replication_run.job_kind = 'replicate'
    group by machines.region
),

regions as (
    select region
    from status_region
    where region is not null
    union
    select region from measured_from
    union
    select 'all' as region
    from page
    where not has_regions
),

said as (
    select
        coalesce(statements.region, 'all') as region,
        statements.subject,
        statements.status,
        statements.posted_at,
        statements.evidence,
        list_position(
            [
                'operational', 'under_maintenance', 'degraded_performance', 'partial_outage',
                'major_outage',
            ],
            statements.status
        ) as gravity,
        lead(statements.posted_at) over (
            partition by statements.region, statements.subject
            order by statements.posted_at, statements.source_id, statements.record_no
        ) as until_at
    from statements
    cross join page
    where statements.region is not null or not page.has_regions
),

degraded as (
    select
        onset.scope as region,
        onset.onset_hi as started_at,
        coalesce(onset.ended_at, review.record_ends_at) as ended_at
    from onset
    cross join review
    where onset.scope_kind = if(review.has_regions, 'region', 'all')
),

points as (
    select
        regions.region,
        unnest([
            review.starts_at, review.ends_at, review.captured_at, review.record_ends_at,
            measured_from.starts_at,
        ]) as instant
    from regions
    cross join review
    left join measured_from using (region)
    union
    select
        region,
        posted_at as instant
    from said
    union
    select
        region,
        started_at as instant
    from degraded
    union
    select
        region,
        ended_at as instant
    from degraded
),

slices as (
    select
        points.region,
        points.instant as started_at,
        lead(points.instant) over (
            partition by points.region order by points.instant
        ) as ended_at
    from points
    cross join review
    where points.instant between review.starts_at and review.ends_at
),

worst as (
    select
        slices.region,
        slices.started_at,
        arg_max(said.status, (said.gravity, said.posted_at, said.evidence)) as status,
        arg_max(said.evidence, (said.gravity, said.posted_at, said.evidence)) as evidence
    from slices
    inner join said
        on
            slices.region = said.region
            and slices.started_at >= said.posted_at
            and coalesce(slices.started_at < said.until_at, true)
    group by slices.region, slices.started_at
),

judged as (
    select
        slices.region,
        slices.started_at,
        slices.ended_at,
        worst.evidence,
        case
            when slices.started_at >= review.captured_at then null
            when worst.status is null and not review.is_complete then null
            else coalesce(worst.status, 'operational')
        end as said,
        case
            when measured_from.region is null then 'unknown'
            when slices.started_at < measured_from.starts_at then 'unknown'
            when slices.started_at >= review.record_ends_at then 'unknown'
            when degraded.region is not null then 'degraded'
            else 'ok'
        end as measured
    from slices
    cross join review
    left join worst using (region, started_at)
    left join measured_from using (region)
    left join degraded
        on
            slices.region = degraded.region
            and slices.started_at >= degraded.started_at
            and slices.started_at < degraded.ended_at
    where slices.ended_at is not null
),

stepped as (
    select
        *,
        coalesce(
            said is distinct from lag(said) over region or measured <> lag(measured) over region,
            true
        ) as is_first
    from judged
    window region as (partition by region order by started_at)
),

numbered as (
    select
        *,
        count(*) filter (where is_first) over (
            partition by region
            order by started_at
            rows between unbounded preceding and current row
        ) as interval_no
    from stepped
),

intervals as (
    select
        region,
        min(started_at) as started_at,
        max(ended_at) as ended_at,
        min(said) as said,
        min(measured) as measured,
        arg_min(evidence, (started_at, evidence)) as evidence
    from numbered
    group by region, interval_no
),

shares as (
    select
        intervals.region,
        intervals.started_at,
        sum(
            epoch_us(least(machine_gap.ended_at, intervals.ended_at))
            - epoch_us(greatest(machine_gap.started_hi, intervals.started_at))
        )::double as microseconds
    from intervals
    inner join machines using (region)
    inner join machine_gap
        on
            machines.asset_id = machine_gap.asset_id
            and intervals.ended_at > machine_gap.started_hi
            and intervals.started_at < machine_gap.ended_at
    group by intervals.region, intervals.started_at
)

select
    region,
    intervals.started_at,
    intervals.ended_at,
    intervals.said,
    intervals.measured,
    case
        when intervals.measured <> 'unknown'
            then round(
                coalesce(shares.microseconds, 0)
                / (epoch_us(intervals.ended_at) - epoch_us(intervals.started_at))
                / measured_from.machines,
                6
            )
    end as measured_share,
    case
        when intervals.said is null or intervals.measured = 'unknown' then 'unknown'
        when intervals.said = 'operational' and intervals.measured = 'degraded' then 'over_claim'
        when intervals.measured = 'degraded' then 'agree'
        when intervals.said not in ('operational', 'under_maintenance') then 'under_claim'
        else 'agree'
    end as verdict,
    round(
        (epoch_us(intervals.ended_at) - epoch_us(intervals.started_at)) / 60e6, 6
    ) as duration_minutes,
    coalesce(measured_from.machines, 0) as machines,
    intervals.evidence
from intervals
left join measured_from using (region)
left join shares using (region, started_at)
order by region, intervals.started_at
