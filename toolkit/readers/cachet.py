"""Incidents and schedules of Cachet, versions 2 and 3, as its API answers.

Source: https://docs.cachethq.io and the resources of cachethq/core. Version 2 answers plain
objects, version 3 JSON:API; both print times without a zone. One record is one update; the incident
itself, or the schedule, is the first of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import Reader, Sink, SourceSettings
from toolkit.ingest.statuspages import (
    Notes,
    Rows,
    Silent,
    document,
    inner,
    items,
    later,
    send,
    text,
    translate,
    update_of,
)

INCIDENT = {
    "0": "scheduled",
    "1": "investigating",
    "2": "identified",
    "3": "monitoring",
    "4": "resolved",
}
# Version 3 has schedules of their own, and no scheduled incidents.
INCIDENT_3 = {**INCIDENT, "0": "unknown"}
SCHEDULE = {"0": "scheduled", "1": "in_progress", "2": "completed"}
# 1: everyone may see it; 0: those who are logged in; 2: nobody.
VISIBLE = {None, "1", "True", "true"}
TIMES_3 = ("occurred", "created", "updated", "scheduled", "completed", "published")
_BARE_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?")


class Cachet(Reader):
    """Incidents or schedules of a Cachet page."""

    name = "cachet"
    title = "Cachet incidents and schedules (JSON, versions 2 and 3)"
    fills = ("status_update", "status_component")
    obtain = (
        "version 2: curl https://PAGE/api/v1/incidents?per_page=1000, and /schedules;"
        " version 3: curl 'https://PAGE/api/incidents?include=components,updates&per_page=1000'"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "times are in the time zone of the application (APP_TIMEZONE or its settings), unmarked",
        "words such as `2 days ago` are relative to the download, and not read",
        "an incident's status is that of its newest update: with updates, it opens as `update`",
        "an incident that is not visible to everyone was no public post; it is skipped",
        "the completion of a schedule may lie in the future: it is its planned end",
        "an API answers in pages; meta.pagination says how many there are",
    )
    needs_zone = True
    sample = b"""{"meta":{"pagination":{"total":1,"count":1,"per_page":20,"current_page":1,
"total_pages":1,"links":{"next_page":null,"previous_page":null}}},"data":[{"id":7,
"component_id":2,"name":"Restores delayed","status":4,"visible":1,"message":"Restores are slow.",
"scheduled_at":null,"created_at":"2022-03-09 01:31:02","updated_at":"2022-03-09 09:02:40",
"deleted_at":null,"human_status":"Fixed","occurred_at":"2022-03-09 01:30:00","updates":[{"id":12,
"incident_id":7,"status":4,"message":"Restores complete as usual.","user_id":1,
"created_at":"2022-03-09 09:02:40","updated_at":"2022-03-09 09:02:40","human_status":"Fixed"}]}]}
"""

    def matches(self, file: EvidenceFile) -> bool:
        value = file.json
        if not isinstance(value, dict) or not isinstance(value.get("data"), list):
            return False
        data = value["data"]
        if not data or not all(isinstance(each, dict) for each in data):
            return False
        return all(_is_2(each) for each in data) or all(_is_3(each) for each in data)

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        value = document(file, "download it again, as the API's answer")
        if not isinstance(value, dict) or not isinstance(value.get("data"), list):
            raise EvidenceRefused(
                "the answer has no list named data",
                path=file.path,
                field="data",
                remedy="give the API's answer, unchanged",
            )
        included = _included(value)
        elements = [each for entry in value["data"] for each in _elements(entry, included)]
        if settings.zone is None and any(_has_bare_time(each) for each in elements):
            raise EvidenceRefused(
                "the times carry no zone",
                path=file.path,
                remedy="state the time zone of the Cachet application as zone in the case file,"
                " or as ingest --zone",
            )
        _check_pages(value, sink)

        def rows(element: dict[str, Any], notes: Notes) -> Rows:
            return _rows(element, settings, notes)

        send(file, sink, elements, rows)


def _is_2(entry: Mapping[str, Any]) -> bool:
    return {"id", "name", "status", "message", "created_at", "scheduled_at"} <= entry.keys() and (
        bool({"visible", "human_status", "completed_at"} & entry.keys())
    )


def _is_3(entry: Mapping[str, Any]) -> bool:
    attributes = entry.get("attributes")
    return (
        entry.get("type") in ("incidents", "schedules")
        and isinstance(attributes, dict)
        and {"name", "message", "status", "created"} <= attributes.keys()
        and isinstance(attributes["created"], dict)
        and "string" in attributes["created"]
    )


def _included(value: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    found = value.get("included")
    return {
        (str(each.get("type")), str(each.get("id"))): each
        for each in (found if isinstance(found, list) else ())
        if isinstance(each, dict)
    }


def _elements(entry: Any, included: Mapping[tuple[str, str], dict[str, Any]]) -> list[Any]:
    """The incident or schedule, then its updates, in one form for both versions."""
    if not isinstance(entry, dict):
        return [entry]
    updates: Any
    if "attributes" in entry:
        about = {"version": 3, "type": entry.get("type"), **_plain(entry)}
        updates = [_plain(each) for each in _related(entry, "updates", included)]
        components = [_plain(each) for each in _related(entry, "components", included)]
    else:
        kind = "schedules" if "completed_at" in entry else "incidents"
        left_out = ("updates", "component", "components")
        about = {"version": 2, "type": kind}
        about |= {key: each for key, each in entry.items() if key not in left_out}
        updates = entry.get("updates") or []
        single = entry.get("component")
        components = entry.get("components") or ([single] if single else [])
    about["components"] = components
    if not isinstance(updates, list):
        updates = [updates]
    opening: dict[str, Any] = {"incident": about, "update": None, "is_alone": not updates}
    return [opening, *({"incident": about, "update": each} for each in updates)]


def _related(
    entry: Mapping[str, Any], name: str, included: Mapping[tuple[str, str], dict[str, Any]]
) -> list[dict[str, Any]]:
    relationships = entry.get("relationships")
    related = relationships.get(name) if isinstance(relationships, dict) else None
    data = related.get("data") if isinstance(related, dict) else None
    keys = [
        (str(each.get("type")), str(each.get("id")))
        for each in (data if isinstance(data, list) else ())
        if isinstance(each, dict)
    ]
    return [included[key] for key in keys if key in included]


def _plain(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A resource of version 3 with the names and the plain values of version 2."""
    attributes = resource.get("attributes")
    found = dict(attributes) if isinstance(attributes, dict) else {}
    found.setdefault("id", resource.get("id"))
    for name in TIMES_3:
        each = found.pop(name, None)
        if isinstance(each, dict):
            found[f"{name}_at"] = each.get("string")
    if isinstance(found.get("status"), dict):
        found["status"] = found["status"].get("value")
    return found


