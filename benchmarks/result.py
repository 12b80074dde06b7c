"""What every benchmark comes down to: one shape, one table, one file."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HEAD = ("what", "of", "size", "tool", "CPU s", "MB", "ratio", "bar", "")


@dataclass(frozen=True, slots=True)
class Result:
    """What one tool needed for one piece of work.

    `cpu` is user and system time of the work in seconds, `memory` the largest resident set of its
    process in MB. `size` counts what `of` names. `ratio` is the CPU time in that of the floor, the
    least that the work can cost, which stands in the same table as a tool of its own. `bar` is the
    most that the ratio may be, `memory_bar` the most that the memory may be. `day` is when it was
    measured.
    """

    what: str
    of: str
    size: int
    tool: str
    cpu: float
    memory: float | None = None
    ratio: float | None = None
    bar: float | None = None
    memory_bar: float | None = None
    day: str = ""

    @property
    def missed(self) -> bool | None:
        """Whether a bar is missed; None where there is none."""
        pairs = ((self.ratio, self.bar), (self.memory, self.memory_bar))
        held = [value <= bar for value, bar in pairs if value is not None and bar is not None]
        return not all(held) if held else None


def cells(result: Result) -> tuple[str, ...]:
    """A result as a line of the table."""
    bars = [f"≤ {result.bar:g} ×" if result.bar else "",
            f"≤ {result.memory_bar:g} MB" if result.memory_bar else ""]  # fmt: skip
    return (
        result.what, result.of, f"{result.size:,}", result.tool, f"{result.cpu:.2f}",
        "" if result.memory is None else f"{result.memory:.0f}",
        "" if result.ratio is None else f"{result.ratio:.2f}",
        ", ".join(each for each in bars if each),
        {True: "missed", False: "met", None: ""}[result.missed],
    )  # fmt: skip


def table(results: Iterable[Result]) -> str:
    """The results in columns, for a terminal."""
    lines = [HEAD, *map(cells, results)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEAD))]
    right = {2, 4, 5, 6}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def markdown(results: Iterable[Result]) -> str:
    """The results as a table of Markdown."""
    marks = ("---", "---", "--:", "---", "--:", "--:", "--:", "---", "---")
    lines = [HEAD, marks, *map(cells, results)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


PAGE = """\
# Benchmarks

Written by `make bench-page`, which is `python -m benchmarks --page docs/reference`: it measures
anew what it is asked for (`BENCH="--sizes 10000000"`) and keeps the rest; do not edit it. `make
bench` prints the same table and writes it below `build/`.

CPU is user and system time of the work in seconds, MB the largest resident set of its process. A
ratio is the CPU time in that of the floor: the least that the work can cost, done by the engine or
the library alone, in the same run. Ratios hold better than seconds on other machines, and on one
that does other things meanwhile. Peers are measured where they are installed, in an environment of
their own (`--peer`); they do less: none keeps the place of a record, or what it rejects. Bars are
those that the product is held to, from a million on. Whether its answers are true is measured by
`python -m benchmarks.truth`, on simulated incidents.

Measured {days}, on {machine}.

{table}

## What misses its bar

{missed}

## How cost grows

![CPU seconds and memory of the toolkit by size, both axes logarithmic](benchmarks.svg)
"""


def page(path: Path) -> str:
    """The page of the documentation, of a file that `save` has written: the table, where and when
    it was measured, and what misses its bar."""
    results = load(path)
    where: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["machine"]
    missed = [
        f"- {each.what}, {each.size:,} {each.of}: "
        + ", ".join(
            f"{value:.{digits}f} {unit} where {bar:g} is allowed"
            for value, bar, unit, digits in (
                (each.ratio, each.bar, "times the floor", 2),
                (each.memory, each.memory_bar, "MB", 0),
            )
            if value is not None and bar is not None and value > bar
        )
        for each in results
        if each.missed
    ]
    return PAGE.format(
        days=" and ".join(sorted({each.day for each in results if each.day})),
        machine=described(where),
        table=markdown(results),
        missed="\n".join(missed) or "Nothing that was measured.",
    )


def described(where: Mapping[str, Any]) -> str:
    """A machine in one line."""
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in where.items())


def machine() -> dict[str, Any]:
    """What the figures were had on."""
    return {
        "processor": _after("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "load": round(os.getloadavg()[0], 1),
    }


def _after(path: str, key: str) -> str:
    file = Path(path)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def save(path: Path, results: Sequence[Result]) -> list[Result]:
    """Write results to a file with the machine; what it holds of other sizes stays.

    Returns all results of the file, by what was measured and size.
    """
    kept = load(path) if path.exists() else []
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    results = [replace(each, day=each.day or today) for each in results]
    new = {(each.what, each.size) for each in results}
    whole = [*results, *(each for each in kept if (each.what, each.size) not in new)]
    order = list(dict.fromkeys(each.what for each in [*kept, *results]))
    whole.sort(key=lambda each: (order.index(each.what), each.size))
    told = {"machine": machine(), "results": [asdict(each) for each in whole]}
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return whole


def load(path: Path) -> list[Result]:
    """The results of a file."""
    return [Result(**each) for each in json.loads(path.read_text(encoding="utf-8"))["results"]]
