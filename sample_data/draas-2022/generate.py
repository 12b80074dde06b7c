"""Write the evidence of the flagship sample case: `python generate.py [FOLDER]`.

Everything in this case is invented except the few published facts that README.md lists; texts
that carry a published fact are marked `[published]`, all others `[invented for this sample]`.
The generator uses one fixed seed and neither the clock nor the environment, so that every run
writes the same bytes (Parquet: with the same version of pyarrow).
"""

from __future__ import annotations

import csv
import heapq
import io
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20220309
INVENTED = "[invented for this sample]"
GB = 1_000_000_000
MIB = 1_048_576
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

ZONES = {
    "US": ZoneInfo("America/Denver"),
    "IE": ZoneInfo("Europe/Dublin"),
    "AU": ZoneInfo("Australia/Sydney"),
}
SITES = {"US": "us-slc", "IE": "ie-dub", "AU": "au-syd"}
HOSTS = {"US": "ctl-us", "IE": "mds-eu", "AU": "ctl-au"}
CLOCK_ERROR = {"mds-eu": timedelta(seconds=4.2)}  # the European host's clock ran ahead


def utc(text: str) -> datetime:
    """An instant from `2022-03-09 09:17:42` (UTC)."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(day: date, clock: str, region: str) -> datetime:
    """The instant at which the clocks of a region's site show `clock` on `day`."""
    return datetime.combine(day, time.fromisoformat(clock), ZONES[region]).astimezone(UTC)


