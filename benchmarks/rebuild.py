"""What a whole rebuild costs, and how other tools reduce the same samples.

    python -m benchmarks.rebuild [--samples 1000000] [--memory-gb 4] [--peer polars=PYTHON]
        [--json FILE]

The samples are those of `benchmarks.reduction`. `rebuild` derives every relation and finding of
them. `pandas` and `polars` reduce them to runs of like samples by machine and job, in memory, from
a Parquet file that is read before their time counts; they keep neither provenance nor the interval
in which a change can lie. Every measurement is a process of its own. A peer that this interpreter
lacks is measured where `--peer` names an interpreter that has it, else left out. pandas is left out
beyond thirty million samples, which it would need more than 4 GB for.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import reduction
from toolkit.casefile import CaseFolder
from toolkit.rebuild import rebuild

MOST_FOR_PANDAS = 30_000_000
_PEER = """
import json, resource, sys
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
{load}
before = cpu()
{work}
used = cpu() - before
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({{"cpu": round(used, 2), "memory": round(memory), "runs": len(runs)}}))
"""
_PANDAS = (
    "import pandas\nsamples = pandas.read_parquet(sys.argv[1])",
    """
samples = samples.sort_values(["asset_id", "job_id", "sampled_at"])
keys = samples[["asset_id", "job_id", "state"]]
begins = (keys != keys.shift()).any(axis=1)
runs = samples.groupby(begins.cumsum(), sort=False).agg(
    asset_id=("asset_id", "first"), job_id=("job_id", "first"), state=("state", "first"),
    first=("sampled_at", "min"), last=("sampled_at", "max"), samples=("sampled_at", "size"))
""",
)
_POLARS = (
    "import polars as pl\nsamples = pl.read_parquet(sys.argv[1])",
    """
samples = samples.sort("asset_id", "job_id", "sampled_at")
runs = samples.group_by(
    pl.struct("asset_id", "job_id", "state").rle_id().alias("run"), maintain_order=True
).agg(
    pl.col("asset_id", "job_id", "state").first(), pl.col("sampled_at").min().alias("first"),
    pl.col("sampled_at").max().alias("last"), pl.len().alias("samples"))
""",
)
PEERS = {"pandas": _PANDAS, "polars": _POLARS}


def _rebuilt(folder: Path, memory_gb: float) -> dict[str, float]:
    case = CaseFolder.open(folder)
    with reduction._opened(folder, memory_gb) as store:
        before = reduction._cpu()
        rebuild(store, case)
        used = reduction._cpu() - before
        runs = store.value("select count(*) from replication_run")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu": round(used, 2), "memory": round(memory), "runs": runs}


def _made(folder: Path, memory_gb: float, samples: int) -> None:
    reduction._make(folder, memory_gb, samples)
    with reduction._opened(folder, memory_gb) as store:
        store.write_parquet(
            "select sampled_at, asset_id, job_id, state from replication_sample",
            folder / "samples.parquet",
        )


def _run(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    return found


def main() -> None:
    """Print what each needed, and write it down where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--memory-gb", type=float, default=4)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        folder, what = Path(given.child[0]), given.child[1]
        if what == "make":
            _made(folder, given.memory_gb, given.samples)
        else:
            print(json.dumps(_rebuilt(folder, given.memory_gb)))
        return
    named = dict(each.split("=", 1) for each in given.peer)
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        folder = Path(scratch) / "case"
        own = [sys.executable, "-m", "benchmarks.rebuild", "--samples", str(given.samples),
               "--memory-gb", str(given.memory_gb), "--child", str(folder)]  # fmt: skip
        _run([*own, "make"])
        for name, (load, work) in PEERS.items():
            python = named.get(name) or (sys.executable if find_spec(name) else None)
            if python is None:
                print(f"{name} is not installed", file=sys.stderr)
            elif name == "pandas" and given.samples > MOST_FOR_PANDAS:
                print("pandas is left out: it would need too much memory", file=sys.stderr)
            else:
                program = _PEER.format(load=load, work=work)
                found[name] = _run([python, "-c", program, str(folder / "samples.parquet")])
        found["rebuild"] = _run([*own, "rebuild"])
    for name, figures in found.items():
        print(
            f"{given.samples:>12,} samples: {name:<8}{figures['cpu']:8.2f} s "
            f"{figures['memory']:6.0f} MB, {figures['runs']:,} runs"
        )
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
