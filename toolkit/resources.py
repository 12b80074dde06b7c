"""Where the files lie that belong to the product but are no Python: SQL, templates, samples.

A checkout holds them in top-level folders; a wheel carries them inside the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
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
