"""Upptime, the monitor that keeps its history in a Git repository.

Source: https://upptime.js.org/docs. `history/SITE.yml` holds the state of a site at one commit;
several commits of it, one YAML document each, are its history. `history/summary.json` holds the
minutes that a site was down on each day. Its incidents are issues of the repository.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.ingest.statuspages import (
    Notes,
    Rows,
    Silent,
    document,
    flatten,
    send,
    text,
    translate,
    update_of,
)

STATE = {"up": "healthy", "down": "failed", "degraded": "degraded"}
LABELS = {"status", "maintenance"}
# What the tool itself writes at the end of the title of an issue.
TITLES = {" is down": "major_outage", " has degraded performance": "degraded_performance"}
_GENERATOR = re.compile(r"^generator: Upptime ", re.M)
_STATUS = re.compile(r"^status: (?:up|down|degraded)\s*$", re.M)
_WINDOW = re.compile(r"<!--(.*?)-->", re.S)
_PLANNED = re.compile(r"^\s*(start|end): *(\S+)\s*$", re.M)


class Upptime(Reader):
    """The state of sites, their minutes down, or the issues of an Upptime repository."""

    name = "upptime"
    title = "Upptime history (YAML, summary.json, issues as JSON)"
    fills = ("asset_state", "metric_sample", "status_update", "status_component")
    obtain = (
        "git log -p of history/SITE.yml, one document per commit; history/summary.json; gh issue"
        " list --label status --state all --json number,title,body,labels,createdAt,closedAt,"
        "comments"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "a file of the history holds one state; what lies between two checks is not known, and a"
        " scheduled check runs 5 to 30 minutes late",
        "the days of summary.json carry no zone; the runners of GitHub use UTC: state it as zone",
        "the state in summary.json is not dated, and is skipped",
        "an issue opens as `update` and is `resolved` when it is closed; its first text is often"
        " edited later, without a trace in the export",
    )
    sample = b"""url: https://restore.example.org
