"""The one-page summary: what happened, whom it hit, what is open, what to decide."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

from toolkit.report import page
from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import Incident
from toolkit.report.model import (
    Bars,
    Block,
    Code,
    Document,
    Figure,
    Inline,
    Listing,
    Paragraph,
    Ref,
    Section,
    Strong,
    Table,
    Text,
    columns,
)
from toolkit.report.words import be, capital, hours_of, listed, number, percent, plural, size, span

DECISIONS = 6


def section(incident: Incident) -> Section:
    return Section(
        "summary",
        "Summary",
        (
            Paragraph(
                "This page is generated from the evidence. It states what is on record and what "
                "the record leaves open; it does not say why people acted as they did.",
                tone="note",
            ),
        ),
        (
            *_parts(incident, board=True),
            Section("summary-decide", "What to decide", tuple(_to_decide(incident))),
        ),
        new_page=True,
    )


def document(facts: CaseFacts) -> Document:
    """The summary for partners: no people, no partners, and nothing that is the board's to "
    "decide."""
    incident = Incident(facts)
    happened, whom, unknown = _parts(incident, board=False)
    impact = (*whom.blocks, *by_region(facts), *by_type(facts))
    return Document(
        "summary",
        "Summary for partners",
        "What happened, whom it hit, and what is not known yet",
        (
            happened,
            Section(whom.id, whom.title, impact),
            Section("status", "What the page said against what was measured", page.strips(facts)),
            unknown,
        ),
        public=True,
    )


def _parts(incident: Incident, *, board: bool) -> tuple[Section, ...]:
    """What both documents say; only the board's refers to further sections."""
    return (
        Section("summary-what", "What happened", tuple(_what_happened(incident, board))),
        Section("summary-whom", "Whom it hit", tuple(_whom(incident))),
        Section("summary-unknown", "What is not known", tuple(_unknown(incident, board))),
    )


def _see(board: bool, text: str, target: str) -> tuple[Inline, ...]:
    return (" (", Ref(text, target), ")") if board else ()


def _what_happened(incident: Incident, board: bool) -> Iterable[Block]:
    facts, onset = incident.facts, incident.onset
    if onset is None:
        yield Paragraph(
            "The share of machines without a current recovery point never reached the limit of the "
            "policy, so the evidence shows no onset of an impairment."
            if facts.has_telemetry
            else "No replication telemetry is among the evidence, so it does not show whether and "
            "when replication was impaired.",
            query="onset",
        )
        yield from _said(facts)
    else:
        where = "" if onset["scope_kind"] == "all" else f" in {onset['scope']}"
        yield Paragraph(
            (
                Strong(capital(facts.between(onset["onset_lo"], onset["onset_hi"]))),
                _estimate(facts, onset),
                f" replication began to stand still{where}: of "
                f"{plural(onset['population'], 'machine')} with telemetry, "
                f"{number(onset['affected'])}{_share(onset)} came to have no current recovery "
                f"point. {_until(facts, onset['ended_at'])}",
            ),
            query="onset",
        )
    if incident.triggers:
        yield Paragraph(_triggers(incident, board), query="incident_phase, operation_event")
        for operation in incident.reviewed if board else ():
            yield from _deviations(incident, operation)
    elif onset is not None:
        yield Paragraph(
            "The evidence does not tie an operation to the onset.", query="incident_phase"
        )
    first_post = incident.phase("disclosure")
    if first_post is not None:
        delay = ""
        if onset is not None and onset["onset_lo"] and first_post["started_at"]:
            late = first_post["started_at"] - onset["onset_hi"]
            early = first_post["started_at"] - onset["onset_lo"]
            delay = (
                f", {span(late)} after the onset"
                if abs((early - late).total_seconds()) < 60
                else f", between {span(late)} and {span(early)} after the onset"
            )
        yield Paragraph(
            "The status page first spoke of it "
            f"{facts.between(first_post['started_at'], first_post['started_at'])}{delay}.",
            query="incident_phase",
        )


