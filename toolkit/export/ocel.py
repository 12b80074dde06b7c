"""OCEL 2.0: the timeline as an object-centric event log.

Source: https://www.ocel-standard.org (OCEL 2.0 specification, JSON).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from toolkit.export.writing import Written, plain, saved, write_json
from toolkit.report import CaseFacts
from toolkit.store import Store

TITLE = "OCEL 2.0 event log (JSON)"
NAME = "ocel.json"

# Values of an object that hold from the beginning carry the time that the standard has for it.
_ALWAYS = "1970-01-01T00:00:00Z"
_EVENT = ("outcome", "state", "region", "phase", "summary", "evidence", "occurred_lo",
          "occurred_hi")  # fmt: skip
# Relations whose rows describe objects: type of object, key, attributes, since when they hold.
_DESCRIBED = (
    ("change", "change", "change_id",
     ("title", "kind", "risk", "outcome", "procedure", "window_start", "window_end"), None),
    ("asset", "asset", "asset_id",
     ("kind", "machine_type", "site", "region", "criticality"), "valid_from"),
    ("status_incident", "status_incident", "incident_id", ("title", "kind", "impact"), None),
)  # fmt: skip
_SUBJECT = {"asset": "target", "change": "change"}

Object = tuple[str, str]


def export(store: Store, facts: CaseFacts, target: Path) -> Written:
    """Every row of `timeline` as an event; what it touches as objects, with qualified relations."""
    log = _Log()
    for row in saved(facts, "ocel_event"):
        log.add(row)
    for relation, kind, key, columns, since in _DESCRIBED:
        for row in facts.rows(relation):
            log.describe((kind, row[key]), {each: row.get(each) for each in columns},
                         row.get(since) if since else None)  # fmt: skip
    for row in facts.rows("dependency"):
        log.relate(("asset", row["from_asset"]), ("asset", row["to_asset"]),
                   row["relation"] or "depends_on")  # fmt: skip
    for row in facts.rows("operation"):
        if row["change_id"] is not None:
            for asset in row["targets"] or ():
                log.relate(("change", row["change_id"]), ("asset", asset), "scope")
    content = log.content()
    write_json(target, content)
    return Written(target, {"events": len(content["events"]), "objects": len(content["objects"])})


class _Log:
    def __init__(self) -> None:
        self._events: list[tuple[dict[str, Any], list[tuple[Object, str]]]] = []
        self._objects: dict[Object, list[dict[str, Any]]] = {}
        self._related: defaultdict[Object, dict[tuple[Object, str], None]] = defaultdict(dict)

    def add(self, row: dict[str, Any]) -> None:
        touched: dict[tuple[Object, str], None] = {}
        if row["subject"]:
            kind = row["object_type"]
            touched[(kind, row["subject"]), _SUBJECT.get(kind, "about")] = None
        if row["change_id"]:
            touched[("change", row["change_id"]), "change"] = None
        if row["actor"]:
            touched[("person", row["actor"]), "actor"] = None
        for thing, _ in touched:
            self._objects.setdefault(thing, [])
        self._events.append((row, list(touched)))

    def describe(self, thing: Object, values: dict[str, Any], since: datetime | None) -> None:
        at = plain(since) if since else _ALWAYS
        told = self._objects.setdefault(thing, [])
        told += [
            {"name": name, "time": at, "value": plain(value)}
            for name, value in values.items()
            if value is not None
        ]

    def relate(self, one: Object, other: Object, qualifier: str) -> None:
        for thing in (one, other):
            self._objects.setdefault(thing, [])
        self._related[one][other, qualifier] = None

    def content(self) -> dict[str, Any]:
        names = self._names()
        types = sorted({row["type"] for row, _ in self._events})
        kinds = sorted({kind for kind, _ in self._objects})
        given: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for (kind, _), values in self._objects.items():
            for each in values:
                given[kind][each["name"]] = _type(each["name"])
        return {
            "objectTypes": [
                {"name": kind, "attributes": [{"name": name, "type": of}
                 for name, of in sorted(given[kind].items())]} for kind in kinds
            ],
            "eventTypes": [
                {"name": name, "attributes": [{"name": each, "type": _type(each)}
                 for each in _EVENT]} for name in types
            ],
            "objects": [
                {"id": names[thing], "type": thing[0], "attributes": values,
                 "relationships": [{"objectId": names[other], "qualifier": qualifier}
                                   for other, qualifier in self._related[thing]]}
                for thing, values in sorted(self._objects.items(), key=lambda each: each[0])
            ],
            "events": [
                {"id": f"event-{row['event_no']}", "type": row["type"],
                 "time": plain(row["occurred_at"]),
                 "attributes": [{"name": each, "value": plain(row[each])}
                                for each in _EVENT if row[each] is not None],
                 "relationships": [{"objectId": names[thing], "qualifier": qualifier}
                                   for thing, qualifier in touched]}
                for row, touched in self._events
            ],
        }  # fmt: skip

    def _names(self) -> dict[Object, str]:
        """An id is the thing's own name; where things of several types share it, with the type."""
        kinds: defaultdict[str, int] = defaultdict(int)
        for _, name in self._objects:
            kinds[name] += 1
        names: dict[Object, str] = {}
        taken = {name for name, count in kinds.items() if count == 1}
        for kind, name in sorted(self._objects):
            told = name if kinds[name] == 1 else f"{kind}:{name}"
            while kinds[name] > 1 and told in taken:
                told = f"{kind}:{told}"
            taken.add(told)
            names[kind, name] = told
        return names


def _type(name: str) -> str:
    return "time" if name.endswith(("_lo", "_hi")) or name.startswith("window_") else "string"
