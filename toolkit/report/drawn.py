"""The pictures of a case: each function reads relations and gives a figure, or None.

None means that the relations hold nothing to draw. No function reads samples: what it draws has
been reduced before, so that it costs the same for a thousand samples and for a billion.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from toolkit.report.facts import CaseFacts, Pointer, Row
from toolkit.report.incident import Incident
from toolkit.report.model import (
    Barrier,
    Barriers,
    BlastRadius,
    BurnDown,
    Figure,
    HeatMap,
    Node,
    Panel,
    SmallMultiples,
)
from toolkit.report.words import be, capital, listed, number, percent, plural, some


def present(*figures: Figure | None) -> list[Figure]:
    """Those that there is anything to draw of."""
    return [figure for figure in figures if figure is not None]


# -- protection by region and day --------------------------------------------------------------


def heat_map(facts: CaseFacts) -> Figure | None:
    """The share of each region's machines that had a gap on each day of the record."""
    machines = {str(row["region"]): row["machines"] for row in facts.rows("region_impact")}
    gaps = [
        row
        for row in facts.rows("protection_gap")
        if row["started_hi"] is not None and str(row["region"]) in machines
    ]
    span = _recorded(facts, gaps)
    if span is None or span[1] - span[0] < timedelta(days=2):
        return None  # a day or two are no course
    days = tuple(span[0] + timedelta(days=n) for n in range((span[1] - span[0]).days + 1))
    touched: dict[str, Counter[date]] = {region: Counter() for region in machines}
    for (region, _), found in _days_of_machines(facts, gaps).items():
        touched[region].update(day for day in found if span[0] <= day <= span[1])
    rows = tuple(
        (_named(region), tuple(touched[region][day] / machines[region] for day in days))
        for region in sorted(machines)
        if machines[region]
    )
    if not rows:
        return None
    return Figure(
        "Share of the machines of each region that had a gap in protection, by day.",
        f"One row per region from {days[0]} to {days[-1]}. {_worst(rows, days)}",
        HeatMap(days, rows, "machines that had a gap in protection at some time of the day"),
        "protection_gap, region_impact",
    )


def _named(region: str) -> str:
    return "not stated" if region == "None" else region


def _recorded(facts: CaseFacts, gaps: list[Row]) -> tuple[date, date] | None:
    """First and last day of the record that the gaps come from, within the window."""
    if not gaps:
        return None
    cited = {
        pointer.source_id
        for row in gaps
        for text in row["evidence"] or ()
        if (pointer := Pointer.read(text)) is not None
    }
    starts = [
        source["first_at"]
        for name, source in facts.sources.items()
        if name in cited and source["first_at"] is not None
    ]
    start = min([*starts, *(row["started_hi"] for row in gaps)])
    end = max(row["record_ends_at"] for row in gaps)
    start = max(start, facts.window_start) if facts.window_start else start
    end = min(end, facts.window_end - timedelta(microseconds=1)) if facts.window_end else end
    first, last = start.astimezone(facts.zone).date(), end.astimezone(facts.zone).date()
    return (first, last) if first <= last else None


def _days_of_machines(facts: CaseFacts, gaps: list[Row]) -> dict[tuple[str, str], set[date]]:
    """The days on which each machine had a gap, by region and machine."""
    found: dict[tuple[str, str], set[date]] = defaultdict(set)
    for row in gaps:
        day = row["started_hi"].astimezone(facts.zone).date()
        last = (row["ended_at"] or row["record_ends_at"]).astimezone(facts.zone).date()
        days = found[str(row["region"]), str(row["asset_id"])]
        while day <= last:
            days.add(day)
            day += timedelta(days=1)
    return found


def _worst(rows: Iterable[tuple[str, tuple[float | None, ...]]], days: tuple[date, ...]) -> str:
    told = []
    for region, shares in rows:
        share, day = max(
            ((share or 0.0, day) for share, day in zip(shares, days, strict=True)),
            key=lambda pair: (pair[0], -pair[1].toordinal()),
        )
        told.append(f"{region} at most {percent(share)}, first on {day}" if share else
                    f"{region} none")  # fmt: skip
    return "; ".join(told) + "."


# -- blast radius ------------------------------------------------------------------------------


