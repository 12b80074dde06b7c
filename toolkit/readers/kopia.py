"""Snapshots of kopia, from `kopia snapshot list --json` and `snapshot create --json`.

Source: https://kopia.io/docs/reference/command-line/ (snapshot list), and the manifest's fields.
"""

from __future__ import annotations

from typing import Any, ClassVar

from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import Object, documents, part, peek, text
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value

_NEEDED = {"id", "source", "startTime", "endTime", "rootEntry"}


class KopiaReader(Reader):
    name = "kopia"
    title = "kopia snapshots (JSON)"
    fills = ("replication_sample",)
    obtain = "kopia snapshot list --all --json > FILE.json"
    traps: ClassVar[tuple[str, ...]] = (
        "a listed snapshot proves that the point existed when it was listed, not that it restores",
        "a run that made no snapshot is absent",
        "totalSize is the size of what is protected, not of what was moved, and is not read",
    )
    sample = (
        b'[{"id":"8d7fexample","source":{"host":"fs1","userName":"backup","path":"/srv/data"},'
        b'"description":"","startTime":"2022-03-09T09:00:00.118205511Z","endTime":'
        b'"2022-03-09T09:02:41.868301204Z","stats":{"totalSize":9000000,"fileCount":40,'
        b'"errorCount":0},"rootEntry":{"name":"data","type":"d","obj":"kexample","summ":{"size":'
        b'9000000,"files":40,"dirs":3,"numFailed":1}},"retentionReason":["latest-1"]}]\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        found = peek(file)
        return bool(found) and all(
            each.keys() >= _NEEDED - {"rootEntry"} and "path" in part(each, "source")
            for each in found
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        found: list[Any] = []
        for value in documents(file):
            found += value if isinstance(value, list) else [value]
        for record, snapshot in file.elements(found):
            if isinstance(snapshot, dict):
                _send(record, snapshot, settings, sink)
            else:
                sink.reject(record, "RECORD_SHAPE", "the snapshot is not a JSON object")


def _send(record: Record, snapshot: Object, settings: SourceSettings, sink: Sink) -> None:
    asset = settings.asset_id or text(snapshot, "source", "host")
    if asset is None:
        need = "the snapshot names no host: declare asset_id for this file"
        sink.reject(record, "ASSET_NONE", need, field="source.host")
        return
    started, reason = text(snapshot, "startTime"), text(snapshot, "incomplete")
    failed = [
        text(snapshot, "rootEntry", "summ", "numFailed") or "0",
        text(snapshot, "stats", "errorCount") or "0",
    ]
    unread = max((int(each) for each in failed if each.isdecimal()), default=0)
    row: dict[str, Value] = {
        "sampled_at": text(snapshot, "endTime"),
        "asset_id": asset,
        "state": "failure" if reason else "warning" if unread else "success",
        "job_id": text(snapshot, "source", "path"),
        "started_at": started,
        "recovery_point_at": None if reason else started,
        "error": f"incomplete: {reason}" if reason else None,
    }
    if unread and not reason:
        row["error"] = f"items not read: {unread}"
    sink.accept(record, ("replication_sample", row))
