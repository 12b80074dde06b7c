-- /// relation
-- id = "communication"
-- title = "How the incident was communicated"
-- grain = "One row per metric and scope. Without a dated update on record there is no row."
-- reads = ["disclosure", "incident_phase", "onset", "status_accuracy", "status_incident", "status_promise", "status_region", "status_text", "status_update"]
-- policy = ["promise_tolerance_minutes", "status_first_post_minutes"]
-- limitations = "Covers the incidents that are in review (status_incident.in_review). Updates whose time is not on record do not count."
-- [columns]
-- metric = "`time_to_first_post`, `posts`, `gap_median`, `gap_p90`, `gap_max` (between posts while the page had the incident open: an interval that begins with a closing post does not count, and from the last post to the capture of the page where it is open), `promises_made`, `promises_kept`, `promises_broken`, `interval_promises_made`, `interval_promises_kept`, `retroactive_edits`, `premature_resolved` (posts that say resolved and are taken back by a later one, or made while machines are measured in a gap), `scope_overlap` (regions named and measured over regions named or measured), `over_claim`, `under_claim`, `time_from_detection` (to the first post), `gap_share_over_30_min`, `gap_share_over_4_h`, `gap_share_over_24_h` (share of the time in which the page had it open), `items_disclosed`, `final_statement` (from the closing post to one of the state postmortem)."
-- value = "Value of the metric; NULL where it cannot be told, see detail."
-- unit = "`min`, `posts`, `promises`, `items` or `share`."
-- scope = "`all` incidents in review, or a region."
-- detail = "What the value rests on, in one sentence."
-- evidence = "The updates that it rests on."
-- value_lo = "Least value that the evidence allows, for times from the onset and for claims."
-- value_hi = "Greatest value that the evidence allows, for the same; NULL where nothing bounds it."
-- edited_from = "When the page made the post that may have said it first, where that was edited later and its earlier wording is not on record; NULL otherwise."
-- ///
with edited as (
    select distinct update_evidence
    from status_text
    where text_no > 1
),

posts as (
    select
        status_update.*,
        status_incident.resolved_at,
        pointer(status_update.source_id, status_update.record_no) as evidence,
        lead(status_update.posted_at) over incident as next_posted_at,
        coalesce(status_update.edited_at > status_update.posted_hi, false)
        or edited.update_evidence is not null as is_edited
    from status_update
    inner join status_incident using (incident_id)
    left join edited
        on pointer(status_update.source_id, status_update.record_no) = edited.update_evidence
    where status_update.posted_at is not null and status_incident.in_review
    window incident as (
        partition by status_update.incident_id
        order by status_update.posted_at, status_update.source_id, status_update.record_no
    )
),

counted as (
    select
        'all' as scope,
        count(posts.evidence) as posts,
        list(posts.evidence order by posts.posted_at, posts.evidence) filter (
            where posts.evidence is not null
        ) as post_evidence,
        count(*) filter (where posts.is_edited) as edits,
        count(*) filter (where posts.edited_at is not null or posts.is_edited) as edits_known,
        list(posts.evidence order by posts.posted_at, posts.evidence) filter (
            where posts.is_edited
        ) as edit_evidence
    from (select count(*) as incidents from status_incident) as page
    left join posts on true
    where page.incidents > 0
    group by page.incidents
),

-- Intervals in which the page had the incident open: what follows a closing post, until a later
-- one takes the incident up again, is none.
silences as (
    select
        evidence,
        (epoch_us(coalesce(next_posted_at, captured_at)) - epoch_us(posted_at)) / 60e6 as minutes,
        next_posted_at is null as is_last
    from posts
    where
        (resolved_at is null or posted_at < resolved_at)
        and not coalesce(state in ('resolved', 'completed', 'postmortem'), false)
        and coalesce(next_posted_at, captured_at) is not null
),

