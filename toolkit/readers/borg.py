"""BorgBackup: `borg create --json`, `borg list --json` and `borg info --json` of archives."""

from __future__ import annotations

import re
from typing import Any

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value

_OFFSET = re.compile(r"(?:Z|[+-]\d\d:?\d\d)\Z", re.ASCII)


class BorgReader(Reader):
    name = "borg"
    title = "BorgBackup (create --json, list --json, info --json)"
    fills = ("replication_sample",)
    obtain = "borg create --json --stats … > FILE.json; borg list --json > FILE.json"
    needs_zone = True
    traps = (
        "borg 1 prints local times without a zone: declare the zone of the machine",
        "the output of create names no machine: declare asset_id",
        "a run that stopped prints no JSON: keep --log-json beside it",
        "a listed archive proves that the point existed when it was listed, not that it restores",
        "an archive named .checkpoint is the part of a run that did not end",
        "--timestamp can backdate an archive; deduplicated size is that of the day of printing",
    )
    sample = (
        b'{"archive": {"command_line": ["borg", "create", "--json", "::fs1-0203", "/data"], '
        b'"duration": 2.75, "end": "2026-02-03T01:00:02.000000", "id": "77c0ffee", "limits": '
        b'{"max_archive_size": 0.0001}, "name": "fs1-0203", "start": "2026-02-03T01:00:00.000000", '
        b'"stats": {"compressed_size": 900000, "deduplicated_size": 812345, "nfiles": 40, '
        b'"original_size": 9000000}}, "encryption": {"mode": "repokey"}, "repository": {"id": '
        b'"a1b2c3", "last_modified": "2026-02-03T01:00:02.000000", "location": "/backup/borg"}}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        data = file.json
        if not isinstance(data, dict):
            return False
        repository = data.get("repository")
        return (
            isinstance(repository, dict)
            and {"id", "location"} <= repository.keys()
            and (isinstance(data.get("archive"), dict) or isinstance(data.get("archives"), list))
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        data = file.json if isinstance(file.json, dict) else {}
        archives = [data["archive"]] if "archive" in data else data.get("archives") or []
        _check_zone(file, archives, settings)
        for record, archive in file.elements(archives):
            start = _text(archive, "start") or _text(archive, "time")
            if start is None:
                sink.reject(record, "TIME_NONE", "the archive states no start", field="start")
                continue
            asset_id = settings.asset_id or _text(archive, "hostname")
            if asset_id is None:
                reason = "the archive names no machine: declare asset_id for this file"
                sink.reject(record, "ASSET_NONE", reason, field="asset_id")
                continue
            stats = archive.get("stats")
            size = stats.get("deduplicated_size") if isinstance(stats, dict) else None
            row: dict[str, Value] = {
                "sampled_at": _text(archive, "end") or start,
                "asset_id": asset_id,
                "state": "success",
                "started_at": start,
                "bytes": size if type(size) is int else None,
                "recovery_point_at": start,
            }
            if ".checkpoint" in (_text(archive, "name") or ""):
                row |= {
                    "state": "warning",
                    "recovery_point_at": None,
                    "error": "checkpoint: the run did not end",
                }
            sink.accept(record, ("replication_sample", row))


def _check_zone(file: EvidenceFile, archives: list[Any], settings: SourceSettings) -> None:
    if settings.zone is not None:
        return
    for archive in archives:
        start = _text(archive, "start") or _text(archive, "time")
        if start is not None and not _OFFSET.search(start):
            raise EvidenceRefused(
                "the times are local and state no zone (TIME_NO_ZONE)",
                path=file.path,
                field="start",
                remedy="declare the zone of the machine: zone in case.toml, or ingest --zone",
            )


def _text(archive: Any, key: str) -> str | None:
    value = archive.get(key) if isinstance(archive, dict) else None
    return value if isinstance(value, str) and value else None
