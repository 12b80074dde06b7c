"""Damaged evidence of every format: accounted for, or refused in one line (see `damaging`)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from damaging import EVIDENCE, cases_of, damage

from toolkit.store import Store

MUTATIONS = 6


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.create() as made:
        yield made


@pytest.mark.parametrize(
    ("label", "reader", "data", "declared"), [pytest.param(*each, id=each[0]) for each in EVIDENCE]
)
def test_damaged_evidence_is_accounted_for_or_refused(
    label: str, reader: str, data: bytes, declared: dict[str, Any], tmp_path: Path, store: Store
) -> None:
    dice = random.Random(f"20220309 {label}")
    cases = cases_of(reader, declared, tmp_path)
    for _ in range(MUTATIONS):
        damage(store, cases, data, dice)
