"""From evidence to relations and findings: runs the SQL catalogue in the order of what it reads."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from toolkit import copies, delivered, frozen, procedures, reduced, resources, reviewfile, sqlfile
from toolkit.analysis import Step, steps
from toolkit.casefile import PROCEDURES, CaseFolder, Threshold
from toolkit.errors import UsageError
from toolkit.relations import RELATIONS
from toolkit.sqlfile import FINDING_COLUMNS, FindingMeta, RelationMeta, SqlFile
from toolkit.store import Store

EARLY, LATE = 1, 2


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild made: rows by relation, and findings by status."""

    relations: Mapping[str, int]
    findings: Mapping[str, int]


def query_folders(case: CaseFolder) -> list[Any]:
    """Folders of the catalogue; a case may add files or replace them."""
    own = case.path / "queries"
    return [resources.queries(), *([own] if own.is_dir() else [])]


def rebuild(store: Store, case: CaseFolder, only: Collection[str] | None = None) -> Rebuilt:
    """Derive every relation and finding anew, in one transaction.

    `only` restricts the work to these relations and rules and what they read; the register of
    queries and the comments on tables and columns are then left out.

    The result depends on the evidence tables, the case file, the procedures and the catalogue
    alone. Raises UsageError where one of them cannot be understood; the database then is as before.
    """
    files = sqlfile.catalogue(*query_folders(case))
    loaded = procedures.load(case.path / PROCEDURES)
    policy = case.policy()
    with store.transaction():
        _load_case(store, case, policy)
        _load_procedures(store, loaded)
        _load_review(store, case)
        _expose_evidence(store)
        _load_catalogue(store, files)
        plan = _plan(files, only)
        for name in plan:
            _run(store, files, name)
        reduced.check(store, plan)
        if only is None:
            _make_analyst_macros(store)
            _describe_evidence(store)
            _describe(store, files, plan)
            _register_queries(store, files)
            _register_departures(store, case, policy)
            _describe_given(store)
    made = [name for name in plan if name in files and not files[name].is_rule]
    made += [name for step in steps().values() if step.id in plan for name in step.writes]
    return Rebuilt(
        {name: store.value(f'select count(*) from "{name}"') for name in made},
        {
            row["status"]: row["n"]
            for row in store.rows(
                "select status, count(*) as n from rule_result group by all order by all"
            )
        },
    )


def refresh_review(store: Store, case: CaseFolder) -> None:
    """Read `review.yaml` again and derive what rests on it; all else stays as it is.

    The case must have been rebuilt before. Raises UsageError for what cannot be understood.
    """
    files = sqlfile.catalogue(*query_folders(case))
    resting = {"review_entry"}
    with store.transaction():
        _load_review(store, case)
        for name in _plan(files, None):
            file = files.get(name)
            if file is None or file.is_rule or not resting & set(file.meta.reads):
                continue
            resting.add(name)
            _run(store, files, name)
            _describe(store, files, [name])
            count, digest = result_digest(store, f'select * from "{name}"')
            store.execute(
                "update query_catalogue set row_count = ?, result_sha256 = ? where query_id = ?",
                [count, digest, name],
            )


def _run(store: Store, files: Mapping[str, SqlFile], name: str) -> None:
    if name in steps():
        _run_step(store, steps()[name])
        return
    file = files[name]
    if file.is_rule:
        _run_rule(store, file, LATE if _is_late(file, files) else EARLY)
    elif file.kind == "relation":
        _run_relation(store, file)


# -- what is given before the first query ----------------------------------------------------------


def _load_case(store: Store, case: CaseFolder, policy: Iterable[Any]) -> None:
    file = case.file
    store.load(
        "case_info",
        {
            "case_id": "varchar", "title": "varchar", "display_zone": "varchar",
            "window_start": "timestamptz", "window_end": "timestamptz", "theme": "varchar",
        },
        [[case.id, file.title, file.display_zone, file.window.start, file.window.end,
          file.incident.theme]],
    )  # fmt: skip
    store.load(
        "policy",
        {"key": "varchar", "value": "varchar", "unit": "varchar", "origin": "varchar",
         "meaning": "varchar"},
        [[row.key, row.value, row.unit, row.origin, row.meaning] for row in policy],
    )  # fmt: skip
    store.load(
        "component_region",
        {"component": "varchar", "region": "varchar"},
        [list(pair) for pair in sorted(file.components.items())],
    )
    macros = (resources.queries() / "macros" / "macros.sql").read_bytes()
    store.execute(macros.decode("utf-8"))
    store.load(
        "macro_file",
        {"name": "varchar", "sha256": "varchar"},
        [
            [path.name, hashlib.sha256(path.read_bytes()).hexdigest()]
            for path in sorted((resources.queries() / "macros").glob("*.sql"))
        ],
    )
    store.comment("macro_file", "Files of macros that the case was rebuilt with: their SHA-256.")


