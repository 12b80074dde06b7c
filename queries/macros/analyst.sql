-- Questions that come up again and again, made when every relation stands. No relation, rule or
-- report reads them; they run in a DuckDB shell as they do in `postmortem sql`.

-- Whether two intervals can share an instant.
create or replace macro overlap(a_lo, a_hi, b_lo, b_hi) as (
    a_lo <= b_hi and b_lo <= a_hi
);

-- Whether one event is over before the other begins, whatever the uncertainty of both.
create or replace macro surely_before(a_hi, b_lo) as (
    a_hi < b_lo
);

-- The events of the timeline that can lie between two instants.
create or replace macro between_times(first_at, last_at) as table
    select *
    from timeline
    where
        coalesce(occurred_hi, occurred_at) >= first_at::timestamptz
        and coalesce(occurred_lo, occurred_at) <= last_at::timestamptz
    order by event_no;

-- The events that can lie within a span of a cited record, that one included; `apart` is how far
-- away the best estimate lies.
create or replace macro around(event, span) as table
    with mark as (
        select
            min(coalesce(occurred_lo, occurred_at)) as mark_lo,
            max(coalesce(occurred_hi, occurred_at)) as mark_hi,
            min(occurred_at) as mark_at
        from timeline
        where evidence = event::varchar
    )

    select
        timeline.occurred_at - mark.mark_at as apart,
        timeline.*
    from timeline
    cross join mark
    where
        coalesce(occurred_hi, occurred_at) >= mark_lo - span::interval
        and coalesce(occurred_lo, occurred_at) <= mark_hi + span::interval
    order by event_no;

-- What the status page said of every incident at an instant: the last update that was posted by
-- then. Its words are those of the last copy that was taken by then; where there is none, of the
-- first copy taken later, and `may_be_edited` says that they may have changed in between.
create or replace macro as_seen_at(seen_at) as table
    with copy as (
        select
            *,
            coalesce(update_id, posted_at::varchar) as update_key,
            coalesce(captured_at > seen_at::timestamptz, true) as is_later
        from evidence.status_update
        where posted_at <= seen_at::timestamptz
    ),

    known as (
        select *
        from copy
        qualify
            row_number() over (
                partition by incident_id, update_key
                order by
                    is_later asc,
                    if(is_later, null, captured_at) desc nulls last,
                    captured_at asc nulls last,
                    source_id asc,
                    record_no asc
            ) = 1
    ),

    latest as (
        select *
        from known
        qualify
            row_number() over (
                partition by incident_id
                order by posted_at desc, source_id desc, record_no desc
            ) = 1
    )

    select
        incident_id,
        title,
        state,
        impact,
        body,
        posted_at,
        captured_at,
        is_later as may_be_edited,
        pointer(source_id, record_no) as evidence
    from latest
    order by posted_at, incident_id;
