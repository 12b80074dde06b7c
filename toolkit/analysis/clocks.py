"""Offsets of clocks, as intervals that probes, declarations and matched pairs allow.

An effect never precedes its cause. So where clock c dates a cause at t_c and clock e dates its
effect at t_e, the offsets (recorded less true time) keep to o_e - o_c <= t_e - t_c: a difference
constraint. A probe or a declaration bounds a clock against true time in the same way. The greatest
offset that all constraints together allow is the length of the shortest path from the reference,
and the least is that of the shortest path to it; a cycle of negative length is a set of pairs that
cannot all hold (a wrong match, a clock that was set or drifts, a wrong zone). Such a cycle is named
and left out, never averaged. Whole microseconds throughout, so that no sum depends on its order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from toolkit.analysis import Output, Step

if TYPE_CHECKING:
    from toolkit.store import Store

Clock = tuple[int, str]
"""A source and the host whose clock dates its records; `""` for the system that keeps it."""

TRUE_TIME: Clock = (0, "")


@dataclass(frozen=True, slots=True, order=True)
class Constraint:
    """The effect's clock is ahead of the cause's by at most `slack` microseconds; `why` says so."""

    cause: Clock
    effect: Clock
    slack: int
    why: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offset:
    """Offset of a clock in microseconds, relative to `reference`; None where nothing bounds it."""

    reference: Clock
    lo: int | None
    hi: int | None
    evidence: tuple[str, ...] = ()
    conflict: tuple[str, ...] = ()


def offsets(
    constraints: Iterable[Constraint], names: Mapping[Clock, str] | None = None
) -> dict[Clock, Offset]:
    """The offset of every clock that a constraint names.

    Clocks that no chain of constraints ties to true time are told relative to one of their own: the
    one with the most constraints, the first of these. A clock on an infeasible cycle has no bounds
    and gives none to others; `conflict` names every such cycle. `names` says how clocks are called
    there.
    """
    tightest: dict[tuple[Clock, Clock], Constraint] = {}
    for each in sorted(constraints):
        key = each.cause, each.effect
        if key not in tightest or each.slack < tightest[key].slack:
            tightest[key] = each
    conflicts: dict[Clock, list[str]] = defaultdict(list)
    for clocks in _connected(tightest):
        inside = {key: edge for key, edge in tightest.items() if key[0] in clocks}
        while cycle := _negative_cycle(clocks, inside.values()):
            text = _named(cycle, names or {})
            for edge in cycle:
                inside.pop((edge.cause, edge.effect))
                if edge.effect != TRUE_TIME:
                    conflicts[edge.effect].append(text)
    found = {
        clock: Offset(TRUE_TIME, None, None, conflict=tuple(sorted(texts)))
        for clock, texts in conflicts.items()
    }
    # A clock that contradicts itself may have been set meanwhile: it bounds no other clock.
    sound = {
        key: edge for key, edge in tightest.items() if not any(clock in conflicts for clock in key)
    }
    for clocks in _connected(sound):
        edges = [edge for key, edge in sound.items() if key[0] in clocks]
        known = Counter(clock for edge in edges for clock in (edge.cause, edge.effect))
        reference = min(clocks, key=lambda clock: (clock != TRUE_TIME, -known[clock], clock))
        ahead = _shortest(reference, edges)
        behind = _shortest(
            reference, [replace(edge, cause=edge.effect, effect=edge.cause) for edge in edges]
        )
        for clock in clocks:
            hi, above = ahead.get(clock, (None, ()))
            lo, below = behind.get(clock, (None, ()))
            cited = sorted({pointer for edge in (*above, *below) for pointer in edge.evidence})
            found[clock] = Offset(reference, None if lo is None else -lo, hi, tuple(cited))
    return dict(sorted(found.items()))


def _connected(edges: Iterable[tuple[Clock, Clock]]) -> list[list[Clock]]:
    """Clocks that are tied to one another, each group in order, the groups in order."""
    neighbours: dict[Clock, set[Clock]] = defaultdict(set)
    for one, other in edges:
        neighbours[one].add(other)
        neighbours[other].add(one)
    groups, seen = [], set[Clock]()
    for start in sorted(neighbours):
        if start in seen:
            continue
        group, pending = {start}, [start]
        while pending:
            for clock in neighbours[pending.pop()] - group:
                group.add(clock)
                pending.append(clock)
        seen |= group
        groups.append(sorted(group))
    return groups


_Path = tuple[Constraint, ...]


def _shortest(start: Clock, edges: Iterable[Constraint]) -> dict[Clock, tuple[int, _Path]]:
    """Length and edges of the shortest path to every clock that can be reached (Bellman-Ford)."""
    leaving: dict[Clock, list[Constraint]] = defaultdict(list)
    for edge in edges:
        leaving[edge.cause].append(edge)
    length, last = {start: 0}, dict[Clock, Constraint]()
    pending = [start]
    while pending:
        reached = set()
        for clock in pending:
            for edge in leaving[clock]:
                through = length[clock] + edge.slack
                if edge.effect not in length or through < length[edge.effect]:
                    length[edge.effect], last[edge.effect] = through, edge
                    reached.add(edge.effect)
        pending = sorted(reached)
    paths = {}
    for clock in length:
        path, at = [], clock
        while at != start:
            path.append(last[at])
            at = last[at].cause
        paths[clock] = length[clock], tuple(path)
    return paths


def _negative_cycle(clocks: Sequence[Clock], edges: Iterable[Constraint]) -> list[Constraint]:
    """A cycle whose slacks sum to less than nothing, from its first clock on; empty if none is."""
    length = dict.fromkeys(clocks, 0)
    last: dict[Clock, Constraint] = {}
    ordered = list(edges)
    for _ in clocks:
        changed = False
        for edge in ordered:
            if length[edge.cause] + edge.slack < length[edge.effect]:
                length[edge.effect] = length[edge.cause] + edge.slack
                last[edge.effect] = edge
                changed = True
        if not changed:
            return []
        if cycle := _cycle(last):
            return cycle
    return []


def _cycle(last: Mapping[Clock, Constraint]) -> list[Constraint]:
    """A cycle of edges in which every one is the last to have shortened the way to its clock."""
    done: set[Clock] = set()
    for start in last:
        at, way = start, dict[Clock, None]()
        while at in last and at not in done and at not in way:
            way[at] = None
            at = last[at].cause
        if at in way:
            cycle, end = [last[at]], last[at].cause
            while end != at:
                cycle.append(last[end])
                end = last[end].cause
            cycle.reverse()
            first = min(range(len(cycle)), key=lambda index: cycle[index].cause)
            return cycle[first:] + cycle[:first]
        done |= way.keys()
    return []


def _named(cycle: Sequence[Constraint], names: Mapping[Clock, str]) -> str:
    def name(clock: Clock) -> str:
        return names.get(clock) or " ".join(filter(None, (f"source {clock[0]}", clock[1])))

    way = " → ".join(name(clock) for clock in (cycle[0].cause, *(edge.effect for edge in cycle)))
    short = -sum(edge.slack for edge in cycle)
    return (
        f"{way}: {'; '.join(edge.why for edge in cycle if edge.why)} "
        f"cannot all hold, by {short / 1e6:.6f} s"
    )


# -- the step --------------------------------------------------------------------------------------

# A clock drifts, so a probe speaks of a source only near the time of its events.
_PROBES = """
with span as (
    select
        source_id,
        lower(trim(host)) as host,
        min(occurred_lo) - policy_hours('clock_probe_hours') as first_at,
        max(occurred_hi) + policy_hours('clock_probe_hours') as last_at
    from maintenance_event
    where host is not null
    group by all
)
select
    span.source_id,
    span.host,
    min(clock_probe.offset_ms) as lo,
    max(clock_probe.offset_ms) as hi,
    count(*) as probes,
    list(
        pointer(clock_probe.source_id, clock_probe.record_no)
        order by clock_probe.source_id, clock_probe.record_no
    ) as evidence
