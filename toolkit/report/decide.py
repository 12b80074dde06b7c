"""What the board is asked to decide, in the order in which it presses."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import SEVERITY, Incident
from toolkit.report.model import Block, Listing, Paragraph, Ref, Source, Strong, Text
from toolkit.report.words import be, lowered, number, plural, some, span

RECOMMENDATIONS = 3  # printed with their words; the others stand under contributing factors


def blocks(incident: Incident) -> Iterable[Block]:
    items = points(incident)
    if not items:
        yield Paragraph("No deviation is on record that asks for a decision.", query="finding")
        return
    yield Paragraph("Each is the board's to adopt, change or reject.")
    yield Listing(tuple(items), ordered=True)


def points(incident: Incident, *, brief: bool = False) -> list[Text]:
    """Machines without protection first, then what the deviations suggest, then the rest.

    `brief` leaves out what stands behind a recommendation, for a form that is filled in.
    """
    facts = incident.facts
    nothing_measured = not facts.has_telemetry
    return [
        *(_to_obtain(incident, brief) if nothing_measured else ()),
        *_left_open(facts),
        *_in_common(incident),
        *_recommendations(incident, brief),
        *_past_due(facts),
        *_to_correct(incident),
        *_to_tell(facts),
        *(() if nothing_measured else _to_obtain(incident, brief)),
    ]


def _left_open(facts: CaseFacts) -> Iterable[Text]:
    """Machines that are without protection when the record ends."""
    still = [row for row in facts.rows("machine_impact") if row["open"]]
    if still:
        lost = sum(row["recovery_class"] == "lost" for row in still)
        yield (
            f"How the {plural(len(still), 'machine')} without a current recovery point "
            f"{be(len(still))} to be protected, and whether to test what earlier ones restore"
            + (f"; {number(lost)} {be(lost)} recorded as lost." if lost else "."),
            Source("machine_impact"),
        )


def _in_common(incident: Incident) -> Iterable[Text]:
    """The one target of all machines that fell, where no operation tells more."""
    row = incident.shared_target
    if row is not None and incident.trigger is None:
        yield (
            f"Whether to examine {row['target_asset']}, to which all {number(row['struck'])} "
            "machines that fell replicate.",
            Source("shared_target"),
        )


def _recommendations(incident: Incident, brief: bool) -> Iterable[Text]:
    """The recommendations of the gravest deviations, each once with what it answers."""
    reviewed = {row["operation_id"] for row in incident.reviewed}
    own = [row for row in incident.exceptions if row["operation_id"] in reviewed]
    told: dict[str, list[Row]] = {}
    for row in own or incident.exceptions:
        rule = incident.rules.get(row["rule"])
        if rule is None:
            continue
        known = told.setdefault(str(rule["recommendation"]), [])
        if row["rule"] not in {other["rule"] for other in known}:
            known.append(row)
    for recommendation, rows in list(told.items())[:RECOMMENDATIONS]:
        asked = f"Whether to {lowered(recommendation).rstrip('.')}"
        rules = ", ".join(row["rule"] for row in rows)
        yield (
            f"{asked} ({rules})."
            if brief
            else f"{asked}. On record is: {'; '.join(_deviation(row) for row in rows)}."
        )
    others = list(told.values())[RECOMMENDATIONS:]
    if others:
        names = [row["rule"] for rows in others for row in rows]
        yield (
            f"Whether to adopt the recommendations to {plural(len(names), 'further rule')} "
            f"({', '.join(names[:3])}{' …' if len(names) > 3 else ''}), set out under ",
            Ref("contributing factors", "factors"),
            ".",
        )


def _deviation(row: Row) -> str:
    """A deviation by the title of its rule, and how usual it was."""
    title, n, k = str(row["title"]), row["base_rate_n"], row["base_rate_k"]
    before = (
        f"; {'so too' if k else 'not so'} in {number(k) if k else 'any'} of "
        f"{plural(n, 'earlier operation')} of the kind"
        if n
        else ""
    )
    return f"{lowered(title)} ({row['rule']}{before})"


def _past_due(facts: CaseFacts) -> Iterable[Text]:
    late = [
        row
        for row in facts.rows("action_item")
        if row["closed_at"] is None and row["due_at"] is not None and row["due_at"] < facts.dated
    ]
    if late:
        oldest = max(facts.dated - row["due_at"] for row in late)
        yield (
            f"What becomes of {plural(len(late), 'action')} of earlier incidents that "
            f"{be(len(late))} past due, by {_up_to(oldest, late)} (",
            Strong(some([str(row["title"] or row["item_id"]) for row in late])),
            ").",
            Source("action_item"),
        )


def _up_to(oldest: timedelta, late: list[Row]) -> str:
    return f"up to {span(oldest, 'most')}" if late[1:] else span(oldest)


def _to_correct(incident: Incident) -> Iterable[Text]:
    claims = [row for row in incident.exceptions if row["rule"] == "EQ-05"]
    if claims:
        yield (
            f"What is to be corrected in what was reported: {plural(len(claims), 'claim')} "
            f"{be(len(claims))} contradicted by other records (EQ-05).",
            Source("finding"),
        )


def _to_tell(facts: CaseFacts) -> Iterable[Text]:
    silent = [
        row for row in facts.rows("disclosure") if row["status"] == "absent" and row["is_due"]
    ]
    if silent:
        yield (
            "Whether and when to tell partners what the page, by fixed wordings that a person has "
            f"yet to confirm, has not told: {'; '.join(str(row['item']) for row in silent)}.",
            Source("disclosure"),
        )


def _to_obtain(incident: Incident, brief: bool) -> Iterable[Text]:
    """The evidence that is lacking; what decides the gravest rules is named."""
    requests = incident.facts.rows("evidence_request")
    if not requests:
        return

    def presses(row: Row) -> tuple[bool, int, int, int]:
        grades = [
            SEVERITY.get(str(incident.rules[name]["severity"]), 9)
            for name in row["rules"]
            if name in incident.rules
        ]
        measure = row["relation"] == "replication_sample"
        return not measure, min(grades, default=9), -(row["count"] or 0), row["request_no"]

    named = "; ".join(
        f"no. {row['request_no']}, {lowered(str(row['what']))}"
        for row in sorted(requests, key=presses)[:1]
    )
    yield (
        f"Whether to obtain {plural(len(requests), 'further piece')} of evidence, so that the "
        f"tests left open can be decided{'' if brief else f' (first {named})'}: see ",
        Ref("what could not be tested", "untested"),
        ".",
        Source("evidence_request"),
    )
