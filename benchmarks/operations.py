"""Maintenance of a simulated provider: clean operations, and deviations planted in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from benchmarks.world import NEVER, Edge, Region, World

ARRAY, VOLUME, PATCH, ADHOC = "Array decommission", "Volume purge", "Host patching", "Cabling"
WITNESS = ("witness", "confirm")
READ_ONLY = ("status", "list", "check")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a procedure; `minutes` after the event before it. `since` is the first version."""

    id: str
    kind: str
    minutes: float
    mandatory: bool = True
    irreversible: bool = False
    needs: tuple[str, ...] = ()
    since: int = 1


PROCEDURES: dict[str, tuple[str, tuple[Step, ...]]] = {
    ARRAY: ("array-decommission", (
        Step("approval", "approve", 0),
        Step("announce", "action", 0, since=2),
        Step("verify-backup", "precheck", 7),
        Step("check-dependents", "precheck", 6),
        Step("label", "action", 5),
        Step("drain", "action", 9, needs=("verify-backup", "check-dependents")),
        Step("remove", "action", 4, irreversible=True, needs=("check-dependents", "drain")),
        Step("verify", "verify", 10, needs=("remove",)),
    )),
    VOLUME: ("volume-purge", (
        Step("approval", "approve", 0),
        Step("announce", "action", 0, since=2),
        Step("snapshot-check", "precheck", 8),
        Step("label", "action", 6),
        Step("purge", "action", 4, irreversible=True, needs=("snapshot-check",)),
        Step("audit", "verify", 11, needs=("purge",)),
    )),
    PATCH: ("host-patching", (
        Step("approval", "approve", 0),
        Step("announce", "action", 0, since=2),
        Step("evacuate", "action", 8),
        Step("patch", "action", 12, needs=("evacuate",)),
        Step("label", "action", 6),
        Step("reboot", "action", 7, needs=("patch",)),
        Step("health", "verify", 9, needs=("reboot",)),
    )),
}  # fmt: skip


@dataclass(slots=True)
class Act:
    """One maintenance event: what it is in truth (`step`) and how it is recorded."""

    step: str | None
    action: str
    target: str | None
    actor: str
    minutes: float
    outcome: str | None = "success"
    flags: str = ""
    message: str = ""
    irreversible: bool = False
    is_stated: bool = True
    at: datetime = NEVER
    ended_at: datetime | None = None
    recorded_at: datetime | None = None
    edited_at: datetime | None = None

    @property
    def done_at(self) -> datetime:
        """When it ended, as far as the record says."""
        return self.ended_at or self.at

    @property
    def is_read_only(self) -> bool:
        """Whether it changes nothing."""
        return self.action.lower() in READ_ONLY

    @property
    def is_witness(self) -> bool:
        """Whether a second person attended by it."""
        return self.action.lower() in WITNESS


@dataclass(slots=True)
class Change:
    """A change with its events; a session of events without a change has no register entry."""

    id: str
    kind: str
    region: Region
    host: str
    targets: list[str]
    implementer: str
    requested_by: str = ""
    acts: list[Act] = field(default_factory=list)
    approvals: list[tuple[str, str, datetime]] = field(default_factory=list)
    approvals_required: int | None = None
    window: tuple[datetime, datetime] = (NEVER, NEVER)
    rollback: str | None = "RB"
    impact: str | None = "IA"
    risk: str = "medium"
    version: str | None = None
    closed_at: datetime | None = None
    outcome: str | None = "success"
    emergency: bool = False
    registered: bool = True
    session: str | None = None
    day: int = 0
    duty_hours: float = 3.0
    night: bool = False
    intended: set[str] = field(default_factory=set)
    late: list[Callable[[Change], None]] = field(default_factory=list)
    is_forgotten: bool = False

    def act(self, step: str) -> Act | None:
        """The first event of a step."""
        return next((act for act in self.acts if act.step == step), None)

    @property
    def critical(self) -> Act | None:
        """The first irreversible event."""
        return next((act for act in self.acts if act.irreversible), None)

    @property
    def actions(self) -> list[Act]:
        """Events that change something."""
        return [act for act in self.acts if not act.is_read_only]

    @property
    def first(self) -> Act | None:
        """The first action."""
        return min(self.actions, key=lambda act: act.at, default=None)


