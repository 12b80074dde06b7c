"""The review, for the board."""

from __future__ import annotations

from collections import Counter, defaultdict

from toolkit.report import (
    board,
    cover,
    drawn,
    earlier,
    impact,
    page,
    plan,
    posture,
    recovery,
    summary,
    terms,
    timeline,
    trigger,
)
from toolkit.report.audit import not_run, request_table
from toolkit.report.facts import CaseFacts, Row
from toolkit.report.findings import short_rate
from toolkit.report.incident import DECIDED, Incident
from toolkit.report.model import (
    Block,
    Document,
    Listing,
    Paragraph,
    Section,
    Strong,
    Table,
    Text,
    columns,
)
from toolkit.report.words import (
    be,
    number,
    plural,
    span,
)


def document(facts: CaseFacts) -> Document:
    incident = Incident(facts)
    sections = [
        summary.section(incident),
        impact.section(incident),
        timeline.section(incident),
        trigger.section(incident),
        plan.section(incident),
        _factors(incident),
        page.section(incident),
        page.communication(incident),
        recovery.section(incident),
        posture.section(incident),
        _went_well(incident),
        earlier.section(incident),
        _untested(incident),
        terms.section(incident),
        board.section(incident),
    ]
    return Document(
        "review",
        "Internal review",
        "What the evidence shows, and what it leaves open",
        tuple(sections),
        cover=cover.of(incident),
    )


# -- contributing factors ----------------------------------------------------------------------


def _factors(incident: Incident) -> Section:
    operations = plan.reviewed(incident)
    blocks: list[Block] = []
    if incident.exceptions:
        blocks.append(
            Paragraph(
                "Deviations from recorded criteria in the operation under review, each with how "
                "often the same deviation stands in earlier operations of the kind that closed "
                "well. A deviation that was usual is a property of how the work is done, not of "
                "one day. None of them is named as the reason of the incident; the questions are "
                "for those who know the work, the recommendations for the board to weigh."
            )
        )
    blocks += drawn.present(drawn.barriers(incident))
    drawn_only = len(blocks)
    for operation in operations:
        rows = incident.of_operation(operation["operation_id"], "exception")
        if not rows:
            continue
        name = incident.operation_name(operation["operation_id"])
        blocks.append(
            Table(
                f"Contributing factors on record, {name}",
                columns(
                    "Rule {17} | What the record shows {29} | Earlier {9} | "
                    "Questions to ask {26} | Recommendation"
                ),
                tuple(
                    (
                        (Strong(row["rule"]), f" {row['title']}"),
                        str(row["reason"]),
                        short_rate(row),
                        "\n".join(incident.rules.get(row["rule"], {}).get("questions") or ()),
                        str(incident.rules.get(row["rule"], {}).get("recommendation") or ""),
                    )
                    for row in rows
                ),
                "finding",
                "Earlier: of the earlier operations of this kind that closed as success and for "
                "which the rule was decided, how many had the same deviation.",
            )
        )
    general = [
        row for row in incident.exceptions if not row["operation_id"] and row["rule"] != "EQ-05"
    ]
    if general:
        blocks.append(_plain_findings("Deviations that are not about one operation", general[:20]))
    claims = [row for row in incident.exceptions if row["rule"] == "EQ-05"]
    if claims:
        blocks.append(_plain_findings("Claims that other records contradict", claims[:20]))
    if len(blocks) == drawn_only:
        ran = any(row["status"] != "not_run" for row in incident.findings)
        blocks.append(
            Paragraph(
                "No deviation is on record."
                if ran
                else "No rule could be tested, so the record shows neither deviations nor their "
                "absence.",
                query="finding",
            )
        )
    return Section("factors", "Contributing factors", tuple(blocks))


def _plain_findings(caption: str, rows: list[Row]) -> Table:
    return Table(
        caption,
        columns("Rule {24} | Subject {18} | What the record shows"),
        tuple(
            (
                (Strong(row["rule"]), f" {row['title']}"),
                str(row["subject"] or ""),
                str(row["reason"]),
            )
            for row in rows
        ),
        "finding",
    )


# -- what went well, what is open, what is decided ---------------------------------------------


def _states_flags(incident: Incident, operation: str) -> bool:
    """Whether any record of an operation states flags; none shows of no guard that it held."""
    return any(
        row["flags"] is not None
        for row in incident.facts.rows("operation_event")
        if row["operation_id"] == operation
    )


