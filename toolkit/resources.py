"""Where the files lie that belong to the product but are no Python: SQL, templates, samples.

A checkout holds them in top-level folders; a wheel carries them inside the package.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    for candidate in (_PACKAGE.parent / name, _PACKAGE / "_data" / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"the installation lacks its folder {name!r}; install it again")


def queries() -> Path:
    """The SQL catalogue."""
    return _folder("queries")


def templates() -> Path:
    """Report templates, style sheets and fonts."""
    return _folder("report_templates")


def samples() -> Path:
    """The sample cases."""
    return _folder("sample_data")