def blast_radius(incident: Incident) -> Figure | None:
    """What irreversible events of the operations under review hit, and what depended on it then.

    Without an irreversible event, the targets of the events that the record puts before the
    onset stand first.
    """
    facts = incident.facts
    roots, state = _roots(incident)
    links: dict[str, list[Row]] = defaultdict(list)
    for row in facts.rows("dependency"):
        links[row["to_asset"]].append(row)
    levels: dict[str, int] = dict.fromkeys(roots, 0)
    edges: set[tuple[str, str, str]] = set()
    front = sorted(roots.items())
    while front:
        beyond: dict[str, datetime] = {}
        for name, at in front:
            for row in links[name]:
                if not _valid(row, at):
                    continue
                source = row["from_asset"]
                edges.add((source, name, str(row["relation"] or "depends_on")))
                if source not in levels:
                    levels[source] = levels[name] + 1
                    beyond[source] = at
        front = sorted(beyond.items())
    if len(levels) == len(roots):
        return None
    states = _states(facts) | dict.fromkeys(roots, state)
    nodes, drawn = _grouped(facts, levels, edges, states)
    return Figure(
        "What was acted on, and what depended on it, directly and through others.",
        _blast_in_words(levels, states),
        BlastRadius(nodes, drawn),
        "operation_event, dependency, machine_impact, protection_copy",
    )


def _roots(incident: Incident) -> tuple[dict[str, datetime], str]:
    names = {row["operation_id"] for row in incident.reviewed}
    events = [
        row
        for row in incident.facts.rows("operation_event")
        if row["operation_id"] in names and row["is_irreversible"] and row["outcome"] != "failure"
    ]
    roots: dict[str, datetime] = {}
    for row in events or incident.triggers:
        if row["target"] and row["occurred_at"] is not None:
            roots.setdefault(str(row["target"]), row["occurred_at"])
    return roots, "cannot_be_undone" if events else "acted_on"


def _valid(link: Row, at: datetime) -> bool:
    since, until = link["valid_from"], link["valid_to"]
    return (since is None or since <= at) and (until is None or at < until)


def _states(facts: CaseFacts) -> dict[str, str]:
    """Whether each measured machine was affected; what is not measured has no entry, nor what
    had no current copy when its record ended, since no gap can begin after that."""
    states = {
        str(row["asset_id"]): "no_gap_on_record"
        for row in facts.rows("protection_copy")
        if row["as_of"] == "today" and row["is_current"]
    }
    for row in facts.rows("machine_impact"):
        states[str(row["asset_id"])] = "affected"
    return states


def _grouped(
    facts: CaseFacts,
    levels: dict[str, int],
    edges: set[tuple[str, str, str]],
    states: dict[str, str],
) -> tuple[tuple[Node, ...], tuple[tuple[str, str, str], ...]]:
    """Assets of one kind and state that depend on the same things by the same links are one."""
    kinds = {str(row["asset_id"]): str(row["kind"] or "asset") for row in facts.rows("known_asset")}
    below: dict[str, set[tuple[str, str]]] = defaultdict(set)
    above: set[str] = set()
    for source, target, relation in edges:
        below[source].add((target, relation))
        above.add(target)
    groups: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for name, level in levels.items():
        alone = name if level == 0 or name in above else ""
        groups[
            level, states.get(name, "unknown"), kinds.get(name, "asset"),
            tuple(sorted(below[name])) if level else (), alone,
        ].append(name)  # fmt: skip
    members: dict[str, str] = {}
    nodes = []
    for (_, state, kind, _, _), names in groups.items():
        first = min(names)
        members |= dict.fromkeys(names, first)
        text = first if len(names) == 1 else plural(len(names), str(kind))
        nodes.append(Node(first, text, levels[first], str(state), len(names)))
    nodes.sort(key=lambda node: (node.level, -node.count, node.id))
    drawn = {
        (members[source], members[target], relation)
        for source, target, relation in edges
        if levels[source] > 0
    }
    return tuple(nodes), tuple(sorted(drawn))


