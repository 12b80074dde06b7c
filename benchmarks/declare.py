"""What another checker needs for the constraints and events of `benchmarks.conformance`.

    python -m benchmarks.declare --peer pm4py=PYTHON [--events 1000000] [--constraints 20]
        [--json FILE]

PYTHON is an interpreter of the user's own that has pm4py and pandas; the product neither needs nor
ships it. The events are handed over as a Parquet file, which is read before its time counts.
Conditions on time and account are left out, because the checker knows none; it gives neither an
event nor a reason with a verdict. CPU is user and system time in seconds, memory the largest
resident set in MB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from benchmarks.conformance import GIVEN, fill, procedure
from toolkit import procedures, rebuild, resources, sqlfile
from toolkit.casefile import PROCEDURES, CaseFolder
from toolkit.store import Store

_PEER = """
import json, resource, sys, warnings
warnings.simplefilter("ignore")
import pandas, pm4py
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
log = pandas.read_parquet(sys.argv[1])
model = {}
for template, a, b in json.loads(sys.argv[2]):
    key = a if b is None else (a, b)
    model.setdefault(template, {})[key] = {"support": 1, "confidence": 1}
before = cpu()
told = pm4py.conformance_declare(log, model)
used = cpu() - before
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
sys.stdout.write("\\n" + json.dumps({
    "cpu": round(used, 2), "memory": round(memory), "operations": len(told), "events": len(log),
    "constraints": sum(map(len, model.values()))}))
"""


def _template(name: str) -> str:
    """The checker's word for a template."""
    words = {
        "exactly": "exactly_one",
        "co_existence": "coexistence",
        "not_co_existence": "noncoexistence",
    }
    return words.get(name, name.replace("alternate_", "alt").replace("chain_", "chain"))


def main() -> None:
    """Print what it needed, and write it down where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peer", required=True, metavar="pm4py=PYTHON")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--constraints", type=int, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    name, _, python = given.peer.partition("=")
    if name != "pm4py" or not python:
        parser.error("--peer is pm4py=PYTHON")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        folder = Path(scratch)
        (folder / PROCEDURES).mkdir()
        (folder / PROCEDURES / "p.yaml").write_text(procedure(given.constraints))
        (folder / "case.toml").write_text('title = "Benchmark"')
        case, loaded = CaseFolder.open(folder), procedures.load(folder / PROCEDURES)
        with Store.create(folder / "case.duckdb") as store:
            rebuild._load_case(store, case, case.policy())
            rebuild._load_procedures(store, loaded)
            rebuild._expose_evidence(store)
            for relation in GIVEN:
                path = resources.queries() / "relations" / f"{relation}.sql"
                rebuild._run_relation(store, sqlfile.read(path))
            fill(store, given.events, varied=False)
            store.write_parquet(
                'select operation_id as "case:concept:name", step as "concept:name", '
                'occurred_at as "time:timestamp" from operation_event '
                "order by operation_id, occurred_at, record_no",
                folder / "log.parquet",
            )
        model = [
            (_template(str(each["template"])), each["a"], each["b"])
            for each in procedures.constraints(loaded[0].procedure)
        ]
        done = subprocess.run(
            [python, "-c", _PEER, str(folder / "log.parquet"), json.dumps(model)],
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    told = json.loads(done.stdout.rsplit("\n", 1)[-1])
    print(
        f"{told['events']:,} events, {told['constraints']} constraints: pm4py {told['cpu']:.2f} s, "
        f"{told['memory']:.0f} MB"
    )
    if given.json:
        given.json.write_text(json.dumps(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
