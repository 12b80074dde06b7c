"""The audit trail of ServiceNow, as CSV or JSON: who changed which field of which record, and when.

Source: the sys_audit table of the baseline product. It is the only place in ServiceNow that keeps
what a record was before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.reader import Reader, Sink, SourceSettings
from toolkit.ingest.servicenow import cell, columns, element_names, rows

LABELS = {
    "table name": "tablename",
    "tablename": "tablename",
    "document key": "documentkey",
    "documentkey": "documentkey",
    "field name": "fieldname",
    "fieldname": "fieldname",
    "old value": "oldvalue",
    "oldvalue": "oldvalue",
    "new value": "newvalue",
    "newvalue": "newvalue",
    "created": "sys_created_on",
    "sys_created_on": "sys_created_on",
    "user": "user",
    "reason": "reason",
}
NEEDED = ("documentkey", "fieldname", "newvalue", "sys_created_on")
TICKETS = {"incident", "problem", "sn_si_incident"}
STATES = {"state", "incident_state", "problem_state"}
SHOWN = 400
_NUMBER = re.compile(r"CHG\d+")


class ServiceNowAudit(Reader):
    """An export of the sys_audit table."""

    name = "servicenow_audit"
    title = "ServiceNow audit trail (CSV, Table API)"
    fills = ("maintenance_event", "ticket_event")
    obtain = (
        "/sys_audit_list.do?CSV filtered by document key, with the columns tablename, documentkey,"
        " fieldname, oldvalue, newvalue, sys_created_on and user"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "times are in the time zone of the user who exported them, without a mark; the Table API's"
        " JSON with sysparm_display_value=all holds UTC, and needs no zone",
        "a record is named by its sys_id, not by its number, so that an event names no change,"
        " unless the export shows numbers",
        "values are codes and sys_ids; a long one is shortened in the message",
        "states of incidents and problems are ticket events; every other change of a field is an"
        " event with action `log`, since it was made to the record and not to an asset",
        "an export ends after 10,000 rows without a word",
    )
    needs_zone = True
    sample = (
        b'"tablename","documentkey","fieldname","oldvalue","newvalue","sys_created_on","user"\n'
        b'"change_request","0f2b8example00000000000000000001","backout_plan","","Put it back",'
        b'"2022-02-01 23:05:44","op-x"\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        return {*NEEDED, "oldvalue"} <= element_names(file, LABELS)

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        names = columns(file, LABELS, NEEDED)
        times = {"sys_created_on": "occurred_at"}
        for record, cells in rows(file, settings, sink, names, times):
            _send(record, cells, sink)


def _send(record: Record, cells: Mapping[str, str], sink: Sink) -> None:
    table, field = cell(cells, "tablename"), cell(cells, "fieldname")
    document, new = cell(cells, "documentkey"), cell(cells, "newvalue")
    at, user = cell(cells, "sys_created_on"), cell(cells, "user")
    if document is None:
        sink.reject(record, "ID_MISSING", "the row names no record", field="documentkey")
    elif table in TICKETS and field in STATES and new is not None:
        ticket = {"occurred_at": at, "ticket_id": document, "state": new, "actor": user}
        sink.accept(record, ("ticket_event", ticket))
    else:
        old = cell(cells, "oldvalue")
        event = {
            "occurred_at": at,
            "action": "log",
            "change_id": document if _NUMBER.fullmatch(document) else None,
            "actor": user,
            "message": f"{table or 'record'} {document}: {field or 'a field'} changed from"
            f" {_shown(old)} to {_shown(new)}",
        }
        sink.accept(record, ("maintenance_event", event))


def _shown(value: str | None) -> str:
    if value is None:
        return "nothing"
    return f"“{value if len(value) <= SHOWN else value[:SHOWN] + '…'}”"
