"""All benchmarks of speed in one table, each against the least that its work can cost.

    python -m benchmarks [WHAT …] [--sizes 1000000 …] [--json FILE] [--markdown FILE] [--svg FILE]
                         [--page FOLDER] [--case CASE] [--peer NAME=PYTHON] [--runs 3]
                         [--memory-gb 4]

WHAT is ingest, syslog, reduction, rebuild, conformance, report or startup; all without one. Sizes
are samples of telemetry; lines of syslog and events of operations stop at one million. Each is
measured by a program of its own (`python -m benchmarks.WHAT`), in processes of their own, and its
own lines are printed as it goes. Peers are measured where they are at hand: lnav and Plaso where
their commands are found, pandas and polars where the interpreter has them or `--peer` names one
that has (`--peer polars=PYTHON`), pm4py where `--peer` names one.

FILE of `--json` keeps what it holds of other sizes, so that a large one need not be measured again;
the table, the page and the chart are made of the whole file. `--page docs/reference` writes the
page of the documentation, `benchmarks.md`, with its chart and its JSON file. The bars are those
that the product is held to, from a million on: below, what every run costs outweighs what is
measured. That of conformance is a tenth of what pm4py needed, where it was measured. The exit code
is 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.chart import chart
from benchmarks.result import Result, described, machine, markdown, page, save, table

MOST_LINES = 1_000_000
Told = Any


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for."""

    sizes: tuple[int, ...]
    runs: int
    memory_gb: float
    peers: tuple[str, ...]
    case: Path | None


def ingest(wanted: Wanted) -> Iterator[Result]:
    """A CSV of telemetry into the case database."""
    for size in wanted.sizes:
        told = _run("ingest", "--data", "telemetry", "--rows", size, "--runs", wanted.runs)
        yield from _ingested(told, size, "ingest of CSV", "samples", 1.25, 600)


def syslog(wanted: Wanted) -> Iterator[Result]:
    """A log into the case database, with byte offsets and rejects."""
    for size in sorted({min(size, MOST_LINES) for size in wanted.sizes}):
        told = _run("ingest", "--data", "syslog", "--rows", size, "--runs", wanted.runs)
        yield from _ingested(told, size, "ingest of syslog", "lines", 2, 500)


def _ingested(
    told: Told, size: int, what: str, of: str, bar: float, memory_bar: float
) -> Iterator[Result]:
    # Of a log, the tools do not take the same lines: the size is that of the file.
    for row in told:
        ours = row["tool"] == "toolkit"
        floor = row["tool"] == "duckdb"
        yield Result(
            what, of, size, "floor: bare DuckDB" if floor else row["tool"], row["work"],
            row["memory"], row["ratio"], _from_a_million(size, bar if ours else None),
            _from_a_million(size, memory_bar if ours else None),
        )  # fmt: skip


def reduction(wanted: Wanted) -> Iterator[Result]:
    """Samples to runs of like samples, and every relation that follows."""
    for size in wanted.sizes:
        (told,) = _run("reduction", "--samples", size, "--memory-gb", wanted.memory_gb)
        floor = told["window"]["cpu"]
        names = {"window": "floor: one ordered window", "reduction": "toolkit"}
        for key, tool in names.items():
            ours = key == "reduction"
            yield _over("reduction", size, tool, told[key], floor, 3 if ours else None,
                        2048 if ours else None)  # fmt: skip
        yield _over("all after it", size, "toolkit", told["after"], floor)


def rebuild(wanted: Wanted) -> Iterator[Result]:
    """Every relation and finding, and how others reduce the same samples."""
    for size in wanted.sizes:
        peers = [part for peer in wanted.peers for part in ("--peer", peer)]
        told = _run("rebuild", "--samples", size, "--memory-gb", wanted.memory_gb, *peers)
        for name in ("pandas", "polars"):
            if name in told:
                yield _over("runs of like samples", size, name, told[name])
        yield _over("whole rebuild", size, "toolkit", told["rebuild"])


def _over(
    what: str, size: int, tool: str, told: dict[str, float], floor: float | None = None,
    bar: float | None = None, memory_bar: float | None = None,
) -> Result:  # fmt: skip
    ratio = told["cpu"] / floor if floor else None
    return Result(what, "samples", size, tool, told["cpu"], told["memory"], ratio,
                  _from_a_million(size, bar), _from_a_million(size, memory_bar))  # fmt: skip


def _from_a_million(size: int, bar: float | None) -> float | None:
    return bar if size >= 1_000_000 else None


