"""Impact: whom it hit by region, partner and type, and what was still open at the end."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from toolkit.report import drawn
from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import Incident
from toolkit.report.model import (
    Bars,
    Block,
    Code,
    Figure,
    Listing,
    Paragraph,
    Section,
    Table,
    columns,
)
from toolkit.report.words import hours_of, listed, number, numbers, plural, size, some, span

OPEN_GAPS = 12
DELISTED = REPORTS = 8
ALIKE = 4  # groups of messages of one log
PARTNERS = 12  # printed; all of them stand in partners.csv


def section(incident: Incident) -> Section:
    facts = incident.facts
    if not facts.has_telemetry:
        return Section("impact", "Impact", (none(facts),), new_page=True)
    blocks: list[Block] = [
        Paragraph(
            "A gap is an interval without a recovery point that is longer than the machine's "
            f"objective or, where none is stated, than {facts.policy('gap_cadences')} planned "
            "intervals between its recovery points or, where none is planned either, as many "
            "median intervals between the samples of its job. It runs from the first sign of it to "
            "the next good recovery point, or to the end of the record; how machines are "
            "protected is counted by the age of the recovery point instead. Data at risk is what "
            "the machines protect while they are in a gap; what is lost for good is stated only "
            "where the record says so.",
            tone="note",
        ),
        *by_region(facts),
        *drawn.present(
            drawn.heat_map(facts), drawn.blast_radius(incident), drawn.lag_panels(facts)
        ),
    ]
    partners = sorted(
        facts.rows("partner_impact"),
        key=lambda row: (-(row["machine_hours"] or 0), str(row["organization"])),
    )
    if any(row["organization"] for row in partners):
        blocks.append(
            impact_table(
                facts,
                "Impact by partner",
                "Partner",
                "organization",
                partners[:PARTNERS],
                rest=len(partners) - PARTNERS,
            )
        )
    blocks += by_type(facts)
    blocks += _open_gaps(facts)
    blocks += _delisted(facts)
    blocks += _reported(facts)
    if len(blocks) == 1:
        blocks.append(none(facts))
    return Section("impact", "Impact", tuple(blocks), new_page=True)


def none(facts: CaseFacts) -> Paragraph:
    """Said where no machine is on record as hit; absent telemetry is no sign that none was."""
    return Paragraph(
        "No impact on machines is on record."
        if facts.has_telemetry
        else "No replication telemetry is among the evidence, so the impact on machines cannot be "
        "told.",
        query="machine_impact",
    )


def _open_gaps(facts: CaseFacts) -> list[Block]:
    """What had no good recovery point when its record ended, with the last good one."""
    rows = [row for row in facts.rows("protection_gap") if row["open"]]
    if not rows:
        return []
    rows.sort(key=lambda row: (row["started_hi"], str(row["asset_id"]), str(row["job_id"])))
    shown = rows[:OPEN_GAPS]
    note = "Begins between the last good sample and the first failure or missed cadence."
    if len(rows) > len(shown):
        note += f" {number(len(rows) - len(shown))} more: postmortem query CASE protection_gap."
    return [
        Table(
            "Gaps that are open at the end of the record",
            columns(
                "Asset {15} | Job {19} | Recovery point of the last good sample {time 19} | "
                "Begins {time 28} | "
                "Record ends {time}"
            ),
            tuple(
                (
                    str(row["asset_id"]),
                    str(row["job_id"] or row["target_asset"] or ""),
                    facts.day(row["last_good_at"]) if row["last_good_at"] else "none on record",
                    facts.days(row["started_lo"], row["started_hi"]),
                    facts.day(row["record_ends_at"]),
                )
                for row in shown
            ),
            "protection_gap",
            note,
        )
    ]


def delisted(facts: CaseFacts) -> dict[tuple[str, str], list[Row]]:
    """Recovery points that a later listing of their repository does not name, by machine and
    repository."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in facts.rows("delisted_copy"):
        target = str(row["target_asset"] or row["job_id"] or "a target not on record")
        found[str(row["asset_id"]), target].append(row)
    return found


