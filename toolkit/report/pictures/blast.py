"""The blast radius: what was acted on, and by levels what depends on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from toolkit.report.model import BlastRadius, Node
from toolkit.report.pictures.scale import BOLD, FULL, SMALL, WIDTH, Label, label
from toolkit.report.words import cut, listed, number, plural, visible

LEVELS = 4
NODES = 12  # boxes of one level; the last stands for the others beyond
BOX = 34.0
STEP = 44.0
TOP = 40.0


@dataclass(frozen=True, slots=True)
class Box:
    x: float
    y: float
    width: float
    state: str
    text: Label
    words: Label
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    path: str
    title: str


@dataclass(frozen=True, slots=True)
class Head:
    x: float
    text: Label
    relations: Label


@dataclass(frozen=True, slots=True)
class Drawing:
    height: float
    heads: tuple[Head, ...]
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    note: Label


def placed(picture: BlastRadius, _: tzinfo) -> Drawing:
    """A column per level, a box per node, and a line per dependency between them."""
    deepest = max((node.level for node in picture.nodes), default=0)
    columns: dict[int, list[Node]] = defaultdict(list)
    for node in picture.nodes:
        if node.level < LEVELS:
            columns[node.level].append(node)
    stands_for: dict[str, str] = {}
    for at, nodes in columns.items():
        columns[at], others = _folded(nodes, at)
        stands_for |= others
    _untangle(columns, picture.edges, stands_for)
    count = max(len(columns), 1)
    width = min(180.0, (WIDTH - 24 - (count - 1) * 50) / count)
    gap = min(210.0, (WIDTH - 24 - count * width) / max(count - 1, 1))
    tallest = max((len(nodes) for nodes in columns.values()), default=1)
    places: dict[str, tuple[float, float, int]] = {}
    boxes = []
    for at in sorted(columns):
        x = round(2 + at * (width + gap), 1)
        y = TOP + (tallest - len(columns[at])) * STEP / 2
        for node in columns[at]:
            boxes.append(_box(node, x, y, width))
            places[node.id] = (x, y + BOX / 2, at)
            y += STEP
    lines: dict[tuple[str, str], set[str]] = {}
    for source, target, relation in picture.edges:
        pair = stands_for.get(source, source), stands_for.get(target, target)
        if pair[0] != pair[1] and pair[0] in places and pair[1] in places:
            lines.setdefault(pair, set()).add(cut(relation.replace("_", " "), 60))
    drawn = tuple(
        Line(_curve(places[target], places[source], width), listed(sorted(relations)))
        for (source, target), relations in sorted(lines.items())
    )
    heads = tuple(_head(at, width, columns, lines, places) for at in sorted(columns))
    left_out = sum(node.count for node in picture.nodes if node.level >= LEVELS)
    note = ""
    if left_out:
        note = f"{number(left_out)} assets at levels {LEVELS} to {deepest} are not drawn."
    height = TOP + tallest * STEP + (14 if note else 0)
    return Drawing(height, heads, tuple(boxes), drawn, label(note, WIDTH - 8, SMALL))


def _folded(nodes: list[Node], at: int) -> tuple[list[Node], dict[str, str]]:
    """At most `NODES` of them; the last stands for those that have no box of their own."""
    if len(nodes) <= NODES:
        return nodes, {}
    kept, rest = nodes[: NODES - 1], nodes[NODES - 1 :]
    total = sum(node.count for node in rest)
    states = sorted({node.state for node in rest})
    last = Node(
        f"\0others-{at}", f"{number(total)} others", at,
        states[0] if len(states) == 1 else "several states", total,
    )  # fmt: skip
    return [*kept, last], {node.id: last.id for node in rest}


def _untangle(
    columns: dict[int, list[Node]],
    edges: Sequence[tuple[str, str, str]],
    stands_for: dict[str, str],
) -> None:
    """Order each column by where what its boxes depend on stands, so that few lines cross."""
    targets: dict[str, list[str]] = defaultdict(list)
    for source, target, _ in edges:
        targets[stands_for.get(source, source)].append(stands_for.get(target, target))
    places: dict[str, float] = {}
    for at in sorted(columns):
        nodes = columns[at]
        means = {}
        for n, node in enumerate(nodes):
            found = [places[name] for name in targets[node.id] if name in places]
            means[node.id] = (sum(found) / len(found) if found else 1.0, n)
        if at:
            nodes.sort(key=lambda node: means[node.id])
        places |= {node.id: (n + 0.5) / len(nodes) for n, node in enumerate(nodes)}


def _box(node: Node, x: float, y: float, width: float) -> Box:
    words = node.state.replace("_", " ")
    return Box(
        x,
        y,
        width,
        node.state,
        label(node.text, (width - 16) / BOLD),
        label(words, width - 30, SMALL),
        f"{cut(visible(node.text), FULL)}: {words}",
    )


def _curve(start: tuple[float, float, int], end: tuple[float, float, int], width: float) -> str:
    """From the box that is depended on to the one that depends on it."""
    x, y, x_end, y_end = start[0] + width, start[1], end[0], end[1]
    if start[2] >= end[2]:  # within a level, or back: around the right side
        bulge = max(x, x_end + width) + 18
        return f"M{x},{y}C{bulge},{y} {bulge},{y_end} {x_end + width},{y_end}"
    middle = round((x + x_end) / 2, 1)
    return f"M{x},{y}C{middle},{y} {middle},{y_end} {x_end},{y_end}"


def _head(
    at: int,
    width: float,
    columns: dict[int, list[Node]],
    lines: dict[tuple[str, str], set[str]],
    places: dict[str, tuple[float, float, int]],
) -> Head:
    """What a column holds, and by which relations it depends on those at its left."""
    x = min(place[0] for place in places.values() if place[2] == at)
    if at == 0:
        states = {node.state for node in columns[0]}
        failed = "Failed" if states == {"failed"} else "Acted on or failed"
        text = failed if "failed" in states else "Acted on"
        return Head(x, label(text, width / BOLD), Label(""))
    relations = {
        relation
        for (source, target), found in lines.items()
        if places[source][2] == at and places[target][2] < at
        for relation in found
    }
    text = "Depend on it directly" if at == 1 else f"Through {plural(at - 1, 'other')}"
    return Head(x, label(text, (width + 30) / BOLD), label(listed(sorted(relations)), width, SMALL))
