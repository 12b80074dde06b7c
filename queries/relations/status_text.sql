-- /// relation
-- id = "status_text"
-- title = "What each update of the status page said, and how it was edited"
-- grain = "One row per dated update and wording that a copy of it shows: the first as posted, each later one an edit."
-- reads = ["evidence.status_update", "record_copy", "source", "status_update", "update_number"]
-- limitations = "An edit is seen where two copies of one format differ; what stood between two copies is not. A title that changes on several updates of an incident is told once."
-- [columns]
-- incident_id = "The page's own id of the incident."
-- update_id = "The page's own id of the update; NULL where it has none."
-- text_no = "1 for the wording of the earliest copy; then the edits, in order."
-- said_at = "When the page began to say it: when it was posted; of an edit when the page says that it was edited, else when the copy that shows it was taken; NULL where neither is known."
-- said_lo = "Earliest instant that this can mean; of an edit whose time is not stated, when the last copy without it was taken."
-- said_hi = "Latest instant that this can mean."
-- posted_at = "When the update was posted, as that copy states it."
-- state = "State that it announces."
-- title = "Title of the incident."
-- body = "Text."
-- edit = "What the edit changed, with a few words around it; NULL for the first wording."
-- edited_before_at = "When the page says that the update was edited, where the earliest copy is from after that: what was posted is then not on record."
-- replaced_at = "When the next wording took its place; NULL where it stands or the time is not known."
-- evidence = "The last copy that shows it."
-- update_evidence = "The copy that counts in status_update."
-- ///
with taken as (
    select
        held.*,
        source.format,
        coalesce(
            held.update_id,
            held.posted_at || '#' || update_number.nth,
            sha256(concat_ws('|', held.state, held.title, held.body))
        ) as update_key,
        -- A passage that is cut out of markup would hold halves of tags.
        regexp_replace(
            regexp_replace(held.body, '(?i)<(?:br|/?(?:p|li|div|h\d))\b[^<>]*>', ' ', 'g'),
            '(?i)</?(?:a|span|strong|em|b|i|ul|ol|small|var)\b[^<>]*>', '', 'g'
        ) as unmarked,
        coalesce(
            nullif(trim(regexp_replace(unmarked, '\s+', ' ', 'g')), ''),
            held.title
        ) as words,
        coalesce(held.captured_at, try_cast(source.obtained_at as timestamptz)) as seen_at
    from evidence.status_update as held
    left join source on held.source_id = source.source_id
    left join update_number
        on held.source_id = update_number.source_id and held.record_no = update_number.record_no
    anti join record_copy
        on
            record_copy.relation = 'status_update'
            and held.source_id = record_copy.source_id
            and held.record_no = record_copy.record_no
    where held.posted_at is not null
),

-- Copies of the format of the one that counts: others print the same words in other ways.
known as (
    select
        taken.*,
        pointer(counted.source_id, counted.record_no) as update_evidence
    from taken
    inner join taken as counted
        on
            taken.incident_id = counted.incident_id
            and taken.update_key = counted.update_key
            and taken.format is not distinct from counted.format
    semi join status_update
        on
            counted.source_id = status_update.source_id
            and counted.record_no = status_update.record_no
),

followed as (
    select
        *,
        row_number() over copies as copy_no,
        lag(words) over copies as former_words,
        lag(state) over copies as former_state,
        lag(title) over copies as former_title,
        lag(seen_at) over copies as unseen_at
    from known
    window copies as (
        partition by incident_id, update_key order by seen_at nulls first, source_id, record_no
    )
),

judged as (
    select
        *,
        (words is distinct from former_words or state is distinct from former_state) as is_reworded,
        (
            former_title <> title
            and row_number() over (
                partition by incident_id, former_title, title, unseen_at, seen_at
                order by posted_at, source_id, record_no
            ) = 1
        ) as is_renamed
    from followed
),

numbered as (
    select
        *,
        copy_no = 1 or is_reworded or coalesce(is_renamed, false) as is_new,
        count(*) filter (where copy_no = 1 or is_reworded or is_renamed) over (
            partition by incident_id, update_key order by copy_no
        ) as text_no
    from judged
),

wording as (
    select
        * exclude (copy_no),
        max_by(pointer(source_id, record_no), copy_no) over (
            partition by incident_id, update_key, text_no
        ) as evidence,
        (
            coalesce(text_no > 1 and edited_at > posted_hi, false)
            and coalesce(edited_at >= unseen_at, true)
            and coalesce(edited_at <= seen_at, true)
        ) as is_edit_dated
    from numbered
    qualify is_new
),

dated as (
    select
        *,
        case
            when text_no = 1 then posted_at
            when is_edit_dated then edited_at
            else seen_at
        end as said_at,
        case
            when text_no = 1 then posted_lo
            when is_edit_dated then edited_at
            when seen_at is not null then coalesce(unseen_at, least(posted_lo, seen_at))
        end as said_lo,
        case
            when text_no = 1 then posted_hi
            when is_edit_dated then edited_at
            else seen_at
        end as said_hi
    from wording
)

select
    incident_id,
    update_id,
    text_no,
    said_at,
    said_lo,
    said_hi,
    posted_at,
    state,
    title,
    body,
    case
        when text_no > 1
            then
                concat_ws(
                    '; ',
                    if(former_state <> state, 'state ' || former_state || ' → ' || state, null),
                    if(
                        former_title <> title and is_renamed,
                        'title “' || former_title || '” → “' || title || '”',
                        null
                    ),
                    if(
                        former_words is distinct from words,
                        '“' || differing(former_words, words) || '” → “'
                        || differing(words, former_words) || '”',
                        null
                    )
                )
    end as edit,
    if(text_no = 1 and edited_at > posted_hi, edited_at, null) as edited_before_at,
    lead(said_at) over (
        partition by incident_id, update_key order by text_no
    ) as replaced_at,
    evidence,
    update_evidence
from dated
order by posted_at, incident_id, update_key, text_no