def _delisted(facts: CaseFacts) -> Iterable[Block]:
    """What is gone from repositories, as far as their listings tell."""
    found = delisted(facts)
    if not found:
        return
    yield Table(
        "Recovery points that a later listing of the repository does not name",
        columns(
            "Machine {12} | Repository {15} | In any listing {number 10} | In the last {number 10}"
            " | No longer named {time 35} | Listed by {code} | Not by {number 8}"
        ),
        tuple(
            (
                machine,
                target,
                number(rows[0]["listed"]),
                number(rows[-1]["still_listed"]),
                some([facts.day(row["recovery_point_at"]) for row in rows]),
                Code(_cited(rows)),
                numbers({row["absent_from"] for row in rows}),
            )
            for (machine, target), rows in sorted(found.items())[:DELISTED]
        ),
        "delisted_copy",
        "Listings are compared by the times of their recovery points, not by ids. Why one is gone, "
        "by retention or otherwise, is on no listing; and one that is listed need not be readable. "
        "Not by: the number of the source that lacks them."
        + (
            f" {number(len(found) - DELISTED)} more: postmortem query CASE delisted_copy."
            if len(found) > DELISTED
            else ""
        ),
    )


def _cited(rows: list[Row]) -> str:
    told = [str(row["evidence"]) for row in rows]
    return ", ".join(told[:6]) + (" …" if len(told) > 6 else "")


def _reported(facts: CaseFacts) -> Iterable[Block]:
    """What backup tools themselves call failures, quoted."""
    rows = facts.rows("tool_report")
    if not rows:
        return
    yield Paragraph(
        "What the logs of backup tools report as failure, quoted; what it means for a recovery "
        "point is not judged here:",
        query="tool_report",
    )
    rest = len(rows) - REPORTS
    yield Listing(
        (
            *(
                (
                    f"{row['path']}: {plural(row['failures'], 'message')} "
                    f"{facts.between(row['first_at'], row['last_at'])}"
                    + (f", and {plural(row['warnings'], 'warning')}" if row["warnings"] else "")
                    + ", ",
                    f"the first “{row['first_words']}” [{row['first_evidence']}]"
                    if row["failures"] > 1
                    else f"“{row['first_words']}” [{row['first_evidence']}]",
                    f", the last “{row['last_words']}” [{row['last_evidence']}]."
                    if row["failures"] > 1
                    else ".",
                    _alike(row),
                )
                for row in rows[:REPORTS]
            ),
            *((f"{number(rest)} more: postmortem query CASE tool_report.",) if rest > 0 else ()),
        )
    )


def _alike(row: Row) -> str:
    """What the messages of a log say most often, numbers and ids left aside."""
    groups = list(zip(row["group_counts"], row["group_words"], row["group_outcomes"], strict=True))
    if not any(count > 1 for count, _, _ in groups):
        return ""
    told = [
        f"{number(count)} × {'warning ' if outcome == 'warning' else ''}“{words}”"
        for count, words, outcome in groups[:ALIKE]
    ]
    rest = sum(count for count, _, _ in groups[ALIKE:])
    return f" Most often, with … for numbers and ids: {', '.join(told)}" + (
        f"; {number(rest)} more." if rest else "."
    )


def state(machine: Row) -> str:
    """How a machine stood at the end of the record."""
    state = str(machine["recovery_class"] or "unknown")
    if state == "unknown" and machine["recovered_at"] is not None and not machine["open"]:
        return "resumed"
    return state


CLASSES = {
    "resumed": "good again without a seed or relink on record",
    "relinked": "linked again",
    "reseeded": "seeded anew",
    "reseeding": "still being seeded",
    "lost": "recorded as lost",
    "unknown": "with no recovery on record",
}


def by_region(facts: CaseFacts) -> Iterable[Block]:
    """The impact on each region, where there is any."""
    rows = facts.rows("region_impact")
    if rows:
        notes = [note for note in (_unstated(facts), _first_sure(facts)) if note]
        yield impact_table(
            facts, "Impact by region", "Region", "region", rows, note=" ".join(notes)
        )


def surely_named(facts: CaseFacts) -> list[Row]:
    """Regions whose first post was edited later, with the first one that surely names them."""
    return [
        row
        for row in facts.rows("communication")
        if row["metric"] == "time_to_first_post" and row["edited_from"] is not None
    ]


def _first_sure(facts: CaseFacts) -> str:
    return " ".join(
        f"{row['scope']}: the earlier wording of that post is not on record; a post surely names "
        f"the region {span(row['value'] * 60)} after its onset."
        for row in surely_named(facts)
    )


