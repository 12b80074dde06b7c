"""The Azure Activity Log: the rows of one action become one event."""

from __future__ import annotations

import json

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("azure_activity")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["azure_activity"].sample) == ["azure_activity"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("azure_activity")


def test_the_stream_to_a_storage_account_is_read_line_by_line() -> None:
    entry = {"time": "2022-03-09T09:00:05.1180417Z", "resourceId": "/SUBSCRIPTIONS/0/VM1",
             "operationName": "MICROSOFT.COMPUTE/VIRTUALMACHINES/DELETE", "category":
             "Administrative", "resultType": "Success", "correlationId": "c"}  # fmt: skip
    text = json.dumps(entry) + "\n" + json.dumps({**entry, "correlationId": "d"}) + "\n"
    assert claimants(text) == ["azure_activity"]
    first, second = read("azure_activity", text).rows["maintenance_event"]
    assert (first["action"], first["outcome"]) == ("delete", "success")
    assert second["session_id"] == "d"


def test_equal_rows_of_one_action_are_all_accounted_for() -> None:
    entry = {"eventTimestamp": "2022-03-09T09:00:05Z", "operationName": {"value": "a/b/write"},
             "status": {"value": "Started"}, "category": {}, "resourceId": "r",
             "correlationId": "c"}  # fmt: skip
    found = read("azure_activity", json.dumps([entry, entry]))
    assert found.account == {"accepted": 1, "continued": 1, "skipped": 0, "rejected": 0}
