-- /// relation
-- id = "timeline"
-- title = "Timeline of every source"
-- grain = "One row per dated event of any source, in one total order; telemetry by what changed, never by sample."
-- reads = ["action_item", "alert", "alias", "approval", "asset_state", "change", "handover", "incident_phase", "known_asset", "maintenance_event", "notice", "onset", "operation_event", "protection_check", "protection_gap", "review_entry", "silence", "source", "state_interval", "statement", "status_incident", "status_text", "ticket_event"]
-- policy = ["narrative_records"]
-- limitations = "Records without a time are left out; evidence_quality counts them. Posts are told in the words of their earliest copy. Where intervals of two events overlap, their order is that of the best estimates and proves nothing."
-- [columns]
-- event_no = "Position in the order."
-- occurred_at = "When it happened, as the record states it; for an onset the best estimate."
-- occurred_lo = "Earliest instant that this can mean."
-- occurred_hi = "Latest instant that this can mean."
-- lane = "`maintenance`, `change`, `telemetry`, `status`, `alert`, `notice` or `review`."
-- kind = "What kind of event it is, within its lane; `edit` where a later copy of a post says otherwise."
-- region = "Region of the asset; of a post, where it names one region only; NULL where not known."
-- subject = "Asset, change, incident, organization or item that it is about."
-- actor = "Account, where the record names one."
-- summary = "One line from the record, as recorded, at most 300 characters; a message of an action or a log stands in quotation marks."
-- phase = "Furthest phase of the incident that had begun in that region, else in all; NULL before the first."
-- source_id = "Source of the record; NULL for an onset, which rests on many, and for an entry of review.yaml."
-- record_no = "Record in its source."
-- evidence = "The record, as cited; NULL for an onset and for an entry of review.yaml."
-- change_id = "Change that the record names, or that the event is linked to."
-- outcome = "Outcome or state, as recorded."
-- subject_is_host = "Whether the subject is the host of a record that names no target."
-- ///
with canonical as (
    select
        alias,
        min(canonical) as asset_id
    from alias
    where kind = 'asset'
    group by alias
),

linked as (
    select
        source_id,
        record_no,
        min(change_id) as change_id
    from operation_event
    group by source_id, record_no
),

-- What people noted claims how an action ended; what a system wrote records it.
noted as (
    select
        maintenance_event.*,
        nullif(trim(regexp_replace(maintenance_event.message, '\s+', ' ', 'g')), '') as words,
        if(
            fits(source.system_of_record, policy_list('narrative_records')), 'claimed', 'recorded'
        ) as how
    from maintenance_event
    left join source on maintenance_event.source_id = source.source_id
),

states as (
    select
        *,
        lag(state) over (
            partition by asset_id, job_kind, job_id, target_asset
            order by started_at, ended_at nulls last, evidence
        ) as before_state
    from state_interval
),

-- Where a gap cites several records, its start is shown by the first failure, else by the last
-- good sample, and its end by what ended it.
gaps as (
    select
        *,
        case
            when last_good_at is not null and failures > 0 then evidence[2] else evidence[1]
        end as start_evidence,
        if(ended_by = 'retired', null, evidence[len(evidence)]) as end_evidence
    from protection_gap
),

