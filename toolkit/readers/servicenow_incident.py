"""Incidents of ServiceNow, as CSV or JSON: a list of them, or a log with one row per change of one.

Source: the incident table of the baseline product (element names).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.reader import Reader, Row, Sink, SourceSettings
from toolkit.ingest.servicenow import cell, columns, element_names, rows

LABELS = {
    "number": "number",
    "short description": "short_description",
    "caller": "caller_id",
    "caller_id": "caller_id",
    "incident state": "incident_state",
    "incident_state": "incident_state",
    "state": "state",
    "configuration item": "cmdb_ci",
    "assigned to": "assigned_to",
    "opened": "opened_at",
    "opened by": "opened_by",
    "resolved": "resolved_at",
    "resolved by": "resolved_by",
    "closed": "closed_at",
    "closed by": "closed_by",
    "updated": "sys_updated_on",
    "updated by": "sys_updated_by",
    "change request": "rfc",
    "caused by change": "caused_by",
}
UPDATED = ("sys_updated_on", "sys_updated_at")
STATE = ("incident_state", "state")
# What a list shows of an incident: its time and actor at each of these points.
POINTS = (
    ("opened", "opened_at", "opened_by"),
    ("resolved", "resolved_at", "resolved_by"),
    ("closed", "closed_at", "closed_by"),
)
TIMES = dict.fromkeys((*UPDATED, *(at for _, at, _ in POINTS)), "occurred_at")


class ServiceNowIncident(Reader):
    """An export of the incident table, or of its history."""

    name = "servicenow_incident"
    title = "ServiceNow incidents (CSV, Table API)"
    fills = ("ticket_event",)
    obtain = "incident list, right-click on the header, Export, CSV; or /incident_list.do?CSV"
    traps: ClassVar[tuple[str, ...]] = (
        "times are in the time zone of the user who exported them, without a mark; the Table API's"
        " JSON with sysparm_display_value=all holds UTC, and needs no zone",
        "a list has one row per incident, and shows when it was opened, resolved and closed; a log"
        " has several, and each is the state at its update: a number that occurs twice tells them"
        " apart",
        "dates such as 3/9/2022 need a declared order, unless other dates of the file prove it",
        "a cell with a single question mark is empty, as anonymised exports write it",
        "the change that an incident was caused by goes before the one that was raised from it",
        "an export ends after 10,000 rows without a word",
    )
    needs_zone = True
    sample = (
        b'"number","incident_state","opened_at","opened_by","sys_updated_on","sys_updated_by",'
        b'"short_description","cmdb_ci","caller_id","caused_by"\n'
        b'"INC0049901","New","2022-03-09 01:14:00","desk-1","2022-03-09 01:15:20","desk-1",'
        b'"Restores are slow","arr-example-1","caller-7",""\n'
        b'"INC0049901","In Progress","2022-03-09 01:14:00","desk-1","2022-03-09 01:31:09","op-x",'
        b'"Restores are slow","arr-example-1","caller-7","CHG0039901"\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        found = element_names(file, LABELS)
        return (
            {"number"} <= found
            and bool(found & {"incident_state", "caller_id"})
            and bool(found & {*STATE})
            and bool(found & TIMES.keys())
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        names = columns(file, LABELS, ("number",))
        held = [
            (record, {name: "" if value.strip() == "?" else value for name, value in cells.items()})
            for record, cells in rows(file, settings, sink, names, TIMES)
        ]
        times_named = Counter(cell(cells, "number") for _, cells in held)
        is_log = max(times_named.values(), default=0) > 1
        for record, cells in held:
            _send(record, cells, sink, is_log=is_log)


def _send(record: Record, cells: Mapping[str, str], sink: Sink, *, is_log: bool) -> None:
    about = {
        "ticket_id": cell(cells, "number"),
        "target": cell(cells, "cmdb_ci"),
        "related_change": cell(cells, "caused_by", "rfc"),
        "title": cell(cells, "short_description"),
    }
    found: list[tuple[str, Row]] = []
    if is_log:
        update = {
            "occurred_at": cell(cells, *UPDATED),
            "state": cell(cells, *STATE),
            "actor": cell(cells, "sys_updated_by"),
        }
        found.append(("ticket_event", {**about, **update}))
    else:
        for state, at, by in POINTS:
            if cell(cells, at) is not None:
                point = {"occurred_at": cell(cells, at), "state": state, "actor": cell(cells, by)}
                found.append(("ticket_event", {**about, **point}))
    if not found:
        sink.reject(record, "VALUE_MISSING", "the incident has no time", field="opened_at")
        return
    sink.accept(record, *found)
