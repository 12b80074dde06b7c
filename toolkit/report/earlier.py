"""What came before: similar operations that ended well, open actions, planned windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import Incident
from toolkit.report.model import Block, Listing, Paragraph, Section, Status, Strong, Table, columns
from toolkit.report.words import be, listed, number, plural, span

ROWS = 15
_KEPT = {
    "within": "done within it",
    "outside": "done in part outside of it",
    "unknown": "not decided by the times on record",
}


def section(incident: Incident) -> Section:
    facts = incident.facts
    return Section(
        "earlier",
        "Similar earlier operations and open actions",
        (*_near_misses(incident), *_actions(facts), *_maintenance(facts)),
    )


def _near_misses(incident: Incident) -> Iterable[Block]:
    facts = incident.facts
    rows = facts.rows("near_miss")
    if rows:
        yield Table(
            "Earlier operations with the same signature that ended well",
            columns(
                "Operation {14} | Kind {16} | Closed {time 17} | Rules {14} | What is on record"
            ),
            tuple(
                (
                    str(row["change_id"] or row["operation_id"]),
                    str(row["kind"] or "not stated"),
                    facts.day(row["closed_at"]),
                    ", ".join(row["rules"] or ()),
                    str(row["reason"]),
                )
                for row in rows[:ROWS]
            ),
            "near_miss",
            ""
            if len(rows) <= ROWS
            else f"{number(len(rows) - ROWS)} more: postmortem query CASE near_miss.",
        )
        return
    changes = [row["change_id"] for row in incident.operations.values() if row["change_id"]]
    if not changes:
        told = "No registered change is on record, so there is no earlier one to compare with."
    elif len(changes) == 1:
        told = f"No change besides {changes[0]} is on record, so there is none to compare with."
    else:
        told = (
            "No earlier change that closed as success shows an exception to CF-02, CF-05 or CF-06; "
            "so no near miss of the same signature is on record."
        )
    yield Paragraph(told + _of_kind(incident), query="near_miss, operation")


def _of_kind(incident: Incident) -> str:
    operation = incident.operation
    if operation is None or not operation["kind"]:
        return ""
    others = [
        row
        for row in incident.operations.values()
        if row["kind"] == operation["kind"] and row["operation_id"] != operation["operation_id"]
    ]
    good = [row for row in others if row["outcome"] == "success"]
    return (
        f" Of the same kind ({operation['kind']}), {plural(len(others), 'other operation')} "
        f"{'is' if len(others) == 1 else 'are'} on record, {number(len(good))} closed as success."
    )


def _actions(facts: CaseFacts) -> Iterable[Block]:
    rows = facts.rows("action_item")
    if not rows:
        yield Paragraph(
            "No register of actions of earlier incidents is among the evidence.",
            query="action_item",
        )
        return
    still = [row for row in rows if row["closed_at"] is None]
    closed = len(rows) - len(still)
    if not still:
        yield Paragraph(
            f"All {plural(len(rows), 'action')} of earlier incidents on record are closed.",
            query="action_item",
        )
        yield from _closed(facts, rows)
        return
    yield Table(
        "Actions of earlier incidents that are still open",
        columns("Action {14} | Of {14} | Theme {16} | Due {time 17} | What was to be done"),
        tuple(
            (
                str(row["item_id"]),
                str(row["source_incident"] or "not stated"),
                str(row["theme"] or "not stated"),
                _due(facts, row),
                str(row["title"] or "not stated"),
            )
            for row in sorted(still, key=lambda row: (row["due_at"] is None, str(row["due_at"])))
        ),
        "action_item",
        f"{number(closed)} of {plural(len(rows), 'action')} on record {be(closed)} closed. "
        "Whether an action of the theme of this case was open at the onset: rule CF-28.",
    )
    yield from _closed(facts, rows)


def _closed(facts: CaseFacts, rows: list[Row]) -> Iterable[Block]:
    """Closed actions of the theme of the case, for that they are closed says nothing of now."""
    theme = next((row["theme"] for row in facts.rows("case_info")), None)
    same = [
        row
        for row in rows
        if row["closed_at"] is not None
        and theme
        and str(row["theme"] or "").strip().casefold() == str(theme).strip().casefold()
    ]
    if not same:
        return
    yield Paragraph(
        f"Closed, of the theme of this case ({theme}); whether what was decided was still in "
        "force at the onset, the register does not show:",
        query="action_item",
    )
    yield Listing(
        tuple(
            f"{row['item_id']} of {row['source_incident'] or 'an incident that is not stated'}, "
            f"closed {facts.day(row['closed_at'])}: {row['title'] or 'not stated'}"
            for row in sorted(same, key=lambda row: (row["closed_at"], str(row["item_id"])))
        )
    )


def _due(facts: CaseFacts, row: Row) -> str:
    if row["due_at"] is None:
        return "not stated"
    late = facts.dated - row["due_at"]
    return facts.day(row["due_at"]) + (
        f", past by {span(late)}" if late.total_seconds() > 0 else ""
    )


def _maintenance(facts: CaseFacts) -> Iterable[Block]:
    known = facts.rows("maintenance_overrun")
    rows = [
        row
        for row in known
        if facts.in_window(row["window_start"], row["window_end"])
        or (row["began_at"] is not None and facts.in_window(row["began_at"], row["ended_at"]))
    ]
    left_out = len(known) - len(rows)
    apart = (
        f" {number(left_out)} that {be(left_out, 'lies', 'lie')} outside of the window under "
        f"review {be(left_out)} left out."
        if left_out
        else ""
    )
    if not rows:
        yield Paragraph(
            "No maintenance with a planned window is on record"
            + (" in the window under review" if left_out else "")
            + ", so plan and work cannot be compared."
            + apart,
            query="maintenance_overrun",
        )
        return
    counts = Counter(str(row["verdict"]) for row in rows)
    told = [
        f"{number(n)} {_KEPT.get(word, word)}"
        for word, n in sorted(counts.items(), key=lambda p: -p[1])
    ]
    if len(rows) == 1:
        told = [_KEPT.get(word, word) for word in counts]
    yield Paragraph(
        (
            Strong(f"{_planned(rows)} against what was done. "),
            (
                f"Of {number(len(rows))} maintenances with a planned window: {listed(told)}."
                if rows[1:]
                else f"The one maintenance with a planned window was {told[0]}."
            )
            + apart,
        ),
        query="maintenance_overrun",
    )
    other = [row for row in rows if row["verdict"] != "within"]
    if other:
        yield Table(
            "Maintenance that did not keep to its window, or cannot be told",
            columns(
                "Subject {13} | Title | Window {time 20} | Work {time 20} | Early {number 9} | "
                "Over {number 9} | Verdict {13}"
            ),
            tuple(
                (
                    str(row["subject"]),
                    str(row["title"] or "not stated"),
                    f"{facts.day(row['window_start'])} to {facts.day(row['window_end'])}",
                    f"{facts.day(row['began_at'])} to {facts.day(row['ended_at'])}"
                    if row["began_at"] is not None
                    else "not on record",
                    _minutes(row["early_minutes"]),
                    _minutes(row["overrun_minutes"]),
                    Status(str(row["verdict"])),
                )
                for row in other[:ROWS]
            ),
            "maintenance_overrun",
            ""
            if len(other) <= ROWS
            else f"{number(len(other) - ROWS)} more: postmortem query CASE maintenance_overrun.",
        )


def _planned(rows: list[Row]) -> str:
    """What the work is held against: windows of the register are plans, no announcements."""
    sources = {row["source"] for row in rows}
    if sources == {"status"}:
        return "Announced maintenance"
    return "Planned windows" if sources == {"change"} else "Planned and announced windows"


def _minutes(value: float | None) -> str:
    return "unknown" if value is None else span(value * 60) if value else "none"
