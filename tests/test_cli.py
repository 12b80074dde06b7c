"""The commands, as a user gives them: output, messages, exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit import __version__

EVENTS = (
    "occurred_at,action,target,change_id,actor,outcome\n"
    "2022-03-09T09:14:05Z,decommission,mds-us-2,CHG1,op-a,success\n"
    '2022-03-09T09:15:05Z,drain,"=HYPERLINK(""x"")",CHG1,op-a,success\n'
)


def postmortem(*arguments: object, ok: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "toolkit", *map(str, arguments)], capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr, done.stderr
    if ok:
        assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "case"
    postmortem("new", path)
    (path / "evidence" / "events.csv").write_text(EVENTS)
    postmortem("ingest", path)
    postmortem("rebuild", path)
    return path


@pytest.mark.parametrize(
    "command",
    [
        "demo", "new", "ingest", "rebuild", "run", "timeline", "findings", "query", "queries",
        "sql", "report", "seal", "sign", "verify",
        "formats", "sniff", "mapping", "doctor",
    ],
)  # fmt: skip
def test_every_command_has_help(command: str) -> None:
    assert "Usage" in postmortem(command, "--help").stdout


def test_the_version_is_told_without_what_commands_need() -> None:
    program = (
        "import sys; sys.argv = ['postmortem', '--version']; from toolkit.cli import main; main()\n"
        "print({'pydantic', 'pandas', 'duckdb', 'rich'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == f"postmortem {__version__}\nset()\n", done.stderr
    # Also where more is given, which Typer reads.
    assert postmortem("--debug", "--version").stdout == f"postmortem {__version__}\n"


@pytest.mark.parametrize(
    ("words", "there"),
    [
        ("postmortem ver", {"verify"}),
        ("postmortem review CASE con", {"conclude", "confirm"}),
        ("postmortem report CASE --kind ", {"audit", "review", "summary"}),
        ("postmortem verify BAG --form", {"--format"}),
    ],
)
def test_the_shell_completes(words: str, there: set[str]) -> None:
    environment = {
        "_POSTMORTEM_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "toolkit"], env=os.environ | environment, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == there


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "toolkit"], capture_output=True, text=True,
        env=os.environ | {"_POSTMORTEM_COMPLETE": f"source_{shell}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "_POSTMORTEM_COMPLETE" in done.stdout
    assert "postmortem" in done.stdout.split()


@pytest.mark.parametrize("form", ["table", "csv", "json", "jsonl", "md", "parquet"])
def test_a_listing_comes_in_every_form(form: str, case: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    postmortem("query", case, "maintenance_event", "--format", form, "--output", output)
    assert output.stat().st_size > 50


def test_json_holds_the_columns_and_instants_in_utc(case: Path) -> None:
    rows = json.loads(postmortem("query", case, "maintenance_event", "--format", "json").stdout)
    assert [row["record_no"] for row in rows] == [2, 3]
    assert rows[0]["occurred_at"] == "2022-03-09T09:14:05Z"
    assert rows[0]["message"] is None


def test_a_cell_that_a_spreadsheet_would_run_is_marked_as_text(case: Path) -> None:
    text = postmortem("query", case, "maintenance_event", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[1]["target"].startswith("'=")


def test_a_condition_filters(case: Path) -> None:
    done = postmortem(
        "query", case, "maintenance_event", "--where", "action = 'drain'", "--format", "jsonl"
    )
    assert len(done.stdout.splitlines()) == 1


def test_queries_and_formats_are_listed(case: Path) -> None:
    assert "timeline" in postmortem("queries", case).stdout
    assert "statuspage" in postmortem("formats", "--format", "csv").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("rebuild", "{none}"), 2, "no such case folder"),
        (("report", "{empty}"), 2, "no evidence has been ingested"),
        (("query", "{case}", "timelin"), 2, "did you mean 'timeline'"),
        (("query", "{case}", "timeline", "--where", "no such"), 2, "rror"),
        (("sql", "{case}", "select * from nowhere"), 2, "nowhere"),
        (("sql", "{case}"), 2, "either a statement or -f"),
        (("ingest", "{case}", "{none}"), 3, "no such file"),
        (("ingest", "{case}", "--zone", "Mars/Base"), 2, "Mars/Base"),
        (("sniff", "{none}"), 3, "no such file"),
        (("report", "{case}", "--to", "docx"), 2, "docx"),
        (("new", "{case}"), 2, "is a case already"),
        (("frobnicate",), 2, "frobnicate"),
    ],
)
def test_bad_input_ends_in_one_line_and_an_exit_code(
    arguments: tuple[str, ...], code: int, words: str, case: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    postmortem("new", empty)
    places = {"case": case, "none": tmp_path / "none", "empty": empty}
    done = postmortem(*(part.format(**places) for part in arguments), ok=False)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ""


HOSTILE = [
    "copy maintenance_event to '/tmp/x.csv'", "export database '/tmp/x'", "attach '/tmp/x.db'",
    "install httpfs", "load httpfs", "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')", "select * from glob('/*')",
    "select * from '/etc/passwd'", "insert into policy values (1)", "delete from source",
    "update source set path = ''", "drop table source", "create table x as select 1",
    "set memory_limit = '100GB'", "set lock_configuration = false", "reset all",
    "set enable_external_access = true", "pragma threads = 8", "call pragma_version(); set x = 1",
    "create secret s (type s3)", "vacuum", "checkpoint", "alter table source add column x int",
    "create macro m() as 1", "comment on table source is 'x'", "truncate source",
    "select * from read_json('/proc/self/environ')", "select * from read_parquet('/tmp/*')",
    "copy (select 1) to '/dev/stdout'", "detach case", "import database '/tmp'",
]  # fmt: skip


def test_hostile_statements_get_nothing_but_an_error(case: Path) -> None:
    from toolkit.errors import ToolkitError
    from toolkit.store import Store

    before = (case / "case.duckdb").read_bytes()
    allowed = []
    for statement in HOSTILE:
        with Store.sandbox(case / "case.duckdb") as store:
            try:
                store.questions(statement)
                allowed.append(statement)
            except ToolkitError:
                pass
    assert allowed == []
    assert (case / "case.duckdb").read_bytes() == before


def test_a_condition_cannot_reach_out_of_the_sandbox(case: Path) -> None:
    done = postmortem(
        "query", case, "policy", "--where", "1=1) union (select * from read_text('/etc/passwd')",
        ok=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "root:" not in done.stdout + done.stderr
