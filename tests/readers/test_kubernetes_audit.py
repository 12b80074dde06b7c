"""Kubernetes audit log: the stages of a call become one event."""

from __future__ import annotations

import json

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("kubernetes_audit")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["kubernetes_audit"].sample) == ["kubernetes_audit"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("kubernetes_audit")


def test_a_list_of_events_is_read_like_lines() -> None:
    lines = readers()["kubernetes_audit"].sample.decode().splitlines()
    text = json.dumps({"kind": "EventList", "apiVersion": "audit.k8s.io/v1",
                       "items": [json.loads(line) for line in lines]})  # fmt: skip
    assert claimants(text) == ["kubernetes_audit"]
    assert read("kubernetes_audit", text).rows == read("kubernetes_audit", "\n".join(lines)).rows
