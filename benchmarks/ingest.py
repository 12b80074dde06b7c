"""What ingest costs, against the engine by itself and against other tools.

    python benchmarks/ingest.py [--rows 1000000] [--runs 3] [--json FILE]

Every measurement is a process of its own. CPU is user and system time of that process in seconds;
`work` leaves out its start (interpreter and imports), `memory` is the largest resident set in MB.
The engine's work is a bare `CREATE TABLE … AS SELECT … FROM read_csv(…)` with the same types into
a new file, and closing it; `statement` is the statement alone. Runs take turns, so that a busy
machine is busy for all; medians are shown. Nothing here is part of the tests.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

STATES = ("success", "failure", "warning")
_CHILD = """
import json, resource, sys
from pathlib import Path
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
source, folder = Path(sys.argv[1]), Path(sys.argv[2])
more = {{}}
{imports}
before = cpu()
{work}
print(json.dumps({{"work": cpu() - before, **more}}))
"""
_TOOLKIT = (
    """
from toolkit.casefile import CaseFolder
from toolkit.ingest.load import ingest
from toolkit.ingest.reader import readers
from toolkit.store import Store
readers()
""",
    """
case = CaseFolder.open(folder)
with Store.create(case.database) as store:
    done = ingest(store, case)
assert not done.refusals, done.refusals
more["rows"] = done.files[0].accepted
more["rejected"] = done.files[0].rejected
""",
)
_CTAS = (
    "import duckdb",
    """
