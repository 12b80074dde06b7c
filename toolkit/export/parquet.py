"""Every relation as Parquet, with a description of the columns (Data Package)."""

from __future__ import annotations

from pathlib import Path

from toolkit.export import bundle
from toolkit.export.writing import Written
from toolkit.report import CaseFacts
from toolkit.store import Store

TITLE = "all relations as Parquet, with a Data Package"
NAME = "parquet"
_NOTES = "Instants are in UTC. Long integers and intervals are text. " + bundle.CUT


def export(store: Store, facts: CaseFacts, target: Path) -> Written:
    """One file per relation in the folder `target`."""
    return bundle.write(
        store, facts, target, "parquet", "application/vnd.apache.parquet", bundle.write_parquet,
        _type_of, _NOTES,
    )  # fmt: skip


def _type_of(kind: str) -> str:
    return "string" if "HUGEINT" in kind else bundle.type_of(kind)
