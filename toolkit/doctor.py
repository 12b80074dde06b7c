"""What reports need on this machine: libraries of the system, fonts, versions, space."""

from __future__ import annotations

import ctypes
import importlib.metadata
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from toolkit import resources

# What WeasyPrint loads at run time, with the Debian package that holds it.
LIBRARIES = {
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
    "libharfbuzz-subset.so.0": "libharfbuzz-subset0",
}
_FREE_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def examine() -> list[Check]:
    """Look at everything; a check that is not ok says what to do."""
    checks = [_python(), *(_library(*pair) for pair in LIBRARIES.items()), _fonts(), _folders()]
    checks += [_package(name) for name in ("duckdb", "weasyprint", "tzdata")]
    free = shutil.disk_usage(Path.cwd()).free
    checks.append(
        Check("free space", free > _FREE_BYTES, f"{free // 10**6:,} MB", "free some space")
    )
    return checks


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
    fonts = sorted((resources.templates() / "fonts").glob("*.ttf"))
    return Check("fonts", bool(fonts), f"{len(fonts)} bundled", "install the package again")


def _folders() -> Check:
    return Check("queries", resources.queries().is_dir(), str(resources.queries()))


def _package(name: str) -> Check:
    return Check(name, True, importlib.metadata.version(name))
