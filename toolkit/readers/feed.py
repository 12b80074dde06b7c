"""Atom and RSS history of a status page, as Statuspage and incident.io write it.

Source: recorded feeds; neither form is documented. Statuspage puts all updates of an incident into
one HTML text, each with month, day, minute and zone, but without a year. incident.io writes the
newest update only. One record is one update.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.ingest.statuspages import (
    Notes,
    Rows,
    Unreadable,
    component_word,
    inner,
    instant,
    plain_text,
    send,
    text,
    translate,
)
from toolkit.relations import COMPONENT_STATUS, UPDATE_STATES
from toolkit.timestamps import Instant, TimeError, TimeRule, parse

STATES: dict[str, str | None] = {state: state for state in UPDATE_STATES}
COMPONENTS: dict[str, str | None] = {
    **{status: status for status in COMPONENT_STATUS},
    "full_outage": "major_outage",
}
OF_A_MAINTENANCE = {"scheduled", "in_progress", "verifying", "completed"}
OF_AN_INCIDENT = {"investigating", "identified", "monitoring", "resolved"}

_FEED = re.compile(rb"<(?:feed|rss)[\s>]")
_UPDATE_MARK = re.compile(
    rb"data-var=(?:'|\"|&quot;|&#39;|&apos;)date|(?:<|&lt;)b(?:>|&gt;)Status: "
)
_EMPTY = re.compile(rb"- Incident History</title>")
_DECLARATION = re.compile(rb"\A\s*<\?xml[^>]*\?>")

_PARAGRAPH = re.compile(r"<small>(.*?)</small>", re.I | re.S)
_STATE = re.compile(r"\A\s*(?:<br\s*/?>\s*)?<strong>(.*?)</strong>\s*(?:-|–|—)?", re.I | re.S)
_PLANNED = re.compile(r"THIS IS A SCHEDULED EVENT(.*?)(?:</strong>|\Z)", re.S)
_STAMP = re.compile(
    r"(?P<month>[A-Z][a-z]{2})[a-z]* +(?P<day>\d{1,2}), +(?P<clock>\d{1,2}:\d\d)"
    r"(?: +- +(?:(?P<to_month>[A-Z][a-z]{2})[a-z]* +(?P<to_day>\d{1,2}), +)?"
    r"(?P<to_clock>\d{1,2}:\d\d))? +(?P<zone>[A-Za-z][A-Za-z0-9+:/_-]*)"
)
_STATUS_LINE = re.compile(r"<b>Status: ([^<]*)</b>", re.I)
_AFFECTED = re.compile(r"<b>Affected components:?</b>(.*)\Z", re.I | re.S)
_COMPONENT = re.compile(r"(.+?) \(([^()]*)\)")
_SLUG = re.compile(r"/(?:incidents|incident|maintenance|maintenances)/([A-Za-z0-9_-]+)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

MINUTE = timedelta(minutes=1)
# Updates stand newest first; where times were edited, one may be this much out of order.
DISORDER = timedelta(days=31)
# The readings of a date without a year are a year apart; only February 29 is rarer, and the nearest
# one may be years away, which no entry is.
HALF_A_YEAR, YEAR = timedelta(days=183), timedelta(days=366)


class Feed(Reader):
    """The history feed of a status page."""

    name = "feed"
    title = "Status page history as Atom or RSS (Statuspage, incident.io)"
    fills = ("status_update", "status_component")
    obtain = "curl https://PAGE/history.atom (or history.rss)"
    traps: ClassVar[tuple[str, ...]] = (
        "the updates print no year: it follows from the entry's `published` (RSS: pubDate), going"
        " from update to update, and never after the last change of the entry; year_inferred",
        "times have the precision of a minute; the zone is a word, and one that does not stand for"
        " one zone must be declared",
        "the incident is named by the end of its link, as in the page's JSON; the number in the"
        " entry's tag is another one, and names it only where there is no link",
        "the feed of incident.io holds the newest update of an incident only, and its time moves"
        " when the entry is edited",
        "a feed ends after 25 to 50 entries, and deleted incidents vanish from it",
        "the HTML of an update is read as its text; the page's JSON holds more: prefer it",
    )
    sample = b"""<?xml version="1.0" encoding="UTF-8"?>
