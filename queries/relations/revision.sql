-- /// relation
-- id = "revision"
-- title = "Revisions of records"
-- grain = "One row per record, later copy and column that it changed."
-- reads = ["evidence.action_item", "evidence.alert", "evidence.change", "evidence.status_component", "evidence.status_update", "evidence.ticket_event", "source", "update_number"]
-- limitations = "A change between two exports is seen, not when it was made nor what stood between; copies in other formats are not compared, since they print the same value in other ways."
-- [columns]
-- relation = "The relation of the record."
-- key = "Its native identity; an update without an id is told by when it was posted, an event of a ticket by its state, actor and time."
-- column_name = "The column that differs."
-- from_value = "The value of the copy before; NULL where there was none."
-- to_value = "The value of the later copy."
-- from_pointer = "The copy before."
-- to_pointer = "The later copy."
-- seen_at = "When the later copy was taken, as it says or as the case states of its source; NULL where neither does."
-- ///
with numbered as (
    select
        held.*,
        update_number.nth
    from evidence.status_update as held
    inner join update_number
        on held.source_id = update_number.source_id and held.record_no = update_number.record_no
),

tickets as (
    select
        *,
        row_number() over (
            partition by source_id, ticket_id, state, actor, occurred_at
            order by record_no
        ) as nth
    from evidence.ticket_event
),

record as (
    select
        'change' as relation,
        change_id as key,
        source_id,
        record_no,
        null::timestamptz as captured_at,
        [
            { 'name': 'title', 'value': title },
            { 'name': 'kind', 'value': kind },
            { 'name': 'risk', 'value': risk },
            { 'name': 'requested_by', 'value': requested_by },
            { 'name': 'implementer', 'value': implementer },
            { 'name': 'approvals_required', 'value': approvals_required::varchar },
            { 'name': 'window_start', 'value': utc(window_start) },
            { 'name': 'window_end', 'value': utc(window_end) },
            { 'name': 'targets', 'value': targets },
            { 'name': 'rollback_ref', 'value': rollback_ref },
            { 'name': 'impact_ref', 'value': impact_ref },
            { 'name': 'procedure', 'value': procedure },
            { 'name': 'procedure_version', 'value': procedure_version },
            { 'name': 'closed_at', 'value': utc(closed_at) },
            { 'name': 'outcome', 'value': outcome },
            { 'name': 'emergency', 'value': emergency::varchar }
        ] as content
    from evidence.change
    union all
    select
        'status_update' as relation,
        incident_id
        || coalesce(' ' || update_id, ' at ' || utc(posted_at) || ' #' || nth, '') as key,
        source_id,
        record_no,
        captured_at,
        [
            { 'name': 'posted_at', 'value': utc(posted_at) },
            { 'name': 'state', 'value': state },
            { 'name': 'title', 'value': title },
            { 'name': 'body', 'value': body },
            { 'name': 'kind', 'value': kind },
            { 'name': 'impact', 'value': impact },
            { 'name': 'created_at', 'value': utc(created_at) },
            { 'name': 'edited_at', 'value': utc(edited_at) },
            { 'name': 'claimed_start_at', 'value': utc(claimed_start_at) },
            { 'name': 'claimed_end_at', 'value': utc(claimed_end_at) },
            { 'name': 'scheduled_start_at', 'value': utc(scheduled_start_at) },
            { 'name': 'scheduled_end_at', 'value': utc(scheduled_end_at) }
        ] as content
    from numbered
    union all
    select
        'status_component' as relation,
        concat_ws(
            ' ', incident_id, coalesce(update_id, 'at ' || utc(posted_at)), component, region
        ) as key,
        source_id,
        record_no,
        null::timestamptz as captured_at,
        [
            { 'name': 'posted_at', 'value': utc(posted_at) },
            { 'name': 'component_status', 'value': component_status },
            { 'name': 'component_old_status', 'value': component_old_status }
        ] as content
    from evidence.status_component
    union all
    select
        'alert' as relation,
        alert_id as key,
        source_id,
        record_no,
        null::timestamptz as captured_at,
        [
            { 'name': 'fired_at', 'value': utc(fired_at) },
            { 'name': 'target', 'value': target },
            { 'name': 'severity', 'value': severity },
            { 'name': 'acked_at', 'value': utc(acked_at) },
            { 'name': 'cleared_at', 'value': utc(cleared_at) }
        ] as content
    from evidence.alert
    union all
    select
        'action_item' as relation,
        item_id as key,
        source_id,
        record_no,
        null::timestamptz as captured_at,
        [
            { 'name': 'opened_at', 'value': utc(opened_at) },
            { 'name': 'source_incident', 'value': source_incident },
            { 'name': 'theme', 'value': theme },
            { 'name': 'due_at', 'value': utc(due_at) },
            { 'name': 'closed_at', 'value': utc(closed_at) },
            { 'name': 'title', 'value': title }
        ] as content
    from evidence.action_item
    union all
    select
        'ticket_event' as relation,
        concat_ws(' ', ticket_id, state, actor, 'at ' || utc(occurred_at), '#' || nth) as key,
        source_id,
        record_no,
        null::timestamptz as captured_at,
        [
            { 'name': 'target', 'value': target },
            { 'name': 'related_change', 'value': related_change },
            { 'name': 'title', 'value': title }
        ] as content
    from tickets
),

dated as (
    select
        record.*,
        source.format,
        coalesce(record.captured_at, try_cast(source.obtained_at as timestamptz)) as seen_at
    from record
    left join source on record.source_id = source.source_id
),

-- In the order in which the copies were taken, as far as that is known; else that of ingest.
followed as (
    select
        relation,
        key,
        content,
        seen_at,
        pointer(source_id, record_no) as to_pointer,
        lag(content) over copies as former,
        lag(pointer(source_id, record_no)) over copies as from_pointer
    from dated
    window copies as (
        partition by relation, key, format
        order by seen_at nulls first, source_id, record_no
    )
),

compared as (
    select
        relation,
        key,
        seen_at,
        from_pointer,
        to_pointer,
        unnest(list_zip(former, content)) as pair
    from followed
    where former is not null and former <> content
)

select
    relation,
    key,
    pair[2].name as column_name,
    pair[1].value as from_value,
    pair[2].value as to_value,
    from_pointer,
    to_pointer,
    seen_at
from compared
where pair[1].value is distinct from pair[2].value
order by all
