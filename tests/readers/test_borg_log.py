"""BorgBackup logs: what a command said, and the run that it stopped."""

from __future__ import annotations

from pathlib import Path

from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("borg_log")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["borg_log"].sample) == ["borg_log"]


def test_another_command_that_stopped_is_no_replication_sample() -> None:
    stopped = (
        '{"type": "log_message", "time": 1770080403, "message": "Local Exception", '
        '"levelname": "ERROR", "name": "borg.archiver", "msgid": "Exception"}\n'
        '{"type": "log_message", "time": 1770080403, "message": '
        '"sys.argv: [\'borg\', \'COMMAND\', \'::a\']", "levelname": "ERROR", "name": "borg"}\n'
    )
    for command, relations in (
        ("extract", {"maintenance_event"}),
        ("create", {"maintenance_event", "replication_sample"}),
    ):
        found = read("borg_log", stopped.replace("COMMAND", command), asset_id="fs1")
        assert set(found.rows) == relations


def test_a_real_run_of_create_that_stopped_is_one_failed_sample(shared_data: Path) -> None:
    for name in ("create_09.log.jsonl", "create_10.log.jsonl"):
        path = shared_data / "real_tools_telemetry" / "borg" / name
        assert claimants(path) == ["borg_log"]
        found = read("borg_log", path, asset_id="vm")
        assert found.account == {"accepted": 2, "continued": 0, "skipped": 0, "rejected": 0}
        assert found.only("replication_sample")["state"] == "failure"
        assert "replication_sample" not in read("borg_log", path).rows


def test_a_real_check_and_a_real_repair_make_no_replication_sample(shared_data: Path) -> None:
    folder = shared_data / "real_tools_telemetry" / "borg"
    check, repair = folder / "check_after.jsonl", folder / "repair.jsonl"
    assert claimants(check) == claimants(repair) == ["borg_log"]
    found = read("borg_log", check, asset_id="vm")
    assert found.rejects == [(18, None, "JSON_SYNTAX")]
    assert found.account["accepted"] == 17
    assert set(found.rows) == {"maintenance_event"}
    found = read("borg_log", repair, asset_id="vm")
    assert [code for *_, code in found.rejects] == ["TIME_NONE", "TIME_NONE"]
    assert set(found.rows) == {"maintenance_event"}
