"""When the recovery ends: bands that hold as often as they say, from what was known at the time."""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from derive import at

from toolkit.analysis.forecast import (
    LEAST_DAYS,
    LEAST_RECOVERIES,
    NOT_FORECAST,
    STEP,
    Progress,
    days_to_completion,
)
from toolkit.store import Store

COLUMNS = {
    "asset_id": "varchar", "region": "varchar", "machine_type": "varchar", "scenario": "varchar",
    "struck_at": "timestamptz", "began_at": "timestamptz", "recovered_at": "timestamptz",
    "lost_at": "timestamptz", "protected_bytes": "bigint", "record_ends_at": "timestamptz",
}  # fmt: skip


def machine(number: int, back: float | None, **values: object) -> dict[str, Any]:
    """A machine struck at the start, seeded so many hours later."""
    return {
        "asset_id": f"m{number:03}", "region": "IE", "machine_type": "vm",
        "scenario": "open" if back is None else "reseeded", "struck_at": at(0),
        "began_at": at(1), "recovered_at": None if back is None else at(back), "lost_at": None,
        "protected_bytes": 1000, "record_ends_at": at(240),
    } | values  # fmt: skip


def forecast(
    machines: list[dict[str, Any]], output: str = "recovery_forecast"
) -> list[dict[str, Any]]:
    with Store.create() as store:
        store.load(
            "machine_recovery", COLUMNS, [[row[name] for name in COLUMNS] for row in machines]
        )
        made = STEP.run(store)
        assert made == STEP.run(store)  # chance has a fixed seed
    columns = STEP.writes[output].columns
    return [dict(zip(columns, row, strict=True)) for row in made[output]]


STEADY = [machine(number, 6 + 6 * number) for number in range(30)]  # four a day, done at hour 180


def test_a_steady_recovery_ends_about_when_its_pace_says() -> None:
    (row,) = (
        row for row in forecast(STEADY) if row["scope_kind"] == "all" and row["as_of"].day == 5
    )
    assert (row["remaining"], row["recovered"]) == (11, 19)
    assert row["p10_at"] < row["p50_at"] < row["p90_at"]
    assert abs(row["p50_at"] - at(180)) < timedelta(days=1)
    assert (row["actual_at"], row["covered"]) == (at(180), True)
    assert row["method"] == "block bootstrap of daily bytes, widened"


def test_every_day_and_scope_with_machines_left_has_a_row() -> None:
    rows = forecast(STEADY)
    assert {row["scope_kind"] for row in rows} == {"all", "region", "machine_type"}
    days = [row["as_of"].day for row in rows if row["scope_kind"] == "all"]
    assert days == list(range(1, 8))  # at the end of the eighth nothing is left
    assert [row["as_of"] for row in rows] == sorted(row["as_of"] for row in rows)


def test_a_forecast_knows_nothing_of_what_came_later() -> None:
    known = [row for row in forecast(STEADY) if row["as_of"].day <= 4]
    later = timedelta(days=15)
    slower = [
        row | {"recovered_at": back if (back := row["recovered_at"]) <= at(96) else back + later}
        for row in STEADY
    ]
    again = [
        row
        for row in forecast([row | {"record_ends_at": at(600)} for row in slower])
        if row["as_of"].day <= 4
    ]
    seen = ("as_of", "scope", "p10_at", "p50_at", "p90_at", "remaining", "recovered")
    assert [[row[name] for name in seen] for row in known] == [
        [row[name] for name in seen] for row in again
    ]


def test_what_is_open_when_the_record_ends_is_not_decided() -> None:
    rows = [row for row in forecast([*STEADY, machine(99, None)]) if row["scope_kind"] == "all"]
    assert {row["actual_at"] for row in rows} == {None}
    late = [row for row in rows if row["p90_at"] is not None]
    assert {row["covered"] for row in late if row["p90_at"] >= at(240)} <= {None}
    assert {row["covered"] for row in late if row["p90_at"] < at(240)} <= {False}


def test_a_machine_recorded_as_lost_is_no_longer_waited_for() -> None:
    lost = machine(99, None, scenario="lost", lost_at=at(50))
    rows = {row["as_of"].day: row for row in forecast([*STEADY, lost]) if row["scope"] == "all"}
    assert (rows[2]["remaining"], rows[3]["remaining"]) == (24, 19)
    assert rows[2]["actual_at"] == at(180)


