"""CloudTrail: who called what, on which resources."""

from __future__ import annotations

import json

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("cloudtrail")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["cloudtrail"].sample) == ["cloudtrail"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("cloudtrail")


def test_the_answer_of_lookup_events_holds_the_event_as_text() -> None:
    event = json.loads(readers()["cloudtrail"].sample)["Records"][0]
    answer = {"Events": [{"EventId": "e-1", "CloudTrailEvent": json.dumps(event)},
                         {"EventId": "e-2", "CloudTrailEvent": "{"}], "NextToken": "x"}  # fmt: skip
    text = json.dumps(answer)
    assert claimants(text) == ["cloudtrail"]
    found = read("cloudtrail", text)
    row = found.only("maintenance_event")
    assert (row["action"], row["outcome"], row["target"]) == (
        "DeleteVolume", "failure", "vol-0example",
    )  # fmt: skip
    assert found.rejects == [(2, "CloudTrailEvent", "JSON_SYNTAX")]
    assert found.incomplete


def test_several_ids_in_a_request_name_no_target() -> None:
    event = json.loads(readers()["cloudtrail"].sample)["Records"][0]
    event["requestParameters"] = {"volumeId": "vol-1", "instanceId": "i-1"}
    found = read("cloudtrail", json.dumps({"Records": [event]}))
    assert "target" not in found.only("maintenance_event")


def test_halves_of_surrogate_pairs_are_shown_escaped() -> None:
    event = json.loads(readers()["cloudtrail"].sample)["Records"][0]
    event["errorMessage"] = "\ud800\0"
    row = read("cloudtrail", json.dumps({"Records": [event]})).only("maintenance_event")
    assert row["message"].endswith("\\ud800\\x00")