silent as (
    select
        'all' as scope,
        count(*) as gaps,
        count(*) || if(count(*) = 1, ' interval', ' intervals')
        || ' between posts while the page had it open'
        || if(bool_or(is_last), ', the last up to the capture of the page', '') as told,
        round(median(minutes), 6) as gap_median,
        -- Of fewer, it would lie between the two longest, where no interval was.
        if(count(*) >= 10, round(quantile_cont(minutes, 0.9), 6), null) as gap_p90,
        round(max(minutes), 6) as gap_max,
        arg_max(evidence, (minutes, evidence)) as longest
    from silences
    having count(*) > 0
),

judged as (
    select
        status_promise.*,
        row_number() over (
            order by status_promise.posted_at, status_promise.evidence
        ) as promise_no
    from status_promise
    inner join status_incident using (incident_id)
    where status_incident.in_review
),

promised as (
    select
        promise_kind,
        count(*) as made,
        count(*) filter (where verdict = 'kept') as kept,
        count(*) filter (where verdict = 'broken') as broken,
        list(evidence order by promise_no) as made_evidence,
        list(evidence order by promise_no) filter (where verdict = 'kept') as kept_evidence,
        list(evidence order by promise_no) filter (where verdict = 'broken') as broken_evidence
    from judged
    group by promise_kind
),

promises as (
    select
        counted.scope,
        kinds.promise_kind,
        coalesce(promised.made, 0) as made,
        coalesce(promised.kept, 0) as kept,
        coalesce(promised.broken, 0) as broken,
        promised.made_evidence,
        promised.kept_evidence,
        promised.broken_evidence
    from counted
    cross join (values ('time'), ('interval')) as kinds (promise_kind)
    left join promised using (promise_kind)
),

-- A closing post that a later post takes back, or that comes while machines are still without
-- protection.
premature as (
    select
        posts.incident_id,
        posts.posted_at,
        posts.evidence,
        bool_or(later.incident_id is not null) as is_taken_back,
        bool_or(onset.scope is not null) as is_contradicted
    from posts
    left join posts as later
        on
            posts.incident_id = later.incident_id
            and posts.posted_at < later.posted_at
            and later.state in ('investigating', 'identified', 'monitoring')
    left join onset
        on
            posts.posted_at >= onset.onset_hi
            and coalesce(posts.posted_at < onset.ended_at, true)
            and onset.scope_kind = 'all'
            and onset.main
    where
        posts.state = 'resolved'
        and (later.incident_id is not null or onset.scope is not null)
    group by posts.incident_id, posts.posted_at, posts.evidence
),

prematurely as (
    select
        counted.scope,
        count(premature.evidence) as premature,
        count(*) filter (where premature.is_taken_back) as taken_back,
        count(*) filter (where premature.is_contradicted) as contradicted,
        list(premature.evidence order by premature.posted_at, premature.evidence) filter (
            where premature.evidence is not null
        ) as evidence
    from counted
    left join premature on true
    group by counted.scope
),

-- When each scope was first spoken of.
spoken as (
    select
        'all' as scope_kind,
        'all' as scope,
        posted_at,
        posted_lo,
        posted_hi,
        posted_hi as made_hi,
        null::timestamptz as edited_from,
        evidence
    from posts
    union all
    -- What a post named before it was edited is not on record.
    select
        'region' as scope_kind,
        status_region.region as scope,
        coalesce(status_region.edited_before_at, status_region.posted_at) as posted_at,
        status_region.posted_lo,
        coalesce(status_region.edited_before_at, status_region.posted_hi) as posted_hi,
        status_region.posted_hi as made_hi,
        if(status_region.edited_before_at is null, null, status_region.posted_lo) as edited_from,
        status_region.evidence
    from status_region
    inner join status_incident using (incident_id)
    where
        status_incident.in_review
        and status_region.posted_at is not null
        and status_region.region is not null
),

