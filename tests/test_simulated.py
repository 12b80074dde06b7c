"""The product against simulated incidents whose truth is planted."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.simulate import simulate
from benchmarks.tables import bars, summary
from benchmarks.truth import measure, removal_breaches


def test_the_same_seed_gives_the_same_case(tmp_path: Path) -> None:
    first = simulate("decoy", 5, tmp_path / "a")
    second = simulate("decoy", 5, tmp_path / "b")
    assert first == second
    names = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_nothing_is_found_where_nothing_happened() -> None:
    outcome = measure("clean", 2)
    assert [row for row in outcome["rules"] if row[3] == "exception"] == []
    assert outcome["onsets"] == []
    assert outcome["attribution"] is None
    assert outcome["impact"]["false"] == 0


@pytest.mark.parametrize(
    ("scenario", "seed"),
    [
        ("flagship", 11),
        *[pytest.param(name, 11, marks=pytest.mark.slow)
          for name in ("network", "decoy", "slow_lag", "wrong_target", "partition")],
    ],
)  # fmt: skip
def test_what_was_planted_is_found(scenario: str, seed: int) -> None:
    outcome = measure(scenario, seed)
    wrong = [row for row in outcome["rules"] if "exception" in row[2:] and row[2] != row[3]]
    assert [row for row in wrong if row[2] != "open"] == []
    assert {row["result"] for row in outcome["onsets"]} == {"covered"}
    assert all(row["inside"] and row["width"] <= 2 for row in outcome["onsets"])
    assert outcome["impact"]["missed"] == outcome["impact"]["false"] == 0
    told = outcome["attribution"]
    if told["cause"] is None:
        assert told["claim"] != "attributed"
    else:
        assert told["first"] == told["cause"]
    assert not [
        line for line in bars(summary([outcome])) if "MISSED" in line and "band" not in line
    ]


@pytest.mark.slow
def test_missing_evidence_makes_nothing_right() -> None:
    taken = ("maintenance_event", "asset_state", "dependency", "approval")
    assert removal_breaches("flagship", 2, taken) == []
