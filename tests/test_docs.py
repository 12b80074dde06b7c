"""The written pages say what the product does."""

from __future__ import annotations

import importlib.util

import pytest
from conftest import ROOT

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
