"""What the product makes of simulated incidents, against what was planted in them.

Prints precision and recall of every rule, coverage and width of onsets, attribution, impact and
coverage of forecasts, each with a 95 % interval (Wilson's for shares, else a bootstrap over
incidents). From a shell: `python -m benchmarks.truth --incidents 200`.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from math import sqrt
from pathlib import Path
from random import Random
from statistics import mean, median
from typing import Any

from benchmarks.oracle import Verdicts
from benchmarks.simulate import CAUSED, SCENARIOS, Truth, simulate
from toolkit.casefile import CaseFolder
from toolkit.ingest.load import ingest
from toolkit.rebuild import rebuild
from toolkit.relations import RELATIONS
from toolkit.store import Store

LATER = "not built"
Outcome = dict[str, Any]


def prepare(truth_folder: Path) -> tuple[CaseFolder, Store]:
    """Ingest and rebuild a simulated case; the caller closes the store."""
    case = CaseFolder.open(truth_folder)
    store = Store.create(None)
    store.execute("set threads = 1")
    done = ingest(store, case)
    assert not done.refusals, [str(refusal) for refusal in done.refusals]
    assert not any(loaded.rejected for loaded in done.files), done.files
    rebuild(store, case)
    return case, store


def verdicts(store: Store) -> Verdicts:
    """Every status that the rules gave, by rule and subject as `Truth.verdicts` names them."""
    order = ("not_run", "not_applicable", "ok", "undetermined", "exception")
    found: Verdicts = {}
    for row in store.rows("select rule, operation_id, subject, status from rule_result"):
        name = str(row["operation_id"] or row["subject"])
        if row["rule"] == "EQ-02":
            host = re.search(r"maintenance_event-(ctl-\w+)", name)
            name = f"host:{host[1]}" if host else name
        elif name.startswith("session:"):
            name = name.rsplit(":", 1)[0]
        key = (row["rule"], name)
        if order.index(row["status"]) >= order.index(found.get(key, "not_run")):
            found[key] = row["status"]
    return found


def measure(scenario: str, seed: int) -> Outcome:
    """Simulate an incident, let the product work on it, and compare."""
    with tempfile.TemporaryDirectory() as folder:
        truth = simulate(scenario, seed, Path(folder))
        _, store = prepare(Path(folder))
        with store:
            return {
                "scenario": scenario,
                "seed": seed,
                "rules": _rules(truth, verdicts(store)),
                "onsets": _onsets(truth, store),
                "impact": _impact(truth, store),
                "attribution": _attribution(truth, store),
                "forecast": _forecast(truth, store),
            }


def _rules(truth: Truth, found: Verdicts) -> list[tuple[str, str, str, str]]:
    """(rule, subject, planted, found) of everything that is not plainly alike."""
    rows = []
    for key in sorted(truth.verdicts.keys() | found.keys()):
        planted, status = truth.verdicts.get(key, "ok"), found.get(key, "absent")
        status = "ok" if status in ("ok", "not_applicable", "absent") else status
        rows.append((*key, planted, status))
    return rows


def _onsets(truth: Truth, store: Store) -> list[Outcome]:
    rows = store.rows(
        "select scope_kind, scope, onset_at, onset_lo, onset_hi, method from onset "
        "where main and scope_kind in ('all', 'region') order by all"
    )
    found: list[Outcome] = []
    seen = set()
    for row in rows:
        scope = (row["scope_kind"], row["scope"])
        at = truth.onsets.get(scope)
        seen.add(scope)
        if at is None:
            found.append({"scope": ":".join(scope), "result": "false", "method": row["method"]})
            continue
        cadences = [
            impact.cadence.total_seconds() for name, impact in truth.machines.items()
            if scope[0] == "all" or truth.regions[name] == scope[1]
        ]  # fmt: skip
        # Seconds that the records do not state may lie on either side.
        second = timedelta(seconds=1)
        found.append({
            "scope": ":".join(scope), "method": row["method"],
            "result": "covered" if row["onset_lo"] - second <= at <= row["onset_hi"] + second
            else "outside",
            "width": (row["onset_hi"] - row["onset_lo"]).total_seconds() / median(cadences),
            "error_minutes": (row["onset_at"] - at).total_seconds() / 60,
        })  # fmt: skip
    for scope in sorted(truth.onsets.keys() - seen):
        found.append({"scope": ":".join(scope), "result": "missed", "method": "none"})
    return found


def _impact(truth: Truth, store: Store) -> Outcome:
    found = store.rows("select asset_id, gap_hours, recovery_class from machine_impact order by 1")
    rows = {row["asset_id"]: row for row in found}
    both = sorted(rows.keys() & truth.machines.keys())
    planted = {
        name: ((impact.ended_at or truth.record[1]) - impact.began_at).total_seconds() / 3600
        for name, impact in truth.machines.items()
    }
    return {
        "hit": len(both), "false": len(rows.keys() - truth.machines.keys()),
        "missed": len(truth.machines.keys() - rows.keys()),
        "hours": sum(planted[name] for name in both),
        "hours_found": sum(rows[name]["gap_hours"] for name in both),
        "cadences_off": [
            (rows[name]["gap_hours"] - planted[name]) * 3600
            / truth.machines[name].cadence.total_seconds() for name in both
        ],
        "classes": [
            (truth.machines[name].recovery, rows[name]["recovery_class"]) for name in both
        ],
    }  # fmt: skip


def _exists(store: Store, relation: str) -> bool:
    return bool(
        store.rows(f"select 1 from duckdb_tables() where table_name = '{relation}' union all "
                   f"select 1 from duckdb_views() where view_name = '{relation}'")
    )  # fmt: skip


def _attribution(truth: Truth, store: Store) -> Outcome | None:
    """The first candidate for the main onset of everything, and whether it was ruled out."""
    if not _exists(store, "trigger_candidate") or ("all", "all") not in truth.onsets:
        return None
    rows = store.rows(
        "select change_id, rank, p_value from trigger_candidate "
        "where scope_kind = 'all' order by rank"
    )
    ranked = [row for row in rows if row["rank"] >= 1]
    first = ranked[0] if ranked else None
    return {
        "cause": truth.cause,
        "first": first["change_id"] if first else None,
        "rank": next((row["rank"] for row in ranked if row["change_id"] == truth.cause), None),
        "p": first["p_value"] if first else None,
        "ruled_out": any(row["rank"] == 0 for row in rows) or first is None,
    }


def _forecast(truth: Truth, store: Store) -> list[bool] | None:
    """For every forecast of an earlier day, whether its 80 % band held the completion."""
    if not _exists(store, "recovery_forecast"):
        return None
    rows = store.rows(
        "select * from recovery_forecast where scope_kind in ('all', 'region') order by all"
    )
    held = []
    for row in rows:
        done = [at for name, at in truth.seeded_at.items()
                if row["scope_kind"] == "all" or truth.regions[name] == row["scope"]]  # fmt: skip
        if not done or None in done or row["p10_at"] is None or row["p90_at"] is None:
            continue
        completed = max(at for at in done if at is not None)
        as_of = row["as_of"]
        if isinstance(as_of, datetime) and as_of >= completed:
            continue
        day = timedelta(days=1)
        held.append(row["p10_at"] - day / 2 <= completed <= row["p90_at"] + day / 2)
    return held


# -- the law of removal -------------------------------------------------------------------------


def removal_breaches(scenario: str, seed: int, relations: Iterable[str] | None = None) -> list[str]:
    """Breaches of the law that missing evidence never makes anything `ok`.

    Every relation that has rows is emptied in turn. Rules that need it must then say `not_run`, and
    no verdict that was not `ok` may become so. Aliases are left out: without them two names are two
    people, and nothing on record says otherwise.
    """
    breaches: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        simulate(scenario, seed, Path(folder))
        case, store = prepare(Path(folder))
        with store:
            before = verdicts(store)
            needs = {row["rule"]: row["needs"] for row in store.rows(
                "select rule, needs from rule_catalogue order by rule")}  # fmt: skip
            for relation in (each.name for each in RELATIONS):
                if relation == "alias" or (relations is not None and relation not in relations):
                    continue
                if not store.value(f'select count(*) from evidence."{relation}"'):
                    continue
                store.execute(f'create or replace temp table kept as from evidence."{relation}"')
                store.execute(f'delete from evidence."{relation}"')
                rebuild(store, case)
                breaches.extend(_breaches(store, relation, before, needs))
                store.execute(f'insert into evidence."{relation}" from kept')
    return breaches


def _breaches(
    store: Store, relation: str, before: Verdicts, needs: Mapping[str, Sequence[str]]
) -> list[str]:
    found = []
    after = verdicts(store)
    ran = {rule for (rule, _), status in after.items() if status != "not_run"}
    empty = {row["relation"] for row in store.rows(
        "select relation from relation_state where row_count = 0 order by all")}  # fmt: skip
    for rule, wanted in needs.items():
        lacking = any(relation in need.split("|") and set(need.split("|")) <= empty
                      for need in wanted)  # fmt: skip
        if lacking and rule in ran:
            found.append(f"without {relation}: {rule} ran")
    for key, status in after.items():
        if status == "ok" and before.get(key, "ok") in ("exception", "undetermined"):
            found.append(f"without {relation}: {key[0]} {key[1]} was {before[key]}, now ok")
    return found


# -- the tables ---------------------------------------------------------------------------------


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if of == 0:
        return 0.0, 1.0
    z, share = 1.96, hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def _share(hits: int, of: int) -> str:
    if of == 0:
        return "–"
    low, high = wilson(hits, of)
    return f"{hits / of:.3f} [{low:.3f}, {high:.3f}] ({hits}/{of})"


def _bootstrap(values: Sequence[float]) -> str:
    if not values:
        return "–"
    rng = Random(20)
    means = sorted(mean(rng.choices(values, k=len(values))) for _ in range(400))
    return f"{mean(values):.3f} [{means[9]:.3f}, {means[389]:.3f}]"


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All measures over the incidents, as numbers."""
    rules: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in outcomes:
        for rule, _, planted, found in outcome["rules"]:
            rules[rule][f"{planted}>{found}"] += 1
            if outcome["scenario"] == "clean" and found == "exception":
                rules[rule]["clean"] += 1
    onsets = [row | {"scenario": o["scenario"]} for o in outcomes for row in o["onsets"]]
    attributions = [(o["scenario"], o["attribution"]) for o in outcomes if o["attribution"]]
    return {
        "incidents": len(outcomes),
        "rules": {rule: dict(counts) for rule, counts in sorted(rules.items())},
        "onsets": onsets,
        "impact": [o["impact"] | {"scenario": o["scenario"]} for o in outcomes],
        "attribution": attributions,
        "forecast": [held for o in outcomes if o["forecast"] for held in o["forecast"]],
        "forecast_built": any(o["forecast"] is not None for o in outcomes),
        "attribution_built": bool(attributions),
    }


