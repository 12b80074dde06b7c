"""The case database. This is the only module that imports duckdb."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.bookkeeping import BOOKKEEPING, COLUMNS, COMMENTS
from toolkit.errors import NO_RIGHT, CaseLocked, ToolkitError, UsageError
from toolkit.frames import from_arrow
from toolkit.relations import RELATIONS, SQL_TYPE, Relation
from toolkit.watch import Watch

if TYPE_CHECKING:
    import pandas as pd

_ROWS_AT_ONCE = 200
# Statements that ask, and those that write; which database may be written to, the engine decides.
_QUESTIONS = frozenset(["SELECT", "EXPLAIN"])
_WRITES = frozenset(["CREATE", "INSERT", "UPDATE", "DELETE", "DROP", "ALTER", "MERGE_INTO"])
SCHEMA_VERSION = 6
_LOAD_MEMORY = "400MB"
# By how much the second clock of a confined statement is behind the engine's own.
_GRACE_SECONDS = 0.5


class Store:
    """A case database, opened by one process at a time for writing, or by many for reading."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path | None) -> None:
        self._connection = connection
        self.path = path
        self._depth = 0
        self._seconds: float | None = None

    # -- opening -------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path | None = None) -> Store:
        """Open for writing, and lay out the evidence tables where they are not there yet."""
        store = cls(_connect(path, read_only=False), path)
        if not store.has("source"):
            with store.transaction():
                store._lay_out()
        store._check_version()
        return store

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open for reading; raises UsageError where nothing has been ingested yet."""
        if not path.exists():
            raise UsageError(
                "no evidence has been ingested", path=path, remedy="run: postmortem run CASE"
            )
        store = cls(_connect(path, read_only=True), path)
        store._check_version()
        return store

    @classmethod
    def sandbox(
        cls, path: Path, *, memory_gb: float = 4, seconds: float = 60, scratch: Path | None = None
    ) -> Store:
        """Open for an analyst's SQL: no file, network, extension or setting can be reached.

        `scratch` is a database of the analyst's own, made where there is none, which stands beside
        the case under the name `scratch` and can be written to. Raises UsageError where it cannot
        be opened, or is the case itself.
        """
        store = cls.open(path)
        if scratch is not None:
            store._attach_scratch(scratch)
        store.confine(memory_gb=memory_gb, seconds=seconds)
        return store

    def _attach_scratch(self, scratch: Path) -> None:
        if self.path is not None and scratch.resolve() == self.path.resolve():
            raise UsageError(
                "the scratch database is the case itself", path=scratch, remedy="name another file"
            )
        try:
            self._connection.execute(f"attach {literal(str(scratch))} as scratch (read_write)")
        except duckdb.Error as error:
            raise UsageError(
                f"the scratch database cannot be opened: {_first_lines(error)}",
                path=scratch,
                remedy="name a file that is a DuckDB database, or none yet, and that is not in use",
            ) from None

    def confine(self, *, memory_gb: float = 4, seconds: float = 60, spill_gb: float = 0) -> None:
        """From here on no statement reaches a file, the network, an extension or a setting."""
        run = self._connection.execute
        run("set allow_community_extensions = false")
        run("set allowed_directories = []")
        run("set enable_external_access = false")
        run(f"set memory_limit = '{float(memory_gb)}GB'")
        run(f"set max_temp_directory_size = '{float(spill_gb)}GB'")
        run(f"set max_execution_time = {int(seconds * 1000)}")
        run("set lock_configuration = true")
        self._seconds = seconds

    @property
    def file(self) -> Path:
        """The file of a database that is not in memory."""
        assert self.path is not None
        return self.path

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lay_out(self) -> None:
        for statement in BOOKKEEPING.split(";"):
            if statement.strip():
                self.execute(statement)
        self.execute("insert into schema_version values (?)", [SCHEMA_VERSION])
        for table, comment in COMMENTS.items():
            self.describe(table, comment=comment, comments=COLUMNS.get(table, {}))
        for relation in RELATIONS:
            columns = ", ".join(f"{name} {kind}" for name, kind in columns_of(relation))
            self.execute(f"create table evidence.{relation.name} ({columns})")

    def _check_version(self) -> None:
        found = (
            self.value("select max(version) from schema_version") if self.has("source") else None
        )
        if found != SCHEMA_VERSION:
            raise UsageError(
                f"the database has layout {found}, this version needs {SCHEMA_VERSION}",
                path=self.path,
                remedy="move the database away and run: postmortem run CASE",
            )

    # -- statements ----------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what happens inside, or none of it; transactions inside one another are one."""
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        self.execute("begin transaction")
        self._depth = 1
        try:
            yield
        except BaseException:
            self.execute("rollback")
            raise
        else:
            self.execute("commit")
        finally:
            self._depth = 0

    def execute(self, sql: str, values: Sequence[object] | None = None) -> None:
        """Run a statement for its effect."""
        self._run(sql, values)

    def checkpoint(self) -> None:
        """Write everything into the one file of the database."""
        self.execute("checkpoint")

    def rows(self, sql: str, values: Sequence[object] | None = None) -> list[dict[str, Any]]:
        """The rows of a query as dictionaries, in the query's order."""
        names, found = self._run(sql, values)
        return [dict(zip(names, row, strict=True)) for row in found]

    def questions(self, sql: str) -> pd.DataFrame:
        """Answer an analyst's SQL: one statement that asks, and does nothing else."""
        kinds = self.kinds(sql)
        if len(kinds) != 1:
            raise QueryError(f"{len(kinds)} statements were given", remedy="give one at a time")
        return next(self.answers(sql))

    def answers(self, sql: str, *, writes: bool = False) -> Iterator[pd.DataFrame]:
        """Answer an analyst's statements one after another: a DataFrame for each that asks.

        With `writes`, tables of the scratch database can be made and changed between them; the
        engine itself keeps the case from being written to. Nothing runs where one statement is of
        a kind that is not allowed.
        """
        statements = self.statements(sql)
        if not statements:
            raise QueryError("no statement was given", remedy="give a SELECT")
        allowed = _QUESTIONS | (_WRITES if writes else frozenset())
        for kind, _ in statements:
            if kind not in allowed:
                raise QueryError(
                    f"{kind} is not {'allowed' if writes else 'a question'}",
                    remedy="use SELECT, DESCRIBE or EXPLAIN"
                    + (
                        ", or CREATE, INSERT, UPDATE, DELETE, DROP on tables of scratch"
                        if writes
                        else ""
                    ),
                )
        for kind, text in statements:
            if kind in _QUESTIONS:
                yield self.frame(text)
            else:
                self.execute(text)

    def kinds(self, sql: str) -> list[str]:
        """The kind of each statement of a text (`SELECT`, `CREATE`, `COPY`, …); runs none."""
        return [kind for kind, _ in self.statements(sql)]

    def statements(self, sql: str) -> list[tuple[str, str]]:
        """Kind and text of each statement of a text; runs none."""
        try:
            statements = self._connection.extract_statements(sql)
        except duckdb.Error as error:
            raise QueryError(_first_lines(error)) from error
        return [(_kind(each), each.query) for each in statements]

    def value(self, sql: str, values: Sequence[object] | None = None) -> Any:
        """The first value of the first row, or None where there is no row."""
        _, found = self._run(sql, values)
        return found[0][0] if found else None

    def table(self, sql: str, values: Sequence[object] | None = None) -> pa.Table:
        """The rows of a query as an Arrow table."""
        with self._in_time():
            return self._connection.sql(
                sql, params=list(values) if values else None
            ).to_arrow_table()

    def write_parquet(self, sql: str, path: Path) -> None:
        """Write the rows of a query to a file."""
        self.execute(f"copy ({sql}) to {literal(str(path))} (format parquet, compression zstd)")

    def frame(self, sql: str, values: Sequence[object] | None = None) -> pd.DataFrame:
        """The rows of a query as a DataFrame; see `toolkit.frames` for its types."""
        return from_arrow(self.table(sql, values))

    def _run(
        self, sql: str, values: Sequence[object] | None
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns of an answer, and its rows."""
        with self._in_time():
            result = self._connection.execute(sql, list(values) if values else None)
            return [column[0] for column in result.description or ()], result.fetchall()

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """Statements of the engine, whose errors become QueryError; a confined one ends in time.

        The engine's own clock is not looked at within one long call, `sleep_ms(…)` for one, so a
        second one interrupts it from outside.
        """
        watch = None
        if self._seconds is not None:
            watch = Watch(self._connection.interrupt, self._seconds + _GRACE_SECONDS)
        try:
            yield
        except duckdb.Error as error:
            if watch is not None and watch.is_pressed:
                raise KeyboardInterrupt from None
            if self._seconds is not None and isinstance(error, duckdb.InterruptException):
                raise QueryError(
                    f"the statement took longer than {self._seconds:g} s",
                    remedy="ask for less, or give it more time",
                ) from error
            raise QueryError(_first_lines(error)) from error
        except RuntimeError as error:
            # What the engine's part for Python makes of Ctrl-C while a statement runs.
            if str(error) == "Query interrupted":
                raise KeyboardInterrupt from None
            raise
        finally:
            if watch is not None:
                watch.stop()

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """Work that must keep its order gains little from more threads, and holds more memory.

        A database on disk needs no more memory than the rows that are on their way; without a limit
        the engine keeps all that was written.
        """
        self.execute("set threads = 1")
        if self.path is not None:
            self.execute(f"set memory_limit = '{_LOAD_MEMORY}'")
        try:
            yield
        finally:
            self.execute("reset threads")
            self.execute("reset memory_limit")

    # -- tables --------------------------------------------------------------------------------

    def append(self, relation: str, rows: pa.Table) -> None:
        """Add rows to an evidence table by column name, through a file (never by a scan of Python
        objects, which DuckDB 2.0.0 is known to get wrong), and check that all have arrived."""
        if not rows.num_rows:
            return
        target = self.rows_table(relation)
        before = self.value(f"select count(*) from {target}")
        handle, name = tempfile.mkstemp(suffix=".parquet")
        os.close(handle)
        try:
            # What is read once and deleted is not worth packing; words that repeat come coded.
            coded = [each.name for each in rows.schema if pa.types.is_dictionary(each.type)]
            pq.write_table(
                rows, name, compression="none", use_dictionary=coded, write_statistics=False
            )
            columns = ", ".join(quoted(column) for column in rows.column_names)
            self.execute(
                f"insert into {target} ({columns}) select {columns} from read_parquet(?)", [name]
            )
        finally:
            Path(name).unlink()
        arrived = self.value(f"select count(*) from {target}") - before
        if arrived != rows.num_rows:
            raise ToolkitError(f"{arrived} of {rows.num_rows} rows arrived in {relation}")

    def insert(self, table: str, row: Mapping[str, object]) -> None:
        """Add one row by column name."""
        names = ", ".join(quoted(column) for column in row)
        marks = ", ".join("?" for _ in row)
        self.execute(f"insert into {quoted(table)} ({names}) values ({marks})", list(row.values()))

    def rows_table(self, table: str) -> str:
        """The table that new rows of `evidence.RELATION`, or of another table, go to."""
        return quoted(f"{table}_rows" if self._is_view(table) else table)

    def add_part(self, relation: Relation, source_id: int, constants: Mapping[str, str]) -> None:
        """Make the table `part_table(relation, source_id)` a part of an evidence relation.

        A large source has a table of its own, with the columns that it states, because what a row
        costs is the columns that are written. The others have the same value in all its rows:
        `constants`, as they stand in a statement, or NULL.
        """
        part = part_table(relation.name, source_id)
        stated = set(self.columns(part))
        values = [f"{source_id}::usmallint as source_id"]
        for name, kind in columns_of(relation)[1:]:
            value = quoted(name) if name in stated else f"{constants.get(name, 'null')}::{kind}"
            values.append(f"{value} as {quoted(name)}")
        whole = f"evidence.{relation.name}"
        self.execute(
            f"create view {quoted(f'{whole}_{source_id}')} as "
            f"select {', '.join(values)} from {quoted(part)}"
        )
        if not self._is_view(whole):
            self.execute(f"alter table {quoted(whole)} rename to {quoted(f'{relation.name}_rows')}")
        self._join_parts(relation.name)

    def forget(self, relation: str, source_id: int) -> None:
        """Take out the rows that a source has in an evidence relation."""
        whole = f"evidence.{relation}"
        if self._is_view(f"{whole}_{source_id}"):
            self.execute(f"drop view {quoted(f'{whole}_{source_id}')}")
            self.execute(f"drop table {quoted(part_table(relation, source_id))}")
            self._join_parts(relation)
        self.execute(f"delete from {self.rows_table(whole)} where source_id = ?", [source_id])

    def _join_parts(self, relation: str) -> None:
        found = self.rows(
            "select view_name from duckdb_views() where schema_name = 'evidence' "
            "and regexp_full_match(view_name, ?) "
            "order by cast(regexp_extract(view_name, '[0-9]+$') as integer)",
            [f"{relation}_[0-9]+"],
        )
        parts = [f"{relation}_rows", *(row["view_name"] for row in found)]
        union = " union all ".join(f"select * from {quoted(f'evidence.{part}')}" for part in parts)
        self.execute(f"create or replace view {quoted(f'evidence.{relation}')} as {union}")

    def _is_view(self, table: str) -> bool:
        schema, _, name = table.rpartition(".")
        return bool(
            self.value(
                "select count(*) from duckdb_views() where schema_name = ? and view_name = ?",
                [schema or "main", name],
            )
        )

    def reclaim(self) -> None:
        """Let the next checkpoint give back the room of rows that were deleted."""
        self.execute("set max_vacuum_tasks = 100")

    def load(self, name: str, columns: Mapping[str, str], rows: Sequence[Sequence[object]]) -> None:
        """Replace a small table by the given rows; `columns` maps names to SQL types."""
        layout = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns.items())
        self.execute(f"create or replace table {quoted(name)} ({layout})")
        marks = ", ".join(f"?::{kind}" for kind in columns.values())
        # What a statement costs does not depend on its rows, as long as they are few.
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[first : first + _ROWS_AT_ONCE]
            all_marks = ", ".join([f"({marks})"] * len(some))
            values = [value for row in some for value in row]
            self.execute(f"insert into {quoted(name)} values {all_marks}", values)

    def derive(self, name: str, sql: str) -> None:
        """Make a table of a query."""
        self.execute(f"create or replace table {quoted(name)} as {sql}")

    def describe(
        self, name: str, *, comment: str, comments: Mapping[str, str], kind: str = "table"
    ) -> None:
        """Write comments on a table or view and its columns."""
        self.comment(name, comment, kind=kind)
        for column, text in comments.items():
            self.execute(f"comment on column {quoted(name)}.{quoted(column)} is {literal(text)}")

    def comment(self, table: str, text: str, *, kind: str = "table") -> None:
        self.execute(f"comment on {kind} {quoted(table)} is {literal(text)}")

    def names(self) -> frozenset[str]:
        """The tables and views of the main schema."""
        return frozenset(
            row["name"]
            for row in self.rows(
                "select table_name as name from information_schema.tables "
                "where table_schema = 'main'"
            )
        )

    def has(self, table: str) -> bool:
        """Whether a table or view of that name stands in the main schema.

        Whoever asks for many asks for `names` once: the engine goes through all tables to answer.
        """
        return table in self.names()

    def columns(self, table: str) -> list[str]:
        """The columns of a table or view, in order."""
        return [row["column_name"] for row in self.rows(f"describe {quoted(table)}")]

    def reads(self, sql: str) -> set[str]:
        """The tables that a query names, without those that it defines itself."""
        parsed = json.loads(self.value("select json_serialize_sql(?::varchar)", [sql]))
        if parsed.get("error"):
            raise QueryError(parsed.get("error_message", "the statement cannot be parsed"))
        tables: set[str] = set()
        defined: set[str] = set()
        _walk(parsed, tables, defined)
        return tables - defined


class QueryError(ToolkitError):
    """A statement that the engine refuses."""

    exit_code = 2


def part_table(relation: str, source_id: int) -> str:
    """The table of one large source, with a row for each of its records that were read."""
    return f"evidence.{relation}_{source_id}_rows"


def columns_of(relation: Relation) -> list[tuple[str, str]]:
    """Columns and SQL types of an evidence table, provenance first."""
    columns = [("source_id", "USMALLINT"), ("record_no", "BIGINT")]
    for column in relation.columns:
        columns.append((column.name, SQL_TYPE[column.kind]))
        if column.name == relation.at and relation.bounds:
            columns += [(bound, "TIMESTAMPTZ") for bound in relation.bounds]
    return columns


def _connect(path: Path | None, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
    }
    try:
        connection = duckdb.connect(str(path or ":memory:"), read_only=read_only, config=config)
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            raise CaseLocked(
                "another process has the case open",
                path=path,
                remedy="wait until it has finished; a snapshot can be asked meanwhile, "
                "see: postmortem snapshot --help",
            ) from None
        denied = re.search("permission denied|read-only file system", str(error), re.IGNORECASE)
        if denied:
            raise UsageError(denied[0].lower(), path=path, remedy=NO_RIGHT) from None
        raise UsageError(
            _first_lines(error), path=path, remedy="move the file away and run: postmortem run CASE"
        ) from None
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    connection.execute("set preserve_insertion_order = true")
    # Merging row groups at a checkpoint would write a large load a second time (see `reclaim`).
    connection.execute("set max_vacuum_tasks = 0")
    return connection


def _walk(node: object, tables: set[str], defined: set[str]) -> None:
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE":
            schema = node.get("schema_name")
            tables.add(f"{schema}.{node['table_name']}" if schema else node["table_name"])
        cte = node.get("cte_map")
        if isinstance(cte, dict):
            defined.update(entry["key"] for entry in cte.get("map", ()))
        for value in node.values():
            _walk(value, tables, defined)
    elif isinstance(node, list):
        for value in node:
            _walk(value, tables, defined)


def quoted(name: str) -> str:
    """A name of a table or column, as it stands in a statement."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def literal(text: str) -> str:
    """A text, as it stands in a statement."""
    return "'" + text.replace("'", "''") + "'"


def _kind(statement: duckdb.Statement) -> str:
    """The kind of a statement; the engine knows some that its part for Python has no name for."""
    try:
        return str(statement.type).rpartition(".")[2]
    except ValueError:
        return "This statement"


def _first_lines(error: Exception) -> str:
    return " ".join(line.strip() for line in str(error).splitlines()[:3] if line.strip())
