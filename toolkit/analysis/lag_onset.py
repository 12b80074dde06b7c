"""Stretches in which a copy was further behind than before, by the series that measure it.

Where jobs leave records, the bounds of a gap are exact and this is not used. Where only a measure
of lag is on record, a stretch begins at a change point of the series (see `toolkit.onset`) that
raises its level by the factor of the policy, and ends at the one that brings it back below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np

from toolkit.analysis import Output, Step
from toolkit.onset import ChangePoint, segment
from toolkit.store import Store

DAYS_OF_A_PATTERN = 3  # before a daily pattern is taken out


def run(store: Store) -> Mapping[str, Sequence[Sequence[Any]]]:
    """Rises of every series; rows by asset, series and time."""
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
    return {"lag_rise": rows}


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


STEP = Step(
    id="lag_onset",
    reads=("lag_profile",),
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
        )
    },
    run=run,
    policy=("lag_rise_factor",),
)  # fmt: skip
