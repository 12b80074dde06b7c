"""Statuspage v2 JSON, the commonest public status history, and the pages that imitate it.

One record is one update. Source: https://metastatuspage.com/api and recorded answers of public
pages; owners get the same incidents from the v1 API, without the `page` object around them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile, Record, parse_json
from toolkit.ingest.reader import Reader, Row, Sink, SourceSettings
from toolkit.ingest.statuspages import listed
from toolkit.relations import COMPONENT_STATUS, UPDATE_STATES
from toolkit.timestamps import TimeError, parse

PUBLIC_LIMIT = 50
OWNER_LIMIT = 100
LISTS = ("incidents", "scheduled_maintenances")


class Statuspage(Reader):
    """Incidents, maintenances or the summary of a Statuspage."""

    name = "statuspage"
    title = "Statuspage v2 JSON (Atlassian, incident.io and other compatible pages)"
    fills = ("status_update", "status_component")
    obtain = (
        "curl https://PAGE/api/v2/incidents.json and https://PAGE/api/v2/scheduled-maintenances.json"
        " (the page's owner: api.statuspage.io/v1/pages/PAGE_ID/incidents?per_page=100&page=N)"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "the time shown (display_at) can be edited; when an update was written is created_at",
        "the public list holds the 50 newest incidents only, and deleted ones vanish from it",
        "an incident's components show their state at the time of the export, not of the incident;"
        " only the old and new states inside an update are dated",
        "a maintenance's started_at is the time at which it was entered, so it is not read",
        "an incident without updates has no time of posting",
        "the file does not say when it was exported: state captured_at in the case file",
    )
    sample = b"""{"page":{"id":"q7k2m0example","name":"Northbank Vault","url":"https://status.example.org",
"time_zone":"America/Denver","updated_at":"2022-03-12T10:31:00.412-07:00"},"incidents":[
{"id":"zx81example","name":"Cloud restores delayed","status":"identified","impact":"major",
"created_at":"2022-03-09T08:31:02.120-07:00","updated_at":"2022-03-12T10:30:58.000-07:00",
"monitoring_at":null,"resolved_at":null,"started_at":"2022-03-09T08:31:02.101-07:00",
"shortlink":"https://stspg.example/zx81","page_id":"q7k2m0example","components":[],
"incident_updates":[{"id":"u1example","incident_id":"zx81example","status":"investigating",
"body":"We are looking into delayed restores.","created_at":"2022-03-09T08:31:02.188-07:00",
"updated_at":"2022-03-09T08:31:02.188-07:00","display_at":"2022-03-09T08:31:02.188-07:00",
"affected_components":[{"code":"c9example","name":"Cloud restore","old_status":"operational",
"new_status":"partial_outage"}],"deliver_notifications":true}]}]}
"""

    def matches(self, file: EvidenceFile) -> bool:
        value = file.json
        if isinstance(value, dict):
            page = value.get("page")
            return (
                isinstance(page, dict)
                and {"id", "name"} <= page.keys()
                and bool({"time_zone", "url"} & page.keys())
                and bool({*LISTS, "components", "incident"} & value.keys())
            )
        # The owner's API answers with the bare list of incidents.
        return (
            isinstance(value, list)
            and bool(value)
            and all(
                isinstance(each, dict) and {"id", "impact", "incident_updates"} <= each.keys()
                for each in value
            )
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        value = _parsed(file)
        elements = list(_updates(file, value))
        if isinstance(value, dict):
            elements += [{"component": each} for each in listed(file, value, "components")]
        for record, element in file.elements(elements):
            if "component" in element:
                sink.skip(record, "undated state of a component at the time of the export")
            else:
                _send(record, element, settings, sink)
        _check_limits(value, sink)


def _parsed(file: EvidenceFile) -> dict[str, Any] | list[Any]:
    value = file.json
    if value is None:
        try:
            value = parse_json(file.data)
        except (ValueError, RecursionError) as error:
            raise EvidenceRefused(
                f"the file is not JSON ({error})",
                path=file.path,
                line=getattr(error, "lineno", None),
                remedy="download it again, as the answer of the page's API",
            ) from None
    if not isinstance(value, dict | list):
        raise EvidenceRefused(
            "neither an answer of the status page nor a list of incidents",
            path=file.path,
            remedy="give the page's api/v2/incidents.json",
        )
    return value


def _updates(file: EvidenceFile, value: dict[str, Any] | list[Any]) -> Iterator[dict[str, Any]]:
    """Every update with the incident that it belongs to, in the order of the file."""
    if isinstance(value, list):
        groups = [("incidents", value)]
    else:
        groups = [(key, listed(file, value, key)) for key in LISTS]
        if value.get("incident") is not None:
            groups.append(("incidents", [value["incident"]]))
    for key, incidents in groups:
        for incident in incidents:
            if not isinstance(incident, dict):
                yield {"list": key, "incident": incident, "update": None}
                continue
            about = {
                name: each
                for name, each in incident.items()
                if name not in ("incident_updates", "components")
            }
            updates = incident.get("incident_updates")
            if updates is not None and not isinstance(updates, list):
                updates = [updates]
            for update in updates or [None]:
                yield {"list": key, "incident": about, "update": update}
            yield from _postmortem(key, about, updates or [])


def _postmortem(key: str, incident: dict[str, Any], updates: list[Any]) -> Iterator[dict[str, Any]]:
    """The postmortem as an update of its own, where only the incident's own fields hold it."""
    body, published = incident.get("postmortem_body"), incident.get("postmortem_published_at")
    among_updates = any(
        isinstance(each, dict) and each.get("status") == "postmortem" for each in updates
    )
    # One client is known to write a flag where the page writes the time.
    if not body or not isinstance(published, str) or among_updates:
        return
    update = {
        "id": "postmortem",
        "status": "postmortem",
        "body": body,
        "display_at": published,
        "updated_at": incident.get("postmortem_body_last_updated_at"),
    }
    yield {"list": key, "incident": incident, "update": update}


