"""What the product needs on this machine: libraries of the system, fonts, versions, space."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit import resources

# What WeasyPrint loads at run time, with the Debian package that holds it.
LIBRARIES = {
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
    "libharfbuzz-subset.so.0": "libharfbuzz-subset0",
}
# What some commands use and the others do without, with what it is for.
PROGRAMS = {"ssh-keygen": ("openssh-client", "to sign bags with SSH keys and to check them")}
_DISTRIBUTION = "postmortem-toolkit"
_FREE_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. The product works, but for a part, without what is optional."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    optional: bool = False


def examine() -> list[Check]:
    """Look at everything; a check that is not ok says what to do."""
    return [
        _python(),
        *(_library(*pair) for pair in LIBRARIES.items()),
        _fonts(),
        _folders(),
        *_packages(),
        _space("space for cases here", Path.cwd()),
        _space("space for temporary files", Path(tempfile.gettempdir())),
        *(_program(name, *told) for name, told in PROGRAMS.items()),
    ]


def missing_libraries() -> list[str]:
    """Debian packages of the libraries that cannot be loaded."""
    return [package for name, package in LIBRARIES.items() if not _loads(name)]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("Python", sys.version_info >= (3, 11), version, "use Python 3.11 or newer")


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _library(name: str, package: str) -> Check:
    ok = _loads(name)
    return Check(name, ok, "loads" if ok else "missing", f"apt-get install {package}")


def _fonts() -> Check:
    from fontTools.ttLib import TTFont, TTLibError

    paths = sorted((resources.templates() / "fonts").glob("*.ttf"))
    broken = []
    for path in paths:
        try:
            with TTFont(path) as font:
                font["cmap"].getBestCmap()
        except (TTLibError, OSError, KeyError):
            broken.append(path.name)
    found = f"{len(paths)} bundled"
    if broken:
        found += f", not readable: {', '.join(broken)}"
    return Check("fonts", bool(paths) and not broken, found, "install the package again")


def _folders() -> Check:
    return Check("queries", resources.queries().is_dir(), str(resources.queries()))


def _packages() -> Iterator[Check]:
    """Every package that the product names, with its version and whether that will do."""
    try:
        asked = importlib.metadata.requires(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        # A checkout that was never installed names no versions.
        asked = ["duckdb", "tzdata", "weasyprint"]
    for requirement in asked:
        # An extra is asked for by those who want it.
        wanted, _, marker = requirement.partition(";")
        name, bounds = re.fullmatch(r"([\w.-]+)\s*(.*?)\s*", wanted).groups()  # type: ignore[union-attr]
        optional = "extra" in marker
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = ""
        yield Check(
            name, bool(version) and meets(version, bounds), version or "missing",
            f"pip install '{name}{bounds}'", optional,
        )  # fmt: skip


def meets(version: str, bounds: str) -> bool:
    """Whether a version lies within bounds such as `>=2.0,<3`; of releases, not of candidates."""
    have = _release(version)
    kept = {
        ">=": lambda bound: have >= bound,
        "<=": lambda bound: have <= bound,
        "==": lambda bound: have == bound,
        "!=": lambda bound: have != bound,
        ">": lambda bound: have > bound,
        "<": lambda bound: have < bound,
    }
    pairs = re.findall(r"(>=|<=|==|!=|>|<)\s*([\d.]+)", bounds)
    return all(kept[sign](_release(bound)) for sign, bound in pairs)


def _release(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.findall(r"\d+", version)[:4]]
    return (*numbers, *(0,) * (4 - len(numbers)))


def _space(name: str, folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    writable = os.access(folder, os.W_OK)
    found = f"{free // 10**6:,} MB at {folder}{'' if writable else ', not writable'}"
    remedy = "free some space" if writable else "use a folder that you can write to"
    return Check(name, writable and free > _FREE_BYTES, found, remedy)


def _program(name: str, package: str, purpose: str) -> Check:
    path = shutil.which(name)
    found = path or f"missing; needed {purpose}"
    return Check(name, path is not None, found, f"apt-get install {package}", optional=True)