from span
inner join clock_probe
    on
        span.host = lower(trim(clock_probe.host))
        and clock_probe.probed_at between span.first_at and span.last_at
group by all
order by all
"""


def run(store: Store) -> Mapping[str, Sequence[Sequence[Any]]]:
    """Estimate the offset of every clock that the evidence says something about."""
    hosts = {
        (row["source_id"], row["host"])
        for row in store.rows(
            "select distinct source_id, lower(trim(host)) as host from maintenance_event "
            "where host is not null"
        )
    }
    sources = {row["source_id"]: row for row in store.rows("from source order by source_id")}
    # What the case declares has been taken off the times already; offsets are those of the files.
    declared = {
        number: _micros(row["clock_offset_seconds"] or 0) for number, row in sources.items()
    }
    constraints, stated = [], []
    for row in store.rows("from clock_pair order by all"):
        cause = row["cause_source_id"], row["cause_host"] or ""
        effect = row["effect_source_id"], row["effect_host"] or ""
        shift = declared.get(effect[0], 0) - declared.get(cause[0], 0)
        constraints.append(
            Constraint(
                cause,
                effect,
                _micros(row["slack_seconds"]) + shift,
                f"{row['kind'].replace('_', ' ')} {row['cause']} before {row['effect']}",
                (row["cause"], row["effect"]),
            )
        )
    paired = {clock for each in constraints for clock in (each.cause, each.effect)}
    for row in store.rows(_PROBES):
        lo, hi = round(row["lo"] * 1000), round(row["hi"] * 1000)
        clock = row["source_id"], row["host"]
        stated.append((clock, "probe", lo, hi, row["probes"], row["evidence"]))
    for number, offset in declared.items():
        if offset:
            clocks = sorted(clock for clock in hosts | paired if clock[0] == number)
            for clock in clocks or [(number, "")]:
                stated.append((clock, "declared", offset, offset, None, []))
    for clock, basis, lo, hi, _, evidence in stated:
        if clock in paired:
            why = f"{basis} offset of {lo / 1e6:g} to {hi / 1e6:g} s"
            cited = tuple(evidence)
            constraints.append(Constraint(TRUE_TIME, clock, hi, why, cited))
            constraints.append(Constraint(clock, TRUE_TIME, -lo, why, cited))

    names = {
        clock: " of ".join(filter(None, (clock[1], sources[clock[0]]["path"])))
        for clock in paired
        if clock[0] in sources
    } | {TRUE_TIME: "true time"}
    counts = {
        (row["source_id"], row["host"]): row["pairs"]
        for row in store.rows(
            "select source_id, coalesce(host, '') as host, sum(pairs)::bigint as pairs from ("
            "select cause_source_id as source_id, cause_host as host, pairs from clock_pair "
            "union all select effect_source_id, effect_host, pairs from clock_pair"
            ") group by all"
        )
    }
    rows = [
        _row(clock, basis, None, lo, hi, pairs, evidence, ())
        for clock, basis, lo, hi, pairs, evidence in stated
    ]
    for clock, found in offsets(constraints, names).items():
        if clock == TRUE_TIME:
            continue
        if clock == found.reference and not found.conflict:
            continue
        relative = names.get(found.reference) if found.reference != TRUE_TIME else None
        rows.append(
            _row(
                clock, "estimated", relative, found.lo, found.hi, counts.get(clock),
                found.evidence, found.conflict,
            )
        )  # fmt: skip
    return {"clock_offset": sorted(rows, key=lambda row: (row[0], row[1] or "", row[2]))}


def _row(
    clock: Clock,
    basis: str,
    relative_to: str | None,
    lo: int | None,
    hi: int | None,
    pairs: int | None,
    evidence: Sequence[str],
    conflict: Sequence[str],
) -> list[Any]:
    middle = None if lo is None or hi is None else (lo + hi) / 2e6
    return [
        clock[0],
        clock[1] or None,
        basis,
        relative_to,
        None if lo is None else lo / 1e6,
        None if hi is None else hi / 1e6,
        middle,
        pairs,
        list(evidence),
        " / ".join(conflict) or None,
    ]


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


STEP = Step(
    id="clocks",
    reads=("clock_pair", "clock_probe", "maintenance_event", "source"),
    writes={
        "clock_offset": Output(
            "Offsets of clocks",
            "One row per clock and basis; nothing is corrected by it, unless the case declares so.",
            {
                "source_id": ("usmallint", "Source whose times the clock dates."),
                "host": (
                    "varchar",
                    "Host whose clock it is; NULL for the system that keeps the source.",
                ),
                "basis": (
                    "varchar",
                    "`probe` (the clock was measured), `declared` (the case states the offset, and "
                    "times are corrected by it), `estimated` (what pairs, probes and declarations "
                    "allow together).",
                ),
                "relative_to": (
                    "varchar",
                    "The clock against which the offset is told; NULL for true time.",
                ),
                "lo_seconds": (
                    "double",
                    "Least offset (as in the file, less true time) that the evidence allows; NULL "
                    "where nothing bounds it.",
                ),
                "hi_seconds": ("double", "Greatest offset that the evidence allows."),
                "estimate_seconds": (
                    "double",
                    "Middle of the interval; it takes delays for equal in both directions.",
                ),
                "pairs": ("bigint", "Pairs, or probes, that speak of the clock."),
                "evidence": ("varchar[]", "Records that bound the offset."),
                "conflict": (
                    "varchar",
                    "Pairs that cannot all hold; the clock then has no bounds.",
                ),
            },
        )
    },
    run=run,
    policy=("clock_probe_hours",),
)
