"""The commands, as a user gives them: output, messages, exit codes."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import hashlib
import io
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from toolkit import Case, __version__
from toolkit.cli import main
from toolkit.errors import ToolkitError
from toolkit.store import Store

EVENTS = (
    "occurred_at,action,target,change_id,actor,outcome\n"
    "2022-03-09T09:14:05Z,decommission,mds-us-2,CHG1,op-a,success\n"
    '2022-03-09T09:15:05Z,drain,"=HYPERLINK(""x"")",CHG1,op-a,success\n'
)


def postmortem(*arguments: object, ok: bool = True, given: str = "") -> CompletedProcess[str]:
    """Run the command here, without a process of its own, with this text on its standard input."""
    words = ["postmortem", *map(str, arguments)]
    out, told = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(told),
    ):
        patch.setattr(sys, "argv", words)
        patch.setattr(sys, "stdin", io.StringIO(given))
        with pytest.raises(SystemExit) as ended:
            main()
    return _checked(words, int(ended.value.code or 0), _text(out), _text(told), ok)


def alone(*arguments: object, ok: bool = True) -> CompletedProcess[str]:
    """Run the command in a process of its own."""
    words = [sys.executable, "-m", "toolkit", *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True)
    return _checked(words, done.returncode, done.stdout, done.stderr, ok)


def _checked(words: list[str], code: int, out: str, told: str, ok: bool) -> CompletedProcess[str]:
    assert "Traceback" not in told, told
    assert code == 0 or not ok, told
    return CompletedProcess(words, code, out, told)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()  # type: ignore[attr-defined]


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
        "sql", "snapshot", "report", "seal", "sign", "verify",
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
    assert alone("--debug", "--version").stdout == f"postmortem {__version__}\n"


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


def test_a_process_of_its_own_says_the_same(case: Path) -> None:
    for words in (("query", case, "source", "--format", "csv"), ("query", case, "sourc")):
        apart, here = alone(*words, ok=False), postmortem(*words, ok=False)
        for part in ("returncode", "stdout", "stderr"):
            assert getattr(apart, part) == getattr(here, part)


def test_a_cell_that_a_spreadsheet_would_run_is_marked_as_text(case: Path) -> None:
    text = postmortem("query", case, "maintenance_event", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[1]["target"].startswith("'=")


def test_a_condition_filters(case: Path) -> None:
    done = postmortem(
        "query", case, "maintenance_event", "--where", "action = 'drain'", "--format", "jsonl"
    )
    assert len(done.stdout.splitlines()) == 1


def test_it_is_told_where_rejected_records_are_shown(tmp_path: Path) -> None:
    postmortem("new", tmp_path / "case")
    (tmp_path / "case/evidence/asset.csv").write_text(
        "asset_id,kind,min_copies\na,array,1\nb,array,x\n"
    )
    told = postmortem("ingest", tmp_path / "case").stderr
    asked = told.splitlines()[-1].partition(": ")[2]
    assert "\n1 record was rejected; each with its reason: postmortem query " in told
    shown = postmortem(*asked.split()[1:], "--format", "jsonl").stdout
    assert "min_copies" in shown


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
        (("report", "{case}", "--kind", "essay"), 2, "'--kind': 'essay' is not one of 'review'"),
        (("ingest", "{case}", "--year", "now"), 2, "'--year': Input should be a valid integer"),
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


# What an analyst's statement must not do: each ends in an error. `{out}` is a folder to write to.
HOSTILE = [
    # files, written and read
    "copy maintenance_event to '{out}/x.csv'", "copy (select 1) to '/dev/stdout'",
    "copy source from '/etc/passwd'", "copy from database case to x", "export database '{out}/x'",
    "import database '{out}'", "explain analyze copy (select 1) to '{out}/x'",
    "select * from read_csv('/etc/passwd')", "select * from read_csv_auto('/etc/passwd')",
    "select * from read_single_csv_file('/etc/passwd')", "select * from sniff_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')", "select * from read_blob('/etc/passwd')",
    "select * from read_json('/proc/self/environ')", "from read_json_objects('/etc/passwd')",
    "select * from read_parquet('/tmp/*')", "from parquet_metadata('/etc/passwd')",
    "from parquet_kv_metadata('/etc/passwd')", "from read_duckdb('{out}/x.duckdb')",
    "select * from glob('/*')", "select * from '/etc/passwd'", 'from "/etc/passwd"',
    "summarize '/etc/passwd'", "describe '/etc/passwd'", "pivot '/etc/passwd' on column0",
    "select * from policy union all by name from glob('/*')",
    "select (select content from read_text('/etc/passwd'))",
    "with x as materialized (from read_text('/etc/passwd')) from x",
    "explain analyze select * from read_text('/etc/passwd')",
    # the network, extensions, secrets, the environment
    "from 'https://example.org/x.csv'", "from read_csv('s3://bucket/x.csv')", "install httpfs",
    "load httpfs", "load '{out}/x.duckdb_extension'", "force install httpfs", "update extensions",
    "create secret s (type s3)", "create persistent secret s (type s3)", "drop secret s",
    "from duckdb_secrets()", "from which_secret('s3://bucket', 's3')",
    "from create_external_resource('x')", "select getenv('HOME')", "values (getenv('PATH'))",
    # other databases
    "attach '{out}/x.db'", "attach ':memory:' as m", "attach if not exists '{out}/x.db' as y",
    "attach or replace '{out}/x.db' as case", "detach case", "use evidence",
    # settings
    "set memory_limit = '100GB'", "set global threads = 64", "set lock_configuration = false",
    "set enable_external_access = true", "set variable a = 1", "reset all",
    "reset enable_external_access", "pragma threads = 8", "pragma enable_profiling",
    "pragma disable_checkpoint_on_shutdown", "from enable_profiling(save_location := '{out}/x')",
    "from enable_logging('QueryLog', storage_path := '{out}/x')", "from disable_logging()",
    # the case itself
    "insert into policy values (1)", "delete from source", "truncate source", "drop table source",
    "update source set path = ''", "create table x as select 1", "create view x as select 1",
    "create or replace macro m() as 1", "create schema x", "create sequence x",
    "create type x as int", "create temp table t as select 1", "create index i on source (path)",
    "drop schema evidence cascade", "alter table source add column x int",
    "comment on table source is 'x'", "vacuum", "analyze", "checkpoint", "force checkpoint",
    "from force_checkpoint()", "select nextval('x')",
    "merge into policy using source on true when matched then delete",
    "insert into policy select * from policy returning *",
    "with x as (select 1) insert into policy select * from x",
    "with x as (delete from policy returning *) from x", "explain analyze delete from policy",
    "explain analyze create table x as select 1",
    # a statement behind another, or in the guise of one
    "select 1; drop table source", "select 1; copy source to '{out}/x.csv'",
    "; ; drop table source", "/* */ ; drop table source", "-- select\ndrop table source",
    "select 1 /* ; */; delete from source", "begin; drop table source; commit", "rollback",
    "prepare p as select 1", "execute p", "deallocate p", "call dbgen(sf => 1)",
    "call pragma_version(); set x = 1", "select * from query('drop table source')",
    "from query('copy source to ''{out}/x.csv''')", "from query('select 1; drop table source')",
    "from query('from read_text(''/etc/passwd'')')", "from query_table('/etc/passwd')",
    "from query_table(['/etc/passwd'])",
    "from json_execute_serialized_sql("
    "json_serialize_sql('select * from read_text(''/etc/passwd'')'))",
    # memory that the engine's part for Python would read from where it is told
    "from pandas_scan(140000000)", "from arrow_scan(140000000, 2, 3)",
    "from python_arrow_scan(1, 2)", "from arrow_scan_dumb(1::pointer, 2::pointer, 3::pointer)",
    "from seq_scan('source')",
    # what a shell understands
    ".shell id", ".read /etc/passwd", ".open {out}/x.db", ".output {out}/x", ".import x y",
    "\\! id", "\\copy source to '{out}/x'", "!id", "source /etc/passwd", "",
]  # fmt: skip


def files_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("scratch", [False, True])
def test_hostile_statements_get_nothing_but_an_error(
    scratch: bool, case: Path, tmp_path: Path
) -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) > 100
    own = tmp_path / "own.duckdb" if scratch else None
    out = tmp_path / "out"
    out.mkdir()
    before = files_of(case)
    # What is the analyst's own anyway, where they may write at all.
    harmless = {"create temp table t as select 1", "deallocate p"} if scratch else set()
    allowed = []
    with Store.sandbox(case / "case.duckdb", scratch=own) as store:
        for statement in HOSTILE:
            try:
                list(store.answers(statement.replace("{out}", str(out)), writes=scratch))
                allowed.append(statement)
            except ToolkitError as error:
                assert str(error).isprintable()
                assert "root:" not in str(error)
    assert set(allowed) == harmless
    assert files_of(case) == before
    assert not list(out.iterdir())


@pytest.mark.parametrize("way", ["argument", "file", "piped"])
@pytest.mark.parametrize("start", ["copy maintenance_event", "attach '", ".shell"])
def test_a_hostile_statement_ends_the_command_in_one_line(
    start: str, way: str, case: Path, tmp_path: Path
) -> None:
    hostile = next(each for each in HOSTILE if each.startswith(start))
    statement = "select 1;\n" + hostile.replace("{out}", str(tmp_path))
    before = files_of(case)
    command = [sys.executable, "-m", "toolkit", "sql", str(case)]
    if way == "argument":
        command.append(statement)
    elif way == "file":
        (tmp_path / "statement.sql").write_text(statement)
        command += ["-f", str(tmp_path / "statement.sql")]
    given = statement if way == "piped" else ""
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert files_of(case) == before


@pytest.mark.parametrize(
    "endless",
    [
        "with recursive x(n) as (select 1 union all select n + 1 from x) select max(n) from x",
        "select count(*) from range(1000000000000) a where a.range % 7 = 8",
        # One call, within which the engine does not look at its own clock.
        "select sleep_ms(600000)",
    ],
)
def test_a_statement_without_end_is_stopped(endless: str, case: Path) -> None:
    done = postmortem("sql", case, endless, "--seconds", "1", ok=False)
    assert done.returncode == 2
    assert done.stderr.endswith(
        "the statement took longer than 1 s; ask for less, or give it more time\n"
    )
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("place", ["/sys/case", "x" * 300])
def test_a_place_that_cannot_be_written_ends_in_one_line(place: str, tmp_path: Path) -> None:
    done = postmortem("new", tmp_path / place, ok=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "unexpected" not in done.stderr and "; " in done.stderr


def test_a_condition_that_no_finding_can_meet_is_refused(case: Path) -> None:
    done = postmortem("findings", case, "--fail-on", "excption", ok=False)
    assert done.returncode == 2
    assert "'exception'" in done.stderr


def test_a_statement_that_asks_for_too_much_memory_is_stopped(case: Path) -> None:
    for wide in (
        "select list(a.range) from range(100000) a, range(10000) b",
        "with recursive x(t) as (select repeat('x', 100000) union all select t || t from x) from x",
    ):
        done = postmortem("sql", case, wide, "--memory-gb", "0.1", ok=False)
        assert done.returncode == 2
        assert "Out of Memory" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_several_statements_are_answered_one_after_another(case: Path, tmp_path: Path) -> None:
    file = tmp_path / "questions.sql"
    file.write_text("select 17 as first; select 23 as second;")
    done = postmortem("sql", case, "-f", file)
    assert done.stdout.index("17") < done.stdout.index("23")
    done = postmortem("sql", case, "-f", file, "--format", "csv", ok=False)
    assert done.returncode == 2
    assert "2 answers" in done.stderr


def test_what_is_piped_in_is_run(case: Path) -> None:
    asked = "select count(*) as n from maintenance_event"
    done = postmortem("sql", case, "--format", "csv", given=asked)
    assert done.stdout == "n\n2\n"


class Terminal:
    """A command at a terminal: what is typed, and what is on the screen since then."""

    def __init__(self, state: Path, *arguments: object) -> None:
        self._end, inner = pty.openpty()
        environment = os.environ | {"XDG_STATE_HOME": str(state), "TERM": "dumb", "INPUTRC": "/"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "toolkit", *map(str, arguments)], stdin=inner, stdout=inner,
            stderr=inner, env=environment, start_new_session=True,
            preexec_fn=self._take_terminal,
        )  # fmt: skip
        os.close(inner)

    @staticmethod
    def _take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        # What a shell starts in the background, this test run perhaps, hears no Ctrl-C, nor do its
        # children.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def until(self, words: str, typed: str = "") -> str:
        """Type, and give what is printed until the words."""
        os.write(self._end, typed.encode())
        seen = ""
        ends = time.monotonic() + 120
        while words not in seen:
            assert time.monotonic() < ends, seen
            if select.select([self._end], [], [], 1)[0]:
                seen += os.read(self._end, 4096).decode()
        return seen

    def interrupt(self, words: str) -> str:
        """Press Ctrl-C as a person does, again where nothing comes of it, until the words.

        Between the moment when Python prints a prompt and the moment when it waits for keys, it
        takes note of a signal only at the next key or signal.
        """
        seen = ""
        for _ in range(12):
            os.write(self._end, b"\x03")
            ends = time.monotonic() + 10
            while time.monotonic() < ends:
                if select.select([self._end], [], [], 1)[0]:
                    seen += os.read(self._end, 4096).decode()
                if words in seen:
                    return seen
        raise AssertionError(seen)

    def ends(self, typed: str) -> int:
        """Type, and give the exit code."""
        os.write(self._end, typed.encode())
        return self.process.wait(timeout=120)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._end)


PROMPT = "postmortem> "


def test_a_prompt_answers_and_goes_on_after_errors_and_ctrl_c(case: Path, tmp_path: Path) -> None:
    before = files_of(case)
    with Terminal(tmp_path, "sql", case) as at:
        assert "semicolon" in at.until(PROMPT)
        assert "42" in at.until(PROMPT, "select 6 * 7 as answer;\n")
        assert "42" in at.until(PROMPT, "select\n6 * 7\nas answer;\n")
        told = at.until(PROMPT, "select nothing from nowhere;\n")
        assert "nowhere does not exist" in told and "Traceback" not in told
        assert "not a question" in at.until(PROMPT, "drop table source;\n")
        # Ctrl-C gives up what is half typed, and stops what runs.
        at.until("... ", "select 'half\n")
        at.interrupt(PROMPT)
        assert "43" in at.until(PROMPT, "select 40 + 3;\n")
        at.until("\n", "select count(*) from range(1000000000000) a where a.range % 7 = 8;\n")
        time.sleep(10)  # until it runs, on a machine that is busy too
        assert "interrupted" in at.interrupt(PROMPT)
        assert "44" in at.until(PROMPT, "select 40 + 4;\n")
        assert at.ends("\x04") == 0
    assert files_of(case) == before


def test_a_prompt_completes_names_and_remembers(case: Path, tmp_path: Path) -> None:
    pytest.importorskip("readline")
    with Terminal(tmp_path, "sql", case) as at:
        at.until(PROMPT)
        at.until("maintenance_event", "select 40 + count(*) from maintenance_ev\t")
        assert "42" in at.until(PROMPT, ";\n")
        assert "timeline" in at.until(PROMPT, "\\d\n")
        assert "occurred_at" in at.until(PROMPT, "\\d timeline\n")
        assert "between_times" in at.until(PROMPT, "\\m\n")
        assert "leaves" in at.until(PROMPT, "\\nothing\n")
        assert at.ends("\\q\n") == 0
    assert "maintenance_event;" in (tmp_path / "postmortem" / "sql_history").read_text()
    with Terminal(tmp_path, "sql", case) as at:
        at.until(PROMPT)
        # Back past \q, \nothing, \m and two \d to the statement of the time before.
        at.until("maintenance_event;", "\x10" * 6)
        assert "42" in at.until(PROMPT, "\n")
        assert at.ends("\x04") == 0


def test_an_analyst_keeps_tables_in_a_database_of_their_own(case: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.duckdb"
    before = files_of(case)
    made = "create table scratch.seen as select * from maintenance_event"
    postmortem("sql", case, made, "--scratch", own)
    done = postmortem("sql", case, "select count(*) as n from scratch.seen", "--scratch", own,
                      "--format", "csv")  # fmt: skip
    assert done.stdout == "n\n2\n"
    assert files_of(case) == before
    for bad in (case / "case.duckdb", tmp_path / "none" / "own.duckdb", case / "case.toml"):
        done = postmortem("sql", case, "select 1", "--scratch", bad, ok=False)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
    assert files_of(case) == before


def test_a_snapshot_answers_while_the_case_is_written_to(case: Path, tmp_path: Path) -> None:
    mine = tmp_path / "case"
    shutil.copytree(case, mine)
    for number in (1, 2, 3):
        done = postmortem("snapshot", mine, "--keep", "2")
        assert done.stdout.strip().endswith(f"case-{number}.duckdb")
    kept = sorted((mine / "snapshots").iterdir())
    assert [path.name for path in kept] == ["case-2.duckdb", "case-3.duckdb"]
    assert kept[0].stat().st_mode & 0o777 == 0o444
    with Store.create(mine / "case.duckdb"):
        done = alone("query", mine, "maintenance_event", "--format", "csv")
        assert "case-3.duckdb" in done.stderr
        assert len(done.stdout.splitlines()) == 3
        for path in kept:
            path.unlink()
        done = alone("query", mine, "maintenance_event", ok=False)
        assert done.returncode == 2
        assert "another process" in done.stderr


def test_macros_answer_what_analysts_ask(case: Path) -> None:
    def count(sql: str) -> int:
        return int(Case.open(case).sql(sql).iloc[0, 0])

    at = "'2022-03-09T09:14:30Z'"
    assert count(f"select count(*) from between_times({at}, '2022-03-10')") == 1
    assert count("select count(*) from between_times('2022-03-09', '2022-03-10')") == 2
    assert count("select count(*) from around('1:2', '1 minute')") == 2
    assert count("select count(*) from around('1:2', '10 seconds')") == 1
    assert count("select overlap(1, 3, 3, 4)::int + surely_before(1, 1)::int") == 1
    # What is turned about, not there or not known holds no event, and decides nothing.
    assert count("select count(*) from between_times('2022-03-10', '2022-03-09')") == 0
    assert count("select count(*) from between_times(null, '2022-03-10')") == 0
    assert count("select count(*) from around('9:9', '1 year')") == 0
    assert count("select count(*) from around(null, '1 year')") == 0
    assert count("select count(*) from around('1:2', '0 seconds') where apart = '0 s'") == 1
    assert count("select (overlap(null, 3, 1, 2) is null and surely_before(1, null) is null)::int")
    assert count("select count(*) from as_seen_at(null)") == 0
    described = Case.open(case).sql(
        "select comment from duckdb_functions() where function_name = 'around' and not internal"
    )
    assert "within a span" in described.iloc[0, 0]


def test_the_page_is_shown_as_it_was_at_a_time(tmp_path: Path) -> None:
    case = tmp_path / "case"
    postmortem("new", case)
    rows = [
        "posted_at,incident_id,state,update_id,body,captured_at",
        "2022-03-09T10:00:00Z,i1,investigating,u1,first words,2022-03-09T10:05:00Z",
        "2022-03-09T12:00:00Z,i1,resolved,u2,all well,2022-03-09T12:05:00Z",
    ]
    (case / "evidence" / "status_update.csv").write_text("\n".join(rows) + "\n")
    later = [rows[0], rows[1].replace("first words", "other words").replace("10:05", "15:00")]
    (case / "evidence" / "later_status_update.csv").write_text("\n".join(later) + "\n")
    postmortem("ingest", case)
    postmortem("rebuild", case)

    def seen(at: str) -> list[tuple[str, str, bool]]:
        frame = Case.open(case).sql(f"select state, body, may_be_edited from as_seen_at('{at}')")
        return list(frame.itertuples(index=False, name=None))

    assert seen("2022-03-09T09:00:00Z") == []
    assert seen("2022-03-09T10:01:00Z") == [("investigating", "first words", True)]
    assert seen("2022-03-09T11:00:00Z") == [("investigating", "first words", False)]
    assert seen("2022-03-09T13:00:00Z") == [("resolved", "all well", False)]
    assert seen("2022-03-09T12:00:00Z") == [("resolved", "all well", True)]
    assert seen("2022-03-09T11:59:59.999999Z") == [("investigating", "first words", False)]


def test_a_condition_cannot_reach_out_of_the_sandbox(case: Path) -> None:
    done = postmortem(
        "query", case, "policy", "--where", "1=1) union (select * from read_text('/etc/passwd')",
        ok=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "root:" not in done.stdout + done.stderr
