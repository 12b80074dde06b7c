"""Which operation step, if any, is tied to an onset by time and by what depends on its target.

The score of a step is a sum of log-likelihood ratios against a step that has nothing to do with the
onset: `time_term` (the lag from step to onset, averaged over the interval of the onset),
`topology_term` (the scan statistic of Kulldorff 1997: whether machines that depend on the target
fell more often than all others on record, which include those of other regions that stood: where a
whole region fell, it holds nobody to compare with) and `action_term` (a step that can be undone is
less often a trigger). The score ranks; it proves nothing. How often a moment without any incident
would have given a score as high is counted on placebo onsets: the same onset moved to other days
and by up to two hours, on the same weekday or part of the week, inside or outside of a maintenance
window as the onset was. (Moments of its own day are among them, so that neighbours in time which
share a step do not count as many witnesses against chance.) It is corrected for the scopes tested
by the smallest p over all of them at each placebo (Westfall and Young 1993), since scopes that
overlap share their chances.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.analysis import Output, Step
from toolkit.store import Store

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ALPHA = 0.05
FEWEST_PLACEBOS = 39  # with fewer, twice the smallest p would exceed ALPHA
MOST_PLACEBOS = 999
WEEKS = 13  # of the same weekday, before other weekdays are left out
LISTED = 10  # candidates of a scope
TOPOLOGY_MAY_MISS = 0.05  # chance that the record of dependencies leaves out what matters
REVERSIBLE_WEIGHT = 0.2  # of a step that can be undone, beside one that cannot
DAY = 86400
OFFSETS = range(-7200, 7201, 1800)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Operation steps in order of time; instants in seconds since 1970."""

    rows: Sequence[Mapping[str, Any]]
    lo: Floats
    hi: Floats
    action_term: Floats
    targets: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class _Law:
    """Law of the lag from step to onset, in seconds: log-logistic of shape 1 with median `lag`,
    whose density falls from the first second on and has a heavy tail, cut off at `reach`."""

    lag: float
    reach: float


@dataclass(frozen=True, slots=True)
class _Fleet:
    """Machines with telemetry, where they stand, what they depend on, and how each fell."""

    machines: Sequence[str]
    regions: Sequence[str | None]
    sites: Sequence[str | None]
    gaps: Mapping[str, Sequence[tuple[float, float, float]]]
    reach: Mapping[str, Sequence[tuple[str, float, float]]]  # target → machine, valid from, to
    eras: Mapping[str, Sequence[float]]  # target → instants at which its reach changes
    known: frozenset[str]
    components: Mapping[str, frozenset[str]]  # component → regions


@dataclass(frozen=True, slots=True)
class _Onset:
    """One onset, and the score of every step as if its lag counted for nothing."""

    row: Mapping[str, Any]
    lo: float
    hi: float
    ended: float
    fallen: int
    universe: int
    topology_term: Floats  # NaN where nothing is on record about the target
    topology_score: Floats  # the same, 0 where nothing is on record
    inside: NDArray[np.int64]  # what depends on it: fell, fell or stood, was down before


def run(store: Store) -> Mapping[str, Sequence[Sequence[Any]]]:
    """Rank the steps before every main onset; rows by scope and rank."""
    steps, fleet = _steps(store), _fleet(store)
    windows = store.rows(
        "select epoch(window_start) as a, epoch(window_end) as b from change "
        "where window_start is not null and window_end is not null order by all"
    )
    planned = np.array([[row["a"], row["b"]] for row in windows]).reshape(-1, 2)
    onsets = [
        _onset(row, steps, fleet)
        for row in store.rows("select * from onset where main order by scope_kind, scope")
    ]
    law = _Law(
        60 * _policy(store, "trigger_lag_minutes"), 3600 * _policy(store, "trigger_window_hours")
    )
    best = [
        {shift: _best(onset, steps, law, shift) for shift in _placebos(onset, steps, planned)}
        for onset in onsets
    ]
    rows: list[list[Any]] = []
    smallest = _smallest(best, [_best(onset, steps, law, 0) for onset in onsets])
    for onset, placebo in zip(onsets, best, strict=True):
        rows += _rows(onset, steps, law, placebo, smallest)
    return {"trigger_candidate": rows}


def _policy(store: Store, key: str) -> float:
    return float(store.value("select value from policy where key = ?", [key]))


# -- what is on record -----------------------------------------------------------------------------