@dataclass(slots=True)
class Registers:
    """What is on record beside changes and events."""

    states: list[tuple[datetime, str, str]] = field(default_factory=list)
    checks: list[tuple[str, str, datetime, bool]] = field(default_factory=list)
    duty: list[tuple[str, datetime, datetime | None]] = field(default_factory=list)
    handovers: list[tuple[str, str, str, datetime, datetime | None]] = field(default_factory=list)
    alerts: list[tuple[str, datetime, str, datetime | None]] = field(default_factory=list)
    silences: list[tuple[str, datetime, datetime, str]] = field(default_factory=list)
    probes: list[tuple[str, datetime, float]] = field(default_factory=list)
    items: list[tuple[str, datetime, str, datetime | None]] = field(default_factory=list)


class Operations:
    """Plans operations in the order of time, and writes what they leave behind."""

    def __init__(self, world: World, reserved: Sequence[str] = ()) -> None:
        self.world = world
        self.rng: Random = world.rng
        self.reserved = set(reserved)
        self.changes: list[Change] = []
        self.registers = Registers()
        self.removed: set[str] = set()
        self.volumes: list[tuple[str, Region, str]] = []
        self.version_at = world.epoch + timedelta(days=self.rng.uniform(3, 25))
        self.names_steps = self.rng.random() < 0.5
        self.witness_is_step = self.rng.random() < 0.3
        self.declares_irreversible = self.rng.random() < 0.7
        self.removal = (
            "decommission"
            if not self.declares_irreversible
            else self.rng.choice(("decommission", "remove-array"))
        )
        self.number = self.rng.randrange(1000, 9000)

    # -- clean operations ---------------------------------------------------------------------

    def steps(self, kind: str, version: int) -> tuple[Step, ...]:
        """Steps of a version of a procedure, with witnessing where it is a step here."""
        if kind not in PROCEDURES:
            return ()
        steps = [step for step in PROCEDURES[kind][1] if step.since <= version]
        if self.witness_is_step:
            place = next((i for i, step in enumerate(steps) if step.irreversible), None)
            if place is not None:
                target = steps[place]
                steps[place] = Step(
                    target.id, target.kind, target.minutes, True, True, (*target.needs, "witness")
                )
                steps.insert(place, Step("witness", "action", 5, needs=("label",)))
        return tuple(steps)

    def version(self, instant: datetime) -> int:
        """The version of every procedure that is in force at an instant."""
        return 2 if instant >= self.version_at else 1

    def action(self, step: Step) -> str:
        """The word by which records call a step."""
        return self.removal if step.id == "remove" else step.id

    def start_of(self, change: Change, day: int) -> datetime:
        """A time of the working day, or of the night, at the site."""
        zone = ZoneInfo(change.region.zone)
        date = (self.world.epoch + timedelta(days=day)).date()
        hour = self.rng.uniform(8.5, 14.0)
        if change.night:
            hour = self.rng.uniform(2.7, 4.6) - self.lead(change) / 60
        return self.world.tick(
            (
                datetime(date.year, date.month, date.day, tzinfo=zone) + timedelta(hours=hour)
            ).astimezone(self.world.epoch.tzinfo)
        )

    def lead(self, change: Change) -> float:
        """Minutes from the first event to the irreversible one."""
        total = 0.0
        for act in change.acts:
            total += act.minutes
            if act.irreversible:
                break
        return total

    def free_array(self) -> str | None:
        """An array that its group can spare."""
        spare = []
        for array in self.world.arrays:
            if array.group in self.reserved or array.id in self.removed:
                continue
            group = self.world.group_of(array.id)
            left = [each for each in group if each.id not in self.removed and each.id != array.id]
            if len(left) >= array.min_copies and left:
                spare.append(array.id)
        return self.rng.choice(spare) if spare else None

    def draft(self, kind: str, day: int, target: str | None = None) -> Change | None:
        """A clean operation of a kind on a target, without times; None where nothing is left."""
        rng, world = self.rng, self.world
        if kind == ARRAY:
            target = target or self.free_array()
            if target is None:
                return None
            region = next(each.region for each in world.arrays if each.id == target)
        elif kind == VOLUME:
            region = rng.choice(world.regions)
            target = f"vol-{region.name.lower()}-{len(self.volumes) + 1:03d}"
            self.volumes.append((target, region, rng.choice(("normal", "high", "critical"))))
        else:
            host = next((each for each in world.hosts if each.id == target), None)
            host = host or rng.choice(world.hosts)
            region, target = host.region, host.id
        self.number += rng.randrange(1, 30)
        implementer = rng.choice(world.operators)
        change = Change(
            f"CHG{self.number:07d}", kind, region, f"ctl-{region.name.lower()}", [target],
            implementer, rng.choice(world.requesters), day=day,
        )  # fmt: skip
        change.risk = rng.choice(("medium", "high"))
        change.duty_hours = rng.uniform(1, 5)
        if rng.random() < 0.5:
            change.session = f"s{rng.randrange(10**6):06d}"
        version = self.version(self.start_of(change, day))
        for step in self.steps(kind, version):
            if step.kind == "approve":
                continue
            if step.irreversible and not self.witness_is_step:
                change.acts.append(self.witness(change, target))
            minutes = step.minutes * rng.uniform(0.85, 1.2)
            act = Act(step.id, self.action(step), target, implementer, minutes)
            act.irreversible = step.irreversible
            if step.id == "witness":
                act.actor = self.another(implementer)
            change.acts.append(act)
        if kind == ADHOC:
            change.acts.append(Act(None, "rewire", target, implementer, 5))
        if rng.random() < 0.3:
            change.acts.append(
                Act(None, rng.choice(READ_ONLY), rng.choice((None, target)), implementer, 3,
                    rng.choice((None, "success", "unknown")))
            )  # fmt: skip
        return change

    def witness(self, change: Change, target: str) -> Act:
        """Attendance by a second person."""
        return Act(None, self.rng.choice(WITNESS), target, self.another(change.implementer),
                   self.rng.uniform(1, 5))  # fmt: skip

    def another(self, *people: str) -> str:
        """An operator other than these."""
        return self.rng.choice([each for each in self.world.operators if each not in people])

    def lay(self, change: Change, start: datetime | None = None) -> Change:
        """Give times to the events, then write window, approvals, roster and the rest."""
        rng, tick = self.rng, self.world.tick
        begin = start or self.start_of(change, change.day)
        at, ends = begin, rng.random() < 0.3
        for index, act in enumerate(change.acts):
            at = tick(at + timedelta(minutes=act.minutes)) if index else tick(at)
            act.at = at
            if ends and index + 1 < len(change.acts):
                following = change.acts[index + 1].minutes
                act.ended_at = tick(at + timedelta(minutes=following * rng.uniform(0.1, 0.5)))
        if change.acts:
            begin = min(act.at for act in change.acts)
            at = max(act.at for act in change.acts)
        change.window = (
            tick(begin - timedelta(minutes=rng.uniform(5, 60))),
            tick(at + timedelta(minutes=rng.uniform(30, 120))),
        )
        change.closed_at = tick(at + timedelta(minutes=rng.uniform(5, 25)))
        if change.registered:
            change.approvals_required = rng.choice((None, 1, 1, 2))
            for manager in rng.sample(self.world.managers, change.approvals_required or 1):
                change.approvals.append(
                    (manager, "approved", tick(begin - timedelta(hours=rng.uniform(2, 72))))
                )
            if rng.random() < 0.4:
                self.registers.silences.append(
                    (change.targets[0], tick(begin - timedelta(minutes=2)), tick(at), change.id)
                )
            if rng.random() < 0.4 and change.acts:
                fired = tick(begin + timedelta(minutes=rng.uniform(1, 20)))
                acked = tick(fired + timedelta(minutes=rng.uniform(1, 12)))
                self.registers.alerts.append((self.alert_id(), fired, change.targets[0], acked))
        for late in change.late:
            late(change)
        if change.is_forgotten:
            change.acts.clear()
            self.registers.silences = [
                row for row in self.registers.silences if row[3] != change.id
            ]
        for actor in sorted({act.actor for act in change.acts if not act.is_witness}):
            last = max((act.at for act in change.acts if act.irreversible), default=begin)
            since = min(begin, last) if change.duty_hours < 8 else last
            duty = tick(since - timedelta(hours=change.duty_hours))
            over = None if rng.random() < 0.3 else tick(last + timedelta(hours=rng.uniform(2, 5)))
            self.registers.duty.append((actor, duty, over))
        self.leave_behind(change)
        self.changes.append(change)
        return change

    def alert_id(self) -> str:
        """The next number of an alert."""
        return f"AL-{len(self.registers.alerts) + 1:04d}"

    def leave_behind(self, change: Change) -> None:
        """States of arrays and tests of copies; dependents move when they are drained."""
        rng, tick = self.rng, self.world.tick
        drain = next(
            (act for act in change.acts if act.step == "drain" and act.outcome != "failure"), None
        )
        for act in change.acts:
            if not act.irreversible or act.target is None:
                continue
            if act.target.startswith("arr-"):
                if drain and drain.target == act.target and "stay" not in change.intended:
                    self.move(act.target, drain.at)
                self.removed.add(act.target)
                self.registers.states.append(
                    (tick(act.at + timedelta(minutes=rng.uniform(0.5, 5))), act.target, "removed")
                )
            tested = [act.target]
            if act.target.startswith("arr-"):
                tested = [each.id for each in self.world.group_of(act.target)]
            if "untested" in change.intended:
                self.registers.checks = [
                    row for row in self.registers.checks if row[0] not in tested
                ]
                if rng.random() < 0.6:
                    stale = tick(act.at - timedelta(days=rng.uniform(31, 90)))
                    self.registers.checks.append((tested[0], "integrity", stale, True))
                if rng.random() < 0.3:
                    recent = tick(act.at - timedelta(days=rng.uniform(1, 20)))
                    self.registers.checks.append((tested[0], "restore_test", recent, False))
            else:
                recent = tick(act.at - timedelta(days=rng.uniform(0.5, 28)))
                kind = rng.choice(("restore_test", "integrity"))
                self.registers.checks.append((rng.choice(tested), kind, recent, True))

    def move(self, array: str, at: datetime) -> None:
        """Move the dependents of an array to another one."""
        home = next(each for each in self.world.arrays if each.id == array)
        others = [
            each.id for each in self.world.arrays
            if each.region == home.region and each.id != array and each.id not in self.removed
        ]  # fmt: skip
        for edge in list(self.world.edges):
            if edge.on == array and edge.holds(at):
                edge.until = at
                if others:
                    self.world.edges.append(
                        Edge(edge.machine, self.rng.choice(others), edge.relation, at)
                    )

    def session(self, day: int, action: str, target: str, *, irreversible: bool) -> Change:
        """Events of nobody's change."""
        region = self.rng.choice(self.world.regions)
        actor = self.rng.choice(self.world.operators)
        name = f"x{self.rng.randrange(10**6):06d}"
        change = Change(
            f"session:{name}", "", region, f"ctl-{region.name.lower()}", [target], actor,
            registered=False, session=name, outcome=None, duty_hours=self.rng.uniform(1, 5),
        )  # fmt: skip
        change.acts = [Act(None, action, target, actor, 0, irreversible=irreversible)]
        change.day = day
        change.acts[0].is_stated = False
        return self.lay(change)


