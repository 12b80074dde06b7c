"""Approvals of ServiceNow, as CSV or JSON: who decided on a change, and when.

Source: the sysapproval_approver table of the baseline product (element names, choice codes).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.reader import Reader, Sink, SourceSettings
from toolkit.ingest.servicenow import cell, choice, columns, element_names, rows

LABELS = {
    "approver": "approver",
    "approval for": "sysapproval",
    "approving": "document_id",
    "item being approved": "document_id",
    "sysapproval": "sysapproval",
    "sysapproval.number": "sysapproval",
    "state": "state",
    "created": "sys_created_on",
    "updated": "sys_updated_on",
    "updated by": "sys_updated_by",
    "comments": "comments",
}
SUBJECTS = ("sysapproval", "document_id")
TIMES = {"sys_updated_on": "decided_at"}
DECISION = {"approved": "approved", "rejected": "rejected"}
# Requests, and the ends of requests that nobody decided on.
NO_DECISION = {
    "", "requested", "not requested", "not yet requested", "no longer required", "not_required",
    "cancelled", "canceled", "duplicate",
}  # fmt: skip
# Choices whose codes mean the same in every language.
CODES = ("state",)


class ServiceNowApproval(Reader):
    """An export of the sysapproval_approver table."""

    name = "servicenow_approval"
    title = "ServiceNow approvals (CSV, Table API)"
    fills = ("approval",)
    obtain = (
        "/sysapproval_approver_list.do?CSV with the columns sysapproval, approver, state and"
        " sys_updated_on"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "times are in the time zone of the user who exported them, without a mark; the Table API's"
        " JSON with sysparm_display_value=all holds UTC, and needs no zone",
        "the time of the decision is that of the last change of the row, which a later comment"
        " moves; sys_audit holds the first",
        "requests without a decision are skipped, also those that were no longer required",
        "a group's approval shows as one row per member, of which one decided",
        "an export ends after 10,000 rows without a word",
    )
    needs_zone = True
    sample = (
        b'"state","approver","sysapproval","sys_created_on","sys_updated_on","comments"\n'
        b'"Approved","op-z","CHG0039901","2022-01-28 09:00:41","2022-01-28 15:12:08",""\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        found = element_names(file, LABELS)
        return {"approver", "state", "sys_updated_on"} <= found and bool(found & {*SUBJECTS})

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        names = columns(file, LABELS, ("approver", "state", "sys_updated_on"))
        for record, cells in rows(file, settings, sink, names, TIMES, CODES):
            _send(record, cells, sink)


def _send(record: Record, cells: Mapping[str, str], sink: Sink) -> None:
    raw = cell(cells, "state")
    state = choice(raw)
    if state in NO_DECISION:
        sink.skip(record, "a request without a decision")
        return
    if state not in DECISION:
        sink.reject(
            record, "WORD_UNKNOWN", f"{raw!r} is neither approved nor rejected", field="state"
        )
        return
    # A document is shown with the name of its table before its number.
    subject = (cell(cells, *SUBJECTS) or "").rpartition(": ")[2]
    row = {
        "change_id": subject,
        "approver": cell(cells, "approver"),
        "decision": DECISION[state],
        "decided_at": cell(cells, "sys_updated_on"),
    }
    sink.accept(record, ("approval", row))
