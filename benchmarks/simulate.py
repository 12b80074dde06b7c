"""Simulated incidents with planted truth: a case folder, and what a perfect reader makes of it.

`simulate(scenario, seed, folder)` writes the folder and returns the truth. The same scenario and
seed give the same folder. From a shell: `python -m benchmarks.simulate SCENARIO SEED FOLDER`.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from benchmarks import operations, telemetry, world
from benchmarks.operations import ADHOC, ARRAY, DEVIATIONS, PATCH, VOLUME, Change, Operations
from benchmarks.oracle import Oracle, Verdicts
from benchmarks.telemetry import Fault, Telemetry
from benchmarks.world import Machine, World

SCENARIOS = (
    "flagship", "network", "decoy", "slow_lag", "wrong_target", "partition", "clean",
)  # fmt: skip
CAUSED = ("flagship", "decoy", "slow_lag", "wrong_target")
THEME = "metadata-loss"


@dataclass(frozen=True, slots=True)
class Impact:
    """What one machine suffered: hours since the fault, by the last good recovery point."""

    began_at: datetime
    ended_at: datetime | None
    recovery: str
    cadence: timedelta
    size: int


@dataclass(frozen=True, slots=True)
class Return:
    """When a struck machine is back, in the record or after it: never where `back_at` is None."""

    region: str
    kind: str
    struck_at: datetime
    back_at: datetime | None
    lost_at: datetime | None


@dataclass(frozen=True, slots=True)
class Truth:
    """What was planted in a case.

    `verdicts` holds every (rule, subject) that must be an exception, that the record cannot decide,
    or that is open within its precision; every other verdict is neither. The subject is the
    operation (of a session: `session:` and its id), the action item, the status component, or
    `host:` and the host that wrote the log. `cause` is None where no operation caused the onset.
    """

    scenario: str
    seed: int
    cause: str | None
    onsets: Mapping[tuple[str, str], datetime]
    verdicts: Verdicts
    machines: Mapping[str, Impact]
    returns: Sequence[Return]
    regions: Mapping[str, str]
    record: tuple[datetime, datetime]


@dataclass(slots=True)
class _Case:
    scenario: str
    rng: Random
    world: World
    ops: Operations
    faults: dict[str, Fault] = field(default_factory=dict)
    cause: Change | None = None
    onset: datetime | None = None
    verdicts: Verdicts = field(default_factory=dict)


def simulate(scenario: str, seed: int, folder: Path) -> Truth:
    """Write a case of a scenario and return what was planted in it.

    Raises KeyError where the scenario is unknown.
    """
    rng = Random(f"{scenario}/{SCENARIOS.index(scenario)}/{seed}")
    mode = "links" if scenario == "partition" else rng.choice(("jobs", "jobs", "plain"))
    if scenario == "slow_lag":
        mode = rng.choice(("jobs", "links"))
    regions = rng.randrange(2 if scenario == "decoy" else 1, 4)
    count = rng.randrange(20, 60) if mode == "links" else int(20 * 10 ** rng.uniform(0, 1))
    built = world.build(rng, regions=regions, machines=count, fast=mode == "links")
    case = _Case(scenario, rng, built, Operations(built))
    _operations(case)
    first, last = _span(case)
    told = telemetry.simulate(built, case.faults, first, last, mode)
    onsets = _onsets(case, told)
    _page(case, told, folder, last)
    theme = THEME if rng.random() < 0.5 else THEME.upper()
    oracle = Oracle(case.ops, told.uses, onsets | _dependency_onsets(case, told), THEME)
    verdicts = oracle.judge() | case.verdicts
    _write(case, told, folder, theme)
    return Truth(
        scenario, seed, case.cause.id if case.cause else None, onsets, verdicts,
        _impact(case, told), _returns(case, told), {m.id: m.region.name for m in built.machines},
        (first, last),
    )  # fmt: skip


# -- what happens ------------------------------------------------------------------------------


def _operations(case: _Case) -> None:
    """Earlier maintenance, the operation in question, and what it does to the machines."""
    rng = case.rng
    history = rng.randrange(8, 26)
    spoiled = case.scenario != "clean"
    target = _target(case)
    day = 0
    for _ in range(history):
        day += rng.choice((1, 1, 2, 3))
        _one(case, day, spoiled)
    _registers(case, day + 3, spoiled)
    day += rng.randrange(1, 4)
    if case.scenario in CAUSED:
        _trigger(case, day, target)
    elif case.scenario != "clean":
        case.onset = case.world.tick(
            case.world.epoch + timedelta(days=rng.uniform(day - 4, day + 2))
        )
        _outage(case)
    for _ in range(rng.randrange(0, 4)):
        day += rng.choice((1, 2))
        _one(case, day, spoiled)


def _target(case: _Case) -> str:
    """The asset whose maintenance will matter; its group is left alone until then."""
    rng, made = case.rng, case.world
    if case.scenario == "slow_lag":
        kind, names = "hosted_by", [each.id for each in made.hosts]
    else:
        kind, names = "stores_metadata_on", [each.id for each in made.arrays]
    weight = {
        name: sum(edge.on == name and edge.relation == kind for edge in made.edges)
        for name in names
    }
    best = sorted(names, key=lambda name: (-weight[name], name))[:3]
    chosen = rng.choice([name for name in best if weight[name] >= 3] or best[:1])
    if case.scenario != "slow_lag":
        case.ops.reserved.add(made.group_of(chosen)[0].group)
    return chosen


def _one(case: _Case, day: int, spoiled: bool) -> None:
    rng, ops = case.rng, case.ops
    kind = rng.choices((ARRAY, VOLUME, PATCH, ADHOC), (3, 3, 4, 0.3 if spoiled else 0))[0]
    change = ops.draft(kind, day) or ops.draft(PATCH, day)
    assert change is not None
    if spoiled and rng.random() < 0.55:
        for name in rng.sample(list(DEVIATIONS), rng.choice((1, 1, 2))):
            _spoil(ops, change, name)
    ops.lay(change)
    if spoiled and rng.random() < 0.08:
        _beside(case, change)
    if rng.random() < 0.15:
        machine = rng.choice(case.world.machines)
        ops.session(day, "restart-agent", machine.id, irreversible=False)
    if spoiled and rng.random() < 0.06:
        volume = f"vol-x-{len(ops.volumes):03d}"
        ops.volumes.append((volume, rng.choice(case.world.regions), "normal"))
        session = ops.session(day, rng.choice(("delete", "wipe", "Purge")), volume,
                              irreversible=True)  # fmt: skip
        region = next(each for name, each, _ in ops.volumes if name == volume)
        session.region = region


def _spoil(ops: Operations, change: Change, name: str) -> bool:
    if not DEVIATIONS[name](ops, change):
        return False
    change.intended.add(name)
    return True


def _beside(case: _Case, change: Change) -> None:
    """Another change at the same time: of the same person, or on the same group by another."""
    ops, rng = case.ops, case.rng
    if change.kind != PATCH or not change.acts:
        return
    rival = [host for host in case.world.hosts if host.id not in change.targets]
    same_person = rng.random() < 0.5
    if not same_person:
        rival = [host for host in rival if host.region == change.region]
    if not rival:
        return
    other = ops.draft(PATCH, change.day, rng.choice(rival).id)
    if other is None:
        return
    person = change.implementer if same_person else ops.another(change.implementer)
    for act in other.acts:
        act.actor = person
    other.implementer = person
    ops.lay(other, change.acts[0].at + timedelta(minutes=rng.uniform(3, 15)))


def _trigger(case: _Case, day: int, target: str) -> None:
    """The operation that causes the onset, and its effect."""
    rng, ops, made = case.rng, case.ops, case.world
    kind = PATCH if case.scenario == "slow_lag" else ARRAY
    change = ops.draft(kind, day, target)
    assert change is not None
    hit = target
    if case.scenario == "wrong_target":
        others = [each.id for each in made.arrays if each.id != target and made.dependents(
            each.id, made.epoch + timedelta(days=day)) and each.id not in ops.removed]  # fmt: skip
        hit = rng.choice(others or [target])
        for act in change.acts:
            if act.irreversible:
                act.target = hit
    elif kind == ARRAY:
        _spoil(ops, change, rng.choice(("premature_step", "dependents_stay", "no_precheck")))
        change.intended.add("stay")
        for name in ("weak_siblings", "untested_copy", "no_rollback", "overriding_flag",
                     "nobody_attends", "not_verified", "unanswered_alert", "at_night"):  # fmt: skip
            if rng.random() < 0.35:
                _spoil(ops, change, name)
    case.cause = ops.lay(change)
    effect = change.critical or change.act("patch")
    assert effect is not None
    lag = (
        rng.uniform(60, 300) if case.scenario == "decoy" else min(rng.lognormvariate(2.5, 1.0), 240)
    )
    case.onset = made.tick(effect.at + timedelta(minutes=lag))
    if rng.random() < 0.3:
        ops.registers.silences.append(
            (target, change.acts[0].at, made.tick(case.onset + timedelta(hours=9)), change.id)
        )
    if case.scenario == "decoy":
        _decoy(case, change)
    _strike(case, made.dependents(hit, effect.at), rng.uniform(0.85, 1))


def _decoy(case: _Case, cause: Change) -> None:
    """A clean operation elsewhere, minutes before the onset."""
    ops, rng = case.ops, case.rng
    assert case.onset is not None
    away = [host for host in case.world.hosts if host.region != cause.region]
    other = ops.draft(PATCH, cause.day, rng.choice(away).id)
    assert other is not None
    person = ops.another(cause.implementer, *[act.actor for act in cause.acts])
    for act in other.acts:
        act.actor = person
    other.implementer = person
    before = sum(act.minutes for act in other.acts[1:3])
    ops.lay(other, case.onset - timedelta(minutes=before + rng.uniform(2, 15)))


def _outage(case: _Case) -> None:
    """Machines fall without an operation: a part of the network, or a whole region."""
    rng, made = case.rng, case.world
    region = rng.choice(made.regions)
    local = [machine for machine in made.machines if machine.region == region]
    if case.scenario == "network":
        local = rng.sample(local, max(3, int(len(local) * rng.uniform(0.3, 0.9))))
    _strike(case, local, 1.0)


def _strike(case: _Case, machines: Sequence[Machine], share: float) -> None:
    rng = case.rng
    assert case.onset is not None
    struck = [machine for machine in machines if rng.random() < share]
    struck = struck if len(struck) >= 2 else list(machines)
    spread = 0.0 if rng.random() < 0.6 else rng.uniform(1, 40)
    healing = rng.uniform(4, 30) if case.scenario == "network" else rng.uniform(3, 12)
    silent = rng.random() < 0.4
    ways = ("relinked", "reseeded", "resumed", "reseeding", "lost", "open")
    weights = [rng.uniform(0.2, 1), rng.uniform(0.2, 1), *(rng.uniform(0, 0.25) for _ in ways[2:])]
    if rng.random() < 0.5:  # in half of the incidents everything comes back, or is known to be lost
        weights[3] = weights[5] = 0.0
    by_kind = {kind: rng.choices(ways, weights)[0] for kind in sorted(world.TYPES)}
    growth = rng.uniform(0.3, 0.95)
    lasting = rng.uniform(24, 90)
    for machine in struck:
        at = case.world.tick(case.onset + timedelta(minutes=rng.uniform(0, spread)))
        fault = Fault(machine.id, at, "resumed", silent=silent)
        if case.scenario in ("network", "partition"):
            fault.until = case.onset + timedelta(hours=healing, minutes=rng.uniform(0, 10))
        elif case.scenario == "slow_lag":
            fault.growth = growth * rng.uniform(0.85, 1.0)
            fault.until = case.onset + timedelta(hours=lasting)
        else:
            fault.scenario = (
                by_kind[machine.kind] if rng.random() < 0.8 else rng.choices(ways, weights)[0]
            )
            hours = rng.uniform(8, 96) if fault.scenario == "relinked" else rng.uniform(4, 48)
            if fault.scenario in ("relinked", "resumed"):
                fault.until = case.world.tick(case.onset + timedelta(hours=hours))
        case.faults[machine.id] = fault
    by_region: dict[str, list[Machine]] = {}
    for machine in struck:
        by_region.setdefault(machine.region.name, []).append(machine)
    for local in by_region.values():
        begin = case.onset + timedelta(hours=rng.uniform(12, 72))
        telemetry.reseeding(case.world, local, case.faults, begin, rng.randrange(2, 7))


def _span(case: _Case) -> tuple[datetime, datetime]:
    """From when to when there is telemetry: it is kept for a while only."""
    rng = case.rng
    last = max(
        (act.at for change in case.ops.changes for act in change.acts), default=case.world.epoch
    )
    if case.onset is None:
        return last - timedelta(days=rng.uniform(8, 14)), last + timedelta(days=1)
    done = [fault.until for fault in case.faults.values() if fault.until]
    end = max([*done, case.onset + timedelta(days=2)])
    end = min(end, case.onset + timedelta(days=rng.uniform(10, 20)))
    slow = timedelta(minutes=8 * max(machine.cadence for machine in case.world.machines))
    begin = case.onset - timedelta(days=rng.uniform(7, 12))
    return begin, max(end + timedelta(days=rng.uniform(1, 3)), case.onset + slow)


def _registers(case: _Case, days: int, spoiled: bool) -> None:
    """Probes of clocks, action items of earlier reviews, first states, alerts elsewhere."""
    rng, ops, made = case.rng, case.ops, case.world
    for region in made.regions:
        host = f"ctl-{region.name.lower()}"
        off = rng.choice((-1, 1)) * rng.uniform(2500, 90_000)
        is_off = spoiled and rng.random() < 0.2
        for day in range(0, days + 12, rng.randrange(1, 6)):
            at = made.tick(made.epoch + timedelta(days=day, hours=6))
            ops.registers.probes.append(
                (host, at, off if is_off and day % 2 == 0 else rng.uniform(-900, 900))
            )
    for number in range(rng.randrange(1, 5)):
        opened = made.tick(made.epoch - timedelta(days=rng.uniform(20, 300)))
        closed = made.tick(opened + timedelta(days=rng.uniform(1, 18)))
        open_still = spoiled and rng.random() < 0.3
        theme = THEME if rng.random() < 0.6 else "communication"
        ops.registers.items.append((f"AI-{number + 1}", opened, theme,
                                    None if open_still else closed))  # fmt: skip
    first = made.epoch - timedelta(days=1)
    for array in made.arrays:
        if rng.random() < 0.8:
            ops.registers.states.append((made.tick(first), array.id, "healthy"))
        if rng.random() < 0.1:
            at = made.tick(first + timedelta(hours=rng.uniform(1, 10)))
            ops.registers.states.append((at, array.id, "degraded"))
            ops.registers.states.append((made.tick(at + timedelta(hours=2)), array.id, "healthy"))
    for _ in range(rng.randrange(3, 12)):
        fired = made.tick(made.epoch + timedelta(days=rng.uniform(0, days)))
        machine = rng.choice(made.machines)
        ops.registers.alerts.append((ops.alert_id(), fired, machine.id, None))


# -- what is true -------------------------------------------------------------------------------


def _onsets(case: _Case, told: Telemetry) -> dict[tuple[str, str], datetime]:
    made = case.world
    scopes = {("all", "all"): list(made.machines)}
    for region in made.regions:
        local = [machine for machine in made.machines if machine.region == region]
        scopes["region", region.name] = local
    found = {scope: told.onset(members, case.faults) for scope, members in scopes.items()}
    return {scope: at for scope, at in found.items() if at is not None}


def _dependency_onsets(case: _Case, told: Telemetry) -> dict[tuple[str, str], datetime]:
    """Onsets of what two or more machines depended on when they fell: impact may be too small to
    degrade a region, and has begun all the same."""
    made = case.world
    machines = {machine.id: machine for machine in made.machines}
    fell = {gap.machine: gap.began_at for gap in reversed(told.gaps) if gap.machine in case.faults}
    found = {}
    for asset in sorted({edge.on for edge in made.edges}):
        struck = {edge.machine for edge in made.edges if edge.on == asset
                  and edge.machine in fell and edge.holds(fell[edge.machine])}  # fmt: skip
        known = {edge.machine for edge in made.edges if edge.on == asset}
        at = told.onset([machines[name] for name in sorted(known)], case.faults)
        if len(struck) >= 2 and at is not None:
            found["dependency", asset] = at
    return found


def _impact(case: _Case, told: Telemetry) -> dict[str, Impact]:
    machines = {machine.id: machine for machine in case.world.machines}
    found: dict[str, Impact] = {}
    for gap in told.gaps:
        fault = case.faults.get(gap.machine)
        scenario = fault.scenario if fault else "resumed"
        if fault and scenario == "reseeded" and (fault.until is None or fault.until > told.end):
            began = fault.seed_from is not None and fault.seed_from < told.end
            scenario = "reseeding" if began else "unknown"
        if (
            scenario in ("reseeding", "lost")
            and fault
            and (fault.seed_from is None or fault.seed_from >= told.end)
        ):
            scenario = "unknown"
        if scenario == "lost" and not any(
            row["asset_id"] == gap.machine and row.get("error") in telemetry.LOST
            for row in told.rows
        ):
            scenario = "reseeding"
        recovery = {"resumed": "unknown", "open": "unknown"}.get(scenario, scenario)
        cadence = timedelta(minutes=machines[gap.machine].cadence)
        found[gap.machine] = Impact(
            gap.exceeded_at, gap.ended_at, recovery, cadence, machines[gap.machine].size
        )
    return found


def _returns(case: _Case, told: Telemetry) -> list[Return]:
    """The return of each machine that fell: by its telemetry, else as it would have come."""
    ended = {gap.machine: gap.ended_at for gap in told.gaps if gap.machine in case.faults}
    found = []
    for machine in case.world.machines:
        fault = case.faults.get(machine.id)
        if fault is None or machine.id not in ended:
            continue
        back = ended[machine.id] or (fault.until if fault.scenario != "lost" else None)
        lost = told.lost_at.get(machine.id)
        found.append(Return(machine.region.name, machine.kind, fault.at, back, lost))
    return found


# -- what is on record --------------------------------------------------------------------------


def _page(case: _Case, told: Telemetry, folder: Path, last: datetime) -> None:
    """A status page that tells of the incident, sometimes too early that it is over."""
    rng, made = case.rng, case.world
    if rng.random() < 0.3:
        return
    rows: list[dict[str, Any]] = []
    tick = made.tick
    for number, region in enumerate(made.regions, start=1):
        local = [machine for machine in made.machines if machine.region == region]
        began = told.onset(local, case.faults)
        if began is None:
            continue
        name = f"Cloud Services {region.name}"
        hit = [gap for gap in told.gaps if any(gap.machine == each.id for each in local)]
        slowest = max(timedelta(minutes=each.cadence) for each in local)
        clear = max(
            (gap.ended_at for gap in hit if gap.ended_at), default=told.end
        ) + timedelta(hours=6)  # fmt: skip
        posts = [(began + timedelta(minutes=rng.uniform(15, 400)), "investigating",
                  "partial_outage")]  # fmt: skip
        posts.append((posts[0][0] + timedelta(hours=rng.uniform(1, 20)), "identified",
                      "partial_outage"))  # fmt: skip
        early = posts[-1][0] + slowest * 2 + timedelta(hours=rng.uniform(2, 30))
        if (rng.random() < 0.4 and early < told.end - slowest
                and told.degraded(local, early) > 0.15
                and told.degraded(local, early + slowest * 2) > 0.15):  # fmt: skip
            posts.append((early, "resolved", "operational"))
            posts.append((early + timedelta(hours=1), "investigating", "partial_outage"))
            case.verdicts["EQ-05", name] = "exception"
        if told.degraded(local, clear) == 0 and clear < last and clear > posts[-1][0]:
            posts.append((clear, "resolved", "operational"))
        for order, (at, state, status) in enumerate(posts, start=1):
            rows.append({
                "posted_at": tick(at), "incident_id": f"inc-{number}", "update_id": f"u{order}",
                "state": state, "title": f"Replication delayed in {region.name}",
                "body": "We are looking into it. <b>Next update</b> will follow.",
                "kind": "incident", "component": name, "region": region.name,
                "component_status": status,
            })  # fmt: skip
    _table(folder, "status_update", rows, _Clock(case))


class _Clock:
    """How instants are written in a case: UTC with Z, or with the offset of some zone."""

    def __init__(self, case: _Case) -> None:
        self.form = "milliseconds" if case.world.milliseconds else "seconds"
        choice = Random(case.world.epoch.isoformat()).randrange(3)
        self.zone = timezone(timedelta(hours=(0, 2, -7)[choice]))

    def __call__(self, instant: datetime) -> str:
        text = instant.astimezone(self.zone).isoformat(timespec=self.form)
        return text.replace("+00:00", "Z")


def _table(folder: Path, name: str, rows: Sequence[Mapping[str, Any]], clock: _Clock) -> None:
    """Write rows as CSV, without the columns that no row states."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    names = [key for key in names if any(row.get(key) not in (None, "") for row in rows)]
    if not rows:
        return
    path = folder / "evidence" / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row in rows:
            cells = (row.get(key) for key in names)
            writer.writerow(
                [clock(cell) if isinstance(cell, datetime) else str(cell).lower()
                 if isinstance(cell, bool) else "" if cell is None else cell for cell in cells]
            )  # fmt: skip


