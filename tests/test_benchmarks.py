"""The table of benchmarks: ratios, bars, what is kept, the chart. Nothing is measured here."""

from __future__ import annotations

import importlib
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from benchmarks.chart import chart
from benchmarks.result import Result, load, markdown, save, table

program: Any = importlib.import_module("benchmarks.__main__")

TOLD: dict[str, Any] = {
    "reduction": [{"samples": 1, "window": {"cpu": 2.0, "memory": 90}, "after": {"cpu": 4.0,
                   "memory": 300}, "reduction": {"cpu": 7.0, "memory": 500}}],
    "rebuild": {"pandas": {"cpu": 1.0, "memory": 9, "runs": 3},
                "rebuild": {"cpu": 5.0, "memory": 7, "runs": 3}},
    "conformance": {"floor": 0.5, "verdicts": 5.0, "sentences": 6.0, "memory": 800},
    "declare": {"cpu": 20.0, "memory": 900},
    "report": [{"kind": "audit", "toolkit": {"seconds": 11.0, "peak_mb": 200, "pages": 40},
                "weasyprint": {"seconds": 10.0, "peak_mb": 190, "pages": 40}}],
    "startup": {"typer": {"cpu": 0.1, "memory": 15},
                "postmortem --version": {"cpu": 0.2, "memory": 20}},
}  # fmt: skip


def _told(name: str, *options: object, missed: int = 0) -> Any:
    if name != "ingest":
        return TOLD[name]
    rows = int(str(options[options.index("--rows") + 1]))
    both = (("toolkit", 3.0, 700), ("duckdb", 2.0, 90))
    return [
        {
            "rows": rows if tool == "duckdb" else rows - 1,
            "tool": tool,
            "work": work,
            "memory": memory,
            "ratio": work / 2,
        }
        for tool, work, memory in both
    ]


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_run", _told)


def _run(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr("sys.argv", ["benchmarks", *options])
    with pytest.raises(SystemExit) as ended:
        program.main()
    return int(ended.value.code or 0)


def test_all_in_one_table_with_ratios_and_bars(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(program, "_sample", lambda folder: folder)
    assert _run(monkeypatch, "--peer", "pm4py=python") == 1
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    told = {" ".join(line) for line in lines}
    assert "ingest of CSV samples 1,000,000 toolkit 3.00 700 1.50 ≤ 1.25 ×, ≤ 600 MB missed" in told
    assert "reduction samples 1,000,000 toolkit 7.00 500 3.50 ≤ 3 ×, ≤ 2048 MB missed" in told
    assert "runs of like samples samples 1,000,000 pandas 1.00 9" in told
    assert "conformance events 1,000,000 toolkit 5.00 800 10.00 ≤ 4 × missed" in told
    assert "PDF of the audit 40 pages 1 toolkit 11.00 200 1.10 ≤ 1.2 × met" in told
    assert "start-up commands 1 postmortem --version 0.20 20 2.00 ≤ 2.5 × met" in told


def test_a_bar_stands_from_a_million_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run(monkeypatch, "ingest", "reduction", "--sizes", "100000") == 0
    assert _run(monkeypatch, "startup") == 0
    assert _run(monkeypatch, "ingest") == 1


def test_lines_and_events_stop_at_a_million(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "told.json"
    _run(monkeypatch, "syslog", "ingest", "--sizes", "1000000", "10000000", "--json", str(file))
    sizes = {(each.what, each.size) for each in load(file)}
    assert sizes == {
        ("ingest of syslog", 1_000_000), ("ingest of CSV", 1_000_000),
        ("ingest of CSV", 10_000_000),
    }  # fmt: skip


def test_a_file_keeps_other_sizes_and_renews_its_own(tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    small, large = Result("a", "rows", 10, "toolkit", 1.0), Result("a", "rows", 99, "toolkit", 9.0)
    save(file, [large, Result("a", "rows", 99, "floor: x", 3.0)])
    whole = save(file, [small, Result("b", "rows", 10, "toolkit", 2.0)])
    assert [(each.what, each.size) for each in whole] == [
        ("a", 10),
        ("a", 99),
        ("a", 99),
        ("b", 10),
    ]
    again = save(file, [Result("a", "rows", 99, "toolkit", 8.0)])
    assert [each.cpu for each in again] == [1.0, 8.0, 2.0]
    assert load(file) == again
    assert {"processor", "cores", "memory_gb", "load"} <= set(
        json.loads(file.read_text(encoding="utf-8"))["machine"]
    )


def test_a_bar_is_met_missed_or_not_there() -> None:
    assert Result("a", "b", 1, "c", 1.0).missed is None
    assert Result("a", "b", 1, "c", 1.0, 5, 2.0, 2.0, 5).missed is False
    assert Result("a", "b", 1, "c", 1.0, 6, 2.0, 2.0, 5).missed is True
    assert Result("a", "b", 1, "c", 1.0, 5, 2.1, 2.0, 5).missed is True


def test_a_page_and_a_table_hold_every_result() -> None:
    results = [Result("a", "rows", 1000, "toolkit", 1.0, 5, 2.0, 2.5), Result("b", "x", 1, "y", 2)]
    assert len(table(results).splitlines()) == 3
    page = markdown(results).splitlines()
    assert page[2] == "| a | rows | 1,000 | toolkit | 1.00 | 5 | 2.00 | ≤ 2.5 × | met |"
    assert len({line.count("|") for line in page}) == 1


def test_the_page_of_the_documentation_is_made_of_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = Result(
        "ingest of CSV", "samples", 10_000_000, "toolkit", 30.0, 400, 1.1, 1.25, 600, "2026-01-02"
    )
    save(tmp_path / "benchmarks.json", [old])
    assert _run(monkeypatch, "ingest", "--page", str(tmp_path)) == 1
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "Measured 2026-01-02 and 2" in page and "processor" in page
    assert page.count("\n| ingest of CSV |") == 3
    missed = page.partition("## What misses its bar\n\n")[2].splitlines()[0]
    assert missed == (
        "- ingest of CSV, 1,000,000 samples: 1.50 times the floor where 1.25 is allowed, "
        "700 MB where 600 is allowed"
    )
    ET.parse(tmp_path / "benchmarks.svg")


@pytest.mark.parametrize("sizes", [(1000,), (1000, 100_000), (1, 1)])
def test_the_chart_has_a_line_for_each_measure(sizes: tuple[int, ...]) -> None:
    results = [
        Result(what, "rows <&>", size, "toolkit", size / 1000, None if what == "b" else size / 10)
        for what in ("a", "b") for size in sizes
    ] + [Result("a", "rows", 1000, "floor: x", 1)]  # fmt: skip
    tree = ET.fromstring(chart(results))
    points = list(tree.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(points) == (0 if sizes == (1, 1) else 3 * len(sizes))
    for point in points:
        assert 0 <= float(point.get("cy", "-1")) <= 330


@pytest.mark.parametrize(
    "options",
    [["nonsense"], ["--sizes", "10"], ["--runs", "0"], ["--peer", "pm4py"], ["--sizes", "many"]],
)
def test_bad_options_end_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert _run(monkeypatch, *options) == 2
    assert "error: " in capsys.readouterr().err.splitlines()[-1]
