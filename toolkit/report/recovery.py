"""Recovery: what became of the machines, how fast, and when the rest may be done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

from toolkit.report import drawn
from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import Incident
from toolkit.report.model import Block, Paragraph, Section, Table, columns
from toolkit.report.words import be, number, percent, plural, size, span

SCENARIOS = {
    "resumed": "own job succeeded again, without a seed or relink",
    "relinked": "linked again",
    "reseeded": "seeded anew",
    "lost": "recorded as lost",
    "open": "open at the end of the record",
}


def section(incident: Incident) -> Section:
    facts = incident.facts
    blocks: list[Block] = []
    if not facts.rows("machine_impact"):
        blocks.append(
            Paragraph(
                "No machine with a gap is on record, so there is no recovery to follow."
                if facts.has_telemetry
                else "No replication telemetry is among the evidence, so recovery cannot be "
                "followed.",
                query="machine_impact",
            )
        )
    else:
        blocks += [
            *_scenarios(incident),
            *drawn.present(drawn.burn_down(facts)),
            *_progress(facts),
            *_forecast(facts),
        ]
    return Section("recovery", "Recovery and forecast", tuple(blocks))


def _scenarios(incident: Incident) -> Iterable[Block]:
    facts, contradicted = incident.facts, _contradicted(incident)
    rows = facts.rows("recovery_scenario")
    if not rows:
        yield Paragraph("No way of recovery is on record.", query="recovery_scenario")
        return
    yield Table(
        "How machines of each type came back",
        columns(
            "Machine type {16} | Way {20} | Machines {number 10} | Share {number 9} | "
            "Median time {number 12} | Longest {number 12} | Failed seeds or relinks {number 12} | "
            "Data {number}"
        ),
        tuple(
            (
                str(row["machine_type"] or "not stated"),
                SCENARIOS.get(str(row["scenario"]), str(row["scenario"])),
                number(row["machines"]),
                percent(row["share"]),
                _hours(row["median_hours"]),
                _hours(row["longest_hours"]),
                _failures(row, contradicted),
                size(row["bytes"]),
            )
            for row in rows
        ),
        "recovery_scenario",
        f"{_whose(facts)} Times run from the latest time at which the machine's gap can "
        "have begun to its recovery, so that they are the shortest that the record allows. Seeds "
        "and relinks are counted by the records of jobs; logs of servers are not judged."
        + _running(rows),
    )


_CLAIMED = frozenset({"seed", "reseed", "relink", "resync"})


def _contradicted(incident: Incident) -> Counter[tuple[str, str]]:
    """Seeds and relinks that a record claims as done and other records contradict, by the type of
    their machine and its way of recovery."""
    actions = {str(row["evidence"]): row for row in incident.facts.rows("operation_event")}
    ways = {
        str(row["asset_id"]): (str(row["machine_type"]), str(row["scenario"]))
        for row in incident.facts.rows("machine_recovery")
    }
    return Counter(
        ways[row["subject"]]
        for row in incident.exceptions
        if row["rule"] == "EQ-05"
        and row["subject"] in ways
        and str(actions.get(str(row["event"]), {}).get("action")).casefold() in _CLAIMED
    )


def _failures(row: Row, contradicted: Counter[tuple[str, str]]) -> str:
    """What records call failed, beside what they call done and others contradict."""
    claims = contradicted[str(row["machine_type"]), str(row["scenario"])]
    failed = number(row["failures"])
    if not claims:
        return failed
    return (
        f"{failed} recorded as failed; {number(claims)} claimed as done {be(claims)} contradicted "
        "(EQ-05)"
    )


def _running(rows: list[Row]) -> str:
    """Seeds and relinks of which no record tells the end: they count as neither."""
    running = sum(row["running"] or 0 for row in rows)
    if not running:
        return ""
    return (
        f" {plural(running, 'machine')} {be(running, 'has', 'have')} a seed or relink without an "
        "end on record; it counts neither as a failure nor as a recovery."
    )


def _whose(facts: CaseFacts) -> str:
    """The machines that recovery is counted over: more than fell at the very onset."""
    there = {row["asset_id"] for row in facts.rows("machine_recovery")}
    struck = {
        row["asset_id"] for row in facts.rows("machine_impact") if row["onset_relation"] == "struck"
    }
    late = len(there - struck)
    if not late:
        return "Machines that fell with the onset."
    return (
        f"{plural(len(there & struck), 'machine')} that fell with the onset and {number(late)} "
        "more whose gap began while it lasted."
    )


def _hours(value: float | None) -> str:
    return "none" if value is None else span(value * 3600)


def _progress(facts: CaseFacts) -> Iterable[Block]:
    rows = facts.rows("recovery_progress")
    if not rows:
        yield Paragraph(
            "No main onset is on record, so progress is not counted by day.",
            query="recovery_progress",
        )
        return
    last = max(row["day"] for row in rows)
    latest = [row for row in rows if row["day"] == last]
    yield Table(
        f"Where recovery stands on {last:%Y-%m-%d}, by region and machine type",
        columns(
            "Region | Machine type | Machines {number} | Seeded anew {number} | "
            "Linked again {number} | Recovered in all {number} | Lost {number} | Remaining {number}"
        ),
        tuple(
            (
                str(row["region"] or "not stated"),
                str(row["machine_type"] or "not stated"),
                *(
                    number(row[name])
                    for name in (
                        "population", "seeded_total", "relinked_total", "recovered_total",
                        "lost_total", "remaining",
                    )
                ),
            )
            for row in sorted(
                latest, key=lambda row: (str(row["region"]), str(row["machine_type"]))
            )
        ),
        "recovery_progress",
    )  # fmt: skip


def _forecast(facts: CaseFacts) -> Iterable[Block]:
    rows = facts.rows("recovery_forecast")
    if not rows:
        yield Paragraph(
            "No forecast: too few machines were seeded anew or linked again to draw from.",
            query="recovery_forecast",
        )
        return
    latest = max(row["as_of_at"] for row in rows)
    last = [row for row in rows if row["as_of_at"] == latest]
    banded = [row for row in last if row["p50_at"] is not None]
    if banded:
        yield Table(
            f"When the remaining machines may be recovered, as of {facts.when(latest)}",
            columns(
                "Scope {16} | Remaining {number 10} | Earliest tenth {time 17} | "
                "Half {time 17} | Latest tenth {time 17} | How"
            ),
            tuple(
                (
                    str(row["scope"]),
                    number(row["remaining"]),
                    facts.day(row["p10_at"]),
                    facts.day(row["p50_at"]),
                    _late(facts, row["p90_at"]),
                    str(row["method"]),
                )
                for row in sorted(banded, key=lambda row: (row["scope_kind"], str(row["scope"])))
            ),
            "recovery_forecast",
            "Drawn from the daily throughput on record: in 8 of 10 draws the last machine is "
            "recovered between the earliest and the latest tenth. Machines recorded as lost are "
            "left out. A stop of the work, or a change of its pace, is in no draw, nor is the "
            "progress that running seeds report. Each scope is drawn by itself: the whole supposes "
            "that the pace of one part can pass to another, so where it cannot, the latest part "
            "tells the end of the whole.",
        )
    without: dict[str, list[str]] = defaultdict(list)
    for row in last:
        if row["p50_at"] is None:
            without[str(row["method"])].append(str(row["scope"]))
    for method, scopes in sorted(without.items()):
        yield Paragraph(f"{', '.join(scopes)}: {method}.", query="recovery_forecast")
    yield Paragraph(_backtest(facts.rows("forecast_backtest")), query="forecast_backtest")


def _late(facts: CaseFacts, at: datetime | None) -> str:
    return "beyond ten years" if at is None else facts.day(at)


def _backtest(rows: list[Row]) -> str:
    told = [
        f"{str(row['scope_kind']).replace('_', ' ')}: "
        + (
            f"{number(row['covered'])} of {number(row['decided'])} decided forecasts lay in their "
            f"band ({percent(row['covered_share'])})"
            if row["decided"]
            else f"none of {number(row['forecasts'])} forecasts is decided yet"
        )
        for row in rows
    ]
    if not told:
        return "No earlier forecast is on record to compare with what came."
    return (
        "Back-test, the same method on each earlier day: "
        + "; ".join(told)
        + ". A band of 8 of 10 draws is meant to hold in about 80 %; forecasts of one recovery "
        "depend on one another, so that these shares say less than their number suggests."
    )
