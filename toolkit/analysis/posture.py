"""Single points: which machines lose their protection when one asset alone is gone.

What an asset needs is read from its dependencies. Targets of one relation in one redundancy group
stand for one another, and so do the targets that a machine replicates to, by the register or,
where it names none, by its jobs; everything else is needed. The single points of an asset are
itself, and for each need what all of its alternatives have in common: the dominators of the
dependency graph, where it branches by need and by choice.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from toolkit.analysis import Output, Step

if TYPE_CHECKING:
    from toolkit.store import Store

Needs = Mapping[str, Sequence[frozenset[str]]]
"""For each asset its needs; each need is the set of assets of which one suffices."""

ONE_OF_ALL = "replicates_to"  # relations whose targets stand for one another in any group
DOWN = ("failed", "removed")


def single_points(needs: Needs) -> dict[str, frozenset[str]]:
    """For each asset of a dependency graph the assets whose loss alone takes it down, itself too.

    Assets that need each other stand as long as nothing outside takes one of them down.
    """
    nodes = {*needs, *(one for wanted in needs.values() for need in wanted for one in need)}
    used_by: dict[str, set[str]] = defaultdict(set)
    for asset, wanted in needs.items():
        for need in wanted:
            for one in need:
                used_by[one].add(asset)
    found = {asset: frozenset([asset]) for asset in nodes}
    pending = deque(sorted(nodes, key=lambda asset: (len(needs.get(asset, ())), asset)))
    waiting = set(pending)
    while pending:
        asset = pending.popleft()
        waiting.remove(asset)
        points = found[asset].union(
            *(
                frozenset.intersection(*(found[one] for one in need))
                for need in needs.get(asset, ())
            )
        )
        if points != found[asset]:
            found[asset] = points
            again = sorted(used_by[asset] - waiting)
            pending.extend(again)
            waiting.update(again)
    return found


def alternatives(
    links: Iterable[tuple[str, str, str | None]],
    groups: Mapping[str, str],
    down: frozenset[str] = frozenset(),
) -> Needs:
    """The needs that links (asset, target, relation) amount to.

    `groups` maps a target to its redundancy group. What is `down` is no alternative to what is
    not; where all of a need are down, the links are taken as they stand.
    """
    choices: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for asset, target, relation in links:
        if asset == target:
            continue
        group = "" if relation == ONE_OF_ALL else groups.get(target, f"only {target}")
        choices[asset, relation or "", group].add(target)
    needs: dict[str, list[frozenset[str]]] = defaultdict(list)
    for (asset, _, _), targets in sorted(choices.items()):
        needs[asset].append(frozenset(targets - down or targets))
    return needs


def run(store: Store) -> Mapping[str, Sequence[Sequence[Any]]]:
    """The posture of every protected asset, and what falls with each other one."""
    assets = {row["asset_id"]: row for row in store.rows("select * from known_asset")}
    groups = {
        name: row["redundancy_group"]
        for name, row in assets.items()
        if row["redundancy_group"] is not None
    }
    copies: dict[tuple[str, datetime], dict[str, list[dict[str, Any]]]] = {}
    for row in store.rows("select * from protection_copy order by all"):
        instant = row["as_of"], row["as_of_at"]
        copies.setdefault(instant, {}).setdefault(row["asset_id"], []).append(row)
    posture: list[list[Any]] = []
    blast: list[list[Any]] = []
    for (as_of, moment), held in sorted(copies.items()):
        machines = held.keys() | {
            name for name, row in assets.items() if row["kind"] == "machine" and _valid(row, moment)
        }
        states = _states(store, moment)
        down = frozenset(asset for asset, state in states.items() if state in DOWN)
        links = _links(store, moment)
        links += _by_jobs(links, held)
        points = single_points(alternatives(links, groups, down))
        falls: dict[str, list[str]] = defaultdict(list)
        for machine in sorted(machines):
            for point in points.get(machine, frozenset()) - {machine}:
                falls[point].append(machine)
        for machine in sorted(machines):
            row = assets.get(machine, {})
            known = held.get(machine, [])
            single = sorted(points.get(machine, frozenset()) - {machine})
            posture.append(
                [as_of, moment, machine, *_copies(row, known), single,
                 len(falls.get(machine, ())), row.get("region"), row.get("organization"),
                 row.get("machine_type"),
                 [copy["evidence"] for copy in known if copy["evidence"] is not None]]
            )  # fmt: skip
        for point, fallen in sorted(falls.items()):
            rows = [assets.get(machine, {}) for machine in fallen]
            blast.append(
                [as_of, moment, point, *_fallen(assets.get(point, {}), rows),
                 point in down if point in states else None, fallen]
            )  # fmt: skip
    return {"protection_posture": posture, "blast_radius": blast}


def _links(store: Store, moment: datetime) -> list[tuple[str, str, str | None]]:
    """The dependencies valid at an instant: asset, what it depends on, relation."""
    found = store.rows(
        """
        select
            coalesce(owner.canonical, dependency.from_asset) as asset,
            coalesce(host.canonical, dependency.to_asset) as target,
            dependency.relation
        from dependency
        left join alias as owner on owner.kind = 'asset' and dependency.from_asset = owner.alias
        left join alias as host on host.kind = 'asset' and dependency.to_asset = host.alias
        where
            coalesce(dependency.valid_from <= $1, true) and coalesce(dependency.valid_to > $1, true)
        """,
        [moment],
    )
    return [(link["asset"], link["target"], link["relation"]) for link in found]


def _by_jobs(
    links: Iterable[tuple[str, str, str | None]], held: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[tuple[str, str, str | None]]:
    """Where the jobs of a machine copy to, for machines of which the register names no target."""
    registered = {asset for asset, _, relation in links if relation == ONE_OF_ALL}
    return [
        (machine, copy["target_asset"], ONE_OF_ALL)
        for machine, copies in sorted(held.items())
        if machine not in registered
        for copy in copies
        if copy["target_asset"] is not None
    ]


def _states(store: Store, moment: datetime) -> dict[str, str]:
    """The last state of each asset before an instant."""
    found = store.rows(
        """
        select
            coalesce(alias.canonical, asset_state.asset_id) as asset,
            arg_max(
                asset_state.state,
                (asset_state.observed_at, asset_state.source_id, asset_state.record_no)
            ) as state
        from asset_state
        left join alias on alias.kind = 'asset' and asset_state.asset_id = alias.alias
        where asset_state.observed_at <= $1
        group by all
        """,
        [moment],
    )
    return {row["asset"]: row["state"] for row in found}


def _valid(row: Mapping[str, Any], moment: datetime) -> bool:
    return (row["valid_from"] is None or row["valid_from"] <= moment) and (
        row["valid_to"] is None or row["valid_to"] > moment
    )


def _copies(
    machine: Mapping[str, Any], known: Sequence[Mapping[str, Any]]
) -> tuple[int, list[str], int, bool | None, str | None]:
    """Copies, their sites, targets, whether they meet 3-2-1, and what they lack.

    3-2-1: three copies with the original, on two kinds of media, one of them off site. Media are
    not on record, so that the rule can be seen to be broken, never to be met.
    """
    current = [copy for copy in known if copy["is_current"]]
    count = len({copy["copy_group"] for copy in current})
    sites = sorted({copy["site"] for copy in current if copy["site"] is not None})
    own, all_known = machine.get("site"), all(copy["site"] is not None for copy in current)
    lacks = None
    if count < 2:
        lacks = "a second copy" if count else "any current copy"
    elif own is not None and all_known and set(sites) == {own}:
        lacks = "a copy off site"
    return count, sites, len(known), None if lacks is None else False, lacks


def _fallen(point: Mapping[str, Any], machines: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Kind, site and region of a single point; machines, organizations and bytes behind it."""
    stated = [row["protected_bytes"] for row in machines if row.get("protected_bytes") is not None]
    served = {row.get("organization") for row in machines} - {None}
    return [
        point.get("kind"), point.get("site"), point.get("region"),
        len(machines), len(served), sum(stated) if stated else None,
    ]  # fmt: skip


