"""The written pages say what the product does."""

from __future__ import annotations

import importlib.util

import pytest
from conftest import ROOT
from typer.main import get_command

from toolkit.cli import app
from toolkit.ingest.reader import readers

DOCS = ROOT / "docs"


def test_the_page_of_formats_is_what_the_readers_say() -> None:
    if not DOCS.is_dir():
        pytest.skip("an installed package has no docs folder")
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    written = (DOCS / "formats.md").read_text(encoding="utf-8")
    assert written == generate.page(), "write it anew: python docs/generate.py"


@pytest.mark.parametrize("name", sorted(readers()))
def test_a_reader_says_what_it_fills_and_where_its_format_comes_from(name: str) -> None:
    reader = readers()[name]
    assert reader.title and reader.obtain and reader.fills
    assert reader.sample.strip()


def test_the_comparison_names_what_is_there() -> None:
    if not DOCS.is_dir():
        pytest.skip("an installed package has no docs folder")
    page = (DOCS / "comparison.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and "| `" in line]
    assert len(rows) > 20
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 10, row
        assert all(not cell or cell[0] in "●◐–" for cell in cells[1:9]), row
        named = cells[9].strip("`")
        if named.startswith("postmortem "):
            assert named.split()[1] in commands, row
        else:
            assert (ROOT / named).is_file(), row
