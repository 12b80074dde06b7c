"""Pictures: what they draw, that labels keep clear of one another, and that no name gets out."""

from __future__ import annotations

import importlib
import re
import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, count, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import weasyprint

from toolkit.report.model import (
    Barrier,
    Barriers,
    Bars,
    BlastRadius,
    BurnDown,
    HeatMap,
    Lane,
    Mark,
    Node,
    Panel,
    Picture,
    SmallMultiples,
    Stretch,
    Strip,
    Strips,
    Swimlanes,
)
from toolkit.report.pictures import heat, multiples, place
from toolkit.report.pictures.scale import (
    BOLD,
    GLYPH,
    SIZE,
    WIDTH,
    Scale,
    axis,
    label,
    levels,
    lines,
    width_of,
)

render: Any = importlib.import_module("toolkit.report.render")
ENVIRONMENT = render._environment(None)

SVG = "{http://www.w3.org/2000/svg}"
START = datetime(2022, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOSTILE = "<script>alert(1)</script> \u202egnp.exe \u2066" + "x" * 500
NAMES = ["US", HOSTILE, "a rather long name of a region in the south", "データセンター東京第一" * 3]


def drawn(picture: Picture, zone: str = "UTC") -> ET.Element:
    """The picture as a tree; parsing fails where anything of the evidence is markup."""
    text = render._drawing(
        ENVIRONMENT, picture, f"words {HOSTILE}", zone=ZoneInfo(zone), numbers=count(1)
    )
    assert len(text.encode()) < 60_000
    assert "\u202e" not in text and "\u2066" not in text and "<script" not in text
    assert not re.search(r"nan|inf\b|None", re.sub(r"<title>.*?</title>|>[^<]*<", "", text))
    return ET.fromstring(str(text))


def boxes(tree: ET.Element) -> list[tuple[float, float, float, float, str]]:
    """Left, top, right, bottom of every text, estimated by the width of letters."""
    found = []
    for text in tree.iter(f"{SVG}text"):
        words, size = text.text or "", float(text.get("font-size", SIZE))
        x, y = float(text.get("x", 0)), float(text.get("y", 0))
        width = width_of(words, size) * (BOLD if text.get("font-weight") else 1)
        left = x - {"end": width, "middle": width / 2}.get(text.get("text-anchor", ""), 0)
        found.append((left, y - size * 0.75, left + width, y + size * 0.2, words))
    return found


def check(tree: ET.Element, inside: float = 1.0) -> None:
    """Nothing is cut at an edge, no two texts meet, and the description comes first."""
    _, _, width, height = map(float, tree.get("viewBox", "").split())
    assert tree[0].tag == f"{SVG}title" and (tree[0].text or "").startswith("words <script>")
    texts = boxes(tree)
    for left, top, right, bottom, words in texts:
        assert left >= -inside and right <= width + inside, words
        assert top >= -inside and bottom <= height + inside, words
    for one, two in combinations(texts, 2):
        apart = one[2] <= two[0] or two[2] <= one[0] or one[3] <= two[1] or two[3] <= one[1]
        assert apart, (one, two)


def texts(tree: ET.Element) -> list[str]:
    return [text.text or "" for text in tree.iter(f"{SVG}text")]


# -- shapes of each picture, from nothing to too much ------------------------------------------


def swimlanes(names: list[str], days: float, marks: int) -> Swimlanes:
    end = START + days * DAY
    every = tuple(
        Mark(START + n * (end - START) / max(marks - 1, 1), "event", HOSTILE[:120], n + 1)
        for n in range(marks)
    )
    return Swimlanes(
        START, end, tuple(Lane(name, every) for name in names), tuple((m.at, 3) for m in every)
    )


def strips(names: list[str], days: float, parts: int) -> Strips:
    end = START + days * DAY
    cuts = [START + n * (end - START) / max(parts, 1) for n in range(parts + 1)]
    states = ("operational", "partial_outage", "under_maintenance", "unknown")
    bar = tuple(
        Stretch(since, until, states[n % 4]) for n, (since, until) in enumerate(pairwise(cuts))
    )
    verdict = tuple(
        Stretch(part.start, part.end, ("agree", "over_claim", "under_claim")[n % 3])
        for n, part in enumerate(bar)
    )
    return Strips(START, end, tuple(Strip(name, bar, bar, verdict) for name in names))


def heat_map(names: list[str], days: int) -> HeatMap:
    shares = tuple((n * 7 % 11) / 10 if n % 13 else None for n in range(days))
    return HeatMap(
        tuple(START.date() + n * DAY for n in range(days)),
        tuple((name, tuple(None if s is None else min(s, 1.0) for s in shares)) for name in names),
        "machines " + HOSTILE,
    )


def blast(names: list[str], depth: int) -> BlastRadius:
    states = ("cannot_be_undone", "affected", "no_gap_on_record", "unknown", "acted_on")
    nodes = tuple(
        Node(f"{level}-{n}", name, level, states[level % 5], n + 1)
        for level in range(depth)
        for n, name in enumerate(names)
    )
    edges = [
        (f"{level}-{n}", f"{level - 1}-{n // 2}", HOSTILE)
        for level in range(1, depth)
        for n in range(len(names))
    ]
    return BlastRadius(nodes, (*edges, ("0-0", f"{depth - 1}-0", "loops_to")))


def barriers(names: list[str]) -> Barriers:
    states = ("held", "absent", "late", "overridden", "undetermined", "not_run")
    return Barriers(
        HOSTILE,
        tuple(Barrier(name, states[n % 6], (name + " ") * 9) for n, name in enumerate(names)),
        HOSTILE,
    )


def burn_down(days: int, late: float) -> BurnDown:
    steps = tuple((START + n * DAY, 250 * (days - n) // max(days, 1)) for n in range(days))
    now = START + max(days - 1, 0) * DAY
    return BurnDown(
        START, now + 9 * DAY, steps, "Machines " + HOSTILE, now, now + DAY, now + 4 * DAY,
        now + late * DAY,
    )  # fmt: skip


def panels(names: list[str], points: int) -> SmallMultiples:
    found = tuple((START + n * timedelta(minutes=9), float(n % 97)) for n in range(points))
    end = found[-1][0] if found else START
    marks = ((START, HOSTILE), (START, "again"), (end, "at the end"))
    return SmallMultiples(
        START, end, tuple(Panel(name, found, marks) for name in names), "unit " + HOSTILE
    )


MANY = [f"region-{n:02}" for n in range(30)]
SHAPES: dict[str, Picture] = {
    "lanes": swimlanes(NAMES, 50, 15),
    "lanes, thousands without a number": Swimlanes(
        START,
        START + 400 * DAY,
        tuple(
            Lane(
                f"lane {n}", tuple(Mark(START + k * DAY / 3, "post", HOSTILE) for k in range(1200))
            )
            for n in range(7)
        ),
        tuple((START + n * timedelta(minutes=90), n % 300) for n in range(6000)),
    ),
    "lanes, 400 days": swimlanes(["one"], 400, 3),
    "lanes, no time": swimlanes(["one"], 0, 1),
    "lanes, seconds": swimlanes(["one"], 7 / 86400, 4),
    "lanes, empty": Swimlanes(START, START, ()),
    "strips": strips(NAMES, 50, 9),
    "strips, 30 regions flapping": strips(MANY, 400, 300),
    "strips, no time": strips(["one"], 0, 1),
    "strips, empty": Strips(START, START, ()),
    "bars": Bars(tuple((name, (("lost", 3), ("unknown", 250), (HOSTILE, 1))) for name in NAMES)),
    "bars, 30": Bars(tuple((name, (("lost", n),)) for n, name in enumerate(MANY))),
    "bars, empty": Bars(()),
    "heat": heat_map(NAMES, 50),
    "heat, one day": heat_map(["one"], 1),
    "heat, 30 regions and 400 days": heat_map([*MANY, "left out"], 400),
    "heat, empty": HeatMap((), (), "machines"),
    "blast": blast(NAMES, 3),
    "blast, deep and wide": blast(MANY, 6),
    "blast, one": blast(["one"], 1),
    "blast, empty": BlastRadius((), ()),
    "barriers": barriers(NAMES * 3),
    "barriers, empty": Barriers("", (), ""),
    "burn-down": burn_down(40, 8),
    "burn-down, late end far off": burn_down(40, 500),
    "burn-down, one": burn_down(1, 2),
    "burn-down, empty": BurnDown(START, START, (), "machines"),
    "panels": panels(NAMES, 4000),
    "panels, 30": panels(MANY, 4000),
    "panels, one point": panels(["one"], 1),
    "panels, empty": panels(["one"], 0),
    "panels, none": panels([], 0),
}


@pytest.mark.parametrize("name", SHAPES)
def test_labels_keep_clear_of_each_other_and_of_the_edges(name: str) -> None:
    check(drawn(SHAPES[name]))


@pytest.mark.parametrize("name", ["lanes", "heat", "burn-down", "panels"])
def test_another_zone_changes_the_axis_only(name: str) -> None:
    tree = drawn(SHAPES[name], "America/Argentina/ComodRivadavia")
    check(tree)
    assert drawn(SHAPES[name]).get("viewBox") == tree.get("viewBox")


def test_the_same_picture_gives_the_same_bytes() -> None:
    for name in ("lanes", "strips", "heat", "blast", "barriers", "burn-down", "panels"):
        assert ET.tostring(drawn(SHAPES[name])) == ET.tostring(drawn(SHAPES[name]))


def test_a_shortened_name_stands_whole_in_its_title() -> None:
    long = NAMES[2]
    tree = drawn(heat_map([long], 30))
    assert any(text.endswith("…") and long.startswith(text[:-1]) for text in texts(tree))
    assert long in [title.text for title in tree.iter(f"{SVG}title")]


def test_print_finds_the_description_and_every_pattern() -> None:
    """Each picture goes through the renderer of the PDF without a warning."""
    names = ("lanes", "strips", "bars", "heat", "blast", "barriers", "burn-down", "panels")
    pictures = [ET.tostring(drawn(SHAPES[name]), "unicode") for name in names]
    text = "".join(pictures).replace("ns0:", "").replace(":ns0", "")
    assert len(weasyprint.HTML(string=text).render().pages) > 1


# -- what is drawn is what was given -----------------------------------------------------------


def test_a_heat_map_has_one_row_per_region_and_says_the_highest_share() -> None:
    shares = (0.0, 0.05, None, 1.0, 0.3)
    days = tuple(date(2022, 3, 1) + n * DAY for n in range(5))
    drawing = heat.placed(HeatMap(days, (("AU", shares),), "machines"), UTC)
    (row,) = drawing.rows
    assert [cells.level for cells in row.cells] == [-1, 0, 1, 3, 5]
    assert row.highest == "100\u00a0%" and row.title.endswith("on 2022-03-04")


def test_days_that_share_a_cell_show_the_worst_of_them() -> None:
    shares = [0.0] * 400
    shares[250] = 1.0
    days = tuple(date(2022, 3, 1) + n * DAY for n in range(400))
    drawing = heat.placed(HeatMap(days, (("AU", tuple(shares)),), "machines"), UTC)
    assert [cells.level for cells in drawing.rows[0].cells] == [0, 5]
    assert "stands for 3 days" in drawing.note.text


@pytest.mark.parametrize(
    ("share", "number"), [(None, -1), (0.0, 0), (0.001, 1), (0.1, 1), (0.11, 2), (0.75, 4), (1, 5)]
)
def test_classes_of_shares(share: float | None, number: int) -> None:
    assert heat.level(share) == number


def test_what_does_not_fit_is_said() -> None:
    assert "12 of 30 regions" in " ".join(texts(drawn(SHAPES["strips, 30 regions flapping"])))
    assert "30 of 31 rows" in " ".join(texts(drawn(SHAPES["heat, 30 regions and 400 days"])))
    assert "12 of 30 series" in " ".join(texts(drawn(SHAPES["panels, 30"])))
    words = " ".join(texts(drawn(SHAPES["blast, deep and wide"])))
    assert "others" in words and "at levels 4 to 5 are not drawn" in words


def test_a_spike_of_one_sample_stays() -> None:
    points = [(START + n * timedelta(minutes=1), 1.0) for n in range(10_000)]
    points[6_543] = (points[6_543][0], 99.0)
    scale = Scale(START, points[-1][0], 0, WIDTH)
    kept = multiples.buckets(points, scale)
    assert len(kept) < 1_500 and max(value for _, value in kept) == 99.0
    assert kept[0] == points[0] and kept[-1] == points[-1]


def test_a_gap_that_is_over_at_once_stays_in_the_area() -> None:
    at = START + 3 * DAY
    gaps = ((START, 1), (at, 9), (at + timedelta(seconds=1), 1))
    _, drawing = place(Swimlanes(START, START + 10 * DAY, (), gaps), UTC)
    heights = {step[1:] for step in re.findall(r"V[\d.]+", drawing.area)}  # type: ignore[attr-defined]
    assert len(heights) == 3 and drawing.area_max == 9  # type: ignore[attr-defined]


def test_the_area_is_as_high_as_what_the_picture_shows() -> None:
    gaps = ((START, 2), (START + 1 * DAY, 5), (START + 4 * DAY, 9))
    early, late = START + 2 * DAY, START + 3 * DAY
    assert Swimlanes(early, late, (), gaps).highest() == 5
    _, drawing = place(Swimlanes(early, late, (), gaps), UTC)
    assert drawing.area_max == 5  # type: ignore[attr-defined]


def test_a_state_is_told_in_words_beside_its_sign() -> None:
    words = texts(drawn(barriers(list("abcdef"))))
    assert {"✓ held", "■ absent", "▲ late", "▲ overridden", "□ undetermined", "– not run"} <= set(
        words
    )
    words = texts(drawn(blast(["x"], 4)))
    assert {"■ cannot be undone", "▲ affected", "✓ no gap on record", "□ unknown"} <= set(words)


def test_groups_are_ordered_like_what_they_depend_on() -> None:
    nodes = [Node(name, name, 0, "cannot_be_undone") for name in "abc"]
    nodes += [Node(f"of-{name}", f"of {name}", 1, "affected", 9) for name in "cba"]
    edges = tuple((f"of-{name}", name, "stores_on") for name in "abc")
    words = texts(drawn(BlastRadius(tuple(nodes), edges)))
    assert [word for word in words if word.startswith("of ")] == ["of a", "of b", "of c"]


def test_a_forecast_beyond_the_picture_says_so() -> None:
    assert any("(beyond)" in word for word in texts(drawn(burn_down(40, 500))))
    assert not any("(beyond)" in word for word in texts(drawn(burn_down(40, 8))))


# -- scales ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, 3, 200, 4000, 86400, 3e5, 1e6, 4e6, 3.5e7, 4e8])
def test_an_axis_has_few_round_ticks_that_do_not_meet(seconds: float) -> None:
    end = START + timedelta(seconds=seconds)
    found = axis(Scale(START, end, 112, 686), ZoneInfo("Europe/Dublin"), 0)
    labelled = [tick for tick in found.ticks if tick.label]
    assert 1 <= len(labelled) <= 13
    for one, two in pairwise(labelled):
        assert one.label_x + width_of(one.label, 10) / 2 < two.label_x - width_of(two.label, 10) / 2
    assert all(112 <= tick.x <= 686 for tick in found.ticks)


def test_the_first_tick_is_kept_where_no_note_stands_beside_it() -> None:
    scale = Scale(START, START + 50 * DAY, 60, 686)
    assert axis(scale, UTC, 0, beside=False).ticks[0].label == "1 Mar"
    assert axis(scale, UTC, 0).ticks[0].label == ""


def test_every_axis_names_its_zone() -> None:
    for name in ("lanes", "strips", "heat", "burn-down", "panels"):
        assert any(
            word.endswith("2022, Asia/Tokyo") for word in texts(drawn(SHAPES[name], "Asia/Tokyo"))
        )


def test_levels_are_round_and_start_at_zero() -> None:
    assert [level.label for level in levels(251, 100, 100)] == ["0", "100", "200"]
    assert [level.label for level in levels(0.0, 100, 100)] == ["0"]
    assert [level.label for level in levels(0.04, 100, 100)] == [
        "0",
        "0.01",
        "0.02",
        "0.03",
        "0.04",
    ]


def test_a_label_fits_its_room() -> None:
    assert label("short", 100).full == ""
    for text in NAMES:
        for room in (10.0, 50.0, 100.0):
            assert width_of(label(text, room).text) <= room + GLYPH
    told = lines("one two three four five " + "y" * 300, 80, 3)
    assert len(told) == 3 and told[-1].text.endswith("…") and told[-1].full
    assert lines("", 80, 3) == ()
