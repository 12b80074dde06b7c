"""Where the files lie that belong to the product but are no Python: SQL, templates, samples.

A checkout holds them in top-level folders; a wheel carries them inside the package.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import metadata
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_other_queries: ContextVar[Path | None] = ContextVar("other_queries", default=None)


def _folder(name: str) -> Path:
    for candidate in (_PACKAGE.parent / name, _PACKAGE / "_data" / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"the installation lacks its folder {name!r}; install it again")


def queries() -> Path:
    """The SQL catalogue."""
    return _other_queries.get() or _folder("queries")


def installed_queries() -> Path:
    """The SQL catalogue of this installation, whichever stands in its place now."""
    return _folder("queries")


@cache
def delivered_queries() -> Mapping[str, str]:
    """SHA-256 of every file of the catalogue as delivered, by its path below `queries`.

    An installed wheel keeps them in its record, whatever became of the files since; a checkout has
    nothing but its files.
    """
    home = installed_queries()
    return _recorded(home) or {
        path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.rglob("*")
        if path.suffix in (".sql", ".toml")
    }


def _recorded(home: Path) -> Mapping[str, str]:
    try:
        installed = metadata.distribution("postmortem-toolkit")
    except metadata.PackageNotFoundError:
        return {}
    found = {}
    for file in installed.files or ():
        path = Path(str(installed.locate_file(file))).resolve()
        if file.hash is not None and file.hash.mode == "sha256" and path.is_relative_to(home):
            padded = file.hash.value + "=" * (-len(file.hash.value) % 4)
            digest = base64.urlsafe_b64decode(padded).hex()
            found[path.relative_to(home).as_posix()] = digest
    return found


@contextmanager
def queries_of(folder: Path) -> Iterator[None]:
    """Let another catalogue take the place of the shipped one, as when a sealed one is verified."""
    token = _other_queries.set(folder)
    try:
        yield
    finally:
        _other_queries.reset(token)


def templates() -> Path:
    """Report templates, style sheets and fonts."""
    return _folder("report_templates")


def samples() -> Path:
    """The sample cases."""
    return _folder("sample_data")
