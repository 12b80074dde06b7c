"""A case and what can be done with it: the functions behind the commands."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit import decisions, frozen, resources, reviewfile, sqlfile
from toolkit.analysis import steps
from toolkit.casefile import CASE_FILE, EVIDENCE, OUTPUT, PROCEDURES, CaseFolder
from toolkit.errors import CaseLocked, UsageError, did_you_mean, one_line
from toolkit.ingest.load import Ingested, Progress, ingest
from toolkit.ingest.reader import SourceSettings, readers
from toolkit.rebuild import Rebuilt, query_folders, rebuild
from toolkit.rebuild import refresh_review as _refresh
from toolkit.relations import BY_NAME
from toolkit.store import Store, literal, quoted

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.export import Written
    from toolkit.plots import Plots
    from toolkit.report import Kind as ReportKind
    from toolkit.seal import Check, Profile, Sealed

# What ingest alone writes, and what can be asked before anything is derived.
INGESTED = (
    "source", "reject", "skipped", "time_note", "value_note", "source_column",
)  # fmt: skip
SNAPSHOTS = "snapshots"
SAMPLES = ("draas-2022", "lost-standby")
KINDS: tuple[ReportKind, ...] = ("review", "audit", "summary")


@dataclass(frozen=True, slots=True)
class Ran:
    """What `run` has done: files, relations and findings, and the reports that it wrote."""

    case: CaseFolder
    ingested: Ingested
    rebuilt: Rebuilt
    reports: tuple[Path, ...]


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
        with Store.open(self._require_rebuilt()) as store:
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
            self._require_rebuilt()
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
            self._require_rebuilt()
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
        database = self._require_rebuilt()
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
            self._require_rebuilt(),
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
        with Store.open(self._require_rebuilt()) as store:
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

        self._require_rebuilt()
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
        if store.has(name):
            return
        known = store.rows(
            "select table_name as name from information_schema.tables where table_schema = 'main'"
        )
        raise UsageError(
            f"no relation or query is named {name!r}",
            remedy=did_you_mean(name, [*(row["name"] for row in known), *saved]),
        )

    def _open(self) -> Store:
        try:
            return Store.open(self.folder.database)
        except CaseLocked:
            if have := _snapshots(self.folder):
                return Store.open(have[-1])
            raise

    def _require_rebuilt(self) -> Path:
        """The file to ask; raises UsageError where no relation has been built in it."""
        with self._open() as store:
            if not store.has("query_catalogue"):
                raise UsageError(
                    "the relations have not been built",
                    path=self.folder.path,
                    remedy=f"run: postmortem rebuild {self.folder.path}",
                )
            return store.file


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


def snapshot(path: Path, *, keep: int = 3) -> Path:
    """Publish the case database as `snapshots/case-<n>.duckdb`, read-only, for those who ask.

    Questions are answered from the newest snapshot while another process writes to the case. The
    file appears whole or not at all; all but the newest `keep` are removed. Raises UsageError where
    the case has not been rebuilt, or is being written to.
    """
    case = Case.open(path)
    case._require_rebuilt()
    database = case.folder.database
    folder = case.folder.path / SNAPSHOTS
    folder.mkdir(exist_ok=True)
    have = _snapshots(case.folder)
    target = folder / f"case-{(_number(have[-1]) if have else 0) + 1}.duckdb"
    part = target.with_suffix(".part")
    with Store.create(database) as store:
        store.checkpoint()
        shutil.copyfile(database, part)
    part.chmod(0o444)
    part.rename(target)
    for old in [*have, target][: -max(keep, 1)]:
        old.unlink()
    return target


def _snapshots(folder: CaseFolder) -> list[Path]:
    """The snapshots of a case, the oldest first."""
    found = [each for each in (folder.path / SNAPSHOTS).glob("case-*.duckdb") if _number(each)]
    return sorted(found, key=_number)


def _number(snapshot: Path) -> int:
    text = snapshot.stem.removeprefix("case-")
    return int(text) if text.isdecimal() else 0


def new(path: Path, *, title: str | None = None) -> CaseFolder:
    """Lay out an empty case folder; refuses a folder that is a case already."""
    if (path / CASE_FILE).exists():
        raise UsageError("the folder is a case already", path=path / CASE_FILE)
    if path.exists() and not path.is_dir():
        raise UsageError("a file of that name exists", path=path, remedy="choose another name")
    for folder in (EVIDENCE, PROCEDURES, OUTPUT):
        (path / folder).mkdir(parents=True, exist_ok=True)
    decisions.scaffold(path, title or path.resolve().name)
    return CaseFolder.open(path)


def ingest_case(
    path: Path,
    paths: Sequence[Path] = (),
    *,
    overrides: SourceSettings | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Ingested:
    """Load the evidence of a case; see `toolkit.ingest.load.ingest`."""
    folder = CaseFolder.open(path)
    with Store.create(folder.database) as store:
        return ingest(store, folder, paths, overrides=overrides, dry_run=dry_run, progress=progress)


def rebuild_case(path: Path) -> Rebuilt:
    """Derive every relation and finding of a case anew."""
    folder = CaseFolder.open(path)
    _require_evidence(folder)
    with Store.create(folder.database) as store:
        return rebuild(store, folder)


def run(
    path: Path,
    *,
    kinds: Sequence[ReportKind] = KINDS,
    formats: Sequence[str] = ("pdf", "html"),
    progress: Progress | None = None,
) -> Ran:
    """Everything from a folder of exports to reports.

    A folder without `case.toml` becomes a case around the files that lie in it: a `case.toml` is
    written that names them where they are; none is moved or changed. Refused files are passed over
    and listed with what would settle them.
    """
    if path.is_file():
        raise UsageError("it is a file", path=path, remedy="give the folder that it lies in")
    if path.is_dir() and not (path / CASE_FILE).exists():
        decisions.scaffold_around(path)
    folder = CaseFolder.open(path)
    with Store.create(folder.database) as store:
        ingested = ingest(store, folder, progress=progress)
        loaded = store.value("select count(*) from source")
        if not loaded and not ingested.refusals:
            raise _no_evidence(folder)
        rebuilt = rebuild(store, folder)
    # Where every file was refused there is nothing to report, but much to decide.
    reports = report(path, kinds=kinds, formats=formats) if loaded else ()
    return Ran(folder, ingested, rebuilt, reports)


def report(
    path: Path,
    *,
    kinds: Sequence[ReportKind] = KINDS,
    formats: Sequence[str] = ("pdf", "html"),
) -> tuple[Path, ...]:
    """Render reports of a case that has been rebuilt; returns the files written."""
    from toolkit import report as reports

    folder = CaseFolder.open(path)
    _require_evidence(folder)
    Case(folder)._require_rebuilt()
    brand = reports.load_brand(folder.path)
    with Store.open(folder.database) as store:
        model = reports.build(store, originals=reports.original_lines(store, folder.path))
    written: list[Path] = []
    for kind in kinds:
        written += reports.write(model, kind, formats, folder.output, brand)
    return tuple(written)


def export(path: Path, form: str, *, names: bool = False, target: Path | None = None) -> Written:
    """Write a rebuilt case in the form of another tool; see `toolkit.export`.

    The target is a file or folder below `output/export/` unless one is given. People appear as
    roles unless `names` keeps them.
    """
    from toolkit import export as exports

    case = Case.open(path)
    case._require_rebuilt()
    with Store.open(case.folder.database) as store:
        folder = case.folder.output / "export"
        return exports.export(store, form, folder, names=names, target=target)


def untranslated(path: Path) -> tuple[str, ...]:
    """The keys of fixed words that a case's own words lack, so that English stands in."""
    from toolkit.report import load_brand

    return load_brand(path).wording.missing