def test_machines_count_where_bytes_are_not_known() -> None:
    rows = forecast([row | {"protected_bytes": None} for row in STEADY])
    assert rows[-1]["method"] == "block bootstrap of daily machines, widened"


def test_too_few_recoveries_make_no_forecast_and_say_so() -> None:
    rows = forecast([machine(1, 30), machine(2, 40), machine(3, None)])
    assert {row["method"] for row in rows} == {NOT_FORECAST}
    assert {row["p50_at"] for row in rows} == {None}
    assert not forecast([machine(1, 30), machine(2, 40), machine(3, None)], "forecast_backtest")


def test_without_seeds_there_is_no_forecast() -> None:
    assert not forecast([])
    assert not forecast([machine(1, None, began_at=None)])


def test_the_back_test_counts_what_held() -> None:
    rows = {row["scope_kind"]: row for row in forecast(STEADY, "forecast_backtest")}
    assert rows["all"]["forecasts"] == rows["all"]["decided"] >= rows["all"]["covered"] > 0
    share = rows["all"]["covered"] / rows["all"]["decided"]
    assert rows["all"]["covered_share"] == pytest.approx(share, abs=1e-6)


# -- how often the band holds ------------------------------------------------------------------

Floats = npt.NDArray[np.float64]
WAYS = ("queue", "by_type", "small_first", "shift", "capacity", "each_alone")


