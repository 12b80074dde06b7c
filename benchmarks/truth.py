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
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from math import sqrt
from pathlib import Path
from random import Random
from statistics import mean, median
from typing import Any

from benchmarks.oracle import INDICATORS, Verdicts
from benchmarks.simulate import CAUSED, SCENARIOS, Truth, simulate
from toolkit import resources, sqlfile
from toolkit.casefile import CaseFolder
from toolkit.ingest.load import ingest
from toolkit.rebuild import rebuild
from toolkit.relations import RELATIONS
from toolkit.store import Store

Outcome = dict[str, Any]
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


def _bootstrap_ratio(groups: Sequence[Sequence[bool]]) -> str:
    """Share of true values, with an interval by drawing whole groups again."""
    if not groups:
        return "–"
    rng = Random(20)

    def share(drawn: Sequence[Sequence[bool]]) -> float:
        return sum(map(sum, drawn)) / sum(map(len, drawn))

    drawn = sorted(share(rng.choices(groups, k=len(groups))) for _ in range(400))
    return f"{share(groups):.3f} [{drawn[9]:.3f}, {drawn[389]:.3f}]"


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
        "forecast": [o["forecast"] for o in outcomes if o["forecast"]],
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
    shares = [mean(held) for held in summed["forecast"]]
    count = sum(len(held) for held in summed["forecast"])
    lines.append(f"  80 % band holds the completion: {_bootstrap_ratio(summed['forecast'])} of "
                 f"{count} forecasts in {len(shares)} recoveries")  # fmt: skip
    lines += ["", "bars", *(f"  {line}" for line in bars(summed))]
    return "\n".join(lines)


def _show_onsets(onsets: Sequence[Outcome]) -> list[str]:
    groups = {scenario: [row for row in onsets if row["scenario"] == scenario]
              for scenario in SCENARIOS}  # fmt: skip
    groups["job records"] = [row for row in onsets if row["jobs"]]
    groups["lag only"] = [row for row in onsets if not row["jobs"]]
    lines = []
    for name, rows in groups.items():
        if not rows:
            continue
        found = [row for row in rows if "width" in row]
        results = Counter(row["result"] for row in rows)
        wide = f"median {median(row['width'] for row in found):.2f}" if found else "–"
        lines.append(
            f"  {name:13} covered {_share(results['covered'], len(found) + results['missed']):34} "
            f"missed {results['missed']}, false {results['false']}; width {wide} cadences, within "
            f"2: {_share(sum(row['width'] <= 2 for row in found), len(found))}"
        )
    astray = sum(not row["inside"] for row in onsets if "inside" in row)
    return [*lines, f"  estimates outside of their own interval: {astray}"]


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
        f"  bytes found against planted, relative: "
        f"{_bootstrap([row['bytes_found'] / row['bytes'] - 1 for row in rows if row['bytes']])}",
        f"  hours off by at most 1.5 cadences: "
        f"{_share(sum(abs(off) <= 1.5 for off in offs), len(offs))}",
        f"  recovery class: {_share(sum(a == b for a, b in classes), len(classes))} {dict(wrong)}",
    ]


def _show_attribution(summed: Mapping[str, Any]) -> list[str]:
    lines = []
    for scenario in SCENARIOS:
        rows = [row for each, row in summed["attribution"] if each == scenario]
        if not rows:
            continue
        top = sum(row["first"] == row["cause"] for row in rows)
        claims = Counter(row["claim"] for row in rows)
        told = "–" if scenario not in CAUSED else _share(top, len(rows))
        lines.append(f"  {scenario:13} first candidate right {told:34} {dict(claims)}")
    top, caused, false, null = _attributed(summed)
    return [
        *lines,
        f"  all           first candidate right {_share(top, caused)}",
        f"  attributed although nothing caused it {_share(false, null)}",
    ]


def _attributed(summed: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Right first candidates of so many caused onsets, false claims of so many others."""
    caused = [row for scenario, row in summed["attribution"] if scenario in CAUSED]
    null = [row for scenario, row in summed["attribution"] if scenario not in CAUSED]
    return (
        sum(row["first"] == row["cause"] for row in caused), len(caused),
        sum(row["claim"] == "attributed" for row in null), len(null),
    )  # fmt: skip


def bars(summed: Mapping[str, Any]) -> list[str]:
    """Each bar with what was measured, and whether it is met."""
    lines = []

    def bar(name: str, value: float | None, low: float, high: float = 1.0) -> None:
        if value is not None:
            met = "met   " if low <= value <= high else "MISSED"
            lines.append(f"{met} {name}: {value:.3f} (bar {low:g} to {high:g})")

    def share(hits: int, of: int) -> float | None:
        return hits / of if of else None

    worst: dict[str, float] = {}
    for rule, counts in summed["rules"].items():
        if rule in INDICATORS:
            continue
        hits = counts.get("exception>exception", 0)
        false = counts.get("ok>exception", 0) + counts.get("undetermined>exception", 0)
        missed = sum(n for pair, n in counts.items() if pair.startswith("exception>")) - hits
        ratios = [hits / (hits + each) for each in (false, missed) if hits + each]
        worst[rule] = min(ratios, default=1.0)
    if worst:
        rule = min(worst, key=lambda each: (worst[each], each))
        bar(f"lowest precision or recall of a deterministic rule ({rule})", worst[rule], 0.98)
    top, caused, false, null = _attributed(summed)
    bar("first candidate right", share(top, caused), 0.95)
    bar("attributed although nothing caused it", share(false, null), 0.0, 0.05)
    jobs = [row for row in summed["onsets"] if row["jobs"] and row["result"] != "false"]
    bar("onset covered where job records exist",
        share(sum(row["result"] == "covered" for row in jobs), len(jobs)), 0.95)  # fmt: skip
    widths = [row["width"] for row in jobs if "width" in row]
    if widths:
        bar("median width of these in cadences", median(widths), 0.0, 2.0)
        bar("share of these within 2 cadences", share(sum(w <= 2 for w in widths), len(widths)),
            0.95)  # fmt: skip
    held = [each for group in summed["forecast"] for each in group]
    bar("80 % band holds", share(sum(held), len(held)), 0.75, 0.85)
    return lines


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
    parser.add_argument("--scenario", choices=SCENARIOS, action="append")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the measures here")
    parser.add_argument("--disagreements", action="store_true", help="list each of them")
    parser.add_argument("--removal", type=int, default=0, help="cases for the law of removal")
    chosen = parser.parse_args()
    wanted = incidents(chosen.incidents, chosen.seed, chosen.scenario or SCENARIOS)
    with ProcessPoolExecutor(chosen.processes) as pool:
        outcomes = []
        for outcome in pool.map(_measure, wanted):
            outcomes.append(outcome)
            if sys.stderr.isatty():
                print(f"\r{len(outcomes)} of {len(wanted)}", end="", file=sys.stderr)
    if chosen.disagreements:
        for outcome in outcomes:
            _show_disagreements(outcome)
    summed = summary(outcomes)
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