def _said(facts: CaseFacts) -> Iterable[Block]:
    """What the status page itself says, where nothing measured stands beside it."""
    posted = facts.rows("status_incident")
    incidents = [row for row in posted if row["kind"] == "incident"]
    if not posted:
        return
    ends = [row["resolved_at"] for row in incidents]
    yield Paragraph(
        f"The status page shows {plural(len(incidents), 'incident')} and "
        f"{plural(len(posted) - len(incidents), 'maintenance')} with "
        f"{plural(sum(row['updates'] for row in posted), 'dated update')}, from "
        f"{facts.when(min(row['first_posted_at'] for row in posted))} to "
        f"{facts.when(max(row['last_posted_at'] for row in posted))}; "
        f"{number(sum(end is None for end in ends))} of the incidents "
        f"{be(sum(end is None for end in ends))} not shown as resolved. What it says was said; "
        "whether it was so, this evidence does not show.",
        query="status_incident",
    )
    longest = sorted(
        incidents, key=lambda row: (row["first_posted_at"] - row["last_posted_at"], row["evidence"])
    )
    if longest:
        yield Listing(
            tuple(
                (
                    f"{facts.when(row['first_posted_at'])}: {row['title'] or row['incident_id']} "
                    f"({plural(row['updates'], 'update')}, last at "
                    f"{facts.when(row['last_posted_at'])}, "
                    + (
                        f"resolved {facts.when(row['resolved_at'])})"
                        if row["resolved_at"]
                        else "not shown as resolved)"
                    ),
                )
                for row in longest[:5]
            ),
        )


def _triggers(incident: Incident, board: bool) -> Text:
    """The irreversible events near the onset, and whether their order with it is established."""
    facts, onset = incident.facts, incident.onset
    many = len(incident.triggers) > 1
    parts: list[Inline] = [
        f"Irreversible {'events' if many else 'event'} on record around that time, on "
        f"{'assets' if many else 'an asset'} that affected machines depend on: "
    ]
    for position, event in enumerate(incident.triggers[:4]):
        parts += [
            "; " if position else "",
            Code(str(event["action"])),
            " of ",
            Code(str(event["target"])),
            f" at {facts.when(event['occurred_at'])}",
            f" ({incident.operation_name(event['operation_id'])})" if board else "",
        ]
    first = incident.triggers[0]
    if onset is not None and onset["onset_lo"] and first["occurred_hi"] < onset["onset_lo"]:
        order = (
            ". The first of them came before the onset. "
            if many
            else ". It came before the onset. "
        )
    else:
        order = (
            ". The interval of the onset does not lie wholly after "
            f"{'the first of them' if many else 'it'}, so the evidence does not decide by time "
            "alone which came first. "
        )
    parts.append(order + "Whether the one led to the other is for the review board to judge.")
    return tuple(parts)


def _deviations(incident: Incident, operation: Row) -> Iterable[Block]:
    own = incident.of_operation(operation["operation_id"], "exception")
    if not own:
        return
    named = [f"{row['rule']} {row['title'][:1].lower()}{row['title'][1:]}" for row in own[:5]]
    more = f"; and {number(len(own) - 5)} more" if len(own) > 5 else ""
    yield Paragraph(
        (
            f"In {incident.operation_name(operation['operation_id'])}, "
            f"{plural(len(own), 'deviation')} from recorded criteria {be(len(own))} on record",
            *_see(True, "contributing factors", "factors"),
            f": {'; '.join(named)}{more}.",
        ),
        query="finding",
    )


