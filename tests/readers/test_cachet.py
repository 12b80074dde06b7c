"""Cachet, versions 2 and 3: local times, numbered states, and what was not public."""

from __future__ import annotations

import json
from typing import Any

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.readers.cachet import Cachet


def incidents(*entries: dict[str, Any]) -> str:
    return json.dumps({"meta": {}, "data": list(entries)})


def incident(**parts: Any) -> dict[str, Any]:
    return {
        "id": 1, "name": "N", "status": 1, "message": "M", "visible": 1, "scheduled_at": None,
        "created_at": "2022-03-09 08:00:00", "updated_at": "2022-03-09 08:00:00", **parts,
    }  # fmt: skip


@pytest.mark.parametrize("folder", ["cachet", "cachet_3"])
def test_the_golden_answer_reads_as_expected(folder: str) -> None:
    check_golden("cachet", folder)


def test_times_without_a_zone_refuse_the_file_and_times_with_one_do_not() -> None:
    with pytest.raises(EvidenceRefused, match="no zone"):
        read("cachet", Cachet.sample)
    own = incident(created_at="2022-03-09T08:00:00+01:00", updated_at="2022-03-09T08:00:00+01:00")
    found = read("cachet", incidents(own)).only("status_update")
    assert found["posted_at"] == "2022-03-09T07:00:00+00:00"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (0, "scheduled"),
        (1, "investigating"),
        (2, "identified"),
        (3, "monitoring"),
        ("4", "resolved"),
    ],
)
def test_the_numbers_of_states_are_read(status: object, state: str) -> None:
    found = read("cachet", incidents(incident(status=status)), zone="UTC")
    assert found.only("status_update")["state"] == state


def test_an_incident_with_updates_opens_as_an_update() -> None:
    # Its own status has moved on with every update.
    later = {"id": 2, "status": 4, "message": "Over.", "created_at": "2022-03-09 09:00:00"}
    data = incidents(incident(status=4, updates=[later]))
    rows = read("cachet", data, zone="UTC").rows["status_update"]
    assert [row["state"] for row in rows] == ["update", "resolved"]


def test_what_only_those_who_are_logged_in_could_see_was_no_public_post() -> None:
    for hidden in (0, 2, "0"):
        found = read("cachet", incidents(incident(visible=hidden)), zone="UTC")
        assert found.account["skipped"] == 1


def test_other_answers_with_data_are_not_claimed() -> None:
    assert claimants(json.dumps({"data": [{"id": 1, "name": "x"}]})) == []
    assert "cachet" not in claimants(json.dumps({"data": []}))


@pytest.mark.parametrize("data", ['"x"', "{", '{"data": 7}'])
def test_what_is_no_answer_of_the_api_is_refused(data: str) -> None:
    with pytest.raises(EvidenceRefused):
        read("cachet", data, zone="UTC")
