-- /// relation
-- id = "status_incident"
-- title = "Incidents and maintenances of the status page"
-- grain = "One row per incident or maintenance with a dated update."
-- reads = ["case_info", "onset", "status_region", "status_update"]
-- [columns]
-- incident_id = "The page's own id."
-- kind = "incident or maintenance; `incident` where not stated."
-- title = "Title in its last update."
-- impact = "Impact as the page rates it in its last update."
-- first_posted_at = "First post."
-- first_lo = "Earliest instant that this can mean."
-- first_hi = "Latest instant that this can mean."
-- last_posted_at = "Last post."
-- updates = "Dated updates."
-- resolved_at = "Post from which on every update says resolved, completed or postmortem; NULL while there is none."
-- regions = "Regions that its updates name."
-- in_review = "Whether it is an incident that was posted within the window and, where the telemetry shows an onset, in the main episode of the case."
-- evidence = "Its first post."
-- last_evidence = "Its last post."
-- ///
with posts as (
    select
        *,
        coalesce(kind, 'incident') as page_kind,
        pointer(source_id, record_no) as evidence,
        state in ('resolved', 'completed', 'postmortem') as is_closing,
        row_number() over (
            partition by incident_id order by posted_at, source_id, record_no
        ) as post_no
    from status_update
    where posted_at is not null
),

closing as (
    select
        incident_id,
        coalesce(max(post_no) filter (where not is_closing), 0) as last_open_no
    from posts
    group by incident_id
),

incidents as (
    select
        posts.incident_id,
        min(posts.page_kind) as kind,
        arg_max(posts.title, posts.post_no) as title,
        arg_max(posts.impact, posts.post_no) as impact,
        min(posts.posted_at) as first_posted_at,
        arg_min(posts.posted_lo, posts.post_no) as first_lo,
        arg_min(posts.posted_hi, posts.post_no) as first_hi,
        max(posts.posted_at) as last_posted_at,
        count(*) as updates,
        min(posts.posted_at) filter (where posts.post_no > closing.last_open_no) as resolved_at,
        arg_min(posts.evidence, posts.post_no) as evidence,
        arg_max(posts.evidence, posts.post_no) as last_evidence
    from posts
    inner join closing using (incident_id)
    group by posts.incident_id
),

regions as (
    select
        incident_id,
        list_sort(list(distinct region)) as regions
    from status_region
    where region is not null
    group by incident_id
),

episode as (
    select
        onset_lo,
        ended_at
    from onset
    where scope_kind = 'all' and main
)

select
    incidents.incident_id,
    incidents.kind,
    incidents.title,
    incidents.impact,
    incidents.first_posted_at,
    incidents.first_lo,
    incidents.first_hi,
    incidents.last_posted_at,
    incidents.updates,
    incidents.resolved_at,
    regions.regions,
    (
        incidents.kind = 'incident'
        and coalesce(incidents.first_posted_at <= case_info.window_end, true)
        and coalesce(incidents.last_posted_at >= case_info.window_start, true)
        and coalesce(incidents.first_hi >= episode.onset_lo, true)
        and coalesce(incidents.first_lo <= episode.ended_at, true)
    ) as in_review,
    incidents.evidence,
    incidents.last_evidence
from incidents
cross join case_info
left join episode on true
left join regions using (incident_id)
order by incidents.first_posted_at, incidents.incident_id
