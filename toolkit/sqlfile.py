"""The SQL catalogue: files of `queries/`, each one bare SELECT with its metadata in its head.

The head is a comment block that holds TOML, in the manner of PEP 723:

    -- /// relation
    -- id = "protection_gap"
    -- title = "Intervals without a good recovery point"
    -- grain = "One row per machine, job, target and interval."
    -- reads = ["replication_sample", "asset"]
    -- policy = ["gap_cadences"]
    -- [columns]
    -- asset_id = "Machine."
    -- ///
    select …

Kinds: `relation` (made into a table of that name), `finding` (a rule; its rows join `finding`)
and `query` (saved, run on demand). The file runs as it is in a DuckDB shell on a case database.
This module is the only one that knows the grammar.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.errors import UsageError, did_you_mean

Severity = Literal["info", "low", "medium", "high", "critical"]
Text = Annotated[str, Field(min_length=3)]


class _Meta(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: Text
    title: Annotated[str, Field(min_length=3, max_length=90)]
    reads: tuple[str, ...]
    policy: tuple[str, ...] = ()
    limitations: str = ""
    references: tuple[str, ...] = ()
    columns: dict[str, Text] = Field(default_factory=dict)


class RelationMeta(_Meta):
    """Head of a derived relation; `columns` lists every column in order with its comment."""

    grain: Text
    columns: dict[str, Text] = Field(min_length=1)


class QueryMeta(_Meta):
    """Head of a saved query."""

    columns: dict[str, Text] = Field(min_length=1)


class FindingMeta(_Meta):
    """Head of a rule.

    `needs` names the relations without which the rule is `not_run`; `a|b` means either of them.
    `questions` are the benign explanations to ask about, `remedy` the recommendation in words that
    blame nobody, `holder` the system or role that would hold what is missing.
    """

    slug: Text
    rule_class: Literal["D", "I"]
    level: Literal["act", "precondition", "supervision", "organisation", "system", "evidence"]
    severity: Severity
    criteria: Text
    effect: Text
    recommendation: Text
    questions: Annotated[tuple[Text, ...], Field(min_length=1)]
    codes: tuple[str, ...] = ()
    candidate_codes: tuple[str, ...] = ()
    controls: Annotated[tuple[str, ...], Field(min_length=1)]
    needs: Annotated[tuple[str, ...], Field(min_length=1)]


Meta = RelationMeta | FindingMeta | QueryMeta
KINDS: Mapping[str, type[_Meta]] = {
    "relation": RelationMeta,
    "finding": FindingMeta,
    "query": QueryMeta,
}

# What every rule's SELECT returns, in this order; `toolkit.rebuild` turns it into `finding`.
FINDING_COLUMNS = (
    "operation_id",
    "change_id",
    "subject",
    "status",
    "occurred_at",
    "event",
    "reason",
    "evidence",
)


@dataclass(frozen=True, slots=True)
class SqlFile:
    """One file of the catalogue."""

    path: Path
    kind: str
    meta: Meta
    sql: str
    text: str

    @property
    def id(self) -> str:
        return self.meta.id

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def is_rule(self) -> bool:
        return isinstance(self.meta, FindingMeta)


_OPEN = re.compile(r"^-- /// (\w+)\s*$")


def read(path: Path) -> SqlFile:
    """Read one file of the catalogue; raises UsageError with the line of the fault."""
    # As it stands, line ends and all: its digest is that of the file.
    return _parse(path, path.read_bytes().decode("utf-8"))


@lru_cache(maxsize=1024)
def _parse(path: Path, text: str) -> SqlFile:
    lines = text.splitlines()
    opening = _OPEN.match(lines[0]) if lines else None
    if opening is None:
        raise UsageError("the file has no head", path=path, line=1, remedy="begin with -- /// KIND")
    kind = opening[1]
    if kind not in KINDS:
        raise UsageError(
            f"unknown kind {kind!r}", path=path, line=1, remedy=did_you_mean(kind, KINDS)
        )
    try:
        end = lines.index("-- ///", 1)
    except ValueError:
        raise UsageError("the head is not closed", path=path, line=1, remedy="add -- ///") from None
    for number, line in enumerate(lines[1:end], start=2):
        if line != "--" and not line.startswith("-- "):
            raise UsageError("a line of the head is no comment", path=path, line=number)
    toml = "\n".join(line[3:] for line in lines[1:end])
    try:
        meta = KINDS[kind].model_validate(tomllib.loads(toml))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the head is not TOML: {error}", path=path) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(first["msg"], path=path, field=where) from None
    sql = "\n".join(lines[end + 1 :]).strip().removesuffix(";").strip()
    return SqlFile(path, kind, meta, sql, text)  # type: ignore[arg-type]


def catalogue(*folders: Path) -> dict[str, SqlFile]:
    """Every file below the folders by id; a later folder's file replaces an earlier one's."""
    found: dict[str, SqlFile] = {}
    for folder in folders:
        own: dict[str, SqlFile] = {}
        for path in sorted(folder.rglob("*.sql")):
            if path.parent.name == "macros":
                continue
            file = read(path)
            if file.id in own:
                raise UsageError(f"id {file.id!r} stands also in {own[file.id].path}", path=path)
            own[file.id] = file
        found |= own
    return found


def order(reads: Mapping[str, Iterable[str]]) -> Sequence[str]:
    """Order steps so that each comes after what it reads; equal steps go by name.

    `reads` maps a step to what it reads; names that are no step are given and ignored.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for step in sorted(reads):
        sorter.add(step, *sorted(set(reads[step]) & reads.keys()))
    try:
        sorter.prepare()
    except CycleError as error:
        raise UsageError(
            f"queries read each other in a circle: {' → '.join(error.args[1])}"
        ) from None
    done: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        done += ready
        sorter.done(*ready)
    return done
