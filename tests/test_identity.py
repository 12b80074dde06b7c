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
# All kinds are drawn by the same code; one in PDF, the one with files in it, shows what it does.
verbs.report(path, kinds=("review", "summary"), formats=("html",))
seal.seal(CaseFolder.open(path), kinds=("audit",), formats=("pdf", "html"))
"""


def _built(folder: Path, surroundings: dict[str, str]) -> dict[str, str]:
    """Digests of every report and every file of the bag, by path below the output."""
    case = folder / "went-well"
    shutil.copytree(SMALL, case)
    subprocess.run(
        [sys.executable, "-c", BUILD, str(case)],
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
    for name in ("review.html", "summary.html", "bag/data/reports/audit.pdf"):
        assert name in one
    assert "bag/tagmanifest-sha256.txt" in one
    assert {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)} == set()
