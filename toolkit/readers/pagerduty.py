"""PagerDuty: log entries of incidents, and incidents, as the REST API v2 answers.

Source: https://developer.pagerduty.com/api-reference (log entries, incidents).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import ClassVar

from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import Object, items, peek, records, text
from toolkit.ingest.reader import Reader, Row, Sink, SourceSettings, Value

_LISTS = ("log_entries", "incidents")
_ENTRY = "_log_entry"
_STATES = {"trigger": "triggered", "acknowledge": "acknowledged", "resolve": "resolved"}


class PagerDutyReader(Reader):
    name = "pagerduty"
    title = "PagerDuty log entries and incidents (JSON)"
    fills = ("ticket_event", "alert")
    obtain = (
        "curl -H 'Authorization: Token token=…' https://api.pagerduty.com/incidents/ID/log_entries"
        "?is_overview=false > FILE.json; or /incidents?since=…&until=…"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "alerts with their times of acknowledgement are made of log entries only: a list of"
        " incidents forgets who acknowledged once an incident is resolved",
        "answers come in pages of 25 to 100; alerts are made of a single whole page only, since"
        " the acknowledgement may stand on another",
        "updated_at moves when incidents are merged, and is not read",
    )
    sample = (
        b'{"log_entries":[{"id":"R1EXAMPLE","type":"acknowledge_log_entry","created_at":'
        b'"2022-03-09T09:31:40Z","agent":{"id":"P1","type":"user_reference","summary":"op-y"},'
        b'"channel":{"type":"mobile"},"incident":{"id":"Q1EXAMPLE","type":"incident_reference",'
        b'"summary":"[#77] Replication lag on fs1"},"service":{"summary":"Replication"}},\n'
        b'{"id":"R0EXAMPLE","type":"trigger_log_entry","created_at":"2022-03-09T09:12:03Z",'
        b'"agent":{"type":"service_reference","summary":"Replication"},"channel":{"type":"api"},'
        b'"incident":{"id":"Q1EXAMPLE","summary":"[#77] Replication lag on fs1"},"service":'
        b'{"summary":"Replication"}}],"limit":100,"offset":0,"more":false}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        value = file.json
        if not isinstance(value, dict):
            return False
        found = peek(file, *_LISTS)
        if isinstance(value.get("log_entries"), list):
            return bool(found) and all(
                str(each.get("type")).endswith(_ENTRY) and "created_at" in each for each in found
            )
        return (
            isinstance(value.get("incidents"), list)
            and bool(found)
            and all(
                {"incident_number", "created_at", "urgency", "service"} <= each.keys()
                for each in found
            )
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        value = file.json
        history: Mapping[tuple[str, str], str] = {}
        if isinstance(value, dict) and not value.get("more") and not value.get("offset"):
            # Of one page among several, an alert would look unanswered.
            history = _history(items(value, "log_entries"))
        for record, each in records(file, sink, *_LISTS):
            if str(each.get("type")).endswith(_ENTRY):
                _send_entry(record, each, history, sink)
            else:
                _send_incident(record, each, sink)
        if isinstance(value, dict) and value.get("more") is True:
            sink.incomplete("the answer says that there are further pages")


def _history(entries: Sequence[Object]) -> Mapping[tuple[str, str], str]:
    """The first time at which each incident was acknowledged, and the last at which it ended."""
    times: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in entries:
        incident, at = text(entry, "incident", "id"), text(entry, "created_at")
        if incident is not None and at is not None:
            times[incident, str(entry.get("type")).removesuffix(_ENTRY)].append(at)
    # All are written alike, in UTC to the second, so that their order is that of their text.
    return {
        key: (max if key[1] == "resolve" else min)(found) for key, found in times.items() if found
    }


def _send_entry(
    record: Record, entry: Object, history: Mapping[tuple[str, str], str], sink: Sink
) -> None:
    incident = text(entry, "incident", "id")
    if incident is None:
        sink.reject(record, "ID_MISSING", "the entry names no incident", field="incident")
        return
    kind = str(entry.get("type")).removesuffix(_ENTRY)
    at, target = text(entry, "created_at"), text(entry, "service", "summary")
    event: dict[str, Value] = {
        "occurred_at": at,
        "ticket_id": incident,
        "state": _STATES.get(kind, kind),
        "actor": text(entry, "agent", "summary"),
        "target": target,
        "title": text(entry, "incident", "summary"),
    }
    rows: list[tuple[str, Row]] = [("ticket_event", event)]
    if kind == "trigger" and history.get((incident, "trigger")) == at:
        alert: Row = {
            "alert_id": incident,
            "fired_at": at,
            "target": target,
            "acked_at": history.get((incident, "acknowledge")),
            "cleared_at": history.get((incident, "resolve")),
        }
        rows.append(("alert", alert))
    sink.accept(record, *rows)


def _send_incident(record: Record, incident: Object, sink: Sink) -> None:
    number = text(incident, "id")
    if number is None:
        sink.reject(record, "ID_MISSING", "the incident has no id", field="id")
        return
    times: list[tuple[str, str | None, str | None]] = [
        ("triggered", text(incident, "created_at"), None),
        *(
            ("acknowledged", text(each, "at"), text(each, "acknowledger", "summary"))
            for each in items(incident, "acknowledgements")
        ),
    ]
    if text(incident, "resolved_at"):
        times.append(("resolved", text(incident, "resolved_at"), None))
    rows: list[tuple[str, Row]] = [
        (
            "ticket_event",
            {
                "occurred_at": at,
                "ticket_id": number,
                "state": state,
                "actor": actor,
                "target": text(incident, "service", "summary"),
                "title": text(incident, "title"),
            },
        )
        for state, at, actor in times
    ]
    sink.accept(record, *rows)
