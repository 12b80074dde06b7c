"""Issues of cState, the static status page: one Markdown file with YAML front matter per issue.

Source: https://github.com/cstate/cstate (README, "How do I create issues?"). The format states two
instants, `date` and `resolvedWhen`, and lets the author date single paragraphs with a `track`
shortcode; everything else in the file is only known to have stood there at the end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.reader import Reader, Row, Sink, SourceSettings
from toolkit.relations import UPDATE_STATES

# How an unresolved issue of a severity shows the components that it names.
COMPONENT_STATUS = {"down": "major_outage", "disrupted": "degraded_performance", "notice": None}

_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)(.*)\Z", re.S | re.M)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_TRACK = re.compile(r"\{\{<\s*track\s+\"([^\"\n]*)\"\s*>\}\}")
_LEAD = re.compile(r"\*{1,2}([A-Za-z][A-Za-z ]*?)\*{1,2}\s*(?:-|–|—|:)\s*")
# YAML and Hugo take an hour of one digit; a strict reading of ISO 8601 does not.
_SHORT_HOUR = re.compile(r"\A(\d{4}-\d\d-\d\d[T ])(\d:)")
_OFFSET = re.compile(r"(?:Z|[+-]\d\d:?\d\d|UTC|GMT)\Z", re.I)


class CState(Reader):
    """One issue of a cState page."""

    name = "cstate"
    title = "cState issue (Markdown with front matter)"
    fills = ("status_update", "status_component")
    obtain = "git clone the page's repository; the issues are content/issues/*.md"
    traps: ClassVar[tuple[str, ...]] = (
        "`date` is typed by hand, and for announced work it is often its planned start; when an"
        " issue really appeared is in the history of the page's Git repository",
        "the file states no states: an issue opens with state `update`, and has a `resolved` update"
        " where it says resolved and resolvedWhen",
        "what was written when is not recorded: the body goes with the last dated update, unless"
        " its paragraphs carry a `track` time",
        "times without an offset are in the time zone of the site: state it as zone",
        "HTML comments are not shown on the page; they are left out of the body, and noted",
        "there is no field for maintenance: every issue is an incident, except an informational"
        " one, which is neither",
        "`resolved` sets the affected components back to operational as far as this issue goes;"
        " another open issue may say otherwise",
    )
    sample = b"""---
title: Mirror of the package index is slow
date: 2022-03-09T15:31:00-00:00
resolved: true
resolvedWhen: 2022-03-09T18:05:00-00:00
# Possible severity levels: down, disrupted, notice
severity: disrupted
affected:
  - mirror.example.org
section: issue
---

[Final message]

The mirror answers as usual again.

[Initial message]

