"""The Table API: stored values are UTC, shown ones are of a user."""

from __future__ import annotations

import json
from typing import Any

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused


def answer(**fields: Any) -> str:
    return json.dumps({"result": [{"number": "CHG1", "end_date": "", **fields}]})


def test_the_golden_answer_reads_as_expected() -> None:
    check_golden("servicenow_json")


def test_stored_times_are_utc_whatever_zone_the_case_declares() -> None:
    at = {"display_value": "2022-02-01 14:00:00", "value": "2022-02-01 21:00:00"}
    number = {"display_value": "CHG1", "value": "CHG1"}
    data = answer(number=number, start_date=at, end_date=at)
    assert claimants(data) == ["servicenow_json"]
    row = read("servicenow_json", data, zone="America/Denver").only("change")
    assert row["window_start"] == "2022-02-01T21:00:00+00:00"


def test_bare_values_with_bare_references_are_stored_ones() -> None:
    reference = {"link": "https://example.org/u/1", "value": "1f"}
    data = answer(start_date="2022-02-01 21:00:00", assigned_to=reference, state="-5")
    row = read("servicenow_json", data).only("change")
    assert row["window_start"] == "2022-02-01T21:00:00+00:00"
    assert row["implementer"] == "1f"


def test_shown_times_need_the_zone_of_the_user() -> None:
    reference = {"link": "https://example.org/u/1", "display_value": "op-x"}
    data = answer(start_date="2022-02-01 14:00:00", assigned_to=reference, state="Closed")
    with pytest.raises(EvidenceRefused, match="stored ones"):
        read("servicenow_json", data)
    row = read("servicenow_json", data, zone="America/Denver").only("change")
    assert row["window_start"] == "2022-02-01T21:00:00+00:00"
    assert row["implementer"] == "op-x"


def test_words_without_any_reference_are_told_by_the_code_of_the_state() -> None:
    at = "2022-02-01 21:00:00"
    assert read("servicenow_json", answer(start_date=at, state="3")).account["accepted"] == 1
    with pytest.raises(EvidenceRefused):
        read("servicenow_json", answer(start_date=at, state="Closed"))


def test_other_tables_are_not_claimed() -> None:
    assert claimants(json.dumps({"result": [{"number": "INC1", "caller_id": "x"}]})) == []


@pytest.mark.parametrize("data", ["[]", "{", '{"result": 7}'])
def test_what_is_no_answer_of_the_api_is_refused(data: str) -> None:
    with pytest.raises(EvidenceRefused):
        read("servicenow_json", data, zone="UTC")
