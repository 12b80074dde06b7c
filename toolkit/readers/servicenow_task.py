"""Change tasks of ServiceNow, as CSV or JSON: what was to be done under a change, and when it was.

Source: the change_task table of the baseline product (element names, choice codes).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.ingest.servicenow import cell, choice, columns, element_names, rows

LABELS = {
    "number": "number",
    "change request": "change_request",
    "parent": "parent",
    "type": "change_task_type",
    "change task type": "change_task_type",
    "short description": "short_description",
    "state": "state",
    "planned start date": "planned_start_date",
    "planned end date": "planned_end_date",
    "actual start date": "work_start",
    "actual end date": "work_end",
    "assigned to": "assigned_to",
    "closed": "closed_at",
    "closed by": "closed_by",
    "close code": "close_code",
    "close notes": "close_notes",
    "configuration item": "cmdb_ci",
    "order": "order",
}
OF_A_TASK = {
    "change_task_type", "planned_start_date", "planned_end_date", "work_start", "work_end",
    "close_code", "closed_at",
}  # fmt: skip
TIMES = {"work_start": "occurred_at", "closed_at": "occurred_at", "work_end": "ended_at"}
OUTCOME = {
    "successful": "success",
    "successful_issues": "warning",
    "successful_with_issues": "warning",
    "unsuccessful": "failure",
}
# The codes of the baseline's task types are their labels in lower case.
UNTYPED = "task"
# Choices whose codes mean the same in every language.
CODES = ("change_task_type", "close_code")


class ServiceNowTask(Reader):
    """An export of the change_task table."""

    name = "servicenow_task"
    title = "ServiceNow change tasks (CSV, Table API)"
    fills = ("maintenance_event",)
    obtain = "change task list, right-click on the header, Export, CSV; or /change_task_list.do?CSV"
    traps: ClassVar[tuple[str, ...]] = (
        "times are in the time zone of the user who exported them, without a mark; the Table API's"
        " JSON with sysparm_display_value=all holds UTC, and needs no zone",
        "actual start and end are typed by hand; a task without an actual start is kept with the"
        " time at which it was closed, as action `log`, because that is not when it was done",
        "a task that neither began nor was closed is a plan, and is skipped",
        "the actor is who closed the task, else to whom it was assigned",
        "a task's number is no step of a procedure; its type (planning, implementation, testing,"
        " review) is the action that a procedure can match",
        "an export ends after 10,000 rows without a word",
    )
    needs_zone = True
    sample = (
        b'"number","change_request","change_task_type","short_description","state","work_start",'
        b'"work_end","assigned_to","closed_at","closed_by","close_code","cmdb_ci"\n'
        b'"CTASK0019901","CHG0039901","Implementation","Detach shelf 4","Closed",'
        b'"2022-02-01 21:10:00","2022-02-01 21:32:00","op-x","2022-02-01 21:40:12","op-x",'
        b'"Successful","arr-example-1"\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        found = element_names(file, LABELS)
        return {"number", "change_request"} <= found and len(found & OF_A_TASK) >= 2

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        names = columns(file, LABELS, ("number", "change_request"))
        for record, cells in rows(file, settings, sink, names, TIMES, CODES):
            _send(record, cells, sink)


def _send(record: Record, cells: Mapping[str, str], sink: Sink) -> None:
    began, closed = cell(cells, "work_start"), cell(cells, "closed_at")
    if began is None and closed is None:
        sink.skip(record, "planned: neither an actual start nor a time of closing")
        return
    kind, code = cell(cells, "change_task_type"), cell(cells, "close_code")
    outcome = OUTCOME.get(choice(code).replace(" ", "_")) if code else None
    row: dict[str, Value] = {
        "occurred_at": began or closed,
        "action": "log" if began is None else choice(kind) or UNTYPED,
        "target": cell(cells, "cmdb_ci"),
        "change_id": cell(cells, "change_request"),
        "actor": cell(cells, "closed_by", "assigned_to"),
        "outcome": outcome or ("unknown" if code else None),
        "message": f"{cell(cells, 'number')}: {cell(cells, 'short_description') or ''}".strip(": "),
        "ended_at": None if began is None else cell(cells, "work_end"),
    }
    if sink.accept(record, ("maintenance_event", row)):
        if began is None and closed is not None:
            sink.note(record, "occurred_at", "START_NOT_STATED", closed)
        if code and outcome is None:
            sink.note(record, "outcome", "UNKNOWN_WORD", code)