def _write(case: _Case, told: Telemetry, folder: Path, theme: str) -> None:
    clock = _Clock(case)
    _write_head(case, folder, theme)
    _write_changes(case, folder, clock)
    _write_events(case, folder, clock)
    _write_inventory(case, folder, clock)
    _write_registers(case, folder, clock)
    _write_samples(case, told, folder, clock)


def _write_head(case: _Case, folder: Path, theme: str) -> None:
    ops = case.ops
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.toml").write_text(
        f'title = "Simulated: {case.scenario}"\n[incident]\ntheme = "{theme}"\n', encoding="utf-8"
    )
    (folder / "procedures").mkdir(exist_ok=True)
    for kind, (name, _) in operations.PROCEDURES.items():
        for version in (1, 2):
            lines = [f"id: {name}", f'version: "{version}"', f"applies_to: [{kind}]"]
            at = ops.version_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            lines.append(f"published_at: {at}" if version == 2 else f"superseded_at: {at}")
            lines.append("steps:")
            for step in ops.steps(kind, version):
                parts = [f"id: {step.id}", f"kind: {step.kind}"]
                parts.append(f"mandatory: {str(step.mandatory).lower()}")
                if step.kind != "approve":
                    parts.append(f"match: {{action: {ops.action(step)}}}")
                if step.irreversible and ops.declares_irreversible:
                    parts.append("irreversible: true")
                if step.needs:
                    parts.append(f"needs: [{', '.join(step.needs)}]")
                lines.append(f"  - {{{', '.join(parts)}}}")
            path = folder / "procedures" / f"{name}-v{version}.yaml"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_changes(case: _Case, folder: Path, clock: _Clock) -> None:
    rng = case.rng
    changes = [change for change in case.ops.changes if change.registered]
    spell = rng.choice((str, str.lower, str.upper))
    _table(folder, "change", [
        {
            "change_id": change.id, "title": f"{change.kind} of {change.targets[0]}",
            "kind": spell(change.kind) if rng.random() < 0.5 else change.kind,
            "risk": change.risk, "requested_by": change.requested_by,
            "implementer": change.implementer, "approvals_required": change.approvals_required,
            "window_start": change.window[0], "window_end": change.window[1],
            "targets": ";".join(change.targets), "rollback_ref": change.rollback,
            "impact_ref": change.impact, "procedure_version": change.version,
            "closed_at": change.closed_at, "outcome": change.outcome,
            "emergency": change.emergency,
        }
        for change in changes
    ], clock)  # fmt: skip
    decisions = [
        {"change_id": change.id, "approver": approver, "decision": decision, "decided_at": at}
        for change in changes for approver, decision, at in change.approvals
    ]  # fmt: skip
    half = len(decisions) // 2
    if rng.random() < 0.5:
        _table(folder, "approval", decisions, clock)
    else:
        _table(folder, "approval-a", decisions[:half], clock)
        _table(folder, "approval-b", decisions[half:], clock)


