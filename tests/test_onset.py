"""Change points: planted ones are found, chance is not, and the intervals hold the truth."""

from __future__ import annotations

import csv
import json
import math
import random
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from derive import at, derive, samples
from numpy.typing import NDArray

from toolkit.analysis.lag_onset import kink
from toolkit.onset import ChangePoint, Kind, segment

WEEK, DAY = 2016, 288  # samples of five minutes
FIRST, LAST = 700, 1300  # the degraded stretch
NEAR = 6

# Means over 30 series of the Turing change-point benchmark, as published for the defaults. Five of
# them are at hand, and scores by series are not: a line to hold, and no comparison.
PUBLISHED = {"pelt": (0.695, 0.728), "binseg": (0.693, 0.738)}


def noise(rng: np.random.Generator, length: int, phi: float) -> NDArray[np.float64]:
    """Autoregressive noise of unit variance."""
    shocks = rng.normal(size=length) * np.sqrt(1 - phi**2)
    made = np.empty(length)
    made[0] = rng.normal()
    for t in range(1, length):
        made[t] = phi * made[t - 1] + shocks[t]
    return made


def lag(rng: np.random.Generator, factor: float) -> NDArray[np.float64]:
    """A week of lag with a daily pattern, memory and spikes, that rises by a factor and falls."""
    level = np.log(300) + 0.35 * noise(rng, WEEK, 0.6)
    level += 0.5 * np.sin(2 * np.pi * np.arange(WEEK) / DAY)
    level[FIRST:LAST] += np.log(factor)
    spikes = rng.random(WEEK) < 0.01
    level[spikes] += rng.exponential(2, spikes.sum())
    return np.exp(level)


def counts(rng: np.random.Generator, rate: float) -> NDArray[np.float64]:
    """A week of failed jobs, more widely spread than a Poisson law allows."""
    mean = np.full(WEEK, 0.5)
    mean[FIRST:LAST] = rate
    return rng.negative_binomial(2, 2 / (2 + mean)).astype(np.float64)


def hits(found: list[list[ChangePoint]], place: int) -> int:
    return sum(any(abs(point.index - place) <= NEAR for point in one) for one in found)


def spurious(found: list[list[ChangePoint]]) -> int:
    return sum(
        min(abs(point.index - FIRST), abs(point.index - LAST)) > 2 * NEAR
        for one in found
        for point in one
    )


def searched(make: object, level: float, kind: Kind, period: int | None) -> list[list[ChangePoint]]:
    return [
        segment(make(np.random.default_rng(seed), level), kind=kind, period=period)  # type: ignore[operator]
        for seed in range(8)
    ]


def test_a_rise_of_lag_is_found_and_chance_is_not() -> None:
    twice, four = searched(lag, 2, "lag", DAY), searched(lag, 4, "lag", DAY)
    assert hits(twice, FIRST) + hits(twice, LAST) >= 13  # of 16
    assert hits(four, FIRST) == hits(four, LAST) == 8
    assert spurious(twice) + spurious(four) <= 4
    assert not any(searched(lag, 1, "lag", DAY))


def test_a_rise_of_failures_is_found_and_chance_is_not() -> None:
    found = searched(counts, 2.5, "count", None)
    assert hits(found, FIRST) + hits(found, LAST) >= 15  # of 16
    assert spurious(found) <= 2
    assert not any(searched(counts, 0.5, "count", None))


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6])
def test_the_interval_of_a_change_covers_it(phi: float) -> None:
    covered = []
    for factor in (1.5, 2.0):
        for seed in range(60):
            rng = np.random.default_rng(seed)
            level = 0.35 * noise(rng, 400, phi)
            level[200:] += np.log(factor)
            near = [point for point in segment(np.exp(level)) if abs(point.index - 200) < 60]
            if near:
                covered.append(any(point.lo <= 200 <= point.hi for point in near))
    assert len(covered) >= 100
    assert np.mean(covered) >= 0.93


def test_levels_are_told_in_the_unit_of_the_series() -> None:
    (point,) = segment([10.0, 11.0, 9.5, 9.0, 10.5] * 8 + [40.0, 44.0, 39.0, 36.0, 42.0] * 8)
    assert (point.index, point.lo, point.hi) == (40, 40, 40)
    assert (round(point.before), round(point.after)) == (10, 40)
    assert point.score > 3


def test_missing_values_widen_the_interval_to_the_samples_around_them() -> None:
    series = np.array([10.0, 11.0, 9.5, 9.0, 10.5] * 8 + [40.0, 44.0, 39.0, 36.0, 42.0] * 8)
    series[38:42] = np.nan
    (point,) = segment(series)
    assert (point.lo, point.index, point.hi) == (38, 42, 42)