def _blast_in_words(levels: dict[str, int], states: dict[str, str]) -> str:
    roots = sorted(name for name, level in levels.items() if level == 0)
    named = listed(roots) if len(roots) <= 6 else plural(len(roots), "asset")
    told = [f"Acted on: {named}."]
    for level in range(1, max(levels.values()) + 1):
        counts = Counter(
            states.get(name, "unknown") for name, found in levels.items() if found == level
        )
        parts = [
            f"{number(count)} {state.replace('_', ' ')}" for state, count in sorted(counts.items())
        ]
        how = "directly" if level == 1 else f"through {plural(level - 1, 'other')}"
        told.append(f"Depending on it {how}: {plural(counts.total(), 'asset')}, {listed(parts)}.")
    return (
        f"{' '.join(told)} Affected: it had a gap in protection, with the onset or apart from it; "
        "no gap on record: and a current copy when the record ends; unknown: nothing on record "
        "measures it, or what does ends without a current copy."
    )


# -- barriers ----------------------------------------------------------------------------------

# Rule, name of the check that it tests, and what an exception to it shows of the check.
_CHECKS = (
    ("CF-11", "Independent approval", "absent"),
    ("CF-13", "Approval in time", "late"),
    ("CF-04", "Target named in the change", "absent"),
    ("CF-02", "Order of the steps", "absent"),
    ("CF-07", "Pre-check", "absent"),
    ("CF-08", "Backup tested", "absent"),
    ("CF-05", "Another healthy copy", "absent"),
    ("CF-06", "No live use of the target", "absent"),
    ("CF-16", "Guards of the tool", "overridden"),
    ("CF-24", "Second person at the step", "absent"),
    ("CF-17", "Alerts not silenced", "overridden"),
    ("CF-18", "Alerts answered", "late"),
    ("CF-26", "Verification afterwards", "absent"),
)
_SHOWN = {"ok": "held", "undetermined": "undetermined", "not_run": "not_run"}


def barriers(incident: Incident) -> Figure | None:
    """Which checks stood between the operation under review and harm, by what its tests found."""
    operation = incident.operation
    if operation is None or len(incident.reviewed) > 1:
        return None  # no arrow leads from one of several that go as well with the onset
    found = [
        Barrier(name, _SHOWN.get(row["status"], differs), str(row["reason"]))
        for rule, name, differs in _CHECKS
        if (row := _test(incident, rule, operation["operation_id"])) is not None
    ]
    if not found:
        return None
    name = incident.operation_name(operation["operation_id"])
    counts = Counter(barrier.state for barrier in found)
    told = [f"{number(count)} {state.replace('_', ' ')}" for state, count in sorted(counts.items())]
    named = "; ".join(f"{barrier.name}: {barrier.state.replace('_', ' ')}" for barrier in found)
    return Figure(
        "Checks between the operation and harm, and what the record shows of each.",
        f"{plural(len(found), 'check')} of {name}: {listed(told)}. {named}.",
        Barriers(_step(incident, name), tuple(found), _outcome(incident)),
        "finding, operation_event, onset",
    )


def _test(incident: Incident, rule: str, operation_id: str) -> Row | None:
    """The result of a rule for an operation, or that it could not run; nothing where it does not
    apply."""
    order = ("exception", "undetermined", "ok")
    rows = [
        row
        for row in incident.findings
        if row["rule"] == rule
        and (
            (row["operation_id"] == operation_id and row["status"] in order)
            or row["status"] == "not_run"
        )
    ]
    return min(
        rows,
        key=lambda row: (*order, "not_run").index(row["status"]),
        default=None,
    )


def _step(incident: Incident, name: str) -> str:
    event = incident.trigger
    if event is None:
        return capital(name)
    first = min(
        (row for row in incident.triggers if row["operation_id"] == event["operation_id"]),
        key=lambda row: row["occurred_at"],
    )
    targets = sorted(
        {
            str(row["target"])
            for row in incident.triggers
            if row["operation_id"] == event["operation_id"] and row["target"]
        }
    )
    of = f" of {some(targets)}" if targets else ""
    return (
        f"{capital(name)}: {event['action']}{of}, from {incident.facts.when(first['occurred_at'])}"
    )


def _outcome(incident: Incident) -> str:
    onset = incident.onset
    if onset is None or onset["affected"] is None:
        return "What followed is not on record"
    fell = sum(row["onset_relation"] == "struck" for row in incident.facts.rows("machine_impact"))
    count = fell or onset["affected"]
    of = f" of {number(onset['population'])}" if onset["population"] else ""
    return (
        f"{number(count)}{of} {be(onset['population'] or count, 'machine', 'machines')} "
        f"{'fell with the onset of their region' if fell else 'degraded'}; the onset of the whole "
        "lies "
        f"{incident.facts.between(onset['onset_lo'], onset['onset_hi'])}"
    )


