"""Shared by all tests: where the real data lie, and a case made of a few files."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import sys
from pathlib import Path

import hypothesis
import pytest

from toolkit.verbs import run

# A shared machine has slow moments; a property is about results, never about time. Many examples
# are for those who change what a property is about: `pytest --hypothesis-profile=thorough`.
hypothesis.settings.register_profile("calm", deadline=None, max_examples=50)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=500)
hypothesis.settings.load_profile("calm")

# Pages are trees of many small objects that live as long as the page: looking for rings among them
# all the time takes a seventh of what it takes to lay a page out.
gc.set_threshold(100_000, 50, 100)

sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture
def shared_data() -> Path:
    """The real exports beside the project; tests that need them are skipped without."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the real data of ../shared/data are not here")
    return SHARED / "data"


def _sample(name: str, factory: pytest.TempPathFactory) -> Path:
    """A sample case, from evidence to reports; made once for all processes of a test run.

    No test writes to it: one that must, copies it.
    """
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    case, done = shared / "samples" / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(case, ignore_errors=True)
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / "sample_data" / name, case, ignore=skipped)
            run(case, formats=("pdf", "html", "json"))
            done.touch()
    return case


@pytest.fixture(scope="session")
def flagship(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The large sample; tests that take it are slow."""
    return _sample("draas-2022", tmp_path_factory)


@pytest.fixture(scope="session")
def standby(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small sample of real exports."""
    return _sample("lost-standby", tmp_path_factory)


# A process that meets a long file last leaves the others idle, so these begin; the two that make
# the samples first stand apart, for one waits while the other makes them.
LONGEST = (
    "test_samples_end_to_end", "test_seal", "test_golden", "test_docs", "test_house", "test_html",
    "test_report", "test_signatures", "test_findings", "test_conformance", "test_cli",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; within a file, and among the others, all stays as it is."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))
