"""What conformance costs, against the engine by itself.

    python -m benchmarks.conformance [--events 1000000] [--constraints 20] [--varied] [--json FILE]

Operations of nine events each run through a procedure of twelve steps; most keep its order, some
leave a step out, swap two or repeat one. With `--varied` every operation is shuffled, so that
hardly two are alike. The constraints are the DECLARE templates in turn; one in five has a condition
on time or account. CPU is user and system time in seconds. `floor` is one ordered window over the
events, `verdicts` judges every constraint of every operation, `sentences` words them; memory is the
largest resident set after the verdicts.

For scale: pm4py 2.7.23 took 14.5 seconds for 20 constraints without conditions on 952,000 events of
a like log, measured once on a loaded machine and not in the same run, so the ratio is rough; it
gives no event and no reason with a verdict.
Nothing here is part of the tests.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import tempfile
from pathlib import Path

from toolkit import procedures, rebuild, resources, sqlfile
from toolkit.casefile import PROCEDURES, CaseFolder
from toolkit.store import Store

PEER_EVENTS, PEER_SECONDS = 952_000, 14.5
PER_OPERATION = 9
STEPS = tuple(f"s{number:02}" for number in range(12))
CONDITIONS = ("within: 1h", "by: different_actor", "hold: 2m quiet", "within: 30m")
GIVEN = ("operation_link", "operation_span", "operation_event", "constraint_part")
# What every constraint says of every operation, from what was judged once for those that are alike.
VERDICTS = """
    select verdict, count(*) as n, sum(violations) as violations
    from trace_variant
    inner join operation_span using (operation_id)
    inner join constraint_part using (procedure, procedure_version)
    left join constraint_verdict
        on
            if(is_conditional, trace_variant.operation_no, trace_variant.variant_no)
            = constraint_verdict.operation_no
            and constraint_part.rule_id = constraint_verdict.rule_id
    where constraint_part.side = 1
    group by verdict
    order by verdict
"""


def procedure(count: int) -> str:
    """A procedure of twelve steps and so many constraints, as YAML."""
    lines = ["id: p", 'version: "1"', "applies_to: x", "steps:"]
    lines += [f"  - {{id: {step}}}" for step in STEPS] + ["rules:"]
    plain = ("response", "precedence", "succession", "responded_existence", "co_existence",
             "alternate_response", "alternate_precedence", "alternate_succession",
             "chain_response", "chain_precedence", "chain_succession", "not_co_existence",
             "existence", "absence", "exactly", "init")  # fmt: skip
    for number in range(count):
        if number % 5 == 4:
            template, more = "precedence", ", " + CONDITIONS[number // 5 % len(CONDITIONS)]
        else:
            template, more = plain[(number - number // 5) % len(plain)], ""
        first = number % (len(STEPS) - 1)
        if template in procedures.UNARY:
            lines.append(f"  - {{id: r{number}, template: {template}, a: {STEPS[first]}}}")
        else:
            lines.append(
                f"  - {{id: r{number}, template: {template}, a: {STEPS[first]}, "
                f"b: {STEPS[first + 1]}{more}}}"
            )
    return "\n".join(lines)


def fill(store: Store, events: int, *, varied: bool) -> None:
    """Lay so many events into the store, as if they had been ingested and tied to operations."""
    shuffled = (
        "hash(op, no, 'order')" if varied else "no + if(hash(op, no, 'swap') % 40 = 0, 1.5, 0)"
    )
    store.execute(
        f"""
        create temp table laid as
        with act as (
            select
                range // {PER_OPERATION} as op,
                range % {PER_OPERATION} as no,
                range + 1 as record_no,
                hash(range, 'actor') % 3 as actor,
                case
                    when hash(range, 'other') % 50 = 0 then hash(range, 'step') % {len(STEPS)}
                    else (range % {PER_OPERATION})
                end as step
            from range({events})
        )
        select
            op,
            record_no,
            actor,
            step,
            timestamptz '2022-01-01 00:00:00Z' + to_minutes((op * 20)::integer) + to_seconds(
                100 * row_number() over (partition by op order by {shuffled}, record_no)
            ) as happened
        from act
        """
    )
    store.execute(
        "insert into evidence.maintenance_event by name select 1 as source_id, record_no, "
        "happened as occurred_at, happened as occurred_lo, happened as occurred_hi, "
        "'act' as action, 'C' || op as change_id, 's' || lpad(step::varchar, 2, '0') as step, "
        "'actor' || actor as actor, 'success' as outcome from laid"
    )
    store.execute(
        "insert into operation_span by name select 'C' || op as operation_id, "
        "'C' || op as change_id, 'p' as procedure, '1' as procedure_version, "
        "max(happened) + to_minutes(5) as closed_at, max(happened) as ended_at, "
        "'success' as outcome, count(*) as explicit_event_count, '1:1' as evidence "
        "from laid group by op order by op"
    )
    store.execute(
        "insert into operation_event by name select change_id as operation_id, source_id, "
        "record_no, 'explicit' as basis, occurred_at, occurred_lo, occurred_hi, step, actor, "
        "outcome, false as is_irreversible from evidence.maintenance_event order by record_no"
    )


def cpu() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--constraints", type=int, default=20)
    parser.add_argument("--varied", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / PROCEDURES).mkdir()
        (folder / PROCEDURES / "p.yaml").write_text(procedure(wanted.constraints))
        (folder / "case.toml").write_text('title = "Benchmark"')
        case = CaseFolder.open(folder)
        with Store.create(folder / "case.duckdb") as store:
            rebuild._load_case(store, case, case.policy())
            rebuild._load_procedures(store, procedures.load(folder / PROCEDURES))
            rebuild._expose_evidence(store)
            files = {
                relation: sqlfile.read(resources.queries() / "relations" / f"{relation}.sql")
                for relation in (*GIVEN, "trace_variant", "constraint_verdict", "conformance")
            }
            for relation in GIVEN:
                rebuild._run_relation(store, files[relation])
            fill(store, wanted.events, varied=wanted.varied)
            marks = [cpu()]
            store.execute(
                "create table floor as select operation_id, record_no, row_number() over ("
                "partition by operation_id order by occurred_lo, record_no) as place "
                "from operation_event"
            )
            marks.append(cpu())
            rebuild._run_relation(store, files["trace_variant"])
            rebuild._run_relation(store, files["constraint_verdict"])
            counts = store.rows(VERDICTS)
            marks.append(cpu())
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            rebuild._run_relation(store, files["conformance"])
            marks.append(cpu())
    floor, verdicts, sentences = (b - a for a, b in itertools.pairwise(marks))
    peer = PEER_SECONDS * wanted.events / PEER_EVENTS * wanted.constraints / 20
    print(f"{wanted.events:,} events, {wanted.constraints} constraints, CPU seconds:")
    print(f"  floor      {floor:6.2f}")
    print(f"  verdicts   {verdicts:6.2f}  = {verdicts / floor:.1f} × floor, {memory:.0f} MB")
    print(f"  sentences  {sentences:6.2f}")
    print(f"  pm4py      {peer:6.2f}  (scaled), {peer / verdicts:.1f} × ours")
    for row in counts:
        print(f"  {row['verdict']:<14}{row['n']:>10,}  {row['violations']:>10,} violations")
    if wanted.json:
        told = {"floor": floor, "verdicts": verdicts, "sentences": sentences, "memory": memory}
        wanted.json.write_text(json.dumps(told | {"events": wanted.events}) + "\n")


if __name__ == "__main__":
    main()