def show(summed: Mapping[str, Any]) -> str:
    """The measures as text."""
    lines = [f"{summed['incidents']} incidents", "",
             f"{'rule':6} {'precision':34} {'recall':34} {'undetermined where planted':>27} "
             f"{'ok where undecidable':>21} {'needless undetermined':>22}"]  # fmt: skip
    for rule, counts in summed["rules"].items():
        hits = counts.get("exception>exception", 0)
        false = counts.get("ok>exception", 0) + counts.get("undetermined>exception", 0)
        missed = counts.get("exception>ok", 0) + counts.get("exception>not_run", 0)
        unsure = counts.get("exception>undetermined", 0)
        lines.append(
            f"{rule:6} {_share(hits, hits + false):34} {_share(hits, hits + missed + unsure):34} "
            f"{unsure:27} {counts.get('undetermined>ok', 0):21} "
            f"{counts.get('ok>undetermined', 0):22}"
        )
    clean = sum(counts.get("clean", 0) for counts in summed["rules"].values())
    lines += ["", f"exceptions in clean cases: {clean}", "", "onset"]
    lines += _show_onsets(summed["onsets"])
    lines += ["", "impact", *_show_impact(summed["impact"]), "", "attribution"]
    lines += _show_attribution(summed)
    lines += ["", "forecast"]
    held = summed["forecast"]
    lines.append(f"  80 % band holds the completion: {_share(sum(held), len(held))}"
                 if summed["forecast_built"] else f"  {LATER}")  # fmt: skip
    return "\n".join(lines)


