"""The worked notebook runs, and shows what is written in it."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

FOLDER = ROOT / "docs" / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))


def _runner() -> Any:
    spec = importlib.util.spec_from_file_location("run", FOLDER / "run.py")
    assert spec is not None and spec.loader is not None
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    return runner


def _shown(notebook: dict[str, Any]) -> list[str]:
    """Sources and outputs; of a picture that it is one, for its strokes may change."""
    shown = []
    for cell in notebook["cells"]:
        shown.append("".join(cell["source"]))
        for output in cell.get("outputs", ()):
            texts = output.get("data") or {"text": output["text"]}
            shown += [
                "<svg" if form == "image/svg+xml" else "".join(lines)
                for form, lines in texts.items()
            ]
    return shown


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_shows_what_is_written_in_it(name: str, flagship: Path, tmp_path: Path) -> None:
    written = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    (tmp_path / "postmortem-demo").mkdir()
    (tmp_path / "postmortem-demo" / flagship.name).symlink_to(flagship)
    again = _runner().run(written, tmp_path)
    assert _shown(again) == _shown(written), "run it anew: python docs/notebooks/run.py"
    assert str(tmp_path) not in json.dumps(again)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_one_and_names_no_machine(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert text == _runner().text_of(notebook)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(ids) == len(set(ids)) > 5
    assert not re.search(r"/(home|tmp|root|Users)/", text)
    assert all(cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code")


def test_a_cell_shows_its_last_line_and_what_it_prints(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "code", "source": ["print('said')\n", "a = 1"]},
        {"cell_type": "markdown", "source": ["a"]},
        {"cell_type": "code", "source": ["a + 1"]},
    ]
    ran = _runner().run({"cells": cells}, tmp_path)
    assert _shown(ran) == ["print('said')\na = 1", "said\n", "a", "a + 1", "2"]
    with pytest.raises(ZeroDivisionError):
        _runner().run({"cells": [{"cell_type": "code", "source": ["1 / 0"]}]}, tmp_path)