# -- deviations -------------------------------------------------------------------------------

Deviation = Callable[[Operations, Change], bool]
DEVIATIONS: dict[str, Deviation] = {}


def _deviation(function: Deviation) -> Deviation:
    DEVIATIONS[function.__name__] = function
    return function


def _swap(change: Change, first: str, second: str) -> bool:
    a, b = change.act(first), change.act(second)
    if a is None or b is None:
        return False
    change.acts.remove(a)
    change.acts.insert(change.acts.index(b) + 1, a)
    return True


@_deviation
def skipped_step(ops: Operations, change: Change) -> bool:
    """A mandatory step is left out, or did not succeed."""
    act = change.act("label")
    if act is None or ops.witness_is_step:
        return False
    if ops.rng.random() < 0.5:
        act.outcome = "failure"
    else:
        change.acts.remove(act)
    return True


@_deviation
def premature_step(ops: Operations, change: Change) -> bool:
    """A step runs before the one that it needs."""
    pairs = {ARRAY: ("drain", "remove"), VOLUME: ("snapshot-check", "purge"),
             PATCH: ("evacuate", "patch")}  # fmt: skip
    return change.kind in pairs and _swap(change, *pairs[change.kind])


@_deviation
def prerequisite_without_success(ops: Operations, change: Change) -> bool:
    """A step runs although the one that it needs ended otherwise."""
    act = change.act("drain") or change.act("evacuate")
    if act is None:
        return False
    act.outcome = ops.rng.choice(("failure", "warning"))
    return True


