"""Shared by all tests: where the real data lie, and a case made of a few files."""

from __future__ import annotations

import sys
from pathlib import Path

import hypothesis
import pytest

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