def _whom(incident: Incident) -> Iterable[Block]:
    facts = incident.facts
    machines = facts.rows("machine_impact")
    if not machines:
        yield Paragraph(
            "No machine without a current recovery point is on record."
            if facts.has_telemetry
            else "No replication telemetry is among the evidence, so it does not show whom it hit.",
            query="machine_impact",
        )
        return
    regions = sorted({row["region"] for row in machines if row["region"]})
    partners = {row["organization"] for row in machines if row["organization"]}
    hours = sum(row["gap_hours"] or 0 for row in machines)
    known = [row["data_at_risk_bytes"] for row in machines if row["data_at_risk_bytes"] is not None]
    yield Paragraph(
        (
            Strong(
                f"{plural(len(machines), 'machine')} of "
                f"{plural(len(partners), 'partner') if partners else 'partners not stated'} in "
                f"{listed(regions) if regions else 'regions that are not stated'}"
            ),
            f" went without a current recovery point, for {number(hours_of(hours))} machine-hours "
            f"in total. {_struck(machines)}{_at_risk(known, len(machines))}",
        ),
        query="machine_impact",
    )
    states = Counter(_state(row) for row in machines)
    told = [
        f"{number(states[state])} {CLASSES.get(state, state)}" for state in CLASSES if states[state]
    ]
    yield Paragraph(f"At the end of the record: {listed(told)}.", query="machine_impact")
    gaps = [row for row in facts.rows("protection_gap") if row["open"]]
    if 0 < len(gaps) <= DECISIONS:
        yield Listing(
            tuple(
                f"{row['asset_id']}{' (' + row['job_id'] + ')' if row['job_id'] else ''}: "
                f"last good at {facts.when(row['started_lo'])}, out at "
                f"{facts.when(row['started_hi'])} at the latest, and not good again by the end of "
                f"its record at "
                f"{facts.when(row['record_ends_at'])}."
                for row in gaps
            )
        )
    claims = [row for row in incident.exceptions if row["rule"] == "EQ-05"]
    if claims:
        yield Paragraph(
            f"{plural(len(claims), 'claim')} of operators, tools or the status page "
            f"{be(len(claims))} contradicted by other records (EQ-05).",
            query="finding",
        )


def _state(machine: Row) -> str:
    """How a machine stood at the end of the record."""
    state = str(machine["recovery_class"] or "unknown")
    if state == "unknown" and machine["recovered_at"] is not None and not machine["open"]:
        return "resumed"
    return state


CLASSES = {
    "resumed": "good again by jobs of their own",
    "relinked": "linked again",
    "reseeded": "seeded anew",
    "reseeding": "still being seeded",
    "lost": "lost",
    "unknown": "of unknown state",
}


def _struck(machines: list[Row]) -> str:
    """How many of the machines fell with the onset, where not all did."""
    struck = sum(row["onset_relation"] == "struck" for row in machines)
    if not struck or struck == len(machines):
        return ""
    others = len(machines) - struck
    return (
        f"The onset struck {number(struck)} of them; {number(others)} had gaps only that began "
        "later or apart from it, and no record says whether these belong to it. "
    )


def _at_risk(known: list[int], machines: int) -> str:
    if not known:
        return "How much data was at risk is not on record."
    part = "" if len(known) == machines else f" (known for {number(len(known))} of them)"
    return (
        f"They protect {size(sum(known))}{part}; this is data at risk while the gap was open, not "
        "data lost."
    )


def _of_them_lost(machines: list[Row]) -> str:
    lost = [row for row in machines if row["recovery_class"] == "lost"]
    return f", {number(len(lost))} of them recorded as lost" if lost else ""


def _unknown(incident: Incident, board: bool) -> Iterable[Block]:
    facts = incident.facts
    statuses = Counter(row["status"] for row in incident.findings)
    items: list[Text] = []
    if statuses["undetermined"]:
        items.append(
            (
                f"For {plural(statuses['undetermined'], 'test')} the evidence is there but does "
                "not decide",
                *_see(board, "what could not be tested", "untested"),
                ".",
            )
        )
    if statuses["not_run"]:
        rules = sorted({row["rule"] for row in incident.findings if row["status"] == "not_run"})
        named = f": {listed(rules)}" if len(rules) <= 8 else ""
        items.append(
            f"{number(len(rules))} of {plural(len(incident.rules), 'rule')} could not run, "
            f"because records that they need are absent{named}."
        )
    machines = facts.rows("machine_impact")
    unsure = [row for row in machines if _state(row) == "unknown"]
    if unsure:
        items.append(
            f"The state at the end of the record is not known for {plural(len(unsure), 'machine')}."
        )
    blocked = [row for row in machines if row.get("failover_blocked_hours") is None]
    if machines and len(blocked) == len(machines):
        items.append("Nothing on record says for how long failover was blocked.")
    elif blocked:
        items.append(
            f"Nothing on record says whether failover was blocked for {number(len(blocked))} of "
            f"{plural(len(machines), 'machine')}."
        )
    open_gaps = [row for row in machines if row.get("open")]
    if open_gaps:
        items.append(
            f"{plural(len(open_gaps), 'machine')} had no current recovery point when the record "
            f"ended{_of_them_lost(open_gaps)}; when the others will have one is not on record."
        )
    if incident.onset is not None and incident.trigger is None:
        items.append("Which operation, if any, preceded the onset on the affected assets.")
    never = [row for row in facts.rows("partner_impact") if row.get("notified_at") is None]
    if facts.count("notice") and never:
        items.append(
            f"Whether {plural(len(never), 'affected partner')} {be(len(never), 'was', 'were')} "
            "told directly: no notice to them is on record."
        )
    if not items:
        items.append("Every test could be decided from the evidence held.")
    yield Listing(tuple(items))


