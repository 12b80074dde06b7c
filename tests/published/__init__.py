"""What the standards ask of an export: `faults(form, path)` says where a written one departs.

`SCHEMAS` are published files, kept here as they were published (see README.md). Where none may be
kept, or none is published, the rules stand here in words of our own, narrowed to what the exports
write: a value of an enumeration is one of those that they may use.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

HERE = Path(__file__).parent
SCHEMAS = {
    "oscal": ("oscal_assessment_results_1.1.3", "oscal_assessment_results_1.2.3"),
    "csv": ("datapackage_2.0",), "parquet": ("datapackage_2.0",),
}  # fmt: skip


def faults(form: str, path: Path) -> list[str]:
    """Every departure of an export from its standard, as `place: what is wrong`."""
    if form == "timesketch":
        lines = path.read_text(encoding="utf-8").split("\n")
        return [
            fault for number, line in enumerate(lines[:-1], 1) for fault in _event(number, line)
        ]
    value = json.loads((path / "datapackage.json" if path.is_dir() else path).read_text())
    return [
        f"{name}: {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
        for name, validator in _validators(form)
        for error in validator.iter_errors(value)
    ]


@cache
def _validators(form: str) -> list[tuple[str, Any]]:
    if form in RULES:
        return [(form, Draft202012Validator(RULES[form]))]
    return [(name, validator_for(schema)(schema)) for name in SCHEMAS[form]
            for schema in [published(name)]]  # fmt: skip


@cache
def published(name: str) -> Any:
    """A published schema. Python's `re` has no Unicode classes; what it has says the same."""
    text = gzip.decompress((HERE / f"{name}.json.gz").read_bytes()).decode()
    return json.loads(text.replace(r"\\p{L}", r"[^\\W\\d_]").replace(r"\\p{N}", r"\\d"))


# -- Timesketch ------------------------------------------------------------------------------------
# After https://timesketch.org/guides/user/import-from-json-csv/ and what its server (20261014) does
# with a line: three fields are asked for, `timestamp` is `datetime` in microseconds, tags are a
# list, and names of its own are taken away.

_OWN = {"_id", "_type", "_index", "_source", "__ts_timeline_id", "timesketch_label"}


def _event(number: int, line: str) -> Iterator[str]:
    event = json.loads(line)
    for name in ("message", "datetime", "timestamp_desc"):
        if not (isinstance(event.get(name), str) and event[name]):
            yield f"{number}: no {name}"
    at = datetime.fromisoformat(event["datetime"])
    if at.utcoffset() != timedelta(0):
        yield f"{number}: datetime is not in UTC"
    elif event["timestamp"] != (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1):
        yield f"{number}: timestamp is another instant than datetime"
    if not all(isinstance(each, str) and each for each in event["tag"]):
        yield f"{number}: tag is not a list of words"
    if taken := _OWN & event.keys():
        yield f"{number}: {sorted(taken)} are taken away"


# -- OCEL ------------------------------------------------------------------------------------------
# The rules of OCEL 2.0 for JSON, after https://www.ocel-standard.org. As in the schema published
# there, every value of an attribute is text; its type stands in the declaration. Stricter than it:
# no other keys, no empty names, and only the five types of the specification.

_NAME = {"type": "string", "minLength": 1}
_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}