first_posts as (
    select
        onset.scope,
        onset.onset_at,
        onset.onset_lo,
        onset.onset_hi,
        spoken.posted_at,
        min(spoken.posted_lo) over one_scope as posted_lo,
        spoken.posted_hi,
        spoken.evidence,
        min(spoken.edited_from) over one_scope as edited_from,
        coalesce(min(spoken.edited_from) over one_scope < spoken.posted_at, false)
            as surely_later
    from onset
    left join spoken
        on
            onset.scope_kind = spoken.scope_kind
            and onset.scope = spoken.scope
            and onset.onset_lo <= spoken.made_hi
    where
        onset.main
        and onset.scope_kind in ('all', 'region')
        and exists (select 1 as one from status_incident)
    window one_scope as (partition by onset.scope_kind, onset.scope)
    qualify row_number() over (
        partition by onset.scope_kind, onset.scope order by spoken.posted_at, spoken.evidence
    ) = 1
),

named_regions as (
    select list_sort(list(distinct status_region.region)) as regions
    from status_region
    inner join status_incident using (incident_id)
    where status_incident.in_review and status_region.region is not null
),

measured_regions as (
    select list_sort(list(distinct scope)) as regions
    from onset
    where scope_kind = 'region' and main
),

watched as (
    select count(*) > 0 as is_measured
    from status_accuracy
    where measured <> 'unknown'
),

detected as (
    select
        incident_phase.started_at,
        incident_phase.started_lo,
        incident_phase.started_hi,
        incident_phase.evidence,
        incident_phase.basis
    from incident_phase
    where scope = 'all' and phase = 'detection'
),

opened as (
    select
        posted_at,
        posted_lo,
        posted_hi,
        evidence
    from posts
    qualify row_number() over (order by posted_at, evidence) = 1
),

told as (
    select
        count(*) as due,
        count(*) filter (where status = 'explicit') as explicit,
        count(*) filter (where status = 'partial') as partly,
        list(distinct evidence order by evidence) filter (where status = 'explicit') as evidence
    from disclosure
    where is_due
    having count(*) > 0
),

final as (
    select
        max(posts.resolved_at) as resolved_at,
        min(posts.posted_at) filter (where posts.state = 'postmortem') as stated_at,
        arg_min(posts.evidence, (posts.posted_at, posts.evidence)) filter (
            where posts.state = 'postmortem'
        ) as evidence
    from posts
    having bool_and(posts.resolved_at is not null)
),

-- What is decided is the least; what the evidence does not decide can come on top of it.
claims as (
    select
        status_accuracy.region,
        claim.verdict,
        coalesce(
            sum(status_accuracy.duration_minutes) filter (
                where status_accuracy.verdict = claim.verdict
            ),
            0
        ) as minutes,
        sum(status_accuracy.duration_minutes) filter (
            where status_accuracy.verdict = claim.verdict
            or list_contains(status_accuracy.can_be, claim.verdict)
        ) as most_minutes,
        bool_or(
            status_accuracy.can_have_said is null
            and status_accuracy.measured = if(claim.verdict = 'over_claim', 'degraded', 'ok')
        ) as is_open,
        bool_or(
            len(status_accuracy.can_have_said) > 1
            and list_contains(status_accuracy.can_be, claim.verdict)
        ) as is_edited,
        list(status_accuracy.evidence order by status_accuracy.started_at) filter (
            where status_accuracy.evidence is not null
            and status_accuracy.verdict = claim.verdict
        ) as evidence
    from status_accuracy
    cross join (values ('over_claim'), ('under_claim')) as claim (verdict)
    group by status_accuracy.region, claim.verdict
    having most_minutes > 0
),

