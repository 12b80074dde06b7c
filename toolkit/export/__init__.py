"""Exports: what a rebuilt case says, in the forms that other tools and readers take.

    formats()                                  # name → module
    export(store, "timesketch", target)        # writes, and says what it wrote and left out

An export leaves the house: people appear as roles, unless `names` keeps them. One module per
format, found by its being there: it has `TITLE`, `NAME` (of the file or folder it writes) and
`export(store, facts, target) -> Written`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Protocol, cast

from toolkit.errors import UsageError, did_you_mean
from toolkit.export.writing import Written
from toolkit.report import CaseFacts
from toolkit.store import Store

__all__ = ["Exporter", "Written", "export", "formats"]


class Exporter(Protocol):
    """What a module of this package offers."""

    TITLE: str
    NAME: str

    def export(self, store: Store, facts: CaseFacts, target: Path) -> Written:
        """Write the export to `target`; the same case gives the same bytes."""


@cache
def formats() -> Mapping[str, Exporter]:
    """Every export by name."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        if hasattr(loaded, "export"):
            found[module.name] = cast(Exporter, loaded)
    return found


def export(store: Store, form: str, folder: Path, *, names: bool = False,
           target: Path | None = None) -> Written:  # fmt: skip
    """Write an export into a folder, or to `target`.

    Raises UsageError for an unknown form, and for a target that cannot be written or holds what is
    no export.
    """
    if form not in formats():
        raise UsageError(
            f"unknown form {form!r}", field="--to", remedy=did_you_mean(form, formats())
        )
    exporter = formats()[form]
    place = target or folder / exporter.NAME
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        return exporter.export(store, CaseFacts(store, names=names), place)
    except OSError as error:
        raise UsageError(
            f"cannot be written: {error.strerror or error}", path=place, remedy="check --output"
        ) from None
