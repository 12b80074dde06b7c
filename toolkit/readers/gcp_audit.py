"""Google Cloud audit logs, from `gcloud logging read` or a log sink.

Source: https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog
"""

from __future__ import annotations

from typing import ClassVar

from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import Object, compact, part, peek, records, text
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value

_TYPE = "type.googleapis.com/google.cloud.audit.AuditLog"


class GcpAuditReader(Reader):
    name = "gcp_audit"
    title = "Google Cloud audit log (JSON)"
    fills = ("maintenance_event",)
    obtain = (
        "gcloud logging read 'logName:cloudaudit.googleapis.com AND timestamp>=\"…\"' "
        "--format=json > FILE.json"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "a long operation has a first and a last entry: they become one event",
        "data access logs are off unless switched on; reads then leave no trace",
        "the principal may be hidden or be a service account",
        "a cut off --limit looks like a whole answer",
    )
    sample = (
        b'[{"insertId":"i2example","logName":"projects/dr/logs/cloudaudit.googleapis.com%2F'
        b'activity","timestamp":"2022-03-09T09:00:21.518304117Z","receiveTimestamp":'
        b'"2022-03-09T09:00:22.000000001Z","severity":"NOTICE","resource":{"type":"gce_disk"},'
        b'"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":'
        b'"compute.googleapis.com","methodName":"v1.compute.disks.delete","resourceName":'
        b'"projects/dr/zones/us-west1-a/disks/d1","authenticationInfo":{"principalEmail":'
        b'"op-x@example.org"},"status":{}},"operation":{"id":"operation-1","last":true}},\n'
        b'{"insertId":"i1example","logName":"projects/dr/logs/cloudaudit.googleapis.com%2F'
        b'activity","timestamp":"2022-03-09T09:00:05.118041700Z","severity":"NOTICE",'
        b'"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":'
        b'"compute.googleapis.com","methodName":"v1.compute.disks.delete","resourceName":'
        b'"projects/dr/zones/us-west1-a/disks/d1","authenticationInfo":{"principalEmail":'
        b'"op-x@example.org"}},"operation":{"id":"operation-1","first":true}}]\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        found = peek(file, "entries")
        return bool(found) and all(
            "logName" in each and part(each, "protoPayload").get("@type") == _TYPE for each in found
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        entries = list(records(file, sink, "entries"))
        begun: dict[str, tuple[Record, Object]] = {}
        ended: dict[str, int] = {}
        for number, (record, entry) in enumerate(entries):
            operation = part(entry, "operation")
            key = text(operation, "id")
            if key is None or operation.get("first") is operation.get("last"):
                continue
            if operation.get("first") is True:
                begun.setdefault(key, (record, entry))
            elif operation.get("last") is True:
                ended.setdefault(key, number)
        for number, (record, entry) in enumerate(entries):
            if "protoPayload" not in entry:
                sink.reject(record, "RECORD_SHAPE", "no audit record", field="protoPayload")
                continue
            key = text(entry, "operation", "id") or ""
            start = begun.get(key)
            if start is not None and start[0] is record and key in ended:
                sink.continued(record)
                continue
            row = _row(entry)
            if start is not None and ended.get(key) == number:
                row |= _row(start[1]) | {
                    "ended_at": text(entry, "timestamp"),
                    "outcome": row["outcome"],
                    "message": row["message"],
                }
            elif start is not None and start[0] is record:
                row["outcome"] = "unknown"
            sink.accept(record, ("maintenance_event", row))


def _row(entry: Object) -> dict[str, Value]:
    payload = part(entry, "protoPayload")
    method = text(payload, "methodName")
    status = part(payload, "status")
    code = text(status, "code")
    shown = (method, compact(payload.get("request"), 500), text(status, "message"))
    return {
        "occurred_at": text(entry, "timestamp"),
        "action": method.rsplit(".", 1)[-1] if method else None,
        "target": text(payload, "resourceName"),
        "actor": text(payload, "authenticationInfo", "principalEmail"),
        "session_id": text(entry, "operation", "id"),
        "host": text(payload, "serviceName"),
        "outcome": "success" if code in (None, "0") else "failure",
        "message": " ".join(each for each in shown if each) or None,
        "recorded_at": text(entry, "receiveTimestamp"),
    }
