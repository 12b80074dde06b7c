"""Change points of a series, each with the interval in which it must lie.

Replication lag rises by factors, follows the hours of the day and remembers its last value; counts
of failures vary more than a Poisson law allows. What decides between a change and chance is not
the search but the noise that it is held against: here the scale and the memory of the noise are
estimated from differences, which a change of level hardly touches, and both the penalty of a
change and the likelihood of its place are deflated by (1 + phi) / (1 - phi).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Kind = Literal["lag", "count"]
Floats = NDArray[np.float64]

CREDIBLE = 0.95
SHORTEST = 3  # samples of a segment; fewer are a spike
_PENALTY = 3.0  # × log n, for the place and the level of a change
_MOST_MEMORY = 0.95
_SPIKE = 3.5  # standard deviations
_LONGEST = 3000  # longer series are searched in blocks first


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """One change of level.

    `index` is the first sample of the new level (from 0, in the series as given); with 95 %
    probability it lies in `lo … hi`, both included. `before` and `after` are the levels on both
    sides in the unit of the series (geometric mean for positive lags, mean for counts). `score` is
    the logarithm of the likelihood ratio against no change, deflated for autocorrelation.
    """

    index: int
    lo: int
    hi: int
    before: float
    after: float
    score: float


@dataclass(frozen=True, slots=True)
class _Model:
    """What a stretch of the series costs: twice its negative log-likelihood at the best level.

    `cost(i, j)` is that of the samples i … j - 1, for arrays of either; `memory` is the factor by
    which autocorrelation makes evidence weigh less.
    """

    cost: Callable[[NDArray[np.int64] | int, NDArray[np.int64] | int], Floats]
    memory: float


def segment(
    values: ArrayLike | Sequence[float], *, kind: Kind = "lag", period: int | None = None
) -> list[ChangePoint]:
    """Change points of an evenly sampled series, in order.

    `kind` is `lag` for a measured quantity (its logarithm is taken where all values are above
    zero) or `count` for whole numbers of events per interval; `period` is the number of samples
    after which a daily or weekly pattern repeats, which is then taken out. Missing values (NaN)
    are passed over. A series of fewer than six values, or without any variation, has no change
    point. Raises ValueError for infinite values, negative counts, or an unknown kind.
    """
    given = np.asarray(values, dtype=np.float64).ravel()
    if np.isinf(given).any():
        raise ValueError("the series holds infinite values")
    places = np.flatnonzero(~np.isnan(given))
    series = given[places]
    if kind not in ("lag", "count"):
        raise ValueError(f"unknown kind {kind!r}: use 'lag' or 'count'")
    if kind == "count" and (series < 0).any():
        raise ValueError("a count is below zero")
    if len(series) < 2 * SHORTEST or np.ptp(series) == 0:
        return []
    phase = places % period if period and 2 * period <= len(given) else np.zeros_like(places)
    changes, model = (_search_lag if kind == "lag" else _search_count)(series, phase)
    mean = _geometric_mean if kind == "lag" and (series > 0).all() else np.mean
    bounds = [0, *changes, len(series)]
    found = []
    for left, middle, right in zip(bounds, bounds[1:], bounds[2:], strict=False):
        lo, hi, score = _interval(model, left, middle, right)
        found.append(
            ChangePoint(
                int(places[middle]),
                # Missing values before a sample leave open on which side of them the change lies.
                int(places[lo - 1] + 1),
                int(places[hi]),
                float(mean(series[left:middle])),
                float(mean(series[middle:right])),
                score,
            )
        )
    return found


# -- lag: least squares on the logarithm -----------------------------------------------------------


def _search_lag(series: Floats, phase: NDArray[np.int64]) -> tuple[list[int], _Model]:
    level = np.log(series) if (series > 0).all() else series.copy()
    changes: list[int] = []
    seasonal = level
    # The pattern of the day is learned beside the levels, and these against the pattern.
    for _ in range(3 if phase.any() else 1):
        seasonal = level - _pattern(level - _steps(level, changes), phase)
        scale, phi = _noise(seasonal)
        clean = _without_spikes(seasonal, scale)
        model = _least_squares(clean, scale, phi)
        changes = _search(len(level), model)
    return changes, _least_squares(clean, *_residual_noise(clean, changes, scale, phi))


def _residual_noise(
    level: Floats, changes: Sequence[int], scale: float, phi: float
) -> tuple[float, float]:
    """The noise about the levels that were found, where it is worse than differences showed."""
    parts = np.split(level, list(changes))
    rest = np.concatenate([part - part.mean() for part in parts])
    square = float((rest**2).mean())
    own = float(np.clip((rest[1:] * rest[:-1]).mean() / square, 0, _MOST_MEMORY)) if square else 0.0
    return max(scale, float(np.sqrt(square))), max(phi, own)


def _least_squares(level: Floats, scale: float, phi: float) -> _Model:
    sums = np.concatenate(([0.0], np.cumsum(level - level.mean())))
    squares = np.concatenate(([0.0], np.cumsum((level - level.mean()) ** 2)))

    def cost(i: NDArray[np.int64] | int, j: NDArray[np.int64] | int) -> Floats:
        inside = squares[j] - squares[i] - (sums[j] - sums[i]) ** 2 / np.subtract(j, i)
        return np.asarray(np.maximum(inside, 0) / scale**2)

    return _Model(cost, (1 + phi) / (1 - phi))


def _noise(level: Floats) -> tuple[float, float]:
    """Standard deviation and memory of the noise, from differences over one to eight samples.

    For an autoregressive noise Var(x[t] - x[t-k]) = 2 s² (1 - phi^k): it comes near 2 s² while k is
    still short beside the distance of two changes, and what it is at k = 1 tells phi. Quantiles
    stand for the variances, since neither spikes nor changes move them.
    """
    reach = [k for k in (1, 2, 4, 8) if k == 1 or k <= len(level) // 20]
    spreads = [_spread(level[k:] - level[:-k], wide=k == 1) for k in reach]
    if spreads[0] == 0:  # most samples repeat the one before
        spreads = [float(np.std(np.diff(level)))]
    widest = max(spreads)
    phi = float(np.clip(1 - spreads[0] ** 2 / widest**2, 0, _MOST_MEMORY))
    return widest / np.sqrt(2), phi


def _spread(differences: Floats, *, wide: bool) -> float:
    """Standard deviation by the median; if wide, by the outer tenth where that says more: where
    one step in ten is large, large steps are noise. Over several samples they may be changes."""
    half, tenth = np.quantile(np.abs(differences), (0.5, 0.9))
    return float(max(half / 0.6745, tenth / 1.6449 if wide else 0.0))


def _without_spikes(level: Floats, scale: float) -> Floats:
    """Values further from the median of their seven neighbours than noise explains are moved in."""
    padded = np.pad(level, 3, mode="edge")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, 7), axis=1)
    return np.clip(level, middle - _SPIKE * scale, middle + _SPIKE * scale)


def _pattern(level: Floats, phase: NDArray[np.int64]) -> Floats:
    """The median of each phase of the period, smoothed by nothing, without the common level."""
    medians = np.zeros(int(phase.max()) + 1)
    for each in np.unique(phase):
        medians[each] = np.median(level[phase == each])
    return np.asarray(medians[phase] - np.median(medians))


def _steps(level: Floats, changes: Sequence[int]) -> Floats:
    """The level of the segment that each sample lies in."""
    parts = np.split(level, list(changes))
    return np.concatenate([np.full(len(part), np.median(part)) for part in parts])


# -- counts: negative binomial ---------------------------------------------------------------------


def _search_count(series: Floats, phase: NDArray[np.int64]) -> tuple[list[int], _Model]:
    exposure = np.ones_like(series)
    if phase.any():
        means = np.array([series[phase == each].mean() for each in range(int(phase.max()) + 1)])
        # A phase without any event may still have one: half an event is added to each.
        exposure = ((means + 0.5 / len(series)) / (means.mean() + 0.5 / len(series)))[phase]
    changes: list[int] = []
    for _ in range(3):
        size, phi = _dispersion(series, exposure, changes)
        model = _negative_binomial(series, exposure, size, phi)
        changes = _search(len(series), model)
    return changes, model


def _negative_binomial(series: Floats, exposure: Floats, size: float, phi: float) -> _Model:
    events = np.concatenate(([0.0], np.cumsum(series)))
    time = np.concatenate(([0.0], np.cumsum(exposure)))

    def cost(i: NDArray[np.int64] | int, j: NDArray[np.int64] | int) -> Floats:
        count, length = events[j] - events[i], time[j] - time[i]
        rate = count / length
        with np.errstate(divide="ignore", invalid="ignore"):
            told = np.where(count > 0, count * np.log(rate / (rate + size)), 0.0)
        return np.asarray(-2 * (told - length * size * np.log1p(rate / size)))

    return _Model(cost, (1 + phi) / (1 - phi))


def _dispersion(series: Floats, exposure: Floats, changes: Sequence[int]) -> tuple[float, float]:
    """Size of the negative binomial law, by moments within segments, and memory of the residuals.

    The variance of a count of mean m is m + m² / size.
    """
    parts = [
        (np.full(len(part), part.sum() / max(time.sum(), 1e-12)) * time)
        for part, time in zip(
            np.split(series, list(changes)), np.split(exposure, list(changes)), strict=True
        )
    ]
    mean = np.concatenate(parts)
    residual = series - mean
    beyond = float((residual**2 - mean).sum())
    size = float(np.clip((mean**2).sum() / beyond, 1e-2, 1e6)) if beyond > 0 else 1e6
    standard = residual / np.sqrt(np.maximum(mean + mean**2 / size, 1e-12))
    phi = float((standard[1:] * standard[:-1]).mean() / max(float((standard**2).mean()), 1e-12))
    # Before the first search every change of level looks like memory.
    return size, float(np.clip(phi, 0, _MOST_MEMORY)) if changes else 0.0


# -- the search ------------------------------------------------------------------------------------


def _search(length: int, model: _Model) -> list[int]:
    """The changes of least total cost, each of which pays the penalty."""
    penalty = _PENALTY * np.log(length) * model.memory
    if length <= _LONGEST:
        return _partition(np.arange(length + 1), model, penalty, SHORTEST)
    block = -(-length // _LONGEST)
    edges = np.append(np.arange(0, length, block), length)
    coarse = [0, *_partition(edges, model, penalty, 1), length]
    refined = {
        _best_between(
            model,
            max(left + 1, middle - 2 * block),
            min(right, middle + 2 * block + 1),
            left,
            right,
        )
        for left, middle, right in zip(coarse, coarse[1:], coarse[2:], strict=False)
    }
    return sorted(refined)


def _best_between(model: _Model, first: int, last: int, left: int, right: int) -> int:
    places = np.arange(first, last)
    return int(places[np.argmin(model.cost(left, places) + model.cost(places, right))])


def _partition(edges: NDArray[np.int64], model: _Model, penalty: float, shortest: int) -> list[int]:
    """Optimal partitioning at the given edges, by pruned dynamic programming (PELT)."""
    count = len(edges)
    best = np.full(count, np.inf)
    best[0] = -penalty
    before = np.zeros(count, dtype=np.int64)
    starts = np.array([0], dtype=np.int64)
    for end in range(shortest, count):
        total = best[starts] + model.cost(edges[starts], edges[end]) + penalty
        chosen = int(np.argmin(total))
        best[end], before[end] = total[chosen], starts[chosen]
        starts = starts[total - penalty <= best[end]]
        if end + 1 - shortest >= shortest:
            starts = np.append(starts, end + 1 - shortest)
    changes = []
    end = int(before[count - 1])
    while end > 0:
        changes.append(int(edges[end]))
        end = int(before[end])
    return changes[::-1]


def _interval(model: _Model, left: int, middle: int, right: int) -> tuple[int, int, float]:
    """First and last place of the smallest set of places that holds 95 % of the posterior."""
    margin = min(SHORTEST, (right - left) // 2) if right - left > 1 else 1
    places = np.unique(np.append(np.arange(left + margin, right - margin + 1), middle))
    weight = -(model.cost(left, places) + model.cost(places, right)) / (2 * model.memory)
    score = float(
        weight[np.searchsorted(places, middle)] + model.cost(left, right) / (2 * model.memory)
    )
    posterior = np.exp(weight - weight.max())
    posterior /= posterior.sum()
    order = np.argsort(-posterior, kind="stable")
    needed = int(np.searchsorted(np.cumsum(posterior[order]), CREDIBLE - 1e-12)) + 1
    held = np.append(places[order[:needed]], middle)
    return int(held.min()), int(held.max()), score


def _geometric_mean(values: Floats) -> float:
    return float(np.exp(np.mean(np.log(values))))