def _make_analyst_macros(store: Store) -> None:
    """What analysts ask with; table macros can only be made when what they read is there."""
    text = (resources.queries() / "macros" / "analyst.sql").read_text(encoding="utf-8")
    for _, statement in store.statements(text):
        store.execute(statement)
    for name, is_table, comment in _comments_of_macros(text):
        store.comment(name, comment, kind="macro table" if is_table else "macro")


_MACRO = re.compile(r"create or replace macro (\w+)\(.*\) as (table)?")


def _comments_of_macros(text: str) -> Iterator[tuple[str, bool, str]]:
    """Every macro, whether it gives a table, and the comment that stands above it."""
    above: list[str] = []
    for line in text.splitlines():
        if line.startswith("-- "):
            above.append(line[3:])
        elif found := _MACRO.match(line):
            yield found[1], bool(found[2]), " ".join(above)
        else:
            above = []


def _load_procedures(store: Store, loaded: Sequence[procedures.ProcedureFile]) -> None:
    heads, steps, rules = [], [], []
    for file in loaded:
        it = file.procedure
        heads.append(
            [it.id, it.version, it.title, it.published_at, it.superseded_at,
             [kind.lower() for kind in it.applies_to], file.path.name, file.sha256]
        )  # fmt: skip
        for position, step in enumerate(it.steps, start=1):
            steps.append(
                [it.id, it.version, step.id, position, step.title or step.id, step.kind,
                 step.mandatory, step.irreversible,
                 [pattern.lower() for pattern in step.match.action], list(step.match.target),
                 list(step.match.host), list(step.match.message), list(step.needs)]
            )  # fmt: skip
        for position, rule in enumerate(procedures.constraints(it), start=1):
            rules.append(
                [it.id, it.version, rule["rule_id"], position, rule["template"], rule["a"],
                 rule["b"], rule["n"], rule["within_seconds"], rule["by_actor"],
                 rule["hold_seconds"], rule["severity"], rule["control"], rule["origin"],
                 rule["on_target"], rule["where_a"], rule["where_b"]]
            )  # fmt: skip
    store.load(
        "procedure",
        {"procedure": "varchar", "version": "varchar", "title": "varchar",
         "published_at": "timestamptz", "superseded_at": "timestamptz", "applies_to": "varchar[]",
         "path": "varchar", "sha256": "varchar"},
        heads,
    )  # fmt: skip
    store.load(
        "procedure_step",
        {"procedure": "varchar", "version": "varchar", "step": "varchar", "position": "integer",
         "title": "varchar", "kind": "varchar", "mandatory": "boolean", "irreversible": "boolean",
         "match_action": "varchar[]", "match_target": "varchar[]", "match_host": "varchar[]",
         "match_message": "varchar[]", "needs": "varchar[]"},
        steps,
    )  # fmt: skip
    store.load(
        "procedure_rule",
        {"procedure": "varchar", "version": "varchar", "rule_id": "varchar",
         "position": "integer", "template": "varchar", "a": "varchar", "b": "varchar",
         "n": "integer", "within_seconds": "double", "by_actor": "varchar",
         "hold_seconds": "double", "severity": "varchar", "control": "varchar",
         "origin": "varchar", "on_target": "varchar", "where_a": "varchar[]",
         "where_b": "varchar[]"},
        rules,
    )  # fmt: skip


def _load_review(store: Store, case: CaseFolder) -> None:
    entries = reviewfile.load(case.path)
    store.load("review_entry", reviewfile.COLUMNS, reviewfile.rows(entries))
    store.comment("review_entry", "One row per entry of review.yaml, in its order.")
    store.load("review_snapshot", frozen.COLUMNS, frozen.load(case.path))
    store.comment("review_snapshot", "One row per freeze and thing that it fixed.")


def _expose_evidence(store: Store) -> None:
    """Put what counts of every evidence relation into the main schema."""
    copied = copies.find(store)
    for relation in RELATIONS:
        select = copies.current(relation, copied)
        store.execute(f'create or replace view "{relation.name}" as {select}')
    counts = " union all ".join(
        f"select '{relation.name}' as relation, count(*) as row_count from \"{relation.name}\""
        for relation in RELATIONS
    )
    store.execute(
        f"create or replace table relation_state as {counts} "
        "union all select 'procedure', count(*) from procedure order by relation"
    )


