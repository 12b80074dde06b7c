"""The written pages say what the product does."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from typer.main import get_command

from benchmarks import result
from benchmarks.chart import chart
from toolkit.cli import app
from toolkit.ingest.reader import readers

DOCS = ROOT / "docs"


def _script(name: str) -> Any:
    if not DOCS.is_dir():
        pytest.skip("an installed package has no docs folder")
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@pytest.mark.parametrize("name", ["commands", "formats", "keys", "policy", "relations", "rules"])
def test_a_generated_page_is_what_the_product_says(name: str) -> None:
    generate = _script("generate")
    written = (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8")
    assert written == generate.PAGES[name](), "write it anew: python docs/generate.py"


def test_the_page_of_benchmarks_is_made_of_what_was_measured() -> None:
    _script("generate")
    measured = DOCS / "reference" / "benchmarks.json"
    again = "make it anew: make bench-page"
    assert (DOCS / "reference" / "benchmarks.md").read_text(encoding="utf-8") == result.page(
        measured
    ), again
    drawn = (DOCS / "reference" / "benchmarks.svg").read_text(encoding="utf-8")
    assert drawn == chart(result.load(measured)), again


def test_the_man_page_is_what_the_commands_say() -> None:
    generate = _script("generate")
    page = generate.MAN.read_text(encoding="utf-8")
    assert page == generate.man(), "write it anew: python docs/generate.py"
    commands = [name for name, _ in generate._commands("postmortem", get_command(app))][1:]
    assert page.count("\n.SS ") == len(commands)
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(
        [groff, "-man", "-ww", "-Tutf8", "-P-c", "-rLL=200n", str(generate.MAN)],
        capture_output=True, text=True, env={**os.environ, "GROFF_NO_SGR": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.sub(".\b", "", done.stdout)
    for each in (*commands, "--fail-on FAIL_ON", "EXIT STATUS"):
        assert each in shown, each


# Sphinx, where every question to the network is refused.
BUILD = """
import runpy, socket, sys
def refused(*_, **__):
    raise OSError("the build asks the network")
