"""The case as analysts hold it in Python: types, look-ups, pictures, and nothing that can harm."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT

import toolkit
from toolkit import Case
from toolkit.errors import ToolkitError, UsageError
from toolkit.store import Store
from toolkit.verbs import run

HOSTILE = "<img src=x onerror=alert(1)> \x1b[31m \u202etxt"


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("python") / "case"
    (folder / "evidence").mkdir(parents=True)
    (folder / "case.toml").write_text('title = "<script>alert(1)</script>"\n')
    (folder / "evidence" / "maintenance_event.csv").write_text(
        "occurred_at,action,target,actor,message\n"
        "2022-03-09T09:14:05Z,decommission,array-1,o.brien,gone\n"
        f'2022-03-09T09:20:00Z,decommission,array-2,o.brien,"{HOSTILE}"\n'
        "2022-03-09T10:00:00Z,power_off,array-2,c.diaz,\n"
    )
    run(folder, formats=())
    return Case.open(folder)


def test_importing_the_package_loads_neither_pandas_nor_the_database() -> None:
    program = (
        "import sys, toolkit\n"
        "assert not {'pandas', 'duckdb', 'numpy'} & set(sys.modules)\n"
        "from toolkit import Case, ToolkitError\n"
        "assert Case.__module__ == 'toolkit.case'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="no attribute 'Cases'"):
        _ = toolkit.Cases


TYPES = {
    "7::usmallint": "Int64",
    "7::ubigint": "Int64",
    "sum(7)": "Int64",
    "true": "boolean",
    "'word'": "str",
    "1.5::double": "float64",
    "timestamptz '2022-03-09 10:00:00+01'": "datetime64[us, UTC]",
    "timestamp '2022-03-09 10:00:00'": "datetime64[us]",
    "interval '26 hours'": "timedelta64[us]",
    "[1, 2]": "object",
}


@pytest.mark.parametrize("value", TYPES)
@pytest.mark.parametrize("rows", ["some", "null", "none"])
def test_a_type_does_not_hang_on_the_values(case: Case, value: str, rows: str) -> None:
    asked = {
        "some": f"select {value} as x",
        "null": f"select if(x is null, x, null) as x from (select {value} as x)",
        "none": f"select x from (select {value} as x) where x is null",
    }
    frame = case.sql(asked[rows])
    assert str(frame["x"].dtype) == TYPES[value]
    assert len(frame) == (rows != "none")
    if rows == "null":
        assert frame["x"].isna().all()


def test_spans_lists_and_what_has_no_fixed_length(case: Case) -> None:
    frame = case.sql(
        "select * from (values (interval '1 day 2 hours 3 microseconds', ['a', null], {'a': 1}), "
        "(null, null, null), (interval '-5 seconds', [], {'a': null})) as given(span, list, struct)"
    )
    assert list(frame["span"]) == [
        pd.Timedelta(days=1, hours=2, microseconds=3), pd.NaT, pd.Timedelta(seconds=-5),
    ]  # fmt: skip
    assert list(frame["list"]) == [["a", None], None, []]
    assert list(frame["struct"]) == [{"a": 1}, None, {"a": None}]
    assert case.sql("select interval '1 month' as x")["x"].dtype == object
    huge = case.sql("select 170141183460469231731687303715884105727::hugeint as x")
    assert int(huge["x"][0]) == 2**127 - 1


def test_every_relation_has_types_without_a_row(case: Case) -> None:
    found = case.relations()
    assert dict(found.dtypes.astype(str)) == {
        "name": "str", "kind": "str", "rows": "Int64", "description": "str",
    }  # fmt: skip
    assert set(found["kind"]) == {"evidence", "derived", "given", "query"}
    assert not list(found["name"][found["description"].isna()])
    rows = found.set_index("name")["rows"]
    assert rows["maintenance_event"] == 3
    assert rows["status_update"] == 0
    assert rows.isna().sum() == (found["kind"] == "query").sum() > 0
    empty = case["status_update"]
    assert len(empty) == 0
    assert str(empty["posted_at"].dtype) == "datetime64[us, UTC]"
    assert str(empty["source_id"].dtype) == "Int64"
    assert str(case["protection_gap"]["evidence"].dtype) == "object"


def test_columns_say_what_they_mean(case: Case) -> None:
    found = case.columns("onset").set_index("column")
    assert found.loc["onset_at", "type"] == "TIMESTAMP WITH TIME ZONE"
    assert found["description"].str.len().min() > 3
    for name in case.relations().query("kind == 'query'")["name"]:
        assert case.columns(name)["description"].notna().all()
    with pytest.raises(UsageError, match="did you mean 'onset'"):
        case.columns("onsett")


def test_a_relation_is_had_by_name(case: Case) -> None:
    assert case["maintenance_event"].equals(case.frame("maintenance_event"))
    assert "onset" in case._ipython_key_completions_()
    with pytest.raises(UsageError, match="did you mean 'onset'"):
        case["onsett"]


def test_findings_are_those_asked_for(case: Case) -> None:
    whole = case.findings()
    assert len(whole) == len(case["finding"]) > 5
    for status, expected in whole.groupby("status"):
        assert len(case.findings(status=str(status))) == len(expected)
    rule = str(whole["rule"][0])
    assert set(case.findings(rule=rule)["rule"]) == {rule}
    assert len(case.findings(rule="x' or 'a' = 'a")) == 0


def test_the_timeline_keeps_what_can_lie_between(case: Case) -> None:
    whole = case.timeline()
    assert list(whole["event_no"]) == sorted(whole["event_no"])
    part = case.timeline(start="2022-03-09 09:20", end=pd.Timestamp("2022-03-09 10:20+01:00"))
    assert list(part["occurred_at"]) == [pd.Timestamp("2022-03-09 09:20:00+00:00")]
    assert set(case.timeline(lane="maintenance")["lane"]) == {"maintenance"}
    assert len(case.timeline(lane="status")) == 0
    with pytest.raises(ToolkitError, match="timestamp"):
        case.timeline(start="yesterday'); drop table timeline; --")


def test_evidence_is_the_line_as_it_stands_in_the_file(case: Case) -> None:
    events = case["maintenance_event"]
    first = case.evidence(events.iloc[0])
    assert list(first.columns) == ["pointer", "origin", "text"]
    assert first["text"][0] == "2022-03-09T09:14:05Z,decommission,array-1,o.brien,gone"
    assert first["origin"][0] == "evidence/maintenance_event.csv, record 2"
    pointer = str(first["pointer"][0])
    for cited in (pointer, [pointer, pointer], events.head(1), next(events.itertuples()),
                  {"evidence": [pointer]}, {"event": pointer, "evidence": None}):  # fmt: skip
        assert case.evidence(cited).equals(first)
    assert len(case.evidence(events)) == 3
    lost = case.evidence(["99:1", "nowhere"])
    assert list(lost["pointer"]) == ["99:1", "nowhere"]
    assert lost["text"].isna().all()
    assert len(case.evidence(case["status_update"])) == 0
    with pytest.raises(UsageError, match="int cites no record"):
        case.evidence(7)


def test_a_file_that_has_changed_is_not_quoted(case: Case, tmp_path: Path) -> None:
    file = case.folder.path / "evidence" / "maintenance_event.csv"
    before = file.read_bytes()
    try:
        file.write_bytes(before.replace(b"gone", b"kept"))
        found = case.evidence(case["maintenance_event"].head(1))
        assert "as read" in found["origin"][0]
        assert "message=gone" in found["text"][0]
    finally:
        file.write_bytes(before)


def test_what_is_shown_in_a_notebook_is_inert(case: Case) -> None:
    assert "<script" not in case._repr_html_()
    assert "&lt;script&gt;" in case._repr_html_()
    events = case["maintenance_event"]
    assert events["message"][1] == HOSTILE
    assert "<img" not in events._repr_html_()
    shown = case.plot.timeline()
    assert "<img" not in shown.svg and "<script" not in shown.svg
    assert "\x1b" not in shown.svg and "\u202e" not in shown.svg
    assert "o.brien" not in shown.svg + repr(shown)
    ET.fromstring(shown._repr_svg_())
    assert "\x1b" not in repr(case) + case._repr_html_()


def test_a_picture_can_be_kept_and_says_what_it_shows(case: Case, tmp_path: Path) -> None:
    shown = case.plot.timeline()
    assert repr(shown).startswith("The whole of the window")
    assert shown.relations == ("timeline", "protection_gap")
    assert shown.save(tmp_path / "timeline.svg").read_text(encoding="utf-8") == shown.svg
    for name in ("page", "protection", "lag", "recovery", "reach"):
        with pytest.raises(UsageError, match=f"nothing to draw of '{name}'"):
            getattr(case.plot, name)()


@pytest.mark.slow
def test_every_picture_of_a_rich_case_stands_alone(flagship: Path) -> None:
    plot = Case.open(flagship).plot
    names = [name for name in vars(type(plot)) if not name.startswith("_")]
    assert len(names) == 7
    ids = []
    for name in names:
        tree = ET.fromstring(getattr(plot, name)().svg)
        assert tree.tag == "{http://www.w3.org/2000/svg}svg"
        ids += [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) > 3
    assert plot.timeline(onset=True).svg != plot.timeline().svg


def test_a_case_without_a_rebuild_is_shown_and_says_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "case.toml").write_text('title = "New"\n')
    case = Case.open(tmp_path)
    assert "New" in case._repr_html_()
    for ask in (case.relations, case.findings, case.timeline, lambda: case.plot):
        with pytest.raises(UsageError, match="run: postmortem run CASE"):
            ask()
    with Store.create(case.folder.database):
        pass
    with pytest.raises(UsageError, match="run: postmortem rebuild"):
        case.relations()


def test_questions_leave_the_case_as_it_was(case: Case) -> None:
    before = hashlib.sha256(case.folder.database.read_bytes()).hexdigest()
    for statement in ("drop table onset", "insert into policy select * from policy",
                      "select * from read_text('/etc/hostname')", "set threads = 1"):  # fmt: skip
        with pytest.raises(ToolkitError):
            case.sql(statement)
    case.relations(), case.findings(), case.timeline(), case.plot.timeline()
    assert hashlib.sha256(case.folder.database.read_bytes()).hexdigest() == before


@pytest.mark.slow
def test_a_users_program_type_checks(tmp_path: Path) -> None:
    mypy = Path(sys.executable).parent / "mypy"
    if not mypy.exists():
        pytest.skip("mypy is not installed: make test installs it")
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            from pathlib import Path
            from typing import assert_type

            import pandas as pd
            from toolkit import Case, ToolkitError

            try:
                case = Case.open("case")
            except ToolkitError as error:
                raise SystemExit(error.exit_code) from None
            assert_type(case, Case)
            assert_type(case["onset"], pd.DataFrame)
            assert_type(case.frame("onset", where="main"), pd.DataFrame)
            assert_type(case.sql("select 1"), pd.DataFrame)
            assert_type(case.findings(status="exception"), pd.DataFrame)
            assert_type(case.timeline(start="2022-03-09", lane="status"), pd.DataFrame)
            assert_type(case.evidence(case["onset"].iloc[0]), pd.DataFrame)
            assert_type(case.relations(), pd.DataFrame)
            assert_type(case.columns("onset"), pd.DataFrame)
            assert_type(case.plot.recovery().save("recovery.svg"), Path)
            """
        )
    )

    def checked() -> str:
        # As an installed package: its own faults would not be told.
        done = subprocess.run(
            [mypy, "--strict", "--follow-imports=silent", "--cache-dir", tmp_path / "cache",
             program], cwd=tmp_path, env={"MYPYPATH": str(ROOT), "PATH": ""},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return re.sub(r"^\S+?(?=program)", "", done.stdout, flags=re.MULTILINE)

    assert checked().startswith("Success"), checked()
    program.write_text(program.read_text() + "case.timeline(lan='status')\n")
    assert 'Unexpected keyword argument "lan"' in checked()