events as (
    select
        'maintenance' as lane,
        if(lower(event.action) = 'log', 'log', 'event') as kind,
        event.occurred_at,
        event.occurred_lo,
        event.occurred_hi,
        event.target as asset,
        coalesce(event.target, event.host) as subject,
        event.target is null and event.host is not null as subject_is_host,
        event.actor,
        -- What people and tools wrote stands in quotation marks, apart from what is said of it.
        concat_ws(
            ', ',
            event.action || coalesce(' of ' || event.target, ''),
            event.how || ' as ' || if(event.outcome = 'unknown', null, event.outcome),
            'with ' || event.flags
        )
        || coalesce(
            if(lower(event.action) = 'log', ': “', '; note: “')
            || if(len(event.words) > 220, left(event.words, 219) || '…', event.words) || '”',
            ''
        ) as summary,
        event.source_id,
        event.record_no,
        coalesce(event.change_id, linked.change_id) as change_id,
        event.outcome
    from noted as event
    left join linked
        on event.source_id = linked.source_id and event.record_no = linked.record_no
    union all by name
    select
        'change' as lane,
        'window_start' as kind,
        window_start as occurred_at,
        change_id as subject,
        implementer as actor,
        concat_ws(': ', 'Window opens' || coalesce(' for ' || lower(kind), ''), title) as summary,
        source_id,
        record_no,
        change_id
    from change
    union all by name
    select
        'change' as lane,
        'window_end' as kind,
        window_end as occurred_at,
        change_id as subject,
        implementer as actor,
        concat_ws(': ', 'Window closes' || coalesce(' for ' || lower(kind), ''), title) as summary,
        source_id,
        record_no,
        change_id
    from change
    union all by name
    select
        'change' as lane,
        'closed' as kind,
        closed_at as occurred_at,
        change_id as subject,
        implementer as actor,
        concat_ws(': ', if(outcome <> 'unknown', 'Closed as ' || outcome, 'Closed'), title)
            as summary,
        source_id,
        record_no,
        change_id,
        outcome
    from change
    union all by name
    select
        'change' as lane,
        'approval' as kind,
        decided_at as occurred_at,
        decided_lo as occurred_lo,
        decided_hi as occurred_hi,
        change_id as subject,
        approver as actor,
        concat_ws(' ', change_id, decision, 'by', approver) as summary,
        source_id,
        record_no,
        change_id,
        decision as outcome
    from approval
    union all by name
    select
        'change' as lane,
        'handover' as kind,
        given_at as occurred_at,
        given_lo as occurred_lo,
        given_hi as occurred_hi,
        change_id as subject,
        from_actor as actor,
        concat_ws(' ', 'Handover from', from_actor, 'to', to_actor) as summary,
        source_id,
        record_no,
        change_id
    from handover
    union all by name
    select
        'change' as lane,
        'handover_acknowledged' as kind,
        ack_at as occurred_at,
        change_id as subject,
        to_actor as actor,
        concat_ws(' ', 'Handover from', from_actor, 'acknowledged by', to_actor) as summary,
        source_id,
        record_no,
        change_id
    from handover
    union all by name
    select
        'telemetry' as lane,
        job_kind as kind,
        started_at as occurred_at,
        asset_id as asset,
        asset_id as subject,
        concat_ws(' ', job_kind, 'of', asset_id, 'to ' || target_asset, state)
        || coalesce(': ' || error, '') as summary,
        split_part(evidence, ':', 1)::usmallint as source_id,
        split_part(evidence, ':', 2)::bigint as record_no,
        state as outcome
    from states
    where
        job_kind <> 'replicate'
        or state in ('failure', 'disconnected')
        or before_state in ('failure', 'disconnected')
    union all by name
    select
        'telemetry' as lane,
        'gap_start' as kind,
        started_hi as occurred_at,
        coalesce(started_lo, started_hi) as occurred_lo,
        started_hi as occurred_hi,
        asset_id as asset,
        asset_id as subject,
        concat_ws(' ', 'Gap of', asset_id, 'to ' || target_asset, 'begins')
        || coalesce(': ' || error, '') as summary,
        split_part(start_evidence, ':', 1)::usmallint as source_id,
        split_part(start_evidence, ':', 2)::bigint as record_no
    from gaps
    union all by name
    select
        'telemetry' as lane,
        'gap_end' as kind,
        ended_at as occurred_at,
        asset_id as asset,
        asset_id as subject,
        concat_ws(
            ' ',
            'Gap of',
            asset_id,
            'to ' || target_asset,
            case ended_by
                when 'job' then 'ends: the job succeeds again'
                when 'seed' then 'ends: seeded anew'
                when 'relink' then 'ends: linked again'
                when 'continued' then 'ends: a later job goes on'
                when 'retired' then 'ends: no longer in service'
                else 'ends'
            end
        ) as summary,
        split_part(end_evidence, ':', 1)::usmallint as source_id,
        split_part(end_evidence, ':', 2)::bigint as record_no
    from gaps
    union all by name
    select
        'telemetry' as lane,
        'asset_state' as kind,
        observed_at as occurred_at,
        observed_lo as occurred_lo,
        observed_hi as occurred_hi,
        asset_id as asset,
        asset_id as subject,
        concat_ws(' ', asset_id, 'observed', state) as summary,
        source_id,
        record_no,
        state as outcome
    from asset_state
    union all by name
    select
        'telemetry' as lane,
        'protection_check' as kind,
        finished_at as occurred_at,
        finished_lo as occurred_lo,
        finished_hi as occurred_hi,
        target as asset,
        target as subject,
        concat_ws(' ', kind, 'of', target, if(ok, 'passed', 'did not pass')) as summary,
        source_id,
        record_no,
        if(ok, 'success', 'failure') as outcome
    from protection_check
    union all by name
    select
        'telemetry' as lane,
        'onset' as kind,
        onset_at as occurred_at,
        onset_lo as occurred_lo,
        onset_hi as occurred_hi,
        if(scope_kind = 'region', scope, null) as stated_region,
        scope as subject,
        if(main, 'Onset', 'Onset of another episode')
        || if(scope_kind = 'all', '', ' in ' || scope) || ': ' || affected || ' of ' || population
        || if(population = 1, ' machine', ' machines') || ' in a gap while it lasts'
        || coalesce(', which is until ' || utc(ended_at), '')
        || if(method = 'statistical', '; estimated from a rise of lag or age', '') as summary
    from onset
    where scope_kind in ('all', 'region')
    union all by name
    select
        'status' as lane,
        if(said.text_no > 1, 'edit', coalesce(status_incident.kind, 'incident')) as kind,
        said.said_at as occurred_at,
        said.said_lo as occurred_lo,
        said.said_hi as occurred_hi,
        case
            when len(status_incident.regions) = 1 then status_incident.regions[1]
        end as stated_region,
        said.incident_id as subject,
        case
            when said.text_no > 1 then 'Post edited: ' || said.edit
            else
                concat_ws(
                    ' ',
                    said.state || if(said.edited_before_at is null, ':', ' (as edited later):'),
                    said.body
                )
        end as summary,
        split_part(said.evidence, ':', 1)::usmallint as source_id,
        split_part(said.evidence, ':', 2)::bigint as record_no,
        said.state as outcome
    from status_text as said
    left join status_incident using (incident_id)
    union all by name
    select
        'alert' as lane,
        'alert' as kind,
        fired_at as occurred_at,
        fired_lo as occurred_lo,
        fired_hi as occurred_hi,
        target as asset,
        coalesce(target, alert_id) as subject,
        concat_ws(' ', 'Alert', alert_id, 'on ' || target, 'fired,', severity) as summary,
        source_id,
        record_no,
        severity as outcome
    from alert
    union all by name
    select
        'alert' as lane,
        'alert_acknowledged' as kind,
        acked_at as occurred_at,
        target as asset,
        coalesce(target, alert_id) as subject,
        concat_ws(' ', 'Alert', alert_id, 'on ' || target, 'acknowledged') as summary,
        source_id,
        record_no
    from alert
    union all by name
    select
        'alert' as lane,
        'alert_cleared' as kind,
        cleared_at as occurred_at,
        target as asset,
        coalesce(target, alert_id) as subject,
        concat_ws(' ', 'Alert', alert_id, 'on ' || target, 'cleared') as summary,
        source_id,
        record_no
    from alert
    union all by name
    select
        'alert' as lane,
        'silence_start' as kind,
        starts_at as occurred_at,
        target as asset,
        target as subject,
        concat_ws(' ', 'Alerts on', target, 'silenced until', utc(ends_at)) as summary,
        source_id,
        record_no,
        change_id
    from silence
    union all by name
    select
        'alert' as lane,
        'silence_end' as kind,
        ends_at as occurred_at,
        target as asset,
        target as subject,
        concat_ws(' ', 'Silence of alerts on', target, 'ends') as summary,
        source_id,
        record_no,
        change_id
    from silence
    union all by name
    select
        'alert' as lane,
        'ticket' as kind,
        occurred_at,
        occurred_lo,
        occurred_hi,
        target as asset,
        coalesce(target, ticket_id) as subject,
        actor,
        concat_ws(' ', 'Ticket', ticket_id, state || ':', title) as summary,
        source_id,
        record_no,
        related_change as change_id,
        state as outcome
    from ticket_event
    union all by name
    select
        'notice' as lane,
        'notice' as kind,
        sent_at as occurred_at,
        sent_lo as occurred_lo,
        sent_hi as occurred_hi,
        organization as subject,
        concat_ws(' ', 'To', organization, 'by ' || channel || ':', subject) as summary,
        source_id,
        record_no
    from notice
    union all by name
    select
        'notice' as lane,
        'statement' as kind,
        published_at as occurred_at,
        published_lo as occurred_lo,
        published_hi as occurred_hi,
        coalesce(subject, source_name) as subject,
        concat_ws(' ', source_name || ':', claim) as summary,
        source_id,
        record_no
    from statement
    union all by name
    select
        'review' as lane,
        'action_opened' as kind,
        opened_at as occurred_at,
        item_id as subject,
        concat_ws(' ', 'Action of', source_incident || ':', title) as summary,
        source_id,
        record_no
    from action_item
    union all by name
    select
        'review' as lane,
        'action_due' as kind,
        due_at as occurred_at,
        item_id as subject,
        concat_ws(' ', 'Action due:', title) as summary,
        source_id,
        record_no
    from action_item
    union all by name
    select
        'review' as lane,
        'action_closed' as kind,
        closed_at as occurred_at,
        item_id as subject,
        concat_ws(' ', 'Action closed:', title) as summary,
        source_id,
        record_no
    from action_item
    union all by name
    select
        'review' as lane,
        verb as kind,
        made_at as occurred_at,
        coalesce(finding_id, action_id, item_no::varchar) as subject,
        account as actor,
        concat_ws(
            ' ',
            'Review, entry ' || entry_no || ':',
            replace(verb, '_', ' '),
            finding_id,
            'item ' || item_no,
            action_id,
            answer,
            code,
            if(holds, null, 'does not hold'),
            title,
            text
        ) as summary,
        coalesce(answer, if(holds, 'holds', 'does not hold')) as outcome
    from review_entry
),

