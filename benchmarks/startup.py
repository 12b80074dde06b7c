"""What a command costs before it does anything, against importing the library of its options.

    python -m benchmarks.startup [--runs 7] [--json FILE]

Medians of processes of their own, in turns. CPU is user and system time of the whole process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.ingest import measure

COMMANDS = {
    "typer": ["-c", "import typer"],
    "postmortem --version": ["-m", "toolkit", "--version"],
    "postmortem --help": ["-m", "toolkit", "--help"],
    "from toolkit import Case": ["-c", "from toolkit import Case"],
}


def main() -> None:
    """Print the medians, and write them down where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in COMMANDS}
    for _ in range(given.runs):
        for name, command in COMMANDS.items():
            found[name].append(measure([sys.executable, *command]))
    told = {
        name: {key: statistics.median(run[key] for run in runs) for key in ("cpu", "memory")}
        for name, runs in found.items()
    }
    floor = told["typer"]["cpu"]
    for name, figures in told.items():
        print(
            f"{name:<26}{figures['cpu']:6.2f} s  {figures['memory']:4.0f} MB  "
            f"{figures['cpu'] / floor:5.2f} × importing Typer"
        )
    if given.json:
        given.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