@_deviation
def extra_action(ops: Operations, change: Change) -> bool:
    """An action that the procedure does not know."""
    if change.kind not in PROCEDURES:
        return False
    place = ops.rng.randrange(1, len(change.acts))
    actor = change.implementer
    change.acts.insert(place, Act(None, "rebalance", change.targets[0], actor, 3))
    return True


@_deviation
def other_target(ops: Operations, change: Change) -> bool:
    """A step of the plan, also on an asset that the change does not name."""
    act = change.act("label")
    if act is None:
        return False
    others = [each.id for each in ops.world.hosts if each.id not in change.targets]
    others += [each.id for each in ops.world.arrays if each.id not in change.targets]
    place = change.acts.index(act) + 1
    change.acts.insert(
        place, Act("label", "label", ops.rng.choice(others), change.implementer, act.minutes)
    )
    return True


@_deviation
def dependents_stay(ops: Operations, change: Change) -> bool:
    """The drain is recorded as done, and the dependents have not moved."""
    if change.kind != ARRAY:
        return False
    change.intended.add("stay")
    return True


@_deviation
def weak_siblings(ops: Operations, change: Change) -> bool:
    """Siblings of the removed array are not healthy."""
    if change.kind != ARRAY:
        return False
    group = ops.world.group_of(change.targets[0])
    siblings = [each for each in group
                if each.id not in change.targets and each.id not in ops.removed]  # fmt: skip
    spare = len(siblings) - group[0].min_copies

    def fail(laid: Change) -> None:
        first = laid.acts[0].at
        for each in siblings[: spare + 1]:
            ops.registers.states.append(
                (ops.world.tick(first - timedelta(hours=ops.rng.uniform(1, 60))), each.id,
                 ops.rng.choice(("failed", "degraded")))
            )  # fmt: skip
            ops.removed.add(each.id)

    change.late.append(fail)
    return True


