"""Data for the DORA incident report: what evidence fills, and who would know the rest.

Source: Implementing Regulation (EU) 2025/302, Annex I (numbers of the fields; the names are ours).
Classes of root causes are never filled: the board decides them, and what it confirmed stands beside
them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit.export.incident import Row, require, reviewed_codes
from toolkit.export.writing import Written, plain, stated, write_json
from toolkit.report import CaseFacts
from toolkit.store import Store

TITLE = "data for the DORA incident report (JSON)"
NAME = "dora-incident.json"

_BOARD, _LEGAL = "review board", "compliance function"
_MANAGER, _CLIENTS = "incident management", "client relations"
_FINANCE, _SECURITY, _REGISTER = "finance", "security operations", "register of ICT services"
# Fields of Annex I: number, name, who would know it.
_FIELDS = (
    ("1.1", "kind of submission", _LEGAL), ("1.2", "submitting entity", _LEGAL),
    ("1.3", "code of the submitting entity", _LEGAL), ("1.4", "type of entity", _LEGAL),
    ("1.5", "name of the entity", _LEGAL), ("1.6", "LEI of the entity", _LEGAL),
    ("1.7", "first contact: name", _LEGAL), ("1.8", "first contact: e-mail", _LEGAL),
    ("1.9", "first contact: telephone", _LEGAL), ("1.10", "second contact: name", _LEGAL),
    ("1.11", "second contact: e-mail", _LEGAL), ("1.12", "second contact: telephone", _LEGAL),
    ("1.13", "ultimate parent", _LEGAL), ("1.14", "LEI of the ultimate parent", _LEGAL),
    ("1.15", "currency", _LEGAL),
    ("2.1", "reference of the entity", _MANAGER), ("2.2", "detected at", _MANAGER),
    ("2.3", "classified as major at", _MANAGER), ("2.4", "description", _BOARD),
    ("2.5", "criteria that were met", _LEGAL), ("2.6", "Member States", _CLIENTS),
    ("2.7", "how it was discovered", _MANAGER), ("2.8", "origin with a third party", _LEGAL),
    ("2.9", "business continuity plan activated", _MANAGER), ("2.10", "other", _LEGAL),
    ("3.1", "reference of the authority", _LEGAL), ("3.2", "occurred at", _BOARD),
    ("3.3", "service restored at", _MANAGER), ("3.4", "clients affected: number", _CLIENTS),
    ("3.5", "clients affected: share", _CLIENTS),
    ("3.6", "counterparts affected: number", _CLIENTS),
    ("3.7", "counterparts affected: share", _CLIENTS), ("3.8", "relevant clients", _CLIENTS),
    ("3.9", "transactions affected: number", _FINANCE),
    ("3.10", "transactions affected: share", _FINANCE),
    ("3.11", "transactions affected: value", _FINANCE),
    ("3.12", "whether these are estimates", _FINANCE), ("3.13", "reputational impact", _LEGAL),
    ("3.14", "reputational impact in words", _LEGAL), ("3.15", "duration", _BOARD),
    ("3.16", "downtime of the service", _REGISTER),
    ("3.17", "whether duration and downtime are estimates", _BOARD),
    ("3.18", "impact in Member States", _CLIENTS),
    ("3.19", "impact in Member States in words", _CLIENTS), ("3.20", "data losses", _BOARD),
    ("3.21", "data losses in words", _BOARD), ("3.22", "critical services affected", _REGISTER),
    ("3.23", "type of incident", _BOARD), ("3.24", "other type", _BOARD),
    ("3.25", "threats and techniques", _SECURITY), ("3.26", "other techniques", _SECURITY),
    ("3.27", "functional areas", _REGISTER), ("3.28", "infrastructure affected", _REGISTER),
    ("3.29", "infrastructure components", _REGISTER),
    ("3.30", "financial interest of clients", _CLIENTS),
    ("3.31", "reported to other authorities", _LEGAL), ("3.32", "other authorities", _LEGAL),
    ("3.33", "temporary measures", _MANAGER), ("3.34", "temporary measures in words", _MANAGER),
    ("3.35", "indicators of compromise", _SECURITY),
    ("4.1", "class of root cause", _BOARD), ("4.2", "detailed class of root cause", _BOARD),
    ("4.3", "further class of root cause", _BOARD), ("4.4", "other root cause", _BOARD),
    ("4.5", "root cause in words", _BOARD), ("4.6", "resolution", _BOARD),
    ("4.7", "root cause addressed at", _BOARD), ("4.8", "resolved at", _MANAGER),
    ("4.9", "resolution against plan", _MANAGER), ("4.10", "risk to critical functions", _LEGAL),
    ("4.11", "for resolution authorities", _LEGAL), ("4.12", "economic threshold", _FINANCE),
    ("4.13", "gross costs and losses", _FINANCE), ("4.14", "recoveries", _FINANCE),
    ("4.15", "recurring incidents", _BOARD), ("4.16", "recurring: first occurrence", _BOARD),
)  # fmt: skip
_REVIEWED = {"4.1": "4.1.", "4.2": "4.2.", "4.3": "4.3.", "4.15": "4.15", "4.16": "4.16"}


def export(store: Store, facts: CaseFacts, target: Path) -> Written:
    """Every field by its number, filled or open."""
    filled, known = _filled(facts), _known(facts)
    fields = {}
    for number, name, who in _FIELDS:
        field: Row = {"name": name}
        if number in filled:
            field |= {"status": "filled", **filled[number]}
        else:
            field |= {"status": "open", "who": who}
        if number in known:
            field["known"] = known[number]
        fields[number] = field
    write_json(target, {
        "form": "postmortem-dora-1",
        "basis": "Implementing Regulation (EU) 2025/302, Annex I",
        "case": facts.case_id, "title": facts.title, "case_digest": facts.digest,
        "fields": fields,
    })  # fmt: skip
    return Written(target, {"fields filled": len(filled), "open": len(fields) - len(filled)})


def _filled(facts: CaseFacts) -> dict[str, Row]:
    """What the records themselves decide."""
    found = require(facts)
    filled: dict[str, Row] = {}
    for number, phase, limits in (
        ("2.2", "detection", "An alert counts when it fired, whether or not anyone saw it."),
        ("3.2", "onset", "It is when what was measured fell, not when what led to it began."),
    ):
        if row := found.get(phase):
            filled[number] = stated({
                "value": row["started_at"], "earliest": row["started_lo"],
                "latest": row["started_hi"], "source": "incident_phase",
                "basis": row["basis"], "limits": limits, "evidence": row["evidence"],
            })  # fmt: skip
    return filled


def _known(facts: CaseFacts) -> dict[str, list[Row]]:
    """What the evidence says to a field without deciding it, each with its relation."""
    known: dict[str, list[Row]] = {}

    def say(number: str, relation: str, **values: Any) -> None:
        told = {name: plain(value) for name, value in values.items() if value not in (None, [])}
        if told:
            known.setdefault(number, []).append({"source": relation, **told})

    say("2.1", "case_info", case=facts.case_id)
    for row in facts.rows("region_impact"):
        for number in ("2.6", "3.18"):
            say(number, "region_impact", region=row["region"], machines=row["machines_impacted"])
        say("3.16", "region_impact", region=row["region"],
            machine_hours_without_recovery_point=row["machine_hours"])  # fmt: skip
        say("3.20", "region_impact", region=row["region"],
            data_at_risk_bytes=row["data_at_risk_bytes"], data_lost_bytes=row["data_lost_bytes"],
            machines_lost=row["machines_lost"])  # fmt: skip
    if partners := [row for row in facts.rows("partner_impact") if row["machines_impacted"]]:
        say("3.4", "partner_impact", organizations=len(partners))
    machines = facts.rows("machine_impact")
    struck = [row for row in machines if row["onset_relation"] == "struck"]
    again = [row["recovered_at"] for row in struck if row["recovered_at"] is not None]
    for number in ("3.3", "3.15"):
        # That protection is back does not say that the service is.
        say(number, "machine_impact", machines_struck=len(struck) or None,
            machines_with_a_recovery_point_again=len(again) if struck else None,
            last_of_them_at=max(again, default=None))  # fmt: skip
    if machines:
        critical = [row["asset_id"] for row in machines if row["criticality"] == "critical"]
        types = sorted({row["machine_type"] for row in machines if row["machine_type"]})
        say("3.22", "machine_impact", critical=critical)
        say("3.29", "machine_impact", machines=len(machines), types=types)
    if still := sum(1 for row in facts.rows("protection_gap") if row["open"]):
        say("3.3", "protection_gap", open_at_end_of_record=still)
    for row in facts.rows("status_incident"):
        if row["in_review"] and row["resolved_at"]:
            say("3.3", "status_incident", page_says_resolved_at=row["resolved_at"],
                evidence=row["last_evidence"])  # fmt: skip
    for row in facts.rows("maintenance_overrun"):
        if row["source"] == "change" and row["verdict"] == "outside":
            say("4.9", "maintenance_overrun", change=row["subject"],
                overrun_minutes=row["overrun_minutes"])  # fmt: skip
    for row in facts.rows("near_miss"):
        say("4.15", "near_miss", change=row["change_id"], extent=row["extent"],
            evidence=row["evidence"])  # fmt: skip
    codes = reviewed_codes(facts, "dora")
    for number, start in _REVIEWED.items():
        for code in codes:
            if code.startswith(f"dora:{start}"):
                say(number, "review_code", confirmed_by_the_board=code)
    return known
