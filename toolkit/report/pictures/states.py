"""Bars that are divided into states, and the key that names the states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from toolkit.report.model import Bars, Stretch, Strips
from toolkit.report.pictures.scale import (
    BOLD,
    LABELS,
    RIGHT,
    SMALL,
    WIDTH,
    Axis,
    Label,
    Scale,
    axis,
    label,
    shown,
    width_of,
)  # fmt: skip

REGIONS = 12  # strips that fit on a page
SEGMENTS = 220  # of all strips together; shorter stretches give way beyond

_ORDER = (
    "operational", "ok", "degraded_performance", "partial_outage", "major_outage", "degraded",
    "under_maintenance", "unknown",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Segment:
    x: float
    width: float
    state: str
    label: str


@dataclass(frozen=True, slots=True)
class Key:
    """A sample of a state beside its name."""

    x: float
    y: float
    state: str
    name: Label


# The words of the text for states that the record names by one word of their own.
_IN_WORDS = {
    "resumed": "good again",
    "relinked": "linked again",
    "reseeded": "seeded anew",
    "reseeding": "being seeded",
    "lost": "recorded as lost",
}


def in_words(state: str) -> str:
    """A state as readers see it."""
    return _IN_WORDS.get(state, state.replace("_", " "))


def key(states: Iterable[str], y: float) -> tuple[tuple[Key, ...], float]:
    """The names of states in four columns, and the height below them."""
    told = tuple(
        Key(4 + n % 4 * 172, y + n // 4 * 17, state, label(in_words(state), 140, SMALL))
        for n, state in enumerate(states)
    )
    return told, y + (len(told) + 3) // 4 * 17 + 4


# -- strips ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlacedStrip:
    name: Label
    y: float
    said: tuple[Segment, ...]
    measured: tuple[Segment, ...]
    verdict: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class StripsDrawing:
    height: float
    left: float
    axis: Axis
    strips: tuple[PlacedStrip, ...]
    keys: tuple[Key, ...]
    note: str


def strips(picture: Strips, zone: tzinfo) -> StripsDrawing:
    """Two bars per region, said above measured, and the places where they differ below; one bar
    where nothing was measured."""
    left = LABELS + 34
    scale = Scale(picture.start, picture.end, left, WIDTH - RIGHT)
    drawn = picture.strips[:REGIONS]
    bars = [bar for strip in drawn for bar in (strip.said, strip.measured, strip.verdict)]
    least = 0.1
    while least < 4 and sum(len(_segments(bar, scale, least)) for bar in bars) > SEGMENTS:
        least *= 2
    pitch = 54 if any(strip.measured for strip in drawn) else 30
    found = tuple(
        PlacedStrip(
            label(strip.name, (LABELS - 28) / BOLD),
            8.0 + pitch * n,
            *(_segments(bar, scale, least) for bar in (strip.said, strip.measured, strip.verdict)),
        )
        for n, strip in enumerate(drawn)
    )
    y = 8.0 + pitch * len(found)
    states = {part.state for strip in found for part in (*strip.said, *strip.measured)}
    keys, height = key(
        sorted(states, key=lambda state: (_ORDER.index(state) if state in _ORDER else 99, state)),
        y + 26,
    )
    note = shown(picture.strips, REGIONS, "regions")
    if least > 0.1:
        minutes = (picture.end - picture.start).total_seconds() / 60
        length = round(least / (scale.right - left) * minutes) + 1
        note = f"{note} Stretches below {length} minutes are not drawn.".strip()
    if note:
        height += 14
    return StripsDrawing(height, left, axis(scale, zone, y), found, keys, note)


def _segments(stretches: Sequence[Stretch], scale: Scale, least: float) -> tuple[Segment, ...]:
    """Stretches as boxes; neighbours of one state are one, and what is too short is left out."""
    found: list[Segment] = []
    for part in stretches:
        x, end = scale(part.start), scale(part.end)
        if end - x < least:
            continue
        if found and found[-1].state == part.state:
            last = found[-1]
            if x - (last.x + last.width) < max(least, 0.2):
                x = found.pop().x
        width = round(end - x, 1)
        words = part.state.replace("_", " ")
        told = words if width_of(words, SMALL) + 8 < width else ""
        found.append(Segment(x, width, part.state, told))
    return tuple(found)


# -- bars --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlacedBar:
    name: Label
    y: float
    total: int
    total_x: float
    parts: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class BarsDrawing:
    height: float
    bars: tuple[PlacedBar, ...]
    keys: tuple[Key, ...]
    note: str


def bars(picture: Bars, _: tzinfo) -> BarsDrawing:
    """Horizontal bars on one scale, each divided into its states, with its total at the end."""
    left, right = LABELS + 24, WIDTH - 50
    drawn = picture.bars[:BARS]
    highest = max((sum(n for _, n in parts) for _, parts in drawn), default=1) or 1
    found = []
    y = 6.0
    for name, parts in drawn:
        x = left
        segments = []
        for state, count in parts:
            width = round((right - left) * count / highest, 1)
            told = str(count) if width_of(str(count), SMALL) + 6 < width else ""
            segments.append(Segment(round(x, 1), width, state, told))
            x += width
        total = sum(count for _, count in parts)
        found.append(
            PlacedBar(label(name, LABELS + 18), y, total, round(x + 5, 1), tuple(segments))
        )
        y += 24
    states = dict.fromkeys(state for _, parts in drawn for state, _ in parts)
    keys, height = key(states, y + 6)
    note = shown(picture.bars, BARS, "bars")
    return BarsDrawing(height + (14 if note else 0), tuple(found), keys, note)


BARS = 26  # that fit on a page
