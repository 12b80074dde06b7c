"""Alerts of Opsgenie or of Jira Service Management operations, as their API answers.

Source: https://docs.opsgenie.com/docs/alert-api (list and get alert).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import Object, part, peek, records, text
from toolkit.ingest.reader import Reader, Row, Sink, SourceSettings
from toolkit.timestamps import Instant, TimeError, parse

_LISTS = ("data", "values")


class OpsgenieReader(Reader):
    name = "opsgenie"
    title = "Opsgenie alerts (JSON)"
    fills = ("alert", "ticket_event")
    obtain = "curl -H 'Authorization: GenieKey …' https://api.opsgenie.com/v2/alerts?limit=100"
    traps: ClassVar[tuple[str, ...]] = (
        "count hides repeats: an alert that fired twenty times is one row, at its first time",
        "an alert that was acknowledged without a report of when becomes a ticket event, since an"
        " alert without a time of acknowledgement would say that nobody answered",
        "the service ends on 2027-04-05: export before",
    )
    sample = (
        b'{"data":[{"id":"70413a06-example","tinyId":"1791","alias":"lag-fs1","message":'
        b'"Replication lag on fs1","status":"closed","acknowledged":true,"isSeen":true,"tags":[],'
        b'"snoozed":false,"count":3,"lastOccurredAt":"2022-03-09T09:20:11.401Z","createdAt":'
        b'"2022-03-09T09:12:03.120Z","updatedAt":"2022-03-09T10:01:00.000Z","source":"prom",'
        b'"owner":"op-y","priority":"P1","entity":"fs1","report":{"ackTime":1177000,"closeTime":'
        b'2936880,"acknowledgedBy":"op-y","closedBy":"op-y"}}],"took":0.2,"requestId":"r1"}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        if file.json is None:
            return False
        found = peek(file, *_LISTS)
        needed = {"tinyId", "alias", "status", "createdAt", "priority"}
        return bool(found) and all(needed <= each.keys() for each in found)

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        for record, alert in records(file, sink, *_LISTS):
            _send(record, alert, sink)
        if text(file.json, "paging", "next"):
            sink.incomplete("the answer names a next page: there are further alerts")


def _send(record: Record, alert: Object, sink: Sink) -> None:
    number, fired = text(alert, "id"), text(alert, "createdAt")
    if number is None or fired is None:
        field = "id" if number is None else "createdAt"
        sink.reject(record, "VALUE_MISSING", "the value is missing", field=field)
        return
    report = part(alert, "report")
    target = text(alert, "entity") or text(alert, "alias")
    try:
        acked = _after(fired, report, "ackTime")
        closed = _after(fired, report, "closeTime")
    except TimeError as error:
        sink.reject(record, error.code, error.reason, field="createdAt")
        return
    if alert.get("acknowledged") is True and acked is None:
        event: Row = {
            "occurred_at": fired,
            "ticket_id": number,
            "state": "triggered",
            "target": target,
            "title": text(alert, "message"),
        }
        if sink.accept(record, ("ticket_event", event)):
            sink.note(record, "state", "ACK_TIME_ABSENT", "acknowledged")
        return
    row: Row = {
        "alert_id": number,
        "fired_at": fired,
        "target": target,
        "severity": text(alert, "priority"),
        "acked_at": acked,
        "cleared_at": closed,
    }
    sink.accept(record, ("alert", row))


def _after(fired: str, report: Object, key: str) -> Instant | None:
    """The instant so many milliseconds after the alert fired."""
    milliseconds = report.get(key)
    if type(milliseconds) is not int or not 0 <= milliseconds < 10**12:
        return None
    by = timedelta(milliseconds=milliseconds)
    first = parse(fired)
    return replace(first, at=first.at + by, lo=first.lo + by, hi=first.hi + by)