@pytest.mark.parametrize("series", [[], [1.0], [5.0] * 50, [0.0] * 50, [np.nan] * 50])
@pytest.mark.parametrize("kind", ["lag", "count"])
def test_a_series_without_variation_has_no_change(series: list[float], kind: Kind) -> None:
    assert segment(series, kind=kind) == []


def test_what_is_no_series_is_refused() -> None:
    with pytest.raises(ValueError, match="infinite"):
        segment([1.0, float("inf")])
    with pytest.raises(ValueError, match="below zero"):
        segment([1.0, -1.0], kind="count")
    with pytest.raises(ValueError, match="unknown kind"):
        segment([1.0, 2.0], kind="speed")  # type: ignore[arg-type]


def test_a_long_series_is_searched_in_blocks_and_placed_to_the_sample() -> None:
    rng = np.random.default_rng(3)
    series = np.exp(0.3 * rng.normal(size=40_000))
    series[25_001:] *= 4
    (point,) = segment(series)
    assert abs(point.index - 25_001) <= 2
    assert point.lo <= 25_001 <= point.hi


# -- real series -------------------------------------------------------------------------------


def cover(annotated: dict[str, list[int]], found: list[int], length: int) -> float:
    """How well the segments cover those of the annotators, on average over them."""

    def parts(changes: list[int]) -> list[set[int]]:
        bounds = [0, *sorted(set(changes) - {0}), length]
        return [set(range(*pair)) for pair in pairwise(bounds)]

    return float(
        np.mean([
            sum(
                len(part) * max(len(part & own) / len(part | own) for own in parts(found))
                for part in parts(changes)
            ) / length
            for changes in annotated.values()
        ])
    )  # fmt: skip


def matched(true: set[int], found: set[int]) -> int:
    left, count = set(found), 0
    for place in sorted(true):
        near = [other for other in left if abs(other - place) <= 5]
        if near:
            left.discard(min(near, key=lambda other: (abs(other - place), other)))
            count += 1
    return count


def f1(annotated: dict[str, list[int]], found: list[int]) -> float:
    """F1 of the benchmark: precision against all annotators, recall as the mean over them."""
    own = {0, *found}
    everyone = {0}.union(*annotated.values())
    precision = matched(everyone, own) / len(own)
    recall = float(
        np.mean([matched({0, *each}, own) / len({0, *each}) for each in annotated.values()])
    )
    return 2 * precision * recall / (precision + recall)


def test_annotated_series_are_cut_no_worse_than_by_published_defaults(shared_data: Path) -> None:
    folder = shared_data / "tcpd5"
    annotated = json.loads((folder / "annotations.json").read_text())
    covers, scores = [], []
    for name, by_annotator in annotated.items():
        raw = json.loads((folder / f"{name}.json").read_text())["series"][0]["raw"]
        found = [point.index for point in segment(np.array(raw, dtype=float))]
        covers.append(cover(by_annotator, found, len(raw)))
        scores.append(f1(by_annotator, found))
    for published_cover, published_f1 in PUBLISHED.values():
        assert np.mean(covers) >= published_cover
        assert np.mean(scores) >= published_f1


def test_real_metrics_are_cut_into_few_pieces(shared_data: Path) -> None:
    folder = shared_data / "nab_cloudwatch" / "realAWSCloudwatch"
    pieces = []
    for path in sorted(folder.rglob("*.csv")):
        with path.open(newline="") as file:
            series = [float(row["value"]) for row in csv.DictReader(file)]
        found = segment(series, period=DAY)
        assert all(point.lo <= point.index <= point.hi for point in found)
        pieces.append(len(found) * WEEK / len(series))
    assert len(pieces) >= 15
    assert np.median(pieces) <= 6  # a week


# -- onset of a scope ----------------------------------------------------------------------------


def fleet(
    seed: int, *, delay_hours: float = 0.0, later_wave: bool = False
) -> tuple[list[dict[str, object]], list[dict[str, object]], dict[str, float], dict[str, float]]:
    """Job records of 20 regions of machines with cadences from 15 minutes to a day, their
    inventory, the onset of each region, and its median cadence, in hours."""
    rng = random.Random(seed)
    telemetry, inventory, onset, beat = [], [], {}, {}
    for number in range(20):
        region = f"r{number:02d}"
        onset[region] = 50 + 20 * rng.random()
        second = onset[region] + rng.choice((0.3, 2, 6))
        share = rng.choice((0.2, 0.5, 1.0))
        beats = []
        for machine in range(30):
            name = f"{region}-{machine:02d}"
            inventory.append({"asset_id": name, "kind": "machine", "region": region})
            beats.append(rng.choice((0.25, 1, 1, 1, 2, 4, 24)))
            fell = second if later_wave and rng.random() < 0.5 else onset[region]
            if delay_hours:
                fell += rng.expovariate(1 / delay_hours)
            if rng.random() > share:
                fell = math.inf
            hour, states = rng.random() * beats[-1], []
            while hour < 96:
                bad = hour > fell or rng.random() < 0.004
                states.append((hour, "failure" if bad else "success"))
                hour += beats[-1] * rng.uniform(0.95, 1.05)
            telemetry += samples(name, states)
        beat[region] = sorted(beats)[15]
    return telemetry, inventory, onset, beat


