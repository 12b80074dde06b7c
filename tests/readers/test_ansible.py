"""Ansible callbacks: what a task did on a host, line by line or as a whole."""

from __future__ import annotations

import json

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("ansible")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["ansible"].sample) == ["ansible"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("ansible")


def test_the_json_callback_gives_start_and_end_of_each_task() -> None:
    task = {"name": "detach meta2", "duration": {"start": "2022-03-09T09:00:03Z",
            "end": "2022-03-09T09:00:05Z"}}  # fmt: skip
    hosts = {"mds-us-1": {"action": "command", "changed": True}, "mds-us-2": {"failed": True}}
    text = json.dumps({"plays": [{"tasks": [{"task": task, "hosts": hosts}]}], "stats": {}})
    assert claimants(text) == ["ansible"]
    first, second = read("ansible", text).rows["maintenance_event"]
    assert (first["action"], first["outcome"]) == ("command", "success")
    assert first["ended_at"] == "2022-03-09T09:00:05+00:00"
    assert (second["action"], second["outcome"]) == ("task", "failure")


def test_a_skipped_task_is_no_action() -> None:
    hosts = {"h": {"action": "command", "skipped": True}}
    event = {"_event": "v2_runner_on_skipped", "_timestamp": "2022-03-09T09:00:03Z", "hosts": hosts}
    found = read("ansible", json.dumps({**event, "task": {"name": "t"}}))
    assert found.only("maintenance_event")["action"] == "log"
