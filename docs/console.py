"""Run the commands that the pages show, and hold what they print against what is shown.

    python docs/console.py          # writes what is printed now into the pages

A block ```console holds `$ command` lines, each with what it prints; a line `...` stands for any
number of lines, and `…` inside of a line for any text. `<!-- file: PATH -->` before a block says
that the reader saves it under that name, `<!-- needs: PROGRAM … -->` that it is left as it is where
these programs are not there. The pages run in their order in one folder, which begins with the
examples of the tutorial.

Every `postmortem` is a process of its own, forked off one that has loaded the toolkit already:
loading it takes longer than most of the commands.
"""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
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


# Loaded before the first command; none of it opens a file of a case or starts a thread.
_LOADED = (
    "toolkit.cli", "toolkit.verbs", "toolkit.report", "toolkit.report.render", "toolkit.seal",
    "toolkit.frames", "pandas", "weasyprint",
)  # fmt: skip
# What `postmortem` is here: it hands its words, its folder and its three streams over, and waits.
_TOOL = """#!{python} -ISB
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({place!r})
    told = json.dumps([sys.argv, os.getcwd()]).encode()
    socket.send_fds(asked, [told], [0, 1, 2])
    sys.exit(asked.recv(1)[0])
"""


@contextmanager
def prepared(folder: Path) -> Iterator[Path]:
    """The folder in which a reader begins, with `postmortem` beside it."""
    shutil.copytree(HERE / "examples", folder / "work", ignore=shutil.ignore_patterns("README.md"))
    tool = folder / "bin" / "postmortem"
    tool.parent.mkdir()
    # The name of a socket must be short.
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as door:
        place = str(Path(short) / "door")
        door.bind(place)
        door.listen()
        tool.write_text(_TOOL.format(python=sys.executable, place=place))
        tool.chmod(0o755)
        with subprocess.Popen(  # noqa: S603
            [sys.executable, __file__, "--serve", str(door.fileno())],
            env=_surroundings(folder), pass_fds=[door.fileno()],
        ) as server:  # fmt: skip
            try:
                yield folder
            finally:
                server.terminate()


def _serve(door: socket.socket) -> None:
    """Run every `postmortem` that is asked for, each in a fork of this process."""
    sys.path[0] = str(HERE.parent)
    for name in _LOADED:
        __import__(name)
    gc.freeze()
    while True:
        asked, _ = door.accept()
        told, streams, _, _ = socket.recv_fds(asked, 1 << 16, 3)
        child = os.fork()
        if child == 0:
            os._exit(_command(*json.loads(told), streams))
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(child, 0)
        asked.sendall(bytes([os.waitstatus_to_exitcode(status) & 255]))
        asked.close()


def _command(words: list[str], place: str, streams: list[int]) -> int:
    from toolkit.cli import main

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(place)
    sys.argv = words
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 1


def _surroundings(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(HERE.parent),
        "COLUMNS": "100",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
    }


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
            env=_surroundings(folder),
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
    if sys.argv[1:2] == ["--serve"]:
        _serve(socket.socket(fileno=int(sys.argv[2])))
    with tempfile.TemporaryDirectory() as name, prepared(Path(name)) as start:
        for each in PAGES:
            (HERE / each).write_text(run(each, start), encoding="utf-8")
