"""Status reports of a Better Stack status page, and incidents of its uptime monitors.

Source: https://betterstack.com/docs/uptime/status-pages/subscribing-to-status-updates and the
uptime API; all answers are JSON:API. One record is one update of a report, or one incident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import Reader, Sink, SourceSettings
from toolkit.ingest.statuspages import (
    Notes,
    Rows,
    Silent,
    component_word,
    document,
    inner,
    items,
    send,
    text,
)

COMPONENT_STATUS = {
    "operational": "operational",
    "resolved": "operational",
    "degraded": "degraded_performance",
    "downtime": "major_outage",
    "maintenance": "under_maintenance",
    "not_monitored": None,
}
UPDATE = "status_update"
TYPES = {"status_report", UPDATE, "status_page_resource", "status_page_section"}


class BetterStack(Reader):
    """The public JSON of a Better Stack page, or lists of its owner's API."""

    name = "betterstack"
    title = "Better Stack status page and incidents (JSON:API)"
    fills = ("status_update", "status_component", "alert")
    obtain = (
        "curl https://PAGE/index.json; the owner: uptime.betterstack.com/api/v2/incidents and"
        " /status-pages/ID/status-reports"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "an update has no state of its own: it is `resolved` where every resource that it names is,"
        " `update` otherwise",
        "a resolved report may have no end (`ends_at`)",
        "the state and the daily history of a resource are not of one instant, and are skipped",
        "a report without updates has no time of posting",
        "incidents of monitors are read as alerts",
    )
    sample = b"""{"data":{"id":"165","type":"status_page","attributes":{
"company_name":"Northbank Vault","timezone":"America/Denver","aggregate_state":"operational"}},
"included":[{"id":"501","type":"status_page_resource","attributes":{"public_name":"Cloud restore",
"status":"operational"}},{"id":"77","type":"status_report","attributes":{
"title":"Restores delayed","report_type":"manual","starts_at":"2022-03-09T08:31:00.000Z",
"ends_at":null,"aggregate_state":"degraded","affected_resources":[{
"status_page_resource_id":"501","status":"degraded"}]},"relationships":{"status_updates":{"data":[
{"id":"901","type":"status_update"}]}}},{"id":"901","type":"status_update","attributes":{
"message":"We are looking into delayed restores.","published_at":"2022-03-09T08:33:12.000Z",
"affected_resources":[{"status_page_resource_id":"501","status":"degraded"}]}}]}
"""

    def matches(self, file: EvidenceFile) -> bool:
        value = file.json
        if not isinstance(value, dict):
            return False
        data = value.get("data")
        if isinstance(data, dict):
            return data.get("type") == "status_page" and isinstance(value.get("included"), list)
        if not isinstance(data, list) or not data or not all(isinstance(e, dict) for e in data):
            return False
        types = {str(each.get("type")) for each in data}
        return types <= TYPES or (types == {"incident"} and all(map(_is_incident, data)))

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        value = document(file, "download it again, as the page's answer")
        if not isinstance(value, dict) or not isinstance(value.get("data"), dict | list):
            raise EvidenceRefused(
                "the answer has no data", path=file.path, remedy="give the answer, unchanged"
            )
        data, included = value["data"], value.get("included")
        resources = [*(data if isinstance(data, list) else ())]
        resources += included if isinstance(included, list) else []
        pages = value.get("pagination")
        if isinstance(pages, dict) and pages.get("next"):
            sink.incomplete("one page of several")
        page = _Page(resources)

        def rows(element: dict[str, Any], notes: Notes) -> Rows:
            return _rows(element, page, settings, notes)

        send(file, sink, resources, rows)


