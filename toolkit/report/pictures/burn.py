"""A burn-down: steps of what remains, and when the forecast sees it done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from toolkit.report.model import BurnDown
from toolkit.report.pictures.scale import (
    RIGHT,
    SMALL,
    WIDTH,
    Axis,
    Label,
    Level,
    Scale,
    axis,
    label,
    levels,
)  # fmt: skip

LEFT = 60.0
HEIGHT = 190.0
TOP = 24.0


@dataclass(frozen=True, slots=True)
class End:
    """A point of the forecast on the line of zero; `beyond` where it lies outside."""

    x: float
    sign: str
    text: str
    key_x: float
    beyond: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    height: float
    axis: Axis
    top: float
    levels: tuple[Level, ...]
    unit: Label
    steps: str
    band: str
    middle: str
    as_of: float | None
    as_of_y: float
    ends: tuple[End, ...]
    key_y: float
    note: Label


def placed(picture: BurnDown, zone: tzinfo) -> Drawing:
    """What remains from top to zero; the forecast as straight lines to its points."""
    scale = Scale(picture.start, picture.end, LEFT, WIDTH - RIGHT)
    bottom = TOP + HEIGHT
    highest = max((count for _, count in picture.remaining), default=0)

    def height(count: float) -> float:
        return round(bottom - HEIGHT * count / max(highest, 1), 1)

    points = [(scale(at), height(count)) for at, count in picture.remaining if at <= picture.end]
    steps = "".join(f"M{x},{y}" if n == 0 else f"H{x}V{y}" for n, (x, y) in enumerate(points))
    band = middle = ""
    now = None
    ends: list[End] = []
    if picture.as_of is not None and points:
        now = scale(picture.as_of)
        steps += f"H{max(now, points[-1][0])}"
        before = [count for at, count in picture.remaining if at <= picture.as_of]
        count = before[-1] if before else picture.remaining[0][1]

        def place(end: datetime) -> str:
            x, left = _spot(picture, scale, picture.as_of or end, count, end)
            return f"{x},{height(left)}"

        if picture.early is not None and picture.late is not None:
            corner = f" {scale(picture.end)},{bottom}" if picture.late > picture.end else ""
            band = f"{now},{height(count)} {place(picture.late)}{corner} {place(picture.early)}"
        if picture.middle is not None:
            middle = f"M{now},{height(count)}L{place(picture.middle)}"
        ends = _ends(picture, scale, zone)
    told = f"Done, as of {_day(picture.as_of, zone)}:" if ends and picture.as_of else ""
    return Drawing(
        bottom + (64 if ends else 34), axis(scale, zone, bottom, beside=False), TOP,
        levels(highest, bottom, HEIGHT), label(picture.unit, WIDTH - 20), steps, band, middle, now,
        bottom, tuple(ends), bottom + 46, label(told, 164, SMALL),
    )  # fmt: skip


def _spot(
    picture: BurnDown, scale: Scale, start: datetime, count: float, end: datetime
) -> tuple[float, float]:
    """Where a straight line from a count to none at `end` leaves the picture: place and count."""
    if end <= picture.end:
        return scale(end), 0.0
    share = (picture.end - start) / max(end - start, timedelta(seconds=1))
    return scale(picture.end), count * (1 - share)


def _ends(picture: BurnDown, scale: Scale, zone: tzinfo) -> list[End]:
    told = (("early", picture.early, "10 %"), ("middle", picture.middle, "50 %"),
            ("late", picture.late, "90 %"))  # fmt: skip
    found: list[End] = []
    for sign, at, share in told:
        if at is not None:
            beyond = at > picture.end
            text = f"{share}: {_day(at, zone)}" + (" (beyond)" if beyond else "")
            found.append(End(scale(at), sign, text, 176.0 + 176 * len(found), beyond))
    return found


def _day(at: datetime, zone: tzinfo) -> str:
    local = at.astimezone(zone)
    return f"{local.day} {local:%b} {local.year}"
