"""The key figures of a report, each with its uncertainty and what it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from toolkit.report import impact, opening, page
from toolkit.report.facts import CaseFacts, Pointer, Row
from toolkit.report.incident import Incident
from toolkit.report.model import Source, Text
from toolkit.report.words import (
    SECOND,
    be,
    cut,
    listed,
    number,
    percent,
    plural,
    rounded_up,
    size,
    some,
    span,
    spans,
)


def of(incident: Incident, *, board: bool) -> tuple[tuple[str, Text], ...]:
    """Label and value of each key figure, with its uncertainty and what it rests on."""
    return tuple(
        (label, (value, Source(source))) for label, value, source in _figures(incident, board)
    )


def _figures(incident: Incident, board: bool) -> Iterable[tuple[str, str, str]]:
    facts, onset = incident.facts, incident.onset
    if onset is not None:
        yield "Began", _began(facts, onset), "onset"
        yield "Lasted", _lasted(facts, onset), "onset"
        yield from _other_gaps(facts, onset)
        if board:
            yield from _first_alert(incident)
    yield from _irreversible(incident, board)
    machines = facts.rows("machine_impact")
    if machines:
        yield from _of_machines(facts, machines, board)
    yield from _gone(facts)
    if board and onset is not None:
        yield from _errors(facts)
        yield from _why_lost(facts)
    if onset is not None and incident.trigger is None:
        yield from _in_common(incident, board)
    forecast = latest_forecast(facts.rows("recovery_forecast"))
    if forecast is not None:
        yield (
            "Forecast of the end",
            f"for {plural(forecast['remaining'], 'machine')}, {days_of(facts, forecast)}, from "
            "the daily throughput alone" + _slowest(facts, forecast),
            "recovery_forecast",
        )
    yield from _of_page(incident)
    yield from _promises(facts)
    if board and incident.reviewed:
        names = {row["operation_id"] for row in incident.reviewed}
        own = [row for row in incident.exceptions if row["operation_id"] in names]
        counts = Counter(row["operation_id"] for row in own)
        told = [
            f"{number(counts[name]) if counts[name] else 'none found'} in "
            f"{incident.operation_name(name)}"
            for name in sorted(names)
        ]
        claims = sum(row["rule"] == "EQ-05" for row in incident.exceptions)
        apart = f"; {plural(claims, 'contradicted claim')} counted apart" if claims else ""
        yield "Deviations", listed(told) + _usual(own) + apart, "finding"
    if board and onset is not None:
        yield from _open_before(facts, onset)


def _irreversible(incident: Incident, board: bool) -> Iterable[tuple[str, str, str]]:
    """What the operations under review did that cannot be undone."""
    done = opening.irreversible(incident, board=board)
    if done:
        # Without a procedure that says so, the policy goes by the name of the action.
        stated = all(row["procedure"] for row in incident.reviewed)
        basis = (
            " (marked so by the procedure)"
            if stated
            else " (by the kind of action; no procedure is tied to the work)"
        )
        yield "Cannot be undone", "; ".join(done) + basis, "operation_event"


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
    told = _clocked(facts, lo, hi) if lo is not None and hi is not None else facts.between(lo, hi)
    estimate = f"; best estimate {facts.clock(best)}" if best is not None and lo != hi else ""
    return told + estimate


def _clocked(facts: CaseFacts, lo: datetime, hi: datetime) -> str:
    """An interval within one day by the clock alone, since a sentence beside it names the day."""
    late = rounded_up(hi, SECOND)
    if facts.clock(lo) == facts.clock(hi) or facts.date(lo) != facts.date(late):
        return facts.between(lo, hi)
    return f"between {facts.clock(lo)} and {facts.clock(late)} {facts.zone_at(lo)}"


def _lasted(facts: CaseFacts, onset: Row) -> str:
    """From the best estimate of the onset until the share of machines fell below again."""
    began, ended = onset["onset_at"], onset["ended_at"]
    share = percent(facts.policy("degraded_share"))
    if ended is not None:
        return (
            f"{span(ended - began)}, until {facts.when(ended)}, when the share of machines without "
            f"a current recovery point fell below {share} again"
        )
    last = max((row["record_ends_at"] for row in facts.rows("protection_gap")), default=began)
    return (
        f"{span(last - began)} when the record of replication ends; by then the share of machines "
        f"without a current recovery point was not below {share} again"
    )


def _gone(facts: CaseFacts) -> Iterable[tuple[str, str, str]]:
    told = gone(facts)
    if told:
        yield "Recovery points gone", f"from later listings: {told}", "delisted_copy"


def gone(facts: CaseFacts) -> str:
    """Recovery points that later listings of their repositories do not name, by repository."""
    told = [
        f"{number(len(rows))} of {number(rows[0]['listed'])} recovery points of {machine} in "
        f"{target}"
        for (machine, target), rows in sorted(impact.delisted(facts).items())
    ]
    return some(told) if told else ""


def _other_gaps(facts: CaseFacts, onset: Row) -> Iterable[tuple[str, str, str]]:
    """Gaps in the window that ended before the onset, or began when its episode was over."""
    rows = [
        row
        for row in facts.rows("machine_gap")
        if facts.in_window(row["started_hi"], row["ended_at"])
        and (
            row["ended_at"] <= onset["onset_lo"]
            or (onset["ended_at"] and (row["started_lo"] or row["started_hi"]) >= onset["ended_at"])
        )
    ]
    if not rows:
        return
    window = " in the window" if facts.window_start or facts.window_end else ""
    machines = len({row["asset_id"] for row in rows})
    open_ = sum(row["open"] for row in rows)
    if len(rows) == 1:
        (row,) = rows
        lo, hi = row["started_lo"], row["started_hi"]
        days = {facts.date(at) for at in (onset["onset_at"], lo or hi, hi, row["ended_at"])}
        short = lo is not None and len(days) == 1
        began = _clocked(facts, lo, hi) if short else facts.between(lo, hi)
        ended = facts.clock(row["ended_at"]) if short else facts.when(row["ended_at"])
        told = f"1{window}, begun {began}, " + (
            "open when its record ends" if open_ else f"ended {ended}"
        )
    else:
        first = min(row["started_hi"] for row in rows)
        last = max(row["ended_at"] for row in rows)
        told = (
            f"{number(len(rows))}{window}, of {plural(machines, 'machine')}, the first begun by "
            f"{facts.by(first)}, "
            + (
                f"{number(open_)} of them open at the end of the record"
                if open_
                else f"the last ended {facts.day(last)}"
            )
        )
    yield "Gaps before or after it", told, "machine_gap"


def _first_alert(incident: Incident) -> Iterable[tuple[str, str, str]]:
    """When the first alert on what affected machines depended on fired, and was acknowledged."""
    phase = incident.phase("detection", "all")
    if phase is None or incident.onset is None:
        return
    pointer = Pointer.read(str(phase["evidence"] or ""))
    alert = next(
        (
            row
            for row in incident.facts.rows("alert")
            if pointer == Pointer(row["source_id"], row["record_no"])
        ),
        None,
    )
    if alert is None:
        return
    after = span(alert["fired_at"] - incident.onset["onset_at"])
    lo, hi = incident.onset["onset_lo"], incident.onset["onset_hi"]
    inside = ", inside of its interval" if lo <= alert["fired_at"] <= hi and lo < hi else ""
    told = f"{after} after the best estimate of the onset{inside}. {phase['basis']}"
    yield "First alert", told, "incident_phase"


def _errors(facts: CaseFacts) -> Iterable[tuple[str, str, str]]:
    """What the jobs of the machines that fell report most often as the error of their gaps."""
    struck = {
        row["asset_id"] for row in facts.rows("machine_impact") if row["onset_relation"] == "struck"
    }
    machines: dict[str, set[str]] = {}
    for row in facts.rows("protection_gap"):
        if row["error"] and row["asset_id"] in struck:
            machines.setdefault(str(row["error"]), set()).add(row["asset_id"])
    if machines:
        error = min(machines, key=lambda told: (-len(machines[told]), told))
        yield (
            "What jobs report",
            f"“{cut(error, 120)}” for {number(len(machines[error]))} of "
            f"{plural(len(struck), 'machine')} that fell, as first error of their gaps",
            "protection_gap",
        )


def _why_lost(facts: CaseFacts) -> Iterable[tuple[str, str, str]]:
    """What the seeds and relinks of machines recorded as lost report most often."""
    lost = [row for row in facts.rows("machine_impact") if row["recovery_class"] == "lost"]
    if not lost:
        return
    found = facts.ask(
        "select error, count(distinct asset_id) as machines from replication_run "
        "where job_kind in ('seed', 'relink') and error is not null and asset_id in "
        "(select asset_id from machine_impact where recovery_class = 'lost') "
        "group by error order by machines desc, error limit 1"
    )
    for row in found:
        yield (
            "Recorded as lost",
            f"“{cut(str(row['error']), 120)}” in a seed or relink of {number(row['machines'])} of "
            f"{plural(len(lost), 'machine')}",
            "replication_run",
        )


def _in_common(incident: Incident, board: bool) -> Iterable[tuple[str, str, str]]:
    """The one target of all machines that fell, with what their jobs reported of it."""
    row = incident.shared_target
    if row is not None:
        said = f"; their jobs report “{cut(row['error'], 100)}”" if row["error"] and board else ""
        target = row["target_asset"] if board else "one and the same target"
        yield (
            "In common",
            f"all {number(row['struck'])} that fell replicate to {target}{said}",
            "shared_target",
        )


def _open_before(facts: CaseFacts, onset: Row) -> Iterable[tuple[str, str, str]]:
    """Actions of earlier incidents that were past due and open when it began."""
    began = onset["onset_lo"] or onset["onset_at"]
    rows = [
        row
        for row in facts.rows("action_item")
        if row["due_at"] is not None
        and row["due_at"] < began
        and (row["closed_at"] is None or row["closed_at"] > began)
    ]
    if rows:
        names = [str(row["title"] or row["item_id"]) for row in rows]
        yield (
            "Open from before",
            f"{plural(len(rows), 'action')} of earlier incidents {be(len(rows), 'was', 'were')} "
            f"past due when it began: {some(names)}",
            "action_item",
        )


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
    blocked = [row for row in machines if row.get("failover_blocked_hours") is not None]
    hours = sum(row["failover_blocked_hours"] for row in blocked)
    if hours:
        rest = len(machines) - len(blocked)
        yield (
            "Could not fail over",
            f"{number(sum(row['failover_blocked_hours'] > 0 for row in blocked))} machines, "
            f"{number(round(hours))} hours in all, by the states on record"
            + (f"; of {number(rest)} it is not known" if rest else ""),
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


def days_of(facts: CaseFacts, forecast: Row) -> str:
    """The days between which 8 of 10 simulated recoveries end."""
    return f"{_first(facts, forecast)} to {_late(facts, forecast)} in 8 of 10 simulated recoveries"


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
    return (
        ", if capacity that one region frees passes to the others; if not, up to "
        f"{_without_year(_late(facts, last), _late(facts, whole))} in {last['scope']}"
    )


def _first(facts: CaseFacts, forecast: Row) -> str:
    """The day of the earliest tenth; its year only where the latest tenth lies in another."""
    return _without_year(facts.date(forecast["p10_at"]), _late(facts, forecast))


def _without_year(day: str, other: str) -> str:
    """A day beside another one, which has told the year where it is the same."""
    return day[:-5] if day[-5:] == other[-5:] and day[-4:].isdigit() else day


def _late(facts: CaseFacts, forecast: Row) -> str:
    at = forecast["p90_at"]
    return facts.date(at) if at is not None else "a day beyond ten years"


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
        f"{page.claimed(row)} ({row['scope']})"
        for row in rows
        if row["metric"] == "over_claim" and row["value_hi"] != 0 and row["scope"] != "all"
    ]
    if over:
        yield (
            "Page showed operational",
            "while degraded: " + listed(over),
            "communication",
        )


def _promises(facts: CaseFacts) -> Iterable[tuple[str, str, str]]:
    """How many promises of a next update were kept."""
    found = Counter(str(row["verdict"]) for row in facts.rows("status_promise"))
    if found:
        told = [
            f"{number(found[verdict])} {words}"
            for verdict, words in (
                ("kept", "kept"), ("broken", "not kept"), ("undetermined", "not decided"),
                ("pending", "not due yet"),
            )
            if found[verdict]
        ]  # fmt: skip
        yield "Promises of an update", listed(told), "status_promise"


def _from_to(row: Row) -> str:
    lo, hi = row["value_lo"], row["value_hi"]
    if lo is None or hi is None or hi - lo < 1:
        return ""
    return f" ({spans(lo * 60, hi * 60)})"