def _write_events(case: _Case, folder: Path, clock: _Clock) -> None:
    rng, ops = case.rng, case.ops
    spell = rng.choice((str, str.capitalize, str.upper))
    for host in sorted({change.host for change in ops.changes}):
        rows: list[dict[str, Any]] = [
            {
                "occurred_at": act.at,
                "action": spell(act.action) if rng.random() < 0.5 else act.action,
                "target": act.target,
                "change_id": change.id if change.registered and act.is_stated else None,
                "step": act.step if ops.names_steps else None, "actor": act.actor,
                "session_id": change.session, "host": host, "outcome": act.outcome,
                "flags": act.flags, "message": act.message, "ended_at": act.ended_at,
                "recorded_at": act.recorded_at, "edited_at": act.edited_at,
            }
            for change in ops.changes if change.host == host for act in change.acts
        ]  # fmt: skip
        rows.sort(key=lambda row: row["occurred_at"])
        _table(folder, f"maintenance_event-{host}", rows, clock)


def _write_inventory(case: _Case, folder: Path, clock: _Clock) -> None:
    made, rng = case.world, case.rng
    states_cadence = rng.random() < 0.7
    rows: list[dict[str, Any]] = []
    for array in made.arrays:
        rows.append({"asset_id": array.id, "kind": "array", "site": array.region.site,
                     "region": array.region.name, "zone": array.region.zone,
                     "redundancy_group": array.group, "min_copies": array.min_copies,
                     "criticality": array.criticality})  # fmt: skip
    for host in made.hosts:
        rows.append({"asset_id": host.id, "kind": "server", "site": host.region.site,
                     "region": host.region.name, "zone": host.region.zone,
                     "redundancy_group": f"cluster-{host.region.name}", "min_copies": 1,
                     "criticality": "normal"})  # fmt: skip
    for name, region, rated in case.ops.volumes:
        rows.append({"asset_id": name, "kind": "volume", "site": region.site,
                     "region": region.name, "zone": region.zone, "criticality": rated})  # fmt: skip
    for machine in made.machines:
        rows.append({"asset_id": machine.id, "kind": "machine", "machine_type": machine.kind,
                     "site": machine.region.site, "region": machine.region.name,
                     "zone": machine.region.zone, "organization": machine.organization,
                     "criticality": "normal", "protected_bytes": machine.size,
                     "cadence_minutes": machine.cadence if states_cadence else None,
                     "rpo_minutes": machine.objective})  # fmt: skip
    _table(folder, "asset", rows, clock)
    _table(folder, "dependency", [
        {"from_asset": edge.machine, "to_asset": edge.on, "relation": edge.relation,
         "valid_from": edge.since, "valid_to": edge.until}
        for edge in made.edges
    ], clock)  # fmt: skip