socket.getaddrinfo = socket.socket.connect = refused
sys.argv[0] = "sphinx-build"
runpy.run_module("sphinx", run_name="__main__")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built without a network; a warning ends the build."""
    if not DOCS.is_dir():
        pytest.skip("an installed package has no docs folder")
    for name in ("furo", "myst_parser", "sphinx"):
        pytest.importorskip(name, reason="it is built with requirements-docs.txt")
    folder = tmp_path_factory.mktemp("docs")
    made = subprocess.run(
        [sys.executable, "-c", BUILD, "-W", "--keep-going", "-q", "-b", "html", "-d",
         str(folder / "trees"), str(DOCS), str(folder / "site")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return folder / "site"


def test_the_site_builds_without_warnings_and_loads_nothing(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 8
    for page in pages:
        loaded = re.findall(
            r"<(?:script|img|link|iframe)[^>]*(?:src|href)=.(?:https?:)?//", page.read_text()
        )
        assert not loaded, (page.name, loaded)


def test_every_page_can_be_reached_from_the_first(site: Path) -> None:
    first = (site / "index.html").read_text(encoding="utf-8")
    for page in [*DOCS.rglob("*.md"), *DOCS.rglob("*.ipynb")]:
        name = page.relative_to(DOCS).with_suffix(".html").as_posix()
        assert name == "index.html" or "examples/" in name or f'href="{name}"' in first, name


def test_the_site_shows_notebooks_with_what_their_cells_give(site: Path) -> None:
    for path in sorted((DOCS / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        page = (site / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
        outputs = [each for cell in cells for each in cell.get("outputs", ())]
        pictures = [each["data"]["image/svg+xml"] for each in outputs
                    if "image/svg+xml" in each.get("data", ())]  # fmt: skip
        assert page.count("highlight-python") == len([c for c in cells if "outputs" in c])
        assert page.count('class="table-wrapper"') == len(
            [each for each in outputs if {"text/html", "image/svg+xml"} & set(each.get("data", ()))]
        )
        assert len(pictures) > 1
        for picture in pictures:
            assert "".join(picture) in page


@pytest.mark.parametrize("name", sorted(readers()))
def test_a_reader_says_what_it_fills_and_where_its_format_comes_from(name: str) -> None:
    reader = readers()[name]
    assert reader.title and reader.obtain and reader.fills
    assert reader.sample.strip()


def test_the_comparison_names_what_is_there() -> None:
    if not DOCS.is_dir():
        pytest.skip("an installed package has no docs folder")
    page = (DOCS / "explanation" / "comparison.md").read_text(encoding="utf-8")
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


@pytest.mark.slow
def test_the_commands_of_the_pages_print_what_is_shown(tmp_path: Path) -> None:
    console = _script("console")
    with console.prepared(tmp_path) as folder:
        for page in console.PAGES:
            written = (DOCS / page).read_text(encoding="utf-8")
            assert written == console.run(page, folder), "look, then: python docs/console.py"


def test_pages_written_by_hand_name_what_is_there() -> None:
    """Commands, rules, and every word_with_underscores stand in the reference too."""
    generated = _script("generate").PAGES
    reference = "".join(
        (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8") for name in generated
    )
    known = set(re.findall(r"[\w-]+", reference))
    commands = {name for name, _ in _all_commands()}
    written = [path for path in DOCS.rglob("*.md") if path.stem not in generated]
    for path in [*written, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        text = path.read_text(encoding="utf-8")
        prose = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.S | re.M)
        for span in re.findall(r"`([^`\n]+)`", prose):
            if re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", span):
                assert span in known, f"{path.name}: {span}"
        for rule in re.findall(r"\b(?:CF|EQ)-\d\d\b", prose):
            assert rule in known, f"{path.name}: {rule}"
        for words in re.findall(r"(?:^|`|\$ )(postmortem(?: [a-z][a-z-]*)+)", text, re.M):
            first = words.split()[:2]
            assert " ".join(first) in commands, f"{path.name}: {words}"


def test_every_page_that_shows_a_command_is_run() -> None:
    console = _script("console")
    for page in sorted(DOCS.rglob("*.md")):
        if "```console" in page.read_text(encoding="utf-8"):
            assert str(page.relative_to(DOCS)) in console.PAGES


def test_a_block_is_run_where_the_programs_are_that_it_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    console = _script("console")
    monkeypatch.setattr(console, "HERE", tmp_path)
    (tmp_path / "work").mkdir()
    block = "<!-- needs: {} -->\n\n```console\n$ echo one\n{}\n```\n"
    absent, there = block.format("sh no-such-program", "two"), block.format("sh cat", "{}")
    (tmp_path / "page.md").write_text(absent + there.format("two"))
    assert console.run("page.md", tmp_path) == absent + there.format("one")


def test_an_ellipsis_stands_for_text_and_nothing_else_does() -> None:
    fits = _script("console").fits
    assert fits("a 1\nb\nc\nd\n", "a …\n...\nd\n")
    assert not fits("a 1\nb\n", "a …\n")
    assert not fits("a 1\n", "a 2\n")


def _all_commands() -> list[tuple[str, Any]]:
    return list(_script("generate")._commands("postmortem", get_command(app)))


def test_help_teaches(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line of a list of commands is cut short; what can be given is told, with an example."""
    monkeypatch.setenv("COLUMNS", "80")
    for name, command in _all_commands():
        with command.make_context(name, [], resilient_parsing=True) as context:
            assert "..." not in command.get_help(context).partition("Commands:\n")[2], name
        for each in command.params:
            assert getattr(each, "help", None), f"{name}: {each.name}"
        # What holds commands only, and the acts of the board, is shown by an example above.
        if not hasattr(command, "commands") and " review " not in name:
            assert _script("generate")._examples(command), name


def test_the_examples_of_help_can_be_given() -> None:
    root = get_command(app)
    for _, command in _all_commands()[1:]:
        for example in _script("generate")._examples(command):
            first, *words = shlex.split(example)
            assert first == "postmortem", example
            found: Any = root
            with root.make_context(first, list(words), resilient_parsing=True):
                while hasattr(found, "commands"):
                    # The case stands before the act of the board.
                    place = next(
                        (n for n, word in enumerate(words) if word in found.commands), None
                    )
                    if place is None:
                        break
                    found = found.commands[words[place]]
                    words = words[place + 1 :]
            if not hasattr(found, "commands"):
                found.make_context(example, list(words))