@_deviation
def no_precheck(ops: Operations, change: Change) -> bool:
    """No pre-check is on record."""
    checks = [act for act in change.acts
              if act.step in ("verify-backup", "check-dependents", "snapshot-check")]  # fmt: skip
    for act in checks:
        change.acts.remove(act)
    return bool(checks)


@_deviation
def old_precheck(ops: Operations, change: Change) -> bool:
    """The pre-checks lie further back than a day."""
    if change.kind not in (ARRAY, VOLUME) or change.night:
        return False
    following = change.act("label")
    if following is None or change.acts.index(following) == 0:
        return False
    following.minutes = 60 * ops.rng.uniform(25, 40)
    return True


@_deviation
def untested_copy(ops: Operations, change: Change) -> bool:
    """No test of the copy passed in the last month."""
    if change.kind not in (ARRAY, VOLUME):
        return False
    change.intended.add("untested")
    return True


@_deviation
def outside_window(ops: Operations, change: Change) -> bool:
    """The window ends before the work does, or begins after it."""

    def shift(laid: Change) -> None:
        first, last = laid.acts[0].at, laid.acts[-1].at
        middle = ops.world.tick(first + (last - first) * ops.rng.uniform(0.2, 0.8))
        start, end = laid.window
        laid.window = (start, middle) if ops.rng.random() < 0.5 else (middle, end)

    if len(change.acts) < 3:
        return False
    change.late.append(shift)
    return True