def _send(record: Record, element: Mapping[str, Any], settings: SourceSettings, sink: Sink) -> None:
    incident = element["incident"]
    # Without an update, the incident itself says what it is, but not when that was posted.
    update = {"status": incident.get("status")} if _is_bare(element) else element["update"]
    if not isinstance(incident, dict) or not isinstance(update, dict):
        sink.reject(record, "RECORD_SHAPE", "an incident or an update is not a JSON object")
        return
    notes: list[tuple[str, str]] = []
    try:
        row = _row(element["list"], incident, update, notes)
        components = _components(row, update, notes)
    except _Unreadable as error:
        sink.reject(record, "FIELD_TYPE", error.reason, field=error.field)
        return
    if row["incident_id"] is None:
        sink.reject(record, "ID_MISSING", "the incident has no id", field="id")
        return
    row["captured_at"] = settings.captured_at
    rows = [("status_update", row), *(("status_component", each) for each in components)]
    if sink.accept(record, *rows):
        for column, raw in notes:
            sink.note(record, column, "UNKNOWN_WORD", raw)


def _is_bare(element: Mapping[str, Any]) -> bool:
    return isinstance(element["incident"], dict) and element["update"] is None


def _row(
    key: str, incident: dict[str, Any], update: dict[str, Any], notes: list[tuple[str, str]]
) -> dict[str, str | None]:
    shown, created = _text(update, "display_at"), _text(update, "created_at")
    scheduled_for = _text(incident, "scheduled_for")
    maintenance = key == "scheduled_maintenances" or scheduled_for is not None
    raw_state = _text(update, "status")
    state = _word(raw_state)
    if state not in UPDATE_STATES:
        if raw_state is not None:
            notes.append(("state", raw_state))
        state = "unknown"
    return {
        "posted_at": shown or created,
        "incident_id": _text(incident, "id"),
        "update_id": _text(update, "id"),
        "state": state,
        "title": _text(incident, "name"),
        "body": _text(update, "body"),
        "kind": "maintenance" if maintenance else "incident",
        "impact": _text(incident, "impact"),
        "created_at": created,
        "edited_at": _later(_text(update, "updated_at"), created or shown),
        "claimed_start_at": None if maintenance else _text(incident, "started_at"),
        "claimed_end_at": _text(incident, "resolved_at"),
        "scheduled_start_at": scheduled_for,
        "scheduled_end_at": _text(incident, "scheduled_until"),
    }


def _components(
    row: Mapping[str, str | None], update: dict[str, Any], notes: list[tuple[str, str]]
) -> list[Row]:
    affected = update.get("affected_components")
    if affected is None:
        return []
    if not isinstance(affected, list) or not all(isinstance(each, dict) for each in affected):
        raise _Unreadable("affected_components", "not a list of components")
    rows: list[Row] = []
    for each in affected:
        name = _text(each, "name")
        if name is None or (each.get("code") is None and name.startswith("No components were")):
            continue
        states: dict[str, str | None] = {}
        for column, field in (
            ("component_status", "new_status"),
            ("component_old_status", "old_status"),
        ):
            raw = _text(each, field)
            states[column] = _word(raw)
            if raw is not None and states[column] not in COMPONENT_STATUS:
                states[column] = None
                notes.append((column, raw))
        rows.append(
            {
                "incident_id": row["incident_id"],
                "update_id": row["update_id"],
                "posted_at": row["posted_at"],
                "component": name,
                **states,
            }
        )
    return rows


class _Unreadable(ValueError):
    """A field holds something that is no text."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


def _text(value: Mapping[str, Any], field: str) -> str | None:
    """A field as text; empty and absent are both NULL. Raises `_Unreadable` for nested values."""
    found = value.get(field)
    if found is None or found == "":
        return None
    if isinstance(found, str | int | float):
        return str(found)
    raise _Unreadable(field, "a nested value where a text is expected")


def _word(raw: str | None) -> str | None:
    return None if raw is None else raw.strip().lower().replace(" ", "_").replace("-", "_")


def _later(updated: str | None, written: str | None) -> str | None:
    """The time of the last edit, if there was one after the update was written."""
    if updated is None or written is None:
        return updated
    try:
        return updated if parse(updated).at > parse(written).at else None
    except TimeError:
        # The sink reads both again, and rejects the record with the field that is at fault.
        return updated


def _check_limits(value: dict[str, Any] | list[Any], sink: Sink) -> None:
    if isinstance(value, list):
        if len(value) >= OWNER_LIMIT:
            sink.incomplete(f"a full page of {OWNER_LIMIT} incidents: there may be further pages")
        return
    for key in LISTS:
        if len(value.get(key) or []) >= PUBLIC_LIMIT:
            sink.incomplete(f"the public list of {key} holds the {PUBLIC_LIMIT} newest only")
