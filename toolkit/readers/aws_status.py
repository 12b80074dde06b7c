"""Events of the public AWS status page: `currentevents` of today, and `data.json` of before 2022.

Source: recorded answers; AWS does not document either. One record is one post, or one change of a
service's state. The old file holds the posts of an event as one HTML text, in which each begins
with a time of day; the event's own date is that of its first post.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.ingest.statuspages import (
    Notes,
    Rows,
    Unreadable,
    component_word,
    document,
    epoch,
    inner,
    listed,
    plain_text,
    send,
    text,
)
from toolkit.timestamps import Instant, TimeError, TimeRule, parse

COMPONENT_STATUS = {
    "0": "operational",
    "1": None,
    "2": "degraded_performance",
    "3": "major_outage",
}
_REGION = re.compile(r"-((?:[a-z]{2}|us-gov|us-iso[a-z]?)-[a-z]+-\d)\Z")
_POST = re.compile(r"<span[^>]*>\s*([^<]*?\d{1,2}:\d\d\s*[AP]M[^<]*?)</span>", re.I)
_STAMP = re.compile(
    r"(?:(?P<date>[A-Z][a-z]{2,8} +\d{1,2}),? +)?(?P<clock>\d{1,2}:\d\d [AP]M) (?P<zone>[A-Z]{3,4})"
)
_DAY = timedelta(days=1)
# A time of day is rounded to its minute, the date of an event is not.
_ROUNDED = timedelta(minutes=1)


class AwsStatus(Reader):
    """The public events of AWS, of all customers."""

    name = "aws_status"
    title = "AWS public status (currentevents, data.json)"
    fills = ("status_update", "status_component")
    obtain = (
        "curl https://health.aws.amazon.com/public/currentevents (UTF-16, as AWS serves it);"
        " data.json from web archives of status.aws.amazon.com"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "the file holds what is current; an account's own events are in aws health describe-events",
        "the page has no states: the last post of an event is `resolved` where the event's title,"
        " its status or its end says so, all others are `update`",
        "an event's status is its worst one; states of services are dated only by their changes",
        "data.json prints posts with a time of day only: the first has the date of the event where"
        " both agree within a minute, each later one the first such time after the one before it"
        " (noted DATE_INFERRED); posts whose date cannot be told have no time of posting",
        "status 1 is information, and no state of a component",
    )
    sample = b"""[{"date":"1646806985",
"arn":"arn:aws:health:us-east-1::event/EXAMPLE/AWS_EXAMPLE/1","region_name":"N. Virginia",
"status":"2","service":"example-us-east-1",
"service_name":"Example Volumes","summary":"Increased Restore Times",
"event_log":[{"summary":"Increased Restore Times","message":"We are looking into slow restores.",
"status":2,"timestamp":1646806985}],
"impacted_services":{"example-us-east-1":{"service_name":"Example Volumes","current":"2",
"max":"2"}},"impacted_service_status_changes":[{"service":"example-us-east-1",
"service_name":"Example Volumes","previous_status":"0","current_status":"2",
"timestamp":1646806985000}]}]
"""

    def matches(self, file: EvidenceFile) -> bool:
        value = file.json
        if isinstance(value, list):
            keys = {"service", "service_name", "summary", "event_log"}
            return bool(value) and all(
                isinstance(each, dict) and keys <= each.keys() for each in value
            )
        if not isinstance(value, dict) or not {"archive", "current"} <= value.keys():
            return False
        keys = {"service", "service_name", "summary", "date", "description"}
        groups = (value["archive"], value["current"])
        return all(
            isinstance(group, list)
            and all(isinstance(each, dict) and keys <= each.keys() for each in group)
            for group in groups
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        value = document(file, "download the file again, as AWS serves it")
        if isinstance(value, dict):
            value = [each for key in ("archive", "current") for each in listed(file, value, key)]
        if not isinstance(value, list):
            raise EvidenceRefused(
                "not a list of events", path=file.path, remedy="give the file, unchanged"
            )

        def rows(element: dict[str, Any], notes: Notes) -> Rows:
            event = inner(element, "incident")
            if "change" in element:
                return [("status_component", _change(event, element["change"], notes))]
            return _rows(event, element, settings, notes)

        send(file, sink, [each for event in value for each in _elements(event)], rows)


def _elements(event: Any) -> list[Any]:
    """The posts and the changes of services of an event."""
    if not isinstance(event, dict):
        return [event]
    about = {
        key: each
        for key, each in event.items()
        if key not in ("event_log", "description", "impacted_service_status_changes")
    }
    log = event.get("event_log")
    if log is None:
        return _posts(about, event.get("description"))
    entries = log if isinstance(log, list) and log else [None]
    newest = max(range(len(entries)), key=lambda index: _order(entries[index], index))
    found: list[Any] = [
        {"incident": about, "update": entry, "is_last": index == newest}
        for index, entry in enumerate(entries)
    ]
    changes = event.get("impacted_service_status_changes")
    return found + [
        {"incident": about, "change": each}
        for each in (changes if isinstance(changes, list) else ())
    ]


def _order(entry: Any, index: int) -> tuple[float, int]:
    at = entry.get("timestamp") if isinstance(entry, dict) else None
    try:
        return float(at) if isinstance(at, str | int | float) else 0.0, index
    except (ValueError, OverflowError):
        return 0.0, index


def _posts(about: dict[str, Any], description: Any) -> list[Any]:
    """The posts that one HTML text holds, each with its time of day."""
    if not isinstance(description, str):
        return [{"incident": about, "update": None, "is_last": True}]
    pieces = _POST.split(description)
    if len(pieces) == 1:
        return [{"incident": about, "update": {"message": description}, "is_last": True}]
    stamps = pieces[1::2]
    found: list[Any] = [
        {
            "incident": about,
            "update": {"clock": clock, "message": message},
            "before": stamps[:index],
            "is_last": index == len(stamps) - 1,
        }
        for index, (clock, message) in enumerate(zip(stamps, pieces[2::2], strict=True))
    ]
    if plain_text(pieces[0]):
        found.insert(0, {"incident": about, "update": {"message": pieces[0]}, "is_last": False})
    return found


def _rows(
    event: dict[str, Any], element: dict[str, Any], settings: SourceSettings, notes: Notes
) -> Rows:
    update = inner(element, "update")
    posted, update_id = _posted(event, element, update, notes)
    title = text(event, "summary") or text(update, "summary")
    code = text(update, "status")
    ended = epoch(event.get("end_time"), "s", "end_time")
    is_over = (
        (title or "").lower().startswith("[resolved]")
        or ended is not None
        or ("event_log" not in event and text(event, "status") == "0")
        or code == "0"
    )
    body = text(update, "message")
    row: dict[str, Value] = {
        "posted_at": posted,
        "incident_id": _identity(event),
        "update_id": update_id,
        "state": "resolved" if element["is_last"] and is_over else "update",
        "title": title,
        "body": None if body is None else plain_text(body),
        "kind": "incident",
        "impact": text(event, "status"),
        "captured_at": settings.captured_at,
        "claimed_end_at": ended,
    }
    name = text(event, "service_name") or text(event, "service")
    found: Rows = [("status_update", row)]
    if name is None:
        return found
    status = component_word(code, COMPONENT_STATUS, "component_status", notes)
    if row["state"] == "resolved" and code is None:
        status = "operational"
    component = {
        "component": name,
        "region": _region(event, text(event, "service")),
        "component_status": status,
    }
    identity = {key: row[key] for key in ("incident_id", "update_id", "posted_at")}
    return [*found, ("status_component", {**identity, **component})]


def _change(event: dict[str, Any], change: Any, notes: Notes) -> dict[str, Value]:
    """The row of a change of a service's state; its time may be in milliseconds."""
    if not isinstance(change, dict):
        raise Unreadable("impacted_service_status_changes", "not a list of objects", "RECORD_SHAPE")
    raw = text(change, "timestamp")
    at = epoch(raw, "ms" if raw is not None and len(raw.split(".")[0]) > 11 else "s", "timestamp")
    if at is None:
        raise Unreadable("timestamp", "the value is missing", "VALUE_MISSING")
    service = text(change, "service")
    return {
        "incident_id": _identity(event),
        "update_id": f"{service}@{raw}",
        "posted_at": at,
        "component": text(change, "service_name") or service,
        "region": _region(event, service),
        "component_status": component_word(
            text(change, "current_status"), COMPONENT_STATUS, "component_status", notes
        ),
        "component_old_status": component_word(
            text(change, "previous_status"), COMPONENT_STATUS, "component_old_status", notes
        ),
    }


