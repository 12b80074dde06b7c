"""A heat map: shares per row and day, in classes that differ in pattern and in darkness."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from toolkit.report.model import HeatMap
from toolkit.report.pictures.scale import (
    LABELS,
    SMALL,
    WIDTH,
    Axis,
    Label,
    Scale,
    axis,
    label,
    shown,
)  # fmt: skip
from toolkit.report.words import percent

ROWS = 30
CELLS = 1500  # drawn at most; days share a cell beyond
RIGHT = 64.0  # room for the highest share of a row
BOUNDS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)  # upper ends of the classes 0 to 5
NAMES = ("none", "up to 10 %", "up to 25 %", "up to 50 %", "up to 75 %", "above 75 %")


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of one row and class as one path; class -1 has nothing on record."""

    level: int
    path: str


@dataclass(frozen=True, slots=True)
class Row:
    name: Label
    y: float
    cells: tuple[Cells, ...]
    highest: str
    title: str


@dataclass(frozen=True, slots=True)
class KeyEntry:
    x: float
    level: int
    name: str


@dataclass(frozen=True, slots=True)
class Drawing:
    height: float
    axis: Axis
    bar: float
    rows: tuple[Row, ...]
    keys: tuple[KeyEntry, ...]
    key_y: float
    unit: Label
    note: Label


def level(share: float | None) -> int:
    """The class of a share: 0 for none, -1 where nothing is on record."""
    if share is None:
        return -1
    return next((n for n, bound in enumerate(BOUNDS) if share <= bound), len(BOUNDS) - 1)


def placed(picture: HeatMap, zone: tzinfo) -> Drawing:
    """One row per name, one cell per day; several days share one where there are too many."""
    drawn = picture.rows[:ROWS]
    days = picture.days
    step = max(1, -(-len(days) * len(drawn) // CELLS), -(-len(days) // 190))
    left, right = LABELS, WIDTH - RIGHT
    width = (right - left) / max(-(-len(days) // step), 1)
    bar = 22.0 if len(drawn) <= 12 else 14.0
    rows = []
    y = 22.0
    for name, shares in drawn:
        classes: dict[int, list[str]] = {}
        runs = _runs(shares, step)
        for first, count, number in runs:
            x, end = round(left + first * width, 1), round(left + (first + count) * width, 1)
            classes.setdefault(number, []).append(f"M{x},{y}H{end}V{y + bar}H{x}Z")
        rows.append(
            Row(
                label(name, LABELS - 8),
                y,
                tuple(Cells(number, "".join(path)) for number, path in sorted(classes.items())),
                *_highest(name, shares, days),
            )
        )
        y += bar + 4
    keys = [KeyEntry(4.0 + 96 * n, n, told) for n, told in enumerate(NAMES)]
    keys.append(KeyEntry(4.0 + 96 * 6, -1, "no record"))
    notes = [shown(picture.rows, ROWS, "rows")]
    if step > 1:
        notes.append(f"One cell stands for {step} days and shows the worst of them.")
    note = label(" ".join(part for part in notes if part), WIDTH - 8, SMALL)
    return Drawing(
        y + 62 + (14 if note.text else 0),
        _days(days, left, right, y, zone),
        bar,
        tuple(rows),
        tuple(keys),
        y + 40,
        label(f"Share of {picture.unit}:", WIDTH - 8, SMALL),
        note,
    )


def _runs(shares: tuple[float | None, ...], step: int) -> list[tuple[int, int, int]]:
    """First cell, number of cells and class of each run of one class."""
    found: list[tuple[int, int, int]] = []
    for cell, start in enumerate(range(0, len(shares), step)):
        number = max(level(share) for share in shares[start : start + step])
        if found and found[-1][2] == number:
            found[-1] = (found[-1][0], found[-1][1] + 1, number)
        else:
            found.append((cell, 1, number))
    return found


def _highest(
    name: str, shares: tuple[float | None, ...], days: tuple[date, ...]
) -> tuple[str, str]:
    known = [(share, day) for share, day in zip(shares, days, strict=True) if share is not None]
    if not known:
        return "no record", f"{name}: nothing on record"
    share, day = max(known, key=lambda pair: (pair[0], -pair[1].toordinal()))
    return percent(share), f"{name}: highest {percent(share)} on {day.isoformat()}"


def _days(days: tuple[date, ...], left: float, right: float, y: float, zone: tzinfo) -> Axis:
    """An axis of days; they begin at midnight of the zone, which the note names."""
    first, last = (days[0], days[-1]) if days else (date(2000, 1, 1), date(2000, 1, 1))
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    found = axis(Scale(start, end, left, right), UTC, y, most=10, whole_days=True)
    note = label(found.note.text.replace("UTC", str(zone)), LABELS - 18, SMALL)
    return Axis(found.y, found.left, found.right, found.ticks, note)
