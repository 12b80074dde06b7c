"""The product against simulated incidents whose truth is planted."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.simulate import simulate
from benchmarks.truth import measure, removal_breaches


def test_the_same_seed_gives_the_same_case(tmp_path: Path) -> None:
    first = simulate("decoy", 5, tmp_path / "a")
    second = simulate("decoy", 5, tmp_path / "b")
    assert first == second
    names = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("seed", [1, 2])
def test_no_rule_fires_on_clean_operations(seed: int) -> None:
    outcome = measure("clean", seed)
    assert [row for row in outcome["rules"] if row[3] == "exception"] == []
    assert outcome["onsets"] == []
    assert outcome["impact"]["false"] == 0


@pytest.mark.parametrize(("scenario", "seed"), [("flagship", 1), ("wrong_target", 2)])
def test_rules_say_what_was_planted(scenario: str, seed: int) -> None:
    outcome = measure(scenario, seed)
    wrong = [row for row in outcome["rules"] if "exception" in row[2:] and row[2] != row[3]]
    assert [row for row in wrong if row[2] != "open"] == []
    assert {row["result"] for row in outcome["onsets"]} == {"covered"}
    assert outcome["impact"]["missed"] == 0


def test_missing_evidence_makes_nothing_right() -> None:
    taken = ("maintenance_event", "asset_state", "dependency", "approval")
    assert removal_breaches("flagship", 2, taken) == []
