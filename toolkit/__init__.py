"""Incident postmortem and audit toolkit.

from toolkit import Case

case = Case.open("CASE")
case["onset"]                  # a relation as a DataFrame
case.sql("select …")           # read-only SQL, sandboxed
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.case import Case
    from toolkit.errors import ToolkitError

__all__ = ["Case", "ToolkitError", "__version__"]
__version__ = "0.3.0"

_HOMES = {"Case": "toolkit.case", "ToolkitError": "toolkit.errors"}


def __getattr__(name: str) -> object:
    # Commands that need neither pandas nor the database do not wait for them.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