_INSTANT = {
    "as_of": (
        "varchar", "`before` the main onset of the case, or `today`: the end of the record."
    ),
    "as_of_at": ("timestamptz", "The instant: the earliest onset, the last sample of any job."),
}  # fmt: skip

STEP = Step(
    id="posture",
    reads=("alias", "asset_state", "dependency", "known_asset", "protection_copy"),
    writes={
        "protection_posture": Output(
            title="How each machine is protected, before the onset and today",
            grain="One row per instant and protected asset, or machine of the inventory.",
            columns={
                **_INSTANT,
                "asset_id": ("varchar", "The machine."),
                "copies": (
                    "bigint",
                    "Targets, or redundancy groups of targets, with a good recovery point within "
                    "the limit.",
                ),
                "sites": ("varchar[]", "Sites of these copies, as far as stated."),
                "targets": ("bigint", "Targets of its jobs."),
                "meets_3_2_1": (
                    "boolean",
                    "False where three copies with the original, or one of them off site, are not "
                    "on record; else NULL, since kinds of media are not.",
                ),
                "lacks": ("varchar", "What it lacks for that; NULL where nothing known is."),
                "single_points": (
                    "varchar[]",
                    "Other assets of which the loss of one alone takes its protection down, by the "
                    "dependencies valid then and, where these name no target, by its jobs.",
                ),
                "falls_with_it": (
                    "bigint", "Other machines that lose their protection when it is lost."
                ),
                "region": ("varchar", "Region."),
                "organization": ("varchar", "Organization that it serves."),
                "machine_type": ("varchar", "Type of machine."),
                "evidence": ("varchar[]", "Samples of its last good recovery points."),
            },
        ),
        "blast_radius": Output(
            title="What falls when one asset is lost",
            grain="One row per instant and asset that is a single point of another machine.",
            columns={
                **_INSTANT,
                "asset_id": ("varchar", "The asset."),
                "kind": ("varchar", "Kind of asset."),
                "site": ("varchar", "Site."),
                "region": ("varchar", "Region."),
                "machines": ("bigint", "Machines that lose their protection when it is lost."),
                "organizations": ("bigint", "Organizations that they serve."),
                "protected_bytes": (
                    "hugeint", "Bytes that they protect; NULL where none of them states it."
                ),
                "is_down": (
                    "boolean",
                    "Whether its last state on record is failed or removed: its machines are then "
                    "down, or their dependencies out of date. NULL where no state of it is on "
                    "record.",
                ),
                "machine_ids": ("varchar[]", "The machines."),
            },
        ),
    },
    run=run,
)  # fmt: skip
