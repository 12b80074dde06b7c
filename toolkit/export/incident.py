"""What the records show of the incident itself, for the forms that ask for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.errors import UsageError
from toolkit.report import CaseFacts

Row = dict[str, Any]


def phases(facts: CaseFacts) -> Mapping[str, Row]:
    """The phases of the whole incident that are on record, by name."""
    return {row["phase"]: row for row in facts.rows("incident_phase") if row["scope"] == "all"}


def reviewed_codes(facts: CaseFacts, taxonomy: str) -> list[str]:
    """The codes of a taxonomy that the board confirmed in the current version of its review."""
    current = {row["version"] for row in facts.rows("review_state") if row["is_current"]}
    return sorted({
        row["code"] for row in facts.rows("review_code")
        if row["version"] in current and row["verdict"] == "confirmed"
        and row["code"].startswith(f"{taxonomy}:")
    })  # fmt: skip


def require(facts: CaseFacts) -> Mapping[str, Row]:
    """The phases; raises UsageError where no record shows an incident."""
    found = phases(facts)
    if not found:
        raise UsageError(
            "the evidence shows no incident",
            remedy="this form describes one: add its telemetry or the history of the status page",
        )
    return found
