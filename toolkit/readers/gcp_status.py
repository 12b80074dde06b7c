"""Incidents of Google Cloud or Google Workspace, from the public `incidents.json`.

Source: the schema that the page publishes beside it (`incidents.schema.json`) and recorded answers.
One record is one update.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import Reader, Sink, SourceSettings
from toolkit.ingest.statuspages import (
    Notes,
    Rows,
    component_word,
    document,
    flatten,
    items,
    send,
    text,
    translate,
    update_of,
)
from toolkit.timestamps import TimeError, parse

# The words rate the impact; only the end of it is a state of handling.
STATE = {
    "available": "resolved",
    "service_information": "update",
    "service_disruption": "update",
    "service_outage": "update",
}
COMPONENT_STATUS = {
    "available": "operational",
    "service_information": None,
    "service_disruption": "partial_outage",
    "service_outage": "major_outage",
}
# Posting an update touches the one before it in the same instant, give or take.
TOUCH = timedelta(seconds=5)


class GoogleCloudStatus(Reader):
    """The incidents that a Google status dashboard keeps."""

    name = "gcp_status"
    title = "Google Cloud or Workspace status (incidents.json)"
    fills = ("status_update", "status_component")
    obtain = (
        "curl https://status.cloud.google.com/incidents.json"
        " (Workspace: https://www.google.com/appsstatus/dashboard/incidents.json)"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "the file keeps a handful of major incidents only, and does not say when it was exported",
        "`begin` is the onset of the impact as the page claims it now; it is often put earlier"
        " afterwards",
        "an incident has no title: its description stands in for one, and is rewritten",
        "`modified` of an update moves when the next one is posted; only other changes of it count"
        " as edits",
        "the words rate the impact, not the handling: an update is `resolved` where it says"
        " AVAILABLE, else `update`; a disruption is read as a partial outage",
        "locations are dated by the update that names them, and count as operational again with"
        " AVAILABLE; products are a list of the whole incident, so that their state is not dated",
        "times inside of the text are US/Pacific, and stay text",
    )
    sample = b"""[{"id":"Qz1ExampleExample","number":"1180000000000000001",
"begin":"2022-03-09T06:10:00+00:00","created":"2022-03-09T06:51:10+00:00",
"end":"2022-03-09T09:20:00+00:00","modified":"2022-03-09T09:31:00+00:00",
"external_desc":"Restores of volumes may take longer than usual in one region.",
"updates":[{"created":"2022-03-09T09:31:00+00:00","modified":"2022-03-09T09:31:00+00:00",
"when":"2022-03-09T09:31:00+00:00","text":"**Summary**\\nRestores complete as usual.",
"status":"AVAILABLE","affected_locations":[]},
{"created":"2022-03-09T06:51:10+00:00","modified":"2022-03-09T09:31:00+00:00",
"when":"2022-03-09T06:51:10+00:00","text":"**Summary**\\nRestores are slow.",
"status":"SERVICE_DISRUPTION","affected_locations":[{"title":"Example (region-a1)",
"id":"region-a1"}]}],"status_impact":"SERVICE_DISRUPTION","severity":"medium",
"service_key":"ExampleKey","service_name":"Example Volumes",
"affected_products":[{"title":"Example Volumes","id":"ExampleKey"}],
"uri":"incidents/Qz1ExampleExample","currently_affected_locations":[],
"previously_affected_locations":[{"title":"Example (region-a1)","id":"region-a1"}]}]
"""

    def matches(self, file: EvidenceFile) -> bool:
        value = file.json
        keys = {"id", "begin", "external_desc", "status_impact"}
        return (
            isinstance(value, list)
            and bool(value)
            and all(isinstance(each, dict) and keys <= each.keys() for each in value)
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        incidents = document(file, "download incidents.json again")
        if not isinstance(incidents, list):
            raise EvidenceRefused(
                "not a list of incidents", path=file.path, remedy="give incidents.json, unchanged"
            )

        contexts = _contexts(incidents)

        def rows(element: dict[str, Any], notes: Notes) -> Rows:
            return _rows(element, contexts, settings, notes)

        elements = flatten(incidents, "updates")
        for element in elements:
            if isinstance(element, dict) and "incident" in element:
                # The copy of the newest update would repeat it in every record.
                element["incident"].pop("most_recent_update", None)
        send(file, sink, elements, rows)


@dataclass(frozen=True, slots=True)
class _Context:
    """What the updates of an incident say together: when they were posted, and of which places."""

    posted: set[str] = field(default_factory=set)
    places: list[Any] = field(default_factory=list)


def _contexts(incidents: list[Any]) -> dict[str, _Context]:
    found: dict[str, _Context] = defaultdict(_Context)
    for element in flatten(incidents, "updates"):
        if isinstance(element, dict) and isinstance(element.get("update"), dict):
            context = found[str(element["incident"].get("id"))]
            context.posted.add(str(element["update"].get("created")))
            named = element["update"].get("affected_locations")
            context.places.extend(named if isinstance(named, list) else ())
    return found


def _rows(
    element: dict[str, Any],
    contexts: dict[str, _Context],
    settings: SourceSettings,
    notes: Notes,
) -> Rows:
    incident, update = update_of(element)
    context = contexts[str(incident.get("id"))]
    state = "unknown"
    if update is not None:
        state = translate(text(update, "status"), STATE, "state", notes)
    posted = text(update, "when") or text(update, "created") if update else None
    row = {
        "posted_at": posted,
        "incident_id": text(incident, "id"),
        "update_id": text(update, "created") if update else None,
        "state": state,
        "title": text(incident, "external_desc"),
        "body": text(update, "text") if update else None,
        "kind": "incident",
        "impact": text(incident, "status_impact"),
        "created_at": text(update, "created") if update else None,
        "edited_at": _edited(update, context.posted) if update else None,
        "captured_at": settings.captured_at,
        "claimed_start_at": text(incident, "begin"),
        "claimed_end_at": text(incident, "end"),
    }
    found: Rows = [("status_update", row)]
    identity = {key: row[key] for key in ("incident_id", "update_id", "posted_at")}
    for name, region, status in _components(context, incident, update, notes):
        component = {"component": name, "region": region, "component_status": status}
        found.append(("status_component", {**identity, **component}))
    return found


def _components(
    context: _Context,
    incident: dict[str, Any],
    update: dict[str, Any] | None,
    notes: Notes,
) -> list[tuple[str, str | None, str | None]]:
    """Name, region and status: the locations of the update, and the products of its incident."""
    found: dict[str, tuple[str | None, str | None]] = {}
    if update is not None:
        raw = text(update, "status")
        # The state already notes the word.
        status = component_word(raw, COMPONENT_STATUS, "component_status", [])
        named = items(update, "affected_locations")
        if status == "operational" and not named:
            named = [each for each in context.places if isinstance(each, dict)]
        for place in named:
            title = text(place, "title") or text(place, "id")
            if title is not None:
                found[title] = (text(place, "id"), status)
    products = items(incident, "affected_products")
    for product in products or [{"title": text(incident, "service_name")}]:
        title = text(product, "title")
        if title is not None:
            found.setdefault(title, (None, None))
    return [(title, region, status) for title, (region, status) in found.items()]


def _edited(update: dict[str, Any], posted: set[str]) -> str | None:
    """When the update was changed, unless that is only the trace of posting one."""
    modified = text(update, "modified")
    if modified is None:
        return None
    try:
        at = parse(modified).at
        if any(abs(at - parse(each).at) <= TOUCH for each in posted):
            return None
    except TimeError:
        # The sink reads the times again, and rejects the record with the field that is at fault.
        return modified
    return modified
