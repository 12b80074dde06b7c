"""One body of SQL for two engines: what DuckDB runs here is what Spark runs there.

The text of a relation is translated by sqlglot, and what sqlglot is known to pass through or to
turn round is replaced before by what Spark calls it. A construct that neither knows is refused
here, since the translation says nothing of it. That both engines then give the same rows is not
taken on trust: `tests/test_lake.py` and `python -m benchmarks.lake` compare them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import expressions as exp

from toolkit.errors import UsageError

# Functions that mean the same and are called otherwise.
_NAMES = {"EPOCH_US": "UNIX_MICROS", "MAKE_TIMESTAMPTZ": "TIMESTAMP_MICROS"}


@dataclass(frozen=True, slots=True)
class Stage:
    """A statement of Spark. With a name, its rows are held under it for the stages that follow."""

    name: str | None
    sql: str


def stages(sql: str, policy: Mapping[str, float]) -> Sequence[Stage]:
    """The statements that give what a query of the catalogue gives, in their order; the last has no
    name.

    What the query holds as `materialized` is a stage of its own. `policy` has the thresholds that
    it asks for. A pointer becomes the number of the record, because in a lake there is one source.
    Raises UsageError for a function that has no counterpart.
    """
    tree = sqlglot.parse_one(sql, read="duckdb").transform(_translated, policy)
    clause = tree.args["with_"] if tree.args.get("with_") else None
    found: list[Stage] = []
    before: list[exp.Expression] = []
    for part in list(clause.expressions) if clause else []:
        if part.args.get("materialized"):
            query = part.this.copy()
            if before:
                query.set("with_", exp.With(expressions=[each.copy() for each in before]))
            found.append(Stage(part.alias, query.sql(dialect="spark")))
            part.pop()
        else:
            part.set("materialized", None)  # Spark never holds one, and has no word for that
            before.append(part)
    return [*found, Stage(None, tree.sql(dialect="spark"))]


def _translated(node: exp.Expression, policy: Mapping[str, float]) -> exp.Expression:
    if not isinstance(node, exp.Anonymous):
        return node
    name, values = node.name.upper(), node.expressions
    if name in _NAMES:
        return exp.Anonymous(this=_NAMES[name], expressions=values)
    if name in _NAMES.values():
        return node
    if name == "POINTER":
        record: exp.Expression = values[1]
        return record
    if name == "POLICY_NUMBER":
        return exp.cast(exp.Literal.string(repr(policy[values[0].name])), "double")
    raise UsageError(
        f"{node.name} has no counterpart in Spark",
        remedy="a query that lakes run uses what both engines have",
    )