def _unstated(facts: CaseFacts) -> str:
    """What the record states of none of the machines that were hit."""
    machines = facts.rows("machine_impact")
    unstated = [
        told
        for told, column in (
            ("region", "region"),
            ("partner", "organization"),
            ("type", "machine_type"),
        )
        if machines and not any(row[column] for row in machines)
    ]
    return (
        f"For none of the machines hit is {listed(unstated, 'or')} on record." if unstated else ""
    )


def by_type(facts: CaseFacts) -> Iterable[Block]:
    """How the affected machines of each type stood at the end of the record."""
    machines = facts.rows("machine_impact")
    if not any(row["machine_type"] for row in machines):
        return
    types = _types(machines)
    states = [state for state in CLASSES if any(counts[state] for counts in types.values())]
    told = {
        name: [f"{number(counts[state])} {CLASSES[state]}" for state in states if counts[state]]
        for name, counts in types.items()
    }
    yield Figure(
        "Affected machines by type, and how they stood at the end of the record.",
        "One bar per machine type. "
        + "; ".join(f"{name}: {', '.join(parts)}" for name, parts in told.items())
        + ".",
        Bars(
            tuple(
                (name, tuple((state, counts[state]) for state in states if counts[state]))
                for name, counts in types.items()
            )
        ),
        "machine_impact",
    )


def _types(machines: list[Row]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in machines:
        found[str(row["machine_type"] or "not stated")][state(row)] += 1
    return dict(sorted(found.items()))


def impact_table(
    facts: CaseFacts,
    caption: str,
    title: str,
    key: str,
    rows: list[Row],
    *,
    rest: int = 0,
    note: str = "",
) -> Table:
    """One row per region or partner; `rest` of them stand in the attachment alone."""
    told = "First post that names it" if key == "region" else "First direct notice"
    return Table(
        caption,
        columns(
            f"{title} {{12}} | Machines hit {{number 12}} | Still open {{number 8}} | "
            "Lost {number 7} | Machine-hours {number 12} | Data at risk {number 11} | "
            f"First impact by {{time 15}} | {told} {{time}}"
        ),
        tuple(
            (
                str(row[key] or "not stated"),
                f"{number(row['machines_impacted'])} of {number(row['machines'])}",
                number(row["machines_open"]),
                number(row["machines_lost"]),
                number(hours_of(row["machine_hours"])),
                size(row["data_at_risk_bytes"]) if row["machines_impacted"] else "none",
                facts.by(row["first_impact_at"]) if row["first_impact_at"] else "none",
                _notice(facts, row),
            )
            for row in rows
        ),
        "region_impact" if key == "region" else "partner_impact",
        " ".join(
            (
                *((note,) if note else ()),
                *(
                    ("The time in brackets runs from the first impact to the post or notice.",)
                    if any(row["notified_at"] for row in rows)
                    else ()
                ),
                *_apart(rows, key),
                *(
                    (f"{number(rest)} less affected ones stand in partners.csv.",)
                    if rest > 0
                    else ()
                ),
            )
        ),
    )


def _apart(rows: list[Row], key: str) -> Iterable[str]:
    """How many machines are counted that did not fall with the onset, which other pages tell."""
    if any(row["machines_struck"] is not None for row in rows):
        yield "First impact is that of the onset; the hours count every gap in the window."
    apart = [
        row
        for row in rows
        if row["machines_struck"] is not None and row["machines_impacted"] > row["machines_struck"]
    ]
    if apart:
        extra = sum(row["machines_impacted"] - row["machines_struck"] for row in apart)
        told = [f"{row[key] or 'not stated'} {number(row['machines_struck'])}" for row in apart[:6]]
        unnamed = len(rows) == 1 and rows[0][key] is None
        fell = f" {number(rows[0]['machines_struck'])}" if unnamed else f": {', '.join(told)}"
        yield (
            f"Of the machines hit, {number(extra)} had only gaps apart from the onset; their hours "
            f"and data are counted here too. With it fell{fell}"
            f"{'; of the others, all that were hit.' if len(apart) < len(rows) else '.'}"
        )


def _notice(facts: CaseFacts, row: Row) -> str:
    if row["notified_at"] is None:
        return "none on record"
    delay = row["notice_delay_minutes"]
    return facts.day(row["notified_at"]) + ("" if delay is None else f" ({span(delay * 60)})")
