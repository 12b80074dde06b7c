"""The measures of simulated incidents as tables, and against the bars that they are held to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import sqrt
from random import Random
from statistics import mean, median
from typing import Any

from benchmarks.oracle import INDICATORS
from benchmarks.parts import Rises
from benchmarks.simulate import CAUSED, SCENARIOS

Outcome = dict[str, Any]


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


def summary(
    outcomes: Sequence[Outcome],
    bands: Sequence[Sequence[bool]] = (),
    rises: Sequence[Rises] = (),
) -> dict[str, Any]:
    """All measures over the incidents and over the parts judged alone, as numbers."""
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
        "bands": [held for held in bands if held],
        "rises": [asdict(each) for each in rises],
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
    for name, groups in (("of incidents", summed["forecast"]), ("of fleets", summed["bands"])):
        count = sum(len(held) for held in groups)
        lines.append(f"  80 % band holds the completion: {_bootstrap_ratio(groups)} of {count} "
                     f"forecasts in {len(groups)} recoveries {name}")  # fmt: skip
    lines += ["", "rise of lag without job records", *_show_rises(summed["rises"])]
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


def _show_rises(rows: Sequence[Outcome]) -> list[str]:
    if not rows:
        return ["  –"]
    planted, covered, missed, without, false = (
        sum(row[name] for row in rows)
        for name in ("planted", "covered", "missed", "series_without", "false")
    )
    widths = [width for row in rows for width in row["widths"]]
    return [
        f"  covered {_share(covered, planted - missed)} missed {missed} of {planted}; width median "
        f"{median(widths) if widths else 0:g} samples; false {false} in {planted + without} series"
    ]


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
    held = [each for group in [*summed["forecast"], *summed["bands"]] for each in group]
    bar("80 % band holds", share(sum(held), len(held)), 0.75, 0.85)
    found = sum(row["planted"] - row["missed"] for row in summed["rises"])
    bar("rise of lag covered", share(sum(row["covered"] for row in summed["rises"]), found), 0.95)
    return lines
