"""The Azure Activity Log, from `az monitor activity-log list` or its stream to a storage account.

Source: https://learn.microsoft.com/azure/azure-monitor/essentials/activity-log-schema
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import Object, peek, records, text
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value

_LISTS = ("value", "records")
_OUTCOME = {
    "succeeded": "success", "success": "success", "failed": "failure", "failure": "failure",
    "canceled": "failure", "resolved": "success",
}  # fmt: skip
_BEGUN = ("started", "start", "accepted", "accept", "inprogress", "in progress", "active")


class AzureActivityReader(Reader):
    name = "azure_activity"
    title = "Azure Activity Log (JSON)"
    fills = ("maintenance_event",)
    obtain = "az monitor activity-log list --start-time 2022-03-08 --max-events 5000 -o json"
    traps: ClassVar[tuple[str, ...]] = (
        "one action is several rows (started, accepted, succeeded): they become one event, from"
        " the first of their times to that of the last one",
        "without --max-events the command gives 50 rows; the log is kept for 90 days",
        "the portal's CSV has headers in the language of the user and is not read",
        "a caller is a mail address or the id of an application",
    )
    sample = (
        b'[{"eventTimestamp":"2022-03-09T09:00:21.5183041Z","submissionTimestamp":'
        b'"2022-03-09T09:02:11Z","operationName":{"value":"Microsoft.Compute/disks/delete",'
        b'"localizedValue":"Delete Disk"},"status":{"value":"Succeeded"},"subStatus":{"value":""},'
        b'"caller":"op-x@example.org","category":{"value":"Administrative"},"level":"Informational"'
        b',"resourceId":"/subscriptions/0/resourceGroups/dr/providers/Microsoft.Compute/disks/d1",'
        b'"correlationId":"c-1","operationId":"o-1","eventDataId":"v-2"},\n'
        b'{"eventTimestamp":"2022-03-09T09:00:05.1180417Z","operationName":{"value":'
        b'"Microsoft.Compute/disks/delete"},"status":{"value":"Started"},"caller":'
        b'"op-x@example.org","category":{"value":"Administrative"},"resourceId":"/subscriptions/0/'
        b'resourceGroups/dr/providers/Microsoft.Compute/disks/d1","correlationId":"c-1",'
        b'"operationId":"o-1","eventDataId":"v-1"}]\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        found = peek(file, *_LISTS)
        return bool(found) and all(
            {"operationName", "correlationId", "category"} <= each.keys()
            and bool({"eventTimestamp", "time"} & each.keys())
            and bool({"resourceId", "resourceType"} & each.keys())
            for each in found
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        groups: dict[tuple[str | None, ...], list[_Entry]] = defaultdict(list)
        for number, (record, value) in enumerate(records(file, sink, *_LISTS)):
            entry = _entry(record, value)
            lone = () if entry.correlation else (str(number),)
            groups[(entry.correlation, text(value, "operationId"), entry.name, *lone)].append(entry)
        for entries in groups.values():
            _send(entries, sink)


@dataclass(frozen=True, slots=True)
class _Entry:
    record: Record
    at: str | None
    name: str | None
    status: str
    correlation: str | None
    value: Object


def _entry(record: Record, value: Object) -> _Entry:
    """An entry in either of the two forms: fields with `value` inside, or plain ones."""
    status = text(value, "status", "value") or text(value, "status") or text(value, "resultType")
    return _Entry(
        record,
        text(value, "eventTimestamp") or text(value, "time"),
        text(value, "operationName", "value") or text(value, "operationName"),
        (status or "").lower(),
        text(value, "correlationId"),
        value,
    )


def _send(entries: list[_Entry], sink: Sink) -> None:
    """One event for the entries of one action: its end speaks, its start gives the time."""
    begun = [entry for entry in entries if entry.status in _BEGUN]
    ends = [entry for entry in entries if entry.status not in _BEGUN]
    first = min(begun, key=lambda entry: entry.at or "", default=None)
    for entry in entries:
        if entry.status in _BEGUN and (ends or entry is not first):
            sink.continued(entry.record)
            continue
        row = _row(entry)
        if first is not None and entry is not first:
            row |= {"occurred_at": first.at, "ended_at": entry.at}
        known = entry.status in _OUTCOME or entry.status in _BEGUN
        if sink.accept(entry.record, ("maintenance_event", row)) and not known:
            sink.note(entry.record, "outcome", "UNKNOWN_WORD", entry.status)


def _row(entry: _Entry) -> dict[str, Value]:
    value = entry.value
    shown = (
        entry.name,
        text(value, "subStatus", "value"),
        text(value, "resultSignature"),
        text(value, "properties", "statusMessage"),
    )
    return {
        "occurred_at": entry.at,
        "action": _verb(entry.name),
        "target": text(value, "resourceId"),
        "actor": text(value, "caller") or text(value, "identity", "authorization", "evidence"),
        "session_id": entry.correlation,
        "outcome": _OUTCOME.get(entry.status, "unknown"),
        "message": " ".join(each for each in shown if each) or None,
        "recorded_at": text(value, "submissionTimestamp"),
    }


def _verb(name: str | None) -> str | None:
    """The last word of an operation: `delete`; of `…/virtualMachines/restart/action`, `restart`."""
    words = [word for word in (name or "").split("/") if word]
    if len(words) > 1 and words[-1].lower() == "action":
        words.pop()
    return words[-1].lower() if words else None