def _record(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object of these keys and no others."""
    return {
        "type": "object", "required": list(required), "additionalProperties": False,
        "properties": required | (optional or {}),
    }  # fmt: skip


def _list(items: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least}


_TYPES = _list(_record({
    "name": _NAME,
    "attributes": _list(_record({
        "name": _NAME, "type": {"enum": ["string", "time", "integer", "float", "boolean"]},
    })),
}))  # fmt: skip
_RELATIONS = _list(_record({"objectId": _NAME, "qualifier": {"type": "string"}}))
_VALUE = {"name": _NAME, "value": {"type": "string"}}
_OCEL = _record({
    "objectTypes": _TYPES, "eventTypes": _TYPES,
    "objects": _list(_record(
        {"id": _NAME, "type": _NAME},
        {"relationships": _RELATIONS, "attributes": _list(_record(_VALUE | {"time": _TIME}))},
    )),
    "events": _list(_record(
        {"id": _NAME, "type": _NAME, "time": _TIME},
        {"relationships": _RELATIONS, "attributes": _list(_record(_VALUE))},
    )),
})  # fmt: skip

# -- VERIS -----------------------------------------------------------------------------------------
# After the schema of VERIS 1.3.6 and the changes of 1.4.0: what it asks for, the keys that it knows
# where it allows no others, and those values of its enumerations that evidence can decide. That
# schema is share-alike, so it does not lie here.


def _some(*values: str) -> dict[str, Any]:
    return {"type": "array", "items": {"enum": list(values)}, "minItems": 1, "uniqueItems": True}


_SPAN = _record({"unit": {"enum": ["Minutes", "Unknown"]}}, {"value": {"type": "number"}})
_NOT_KNOWN = _record({"notes": _NAME})
_VERIS = _record(
    {
        "schema_version": {"const": "1.4.0"}, "incident_id": {"type": "string"},
        "security_incident": {"enum": ["Confirmed", "Suspected"]}, "summary": {"type": "string"},
        "timeline": _record(
            {"incident": _record({"year": {"type": "integer", "minimum": 1950}}, {
                "month": {"type": "integer", "minimum": 1, "maximum": 12},
                "day": {"type": "integer", "minimum": 1, "maximum": 31},
            })},
            {"discovery": _SPAN},
        ),
        "actor": _record({"unknown": _NOT_KNOWN}),
        "action": _record({}, {
            "unknown": _NOT_KNOWN,
            "error": _record({"variety": _some("Maintenance error"), "vector": _some("Unknown")}),
            "misuse": _record(
                {"variety": _some("Unapproved workaround"), "vector": _some("Unknown")}
            ),
        }) | {"minProperties": 1},
        "asset": _record({
            "assets": _list(
                _record({"variety": {"const": "Unknown"}}, {"amount": {"type": "integer"}}), 1
            ),
            "cloud": _some("Unknown"),
        }),
        "discovery_method": _record({"unknown": {"const": True}}),
    },
    {
        "source_id": {"type": "string"}, "discovery_notes": _NAME, "plus": {"type": "object"},
        "attribute": _record({"availability": _record(
            {"variety": _some("Interruption", "Loss", "Unknown")},
            {"duration": _SPAN, "notes": _NAME},
        )}),
    },
)  # fmt: skip

# -- DORA ------------------------------------------------------------------------------------------
# The numbers of the fields of Annex I of Implementing Regulation (EU) 2025/302. What authorities
# take is a form of their own, which this export does not fill.

_SECTIONS = {1: 15, 2: 10, 3: 35, 4: 16}
_KNOWN = _list({"type": "object", "required": ["source"]}, 1)
_FIELD = {"oneOf": [
    _record({"name": _NAME, "status": {"const": "open"}, "who": _NAME}, {"known": _KNOWN}),
    _record(
        {"name": _NAME, "status": {"const": "filled"}, "value": _TIME, "source": _NAME,
         "basis": _NAME, "limits": _NAME},
        {"earliest": _TIME, "latest": _TIME, "evidence": _NAME, "known": _KNOWN},
    ),
]}  # fmt: skip
_DORA = _record({
    "form": {"const": "postmortem-dora-1"}, "basis": _NAME, "case": _NAME, "title": _NAME,
    "case_digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "fields": _record({
        f"{section}.{number}": _FIELD
        for section, fields in _SECTIONS.items() for number in range(1, fields + 1)
    }),
})  # fmt: skip

RULES = {"ocel": _OCEL, "veris": _VERIS, "dora": _DORA}
