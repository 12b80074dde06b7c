"""The SQL catalogue as a whole: heads complete, columns as declared, nothing that could vary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit import resources, sqlfile
from toolkit.analysis import steps
from toolkit.casefile import CaseFolder, default_policy
from toolkit.rebuild import rebuild
from toolkit.relations import BY_NAME
from toolkit.sqlfile import FINDING_COLUMNS, FindingMeta, SqlFile
from toolkit.store import Store

FILES = sqlfile.catalogue(resources.queries())
GIVEN = {
    *BY_NAME, "source", "reject", "skipped", "time_note", "value_note", "source_column",
    "case_info", "policy", "component_region", "procedure", "procedure_step", "procedure_rule",
    "record_copy", "review_entry", "review_snapshot", "relation_state", "rule_catalogue",
    "rule_result", "update_number",
    # All revisions of a record, where the relation itself holds the current one.
    *(f"evidence.{name}" for name in BY_NAME),
    *(name for step in steps().values() for name in step.writes),
}  # fmt: skip
# The clock, chance, and the world outside of the database.
FORBIDDEN = re.compile(
    r"\b(now|current_date|current_time|current_timestamp|today|random|uuid|gen_random_uuid|"
    r"setseed|read_\w+|glob|parquet_\w+|getenv|attach|copy|install|load|pragma|getvariable)\b\s*\(?",
    re.IGNORECASE,
)
SCHEMES = {
    "hfacs-7.0", "sherpa", "cream", "uca", "meda", "veris", "dora", "gems", "shell",
    "dirty-dozen", "hse",
}  # fmt: skip
FRAMEWORKS = {
    "soc2", "iso27001", "nist800-53r5", "nis2", "dora-rts", "dora", "csf2.0", "policy", "iso22301",
}  # fmt: skip
BLAME = re.compile(
    r"\b(fail(?:ed|s|ure) to|root cause|careless|negligen|human error|fault of|caused by|"
    r"should have|blame|mistake)\b",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A case without evidence: every query must run, and give no row of its own making."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "case.toml").write_text('title = "Nothing"\n')
    with Store.create(folder / "case.duckdb") as made:
        rebuild(made, CaseFolder.open(folder))
        yield made


def _each() -> list[object]:
    return [pytest.param(file, id=name) for name, file in sorted(FILES.items())]


def test_a_title_that_tells_of_an_absence_speaks_of_the_record() -> None:
    titles = [file.meta.title for file in FILES.values() if isinstance(file.meta, FindingMeta)]
    absent = re.compile(r"\b(no|none|never|without|fewer independent)\b", re.IGNORECASE)
    telling = [title for title in titles if absent.search(title)]
    assert len(telling) > 8
    # What is there is held against a text: that it is not in the text is no matter of records.
    assert {title for title in telling if "record" not in title} == {
        "An action under a change matches no step of its procedure",
        "An account that names no person acted under a change",
    }


def test_the_catalogue_holds_what_the_contract_names() -> None:
    wanted = {
        "timeline", "incident_phase", "operation", "operation_event", "conformance", "finding",
        "protection_gap", "onset", "machine_impact", "partner_impact", "region_impact",
        "status_accuracy", "communication", "evidence_quality", "evidence_request",
    }  # fmt: skip
    assert wanted <= FILES.keys()


@pytest.mark.parametrize("file", _each())
def test_a_file_is_named_after_its_id(file: SqlFile) -> None:
    stem = file.path.stem
    if file.is_rule:
        assert isinstance(file.meta, FindingMeta)
        number = file.id.lower().replace("-", "_")
        assert stem == f"{number}_{file.meta.slug.replace('-', '_')}"
    else:
        assert stem == file.id


@pytest.mark.parametrize("file", _each())
def test_a_query_reads_what_its_head_declares(file: SqlFile, store: Store) -> None:
    assert store.reads(file.sql) == set(file.meta.reads)
    assert set(file.meta.reads) <= GIVEN | FILES.keys()


@pytest.mark.parametrize("file", _each())
def test_a_query_uses_the_thresholds_that_its_head_declares(file: SqlFile) -> None:
    used = set(re.findall(r"policy_\w+\('(\w+)'\)", file.sql))
    used |= set(re.findall(r"policy\.key = '(\w+)'", file.sql))
    assert used == set(file.meta.policy)
    assert used <= default_policy().keys()


@pytest.mark.parametrize("file", _each())
def test_a_query_returns_the_columns_that_its_head_describes(file: SqlFile, store: Store) -> None:
    columns = [row["column_name"] for row in store.rows(f"describe {file.sql}")]
    wanted = list(FINDING_COLUMNS) if file.is_rule else list(file.meta.columns)
    assert columns == wanted


@pytest.mark.parametrize("file", _each())
def test_a_query_depends_on_the_evidence_alone(file: SqlFile) -> None:
    bare = re.sub(r"'[^']*'|--[^\n]*", "", file.sql)
    assert not FORBIDDEN.search(bare), FORBIDDEN.search(bare)


@pytest.mark.parametrize("file", _each())
def test_a_query_ends_in_an_order(file: SqlFile) -> None:
    assert re.search(
        r"\border by\b[^()]*(\([^()]*\)[^()]*)*$", file.sql.split(")\n")[-1] or file.sql
    )


@pytest.mark.parametrize("file", _each())
def test_a_query_is_one_select(file: SqlFile) -> None:
    assert re.match(r"(with|select|from)\b", re.sub(r"^(\s*--[^\n]*\n)*\s*", "", file.sql))
    assert ";" not in re.sub(r"'[^']*'|--[^\n]*", "", file.sql)


@pytest.mark.parametrize("file", _each())
def test_no_text_of_the_catalogue_blames(file: SqlFile) -> None:
    assert not BLAME.search(file.text), BLAME.search(file.text)


@pytest.mark.parametrize("file", [p for p in _each() if p.values[0].is_rule])  # type: ignore[attr-defined]
def test_a_rule_has_codes_and_controls_of_known_schemes(file: SqlFile) -> None:
    meta = file.meta
    assert isinstance(meta, FindingMeta)
    assert {code.split(":")[0] for code in (*meta.codes, *meta.candidate_codes)} <= SCHEMES
    assert {control.split(":")[0] for control in meta.controls} <= FRAMEWORKS
    for need in meta.needs:
        assert set(need.split("|")) <= {*BY_NAME, "procedure"}


@pytest.mark.parametrize("file", [p for p in _each() if p.values[0].is_rule])  # type: ignore[attr-defined]
def test_every_rule_has_its_golden_cases(file: SqlFile) -> None:
    folder = Path(__file__).parent / "golden" / "findings" / file.id.lower().replace("-", "_")
    assert {"fires", "clean", "missing", "undetermined"} <= {
        path.parent.name for path in folder.glob("*/expected.csv")
    }


def test_every_table_and_column_is_described(store: Store) -> None:
    bare = store.rows(
        "select table_name, column_name from duckdb_columns() "
        "where schema_name = 'main' and not internal and comment is null and table_name in "
        "(select query_id from query_catalogue) order by all"
    )
    assert bare == []
    assert not store.rows(
        "select table_name from duckdb_tables() where schema_name = 'main' and comment is null "
        "and table_name in (select query_id from query_catalogue) order by all"
    )


def test_without_evidence_every_rule_says_that_it_was_not_run(store: Store) -> None:
    assert store.rows("select distinct status from finding") == [{"status": "not_run"}]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("select 1", 1, "has no head"),
        ("-- /// relation\n-- id = 'x'\nselect 1", 1, "not closed"),
        ("-- /// relatoin\n-- ///\nselect 1", 1, "did you mean 'relation'"),
        ("-- /// relation\nselect 1\n-- ///", 2, "no comment"),
        ("-- /// relation\n-- id = \n-- ///\nselect 1", None, "not TOML"),
        ("-- /// relation\n-- id = 'thing'\n-- ///\nselect 1", None, "title"),
    ],
)
def test_a_faulty_head_is_named_with_its_place(
    text: str, line: int | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "thing.sql"
    path.write_text(text)
    with pytest.raises(sqlfile.UsageError) as raised:
        sqlfile.read(path)
    assert words in str(raised.value)
    assert raised.value.line == line
