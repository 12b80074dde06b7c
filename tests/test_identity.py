"""The same evidence gives the same bytes, wherever and under whatever surroundings it is built."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

SMALL = ROOT / "tests" / "cases" / "went-well"
# Of the pages that a reader gets, what two runs could differ in: paths, zones, hashes, locales.
SURROUNDINGS = (
    {"TZ": "UTC", "PYTHONHASHSEED": "1", "LC_ALL": "C.UTF-8"},
    {"TZ": "Australia/Sydney", "PYTHONHASHSEED": "2", "LC_ALL": "C"},
)


def _built(folder: Path, surroundings: dict[str, str]) -> dict[str, str]:
    """Digests of the reports and of every file of the bag, by path below the case."""
    case = folder / "went-well"
    shutil.copytree(SMALL, case)
    for command in (["run", str(case)], ["seal", str(case)]):
        subprocess.run(
            [sys.executable, "-m", "toolkit", *command],
            check=True, capture_output=True, cwd=folder,
            env=os.environ | surroundings | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    output = case / "output"
    return {
        path.relative_to(output).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.rglob("*"))
        if path.is_file()
    }


def test_two_folders_give_identical_reports_and_bags(tmp_path: Path) -> None:
    (tmp_path / "a longer name, with blanks").mkdir()
    (tmp_path / "b").mkdir()
    one = _built(tmp_path / "a longer name, with blanks", SURROUNDINGS[0])
    two = _built(tmp_path / "b", SURROUNDINGS[1])
    for name in ("review.html", "audit.pdf", "summary.pdf", "bag/tagmanifest-sha256.txt"):
        assert name in one
    assert {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)} == set()
