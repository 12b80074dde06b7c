-- /// relation
-- id = "status_region"
-- title = "What each update of the status page said of each component and region"
-- grain = "One row per status update, component that it names and region of that component."
-- reads = ["component_region", "status_component", "status_text", "status_update"]
-- limitations = "Regions that only the text of an update names are not read."
-- [columns]
-- incident_id = "The page's own id of the incident or maintenance."
-- update_id = "The page's own id of the update."
-- posted_at = "When it was posted; NULL where the record does not say."
-- posted_lo = "Earliest instant that this can mean."
-- posted_hi = "Latest instant that this can mean."
-- state = "State that the update announces."
-- kind = "incident or maintenance; `incident` where not stated."
-- component = "Component as named on the page."
-- region = "Region; NULL where not stated."
-- region_basis = "`stated` by the record, `declared` in the case file, or `not stated`."
-- component_status = "Status of the component after the update; NULL where not stated."
-- source_id = "Source of the update."
-- record_no = "Record of the update."
-- evidence = "The update."
-- edited_before_at = "When the page says that the update was edited, where the earliest copy is from after that: whether it named the component before is then not on record."
-- named_by = "Record that names the component and the region: where a table holds a row per component, the row of its own; else the update."
-- ///
select
    status_update.incident_id,
    status_update.update_id,
    status_update.posted_at,
    status_update.posted_lo,
    status_update.posted_hi,
    status_update.state,
    coalesce(status_update.kind, 'incident') as kind,
    status_component.component,
    coalesce(status_component.region, component_region.region) as region,
    case
        when status_component.region is not null then 'stated'
        when component_region.region is not null then 'declared'
        else 'not stated'
    end as region_basis,
    status_component.component_status,
    status_update.source_id,
    status_update.record_no,
    pointer(status_update.source_id, status_update.record_no) as evidence,
    status_text.edited_before_at,
    min(
        if(
            status_component.source_id = status_update.source_id,
            pointer(status_component.source_id, status_component.record_no),
            pointer(status_update.source_id, status_update.record_no)
        )
    ) as named_by
from status_update
inner join status_component
    on
        status_update.incident_id = status_component.incident_id
        and status_update.update_id is not distinct from status_component.update_id
        and (
            status_update.update_id is not null
            or status_update.posted_at is not distinct from status_component.posted_at
        )
left join component_region
    on
        status_component.component = component_region.component
        and status_component.region is null
left join status_text
    on
        pointer(status_update.source_id, status_update.record_no) = status_text.update_evidence
        and status_text.text_no = 1
group by all
order by
    status_update.posted_at nulls last,
    status_update.source_id,
    status_update.record_no,
    status_component.component,
    region,
    status_component.component_status
