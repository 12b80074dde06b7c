"""Run the commands that the pages show, and hold what they print against what is shown.

    python docs/console.py          # writes what is printed now into the pages

A block ```console holds `$ command` lines, each with what it prints; a line `...` stands for any
number of lines, and `…` inside of a line for any text. `<!-- file: PATH -->` before a block says
that the reader saves it under that name, `<!-- needs: PROGRAM … -->` that it is left as it is where
these programs are not there. The pages run in their order in one folder, which begins with the
examples of the tutorial.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
PAGES = (
    "tutorial.md", "how-to/sealing.md", "how-to/rule.md", "how-to/review.md", "how-to/mapping.md",
    "how-to/clocks.md", "how-to/captures.md", "how-to/procedure.md", "how-to/branding.md",
)  # fmt: skip
_BLOCK = re.compile(
    r"(?:<!-- (?P<said>file|needs): (?P<what>[^>]+) -->\n+)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.M | re.S,
)


def prepared(folder: Path) -> Path:
    """The folder in which a reader begins, with `postmortem` beside it."""
    shutil.copytree(HERE / "examples", folder / "work", ignore=shutil.ignore_patterns("README.md"))
    tool = folder / "bin" / "postmortem"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m toolkit "$@"\n')
    tool.chmod(0o755)
    return folder


def run(page: str, folder: Path) -> str:
    """The page with what its commands print now, where that is not as shown."""
    text = (HERE / page).read_text(encoding="utf-8")

    def anew(block: re.Match[str]) -> str:
        if block["said"] == "file":
            place = folder / "work" / block["what"]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(block["text"], encoding="utf-8")
        needed = block["what"].split() if block["said"] == "needs" else ()
        if block["kind"] != "console" or not all(map(shutil.which, needed)):
            return block[0]
        before = block[0].partition("```")[0]
        return f"{before}```console\n" + "".join(_answers(block["text"], folder)) + "```"

    return _BLOCK.sub(anew, text)


def _answers(text: str, folder: Path) -> Iterator[str]:
    code = 0
    for part in re.split(r"^(?=\$ )", text, flags=re.M):
        if not part.startswith("$ "):
            yield part
            continue
        lines = part.splitlines(keepends=True)
        count = next((n for n, line in enumerate(lines) if not line.endswith("\\\n")), 0) + 1
        command, shown = "".join(lines[:count])[2:], "".join(lines[count:])
        ran = subprocess.run(  # noqa: S603
            ["/bin/bash", "-c", f"(exit {code})\n{command}"],
            cwd=folder / "work",
            env={
                **os.environ,
                "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
                "PYTHONPATH": str(HERE.parent),
                "COLUMNS": "100",
                "HOME": str(folder),
                "LC_ALL": "C.UTF-8",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        code = ran.returncode
        printed = ran.stdout.decode().replace(str(folder), "")
        yield "$ " + command + (shown if fits(printed, shown) else printed)


def fits(printed: str, shown: str) -> bool:
    """Whether what is printed is what is shown, with its ellipses."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace("…", ".*?") + r"\n"
        for line in shown.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        start = prepared(Path(name))
        for each in PAGES:
            (HERE / each).write_text(run(each, start), encoding="utf-8")