@pytest.mark.slow
@pytest.mark.parametrize(
    ("delay_hours", "later_wave"), [(0.0, False), (0.1, False), (0.0, True)], ids=str
)
def test_the_onset_of_machines_with_mixed_cadences_is_covered_and_narrow(
    delay_hours: float, later_wave: bool
) -> None:
    covered, narrow = [], []
    for seed in (11, 12):
        telemetry, inventory, truth, beat = fleet(
            seed, delay_hours=delay_hours, later_wave=later_wave
        )
        with derive("onset", replication_sample=telemetry, asset=inventory) as store:
            found = store.rows("select * from onset where scope_kind = 'region' and main")
        for row in found:
            region = row["scope"]
            covered.append(row["onset_lo"] <= at(truth[region]) <= row["onset_hi"])
            width = (row["onset_hi"] - row["onset_lo"]).total_seconds() / 3600
            narrow.append(width <= 2 * beat[region])
    assert len(covered) >= 36
    assert sum(covered) >= 0.95 * len(covered)
    assert sum(narrow) >= 0.95 * len(narrow)


def paused(name: str, first: int, last: int) -> list[dict[str, object]]:
    """Samples every hour for three days, without success from one hour to another."""
    return samples(
        name,
        [(hour, "failure" if first <= hour < last else "success") for hour in range(72)],
    )


