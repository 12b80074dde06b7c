"""A case, open for questions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit import sqlfile
from toolkit.analysis import steps
from toolkit.casefile import CaseFolder
from toolkit.errors import CaseLocked, UsageError, did_you_mean, one_line
from toolkit.rebuild import query_folders
from toolkit.relations import BY_NAME
from toolkit.store import Store, literal, quoted

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.plots import Plots

# What ingest alone writes, and what can be asked before anything is derived.
INGESTED = (
    "source", "reject", "skipped", "time_note", "value_note", "source_column",
)  # fmt: skip
SNAPSHOTS = "snapshots"


class Case:
    """A case, open for questions; nothing that is asked can change it.

    Every question opens the database for reading and closes it again, so that a case can be held
    while commands write to it. Where a relation is given as a DataFrame, `toolkit.frames` says with
    which types. A DataFrame holds what the evidence holds: accounts as recorded, text as it came.
    """

    def __init__(self, folder: CaseFolder) -> None:
        self.folder = folder

    @classmethod
    def open(cls, path: Path | str) -> Case:
        """Open a case folder; raises UsageError where it is none."""
        return cls(CaseFolder.open(Path(path)))

    # -- what there is -------------------------------------------------------------------------

    def relations(self) -> pd.DataFrame:
        """What can be asked for by name: one row per table, view and saved query.

        Columns: name, kind (`evidence`, `derived`, `given` for what the case states and what is
        kept of the sources, `query`), rows (missing for a query, which has none until it is run),
        description.
        """
        with Store.open(self.require_rebuilt()) as store:
            known = store.rows(
                "select table_name as name, comment as description from duckdb_tables() "
                "where schema_name = 'main' and not internal and not contains(table_name, '.') "
                "union all select view_name, comment from duckdb_views() "
                "where schema_name = 'main' and not internal and not contains(view_name, '.') "
                "order by all"
            )
            counts = " union all ".join(
                f"select {literal(row['name'])} as name, count(*) as n from {quoted(row['name'])}"
                for row in known
            )
            rows = {row["name"]: row["n"] for row in store.rows(counts)}
            derived = {
                row["query_id"] for row in store.rows("select query_id from query_catalogue")
            } | {name for step in steps().values() for name in step.writes}
            listing = [
                [row["name"], _kind(row["name"], derived), rows[row["name"]], row["description"]]
                for row in known
            ]
            listing += [
                [name, "query", None, file.meta.title]
                for name, file in sorted(self._saved().items())
            ]
            return store.frame(
                "select row[1] as name, row[2] as kind, row[3]::bigint as rows, "
                "row[4] as description from (select unnest(?::varchar[][]) as row)",
                [[[None if cell is None else str(cell) for cell in row] for row in listing]],
            )

    def columns(self, name: str) -> pd.DataFrame:
        """The columns of a relation or saved query: column, type (in SQL), description."""
        if name not in INGESTED:
            self.require_rebuilt()
        with self._open() as store:
            saved = self._saved()
            if name in saved:
                told = dict(saved[name].meta.columns)
                described = f"describe ({saved[name].sql})"
            else:
                self._require_known(store, name, saved)
                told = {
                    row["column_name"]: row["comment"]
                    for row in store.rows(
                        "select column_name, comment from duckdb_columns() "
                        "where schema_name = 'main' and table_name = ?",
                        [name],
                    )
                }
                described = f"describe {quoted(name)}"
            found = [
                [row["column_name"], row["column_type"], told.get(row["column_name"])]
                for row in store.rows(described)
            ]
            return store.frame(
                "select row[1] as column, row[2] as type, row[3] as description "
                "from (select unnest(?::varchar[][]) as row)",
                [found],
            )

    # -- asking --------------------------------------------------------------------------------

    def frame(self, name: str, *, where: str | None = None) -> pd.DataFrame:
        """A relation or a saved query as a DataFrame, in its own order.

        `where` is a condition in SQL. It is an analyst's text: it runs in the sandbox.
        """
        if name not in INGESTED:
            self.require_rebuilt()
        saved = self._saved()
        with Store.sandbox(self.database) as store:
            if name in saved:
                sql = f"select * from ({saved[name].sql})"
            else:
                self._require_known(store, name, saved)
                sql = f'select * from "{name}"'
                if name in BY_NAME:
                    # Evidence is a view; relations are tables and keep the order of their query.
                    sql = f"select * from ({sql} order by source_id, record_no)"
            return store.questions(f"{sql} where ({where}\n)" if where else sql)

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.frame(name)

    def _ipython_key_completions_(self) -> list[str]:
        return [str(name) for name in self.relations()["name"]]

    def sql(self, statement: str, *, memory_gb: float = 4, seconds: float = 60) -> pd.DataFrame:
        """Run an analyst's statement on the case, read-only and sandboxed."""
        database = self.require_rebuilt()
        with Store.sandbox(database, memory_gb=memory_gb, seconds=seconds) as store:
            return store.questions(statement)

    def answers(
        self,
        statements: str,
        *,
        memory_gb: float = 4,
        seconds: float = 60,
        scratch: Path | str | None = None,
    ) -> Iterator[pd.DataFrame]:
        """Run an analyst's statements one after another: a DataFrame for each that asks.

        `scratch` is a DuckDB file of the analyst's own, made where there is none; its tables, named
        `scratch.NAME`, can be made and changed, all else only asked.
        """
        with Store.sandbox(
            self.require_rebuilt(),
            memory_gb=memory_gb,
            seconds=seconds,
            scratch=None if scratch is None else Path(scratch),
        ) as store:
            yield from store.answers(statements, writes=scratch is not None)

    def findings(
        self, *, status: str | None = None, rule: str | None = None, operation: str | None = None
    ) -> pd.DataFrame:
        """What the rules say: the relation `finding`, or the part of it that is asked for."""
        conditions = [
            f"{column} = {literal(value)}"
            for column, value in (("status", status), ("rule", rule), ("operation_id", operation))
            if value is not None
        ]
        return self.frame("finding", where=" and ".join(conditions) or None)

    def timeline(
        self,
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        lane: str | None = None,
    ) -> pd.DataFrame:
        """Every event of every source in order, or those that can lie between two instants.

        An event is left out only where the whole interval in which it can lie is outside. A time
        without a zone is UTC.
        """
        conditions = [
            f"coalesce({bound}, occurred_at) {sign} {literal(str(at))}::timestamptz"
            for bound, sign, at in (("occurred_hi", ">=", start), ("occurred_lo", "<=", end))
            if at is not None
        ]
        if lane is not None:
            conditions.append(f"lane = {literal(lane)}")
        return self.frame("timeline", where=" and ".join(conditions) or None)

    def evidence(self, cited: Any) -> pd.DataFrame:
        """The original records that something rests on: pointer, origin, text; one row each.

        `cited` is a pointer (`"3:17"`: source and record), a row or a whole DataFrame of any
        relation, or several of these. What a row cites is its own record and the pointers in its
        columns `evidence` and `event`. `text` is the line as it stands in the file; where the
        records of a file are no lines, or the file has changed, the values as they were read, and
        `origin` says so. `text` is missing where the case has no such record.
        """
        from toolkit.report import CaseFacts, original_lines
        from toolkit.report.facts import Pointer

        pointers = list(dict.fromkeys(_pointers(cited)))
        with Store.open(self.require_rebuilt()) as store:
            facts = CaseFacts(store, originals=original_lines(store, self.folder.path), names=True)
            found = [
                [text, *((pointer and facts.record(pointer)) or (None, None))]
                for text in pointers
                for pointer in (Pointer.read(text),)
            ]
            return store.frame(
                "select row[1] as pointer, row[2] as origin, row[3] as text "
                "from (select unnest(?::varchar[][]) as row)",
                [found],
            )

    @property
    def plot(self) -> Plots:
        """The pictures of the reports: `case.plot.timeline()`, see `toolkit.plots.Plots`."""
        from toolkit.plots import Plots

        self.require_rebuilt()
        return Plots(lambda: Store.open(self.database))

    @property
    def database(self) -> Path:
        """The file that questions are put to: the newest snapshot while the case is written to."""
        with self._open() as store:
            return store.file

    # -- shown ---------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<Case {one_line(self.folder.id)}: {one_line(self.folder.file.title)}>"

    def _repr_html_(self) -> str:
        rows = [("title", self.folder.file.title)]
        with suppress(UsageError):  # nothing is built yet
            sources = self.sql("select count(*) as n, sum(accepted) as records from source")
            rows.append(
                ("evidence", f"{sources['n'][0]} files, {sources['records'][0]} records accepted")
            )
            found = self.sql("select status, count(*) as n from finding group by all order by all")
            rows += [(f"findings: {row.status}", str(row.n)) for row in found.itertuples()]
        cells = "".join(
            f"<tr><th>{escape(one_line(name))}</th><td>{escape(one_line(value))}</td></tr>"
            for name, value in rows
        )
        return f"<table><caption>{escape(one_line(self.folder.id))}</caption>{cells}</table>"

    # -- within --------------------------------------------------------------------------------

    def _saved(self) -> dict[str, sqlfile.SqlFile]:
        """The saved queries by name."""
        return {
            name: file
            for name, file in sqlfile.catalogue(*query_folders(self.folder)).items()
            if file.kind == "query"
        }

    @staticmethod
    def _require_known(store: Store, name: str, saved: Iterable[str]) -> None:
        known = store.names()
        if name in known:
            return
        raise UsageError(
            f"no relation or query is named {name!r}",
            remedy=did_you_mean(name, [*known, *saved]),
        )

    def _open(self) -> Store:
        try:
            return Store.open(self.folder.database)
        except CaseLocked:
            if have := snapshots(self.folder):
                return Store.open(have[-1])
            raise

    def require_rebuilt(self) -> Path:
        """The file to ask; raises UsageError where no relation has been built in it."""
        with self._open() as store:
            if not store.has("query_catalogue"):
                raise UsageError(
                    "the relations have not been built",
                    path=self.folder.path,
                    remedy=f"run: postmortem rebuild {self.folder.path}",
                )
            return store.file


