-- /// relation
-- id = "maintenance_overrun"
-- title = "Planned windows and announced maintenance against what was done"
-- grain = "One row per registered change with a planned window, and per maintenance of the status page with a scheduled time."
-- reads = ["operation_span", "status_incident", "status_update"]
-- limitations = "A change is held against its actions on record: what was done and not recorded does not show. A maintenance of the page is held against its own posts, which are no record of the work. The schedule that counts is that of the last post before the work began."
-- [columns]
-- source = "`change` register or `status` page."
-- subject = "The change, or the page's own id of the maintenance."
-- title = "Title."
-- window_start = "Planned start."
-- window_end = "Planned end; NULL where not stated."
-- began_at = "First action on record, or first post that says it is in progress; NULL where there is none."
-- ended_at = "Last action on record, or first post that says it is completed; NULL where there is none."
-- early_minutes = "How much earlier than planned it began, in minutes: 0 where it did not; NULL where not known."
-- overrun_minutes = "How much later than planned it ended, in minutes: 0 where it did not; NULL where not known."
-- verdict = "`within`, `outside` or `unknown`; `unknown` too of a change that is not closed and whose window reaches beyond the last action on record."
-- evidence = "The change, or the last post that it rests on."
-- ///
with posts as (
    select
        *,
        pointer(source_id, record_no) as evidence,
        state in ('in_progress', 'verifying') as is_begun,
        state = 'completed' as is_done
    from status_update
    where posted_at is not null
),

begun as (
    select
        incident_id,
        min(posted_at) filter (where is_begun) as began_at,
        min(posted_at) filter (where is_done) as ended_at,
        max_by(evidence, (posted_at, source_id, record_no)) as evidence
    from posts
    group by incident_id
),

-- A later edit of the schedule is no announcement.
scheduled as (
    select
        posts.incident_id,
        posts.scheduled_start_at,
        posts.scheduled_end_at
    from posts
    inner join begun using (incident_id)
    where posts.scheduled_start_at is not null
    qualify row_number() over (
        partition by posts.incident_id
        order by
            coalesce(posts.posted_at <= begun.began_at, true) desc,
            posts.posted_at desc,
            posts.source_id desc,
            posts.record_no desc
    ) = 1
),

planned as (
    select
        'change' as source,
        operation_id as subject,
        title,
        window_start,
        window_end,
        started_at as began_at,
        ended_at,
        -- Of work that goes on, the last action on record is not its end.
        closed_at is null and window_end > max(ended_at) over () as is_open,
        evidence
    from operation_span
    where registered and coalesce(window_start, window_end) is not null
    union all by name
    select
        'status' as source,
        scheduled.incident_id as subject,
        status_incident.title,
        scheduled.scheduled_start_at as window_start,
        scheduled.scheduled_end_at as window_end,
        begun.began_at,
        begun.ended_at,
        begun.evidence
    from scheduled
    inner join begun using (incident_id)
    inner join status_incident using (incident_id)
),

measured as (
    select
        *,
        round((epoch_us(window_start) - epoch_us(began_at)) / 60e6, 6) as early,
        round((epoch_us(ended_at) - epoch_us(window_end)) / 60e6, 6) as late
    from planned
)

select
    source,
    subject,
    title,
    window_start,
    window_end,
    began_at,
    ended_at,
    if(early is null, null, greatest(early, 0)) as early_minutes,
    if(late is null, null, greatest(late, 0)) as overrun_minutes,
    case
        when early > 0 or late > 0 then 'outside'
        when is_open then 'unknown'
        when early <= 0 and late <= 0 then 'within'
        else 'unknown'
    end as verdict,
    evidence
from measured
order by window_start nulls last, source, subject
