"""Upptime: states of a site, minutes down, and issues."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.readers.upptime import Upptime

SITE = {"slug": "restore", "url": "https://x.example", "status": "down", "uptimeDay": "0.00%"}


@pytest.mark.parametrize("folder", ["upptime", "upptime_issues"])
def test_the_golden_history_reads_as_expected(folder: str) -> None:
    check_golden("upptime", folder)


def test_a_real_history_is_read_without_a_reject(shared_data: Path) -> None:
    folder = shared_data / "upptime_cloudesire"
    for file in sorted(folder.glob("history*/*.yml")):
        assert claimants(file) == ["upptime"]
        found = read("upptime", file)
        assert found.account["rejected"] == found.account["skipped"] == 0
        states = {row["state"] for row in found.rows["asset_state"]}
        assert states <= {"healthy", "failed", "degraded"}
    summary = folder / "history" / "summary.json"
    assert claimants(summary) == ["upptime"]
    found = read("upptime", summary, zone="UTC")
    assert found.account == {"accepted": 240, "continued": 0, "skipped": 3, "rejected": 0}


def test_the_days_of_a_summary_need_a_zone() -> None:
    data = json.dumps([{**SITE, "dailyMinutesDown": {"2022-03-09": 62}}])
    with pytest.raises(EvidenceRefused, match="the days carry no zone"):
        read("upptime", data)
    row = read("upptime", data, zone="UTC").only("metric_sample")
    assert (row["sampled_at"], row["value"]) == ("2022-03-09T00:00:00+00:00", 62.0)


def test_a_site_that_was_never_down_needs_none() -> None:
    data = json.dumps([{**SITE, "dailyMinutesDown": {}}])
    assert claimants(data) == ["upptime"]
    assert read("upptime", data).account["skipped"] == 1


def test_issues_of_other_projects_are_not_claimed() -> None:
    issue = {
        "number": 1,
        "title": "T",
        "labels": [{"name": "bug"}],
        "createdAt": "2022-03-09T08:00:00Z",
    }
    assert claimants(json.dumps([issue])) == []


@pytest.mark.parametrize("extra", [b"status: up\n", b"  nested: 1\n", b"no key\n", b"\xff\n"])
def test_a_file_that_is_not_of_flat_keys_is_refused_with_its_line(extra: bytes) -> None:
    with pytest.raises(EvidenceRefused) as refusal:
        read("upptime", Upptime.sample + extra)
    assert refusal.value.line == 8
