"""Job records of simulated machines, the faults that befall them, and what is true of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from benchmarks.world import NEVER, Machine, World

LOST = ("catalog unreadable, cannot be recovered", "metadata unrecoverable: chain is gone")
ERRORS = ("metadata service: array not found", "timeout waiting for metadata", "link down")


@dataclass(slots=True)
class Fault:
    """What befalls one machine: `scenario` is how it comes back."""

    machine: str
    at: datetime
    scenario: str
    until: datetime | None = None
    seed_from: datetime | None = None
    silent: bool = False
    growth: float = 0.0


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which the last good recovery point of a machine was older than its limit.

    `began_at` is the fault within it, else the last good job; `ended_at` is None while it lasts.
    `exceeded_at` is when the limit was passed, where the point aged from job to job; else the same.
    """

    machine: str
    began_at: datetime
    ended_at: datetime | None
    exceeded_at: datetime


@dataclass(slots=True)
class Telemetry:
    """All samples of a case, with what they mean."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    start: datetime = NEVER
    end: datetime = NEVER
    gaps: list[Gap] = field(default_factory=list)
    uses: dict[str, list[datetime]] = field(default_factory=dict)
    lost_at: dict[str, datetime] = field(default_factory=dict)
    mode: str = "jobs"

    def onset(self, members: Sequence[Machine], faults: Mapping[str, Fault]) -> datetime | None:
        """When one in twenty (and at least one) of these machines had fallen."""
        names = {machine.id for machine in members}
        fallen = sorted({gap.machine: gap.began_at for gap in reversed(self.gaps)
                         if gap.machine in names and gap.machine in faults}.values())  # fmt: skip
        enough = max(1, ceil(0.05 * len(names) - 1e-9))
        return fallen[enough - 1] if len(fallen) >= enough else None

    def degraded(self, members: Sequence[Machine], at: datetime) -> float:
        """Share of these machines in a gap at an instant."""
        names = {machine.id for machine in members}
        out = {gap.machine for gap in self.gaps if gap.machine in names and gap.began_at <= at
               and (gap.ended_at is None or gap.ended_at > at)}  # fmt: skip
        return len(out) / len(names) if names else 0.0


def simulate(
    world: World, faults: Mapping[str, Fault], start: datetime, end: datetime, mode: str
) -> Telemetry:
    """Samples of every machine between two instants, under its fault if it has one.

    `mode` is `jobs` (records of finished jobs, with recovery points), `plain` (the same without
    recovery points) or `links` (states of a stream, with its lag).
    """
    telemetry = Telemetry(start=start, end=end, mode=mode)
    for machine in world.machines:
        _machine(world, telemetry, machine, faults.get(machine.id))
    telemetry.rows.sort(key=lambda row: (row["sampled_at"], row["asset_id"]))
    return telemetry


def _machine(world: World, telemetry: Telemetry, machine: Machine, fault: Fault | None) -> None:
    rng, tick = world.rng, world.tick
    cadence = timedelta(minutes=machine.cadence)
    jitter, share = rng.uniform(0.005, 0.08), rng.uniform(0.01, 0.12)
    goods: list[tuple[datetime, datetime]] = []
    uses: list[datetime] = []
    planned = telemetry.start + cadence * rng.random()
    was_bad = True

    def write(at: datetime, state: str, **more: Any) -> None:
        at = tick(at)
        if telemetry.start <= at <= telemetry.end:
            telemetry.rows.append({"sampled_at": at, "asset_id": machine.id, "state": state} | more)
            if state in ("success", "running", "connected"):
                uses.append(at)

    def good(at: datetime, point: datetime, state: str, **more: Any) -> None:
        if telemetry.mode == "jobs":
            more["recovery_point_at"] = tick(point)
        write(at, state, job_kind="replicate", **more)
        if at <= telemetry.end:
            goods.append((at, point if telemetry.mode == "jobs" or fault_growth else at))

    fault_growth = bool(fault and fault.growth)
    while planned < telemetry.end:
        begun = planned + cadence * rng.uniform(0, jitter)
        ended = begun + cadence * rng.uniform(0.2, 1) * share
        planned += cadence
        if telemetry.mode == "links":
            begun = ended
        if (
            fault
            and not fault.growth
            and ended > fault.at
            and (fault.until is None or begun < fault.until)
        ):
            was_bad = True
            if telemetry.mode == "links":
                write(ended, "disconnected", job_kind="replicate", error=ERRORS[2])
            elif not fault.silent and rng.random() < 0.95:
                write(ended, "failure", job_kind="replicate", started_at=tick(begun),
                      error=rng.choice(ERRORS))  # fmt: skip
            continue
        if (
            fault
            and fault.growth
            and ended > fault.at
            and (fault.until is None or ended < fault.until)
        ):
            behind = (ended - fault.at) * fault.growth + cadence * share
            if telemetry.mode == "links":
                lag = behind.total_seconds()
                write(ended, "connected", job_kind="replicate", lag_seconds=lag)
                goods.append((ended, ended - behind))
            else:
                good(ended, ended - behind, "success", started_at=tick(begun),
                     lag_seconds=behind.total_seconds())  # fmt: skip
            continue
        if telemetry.mode == "links":
            lag = rng.lognormvariate(2.5, 0.6)
            write(ended, "connected", job_kind="replicate", lag_seconds=lag)
            goods.append((ended, ended))
            continue
        # A single job that does not end well now and then, never two in a row.
        if not was_bad and rng.random() < 0.004:
            write(ended, "failure", job_kind="replicate", started_at=tick(begun),
                  error="transient: retry")  # fmt: skip
            was_bad = True
            continue
        was_bad = False
        state = "warning" if telemetry.mode == "jobs" and rng.random() < 0.01 else "success"
        moved = rng.randrange(1, 400) * 10**6
        good(ended, begun, state, started_at=tick(begun), bytes=moved)
    if fault is not None:
        _recovery(world, machine, fault, telemetry, write, goods)
    telemetry.uses[machine.id] = sorted(uses)
    telemetry.gaps.extend(_gaps(machine, sorted(goods), fault, telemetry.end))


def _recovery(
    world: World, machine: Machine, fault: Fault, telemetry: Telemetry, write: Any,
    goods: list[tuple[datetime, datetime]],
) -> None:  # fmt: skip
    rng, tick = world.rng, world.tick
    if fault.scenario == "relinked" and fault.until:
        if rng.random() < 0.3:
            write(fault.until - timedelta(hours=rng.uniform(0.5, 3)), "failure",
                  job_kind="relink", error="handshake refused")  # fmt: skip
        write(fault.until, "success", job_kind="relink")
        goods.append((fault.until, fault.until))
    if fault.scenario in ("reseeded", "reseeding", "lost") and fault.seed_from:
        end = fault.until or telemetry.end + timedelta(hours=30)
        at, whole = fault.seed_from, end - fault.seed_from
        while at < min(end, telemetry.end):
            write(at, "running", job_kind="seed", progress=round((at - fault.seed_from) / whole, 4))
            at += timedelta(hours=rng.uniform(3, 6))
            if fault.scenario == "lost" and rng.random() < 0.4:
                break
        if fault.scenario == "lost":
            at += timedelta(minutes=30)
            write(at, "failure", job_kind="seed", error=rng.choice(LOST))
            telemetry.lost_at[machine.id] = tick(at)
        elif fault.until and fault.until <= telemetry.end:
            write(fault.until, "success", job_kind="seed", progress=1.0, bytes=machine.size)
            goods.append((fault.until, fault.until))


def _gaps(
    machine: Machine, goods: Sequence[tuple[datetime, datetime]], fault: Fault | None, end: datetime
) -> list[Gap]:
    """Stretches beyond the limit, from the recovery points alone."""
    found: list[Gap] = []
    if fault is not None and fault.growth:
        stale = [(at, point) for at, point in goods if at - point > machine.limit]
        if stale:
            after = [at for at, point in goods if at > stale[-1][0]]
            found.append(Gap(machine.id, fault.at, min(after, default=None), stale[0][0]))
        return found
    pairs = [*zip(goods, [*goods[1:], (None, None)], strict=False)]
    for (at, point), (following, _) in pairs:
        if (following or end) - point > machine.limit:
            began = fault.at if fault and at <= fault.at else at
            found.append(Gap(machine.id, began, following, began))
    return found


def reseeding(
    world: World, machines: Sequence[Machine], faults: Mapping[str, Fault], begin: datetime,
    slots: int,
) -> None:  # fmt: skip
    """Give every machine that is to be re-seeded its turn: so many at a time, largest at random."""
    rng = world.rng
    free = [begin] * slots
    speed = rng.uniform(30, 120) * 10**9  # bytes an hour and slot
    waiting = [m for m in machines if faults[m.id].scenario in ("reseeded", "reseeding", "lost")]
    rng.shuffle(waiting)
    for machine in waiting:
        fault = faults[machine.id]
        slot = min(range(slots), key=lambda each: free[each])
        fault.seed_from = max(free[slot], fault.at + timedelta(hours=1))
        hours = machine.size / speed * rng.uniform(0.8, 1.4) + 0.5
        free[slot] = fault.seed_from + timedelta(hours=hours)
        if fault.scenario == "reseeded":
            fault.until = free[slot]