def _identity(event: dict[str, Any]) -> str | None:
    """The event's ARN, else what the page's feed names it by: its service and its date."""
    service, date = text(event, "service"), text(event, "date")
    return text(event, "arn") or (None if None in (service, date) else f"{service}_{date}")


def _region(event: dict[str, Any], service: str | None) -> str | None:
    found = _REGION.search(service or "")
    if found:
        return found[1]
    parts = (text(event, "arn") or "").split(":")
    return parts[3] if len(parts) > 4 and parts[3] else None


def _posted(
    event: dict[str, Any], element: dict[str, Any], update: dict[str, Any], notes: Notes
) -> tuple[Instant | None, str | None]:
    if "clock" not in update:
        return epoch(update.get("timestamp"), "s", "timestamp"), text(update, "timestamp")
    began = epoch(event.get("date"), "s", "date")
    if began is None:
        return None, None
    at: Instant | None = None
    for clock in (*element["before"], update["clock"]):
        at = _next(clock, began, at)
        if at is None:
            notes.append(("posted_at", "DATE_UNKNOWN", str(update["clock"])))
            return None, None
    if element["before"]:
        notes.append(("posted_at", "DATE_INFERRED", str(update["clock"])))
    return at, None


def _next(clock: str, began: Instant, previous: Instant | None) -> Instant | None:
    """The time of a post, after the one before it; the first must be that of the event."""
    found = _STAMP.search(" ".join(clock.split()))
    if found is None:
        return None
    floor = previous or began
    for days in range(-1, 400 if found["date"] else 3):
        day: datetime = floor.at + days * _DAY
        if found["date"] and f"{day:%b} {day.day}" != _short(found["date"]):
            continue
        try:
            at = parse(
                f"{day:%Y-%m-%d} {found['clock']} {found['zone']}",
                TimeRule(format="%Y-%m-%d %I:%M %p %Z"),
            )
        except TimeError:
            return None
        if previous is None and at.lo - _ROUNDED <= began.at <= at.hi:
            return at
        if previous is not None and at.hi >= previous.lo:
            return at
    return None


def _short(date: str) -> str:
    month, day = date.split()
    return f"{month[:3]} {int(day)}"
