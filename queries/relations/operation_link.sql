-- /// relation
-- id = "operation_link"
-- title = "Which operation each maintenance event belongs to"
-- grain = "One row per maintenance event that belongs to an operation."
-- reads = ["change", "maintenance_event"]
-- policy = ["read_only_actions", "session_gap_minutes"]
-- limitations = "Read-only events that nothing ties to an operation have no row."
-- [columns]
-- operation_id = "Change number, or session: with session or actor@host and first UTC stamp."
-- change_id = "Change that the event is tied to; NULL in a session without a change."
-- source_id = "Source of the event."
-- record_no = "Record of the event in its source."
-- basis = "explicit: stated, or in a session of its own; else inferred: window_and_target, session."
-- ///
with event as (
    select
        source_id,
        record_no,
        occurred_at,
        session_id,
        change_id,
        coalesce(occurred_lo, occurred_at) as occurred_lo,
        coalesce(occurred_hi, occurred_at) as occurred_hi,
        greatest(occurred_at, coalesce(ended_at, occurred_at)) as done_at,
        nullif(lower(trim(target)), '') as target,
        coalesce(
            session_id, coalesce(actor, 'unknown') || '@' || coalesce(host, 'unknown')
        ) as session_key,
        list_contains(policy_list('read_only_actions'), lower(trim(action))) as is_read_only
    from maintenance_event
),

in_scope as (
    select distinct
        change_id,
        window_start,
        coalesce(window_end, closed_at) as window_end,
        unnest(list_transform(
            string_split(targets, ';'), lambda target: lower(trim(target))
        )) as target
    from change
),

-- In the window of a change and on one of its targets; where several changes fit, none is taken.
by_window as (
    select
        event.source_id,
        event.record_no,
        min(in_scope.change_id) as change_id
    from event
    inner join in_scope
        on
            event.target = in_scope.target
            and event.occurred_lo >= in_scope.window_start
            and event.occurred_hi <= in_scope.window_end
    where event.change_id is null
    group by event.source_id, event.record_no
    having count(distinct in_scope.change_id) = 1
),

-- Ids of sessions come back: one ties an event to a change only near the time of that change.
by_session as (
    select
        event.session_id,
        min(event.change_id) as change_id,
        least(min(event.occurred_lo), min(change.window_start))
        - policy_minutes('session_gap_minutes') as from_at,
        greatest(max(event.occurred_hi), max(change.window_end))
        + policy_minutes('session_gap_minutes') as to_at
    from event
    left join change on event.change_id = change.change_id
    where event.session_id is not null and event.change_id is not null
    group by event.session_id
    having count(distinct event.change_id) = 1
),

placed as (
    select
        event.*,
        coalesce(event.change_id, by_window.change_id, by_session.change_id) as operation_id,
        case
            when event.change_id is not null then 'explicit'
            when by_window.change_id is not null then 'window_and_target'
            when by_session.change_id is not null then 'session'
        end as basis
    from event
    left join by_window
        on event.source_id = by_window.source_id and event.record_no = by_window.record_no
    left join by_session
        on
            event.session_id = by_session.session_id
            and event.occurred_at between by_session.from_at and by_session.to_at
),

-- A change that is not registered is an operation only where something was done under it.
acted_on as (
    select change_id as operation_id from change
    union
    select operation_id
    from placed
    where not is_read_only
),

under_change as (
    select placed.*
    from placed
    semi join acted_on on placed.operation_id = acted_on.operation_id
),

unplaced as (
    select
        *,
        session_id is not null as is_named,
        case when session_id is null then occurred_at else 'infinity' end as reach_at
    from placed
    where operation_id is null
),

-- What was done outside of every change falls into sessions; a long pause ends one that has no
-- name of its own.
paused as (
    select
        *,
        not is_named
        and occurred_at - max(done_at) over before_it > policy_minutes('session_gap_minutes')
            as is_start
    from unplaced
    where not is_read_only
    window before_it as (
        partition by is_named, session_key order by occurred_at, source_id, record_no
        rows between unbounded preceding and 1 preceding
    )
),

numbered as (
    select
        *,
        count(*) filter (is_start) over (
            partition by is_named, session_key order by occurred_at, source_id, record_no
        ) as session_no
    from paused
),

session as (
    select
        is_named,
        session_key,
        session_no,
        min(occurred_at) as started_at,
        max(done_at) as ended_at,
        'session:' || session_key || ':'
        || strftime(min(occurred_at) at time zone 'UTC', '%Y%m%dT%H%M%SZ') as operation_id
    from numbered
    group by is_named, session_key, session_no
),

in_session as (
    select
        session.operation_id,
        numbered.source_id,
        numbered.record_no
    from numbered
    inner join session
        on
            numbered.is_named = session.is_named
            and numbered.session_key = session.session_key
            and numbered.session_no = session.session_no
    union all
    select
        session.operation_id,
        unplaced.source_id,
        unplaced.record_no
    from unplaced
    asof inner join session
        on
            unplaced.is_named = session.is_named
            and unplaced.session_key = session.session_key
            and unplaced.reach_at >= session.started_at
    where
        unplaced.is_read_only
        and (unplaced.is_named or unplaced.occurred_at <= session.ended_at)
)

select
    operation_id,
    operation_id as change_id,
    source_id,
    record_no,
    basis
from under_change
union all
select
    operation_id,
    null as change_id,
    source_id,
    record_no,
    'explicit' as basis
from in_session
order by source_id, record_no
