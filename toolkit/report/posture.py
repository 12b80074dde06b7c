"""How machines are protected, before the onset and today, and what falls with one asset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import Incident
from toolkit.report.model import Block, Paragraph, Section, Table, columns
from toolkit.report.words import be, number, plural, size

POINTS = 12
WHEN = {"before": "before the onset", "today": "at the end of the record"}


def section(incident: Incident) -> Section:
    facts = incident.facts
    rows = facts.rows("protection_posture")
    blocks: tuple[Block, ...] = (
        (*_copies(facts, rows), *_points(facts))
        if rows
        else (
            Paragraph(
                "Neither an inventory of machines nor replication telemetry is among the evidence, "
                "so copies and single points cannot be counted.",
                query="protection_posture",
            ),
        )
    )
    return Section("posture", "How machines are protected", blocks)


def _copies(facts: CaseFacts, rows: list[Row]) -> Iterable[Block]:
    order = [name for name in WHEN if any(row["as_of"] == name for row in rows)]
    counts = Counter((row["as_of"], row["copies"]) for row in rows)
    held = sorted({copies for _, copies in counts}, key=lambda n: (n is None, n or 0))
    yield Table(
        "Machines by their number of current copies",
        columns(
            "Current copies {22} | " + " | ".join(f"{WHEN[name]} {{number}}" for name in order)
        ),
        tuple(
            (
                "not known" if copies is None else number(copies),
                *(number(counts[(name, copies)]) for name in order),
            )
            for copies in held
        ),
        "protection_posture",
        "A copy counts by the age of its last good recovery point, where that lies within the "
        "limit; targets of one redundancy group are one copy. The impact counts a machine from the "
        "first sign of its gap, so that one can be in a gap there and still have a current copy "
        "here; one whose record ends earlier counts as 0 here.",
    )
    today = [row for row in rows if row["as_of"] == "today"]
    single = [row for row in today if row["copies"] == 1]
    if today:
        unseen = len(silent(facts))
        without = sum(not row["copies"] for row in today) - unseen
        yield Paragraph(
            f"At the end of the record, {number(len(single))} of "
            f"{plural(len(today), 'machine')} {be(len(single), 'rests', 'rest')} on one copy, and "
            + (
                f"{number(without)} {be(without, 'has', 'have')} none that is current."
                if without
                else "none is known to be without a current one."
                if unseen
                else "none is without a current one."
            )
            + _silent(facts),
            query="protection_posture",
        )


def _silent(facts: CaseFacts) -> str:
    """Machines without an open gap can be without a current copy: they have no later record."""
    found = silent(facts)
    count = len(found)
    if not count:
        return ""
    last = {row["asset_id"]: row["evidence"] for row in found}
    without = [
        row
        for row in facts.rows("protection_posture")
        if row["as_of"] == "before" and not row["copies"]
    ]
    # Where the last good sample is the same at both instants, the record ended before the onset.
    earlier = sum(
        row["asset_id"] in last and row["evidence"] == last[row["asset_id"]] for row in without
    )
    return (
        f" For {plural(count, 'machine')} the record of {be(count, 'its', 'their')} own jobs ends "
        "before a gap could begin, and by the end of the whole record its last recovery point is "
        "no longer current"
        + (
            f"; the same holds for {number(earlier)} of the {number(len(without))} without a "
            "current one before the onset."
            if earlier
            else "."
        )
    )


def silent(facts: CaseFacts) -> list[Row]:
    """Machines that are in no open gap and yet have no current copy at the end of the record."""
    open_ones = {row["asset_id"] for row in facts.rows("machine_impact") if row["open"]}
    return [
        row
        for row in facts.rows("protection_posture")
        if row["as_of"] == "today" and not row["copies"] and row["asset_id"] not in open_ones
    ]


def _points(facts: CaseFacts) -> Iterable[Block]:
    rows = facts.rows("blast_radius")
    if not rows:
        yield Paragraph(
            "No single point is on record: no dependency is registered whose loss alone would take "
            "down the protection of another machine."
            if facts.count("dependency")
            else "No register of dependencies is among the evidence, and no target of a job is a "
            "single point of another machine; others cannot be told.",
            query="blast_radius",
        )
        return
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(str(row["asset_id"]), {})[str(row["as_of"])] = row
    ranked = sorted(
        found.items(),
        key=lambda item: (-max(row["machines"] for row in item[1].values()), item[0]),
    )
    rest = len(ranked) - POINTS
    before = any(row["as_of"] == "before" for row in rows)
    head = "Asset {14} | Kind {10} | Region {8} | "
    if before:
        head += "Machines before {number 11} | "
    yield Table(
        "Single points, and what falls with each",
        columns(
            f"{head}Machines at the end {{number 11}} | Partners {{number 9}} | "
            "Data {number 12} | State at the end"
        ),
        tuple(_point(name, when, before=before) for name, when in ranked[:POINTS]),
        "blast_radius, protection_posture",
        (
            "Before: at the earliest time of the onset; at the end: of the record. Partners and "
            "data are those of the time with more machines."
            if before
            else "The end is that of the record."
        )
        + (
            ""
            if facts.count("dependency")
            else " By the targets of the jobs alone: no register of dependencies is among the "
            "evidence."
        )
        + (f" {number(rest)} more: postmortem query CASE blast_radius." if rest > 0 else ""),
    )


_STATES = {True: "failed or removed", False: "no failure on record", None: "no state on record"}


def _point(name: str, when: dict[str, Row], *, before: bool) -> tuple[str, ...]:
    then, today = when.get("before"), when.get("today")
    # What falls with it is told as of the time when most did.
    row = max((one for one in (today, then) if one), key=lambda one: one["machines"])
    state = "no longer a single point" if today is None else _STATES[today["is_down"]]
    organizations = row["organizations"]
    partners = len(organizations) if isinstance(organizations, list) else organizations
    return (
        name,
        str(row["kind"] or "not stated"),
        str(row["region"] or "not stated"),
        *((number(then["machines"]) if then else "none",) if before else ()),
        number(today["machines"]) if today else "none",
        number(partners) if partners else "not stated",
        size(row["protected_bytes"]),
        state,
    )