placed as (
    select
        events.* replace (
            coalesce(events.occurred_lo, events.occurred_at) as occurred_lo,
            coalesce(events.occurred_hi, events.occurred_at) as occurred_hi
        ),
        coalesce(events.stated_region, known_asset.region) as region
    from events
    left join canonical on events.asset = canonical.alias
    left join known_asset
        on coalesce(canonical.asset_id, events.asset) = known_asset.asset_id
    where events.occurred_at is not null
),

-- The phase at an instant is the furthest that has begun.
phases as (
    select
        scope,
        started_at,
        arg_max(phase, phase_no) over (
            partition by scope
            order by started_at
            range between unbounded preceding and current row
        ) as phase
    from incident_phase
    qualify row_number() over (partition by scope, started_at order by phase_no) = 1
),

scopes as (
    select distinct scope
    from phases
),

scoped as (
    select
        placed.*,
        coalesce(scopes.scope, 'all') as scope
    from placed
    left join scopes on placed.region = scopes.scope
)

select
    row_number() over (
        order by
            scoped.occurred_at,
            scoped.occurred_lo,
            scoped.lane,
            scoped.kind,
            scoped.source_id,
            scoped.record_no,
            scoped.subject,
            scoped.summary
    ) as event_no,
    scoped.occurred_at,
    scoped.occurred_lo,
    scoped.occurred_hi,
    scoped.lane,
    scoped.kind,
    scoped.region,
    scoped.subject,
    scoped.actor,
    left(trim(regexp_replace(scoped.summary, '\s+', ' ', 'g')), 300) as summary,
    phases.phase,
    scoped.source_id,
    scoped.record_no,
    pointer(scoped.source_id, scoped.record_no) as evidence,
    scoped.change_id,
    scoped.outcome,
    coalesce(scoped.subject_is_host, false) as subject_is_host
from scoped
asof left join phases
    on scoped.scope = phases.scope and scoped.occurred_at >= phases.started_at
order by event_no
