-- /// finding
-- id = "CF-28"
-- slug = "prior-action-open"
-- title = "An action of the same theme was still open when the impact began"
-- rule_class = "D"
-- level = "organisation"
-- severity = "high"
-- criteria = "Actions decided after an earlier incident are done before the same theme returns."
-- effect = "No record shows that a remedy that had been decided was in place when the impact began."
-- recommendation = "Review open actions by theme before changes that touch the theme."
-- questions = [
--     "Had the remedy been put in place while the item stayed open?",
--     "Was the item given up for a reason that is recorded elsewhere?",
-- ]
-- codes = ["hfacs-7.0:SI006", "hfacs-7.0:SI007", "dora:4.15", "dora:4.16"]
-- controls = ["nist800-53r5:CA-5", "iso27001:A.5.27", "soc2:CC4.2", "csf2.0:ID.IM-03",
--     "nis2:3.6.3"]
-- needs = ["action_item"]
-- reads = ["action_item", "case_info", "onset", "status_update"]
-- limitations = """
-- The impact begins with the measured onset; without one, with what the status page claims or
-- first reports."""
-- ///
with

measured as (
    select
        onset.onset_lo,
        onset.onset_hi,
        onset.onset_at
    from onset
    cross join case_info
    where coalesce(onset.ended_at >= case_info.window_start, true)
    order by onset.scope_kind <> 'all', onset.onset_at, onset.scope_kind, onset.scope
    limit 1
),

reported as (
    select min(coalesce(status_update.claimed_start_at, status_update.posted_at)) as onset_at
    from status_update
    where coalesce(status_update.kind, 'incident') = 'incident'
),

impact as (
    select
        coalesce(measured.onset_lo, reported.onset_at) as began_lo,
        coalesce(measured.onset_hi, reported.onset_at) as began_hi,
        coalesce(measured.onset_at, reported.onset_at) as began_at,
        if(measured.onset_at is null, 'reported', 'measured') as basis
    from reported
    left join measured on true
),

compared as (
    select
        action_item.*,
        case_info.theme as case_theme,
        impact.began_lo,
        impact.began_hi,
        impact.began_at,
        impact.basis,
        lower(trim(action_item.theme)) = lower(trim(case_info.theme)) as is_same_theme,
        pointer(action_item.source_id, action_item.record_no) as item_row
    from action_item
    cross join case_info
    cross join impact
)

select
    null::varchar as operation_id,
    null::varchar as change_id,
    compared.item_id as subject,
    case
        when not compared.is_same_theme then 'not_applicable'
        when compared.is_same_theme is null or compared.began_at is null then 'undetermined'
        when compared.opened_at > compared.began_hi then 'not_applicable'
        when compared.closed_at < compared.began_lo then 'ok'
        when
            compared.opened_at < compared.began_lo
            and coalesce(compared.closed_at > compared.began_hi, true)
            then 'exception'
        else 'undetermined'
    end as status,
    compared.began_at as occurred_at,
    null::varchar as event,
    case
        when compared.case_theme is null then 'The case states no theme to compare the action with.'
        when compared.theme is null then 'The action states no theme.'
        when not compared.is_same_theme
            then
                'The action is of theme ' || compared.theme || ', not of that of the case, '
                || compared.case_theme || '.'
        when compared.began_at is null then 'When the impact began is not known.'
        else
            'The action ' || coalesce('"' || nullif(trim(compared.title), '')[:120] || '" ', '')
            || 'was opened at ' || utc(compared.opened_at)
            || coalesce(' after ' || compared.source_incident, '')
            || coalesce(', due at ' || utc(compared.due_at), '')
            || coalesce(', closed at ' || utc(compared.closed_at), ', not closed on record')
            || '; the impact began, as ' || compared.basis || ', ' || case
                when compared.began_lo = compared.began_hi then 'at ' || utc(compared.began_at)
                else
                    'between ' || utc(compared.began_lo) || ' and '
                    || utc_bound(compared.began_hi)
                    || ' (best estimate ' || utc(compared.began_at) || ')'
            end
            || case
                when
                    compared.due_at < compared.began_lo
                    and coalesce(compared.closed_at > compared.began_hi, true)
                    then
                        ', when the action was ' || if(
                            compared.began_lo = compared.began_hi, '', 'at least '
                        )
                        || in_words(compared.began_lo - compared.due_at) || ' overdue.'
                when compared.closed_at between compared.began_lo and compared.began_hi
                    then '; whether that was before the closing is open.'
                when compared.opened_at between compared.began_lo and compared.began_hi
                    then '; whether that was before the opening is open.'
                else '.'
            end
    end as reason,
    [compared.item_row] as evidence
from compared
order by compared.item_id