@_deviation
def overriding_flag(ops: Operations, change: Change) -> bool:
    """A guard is overridden."""
    if change.critical is None:
        return False
    act = ops.rng.choice([change.critical, change.critical, change.acts[0]])
    act.flags = ops.rng.choice(("--force", "--yes --verbose", "-q --skip-checks", "--no-verify"))
    return True


@_deviation
def warning_ignored(ops: Operations, change: Change) -> bool:
    """A step before the irreversible one ends with a warning."""
    act = change.act("label")
    if change.critical is None or act is None or ops.witness_is_step:
        return False
    act.outcome = "warning"
    return True


@_deviation
def long_duty(ops: Operations, change: Change) -> bool:
    """The person has been on duty for more than twelve hours."""
    if change.critical is None:
        return False
    change.duty_hours = ops.rng.uniform(12.3, 17)
    return True


@_deviation
def at_night(ops: Operations, change: Change) -> bool:
    """The irreversible step is done in the small hours."""
    if change.critical is None or ops.lead(change) > 300:
        return False
    change.night = True
    return True


@_deviation
def change_of_hands(ops: Operations, change: Change) -> bool:
    """Another person goes on, without a handover that was acknowledged."""
    if len(change.acts) < 4 or change.kind not in PROCEDURES:
        return False
    place = ops.rng.randrange(1, 3)
    giver = change.implementer
    taker = ops.another(giver, *[act.actor for act in change.acts])
    for act in change.acts[place:]:
        if not act.is_witness:
            act.actor = taker
    choice = ops.rng.random()

    def hand_over(laid: Change) -> None:
        given = laid.acts[place].at - timedelta(minutes=1)
        acked = ops.world.tick(given + timedelta(seconds=40)) if choice < 0.35 else None
        ops.registers.handovers.append((laid.id, giver, taker, ops.world.tick(given), acked))

    if choice < 0.6:
        change.late.append(hand_over)
    return True


@_deviation
def nobody_attends(ops: Operations, change: Change) -> bool:
    """No second person attends, or too early, or it is the same person."""
    act = next((each for each in change.acts if each.is_witness), None)
    if act is None or change.critical is None:
        return False
    choice = ops.rng.randrange(3)
    if choice == 0:
        change.acts.remove(act)
    elif choice == 1:
        act.actor = change.critical.actor
    else:
        change.critical.minutes = ops.rng.uniform(11.5, 18)
    return True


@_deviation
def hurry(ops: Operations, change: Change) -> bool:
    """A step follows much sooner than usual."""
    places = [act for act in change.acts[1:] if act.step and act.minutes > 4]
    if not places:
        return False
    ops.rng.choice(places).minutes *= ops.rng.uniform(0.12, 0.35)
    return True


@_deviation
def not_verified(ops: Operations, change: Change) -> bool:
    """No verification succeeds."""
    act = change.act("verify") or change.act("audit") or change.act("health")
    if act is None:
        return False
    if ops.rng.random() < 0.5:
        act.outcome = "failure"
    else:
        change.acts.remove(act)
    return True


@_deviation
def silent_log(ops: Operations, change: Change) -> bool:
    """The log is silent after the irreversible step."""
    act = change.act("verify") or change.act("audit")
    if act is None:
        return False
    act.minutes = ops.rng.uniform(25, 180)
    return True


@_deviation
def shared_account(ops: Operations, change: Change) -> bool:
    """The work is done under an account that names no person."""
    account = ops.rng.choice(("root", "admin", "Administrator", "operator"))
    for act in change.acts:
        if not act.is_witness:
            act.actor = account
    return True


@_deviation
def late_record(ops: Operations, change: Change) -> bool:
    """A record is written long after, or edited."""
    is_late = ops.rng.random() < 0.5

    def write(laid: Change) -> None:
        act = ops.rng.choice(laid.acts)
        act.recorded_at = ops.world.tick(
            act.done_at + timedelta(hours=ops.rng.uniform(5, 60) if is_late else 0.01)
        )
        if not is_late:
            act.edited_at = ops.world.tick(
                act.recorded_at + timedelta(hours=ops.rng.uniform(1, 90))
            )

    change.late.append(write)
    return True


@_deviation
def no_rollback(ops: Operations, change: Change) -> bool:
    """No plan to fall back."""
    change.rollback = None
    return True


