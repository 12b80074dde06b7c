"""Barriers: the checks between a step and harm, one below the other on the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from toolkit.report.model import Barriers
from toolkit.report.pictures.scale import BOLD, WIDTH, Label, label, lines

NAME = 56.0
TEXT = 262.0
LINE = 13.0
ROWS = 20


@dataclass(frozen=True, slots=True)
class Row:
    y: float
    middle: float
    name: Label
    state: str
    text: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    height: float
    source: tuple[Label, ...]
    rows: tuple[Row, ...]
    outcome: tuple[Label, ...]
    outcome_y: float


def placed(picture: Barriers, _: tzinfo) -> Drawing:
    """The step above, each barrier across the way down, and below what happened."""
    source = lines(picture.source, (WIDTH - 24) / BOLD, 2)
    y = 14 + LINE * max(len(source), 1) + 14
    rows = []
    for barrier in picture.barriers[:ROWS]:
        told = lines(barrier.text, WIDTH - TEXT - 8, 3)
        height = max(34.0, LINE * len(told) + 12)
        rows.append(
            Row(
                y,
                y + height / 2,
                label(barrier.name, (TEXT - NAME - 10) / BOLD),
                barrier.state,
                told,
            )
        )
        y += height
    outcome = lines(picture.outcome, (WIDTH - 24) / BOLD, 2)
    return Drawing(y + LINE * max(len(outcome), 1) + 24, source, tuple(rows), outcome, y + 10)