def digest_of(path: Path) -> str:
    """The digest of a rebuilt case, over its sources, queries and thresholds."""
    from toolkit.report import case_digest

    case = Case.open(path)
    case._require_rebuilt()
    with Store.open(case.folder.database) as store:
        return case_digest(store)


def add_to_review(path: Path, do: str, **values: object) -> tuple[int, str]:
    """Add an entry to `review.yaml` and derive what rests on it; see `toolkit.reviewfile`.

    Returns the number of the entry and the state of the review as `review_state` has it.

    Findings may be named by the first letters of their id. A freeze also leaves a snapshot of what
    it fixes, see `toolkit.frozen`. Raises UsageError for a finding that
    is not there, a value that does not fit, an act that the state of the review does not allow, and
    a signature of another state of the case than the frozen one.
    """
    from toolkit.report import case_digest

    case = Case.open(path)
    case._require_rebuilt()
    with Store.create(case.folder.database) as store:
        known = [row["finding_id"] for row in store.rows("select finding_id from finding")]
        if "finding" in values:
            values["finding"] = _finding(str(values["finding"]), known)
        if isinstance(named := values.get("findings"), list):
            values["findings"] = [_finding(str(each), known) for each in named]
        if do == "sign":
            values.setdefault("digest", case_digest(store))
        found = reviewfile.add(case.folder.path, reviewfile.make(do, **values))
        if do == "freeze":
            frozen.write(case.folder.path, str(values["digest"]), frozen.lines(store))
        _refresh(store, case.folder)
        state = store.value("select state from review_state where is_current")
    return found[-1].number, str(state)


