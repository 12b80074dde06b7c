"""What the callbacks ansible.posix.jsonl and ansible.posix.json say of a playbook's tasks.

Source: https://docs.ansible.com/ansible/latest/collections/ansible/posix/ (jsonl, json).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.jsonfile import Object, items, load, part, peek, printable, records, text
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value


class AnsibleReader(Reader):
    name = "ansible"
    title = "Ansible (callbacks ansible.posix.jsonl and ansible.posix.json)"
    fills = ("maintenance_event",)
    obtain = "ANSIBLE_STDOUT_CALLBACK=ansible.posix.jsonl ansible-playbook … > run.jsonl"
    traps: ClassVar[tuple[str, ...]] = (
        "jsonl states when a host was done, json only when the task began and its slowest host"
        " ended; json is lost as a whole when a run is stopped",
        "nobody is named: state who ran it in another record",
        "no_log hides what a task did",
        "the action is the module; success is also what changed nothing, which the message says",
    )
    sample = (
        b'{"_event":"v2_playbook_on_task_start","_timestamp":"2022-03-09T09:00:03.100000Z","hosts":'
        b'{},"task":{"duration":{"start":"2022-03-09T09:00:03.100000Z"},"id":"t1","name":'
        b'"detach meta2","path":"/srv/play.yml:12"}}\n'
        b'{"_event":"v2_runner_on_failed","_timestamp":"2022-03-09T09:00:05.118041Z","hosts":'
        b'{"mds-us-1":{"action":"ansible.builtin.command","changed":true,"failed":true,"msg":'
        b'"non-zero return code","rc":2}},"task":{"duration":{"start":'
        b'"2022-03-09T09:00:03.100000Z","end":"2022-03-09T09:00:05.118041Z"},"id":"t1","name":'
        b'"detach meta2","path":"/srv/play.yml:12"}}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        value = file.json
        if isinstance(value, dict) and "_event" not in value:
            return isinstance(value.get("plays"), list) and isinstance(value.get("stats"), dict)
        found = peek(file)
        return bool(found) and all(
            {"_event", "_timestamp"} <= each.keys() and str(each["_event"]).startswith("v2_")
            for each in found
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        if isinstance(file.json, dict) and "plays" in file.json:
            for record, result in file.elements(list(_results(file))):
                duration = part(result["task"], "duration")
                row = _row(result["task"], result["host"], result["result"])
                row |= {"occurred_at": text(duration, "start"), "ended_at": text(duration, "end")}
                sink.accept(record, ("maintenance_event", row))
            return
        for record, event in records(file, sink):
            hosts = part(event, "hosts")
            if not str(event.get("_event")).startswith(("v2_runner_on_", "v2_runner_item_on_")):
                sink.skip(record, "no result of a host")
            elif not hosts:
                sink.skip(record, "a result without a host")
            else:
                rows = [_row(part(event, "task"), host, result) for host, result in hosts.items()]
                for row in rows:
                    row["occurred_at"] = text(event, "_timestamp")
                sink.accept(record, *(("maintenance_event", row) for row in rows))


def _results(file: EvidenceFile) -> Iterator[dict[str, Any]]:
    """Every result of a host with its task, in the order of the file."""
    plays = part(load(file)).get("plays")
    if not isinstance(plays, list):
        raise EvidenceRefused(
            "not a list", path=file.path, field="plays", remedy="give the callback's whole output"
        )
    for play in plays:
        for each in items(play, "tasks") if isinstance(play, dict) else ():
            for host, result in part(each, "hosts").items():
                yield {"task": part(each, "task"), "host": host, "result": result}


def _row(task: Object, host: str, result: Any) -> dict[str, Value]:
    """What a task did on a host; one that was skipped did nothing and is kept as a log line."""
    result = result if isinstance(result, dict) else {}
    words = ("failed", "unreachable", "skipped", "changed")
    said = next((word for word in words if result.get(word) is True), "ok")
    detail = "hidden by no_log" if "censored" in result else text(result, "msg")
    outcome = {"failed": "failure", "unreachable": "failure", "skipped": None}
    return {
        "action": "log" if said == "skipped" else text(result, "action") or "task",
        "target": printable(host),
        "outcome": outcome.get(said, "success"),
        "message": f"{text(task, 'name') or 'a task'}: {said}" + (f" ({detail})" if detail else ""),
    }
