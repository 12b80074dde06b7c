"""Incidents and maintenances of Instatus, from the owner's API or the public summary.

Source: https://instatus.com/help/api. One record is one update; the public summary has none, so
that each of its active incidents is one record without a time of posting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.ingest.statuspages import (
    Notes,
    Rows,
    Unreadable,
    document,
    flatten,
    instant,
    items,
    later,
    listed,
    send,
    text,
    translate,
    update_of,
)
from toolkit.timestamps import Instant, TimeRule

STATE = {
    "investigating": "investigating",
    "identified": "identified",
    "monitoring": "monitoring",
    "resolved": "resolved",
    "notstartedyet": "scheduled",
    "inprogress": "in_progress",
    "verifying": "verifying",
    "completed": "completed",
}
OF_A_MAINTENANCE = {"scheduled", "in_progress", "verifying", "completed"}
PAGE_STATUS = {"UP", "HASISSUES", "UNDERMAINTENANCE"}
LISTS = ("activeIncidents", "activeMaintenances")
PAGE_SIZE = 100


class Instatus(Reader):
    """Incidents or maintenances of an Instatus page."""

    name = "instatus"
    title = "Instatus incidents and maintenances (JSON)"
    fills = ("status_update", "status_component")
    obtain = (
        "the page's owner: api.instatus.com/v1/PAGE_ID/incidents?page=N&per_page=100, and"
        " /maintenances; anyone: curl https://PAGE/v3/summary.json"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "the time shown (`started` of an update) can be edited; when it was written is `createdAt`",
        "the public summary holds what is active, without updates and without history; its lists"
        " are absent when they are empty",
        "components are those of the whole incident, with their state at the time of the export;"
        " that state is not read, because it is not dated",
        "a maintenance states its start and its length; the end is computed",
    )
    sample = b"""[{"id":"clexample0001","name":"Restores delayed","status":"RESOLVED",
"started":"2022-03-09T08:31:00.000Z","resolved":"2022-03-09T16:02:00.000Z",
"updates":[{"id":"cluexample01","message":"We are looking into delayed restores.",
"messageHtml":"<p>We are looking into delayed restores.</p>","status":"INVESTIGATING",
"notify":true,"started":"2022-03-09T08:31:00.000Z","createdAt":"2022-03-09T08:33:12.410Z"}],
"components":[{"id":"clcexample01","name":"Cloud restore","status":"OPERATIONAL"}]}]
"""

    def matches(self, file: EvidenceFile) -> bool:
        value = file.json
        if isinstance(value, dict):
            page = value.get("page")
            return (
                isinstance(page, dict)
                and {"name", "url", "status"} <= page.keys()
                and page["status"] in PAGE_STATUS
                and value.keys() <= {"page", *LISTS}
            )
        return (
            isinstance(value, list)
            and bool(value)
            and all(
                isinstance(each, dict)
                and {"id", "name", "status", "updates"} <= each.keys()
                and bool({"started", "start"} & each.keys())
                and str(each["status"]).isupper()
                and str(each["status"]).lower() in STATE
                for each in value
            )
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        value = document(file, "download it again, as the API's answer")
        if isinstance(value, list):
            elements = flatten(value, "updates")
            if len(value) >= PAGE_SIZE:
                sink.incomplete(f"a full page of {PAGE_SIZE}: there may be further pages")
        elif isinstance(value, dict):
            elements = [
                element
                for key in LISTS
                for element in flatten(listed(file, value, key), "updates", list=key)
            ]
            sink.incomplete("the public summary holds what is active, and no history")
        else:
            raise EvidenceRefused(
                "neither a list of incidents nor a summary",
                path=file.path,
                remedy="give the API's answer, unchanged",
            )

        def rows(element: dict[str, Any], notes: Notes) -> Rows:
            return _rows(element, settings, notes)

        send(file, sink, elements, rows)


def _rows(element: dict[str, Any], settings: SourceSettings, notes: Notes) -> Rows:
    incident, update = update_of(element)
    about = translate(text(incident, "status"), STATE, "state", [])
    is_maintenance = (
        about in OF_A_MAINTENANCE or element.get("list") == LISTS[1] or "start" in incident
    )
    state = translate(text(update or incident, "status"), STATE, "state", notes)
    update = update or {}
    shown, created = text(update, "started"), text(update, "createdAt")
    start = text(incident, "start") if is_maintenance else None
    row: dict[str, Value] = {
        "posted_at": shown or created,
        "incident_id": text(incident, "id") or (text(incident, "url") or "").rpartition("/")[2],
        "update_id": text(update, "id"),
        "state": state,
        "title": _shown(incident, "name"),
        "body": _shown(update, "message"),
        "kind": "maintenance" if is_maintenance else "incident",
        "impact": text(incident, "impact"),
        "created_at": created,
        "edited_at": later(text(update, "updatedAt"), created),
        "captured_at": settings.captured_at,
        "claimed_start_at": None if is_maintenance else text(incident, "started"),
        "claimed_end_at": text(incident, "resolved"),
        "scheduled_start_at": start,
        "scheduled_end_at": None if start is None else _end(start, incident, settings),
    }
    identity = {key: row[key] for key in ("incident_id", "update_id", "posted_at")}
    components: Rows = [
        ("status_component", {**identity, "component": name})
        for each in items(incident, "components")
        if (name := _shown(each, "name")) is not None
    ]
    return [("status_update", row), *components]


def _shown(value: Mapping[str, Any], field: str) -> str | None:
    """A text that may be translated: then the page's own language."""
    found = value.get(field)
    return text(found, "default") if isinstance(found, dict) else text(value, field)


def _end(start: str, incident: Mapping[str, Any], settings: SourceSettings) -> Instant | None:
    minutes = text(incident, "duration")
    if minutes is None:
        return None
    if not minutes.isdecimal() or len(minutes) > 7:
        raise Unreadable(
            "duration", f"{minutes[:40]!r} is no number of minutes", "NUMBER_NOT_WHOLE"
        )
    length = timedelta(minutes=int(minutes))
    at = instant(start, TimeRule(zone=settings.zone), "start")
    return replace(at, at=at.at + length, lo=at.lo + length, hi=at.hi + length)