def iso(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


RECORD_START = utc("2022-02-01 00:00:00")
RECORD_END = utc("2022-04-20 00:00:00")
FATAL = "CHG0030142"
FATAL_STEPS = {  # array decommissioned in the fatal change, and when
    "mds-us-2": utc("2022-03-09 09:17:42"),
    "mds-ie-2": utc("2022-03-09 09:31:05"),
    "mds-au-2": utc("2022-03-09 09:44:20"),
}
FAILED = {"mds-ie-1": utc("2022-03-02 11:20:00")}  # by itself; its group was left with one copy


# --- The estate -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Array:
    """A storage array: `mds-*` hold metadata, `blk-*` hold recovery points."""

    name: str
    region: str
    group: str
    min_copies: int
    valid_from: datetime | None = None

    @property
    def is_metadata(self) -> bool:
        return self.name.startswith("mds-")


def arrays() -> list[Array]:
    """Metadata shards `-a` are those that the fatal change touched; shards `-b` were not."""
    rows = []
    for up in ZONES:
        region = up.lower()
        rows += [Array(f"mds-{region}-{n}", up, f"mds-{region}-a", 1) for n in (1, 2, 3)]
        if SHARD_A[up] < FLEET[up][0]:
            rows += [Array(f"mds-{region}-{n}", up, f"mds-{region}-b", 1) for n in (4, 5)]
        # Recovery arrays; the Irish one is alone in its group, and stays a single copy.
        for n in (6, 7) if region != "ie" else (6,):
            rows.append(
                Array(f"mds-{region}-{n}", up, f"mds-{region}-r", 1, utc("2022-03-11 00:00:00"))
            )
        rows += [
            Array(f"blk-{region}-{n}", up, f"blk-{region}", 2) for n in range(1, BLOCKS[up] + 1)
        ]
    return rows


@dataclass(frozen=True)
class Machine:
    """A protected machine of a partner's customer."""

    name: str
    kind: str
    region: str
    partner: str
    shard: str
    block: int
    protected: int
    cadence: int  # minutes between recovery points
    phase: int  # seconds after the start of the cadence
    outage: tuple[datetime, datetime] | None  # an interruption of its own, not of the provider

    @property
    def job(self) -> str:
        return f"rj-{self.name}"

    @property
    def vault(self) -> str:
        return f"vault-{self.region.lower()}"

    @property
    def rpo(self) -> int:
        return 2 * self.cadence if self.cadence == 1440 else 4 * self.cadence


KINDS = {  # machine type: (prefix, share, protected GB from, to, seeding GB per hour)
    "windows-server": ("win", 0.34, 500, 4200, 26),
    "linux-server": ("lin", 0.20, 200, 2400, 36),
    "hyper-v-vm": ("hpv", 0.16, 300, 2600, 46),
    "vmware-vm": ("vmw", 0.16, 300, 3000, 56),
    "physical-desktop": ("dsk", 0.14, 120, 480, 9),
}
FLEET = {"US": (200, range(1, 14)), "IE": (90, range(14, 20)), "AU": (70, range(20, 25))}
BLOCKS = {"US": 8, "IE": 5, "AU": 5}  # arrays that hold recovery points
SHARD_A = {"US": 120, "IE": 60, "AU": 70}  # machines whose metadata the fatal change removed


def machines(rng: Random) -> list[Machine]:
    rows: list[Machine] = []
    for region, (count, partners) in FLEET.items():
        for n in range(count):
            kind = pick(rng, [(k, v[1]) for k, v in KINDS.items()])
            prefix, _, low, high, _ = KINDS[kind]
            cadence = 1440 if kind == "physical-desktop" else (60, 60, 120, 120, 240)[n % 5]
            outage = None
            if rng.random() < 0.03:
                start = RECORD_START + DAY * (2 + 30 * rng.random())
                outage = (start, start + HOUR * (8 + 30 * rng.random()))
            shard = "a" if n < SHARD_A[region] else "b"
            rows.append(
                Machine(
                    name=f"{prefix}-{region.lower()}-{n + 1:03d}",
                    kind=kind,
                    region=region,
                    partner=f"partner-{partners[int(rng.random() * len(partners))]:02d}",
                    shard=f"mds-{region.lower()}-{shard}",
                    block=1 + int(rng.random() * BLOCKS[region]),
                    protected=int(low + (high - low) * rng.random() ** 1.6) * GB,
                    cadence=cadence,
                    phase=int(rng.random() * cadence * 60),
                    outage=outage,
                )
            )
    return rows


def pick(rng: Random, weights: Sequence[tuple[str, float]]) -> str:
    mark = rng.random() * sum(weight for _, weight in weights)
    for value, weight in weights:
        mark -= weight
        if mark < 0:
            return value
    return weights[-1][0]


# --- Changes and what was done under them ---------------------------------------------------


@dataclass(frozen=True)
class Event:
    """One line of the operators' tool."""

    at: datetime
    host: str
    change: str
    action: str
    target: str
    outcome: str
    actor: str
    session: str
    flags: str = ""
    msg: str = ""

    def text(self) -> str:
        fields = [("change", self.change), ("step", self.action if self.change else "")]
        fields += [("action", self.action), ("target", self.target), ("outcome", self.outcome)]
        fields += [("actor", self.actor), ("session", self.session)]
        line = " ".join(f"{key}={value}" for key, value in fields if value)
        return f'{line} flags="{self.flags}" msg="{self.msg}"'


@dataclass
class Change:
    """One record of the change register with its approvals."""

    number: str
    kind: str
    title: str
    targets: str
    requested_by: str
    implementer: str
    start: datetime
    end: datetime
    risk: str = "Moderate"
    backout: str = ""
    impact: str = ""
    closed: datetime | None = None
    code: str = "successful"
    type: str = "Normal"
    approvals: list[tuple[str, datetime]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    planted: tuple[str, ...] = ()  # rules that its deviation should raise (for truth.toml)


@dataclass(frozen=True)
class Decommission:
    """An earlier decommission that ended well, with its minor deviation if it had one."""

    number: str
    target: str
    day: date
    actor: str
    witness: str
    force: bool = False
    late_approval: bool = False


HISTORY = (
    Decommission("CHG0029381", "blk-us-1", date(2021, 11, 9), "op-a", "op-b"),
    Decommission("CHG0029416", "blk-ie-1", date(2021, 11, 23), "op-e", "op-f", force=True),
    Decommission("CHG0029470", "blk-us-2", date(2021, 12, 7), "op-b", "op-c", late_approval=True),
    Decommission("CHG0029633", "blk-au-1", date(2022, 1, 11), "op-g", "op-h"),
    Decommission("CHG0029702", "mds-us-1", date(2022, 1, 25), "op-c", "op-a", force=True),
    Decommission("CHG0029745", "mds-au-1", date(2022, 2, 1), "op-h", "op-g"),
    Decommission("CHG0029810", "blk-us-3", date(2022, 2, 8), "op-a", "op-b", late_approval=True),
    Decommission("CHG0029866", "blk-ie-2", date(2022, 2, 15), "op-f", "op-e", force=True),
    Decommission("CHG0029921", "blk-us-4", date(2022, 2, 22), "op-b", "op-a"),
    Decommission("CHG0029987", "blk-au-2", date(2022, 3, 1), "op-g", "op-h"),
)
NEVER_TOLD = ("partner-05", "partner-11", "partner-19", "partner-23")
V3_PUBLISHED = date(2022, 1, 17)


def region_of(target: str) -> str:
    return target.split("-")[1].upper()


def jitter(rng: Random, minutes: float) -> timedelta:
    """A usual duration of a step, give or take a tenth, in whole seconds."""
    return timedelta(seconds=round(60 * minutes * (0.9 + 0.2 * rng.random())))


def decommission(item: Decommission, rng: Random) -> Change:
    region = region_of(item.target)
    start = local(item.day, "20:00:00", region)
    host, session = HOSTS[region], f"s-{item.number[-4:]}"

    def event(at: datetime, action: str, actor: str, msg: str, flags: str = "") -> Event:
        return Event(
            at, host, item.number, action, item.target, "success", actor, session, flags, msg
        )

    at = start + jitter(rng, 8)
    events = [event(at, "verify-backup", item.actor, "restore sample compared, identical")]
    if item.day >= V3_PUBLISHED:
        at += jitter(rng, 6)
        events.append(event(at, "check-dependents", item.actor, "dependents listed, drain planned"))
    at += jitter(rng, 45)
    events.append(event(at, "drain", item.actor, "0 dependents attached"))
    at += jitter(rng, 40)
    events.append(event(at, "witness", item.witness, "target name read back"))
    at += jitter(rng, 5)
    flags = "--force" if item.force else ""
    events.append(event(at, "decommission", item.actor, "array removed from group", flags))
    at += jitter(rng, 20)
    events.append(event(at, "verify", item.actor, "group healthy, replication of dependents runs"))

    requester = f"cm-{1 + (item.day.month % 2)}"
    approvals = [("mgr-1", start - jitter(rng, 30 * 60))]
    if item.late_approval:
        approvals.append(("mgr-2", start + jitter(rng, 15 * 60)))
    return Change(
        item.number, "Array decommission", f"Decommission array {item.target}", item.target,
        requester, item.actor, start, start + 4 * HOUR,
        risk="High" if item.target.startswith("mds") else "Moderate",
        backout=f"RB-{item.number[-4:]}: re-attach within the grace period of the shelf",
        impact=f"IA-{item.number[-4:]}: dependents move before removal",
        closed=at + jitter(rng, 40), approvals=approvals, events=events,
    )  # fmt: skip


def scripted_events(change: str = "") -> list[Event]:
    """The events written out by hand that name `change`; those that name none by default."""
    text = Path(__file__).with_name("scripted_events.csv").read_text()
    return [
        Event(utc(at), *rest)
        for at, *rest in list(csv.reader(io.StringIO(text)))[1:]
        if rest[1] == change
    ]


def scripted_changes() -> list[Change]:
    """The fatal change, and the others that are written out by hand."""
    rows = [
        Change(
            FATAL, "Array decommission", "Decommission generation-1 metadata arrays",
            "mds-us-2;mds-ie-1;mds-au-2", "cm-1", "op-a",
            utc("2022-03-09 05:00:00"), utc("2022-03-09 11:00:00"), risk="Low",
            impact="IA-0142: none expected, arrays are listed as unused",
            closed=utc("2022-03-09 10:25:00"), approvals=[("mgr-1", utc("2022-03-07 17:20:00"))],
        ),
        Change(
            "CHG0029960", "Firmware", "Firmware of shelf controllers", "app-us-5", "cm-2", "op-d",
            utc("2022-02-25 03:00:00"), utc("2022-02-25 06:00:00"), risk="Low",
            backout="RB-9960: previous image", impact="IA-9960: controller pair, one at a time",
            closed=utc("2022-02-25 04:40:00"), approvals=[("mgr-1", utc("2022-02-23 16:00:00"))],
            planted=("CF-15",),
        ),
        Change(
            "CHG0030141", "Patching", "Patch control host app-us-6", "app-us-6", "cm-2", "op-d",
            utc("2022-03-09 08:00:00"), utc("2022-03-09 11:00:00"), risk="Low",
            backout="RB-0141: state before", impact="IA-0141: no dependents in use",
            closed=utc("2022-03-09 10:50:00"), approvals=[("mgr-2", utc("2022-03-07 20:00:00"))],
            planted=("CF-19", "CF-23"),
        ),
        Change(
            "CHG0030158", "Recovery", "Provision metadata arrays, relink and re-seed machines",
            "mds-us-6;mds-us-7;mds-ie-6;mds-au-6;mds-au-7", "cm-1", "op-b",
            utc("2022-03-11 00:00:00"), utc("2022-05-31 00:00:00"), risk="High", code="",
            type="Emergency", backout="RB-0158: new arrays only, nothing is removed",
            impact="IA-0158: shards a", approvals=[("mgr-1", utc("2022-03-11 03:10:00"))],
        ),
    ]  # fmt: skip
    for change in rows:
        change.events = scripted_events(change.number)
    return rows


ROUTINE = {  # kind of change: (title, steps with minutes since the step before, targets)
    "Patching": (
        "Patch control host",
        (("snapshot", 10), ("patch", 25), ("reboot", 12), ("verify", 15)),
        ("app-us-1", "app-us-2", "gw-ie-1", "app-us-3", "gw-au-1", "app-us-4", "gw-ie-2"),
    ),
    "Capacity": (
        "Add capacity to vault",
        (("check-capacity", 8), ("add-shelf", 35), ("rebalance", 90), ("verify", 15)),
        ("vault-us", "vault-ie", "vault-au"),
    ),
}
CREW = {"US": ("op-a", "op-b", "op-c", "op-d"), "IE": ("op-e", "op-f"), "AU": ("op-g", "op-h")}


def routine_changes(taken: set[str], rng: Random) -> list[Change]:
    """Patching every week and capacity every second week, a few with a minor deviation."""
    rows: list[Change] = []
    counts = {"Patching": 0, "Capacity": 0}
    for week in range(18):  # Thursdays (patching) and every second Monday (capacity)
        for kind, day in (("Patching", date(2021, 11, 4)), ("Capacity", date(2021, 11, 1))):
            if kind == "Capacity" and week % 2:
                continue
            day += timedelta(days=7 * week)
            title, steps, targets = ROUTINE[kind]
            n = counts[kind]
            counts[kind] += 1
            target = targets[n % len(targets)]
            region = region_of(target)
            actor = CREW[region][n % len(CREW[region])]
            serial = 29354 + round(6.2 * (day - date(2021, 11, 1)).days)
            while (number := f"CHG00{serial}") in taken:
                serial += 1
            taken.add(number)
            start = local(day, "21:00:00", region)
            change = Change(
                number, kind, f"{title} {target}", target, "cm-1", actor, start, start + 4 * HOUR,
                risk="Low", backout=f"RB-{number[-4:]}: roll back to the state before",
                impact=f"IA-{number[-4:]}: no dependents in use",
                approvals=[("mgr-2", start - jitter(rng, 20 * 60))],
            )  # fmt: skip
            at = start
            for action, minutes in steps:
                at += jitter(rng, minutes)
                change.events.append(
                    Event(at, HOSTS[region], number, action, target, "success", actor,
                          f"s-{number[-4:]}", "", f"{action} done")
                )  # fmt: skip
            change.closed = at + jitter(rng, 30)
            plant(change, n)
            rows.append(change)
    return rows


def plant(change: Change, n: int) -> None:
    """Give the n-th change of its kind its minor deviation, if it is to have one."""
    events = change.events
    match change.kind, n:
        case "Patching", 3:
            events[-1] = replace(events[-1], at=change.end + 25 * MINUTE)
            change.closed = change.end + HOUR
            change.planted = ("CF-14",)
        case "Patching", 6:
            at = events[1].at + 5 * MINUTE
            events.insert(
                2, replace(events[1], at=at, action="resize-disk", msg="root volume grown")
            )
            change.planted = ("CF-03",)
        case "Patching", 9:
            events[:] = [replace(event, actor="admin") for event in events]
            change.planted = ("EQ-03",)
        case "Capacity", 2:
            change.approvals.append((change.requested_by, change.start - 3 * HOUR))
            change.planted = ("CF-12",)
        case "Capacity", 5:
            events.clear()
            change.planted = ("EQ-06",)


# --- What happened to the machines -----------------------------------------------------------


@dataclass(frozen=True)
class Fate:
    """How an affected machine fared after its metadata was removed."""

    machine: Machine
    lost_at: datetime
    outcome: str  # relinked, reseeded, reseeding (still open at the end of the record), lost
    started: datetime | None = None
    restarted: datetime | None = None  # a first attempt broke off and was started again
    ended: datetime | None = None


LOST = {"US": 2, "IE": 3, "AU": 4}
RELINKED = {"US": 46, "IE": 0, "AU": 12}  # shards whose new array held part of the metadata
SEED_FROM = {
    "US": utc("2022-03-15 12:00:00"),
    "IE": utc("2022-03-17 09:00:00"),
    "AU": utc("2022-03-18 02:00:00"),
}
SLOTS = {"US": 5, "IE": 2, "AU": 2}
THROTTLE_OFF = utc("2022-04-16 00:00:00")
SEED_ORDER = ("hyper-v-vm", "vmware-vm", "linux-server", "physical-desktop", "windows-server")


def fates(fleet: Sequence[Machine], rng: Random) -> dict[str, Fate]:
    """Relink what can be relinked, queue the rest for re-seeding, lose a few for good."""
    result: dict[str, Fate] = {}
    for region in FLEET:
        array = next(name for name in FATAL_STEPS if region_of(name) == region)
        lost_at = FATAL_STEPS[array]
        affected = [m for m in fleet if m.shard == f"mds-{region.lower()}-a"]
        shuffled = sorted(affected, key=lambda m: (rng.random(), m.name))
        lost, rest = shuffled[: LOST[region]], shuffled[LOST[region] :]
        relinked, seeded = rest[: RELINKED[region]], rest[RELINKED[region] :]
        for machine in lost:
            result[machine.name] = Fate(machine, lost_at, "lost")
        for n, machine in enumerate(relinked):
            start = utc("2022-03-14 11:00:00") + n * 4 * HOUR
            end = start + timedelta(minutes=40 + round(200 * rng.random()))
            result[machine.name] = Fate(machine, lost_at, "relinked", start, None, end)
        seeded.sort(key=lambda m: (SEED_ORDER.index(m.kind), m.partner, m.name))
        free = [SEED_FROM[region]] * SLOTS[region]
        for machine in seeded:
            start = heapq.heappop(free)
            rate = KINDS[machine.kind][4] * (0.85 + 0.3 * rng.random())
            if start > THROTTLE_OFF:  # all that still wait start at once and share the line
                start = THROTTLE_OFF + timedelta(minutes=round(360 * rng.random()))
                rate *= 0.35
            seconds = round(3600 * machine.protected / GB / rate)
            restarted = None
            if rng.random() < 0.08:
                restarted = start + timedelta(seconds=round(seconds * (0.2 + 0.5 * rng.random())))
            end = (restarted or start) + timedelta(seconds=seconds)
            heapq.heappush(free, end + 30 * MINUTE)
            outcome = "reseeded" if end < RECORD_END else "reseeding"
            result[machine.name] = Fate(machine, lost_at, outcome, start, restarted, end)
    return result


Sample = dict[str, Any]


def sample(machine: Machine, at: datetime, state: str, **values: Any) -> Sample:
    row: Sample = {
        "sampled_at": at.replace(microsecond=0),
        "asset_id": machine.name,
        "state": state,
        "job_kind": "replicate",
        "job_id": machine.job,
        "target_asset": machine.vault,
        "started_at": None,
        "lag_seconds": None,
        "bytes": None,
        "recovery_point_at": None,
        "progress": None,
        "error": None,
    }
    return row | values


def replication(machine: Machine, fate: Fate | None, rng: Random) -> list[Sample]:
    """All job records of a machine: replication, and relinking or re-seeding where it happened."""
    rows: list[Sample] = []
    cadence = timedelta(minutes=machine.cadence)
    start = RECORD_START + timedelta(seconds=machine.phase)
    increment = machine.protected * machine.cadence / 1440 * 0.008
    silent = rng.random() < 0.4  # the agent was switched off instead of being left to retry
    recovered = fate.ended if fate and fate.outcome in ("relinked", "reseeded") else None
    while start < RECORD_END:
        began = start + timedelta(seconds=int(90 * rng.random()))
        took = timedelta(seconds=int(60 + 400 * rng.random() ** 2))
        luck, size = rng.random(), rng.random()
        start += cadence
        ended = began + took
        if ended >= RECORD_END:
            break
        if machine.outage and machine.outage[0] <= began < machine.outage[1]:
            continue
        if fate and ended > fate.lost_at and not (recovered and began > recovered):
            since = began - fate.lost_at
            if since < 14 * HOUR:
                at = max(began, fate.lost_at) + timedelta(seconds=20)
                rows.append(
                    sample(
                        machine,
                        at,
                        "failure",
                        started_at=began,
                        error="E1041 metadata object not found, link to vault lost",
                    )
                )
            elif not silent and since % DAY < cadence:
                rows.append(
                    sample(
                        machine,
                        began + timedelta(seconds=5),
                        "failure",
                        started_at=began,
                        error="E1042 machine is not linked to a vault",
                    )
                )
            continue
        if luck < 0.005:
            rows.append(
                sample(machine, ended, "failure", started_at=began, error="E2007 connection reset")
            )
            continue
        rows.append(
            sample(
                machine,
                ended,
                "warning" if luck < 0.008 else "success",
                started_at=began,
                lag_seconds=float(took.seconds),
                recovery_point_at=began,
                bytes=int(increment * (0.4 + 1.2 * size)) // MIB * MIB,
                error="W3110 retried 2 blocks" if 0.005 <= luck < 0.008 else None,
            )
        )
    return rows + recovery_jobs(fate) + failover_tests(machine, fate)


def recovery_jobs(fate: Fate | None) -> list[Sample]:
    if fate is None or fate.started is None or fate.ended is None:
        if fate is None:
            return []
        at = SEED_FROM[fate.machine.region] + 2 * HOUR
        return [
            sample(
                fate.machine,
                at,
                "failure",
                job_kind="relink",
                job_id=f"relink-{fate.machine.name}",
                started_at=at - 10 * MINUTE,
                progress=0.0,
                error="E1050 recovery chain unreadable, source machine no longer exists",
            )
        ]
    machine = fate.machine
    if fate.outcome == "relinked":
        job = {"job_kind": "relink", "job_id": f"relink-{machine.name}"}
        return [
            sample(machine, fate.started, "running", started_at=fate.started, progress=0.0, **job),
            sample(
                machine,
                fate.ended,
                "success",
                started_at=fate.started,
                progress=1.0,
                **job,
                recovery_point_at=fate.lost_at - 2 * HOUR,
            ),
        ]
    rows: list[Sample] = []
    job = {"job_kind": "seed", "job_id": f"seed-{machine.name}"}
    attempts: list[tuple[datetime, datetime | None]] = []
    if fate.restarted:
        attempts.append((fate.started, fate.restarted))
    attempts.append((fate.restarted or fate.started, None))
    span = fate.ended - (fate.restarted or fate.started)
    for began, broken in attempts:
        at = began
        until = broken or fate.ended
        while at < min(until, RECORD_END):
            share = round((at - began) / span, 4)
            rows.append(
                sample(
                    machine,
                    at,
                    "running",
                    started_at=began,
                    progress=share,
                    bytes=int(machine.protected * share) // MIB * MIB,
                    **job,
                )
            )
            at += 6 * HOUR
        if broken and broken < RECORD_END:
            share = round((broken - began) / span, 4)
            rows.append(
                sample(
                    machine,
                    broken,
                    "failure",
                    started_at=began,
                    progress=share,
                    error="E2007 connection reset, seed starts again",
                    **job,
                )
            )
    if fate.ended < RECORD_END:
        rows.append(
            sample(
                machine,
                fate.ended,
                "success",
                started_at=fate.restarted or fate.started,
                progress=1.0,
                bytes=machine.protected // MIB * MIB,
                recovery_point_at=fate.restarted or fate.started,
                **job,
            )
        )
    return rows


def failover_tests(machine: Machine, fate: Fate | None) -> list[Sample]:
    """A failover test on the 8th and the 22nd of a month, for one machine in six."""
    if sum(machine.name.encode()) % 6:
        return []
    rows = []
    for day in (date(2022, 2, 8), date(2022, 2, 22), date(2022, 3, 10), date(2022, 4, 12)):
        at = local(day, "12:00:00", machine.region)
        down = (
            fate
            and fate.lost_at < at
            and not (fate.ended and fate.ended < at and fate.outcome != "lost")
        )
        rows.append(
            sample(
                machine,
                at,
                "failure" if down else "success",
                job_kind="failover_test",
                job_id=f"fo-{machine.name}",
                started_at=at - 12 * MINUTE,
                error="E1041 metadata object not found" if down else None,
            )
        )
    return rows


# --- Files -----------------------------------------------------------------------------------


def table(header: str, rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file; instants as ISO 8601 UTC, empty cells for what is not known."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header.replace(",", " ").split())
    for row in rows:
        writer.writerow(
            [iso(v) if isinstance(v, datetime) else "" if v is None else v for v in row]
        )
    return out.getvalue().encode()


def denver(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(ZONES["US"]).strftime("%Y-%m-%d %H:%M:%S")


def change_register(changes: Sequence[Change]) -> bytes:
    """The register's own export: local times of the exporting user, without a zone."""
    header = (
        "number type category state risk short_description cmdb_ci requested_by assigned_to "
        "start_date end_date backout_plan risk_impact_analysis sys_created_on closed_at close_code"
    )
    return table(
        header,
        [
            (
                c.number,
                c.type,
                c.kind,
                "Closed" if c.closed else "Implement",
                c.risk,
                c.title,
                c.targets,
                c.requested_by,
                c.implementer,
                denver(c.start),
                denver(c.end),
                c.backout,
                c.impact,
                denver(c.start - 4 * DAY),
                denver(c.closed),
                c.code,
            )
            for c in changes
        ],
    )


def approvals(changes: Sequence[Change]) -> bytes:
    decided = sorted((at, c.number, who) for c in changes for who, at in c.approvals)
    rows = [(number, who, "approved", at) for at, number, who in decided]
    return table("change_id approver decision decided_at", rows)


NOISE = (
    ("CRON[{pid}]", "(root) CMD (/usr/lib/stor/collect)"),
    ("sshd[{pid}]", "Accepted publickey for {actor} from 10.20.0.7 port 51122 ssh2"),
    ("smartd[{pid}]", "Device: /dev/sdc, SMART Usage Attribute: 194 changed from 64 to 63"),
    ("systemd[1]", "Started Daily stor-ctl report."),
    ("stor-agent[{pid}]", "collector: 24 pools scanned, 0 warnings"),
)


def noise(
    host: str,
    first: datetime,
    busy: Sequence[tuple[datetime, datetime]],
    quiet: tuple[datetime, datetime] | None,
    rng: Random,
) -> list[tuple[datetime, str, str]]:
    """Ordinary lines: two a day, and one every few minutes while a change window is open."""
    actors = next(crew for region, crew in CREW.items() if HOSTS[region] == host)
    times = []
    at = first
    while at < RECORD_END:
        times.append(at)
        at += timedelta(seconds=round(43200 * (0.8 + 0.4 * rng.random())))
    for start, end in busy:
        at = start
        while at < end:
            times.append(at)
            at += timedelta(seconds=round(240 + 420 * rng.random()))
    rows = []
    for at in sorted(times):
        tag, text = NOISE[int(rng.random() * len(NOISE))]
        pid = 1000 + int(rng.random() * 30000)
        actor = actors[int(rng.random() * len(actors))]
        if quiet and quiet[0] < at < quiet[1]:
            continue
        rows.append((at, tag.format(pid=pid), text.format(actor=actor)))
    return rows


def host_lines(
    host: str, first: datetime, changes: Sequence[Change], rng: Random
) -> list[tuple[datetime, str, str]]:
    events = [e for c in changes for e in c.events if e.host == host]
    events += [e for e in scripted_events() if e.host == host]
    busy = [
        (c.start, c.end)
        for c in changes
        if c.kind != "Recovery" and any(e.host == host for e in c.events)
    ]
    quiet = (utc("2022-03-09 09:19:00"), utc("2022-03-09 10:02:00")) if host == "ctl-us" else None
    lines = noise(host, first, busy, quiet, rng)
    if host == "ctl-au":  # the hour that Sydney's clocks show twice when summer time ends
        text = "collector: 9 pools scanned, 0 warnings"
        lines += [(utc(f"2022-04-02 {hour}:30:00"), "stor-agent[811]", text) for hour in (15, 16)]
    shift = CLOCK_ERROR.get(host, timedelta())
    lines += [(e.at + shift, "stor-ctl[812]", e.text()) for e in events]
    return sorted(lines, key=lambda line: line[0])


def syslog(host: str, region: str, lines: Sequence[tuple[datetime, str, str]]) -> bytes:
    """RFC 3164 as files hold it: local time, no year, no zone."""
    rows = []
    for at, tag, text in lines:
        clock = at.astimezone(ZONES[region])
        rows.append(f"{clock:%b} {clock.day:2d} {clock:%H:%M:%S} {host} {tag}: {text}\n".encode())
    if region == "AU":  # one damaged line, as a torn write leaves it
        rows.insert(len(rows) // 2, rows[len(rows) // 2][:38] + b"\xff\xfe\xff" + b"\n")
    return b"".join(rows)


def journal(lines: Sequence[tuple[datetime, str, str]]) -> bytes:
    """`journalctl -o json`: all values are strings; a message that is not text is a byte array."""
    rows = []
    for n, (at, tag, text) in enumerate(lines):
        stamp = int(at.timestamp() * 1_000_000)
        name, _, pid = tag.rstrip("]").partition("[")
        record: dict[str, Any] = {
            "__CURSOR": f"s=9b1c;i={n:x};b=4f0a;t={stamp:x};x=0",
            "__REALTIME_TIMESTAMP": str(stamp + 900),
            "__MONOTONIC_TIMESTAMP": str(stamp - 1_600_000_000_000_000),
            "_SOURCE_REALTIME_TIMESTAMP": str(stamp),
            "_BOOT_ID": "4f0a3c77d2f94e1a8f0e6f1f2a9be001",
            "_HOSTNAME": "mds-eu",
            "PRIORITY": "6",
            "SYSLOG_IDENTIFIER": name,
            "_PID": pid,
            "MESSAGE": text if n != 11 else list(text.encode()),
        }
        rows.append(json.dumps(record) + "\n")
    return "".join(rows).encode()


def inventory(
    fleet: Sequence[Machine], changes: Sequence[Change], fate: dict[str, Fate]
) -> dict[str, bytes]:
    """What depended on what, and when: a drain ends a dependency, a recovery starts a new one."""
    header = (
        "asset_id kind machine_type site region zone organization redundancy_group min_copies "
        "criticality protected_bytes cadence_minutes rpo_minutes valid_from valid_to"
    )
    hosts = {name for _, _, names in ROUTINE.values() for name in names if name[:5] != "vault"}
    assets: list[dict[str, object]] = [
        {"asset_id": f"vault-{region.lower()}", "kind": "vault", "region": region,
         "criticality": "high"}
        for region in ZONES
    ]  # fmt: skip
    assets += [
        {"asset_id": a.name, "kind": "array", "region": a.region, "redundancy_group": a.group,
         "min_copies": a.min_copies, "criticality": "critical" if a.is_metadata else "high",
         "valid_from": a.valid_from}
        for a in arrays()
    ]  # fmt: skip
    assets += [
        {"asset_id": name, "kind": "server", "region": region_of(name), "criticality": "normal"}
        for name in sorted(hosts | {"app-us-5", "app-us-6", "cache-us-1"})
    ]
    assets += [
        {"asset_id": m.name, "kind": "machine", "machine_type": m.kind, "region": m.region,
         "organization": m.partner, "criticality": "normal", "protected_bytes": m.protected,
         "cadence_minutes": m.cadence, "rpo_minutes": m.rpo}
        for m in fleet
    ]  # fmt: skip
    for row in assets:
        region = str(row["region"])
        row |= {"site": SITES[region], "zone": ZONES[region].key}

    ended = FAILED | {
        event.target: event.at
        for change in changes
        if change.number != FATAL
        for event in change.events
        if event.action == "drain"
    }
    rows: list[tuple[str, str, str, datetime | None, datetime | None]] = []
    for m in fleet:
        rows.append((m.name, m.vault, "replicates_to", None, None))
        shard = [a.name for a in arrays() if a.group == m.shard]
        # Generation-1 arrays held the metadata; number 3 was still synchronising.
        holders = shard[:2] if m.shard.endswith("-a") else shard
        mine = fate.get(m.name)
        moved = mine.ended if mine and mine.outcome in ("relinked", "reseeded") else None
        for array in holders:
            rows.append((m.name, array, "stores_metadata_on", None, ended.get(array) or moved))
        if moved:
            for array in (a.name for a in arrays() if a.group == f"{m.shard[:-2]}-r"):
                rows.append((m.name, array, "stores_metadata_on", moved, None))
        name, since = f"blk-{m.region.lower()}-{m.block}", None
        if name in ended:
            since = ended[name]
            rows.append((m.name, name, "stores_data_on", None, since))
            name = f"blk-{m.region.lower()}-{BLOCKS[m.region] - m.protected % 2}"
        rows.append((m.name, name, "stores_data_on", since, None))
    return {
        "inventory/asset.csv": table(
            header, ([row.get(c) for c in header.split()] for row in assets)
        ),
        "inventory/dependency.csv": table("from_asset to_asset relation valid_from valid_to", rows),
    }


def asset_states(changes: Sequence[Change], fate: dict[str, Fate], rng: Random) -> bytes:
    """Weekly health of the arrays, their removals and failures, and the lost links of machines."""
    removed = dict(FATAL_STEPS)
    for change in changes:
        if change.number != FATAL:
            removed |= {e.target: e.at for e in change.events if e.action == "decommission"}
    syncing = {"mds-us-3", "mds-ie-3", "mds-au-3"}
    rows: list[tuple[datetime, str, str]] = []
    for array in arrays():
        at = array.valid_from or utc("2021-11-01 06:00:00")
        gone = removed.get(array.name) or FAILED.get(array.name)
        while at < RECORD_END and (gone is None or at < gone):
            state = "degraded" if array.name in syncing else "healthy"
            if array.name in syncing and at > utc("2022-03-09 09:00:00"):
                state = "failed"
            if array.name not in syncing or at > utc("2022-02-24 00:00:00"):
                rows.append((at, array.name, state))
            at += 7 * DAY
        if gone:
            state = "removed" if array.name in removed else "failed"
            rows.append((gone + timedelta(seconds=45), array.name, state))
    for name in sorted(syncing):
        rows.append((utc("2022-03-08 23:00:00"), name, "degraded"))
        rows.append((utc("2022-03-09 10:00:00"), name, "failed"))
    for name, f in fate.items():
        rows.append(
            (f.lost_at + timedelta(seconds=60 + round(1500 * rng.random())), name, "link_lost")
        )
        if f.outcome in ("relinked", "reseeded") and f.ended:
            rows.append((f.ended + MINUTE, name, "healthy"))
    return table("observed_at asset_id state", sorted(rows))


def protection_checks(rng: Random) -> bytes:
    """Tests of the copies: before every earlier decommission, and none for the fatal targets."""
    rows: list[tuple[str, str, datetime, str]] = []
    for n, item in enumerate(HISTORY):
        at = local(item.day - timedelta(days=1), "15:00:00", region_of(item.target))
        if n == 3:  # a first test did not pass and was repeated
            rows.append((item.target, "integrity", at - 2 * DAY, "false"))
        kind = "restore_test" if n % 2 == 0 else "integrity"
        rows.append((item.target, kind, at + timedelta(minutes=round(90 * rng.random())), "true"))
    for array in ("mds-us-4", "mds-ie-4"):
        for month in (1, 2, 3, 4):
            rows.append((array, "integrity", utc(f"2022-{month:02d}-06 02:30:00"), "true"))
    rows.sort(key=lambda row: row[2])
    return table("target kind finished_at ok", rows)


def alerts(earlier: Sequence[Change], rng: Random) -> bytes:
    rows: list[Sequence[object]] = []
    for n, change in enumerate(earlier[::2], 1):
        fired = change.events[-2].at + MINUTE
        seen = fired + jitter(rng, 6)
        rows.append((f"AL-{1200 + n}", fired, change.targets, "warning", seen, seen + 9 * MINUTE))
    for number, at, target, acked in (
        ("AL-1390", "2022-03-02 11:21:00", "mds-ie-1", "2022-03-02 11:29:00"),
        ("AL-1402", "2022-03-09 09:24:00", "mds-us-2", "2022-03-09 13:05:00"),
        ("AL-1403", "2022-03-09 09:38:00", "mds-ie-2", "2022-03-09 13:20:00"),
        ("AL-1404", "2022-03-09 09:52:00", "mds-au-2", None),
    ):
        rows.append((number, utc(at), target, "critical", utc(acked) if acked else None, None))
    return table("alert_id fired_at target severity acked_at cleared_at", rows)


def silences(earlier: Sequence[Change]) -> bytes:
    """One per decommission, as long as its window; on the fatal night one was left a day longer."""
    rows = [(c.targets, c.start, c.end, c.number) for c in earlier]
    rows += [
        ("mds-us-2", utc("2022-03-09 05:00:00"), utc("2022-03-10 05:00:00"), FATAL),
        ("mds-au-2", utc("2022-03-09 05:00:00"), utc("2022-03-09 11:00:00"), FATAL),
    ]
    return table("target starts_at ends_at change_id", rows)


def duties(changes: Sequence[Change], rng: Random) -> bytes:
    rows = [("op-a", utc("2022-03-08 19:00:00"), utc("2022-03-09 11:30:00"))]
    for change in changes:
        for actor in sorted({e.actor for e in change.events if e.actor.startswith("op-")}):
            night = change.number in (FATAL, "CHG0030141")
            if change.kind != "Recovery" and not (night and actor == "op-a"):
                begun = change.start - jitter(rng, 150)
                rows.append((actor, begun, begun + 10 * HOUR))
    rows.sort(key=lambda row: (row[1], row[0]))
    return table("actor duty_start duty_end", rows)


def notices() -> bytes:
    """What the partners were told directly: most the next day, some late, some never."""
    late = {6: 2, 9: 3, 14: 5, 17: 9, 21: 12, 22: 12}  # partner: days after 9 March
    rows: list[Sequence[object]] = []
    for n in range(1, 25):
        partner = f"partner-{n:02d}"
        if partner in NEVER_TOLD:
            continue
        sent = utc("2022-03-10 15:00:00") + (late.get(n, 1) - 1) * DAY + timedelta(minutes=7 * n)
        text = f"{INVENTED} Some of your machines cannot replicate or fail over."
        rows.append((partner, sent, "mail", "Cloud Services: your machines", text))
        if n % 3 == 0:
            text = f"{INVENTED} Relink or re-seed, depending on the type of machine."
            rows.append((partner, sent + 8 * DAY, "mail", "Options by type of machine", text))
    return table("organization sent_at channel subject body", rows)


def clock_probes(rng: Random) -> bytes:
    rows = [
        (host, utc(f"2022-03-{day:02d} 06:00:00") + n * MINUTE, round(base + 40 * rng.random(), 1))
        for day in (7, 8, 9, 10)
        for n, (host, base) in enumerate((("ctl-us", 2.0), ("mds-eu", 4180.0), ("ctl-au", -50.0)))
    ]
    return table("host probed_at offset_ms", rows)


SAMPLE_SCHEMA = pa.schema(
    [
        ("sampled_at", pa.timestamp("us", tz="UTC")),
        ("asset_id", pa.string()),
        ("state", pa.string()),
        ("job_kind", pa.string()),
        ("job_id", pa.string()),
        ("target_asset", pa.string()),
        ("started_at", pa.timestamp("us", tz="UTC")),
        ("lag_seconds", pa.float64()),
        ("bytes", pa.int64()),
        ("recovery_point_at", pa.timestamp("us", tz="UTC")),
        ("progress", pa.float64()),
        ("error", pa.string()),
    ]
)


def parquet(rows: list[Sample]) -> bytes:
    rows.sort(key=lambda row: (row["sampled_at"], row["job_id"], row["state"]))
    columns = {name: [row[name] for row in rows] for name in SAMPLE_SCHEMA.names}
    out = io.BytesIO()
    pq.write_table(
        pa.table(columns, schema=SAMPLE_SCHEMA),
        out,
        compression="zstd",
        compression_level=15,
        use_dictionary=["asset_id", "state", "job_kind", "job_id", "target_asset", "error"],
        column_encoding={
            "sampled_at": "DELTA_BINARY_PACKED",
            "started_at": "DELTA_BINARY_PACKED",
            "recovery_point_at": "DELTA_BINARY_PACKED",
        },
    )
    return out.getvalue()


OUTCOMES = ("relinked", "reseeded", "reseeding", "lost")
TRUTH_HEAD = """
# Written by generate.py: what was planted in this case. Nothing here is evidence.

[trigger]
change = "CHG0030142"
decommissioned = ["mds-us-2", "mds-ie-2", "mds-au-2"]
out_of_scope_target = "mds-ie-2"  # the change named mds-ie-1, which had failed on 2 March

[communication]
onset_at = 2022-03-09T09:17:42Z
first_post_at = 2022-03-09T15:40:00Z
minutes_to_first_post = 382
incident_updates = 13
maintenance_updates = 3
edited_updates = 1
promises_kept = 3
promises_undecided = 1  # of the edited post: its first wording is not on record
promises_broken = 3
daily_updates_promised_at = 2022-03-15T16:20:00Z  # not kept: the next came on 18 March
over_optimistic_at = 2022-03-29T17:00:00Z  # the page calls the US operational
partners_never_notified = ["partner-05", "partner-11", "partner-19", "partner-23"]
contradicting_statement_year = 2012

[rules]
# On the fatal change; those of `signature` on no other decommission.
signature = ["CF-02", "CF-05", "CF-06", "CF-08"]
fatal = [
  "CF-01", "CF-02", "CF-04", "CF-05", "CF-06", "CF-07", "CF-08", "CF-09", "CF-10", "CF-16",
  "CF-17", "CF-18", "CF-19", "CF-21", "CF-22", "CF-23", "CF-24", "CF-25", "CF-26", "CF-27",
]
fatal_ok = ["CF-03", "CF-11", "CF-12", "CF-13", "CF-14", "CF-15", "CF-20"]
case = ["CF-28"]
evidence_quality = ["EQ-02", "EQ-04", "EQ-05"]
unrecorded_action = "purge"  # CF-29: 2022-02-17, under no change
"""


def toml_list(values: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def truth(
    fleet: Sequence[Machine], changes: Sequence[Change], fate: dict[str, Fate],
    samples: dict[str, list[Sample]],
) -> bytes:  # fmt: skip
    """What was planted, for tests: a reader of the evidence has to find this."""
    lines = [TRUTH_HEAD.strip(), "", "[rules.decommissions]"]
    lines.append("# Minor deviations of earlier decommissions, all of which closed as success.")
    forced = 0
    for item in HISTORY:
        rules = ["CF-16"] if item.force else []
        rules += ["CF-13"] if item.late_approval else []
        # The third forced removal is the first with two forced ones before it.
        rules += ["CF-27"] if item.force and forced >= 2 else []
        forced += item.force
        lines.append(f"{item.number} = {toml_list(rules)}")
    lines += ["", "[rules.others]"]
    lines += [f"{c.number} = {toml_list(c.planted)}" for c in changes if c.planted]
    lines += [
        "",
        "[base_rates]  # of the earlier decommissions that closed as success",
        f"population = {len(HISTORY)}",
        f"CF-16 = {sum(item.force for item in HISTORY)}",
        f"CF-13 = {sum(item.late_approval for item in HISTORY)}",
        "CF-05 = 0",
        "",
        "[counts]",
        f"changes = {len(changes)}",
        f"approvals = {sum(len(c.approvals) for c in changes)}",
        f"machines = {len(fleet)}",
        f"affected = {len(fate)}",
        f"samples = {sum(map(len, samples.values()))}",
    ]
    for region in FLEET:
        mine = [f for f in fate.values() if f.machine.region == region]
        failures = (
            row["sampled_at"]
            for row in samples[region]
            if row["error"] and row["error"].startswith("E1041") and row["job_kind"] == "replicate"
        )
        done = (f.ended for f in mine if f.ended and f.ended < RECORD_END)
        claim = utc("2022-03-29 17:00:00")
        lines += [
            "",
            f"[regions.{region}]",
            f"machines = {sum(m.region == region for m in fleet)}",
            f"affected = {len(mine)}",
            f"decommissioned_at = {iso(mine[0].lost_at)}",
            f"first_failure_at = {iso(min(failures))}",
            f"last_recovery_at = {iso(max(done))}",
            f"not_recovered_on_29_march = {sum(not f.ended or f.ended > claim for f in mine)}",
        ]
        for outcome in OUTCOMES:
            lines.append(f"{outcome} = {sum(f.outcome == outcome for f in mine)}")
    lines += ["", "[machines]"]
    for outcome in OUTCOMES:
        names = sorted(f.machine.name for f in fate.values() if f.outcome == outcome)
        lines.append(f"{outcome} = {toml_list(names)}")
    return "\n".join(lines).encode() + b"\n"


def build() -> dict[str, bytes]:
    """All files of the case that are generated, by path."""
    rng = Random(SEED)
    fleet = machines(rng)
    earlier = [decommission(item, rng) for item in HISTORY]
    changes = earlier + scripted_changes()
    changes += routine_changes({change.number for change in changes}, rng)
    changes.sort(key=lambda change: (change.start, change.number))
    fate = fates(fleet, rng)
    samples: dict[str, list[Sample]] = {region: [] for region in FLEET}
    for machine in fleet:
        samples[machine.region] += replication(machine, fate.get(machine.name), rng)

    start = utc("2021-11-01 07:05:00")
    files = inventory(fleet, changes, fate) | {
        "changes/change_request.csv": change_register(changes),
        "changes/approvals.csv": approvals(changes),
        "hosts/ctl-us.log": syslog("ctl-us", "US", host_lines("ctl-us", start, changes, rng)),
        "hosts/mds-eu.journal.jsonl": journal(host_lines("mds-eu", start, changes, rng)),
        "hosts/ctl-au.log": syslog("ctl-au", "AU", host_lines("ctl-au", start, changes, rng)),
        "telemetry/asset_state.csv": asset_states(changes, fate, rng),
        "telemetry/protection_check.csv": protection_checks(rng),
        "other/alert.csv": alerts(earlier, rng),
        "other/silence.csv": silences(earlier),
        "other/duty.csv": duties(changes, rng),
        "other/notice.csv": notices(),
        "other/clock_probe.csv": clock_probes(rng),
    }
    for region, rows in samples.items():
        files[f"telemetry/replication_sample-{region.lower()}.parquet"] = parquet(rows)
    result = {f"evidence/{path}": data for path, data in files.items()}
    return result | {"truth.toml": truth(fleet, changes, fate, samples)}


def main(folder: Path) -> None:
    for path, data in sorted(build().items()):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