Downloads from the mirror take several minutes.
"""

    def matches(self, file: EvidenceFile) -> bool:
        found = _FRONT.match(file.head)
        if found is None:
            return False
        keys = {line.split(":", 1)[0].lower() for line in found[1].splitlines() if ":" in line}
        return (
            re.search(r"^section:\s*[\"']?issue[\"']?\s*$", found[1], re.M | re.I) is not None
            and {"title", "date"} <= keys
            and bool({"severity", "resolved", "affected", "informational"} & keys)
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        front, body = _parts(file)
        _check_zone(file, front, body, settings)
        updates = _updates(front, body, file.name.split(".md", 1)[0])
        for record, update in file.elements(updates):
            _send(record, update, settings, sink)


def _parts(file: EvidenceFile) -> tuple[dict[str, Any], str]:
    """The front matter, every scalar as text, and the body; refuses what is no issue."""
    try:
        text = file.data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EvidenceRefused(
            "the file is not UTF-8",
            path=file.path,
            line=file.data.count(b"\n", 0, error.start) + 1,
            remedy="save it as UTF-8",
        ) from None
    found = _FRONT.match(text)
    if found is None:
        raise EvidenceRefused(
            "the file has no front matter between two lines of ---",
            path=file.path,
            line=1,
            remedy="give a file of content/issues",
        )
    try:
        # The base loader keeps every scalar as it stands; YAML's own dates would lose the offset.
        front = YAML(typ="base", pure=True).load(found[1])
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise EvidenceRefused(
            f"the front matter is not YAML ({reason})",
            path=file.path,
            line=None if mark is None else mark.line + 2,
            remedy="correct a copy of the file, and keep the original beside it",
        ) from None
    if not isinstance(front, dict):
        raise EvidenceRefused(
            "the front matter has no keys", path=file.path, line=2, remedy="check the file"
        )
    # Hugo reads the names of keys without case.
    front = {str(key).lower(): value for key, value in front.items()}
    for key in ("title", "date"):
        if not isinstance(front.get(key), str) or not front[key]:
            raise EvidenceRefused(
                "missing or empty",
                path=file.path,
                line=2,
                field=key,
                remedy="cState itself needs it; check the file",
            )
    return front, found[2].strip()


def _check_zone(
    file: EvidenceFile, front: Mapping[str, Any], body: str, settings: SourceSettings
) -> None:
    if settings.zone is not None:
        return
    times = [("date", front["date"]), ("resolvedWhen", front.get("resolvedwhen"))]
    times += [("track", time) for time in _TRACK.findall(body)]
    for key, time in times:
        if isinstance(time, str) and time and not _OFFSET.search(time.strip()):
            raise EvidenceRefused(
                f"the time {time[:40]!r} has no offset",
                path=file.path,
                line=file.data.count(b"\n", 0, file.data.find(time.encode())) + 1,
                field=key,
                remedy="state the zone of the site (timeZone in its configuration, else UTC)"
                " as zone in the case file, or as ingest --zone",
            )


def _updates(front: Mapping[str, Any], body: str, issue: str) -> list[dict[str, Any]]:
    """The dated updates of the issue: opening, tracked paragraphs in order of the file, end."""
    comments = _COMMENT.findall(body)
    shown = _COMMENT.sub("", body).strip()
    about = {
        "incident_id": issue,
        "title": front["title"],
        "severity": front.get("severity"),
        "affected": front.get("affected"),
        "informational": _is_true(front.get("informational")),
        "date": front["date"],
        "resolved_when": front.get("resolvedwhen") or None,
    }
    updates: list[dict[str, Any]] = [
        {"update_id": "opened", "time": front["date"], "state": "update"}
    ]
    rest = shown
    pieces = _TRACK.split(shown)
    for number, (text, time) in enumerate(zip(pieces[:-1:2], pieces[1::2], strict=True), start=1):
        lead = _LEAD.match(text.strip())
        state = lead[1].strip().lower().replace(" ", "_") if lead else "update"
        updates.append(
            {"update_id": f"track-{number}", "time": time, "state": state, "body": text.strip()}
        )
        rest = pieces[-1].strip()
    if _is_true(front.get("resolved")) and about["resolved_when"]:
        updates.append(
            {"update_id": "resolved", "time": about["resolved_when"], "state": "resolved"}
        )
    last = updates[-1] if updates[-1]["update_id"] == "resolved" else updates[0]
    if rest:
        last["body"] = rest
    if comments:
        last["comments"] = comments
    return [{**about, **update} for update in updates]


def _send(record: Record, update: Mapping[str, Any], settings: SourceSettings, sink: Sink) -> None:
    notes: list[tuple[str, str, str]] = []
    affected = update["affected"] or []
    if not isinstance(affected, list) or not all(isinstance(each, str) for each in affected):
        sink.reject(record, "FIELD_TYPE", "not a list of names", field="affected")
        return
    for field in ("severity", "resolved_when"):
        if not isinstance(update[field], str | None):
            sink.reject(
                record, "FIELD_TYPE", "a nested value where a text is expected", field=field
            )
            return
    state = update["state"]
    if state not in UPDATE_STATES:
        notes.append(("state", "UNKNOWN_WORD", state))
        state = "unknown"
    notes += [("body", "HTML_COMMENT", comment) for comment in update.get("comments", ())]
    times = {}
    for column, time in (
        ("posted_at", update["time"]),
        ("claimed_start_at", update["date"]),
        ("claimed_end_at", update["resolved_when"]),
    ):
        times[column] = time and _SHORT_HOUR.sub(r"\g<1>0\2", time.strip())
        if times[column] != (time and time.strip()):
            notes.append((column, "HOUR_OF_ONE_DIGIT", time))
    row = {
        **times,
        "incident_id": update["incident_id"],
        "update_id": update["update_id"],
        "state": state,
        "title": update["title"],
        "body": update.get("body"),
        "kind": None if update["informational"] else "incident",
        "impact": update["severity"] or None,
        "captured_at": settings.captured_at,
    }
    severity = (update["severity"] or "").lower()
    if severity and severity not in COMPONENT_STATUS:
        notes.append(("component_status", "UNKNOWN_WORD", update["severity"]))
    # Which components a single paragraph is about is not recorded.
    named = affected if update["update_id"] in ("opened", "resolved") else []
    components = _components(row, named, None if update["informational"] else severity)
    if sink.accept(
        record, ("status_update", row), *(("status_component", each) for each in components)
    ):
        for column, code, raw in notes:
            sink.note(record, column, code, raw)


def _components(
    row: Mapping[str, str | None], affected: list[str], severity: str | None
) -> list[Row]:
    """The components of an update: as the severity shows them, operational after the end."""
    status = None if severity is None else COMPONENT_STATUS.get(severity)
    old = None
    if row["state"] == "resolved" and status is not None:
        status, old = "operational", status
    identity = {key: row[key] for key in ("incident_id", "update_id", "posted_at")}
    return [
        {**identity, "component": name, "component_status": status, "component_old_status": old}
        for name in affected
        if name
    ]


def _is_true(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() == "true"