def _went_well(incident: Incident) -> Section:
    blocks: list[Block] = []
    for operation in plan.reviewed(incident):
        name = operation["operation_id"]
        rows = [
            row
            for row in incident.of_operation(name, "ok")
            if row["rule"] != "CF-16" or _states_flags(incident, name)
        ]
        if rows:
            blocks.append(
                Table(
                    "Tests without exception, "
                    f"{incident.operation_name(operation['operation_id'])}",
                    columns("Tested for {30} | What the record shows"),
                    tuple(
                        (
                            (Strong(row["rule"]), f" {incident.criteria(row['rule'])}"),
                            str(row["reason"]),
                        )
                        for row in rows
                    ),
                    "finding",
                )
            )
    items: list[Text] = []
    clean = _clean_operations(incident)
    if clean[0]:
        items.append(
            f"{_of_all(*clean, 'operation')} with decided tests {be(clean[0], 'shows', 'show')} "
            "no deviation."
        )
    checks = incident.facts.rows("protection_check")
    passed = [row for row in checks if row["ok"]]
    if checks:
        items.append(
            f"{_of_all(len(passed), len(checks), 'restore or integrity test')} on record passed."
        )
    told = [
        row for row in incident.facts.rows("partner_impact") if row.get("notified_at") is not None
    ]
    if told:
        items.append(_told_directly(incident.facts, told))
    if items:
        blocks.append(Listing(tuple(items)))
    if not blocks:
        ran = any(row["status"] != "not_run" for row in incident.findings)
        blocks.append(
            Paragraph(
                "No test was decided as free of exceptions."
                if ran
                else "No rule could be tested, so what went well cannot be told.",
                query="finding",
            )
        )
    return Section("well", "What went well", tuple(blocks))


def _of_all(some: int, whole: int, what: str) -> str:
    """`The one test`, `All 3 tests` or `2 of 3 tests`."""
    if some < whole:
        return f"{number(some) if some else 'None'} of {plural(whole, what)}"
    return f"The one {what}" if whole == 1 else f"All {plural(whole, what)}"


def _told_directly(facts: CaseFacts, told: list[Row]) -> str:
    """How many partners were told, of how many, and how soon: a notice weeks later is no merit."""
    whole = len(facts.rows("partner_impact"))
    delays = [row["notice_delay_minutes"] * 60 for row in told if row["notice_delay_minutes"]]
    soon = (
        f", the first {span(min(delays))} and the last {span(max(delays))} after the first impact "
        "on it"
        if len(delays) > 1
        else ""
    )
    return (
        f"{_of_all(len(told), whole, 'affected partner')} {be(len(told), 'was', 'were')} told "
        f"directly{soon}."
    )


def _clean_operations(incident: Incident) -> tuple[int, int]:
    statuses: dict[str, set[str]] = defaultdict(set)
    for row in incident.findings:
        if row["operation_id"] and row["status"] in DECIDED:
            statuses[row["operation_id"]].add(row["status"])
    return sum(found == {"ok"} for found in statuses.values()), len(statuses)


def _untested(incident: Incident) -> Section:
    open_tests: dict[str, Counter[str]] = defaultdict(Counter)
    for row in incident.findings:
        open_tests[row["status"]][row["rule"]] += 1
    blocks: list[Block] = [
        Paragraph(
            "This review rests on records alone: nobody was interviewed, and no system was "
            "inspected. Evidence that is added later can change what it says."
        )
    ]
    if open_tests["undetermined"]:
        told = [f"{rule} ({number(n)})" for rule, n in sorted(open_tests["undetermined"].items())]
        blocks.append(
            Paragraph(
                (
                    Strong("Undetermined. "),
                    "For these rules the evidence is there but does not decide, for so many "
                    f"operations or subjects: {', '.join(told)}.",
                ),
                query="finding",
            )
        )
    blocks += not_run(incident)
    if len(blocks) == 1:
        blocks.append(Paragraph("Every test that applies was decided.", query="finding"))
    if incident.outside:
        blocks.append(Paragraph(incident.outside, query="finding"))
    table = request_table(incident.facts)
    if table is not None:
        blocks.append(table)
    return Section("untested", "What could not be tested", tuple(blocks))
