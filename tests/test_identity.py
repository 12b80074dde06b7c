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


BUILD = """
import sys
from pathlib import Path
from toolkit import seal, verbs
from toolkit.casefile import CaseFolder
path = Path(sys.argv[1])
verbs.ingest_case(path)
verbs.rebuild_case(path)
seal.seal(CaseFolder.open(path), formats=("pdf", "html"))
"""


def _built(folder: Path, surroundings: dict[str, str]) -> dict[str, str]:
    """Digests of every file of the bag, the reports among them, by path below the bag."""
    case = folder / "went-well"
    shutil.copytree(SMALL, case)
    subprocess.run(
        [sys.executable, "-c", BUILD, str(case)],
        check=True, capture_output=True, cwd=folder,
        env=os.environ | surroundings | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    bag = case / "output" / "bag"
    return {
        path.relative_to(bag).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(bag.rglob("*"))
        if path.is_file()
    }


def test_two_folders_give_identical_reports_and_bags(tmp_path: Path) -> None:
    (tmp_path / "a longer name, with blanks").mkdir()
    (tmp_path / "b").mkdir()
    one = _built(tmp_path / "a longer name, with blanks", SURROUNDINGS[0])
    two = _built(tmp_path / "b", SURROUNDINGS[1])
    for name in ("review.html", "audit.pdf", "summary.pdf"):
        assert f"data/reports/{name}" in one
    assert "tagmanifest-sha256.txt" in one
    assert {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)} == set()