<feed xml:lang="en-US" xmlns="http://www.w3.org/2005/Atom">
  <id>tag:status.example.org,2005:/history</id>
  <title>Northbank Vault Status - Incident History</title>
  <updated>2022-03-12T10:31:00Z</updated>
  <entry>
    <id>tag:status.example.org,2005:Incident/90000001</id>
    <published>2022-03-09T16:02:11Z</published>
    <updated>2022-03-09T16:02:11Z</updated>
    <link rel="alternate" type="text/html" href="https://status.example.org/incidents/zx81example"/>
    <title>Cloud restores delayed</title>
    <content type="html">&lt;p&gt;&lt;small&gt;Mar &lt;var data-var='date'&gt; 9&lt;/var&gt;,
&lt;var data-var='time'&gt;16:02&lt;/var&gt; UTC&lt;/small&gt;&lt;br&gt;
&lt;strong&gt;Resolved&lt;/strong&gt; - Restores complete as usual.&lt;/p&gt;
&lt;p&gt;&lt;small&gt;Mar &lt;var data-var='date'&gt; 9&lt;/var&gt;,
&lt;var data-var='time'&gt;08:31&lt;/var&gt; UTC&lt;/small&gt;&lt;br&gt;
&lt;strong&gt;Investigating&lt;/strong&gt; - We are looking into delayed restores.&lt;/p&gt;
</content>
  </entry>