def _load_catalogue(store: Store, files: Mapping[str, SqlFile]) -> None:
    store.load(
        "rule_catalogue",
        {"rule": "varchar", "slug": "varchar", "title": "varchar", "rule_class": "varchar",
         "level": "varchar", "severity": "varchar", "criteria": "varchar", "effect": "varchar",
         "recommendation": "varchar", "questions": "varchar[]", "codes": "varchar[]",
         "candidate_codes": "varchar[]", "controls": "varchar[]", "needs": "varchar[]",
         "sha256": "varchar"},
        [
            [file.id, meta.slug, meta.title, meta.rule_class, meta.level, meta.severity,
             meta.criteria, meta.effect, meta.recommendation, list(meta.questions),
             list(meta.codes), list(meta.candidate_codes), list(meta.controls), list(meta.needs),
             file.sha256]
            for _, file in sorted(files.items())
            if isinstance(meta := file.meta, FindingMeta)
        ],
    )  # fmt: skip
    store.execute(
        "create or replace table rule_result (rule varchar, wave integer, operation_id varchar, "
        "change_id varchar, subject varchar, status varchar, occurred_at timestamptz, "
        "event varchar, reason varchar, evidence varchar[], finding_id varchar)"
    )


# -- the run ---------------------------------------------------------------------------------------


def _is_late(file: SqlFile, files: Mapping[str, SqlFile]) -> bool:
    """Whether a rule reads, directly or not, what the other rules have found."""
    pending, seen = [file.id], set()
    while pending:
        for read in files[pending.pop()].meta.reads:
            if read == "finding_base":
                return True
            if read in files and read not in seen:
                seen.add(read)
                pending.append(read)
    return False


def _plan(files: Mapping[str, SqlFile], only: Collection[str] | None) -> Sequence[str]:
    """The steps in order; all of them, or those that `only` and what it reads ask for."""
    rules = {name for name, file in files.items() if file.is_rule}
    late = {name for name in rules if _is_late(files[name], files)}
    reads: dict[str, set[str]] = {}
    for name, file in files.items():
        if file.kind == "query":
            continue
        reads[name] = set(file.meta.reads)
        if "rule_result" in reads[name]:
            reads[name] |= rules - late if name == "finding_base" else rules
    for step in steps().values():
        reads[step.id] = set(step.reads)
    makers = {output: step.id for step in steps().values() for output in step.writes}
    reads = {name: {makers.get(read, read) for read in wanted} for name, wanted in reads.items()}
    if only is not None:
        pending, needed = [makers.get(name, name) for name in only], set()
        while pending:
            name = pending.pop()
            if name in reads and name not in needed:
                needed.add(name)
                pending += reads[name]
        reads = {name: reads[name] for name in needed}
    return sqlfile.order(reads)


def _run_step(store: Store, step: Step) -> None:
    made = step.run(store)
    for name, output in step.writes.items():
        store.load(name, {column: kind for column, (kind, _) in output.columns.items()}, made[name])


def _run_relation(store: Store, file: SqlFile) -> None:
    try:
        store.derive(file.id, file.sql)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(str(error), path=file.path, remedy="mend the query") from error


def _describe(store: Store, files: Mapping[str, SqlFile], names: Collection[str]) -> None:
    """Write what the tables and columns mean beside those of these relations and steps."""
    for name in names:
        if name in steps():
            for made, output in steps()[name].writes.items():
                store.describe(
                    made,
                    comment=f"{output.title}. {output.grain}",
                    comments={column: comment for column, (_, comment) in output.columns.items()},
                )
        elif isinstance(meta := files[name].meta, RelationMeta):
            store.describe(name, comment=f"{meta.title}. {meta.grain}", comments=meta.columns)


def _describe_evidence(store: Store) -> None:
    for relation in RELATIONS:
        store.describe(
            relation.name,
            comment=relation.grain,
            comments={column.name: column.comment for column in relation.columns},
            kind="view",
        )


# What stands beside the relations: what is stated, and the registers of what was run.
GIVEN = {
    "case_info": "One row: the case as case.toml states it.",
    "component_region": "One row per component of the status page, with its region.",
    "policy": "One row per threshold, with its value, unit and where it was set.",
    "procedure": "One row per version of a procedure.",
    "procedure_step": "One row per step of a version of a procedure.",
    "procedure_rule": "One row per constraint of a version of a procedure.",
    "relation_state": "One row per evidence relation, with its count of rows.",
    "rule_catalogue": "One row per rule, with what it tests and recommends.",
    "rule_result": "One row per answer of a rule, before what is known of earlier operations.",
    "query_catalogue": "One row per query that was run, with the digests of its file and result.",
}