@_deviation
def under_rated(ops: Operations, change: Change) -> bool:
    """No impact assessment, or a low rating."""
    if ops.rng.random() < 0.5:
        change.impact = None
    else:
        change.risk = "low"
    return True


@_deviation
def short_of_approvals(ops: Operations, change: Change) -> bool:
    """Too few approvals, or one that was withdrawn."""

    def drop(laid: Change) -> None:
        if not laid.approvals:
            return
        manager, _, at = laid.approvals.pop()
        if ops.rng.random() < 0.4:
            laid.approvals.append((manager, ops.rng.choice(("rejected", "withdrawn")), at))

    change.late.append(drop)
    return True


@_deviation
def self_approved(ops: Operations, change: Change) -> bool:
    """Who asked, or who does it, approves it too."""

    def approve(laid: Change) -> None:
        who = ops.rng.choice((laid.requested_by, laid.implementer))
        laid.approvals.append(
            (who, "approved", ops.world.tick(laid.acts[0].at - timedelta(hours=3)))
        )

    change.late.append(approve)
    return True


@_deviation
def approved_later(ops: Operations, change: Change) -> bool:
    """An approval comes after the work has begun."""
    change.emergency = ops.rng.random() < 0.3

    def postpone(laid: Change) -> None:
        if not laid.approvals:
            return
        manager, decision, _ = laid.approvals.pop()
        hours = ops.rng.uniform(0.5, 40)
        hours = hours if abs(hours - 24) > 0.5 else 30
        laid.approvals.append(
            (manager, decision, ops.world.tick(laid.acts[0].at + timedelta(hours=hours)))
        )

    change.late.append(postpone)
    return True


@_deviation
def old_version(ops: Operations, change: Change) -> bool:
    """The change names a version that has been superseded, or one that nobody knows."""
    if change.kind not in PROCEDURES:
        return False
    change.version = ops.rng.choice(("1", "1", "7"))
    return True


@_deviation
def unanswered_alert(ops: Operations, change: Change) -> bool:
    """Nobody answers an alert on the target in time."""

    def fire(laid: Change) -> None:
        fired = ops.world.tick(laid.acts[0].at + timedelta(minutes=ops.rng.uniform(1, 15)))
        acked = ops.world.tick(fired + timedelta(minutes=ops.rng.uniform(16, 300)))
        ops.registers.alerts.append(
            (ops.alert_id(), fired, laid.targets[0], ops.rng.choice((None, acked)))
        )

    change.late.append(fire)
    return True


@_deviation
def no_events(ops: Operations, change: Change) -> bool:
    """The change is closed, and nothing is on record of it."""

    if change.kind != PATCH:
        return False
    change.is_forgotten = True
    return True


@_deviation
def outcome_not_recorded(ops: Operations, change: Change) -> bool:
    """How a step ended is not on record."""
    act = change.act(ops.rng.choice(("label", "drain", "evacuate", "verify", "health")))
    if act is None:
        return False
    act.outcome = ops.rng.choice((None, "unknown"))
    return True


@_deviation
def same_instant(ops: Operations, change: Change) -> bool:
    """Two steps bear the same time."""
    pairs = {ARRAY: ("drain", "remove"), VOLUME: ("snapshot-check", "purge"),
             PATCH: ("evacuate", "patch")}  # fmt: skip
    if change.kind not in pairs:
        return False
    first, second = pairs[change.kind]

    def tie(laid: Change) -> None:
        a, b = laid.act(first), laid.act(second)
        if a is not None and b is not None:
            a.at, a.ended_at = b.at, None
            for act in laid.acts:
                if act.ended_at and act.ended_at > b.at > act.at:
                    act.ended_at = None

    change.late.append(tie)
    return True


@_deviation
def unnamed_change(ops: Operations, change: Change) -> bool:
    """An action of no step in the window and on the target, which does not name the change."""
    if not extra_action(ops, change):
        return False
    next(act for act in change.acts if act.action == "rebalance").is_stated = False
    return True


@_deviation
def no_target(ops: Operations, change: Change) -> bool:
    """A record does not say what was acted upon."""
    act = change.act("label")
    if act is None:
        return False
    act.target = None
    return True