</feed>
"""

    def matches(self, file: EvidenceFile) -> bool:
        return (
            file.head.lstrip()[:1] == "<"
            and _FEED.search(file.data[:4096]) is not None
            and (_UPDATE_MARK.search(file.data) or _EMPTY.search(file.data)) is not None
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        dates: dict[int, list[Instant]] = {}

        def times(entry: dict[str, Any]) -> list[Instant]:
            # The updates of an entry are dated together, and once.
            if id(entry) not in dates:
                dates[id(entry)] = _dated(entry, settings)
            return dates[id(entry)]

        def rows(element: dict[str, Any], notes: Notes) -> Rows:
            return _rows(element, times, settings, notes)

        send(file, sink, [each for entry in _entries(file) for each in _elements(entry)], rows)


# -- from XML to elements --------------------------------------------------------------------------


def _entries(file: EvidenceFile) -> list[dict[str, str | None]]:
    data = file.data
    if file.encoding != "utf-8":
        # The container has brought the bytes to UTF-8; the declaration still names the old coding.
        data = _DECLARATION.sub(b"", data)
    try:
        root: Element = fromstring(data)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise EvidenceRefused(
            f"the file is not plain XML ({type(error).__name__}: {error})",
            path=file.path,
            line=getattr(error, "position", (None,))[0],
            remedy="download the feed again; a feed needs no entities of its own",
        ) from None
    entries = [each for each in root.iter() if _tag(each) in ("entry", "item")]
    whole = [_texts(root)] + [_texts(each) for each in root if _tag(each) == "channel"]
    changed = [
        value
        for part in whole
        for key in ("updated", "lastBuildDate", "pubDate")
        if (value := part.get(key)) is not None
    ]
    return [{**_texts(each), "feed_changed": changed[0] if changed else None} for each in entries]


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _texts(element: Element) -> dict[str, str | None]:
    """The children that matter, as text; of several links, the one to the page."""
    found: dict[str, str | None] = {}
    for child in element:
        tag = _tag(child)
        if tag == "link" and child.get("href"):
            if child.get("rel", "alternate") == "alternate":
                found[tag] = child.get("href")
        elif tag in (
            "id", "guid", "link", "title", "published", "updated", "pubDate", "lastBuildDate",
            "content", "description", "summary",
        ):  # fmt: skip
            found.setdefault(tag, "".join(child.itertext()).strip() or None)
    return found


def _elements(entry: dict[str, str | None]) -> list[dict[str, Any]]:
    """The updates of an entry; one without any known form is a record of its own."""
    body = entry.get("content") or entry.get("description") or entry.get("summary") or ""
    about: dict[str, Any] = {
        key: each
        for key, each in entry.items()
        if key not in ("content", "description", "summary") and each is not None
    }
    planned = _PLANNED.search(body)
    if planned:
        about["planned"] = plain_text(planned[1])
    status = _STATUS_LINE.search(body)
    if status:
        affected = _AFFECTED.search(body)
        message = body[status.end() : affected.start() if affected else None]
        update: dict[str, Any] = {"state": status[1], "message": message}
        if affected:
            update["components"] = plain_text(affected[1])
        return [{"incident": about, "update": update}]
    pieces = _PARAGRAPH.split(body)
    if len(pieces) == 1:
        return [{"incident": about, "update": {"message": body}}]
    updates: list[dict[str, Any]] = []
    for stamp, rest in zip(pieces[1::2], pieces[2::2], strict=True):
        state = _STATE.match(rest)
        update = {"stamp": plain_text(stamp), "message": rest[state.end() :] if state else rest}
        if state:
            update["state"] = plain_text(state[1])
        updates.append(update)
    about["stamps"] = [update["stamp"] for update in updates]
    about["states"] = [update.get("state") for update in updates]
    return [
        {"incident": about, "update": update, "index": index}
        for index, update in enumerate(updates)
    ]


# -- from elements to rows -------------------------------------------------------------------------


def _rows(
    element: dict[str, Any],
    times: Callable[[dict[str, Any]], list[Instant]],
    settings: SourceSettings,
    notes: Notes,
) -> Rows:
    entry, update = inner(element, "incident"), inner(element, "update")
    state = translate(text(update, "state"), STATES, "state", notes)
    row: dict[str, Value] = {
        "incident_id": _identity(entry),
        "state": state,
        "title": text(entry, "title"),
        "body": plain_text(text(update, "message") or "") or None,
        "kind": _kind(entry, state),
        "captured_at": settings.captured_at,
    }
    if "index" in element:
        row["posted_at"] = times(entry)[element["index"]]
        row |= _planned(entry, times(entry)[0], settings)
    elif "state" in update:
        row["posted_at"] = text(entry, "updated") or text(entry, "pubDate")
    rows: Rows = [("status_update", row)]
    for line in (text(update, "components") or "").splitlines():
        found = _COMPONENT.fullmatch(line.strip())
        if found:
            component = {
                "incident_id": row["incident_id"],
                "posted_at": row["posted_at"],
                "component": found[1],
                "component_status": component_word(found[2], COMPONENTS, "component_status", notes),
            }
            rows.append(("status_component", component))
    return rows


def _identity(entry: dict[str, Any]) -> str | None:
    link = text(entry, "link") or text(entry, "guid") or ""
    found = _SLUG.search(link)
    if found:
        return found[1]
    native = text(entry, "id") or text(entry, "guid")
    return None if native is None else native.rpartition("/")[2] or native


def _kind(entry: dict[str, Any], state: str) -> str | None:
    """What the states of all updates and the link say; an update alone may be of either kind."""
    words = {str(each).strip().lower().replace(" ", "_") for each in entry.get("states", [state])}
    if "planned" in entry or words & OF_A_MAINTENANCE or "/maintenance" in str(entry.get("link")):
        return "maintenance"
    return "incident" if words & OF_AN_INCIDENT else None


def _planned(entry: dict[str, Any], posted: Instant, settings: SourceSettings) -> dict[str, Value]:
    """The planned window, in the year that is nearest to the newest update."""
    found = _STAMP.search(text(entry, "planned") or "")
    if found is None or found["to_clock"] is None:
        return {}
    start = _nearest(_readings(found, settings, around=posted.at), posted.at)
    month, day = found["to_month"] or found["month"], found["to_day"] or found["day"]
    ends = _readings(found, settings, month, day, found["to_clock"], around=posted.at)
    end = next((each for each in ends if start is not None and each.at >= start.at), None)
    return {"scheduled_start_at": start, "scheduled_end_at": end}


def _dated(entry: dict[str, Any], settings: SourceSettings) -> list[Instant]:
    """The times of all updates of an entry, newest first, each with the year that fits.

    The update that was posted in the minute of `published` is the anchor, else the newest one, in
    the year nearest to it. From there, every update takes the year that keeps the order.
    """
    published = text(entry, "published") or text(entry, "pubDate")
    if published is None:
        raise Unreadable(
            "published", "the entry has no date, so that the year is not known", "TIME_NO_YEAR"
        )
    base = instant(published, TimeRule(zone=settings.zone), "published")
    limit = base.at
    for key in ("updated", "feed_changed"):
        changed = text(entry, key)
        if changed is not None:
            limit = max(limit, instant(changed, TimeRule(zone=settings.zone), key).at)
    readings = []
    for stamp in entry["stamps"]:
        found = _STAMP.search(stamp)
        if found is None:
            raise Unreadable("posted_at", f"{stamp[:60]!r} is no date with a zone", "TIME_SYNTAX")
        readings.append(
            [
                each
                for each in _readings(found, settings, around=base.at)
                if each.lo <= limit + MINUTE
            ]
        )
    anchor = next(
        (
            index
            for index, each in enumerate(readings)
            if any(abs(reading.at - base.at) <= MINUTE for reading in each)
        ),
        0,
    )
    near = [each for each in readings[anchor] if abs(each.at - base.at) <= HALF_A_YEAR]
    times: dict[int, Instant | None] = {anchor: _nearest(near, base.at)}
    for index in range(anchor + 1, len(readings)):
        above = times[index - 1]
        before = [
            each
            for each in readings[index]
            if above and above.at - YEAR <= each.at <= above.at + DISORDER
        ]
        times[index] = max(before, key=_at, default=None)
    for index in range(anchor - 1, -1, -1):
        below = times[index + 1]
        after = [
            each
            for each in readings[index]
            if below and below.at - DISORDER <= each.at <= below.at + YEAR
        ]
        times[index] = min(after, key=_at, default=None)
    dated = [each for _, each in sorted(times.items()) if each is not None]
    if len(dated) < len(readings):
        raise Unreadable("posted_at", "no years fit the dates of the entry", "TIME_NO_YEAR")
    return dated


def _at(instant: Instant) -> datetime:
    return instant.at


def _readings(
    found: re.Match[str],
    settings: SourceSettings,
    month: str | None = None,
    day: str | None = None,
    clock: str | None = None,
    *,
    around: datetime,
) -> list[Instant]:
    """What a date without a year can mean, in the years around."""
    name = month or found["month"]
    if name not in _MONTHS:
        raise Unreadable("posted_at", f"{name!r} is no month", "TIME_SYNTAX")
    date = f"{_MONTHS.index(name) + 1:02}-{int(day or found['day']):02}"
    readings: list[Instant] = []
    fault: TimeError | None = None
    for year in range(around.year - 4, around.year + 5):
        try:
            at = parse(
                f"{year}-{date} {clock or found['clock']} {found['zone']}",
                TimeRule(zone=settings.zone),
            )
        except TimeError as error:
            # A February 29 exists in some of the years only.
            fault = error
        else:
            readings.append(at.flagged("year_inferred"))
    if not readings and fault is not None:
        raise Unreadable("posted_at", fault.reason, fault.code)
    return readings


def _nearest(readings: list[Instant], to: datetime) -> Instant | None:
    return min(readings, key=lambda each: abs(each.at - to), default=None)
