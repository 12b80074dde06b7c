"""Parts of the product judged alone, on more than a simulated incident gives them.

`bands`: whole fleets are re-seeded a few at a time by the same simulator, and handed to the
forecast as the relation that it reads. `rises`: lag of machines without job records, with a daily
pattern, memory and spikes, that rises by a factor at a planted moment or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import numpy as np

from benchmarks import telemetry, world
from benchmarks.telemetry import Fault
from toolkit.analysis import forecast
from toolkit.onset import segment
from toolkit.store import Store

RECOVERY = {
    "asset_id": "varchar", "region": "varchar", "machine_type": "varchar", "scenario": "varchar",
    "struck_at": "timestamptz", "began_at": "timestamptz", "recovered_at": "timestamptz",
    "lost_at": "timestamptz", "protected_bytes": "bigint", "record_ends_at": "timestamptz",
}  # fmt: skip


def bands(seed: int) -> list[bool]:
    """For every forecast of one recovery, whether its 80 % band held the completion."""
    rng = Random(f"recovery/{seed}")
    made = world.build(rng, regions=rng.randrange(1, 4), machines=rng.randrange(40, 300))
    onset = made.epoch + timedelta(days=30)
    ways = ("reseeded", "relinked", "resumed")
    weights = [rng.uniform(0.5, 1), rng.uniform(0, 0.4), rng.uniform(0, 0.1)]
    by_kind = {kind: rng.choices(ways, weights)[0] for kind in world.TYPES}
    faults: dict[str, Fault] = {}
    for machine in made.machines:
        way = by_kind[machine.kind] if rng.random() < 0.7 else "reseeded"
        fault = faults[machine.id] = Fault(machine.id, onset, way)
        if way != "reseeded":
            fault.until = onset + timedelta(hours=rng.uniform(8, 96))
    for region in made.regions:
        local = [machine for machine in made.machines if machine.region == region]
        begin = onset + timedelta(hours=rng.uniform(12, 72))
        telemetry.reseeding(made, local, faults, begin, rng.randrange(2, 7))
    ends_at = max(fault.until for fault in faults.values() if fault.until)
    rows: list[list[Any]] = [
        [machine.id, machine.region.name, machine.kind, fault.scenario, onset,
         fault.seed_from if fault.seed_from else fault.until, fault.until, None, machine.size,
         ends_at]
        for machine in made.machines for fault in [faults[machine.id]]
    ]  # fmt: skip
    with Store.create(None) as store:
        store.load("machine_recovery", RECOVERY, rows)
        found = forecast.STEP.run(store)["recovery_forecast"]
    place = list(forecast.STEP.writes["recovery_forecast"].columns).index("covered")
    return [row[place] for row in found if row[place] is not None]


@dataclass(slots=True)
class Rises:
    """How planted rises of lag were found; widths are in samples."""

    planted: int = 0
    covered: int = 0
    missed: int = 0
    widths: list[int] = field(default_factory=list)
    series_without: int = 0
    false: int = 0


def rises(seed: int) -> Rises:
    """Ten weeks of samples, with a rise in every second one."""
    rng = np.random.default_rng(seed)
    per_day = int(rng.choice((96, 144, 288)))
    length, told = 7 * per_day, Rises()
    for number in range(10):
        memory, spread = rng.uniform(0, 0.7), rng.uniform(0.2, 0.45)
        noise = rng.normal(size=length)
        for place in range(1, length):
            noise[place] = memory * noise[place - 1] + noise[place] * np.sqrt(1 - memory**2)
        level = 4 + spread * noise
        level += rng.uniform(0, 0.6) * np.sin(2 * np.pi * np.arange(length) / per_day)
        begins = int(rng.uniform(0.3, 0.8) * length) if number % 2 else length
        level[begins:] += np.log(rng.uniform(2, 8))
        level += (rng.random(length) < 0.01) * rng.exponential(2, length)
        found = segment(np.exp(level), period=per_day)
        near = [each for each in found if abs(each.index - begins) <= per_day / 2]
        told.false += sum(each not in near and each.after > 2 * each.before for each in found)
        if begins == length:
            told.series_without += 1
            continue
        told.planted += 1
        told.missed += not near
        told.covered += any(each.lo <= begins <= each.hi for each in near)
        told.widths += [each.hi - each.lo + 1 for each in near[:1]]
    return told
