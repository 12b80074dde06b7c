"""Shell histories: times of commands in three shells."""

from __future__ import annotations

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("shell_history")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["shell_history"].sample) == ["shell_history"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("shell_history")


def test_zsh_states_how_long_a_command_ran_and_wraps_its_bytes() -> None:
    text = b": 1646816405:12;stor-ctl detach \x83\xa9\n: 1646816420:0;echo a\\\nb\n"
    assert claimants(text) == ["shell_history"]
    first, second = read("shell_history", text).rows["maintenance_event"]
    assert first["ended_at"] == "2022-03-09T09:00:17+00:00"
    assert first["message"] == "stor-ctl detach \\x89"
    assert second["message"] == "echo a\nb"


def test_fish_states_the_time_after_the_command() -> None:
    text = "- cmd: zpool destroy tank\n  when: 1646816405\n  paths:\n    - tank\n- cmd: ls\n"
    assert claimants(text) == ["shell_history"]
    found = read("shell_history", text)
    assert found.only("maintenance_event")["action"] == "zpool destroy"
    assert found.rejects == [(5, "occurred_at", "TIME_NONE")]


def test_commands_from_before_times_were_kept_are_rejected() -> None:
    found = read("shell_history", "ls\n#1646816405\nls\n")
    assert found.rejects == [(1, "occurred_at", "TIME_NONE")]


def test_a_history_without_times_is_not_claimed() -> None:
    assert claimants("ls\nrm -rf x\n# a comment\n") == []
