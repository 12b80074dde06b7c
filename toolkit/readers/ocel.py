"""Object-centric event logs, OCEL 2.0 as JSON.

Source: https://www.ocel-standard.org (OCEL 2.0 specification, JSON).
"""

from __future__ import annotations

from typing import ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import Object, compact, items, load, part, text
from toolkit.ingest.keyvalue import COLUMN_OF_KEY
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value

_LISTS = ("objectTypes", "eventTypes", "objects", "events")
_COLUMNS = {
    **COLUMN_OF_KEY,
    "change_id": "change_id",
    "session_id": "session_id",
    "effective_actor": "effective_actor",
    "host": "host",
    "message": "message",
    "ended_at": "ended_at",
    "recorded_at": "recorded_at",
    "edited_at": "edited_at",
}
# What a related object is to an event: its qualifier says it, else the type of the object.
_ROLES = {
    "actor": "actor", "operator": "actor", "user": "actor", "person": "actor", "resource": "actor",
    "target": "target", "machine": "target", "asset": "target", "server": "target",
    "change": "change_id", "host": "host", "session": "session_id",
}  # fmt: skip


class OcelReader(Reader):
    name = "ocel"
    title = "OCEL 2.0 event log (JSON)"
    fills = ("maintenance_event",)
    obtain = "export the log of the process mining tool as OCEL 2.0 JSON"
    traps: ClassVar[tuple[str, ...]] = (
        "which object is the target and which the actor is read from the qualifier of the relation,"
        " else from the type of the object; others stay in the message",
        "objects are not loaded for themselves: give assets as a table",
    )
    sample = (
        b'{"objectTypes":[{"name":"machine","attributes":[]},{"name":"operator","attributes":[]}],'
        b'"eventTypes":[{"name":"detach","attributes":[{"name":"outcome","type":"string"}]}],'
        b'"objects":[{"id":"meta2","type":"machine"},{"id":"op-x","type":"operator"}],"events":'
        b'[{"id":"e1","type":"detach","time":"2022-03-09T09:00:03.275Z","attributes":[{"name":'
        b'"outcome","value":"success"}],"relationships":[{"objectId":"meta2","qualifier":"target"},'
        b'{"objectId":"op-x","qualifier":"by"}]}]}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        value = file.json
        return isinstance(value, dict) and all(isinstance(value.get(key), list) for key in _LISTS)

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        log = load(file)
        events = part(log).get("events")
        if not isinstance(events, list):
            raise EvidenceRefused(
                "not a list", path=file.path, field="events", remedy="export the log as OCEL 2.0"
            )
        types = {text(each, "id"): text(each, "type") for each in items(log, "objects")}
        for record, event in file.elements(events):
            if isinstance(event, dict):
                _send(record, event, types, sink)
            else:
                sink.reject(record, "RECORD_SHAPE", "the event is not a JSON object")


def _send(record: Record, event: Object, types: dict[str | None, str | None], sink: Sink) -> None:
    row: dict[str, Value] = {"occurred_at": text(event, "time"), "action": text(event, "type")}
    rest: dict[str, str | None] = {}
    for each in items(event, "attributes"):
        name, value = text(each, "name") or "", text(each, "value")
        if name in _COLUMNS:
            row[_COLUMNS[name]] = value
        else:
            rest[name] = value
    related: dict[str, list[str]] = {}
    for each in items(event, "relationships"):
        other, qualifier = text(each, "objectId"), text(each, "qualifier") or ""
        kind = types.get(other) or ""
        if other is None:
            continue
        column = _ROLES.get(qualifier.lower()) or _ROLES.get(kind.lower())
        if column is None:
            rest[f"{kind} {qualifier}".strip()] = other
        else:
            related.setdefault(column, []).append(other)
    for column, ids in related.items():
        row.setdefault(column, ";".join(ids))
    said = row.get("message")
    if rest:
        row["message"] = f"{said} {compact(rest)}" if said else compact(rest)
    elif said is None:
        row["message"] = compact(rest)
    sink.accept(record, ("maintenance_event", row))
