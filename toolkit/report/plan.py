"""Plan against execution: the steps of a procedure beside what the record shows of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import Incident
from toolkit.report.model import (
    Block,
    Code,
    Facts,
    Inline,
    Paragraph,
    Section,
    Status,
    Strong,
    Table,
    Text,
    columns,
)
from toolkit.report.timeline import pointer_of, told
from toolkit.report.words import (
    listed,
    number,
    some,
)


def section(incident: Incident) -> Section:
    operations = reviewed(incident)
    sections = [_one_plan(incident, row) for row in operations]
    shown = {row["operation_id"] for row in operations}
    counts: dict[str, set[str]] = defaultdict(set)
    for row in incident.exceptions:
        if row["operation_id"] and row["operation_id"] not in shown:
            counts[row["operation_id"]].add(row["rule"])
    blocks: list[Block] = []
    if not operations and not counts:
        blocks.append(
            Paragraph(
                "No operation with a deviation is on record."
                if incident.operations
                else "No operation is on record, so there is no execution to compare with a plan.",
                query="operation",
            )
        )
    if counts:
        known = [incident.operations[name] for name in counts if name in incident.operations]
        known.sort(
            key=lambda row: (
                (
                    row["started_at"] is None,
                    row["started_at"] or row["closed_at"],
                    row["operation_id"],
                )
                if row["started_at"] or row["closed_at"]
                else (True, incident.facts.dated, row["operation_id"])
            )
        )
        others = Table(
            "Other operations with deviations, for comparison",
            columns(
                "Operation {17} | Kind {14} | Started {time 14} | "
                "Outcome {9} | Rules with an exception"
            ),
            tuple(
                (
                    str(row["change_id"] or row["operation_id"]),
                    str(row["kind"] or "not stated"),
                    incident.facts.day(row["started_at"]),
                    str(row["outcome"] or "not stated"),
                    "\n".join(
                        f"{rule} {incident.rules.get(rule, {}).get('title', '')}".strip()
                        for rule in sorted(counts[row["operation_id"]])
                    ),
                )
                for row in known
            ),
            "operation, finding",
        )
        sections.append(Section("plan-others", "Other operations", (others,)))
    return Section("plan", "Plan against execution", tuple(blocks), tuple(sections))


def reviewed(incident: Incident) -> list[Row]:
    """The operations of the incident; without one, the only one that there is, or the two with
    most deviations."""
    if incident.reviewed:
        return incident.reviewed
    if len(incident.operations) == 1:
        return list(incident.operations.values())
    counts = Counter(row["operation_id"] for row in incident.exceptions if row["operation_id"])
    names = sorted(counts, key=lambda name: (-counts[name], name))[:2]
    return [incident.operations[name] for name in names if name in incident.operations]


def _one_plan(incident: Incident, operation: Row) -> Section:
    facts = incident.facts
    name = operation["operation_id"]
    events = [row for row in facts.rows("operation_event") if row["operation_id"] == name]
    version = operation.get("procedure_version")
    steps = sorted(
        (
            row
            for row in facts.rows("procedure_step")
            if row["procedure"] == operation["procedure"] and row["version"] == version
        ),
        key=lambda row: row["position"],
    )
    verdicts = [
        row
        for row in facts.rows("conformance")
        if row.get("operation_id", row["change_id"]) == name
        and row["verdict"] in ("violated", "undetermined")
    ]
    about = [
        ("Title", str(operation.get("title") or "not stated")),
        ("Kind", str(operation["kind"] or "not stated")),
        ("Asked for by", str(operation.get("requested_by") or "not stated")),
        *_hands(facts, operation, events),
        (
            "Planned window",
            f"{facts.when(operation.get('window_start'))} to "
            f"{facts.when(operation.get('window_end'))}"
            if operation.get("window_start") or operation.get("window_end")
            else "not on record",
        ),
        (
            "Actions on record",
            f"{facts.when(operation['started_at'])} to {facts.when(operation['ended_at'])}",
        ),
        (
            "Procedure in force",
            f"{operation['procedure'] or 'unknown'}, version {version or 'unknown'}",
        ),
        (
            "Outcome at closure",
            str(operation["outcome"] or "not stated")
            if operation["closed_at"] is not None
            else "no closure is on record",
        ),
    ]
    blocks: list[Block] = [Facts(tuple(about))]
    if steps:
        blocks.append(
            Table(
                "Steps of the procedure, and what the record shows of each",
                columns("Step {17} | Planned as {15} | On record {29} | Against the plan"),
                tuple(
                    (
                        (Strong(str(step["step"])), f"  {step['title']}"),
                        _planned(step),
                        _done(facts, step, events, operation),
                        _against(step, verdicts, _elsewhere(facts, name)),
                    )
                    for step in steps
                ),
                "procedure_step, operation_event, conformance",
            )
        )
    else:
        blocks.append(
            Paragraph(
                "The record ties no procedure to this operation, so its steps cannot be compared."
                + _on_file(facts),
                query="operation, procedure",
            )
        )
    outside = [
        row
        for row in events
        if not row["is_read_only"] and row["step"] not in {step["step"] for step in steps}
    ]
    if outside:
        blocks.append(
            Table(
                "Actions on record that belong to no step" if steps else "Actions on record",
                columns(
                    "Time {time 24} | Action {18} | Target {20} | Outcome {14} | "
                    "By {14} | Record {code}"
                ),
                tuple(
                    (
                        facts.when(row["occurred_at"]),
                        str(row["action"]),
                        str(row["target"] or "not stated"),
                        str(row["outcome"] or "not stated")
                        + (
                            ", as claimed"
                            if row["source_id"] in facts.notes
                            and row["outcome"] not in (None, "unknown")
                            else ""
                        ),
                        str(row["actor"] or "not stated"),
                        Code(told(pointer_of(row))),
                    )
                    for row in outside[:25]
                ),
                "operation_event",
                ""
                if len(outside) <= 25
                else f"{number(len(outside) - 25)} more stand in timeline.csv.",
            )
        )
    title = incident.operation_name(name)
    return Section(f"plan-{_slug(name)}", title[:1].upper() + title[1:], tuple(blocks))


def _on_file(facts: CaseFacts) -> str:
    """The procedures that are on file, for kinds of work that this operation does not state."""
    names = sorted({str(row["procedure"]) for row in facts.rows("procedure")})
    if not names:
        return ""
    return f" On file for work whose kind is stated: {some(names)}."


def _hands(facts: CaseFacts, operation: Row, events: list[Row]) -> Iterable[tuple[str, str]]:
    """Who carried it out, and apart from them who is on record as a witness alone."""
    words = (facts.policy("witness_actions") or "").lower().split(",")
    watching = {word.strip() for word in words}
    at_work = {row["actor"] for row in events if str(row["action"]).lower() not in watching}
    actors = [str(actor) for actor in operation["actors"] or ()]
    hands = [actor for actor in actors if actor in at_work]
    yield "Carried out by", listed(hands) if hands else "not stated"
    if seen := [actor for actor in actors if actor not in at_work]:
        yield "Witnessed or confirmed by", listed(seen)


def _slug(text: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text)


_KINDS = {"precheck": "pre-check", "verify": "verification", "approve": "approval"}


def _planned(step: Row) -> str:
    parts = [_KINDS.get(step["kind"], str(step["kind"]))]
    if step["mandatory"]:
        parts.append("mandatory")
    if step["irreversible"]:
        parts.append("irreversible")
    needs = f"; after {listed(step['needs'])}" if step["needs"] else ""
    return ", ".join(parts) + needs


def _done(facts: CaseFacts, step: Row, events: list[Row], operation: Row) -> Text:
    if step["kind"] == "approve":
        decisions = [
            f"{row['decision']} by {row['approver']}, {facts.when(row['decided_at'])}"
            for row in facts.rows("approval")
            if row["change_id"] == operation["change_id"]
        ]
        return "\n".join(decisions) if decisions else "no decision on record"
    found = sorted(
        (row for row in events if row["step"] == step["step"]),
        key=lambda row: (row["occurred_at"], row["source_id"], row["record_no"]),
    )
    if not found:
        return "no event on record"
    lines = [
        f"{row['occurred_at'].astimezone(facts.zone):%m-%d %H:%M:%S} {row['action']}"
        f"{' ' + row['target'] if row['target'] else ''}: {row['outcome'] or 'outcome not stated'}"
        + (f" ({row['actor']})" if row["actor"] else "")
        + ("" if row["basis"] == "explicit" else ", tied by inference")
        for row in found[:6]
    ]
    if len(found) > 6:
        lines.append(f"and {number(len(found) - 6)} more")
    return "\n".join(lines)


def _elsewhere(facts: CaseFacts, operation: str) -> dict[str, str]:
    """By step: that what satisfies its prerequisite was done to another target."""
    targets = {row["evidence"]: row["target"] for row in facts.rows("operation_event")}
    told: dict[str, str] = {}
    for row in facts.rows("conformance"):
        if row["operation_id"] != operation or row["verdict"] != "satisfied" or not row["b"]:
            continue
        own, other = (targets.get(row[key]) for key in ("activating_event", "witness_event"))
        step = _concerned(row)
        if step and own and other and own != other:
            before = row["a"] if step == row["b"] else row["b"]
            told.setdefault(
                step, f"The successful step {before} before it is of {other}, not of {own}."
            )
    return told


def _against(step: Row, verdicts: list[Row], elsewhere: dict[str, str]) -> Text:
    """What differs, each pair of steps once: a prerequisite often stands in several rules."""
    told: dict[tuple[object, ...], Row] = {}
    for row in sorted(verdicts, key=lambda row: (row["origin"] == "declared", row["rule_id"])):
        if _concerned(row) == step["step"]:
            told.setdefault((row["template"], frozenset((row["a"], row["b"]))), row)
    note = elsewhere.get(str(step["step"]))
    if not told:
        return "no deviation on record" + (f"\n{note}" if note else "")
    parts: list[Inline] = []
    for row in told.values():
        if parts:
            parts.append("\n")
        word = "differs" if row["verdict"] == "violated" else str(row["verdict"])
        parts += [Status(word), f": {row['reason']}"]
    return (*parts, f"\n{note}") if note else tuple(parts)


def _concerned(verdict: Row) -> str | None:
    """The step that a constraint is about: for a prerequisite, the one that came too early."""
    if str(verdict.get("template")) in ("precedence", "alternate_precedence", "chain_precedence"):
        return verdict.get("b") or verdict.get("a")
    return verdict.get("a")
