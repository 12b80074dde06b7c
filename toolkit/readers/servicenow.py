"""Change requests of ServiceNow, as CSV exported from the list or by its `?CSV` address.

Source: the change_request table of the baseline product (element names, choice codes). Instances
rename choices and add their own: a word that is not in the baseline is kept as a note.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.ingest.servicenow import cell, choice, elements, rows

# The header holds element names (`?CSV`) or the labels of the baseline form, in English.
LABELS = {
    "number": "number",
    "short description": "short_description",
    "type": "type",
    "state": "state",
    "category": "category",
    "risk": "risk",
    "configuration item": "cmdb_ci",
    "requested by": "requested_by",
    "assigned to": "assigned_to",
    "planned start date": "start_date",
    "planned end date": "end_date",
    "actual start date": "work_start",
    "actual end date": "work_end",
    "backout plan": "backout_plan",
    "risk and impact analysis": "risk_impact_analysis",
    "implementation plan": "implementation_plan",
    "test plan": "test_plan",
    "cab required": "cab_required",
    "closed": "closed_at",
    "close code": "close_code",
    "sys id": "sys_id",
    "created": "sys_created_on",
}
TEXTS = {
    "change_id": "number",
    "title": "short_description",
    "kind": "category",
    "requested_by": "requested_by",
    "implementer": "assigned_to",
    "window_start": "start_date",
    "window_end": "end_date",
    "targets": "cmdb_ci",
    "rollback_ref": "backout_plan",
    "impact_ref": "risk_impact_analysis",
    "closed_at": "closed_at",
}
TIMES = {TEXTS[name]: name for name in ("window_start", "window_end", "closed_at")}
# What only a change has: two of these beside a number and a column of every task make it one.
OF_A_CHANGE = {
    "start_date", "end_date", "work_start", "work_end", "backout_plan", "risk_impact_analysis",
    "implementation_plan", "test_plan", "cab_required", "close_code",
}  # fmt: skip
OF_ANOTHER_TABLE = {"change_request", "change request", "change_task_type", "incident_state"}
OF_A_TASK = {"type", "state", "sys_id", "sys_created_on"}

RISK = {
    "1": "high", "2": "high", "3": "medium", "4": "low",
    "very high": "high", "high": "high", "moderate": "medium", "medium": "medium", "low": "low",
}  # fmt: skip
CLOSE_CODE = {
    "successful": "success",
    "successful_issues": "partial",
    "successful_with_issues": "partial",
    "unsuccessful": "failure",
}
CANCELLED = {"4", "canceled", "cancelled"}
# Routine and comprehensive are the types of releases before 2015.
EMERGENCY = {
    "emergency": True, "normal": False, "standard": False, "routine": False, "comprehensive": False,
}  # fmt: skip


class ServiceNow(Reader):
    """An export of the change_request table."""

    name = "servicenow"
    title = "ServiceNow change requests (CSV)"
    fills = ("change",)
    obtain = "change list, right-click on the header, Export, CSV; or /change_request_list.do?CSV"
    traps: ClassVar[tuple[str, ...]] = (
        "times are in the time zone of the user who exported them, without a mark",
        "planned start and end may have been typed after the fact",
        "only the last state is in the export: who approved and when is in sysapproval_approver",
        "an export ends after 10,000 rows without a word",
        "choices are labels in the language of the user; words outside of the baseline are noted",
        "names of people may be display names, which need not be unique",
    )
    needs_zone = True
    sample = (
        b'"number","type","state","short_description","category","risk","cmdb_ci","requested_by",'
        b'"assigned_to","start_date","end_date","backout_plan","risk_impact_analysis","closed_at",'
        b'"close_code"\n'
        b'"CHG0039901","Normal","Closed","Replace shelf 4, then\nrebalance","Storage","Moderate",'
        b'"arr-example-1","op-x","op-y","2022-02-01 21:00:00","2022-02-01 23:00:00","Put it back",'
        b'"See IMP-17","2022-02-01 22:41:10","Successful"\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        if file.header is None:
            return False
        columns = set(elements(file.header, LABELS))
        return (
            "number" in columns
            and len(columns & OF_A_CHANGE) >= 2
            and bool(columns & OF_A_TASK)
            # A task of a change names it; the event log of an incident has a state of its own.
            and not columns & OF_ANOTHER_TABLE
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        for record, cells in rows(file, settings, sink, _columns(file), TIMES):
            _send(record, cells, sink)


def _columns(file: EvidenceFile) -> list[str]:
    columns = elements(file.header or (), LABELS)
    if "number" not in columns:
        raise EvidenceRefused(
            "the header has no such column",
            path=file.path,
            line=1,
            field="number",
            remedy="export the change list with its number",
        )
    for column in {*TEXTS.values(), "type", "state", "risk", "close_code"}:
        if columns.count(column) > 1:
            raise EvidenceRefused(
                "the header names the column twice",
                path=file.path,
                line=1,
                field=column,
                remedy="export it with each column once",
            )
    return columns


def _send(record: Record, cells: Mapping[str, str], sink: Sink) -> None:
    notes: list[tuple[str, str]] = []
    row: dict[str, Value] = {column: cell(cells, field) for column, field in TEXTS.items()}
    if row["change_id"] is None:
        sink.reject(record, "ID_MISSING", "the change has no number", field="number")
        return
    risk = cell(cells, "risk")
    row["risk"] = RISK.get(choice(risk))
    if risk is not None and row["risk"] is None:
        notes.append(("risk", risk))
    row["outcome"] = _outcome(cells, notes)
    kind = cell(cells, "type")
    row["emergency"] = EMERGENCY.get(choice(kind))
    if kind is not None and row["emergency"] is None:
        notes.append(("emergency", kind))
    if sink.accept(record, ("change", row)):
        for column, raw in notes:
            sink.note(record, column, "UNKNOWN_WORD", raw)


def _outcome(cells: Mapping[str, str], notes: list[tuple[str, str]]) -> str | None:
    """Outcome at closure; a cancelled change was not carried out, whatever its close code says."""
    if choice(cell(cells, "state")) in CANCELLED:
        return "cancelled"
    code = cell(cells, "close_code")
    if code is None:
        return None
    outcome = CLOSE_CODE.get(choice(code).replace(" ", "_"))
    if outcome is None:
        notes.append(("outcome", code))
        return "unknown"
    return outcome
