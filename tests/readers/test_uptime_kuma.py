"""Uptime Kuma: the page, and the heartbeats behind it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused


def beats(*held: dict[str, Any]) -> str:
    return json.dumps({"heartbeatList": {"4": list(held)}, "uptimeList": {}})


@pytest.mark.parametrize("folder", ["uptime_kuma", "kuma_beats"])
def test_the_golden_answer_reads_as_expected(folder: str) -> None:
    check_golden("uptime_kuma", folder)


def test_heartbeats_are_in_utc_whatever_zone_the_case_declares() -> None:
    data = beats({"status": 1, "time": "2022-03-09 08:29:00.120"})
    assert claimants(data) == ["uptime_kuma"]
    row = read("uptime_kuma", data, zone="America/Denver").only("asset_state")
    assert row["observed_at"] == "2022-03-09T08:29:00.120000+00:00"


def test_a_declared_asset_names_the_monitor() -> None:
    data = beats({"status": 0, "time": "2022-03-09 08:29:00"})
    row = read("uptime_kuma", data, asset_id="restore").only("asset_state")
    assert (row["asset_id"], row["state"]) == ("restore", "failed")


def test_a_hundred_heartbeats_mean_that_older_ones_are_missing() -> None:
    held = [{"status": 1, "time": f"2022-03-09 08:{n % 60:02}:00"} for n in range(100)]
    assert read("uptime_kuma", beats(*held)).incomplete
    assert not read("uptime_kuma", beats(*held[1:])).incomplete


def test_the_window_of_a_maintenance_is_in_the_zone_that_it_states() -> None:
    work = {
        "id": 5, "title": "W", "strategy": "single", "status": "scheduled",
        "timezone": "Europe/Dublin",
        "timeslotList": [{"startDate": "2022-07-01 10:00", "endDate": "2022-07-01 11:00"}],
    }  # fmt: skip
    data = json.dumps(
        {"config": {}, "incident": None, "publicGroupList": [], "maintenanceList": [work]}
    )
    row = read("uptime_kuma", data, zone="America/Denver").only("status_update")
    assert row["scheduled_start_at"] == "2022-07-01T09:00:00+00:00"
    assert "posted_at" not in row


@pytest.mark.parametrize("data", ["[]", "{", '{"config": {}, "publicGroupList": 7}'])
def test_what_is_no_answer_of_the_page_is_refused(data: str) -> None:
    with pytest.raises(EvidenceRefused):
        read("uptime_kuma", data)
