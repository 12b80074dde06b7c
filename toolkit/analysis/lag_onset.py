"""Stretches in which a copy was further behind than before, by the series that measure it.

Where jobs leave records, the bounds of a gap are exact. Only where recovery points grew older from
job to job until they were too old is the beginning of that growth looked for: the kink between a
level and a straight rise. Where only a measure of lag is on record, a stretch begins at a change
point of the series (see `toolkit.onset`) that raises its level by the factor of the policy, and
ends at the one that brings it back below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.analysis import Output, Step
from toolkit.onset import CREDIBLE, ChangePoint, segment
from toolkit.store import Store

Floats = NDArray[np.float64]

DAYS_OF_A_PATTERN = 3  # before a daily pattern is taken out
FEWEST_BEFORE = 4  # samples of the level before a rise
KINKS = 8  # places tried between two samples


def run(store: Store) -> Mapping[str, Sequence[Sequence[Any]]]:
    """Rises of every series and of every age of recovery points; rows by asset and time."""
    return {"lag_rise": _lag_rises(store), "age_rise": _age_rises(store)}


def _lag_rises(store: Store) -> list[list[Any]]:
    factor = float(store.value("select value from policy where key = 'lag_rise_factor'"))
    rows: list[list[Any]] = []
    profile = store.rows("select * from lag_profile order by asset_id, series, bucket_no")
    for (asset, series), group in groupby(profile, lambda row: (row["asset_id"], row["series"])):
        buckets = list(group)
        first, per_day = buckets[0]["bucket_no"], buckets[0]["buckets_per_day"]
        values = np.full(buckets[-1]["bucket_no"] - first + 1, np.nan)
        for row in buckets:
            values[row["bucket_no"] - first] = row["value"]
        patterned = len(values) >= DAYS_OF_A_PATTERN * per_day and per_day > 1
        changes = segment(values, period=per_day if patterned else None)
        begins: datetime = buckets[0]["started_at"]
        width = timedelta(days=1) / per_day
        for start, end in _stretches(changes, factor):
            rows.append(
                [
                    asset,
                    series,
                    # The level changed after the last bucket of the old one began.
                    begins + (start.lo - 1) * width,
                    begins + (start.hi + 1) * width,
                    None if end is None else begins + end.index * width,
                    start.before,
                    start.after,
                    round(start.score, 6),
                ]
            )
    return rows


def _stretches(
    changes: Sequence[ChangePoint], factor: float
) -> list[tuple[ChangePoint, ChangePoint | None]]:
    """Changes that begin a rise, each with the one that ends it, or None."""
    found: list[tuple[ChangePoint, ChangePoint | None]] = []
    base: ChangePoint | None = None
    for change in changes:
        if base is None:
            if change.after > max(factor * change.before, change.before, 0):
                base = change
        elif change.after < max(factor * base.before, 0) or change.after <= base.before:
            found.append((base, change))
            base = None
    return [*found, (base, None)] if base is not None else found


def _age_rises(store: Store) -> list[list[Any]]:
    rows: list[list[Any]] = []
    profile = store.rows("select * from age_profile order by job_no, sampled_at, age_seconds")
    for _, group in groupby(profile, lambda row: row["job_no"]):
        samples = list(group)
        zero = samples[0]["sampled_at"]
        times = np.array([(row["sampled_at"] - zero).total_seconds() for row in samples])
        found = kink(times, np.array([row["age_seconds"] for row in samples], dtype=np.float64))
        if found is not None:
            lo, hi = (zero + timedelta(seconds=round(each, 6)) for each in found)
            rows.append([samples[0]["asset_id"], samples[0]["stale_at"], lo, hi])
    return sorted(rows)


def kink(times: Floats, ages: Floats) -> tuple[float, float] | None:
    """Where a level turns into a straight rise that lasts to the end: a 95 % interval.

    `times` (increasing) and `ages` are in one unit. The interval is never narrower than from the
    sample before the likeliest place to the one after it: within those the samples say nothing.
    None where fewer than four samples lie before, or where nothing rises.
    """
    if len(times) < FEWEST_BEFORE + 2 or ages[-1] <= np.median(ages):
        return None
    steps = np.linspace(0, 1, KINKS, endpoint=False)
    places = (
        times[FEWEST_BEFORE - 1 : -1, None] + np.diff(times)[FEWEST_BEFORE - 1 :, None] * steps
    ).ravel()
    risen = np.maximum(times[None, :] - places[:, None], 0)
    centred = risen - risen.mean(axis=1, keepdims=True)
    level = ages - ages.mean()
    slope = (centred @ level) / np.maximum((centred**2).sum(axis=1), 1e-12)
    rest = level[None, :] - slope[:, None] * centred
    squares = np.where(slope > 0, (rest**2).sum(axis=1), np.inf)
    best = int(np.argmin(squares))
    if not np.isfinite(squares[best]):
        return None
    residual = rest[best]
    memory = float((residual[1:] * residual[:-1]).sum() / max(float((residual**2).sum()), 1e-12))
    memory = float(np.clip(memory, 0, 0.95))
    floor = 1e-6 * float((level**2).sum()) + 1e-12
    weight = -0.5 * len(times) * np.log((squares + floor) / (squares[best] + floor))
    posterior = np.exp(weight * (1 - memory) / (1 + memory))
    posterior /= posterior.sum()
    order = np.argsort(-posterior, kind="stable")
    held = places[order[: int(np.searchsorted(np.cumsum(posterior[order]), CREDIBLE)) + 1]]
    before = times[times <= places[best]]
    after = times[times > places[best]]
    return float(min(held.min(), before[-1])), float(max(held.max(), after[0]))


STEP = Step(
    id="lag_onset",
    reads=("age_profile", "lag_profile"),
    writes={
        "lag_rise": Output(
            title="Stretches of risen lag",
            grain="One row per series and stretch between two change points in which its level is "
            "the stated factor or more above the level before.",
            columns={
                "asset_id": ("varchar", "Asset that the series describes; else the series."),
                "series": ("varchar", "Name and labels of the series."),
                "started_lo": ("timestamptz", "Earliest start, with 95 % probability in all."),
                "started_hi": ("timestamptz", "Latest start."),
                "ended_at": ("timestamptz", "Change back; NULL where it had not come when the "
                             "record ends."),
                "level_before": ("double", "Level before, in the unit of the series."),
                "level_after": ("double", "Level after."),
                "score": ("double", "Log-likelihood ratio against no change, deflated for "
                          "autocorrelation."),
            },
        ),
        "age_rise": Output(
            title="When recovery points that became too old began to age",
            grain="One row per job and time that its recovery points went from good to too old "
            "after a rise of their age.",
            columns={
                "asset_id": ("varchar", "Machine or asset that is protected."),
                "stale_at": ("timestamptz", "First sample with too old a recovery point."),
                "started_lo": ("timestamptz", "Earliest start, with 95 % probability in all."),
                "started_hi": ("timestamptz", "Latest start."),
            },
        ),
    },
    run=run,
    policy=("lag_rise_factor",),
)  # fmt: skip