status: down
code: 503
responseTime: 129
lastUpdated: 2022-03-09T08:31:03.298Z
startTime: 2022-01-04T13:47:47.620Z
generator: Upptime <https://github.com/upptime/upptime>
"""

    def matches(self, file: EvidenceFile) -> bool:
        value = file.json
        if value is None:
            return bool(_GENERATOR.search(file.head) and _STATUS.search(file.head))
        if not isinstance(value, list) or not value:
            return False
        if not all(isinstance(each, dict) for each in value):
            return False
        summary = {"slug", "status", "uptimeDay", "dailyMinutesDown"}
        issue = {"number", "title", "labels", "createdAt"}
        return all(summary <= each.keys() for each in value) or (
            all(issue <= each.keys() and _labels(each) & LABELS for each in value)
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        def rows(element: dict[str, Any], notes: Notes) -> Rows:
            if "incident" in element:
                return _issue(element, settings)
            if "slug" in element:
                return [("metric_sample", _minutes(element, settings))]
            return [("asset_state", _state(element, settings, notes))]

        send(file, sink, _elements(file, settings), rows)


def _elements(file: EvidenceFile, settings: SourceSettings) -> list[Any]:
    if file.data.lstrip()[:1] not in (b"[", b"{"):
        return _documents(file)
    value = document(file, "copy it again from the repository")
    if not isinstance(value, list):
        raise EvidenceRefused(
            "not a list", path=file.path, remedy="give summary.json or a list of issues"
        )
    if all(isinstance(each, dict) and "dailyMinutesDown" in each for each in value):
        days = [each for site in value for each in _days(site)]
        if settings.zone is None and any("day" in each for each in days):
            raise EvidenceRefused(
                "the days carry no zone",
                path=file.path,
                remedy='the runners of GitHub use UTC: state zone = "UTC" in the case file if it'
                " ran there, or give --zone",
            )
        return days
    return [each for issue in value for each in _posts(issue)]


# -- the state of a site ---------------------------------------------------------------------------


def _documents(file: EvidenceFile) -> list[dict[str, Any]]:
    """The documents of the file; Upptime writes flat keys with plain values, one on a line."""
    try:
        lines = file.data.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise EvidenceRefused(
            "the file is not UTF-8",
            path=file.path,
            line=file.data.count(b"\n", 0, error.start) + 1,
            remedy="copy it again from the repository",
        ) from None
    found: list[dict[str, Any]] = [{}]
    for number, line in enumerate(lines, start=1):
        if line.startswith("---"):
            found.append({})
            continue
        if not line.strip() or line.startswith("#"):
            continue
        key, separator, value = line.partition(":")
        if not separator or key in found[-1] or line[0] in " \t-":
            raise EvidenceRefused(
                "not a file of flat keys, each once",
                path=file.path,
                line=number,
                remedy="put one document per commit into the file, each after a line of ---",
            )
        found[-1][key] = value.strip().strip("'\"")
    return [each for each in found if each]


def _state(element: dict[str, Any], settings: SourceSettings, notes: Notes) -> dict[str, Value]:
    return {
        "observed_at": text(element, "lastUpdated"),
        "asset_id": settings.asset_id or text(element, "url"),
        "state": translate(text(element, "status"), STATE, "state", notes),
    }


# -- minutes down per day --------------------------------------------------------------------------


def _days(site: Mapping[str, Any]) -> list[dict[str, Any]]:
    name = {"slug": site.get("slug"), "url": site.get("url")}
    days = site.get("dailyMinutesDown")
    if not isinstance(days, dict):
        days = {}
    return [name, *({**name, "day": day, "minutes": each} for day, each in sorted(days.items()))]


def _minutes(element: dict[str, Any], settings: SourceSettings) -> dict[str, Value]:
    if "day" not in element:
        raise Silent("the state of a site at the time of the export, which is not dated")
    return {
        "sampled_at": text(element, "day"),
        "series": "upptime_minutes_down",
        "value": text(element, "minutes"),
        "asset_id": settings.asset_id or text(element, "url") or text(element, "slug"),
        "unit": "min",
    }


# -- issues ----------------------------------------------------------------------------------------


def _labels(issue: Mapping[str, Any]) -> set[str]:
    held = issue.get("labels")
    return {
        str(each.get("name") if isinstance(each, dict) else each)
        for each in (held if isinstance(held, list) else ())
    }


def _posts(issue: Any) -> list[Any]:
    """The opening of an issue, its comments, and its end."""
    if not isinstance(issue, dict):
        return [issue]
    found = flatten([{**issue, "comments": None}, issue], "comments")
    if not issue.get("comments"):
        found.pop()
    if issue.get("closedAt"):
        found.append({"incident": found[0]["incident"], "update": None, "is_end": True})
    return found


def _issue(element: dict[str, Any], settings: SourceSettings) -> Rows:
    issue, comment = update_of(element)
    labels = _labels(issue)
    is_maintenance, is_end = "maintenance" in labels, "is_end" in element
    row: dict[str, Value] = {
        "incident_id": text(issue, "number"),
        "title": text(issue, "title"),
        "kind": "maintenance" if is_maintenance else "incident",
        "captured_at": settings.captured_at,
        "claimed_start_at": None if is_maintenance else text(issue, "createdAt"),
        "claimed_end_at": None if is_maintenance else text(issue, "closedAt"),
    }
    if is_end:
        row |= {"update_id": "closed", "posted_at": text(issue, "closedAt")}
        row["state"] = "completed" if is_maintenance else "resolved"
    elif comment is not None:
        row |= {"update_id": text(comment, "id"), "posted_at": text(comment, "createdAt")}
        row |= {"state": "update", "body": text(comment, "body")}
    else:
        row |= {"update_id": "opened", "posted_at": text(issue, "createdAt")}
        row |= {"state": "scheduled" if is_maintenance else "update", "body": text(issue, "body")}
    if is_maintenance:
        planned = _WINDOW.search(text(issue, "body") or "")
        for key, time in _PLANNED.findall(planned[1] if planned else ""):
            row[f"scheduled_{key}_at"] = time
    found: Rows = [("status_update", row)]
    if comment is not None or is_maintenance:
        return found
    status = next((each for words, each in TITLES.items() if words in str(row["title"])), None)
    identity = {key: row[key] for key in ("incident_id", "update_id", "posted_at")}
    for slug in sorted(labels - LABELS):
        component = {"component": slug, "component_status": "operational" if is_end else status}
        if is_end:
            component["component_old_status"] = status
        found.append(("status_component", {**identity, **component}))
    return found
