"""A status page of Uptime Kuma and its heartbeats, as the page's own API answers.

Source: server/routers/status-page-router.js and the models of louislam/uptime-kuma. One record is
one incident or maintenance of the page, or one heartbeat. Times are UTC without a mark, except for
those of a maintenance, which are in the time zone that it states.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.ingest.statuspages import (
    Notes,
    Rows,
    Silent,
    Unreadable,
    document,
    inner,
    instant,
    items,
    later,
    listed,
    send,
    text,
    translate,
)
from toolkit.timestamps import Instant, TimeRule

BEAT = {"0": "failed", "1": "healthy", "2": "unknown", "3": "unknown"}
MAINTENANCE = {
    "scheduled": "scheduled",
    "under_maintenance": "in_progress",
    "ended": "completed",
    "inactive": "unknown",
}
BEATS_SHOWN = 100
UTC = TimeRule(zone="UTC")


class UptimeKuma(Reader):
    """The page or the heartbeats of an Uptime Kuma status page."""

    name = "uptime_kuma"
    title = "Uptime Kuma status page and heartbeats (JSON)"
    fills = ("status_update", "asset_state")
    obtain = (
        "curl https://HOST/api/status-page/SLUG and https://HOST/api/status-page/heartbeat/SLUG"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "times are UTC without a mark; those of a maintenance are in the zone that it states",
        "heartbeats name a monitor by its number only: the page's own answer says which is which",
        "heartbeats hold the last 100 of each monitor; the database keeps about 180 days",
        "an incident has one text, which is overwritten; it opens as `update`, and is `resolved`"
        " at its last change where it is no longer active",
        "a pending heartbeat or one during a maintenance says nothing about the monitor's health",
        "a maintenance has no time of posting; of a recurring one, no single window is read",
    )
    sample = b"""{"config":{"slug":"vault","title":"Northbank Vault","icon":"/icon.svg",
"published":true},"incident":{"id":3,"style":"warning","title":"Restores delayed",
"content":"We are looking into delayed restores.","pin":true,"createdDate":"2022-03-09 08:31:00",
"lastUpdatedDate":"2022-03-09 09:10:00"},"publicGroupList":[{"id":1,"name":"Services","weight":1,
"monitorList":[{"id":4,"name":"Cloud restore","sendUrl":0}]}],"maintenanceList":[]}
"""

    def matches(self, file: EvidenceFile) -> bool:
        value = file.json
        return isinstance(value, dict) and (
            {"config", "publicGroupList"} <= value.keys()
            or (
                {"heartbeatList", "uptimeList"} <= value.keys()
                and isinstance(value["heartbeatList"], dict)
            )
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        value = document(file, "download it again, as the page's answer")
        if not isinstance(value, dict):
            raise EvidenceRefused(
                "not an answer of the page's API", path=file.path, remedy="give it unchanged"
            )
        sink.rule("observed_at", UTC)
        elements = [*_posts(file, value)]
        beats = value.get("heartbeatList")
        for monitor, held in (beats if isinstance(beats, dict) else {}).items():
            found = held if isinstance(held, list) else [held]
            elements += [{"monitor": monitor, "beat": each} for each in found]
            if len(found) >= BEATS_SHOWN:
                sink.incomplete(f"the page shows the last {BEATS_SHOWN} heartbeats of a monitor")

        def rows(element: dict[str, Any], notes: Notes) -> Rows:
            if "monitor" in element:
                return [("asset_state", _beat(element, settings, notes))]
            if "maintenance" in element:
                return [("status_update", _maintenance(element, settings, notes))]
            if "incident" in element:
                return _incident(inner(element, "incident"), settings)
            raise Silent("a monitor of the page, as it was at the time of the export")

        send(file, sink, elements, rows)


def _posts(file: EvidenceFile, value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if value.get("incident") is not None:
        yield {"incident": value["incident"]}
    for each in listed(file, value, "incidents"):
        yield {"incident": each}
    for each in listed(file, value, "maintenanceList"):
        yield {"maintenance": each}
    for each in listed(file, value, "publicGroupList"):
        yield {"group": each}


def _incident(incident: dict[str, Any], settings: SourceSettings) -> Rows:
    created, changed = text(incident, "createdDate"), text(incident, "lastUpdatedDate")
    is_over = incident.get("active") is False and changed is not None
    row: dict[str, Value] = {
        "posted_at": _utc(created, "createdDate"),
        "incident_id": text(incident, "id"),
        "update_id": "opened",
        "state": "update",
        "title": text(incident, "title"),
        "body": text(incident, "content"),
        "kind": "incident",
        "impact": text(incident, "style"),
        "created_at": _utc(created, "createdDate"),
        "captured_at": settings.captured_at,
    }
    if not is_over:
        edited = later(changed, created, "UTC")
        return [("status_update", {**row, "edited_at": _utc(edited, "lastUpdatedDate")})]
    end = {
        **row,
        "update_id": "resolved",
        "state": "resolved",
        "posted_at": _utc(changed, "lastUpdatedDate"),
        "created_at": None,
    }
    return [("status_update", row), ("status_update", end)]


def _maintenance(
    element: dict[str, Any], settings: SourceSettings, notes: Notes
) -> dict[str, Value]:
    about = inner(element, "maintenance")
    zone = text(about, "timezone") or text(about, "timezoneOffset") or settings.zone
    slots = items(about, "timeslotList") if text(about, "strategy") == "single" else []
    slot = slots[0] if len(slots) == 1 else {}
    times: dict[str, Instant | None] = {}
    for column, name in (("scheduled_start_at", "startDate"), ("scheduled_end_at", "endDate")):
        raw = text(slot, name)
        times[column] = None if raw is None else instant(raw, TimeRule(zone=zone), name)
    native = text(about, "id")
    return {
        "incident_id": native and f"maintenance-{native}",
        "state": translate(text(about, "status"), MAINTENANCE, "state", notes),
        "title": text(about, "title"),
        "body": text(about, "description"),
        "kind": "maintenance",
        "captured_at": settings.captured_at,
        **times,
    }


def _beat(element: dict[str, Any], settings: SourceSettings, notes: Notes) -> dict[str, Value]:
    beat = inner(element, "beat")
    raw = text(beat, "status")
    if raw is None:
        raise Unreadable("status", "the value is missing", "VALUE_MISSING")
    return {
        "observed_at": text(beat, "time"),
        "asset_id": settings.asset_id or f"monitor-{text(element, 'monitor')}",
        "state": translate(raw, BEAT, "state", notes),
    }


def _utc(raw: str | None, field: str) -> Instant | None:
    return None if raw is None else instant(raw, UTC, field)
