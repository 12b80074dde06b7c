"""What the reduction of telemetry costs, and what is left to do after it.

    python -m benchmarks.reduction [--samples 1000000 10000000] [--memory-gb 4] [--json FILE]

The samples of 2,000 machines over thirty days are made inside the engine, in the order of their
times, straight into the evidence tables. However many there are, the machines and their changes of
state are the same: every tenth machine fails for three days, and each has five short failures.
Every measurement is a process of its own over the same file: `window` is one ordered window over
the samples, `reduction` is `known_asset` and `replication_run`, `after` is every relation that
follows from them. CPU is user and system time of the work in seconds, memory the largest resident
set in MB. Nothing here is part of the tests.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit import rebuild, resources, sqlfile
from toolkit.analysis import steps
from toolkit.casefile import CaseFolder
from toolkit.store import Store

MACHINES = 2_000
REDUCTION = ("known_asset", "replication_run")
AFTER = (
    "state_interval", "protection_gap", "machine_gap", "onset", "machine_impact", "partner_impact",
    "region_impact", "machine_recovery", "recovery_progress", "protection_copy", "status_accuracy",
    "timeline",
)  # fmt: skip
# Short failures fall on the same parts of the record, so that their number does not grow with it.
SAMPLES = f"""
    insert into evidence.replication_sample
        by name
    select
        1::usmallint as source_id,
        n + 1 as record_no,
        timestamptz '2022-03-01 00:00:00+00'
        + to_microseconds((2592000000000 * n::hugeint // $samples)::bigint) as sampled_at,
        'machine-' || lpad((n % {MACHINES})::varchar, 4, '0') as asset_id,
        'job-' || n % {MACHINES} as job_id,
        'vault-' || n % {MACHINES} % 7 as target_asset,
        if(
            (n % {MACHINES} % 10 = 0 and place * 10 between per_machine * 4 and per_machine * 5)
            or place % (per_machine // 6) = 30,
            'failure',
            'success'
        ) as state
    from (
        select
            range as n,
            range // {MACHINES} as place,
            $samples // {MACHINES} as per_machine
        from range($samples)
    )
"""
WINDOW = """
    select count(*) filter (where pause > interval 1 day)
    from (
        select
            lead(sampled_at) over (partition by asset_id order by sampled_at) - sampled_at as pause
        from replication_sample
    )
"""


@contextmanager
def _opened(folder: Path, memory_gb: float) -> Iterator[Store]:
    with Store.create(CaseFolder.open(folder).database) as store:
        store.execute(f"set memory_limit = '{memory_gb}GB'")
        yield store


def _make(folder: Path, memory_gb: float, samples: int) -> None:
    (folder / "evidence").mkdir(parents=True)
    (folder / "case.toml").write_text('title = "Reduction"\n', encoding="utf-8")
    with _opened(folder, memory_gb) as store:
        store.execute(SAMPLES.replace("$samples", str(samples)))
        case = CaseFolder.open(folder)
        rebuild._load_case(store, case, case.policy())
        rebuild._load_procedures(store, [])
        rebuild._load_review(store, case)
        rebuild._expose_evidence(store)


def _measure(folder: Path, memory_gb: float, what: str) -> dict[str, float]:
    files = sqlfile.catalogue(resources.queries())
    with _opened(folder, memory_gb) as store:
        before = _cpu()
        if what == "window":
            store.value(WINDOW)
        for name in rebuild._plan(files, AFTER if what == "after" else REDUCTION):
            if what == "window" or (what == "after" and name in REDUCTION):
                continue
            if name in files:
                rebuild._run_relation(store, files[name])
            else:
                rebuild._run_step(store, steps()[name])
        used = _cpu() - before
        rows = 0 if what == "window" else store.value("select count(*) from replication_run")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu": round(used, 2), "memory": round(memory), "runs": rows}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure every size, print a line for each, and write them down where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--memory-gb", type=float, default=4)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        folder, what = Path(options.child[0]), options.child[1]
        if what == "make":
            _make(folder, options.memory_gb, options.samples[0])
        else:
            print(json.dumps(_measure(folder, options.memory_gb, what)))
        return
    found = []
    for samples in options.samples:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "case"
            measured: dict[str, dict[str, float]] = {}
            for what in ("make", "window", "reduction", "after"):
                done = subprocess.run(
                    [sys.executable, "-m", "benchmarks.reduction", "--samples", str(samples),
                     "--memory-gb", str(options.memory_gb), "--child", str(folder), what],
                    check=True, stdout=subprocess.PIPE, text=True,
                )  # fmt: skip
                if done.stdout:
                    measured[what] = json.loads(done.stdout)
        window, reduction, after = (measured[what] for what in ("window", "reduction", "after"))
        found.append({"samples": samples, **measured})
        print(
            f"{samples:>12,} samples: window {window['cpu']:.2f} s {window['memory']:.0f} MB; "
            f"reduction to {reduction['runs']:,.0f} runs {reduction['cpu']:.2f} s "
            f"{reduction['memory']:.0f} MB, {reduction['cpu'] / window['cpu']:.2f} x window; "
            f"after it {after['cpu']:.2f} s {after['memory']:.0f} MB",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
