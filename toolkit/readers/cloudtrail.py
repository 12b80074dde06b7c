"""AWS CloudTrail: the files of a trail, and the answer of `lookup-events`.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

from typing import ClassVar

from toolkit.ingest.container import EvidenceFile, Record, parse_json
from toolkit.ingest.jsonfile import Object, compact, items, part, peek, records, text
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value

_LISTS = ("Records", "Events")


class CloudTrailReader(Reader):
    name = "cloudtrail"
    title = "AWS CloudTrail (trail files, lookup-events)"
    fills = ("maintenance_event",)
    obtain = (
        "aws s3 cp --recursive s3://BUCKET/AWSLogs/ACCOUNT/CloudTrail/REGION/2022/03/09/ . "
        "(gzip is read as it is); or aws cloudtrail lookup-events --output json"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "events arrive minutes late and out of order, and the same event may stand in two files",
        "lookup-events reaches back 90 days and holds management events only",
        "times are to the second",
        "success says that the call was accepted, not that what it started has ended",
        "the caller of an assumed role is its session, which need not name a person",
    )
    sample = (
        b'{"Records":[{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","principalId":'
        b'"AROAEXAMPLE:op-x","arn":"arn:aws:sts::111122223333:assumed-role/storage-admin/op-x",'
        b'"accountId":"111122223333","sessionContext":{"sessionIssuer":{"type":"Role","userName":'
        b'"storage-admin"}}},"eventTime":"2022-03-09T09:00:05Z","eventSource":"ec2.amazonaws.com",'
        b'"eventName":"DeleteVolume","awsRegion":"us-west-2","sourceIPAddress":"192.0.2.7",'
        b'"requestParameters":{"volumeId":"vol-0example"},"responseElements":null,"errorCode":'
        b'"Client.VolumeInUse","errorMessage":"The volume is attached","requestID":"r-1",'
        b'"eventID":"e-1","readOnly":false,"eventType":"AwsApiCall"}]}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        value = file.json
        if isinstance(value, dict) and isinstance(value.get("Events"), list):
            found = peek(file, "Events")
            return bool(found) and all("CloudTrailEvent" in each for each in found)
        found = peek(file, "Records")
        needed = {"eventVersion", "eventSource", "eventName", "eventTime", "awsRegion"}
        return bool(found) and all(needed <= each.keys() for each in found)

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        for record, event in records(file, sink, *_LISTS):
            if "CloudTrailEvent" not in event:
                _send(record, event, sink)
                continue
            try:
                inner = parse_json(str(event["CloudTrailEvent"]))
            except (ValueError, RecursionError) as error:
                reason = f"the event is not JSON ({error})"
                sink.reject(record, "JSON_SYNTAX", reason, field="CloudTrailEvent")
                continue
            if isinstance(inner, dict):
                _send(record, inner, sink)
            else:
                sink.reject(
                    record, "RECORD_SHAPE", "the event is no object", field="CloudTrailEvent"
                )
        if isinstance(file.json, dict) and text(file.json, "NextToken"):
            sink.incomplete("the answer ends with a token: there are further events")


def _send(record: Record, event: Object, sink: Sink) -> None:
    identity = part(event, "userIdentity")
    called = " ".join(
        each
        for each in (
            text(event, "eventSource"),
            text(event, "eventName"),
            compact(event.get("requestParameters")),
            text(event, "errorCode"),
            text(event, "errorMessage"),
        )
        if each
    )
    row: dict[str, Value] = {
        "occurred_at": text(event, "eventTime"),
        "action": text(event, "eventName"),
        "target": _target(event),
        "actor": _actor(identity),
        "effective_actor": text(identity, "sessionContext", "sessionIssuer", "userName"),
        "session_id": _session(identity),
        "host": text(event, "eventSource"),
        "outcome": "failure" if text(event, "errorCode") else "success",
        "message": called or None,
    }
    if sink.accept(record, ("maintenance_event", row)) and "addendum" in event:
        sink.note(record, "message", "CORRECTED_LATER", compact(event["addendum"]) or "")


def _actor(identity: Object) -> str | None:
    return (
        text(identity, "userName")
        or text(identity, "arn")
        or text(identity, "principalId")
        or text(identity, "invokedBy")
        or text(identity, "type")
    )


def _session(identity: Object) -> str | None:
    """The key of temporary credentials, which belongs to one session; a lasting one does not."""
    key = text(identity, "accessKeyId")
    return key if key is not None and key.startswith("ASIA") else None


def _target(event: Object) -> str | None:
    """The resources that the event names, else the instances or the one id that was asked for."""
    named = [text(each, "ARN") or text(each, "arn") for each in items(event, "resources")]
    if not any(named):
        asked = part(event, "requestParameters")
        named = [text(each, "instanceId") for each in items(asked, "instancesSet", "items")]
        ids = [key for key in asked if key.endswith(("Id", "Identifier", "Name"))]
        if not any(named) and len(ids) == 1:
            named = [text(asked, ids[0])]
    return ";".join(each for each in named if each) or None
