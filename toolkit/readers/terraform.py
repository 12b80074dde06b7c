"""What `terraform apply -json` (or OpenTofu) says while it works, one object a line.

Source: https://developer.hashicorp.com/terraform/internals/machine-readable-ui
"""

from __future__ import annotations

from typing import ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import Object, part, peek, records, text
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value

_MODULES = ("terraform.ui", "tofu.ui")
_MAJOR = "1"
_ENDS = {"apply_complete": "success", "apply_errored": "failure"}
_PROGRESS = ("apply_progress", "provision_progress", "refresh_start", "refresh_complete")
_LEVEL = {"error": "failure", "warn": "warning"}


class TerraformReader(Reader):
    name = "terraform"
    title = "Terraform or OpenTofu (apply -json)"
    fills = ("maintenance_event",)
    obtain = "terraform apply -json > apply.jsonl"
    traps: ClassVar[tuple[str, ...]] = (
        "start and end of the work on a resource become one event",
        "nobody is named: state who ran it in another record",
        "a resource that was begun and never ended has the outcome unknown",
        "messages are not a stable interface; values of outputs are not read",
    )
    sample = (
        b'{"@level":"info","@message":"Terraform 1.5.7","@module":"terraform.ui","@timestamp":'
        b'"2022-03-09T02:00:00.000001-07:00","terraform":"1.5.7","type":"version","ui":"1.1"}\n'
        b'{"@level":"info","@message":"array_volume.meta2: Destroying...","@module":"terraform.ui",'
        b'"@timestamp":"2022-03-09T02:00:03.275359-07:00","hook":{"resource":{"addr":'
        b'"array_volume.meta2","resource_type":"array_volume","resource_name":"meta2"},"action":'
        b'"delete","id_key":"id","id_value":"v-2"},"type":"apply_start"}\n'
        b'{"@level":"info","@message":"array_volume.meta2: Destruction complete after 2s",'
        b'"@module":"terraform.ui","@timestamp":"2022-03-09T02:00:05.120000-07:00","hook":'
        b'{"resource":{"addr":"array_volume.meta2"},"action":"delete","elapsed_seconds":2},'
        b'"type":"apply_complete"}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        found = peek(file)
        return bool(found) and all(
            each.get("@module") in _MODULES and {"type", "@timestamp"} <= each.keys()
            for each in found
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        entries = list(records(file, sink))
        _check_version(file, entries)
        ends = _ends(entries)
        begun: dict[int, Object] = {end: entries[start][1] for start, end in ends.items()}
        for number, (record, entry) in enumerate(entries):
            kind = text(entry, "type")
            if kind in _PROGRESS:
                sink.skip(record, "progress")
            elif number in ends:
                sink.continued(record)
            elif kind == "apply_start" or kind in _ENDS:
                row = _row(entry, _ENDS.get(str(kind), "unknown"))
                if number in begun:
                    row["ended_at"] = row["occurred_at"]
                    row["occurred_at"] = text(begun[number], "@timestamp")
                sink.accept(record, ("maintenance_event", row))
            else:
                log: dict[str, Value] = {
                    "occurred_at": text(entry, "@timestamp"),
                    "action": "log",
                    "target": text(entry, "hook", "resource", "addr")
                    or text(entry, "change", "resource", "addr"),
                    "outcome": _LEVEL.get(text(entry, "@level") or ""),
                    "message": text(entry, "@message"),
                }
                sink.accept(record, ("maintenance_event", log))


def _check_version(file: EvidenceFile, entries: list[tuple[Record, Object]]) -> None:
    for record, entry in entries:
        if text(entry, "type") != "version":
            continue
        stated = text(entry, "ui") or ""
        if stated.split(".")[0] != _MAJOR:
            raise EvidenceRefused(
                f"version {stated[:20]!r} of the format is not known",
                path=file.path,
                line=record.number,
                field="ui",
                remedy=f"this toolkit reads version {_MAJOR}",
            )


def _ends(entries: list[tuple[Record, Object]]) -> dict[int, int]:
    """For every start of work on a resource that ended: which entry says that it did."""
    open_starts: dict[tuple[str | None, str | None], int] = {}
    ends: dict[int, int] = {}
    for number, (_, entry) in enumerate(entries):
        kind, hook = text(entry, "type"), part(entry, "hook")
        key = (text(hook, "resource", "addr"), text(hook, "action"))
        if key[0] is None:
            continue
        if kind == "apply_start":
            open_starts[key] = number
        elif kind in _ENDS and key in open_starts:
            ends[open_starts.pop(key)] = number
    return ends


def _row(entry: Object, outcome: str) -> dict[str, Value]:
    hook = part(entry, "hook")
    return {
        "occurred_at": text(entry, "@timestamp"),
        "action": text(hook, "action"),
        "target": text(hook, "resource", "addr"),
        "outcome": outcome,
        "message": text(entry, "@message"),
    }
