"""How values read: numbers, sizes, durations, lists, and text of the evidence."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Literal

import nh3

Bound = Literal["near", "least", "most"]


def letters(number: int) -> str:
    """0 → A, 25 → Z, 26 → AA."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(65 + rest) + text
    return text


_KEPT = {ord("\n"): None, ord("\t"): None}


def visible(text: str) -> str:
    """Show control and direction characters instead of obeying them; keep line ends and tabs."""
    text = text.replace("\r\n", "\n")
    if text.translate(_KEPT).isprintable():
        return text
    return "".join(
        letter
        if letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn")
        else f"\\u{ord(letter):04x}"
        for letter in text
    )


_MARKUP = re.compile(r"</?(?:p|br|a|div|span|strong|em|b|i|ul|ol|li|small|var|h\d)\b[^<>]*>", re.I)
_BREAK = re.compile(r"<(?:br|/p|/li|/div|/h\d)\b[^<>]*>", re.I)


def without_markup(text: str) -> str:
    """The words of a post that may be HTML; text that is not HTML stays letter by letter."""
    if not _MARKUP.search(text):
        return text
    stripped = html.unescape(nh3.clean(_BREAK.sub("\n", text), tags=set()))
    return re.sub(r"[ \t]+", " ", re.sub(r"\n\s*\n+", "\n", stripped)).strip()


def number(value: float | int | None, digits: int = 2) -> str:
    """A number as it is read: thousands set apart, no digits that say nothing."""
    if value is None:
        return "unknown"
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}".replace(",", "\u00a0")
    return f"{float(value):,.{digits}f}".rstrip("0").rstrip(".").replace(",", "\u00a0")


def hours_of(value: float | None) -> float | None:
    """Hours with as many digits as they bear: whole ones from ten on."""
    return None if value is None else round(value) if value >= 10 else round(value, 2)


def size(count: float | int | None) -> str:
    """Bytes in decimal units."""
    if count is None:
        return "unknown"
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(amount) < 1000:
            return f"{number(round(amount, 1))}\u00a0{unit}"
        amount /= 1000
    return f"{number(round(amount, 1))}\u00a0PB"


SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def span(seconds: float | timedelta | None, bound: Bound = "near") -> str:
    """A duration in its two largest units.

    A bound is never printed tighter than it is: the least of an interval is rounded down to the
    smallest unit that is printed, the most of it up.
    """
    if seconds is None:
        return "unknown"
    exact = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
    sign, total = ("−" if exact < 0 else ""), round(abs(exact))
    if bound != "near":
        least = 3600 if abs(exact) >= 86400 else 60 if abs(exact) >= 3600 else 1
        total = abs(units(exact, least, bound)) * least
    parts: list[tuple[int, str]] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, total = divmod(total, length)
        if count or parts:
            parts.append((count, unit))
        if len(parts) == 2:
            break
    told = " ".join(f"{count}\u00a0{unit}" for count, unit in parts if count)
    return sign + (told or "0\u00a0s")


def spans(lo: float, hi: float) -> str:
    """An interval of durations in words; it holds every duration from `lo` to `hi` seconds."""
    return f"between {span(lo, 'least')} and {span(hi, 'most')}"


def units(seconds: float, unit: float, bound: Bound) -> int:
    """How many units a bound is: a least one rounded down, a most one up.

    Whole microseconds are compared, for a product of doubles may lie a little beside a whole.
    """
    exact, each = round(seconds * 1_000_000), round(unit * 1_000_000)
    return exact // each if bound == "least" else -(-exact // each)


def fine(seconds: float | None, bound: Bound) -> str:
    """A bound of a difference between clocks, in thousandths of a second."""
    if seconds is None:
        return "open"
    return f"{units(seconds, 0.001, bound) / 1000:+.3f}\u00a0s"


def rounded_up(at: datetime, step: timedelta) -> datetime:
    """The latest bound of an interval as it may be printed in steps of seconds or minutes."""
    rest = timedelta(seconds=at.second, microseconds=at.microsecond) % step
    try:
        return at + (step - rest) if rest else at
    except OverflowError:  # the last instant that there is
        return at


def plural(count: int, one: str, many: str | None = None) -> str:
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if not words:
        return "none"
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" {last} " + words[-1]


def some(names: Sequence[str]) -> str:
    """Names as a list; of more than six the first five and how many more there are."""
    return listed([*names[:5], f"{number(len(names) - 5)} more"] if len(names) > 6 else names)


def rule_list(rules: Sequence[str]) -> str:
    """Ids of rules by commas, three or more in a row as `CF-01 to CF-03`; they must be sorted."""
    return _in_runs([(*rule.rpartition("-")[::2], rule) for rule in rules], " to ")


def numbers(found: Iterable[int]) -> str:
    """Numbers of sources in order, runs of three and more as ranges: `1, 3\u20135`."""
    return _in_runs([("", str(no), str(no)) for no in sorted(set(found))], "\u2013")


def _in_runs(told: Iterable[tuple[str, str, str]], to: str) -> str:
    """Names by commas, three or more in a row from the first to the last; each with its kind and
    number."""
    runs: list[list[str]] = []
    before: tuple[str, int | None] = "", None
    for kind, no, name in told:
        here = kind, int(no) if no.isdigit() else None
        if before[1] is not None and here == (before[0], before[1] + 1):
            runs[-1].append(name)
        else:
            runs.append([name])
        before = here
    return ", ".join(f"{run[0]}{to}{run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)


def percent(share: object) -> str:
    return "unknown" if share is None else f"{number(round(float(str(share)) * 100, 1))}\u00a0%"


def cut(text: str, limit: int) -> str:
    """The beginning of a long text, with a sign that there is more."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def be(count: int, one: str = "is", many: str = "are") -> str:
    """The verb that agrees with a count."""
    return one if count == 1 else many


def moment(at: datetime, zone: tzinfo) -> str:
    """An instant in a zone, to the second, with its offset: `2022-03-09 08:37:11 +01:00`."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S} {offset(local)}"


def offset(local: datetime) -> str:
    """The offset of a local time: `UTC` or `+02:00`."""
    if not local.utcoffset():
        return "UTC"
    return f"{local:%z}"[:3] + ":" + f"{local:%z}"[3:]
