"""Text to UTC instants, with the uncertainty that the text leaves.

A time stamp in evidence is rarely an instant: it has a precision, it may lack a zone or a year,
and twice a year a local time happens twice or never. ``parse`` turns one value into an
``Instant``: a point in UTC, the interval that the value can mean, and flags for all that deviates.
It never guesses zone, year, day/month order or unit: where the value and its ``TimeRule`` do not
settle them, it raises a ``TimeError`` whose reason says what to declare.

Two questions can be answered only for many records at once, and are functions of their own: the
day/month order of a column (``prove_order``) and the years of a log that prints none
(``unwrap_years``).

Zone rules come from the ``tzdata`` distribution, never from the host, so that a value reads the
same on every machine.
"""

from __future__ import annotations

from toolkit.timestamps.columns import prove_order, unwrap_years
from toolkit.timestamps.epoch import parse_epoch
from toolkit.timestamps.forms import parse
from toolkit.timestamps.terms import (
    CODES,
    FIRST_YEAR,
    FLAGS,
    LAST_YEAR,
    Instant,
    TimeError,
    TimeRule,
)
from toolkit.timestamps.zones import check_zone

__all__ = [
    "CODES",
    "FIRST_YEAR",
    "FLAGS",
    "LAST_YEAR",
    "Instant",
    "TimeError",
    "TimeRule",
    "check_zone",
    "parse",
    "parse_epoch",
    "prove_order",
    "unwrap_years",
]
