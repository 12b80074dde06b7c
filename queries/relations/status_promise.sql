-- /// relation
-- id = "status_promise"
-- title = "Promises of a next update, and whether they were kept"
-- grain = "One row per dated update that names a time, or an interval, for the next one."
-- reads = ["status_text", "status_update"]
-- policy = ["promise_tolerance_minutes"]
-- limitations = "Read from English text by fixed wordings (next update by or in so long, updates daily or every so long). Times of day count only in UTC. A promised interval is judged by the next update alone. Of an edited update, the words of its earliest copy count."
-- [columns]
-- incident_id = "The page's own id of the incident."
-- update_id = "The page's own id of the update."
-- posted_at = "When the promise was posted."
-- promise_kind = "`time`: a next update by a time or within a duration; `interval`: updates at regular intervals."
-- promise = "The words."
-- due_at = "When the next update was due."
-- next_posted_at = "Next update of the same incident; NULL where none is on record."
-- verdict = "`kept` (within the tolerance), `broken`, or `undetermined` where the record ends before, or where the update was edited after the time due and its earlier words are not on record."
-- late_minutes = "Next update after the time due, in minutes; negative where it was early."
-- evidence = "The update."
-- next_evidence = "The next update."
-- edited_before_at = "When the page says that the update was edited, where the earliest copy is from after that: what it promised before is not on record; NULL otherwise."
-- ///
with posts as (
    select
        said.incident_id,
        said.update_id,
        said.state,
        said.body,
        said.evidence,
        said.edited_before_at,
        post.posted_at,
        post.posted_at at time zone 'UTC' as posted_utc,
        lead(post.posted_at) over incident as next_posted_at,
        lead(said.evidence) over incident as next_evidence,
        max(coalesce(post.captured_at, post.posted_at)) over () as record_ends_at
    from status_update as post
    inner join status_text as said
        on
            said.update_evidence = pointer(post.source_id, post.record_no)
            and said.text_no = 1
    window incident as (
        partition by post.incident_id order by post.posted_at, post.source_id, post.record_no
    )
),

worded as (
    select
        *,
        regexp_extract(
            body,
            '(?i)\b(?:(?:next|further|another|additional|more) updates?'
            || '|(?:provide|post|share|give|send)(?: you)?(?: with)?'
            || '(?: an?| another| the next)? updates?'
            || '|update (?:you|again))[^.;\n]{0,40}?'
            || '\b(?:in|within)(?: the(?: next)?(?: (\d{1,3}|two|three|four|six|twelve))?'
            || '| (?:about |approximately )?'
            || '(\d{1,3}|an?|one|two|three|four|six|eight|twelve|thirty|sixty))'
            || '[ -]?(minute|min|hour|hr|day)s?\b',
            ['next_amount', 'amount', 'unit']
        ) as relative,
        regexp_extract(
            body,
            '(?i)\b(?:next|further|another|additional) updates?[^.;\n]{0,40}?'
            || '\b(?:by|at|before|around|on|no later than) '
            || '(?:(\d{1,2})(?:st|nd|rd|th)?'
            || ' (jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*,?'
            || '(?: (\d{4}),?)?(?: at)? )?(\d{1,2}):(\d{2}) ?(?:utc|gmt|z)\b',
            ['day', 'month', 'year', 'hour', 'minute']
        ) as by_time,
        regexp_extract(
            body,
            '(?i)\bupdates?[^.;\n]{0,20}? (?:(daily|hourly)|every '
            || '(?:(\d{1,3}|two|three|four|six|eight|twelve|thirty) )?(minute|hour|day)s?)\b',
            ['adverb', 'amount', 'unit']
        ) as regular,
        regexp_extract(
            body,
            '(?i)(?:(?:next|further|another|additional|more) )?\bupdates?\b[^.;\n]{0,80}'
        ) as promise
    from posts
    where state not in ('resolved', 'completed', 'postmortem')
),

amounts as (
    select
        *,
        case
            when by_time.hour <> '' then 'time'
            when relative.unit <> '' then 'time'
            when regular.adverb <> '' or regular.unit <> '' then 'interval'
        end as promise_kind,
        lower(
            if(relative.unit <> '', relative.next_amount || relative.amount, regular.amount)
        ) as amount,
        case lower(regular.adverb)
            when 'daily' then 'day'
            when 'hourly' then 'hour'
            else lower(if(relative.unit <> '', relative.unit, regular.unit))
        end as unit
    from worded
),

durations as (
    select
        *,
        coalesce(
            try_cast(amount as bigint),
            map {
                'two': 2, 'three': 3, 'four': 4, 'six': 6, 'eight': 8, 'twelve': 12,
                'thirty': 30, 'sixty': 60
            }[amount],
            1
        ) * case
            when unit in ('minute', 'min') then 60
            when unit in ('hour', 'hr') then 3600
            else 86400
        end as seconds,
        try_strptime(
            coalesce(nullif(by_time.day, ''), strftime(posted_utc, '%d'))
            || ' ' || coalesce(nullif(by_time.month, ''), strftime(posted_utc, '%b'))
            || ' ' || coalesce(nullif(by_time.year, ''), strftime(posted_utc, '%Y'))
            || ' ' || by_time.hour || ':' || by_time.minute || ' +00:00',
            '%d %b %Y %H:%M %z'
        )::timestamptz as stated_at
    from amounts
    where promise_kind is not null
),

dated as (
    select
        *,
        case
            when by_time.hour = '' then posted_at + to_seconds(seconds)
            when by_time.day = '' and stated_at < posted_at then stated_at + interval 1 day
            when by_time.year = '' and stated_at < posted_at - interval 180 day
                then stated_at + interval 1 year
            else stated_at
        end as due_at
    from durations
)

select
    incident_id,
    update_id,
    posted_at,
    promise_kind,
    promise,
    due_at,
    next_posted_at,
    case
        when edited_before_at > due_at then 'undetermined'
        when next_posted_at <= due_at + policy_minutes('promise_tolerance_minutes') then 'kept'
        when next_posted_at is not null then 'broken'
        when record_ends_at > due_at + policy_minutes('promise_tolerance_minutes') then 'broken'
        else 'undetermined'
    end as verdict,
    round((epoch_us(next_posted_at) - epoch_us(due_at)) / 60e6, 6) as late_minutes,
    evidence,
    next_evidence,
    edited_before_at
from dated
where due_at is not null
order by posted_at, incident_id, evidence
