"""What SQL cannot do well: segmentation, attribution, forecasts, graphs.

A step is one module here with a function `run` and a `STEP` that says what it reads and writes; it
is found by its being here. It reads relations from the store and hands back rows: it never touches
samples, files or the clock, and any chance in it has a fixed seed.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.store import Store


@dataclass(frozen=True, slots=True)
class Output:
    """A relation that a step writes: `columns` maps names to (SQL type, comment), in order."""

    title: str
    grain: str
    columns: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the rebuild that is written in Python.

    `run` returns the rows of every output, each row in the order of its columns; rows must be in a
    total order of their own, so that two runs give the same table.
    """

    id: str
    reads: tuple[str, ...]
    writes: Mapping[str, Output]
    run: Callable[[Store], Mapping[str, Sequence[Sequence[Any]]]]
    policy: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The text of the module, which stands for the query in the register."""
        return inspect.getsource(importlib.import_module(self.run.__module__))


@cache
def steps() -> Mapping[str, Step]:
    """Every step by its id."""
    found: dict[str, Step] = {}
    for module in pkgutil.iter_modules(__path__):
        step = getattr(importlib.import_module(f"{__name__}.{module.name}"), "STEP", None)
        if isinstance(step, Step):
            found[step.id] = step
    return dict(sorted(found.items()))
