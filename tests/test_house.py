"""The house is clean: style, types, SQL style, layers, and nothing of any one machine."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import LONGEST, ROOT

BIN = Path(sys.executable).parent
# It looks for rings of objects all the time, which takes a sixth of its time and finds few.
SELDOM = (
    "import gc, runpy, sys; gc.set_threshold(100_000, 50, 100); del sys.argv[0]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)
TOOLS = {
    "ruff check": [BIN / "ruff", "check", "--no-cache"],
    "ruff format": [BIN / "ruff", "format", "--check", "--no-cache"],
    "mypy": [BIN / "mypy"],
    "import-linter": [BIN / "lint-imports"],
    "sqlfluff": [BIN / "sqlfluff", "lint", "--processes", "2", "--nocolor", "queries"],
}


@pytest.mark.slow
@pytest.mark.parametrize("tool", TOOLS)
def test_the_linters_have_nothing_to_say(tool: str) -> None:
    if not TOOLS[tool][0].exists():
        pytest.skip(f"{tool} is not installed: make test installs it")
    seldom = [sys.executable, "-c", SELDOM] if tool == "sqlfluff" else []
    done = subprocess.run(
        [*seldom, *map(str, TOOLS[tool])], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_nothing_names_a_package_index_or_a_path_of_one_machine() -> None:
    pattern = re.compile(
        rb"(extra-)?index-url|-{2}find-links|\"resolved\": *\"http|/(work|farm|root)/[a-z.]"
    )
    found = [
        str(path.relative_to(ROOT))
        for path in _tracked()
        if path.is_file()
        and path.suffix not in (".pdf", ".ttf", ".png", ".parquet")
        and path.name != "test_house.py"
        and pattern.search(path.read_bytes())
    ]
    assert found == []


def test_modules_stay_small_enough_to_be_one_room() -> None:
    large = {
        path.relative_to(ROOT).as_posix(): lines
        for path in (ROOT / "toolkit").rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 850
    }
    assert large == {}


def test_pins_name_packages_and_versions_only() -> None:
    for name in ("requirements.txt", "requirements-test.txt", "requirements-spark.txt"):
        for line in (ROOT / name).read_text().splitlines():
            assert re.fullmatch(r"(#.*)?|[A-Za-z0-9._-]+==[A-Za-z0-9.+!-]+", line), line


def test_the_map_shows_the_layers_that_the_linters_hold_and_places_that_are_there() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    text = page.partition("## The map")[2].partition("\n## ")[0]
    drawn = [re.split(r"\s{2,}", line)[0] for line in text.split("```")[1].splitlines()[1:]]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (held,) = settings["tool"]["importlinter"]["contracts"]
    assert drawn == [layer.replace("toolkit.", "") for layer in held["layers"]]
    places = re.findall(r"`(\w+/[\w/.]+)`", text)
    assert len(places) > 12
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_the_files_that_begin_are_there() -> None:
    assert [name for name in LONGEST if not (ROOT / "tests" / f"{name}.py").exists()] == []
