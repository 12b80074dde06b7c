"""Small multiples: series of one unit in panels of one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from toolkit.report.model import Panel, SmallMultiples
from toolkit.report.pictures.scale import (
    BOLD,
    SMALL,
    WIDTH,
    Axis,
    Label,
    Level,
    Scale,
    axis,
    label,
    levels,
    shown,
    width_of,
)  # fmt: skip

PANELS = 12
COLUMNS = 2
LEFT = 44.0
GAP = 20.0
HEIGHT = 58.0
BUCKET = 2.0  # width of a bucket in drawing units, twice that where panels are many


@dataclass(frozen=True, slots=True)
class PlacedMark:
    x: float
    label_x: float
    label: Label


@dataclass(frozen=True, slots=True)
class PlacedPanel:
    name: Label
    left: float
    right: float
    top: float
    bottom: float
    line: str
    dot: tuple[float, float] | None
    marks: tuple[PlacedMark, ...]
    axis: Axis | None
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    height: float
    panels: tuple[PlacedPanel, ...]
    unit: Label
    dated: Label
    note: Label


def placed(picture: SmallMultiples, zone: tzinfo) -> Drawing:
    """Panels in two columns; one alone takes the whole width."""
    drawn = picture.panels[:PANELS]
    columns = min(COLUMNS, max(len(drawn), 1))
    width = (WIDTH - 14 - columns * LEFT - (columns - 1) * GAP) / columns
    highest = max((value for panel in drawn for _, value in panel.points), default=0.0)
    rows = -(-len(drawn) // columns)
    bucket = BUCKET if len(drawn) <= PANELS / 2 else 2 * BUCKET
    found = []
    for n, panel in enumerate(drawn):
        left = LEFT + n % columns * (width + LEFT + GAP)
        top = 34.0 + n // columns * (HEIGHT + 32)
        scale = Scale(picture.start, picture.end, left, left + width)
        last = n + columns >= len(drawn)
        foot = (
            axis(scale, zone, top + HEIGHT, most=8 // columns + 2, beside=False) if last else None
        )
        found.append(_panel(panel, scale, top, highest, foot, bucket))
    whole = Scale(picture.start, picture.end, LEFT, WIDTH - 14)
    dated = axis(whole, zone, 0.0, most=8 // columns + 2).note
    note = label(shown(picture.panels, PANELS, "series"), WIDTH - 8, SMALL)
    return Drawing(
        34.0 + rows * (HEIGHT + 32) + (14 if note.text else 0),
        tuple(found),
        label(picture.unit, WIDTH - width_of(dated.text, SMALL) - 12, SMALL),
        dated,
        note,
    )


def _panel(
    panel: Panel, scale: Scale, top: float, highest: float, foot: Axis | None, bucket: float
) -> PlacedPanel:
    bottom = top + HEIGHT

    def height(value: float) -> float:
        return round(bottom - HEIGHT * max(value, 0.0) / (highest or 1.0), 1)

    points = [(scale(at), height(value)) for at, value in buckets(panel.points, scale, bucket)]
    line = "M" + "L".join(f"{x},{y}" for x, y in points) if len(points) > 1 else ""
    marks = _marks(panel.marks, scale)
    room = scale.right - scale.left
    return PlacedPanel(
        label(panel.name, room / BOLD),
        scale.left,
        scale.right,
        top,
        bottom,
        line,
        points[0] if len(points) == 1 else None,
        marks,
        foot,
        levels(highest, bottom, HEIGHT, most=2),
    )


def _marks(marks: Sequence[tuple[datetime, str]], scale: Scale) -> tuple[PlacedMark, ...]:
    """Instants with their words, as far as these do not meet."""
    free = scale.left
    found = []
    for at, word in sorted(marks):
        x = scale(at)
        told = label(word, 90, 9)
        width = width_of(told.text, 9)
        at_x = round(min(x + 3, scale.right - width), 1)
        if at_x < free:
            told = Label("", word)
        else:
            free = at_x + width + 4
        found.append(PlacedMark(x, at_x, told))
    return tuple(found)


def buckets(
    points: Sequence[tuple[datetime, float]], scale: Scale, width: float = BUCKET
) -> list[tuple[datetime, float]]:
    """First, lowest, highest and last point of every bucket: a spike of one sample stays."""
    groups: dict[int, list[tuple[datetime, float]]] = {}
    for point in sorted(points):
        if scale.start <= point[0] <= scale.end:
            groups.setdefault(int(scale(point[0]) / width), []).append(point)
    kept: list[tuple[datetime, float]] = []
    for found in groups.values():
        lowest, highest = min(found, key=_value), max(found, key=_value)
        kept += sorted({found[0], lowest, highest, found[-1]})
    return kept


def _value(point: tuple[datetime, float]) -> float:
    return point[1]
