"""The first page of the review: what a reader of it alone takes away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import median

from toolkit.report import decide, figures, opening, summary
from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import Incident
from toolkit.report.model import Block, Facts, Inline, Listing, Ref, Text, without_source
from toolkit.report.words import be, listed, number, plural, size, span

SHOWN = 3  # points of each list; the page after holds the rest
ALL = 9  # so many points in both lists fit on the page


def of(incident: Incident) -> tuple[Block, ...]:
    """What happened, whom it hit, what preceded it, what is not known, what to decide."""
    rows: list[tuple[str, Text | Listing]] = [
        (
            "What happened",
            (*without_source(opening.sentence(incident, board=True)), *_undone(incident)),
        ),
    ]
    rows += [("Whom it hit", told) for told in _hit(incident) if told]
    rows += [("What preceded it", told) for told in opening.in_short(incident, board=True)]
    unknown, asked = summary.unknown(incident, board=True), decide.points(incident)
    shown = SHOWN if len(unknown) + len(asked) > ALL else ALL
    rows += _listed("Not known", unknown[:shown], len(unknown) - shown, "summary-unknown")
    rows += _listed("To decide", asked[:shown], len(asked) - shown, "summary-decide", ordered=True)
    return (Facts(tuple(rows)),)


def _listed(
    label: str, items: list[Text], rest: int, target: str, *, ordered: bool = False
) -> Iterable[tuple[str, Text | Listing]]:
    """The first points, and where the others stand."""
    told = tuple(map(without_source, items))
    more = (Ref(f"{number(rest)} more", target),) if rest > 0 else ()
    if told:
        yield label, Listing(told, ordered, more) if told[1:] else told[0]


def _undone(incident: Incident) -> tuple[Inline, ...]:
    """What was done that cannot be undone, where work went on at the time."""
    done = opening.irreversible(incident, board=True)
    if incident.onset is None or not done:
        return ()
    stated = all(row["procedure"] for row in incident.reviewed)
    what = "this cannot be undone" if stated else "this, by its kind, cannot be undone"
    return (f" Of what was done, {what}: {'; '.join(done)}.",)


def _hit(incident: Incident) -> Iterable[str]:
    """Machines, partners and regions, what they protect, and how they stood at the end."""
    facts = incident.facts
    machines = facts.rows("machine_impact")
    if not facts.has_telemetry:
        yield _by_the_page(facts)
        return
    if not machines:
        yield "No machine with telemetry: no gap is on record."
        return
    known = {row["organization"] for row in facts.rows("known_asset") if row["organization"]}
    hit = {row["organization"] for row in machines if row["organization"]}
    onset = incident.onset
    of = f"{number(len(machines))} of " if onset else ""
    window = facts.window_start or facts.window_end
    when = "in the window under review" if window else "at some time of the record"
    told = [
        f"{of}{plural(onset['population'] if onset else len(machines), 'machine')}"
        f"{_regions(facts)} had a gap in their recovery points {when}"
        f"{_when_they_fell(machines)}.",
        f"{be(len(machines), 'It serves', 'They serve')} {opening.of_known(len(hit), len(known))}."
        if hit and known
        else "Whom they serve is not on record.",
    ]
    blocked = [row["failover_blocked_hours"] for row in machines]
    could_not = sum(bool(hours) for hours in blocked)
    if could_not:
        hours = sorted(float(row) for row in blocked if row)
        told.append(
            f"{number(could_not)} could not fail over"
            + (
                f", half of them for {span(median(hours) * 3600)} or longer, the longest "
                f"{span(hours[-1] * 3600)}."
                if could_not > 1
                else f" for {span(hours[0] * 3600)}."
            )
        )
    sizes = [row["data_at_risk_bytes"] for row in machines]
    stated = [one for one in sizes if one is not None]
    if stated:
        some_of = "" if len(stated) == len(sizes) else f", known for {number(len(stated))} of them"
        told.append(f"Protected data at risk, not the same as lost: {size(sum(stated))}{some_of}.")
    gone = figures.gone(facts)
    if gone:
        told.append(f"Later listings of repositories lack {gone}.")
    told.append(f"At the end of the record {_ended(machines)}.")
    yield " ".join(told)


def _regions(facts: CaseFacts) -> str:
    rows = [row for row in facts.rows("region_impact") if row["machines_impacted"]]
    if not any(row["region"] for row in rows):
        return ""
    if len(rows) == 1:
        return f" in {rows[0]['region']}"
    told = [
        f"{row['region'] or 'no region stated'} {number(row['machines_impacted'])} of "
        f"{number(row['machines'])}"
        for row in rows
    ]
    return f" ({listed(told)})"


def _ended(machines: list[Row]) -> str:
    """In plain words how machines stood at the end; the pages on impact have the classes."""
    stood = Counter(
        "good"
        if not row["open"]
        else row["recovery_class"]
        if row["recovery_class"] in ("lost", "reseeding")
        else "open"
        for row in machines
    )
    told = [
        f"{number(stood[state])} {be(stood[state], one, many)}"
        for state, one, many in (
            ("good", "has no gap any more", "have no gap any more"),
            ("reseeding", "is still being copied anew", "are still being copied anew"),
            ("open", "still has a gap", "still have a gap"),
            ("lost", "is recorded as lost", "are recorded as lost"),
        )
        if stood[state]
    ]
    partners = {
        row["organization"]
        for row in machines
        if row["open"] and row["recovery_class"] == "lost" and row["organization"]
    }
    return listed(told) + (f" (of {plural(len(partners), 'partner')})" if partners else "")


def _when_they_fell(machines: list[Row]) -> str:
    """How many fell with the onset, later while it lasted, and apart from it."""
    fell = Counter(str(row["onset_relation"]) for row in machines)
    if len(fell) < 2:
        return ""
    told = [
        f"{number(fell[relation])} {words}"
        for relation, words in (
            ("struck", "from the onset"),
            ("later", "from later on, while it lasted"),
            ("apart", "apart from it"),
        )
        if fell[relation]
    ]
    return f": {listed(told)}"


def _by_the_page(facts: CaseFacts) -> str:
    """Whom the page names, where nothing was measured."""
    named = opening.named_by_the_page(facts)
    return f"{named}. How many machines and partners that concerns is not shown." if named else ""
