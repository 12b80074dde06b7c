-- /// query
-- id = "export_timesketch"
-- title = "The timeline as Timesketch takes it"
-- reads = ["finding", "timeline"]
-- references = ["https://timesketch.org/guides/user/import-from-json-csv/"]
-- limitations = "Timesketch knows one instant per event: occurred_lo and occurred_hi say how well it is known, and the order of events whose intervals overlap proves nothing."
-- [columns]
-- message = "Lane, kind and summary of the event."
-- datetime = "When it happened, ISO 8601 in UTC with microseconds and offset."
-- timestamp = "The same instant in microseconds since 1970-01-01 UTC."
-- timestamp_desc = "Whether the instant is recorded or estimated."
-- event_no = "Position in the timeline."
-- lane = "Lane of the timeline."
-- kind = "What kind of event it is, within its lane."
-- region = "Region of the asset or post."
-- subject = "Asset, change, incident, organization or item that it is about."
-- actor = "Account, where the record names one."
-- phase = "Furthest phase of the incident that had begun."
-- change_id = "Change that the record names, or that the event is linked to."
-- outcome = "Outcome or state, as recorded."
-- occurred_lo = "Earliest instant that this can mean."
-- occurred_hi = "Latest instant that this can mean."
-- evidence = "The record, as source_id:record_no; NULL for an onset, which rests on many."
-- tag = "Lane, phase, and the rules of which the event is an exception."
-- ///
with tested as (
    select
        event,
        list(distinct 'exception-' || rule order by 'exception-' || rule) as rules
    from finding
    where status = 'exception' and event is not null
    group by event
)

select
    concat('[', timeline.lane, ' ', timeline.kind, '] ', timeline.summary) as message,
    strftime(timeline.occurred_at, '%Y-%m-%dT%H:%M:%S.%f+00:00') as datetime,
    epoch_us(timeline.occurred_at) as timestamp,
    if(timeline.source_id is null, 'Estimated time', 'Recorded time') as timestamp_desc,
    timeline.event_no,
    timeline.lane,
    timeline.kind,
    timeline.region,
    timeline.subject,
    timeline.actor,
    timeline.phase,
    timeline.change_id,
    timeline.outcome,
    strftime(timeline.occurred_lo, '%Y-%m-%dT%H:%M:%S.%f+00:00') as occurred_lo,
    strftime(timeline.occurred_hi, '%Y-%m-%dT%H:%M:%S.%f+00:00') as occurred_hi,
    timeline.evidence,
    list_concat(
        [timeline.lane],
        if(timeline.phase is null, [], ['phase-' || timeline.phase]),
        coalesce(tested.rules, [])
    ) as tag
from timeline
left join tested on timeline.evidence = tested.event
order by timeline.event_no
