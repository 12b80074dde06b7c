"""Scales, ticks and labels that the pictures share.

Drawing units are those of an SVG view box that is `WIDTH` wide; text in it is set at `SIZE` units,
notes at `SMALL`.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from toolkit.report.words import cut, number, visible

WIDTH = 700.0
LABELS = 112.0  # room for the names at the left
RIGHT = 14.0
SIZE = 11.0
SMALL = 10.0
GLYPH = 6.2  # width of a letter at SIZE, in the wider of the usual fonts
BOLD = 1.1  # how much wider a strong letter is
FULL = 500  # letters of a name that its title keeps


# -- text --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Label:
    """A text that fits its room; `full` is the whole of it where it was shortened."""

    text: str
    full: str = ""


def width_of(text: str, size: float = SIZE) -> float:
    """Estimated width of a text; wide letters count for the code points that print shows."""
    letters = sum(8 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
    return letters * GLYPH * size / SIZE


def label(text: str, room: float, size: float = SIZE) -> Label:
    """A name of the evidence in one line, shortened to its room."""
    full = " ".join(visible(text).split())
    if width_of(full, size) <= room:
        return Label(full)
    kept = full
    while kept and width_of(kept, size) + width_of("…", size) > room:
        kept = kept[: min(len(kept) - 1, int(room * SIZE / GLYPH / size))]
    return Label(kept.rstrip() + "…", cut(full, FULL))


def lines(text: str, room: float, most: int, size: float = SMALL) -> tuple[Label, ...]:
    """A text in at most so many lines; the last one is shortened where it does not fit."""
    full = " ".join(visible(text).split())
    found: list[Label] = []
    rest = full
    while rest and len(found) < most - 1:
        line = ""
        for word in rest.split(" "):
            wider = f"{line} {word}".strip()
            if width_of(wider, size) > room:
                break
            line = wider
        if not line:  # a word that is wider than the room
            break
        found.append(Label(line))
        rest = rest[len(line) :].lstrip()
    if rest:
        last = label(rest, room, size)
        found.append(Label(last.text, cut(full, FULL) if last.full else ""))
    return tuple(found)


# -- time --------------------------------------------------------------------------------------


class Scale:
    """Maps instants to positions; both ends stay inside the picture."""

    def __init__(self, start: datetime, end: datetime, left: float, right: float) -> None:
        self.start, self.end, self.left, self.right = start, end, left, right
        self._seconds = max((end - start).total_seconds(), 1e-3)

    def __call__(self, at: datetime) -> float:
        share = (at - self.start).total_seconds() / self._seconds
        return round(self.left + min(max(share, 0.0), 1.0) * (self.right - self.left), 1)


@dataclass(frozen=True, slots=True)
class Tick:
    """A line at `x`; its label, if it has room for one, is centred at `label_x`."""

    x: float
    label_x: float
    label: str
    strong: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """A time axis at height `y`; `note` names what its labels leave out, the zone at least."""

    y: float
    left: float
    right: float
    ticks: tuple[Tick, ...]
    note: Label


_SECONDS = (1, 5, 15, 30, 60, 300, 900, 3600, 10800, 21600, 43200)
_DAYS = (1, 2, 7, 14)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)


def axis(
    scale: Scale,
    zone: tzinfo,
    y: float,
    *,
    most: int = 11,
    whole_days: bool = False,
    beside: bool = True,
) -> Axis:
    """An axis with at most so many labelled ticks at round instants of the zone.

    Labels keep clear of the note where it stands beside them, at the left edge of the picture.
    """
    start, end = scale.start.astimezone(zone), scale.end.astimezone(zone)
    instants = _instants(start, end, most, whole_days) or [(start, f"{start:%H:%M:%S}", False)]
    day = "" if any(":" not in text for _, text, _ in instants) else f"{start.day} {start:%b} "
    year = f"{start.year}" if start.year == end.year else f"{start.year}–{end.year}"
    note = label(f"{day}{year}, {zone}", LABELS - 18, SMALL)
    found: list[Tick] = []
    free = max(scale.left - 25, min(width_of(note.text, SMALL) + 4, scale.left) if beside else 0)
    for at, text, strong in instants:
        x = scale(at)
        half = width_of(text, SMALL) / 2
        label_x = round(min(x, WIDTH - half), 1)
        shown = text if label_x - half >= free else ""
        if shown:
            free = label_x + half + 5
        found.append(Tick(x, label_x, shown, strong))
    return Axis(y, scale.left, scale.right, tuple(found), note)


def _instants(
    start: datetime, end: datetime, most: int, whole_days: bool
) -> list[tuple[datetime, str, bool]]:
    """Round instants within, each with its label and whether it begins a day among hours."""
    span = (end - start).total_seconds()
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    for seconds in () if whole_days else _SECONDS:
        if span / seconds <= most:
            step = timedelta(seconds=seconds)
            first = midnight + math.ceil((start - midnight) / step) * step
            hours = "%H:%M:%S" if seconds < 60 else "%H:%M"
            return [
                (at, f"{at.day} {at:%b}", True)
                if _is_midnight(at)
                else (at, f"{at:{hours}}", False)
                for at in _steps(first, end, step)
            ]
    for days in _DAYS:
        if span / 86400 / days <= most:
            step = timedelta(days=days)
            first = midnight if midnight >= start else midnight + timedelta(days=1)
            return [(at, f"{at.day} {at:%b}", False) for at in _steps(first, end, step)]
    return [(at, f"{at:%b} {at.year}", False) for at in _month_starts(start, end, most)]


def _is_midnight(at: datetime) -> bool:
    return at.hour == at.minute == at.second == 0


def _steps(first: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    for count in range(int((end - first) / step) + 1 if first <= end else 0):
        yield first + count * step


def _month_starts(start: datetime, end: datetime, most: int) -> Iterator[datetime]:
    first, last = start.year * 12 + start.month, end.year * 12 + end.month - 1
    step = next((step for step in _MONTHS if (last - first + 1) / step <= most), _MONTHS[-1])
    for month in range(-(-first // step) * step, last + 1, step):
        yield start.replace(
            year=month // 12, month=month % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0
        )


# -- values ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Level:
    """A height with the value that it stands for."""

    y: float
    label: str


def levels(highest: float, bottom: float, height: float, most: int = 4) -> tuple[Level, ...]:
    """Round values from zero to the highest or just below it."""
    if not highest > 0:
        return (Level(bottom, "0"),)
    step = _round_up(highest / most)
    count = int(highest / step + 1e-9)
    return tuple(
        Level(round(bottom - height * n * step / highest, 1), number(round(n * step, 6), 6))
        for n in range(count + 1)
    )


def _round_up(value: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(n * power for n in (1, 2, 2.5, 5, 10) if n * power >= value * (1 - 1e-9))


def shown(names: Sequence[object], most: int, what: str) -> str:
    """What a picture leaves out of its rows; nothing where it shows them all."""
    if len(names) <= most:
        return ""
    return f"{most} of {number(len(names))} {what} shown; the relation holds the others."
