"""What goes into a bag: evidence, rules, relations, reports, and how to check them by hand.

    data/README.txt          what this is and how to check it with sha256sum and DuckDB alone
    data/register.json       sources, policy, and every query with row count and result digest
    data/manifest.jsonl      what the case rests on; its SHA-256 is the case digest
    data/case/               case.toml, evidence, procedures and mappings as they are, and the files
                             of a plain folder that no source names
    data/queries/            the SQL that was run, macros and thresholds as delivered
    data/relations/          every relation as Parquet
    data/check.sql           loads the relations in DuckDB and runs every query on them again
    data/reports/            the reports, and those that people have signed

A redacted bag names people by their roles in all of these. It leaves out what cannot be had
without the names: evidence, procedures, mappings, the board's file, and signed reports.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit import __version__, frozen, report, sqlfile, tables
from toolkit.casefile import CASE_FILE, PROCEDURES, CaseFolder
from toolkit.errors import UsageError
from toolkit.rebuild import query_folders
from toolkit.report.facts import PEOPLE
from toolkit.reviewfile import REVIEW_FILE
from toolkit.seal import reperform
from toolkit.seal.bag import safe
from toolkit.seal.reperform import Rebuild
from toolkit.store import Store, literal, quoted
from toolkit.strays import unnamed

Profile = Literal["full", "redacted"]
Promised = Mapping[str, Sequence[str]]
REGISTER, MANIFEST, CHECK, README = "register.json", "manifest.jsonl", "check.sql", "README.txt"
CASE, QUERIES, RELATIONS, REPORTS = "case", "queries", "relations", "reports"
SIGNED = ".signed.pdf"
FORM = "postmortem-register-2"


# -- what is copied as it is -----------------------------------------------------------------------


def copy_case(case: CaseFolder, into: Path, *, decisions: bool) -> tuple[str, ...]:
    """Copy what a rebuild and its reports read of a case; the board's decisions where wanted.

    Returns the names of the files that no source names: a rebuild tells of them.
    """
    files = {CASE_FILE: case.path / CASE_FILE}
    for path, declared in case.evidence():
        files[path.relative_to(case.path).as_posix()] = path
        if declared.mapping and (case.path / declared.mapping).is_file():
            files[declared.mapping] = case.path / declared.mapping
    strays = {path.relative_to(case.path).as_posix(): path for path in unnamed(case)}
    files |= strays
    for path in sorted((case.path / PROCEDURES).rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            files[path.relative_to(case.path).as_posix()] = path
    if decisions and (case.path / REVIEW_FILE).is_file():
        files[REVIEW_FILE] = case.path / REVIEW_FILE
        files |= {path.relative_to(case.path).as_posix(): path for path in frozen.files(case.path)}
    for path in report.brand_files(case.path):
        files[path.relative_to(case.path).as_posix()] = path
    for name, path in sorted(files.items()):
        if not safe(name):
            raise UsageError(
                "a file of this name cannot be sealed", path=path, remedy="rename it, run again"
            )
        _copy(path, into / name)
    return tuple(strays)


def copy_queries(case: CaseFolder, into: Path) -> None:
    """Copy the catalogue as it is run on a case, with macros and thresholds as delivered."""
    for name, path in reperform.catalogue_files(*query_folders(case)).items():
        _copy(path, into / name)


def _copy(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, to)


# -- what is made of the rebuilt case --------------------------------------------------------------


def write_full(made: Rebuild, into: Path, promised: Promised) -> None:
    """Write the relations, the register and the manifest of a rebuilt case.

    `promised` are the names of the `reports`, and of the `signed` ones, that the bag is to hold.
    """
    folder = into / RELATIONS
    folder.mkdir()
    for name, sql in tables.relations(made.store).items():
        made.store.write_parquet(sql, folder / f"{name}.parquet")
    write_full_texts(made, into, promised)


def write_full_texts(made: Rebuild, into: Path, promised: Promised) -> None:
    """Write what a full bag holds of a rebuilt case beside the relations and reports."""
    exported = tables.relations(made.store)
    _write_common(made, into, exported, "full", promised, lambda text: text)


def write_redacted(made: Rebuild, into: Path, promised: Promised) -> Sequence[str]:
    """Write the same with people as roles; returns what the bag therefore lacks, in words."""
    people = report.CaseFacts(made.store).people
    exported = tables.relations(made.store)
    folder = into / RELATIONS
    folder.mkdir()
    lacking = ["the original evidence, procedures and mappings", "the decisions of the board"]
    for name, sql in exported.items():
        table = made.store.table(sql)
        raw = [field.name for field in table.schema if pa.types.is_binary(field.type)]
        if raw:
            table = table.drop_columns(raw)
            lacking.append(f"the original bytes in {name} ({', '.join(raw)})")
        pq.write_table(_redacted(table, people), folder / f"{name}.parquet", compression="zstd")
    told = (made.folder.path / CASE_FILE).read_text(encoding="utf-8")
    (into / CASE).mkdir()
    (into / CASE / CASE_FILE).write_text(people.text(told), encoding="utf-8")
    _write_common(made, into, exported, "redacted", promised, people.text)
    return lacking


def _write_common(
    made: Rebuild,
    into: Path,
    exported: Mapping[str, str],
    profile: Profile,
    promised: Promised,
    shown: Callable[[str], str],
) -> None:
    store = made.store
    told = {
        "form": FORM,
        "profile": profile,
        "toolkit": __version__,
        "case_id": made.folder.id,
        "case_digest": report.case_digest(store),
        **promised,
        "file_times": reperform.file_times(store, made.folder.path),
        "refused": reperform.refused(made.ingested),
        "sources": store.rows(
            "select source_id, path, sha256, format, records_read, accepted, continued, skipped, "
            "rejected from source order by source_id"
        ),
        "policy": store.rows("select key, value, unit, origin from policy order by key"),
        "queries": store.rows(
            "select query_id, kind, title, sha256, row_count, result_sha256 "
            "from query_catalogue order by kind, query_id"
        ),
        "relations": [
            {"name": name, "rows": store.value(f"select count(*) from {quoted(name)}")}
            for name in exported
        ],
    }
    register = json.dumps(told, ensure_ascii=False, indent=1) + "\n"
    (into / REGISTER).write_text(shown(register), encoding="utf-8", newline="")
    manifest = report.case_manifest(store).decode()
    (into / MANIFEST).write_text(shown(manifest), encoding="utf-8", newline="")
    check = _check_sql(store, sqlfile.catalogue(into / QUERIES), exported)
    (into / CHECK).write_text(check, encoding="utf-8", newline="")


def write_reports(
    made: Rebuild, kinds: Iterable[report.Kind], formats: Iterable[str], into: Path
) -> None:
    """Render the reports of a rebuilt case."""
    originals = report.original_lines(made.store, made.folder.path)
    model = report.build(made.store, originals=originals)
    brand = report.load_brand(made.folder.path)
    for kind in kinds:
        report.write(model, kind, list(formats), into, brand)


def copy_signed(output: Path, into: Path) -> None:
    """Copy signed reports; each must go on from the bytes of the report that was made now."""
    for path in sorted(output.glob(f"*{SIGNED}")):
        plain = into / f"{path.name.removesuffix(SIGNED)}.pdf"
        if not plain.is_file() or not path.read_bytes().startswith(plain.read_bytes()):
            raise UsageError(
                "the signed report is not the one that the case gives now",
                path=path,
                remedy="have the present report signed, or move the signed one away",
            )
        _copy(path, into / path.name)


def info(register: Mapping[str, Any], title: str) -> dict[str, str]:
    """The lines of bag-info.txt, which repeat what the register says."""
    return {
        "Bag-Software-Agent": f"postmortem-toolkit {register['toolkit']}",
        "Case-Digest": register["case_digest"],
        "External-Description": title,
        "External-Identifier": register["case_id"],
        "Postmortem-Profile": register["profile"],
        "Postmortem-Reports": " ".join([*register["reports"], *register["signed"]]),
    }


def write_readme(into: Path, title: str, digest: str, lacking: Sequence[str]) -> None:
    """Write how the bag is checked by hand; `lacking` is empty for a full bag."""
    left_out = "".join(f"- {each}\n" for each in lacking)
    told = _README.format(title=title, digest=digest)
    told += _REDACTED.format(left_out=left_out) if lacking else _FULL
    (into / README).write_text(told, encoding="utf-8", newline="")


# -- people as roles -------------------------------------------------------------------------------


def _redacted(table: pa.Table, people: Any) -> pa.Table:
    columns = []
    for field in table.schema:
        told = people.name if field.name in PEOPLE else people.text
        column = table[field.name]
        if pa.types.is_string(field.type) or pa.types.is_nested(field.type):
            seen: dict[str, str] = {}
            values = [_shown(value, told, seen) for value in column.to_pylist()]
            column = pa.chunked_array([pa.array(values, type=field.type)])
        columns.append(column)
    return pa.table(columns, names=table.column_names)


def _shown(value: Any, told: Callable[[str], str], seen: dict[str, str]) -> Any:
    if isinstance(value, str):
        if value not in seen:
            seen[value] = told(value)
        return seen[value]
    if isinstance(value, list):
        return [_shown(part, told, seen) for part in value]
    if isinstance(value, dict):
        return {key: _shown(part, told, seen) for key, part in value.items()}
    return value


# -- checking by hand ------------------------------------------------------------------------------


def _check_sql(
    store: Store, files: Mapping[str, sqlfile.SqlFile], exported: Mapping[str, str]
) -> str:
    """A script for the DuckDB shell: loads the relations and compares every query with them."""
    lines = [
        '-- Run inside data/ of the bag: duckdb -c ".read check.sql"',
        "-- It loads the sealed relations, runs every query on them, and lists how many rows of",
        "-- each differ from the sealed ones. Doubles are compared to nine significant digits.",
        "set TimeZone = 'UTC';",
        "create schema evidence;",
    ]
    for name in exported:
        if not name.startswith("evidence."):
            file = literal(f"{RELATIONS}/{name}.parquet")
            layout = ", ".join(
                f"{quoted(column['column_name'])} {column['column_type']}"
                for column in tables.columns(store, name)
            )
            lines.append(f"create table {quoted(name)} ({layout});")
            lines.append(f"insert into {quoted(name)} from read_parquet({file});")
    for row in store.rows(
        "select view_name as name from duckdb_views() where schema_name = 'main' "
        "and not internal order by view_name"
    ):
        raw = f"evidence.{row['name']}"
        origin = literal(f"{RELATIONS}/{raw}.parquet")
        made = f"read_parquet({origin})" if raw in exported else quoted(f"main.{row['name']}")
        lines.append(f"create view {quoted(raw)} as from {made};")
    lines.append(f".read {QUERIES}/macros/macros.sql")
    lines.append("create table difference (query varchar, sealed bigint, made bigint, "
                 "differing bigint);")  # fmt: skip
    for name, query in sorted(files.items()):
        sealed = _sealed_rows(store, name, query)
        if sealed is not None:
            columns, wanted = sealed
            made = f"select {columns} from (\n{query.sql}\n)"
            lines.append(
                f"insert into difference with sealed as materialized ({wanted}), "
                f"made as materialized ({made}) select {literal(name)}, "
                "(select count(*) from sealed), (select count(*) from made), "
                "(select count(*) from (from sealed except all from made))"
                " + (select count(*) from (from made except all from sealed));"
            )
    lines.append("select * from difference order by differing desc, query;")
    return "\n".join(lines) + "\n"


def _sealed_rows(store: Store, name: str, file: sqlfile.SqlFile) -> tuple[str, str] | None:
    """The columns that are compared, and the query for the sealed rows of a relation or rule."""
    if file.kind == "query":
        return None
    if file.is_rule:
        if store.value(
            "select count(*) from rule_result where rule = ? and status = 'not_run'", [name]
        ):
            return None
        columns = ", ".join(sqlfile.FINDING_COLUMNS[:-1])
        return columns, f"select {columns} from rule_result where rule = {literal(name)}"
    columns = ", ".join(
        f"format('{{:.9g}}', {quoted(row['column_name'])}) as {quoted(row['column_name'])}"
        if row["column_type"] == "DOUBLE"
        else quoted(row["column_name"])
        for row in tables.columns(store, name)
    )
    return columns, f"select {columns} from {quoted(name)}"


_README = """\
{title}