def _to_decide(incident: Incident) -> Iterable[Block]:
    reviewed = {row["operation_id"] for row in incident.reviewed}
    own = [row for row in incident.exceptions if row["operation_id"] in reviewed]
    names = dict.fromkeys(row["rule"] for row in own or incident.exceptions)
    items: list[Text] = [
        (Strong(name), f" {incident.rules[name]['recommendation']}")
        for name in list(names)[:DECISIONS]
        if name in incident.rules
    ]
    if items:
        yield Paragraph(
            "Recommendations that follow from the most severe deviations; each is the board's to "
            "adopt, change or reject."
        )
        yield Listing(tuple(items), ordered=True)
    else:
        yield Paragraph("No deviation is on record that asks for a decision.", query="finding")
    requests = incident.facts.rows("evidence_request")
    if requests:
        yield Paragraph(
            (
                f"Whether to obtain the {plural(len(requests), 'piece')} of evidence that would "
                "settle what is open (",
                Ref("list", "untested"),
                ").",
            ),
            query="evidence_request",
        )


def _share(onset: Row) -> str:
    affected, population = onset["affected"], onset["population"]
    return f" ({percent(affected / population)})" if affected is not None and population else ""


def _estimate(facts: CaseFacts, onset: Row) -> str:
    if onset["onset_at"] is None or onset["onset_lo"] == onset["onset_hi"]:
        return ""
    return f" (best estimate {facts.when(onset['onset_at'])})"


def _until(facts: CaseFacts, ended_at: datetime | None) -> str:
    if ended_at is None:
        return "The record ends before the share falls below the limit again."
    return f"The share fell below the limit again at {facts.when(ended_at)}."


# -- impact ------------------------------------------------------------------------------------


def by_region(facts: CaseFacts) -> Iterable[Block]:
    """The impact on each region, where there is any."""
    rows = facts.rows("region_impact")
    if rows:
        yield impact_table(facts, "Impact by region", "Region", "region", rows)


def by_type(facts: CaseFacts) -> Iterable[Block]:
    """How the affected machines of each type stood at the end of the record."""
    machines = facts.rows("machine_impact")
    if not machines:
        return
    types = _by_type(machines)
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


def _by_type(machines: list[Row]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in machines:
        state = _state(row)
        found[str(row["machine_type"] or "not stated")][state] += 1
    return dict(sorted(found.items()))


def impact_table(facts: CaseFacts, caption: str, title: str, key: str, rows: list[Row]) -> Table:
    told = "First post that names it" if key == "region" else "First direct notice"
    return Table(
        caption,
        columns(
            f"{title} {{12}} | Machines hit {{number 12}} | Still open {{number 8}} | "
            "Lost {number 7} | Machine-hours {number 12} | Data at risk {number 11} | "
            f"First impact {{time 15}} | {told} {{time}}"
        ),
        tuple(
            (
                str(row[key] or "not stated"),
                f"{number(row['machines_impacted'])} of {number(row['machines'])}",
                number(row["machines_open"]),
                number(row["machines_lost"]),
                number(hours_of(row["machine_hours"])),
                size(row["data_at_risk_bytes"]) if row["machines_impacted"] else "none",
                facts.day(row["first_impact_at"]) if row["first_impact_at"] else "none",
                _notice(facts, row),
            )
            for row in rows
        ),
        "region_impact" if key == "region" else "partner_impact",
        "The time in brackets runs from the first impact to the post or notice.",
    )


def _notice(facts: CaseFacts, row: Row) -> str:
    if row["notified_at"] is None:
        return "none on record"
    delay = row["notice_delay_minutes"]
    return facts.day(row["notified_at"]) + ("" if delay is None else f" ({span(delay * 60)})")
