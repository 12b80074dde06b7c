"""The audit log of a Kubernetes API server, as it writes it: one event a line.

Source: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
"""

from __future__ import annotations

from typing import ClassVar

from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.jsonfile import Object, peek, records, text
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value

_FINAL = ("ResponseComplete", "Panic")


class KubernetesAuditReader(Reader):
    name = "kubernetes_audit"
    title = "Kubernetes audit log (audit.k8s.io/v1)"
    fills = ("maintenance_event",)
    obtain = "copy the files of --audit-log-path of the API servers, all of them"
    traps: ClassVar[tuple[str, ...]] = (
        "a call has an event for each of its stages: the last one speaks, the others belong to it",
        "what the audit policy leaves out leaves no trace",
        "every API server has a log of its own",
        "an impersonated user is read as the effective actor",
    )
    sample = (
        b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a1-example",'
        b'"stage":"RequestReceived","requestURI":"/api/v1/namespaces/dr/pods/mds-0","verb":'
        b'"delete","user":{"username":"op-x","groups":["system:authenticated"]},"sourceIPs":'
        b'["192.0.2.7"],"objectRef":{"resource":"pods","namespace":"dr","name":"mds-0","apiVersion"'
        b':"v1"},"requestReceivedTimestamp":"2022-03-09T09:00:05.118041Z","stageTimestamp":'
        b'"2022-03-09T09:00:05.118041Z"}\n'
        b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a1-example",'
        b'"stage":"ResponseComplete","requestURI":"/api/v1/namespaces/dr/pods/mds-0","verb":'
        b'"delete","user":{"username":"op-x","groups":["system:authenticated"]},"sourceIPs":'
        b'["192.0.2.7"],"objectRef":{"resource":"pods","namespace":"dr","name":"mds-0","apiVersion"'
        b':"v1"},"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":'
        b'"2022-03-09T09:00:05.118041Z","stageTimestamp":"2022-03-09T09:00:05.131877Z"}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        found = peek(file, "items")
        return bool(found) and all(
            each.get("apiVersion", "audit.k8s.io/v1") == "audit.k8s.io/v1"
            and {"auditID", "stage", "verb"} <= each.keys()
            for each in found
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        events = list(records(file, sink, "items"))
        last: dict[str | None, int] = {}
        for number, (_, event) in enumerate(events):
            call = text(event, "auditID")
            if call is not None and (event.get("stage") in _FINAL or call not in last):
                last[call] = number
        for number, (record, event) in enumerate(events):
            call = text(event, "auditID")
            if call is None:
                sink.reject(record, "ID_MISSING", "the event names no call", field="auditID")
            elif last[call] != number and event.get("stage") not in _FINAL:
                sink.continued(record)
            else:
                sink.accept(record, ("maintenance_event", _row(event)))


def _row(event: Object) -> dict[str, Value]:
    code = text(event, "responseStatus", "code")
    outcome = "unknown"
    if code is not None and event.get("stage") in _FINAL:
        outcome = "success" if code.isdecimal() and int(code) < 400 else "failure"
    shown = (
        text(event, "requestURI"),
        code,
        text(event, "responseStatus", "reason"),
        text(event, "responseStatus", "message"),
    )
    return {
        "occurred_at": text(event, "requestReceivedTimestamp"),
        "action": text(event, "verb"),
        "target": _target(event),
        "actor": text(event, "user", "username"),
        "effective_actor": text(event, "impersonatedUser", "username"),
        "outcome": outcome,
        "message": " ".join(each for each in shown if each) or None,
        "ended_at": text(event, "stageTimestamp") if event.get("stage") in _FINAL else None,
    }


def _target(event: Object) -> str | None:
    """The object as `namespace/resource/name/subresource`, with the parts that are there."""
    keys = ("namespace", "resource", "name", "subresource")
    return "/".join(each for key in keys if (each := text(event, "objectRef", key))) or None