def _steps(store: Store) -> _Steps:
    rows = store.rows("""
        with canonical as (
            select alias, min(canonical) as canonical from alias where kind = 'asset' group by alias
        )
        select operation_id, change_id, evidence as event, occurred_at, step, action, target,
            coalesce(canonical.canonical, operation_event.target) as asset, is_irreversible,
            epoch(occurred_lo) as lo, epoch(occurred_hi) as hi
        from operation_event
        left join canonical on operation_event.target = canonical.alias
        where not coalesce(is_read_only, false) and coalesce(step_kind, '') <> 'approve'
            and occurred_at is not null
        order by occurred_lo, occurred_hi, source_id, record_no
    """)
    weight = {True: 1.0, False: REVERSIBLE_WEIGHT, None: REVERSIBLE_WEIGHT**0.5}
    return _Steps(
        rows,
        np.array([row["lo"] for row in rows], dtype=np.float64),
        np.array([row["hi"] for row in rows], dtype=np.float64),
        np.log([weight[row["is_irreversible"]] for row in rows]),
        [row["asset"] for row in rows],
    )


def _fleet(store: Store) -> _Fleet:
    machines = store.rows("""
        with telemetry as (
            select asset_id from replication_run where job_kind = 'replicate'
            union select asset_id from lag_profile
        )
        select asset_id, region, site from telemetry left join known_asset using (asset_id)
        order by asset_id
    """)
    gaps: dict[str, list[tuple[float, float, float]]] = {}
    for row in store.rows("""
        select asset_id, epoch(started_lo) as lo, epoch(started_hi) as hi,
            epoch(ended_at) as ended
        from machine_fall order by asset_id, started_hi, started_lo
    """):
        gaps.setdefault(row["asset_id"], []).append((row["lo"], row["hi"], row["ended"]))
    reach: dict[str, list[tuple[str, float, float]]] = {}
    known = {row["asset_id"] for row in machines}
    for row in store.rows("""
        select from_asset, to_asset, epoch(valid_from) as a, epoch(valid_to) as b
        from dependency_reach order by from_asset, to_asset, valid_from
    """):
        known |= {row["from_asset"], row["to_asset"]}
        reach.setdefault(row["to_asset"], []).append(
            (
                row["from_asset"],
                -np.inf if row["a"] is None else row["a"],
                np.inf if row["b"] is None else row["b"],
            )
        )
    components: dict[str, set[str]] = {}
    for row in store.rows("""
        select component, region from component_region
        union select component, region from status_component where region is not null
        order by all
    """):
        components.setdefault(row["component"], set()).add(row["region"])
    return _Fleet(
        [row["asset_id"] for row in machines],
        [row["region"] for row in machines],
        [row["site"] for row in machines],
        gaps,
        reach,
        {
            target: sorted({end for _, a, b in below for end in (a, b) if np.isfinite(end)})
            for target, below in reach.items()
        },
        frozenset(known),
        {name: frozenset(regions) for name, regions in components.items()},
    )


def _onset(row: Mapping[str, Any], steps: _Steps, fleet: _Fleet) -> _Onset:
    lo, hi = row["onset_lo"].timestamp(), row["onset_hi"].timestamp()
    fallen, standing, down = set(), set(), set()
    members = set(_members(row, fleet))
    for machine in fleet.machines:
        gaps = fleet.gaps.get(machine, ())
        if any(start <= hi and began >= lo for start, began, _ in gaps):
            # What fell elsewhere at the time has an onset of its own.
            fallen.update({machine} & members)
        elif any(began < lo < ended for _, began, ended in gaps):
            down.add(machine)  # before: neither fell nor stood
        else:
            standing.add(machine)
    universe = fallen | standing
    counts: dict[tuple[str, int], tuple[int, int, int]] = {}
    terms, inside = [], []
    for target, at in zip(steps.targets, steps.lo, strict=True):
        if target is None or target not in fleet.known:
            terms.append(np.nan)
            inside.append((0, 0, 0))
            continue
        # What depends on a target differs only from one end of validity to the next.
        era = bisect_right(fleet.eras.get(target, ()), at)
        if (target, era) not in counts:
            zone = {name for name, a, b in fleet.reach.get(target, ()) if a <= at < b} | {target}
            counts[target, era] = len(zone & fallen), len(zone & universe), len(zone & down)
        hit, size, _ = counts[target, era]
        inside.append(counts[target, era])
        ratio = _scan(hit, size, len(fallen), len(universe))
        told = ratio + np.log(1 - TOPOLOGY_MAY_MISS)
        terms.append(float(np.logaddexp(np.log(TOPOLOGY_MAY_MISS), told)))
    return _Onset(
        row,
        lo,
        max(hi, lo + 1),
        row["ended_at"].timestamp() if row["ended_at"] else np.inf,
        len(fallen),
        len(universe),
        np.array(terms, dtype=np.float64),
        np.nan_to_num(np.array(terms, dtype=np.float64)),
        np.array(inside, dtype=np.int64).reshape(-1, 3),
    )


