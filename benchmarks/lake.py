"""The reduction on several engines: whether all give the same rows, and what it costs each.

    python -m benchmarks.lake --samples 10000000 --engines duckdb,sail,spark --spark sc://HOST:PORT

The samples are made by arithmetic, the same ones every time: machines with several jobs and
targets each, samples at the same instant, jobs without a name, lags that are missing or no number,
recovery points, seeds, aliases, ages that grow too old. Every engine reads them from one Parquet
file and runs the one text of SQL. Rows are compared with those of DuckDB by EXCEPT ALL, both ways.
CPU is user and system time of the process that computes, in seconds; of a Spark server it is had
with `--pid`. Each engine runs in a process of its own. A few thousand samples of this kind are
part of the tests.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit import lake, resources, sqlfile
from toolkit.store import Store, literal

RELATIONS = ("replication_run", "age_profile", "span_use")
_THRESHOLD = 4.0
# Numbers that look drawn: a multiplicative hash of the number of the sample and a salt.
_DRAWN = """
    create or replace macro drawn(n, salt, below) as
        ((n * 2654435761 + salt * 40503) % 4294967296 // 7 * 48271 % 2147483647) % below
"""
_SAMPLES = """
    select
        n + 1 as record_no,
        timestamptz '2022-03-01 00:00:00+00' + to_microseconds(
            (n // $machines) * 300000000
            + if(drawn(n, 1, 10) = 0, 0, drawn(n, 2, 90) * 1000003)
            - if(drawn(n, 3, 40) = 0, 300000000, 0)
        ) as sampled_at,
        'vm-' || (n % $machines) // 4 as asset_id,
        case
            when drawn(n // ($machines * 7), n % $machines, 40) = 0 then 'failure'
            when drawn(n, 4, 400) = 0 then 'warning'
            when drawn(n, 5, 600) = 0 then 'running'
            when drawn(n, 6, 900) = 0 then 'disconnected'
            when drawn(n, 7, 900) = 0 then 'skipped'
            when n % $machines // 4 % 3 = 0 then 'connected'
            else 'success'
        end as state,
        case
            when drawn(n, 8, 3000) = 0 then 'seed'
            when drawn(n, 9, 3000) = 0 then 'relink'
            when n % 2 = 0 then 'replicate'
        end as job_kind,
        case
            when n % $machines = 1 and n < $machines * 40 then 'once-' || n
            when n % $machines % 4 > 1 then 'job-' || n % $machines % 4
        end as job_id,
        if(n % $machines % 5 = 0, null, 'vault-' || n % $machines % 2) as target_asset,
        null::timestamptz as started_at,
        case
            when drawn(n, 10, 2000) = 0 then 'nan'::double
            when drawn(n, 11, 3) = 0 then null
            when drawn(n // ($machines * 90), n % $machines + 7, $rare) = 0
                then 3600.25 + (n // $machines % 90) * 300
            else drawn(n, 12, 40000) / 1000
        end as lag_seconds,
        drawn(n, 13, 1000000) as bytes,
        if(
            n % $machines % 4 = 3 and drawn(n, 14, 50) > 0,
            timestamptz '2022-03-01 00:00:00+00'
            + to_microseconds((n // $machines) * 300000000 - drawn(n, 15, 400000000)),
            null
        ) as recovery_point_at,
        null::double as progress,
        case drawn(n, 16, 4) when 0 then 'link down' when 1 then 'timeout' end as error
    from (select range as n from range($samples))
"""


def make(path: Path, samples: int) -> None:
    """Write so many samples, numbered from 1, to a Parquet file."""
    machines = max(16, min(8000, samples // 2500))
    with Store.create() as store:
        store.execute(_DRAWN)
        text = _SAMPLES.replace("$samples", str(samples)).replace("$machines", str(machines))
        store.write_parquet(text.replace("$rare", str(max(5, samples // 5000))), path)


@contextmanager
def opened(samples: Path) -> Iterator[Store]:
    """DuckDB over a file of samples, with what the reduction rests on besides."""
    with Store.create() as store:
        file = literal(str(samples))
        store.execute(
            "create view replication_sample as "
            f"select 0::usmallint as source_id, * from read_parquet({file})"
        )
        store.execute("create view reduced_run as from evidence.reduced_run")
        store.load("policy", {"key": "varchar", "value": "varchar"},
                   [["gap_cadences", str(_THRESHOLD)]])  # fmt: skip
        store.load("alias", {"kind": "varchar", "alias": "varchar", "canonical": "varchar"},
                   [["asset", "vm-3", "VM three"], ["asset", "vm-2", "VM three"]])  # fmt: skip
        store.load(
            "known_asset",
            {"asset_id": "varchar", "cadence_minutes": "double", "rpo_minutes": "double"},
            [["vm-0", None, 30.0], ["vm-1", 15.0, None], ["VM three", 0.0, None]],
        )
        store.execute((resources.queries() / "macros" / "macros.sql").read_text(encoding="utf-8"))
        store.execute("create or replace macro pointer(source_id, record_no) as record_no")
        store.derive(
            "use_span",
            "select hour::varchar as event, lower(asset) as asset, true as spans, "
            "start + to_hours(hour) as since_lo, start + to_hours(hour + 1) as since_hi, "
            "start + to_hours(hour + 2) as occurred_lo, start + to_hours(hour + 3) as occurred_hi, "
            "null::varchar as only_target "
            "from range(0, 12, 3) as h(hour), (values ('vm-0'), ('VM three')) as a(asset), "
            "(select timestamptz '2022-03-01 00:00:00+00' as start)",
        )
        yield store


def by_duckdb(store: Store) -> Iterator[tuple[str, int]]:
    """Make each relation, one after another: its name and rows."""
    files = sqlfile.catalogue(resources.queries())
    for name in RELATIONS:
        store.derive(name, files[name].sql)
        yield name, store.value(f"select count(*) from {name}")


def by_cluster(store: Store, cluster: Any) -> Iterator[tuple[str, pa.Table]]:
    """Let a cluster, which has the view `lake_table` of the samples, make each relation."""
    cluster.define("replication_sample", "select 0 as source_id, lake_table.* from lake_table")
    files = sqlfile.catalogue(resources.queries())
    told = lake.Given(
        store.table("from known_asset"), store.table("from alias"), {"gap_cadences": _THRESHOLD},
        {name: files[name] for name in RELATIONS},
    )  # fmt: skip
    runs = lake.reduce(cluster, told)
    yield "replication_run", runs
    yield "age_profile", lake.profile(cluster, told, runs)
    yield "span_use", lake.last_uses(cluster, told, runs, store.table("from use_span"))


def differences(store: Store, name: str, file: Path) -> tuple[int, int]:
    """How many rows of a relation are not in a file, and how many of the file not in the relation;
    a row that is there twice counts twice."""
    columns = ", ".join(store.columns(name))
    mine, theirs = f"select {columns} from {name}", f"select {columns} from read_parquet(?)"
    return (
        store.value(f"select count(*) from ({mine} except all {theirs})", [str(file)]),
        store.value(f"select count(*) from ({theirs} except all {mine})", [str(file)]),
    )


# -- the program -----------------------------------------------------------------------------------


@contextmanager
def _server(engine: str, options: argparse.Namespace) -> Iterator[str]:
    if engine == "spark":
        yield options.spark
        return
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    try:
        yield f"sc://127.0.0.1:{server.listening_address[1]}"
    finally:
        server.stop()


def _cpu(pid: int | None) -> float:
    """CPU of a process, or of this one; NaN where it cannot be had."""
    if pid is None:
        used = os.times()
        return used.user + used.system
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _child(engine: str, folder: Path, options: argparse.Namespace) -> None:
    """Let one engine make the relations; prints what each took, and leaves the rows as files."""
    samples = folder / "samples.parquet"
    pid = options.pid if engine == "spark" else None
    with opened(samples) as store:
        if engine == "duckdb":
            store.execute(f"set memory_limit = '{options.memory_gb}GB'")
            cpu, wall = _cpu(None), time.monotonic()
            for name, _ in by_duckdb(store):
                print(json.dumps([name, _cpu(None) - cpu, time.monotonic() - wall]), flush=True)
                store.write_parquet(f"from {name}", folder / f"{engine}-{name}.parquet")
                cpu, wall = _cpu(None), time.monotonic()
            return
        from toolkit.lake.cluster import connect

        with _server(engine, options) as url, connect(url) as cluster:
            cluster.open_table(str(samples))
            cpu, wall = _cpu(pid), time.monotonic()
            for name, rows in by_cluster(store, cluster):
                spent = None if engine == "spark" and pid is None else _cpu(pid) - cpu
                print(json.dumps([name, spent, time.monotonic() - wall]), flush=True)
                pq.write_table(rows, folder / f"{engine}-{name}.parquet")
                cpu, wall = _cpu(pid), time.monotonic()


def _measured(engine: str, folder: Path, options: argparse.Namespace) -> Mapping[str, list[float]]:
    arguments = [
        "--samples", str(options.samples), "--memory-gb", str(options.memory_gb),
        "--spark", options.spark, "--child", str(folder), "--engines", engine,
    ]  # fmt: skip
    if options.pid:
        arguments += ["--pid", str(options.pid)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.lake", *arguments],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["')]
    return {name: measured for name, *measured in lines}


def main() -> None:
    """Run every engine, and print a line for each relation and engine; exit code 1 where they
    differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--engines", default="duckdb,sail")
    parser.add_argument("--spark", default="sc://localhost:15002")
    parser.add_argument("--pid", type=int, help="process of the Spark server, to tell its CPU")
    parser.add_argument("--memory-gb", type=float, default=4)
    parser.add_argument("--folder", type=Path, help="where the samples are kept")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _child(options.engines, options.child, options)
        return
    engines = list(dict.fromkeys(["duckdb", *options.engines.split(",")]))
    differ = False
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        samples = folder / "samples.parquet"
        if not samples.exists():
            make(samples, options.samples)
        for engine in engines:
            measured = _measured(engine, folder, options)
            with Store.create() as store:
                for name in RELATIONS:
                    store.execute(
                        f"create or replace view {name} as "
                        f"from read_parquet({literal(str(folder / f'duckdb-{name}.parquet'))})"
                    )
                    file = folder / f"{engine}-{name}.parquet"
                    missing, surplus = differences(store, name, file)
                    differ = differ or bool(missing or surplus)
                    cpu, wall = measured[name]
                    told = "      –" if cpu is None else f"{cpu:7.1f}"
                    print(
                        f"{options.samples:>13,} samples  {engine:<6} {name:<16} "
                        f"{pq.read_metadata(file).num_rows:>9,} rows  EXCEPT ALL {missing} / "
                        f"{surplus}  CPU {told} s  wall {wall:7.1f} s",
                        flush=True,
                    )
    sys.exit(int(differ))


if __name__ == "__main__":
    main()
