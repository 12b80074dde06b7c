"""The one-page summary: what happened, whom it hit, what is not known, what to decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from toolkit.report import decide, figures, impact, opening, page
from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import Incident
from toolkit.report.model import (
    Block,
    Document,
    Facts,
    Inline,
    Listing,
    Paragraph,
    Ref,
    Section,
    Source,
    Text,
)
from toolkit.report.words import be, cut, listed, lowered, number, plural, some

LOSS_OF_DATA = 6  # of the items that a page should tell


def section(incident: Incident) -> Section:
    return Section(
        "summary",
        "Summary",
        tuple(_head(incident, board=True)),
        (
            *_parts(incident, board=True),
            Section("summary-decide", "What to decide", tuple(decide.blocks(incident))),
        ),
        new_page=True,
    )


def document(facts: CaseFacts) -> Document:
    """The summary for partners: no people, no partners, nothing that is the board's to decide."""
    incident = Incident(facts)
    how_sure, unknown = _parts(incident, board=False)
    return Document(
        "summary",
        "Summary for partners",
        "What happened, whom it hit, and what is not known yet",
        (
            Section("summary-what", "What happened", tuple(_head(incident, board=False))),
            how_sure,
            unknown,
            Section(
                "summary-whom",
                "Whom it hit",
                tuple(impact.by_region(facts)) or (*_named_by_the_page(facts), impact.none(facts)),
            ),
            *page.said(facts),
        ),
        public=True,
    )


def _head(incident: Incident, *, board: bool) -> Iterable[Block]:
    yield Paragraph(opening.sentence(incident, board=board), tone="lead")
    key = figures.of(incident, board=board)
    if key:
        yield Facts(key)
    if incident.onset is None:
        yield from _said(incident.facts)
        if board and not incident.facts.has_telemetry:
            yield from _named_by_the_page(incident.facts)


def _parts(incident: Incident, *, board: bool) -> tuple[Section, Section]:
    """What both documents say; only the board's refers to further sections."""
    return (
        Section("summary-sure", "How sure this is", tuple(opening.certainty(incident, board))),
        Section("summary-unknown", "What is not known", tuple(_unknown(incident, board))),
    )


def _see(board: bool, text: str, target: str) -> tuple[Inline, ...]:
    return ("; see ", Ref(text, target)) if board else ()


def _said(facts: CaseFacts) -> Iterable[Block]:
    """What the status page itself says, where nothing measured stands beside it."""
    posted = facts.rows("status_incident")
    incidents = [row for row in posted if row["kind"] == "incident"]
    if not posted:
        return
    shown = [
        plural(n, word)
        for n, word in (
            (len(incidents), "incident"), (len(posted) - len(incidents), "maintenance")
        )
        if n
    ]  # fmt: skip
    open_ones = sum(row["resolved_at"] is None for row in incidents)
    still = (
        f"{plural(open_ones, 'incident')} {be(open_ones)} not shown as resolved"
        if open_ones
        else "it is shown as resolved"
        if len(incidents) == 1
        else "every incident is shown as resolved"
    )
    yield Paragraph(
        f"The status page shows {listed(shown)} with "
        f"{plural(sum(row['updates'] for row in posted), 'dated update')}, from "
        f"{facts.when(min(row['first_posted_at'] for row in posted))} to "
        f"{facts.when(max(row['last_posted_at'] for row in posted))}; {still}. "
        f"What it says was said; whether it was so, this evidence does not show.{_captured(facts)}",
        query="status_incident",
    )
    longest = sorted(
        incidents, key=lambda row: (row["first_posted_at"] - row["last_posted_at"], row["evidence"])
    )
    if longest:
        yield Listing(
            tuple(
                f"{facts.when(row['first_posted_at'])}: {row['title'] or row['incident_id']} "
                f"({plural(row['updates'], 'update')}, last at "
                f"{facts.when(row['last_posted_at'])}, "
                + "".join(
                    f"called resolved {facts.when(called)}, taken up again {facts.when(again)}, "
                    for called, again in opening.taken_back(facts, row)
                )
                + (
                    f"resolved {facts.when(row['resolved_at'])})"
                    if row["resolved_at"]
                    else "not shown as resolved)"
                )
                for row in longest[:5]
            ),
        )


