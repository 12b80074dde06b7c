"""Every rule says of its golden cases what it must: fires, clean, missing, undetermined."""

from __future__ import annotations

from pathlib import Path

import pytest
from golden import FOLDER, build, expected

CASES = sorted(path.parent for path in (FOLDER / "findings").glob("*/*/expected.csv"))


@pytest.mark.parametrize("golden", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_rule_says_what_the_golden_case_expects(golden: Path, tmp_path: Path) -> None:
    rule = golden.parent.name.upper().replace("_", "-")
    _, store = build(golden, tmp_path / "case", only=[rule], in_memory=True)
    with store:
        wanted = expected(golden)
        columns = list(wanted[0])
        found = store.rows(
            f"select {', '.join(columns)} from rule_result where rule = ? order by all", [rule]
        )
    shown = [{name: "" if row[name] is None else str(row[name]) for name in row} for row in found]
    key = lambda row: tuple(row.values())  # noqa: E731
    assert sorted(shown, key=key) == sorted(wanted, key=key)