def conformance(wanted: Wanted) -> Iterator[Result]:
    """Twenty constraints on every operation."""
    for size in sorted({min(size, MOST_LINES) for size in wanted.sizes}):
        told = _run("conformance", "--events", size)
        floor, bar = told["floor"], None
        for peer in wanted.peers:
            if peer.startswith("pm4py="):
                its = _run("declare", "--events", size, "--peer", peer)
                bar = its["cpu"] / floor / 10
                yield Result("conformance", "events", size, "pm4py", its["cpu"], its["memory"],
                             its["cpu"] / floor)  # fmt: skip
        yield Result("conformance", "events", size, "floor: one ordered window", floor, None, 1)
        yield Result("conformance", "events", size, "toolkit", told["verdicts"], told["memory"],
                     told["verdicts"] / floor, _from_a_million(size, bar))  # fmt: skip
        yield Result("its sentences", "events", size, "toolkit", told["sentences"], None,
                     told["sentences"] / floor)  # fmt: skip


def report(wanted: Wanted) -> Iterator[Result]:
    """PDF reports of a case, the sample case where none is given."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        case = wanted.case
        if case is None:
            case = _sample(Path(scratch))
        told = _run("report", case, "--times", min(wanted.runs, 3), missed=1)
    for row in told:
        ours, floor = row["toolkit"], row["weasyprint"]
        for tool, found, bar in (("floor: WeasyPrint", floor, None), ("toolkit", ours, 1.2)):
            yield Result(
                f"PDF of the {row['kind']}", f"{found['pages']} pages", 1, tool, found["seconds"],
                found["peak_mb"], found["seconds"] / floor["seconds"], bar,
            )  # fmt: skip


def _sample(folder: Path) -> Path:
    import shutil

    from toolkit import resources
    from toolkit.verbs import SAMPLES, run

    case = folder / SAMPLES[0]
    shutil.copytree(resources.samples() / SAMPLES[0], case)
    run(case, formats=())
    return case


def startup(wanted: Wanted) -> Iterator[Result]:
    """A command that does nothing else."""
    told = _run("startup", "--runs", max(wanted.runs, 5))
    floor = told["typer"]["cpu"]
    for name, found in told.items():
        command = name.startswith("postmortem")
        yield Result(
            "start-up", "commands", 1, name if name != "typer" else "floor: import typer",
            found["cpu"], found["memory"], found["cpu"] / floor, 2.5 if command else None,
        )  # fmt: skip


WHAT: dict[str, Callable[[Wanted], Iterator[Result]]] = {
    each.__name__: each
    for each in (ingest, syslog, reduction, rebuild, conformance, report, startup)
}


def _run(name: str, *options: object, missed: int = 0) -> Told:
    """What a benchmark writes down; its own lines go to standard error."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        file = Path(folder) / "told.json"
        command = [sys.executable, "-m", f"benchmarks.{name}", *map(str, options)]
        done = subprocess.run([*command, "--json", str(file)], stdout=sys.stderr, check=False)
        if done.returncode not in (0, missed) or not file.exists():
            raise SystemExit(f"benchmarks.{name} ended with {done.returncode}")
        return json.loads(file.read_text(encoding="utf-8"))


def main() -> None:
    """Measure what is asked for, and show it."""
    text = __doc__ or ""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"of {', '.join(WHAT)}")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--memory-gb", type=float, default=4)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--case", type=Path, help="rebuilt case whose reports are rendered")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--svg", type=Path, metavar="FILE")
    parser.add_argument("--page", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    if given.page:
        given.json = given.json or given.page / "benchmarks.json"
        given.svg = given.svg or given.page / "benchmarks.svg"
    if unknown := [each for each in given.what if each not in WHAT]:
        parser.error(f"{unknown[0]!r} is not measured here; known are: {', '.join(WHAT)}")
    if min(given.sizes) < 100_000:
        parser.error("sizes begin at 100000: below, nothing but the start is measured")
    if given.runs < 1 or any("=" not in peer for peer in given.peer):
        parser.error("--runs is at least 1, and --peer is NAME=PYTHON")
    wanted = Wanted(
        tuple(sorted(set(given.sizes))), given.runs, given.memory_gb, tuple(given.peer), given.case
    )
    results: list[Result] = []
    for name in given.what or WHAT:
        results += WHAT[name](wanted)
        if given.json:  # a long run that is stopped keeps what it has
            save(given.json, results)
    whole = save(given.json, results) if given.json else results
    print(f"{table(whole)}\n\n{described(machine())}")
    if given.markdown:
        given.markdown.write_text(
            f"{markdown(whole)}\n\n{described(machine())}\n", encoding="utf-8"
        )
    if given.page:
        (given.page / "benchmarks.md").write_text(page(given.json), encoding="utf-8")
    if given.svg:
        given.svg.write_text(chart(whole), encoding="utf-8")
    sys.exit(1 if any(result.missed for result in results) else 0)


if __name__ == "__main__":
    main()