Sealed record of a review made with postmortem-toolkit. It is a BagIt 1.0 bag (RFC 8493).
Case digest: {digest}
It is the SHA-256 of manifest.jsonl and stands at the foot of every page of the PDF reports. It
covers the evidence, how each file was declared to be read, the queries, the thresholds and the
procedures. It does not cover the reports themselves, since they print it; the manifest of the bag
covers those.

1. Is the bag complete and unchanged? In the folder above this one:

     sha256sum -c tagmanifest-sha256.txt
     sha256sum -c manifest-sha256.txt

   and compare the list of files with manifest-sha256.txt: a file that is not listed there was not
   sealed. The digest of tagmanifest-sha256.txt stands for the whole bag.

2. Who sealed it, and when? signatures/ holds what signs tagmanifest-sha256.txt, if anything does.
   Signatures (*.sig; allowed_signers is a list of keys that you trust, from another source):

     ssh-keygen -Y verify -f allowed_signers -I NAME -n postmortem-seal -s FILE.sig \\
       < tagmanifest-sha256.txt

   Time-stamps (*.tsr):

     openssl ts -verify -data tagmanifest-sha256.txt -in FILE.tsr -CAfile authority.pem

   Signed reports (reports/*.signed.pdf) open in any PDF reader that checks signatures.

3. Do the queries give the sealed results? In this folder, with the DuckDB shell alone:

     duckdb -c ".read check.sql"

   It loads relations/*.parquet, runs every file of queries/ on them, and lists per query how many
   rows differ. Relations that no file of queries/ makes were made by code of the toolkit
   (register.json names them: kind "step"); they are given as they are.
"""
_FULL = """
4. Does the evidence give the relations? postmortem-toolkit reads case/ anew, rebuilds everything
   with queries/ and compares all of it with register.json:

     postmortem verify FOLDER-OF-THE-BAG

   register.json holds the row count of every query and the SHA-256 of its rows, as sorted lines of
   JSON with sorted keys, joined by line feeds; doubles are rounded to nine significant digits.
"""
_REDACTED = """
This bag is redacted: people appear as the roles that the reports use (Operator A, Operator B, ...).
It therefore lacks:

{left_out}
From this bag the relations cannot be rebuilt from the evidence, and the digests of results in
register.json, which are those of the unredacted rows, cannot be made again. The holder of the full
bag can do both; that bag prints the same case digest.
"""
