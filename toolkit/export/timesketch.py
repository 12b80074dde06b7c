"""Timesketch: the timeline, one JSON object a line.

Source: https://timesketch.org/guides/user/import-from-json-csv/
"""

from __future__ import annotations

from pathlib import Path

from toolkit.export.writing import Written, saved, stated, write_lines
from toolkit.report import CaseFacts
from toolkit.store import Store

TITLE = "Timesketch timeline (JSON Lines)"
NAME = "timesketch.jsonl"


def export(store: Store, facts: CaseFacts, target: Path) -> Written:
    """One line per row of `timeline`, in its order."""
    rows = saved(facts, "timesketch")
    write_lines(target, (stated(row) for row in rows))
    return Written(target, {"events": len(rows)})
