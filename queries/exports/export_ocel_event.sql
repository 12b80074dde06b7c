-- /// query
-- id = "export_ocel_event"
-- title = "The timeline as events with the objects that they touch"
-- reads = ["maintenance_event", "timeline"]
-- references = ["https://www.ocel-standard.org"]
-- limitations = "OCEL knows one instant per event; the interval stands in its attributes."
-- [columns]
-- event_no = "Position in the timeline."
-- type = "The recorded action; for other lanes than maintenance the lane and the kind."
-- occurred_at = "When it happened."
-- occurred_lo = "Earliest instant that this can mean."
-- occurred_hi = "Latest instant that this can mean."
-- lane = "Lane of the timeline."
-- object_type = "What the subject is: asset, change, status_incident, organization, item or scope."
-- subject = "What the event is about."
-- change_id = "Change that the record names, or that the event is linked to."
-- actor = "Account, where the record names one."
-- outcome = "Outcome of a maintenance event, as recorded."
-- state = "Outcome or state of any other event, as recorded."
-- region = "Region of the asset or post."
-- phase = "Furthest phase of the incident that had begun."
-- summary = "One line from the record."
-- evidence = "The record, as source_id:record_no; NULL for an onset, which rests on many."
-- ///
with acted as (
    select
        source_id,
        record_no,
        min(action) as action
    from maintenance_event
    group by source_id, record_no
)

select
    timeline.event_no,
    case
        when timeline.lane = 'maintenance' and acted.action is not null then acted.action
        else concat(timeline.lane, ' ', timeline.kind)
    end as type,
    timeline.occurred_at,
    timeline.occurred_lo,
    timeline.occurred_hi,
    timeline.lane,
    case
        when timeline.kind = 'onset' then 'scope'
        when timeline.lane in ('maintenance', 'telemetry', 'alert') then 'asset'
        when timeline.lane = 'change' then 'change'
        when timeline.lane = 'status' then 'status_incident'
        when timeline.lane = 'notice' then 'organization'
        else 'item'
    end as object_type,
    timeline.subject,
    timeline.change_id,
    timeline.actor,
    if(timeline.lane = 'maintenance', timeline.outcome, null) as outcome,
    if(timeline.lane = 'maintenance', null, timeline.outcome) as state,
    timeline.region,
    timeline.phase,
    timeline.summary,
    timeline.evidence
from timeline
left join acted
    on timeline.source_id = acted.source_id and timeline.record_no = acted.record_no
order by timeline.event_no