metrics as (
    select
        'time_to_first_post' as metric,
        1 as metric_no,
        (epoch_us(posted_at) - epoch_us(onset_at)) / 60e6 as value,
        'min' as unit,
        scope,
        case
            when posted_at is null then 'No post on record at or after the onset.'
            else
                'Onset ' || utc(onset_at) || ' (best estimate), first post '
                || if(surely_later, 'that surely names the region ', '')
                || utc(posted_at)
                || '; expected within ' || policy_number('status_first_post_minutes')::integer
                || ' min.' || if(
                    surely_later,
                    ' The post of ' || utc(edited_from) || ' that names it was edited later, and'
                    || ' its earlier wording is not on record.',
                    ''
                )
        end as detail,
        if(evidence is null, null, [evidence]) as evidence,
        (epoch_us(posted_lo) - epoch_us(onset_hi)) / 60e6 as value_lo,
        (epoch_us(posted_hi) - epoch_us(onset_lo)) / 60e6 as value_hi,
        if(surely_later, edited_from, null) as edited_from
    from first_posts
    union all by name
    select
        'time_to_first_post' as metric,
        1 as metric_no,
        'min' as unit,
        'all' as scope,
        'No onset is on record: there is no telemetry, or it shows none.' as detail
    from counted
    where scope = 'all' and not exists (select 1 as one from first_posts)
    union all by name
    select
        'posts' as metric,
        2 as metric_no,
        posts as value,
        'posts' as unit,
        scope,
        'Dated updates of incidents in review.' as detail,
        post_evidence as evidence
    from counted
    union all by name
    select
        'gap_median' as metric,
        3 as metric_no,
        gap_median as value,
        'min' as unit,
        scope,
        'Median of ' || told || '.' as detail
    from silent
    union all by name
    select
        'gap_p90' as metric,
        4 as metric_no,
        gap_p90 as value,
        'min' as unit,
        scope,
        if(
            gap_p90 is null,
            'Given from 10 intervals on; there ' || if(gaps = 1, 'is ', 'are ') || told || '.',
            'Of ' || told || '; interpolated.'
        ) as detail
    from silent
    union all by name
    select
        'gap_max' as metric,
        5 as metric_no,
        gap_max as value,
        'min' as unit,
        scope,
        'Longest of ' || told || '; from the post cited.' as detail,
        [longest] as evidence
    from silent
    union all by name
    select
        if(promise_kind = 'time', 'promises_made', 'interval_promises_made') as metric,
        if(promise_kind = 'time', 6, 9) as metric_no,
        made as value,
        'promises' as unit,
        scope,
        if(
            promise_kind = 'time',
            'Updates that name the time of the next one.',
            'Updates that promise updates at an interval.'
        ) as detail,
        made_evidence as evidence
    from promises
    union all by name
    select
        if(promise_kind = 'time', 'promises_kept', 'interval_promises_kept') as metric,
        if(promise_kind = 'time', 7, 10) as metric_no,
        kept as value,
        'promises' as unit,
        scope,
        'Next update at most ' || policy_number('promise_tolerance_minutes')::integer
        || ' min after it was due; ' || made - kept - broken || ' not decided.' as detail,
        kept_evidence as evidence
    from promises
    union all by name
    select
        'promises_broken' as metric,
        8 as metric_no,
        broken as value,
        'promises' as unit,
        scope,
        'Next update later than that, or none although the record goes on.' as detail,
        broken_evidence as evidence
    from promises
    where promise_kind = 'time'
    union all by name
    select
        'retroactive_edits' as metric,
        11 as metric_no,
        if(edits_known = 0, null, edits) as value,
        'posts' as unit,
        scope,
        if(
            edits_known = 0,
            'No update states when it was last edited.',
            'Updates that the page says were edited after posting, or that copies word differently.'
        ) as detail,
        edit_evidence as evidence
    from counted
    union all by name
    select
        'premature_resolved' as metric,
        12 as metric_no,
        premature as value,
        'posts' as unit,
        scope,
        'Updates that say resolved: ' || taken_back || ' taken back by a later one, '
        || if(
            contradicted > 0 or watched.is_measured,
            contradicted || ' made while machines are measured in a gap.',
            'and nothing was measured that could contradict one.'
        ) as detail,
        evidence
    from prematurely
    cross join watched
    union all by name
    select
        'scope_overlap' as metric,
        13 as metric_no,
        if(
            watched.is_measured,
            len(list_intersect(named.regions, measured.regions))
            / len(list_distinct(list_concat(named.regions, measured.regions))),
            null
        ) as value,
        'share' as unit,
        'all' as scope,
        'Named: ' || coalesce(array_to_string(named.regions, ', '), 'no region')
        || case
            when watched.is_measured
                then
                    '; measured: '
                    || coalesce(array_to_string(measured.regions, ', '), 'no region')
            else '; nothing was measured'
        end
        || '.' as detail
    from named_regions as named
    cross join measured_regions as measured
    cross join watched
    where exists (select 1 as one from status_incident)
    union all by name
    select
        verdict as metric,
        if(verdict = 'over_claim', 14, 15) as metric_no,
        minutes as value,
        'min' as unit,
        region as scope,
        if(
            verdict = 'over_claim',
            'The page said operational while the region was measured as degraded',
            'The page said impaired while the region was measured as ok'
        )
        || case
            when is_edited and is_open
                then
                    '; at least, since an update was edited later and its earlier wording is not on'
                    || ' record, and since what the page said is not known throughout'
            when is_open then '; at least, since what the page said is not known throughout'
            when is_edited
                then
                    '; at least, since an update was edited later and its earlier wording is not on'
                    || ' record'
            when most_minutes > minutes
                then '; at least, since it is open when in its interval the onset came'
            else ''
        end || '.' as detail,
        evidence,
        minutes as value_lo,
        if(is_open, null, most_minutes) as value_hi
    from claims
    union all by name
    select
        'time_from_detection' as metric,
        16 as metric_no,
        (epoch_us(opened.posted_at) - epoch_us(detected.started_at)) / 60e6 as value,
        'min' as unit,
        'all' as scope,
        coalesce(detected.basis, 'No detection is on record.') as detail,
        if(
            detected.started_at is null,
            null,
            list_filter(
                [detected.evidence, opened.evidence], lambda cited: cited is not null
            )
        ) as evidence,
        (epoch_us(opened.posted_lo) - epoch_us(detected.started_hi)) / 60e6 as value_lo,
        (epoch_us(opened.posted_hi) - epoch_us(detected.started_lo)) / 60e6 as value_hi
    from opened
    left join detected on true
    union all by name
    select
        'gap_share_over_' || band.name as metric,
        band.metric_no,
        coalesce(sum(silences.minutes) filter (where silences.minutes > band.minutes), 0)
        / sum(silences.minutes) as value,
        'share' as unit,
        'all' as scope,
        'Share, in longer intervals between posts, of the time in which the page had it open'
        || if(bool_or(silences.is_last), ', up to the capture of the page.', '.') as detail,
        list(silences.evidence order by silences.evidence) filter (
            where silences.minutes > band.minutes
        ) as evidence
    from silences
    cross join (
        values ('30_min', 30, 17), ('4_h', 240, 18), ('24_h', 1440, 19)
    ) as band (name, minutes, metric_no)
    group by band.name, band.metric_no, band.minutes
    having sum(silences.minutes) > 0
    union all by name
    select
        'items_disclosed' as metric,
        20 as metric_no,
        explicit as value,
        'items' as unit,
        'all' as scope,
        'Of ' || due || ' items due, ' || partly || ' more in part; found by fixed wordings.'
            as detail,
        evidence
    from told
    union all by name
    select
        'final_statement' as metric,
        21 as metric_no,
        (epoch_us(stated_at) - epoch_us(resolved_at)) / 60e6 as value,
        'min' as unit,
        'all' as scope,
        if(
            stated_at is null,
            'No post of the state postmortem is on record.',
            'From the closing post to the first of the state postmortem.'
        ) as detail,
        if(evidence is null, null, [evidence]) as evidence
    from final
)

select
    metric,
    round(value, 6) as value,
    unit,
    scope,
    detail,
    coalesce(evidence, []) as evidence,
    round(value_lo, 6) as value_lo,
    round(value_hi, 6) as value_hi,
    edited_from
from metrics
order by metric_no, scope <> 'all', scope
