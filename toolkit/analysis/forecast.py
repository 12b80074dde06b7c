"""When the recovery ends: forecasts as of each day, and how the earlier ones turned out.

The days so far are drawn again, in blocks and recent ones more often, until nothing remains. Work
counts on the day on which a machine is back; of one under way a part is done by then, which records
do not state. Seen at any moment of its time that part is as likely small as large, so that each
draw takes another one: with few machines left, most of them under way, it decides.

Records do not show how work is shared, so that each draw takes one of three readings: one capacity
for all types of machine, one for each type, or every machine on its own, so that fewer come back
the fewer are left. The last is taken as often as it fits the days so far better than a steady pace.

Days drawn again know nothing of changes yet to come, and their band is too narrow by far. It is
widened by a spread that was fitted to simulated recoveries (`tests/test_forecast.py`), where an
80 % band then holds in 75 to 85 % of cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toolkit.analysis import Output, Step

if TYPE_CHECKING:
    from toolkit.store import Store

Floats = npt.NDArray[np.float64]

SEED = 20220309
DRAWS = 300
BLOCK_DAYS = 3
HALF_LIFE_DAYS = 14.0
LEAST_DAYS = LEAST_RECOVERIES = 3
# Fitted on 500 simulated recoveries: spread of the logarithm, lasting and per recovery seen.
LASTING_SPREAD, SPREAD_OF_ONE = 0.35, 1.2
# Log odds against "every machine on its own" before the days are looked at.
AGAINST_OWN_PACE = 1.5
# Of the other draws, those in which all types of machine share one capacity.
SHARED_PART = 2 / 3
LONGEST_DAYS = 3650.0
MOST_AS_OF_DAYS = 45
NOT_FORECAST = "not forecast: fewer than three recoveries, or days with them, on record"


@dataclass(frozen=True, slots=True)
class Progress:
    """A recovery so far, by day (oldest first) and type of machine: work done (bytes, or machines
    where bytes are not known) and machines recovered; by type: work and machines left, and of the
    work left that of each machine under way (one array per type; none where nothing is known)."""

    work: Floats
    machines: Floats
    work_left: Floats
    machines_left: Floats
    under_way: Sequence[Floats] = ()


def days_to_completion(progress: Progress, *, draws: int = DRAWS, seed: int = SEED) -> Floats:
    """Draws of the days until all that remains is recovered, spread included.

    Needs at least one recovery and one machine left.
    """
    rng = np.random.default_rng(seed)
    days = len(progress.work)
    recent = 0.5 ** ((days - 1 - np.arange(days)) / HALF_LIFE_DAYS)
    recent /= recent.sum()
    total = progress.work.sum(axis=1)
    pace = max(float(recent @ total), 0.1 * float(total.mean()))
    ahead = int(min(1500, np.ceil(2 * progress.work_left.sum() / pace) + 15))
    starts = rng.choice(days, size=(draws, -(-ahead // BLOCK_DAYS)), p=recent)
    drawn = (starts[:, :, None] + np.arange(BLOCK_DAYS)).reshape(draws, -1)[:, :ahead] % days

    to_do = _to_do(progress, draws, rng)
    shared = _reached(total[drawn], to_do.sum(axis=1), pace)
    apart, single = np.zeros(draws), np.zeros(draws)
    events = recent @ progress.machines * days
    exposed = recent @ _still_left(progress.machines, progress.machines_left) * days
    for kind in np.flatnonzero(progress.machines_left > 0):
        own, left = progress.work[:, kind], to_do[:, kind]
        since = np.flatnonzero(own)
        if since.size:
            begun = own[since[0] :]
            steady = _reached(begun[drawn % len(begun)], left, 0.1 * float(begun.mean()))
            rate = rng.gamma(max(events[kind], 0.5), 1.0, draws) / exposed[kind]
        else:  # none of this type has come back: it is taken to be like the others
            steady = shared
            rate = rng.gamma(max(events.sum(), 0.5), 1.0, draws) / exposed.sum()
        apart = np.maximum(apart, steady)
        luck = rng.uniform(1e-9, 1.0, draws) ** (1.0 / progress.machines_left[kind])
        single = np.maximum(single, -np.log1p(-luck) / np.maximum(rate, 1e-9))

    singles = round(draws * _odds_of_own_pace(progress))
    others = singles + round((draws - singles) * SHARED_PART)
    mixed = np.concatenate([single[:singles], shared[singles:others], apart[others:]])
    noise = rng.standard_normal(draws)
    noise = (noise - noise.mean()) / noise.std()
    spread = np.sqrt(LASTING_SPREAD**2 + SPREAD_OF_ONE**2 / progress.machines.sum())
    return np.asarray(np.maximum(mixed, 1e-3) * np.exp(spread * noise), dtype=np.float64)


def _to_do(progress: Progress, draws: int, rng: np.random.Generator) -> Floats:
    """By draw and type, the work left without a part of what is under way, drawn evenly."""
    to_do = np.tile(progress.work_left, (draws, 1))
    for kind, works in enumerate(progress.under_way):
        to_do[:, kind] -= (rng.uniform(0.0, 1.0, (draws, len(works))) * works).sum(axis=1)
    return np.asarray(to_do, dtype=np.float64)


def _reached(daily: Floats, wanted: Floats, pace: float) -> Floats:
    """Days, with fractions, until the work of each row of days adds up to what it is to reach."""
    row, total = np.arange(len(daily)), np.cumsum(daily, axis=1)
    hit = total >= wanted[:, None] * (1 - 1e-9)
    day = hit.argmax(axis=1)
    gain = daily[row, day]
    inside = day + 1 - (total[row, day] - wanted) / np.where(gain > 0, gain, 1.0)
    beyond = daily.shape[1] * wanted / np.maximum(total[:, -1], pace)
    return np.asarray(np.where(hit.any(axis=1), inside, beyond), dtype=np.float64)


def _odds_of_own_pace(progress: Progress) -> float:
    """How likely each machine comes back on its own: how much better the work of the days so far
    follows what was left of each type than a steady pace (quasi-Poisson likelihood)."""
    better = -AGAINST_OWN_PACE
    left = _still_left(progress.work, progress.work_left)
    for kind in np.flatnonzero(progress.machines.sum(axis=0) >= LEAST_RECOVERIES):
        worked = np.flatnonzero(progress.work[:, kind])
        last = worked[-1] if progress.machines_left[kind] == 0 else len(progress.work) - 1
        span = slice(worked[0], last + 1)
        work = progress.work[span, kind]
        scaled = work * progress.machines[:, kind].sum() / work.sum()
        overdispersion = max(1.0, float(scaled.var() / scaled.mean()))
        follows = left[span, kind] * scaled.sum() / left[span, kind].sum()
        better += float((scaled * np.log(follows / scaled.mean())).sum()) / overdispersion
    return float(1.0 / (1.0 + np.exp(-np.clip(better, -30.0, 30.0))))


def _still_left(done: Floats, left: Floats) -> Floats:
    """What was left of each type in the middle of each day."""
    return np.asarray(left + done[::-1].cumsum(axis=0)[::-1] - done / 2, dtype=np.float64)


# -- the step ----------------------------------------------------------------------------------


def run(store: Store) -> Mapping[str, Sequence[Sequence[Any]]]:
    """Forecasts as of each day of the recovery, and their back-test."""
    machines = store.rows("select * from machine_recovery order by asset_id")
    begun = [row["began_at"] for row in machines if row["began_at"] is not None]
    forecasts: list[list[Any]] = []
    if begun:
        ends_at = machines[0]["record_ends_at"]
        for moment in _moments(min(begun), ends_at):
            for kind, scope, members in _scopes(machines):
                row = _forecast(moment, members)
                if row is not None:
                    forecasts.append([moment.date(), moment, kind, scope, *row])
    forecasts.sort(key=lambda row: (row[0], row[2], row[3]))
    return {"recovery_forecast": forecasts, "forecast_backtest": _backtest(forecasts)}


def _moments(first: datetime, last: datetime) -> list[datetime]:
    """Ends of the days in UTC, the last one where the record ends; thinned out where many."""
    first, last = first.astimezone(UTC), last.astimezone(UTC)
    midnight = datetime.combine(first.date(), time(tzinfo=UTC))
    days = (last.date() - first.date()).days
    step = days // MOST_AS_OF_DAYS + 1
    within = timedelta(days=1, seconds=-1)
    return sorted(
        min(midnight + timedelta(days=day) + within, last) for day in range(days, -1, -step)
    )


def _scopes(
    machines: Sequence[Mapping[str, Any]],
) -> list[tuple[str, str, list[Mapping[str, Any]]]]:
    found = [("all", "all", list(machines))]
    for kind in ("region", "machine_type"):
        for scope in sorted({row[kind] for row in machines} - {None}):
            found.append((kind, scope, [row for row in machines if row[kind] == scope]))
    return found


def _forecast(moment: datetime, machines: Sequence[Mapping[str, Any]]) -> list[Any] | None:
    """One row without its scope, or None where nothing remained. What was on record at the moment
    makes the band; only the last two values look ahead, to what happened."""
    struck = [row for row in machines if row["struck_at"] <= moment]
    back = [row for row in struck if _by(row["recovered_at"], moment)]
    left = [row for row in struck if not _by(row["recovered_at"] or row["lost_at"], moment)]
    if not left:
        return None
    back = [row for row in back if row["scenario"] != "resumed"]
    by_bytes = all(row["protected_bytes"] for row in [*left, *back])
    first = min((row["recovered_at"] for row in back), default=moment)
    days = -(-(moment - first) // timedelta(days=1)) or 1
    waiting = [row for row in left if row["lost_at"] is None]
    done_at = max((row["recovered_at"] for row in waiting if row["recovered_at"]), default=None)
    actual = None if any(row["recovered_at"] is None for row in waiting) else done_at
    if len(back) < LEAST_RECOVERIES or days < LEAST_DAYS:
        return [None, None, None, NOT_FORECAST, len(left), len(back), actual, None]

    kinds = {
        kind: n for n, kind in enumerate(sorted({row["machine_type"] or "" for row in struck}))
    }
    daily, rest = (days, len(kinds)), len(kinds)
    under_way: list[list[float]] = [[] for _ in kinds]
    work_done, machines_done = np.zeros(daily), np.zeros(daily)
    work_left, machines_left = np.zeros(rest), np.zeros(rest)
    for row in back:
        age = (moment - row["recovered_at"]) // timedelta(days=1)
        place = max(days - 1 - age, 0), kinds[row["machine_type"] or ""]
        machines_done[place] += 1
        work_done[place] += row["protected_bytes"] if by_bytes else 1
    for row in left:
        kind, work = kinds[row["machine_type"] or ""], row["protected_bytes"] if by_bytes else 1
        machines_left[kind] += 1
        work_left[kind] += work
        if _by(row["began_at"], moment):
            under_way[kind].append(work)
    drawn = days_to_completion(Progress(
        work_done, machines_done, work_left, machines_left,
        [np.asarray(works, dtype=np.float64) for works in under_way],
    ))  # fmt: skip
    band = [
        moment + timedelta(seconds=round(86400 * days)) if days <= LONGEST_DAYS else None
        for days in (float(each) for each in np.quantile(drawn, (0.1, 0.5, 0.9)))
    ]
    method = f"block bootstrap of daily {'bytes' if by_bytes else 'machines'}, widened"
    return [*band, method, len(left), len(back), actual, _covered(band, actual, left)]


def _by(ended_at: datetime | None, moment: datetime) -> bool:
    return ended_at is not None and ended_at <= moment


def _covered(
    band: Sequence[datetime | None], actual: datetime | None, left: Sequence[Mapping[str, Any]]
) -> bool | None:
    """Whether the band held what happened; None while the record does not decide."""
    earliest, _, latest = band
    if actual is None:
        record_ends_at = left[0]["record_ends_at"]
        still_open = any(row["recovered_at"] is None and row["lost_at"] is None for row in left)
        return False if still_open and latest is not None and latest < record_ends_at else None
    if earliest is None:
        return False
    return earliest <= actual and (latest is None or actual <= latest)


def _backtest(forecasts: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """How many of the forecasts of each kind of scope held."""
    rows: list[list[Any]] = []
    for kind in ("all", "region", "machine_type"):
        of_kind = [row for row in forecasts if row[2] == kind and row[7] != NOT_FORECAST]
        decided = [row[11] for row in of_kind if row[11] is not None]
        if of_kind:
            share = round(sum(decided) / len(decided), 6) if decided else None
            rows.append([kind, len(of_kind), len(decided), sum(decided), share])
    return rows


STEP = Step(
    id="forecast",
    reads=("machine_recovery",),
    writes={
        "recovery_forecast": Output(
            title="When the recovery ends, as of each day",
            grain="One row per day since the first seed or relink, and scope with machines left.",
            columns={
                "as_of": ("date", "Day in UTC: what was on record at its end is known."),
                "as_of_at": ("timestamptz", "End of that day, or of the record."),
                "scope_kind": ("varchar", "`all`, `region` or `machine_type`."),
                "scope": ("varchar", "The bare name: `all`, a region, a type of machine."),
                "p10_at": ("timestamptz", "Complete by then in 1 of 10 draws."),
                "p50_at": ("timestamptz", "Complete by then in half of the draws."),
                "p90_at": (
                    "timestamptz", "Complete by then in 9 of 10 draws; NULL beyond ten years."
                ),
                "method": ("varchar", "How the band was made, or why there is none."),
                "remaining": (
                    "bigint", "Machines struck, and neither recovered nor recorded as lost."
                ),
                "recovered": ("bigint", "Machines seeded or relinked."),
                "actual_at": (
                    "timestamptz",
                    "When the last of the remaining machines was recovered, without those recorded "
                    "as lost later; NULL while one is open.",
                ),
                "covered": (
                    "boolean",
                    "Whether that lies within p10 to p90; NULL while the record does not decide.",
                ),
            },
        ),
        "forecast_backtest": Output(
            title="How the earlier forecasts turned out",
            grain="One row per kind of scope.",
            columns={
                "scope_kind": ("varchar", "`all`, `region` or `machine_type`."),
                "forecasts": ("bigint", "Forecasts with a band."),
                "decided": ("bigint", "Those of which the record tells how they turned out."),
                "covered": ("bigint", "Those of which the band held."),
                "covered_share": (
                    "double",
                    "Their share of the decided; NULL where none is. Forecasts of one recovery "
                    "depend on one another, so that it says less than their number suggests.",
                ),
            },
        ),
    },
    run=run,
)  # fmt: skip
