"""The first words of a report: one sentence, the key figures, and how sure they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from toolkit.report import impact
from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import Incident
from toolkit.report.model import Block, Inline, Paragraph, Ref, Source, Strong, Text
from toolkit.report.words import be, cut, listed, number, percent, plural, size, some, span

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def sentence(incident: Incident, *, board: bool) -> Text:
    """What happened in words that need no other page."""
    facts, onset = incident.facts, incident.onset
    if onset is None and not facts.has_telemetry:
        posted = [row for row in facts.rows("status_incident") if row["kind"] == "incident"]
        if posted:
            first = min(posted, key=lambda row: (row["first_posted_at"], row["evidence"]))
            more = f" and {plural(len(posted) - 1, 'further incident')}" if posted[1:] else ""
            return (
                f"From {_date(facts, first['first_posted_at'])}, ",
                Strong(f"the status page tells of “{first['title'] or first['incident_id']}”"),
                f"{more}. No replication telemetry is among the evidence, so it does not show "
                "whether and when replication was impaired.",
            )
    if onset is None:
        return (
            "No impairment of replication is on record: the share of machines without a current "
            f"recovery point never reached {percent(facts.policy('degraded_share'))}, from which "
            f"they count as degraded.{_work(incident, board)}"
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
    more = f" at the onset, and for {number(later)} more while it lasted" if later > 0 else ""
    whose = f", of {plural(len(partners), 'partner')}" if partners else ""
    still = [row for row in machines if row["open"]]
    lost = sum(row["recovery_class"] == "lost" for row in still)
    rest = (
        f" When the record ends, {plural(len(still), 'machine')} {be(len(still))} without a "
        f"current recovery point{f', {number(lost)} of them recorded as lost' if lost else ''}."
        if still and machines
        else ""
    )
    return (
        f"On {_days(facts, onset['onset_lo'], onset['onset_hi'])}, ",
        Strong(
            f"replication stood still for {number(count)} of "
            f"{plural(onset['population'], 'machine')}{where}"
        ),
        f"{whose}{more}, {_during(incident, board)}.{rest}",
    )


def _work(incident: Incident, board: bool) -> str:
    """The operations on record, by name where there is only one, and how many of them deviate."""
    count = len(incident.operations)
    if not count:
        return " No operation is on record."
    differing = {row["operation_id"] for row in incident.exceptions} & set(incident.operations)
    open_ = sum(row["status"] == "undetermined" for row in incident.findings)
    undecided = f", and {plural(open_, 'test')} did not decide" if open_ else ""
    if count == 1:
        (operation,) = incident.operations.values()
        return (
            f" One operation is on record: {_named(incident, operation, board)}. Tests found "
            f"{'deviations' if differing else 'no deviation'} in it{undecided}."
        )
    return (
        f" {plural(count, 'operation')} are on record; tests found deviations in "
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
            f", carried out {facts.between(operation['started_at'], operation['ended_at'])}"
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
            "and the evidence ties no operation to it"
            if incident.operations
            else "and no operation is on record that could be compared with it"
        )
    began, ended = operation["started_at"], operation["ended_at"]
    known = began is not None and ended is not None
    running = known and began <= onset["onset_hi"] and ended >= onset["onset_lo"]
    when = "while" if running else "near the time when"
    if operation["change_id"]:
        name = f"the registered change {operation['change_id']}" if board else "planned maintenance"
        title = f" ({operation['title']})" if board and operation.get("title") else ""
        return f"{when} {name}{title} was being carried out"
    return f"{when} work under no registered change was being carried out"


def _days(facts: CaseFacts, lo: datetime, hi: datetime) -> str:
    first, last = _date(facts, lo), _date(facts, hi)
    return first if first == last else f"{first} or {last}"


def _date(facts: CaseFacts, at: datetime) -> str:
    local = at.astimezone(facts.zone)
    return f"{local.day} {MONTHS[local.month - 1]} {local.year}"


def _clock(facts: CaseFacts, at: datetime) -> str:
    return f"{at.astimezone(facts.zone):%H:%M:%S}"


# -- key figures -------------------------------------------------------------------------------


def figures(incident: Incident, *, board: bool) -> tuple[tuple[str, Text], ...]:
    """Label and value of each key figure, with its uncertainty and what it rests on."""
    return tuple(
        (label, (value, Source(source))) for label, value, source in _figures(incident, board)
    )


def _figures(incident: Incident, board: bool) -> Iterable[tuple[str, str, str]]:
    facts, onset = incident.facts, incident.onset
    if onset is not None:
        yield "Began", _began(facts, onset), "onset"
    yield from _irreversible(incident)
    machines = facts.rows("machine_impact")
    if machines:
        yield from _of_machines(facts, machines, board)
    forecast = latest_forecast(facts.rows("recovery_forecast"))
    if forecast is not None:
        yield (
            "Forecast of the end",
            f"{_first(facts, forecast)} to {_late(facts, forecast)} in 8 of 10 draws, for "
            f"{plural(forecast['remaining'], 'machine')}" + _slowest(facts, forecast),
            "recovery_forecast",
        )
    yield from _of_page(incident)
    if board and incident.reviewed:
        names = {row["operation_id"] for row in incident.reviewed}
        own = [row for row in incident.exceptions if row["operation_id"] in names]
        yield (
            "Deviations",
            f"{number(len(own))} in "
            f"{listed([incident.operation_name(name) for name in sorted(names)])}" + _usual(own),
            "finding",
        )


def _irreversible(incident: Incident) -> Iterable[tuple[str, str, str]]:
    """What the operation under review did that cannot be undone."""
    operation = incident.operation
    if operation is None:
        return
    done: dict[str, list[str]] = {}
    events = incident.facts.rows("operation_event")
    for row in sorted(events, key=lambda row: (row["occurred_at"], str(row["target"]))):
        if row["operation_id"] != operation["operation_id"] or row["outcome"] == "failure":
            continue
        if row["is_irreversible"]:
            targets = done.setdefault(str(row["action"]), [])
            target = str(row["target"] or "a target not on record")
            if target not in targets:
                targets.append(target)
    if done:
        told = [
            f"{action} of {_kind(incident.facts, found)}{some(found)}"
            for action, found in done.items()
        ]
        # Without a procedure that says so, the policy goes by the name of the action.
        basis = "" if operation["procedure"] else " (by the kind of action; no procedure says so)"
        yield "Cannot be undone", "; ".join(told) + basis, "operation_event"


def _kind(facts: CaseFacts, names: list[str]) -> str:
    """What the register calls these assets, where it calls all of them the same."""
    known = {str(row["asset_id"]): row["kind"] for row in facts.rows("known_asset")}
    kinds = {known.get(name) for name in names}
    kind = kinds.pop() if len(kinds) == 1 else None
    return f"{plural(len(names), str(kind))}: " if kind else ""


def _usual(rows: list[Row]) -> str:
    """How many of the deviations earlier operations that went well show too."""
    compared = [row for row in rows if row["base_rate_n"]]
    usual = sum(bool(row["base_rate_k"]) for row in compared)
    if not compared:
        return "; nothing earlier to compare with"
    return (
        f"; {number(usual) if usual else 'none'} of {number(len(compared))} comparable ones also "
        "in earlier work that went well"
    )


def _began(facts: CaseFacts, onset: Row) -> str:
    lo, hi, best = onset["onset_lo"], onset["onset_hi"], onset["onset_at"]
    told = facts.between(lo, hi)
    if lo is not None and hi is not None and _date(facts, lo) == _date(facts, hi) and lo != hi:
        told = f"between {_clock(facts, lo)} and {_clock(facts, hi)} {facts.zone_at(lo)}"
    estimate = f"; best estimate {_clock(facts, best)}" if best is not None and lo != hi else ""
    return told + estimate


def _of_machines(
    facts: CaseFacts, machines: list[Row], board: bool
) -> Iterable[tuple[str, str, str]]:
    struck = sum(row["onset_relation"] == "struck" for row in machines)
    others = len(machines) - struck
    apart = (
        f"; {number(others)} more {be(others, 'has', 'have')} a gap that no record ties to it: "
        f"{number(len(machines))} in all"
        if struck and others
        else ""
    )
    yield (
        "Machines",
        f"{number(struck)} fell with the onset{apart}" if struck else number(len(machines)),
        "machine_impact",
    )
    regions = [
        f"{row['region'] or 'not stated'} {number(row['machines_impacted'])} of "
        f"{number(row['machines'])}"
        for row in facts.rows("region_impact")
        if row["machines_impacted"]
    ]
    # The summary for partners prints the table of regions beside these figures.
    if board and regions and any(row["region"] for row in facts.rows("region_impact")):
        yield "With a gap, by region", listed(regions), "region_impact"
    known = [row["data_at_risk_bytes"] for row in machines if row["data_at_risk_bytes"] is not None]
    part = "" if len(known) == len(machines) else f", known for {number(len(known))} of them"
    yield (
        "Data at risk",
        f"{size(sum(known))} protected by these machines{part}; at risk, not the same as lost"
        if known
        else "how much is not on record",
        "machine_impact",
    )
    states = Counter(impact.state(row) for row in machines)
    told = [f"{number(states[key])} {word}" for key, word in impact.CLASSES.items() if states[key]]
    yield "At the end of the record", listed(told), "machine_impact"


def latest_forecast(rows: list[Row]) -> Row | None:
    """The latest forecast of the whole, where there is one."""
    whole = [row for row in rows if row["scope_kind"] == "all"]
    last = max(whole, key=lambda row: row["as_of_at"], default=None)
    return last if last is not None and last["p50_at"] is not None and last["remaining"] else None


def _slowest(facts: CaseFacts, whole: Row) -> str:
    """The region whose own forecast ends last, where that is after the forecast of the whole.

    The whole supposes that capacity passes from one region to another; the part does not.
    """
    end = datetime.max.replace(tzinfo=UTC)
    parts = [
        row
        for row in facts.rows("recovery_forecast")
        if row["as_of_at"] == whole["as_of_at"]
        and row["scope_kind"] == "region"
        and row["p50_at"] is not None
        and (row["p90_at"] or end) > (whole["p90_at"] or end)
    ]
    if not parts:
        return ""
    last = max(parts, key=lambda row: (row["p90_at"] or end, str(row["scope"])))
    return f"; {last['scope']} alone up to {_without_year(_late(facts, last), _late(facts, whole))}"


def _first(facts: CaseFacts, forecast: Row) -> str:
    """The day of the earliest tenth; its year only where the latest tenth lies in another."""
    return _without_year(_date(facts, forecast["p10_at"]), _late(facts, forecast))


def _without_year(day: str, other: str) -> str:
    """A day beside another one, which has told the year where it is the same."""
    return day[:-5] if day[-5:] == other[-5:] and day[-4:].isdigit() else day


def _late(facts: CaseFacts, forecast: Row) -> str:
    at = forecast["p90_at"]
    return _date(facts, at) if at is not None else "a day beyond ten years"


def _of_page(incident: Incident) -> Iterable[tuple[str, str, str]]:
    facts = incident.facts
    rows = facts.rows("communication")
    first = next(
        (r for r in rows if r["metric"] == "time_to_first_post" and r["scope"] == "all"), None
    )
    if first is not None and first["value"] is not None:
        yield (
            "First public post",
            f"{span(first['value'] * 60)} after the onset"
            + _from_to(first)
            + f"; limit {facts.policy('status_first_post_minutes')} min",
            "communication",
        )
    over = [
        f"{span(row['value'] * 60)} ({row['scope']})"
        for row in rows
        if row["metric"] == "over_claim" and row["value"] and row["scope"] != "all"
    ]
    if over:
        yield (
            "Page showed operational",
            "while degraded, for " + listed(over),
            "communication",
        )


def _from_to(row: Row) -> str:
    lo, hi = row["value_lo"], row["value_hi"]
    if lo is None or hi is None or hi - lo < 1:
        return ""
    return f" (between {span(lo * 60)} and {span(hi * 60)})"


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
    yield Paragraph(_tie(incident, board), query="trigger_candidate")
    if board and incident.trigger is None:
        yield from _shared(incident)
    order = _order(incident)
    contradicted = [row for row in incident.exceptions if row["rule"] == "EQ-05"]
    if contradicted:
        order += (
            f" {plural(len(contradicted), 'claim')} on record {be(len(contradicted))} contradicted "
            "by other records (EQ-05)."
        )
    if order:
        yield Paragraph(order.strip(), query="operation_event, onset, finding")


def _tie(incident: Incident, board: bool) -> Text:
    candidates = incident.candidates()
    best = next((row for row in candidates if row["rank"] == 1), None)
    none = next((row for row in candidates if row["rank"] == 0), None)
    if best is None:
        return "No step of an operation is on record that could be compared with the onset."
    under = f" under {incident.operation_name(best['operation_id'])}" if board else ""
    step = f"{best['action']} of {best['target']}{under}"
    alike, near = _alike(candidates, best), _near(candidates, best)
    close = bool(alike or near)
    parts: list[Inline] = [
        *(
            ("Of the steps on record none stands out. By a narrow margin, ", step)
            if close
            else ("Of all steps on record, ", Strong(step))
        ),
        f" {_fit(candidates, best)}: {_counted(best)}. ",
        alike,
        near,
        _within(candidates, best, incident.onset) if close else "",
        _chance(best, none is not None),
        " A rank is no proof, and several conditions can have had a part; whether the one led to "
        "the other is for the review board to judge",
    ]
    parts += [" (", Ref("candidates", "trigger"), ")."] if board else ["."]
    return tuple(parts)


def _fit(candidates: list[Row], best: Row) -> str:
    """What speaks for the first step. Where that it cannot be undone alone puts it first, another
    goes better with the onset, and it is named."""
    speaks = (best["topology_term"] or 0) >= 0.05
    better = max((row for row in candidates if row["rank"]), key=_bare)
    if _bare(better) > _bare(best):
        told = (
            "ranks first, since a step that cannot be undone has more weight in the score; without "
            f"that weight, {_steps([better])} would. Which machines fell "
        )
        return told + ("speaks for the first too" if speaks else "does not speak for the first")
    return (
        "goes best with the onset by time and by which machines fell"
        if speaks
        else "goes best with the onset by time alone; which machines fell does not speak for it"
    )


def _bare(row: Row) -> float:
    """The score of a candidate by time and by which machines fell, whatever kind of step it is."""
    return round((row["time_term"] or 0) + (row["topology_term"] or 0), 1)


def _within(candidates: list[Row], best: Row, onset: Row | None) -> str:
    """The other steps that lie in the interval of the onset itself."""
    if onset is None:
        return ""
    inside = [
        row
        for row in candidates
        if row["rank"] > 1
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
    rows = incident.facts.rows("shared_target")
    one = next((row for row in rows if 1 < row["struck"] == row["struck_here"]), None)
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
    yield Paragraph(told, query="shared_target")


def _alike(candidates: list[Row], best: Row) -> str:
    """The steps that the printed score does not tell from the first."""
    alike = [
        row
        for row in candidates
        if row["rank"] > 1 and round(row["score"], 1) == round(best["score"], 1)
    ]
    return f"As good by score: {_steps(alike)}. " if alike else ""


def _steps(rows: list[Row]) -> str:
    return some([f"{row['action']} of {row['target'] or 'a target not on record'}" for row in rows])


def _near(candidates: list[Row], best: Row) -> str:
    """The further steps that score so little less that the first is hardly set apart.

    The score is a log-likelihood ratio: within 1 of the first, a step is less than e times (2.7)
    less likely.
    """
    near = [
        row
        for row in candidates
        if row["rank"] > 1
        and round(row["score"], 1) != round(best["score"], 1)
        and best["score"] - row["score"] < 1
    ]
    if not near:
        return ""
    count = len(near)
    return (
        f"{plural(count, 'further step')} {'scores' if count == 1 else 'score'} within 1 of it, "
        f"so that the score hardly sets it apart: {_steps(near)}. "
    )


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
        f"Compared with {number(n)} moments without an onset, chance would give as good a match "
        f"in a share of {percent(p)} (p = {number(p, 3)})."
    )
    return told + (" By the limit of 5 % no step explains the onset beyond chance." if none else "")


def _order(incident: Incident) -> str:
    """Whether the order of the irreversible events and the onset is established."""
    onset, trigger = incident.onset, incident.trigger
    if onset is None or trigger is None:
        return ""
    name = f"{trigger['action']} of {trigger['target']}"
    when = incident.facts.when(trigger["occurred_at"])
    if onset["onset_lo"] and trigger["occurred_hi"] < onset["onset_lo"]:
        return f"The {name} at {when} came before the earliest time of the onset."
    if onset["onset_hi"] and trigger["occurred_lo"] > onset["onset_hi"]:
        return f"The {name} at {when} came after the latest time of the onset."
    width = onset["onset_hi"] - onset["onset_lo"]
    wide = f", which is {span(width)} wide," if width > timedelta(seconds=1) else ""
    return (
        f"The {name} at {when} lies in the interval of the onset{wide} so time alone does not "
        "decide which came first."
    )