class _Page:
    """Which report an update belongs to, and what resources are called.

    A report names its updates, or an update its report; answers differ in that.
    """

    def __init__(self, resources: Sequence[Any]) -> None:
        known = {
            (str(each.get("type")), str(each.get("id"))): each
            for each in resources
            if isinstance(each, dict)
        }
        self._known = known
        self._report: dict[str, str] = {}
        for (kind, native), resource in known.items():
            if kind == "status_report":
                for _, update in _related(resource, "status_updates"):
                    self._report[update] = native
        for (kind, native), resource in known.items():
            if kind == "status_update":
                attributes = resource.get("attributes")
                named = attributes.get("status_report_id") if isinstance(attributes, dict) else None
                for _, report in _related(resource, "status_report"):
                    named = report
                if named is not None:
                    self._report[native] = str(named)
        self.reported = {self._report.get(native) for kind, native in known if kind == UPDATE}

    def report_of(self, update: str | None) -> dict[str, Any]:
        """The report of an update: only its id where it is elsewhere, empty where none is named."""
        named = self._report.get(str(update))
        return {} if named is None else self._known.get(("status_report", named), {"id": named})

    def name(self, resource: str | None) -> str | None:
        """The name of a resource, else its id."""
        found = self._known.get(("status_page_resource", str(resource)), {})
        return text(inner(found, "attributes"), "public_name") or resource


def _is_incident(resource: Mapping[str, Any]) -> bool:
    attributes = resource.get("attributes")
    return isinstance(attributes, dict) and {"started_at", "cause"} <= attributes.keys()


def _rows(resource: dict[str, Any], page: _Page, settings: SourceSettings, notes: Notes) -> Rows:
    kind, attributes = text(resource, "type"), inner(resource, "attributes")
    if kind == "incident":
        return [("alert", _alert(resource, attributes))]
    if kind == "status_report":
        if text(resource, "id") in page.reported:
            raise Silent("a report, of which each update is a record")
        return _update(resource, None, page, settings, notes)
    if kind == UPDATE:
        report = page.report_of(text(resource, "id"))
        return _update(report, resource, page, settings, notes)
    raise Silent("a resource or section as it was at the time of the export, not of an instant")


def _alert(resource: dict[str, Any], attributes: dict[str, Any]) -> dict[str, str | None]:
    return {
        "alert_id": text(resource, "id"),
        "fired_at": text(attributes, "started_at"),
        "target": text(attributes, "name"),
        "acked_at": text(attributes, "acknowledged_at"),
        "cleared_at": text(attributes, "resolved_at"),
    }


def _related(resource: Mapping[str, Any], name: str) -> list[tuple[str, str]]:
    relationships = resource.get("relationships")
    related = relationships.get(name) if isinstance(relationships, dict) else None
    data = related.get("data") if isinstance(related, dict) else None
    return [
        (str(each.get("type")), str(each.get("id")))
        for each in (data if isinstance(data, list) else [data])
        if isinstance(each, dict)
    ]


def _update(
    report: dict[str, Any],
    update: dict[str, Any] | None,
    page: _Page,
    settings: SourceSettings,
    notes: Notes,
) -> Rows:
    about = inner(report, "attributes")
    post = {} if update is None else inner(update, "attributes")
    is_maintenance = text(about, "report_type") == "maintenance"
    affected = items(about if update is None else post, "affected_resources")
    words = [text(each, "status") for each in affected]
    if words:
        is_resolved = all(each == "resolved" for each in words)
    else:
        is_resolved = update is None and text(about, "aggregate_state") == "resolved"
    starts, ends = text(about, "starts_at"), text(about, "ends_at")
    row = {
        "posted_at": text(post, "published_at"),
        "incident_id": text(report, "id"),
        "update_id": None if update is None else text(update, "id"),
        "state": "resolved" if is_resolved else "update",
        "title": text(about, "title"),
        "body": text(post, "message"),
        "kind": "maintenance" if is_maintenance else "incident" if about else None,
        "captured_at": settings.captured_at,
        "claimed_start_at": None if is_maintenance else starts,
        "claimed_end_at": None if is_maintenance else ends,
        "scheduled_start_at": starts if is_maintenance else None,
        "scheduled_end_at": ends if is_maintenance else None,
    }
    identity = {key: row[key] for key in ("incident_id", "update_id", "posted_at")}
    found: Rows = [("status_update", row)]
    for each in affected:
        native = text(each, "status_page_resource_id")
        component = {
            "component": page.name(native),
            "component_status": component_word(
                text(each, "status"), COMPONENT_STATUS, "component_status", notes
            ),
        }
        found.append(("status_component", {**identity, **component}))
    return found
