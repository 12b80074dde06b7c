"""Golden cases: folders of small files, loaded as a user's case would be.

A folder holds CSV files named after input relations, optionally `case.toml` and `procedures/`, and
`expected.csv` with what must come out.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Collection
from pathlib import Path

from toolkit.casefile import CaseFolder
from toolkit.ingest.load import ingest
from toolkit.rebuild import rebuild
from toolkit.store import Store

FOLDER = Path(__file__).parent / "golden"


def build(
    golden: Path, into: Path, only: Collection[str] | None = None, *, in_memory: bool = False
) -> tuple[CaseFolder, Store]:
    """Make a case of a golden folder, ingest and rebuild it; the caller closes the store."""
    (into / "evidence").mkdir(parents=True)
    for file in golden.glob("*.csv"):
        if file.name != "expected.csv":
            shutil.copy(file, into / "evidence" / file.name)
    if (golden / "procedures").is_dir():
        shutil.copytree(golden / "procedures", into / "procedures")
    declared = golden / "case.toml"
    head = declared.read_text() if declared.exists() else ""
    if "title" not in head:
        head = f'title = "{golden.parent.name} {golden.name}"\n' + head
    (into / "case.toml").write_text(head)
    case = CaseFolder.open(into)
    store = Store.create(None if in_memory else case.database)
    done = ingest(store, case)
    assert not done.refusals, [str(refusal) for refusal in done.refusals]
    assert not [loaded for loaded in done.files if loaded.rejected], done.files
    rebuild(store, case, only)
    return case, store


def expected(golden: Path) -> list[dict[str, str]]:
    """The rows of expected.csv; an empty cell stands for NULL."""
    with (golden / "expected.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