def refresh_review(path: Path) -> None:
    """Read `review.yaml` again and derive what rests on it."""
    case = Case.open(path)
    case._require_rebuilt()
    with Store.create(case.folder.database) as store:
        _refresh(store, case.folder)


def _finding(given: str, known: Sequence[str]) -> str:
    found = [each for each in known if each.startswith(given.lower())]
    if len(found) != 1 or len(given) < 4:
        raise UsageError(
            f"{'no' if not found else 'more than one'} finding begins with {given!r}",
            field="FINDING",
            remedy="postmortem findings CASE lists them; give at least four letters",
        )
    return found[0]


def seal(path: Path, *, profile: Profile = "full") -> Sealed:
    """Make a bag of a case that has been rebuilt; see `toolkit.seal.seal`."""
    from toolkit.seal import seal as make

    folder = CaseFolder.open(path)
    _require_evidence(folder)
    Case(folder)._require_rebuilt()
    return make(folder, profile=profile)


def countersign(bag: Path, *, ssh_key: Path | None = None, timestamp: Path | None = None) -> Path:
    """Add a signature or a time-stamp to a bag; see `toolkit.seal.countersign`."""
    from toolkit.seal import countersign as add

    return add(bag, ssh_key=ssh_key, timestamp=timestamp)


def sign(
    pdf: Path,
    key: Path,
    role: str,
    *,
    passphrase: bytes | None = None,
    output: Path | None = None,
) -> Path:
    """Sign a PDF report; see `toolkit.seal.signing.sign`."""
    from toolkit.seal import sign as add

    return add(pdf, key, role, passphrase=passphrase, output=output)


def verify(
    path: Path, *, allowed_signers: Path | None = None, roots: Path | None = None
) -> tuple[Check, ...]:
    """Check a bag or a PDF report; see `toolkit.seal.verify`."""
    from toolkit.seal import verify as check

    return check(path, allowed_signers=allowed_signers, roots=roots)


def demo(into: Path, *, formats: Sequence[str] = ("pdf", "html")) -> tuple[Ran, ...]:
    """Copy the sample cases below a folder and run the first of them to its reports."""
    made = []
    for name in SAMPLES:
        target = into / name
        if not target.exists():
            shutil.copytree(
                resources.samples() / name, target, ignore=shutil.ignore_patterns("__pycache__")
            )
        made.append(run(target, formats=formats))
    return tuple(made)


def catalogue_of_formats() -> Sequence[Mapping[str, str]]:
    """What can be read: one row per format."""
    return [
        {
            "format": reader.name,
            "title": reader.title,
            "fills": ", ".join(reader.fills),
            "needs_zone": "yes" if reader.needs_zone else "no",
            "obtain": reader.obtain,
            "traps": " ".join(reader.traps),
        }
        for reader in readers().values()
    ]


def catalogue_of_queries(path: Path | None = None) -> Sequence[Mapping[str, str]]:
    """Every relation, rule and saved query: one row per file of the catalogue."""
    folders = query_folders(CaseFolder.open(path)) if path else [resources.queries()]
    return [
        {"id": file.id, "kind": file.kind, "title": file.meta.title, "file": file.path.name}
        for _, file in sorted(sqlfile.catalogue(*folders).items())
    ]


def _no_evidence(folder: CaseFolder) -> UsageError:
    return UsageError(
        "the case holds no evidence",
        path=folder.path / EVIDENCE,
        remedy="copy exports into it, then run: postmortem run CASE",
    )


def _require_evidence(folder: CaseFolder) -> None:
    with Store.open(folder.database) as store:
        if not store.value("select count(*) from source"):
            raise _no_evidence(folder)