def simulated(
    rng: np.random.Generator,
) -> tuple[str, npt.NDArray[np.int64], Floats, Floats, Floats]:
    """A recovery: its way, and type, bytes, day of recovery and day on which the work begins of
    each machine; the last is infinite where it is not on record.

    Machines wait in a queue for a few slots (at random, by type, small ones first, or with a change
    of pace midway), share a capacity that varies from day to day, or come back each alone. Sizes
    spread widely, some seeds are tried twice, and in half of the cases some are relinked early.
    """
    way = WAYS[rng.integers(len(WAYS))]
    count = int(np.exp(rng.uniform(np.log(30), np.log(500))))
    types = int(rng.integers(2, 6))
    kind = rng.choice(types, count, p=rng.dirichlet(np.full(types, 2.0)))
    size = np.exp(rng.normal(0, rng.uniform(0.4, 1.0), count) + rng.normal(0, 0.6, types)[kind])
    work = size * np.exp(rng.normal(0, 0.4, types)[kind] + rng.normal(0, 0.25, count))
    work[rng.random(count) < rng.uniform(0, 0.12)] *= rng.uniform(1.2, 2)
    length = rng.uniform(10, 60)
    begun = np.full(count, np.inf)
    order = np.argsort(
        {"by_type": rng.permutation(types)[kind] + rng.random(count),
         "small_first": size * np.exp(rng.normal(0, 0.5, count))}.get(way, rng.random(count))
    )  # fmt: skip
    if way == "each_alone":
        rate = np.exp(rng.normal(0, 0.3, types))[kind] * 3 / length
        day = rng.gamma(rng.uniform(1, 3), 1.0, count) / rate
    elif way == "capacity":
        steps = rng.normal(0, rng.uniform(0.2, 0.6), 4000)
        daily = np.exp(steps + np.convolve(steps, [0, 0.6, 0.3], "same")) * work.sum() / length
        day = np.empty(count)
        day[order] = np.interp(work[order].cumsum(), np.r_[0, daily.cumsum()], np.arange(4001))
        begun[order] = np.r_[0, day[order][:-1]]
    else:
        slots = min(int(rng.integers(3, 15)), max(2, count // 6))
        work *= length * slots / work.sum()
        turn = rng.uniform(0.2, 0.8) * length if way == "shift" else np.inf
        pace = np.exp(rng.normal(0, 0.5))
        free = [0.0] * slots
        day = np.empty(count)
        for each in order:
            begun[each] = begins = heapq.heappop(free)
            before = min(work[each], max(0.0, turn - begins))
            day[each] = begins + before + (work[each] - before) / pace
            heapq.heappush(free, day[each])
    if rng.random() < 0.5:
        relinked = rng.random(count) < rng.uniform(0.1, 0.3)
        day[relinked] = rng.uniform(0, length / 4, relinked.sum())
        begun[relinked] = np.inf
    later = rng.uniform(2, 6)
    return way, kind, size, np.asarray(day + later, dtype=np.float64), begun + later


def as_of(
    day: int, kind: npt.NDArray[np.int64], size: Floats, back: Floats, begun: Floats
) -> Progress | None:
    """What the records show at the beginning of a day; None where that is too little."""
    first, known = int(back.min()), back < day
    if known.sum() < LEAST_RECOVERIES or day - first < LEAST_DAYS:
        return None
    types = int(kind.max()) + 1
    work, machines = np.zeros((day - first, types)), np.zeros((day - first, types))
    place = back[known].astype(int) - first, kind[known]
    np.add.at(work, place, size[known])
    np.add.at(machines, place, 1)
    under_way = ~known & (begun < day)
    return Progress(
        work, machines, np.bincount(kind[~known], size[~known], types),
        np.bincount(kind[~known], minlength=types).astype(np.float64),
        [size[under_way & (kind == one)] for one in range(types)],
    )  # fmt: skip


@pytest.mark.slow
def test_the_band_holds_in_75_to_85_percent_of_simulated_recoveries() -> None:
    rng = np.random.default_rng(70_000)  # none of those that the spread was fitted to
    held: dict[str, list[bool]] = {way: [] for way in WAYS}
    for _ in range(300):
        way, kind, size, back, begun = simulated(rng)
        scopes = [np.full(len(kind), True), *(kind == one for one in np.unique(kind))]
        for scope in scopes:
            if scope.sum() < 8:
                continue
            last = back[scope].max()
            days = np.arange(int(back[scope].min()) + LEAST_DAYS, int(np.ceil(last)))
            for day in rng.choice(days, min(3, len(days)), replace=False):
                so_far = as_of(int(day), kind[scope], size[scope], back[scope], begun[scope])
                if so_far is not None:
                    low, high = np.quantile(days_to_completion(so_far, draws=200), (0.1, 0.9))
                    held[way].append(bool(low <= last - day <= high))
    of_all = [each for way in held.values() for each in way]
    assert len(of_all) > 1500
    assert 0.75 <= np.mean(of_all) <= 0.85
    for way, each in held.items():
        assert 0.65 <= np.mean(each) <= 0.92, way


def test_more_left_takes_longer() -> None:
    def median(left: float) -> float:
        so_far = Progress(
            np.full((10, 1), 4.0), np.full((10, 1), 4.0), np.array([left]), np.array([left])
        )
        return float(np.median(days_to_completion(so_far)))

    assert median(10) < median(40) < median(160)


def test_of_machines_under_way_a_part_is_taken_to_be_done() -> None:
    def band(*under_way: float) -> list[float]:
        done, left = np.full((20, 1), 4.0), np.array([4.0])
        so_far = Progress(done, done, left, np.array([1.0]), [np.array(under_way)])
        return [float(each) for each in np.quantile(days_to_completion(so_far), (0.1, 0.5, 0.9))]

    waiting, running = band(), band(4.0)
    assert 0.4 < running[1] / waiting[1] < 0.75
    assert running[0] < 0.5 * waiting[0]  # it may be almost done, and then ends today
    assert running[2] < waiting[2]


def test_work_counts_as_under_way_only_once_it_has_begun() -> None:
    def of_day(day: int, *begun: float) -> list[datetime]:
        rest = [machine(99, 230, began_at=at(hours)) for hours in begun]
        (row,) = (row for row in forecast([*STEADY[:20], *rest])
                  if row["scope_kind"] == "all" and row["as_of"].day == day)  # fmt: skip
        return [row["p10_at"], row["p50_at"]]

    assert of_day(6, 200) == of_day(6, 220)  # neither is known on that day
    assert of_day(6, 100) < of_day(6, 200)


def test_times_are_in_utc_and_whole_seconds() -> None:
    for row in forecast(STEADY):
        for name in ("p10_at", "p50_at", "p90_at"):
            instant: datetime | None = row[name]
            assert instant is None or (instant.microsecond, instant.utcoffset()) == (
                0, timedelta(0),
            )  # fmt: skip