def _write_registers(case: _Case, folder: Path, clock: _Clock) -> None:
    kept = case.ops.registers
    _table(folder, "asset_state", [
        {"observed_at": at, "asset_id": name, "state": state} for at, name, state in
        sorted(kept.states)
    ], clock)  # fmt: skip
    _table(folder, "protection_check", [
        {"target": target, "kind": kind, "finished_at": at, "ok": ok}
        for target, kind, at, ok in kept.checks
    ], clock)  # fmt: skip
    _table(folder, "duty", [
        {"actor": actor, "duty_start": start, "duty_end": end} for actor, start, end in kept.duty
    ], clock)  # fmt: skip
    _table(folder, "handover", [
        {"change_id": change, "from_actor": giver, "to_actor": taker, "given_at": at,
         "ack_at": acked}
        for change, giver, taker, at, acked in kept.handovers
    ], clock)  # fmt: skip
    _table(folder, "alert", [
        {"alert_id": name, "fired_at": fired, "target": target, "severity": "warning",
         "acked_at": acked}
        for name, fired, target, acked in kept.alerts
    ], clock)  # fmt: skip
    _table(folder, "silence", [
        {"target": target, "starts_at": start, "ends_at": end, "change_id": change}
        for target, start, end, change in kept.silences
    ], clock)  # fmt: skip
    _table(folder, "clock_probe", [
        {"host": host, "probed_at": at, "offset_ms": round(offset, 1)}
        for host, at, offset in kept.probes
    ], clock)  # fmt: skip
    _table(folder, "action_item", [
        {"item_id": name, "opened_at": opened, "theme": theme, "closed_at": closed}
        for name, opened, theme, closed in kept.items
    ], clock)  # fmt: skip


