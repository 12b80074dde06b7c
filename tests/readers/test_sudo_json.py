"""The JSON log of sudo: repeated keys, commands and their ends."""

from __future__ import annotations

import pytest
from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("sudo_json")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["sudo_json"].sample) == ["sudo_json"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("sudo_json")


def test_a_closed_object_and_one_object_a_line_are_read_alike() -> None:
    sample = readers()["sudo_json"].sample.decode()
    whole = read("sudo_json", sample.rstrip() + "\n}\n")
    assert whole.incomplete == []
    lines = "".join(
        f'{{"reject": {{"uuid": "{n}", "submit_time": {{"seconds": 1646816411, "nanoseconds": 0}},'
        f' "submituser": "op-y"}}}}\n' for n in range(2)
    )  # fmt: skip
    assert claimants(lines) == ["sudo_json"]
    assert read("sudo_json", lines).account["accepted"] == 2


def test_a_key_that_stands_twice_inside_of_an_event_refuses_the_file() -> None:
    text = '{"accept": {"uuid": "a", "uuid": "b", "submituser": "op-x"}}'
    with pytest.raises(EvidenceRefused, match="occurs twice"):
        read("sudo_json", text)


def test_a_command_that_was_refused_did_not_go_well() -> None:
    _, refused = read("sudo_json", readers()["sudo_json"].sample).rows["maintenance_event"]
    assert refused["outcome"] == "failure"
    assert refused["message"].startswith("command not allowed")