def snapshots(folder: CaseFolder) -> list[Path]:
    """The snapshots of a case, the oldest first."""
    found = [each for each in (folder.path / SNAPSHOTS).glob("case-*.duckdb") if number_of(each)]
    return sorted(found, key=number_of)


def number_of(snapshot: Path) -> int:
    text = snapshot.stem.removeprefix("case-")
    return int(text) if text.isdecimal() else 0


def _kind(name: str, derived: Collection[str]) -> str:
    if name in BY_NAME:
        return "evidence"
    return "derived" if name in derived else "given"


def _pointers(cited: Any) -> Iterator[str]:
    """The pointers that a text, a row, a DataFrame or several of these cite, in order."""
    if isinstance(cited, str):
        yield cited
    elif hasattr(cited, "to_dict"):
        # A row is a Series, which is a mapping of one row; a DataFrame of many.
        rows = cited.to_dict("records") if hasattr(cited, "columns") else [cited.to_dict()]
        for row in rows:
            yield from _pointers(row)
    elif isinstance(cited, Mapping):
        if cited.get("source_id") is not None and cited.get("record_no") is not None:
            with suppress(TypeError, ValueError):  # a row may have neither: NA is no number
                yield f"{int(cited['source_id'])}:{int(cited['record_no'])}"
        for column in ("event", "evidence"):
            if isinstance(cited.get(column), str | list):
                yield from _pointers(cited[column])
    elif hasattr(cited, "_asdict"):  # a row of `itertuples`
        yield from _pointers(cited._asdict())
    elif isinstance(cited, Iterable):
        for each in cited:
            yield from _pointers(each)
    else:
        raise UsageError(
            f"{type(cited).__name__} cites no record", remedy="give a pointer, a row or a DataFrame"
        )
