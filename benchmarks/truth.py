"""What the product makes of simulated incidents, against what was planted in them.

Prints precision and recall of every rule, coverage and width of onsets, attribution, impact and
coverage of forecasts, each with a 95 % interval (Wilson's for shares, else a bootstrap over
incidents), and which of the bars are met. From a shell:
`python -m benchmarks.truth --incidents 210 --seed 1`.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks import parts
from benchmarks.oracle import Verdicts
from benchmarks.simulate import SCENARIOS, Truth, simulate
from benchmarks.tables import Outcome, show, summary
from toolkit import resources, sqlfile
from toolkit.casefile import CaseFolder
from toolkit.ingest.load import ingest
from toolkit.rebuild import rebuild
from toolkit.relations import RELATIONS
from toolkit.store import Store

RELATIONS_JUDGED = ("onset", "machine_impact", "trigger_candidate", "recovery_forecast")


def judged() -> set[str]:
    """The rules and relations that are compared with the truth."""
    files = sqlfile.catalogue(resources.queries())
    return {name for name, file in files.items() if file.is_rule} | {*RELATIONS_JUDGED}


def prepare(folder: Path, only: Collection[str] | None = None) -> tuple[CaseFolder, Store]:
    """Ingest and rebuild a simulated case; the caller closes the store."""
    case = CaseFolder.open(folder)
    store = Store.create(None)
    store.execute("set threads = 1")
    done = ingest(store, case)
    assert not done.refusals, [str(refusal) for refusal in done.refusals]
    assert not any(loaded.rejected for loaded in done.files), done.files
    rebuild(store, case, only)
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
        _, store = prepare(Path(folder), judged())
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
    has_jobs = bool(store.value("select count(*) from replication_sample"))
    for row in rows:
        scope = (row["scope_kind"], row["scope"])
        at = truth.onsets.get(scope)
        seen.add(scope)
        if at is None:
            found.append({"scope": ":".join(scope), "result": "false", "jobs": has_jobs})
            continue
        cadences = [
            impact.cadence.total_seconds() for name, impact in truth.machines.items()
            if scope[0] == "all" or truth.regions[name] == scope[1]
        ]  # fmt: skip
        # Seconds that the records do not state may lie on either side.
        second = timedelta(seconds=1)
        found.append({
            "scope": ":".join(scope), "jobs": has_jobs, "method": row["method"],
            "inside": row["onset_lo"] <= row["onset_at"] <= row["onset_hi"],
            "result": "covered" if row["onset_lo"] - second <= at <= row["onset_hi"] + second
            else "outside",
            "width": (row["onset_hi"] - row["onset_lo"]).total_seconds() / median(cadences),
            "error_minutes": (row["onset_at"] - at).total_seconds() / 60,
        })  # fmt: skip
    for scope in sorted(truth.onsets.keys() - seen):
        found.append({"scope": ":".join(scope), "result": "missed", "jobs": has_jobs})
    return found


def _impact(truth: Truth, store: Store) -> Outcome:
    found = store.rows(
        "select asset_id, gap_hours, data_at_risk_bytes, recovery_class from machine_impact "
        "order by asset_id"
    )
    rows = {row["asset_id"]: row for row in found}
    both = sorted(rows.keys() & truth.machines.keys())
    planted = {
        name: ((impact.ended_at or truth.record[1]) - impact.began_at).total_seconds() / 3600
        for name, impact in truth.machines.items()
    }
    return {
        "hit": len(both), "false": len(rows.keys() - truth.machines.keys()),
        "missed": len(truth.machines.keys() - rows.keys()),
        "bytes": sum(truth.machines[name].size for name in truth.machines),
        "bytes_found": sum(row["data_at_risk_bytes"] or 0 for row in found),
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


def _attribution(truth: Truth, store: Store) -> Outcome | None:
    """The first candidate for the main onset of everything, and what is claimed of it."""
    if ("all", "all") not in truth.onsets:
        return None
    rows = store.rows(
        "select change_id, rank, p_value from trigger_candidate "
        "where scope_kind = 'all' order by rank"
    )
    ranked = [row for row in rows if row["rank"] >= 1]
    first = ranked[0] if ranked else {"change_id": None, "p_value": None}
    if len(rows) > len(ranked):
        claim = "none explains it"
    elif not ranked:
        claim = "no onset"
    else:
        claim = "ranking only" if first["p_value"] is None else "attributed"
    return {
        "cause": truth.cause,
        "first": first["change_id"],
        "rank": next((row["rank"] for row in ranked if row["change_id"] == truth.cause), None),
        "p": first["p_value"],
        "claim": claim,
    }


def _forecast(truth: Truth, store: Store) -> list[bool]:
    """For every forecast, whether its 80 % band held the completion that was planted.

    The completion may lie beyond the end of the record, which nothing in the record tells; what
    is lost by then is not waited for, and what never comes back has no completion to compare with.
    """
    rows = store.rows(
        "select as_of_at, scope_kind, scope, p10_at, p90_at from recovery_forecast "
        "where p10_at is not null order by all"
    )
    held = []
    for row in rows:
        left = [
            each for each in truth.returns
            if row["scope"] in ("all", each.region, each.kind) and each.struck_at <= row["as_of_at"]
            and (each.back_at is None or each.back_at > row["as_of_at"])
            and (each.lost_at is None or each.lost_at > row["as_of_at"])
        ]  # fmt: skip
        waited = [each.back_at for each in left if each.lost_at is None]
        if not waited or None in waited:
            continue
        done = max(at for at in waited if at is not None)
        held.append(row["p10_at"] <= done and (row["p90_at"] is None or done <= row["p90_at"]))
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


# -- from a shell ------------------------------------------------------------------------------


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
    parser.add_argument("--incidents", type=int, default=210)
    parser.add_argument("--seed", type=int, default=1, help="of the first of each scenario")
    parser.add_argument("--parts", type=int, default=40, help="recoveries and weeks of lag")
    parser.add_argument("--scenario", choices=SCENARIOS, action="append")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the measures here")
    parser.add_argument(
        "--resume",
        type=Path,
        help="keep every incident's measures in this file "
        "as soon as they are had, and do not measure those again",
    )
    parser.add_argument("--disagreements", action="store_true", help="list each of them")
    parser.add_argument("--removal", type=int, default=0, help="cases for the law of removal")
    chosen = parser.parse_args()
    wanted = incidents(chosen.incidents, chosen.seed, chosen.scenario or SCENARIOS)
    outcomes = _kept(chosen.resume, wanted)
    had = {(outcome["scenario"], outcome["seed"]) for outcome in outcomes}
    with ProcessPoolExecutor(chosen.processes) as pool:
        for outcome in pool.map(_measure, [each for each in wanted if each not in had]):
            outcomes.append(outcome)
            if chosen.resume:
                with chosen.resume.open("a", encoding="utf-8") as kept:
                    kept.write(json.dumps(outcome) + "\n")
            if sys.stderr.isatty():
                print(f"\r{len(outcomes)} of {len(wanted)}", end="", file=sys.stderr)
        bands = list(pool.map(parts.bands, range(chosen.seed, chosen.seed + chosen.parts)))
        rises = list(pool.map(parts.rises, range(chosen.seed, chosen.seed + chosen.parts)))
    if chosen.disagreements:
        for outcome in outcomes:
            _show_disagreements(outcome)
    summed = summary(outcomes, bands, rises)
    print(show(summed))
    breaches = [
        breach for scenario, seed in incidents(chosen.removal, chosen.seed, SCENARIOS[:5])
        for breach in removal_breaches(scenario, seed)
    ]  # fmt: skip
    if chosen.removal:
        print(f"\nlaw of removal: {len(breaches)} breaches in {chosen.removal} cases")
        print("\n".join(f"  {breach}" for breach in breaches))
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\n{spent.ru_utime + spent.ru_stime:.0f} CPU seconds in workers")
    if chosen.json:
        chosen.json.write_text(json.dumps(summed, default=str, indent=1), encoding="utf-8")


def _kept(file: Path | None, wanted: Collection[tuple[str, int]]) -> list[Outcome]:
    if file is None or not file.exists():
        return []
    with file.open(encoding="utf-8") as lines:
        outcomes = [json.loads(line) for line in lines]
    return [each for each in outcomes if (each["scenario"], each["seed"]) in wanted]


def _show_disagreements(outcome: Outcome) -> None:
    where = f"{outcome['scenario']} {outcome['seed']}"
    for rule, subject, planted, found in outcome["rules"]:
        if planted != found and planted != "open" and "exception" in (planted, found):
            print(f"{where}: {rule} {subject} planted {planted}, found {found}")
        elif (planted, found) == ("undetermined", "ok"):
            print(f"{where}: {rule} {subject} undecidable, found ok")
    for row in outcome["onsets"]:
        if row["result"] != "covered" or row["width"] > 2:
            print(f"{where}: onset {row}")
    told = outcome["attribution"]
    if told and (told["first"] != told["cause"] if told["cause"] else
                 told["claim"] == "attributed"):  # fmt: skip
        print(f"{where}: attribution {told}")


if __name__ == "__main__":
    main()