def _has_bare_time(element: Any) -> bool:
    if not isinstance(element, dict):
        return False
    parts = (element.get("incident"), element.get("update"))
    return any(
        key.endswith("_at") and isinstance(each, str) and _BARE_TIME.fullmatch(each)
        for part in parts
        if isinstance(part, dict)
        for key, each in part.items()
    )


def _check_pages(value: Mapping[str, Any], sink: Sink) -> None:
    meta = value.get("meta")
    pages = meta.get("pagination") if isinstance(meta, dict) else None
    total = pages.get("total_pages") if isinstance(pages, dict) else None
    links = value.get("links")
    following = links.get("next") if isinstance(links, dict) else None
    if following or (isinstance(total, int) and total > 1):
        sink.incomplete("one page of several")


def _rows(element: dict[str, Any], settings: SourceSettings, notes: Notes) -> Rows:
    about, update = update_of(element)
    if text(about, "visible") not in VISIBLE:
        raise Silent("not visible to everyone on the page")
    is_schedule = about["type"] == "schedules"
    words = SCHEDULE if is_schedule else INCIDENT_3 if about["version"] == 3 else INCIDENT
    raw = text(update or about, "status")
    if raw is None and update is not None:
        state = "update"
    elif update is None and not element.get("is_alone"):
        state = "scheduled" if is_schedule else "update"
    else:
        state = translate(raw, words, "state", notes)
    posted, created = _times(about, update, is_schedule)
    planned = text(about, "scheduled_at")
    # An incident is changed by every update; only one without updates shows an edit.
    changed = text(update or about, "updated_at") if update or element.get("is_alone") else None
    row = {
        "posted_at": posted,
        "incident_id": text(about, "id"),
        "update_id": "opened" if update is None else text(update, "id"),
        "state": state,
        "title": text(about, "name"),
        "body": text(update or about, "message"),
        "kind": "maintenance" if is_schedule or planned is not None else "incident",
        "created_at": created,
        "edited_at": later(changed, created, settings.zone),
        "captured_at": settings.captured_at,
        "claimed_start_at": text(about, "occurred_at"),
        "scheduled_start_at": planned,
        "scheduled_end_at": text(about, "completed_at") if is_schedule else None,
    }
    if is_schedule:
        # The two kinds are numbered apart.
        row["incident_id"] = row["incident_id"] and f"schedule-{row['incident_id']}"
    identity = {key: row[key] for key in ("incident_id", "update_id", "posted_at")}
    components: Rows = [
        ("status_component", {**identity, "component": name})
        for each in items(about, "components")
        if (name := text(each, "name") or text(inner(each, "attributes"), "name")) is not None
    ]
    return [("status_update", row), *components]


def _times(
    about: dict[str, Any], update: dict[str, Any] | None, is_schedule: bool
) -> tuple[str | None, str | None]:
    """When the page shows that it was posted, and when it was written."""
    if update is not None:
        return text(update, "created_at"), text(update, "created_at")
    created = text(about, "created_at")
    shown = text(about, "published_at" if is_schedule else "occurred_at")
    return shown or created, created
