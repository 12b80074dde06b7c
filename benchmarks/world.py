"""The invented provider of a simulated incident: regions, storage, machines and people."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

REGIONS = (
    ("US", "us-den", "America/Denver"), ("IE", "ie-dub", "Europe/Dublin"),
    ("AU", "au-syd", "Australia/Sydney"), ("IN", "in-bom", "Asia/Kolkata"),
    ("CA", "ca-yyt", "America/St_Johns"), ("SG", "sg-sin", "Asia/Singapore"),
)  # fmt: skip
CADENCES = (15, 30, 60, 120, 240, 360, 720, 1440)
NEVER = datetime(1, 1, 1, tzinfo=UTC)
TYPES = ("linux-vm", "windows-vm", "appliance", "physical")


@dataclass(frozen=True, slots=True)
class Region:
    """A region with one site."""

    name: str
    site: str
    zone: str


@dataclass(frozen=True, slots=True)
class Storage:
    """An array of a redundancy group; `min_copies` holds for the group."""

    id: str
    region: Region
    group: str
    min_copies: int
    criticality: str


@dataclass(frozen=True, slots=True)
class Host:
    """A gateway host; machines of its region replicate through it."""

    id: str
    region: Region


@dataclass(frozen=True, slots=True)
class Machine:
    """A protected machine: cadence and objective in minutes."""

    id: str
    region: Region
    organization: str
    kind: str
    cadence: int
    objective: int | None
    size: int
    gateway: str

    @property
    def limit(self) -> timedelta:
        """Age of the last recovery point beyond which the machine is in a gap."""
        return timedelta(minutes=self.objective or 4 * self.cadence)


@dataclass(slots=True)
class Edge:
    """A dependency of a machine, with its validity."""

    machine: str
    on: str
    relation: str
    since: datetime | None = None
    until: datetime | None = None

    def holds(self, instant: datetime) -> bool:
        """Whether the dependency is valid at an instant."""
        return (self.since is None or self.since <= instant) and (
            self.until is None or instant < self.until
        )


@dataclass(slots=True)
class World:
    """Everything that exists before anything happens, and how its records are written."""

    rng: Random
    regions: list[Region] = field(default_factory=list)
    arrays: list[Storage] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    operators: list[str] = field(default_factory=list)
    managers: list[str] = field(default_factory=list)
    requesters: list[str] = field(default_factory=list)
    epoch: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    milliseconds: bool = False

    def tick(self, instant: datetime) -> datetime:
        """An instant as the records of this world can state it."""
        whole = instant.replace(microsecond=0)
        if self.milliseconds:
            return whole + timedelta(milliseconds=self.rng.randrange(1000))
        return whole

    def group_of(self, array: str) -> list[Storage]:
        """The array with its siblings."""
        name = next(each.group for each in self.arrays if each.id == array)
        return [each for each in self.arrays if each.group == name]

    def dependents(self, asset: str, instant: datetime) -> list[Machine]:
        """Machines that depend on an asset at an instant."""
        known = {edge.machine for edge in self.edges if edge.on == asset and edge.holds(instant)}
        return [machine for machine in self.machines if machine.id in known]


def build(rng: Random, *, regions: int, machines: int, fast: bool = False) -> World:
    """A world of so many regions and machines; `fast` keeps to cadences of half an hour or less."""
    world = World(rng)
    world.milliseconds = rng.random() < 0.4
    world.epoch = datetime(rng.randrange(2020, 2026), 1, 1, tzinfo=UTC) + timedelta(
        days=rng.randrange(365)
    )
    world.regions = [Region(*each) for each in rng.sample(REGIONS, regions)]
    for region in world.regions:
        low = region.name.lower()
        for group in range(1, rng.randrange(2, 4) + 1):
            members = rng.randrange(3, 6)
            least = rng.randrange(1, members - 1)
            critical = rng.choice(("normal", "high", "critical"))
            for number in range(1, members + 1):
                world.arrays.append(
                    Storage(f"arr-{low}-{group}{number}", region, f"grp-{low}-{group}", least,
                            critical)
                )  # fmt: skip
        for number in range(1, rng.randrange(2, 5) + 1):
            world.hosts.append(Host(f"gw-{low}-{number}", region))
    # A few fast machines, many slow ones, or the other way round.
    weights = [rng.uniform(0.2, 1) for _ in CADENCES]
    weights[0] *= 0.3
    has_objectives = rng.random() < 0.6
    for number in range(1, machines + 1):
        region = (
            world.regions[(number - 1) % regions]
            if number <= regions * 8
            else rng.choice(world.regions)
        )
        cadence = rng.choice((15, 30)) if fast else rng.choices(CADENCES, weights)[0]
        gateway = rng.choice([each for each in world.hosts if each.region == region])
        machine = Machine(
            f"vm-{region.name.lower()}-{number:03d}", region, f"partner-{rng.randrange(1, 25):02d}",
            rng.choice(TYPES), cadence,
            rng.choice((3, 4, 6)) * cadence if has_objectives and rng.random() < 0.7 else None,
            rng.randrange(20, 4000) * 10**9, gateway.id,
        )  # fmt: skip
        world.machines.append(machine)
        home = rng.choice([each for each in world.arrays if each.region == region])
        world.edges.append(Edge(machine.id, home.id, "stores_metadata_on"))
        world.edges.append(Edge(machine.id, gateway.id, "hosted_by"))
    world.operators = [f"op-{letter}" for letter in "abcdefgh"[: rng.randrange(5, 9)]]
    world.managers = [f"mgr-{number}" for number in range(1, rng.randrange(3, 6))]
    world.requesters = [f"cm-{number}" for number in range(1, 4)]
    return world
