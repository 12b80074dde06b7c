"""Names of zones, offsets and abbreviations; their rules are those of `tzdata`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from toolkit.timestamps.terms import TimeError, quote

_ZERO = timedelta(0)
# RFC 822 fixed these eight; every other abbreviation means several zones.
_RFC822_HOURS = {"EST": -5, "CST": -6, "MST": -7, "PST": -8}
_RFC822_HOURS |= {"EDT": -4, "CDT": -5, "MDT": -6, "PDT": -7}
_PLACES_MEANT = {
    "EST": "America/New_York",
    "CST": "America/Chicago or Asia/Shanghai",
    "MST": "America/Denver or America/Phoenix",
    "PST": "America/Los_Angeles",
    "HST": "Pacific/Honolulu",
    "IST": "Europe/Dublin, Asia/Kolkata or Asia/Jerusalem",
    "BST": "Europe/London",
    "CEST": "Europe/Berlin",
    "JST": "Asia/Tokyo",
    "AEST": "Australia/Sydney or Australia/Brisbane",
    "AEDT": "Australia/Sydney",
    "NZST": "Pacific/Auckland",
}
# Names in the zone list that read like an abbreviation but hold no daylight saving time, or none.
_NOT_PLACES = frozenset({"EST", "MST", "HST", "Factory"})


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    names = resources.files("tzdata").joinpath("zones").read_text(encoding="ascii").split()
    return frozenset(names) - _NOT_PLACES


@lru_cache(maxsize=1024)
def _fixed(offset: str) -> timezone | None:
    """``+hh``, ``+hhmm`` or ``+hh:mm`` as a zone; None for anything else."""
    match = re.fullmatch(r"([+-])(0[0-9]|1[0-4]):?([0-5][0-9])?", offset)
    if match is None or offset.endswith(":"):
        return None
    delta = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(-delta if match[1] == "-" else delta)


@lru_cache(maxsize=1024)
def zone_named(name: str) -> tzinfo:
    if name in ("UTC", "Z"):
        return UTC
    fixed = _fixed(name)
    if fixed is not None:
        return fixed
    # The list is also the guard: only names that stand in it become a path.
    if name not in _zone_names():
        raise TimeError("TIME_UNKNOWN_ZONE", _unknown_zone(name))
    place = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with place.open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def _unknown_zone(name: str) -> str:
    reason = f"zone {quote(name)} is not known"
    hint = _PLACES_MEANT.get(name.upper())
    if hint is None:
        folded = {zone.lower(): zone for zone in sorted(_zone_names())}
        wanted = name.strip().lower().replace(" ", "_")
        cities = {zone.rsplit("/", 1)[-1]: zone for zone in folded}
        close = get_close_matches(wanted[:60], [*folded, *cities], n=1, cutoff=0.75)
        if close:
            hint = folded[close[0] if close[0] in folded else cities[close[0]]]
    if hint is not None:
        return f"{reason}; did you mean {hint}?"
    return f"{reason}; declare an IANA name such as Europe/Dublin, UTC, or an offset as +05:30"


def check_zone(name: str) -> None:
    """Accept an IANA zone name, ``UTC``, or a fixed offset such as ``+05:30``.

    Raises TimeError TIME_UNKNOWN_ZONE, with a suggestion where one is near. Abbreviations are
    refused even where the zone list holds them: ``MST`` is Phoenix there, not Denver.
    """
    zone_named(name)


def offset_at(zone: tzinfo, local: datetime, fold: int = 0) -> timedelta:
    # ZoneInfo and timezone read only the wall time and the fold, so a naive value will do.
    return zone.utcoffset(local.replace(fold=1) if fold else local) or _ZERO


def zone_in_value(
    token: str, local: datetime, declared: str | None
) -> tuple[tzinfo, str, tuple[str, ...]]:
    """Zone, basis and flags of the zone that a value prints."""
    upper = token.upper()
    if upper in ("Z", "UTC", "GMT"):
        return UTC, "utc", ()
    if token[0] in "+-":
        fixed = _fixed(token)
        if fixed is None:
            raise TimeError("TIME_UNKNOWN_ZONE", f"{quote(token)} is not an offset in use")
        return fixed, "offset", ()
    if "/" in token:
        return zone_named(token), "zone_in_record", ()
    flags = ("zone_abbreviation",)
    # An abbreviation of the declared zone, at a time when that zone uses it, has one meaning.
    if declared is not None:
        zone = zone_named(declared)
        for fold in (0, 1):
            if zone.tzname(local.replace(fold=fold)) == upper:
                return timezone(offset_at(zone, local, fold)), "zone_in_record", flags
    if upper in _RFC822_HOURS:
        return timezone(timedelta(hours=_RFC822_HOURS[upper])), "zone_in_record", flags
    raise TimeError("TIME_UNKNOWN_ZONE", f"in the value, {_unknown_zone(token)}")
