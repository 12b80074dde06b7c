"""Run the notebooks of this folder without a kernel, and keep what they show.

    python docs/notebooks/run.py [FOLDER]

FOLDER holds `postmortem-demo/`, as `postmortem demo postmortem-demo` makes it; without one it is
made anew. The cells of a notebook run in one namespace; the value of a cell's last line is shown as
a notebook shows it.
"""

from __future__ import annotations

import ast
import copy
import io
import json
import sys
import tempfile
from contextlib import chdir, redirect_stdout
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FORMS = {"text/html": "_repr_html_", "image/svg+xml": "_repr_svg_"}


def run(notebook: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The notebook with the outputs of its cells, run in the folder; faults are raised."""
    done = copy.deepcopy(notebook)
    names: dict[str, Any] = {"__name__": "__main__"}
    number = 0
    with chdir(folder):
        for cell in done["cells"]:
            if cell["cell_type"] == "code":
                number += 1
                cell["execution_count"] = number
                cell["outputs"] = _outputs("".join(cell["source"]), number, names)
    return done


def _outputs(source: str, number: int, names: dict[str, Any]) -> list[dict[str, Any]]:
    tree = ast.parse(source, f"cell {number}")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with redirect_stdout(printed):
        exec(compile(tree, f"cell {number}", "exec"), names)  # noqa: S102
        if last is not None:
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)  # noqa: S307
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(True)
        outputs.append({"name": "stdout", "output_type": "stream", "text": text})
    if value is not None:
        shown = {
            form: getattr(value, method)()
            for form, method in FORMS.items()
            if hasattr(value, method)
        }
        shown["text/plain"] = repr(value)
        outputs.append(
            {
                "data": {form: text.splitlines(True) for form, text in sorted(shown.items())},
                "execution_count": number,
                "metadata": {},
                "output_type": "execute_result",
            }
        )
    return outputs


def text_of(notebook: dict[str, Any]) -> str:
    """A notebook as its file holds it."""
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    """Run every notebook, and write it where it differs."""
    from toolkit.verbs import demo

    with tempfile.TemporaryDirectory() as made:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(made)
        if not (folder / "postmortem-demo").exists():
            demo(folder / "postmortem-demo", formats=())
        for path in sorted(HERE.glob("*.ipynb")):
            before = path.read_text(encoding="utf-8")
            after = text_of(run(json.loads(before), folder))
            path.write_text(after, encoding="utf-8")
            print(f"{path.name}: {'as it was' if before == after else 'written anew'}")


if __name__ == "__main__":
    main()