def episodes(*telemetry: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """Start and end in hours, machines and whether it is the main one, of everything's episodes."""
    with derive("onset", replication_sample=[row for one in telemetry for row in one]) as store:
        return [
            ((row["onset_hi"] - at(0)).total_seconds() / 3600,
             row["ended_at"] and (row["ended_at"] - at(0)).total_seconds() / 3600,
             row["affected"], row["main"])
            for row in store.rows("select * from onset where scope = 'all' order by episode_no")
        ]  # fmt: skip


def test_of_few_machines_one_that_fell_apart_from_another_has_an_onset_of_its_own() -> None:
    a_pause, the_outage = paused("a", 20, 40), paused("b", 30, 60)
    assert episodes(a_pause, the_outage) == [(20, 40, 1, False), (30, 60, 1, True)]


def test_few_machines_that_fell_at_about_the_same_time_share_an_onset() -> None:
    assert episodes(paused("a", 20, 40), paused("b", 21, 60)) == [(20, 60, 2, True)]


def test_of_many_machines_what_falls_while_others_are_down_belongs_to_the_episode() -> None:
    first = [paused(f"a{number:02}", 20, 40) for number in range(4)]
    later = [paused(f"b{number:02}", 30, 60) for number in range(4)]
    rest = [paused(f"c{number:02}", 80, 80) for number in range(32)]
    assert episodes(*first, *later, *rest) == [(20, 60, 8, True)]


def with_a_slow_one(back: int, *, fast: int = 1, good: int = 38) -> list[list[dict[str, object]]]:
    """Machines with jobs every hour that fall at hour 20 and are back at another, others that stay
    good, and one with daily jobs, good at hour 19 and not at hour 43."""
    states = [
        [(hour, "failure" if number < fast and 20 <= hour < back else "success")
         for hour in range(200)]
        for number in range(fast + good)
    ]  # fmt: skip
    daily = [(hour, "failure" if 19 < hour < 163 else "success") for hour in range(19, 200, 24)]
    return [samples(f"m{number:02}", each) for number, each in enumerate([*states, daily])]


@pytest.mark.parametrize(("back", "latest"), [(42, 42), (60, 43)])
def test_a_slow_machine_counts_from_when_it_has_fallen_by_all_odds(back: int, latest: int) -> None:
    """Of 40 two make up the share; the fast one is back an hour before the slow one is known to
    have fallen, somewhen in the 24 hours before."""
    assert episodes(*with_a_slow_one(back)) == [(latest, back, 2, True)]


def test_a_slow_machine_that_may_have_fallen_after_a_fast_one_was_back_makes_no_onset() -> None:
    assert episodes(*with_a_slow_one(36)) == []


def test_a_slow_machine_that_makes_up_the_share_does_not_widen_what_the_others_bound() -> None:
    assert episodes(*with_a_slow_one(150, fast=2, good=57)) == [(20, 150, 3, True)]


def metric(series: str, asset: str | None, values: Sequence[float]) -> list[dict[str, object]]:
    """Samples of a metric every ten minutes."""
    return [
        {"sampled_at": at(number / 6), "series": series, "value": value, "asset_id": asset}
        for number, value in enumerate(values)
    ]


def risen(seed: int, first: int, last: int) -> NDArray[np.float64]:
    """Five days of lag with a daily pattern that is fivefold between two samples."""
    rng = np.random.default_rng(seed)
    level = 4 + 0.3 * noise(rng, 720, 0.5) + 0.4 * np.sin(2 * np.pi * np.arange(720) / 144)
    level[first:last] += np.log(5)
    return np.exp(level)


def test_lag_shows_an_onset_where_no_job_records_exist() -> None:
    series = [
        *metric("pg_replication_lag_seconds", "a", risen(1, 400, 520)),
        *metric("pg_replication_lag_seconds", "b", risen(2, 400, 520)),
        *metric("pg_replication_lag_seconds", "c", risen(3, 720, 720)),
        *metric("go_goroutines", "a", risen(4, 100, 200)),
    ]
    inventory = [
        {"asset_id": name, "kind": "server", "region": "R" if name != "c" else "S"}
        for name in "abc"
    ]
    with derive("onset", metric_sample=series, asset=inventory) as store:
        found = store.rows("select * from onset")
        rises = store.rows("select asset_id, series from lag_rise order by all")
    assert rises == [{"asset_id": name, "series": "pg_replication_lag_seconds"} for name in "ab"]
    assert [(row["scope_kind"], row["scope"]) for row in found] == [("all", "all"), ("region", "R")]
    for row in found:
        assert row["onset_lo"] <= at(400 / 6) <= row["onset_hi"]
        assert row["onset_hi"] - row["onset_lo"] < timedelta(hours=2)
        assert abs(row["ended_at"] - at(520 / 6)) < timedelta(hours=1)
        assert (row["affected"], row["method"]) == (2, "statistical")
    assert [row["population"] for row in found] == [3, 2]


def test_job_records_go_before_a_measure_of_lag() -> None:
    jobs = samples("a", [(hour, "success" if hour < 60 else "failure") for hour in range(120)])
    lagging = metric("lag", "a", risen(1, 200, 300))
    with derive("onset", metric_sample=lagging, replication_sample=jobs) as store:
        (row,) = store.rows("select * from onset")
    assert (row["method"], row["onset_hi"]) == ("exact", at(60))


def test_a_series_that_names_no_asset_stands_for_itself() -> None:
    with derive("onset", metric_sample=metric("replica_lag", None, risen(1, 400, 720))) as store:
        (row,) = store.rows("select * from onset")
        assert store.value("select any_value(asset_id) from lag_rise") == "replica_lag"
    assert (row["scope"], row["ended_at"], row["population"]) == ("all", None, 1)


# -- recovery points that grow older from job to job -----------------------------------------------


def test_a_kink_is_covered_within_about_a_sample() -> None:
    rng = np.random.default_rng(7)
    covered, widths = [], []
    for _ in range(120):
        before = int(rng.integers(20, 300))
        times = np.cumsum(rng.uniform(0.92, 1.08, before + 60))
        begins = times[before] + rng.uniform(0, 1)
        ages = rng.lognormal(-3, 0.6, len(times))
        ages += rng.uniform(0.25, 0.95) * np.maximum(times - begins, 0)
        end = int(np.flatnonzero(ages > rng.choice((3, 4, 6)))[0]) + 1
        found = kink(times[:end], ages[:end])
        assert found is not None
        covered.append(found[0] <= begins <= found[1])
        widths.append(found[1] - found[0])
    assert np.mean(covered) >= 0.95
    assert np.quantile(widths, 0.95) <= 2


def test_a_level_without_a_rise_has_no_kink() -> None:
    assert kink(np.arange(30.0), np.full(30, 4.0)) is None
    assert kink(np.arange(4.0), np.array([1.0, 1.0, 2.0, 3.0])) is None


def test_a_copy_that_ages_slowly_falls_from_the_first_job_that_showed_it() -> None:
    rows: list[dict[str, object]] = []
    for name in "ab":
        for hour in range(96):
            behind = 0.1 + 0.02 * (hour % 3) + 0.8 * max(0.0, hour - 60.5)
            rows.append({"sampled_at": at(hour), "asset_id": name, "state": "success",
                         "recovery_point_at": at(hour - behind)})  # fmt: skip
    with derive("onset", replication_sample=rows) as store:
        (row,) = store.rows("select * from onset")
        (gap,) = store.rows("select started_hi from machine_gap where asset_id = 'a'")
    assert row["onset_lo"] <= at(60.5) <= row["onset_hi"]
    assert row["onset_lo"] <= row["onset_at"] <= row["onset_hi"]
    assert row["onset_hi"] - row["onset_lo"] <= timedelta(hours=2)
    assert gap["started_hi"] == at(66)  # four cadences behind
    assert (row["method"], row["affected"]) == ("statistical", 2)
