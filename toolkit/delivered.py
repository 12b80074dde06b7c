"""What of the queries, macros and thresholds of a case is not as delivered with the toolkit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from toolkit import resources, sqlfile
from toolkit.casefile import Threshold, default_policy, policy_text

COLUMNS = {"part": "varchar", "name": "varchar", "told": "varchar"}
MACROS, THRESHOLDS = "macros", "policy.toml"
# A bag holds a case's own queries in this folder, beside the others.
OWN = "own"
Departure = tuple[str, str, str]


def departures(shipped: Path, *own: Path) -> list[Departure]:
    """(part, name, what) of every query, macro file and file of thresholds that departs, sorted.

    `shipped` is the catalogue that a case was run with, `own` are folders that came on top. They
    are held to what the toolkit that runs now was delivered with.
    """
    return sorted([*_queries(shipped, own), *_files(shipped)])


def thresholds(policy: Iterable[Threshold]) -> list[Departure]:
    """The same of every threshold that the case sets to another value."""
    usual = {key: policy_text(row["value"]) for key, row in default_policy().items()}
    return sorted(
        ("threshold", row.key, f"{row.value} {row.unit}, set by the case; as delivered "
         f"{usual[row.key]}")
        for row in policy if row.origin != "default" and row.value != usual[row.key]
    )  # fmt: skip


def _queries(shipped: Path, own: tuple[Path, ...]) -> Iterator[Departure]:
    home, digests = resources.installed_queries(), resources.delivered_queries()
    known = {
        file.id: digests.get(file.path.relative_to(home).as_posix())
        for file in sqlfile.catalogue(home).values()
    }
    found = sqlfile.catalogue(shipped, *own)
    for name, file in found.items():
        if name in known and file.sha256 == known[name]:
            continue
        is_own = any(file.path.is_relative_to(folder) for folder in (shipped / OWN, *own))
        if is_own and name in known:
            told = "the case's own, in place of the one delivered"
        elif is_own:
            told = "the case's own"
        else:
            told = "not the text that was delivered" if name in known else "not delivered"
        yield "query", name, told
    for name in known.keys() - found.keys():
        yield "query", name, "delivered, and not there"


def _files(shipped: Path) -> Iterator[Departure]:
    digests = resources.delivered_queries()
    names = {name for name in digests if name.startswith(f"{MACROS}/")} | {THRESHOLDS}
    names |= {f"{MACROS}/{path.name}" for path in (shipped / MACROS).glob("*.sql")}
    for name in names:
        path = shipped / name
        there = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        if there != digests.get(name):
            part = "thresholds" if name == THRESHOLDS else MACROS
            yield part, name, "not the text that was delivered" if there else "not there"
