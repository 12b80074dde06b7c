"""Shared by all tests: where the real data lie, and a case made of a few files."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import hypothesis
import pytest

from toolkit.case import Ran, run

# A shared machine has slow moments; a property is about results, never about time.
hypothesis.settings.register_profile("calm", deadline=None)
hypothesis.settings.load_profile("calm")

sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture
def shared_data() -> Path:
    """The real exports beside the project; tests that need them are skipped without."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the real data of ../shared/data are not here")
    return SHARED / "data"


def _sample(name: str, into: Path) -> tuple[Path, Ran]:
    case = into / name
    shutil.copytree(ROOT / "sample_data" / name, case, ignore=shutil.ignore_patterns("__pycache__"))
    return case, run(case, formats=("pdf", "html", "json"))


@pytest.fixture(scope="session")
def flagship(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """The large sample, from evidence to reports; tests that take it are slow."""
    return _sample("draas-2022", tmp_path_factory.mktemp("flagship"))


@pytest.fixture(scope="session")
def standby(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """The small sample of real exports, from evidence to reports."""
    return _sample("lost-standby", tmp_path_factory.mktemp("standby"))