def _members(row: Mapping[str, Any], fleet: _Fleet) -> Sequence[str]:
    """Machines whose fall is to be explained; for a dependency, those of the same regions."""
    kind, scope = row["scope_kind"], row["scope"]
    if kind == "all":
        return fleet.machines
    if kind == "site":
        return [m for m, site in zip(fleet.machines, fleet.sites, strict=True) if site == scope]
    if kind == "region":
        regions: set[str | None] = {scope}
    elif kind == "component":
        regions = set(fleet.components.get(scope, ()))
    else:
        below = {name for name, _, _ in fleet.reach.get(scope, ())}
        regions = {
            region
            for machine, region in zip(fleet.machines, fleet.regions, strict=True)
            if machine in below
        }
    return [m for m, own in zip(fleet.machines, fleet.regions, strict=True) if own in regions]


def _scan(hit: int, size: int, fallen: int, universe: int) -> float:
    """Log-likelihood ratio of another rate of falling inside than outside; negative where the
    rate inside is not the higher one, minus infinity where there is nothing inside."""
    if size == 0:
        return -np.inf

    def likelihood(count: int, of: int) -> float:
        share = count / of if of else 0.0
        return sum(n * float(np.log(p)) for n, p in ((count, share), (of - count, 1 - share)) if n)

    ratio = (
        likelihood(hit, size)
        + likelihood(fallen - hit, universe - size)
        - likelihood(fallen, universe)
    )
    return ratio if hit * (universe - size) >= (fallen - hit) * size else -ratio


# -- scores and placebos ---------------------------------------------------------------------------


def _time_terms(onset: _Onset, steps: _Steps, law: _Law, shift: int) -> tuple[slice, Floats]:
    """The steps within reach of the onset moved by so many seconds, and the term of each: the log
    density of its lag against a step at any time within reach. Both the onset and the step are
    uniform in their intervals."""
    lo, hi = onset.lo + shift, onset.hi + shift
    first = int(np.searchsorted(steps.lo, lo - law.reach, side="left"))
    # What follows the onset on its own day may answer to it, and is left out of placebos.
    latest = min(hi, onset.hi) if abs(shift) < DAY / 2 else hi
    last = max(first, int(np.searchsorted(steps.lo, latest, side="left")))
    share = np.linspace(0, 1, 5)
    at = steps.lo[first:last, None] * (1 - share) + steps.hi[first:last, None] * share
    late, early = np.maximum(hi - at, 0), np.maximum(lo - at, 0)
    mass = (late / (late + law.lag) - early / (early + law.lag)).mean(axis=1)
    with np.errstate(divide="ignore"):
        return slice(first, last), np.log(mass * law.reach / (hi - lo))


def _best(onset: _Onset, steps: _Steps, law: _Law, shift: int) -> float:
    """Highest score of any step for the onset moved by so many seconds."""
    near, time = _time_terms(onset, steps, law, shift)
    if not len(time):
        return -np.inf
    return float(np.round((time + onset.topology_score[near] + steps.action_term[near]).max(), 6))


