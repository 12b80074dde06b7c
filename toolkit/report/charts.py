"""Positions for the pictures: data coordinates in, drawing units out.

The templates only draw what stands here. Drawing units are those of an SVG view box that is
`WIDTH` wide; text in it is set at 11 units.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from toolkit.report.model import Bars, Lane, Stretch, Strips, Swimlanes

WIDTH = 700.0
LABELS = 112.0  # room for the names at the left
RIGHT = 14.0
MARK = 15.0  # room that a numbered mark takes
ROWS = 4  # rows of marks that a lane grows to
GLYPH = 5.6  # usual width of a letter

_STEPS = [
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1),
    timedelta(hours=3), timedelta(hours=6), timedelta(hours=12), timedelta(days=1),
    timedelta(days=2), timedelta(days=7), timedelta(days=14), timedelta(days=28),
    timedelta(days=91), timedelta(days=364),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    label: str
    strong: bool


class Scale:
    """Maps instants to positions; both ends stay inside the picture."""

    def __init__(self, start: datetime, end: datetime, left: float, right: float) -> None:
        self.start, self.left, self.right = start, left, right
        self._seconds = max((end - start).total_seconds(), 1.0)

    def __call__(self, at: datetime) -> float:
        share = (at - self.start).total_seconds() / self._seconds
        return round(self.left + min(max(share, 0.0), 1.0) * (self.right - self.left), 1)


def ticks(start: datetime, end: datetime, scale: Scale, zone: tzinfo) -> tuple[Tick, ...]:
    """At most eleven round instants of the zone, labelled with day or hour."""
    step = next((step for step in _STEPS if (end - start) / step <= 11), (end - start) / 8)
    daily = step >= timedelta(days=1)
    at = start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    found: list[Tick] = []
    while at <= end:
        if at >= start:
            midnight = at.hour == at.minute == 0
            label = f"{at.day} {at:%b}" if daily or midnight else f"{at:%H:%M}"
            if not found or scale(at) - found[-1].x > 4:
                found.append(Tick(scale(at), label, midnight and not daily))
        at += step
    return tuple(found)


# -- swim lanes --------------------------------------------------------------------------------


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
    name: str
    y: float
    height: float
    marks: tuple[PlacedMark, ...]


@dataclass(frozen=True, slots=True)
class SwimlanesDrawing:
    height: float
    left: float
    right: float
    axis_y: float
    ticks: tuple[Tick, ...]
    lanes: tuple[PlacedLane, ...]
    area: str
    area_y: float
    area_height: float
    area_max: int


def swimlanes(picture: Swimlanes, zone: tzinfo) -> SwimlanesDrawing:
    """Lanes from top to bottom, then the area of machines in a gap, then the axis."""
    left, right = LABELS, WIDTH - RIGHT
    scale = Scale(picture.start, picture.end, left, right)
    y = 6.0
    lanes = []
    for lane in picture.lanes:
        placed = _lane(lane, scale, y)
        lanes.append(placed)
        y += placed.height + 3
    area, area_y, area_height, highest = "", y + 4, 0.0, 0
    if picture.gaps:
        area_height = 46.0
        highest = max(count for _, count in picture.gaps)
        area = _area(picture, scale, area_y, area_height, highest)
        y = area_y + area_height
    marks = ticks(picture.start, picture.end, scale, zone)
    return SwimlanesDrawing(
        y + 24, left, right, y + 4, marks, tuple(lanes), area, area_y, area_height, highest
    )


def _lane(lane: Lane, scale: Scale, y: float) -> PlacedLane:
    """Stack marks that would cover one another; leave out repeats at one place."""
    seen: set[tuple[int, str]] = set()
    taken: list[tuple[int, float, float]] = []
    placed: list[PlacedMark] = []
    for mark in sorted(lane.marks, key=lambda mark: (mark.number is None, mark.at, mark.text)):
        x = scale(mark.at)
        place = (round(x / 3), mark.shape)
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
        placed.append(
            PlacedMark(x, y + 10 + row * 14, early, late, mark.shape, mark.text, mark.number)
        )
    used = 1 + max((row for row, *_ in taken), default=0)
    placed.sort(key=lambda mark: (mark.x, mark.y))
    return PlacedLane(lane.name, y, used * 14 + 6, tuple(placed))


def _free_row(taken: Sequence[tuple[int, float, float]], left: float, right: float) -> int | None:
    for row in range(ROWS):
        if all(right <= start or left >= end for at, start, end in taken if at == row):
            return row
    return None


def _area(picture: Swimlanes, scale: Scale, y: float, height: float, highest: int) -> str:
    bottom = y + height
    before = [count for at, count in picture.gaps if at <= picture.start]
    level = before[-1] if before else 0
    path = [f"M{scale(picture.start)},{bottom}", f"V{_level(level, highest, bottom, height)}"]
    last_x = scale(picture.start)
    for at, count in picture.gaps:
        if not picture.start < at <= picture.end:
            continue
        x = scale(at)
        if x > last_x:
            path.append(f"H{x}")
            last_x = x
        path.append(f"V{_level(count, highest, bottom, height)}")
    path += [f"H{scale(picture.end)}", f"V{bottom}", "Z"]
    return "".join(_without_repeats(path))


def _level(count: int, highest: int, bottom: float, height: float) -> float:
    return round(bottom - height * count / max(highest, 1), 1)


def _without_repeats(steps: Iterable[str]) -> list[str]:
    """Of successive vertical steps only the last is seen."""
    kept: list[str] = []
    for step in steps:
        if kept and step[0] == "V" == kept[-1][0]:
            kept.pop()
        kept.append(step)
    return kept


# -- strips ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Segment:
    x: float
    width: float
    state: str
    label: str


@dataclass(frozen=True, slots=True)
class PlacedStrip:
    name: str
    y: float
    said: tuple[Segment, ...]
    measured: tuple[Segment, ...]
    verdict: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class StripsDrawing:
    height: float
    left: float
    right: float
    axis_y: float
    ticks: tuple[Tick, ...]
    strips: tuple[PlacedStrip, ...]
    states: tuple[str, ...]
    key_y: float


def strips(picture: Strips, zone: tzinfo) -> StripsDrawing:
    """Two bars per region, said above measured, and the places where they differ below."""
    left, right = LABELS + 34, WIDTH - RIGHT
    scale = Scale(picture.start, picture.end, left, right)
    y = 8.0
    placed = []
    for strip in picture.strips:
        placed.append(
            PlacedStrip(
                strip.name,
                y,
                _segments(strip.said, scale),
                _segments(strip.measured, scale),
                _segments(strip.verdict, scale),
            )
        )
        y += 54
    states = sorted(
        {part.state for strip in picture.strips for part in (*strip.said, *strip.measured)},
        key=lambda state: (_ORDER.index(state) if state in _ORDER else 99, state),
    )
    rows = (len(states) + 3) // 4
    marks = ticks(picture.start, picture.end, scale, zone)
    return StripsDrawing(
        y + 30 + rows * 17, left, right, y, marks, tuple(placed), tuple(states), y + 26
    )


_ORDER = (
    "operational", "ok", "degraded_performance", "partial_outage", "major_outage", "degraded",
    "under_maintenance", "unknown",
)  # fmt: skip


def _segments(stretches: Sequence[Stretch], scale: Scale) -> tuple[Segment, ...]:
    found: list[Segment] = []
    for part in stretches:
        x, end = scale(part.start), scale(part.end)
        width = round(end - x, 1)
        if width <= 0:
            continue
        if found and found[-1].state == part.state and abs(found[-1].x + found[-1].width - x) < 0.2:
            last = found.pop()
            x, width = last.x, round(end - last.x, 1)
        words = part.state.replace("_", " ")
        label = words if len(words) * GLYPH + 6 < width else ""
        found.append(Segment(x, width, part.state, label))
    return tuple(found)


# -- bars --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlacedBar:
    name: str
    y: float
    total: int
    total_x: float
    parts: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class BarsDrawing:
    height: float
    bars: tuple[PlacedBar, ...]
    states: tuple[str, ...]
    key_y: float


def bars(picture: Bars) -> BarsDrawing:
    """Horizontal bars on one scale, each divided into its states, with its total at the end."""
    left, right = LABELS + 24, WIDTH - 50
    highest = max((sum(n for _, n in parts) for _, parts in picture.bars), default=1) or 1
    placed = []
    states: list[str] = []
    y = 6.0
    for name, parts in picture.bars:
        x = left
        segments = []
        for state, count in parts:
            width = round((right - left) * count / highest, 1)
            label = str(count) if len(str(count)) * 6 + 4 < width else ""
            segments.append(Segment(round(x, 1), width, state, label))
            x += width
            if state not in states:
                states.append(state)
        total = sum(count for _, count in parts)
        placed.append(PlacedBar(name, y, total, round(x + 5, 1), tuple(segments)))
        y += 24
    rows = (len(states) + 3) // 4
    return BarsDrawing(y + 10 + rows * 17, tuple(placed), tuple(states), y + 6)
