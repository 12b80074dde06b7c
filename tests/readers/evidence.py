"""What the tests of readers share: read a file as ingest does, and show what became of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import SourceSettings, readers
from toolkit.ingest.sink import EvidenceSink

GOLDEN = Path(__file__).parent / "golden"


def read(name: str, file: EvidenceFile | Path | bytes, **settings: Any) -> dict[str, Any]:
    """Read a file with a reader; every record must be accounted for."""
    if isinstance(file, bytes):
        file = EvidenceFile(Path("evidence"), file)
    elif isinstance(file, Path):
        file = EvidenceFile.open(file)
    declared = SourceSettings(**settings)
    sink = EvidenceSink(1, declared)
    readers()[name].read(file, declared, sink)
    account = sink.account
    assert account.total == file.read_count
    found: dict[str, Any] = {
        relation: [_plain(row) for row in table.to_pylist()] for relation, table in sink.tables()
    }
    return {
        **found,
        "accepted": account.accepted,
        "skipped": {reason: count for _, reason, count, _ in sink.skips()},
        "rejected": [[number, field, code] for _, number, _, field, code, _, _ in sink.rejects],
        "noted": [list(note[1:]) for note in sink.value_notes],
        "times_noted": [[note[1], note[2], note[5]] for note in sink.time_notes],
        "incomplete": account.incomplete,
    }


def expected(folder: str) -> dict[str, Any]:
    return json.loads((GOLDEN / folder / "expected.json").read_text(encoding="utf-8"))


def claimed_by(data: bytes) -> list[str]:
    file = EvidenceFile(Path("evidence"), data)
    return [reader.name for reader in readers().values() if reader.matches(file)]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
        if value is not None and name != "source_id" and not name.endswith(("_lo", "_hi"))
    }