def _placebos(onset: _Onset, steps: _Steps, planned: Floats) -> list[int]:
    """Shifts in seconds to matched moments that the record of steps covers."""
    if not len(steps.lo):
        return []
    middle = (onset.lo + onset.hi) / 2
    state = _is_planned(middle, planned)
    begins, ends = float(steps.lo[0]) + DAY, float(steps.hi.max())
    found: dict[int, list[int]] = {}
    for day in range(int((begins - middle) // DAY), int((ends - middle) // DAY) + 2):
        for offset in OFFSETS:
            shift = day * DAY + offset
            if (
                # A moment that the evidence cannot tell from the onset is the onset.
                abs(shift) >= onset.hi - onset.lo
                and begins <= middle + shift <= ends
                # What is done while an incident lasts is not what is done on other days.
                and (day == 0 or not onset.lo - DAY / 2 < middle + shift < onset.ended)
                and _is_planned(middle + shift, planned) == state
            ):
                found.setdefault(day, []).append(shift)
    today = datetime.fromtimestamp(middle, UTC).weekday()
    kept = [day for day in found if day % 7 == 0]
    if len(kept) < WEEKS:
        kept = [day for day in found if ((today + day) % 7 >= 5) == (today >= 5)]
    shifts = [shift for day in kept for shift in found[day]]
    return shifts[:: -(-len(shifts) // MOST_PLACEBOS)] if shifts else []


def _is_planned(at: float, planned: Floats) -> bool:
    return bool(((planned[:, 0] <= at) & (at <= planned[:, 1])).any())


def _smallest(best: Sequence[Mapping[int, float]], actual: Sequence[float]) -> dict[int, float]:
    """By shift, the smallest p that its placebo reaches in any scope."""
    smallest: dict[int, float] = {}
    for placebo, own in zip(best, actual, strict=True):
        if len(placebo) < FEWEST_PLACEBOS:
            continue
        pool = np.sort(np.array([own, *placebo.values()]))
        for shift, score in placebo.items():
            at_least = len(pool) - int(np.searchsorted(pool, score, side="left"))
            smallest[shift] = min(smallest.get(shift, 1.0), at_least / len(pool))
    return smallest


def _p_value(
    score: float, placebo: Mapping[int, float], smallest: Mapping[int, float]
) -> float | None:
    """Share of placebos, this onset included, at which some scope shows as much."""
    if len(placebo) < FEWEST_PLACEBOS:
        return None
    pool = np.array(list(placebo.values()))
    own = (1 + int((pool >= score).sum())) / (1 + len(pool))
    as_small = sum(smallest[shift] <= own for shift in placebo)
    return max(own, (1 + as_small) / (1 + len(pool)))


# -- rows ------------------------------------------------------------------------------------------


def _rows(
    onset: _Onset,
    steps: _Steps,
    law: _Law,
    placebo: Mapping[int, float],
    smallest: Mapping[int, float],
) -> list[list[Any]]:
    near, found = _time_terms(onset, steps, law, 0)
    time = np.full(len(steps.lo), -np.inf)
    time[near] = found
    topology = onset.topology_score
    scores = time + topology + steps.action_term
    within = np.flatnonzero(np.isfinite(scores))
    ranks = [
        {int(place): rank for rank, place in enumerate(within[order], start=1)}
        for order in (
            np.lexsort((within, -np.round(each[within], 6)))
            for each in (scores, time + steps.action_term, topology)
        )
    ]
    head = [onset.row["scope_kind"], onset.row["scope"]]
    rows: list[list[Any]] = []
    best = _p_value(_best(onset, steps, law, 0), placebo, smallest)
    if not len(within):
        text = (
            f"No operation step is on record in the {law.reach / 3600:.0f} h before the onset."
            if len(steps.lo)
            else "No step of an operation is on record that could be compared with the onset."
        )
        rows.append(
            [*head, None, None, 0, *[None] * 4, text, *[None] * 2, len(placebo), *[None] * 5]
        )
    elif best is not None and best > ALPHA:
        text = (
            f"No operation step stands out beyond chance at the limit of {100 * ALPHA:.0f} %: "
            f"p = {best:.3f} against {len(placebo)} comparable moments without an onset, corrected "
            "for the scopes tested."
        )
        rows.append(
            [*head, None, None, 0, *[None] * 3, round(best, 6), text, *[None] * 2, len(placebo),
             *[None] * 5]
        )  # fmt: skip
    for place, rank in list(ranks[0].items())[:LISTED]:
        step = steps.rows[place]
        score = float(np.round(scores[place], 6))
        p_value = _p_value(score, placebo, smallest)
        known = bool(np.isfinite(onset.topology_term[place]))
        rows.append(
            [
                *head,
                step["change_id"],
                step["event"],
                rank,
                score,
                round(float(time[place]), 6),
                round(float(onset.topology_term[place]), 6) + 0.0 if known else None,  # no -0.0
                None if p_value is None else round(p_value, 6),
                _explanation(onset, step, onset.inside[place], known)
                + _strength(onset, ranks[1][place], rank, p_value, len(placebo)),
                step["operation_id"],
                step["occurred_at"],
                len(placebo),
                round(float(steps.action_term[place]), 6),
                ranks[1][place],
                ranks[2][place],
                step["action"],
                step["target"],
            ]
        )
    return rows


def _explanation(
    onset: _Onset, step: Mapping[str, Any], inside: NDArray[np.int64], known: bool
) -> str:
    """What was counted: the first half of one sentence."""
    at = f"{step['occurred_at'].astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    what = step["action"] + (f" on {step['target']}" if step["target"] else "")
    counted = "what depends on its target is not on record"
    if known:
        hit, size, down = (int(each) for each in inside)
        others = onset.universe - size
        before = f"{down} {'was' if down == 1 else 'were'} in a gap before, " if down else ""
        counted = (
            f"{hit} of {size + down} machines that depend on its target can have fallen within "
            f"the interval of the onset, {before}and "
            + (f"{onset.fallen - hit} of {others} others" if others else "no other is on record")
        )
    return f"{what} at {at}, {_lag(onset.lo - step['hi'], onset.hi - step['lo'])}; {counted}"


def _strength(onset: _Onset, by_time: int, rank: int, p_value: float | None, placebos: int) -> str:
    """How much of the rank rests on what is on record: the second half of the sentence."""
    parts = [""]
    if np.isnan(onset.topology_term).all():
        parts.append("no target of a step is linked to any machine on record, so that time and "
                     "kind of step alone rank it")  # fmt: skip
    elif onset.fallen == onset.universe:
        parts.append("no machine on record stood, so that dependence sets no target apart")
    elif by_time != rank:
        parts.append(f"without the record of dependencies it would rank {by_time}")
    if p_value is None:
        parts.append(
            f"a ranking only, since {placebos} comparable moments are fewer than {FEWEST_PLACEBOS}"
        )
    else:
        parts.append(f"p = {p_value:.3f} against {placebos} comparable moments without an onset")
    return "; ".join(parts) + "."


def _lag(least: float, most: float) -> str:
    """The time from a step to the onset; the interval that is printed holds that of the record."""
    latest = _minutes(most, math.ceil)
    if least < 0:
        return f"at most {latest} before the onset, if not after it"
    return f"between {_minutes(least, math.floor)} and {latest} before the onset"


def _minutes(seconds: float, whole: Callable[[float], int]) -> str:
    exact = round(seconds, 6)
    if exact < 90:
        return f"{whole(exact)} s"
    return f"{whole(exact / 60)} min" if exact < 5400 else f"{whole(exact / 360) / 10:.1f} h"


STEP = Step(
    id="attribution",
    reads=(
        "alias", "change", "component_region", "dependency_reach", "known_asset", "lag_profile",
        "machine_fall", "onset", "operation_event", "replication_run", "status_component",
    ),
    writes={
        "trigger_candidate": Output(
            title="Operation steps that may be tied to an onset",
            grain="One row per scope and candidate step, best first; and one of rank 0 where no "
            "operation explains the onset. A rank is no proof.",
            columns={
                "scope_kind": ("varchar", "Kind of scope of the onset."),
                "scope": ("varchar", "Scope of the onset."),
                "change_id": ("varchar", "Change of the step."),
                "event": ("varchar", "Record of the step, as source:record."),
                "rank": ("integer", "Rank by score; 0: no operation explains this (p > 0.05, or "
                         "no step on record)."),
                "score": ("double", "Sum of the terms: a log-likelihood ratio."),
                "time_term": ("double", "Log density of the lag against any time within reach."),
                "topology_term": ("double", "Scan statistic of the machines that depend on the "
                                  "target; NULL where nothing is on record about it."),
                "p_value": ("double", "Share of placebo onsets with as high a score, corrected for "
                            "the scopes tested; NULL where there are fewer than 39."),
                "explanation": ("varchar", "What was counted, in one sentence."),
                "operation_id": ("varchar", "Operation of the step."),
                "occurred_at": ("timestamptz", "When the step happened, as recorded."),
                "placebos": ("integer", "Placebo onsets: matched moments on other days."),
                "action_term": ("double", "Log weight of a step that can be undone."),
                "rank_by_time": ("integer", "Rank without the topology term."),
                "rank_by_topology": ("integer", "Rank by the topology term alone."),
                "action": ("varchar", "What was done, in the record's own word."),
                "target": ("varchar", "The asset acted upon, as recorded."),
            },
        )
    },
    run=run,
    policy=("trigger_lag_minutes", "trigger_window_hours"),
)  # fmt: skip
