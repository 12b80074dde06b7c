-- /// relation
-- id = "status_accuracy"
-- title = "What the status page said of a region, against what was measured"
-- grain = "One row per region and interval in which both were constant. Without a dated update on record there is no row."
-- reads = ["case_info", "known_asset", "machine_gap", "onset", "replication_run", "source", "status_region", "status_update"]
-- limitations = "Before its first post the page said operational, unless its export is known to be cut short. Where an update names no status, the incident's impact stands for it, and an open incident without either counts as degraded performance; where a closing update names no component, those that the incident named before are taken as operational. What the page said after its last capture is not known. A scheduled maintenance says nothing before it begins. Where an update was edited before the earliest copy on record, what it named at first is not known: until the edit, or a later update that says it anew, the page can have shown that or what it showed before."
-- [columns]
-- region = "The region; `all` where the page names no region."
-- started_at = "Start of the interval."
-- ended_at = "End of the interval."
-- said = "Worst status that the page showed for the region; NULL where that is not known."
-- measured = "`degraded` while at least the degraded share of the machines was in a gap, `ok`, or `unknown`: outside of the telemetry, and while it is open whether the onset had come."
-- measured_share = "Mean share of the region's machines in a gap over the interval; NULL where unknown."
-- verdict = "`agree`, `over_claim` (said operational while degraded), `under_claim` (said impaired while ok) or `unknown`; maintenance agrees with either. Where all that the page can have shown comes to the same, it is decided."
-- duration_minutes = "Length of the interval, in minutes."
-- machines = "Machines of the region with telemetry."
-- evidence = "The update that set what was said, by the wording on record; NULL before the first."
-- can_have_said = "The statuses that the page can have shown, by gravity; one of them where it is known, NULL where nothing tells."
-- can_be = "The verdicts that the evidence allows where it does not decide; NULL where it does, and outside of the telemetry."
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
        coalesce(status_region.component_status, posts.implied_status) as status,
        coalesce(status_region.edited_before_at, posts.posted_at) as sure_at
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
        posts.implied_status as status,
        posts.posted_at as sure_at
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
        posts.implied_status as status,
        posts.posted_at as sure_at
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

-- A statement stands until a later one of the same subject surely does; it is sure from its edit on.
said as (
    select
        coalesce(statements.region, 'all') as region,
        statements.subject,
        statements.status,
        statements.posted_at,
        statements.sure_at,
        statements.evidence,
        list_position(
            [
                'operational', 'under_maintenance', 'degraded_performance', 'partial_outage',
                'major_outage',
            ],
            statements.status
        ) as gravity,
        min(statements.sure_at) over (
            partition by statements.region, statements.subject
            order by statements.posted_at, statements.source_id, statements.record_no
            rows between 1 following and unbounded following
        ) as until_at
    from statements
    cross join page
    where statements.region is not null or not page.has_regions
),

