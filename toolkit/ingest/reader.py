"""What a reader is: one format, one file in `toolkit/readers/`, registered by subclassing.

A reader says by which traits it knows its format (`matches`), and turns a file into records, each
of which ends in exactly one call on the sink: accepted, continued, skipped or rejected. It never
opens files, parses times, checks vocabularies or touches the database: the sink does.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Protocol

from toolkit.ingest.container import EvidenceFile, Record
from toolkit.timestamps import Instant, TimeRule

Value = str | int | float | bool | Instant | None
Row = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What the case file, a mapping or the command line says about one file."""

    format: str | None = None
    zone: str | None = None
    year: int | None = None
    mapping: str | None = None
    asset_id: str | None = None
    clock_offset_seconds: float = 0.0
    order: str | None = None
    captured_at: str | None = None
    target_asset: str | None = None


def target_of(relation: str, settings: SourceSettings) -> str | None:
    """The target that the case declares for samples that name none."""
    return settings.target_asset if relation == "replication_sample" else None


class Sink(Protocol):
    """Where a reader's records go. Each record must end in exactly one call."""

    def accept(self, record: Record, *rows: tuple[str, Row]) -> bool:
        """Take the rows of a record, each as (relation, values by column).

        Values may be raw text: the sink reads instants (by `rule` and the source's zone), numbers
        and words, and rejects the whole record, with its raw bytes and the field, if one cannot be
        read. Columns that are left out are NULL. Returns whether the record was accepted.
        """

    def continued(self, record: Record) -> None:
        """The record is part of the one before it (a wrapped line, a stack trace)."""

    def skip(self, record: Record, reason: str) -> None:
        """The record says nothing by its format's own definition (a blank line, a comment)."""

    def reject(self, record: Record, code: str, reason: str, *, field: str | None = None) -> None:
        """The record cannot be read; it is kept with its bytes."""

    def rule(self, column: str, rule: TimeRule) -> None:
        """State how the times of a column are read, where the format itself says so."""

    def note(self, record: Record, column: str, code: str, raw: str) -> None:
        """Keep a word or value that was accepted, but not as it stood."""

    def incomplete(self, reason: str) -> None:
        """The export hit a known limit of its format, so it may not hold all records."""


class Reader(ABC):
    """One format of evidence.

    `name` is what the case file and `--as` call it. `matches` is a conjunction of traits that no
    other format has; it must not raise on any bytes. The remaining attributes are the format's
    line in the catalogue; `sample` holds at least one record as the format really looks.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    title: ClassVar[str]
    fills: ClassVar[tuple[str, ...]]
    obtain: ClassVar[str]
    traps: ClassVar[tuple[str, ...]] = ()
    needs_zone: ClassVar[bool] = False
    sample: ClassVar[bytes]

    @abstractmethod
    def matches(self, file: EvidenceFile) -> bool:
        """Whether the file is in this format, by its content alone."""

    @abstractmethod
    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        """Send every record of the file to the sink, in the order of the file."""


@cache
def readers() -> Mapping[str, Reader]:
    """Every reader by name, found by importing the modules of `toolkit.readers`."""
    package = importlib.import_module("toolkit.readers")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    found: dict[str, Reader] = {}
    for kind in _leaves(Reader):  # type: ignore[type-abstract]
        if kind.name in found:
            raise AssertionError(f"two readers are named {kind.name}")
        found[kind.name] = kind()
    return dict(sorted(found.items()))


def _leaves(kind: type[Reader]) -> Iterable[type[Reader]]:
    children = kind.__subclasses__()
    if not children:
        yield kind
    for child in children:
        yield from _leaves(child)
