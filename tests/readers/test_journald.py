"""The journal as JSON lines: times of source and receipt, messages of any shape, events."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def line(**fields: object) -> str:
    entry = {"__CURSOR": "s=1", "__REALTIME_TIMESTAMP": "1646816400000000", **fields}
    return json.dumps(entry) + "\n"


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("journald")


def test_only_journald_claims_its_sample() -> None:
    assert claimants(readers()["journald"].sample) == ["journald"]


def test_the_time_of_the_source_wins_and_the_receipt_is_the_record() -> None:
    row = read("journald", line(_SOURCE_REALTIME_TIMESTAMP="1646816399500000", MESSAGE="x")).only(
        "maintenance_event"
    )
    assert row["occurred_at"] == "2022-03-09T08:59:59.500000+00:00"
    assert row["recorded_at"] == "2022-03-09T09:00:00+00:00"


def test_an_entry_without_a_time_is_rejected() -> None:
    found = read("journald", line(__REALTIME_TIMESTAMP=None, MESSAGE="x") + line(MESSAGE="y"))
    assert found.rejects == [(1, "__REALTIME_TIMESTAMP", "TIME_NONE")]


def test_numbers_of_accounts_are_not_read_as_actors() -> None:
    row = read("journald", line(_UID="0", _AUDIT_LOGINUID="1000", MESSAGE="action=drain")).only(
        "maintenance_event"
    )
    assert row["action"] == "drain"
    assert "actor" not in row


def test_a_message_and_a_field_that_disagree_reject_the_entry() -> None:
    found = read("journald", line(TARGET="a", MESSAGE="action=drain target=b") + line(MESSAGE="y"))
    assert found.rejects == [(1, "target", "KV_DUPKEY")]


@settings(deadline=None)
@given(st.lists(st.integers(0, 255), max_size=30))
def test_a_message_of_any_bytes_is_kept(message: list[int]) -> None:
    row = read("journald", line(MESSAGE=message, SYSLOG_IDENTIFIER="t")).only("maintenance_event")
    shown = row["message"].removeprefix("t").removeprefix(": ")
    kept = bytes(message).replace(b"\0", b"\\x00")
    assert shown == kept.decode("utf-8", "backslashreplace")
