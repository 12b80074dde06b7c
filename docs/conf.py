"""How Sphinx builds the site: `make docs`. Nothing is fetched, by the build or by its pages.

Notebooks are pages of the site as they lie in `docs/notebooks`, with the outputs that they hold;
nothing is run here. `docs/notebooks/run.py` writes the outputs, a test holds them to the product.
"""

import json
import re
from typing import Any

from docutils import nodes
from myst_parser.parsers.sphinx_ import MystParser

project = "postmortem-toolkit"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = project
html_show_copyright = False
html_show_sourcelink = False
exclude_patterns = ["_build", "examples"]
myst_heading_anchors = 3
# Samples of formats are plain text; Pygments would guess.
highlight_language = "none"

# What a notebook shows of a value, the best form first.
_FORMS = ("image/svg+xml", "text/html", "text/plain")
_STYLE = re.compile(r"<style.*?</style>\n?", re.S)


class Notebook(MystParser):
    """Reads a notebook (nbformat 4) as Markdown: its cells, each with what it shows."""

    supported = ("notebook",)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        super().parse(markdown(json.loads(inputstring)), document)


def markdown(notebook: dict[str, Any]) -> str:
    """A notebook as a page of MyST Markdown."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else _fenced("python", source))
        parts += map(_shown, cell.get("outputs", ()))
    return "\n\n".join(parts) + "\n"


def _shown(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _fenced("text", "".join(output["text"]))
    form = next(form for form in _FORMS if form in output["data"])
    text = "".join(output["data"][form])
    if form == "text/plain":
        return _fenced("text", text)
    # Tables of pandas bring a style of their own; here they look as the others do.
    text = _STYLE.sub("", text).replace('border="1" class="dataframe"', 'class="docutils"')
    return _fenced("{raw} html", f'<div class="table-wrapper">\n{text}\n</div>')


def _fenced(kind: str, text: str) -> str:
    """A block of code or of raw text, whatever fences stand in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{kind}\n{text.rstrip()}\n{fence}"


def setup(app: Any) -> dict[str, Any]:
    """Let Sphinx read notebooks."""
    app.add_source_suffix(".ipynb", "notebook")
    app.add_source_parser(Notebook)
    return {"parallel_read_safe": True}
