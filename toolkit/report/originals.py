"""The original line of a record, read from the evidence that the sources name."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

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
        for row in store.rows("select source_id, path, sha256, records_read, encoding from source")
    }

    @cache
    def lines(source_id: int) -> list[str]:
        row = sources[source_id]
        path = folder / row["path"]
        name = path.name.lower()
        if not name.removesuffix(".gz").endswith(LINED) or not path.is_file():
            return []
        if path.stat().st_size > MAX_BYTES:
            return []
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != row["sha256"]:
            return []
        if name.endswith(".gz"):
            with gzip.GzipFile(fileobj=path.open("rb")) as packed:
                content = packed.read(MAX_BYTES)
        text = content.decode(row["encoding"] or "utf-8", errors="replace")
        found = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
        # A cell that spans lines would shift the numbers: then no line is sure.
        return found if len(found) - row["records_read"] in (0, 1) else []

    def line(source_id: int, record_no: int) -> str | None:
        if source_id not in sources:
            return None
        found = lines(source_id)
        return found[record_no - 1] if 0 < record_no <= len(found) else None

    return line