def _show_onsets(onsets: Sequence[Outcome]) -> list[str]:
    lines = []
    for scenario in (*SCENARIOS, "all"):
        rows = [row for row in onsets if scenario in (row["scenario"], "all")]
        if not rows:
            continue
        covered = sum(row["result"] == "covered" for row in rows)
        found = [row for row in rows if "width" in row]
        missed = sum(row["result"] == "missed" for row in rows)
        false = sum(row["result"] == "false" for row in rows)
        narrow = sum(row["width"] <= 2 for row in found)
        wide = f"median {median(row['width'] for row in found):.2f}" if found else "–"
        lines.append(
            f"  {scenario:13} covered {_share(covered, len(found) + missed):34} missed {missed}, "
            f"false {false}; width {wide} cadences, within 2: {_share(narrow, len(found))}"
        )
    return lines


def _show_impact(rows: Sequence[Outcome]) -> list[str]:
    hit = sum(row["hit"] for row in rows)
    offs = [off for row in rows for off in row["cadences_off"]]
    classes = [pair for row in rows for pair in row["classes"]]
    bias = [row["hours_found"] / row["hours"] - 1 for row in rows if row["hours"]]
    wrong = Counter(f"{a}>{b}" for a, b in classes if a != b)
    return [
        f"  machines: precision {_share(hit, hit + sum(row['false'] for row in rows))}, recall "
        f"{_share(hit, hit + sum(row['missed'] for row in rows))}",
        f"  machine-hours found against planted, relative: {_bootstrap(bias)}",
        f"  hours off by at most 1.5 cadences: "
        f"{_share(sum(abs(off) <= 1.5 for off in offs), len(offs))}",
        f"  recovery class: {_share(sum(a == b for a, b in classes), len(classes))} {dict(wrong)}",
    ]


