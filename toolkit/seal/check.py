"""One line of the answer of `verify`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from toolkit.errors import VerificationFailed

Part = Literal["bag", "signatures", "numbers", "pages", "attachments and digest"]
FAILED, PASSED, NOTE = "failed", "passed", "note"
MOST_TOLD = 20
Lines = Iterator["Check"]


@dataclass(frozen=True, slots=True)
class Check:
    """`outcome` is `passed`, `failed` or `note` (what was not decided)."""

    part: Part
    outcome: str
    told: str


def limited(part: Part, faults: Sequence[str]) -> Lines:
    """Faults as failed checks, the first of them in full."""
    for fault in faults[:MOST_TOLD]:
        yield Check(part, FAILED, fault)
    if len(faults) > MOST_TOLD:
        yield Check(part, FAILED, f"and {len(faults) - MOST_TOLD} more")


def json_object(path: Path) -> dict[str, Any]:
    """A file of JSON that holds one object."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise VerificationFailed("the file is nested too deeply", path=path.name) from None
    if not isinstance(told, dict):
        raise VerificationFailed("the file does not hold one object of JSON", path=path.name)
    return told