def _captured(facts: CaseFacts) -> str:
    """When the page was read; what stood there before, only an earlier copy could show."""
    found = {row["captured_at"] for row in facts.rows("status_update") if row["captured_at"]}
    if not found:
        return ""
    copies = (
        f"once, at {facts.when(max(found))}"
        if len(found) == 1
        else (f"{number(len(found))} times, the last at {facts.when(max(found))}")
    )
    return f" The page was captured {copies}."


def _named_by_the_page(facts: CaseFacts) -> Iterable[Block]:
    """Regions and components that the page shows as impaired, where nothing was measured."""
    named = opening.named_by_the_page(facts)
    if named:
        yield Paragraph(
            f"{named}; how many machines and partners that concerns, it does not show.",
            query="status_region",
        )


# -- what is not known -------------------------------------------------------------------------


def _unknown(incident: Incident, board: bool) -> Iterable[Block]:
    items = unknown(incident, board)
    yield Listing(tuple(items) or ("Every test could be decided from the evidence held.",))


def unknown(incident: Incident, board: bool) -> list[Text]:
    facts = incident.facts
    items: list[Text] = list(_unknown_of_machines(incident, board))
    if incident.onset is not None and incident.trigger is None:
        items.append(
            ("Which operation, if any, preceded the onset on the machines that fell.",
             Source("trigger_candidate"))
        )  # fmt: skip
    never = [row for row in facts.rows("partner_impact") if row.get("notified_at") is None]
    if facts.count("notice") and never:
        items.append(
            (f"Whether {plural(len(never), 'affected partner')}{_named(never, board)} "
             f"{be(len(never), 'was', 'were')} told directly: no notice to "
             f"{be(len(never), 'it', 'them')} is on record.", Source("partner_impact"))
        )  # fmt: skip
    statuses = Counter(row["status"] for row in incident.findings)
    ran = sum(statuses[word] for word in ("exception", "ok", "undetermined"))
    # Partners read of no test; how many are open tells them something only where nothing else is.
    if statuses["undetermined"] and (board or not items):
        open_ = {row["rule"] for row in incident.findings if row["status"] == "undetermined"}
        items.append(
            (f"What {number(statuses['undetermined'])} of {plural(ran, 'test')} would show, which "
             f"the evidence does not decide{_rules(incident, open_)}",
             *_see(board, "what could not be tested", "untested"), ".", Source("finding"))
        )  # fmt: skip
    if statuses["not_run"]:
        rules = {row["rule"] for row in incident.findings if row["status"] == "not_run"}
        which = (
            "the tests of operations would show: none of the"
            if len(rules) == len(incident.rules)
            else f"{number(len(rules))} of the"
        )
        absent = [str(row["what"]) for row in facts.rows("evidence_request") if row["relation"]]
        lacking = (
            f"what they need is not among the evidence: {'; '.join(map(lowered, absent))}"
            if 0 < len(absent) <= 8
            else "the records that they need are not among the evidence"
        )
        could = "could run, since" if which.startswith("the") else "would show:"
        items.append(
            (f"What {which} {plural(len(incident.rules), 'rule')} {could} {lacking}.",
             Source("finding"))
        )  # fmt: skip
    return items


def _named(partners: list[Row], board: bool) -> str:
    """Partners by name, for the board."""
    names = sorted(str(row["organization"]) for row in partners)
    return f" ({some(names)})" if board else ""


def _rules(incident: Incident, names: Collection[str]) -> str:
    """What the rules ask, where they are few."""
    if len(names) > 4:
        return ""
    return ": " + "; ".join(
        f"whether {lowered(str(incident.rules.get(name, {}).get('title') or ''))} ({name})"
        for name in sorted(names)
    )


