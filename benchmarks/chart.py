"""How cost grows with size, as SVG: one panel of CPU and one of memory, both axes logarithmic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from math import ceil, floor, log10
from xml.sax.saxutils import escape

from benchmarks.result import Result

WIDE, HIGH, LEFT, TOP, ROOM = 420, 250, 60, 40, 40
# Told apart by dashes and end marks beside the colour.
STROKES = (
    ("#1f5582", ""), ("#8c2f2f", "6 3"), ("#7a4a00", "2 2"), ("#3d6b35", "8 3 2 3"),
    ("#5a3d7a", "4 2"), ("#4a5563", "1 2"),
)  # fmt: skip


def chart(results: Iterable[Result]) -> str:
    """The toolkit's own figures over the sizes that were measured, with a key below."""
    lines: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.tool == "toolkit" and result.size > 1:
            lines[f"{result.what}, {result.of}"].append(result)
    strokes = {name: STROKES[n % len(STROKES)] for n, name in enumerate(lines)}
    sizes = [each.size for found in lines.values() for each in found]
    parts = []
    for place, (title, figure) in enumerate((("CPU seconds", "cpu"), ("MB of memory", "memory"))):
        series = {
            name: [(each.size, getattr(each, figure)) for each in found if getattr(each, figure)]
            for name, found in lines.items()
        }
        parts.append(_panel(title, series, strokes, sizes, place * (WIDE + LEFT)))
    below = TOP + HIGH + 50
    for n, name in enumerate(lines):
        colour, dash = strokes[name]
        y = below + 18 * n
        parts.append(
            f'<path d="M{LEFT},{y} h40" stroke="{colour}" stroke-width="2" '
            f'stroke-dasharray="{dash}"/><text x="{LEFT + 50}" y="{y + 4}">{escape(name)}</text>'
        )
    width, height = 2 * (WIDE + LEFT), below + 18 * len(lines) + 5
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'font-family="sans-serif" font-size="11" style="background:#ffffff">\n'
        "<title>Cost of the toolkit by size; both axes are logarithmic.</title>\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _panel(
    title: str,
    series: dict[str, list[tuple[int, float]]],
    strokes: dict[str, tuple[str, str]],
    sizes: list[int],
    left: float,
) -> str:
    values = [value for found in series.values() for _, value in found]
    if not values:
        return ""
    x0, x1 = _decades(sizes)
    y0, y1 = _decades(values)

    def x(size: float) -> float:
        return round(left + LEFT + (WIDE - ROOM) * (log10(size) - x0) / (x1 - x0), 1)

    def y(value: float) -> float:
        return round(TOP + HIGH * (y1 - log10(value)) / (y1 - y0), 1)

    parts = [f'<text x="{left + LEFT}" y="{TOP - 15}" font-weight="bold">{title}</text>']
    for power in range(x0, x1 + 1):
        at = x(10**power)
        parts.append(f'<path d="M{at},{TOP} V{TOP + HIGH}" stroke="#c3cbd4" stroke-width="0.5"/>')
        parts.append(f'<text x="{at}" y="{TOP + HIGH + 16}" text-anchor="middle">{_short(power)}'
                     "</text>")  # fmt: skip
    for power in range(y0, y1 + 1):
        at = y(10**power)
        parts.append(f'<path d="M{x(10**x0)},{at} H{x(10**x1)}" stroke="#c3cbd4" '
                     'stroke-width="0.5"/>')  # fmt: skip
        parts.append(f'<text x="{x(10**x0) - 6}" y="{at + 4}" text-anchor="end">{10.0**power:g}'
                     "</text>")  # fmt: skip
    for name, found in series.items():
        colour, dash = strokes[name]
        points = sorted(found)
        path = " L".join(f"{x(size)},{y(value)}" for size, value in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2" '
                     f'stroke-dasharray="{dash}"/>')  # fmt: skip
        parts += [
            f'<circle cx="{x(size)}" cy="{y(value)}" r="3" fill="{colour}"><title>'
            f"{escape(name)}: {size:,}, {value:g}</title></circle>"
            for size, value in points
        ]
    return "\n".join(parts)


def _decades(values: Iterable[float]) -> tuple[int, int]:
    """Powers of ten below and above, at least one apart."""
    found = sorted(values)
    low, high = floor(log10(found[0])), ceil(log10(found[-1]))
    return low, max(high, low + 1)


def _short(power: int) -> str:
    return f"{10 ** (power % 3)}{('', ' k', ' M', ' G', ' T')[power // 3]}"