# -- burn-down ---------------------------------------------------------------------------------


def burn_down(facts: CaseFacts) -> Figure | None:
    """How many struck machines remained at the end of each day, and the latest forecast."""
    remaining: Counter[date] = Counter()
    lost: Counter[date] = Counter()
    for row in facts.rows("recovery_progress"):
        remaining[row["day"]] += row["remaining"]
        lost[row["day"]] += row["lost_total"]
    if len(set(remaining.values())) < 2:
        return None  # one figure is no course
    steps = tuple((_end_of(day), remaining[day]) for day in sorted(remaining))
    start, end = steps[0][0], steps[-1][0]
    forecast = max(
        (
            row
            for row in facts.rows("recovery_forecast")
            if row["scope_kind"] == "all" and row["p50_at"] is not None
        ),
        key=lambda row: row["as_of_at"],
        default=None,
    )
    told = (
        f"{plural(steps[0][1], 'machine')} at the end of {steps[0][0].date()}, "
        f"{number(steps[-1][1])} at the end of {end.date()}"
    )
    left = lost[max(lost)]
    told += f"; {number(left)} recorded as lost {be(left)} left out." if left else "."
    as_of = early = middle = late = None
    if forecast is not None:
        as_of = forecast["as_of_at"]
        early, middle, late = forecast["p10_at"], forecast["p50_at"], forecast["p90_at"]
        # A late end far off would press the record into a corner.
        furthest = max(at for at in (early, middle, late) if at is not None)
        end = max(end, min(furthest + timedelta(days=1), end + (end - start)))
        told += (
            f" As of {as_of.date()} the machines that are being seeded are done by "
            f"{facts.day(early)} (10 %), {facts.day(middle)} (50 %), {facts.day(late)} (90 %)."
        )
    return Figure(
        "Machines that remain to be recovered."
        if forecast is None
        else "Machines that remain to be recovered, and when the forecast sees the last one done. "
        "Lines of the forecast only join its points.",
        told,
        BurnDown(start, end, steps, "Machines that remain", as_of, early, middle, late),
        "recovery_progress" if forecast is None else "recovery_progress, recovery_forecast",
    )


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), UTC)


# -- lag and age -------------------------------------------------------------------------------

ROWS = 200_000  # of a profile; beyond, the relation is not read into memory
INSTANTS = 480


def lag_panels(facts: CaseFacts) -> Figure | None:
    """Lag of replication, else age of recovery points, on one scale per series or region."""
    return _lag(facts) or _age(facts) or _age_in_gaps(facts)


def _lag(facts: CaseFacts) -> Figure | None:
    if not 0 < facts.count("lag_profile") <= ROWS:
        return None
    series: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
    for row in facts.rows("lag_profile"):
        name = str(row["asset_id"])
        if row["series"] and row["series"] != row["asset_id"]:
            name += f": {row['series']}"
        series[name].append((row["started_at"], float(row["value"])))
    return _panels(
        facts, series, "lag, in the unit of the series", "Lag of replication, per series.",
        "lag_profile",
    )  # fmt: skip


def _age(facts: CaseFacts) -> Figure | None:
    if not 0 < facts.count("age_profile") <= ROWS:
        return None
    series: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
    jobs: dict[str, dict[int, str]] = defaultdict(dict)
    names: dict[str, set[str]] = defaultdict(set)
    for row in facts.rows("age_profile"):
        stale = f"{row['stale_at'].astimezone(facts.zone):%m-%d %H:%M:%S}"
        jobs[row["asset_id"]][row["job_no"]] = stale
        names[row["asset_id"]].add(_job(row))
    for row in facts.rows("age_profile"):
        name = str(row["asset_id"])
        times, several = jobs[name], len(names[name]) > 1
        if several:
            name += f", {_job(row)}"
        if len(times) > 1:
            stale = times[row["job_no"]]
            name += f": {stale[6:] if several else stale}"
            # Several jobs of a machine can become too old at once, as where it is cut off.
            alike = sorted(no for no, each in times.items() if each == stale)
            if len(alike) > 1 and not several:
                name += f", job {alike.index(row['job_no']) + 1} of {len(alike)}"
        series[name].append((row["sampled_at"], float(row["age_seconds"])))
    return _panels(
        facts, series, "age of the recovery point in seconds",
        "Age of recovery points of each job up to the first one that was too old, with its time, "
        "where samples before it tell of its rise.", "age_profile",
    )  # fmt: skip


