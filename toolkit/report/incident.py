"""The few facts about an incident that every report needs, each with where it comes from."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

from toolkit.report.facts import CaseFacts, Pointer, Row
from toolkit.report.words import be, plural

DECIDED = ("exception", "ok")
SEVERITY = {"critical": 0, "high": 1, "medium": 2, "low": 3, "info": 4}


class Incident:
    """One reading of the relations, shared by the reports."""

    def __init__(self, facts: CaseFacts) -> None:
        self.facts = facts

    @cached_property
    def onset(self) -> Row | None:
        """The main episode of the widest scope."""
        return self.onset_of("all") or self.onset_of("region")

    def onset_of(self, kind: str) -> Row | None:
        rows = [row for row in self.facts.rows("onset") if row["scope_kind"] == kind]
        return max(
            rows,
            key=lambda row: (bool(row.get("main")), row["affected"] or 0, -_stamp(row["onset_hi"])),
            default=None,
        )

    @cached_property
    def triggers(self) -> list[Row]:
        """Operation events that the record puts last before an onset, as `incident_phase` has it.

        The one of the widest scope comes first; the others follow by time.
        """
        events = {
            Pointer(row["source_id"], row["record_no"]): row
            for row in self.facts.rows("operation_event")
        }
        found: dict[Pointer, Row] = {}
        phases = [row for row in self.phases if row["phase"] == "trigger"]
        for row in sorted(
            phases, key=lambda row: (row["scope"] != "all", _stamp(row["started_at"]))
        ):
            for column in ("event", "evidence", "basis"):
                pointer = Pointer.read(_words(row.get(column)))
                if pointer in events:
                    found.setdefault(pointer, events[pointer])
                    break
        return list(found.values())

    @property
    def trigger(self) -> Row | None:
        return self.triggers[0] if self.triggers else None

    @cached_property
    def rivals(self) -> list[Row]:
        """Steps that go about as well with the onset as the first one."""
        return rivals(self.candidates())

    @cached_property
    def shared_target(self) -> Row | None:
        """The one target that all machines that fell replicate to, where there are several."""
        rows = self.facts.rows("shared_target")
        return next((row for row in rows if 1 < row["struck"] == row["struck_here"]), None)

    @cached_property
    def reviewed(self) -> list[Row]:
        """The operations that the triggers belong to, and those of steps that go as well with the
        onset."""
        found = [event["operation_id"] for event in self.triggers]
        if found:
            found += [row["operation_id"] for row in self.rivals]
        names = dict.fromkeys(found)
        return [self.operations[name] for name in names if name in self.operations]

    def candidates(self, kind: str = "all", scope: str = "all") -> list[Row]:
        """Steps that may be tied to the onset of a scope, by rank; the row of rank 0 first."""
        rows = self.facts.rows("trigger_candidate")
        found = [row for row in rows if (row["scope_kind"], row["scope"]) == (kind, scope)]
        return sorted(found, key=lambda row: (row["rank"], str(row["event"])))

    @property
    def operation(self) -> Row | None:
        return self.reviewed[0] if self.reviewed else None

    @cached_property
    def operations(self) -> dict[str, Row]:
        return {row["operation_id"]: row for row in self.facts.rows("operation")}

    @cached_property
    def findings(self) -> list[Row]:
        """What the rules answer; of what is about no operation, what lies in the window.

        Every operation is tested, for the earlier ones tell how common a deviation is.
        """
        return [
            row
            for row in self.facts.rows("finding")
            if row["operation_id"] is not None
            or self.facts.in_window(row["occurred_at"], row["occurred_at"])
        ]

    @cached_property
    def outside(self) -> str:
        """What is left out of the findings, in a sentence; empty where nothing is."""
        kept = {row["finding_id"] for row in self.findings}
        left = sum(
            row["status"] != "not_applicable" and row["finding_id"] not in kept
            for row in self.facts.rows("finding")
        )
        return (
            f"{plural(left, 'answer')} about no operation that {be(left, 'lies', 'lie')} outside "
            f"of the window under review {be(left)} counted nowhere; findings.csv holds them."
            if left
            else ""
        )

    @cached_property
    def exceptions(self) -> list[Row]:
        """Exceptions: those of the incident's operations first, then by severity and time."""
        own = {row["operation_id"] for row in self.reviewed}
        return sorted(
            (row for row in self.findings if row["status"] == "exception"),
            key=lambda row: (
                row["operation_id"] not in own,
                SEVERITY.get(row["severity"], 9),
                row["rule"],
                _stamp(row["occurred_at"]),
                row["finding_id"],
            ),
        )

    def of_operation(self, operation_id: str, *statuses: str) -> list[Row]:
        return sorted(
            (
                row
                for row in self.findings
                if row["operation_id"] == operation_id and row["status"] in statuses
            ),
            key=lambda row: (SEVERITY.get(row["severity"], 9), row["rule"], row["finding_id"]),
        )

    @cached_property
    def rules(self) -> dict[str, Row]:
        return {row["rule"]: row for row in self.facts.rows("rule_catalogue")}

    def criteria(self, rule: str) -> str:
        """What a rule asks for, in its own words."""
        known = self.rules.get(rule)
        return str(known["criteria"]) if known is not None else ""

    @cached_property
    def phases(self) -> list[Row]:
        return self.facts.rows("incident_phase")

    def phase(self, name: str, scope: str = "all") -> Row | None:
        return next(
            (row for row in self.phases if row["phase"] == name and row["scope"] == scope), None
        )

    def operation_name(self, operation_id: str | None) -> str:
        """How an operation is called in running text."""
        if operation_id is None:
            return "no operation"
        row = self.operations.get(operation_id)
        if row is not None and row["change_id"]:
            return f"change {row['change_id']}"
        return f"session {operation_id.removeprefix('session:')}"


def rivals(candidates: list[Row]) -> list[Row]:
    """Those whose score hardly differs from that of the first: the score is a log-likelihood
    ratio, so that within 1 a step is less than e times (2.7) less likely."""
    best = next((row for row in candidates if row["rank"] == 1), None)
    if best is None:
        return []
    return [row for row in candidates if row["rank"] > 1 and best["score"] - row["score"] < 1]


def _stamp(at: datetime | None) -> float:
    return at.timestamp() if at is not None else 0.0


def _words(value: object) -> str:
    if isinstance(value, list):
        return " ".join(str(part) for part in value)
    return "" if value is None else str(value)