def _describe_given(store: Store) -> None:
    for name, comment in GIVEN.items():
        store.comment(name, comment)


def _run_rule(store: Store, file: SqlFile, wave: int) -> None:
    meta = file.meta
    assert isinstance(meta, FindingMeta)
    missing = [need for need in meta.needs if not _present(store, need)]
    if missing:
        reason = "Not run: no record of " + ", nor of ".join(
            need.replace("|", " or ") for need in missing
        )
        store.execute(
            "insert into rule_result select ?, ?, null, null, null, 'not_run', null, null, ?, "
            "[]::varchar[], ?",
            [file.id, wave, reason + ".", _digest([file.id, "not_run"])],
        )
        return
    columns = ", ".join(FINDING_COLUMNS)
    try:
        # The digest names the event by what it says, not by where it stands, so that a later
        # export of the same records leaves decisions attached to their findings.
        store.execute(
            f"""
            insert into rule_result
            with results as (select {columns} from ({file.sql})),
            keyed as (
                select
                    results.*,
                    concat_ws(
                        '|', ?, operation_id, subject,
                        case when event is null then ''
                        else coalesce(
                            maintenance_event.occurred_at::varchar || maintenance_event.action
                            || coalesce(maintenance_event.target, ''),
                            results.occurred_at::varchar, ''
                        ) end
                    ) as identity
                from results
                left join maintenance_event
                    on results.event
                        = maintenance_event.source_id || ':' || maintenance_event.record_no
            )
            select
                ?, ?, operation_id, change_id, subject, status, occurred_at, event, reason,
                list_sort(list_distinct(evidence)),
                substr(sha256(identity || '|' || row_number() over (
                    partition by identity order by event, reason
                )), 1, 16)
            from keyed
            order by operation_id, subject, event, reason
            """,
            [file.id, file.id, wave],
        )
    except Exception as error:
        raise UsageError(str(error), path=file.path, remedy="mend the query") from error


def _present(store: Store, need: str) -> bool:
    return bool(
        store.value(
            "select coalesce(sum(row_count), 0) from relation_state "
            "where list_contains(?, relation)",
            [need.split("|")],
        )
    )


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


# -- the register of queries ---------------------------------------------------------------------


def _register_queries(store: Store, files: Mapping[str, SqlFile]) -> None:
    """Write down every query with the digest of its rows, so that it can be re-performed."""
    rows: list[list[Any]] = []
    for name, file in sorted(files.items()):
        if file.kind == "query":
            # Asked on demand: its text stands in the register, its rows do not.
            rows.append([name, file.kind, file.meta.title, file.sha256, file.sql, None, None])
            continue
        sql = (
            f"select * from rule_result where rule = '{name}' order by finding_id"
            if file.is_rule
            else f'select * from "{name}"'
        )
        count, digest = result_digest(store, sql)
        rows.append([name, file.kind, file.meta.title, file.sha256, file.sql, count, digest])
    for step in steps().values():
        digest = hashlib.sha256(step.source.encode()).hexdigest()
        for name, output in step.writes.items():
            count, result = result_digest(store, f'select * from "{name}"')
            rows.append([name, "step", output.title, digest, step.source, count, result])
    store.load(
        "query_catalogue",
        {"query_id": "varchar", "kind": "varchar", "title": "varchar", "sha256": "varchar",
         "sql": "varchar", "row_count": "bigint", "result_sha256": "varchar"},
        rows,
    )  # fmt: skip


def _register_departures(store: Store, case: CaseFolder, policy: Iterable[Threshold]) -> None:
    found = [*delivered.departures(*query_folders(case)), *delivered.thresholds(policy)]
    store.load("departure", delivered.COLUMNS, [list(row) for row in found])
    store.describe(
        "departure",
        comment="What is not as delivered with the toolkit. "
        "One row per query, macro file, file of thresholds and threshold.",
        comments={
            "part": "query, macros, thresholds (their file) or threshold (set by the case).",
            "name": "Its id, key or file.",
            "told": "In what it departs.",
        },
    )


def result_digest(store: Store, sql: str) -> tuple[int, str]:
    """Number of rows and SHA-256 of the rows of a query, as sorted JSON lines.

    Sorting the lines makes the digest independent of the order in which a plan returns them;
    doubles are rounded to nine significant digits, since parallel sums differ in the last ones.
    """
    lines = sorted(
        json.dumps(row, default=_canonical, ensure_ascii=False, sort_keys=True)
        for row in ({k: _rounded(v) for k, v in row.items()} for row in store.rows(sql))
    )
    return len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _rounded(value: Any) -> Any:
    return float(f"{value:.9g}") if isinstance(value, float) else value


def _canonical(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