def _job(row: Row) -> str:
    """What tells a job of a machine from its others."""
    named = [str(row[key]) for key in ("job_id", "target_asset") if row[key] is not None]
    return " to ".join(named) if named else "unnamed job"


def _age_in_gaps(facts: CaseFacts) -> Figure | None:
    """Mean age of the last recovery point of a region's machines; none in a gap counts as zero."""
    machines = {str(row["region"]): row["machines"] for row in facts.rows("region_impact")}
    stretches: dict[str, list[tuple[datetime, datetime, datetime]]] = defaultdict(list)
    for (region, _), found in _stale(facts).items():
        if machines.get(region):
            stretches[region] += found
    known = [part for found in stretches.values() for part in found]
    if not known:
        return None
    start, end = min(part[0] for part in known), max(part[1] for part in known)
    start = max(start, facts.window_start) if facts.window_start else start
    end = min(end, facts.window_end) if facts.window_end else end
    if end <= start:
        return None
    instants = [start + n * (end - start) / INSTANTS for n in range(INSTANTS)]
    series = {
        _named(region): [(at, age / machines[region]) for at, age in _summed(found, instants)]
        for region, found in stretches.items()
    }
    return _panels(
        facts, series, "days since the last recovery point; a machine without a gap counts as 0",
        "How old the last recovery points were, mean over all machines of the region.",
        "protection_gap, region_impact",
    )  # fmt: skip


def _stale(
    facts: CaseFacts,
) -> dict[tuple[str, str], list[tuple[datetime, datetime, datetime]]]:
    """By region and machine: from when to when it was in a gap, and its last recovery point."""
    found: dict[tuple[str, str], list[tuple[datetime, datetime, datetime]]] = defaultdict(list)
    rows = [
        row
        for row in facts.rows("protection_gap")
        if row["started_hi"] is not None and row["last_good_at"] is not None
    ]
    for row in sorted(rows, key=lambda row: row["started_hi"]):
        parts = found[str(row["region"]), str(row["asset_id"])]
        begun, over = row["started_hi"], row["ended_at"] or row["record_ends_at"]
        good = row["last_good_at"]
        if parts and begun <= parts[-1][1]:  # another job of the machine; the older one counts
            last = parts.pop()
            begun, over, good = last[0], max(last[1], over), min(last[2], good)
        parts.append((begun, over, good))
    return found


def _summed(
    stretches: list[tuple[datetime, datetime, datetime]], instants: list[datetime]
) -> list[tuple[datetime, float]]:
    """The sum of the ages in days at each instant, in one pass over beginnings and ends."""
    turns = sorted(
        [(begun, 1, good) for begun, _, good in stretches]
        + [(over, -1, good) for _, over, good in stretches]
    )
    zero = instants[0]
    count, behind, n = 0, 0.0, 0
    found = []
    for at in instants:
        while n < len(turns) and turns[n][0] <= at:
            _, sign, good = turns[n]
            count += sign
            behind += sign * ((good - zero) / timedelta(days=1))
            n += 1
        found.append((at, max(0.0, count * ((at - zero) / timedelta(days=1)) - behind)))
    return found


def _panels(
    facts: CaseFacts,
    series: dict[str, list[tuple[datetime, float]]],
    unit: str,
    caption: str,
    query: str,
) -> Figure | None:
    """Panels by their highest value, each with the onset of the incident in it."""
    points = [at for found in series.values() for at, _ in found]
    if not points:
        return None
    start, end = min(points), max(points)
    onset = Incident(facts).onset
    marks: tuple[tuple[datetime, str], ...] = ()
    if onset is not None and start <= onset["onset_at"] <= end:
        marks = ((onset["onset_at"], "onset"),)
    highest = {name: max(value for _, value in found) for name, found in series.items()}
    order = sorted(series, key=lambda name: (-highest[name], name))
    told = "; ".join(f"{name} at most {number(round(highest[name], 2))}" for name in order[:12])
    return Figure(
        caption,
        f"{plural(len(order), 'panel')} from {facts.when(start)} to {facts.when(end)}, {unit}. "
        f"{told}.",
        SmallMultiples(
            start, end, tuple(Panel(name, tuple(series[name]), marks) for name in order), unit
        ),
        query,
    )