def _unknown_of_machines(incident: Incident, board: bool) -> Iterable[Text]:
    machines = incident.facts.rows("machine_impact")
    if not machines:
        if not incident.facts.has_telemetry:
            yield (
                "Whether replication stood still, for which machines and how long, and whether "
                "data was lost: nothing that was measured is among the evidence"
                f"{_page_says(incident)}.",
                Source("machine_impact"),
            )
        return
    lost = [row for row in machines if row["recovery_class"] == "lost"]
    still = [row for row in machines if row.get("open") and row["recovery_class"] != "lost"]
    if lost:
        yield (
            f"How much of the data of the {plural(len(lost), 'machine')} recorded as lost can be "
            "had from elsewhere, and whether the others can read every earlier recovery point.",
            Source("machine_impact"),
        )
    else:
        yield (
            "Whether data was lost for good: no machine is recorded as lost, and no record says "
            f"that every earlier recovery point can be read{_against(incident, board)}.",
            Source("machine_impact"),
        )
    if still:
        yield (
            f"When the {plural(len(still), 'machine')} without a current recovery point"
            f"{', and not recorded as lost,' if lost else ''} will have one"
            f"{_forecast_or_not(incident.facts)}.",
            Source("machine_impact"),
        )
    others = [row for row in machines if row["onset_relation"] != "struck"]
    if others and len(others) < len(machines):
        yield (
            f"Whether the gaps of {plural(len(others), 'further machine')} "
            f"({_apart(others)}) belong to it.",
            Source("machine_impact"),
        )
    blocked = [row for row in machines if row.get("failover_blocked_hours") is None]
    if blocked:
        whole = len(blocked) == len(machines)
        yield (
            "Whether, and for how long, machines could not fail over"
            + (
                ""
                if whole
                else f", for {number(len(blocked))} of {plural(len(machines), 'machine')}"
            )
            + ": no state of failover is on record for them.",
            Source("machine_impact"),
        )


def _apart(machines: list[Row]) -> str:
    """How gaps lie to the onset that no record ties to it."""
    found = Counter(str(row["onset_relation"]) for row in machines)
    told = [
        f"{number(found[relation])} {words}" if len(found) > 1 else words
        for relation, words in (
            ("later", "begun later, while it lasted"), ("apart", "begun apart from it")
        )
        if found[relation]
    ]  # fmt: skip
    return listed(told) if told else "not tied to it"


def _against(incident: Incident, board: bool) -> str:
    """What is on record against it that earlier recovery points can be read."""
    facts = incident.facts
    told = []
    gone = figures.gone(facts)
    if gone:
        told.append(f"later listings of repositories lack {gone}")
    files = [row for row in facts.rows("tool_report") if row["failures"]]
    if files:
        groups = [
            (count, words)
            for row in files
            for count, words, outcome in zip(
                row["group_counts"], row["group_words"], row["group_outcomes"], strict=True
            )
            if outcome == "failure"
        ]
        count, words = max(groups, default=(0, ""))
        often = f", most often {number(count)} × “{cut(words, 120)}”" if board and count > 1 else ""
        told.append(
            f"{plural(len(files), 'log')} of backup tools {be(len(files), 'reports', 'report')} "
            f"failures{often}"
        )
    shared = incident.shared_target
    if board and shared is not None and shared["error"]:
        told.append(f"jobs of machines that fell report “{cut(shared['error'], 100)}”")
    return f"; {listed(told)}" if told else ""


def _page_says(incident: Incident) -> str:
    """The page's own words on lost data, where it has any: they are a claim."""
    row = next(
        (
            row
            for row in incident.facts.rows("disclosure")
            if row["item_no"] == LOSS_OF_DATA and row["matched_words"]
        ),
        None,
    )
    if row is None:
        return ""
    at = incident.facts.date(row["first_disclosed_at"])
    return f"; the page said “{cut(row['matched_words'], 120)}” on {at}"


def _forecast_or_not(facts: CaseFacts) -> str:
    rows = facts.rows("recovery_forecast")
    known = figures.latest_forecast(rows)
    return f"; by the forecast {figures.days_of(facts, known)}" if known else ": not on record"