engine = duckdb.connect(str(folder / "bare.duckdb"))
engine.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")
begun = cpu()
engine.execute(f\"\"\"
    create table sample as select * from read_csv('{source}', header = true, columns = {{
        'sampled_at': 'TIMESTAMPTZ', 'asset_id': 'VARCHAR', 'state': 'VARCHAR',
        'job_id': 'VARCHAR', 'bytes': 'BIGINT', 'lag_seconds': 'DOUBLE'}})
\"\"\").fetchall()
more["statement"] = cpu() - begun
more["rows"] = engine.execute("select count(*) from sample").fetchone()[0]
engine.close()
""",
)
_PANDAS = (
    "import pandas",
    """
more["rows"] = len(pandas.read_csv(source, engine="c", parse_dates=["sampled_at"]))
""",
)
_REGEX = (
    "import duckdb",
    """
engine = duckdb.connect(str(folder / "bare.duckdb"))
engine.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")
begun = cpu()
engine.execute(f\"\"\"
    create table line as
    select number, try_strptime('2022 ' || parts.at, '%Y %b %d %H:%M:%S') as at, parts.host,
           parts.program, parts.process, parts.message
    from (
        select row_number() over () as number,
               regexp_extract(line, '^(\\\\w{{3}} [ \\\\d]\\\\d [\\\\d:]{{8}}) (\\\\S+) '
                   '([^\\\\s:\\\\[]+)(?:\\\\[(\\\\d+)\\\\])?: (.*)$',
                   ['at', 'host', 'program', 'process', 'message']) as parts
        from read_csv('{source}', columns = {{'line': 'VARCHAR'}}, header = false, quote = '',
                      escape = '', delim = chr(1), auto_detect = false, strict_mode = false)
    )
\"\"\").fetchall()
more["statement"] = cpu() - begun
more["rows"] = engine.execute("select count(*) from line").fetchone()[0]
engine.close()
""",
)


def telemetry(path: Path, rows: int) -> None:
    """A plain CSV of job records: 1000 machines, one record a minute each."""
    with path.open("w", encoding="ascii") as out:
        out.write("sampled_at,asset_id,state,job_id,bytes,lag_seconds\n")
        for start in range(0, rows, 1000):
            minute = start // 1000
            at = (
                f"2022-{1 + minute // 40320 % 12:02}-{1 + minute // 1440 % 28:02}"
                f"T{minute // 60 % 24:02}:{minute % 60:02}:00Z"
            )
            out.writelines(
                f"{at},m-{i % 1000},{STATES[i % 97 == 0]},job-{i % 1000},{i * 7919 % 100_000},"
                f"{i * 31 % 1000 / 10}\n"
                for i in range(start, min(start + 1000, rows))
            )


def syslog(path: Path, rows: int) -> None:
    """Lines as RFC 3164 prints them, one in 200 in a form that is none."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    with path.open("w", encoding="ascii") as out:
        for i in range(rows):
            second = i * 8
            day = second // 86_400 % 336
            if i % 200 == 199:
                out.write("-- rotated --\n")
                continue
            out.write(
                f"{months[day // 28]} {day % 28 + 1:2} {second // 3600 % 24:02}:"
                f"{second // 60 % 60:02}:{second % 60:02} mds{i % 40} daemon{i % 7}[{i % 9999}]: "
                f"session {i} of volume v-{i % 500} ended after {i % 313} ms\n"
            )


def measure(command: list[str]) -> dict[str, Any]:
    """Run a process; CPU seconds, largest resident set, and what it says of itself."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[:3]} ended with {process.returncode}")
    found = {"cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss // 1024}
    last = said.strip().rsplit("\n", 1)[-1]
    return found | (json.loads(last) if last.startswith("{") else {"work": found["cpu"]})


def child(code: tuple[str, str], source: Path, folder: Path) -> list[str]:
    return [
        sys.executable, "-c", _CHILD.format(imports=code[0], work=code[1]), str(source),
        str(folder),
    ]  # fmt: skip


def compare(kind: str, rows: int, runs: int, folder: Path) -> list[dict[str, Any]]:
    """Measure every tool on the same file, in turns."""
    case = folder / kind
    (case / "evidence").mkdir(parents=True)
    if kind == "telemetry":
        source = case / "evidence" / "replication_sample.csv"
        telemetry(source, rows)
        toml = ""
        tools = {"toolkit": _TOOLKIT, "duckdb": _CTAS, "pandas": _PANDAS}
        others = {}
    else:
        source = case / "evidence" / "syslog.log"
        syslog(source, rows)
        toml = '[[source]]\npath = "evidence/*"\nformat = "syslog"\nzone = "UTC"\nyear = 2022\n'
        tools = {"toolkit": _TOOLKIT, "duckdb": _REGEX}
        others = {
            "lnav": ["lnav", "-n", "-c", ";select count(log_body) from syslog_log", str(source)],
            "plaso": ["log2timeline.py", "--quiet", "--status_view", "none", "--storage_file",
                      str(folder / "plaso.dump"), str(source)],
        }  # fmt: skip
    (case / "case.toml").write_text(f'title = "Benchmark"\n{toml}')
    commands = {name: child(code, source, case) for name, code in tools.items()}
    for name, given in others.items():
        if shutil.which(given[0]):
            commands[name] = given
        else:
            print(f"{name} is not installed", file=sys.stderr)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            for left in (*case.glob("*.duckdb*"), *folder.glob("plaso.dump")):
                left.unlink()
            found[name].append(measure(command))
    base = {name: median(each) for name, each in found.items()}
    return [
        {
            "data": kind, "rows": rows, "bytes": source.stat().st_size, "tool": name, **figures,
            "ratio": figures["work"] / base["duckdb"]["work"],
            "ratio_of_runs": sorted(
                run["work"] / bare["work"]
                for run, bare in zip(found[name], found["duckdb"], strict=True)
            ),
            "ratio_statement": figures["work"] / base["duckdb"]["statement"],
        }
        for name, figures in base.items()
    ]  # fmt: skip


def median(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure; counts are the same in every run."""
    return {name: statistics.median_low(run[name] for run in runs) for name in runs[0]}


def show(results: list[dict[str, Any]]) -> None:
    print(
        f"{'data':<10}{'rows':>11}  {'tool':<8}{'CPU s':>8}{'work':>8}{'statement':>10}"
        f"{'memory':>8}{'k rows/s':>10}{'of DuckDB':>11}{'of statement':>13}   spread"
    )
    for row in results:
        statement = f"{row['statement']:.2f}" if "statement" in row else ""
        print(
            f"{row['data']:<10}{row['rows']:>11,}  {row['tool']:<8}{row['cpu']:>8.2f}"
            f"{row['work']:>8.2f}{statement:>10}{row['memory']:>8.0f}"
            f"{row['rows'] / row['work'] / 1000:>10.0f}{row['ratio']:>10.2f}x"
            f"{row['ratio_statement']:>12.2f}x"
            f"   {row['ratio_of_runs'][0]:.2f} to {row['ratio_of_runs'][-1]:.2f}"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--data", choices=("telemetry", "syslog", "all"), default="all")
    options.add_argument("--json", type=Path, metavar="FILE")
    given = options.parse_args()
    kinds = ("telemetry", "syslog") if given.data == "all" else (given.data,)
    results = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for kind in kinds:
            results += compare(kind, given.rows, given.runs, Path(folder))
    show(results)
    if given.json:
        given.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
