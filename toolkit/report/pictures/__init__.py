"""Positions for the pictures: data coordinates in, drawing units out.

The templates only draw what stands here: one module and one file of macros per picture.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import Any

from toolkit.report.model import (
    Barriers,
    Bars,
    BlastRadius,
    BurnDown,
    HeatMap,
    Picture,
    SmallMultiples,
    Strips,
    Swimlanes,
)
from toolkit.report.pictures import barrier, blast, burn, heat, multiples, states, swimlanes

_PLACED: dict[type, tuple[str, Callable[[Any, tzinfo], object]]] = {
    Swimlanes: ("swimlanes", swimlanes.placed),
    Strips: ("strips", states.strips),
    Bars: ("bars", states.bars),
    HeatMap: ("heat_map", heat.placed),
    BlastRadius: ("blast_radius", blast.placed),
    Barriers: ("barriers", barrier.placed),
    BurnDown: ("burn_down", burn.placed),
    SmallMultiples: ("small_multiples", multiples.placed),
}


def place(picture: Picture, zone: tzinfo) -> tuple[str, object]:
    """The name of the macro that draws a picture, and what it draws; axes are in the zone."""
    name, placed = _PLACED[type(picture)]
    return name, placed(picture, zone)