def _write_samples(case: _Case, told: Telemetry, folder: Path, clock: _Clock) -> None:
    """One file of samples, or one per region; CSV or Parquet."""
    if not told.rows:
        return
    rng = case.rng
    parts: dict[str, list[dict[str, Any]]] = {}
    region = {machine.id: machine.region.name for machine in case.world.machines}
    by_region = rng.random() < 0.4
    for row in told.rows:
        name = f"replication_sample-{region[row['asset_id']].lower()}"
        parts.setdefault(name if by_region else "replication_sample", []).append(row)
    names = list(dict.fromkeys(key for row in told.rows for key in row))
    is_parquet = rng.random() < 0.5
    for name, rows in sorted(parts.items()):
        if not is_parquet:
            _table(folder, name, [{key: row.get(key) for key in names} for row in rows], clock)
            continue
        kinds = {"sampled_at": pa.timestamp("us", "UTC"), "started_at": pa.timestamp("us", "UTC"),
                 "recovery_point_at": pa.timestamp("us", "UTC"), "bytes": pa.int64(),
                 "lag_seconds": pa.float64(), "progress": pa.float64()}  # fmt: skip
        table = pa.table({
            key: pa.array([row.get(key) for row in rows], kinds.get(key, pa.string()))
            for key in names
        })  # fmt: skip
        (folder / "evidence").mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(table, folder / "evidence" / f"{name}.parquet")


if __name__ == "__main__":
    made = simulate(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    for (scope_kind, scope), at in made.onsets.items():
        print(f"onset {scope_kind} {scope}: {at.isoformat()}")
    print(f"cause: {made.cause}")
    for (rule, subject), verdict in sorted(made.verdicts.items()):
        print(f"{rule} {subject}: {verdict}")
