"""Jira: creation and states of issues, and changes by the names of custom fields."""

from __future__ import annotations

import json

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("jira")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["jira"].sample) == ["jira"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("jira")


def test_without_names_no_field_of_a_change_is_guessed() -> None:
    answer = json.loads(readers()["jira"].sample)
    del answer["names"]
    change = read("jira", json.dumps(answer)).only("change")
    assert "window_start" not in change
    assert "risk" not in change


def test_an_issue_of_another_type_is_no_change() -> None:
    text = readers()["jira"].sample.replace(b'"name":"Change"', b'"name":"Task"')
    assert "change" not in read("jira", text).rows


def test_a_page_among_several_says_so() -> None:
    text = readers()["jira"].sample.replace(b'"isLast":true', b'"isLast":false')
    assert read("jira", text).incomplete