degraded as (
    select
        onset.scope as region,
        onset.onset_lo as can_start_at,
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
        unnest([posted_at, sure_at, until_at]) as instant
    from said
    union
    select
        region,
        unnest([can_start_at, started_at, ended_at]) as instant
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

standing as (
    select
        slices.region,
        slices.started_at,
        said.subject,
        min(said.gravity) as least,
        max(said.gravity) as greatest,
        list(distinct said.gravity) as gravities,
        -- Before the first sure statement of it, the page need not have shown the subject.
        bool_or(slices.started_at >= said.sure_at) as is_sure,
        arg_max(said.gravity, (said.posted_at, said.evidence)) as gravity,
        arg_max(said.posted_at, (said.posted_at, said.evidence)) as posted_at,
        arg_max(said.evidence, (said.posted_at, said.evidence)) as evidence
    from slices
    inner join said
        on
            slices.region = said.region
            and slices.started_at >= said.posted_at
            and coalesce(slices.started_at < said.until_at, true)
    group by slices.region, slices.started_at, said.subject
),

-- The worst of its subjects speaks for a region: the mildest and the gravest that this can be.
worst as (
    select
        region,
        started_at,
        max(if(is_sure, least, null)) as surely_least,
        max(greatest) as greatest,
        flatten(list(gravities)) as gravities,
        arg_max(evidence, (gravity, posted_at, evidence)) as evidence
    from standing
    group by region, started_at
),

shown as (
    select
        slices.region,
        slices.started_at,
        slices.ended_at,
        worst.evidence,
        case
            when slices.started_at >= review.captured_at then null
            when worst.greatest is null and not review.is_complete then null
            when worst.surely_least is null and not review.is_complete then null
            else
                list_sort(list_distinct(list_filter(
                    list_append(
                        list_append(
                            coalesce(worst.gravities, []), coalesce(worst.surely_least, 1)
                        ),
                        coalesce(worst.greatest, 1)
                    ),
                    lambda gravity: gravity between coalesce(worst.surely_least, 1)
                    and coalesce(worst.greatest, 1)
                )))
        end as gravities
    from slices
    cross join review
    left join worst using (region, started_at)
    where slices.ended_at is not null
),

-- Slices that can lie in an episode, and whether they surely do.
stood as (
    select
        slices.region,
        slices.started_at,
        bool_or(slices.started_at >= degraded.started_at) as is_sure
    from slices
    inner join degraded
        on
            slices.region = degraded.region
            and slices.started_at >= degraded.can_start_at
            and slices.started_at < degraded.ended_at
    group by slices.region, slices.started_at
),

judged as (
    select
        shown.region,
        shown.started_at,
        shown.ended_at,
        shown.evidence,
        list_transform(
            shown.gravities,
            lambda gravity: [
                'operational', 'under_maintenance', 'degraded_performance', 'partial_outage',
                'major_outage',
            ][gravity]
        ) as can_have_said,
        case
            when measured_from.region is null then null
            when shown.started_at < measured_from.starts_at then null
            when shown.started_at >= review.record_ends_at then null
            when stood.region is null then ['ok']
            when stood.is_sure then ['degraded']
            else ['degraded', 'ok']
        end as can_have_been
    from shown
    cross join review
    left join measured_from using (region)
    left join stood using (region, started_at)
),

stepped as (
    select
        *,
        coalesce(
            can_have_said is distinct from lag(can_have_said) over region
            or can_have_been is distinct from lag(can_have_been) over region
            or lag(started_at) over region is null,
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
        any_value(can_have_said) as can_have_said,
        any_value(can_have_been) as can_have_been,
        case
            when len(any_value(can_have_been)) = 1 then any_value(can_have_been)[1]
            else 'unknown'
        end as measured,
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
),

allowed as (
    select
        intervals.region,
        intervals.started_at,
        list_sort(list(distinct case
            when pages.said = 'operational' and machines.measured = 'degraded' then 'over_claim'
            when machines.measured = 'degraded' then 'agree'
            when pages.said not in ('operational', 'under_maintenance') then 'under_claim'
            else 'agree'
        end)) as verdicts
    from intervals
    cross join unnest(intervals.can_have_said) as pages (said)
    cross join unnest(intervals.can_have_been) as machines (measured)
    group by intervals.region, intervals.started_at
)

select
    region,
    intervals.started_at,
    intervals.ended_at,
    if(len(intervals.can_have_said) = 1, intervals.can_have_said[1], null) as said,
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
    if(len(allowed.verdicts) = 1, allowed.verdicts[1], 'unknown') as verdict,
    round(
        (epoch_us(intervals.ended_at) - epoch_us(intervals.started_at)) / 60e6, 6
    ) as duration_minutes,
    coalesce(measured_from.machines, 0) as machines,
    intervals.evidence,
    intervals.can_have_said,
    if(len(allowed.verdicts) > 1, allowed.verdicts, null) as can_be
from intervals
left join measured_from using (region)
left join shares using (region, started_at)
left join allowed using (region, started_at)
order by region, intervals.started_at
