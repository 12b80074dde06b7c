"""Snapshots of ZFS datasets, from `zfs list`: the points that a dataset can be taken back to.

Source: zfs-list(8) of OpenZFS 2.1 to 2.3.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import Object, load, part, text
from toolkit.ingest.keyvalue import line_text
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.timestamps import TimeError, parse_epoch

COLUMNS = ("name", "guid", "creation", "used", "refer", "written", "userrefs")
_LINE = re.compile(
    r"[^\t@]+@[^\t@]+\t\d{1,20}\t\d{9,11}\t(?:\d+|-)\t(?:\d+|-)\t(?:\d+|-)\t(?:\d+|-)", re.ASCII
)
_MAJOR = "0"


class ZfsListReader(Reader):
    name = "zfs_list"
    title = "ZFS snapshots (zfs list)"
    fills = ("replication_sample",)
    obtain = (
        "zfs list -Hp -t snapshot -o name,guid,creation,used,refer,written,userrefs -s creation"
        " > FILE.tsv; or zfs list -jp -t snapshot -o creation,written > FILE.json"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "a snapshot proves that the point existed when it was listed; on the pool of its own"
        " dataset it is no second copy",
        "snapshots that were destroyed are absent; zpool history -il tells when",
        "without -p, times are local and are not read",
        "the dataset is the asset, unless asset_id is declared for the file",
    )
    sample = (
        b"tank/fs1@auto-2022-03-09_0800\t1820347101223457\t1646812800\t40960\t81920\t12288\t0\n"
        b"tank/fs1@auto-2022-03-09_0900\t1820347101223999\t1646816400\t0\t81920\t-\t1\n"
    )

    def matches(self, file: EvidenceFile) -> bool:
        if isinstance(file.json, dict):
            command = text(file.json, "output_version", "command")
            return command == "zfs list" and isinstance(file.json.get("datasets"), dict)
        lines = [record.raw.decode("utf-8", errors="replace") for record in file.spread]
        known = sum(_LINE.fullmatch(line) is not None for line in lines)
        return known * 2 > len(lines)

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        if file.data.lstrip()[:1] == b"{":
            for record, dataset in file.elements(_datasets(file)):
                _send_object(record, dataset, settings, sink)
            return
        for record in file.lines():
            line = line_text(record, sink)
            if line is None:
                continue
            if not line.strip():
                sink.skip(record, "blank line")
            elif not _LINE.fullmatch(line):
                reason = f"the line is not {', '.join(COLUMNS)}, separated by tabs"
                sink.reject(record, "LINE_FORM", reason)
            else:
                cells = dict(zip(COLUMNS, line.split("\t"), strict=True))
                _send(record, cells["name"], cells["creation"], cells["written"], settings, sink)


def _datasets(file: EvidenceFile) -> list[Any]:
    answer = load(file)
    version = text(answer, "output_version", "vers_major")
    if version != _MAJOR:
        raise EvidenceRefused(
            f"version {str(version)[:20]} of the format is not known",
            path=file.path,
            field="output_version.vers_major",
            remedy=f"this toolkit reads version {_MAJOR}; give the tab-separated form",
        )
    return list(part(answer, "datasets").values())


def _send_object(record: Record, dataset: Any, settings: SourceSettings, sink: Sink) -> None:
    if not isinstance(dataset, dict):
        sink.reject(record, "RECORD_SHAPE", "the dataset is not a JSON object")
        return
    if text(dataset, "type") != "SNAPSHOT":
        sink.skip(record, "no snapshot")
        return
    name, creation = text(dataset, "name"), _property(dataset, "creation")
    if name is None or creation is None or not creation.isdecimal():
        field = "name" if name is None else "creation"
        reason = "the snapshot has no name" if name is None else "no time in seconds: list with -p"
        sink.reject(record, "VALUE_MISSING", reason, field=field)
        return
    _send(record, name, creation, _property(dataset, "written") or "-", settings, sink)


def _property(dataset: Object, key: str) -> str | None:
    return text(dataset, "properties", key, "value")


def _send(
    record: Record,
    name: str,
    creation: str,
    written: str,
    settings: SourceSettings,
    sink: Sink,
) -> None:
    dataset = name.partition("@")[0]
    try:
        at = parse_epoch(creation, "s")
    except TimeError as error:
        sink.reject(record, error.code, error.reason, field="creation")
        return
    row: dict[str, Value] = {
        "sampled_at": at,
        "asset_id": settings.asset_id or dataset,
        "state": "success",
        "job_id": dataset,
        "bytes": None if written == "-" else written,
        "recovery_point_at": at,
    }
    sink.accept(record, ("replication_sample", row))
