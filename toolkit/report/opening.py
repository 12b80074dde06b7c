"""The first words of a report: what happened in one sentence, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from toolkit.report import posture, trigger
from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import Incident
from toolkit.report.model import Block, Inline, Paragraph, Ref, Strong, Text
from toolkit.report.words import be, cut, listed, number, percent, plural, some, span


def sentence(incident: Incident, *, board: bool) -> Text:
    """What happened in words that need no other page."""
    facts, onset = incident.facts, incident.onset
    if onset is None and not facts.has_telemetry:
        posted = [row for row in facts.rows("status_incident") if row["kind"] == "incident"]
        if posted:
            first = min(posted, key=lambda row: (row["first_posted_at"], row["evidence"]))
            more = f" and {plural(len(posted) - 1, 'further incident')}" if posted[1:] else ""
            return (
                f"From {facts.date(first['first_posted_at'])}, ",
                Strong(f"the status page tells of “{first['title'] or first['incident_id']}”"),
                f"{_where_by_the_page(facts)}{_worst(facts)}{more}.{_course(facts, first)} No "
                "replication telemetry is among the evidence, so it does not show whether and when "
                "replication was impaired.",
            )
    if onset is None:
        return (
            (
                f"{_work(incident, board)} ",
                Strong("The record shows no impairment of replication"),
                f": {_never(facts)}.",
            )
            if facts.has_telemetry
            else "No replication telemetry is among the evidence, so it does not show whether and "
            "when replication was impaired."
        )
    machines = facts.rows("machine_impact")
    struck = [row for row in machines if row["onset_relation"] == "struck"]
    count = len(struck) or onset["affected"]
    regions = sorted({str(row["region"]) for row in struck if row["region"]})
    partners = {row["organization"] for row in struck if row["organization"]}
    where = f" in {listed(regions)}" if regions else ""
    later = (onset["affected"] or 0) - count
    more = (
        f" While this lasted, {plural(later, 'more machine')} came to a standstill."
        if later > 0
        else ""
    )
    known = {row["organization"] for row in facts.rows("known_asset") if row["organization"]}
    whose = (
        f", which {be(count, 'serves', 'serve')} {of_known(len(partners), len(known))}"
        if partners and len(known) > 1
        else ""
    )
    return (
        f"On {_days(facts, onset['onset_lo'], onset['onset_hi'])}, ",
        Strong(
            f"replication came to a standstill for {number(count)} of "
            f"{plural(onset['population'], 'machine')}{where}"
        ),
        f"{whose}: {_until(struck)} {be(count, 'it', 'they')} got no new recovery points, the "
        f"states to which a machine can be restored. {_during(incident, board)}.",
        *_at_the_end(facts, machines),
        _silent(facts, any(row["open"] for row in machines)),
        more,
        _over(facts, onset),
    )


def _until(machines: list[Row]) -> str:
    """How long that held: to the end of the record, or until replication was good again."""
    still = sum(bool(row["open"]) for row in machines)
    if machines and still == len(machines):
        return "from then on"
    return f"until it was good again{', or the record ends,' if still else ','}"


def _silent(facts: CaseFacts, others: bool) -> str:
    """Machines without a current recovery point whose record ends before a gap could begin."""
    count = len(posture.silent(facts))
    if not count:
        return ""
    return (
        f" Of {plural(count, 'other machine' if others else 'machine')} the record of jobs ends "
        f"earlier: whether {be(count, 'it has', 'they have')} a current one then is not known."
    )


def _over(facts: CaseFacts, onset: Row) -> str:
    """When it was over, where the record tells."""
    if onset["ended_at"] is None:
        return ""
    share = percent(facts.policy("degraded_share"))
    return (
        f" From {facts.when(onset['ended_at'])}, less than {share} of the machines were in a gap."
    )


def _at_the_end(facts: CaseFacts, machines: list[Row]) -> Iterable[Inline]:
    """What was still without protection when the record ends."""
    still = [row for row in machines if row["open"]]
    if not still:
        return
    ends = max(
        (row["record_ends_at"] for row in facts.rows("protection_gap") if row["record_ends_at"]),
        default=None,
    )
    lost = sum(row["recovery_class"] == "lost" for row in still)
    of_them = "which is" if len(still) == lost == 1 else f"{number(lost)} of them"
    yield f" When the record ends{f', on {facts.date(ends)}' if ends else ''}, "
    yield Strong(
        f"{plural(len(still), 'machine')} {be(len(still), 'has', 'have')} no current recovery point"
        + (f", {of_them} recorded as lost" if lost else "")
    )
    yield "."


def irreversible(incident: Incident, *, board: bool) -> list[str]:
    """What the operations under review did that cannot be undone, by kind of action.

    What people note of their own work is told as a note, for the board in its words.
    """
    reviewed = {row["operation_id"] for row in incident.reviewed}
    done: dict[str, list[str]] = {}
    noted: list[Row] = []
    events = incident.facts.rows("operation_event")
    for row in sorted(events, key=lambda row: (row["occurred_at"], str(row["target"]))):
        if row["operation_id"] not in reviewed or row["outcome"] == "failure":
            continue
        if row["is_irreversible"] and row["source_id"] in incident.facts.notes:
            noted.append(row)
        elif row["is_irreversible"]:
            targets = done.setdefault(str(row["action"]), [])
            target = str(row["target"] or "a target not on record")
            if target not in targets:
                targets.append(target)
    told = [f"{action} of {_kind(incident.facts, found)}" for action, found in done.items()]
    return told + [_noted(incident.facts, row, board) for row in noted]


def _noted(facts: CaseFacts, event: Row, board: bool) -> str:
    """An action that a person notes, with the words of the note."""
    target = str(event["target"] or "a target not on record")
    found = facts.ask(
        "select message from maintenance_event where "
        f"source_id = {int(event['source_id'])} and record_no = {int(event['record_no'])}"
    )
    words = next((row["message"] for row in found if row["message"]), None)
    said = f": “{cut(str(words), 120)}”" if board and words else ""
    return f"{event['action']}, as noted, on {_kind(facts, [target])}{said}"


def _kind(facts: CaseFacts, names: list[str]) -> str:
    """Assets by name, with what the register calls them where it calls all of them the same."""
    known = {str(row["asset_id"]): row["kind"] for row in facts.rows("known_asset")}
    kinds = {known.get(name) for name in names}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is None:
        return some(names)
    return f"{plural(len(names), str(kind))} ({some(names)})" if names[1:] else f"{kind} {names[0]}"


def named_by_the_page(facts: CaseFacts) -> str:
    """The regions and components that the page shows as impaired, in a sentence; else empty."""
    rows = [
        row
        for row in facts.rows("status_region")
        if row["kind"] == "incident" and row["component_status"] not in (None, "operational")
    ]
    regions = sorted({row["region"] for row in rows if row["region"]})
    components = sorted({row["component"] for row in rows})
    told = [
        f"{word if len(names) == 1 else word + 's'} {listed(names)}"
        for word, names in (("region", regions), ("component", components))
        if 0 < len(names) <= 8
    ]
    return f"The status page showed as impaired the {' and the '.join(told)}" if told else ""


_GRADES = (
    "operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage"
)  # fmt: skip


def _worst(facts: CaseFacts) -> str:
    """The gravest state in which the page showed a component."""
    worst = max(
        (
            _GRADES.index(row["component_status"])
            for row in facts.rows("status_region")
            if row["kind"] == "incident" and row["component_status"] in _GRADES
        ),
        default=0,
    )
    return f", at worst as {_GRADES[worst].replace('_', ' ')}" if worst else ""


def _course(facts: CaseFacts, incident: Row) -> str:
    """When the page called it resolved, and whether and where it took that back."""
    told = [
        f"called it resolved on {facts.date(called)}, took it up again on {facts.date(again)}"
        f"{_where_at(facts, again)}"
        for called, again in taken_back(facts, incident)
    ]
    if incident["resolved_at"] is not None:
        told.append(f"called it resolved on {facts.date(incident['resolved_at'])}")
    return f" The page {listed(told)}." if told else ""


def _where_at(facts: CaseFacts, at: datetime) -> str:
    """The regions that a post shows as impaired, where they are not all that the page names."""
    rows = [row for row in facts.rows("status_region") if row["region"]]
    named = {
        row["region"]
        for row in rows
        if row["posted_at"] == at and row["component_status"] not in (None, "operational")
    }
    return f" for {some(sorted(named))}" if named and named < {r["region"] for r in rows} else ""


def taken_back(facts: CaseFacts, incident: Row) -> list[tuple[datetime, datetime]]:
    """When the page called an incident resolved, and when it took it up again."""
    posts = sorted(
        (
            row
            for row in facts.rows("status_update")
            if row["incident_id"] == incident["incident_id"] and row["posted_at"] is not None
        ),
        key=lambda row: (row["posted_at"], row["source_id"], row["record_no"]),
    )
    return [
        (before["posted_at"], after["posted_at"])
        for before, after in pairwise(posts)
        if before["state"] == "resolved" and after["state"] not in ("resolved", "postmortem")
    ]


def _where_by_the_page(facts: CaseFacts) -> str:
    """The regions that the page shows as impaired."""
    regions = sorted(
        {
            str(row["region"])
            for row in facts.rows("status_region")
            if row["kind"] == "incident"
            and row["region"]
            and row["component_status"] not in (None, "operational")
        }
    )
    return f" in {some(regions)}" if regions else ""


def _never(facts: CaseFacts) -> str:
    """How far from degraded the machines stayed."""
    if not facts.count("protection_gap"):
        machines = facts.ask("select count(distinct asset_id) as n from replication_run")[0]["n"]
        return (
            f"no gap in recovery points is on record for {_any_of(machines)} with telemetry"
            f"{_unmeasured(facts)}"
        )
    return (
        "the share of machines without a current recovery point never reached "
        f"{percent(facts.policy('degraded_share'))}, from which they count as degraded"
    )


def _any_of(count: int) -> str:
    return "the one machine" if count == 1 else f"any of the {number(count)} machines"


def _unmeasured(facts: CaseFacts) -> str:
    """How many machines of the register have no telemetry, where there are some."""
    known = [row for row in facts.rows("known_asset") if row["kind"] == "machine"]
    if not known:
        return ""
    seen = {row["asset_id"] for row in facts.ask("select distinct asset_id from replication_run")}
    without = sum(row["asset_id"] not in seen for row in known)
    if not without:
        return ", all that the register knows, between its first record and its last"
    return f" ({number(without)} more in the register {be(without, 'has', 'have')} none)"


def of_known(count: int, known: int) -> str:
    """So many partners, out of how many that the register knows."""
    if count >= known:
        return (
            f"all {number(known)} partners in the register"
            if known > 1
            else "the one partner in the register"
        )
    return f"{number(count)} of the {plural(known, 'partner')} in the register"


def _work(incident: Incident, board: bool) -> str:
    """The operations on record, by name where there is only one, and how many of them deviate."""
    count = len(incident.operations)
    if not count:
        return "No operation is on record."
    differing = {row["operation_id"] for row in incident.exceptions} & set(incident.operations)
    open_ = sum(row["status"] == "undetermined" for row in incident.findings)
    undecided = f", and {plural(open_, 'test')} did not decide" if open_ else ""
    if count == 1:
        (operation,) = incident.operations.values()
        return (
            f"One operation is on record: {_named(incident, operation, board)}. Tests found "
            f"{'deviations' if differing else 'no deviation'} in it{undecided}."
        )
    return (
        f"{plural(count, 'operation')} are on record; tests found deviations in "
        f"{number(len(differing)) if differing else 'none'}{undecided}."
    )


def _named(incident: Incident, operation: Row, board: bool) -> str:
    """An operation with what it was, when it was carried out and how it was closed."""
    facts = incident.facts
    told = incident.operation_name(operation["operation_id"])
    what = (board and operation.get("title")) or operation["kind"]
    if what:
        told += f" ({what})"
    if operation["started_at"] is not None:
        told += (
            f", carried out {facts.stretch(operation['started_at'], operation['ended_at'])}"
            if operation["ended_at"] is not None
            else f", begun at {facts.when(operation['started_at'])}"
        )
    if operation["closed_at"] is not None and operation["outcome"] not in (None, "unknown"):
        told += f", closed as {operation['outcome']}"
    return told


def _during(incident: Incident, board: bool) -> str:
    """Which operation was under way, as far as the record tells."""
    operation, onset = incident.operation, incident.onset
    assert onset is not None
    if operation is None:
        return (
            "The evidence ties no operation to it"
            if incident.operations
            else "Operations are on record, but none that could be compared with it"
            if incident.facts.count("maintenance_event")
            else "Whether work was being carried out is not known: no log of maintenance is among "
            "the evidence"
        )
    running = [
        row
        for row in incident.reviewed
        if row["started_at"] is not None
        and row["ended_at"] is not None
        and row["started_at"] <= onset["onset_hi"]
        and row["ended_at"] >= onset["onset_lo"]
    ]
    when = "At the time" if running else "Near the time"
    concerned = running or incident.reviewed
    if any(row["change_id"] is None for row in concerned):
        return f"{when}, work was being carried out {unregistered(incident.facts)}"
    if not board:
        return f"{when}, planned maintenance was being carried out"
    named = [
        f"the registered change {row['change_id']}"
        + (f" ({row['title']})" if row.get("title") else "")
        for row in concerned
    ]
    return f"{when}, {listed(named)} {be(len(named), 'was', 'were')} being carried out"


def unregistered(facts: CaseFacts) -> str:
    """What can be said of work without a change: an absent register shows of none that it lacks."""
    return (
        "under no registered change"
        if facts.count("change")
        else "(no register of changes is among the evidence, so whether it was a registered one is "
        "not known)"
    )


def _days(facts: CaseFacts, lo: datetime, hi: datetime) -> str:
    first, last = facts.date(lo), facts.date(hi)
    return first if first == last else f"{first} or {last}"


# -- how sure ----------------------------------------------------------------------------------


def certainty(incident: Incident, board: bool) -> Iterable[Block]:
    """What ties an operation to the onset, how far that goes, and what it leaves open."""
    onset = incident.onset
    if onset is None:
        yield Paragraph(
            "The record of replication shows no onset, so no operation is weighed against one."
            if incident.facts.has_telemetry
            else "Nothing that was measured is among the evidence, so that whether there was an "
            "onset, and what preceded it, cannot be told.",
            query="onset, trigger_candidate",
        )
        return
    if board:
        yield Paragraph(_tie(incident), query="trigger_candidate")
    else:
        for told in in_short(incident, board=False):
            yield Paragraph(told, query="trigger_candidate")
    if board and incident.trigger is None:
        yield from _shared(incident)
    yield from _supposed(incident.facts, onset)
    order = _order(incident)
    contradicted = [row for row in incident.exceptions if row["rule"] == "EQ-05"]
    if contradicted:
        about = list(dict.fromkeys(str(row["subject"]) for row in contradicted))
        order += (
            f" {plural(len(contradicted), 'claim')} of those tested {be(len(contradicted))} "
            "contradicted "
            f"by other records{f' (EQ-05), on {some(about)}' if board else ''}."
        )
    if order:
        yield Paragraph(order.strip(), query="operation_event, onset, finding")
    for row in incident.exceptions:
        if board and row["rule"] == "EQ-02":
            yield Paragraph(
                f"{row['reason']} Times of its records stand as recorded (EQ-02).", query="finding"
            )


def _supposed(facts: CaseFacts, onset: Row) -> Iterable[Block]:
    """What the interval of the onset supposes, and what holds without it."""
    if onset["bounds_lo"] == onset["onset_lo"] and onset["bounds_hi"] == onset["onset_hi"]:
        return
    yield Paragraph(
        "The interval of the onset supposes that machines whose bounds agree fell within a short "
        "time of each other. By the bounds of each machine alone, which suppose nothing, the onset "
        f"lies {facts.between(onset['bounds_lo'], onset['bounds_hi'])}.",
        query="onset",
    )


def _tie(incident: Incident) -> Text:
    candidates = incident.candidates()
    best = next((row for row in candidates if row["rank"] == 1), None)
    none = next((row for row in candidates if row["rank"] == 0), None)
    if best is None:
        return _no_step(incident.facts)
    under = incident.operation_name(best["operation_id"])
    step = f"{best['action']} of {best['target']} under {under}"
    parts: list[Inline] = (
        [
            "Of the steps on record none stands out: the scores of ",
            _steps([best, *incident.rivals]),
            " differ by less than 1, so that they hardly set one apart. ",
            _within(candidates, incident.onset),
        ]
        if incident.rivals
        else [
            "Of all steps on record, ",
            Strong(step),
            f" {_fit(candidates, best)}",
            f"{_by_region(incident, best) or f': {_counted(best)}'}. ",
        ]
    )
    parts += [
        _chance(best, none is not None),
        " A rank is no proof, and several conditions can have had a part; whether the one led to "
        "the other is for the review board to judge: ",
        Ref("candidates", "trigger"),
        ".",
    ]
    return tuple(parts)


def in_short(incident: Incident, *, board: bool) -> Iterable[str]:
    """What is on record of what preceded the onset, in plain words; nothing without an onset."""
    if incident.onset is None:
        return
    candidates = incident.candidates()
    best = next((row for row in candidates if row["rank"] == 1), None)
    if best is None:
        told = _no_step(incident.facts)
    elif incident.rivals:
        which = f": {_steps([best, *incident.rivals])}" if board else ""
        told = (
            f"{_within(candidates, incident.onset)}Several steps on record go about equally well "
            f"with it, by time and by which machines fell{which}. Which of them led to it, if any, "
            "this does not decide."
        )
    else:
        none = any(row["rank"] == 0 for row in candidates)
        told = f"{_best_in_short(candidates, best)} {_by_chance(best, none)}"
    shared = _shared_words(incident) if board and incident.trigger is None else ()
    yield " ".join([told, *shared])


def _best_in_short(candidates: list[Row], best: Row) -> str:
    better = max((row for row in candidates if row["rank"]), key=_bare)
    if _bare(better) > _bare(best) and better["event"] != best["event"]:
        return (
            f"Of all steps on record {_steps([best])} is ranked first, since it cannot be undone; "
            f"{_steps([better])} goes no less well with it by time and by which machines fell. "
            "That either led to it is not proved."
        )
    by = (
        "by time and by which machines fell"
        if (best["topology_term"] or 0) >= 0.05
        else "by time alone"
    )
    return (
        f"Of all steps on record {_steps([best])} goes best with it, {by}. That it led to it is "
        "not proved."
    )


def _by_chance(row: Row, none: bool) -> str:
    if row["p_value"] is None:
        return "How often chance gives as good a match is not known."
    limit = "; by the limit of 5 % no step stands out" if none else ""
    return (
        f"By chance alone some step would match as well with a probability of "
        f"{percent(row['p_value'])}{limit}."
    )


def _no_step(facts: CaseFacts) -> str:
    return (
        "No step of an operation is on record that could be compared with the onset."
        if facts.count("maintenance_event")
        else "No log of maintenance is among the evidence, so whether a step preceded it is not "
        "known."
    )


def _by_region(incident: Incident, best: Row) -> str:
    """The first step of each region, where several steps of one operation come first in one."""
    found = [
        row
        for row in incident.facts.rows("trigger_candidate")
        if row["scope_kind"] == "region"
        and row["rank"] == 1
        and row["operation_id"] == best["operation_id"]
    ]
    if len({row["event"] for row in found}) < 2:
        return ""
    told = [
        f"{row['scope']}, {row['action']} of {row['target']}: "
        f"{_counted(row).replace(_CAN_HAVE, '')}{trigger.alone(incident.facts, row, board=True)}"
        for row in found
    ]
    return (
        ". By region, of the machines that depend on the target of the step that ranks first, so "
        f"many can have fallen within the interval of the onset: {'; '.join(sorted(told))}. Others "
        "are the further machines of the region, and those of other regions that were in no gap "
        "then"
    )


def _fit(candidates: list[Row], best: Row) -> str:
    """What speaks for the first step. Where that it cannot be undone alone puts it first, another
    goes better with the onset, and it is named."""
    speaks = (best["topology_term"] or 0) >= 0.05
    alike = "speaks for the first too"
    better = max((row for row in candidates if row["rank"]), key=_bare)
    if _bare(better) > _bare(best) and better["event"] != best["event"]:
        told = (
            "ranks first, since a step that cannot be undone has more weight in the score; without "
            f"that weight, {_steps([better])} would. Which machines fell "
        )
        if round((better["topology_term"] or 0) - (best["topology_term"] or 0), 1) == 0:
            alike = "speaks as much for the one as for the other"
        return told + (alike if speaks else "does not speak for the first")
    return (
        "goes best with the onset by time and by which machines fell"
        if speaks
        else "goes best with the onset by time alone; which machines fell does not speak for it"
    )


def _bare(row: Row) -> float:
    """The score of a candidate by time and by which machines fell, whatever kind of step it is."""
    return (row["time_term"] or 0) + (row["topology_term"] or 0)


def _within(candidates: list[Row], onset: Row | None) -> str:
    """The steps that lie in the interval of the onset itself."""
    if onset is None:
        return ""
    inside = [
        row
        for row in candidates
        if row["rank"]
        and row["occurred_at"] is not None
        and onset["onset_lo"] <= row["occurred_at"] <= onset["onset_hi"]
    ]
    if not inside:
        return ""
    return (
        f"In the interval of the onset itself {be(len(inside), 'lies', 'lie')} {_steps(inside)}. "
    )


def _shared(incident: Incident) -> Iterable[Block]:
    """The one target of all machines that fell, where no operation tells more, and what their
    jobs reported of it."""
    for told in _shared_words(incident):
        yield Paragraph(told, query="shared_target")


def _shared_words(incident: Incident) -> Iterable[str]:
    one = incident.shared_target
    if one is None:
        return
    others = one["others_here"]
    told = (
        f"All {number(one['struck'])} machines that fell replicate to {one['target_asset']}; of "
        f"the others, {number(others) if others else 'none'} {be(others or 1, 'does', 'do')}."
    )
    if one["error"]:
        told += (
            f" In {number(one['error_gaps'])} of {plural(one['gaps'], 'gap')} their jobs report "
            f"“{cut(one['error'], 120)}”. This is quoted; why it was so is not on record."
        )
    struck = [
        row for row in incident.facts.rows("machine_impact") if row["onset_relation"] == "struck"
    ]
    still = sum(bool(row["open"]) for row in struck)
    if 0 < still < len(struck):
        told += (
            f" {number(len(struck) - still)} of them copy to it again; for {number(still)} the gap "
            "is open when the record ends."
        )
    yield told


def _steps(rows: list[Row]) -> str:
    return some([f"{row['action']} of {row['target'] or 'a target not on record'}" for row in rows])


_CAN_HAVE = " machines that depend on its target can have fallen within the interval of the onset"


def _counted(row: Row) -> str:
    """What the explanation says of machines, without the time and the p-value around it."""
    said = [part.strip() for part in str(row["explanation"]).rstrip(".").split(";")]
    kept = [part for part in said[1:] if not re.match(r"p =|(?:a )?ranking only|without", part)]
    return "; ".join(kept) or str(row["explanation"])


def _chance(row: Row, none: bool) -> str:
    n, p = row["placebos"] or 0, row["p_value"]
    if p is None and not n:
        return (
            "No comparable moment is on record to say how often chance gives as good a match: this "
            "is a ranking only."
        )
    if p is None:
        return (
            f"With {plural(n, 'comparable moment')} on record there are too few to say how often "
            "chance gives as good a match: this is a ranking only."
        )
    told = (
        f"Compared with {number(n)} moments without an onset and corrected for the scopes tested, "
        "chance would give as good a match with a probability of "
        f"{percent(p)} (p = {number(p, 3)})."
    )
    return told + (" By the limit of 5 % no step explains the onset beyond chance." if none else "")


def _order(incident: Incident) -> str:
    """Whether the order of the irreversible events and the onset is established."""
    onset, trigger = incident.onset, incident.trigger
    if onset is None or trigger is None or incident.rivals:
        return ""
    name = f"{trigger['action']} of {trigger['target']}"
    when = incident.facts.when(trigger["occurred_at"])
    if onset["onset_lo"] and trigger["occurred_hi"] < onset["onset_lo"]:
        return f"The {name} at {when} came before the earliest time of the onset."
    if onset["onset_hi"] and trigger["occurred_lo"] > onset["onset_hi"]:
        return f"The {name} at {when} came after the latest time of the onset."
    width = onset["onset_hi"] - onset["onset_lo"]
    wide = f", which is {span(width, 'most')} wide," if width > timedelta(seconds=1) else ""
    return (
        f"The {name} at {when} lies in the interval of the onset{wide} so time alone does not "
        "decide which came first."
    )