def _show_attribution(summed: Mapping[str, Any]) -> list[str]:
    if not summed["attribution_built"]:
        return [f"  {LATER}"]
    lines = []
    caused = [row for scenario, row in summed["attribution"] if scenario in CAUSED]
    null = [row for scenario, row in summed["attribution"] if scenario not in CAUSED]
    for scenario in CAUSED:
        rows = [row for each, row in summed["attribution"] if each == scenario]
        top = sum(row["first"] == row["cause"] for row in rows)
        lines.append(f"  {scenario:13} first candidate right {_share(top, len(rows))}")
    top = sum(row["first"] == row["cause"] for row in caused)
    told = sum(row["first"] == row["cause"] and not row["ruled_out"] for row in caused)
    false = sum(not row["ruled_out"] for row in null)
    return [
        *lines,
        f"  all           first candidate right {_share(top, len(caused))}",
        f"  and not ruled out               {_share(told, len(caused))}",
        f"  attributed although nothing caused it {_share(false, len(null))}",
    ]


def incidents(count: int, first: int, scenarios: Sequence[str]) -> list[tuple[str, int]]:
    """So many incidents, the scenarios in turn."""
    return [(scenarios[n % len(scenarios)], first + n // len(scenarios)) for n in range(count)]


def _measure(incident: tuple[str, int]) -> Outcome:
    try:
        return measure(*incident)
    except Exception as error:
        raise RuntimeError(f"{incident[0]} {incident[1]}: {error}") from error


def main() -> None:
    """Run from a shell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--scenario", choices=SCENARIOS, action="append")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the measures here")
    parser.add_argument("--disagreements", action="store_true", help="list each of them")
    parser.add_argument("--removal", type=int, default=0, help="cases for the law of removal")
    chosen = parser.parse_args()
    begun = time.perf_counter()
    wanted = incidents(chosen.incidents, chosen.first_seed, chosen.scenario or SCENARIOS)
    with ProcessPoolExecutor(chosen.processes) as pool:
        outcomes = list(pool.map(_measure, wanted))
    if chosen.disagreements:
        for outcome in outcomes:
            _show_disagreements(outcome)
    summed = summary(outcomes)
    print(show(summed))
    breaches = [
        breach for scenario, seed in incidents(chosen.removal, chosen.first_seed, SCENARIOS[:5])
        for breach in removal_breaches(scenario, seed)
    ]  # fmt: skip
    if chosen.removal:
        print(f"\nlaw of removal: {len(breaches)} breaches in {chosen.removal} cases")
        print("\n".join(f"  {breach}" for breach in breaches))
    print(f"\n{time.perf_counter() - begun:.0f} s")
    if chosen.json:
        chosen.json.write_text(json.dumps(summed, default=str, indent=1), encoding="utf-8")


def _show_disagreements(outcome: Outcome) -> None:
    where = f"{outcome['scenario']} {outcome['seed']}"
    for rule, subject, planted, found in outcome["rules"]:
        if planted != found and planted != "open" and "exception" in (planted, found):
            print(f"{where}: {rule} {subject} planted {planted}, found {found}")
        elif (planted, found) == ("undetermined", "ok"):
            print(f"{where}: {rule} {subject} undecidable, found ok")
    for row in outcome["onsets"]:
        if row["result"] != "covered":
            print(f"{where}: onset {row}")


if __name__ == "__main__":
    main()
