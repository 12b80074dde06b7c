"""What preceded the onset: the steps that may be tied to it, and how far that carries."""

from __future__ import annotations

from collections.abc import Iterable

from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import Incident
from toolkit.report.model import Block, Code, Paragraph, Section, Strong, Table, Text, columns
from toolkit.report.words import be, number, plural

STEPS = 6  # candidates printed for the whole; all of them stand in trigger_candidate


def section(incident: Incident) -> Section:
    facts = incident.facts
    rows = facts.rows("trigger_candidate")
    blocks = tuple(_blocks(incident, rows)) if rows else (Paragraph(_none(incident)),)
    return Section("trigger", "What preceded the onset", blocks)


def _none(incident: Incident) -> str:
    if incident.onset is None:
        return (
            "No onset is on record, so no step is weighed against one."
            if incident.facts.has_telemetry
            else "No replication telemetry is among the evidence, so no onset can be dated and "
            "nothing weighed against it."
        )
    return "No step of an operation is on record within reach of an onset."


def _blocks(incident: Incident, rows: list[Row]) -> Iterable[Block]:
    facts = incident.facts
    if not any(row["rank"] for row in rows):
        for told in dict.fromkeys(str(row["explanation"]) for row in rows):
            yield Paragraph(told, "trigger_candidate")
        return
    yield Paragraph(
        "Each step on record is weighed against the onset by two terms: how well its time goes "
        "with the whole interval of the onset, less where it would come after it, and how much "
        "more often machines that depend on its target fell than others. The score is their sum, "
        "a log-likelihood ratio (one point more is 2.7 times as likely), less a fixed part, which "
        "no column shows, for steps that can be undone. The p-value is the share of comparable "
        "moments without an onset in which some step scores as high, corrected for the scopes "
        "tested. A rank is no proof, and conditions without a record of their own are not among "
        "the candidates. Machines are counted whose fall can lie within the interval of the onset; "
        "those that fell later are not, and those that had fallen before are named, so that fewer "
        "are counted here than were hit."
    )
    whole = incident.candidates()
    if whole:
        yield _table(
            facts,
            "Candidates for the whole, best first",
            whole[: STEPS + 1],
            more=len(whole) - STEPS - 1,
        )
        best = next((row for row in whole if row["rank"] == 1), None)
        if best is not None:
            yield Paragraph((Strong("Rank 1. "), f"{best['explanation']}"), "trigger_candidate")
    regions = [
        row
        for row in rows
        if row["scope_kind"] == "region" and row["rank"] <= 1 and row["scope"] != "all"
    ]
    if regions:
        regions.sort(key=lambda row: (str(row["scope"]), row["rank"]))
        yield _table(facts, "First candidate for each region", regions, scope=True)
    yield Paragraph(_missing(whole or rows), "trigger_candidate", "note")


def _table(
    facts: CaseFacts, caption: str, rows: list[Row], *, scope: bool = False, more: int = 0
) -> Table:
    first = "Region {9}" if scope else "Rank {number 6}"
    return Table(
        caption,
        columns(
            f"{first} | Step {{28}} | Recorded {{time 16}} | Time term {{number 8}} | "
            "Machines term {number 10} | Score {number 8} | p-value {number 10} | Record {code}"
        ),
        tuple(
            (
                str(row["scope"]) if scope else number(row["rank"]),
                _step(row, alone(facts, row, board=False) if scope else ""),
                facts.day(row["occurred_at"]) if row["event"] else "",
                _term(row["time_term"]) if row["event"] else "",
                _term(row["topology_term"]) if row["event"] else "",
                _term(row["score"]) if row["event"] else "",
                "ranking only" if row["p_value"] is None else number(row["p_value"], 3),
                Code(str(row["event"] or "")),
            )
            for row in rows
        ),
        "trigger_candidate",
        " ".join(
            told
            for told, holds in (
                (
                    "A row without a step: none explains the onset beyond chance (p > 0.05).",
                    any(row["rank"] == 0 and row["p_value"] is not None for row in rows),
                ),
                (
                    f"{number(more)} more {be(more, 'stands', 'stand')} in trigger_candidate.",
                    more > 0,
                ),
            )
            if holds
        ),
    )


def _step(row: Row, alone: str) -> Text:
    if row["rank"] == 0:
        return str(row["explanation"])
    under = f" ({row['change_id']})" if row["change_id"] else ""
    return (Strong(str(row["action"])), f" {row['target'] or ''}{under}{alone}")


def alone(facts: CaseFacts, row: Row, board: bool) -> str:
    """Said of the first step of a region whose own match is not beyond chance."""
    for none in facts.rows("trigger_candidate"):
        if (none["scope_kind"], none["scope"]) == (row["scope_kind"], row["scope"]) and (
            none["rank"] == 0 and none["p_value"] is not None
        ):
            p = f", p = {number(none['p_value'], 3)}" if board else ""
            return f" (taken alone not beyond chance{p})"
    return ""


def _term(value: float | None) -> str:
    return "not on record" if value is None else number(round(value, 1), 1)


def _missing(rows: list[Row]) -> str:
    """What the lack of dependencies changes in the ranking."""
    steps = [row for row in rows if row["rank"]]
    blind = [row for row in steps if row["topology_term"] is None]
    moved = [row for row in steps if row["rank_by_time"] not in (None, row["rank"])]
    if not steps:
        return "No step could be ranked."
    told = (
        f"For {number(len(blind))} of {plural(len(steps), 'listed candidate')} nothing is on "
        "record about what depends on the target, so that they are ranked by time alone; a "
        "register of these dependencies could raise or lower them."
        if blind
        else "What depends on the target is on record for every candidate."
    )
    if moved:
        told += (
            f" Without any record of dependencies, {number(len(moved))} of "
            f"{plural(len(steps), 'listed candidate')} would rank otherwise."
        )
    return told
