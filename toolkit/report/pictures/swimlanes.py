"""Swim lanes: events of several sources on one time axis, above the machines in a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from toolkit.report.model import Lane, Mark, Swimlanes
from toolkit.report.pictures.scale import LABELS, RIGHT, WIDTH, Axis, Label, Scale, axis, label
from toolkit.report.words import cut, visible

MARK = 15.0  # room that a numbered mark takes
ROWS = 4  # rows of marks that a lane grows to
DENSE = 60  # marks without a number, beyond which they stand for all at their place


@dataclass(frozen=True, slots=True)
class PlacedMark:
    x: float
    y: float
    early: float
    late: float
    shape: str
    text: str
    number: int | None


@dataclass(frozen=True, slots=True)
class PlacedLane:
    name: Label
    y: float
    height: float
    marks: tuple[PlacedMark, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    height: float
    axis: Axis
    lanes: tuple[PlacedLane, ...]
    area: str
    area_y: float
    area_max: int


def placed(picture: Swimlanes, zone: tzinfo) -> Drawing:
    """Lanes from top to bottom, then the area of machines in a gap, then the axis."""
    scale = Scale(picture.start, picture.end, LABELS, WIDTH - RIGHT)
    y = 6.0
    lanes = []
    for lane in picture.lanes:
        lanes.append(_lane(lane, scale, y))
        y += lanes[-1].height + 3
    area, area_y, highest = "", y + 4, 0
    if picture.gaps:
        highest = picture.highest()
        area = _area(picture, scale, area_y, 46.0, highest)
        y = area_y + 46.0
    return Drawing(y + 24, axis(scale, zone, y + 4), tuple(lanes), area, area_y, highest)


def _lane(lane: Lane, scale: Scale, y: float) -> PlacedLane:
    """Stack marks that would cover one another; leave out repeats at one place."""
    seen: set[tuple[int, str]] = set()
    taken: list[tuple[int, float, float]] = []
    found: list[PlacedMark] = []
    dense = sum(mark.number is None for mark in lane.marks) > DENSE
    for mark in sorted(lane.marks, key=_weight):
        x = scale(mark.at)
        place = (round(x / (12 if dense else 3)), mark.shape)
        if mark.number is None and place in seen:
            continue
        seen.add(place)
        half = MARK / 2 if mark.number is not None else 3.5
        row = _free_row(taken, x - half, x + half)
        if row is None:
            continue
        taken.append((row, x - half, x + half))
        early = scale(mark.early) if mark.early else x
        late = scale(mark.late) if mark.late else x
        found.append(
            PlacedMark(
                x,
                y + 10 + row * 14,
                early,
                late,
                mark.shape,
                cut(visible(mark.text), 32 if dense and mark.number is None else 160),
                mark.number,
            )
        )
    used = 1 + max((row for row, *_ in taken), default=0)
    found.sort(key=lambda mark: (mark.x, mark.y))
    return PlacedLane(label(lane.name, LABELS - 6), y, used * 14 + 6, tuple(found))


def _weight(mark: Mark) -> tuple[bool, bool, datetime, str]:
    """What is drawn first where there is no room for all: numbered marks, and among them those of
    what cannot be undone."""
    is_light = mark.shape not in ("irreversible", "onset")
    return mark.number is None, is_light, mark.at, mark.text


def _free_row(taken: Sequence[tuple[int, float, float]], left: float, right: float) -> int | None:
    for row in range(ROWS):
        if all(right <= start or left >= end for at, start, end in taken if at == row):
            return row
    return None


def _area(picture: Swimlanes, scale: Scale, y: float, height: float, highest: int) -> str:
    """The step function as a path; of the steps at one place the highest stays to be seen."""
    bottom = y + height

    def level(count: int) -> float:
        return round(bottom - height * count / max(highest, 1), 1)

    before = [count for at, count in picture.gaps if at <= picture.start]
    steps: dict[float, list[int]] = {scale(picture.start): [before[-1] if before else 0]}
    for at, count in picture.gaps:
        if picture.start < at <= picture.end:
            steps.setdefault(float(round(scale(at))), []).append(count)
    path = [f"M{scale(picture.start)},{bottom}"]
    for x, counts in steps.items():
        path.append(f"H{x}")
        if max(counts) > counts[-1]:
            path.append(f"V{level(max(counts))}")
        path.append(f"V{level(counts[-1])}")
    path += [f"H{scale(picture.end)}", f"V{bottom}", "Z"]
    return "".join(path)
