"""VERIS: the incident in the shared vocabulary, `Unknown` wherever evidence does not decide.

Source: VERIS 1.4 (https://github.com/vz-risk/veris); values of its enumerations are used as
identifiers. Who acted and why, and what kind of error it was, is for people: an action is coded
only where the board confirmed the code.
"""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any

from toolkit.export.incident import Row, require, reviewed_codes
from toolkit.export.writing import Written, identifier, write_json
from toolkit.report import CaseFacts
from toolkit.report.words import plural
from toolkit.store import Store

TITLE = "VERIS 1.4 incident (JSON)"
NAME = "veris.json"

# What is unknown has to say why.
_UNDECIDED = {"notes": "For the board, or whoever knows: the evidence does not decide it."}
# Codes of the rules, as VERIS spells them.
_ACTIONS = {
    "veris:error.maintenance": ("error", "Maintenance error"),
    "veris:misuse.unapproved_workaround": ("misuse", "Unapproved workaround"),
}


def export(store: Store, facts: CaseFacts, target: Path) -> Written:
    """One incident."""
    found = require(facts)
    machines = facts.rows("machine_impact")
    reviewed = any(
        row["is_current"] and row["state"] in ("reviewed", "signed_off")
        for row in facts.rows("review_state")
    )
    incident: Row = {
        "schema_version": "1.4.0",
        "incident_id": identifier(facts, "veris"),
        "source_id": "postmortem-toolkit",
        "security_incident": "Confirmed" if machines and reviewed else "Suspected",
        "summary": facts.title,
        "timeline": _timeline(found),
        "actor": {"unknown": _UNDECIDED},
        "action": _action(facts),
        "asset": {"assets": [_asset(machines)], "cloud": ["Unknown"]},
        "attribute": {"availability": _availability(facts, machines)},
        "discovery_method": {"unknown": True},
        "plus": {
            "case_digest": facts.digest,
            "exceptions": sorted(
                {row["rule"] for row in facts.rows("finding") if row["status"] == "exception"}
            ),
        },
    }
    if detection := found.get("detection"):
        incident["discovery_notes"] = detection["basis"]
    write_json(target, incident)
    unknown = "actor, discovery and victim: not for evidence of this kind to decide"
    return Written(target, {"incidents": 1}, (unknown,))


def _timeline(found: Any) -> Row:
    first = found.get("onset") or min(found.values(), key=lambda row: row["started_at"])
    at = first["started_at"].astimezone(UTC)
    told: Row = {"incident": {"year": at.year, "month": at.month, "day": at.day}}
    detection = found.get("detection")
    if "onset" in found and detection and detection["started_lo"] >= first["started_hi"]:
        passed = (detection["started_at"] - first["started_at"]).total_seconds()
        told["discovery"] = {"unit": "Minutes", "value": round(passed / 60)}
    return told


def _action(facts: CaseFacts) -> Row:
    told: Row = {}
    for code in reviewed_codes(facts, "veris"):
        if code in _ACTIONS:
            kind, variety = _ACTIONS[code]
            told.setdefault(kind, {"variety": [], "vector": ["Unknown"]})["variety"].append(variety)
    return told or {"unknown": _UNDECIDED}


def _asset(machines: list[Row]) -> Row:
    return {"variety": "Unknown", **({"amount": len(machines)} if machines else {})}


def _availability(facts: CaseFacts, machines: list[Row]) -> Row:
    lost = any(row["recovery_class"] == "lost" or row["data_lost_bytes"] for row in machines)
    variety = (["Interruption"] if machines else []) + (["Loss"] if lost else [])
    told: Row = {"variety": variety or ["Unknown"], "duration": {"unit": "Unknown"}}
    gaps = facts.rows("protection_gap")
    if machines:
        hours = sum(row["gap_hours"] or 0 for row in machines)
        open_gaps = sum(1 for row in gaps if row["open"])
        told["notes"] = (
            f"{plural(len(machines), 'machine')} without a good recovery point for {hours:.2f} "
            f"machine-hours together; {plural(open_gaps, 'interval')} open when the record ends."
        )
    return told
