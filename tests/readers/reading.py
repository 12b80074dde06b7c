"""Reading a piece of evidence through the real sink, without a database."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import SourceSettings, readers
from toolkit.ingest.sink import EvidenceSink

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Reading:
    """What one file came to: rows by relation without empty columns, rejects, skips and notes."""

    rows: dict[str, list[dict[str, Any]]]
    account: dict[str, int]
    rejects: list[tuple[int, str | None, str]]
    skips: dict[str, int]
    time_notes: list[tuple[int, str, str]]
    value_notes: list[tuple[int, str, str, str]]
    incomplete: list[str]

    def only(self, relation: str) -> dict[str, Any]:
        """The single row of a relation."""
        (row,) = self.rows[relation]
        return row


def evidence(data: bytes | str | Path, name: str = "evidence") -> EvidenceFile:
    """A file of evidence from bytes, text or a path."""
    if isinstance(data, Path):
        return EvidenceFile.open(data)
    return EvidenceFile(Path(name), data.encode() if isinstance(data, str) else data)


def read(reader: str, data: bytes | str | Path, name: str = "evidence", **settings: Any) -> Reading:
    """Read evidence with a reader; every record must be accounted for."""
    file = evidence(data, name)
    declared = SourceSettings(**settings)
    sink = EvidenceSink(1, declared)
    readers()[reader].read(file, declared, sink)
    assert sink.account.total == file.read_count
    account = asdict(sink.account)
    return Reading(
        rows={
            relation: [_plain(row) for row in table.to_pylist()]
            for relation, table in sink.tables()
        },
        account={key: account[key] for key in ("accepted", "continued", "skipped", "rejected")},
        rejects=[(number, field, code) for _, number, _, field, code, _, _ in sink.rejects],
        skips={reason: count for _, reason, count, _ in sink.skips()},
        time_notes=[
            (number, column, flags) for _, number, column, _, _, flags, *_ in sink.time_notes
        ],
        value_notes=[note[1:] for note in sink.value_notes],
        incomplete=account["incomplete"],
    )


def claimants(data: bytes | str | Path, name: str = "evidence") -> list[str]:
    """The readers that take the evidence for their format."""
    file = evidence(data, name)
    return [key for key, reader in readers().items() if reader.matches(file)]


def check_golden(reader: str, folder: str | None = None) -> None:
    """Read the input of a golden folder and compare with its expected.json."""
    place = GOLDEN / (folder or reader)
    wanted = json.loads((place / "expected.json").read_text(encoding="utf-8"))
    (given,) = (path for path in place.iterdir() if path.name != "expected.json")
    assert claimants(given) == [reader]
    found = json.loads(json.dumps(asdict(read(reader, given, **wanted.pop("settings")))))
    assert found == wanted


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in row.items()
        if value is not None and key != "source_id"
    }
