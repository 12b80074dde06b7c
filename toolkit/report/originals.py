"""The original line of a record, read from the evidence that the sources name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from toolkit.errors import EvidenceRefused
from toolkit.ingest import archive
from toolkit.store import Store

MAX_BYTES = 1 << 26
LINED = (".log", ".csv", ".jsonl", ".ndjson", ".txt", ".tsv", ".stderr")


def original_lines(store: Store, folder: Path) -> Callable[[int, int], str | None]:
    """A look-up of original lines by source and record number, for `build`.

    It answers None where the file is not there any more or has changed since it was read, where
    its records are not lines, and for files of more than 64 MiB.
    """
    sources = {
        row["source_id"]: row
        for row in store.rows("select source_id, path, sha256, bytes, records_read from source")
    }

    @cache
    def lines(source_id: int) -> Mapping[int, str]:
        row = sources[source_id]
        name = row["path"].lower()
        if not name.removesuffix(".gz").removesuffix(".zst").endswith(LINED):
            return {}
        if row["bytes"] > MAX_BYTES:
            return {}
        try:
            file = archive.open_one(folder / row["path"])
            if file.sha256 != row["sha256"] or file.bytes > MAX_BYTES:
                return {}
            found = {each.number: each.raw.decode(errors="replace") for each in file.lines()}
        except (EvidenceRefused, OSError):
            return {}
        # A cell that spans lines would shift the numbers: then no line is sure.
        return found if len(found) - row["records_read"] in (0, 1) else {}

    def line(source_id: int, record_no: int) -> str | None:
        return lines(source_id).get(record_no) if source_id in sources else None

    return line
