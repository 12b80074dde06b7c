"""restic: runs with and without times, items that were not read, and listed snapshots."""

from __future__ import annotations

from pathlib import Path

from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers

SUMMARY = (
    '{"message_type":"summary","files_new":1,"total_bytes_processed":9,"data_added":5,'
    '"snapshot_id":"aa"}\n'
)
ERROR = '{"message_type":"error","error":{},"during":"archival","item":"/"}\n'


def test_the_golden_files_read_as_expected() -> None:
    check_golden("restic")
    check_golden("restic", "restic_snapshots")


def test_only_restic_claims_its_sample() -> None:
    assert claimants(readers()["restic"].sample) == ["restic"]


def test_a_run_without_a_time_takes_the_declared_time_of_capture() -> None:
    found = read("restic", SUMMARY, asset_id="fs1", captured_at="2022-03-09T06:00:00Z")
    row = found.only("replication_sample")
    assert (row["sampled_at"], row["state"]) == ("2022-03-09T06:00:00+00:00", "success")
    assert "recovery_point_at" not in row
    assert found.time_notes == [(1, "sampled_at", "captured_at_used")]


def test_one_time_of_capture_does_not_date_two_runs() -> None:
    found = read("restic", SUMMARY * 2, asset_id="fs1", captured_at="2022-03-09T06:00:00Z")
    assert found.rejects == [(1, "sampled_at", "TIME_NONE"), (2, "sampled_at", "TIME_NONE")]


def test_a_run_of_no_named_machine_is_rejected() -> None:
    found = read("restic", SUMMARY, captured_at="2022-03-09T06:00:00Z")
    assert found.rejects == [(1, "asset_id", "ASSET_NONE")]


def test_errors_without_a_summary_are_one_warning() -> None:
    found = read("restic", ERROR * 2, asset_id="fs1", captured_at="2022-03-09T06:00:00Z")
    row = found.only("replication_sample")
    assert (row["state"], found.account["continued"]) == ("warning", 1)
    assert row["error"] == "items not read: 2; the first: archival: /"


def test_an_error_that_ends_the_run_is_its_failure() -> None:
    end = '{"message_type":"exit_error","code":1,"message":"Fatal: repository is locked"}\n'
    found = read("restic", ERROR + end, asset_id="fs1", captured_at="2022-03-09T06:00:00Z")
    row = found.only("replication_sample")
    assert (row["state"], row["error"]) == ("failure", "Fatal: repository is locked")


def test_a_dry_run_protects_nothing() -> None:
    text = SUMMARY.replace('"snapshot_id":"aa"', '"snapshot_id":"aa","dry_run":true')
    found = read("restic", text, asset_id="fs1", captured_at="2022-03-09T06:00:00Z")
    assert found.only("replication_sample")["state"] == "skipped"


def test_a_real_run_whose_wrapper_saw_no_error_was_a_warning(shared_data: Path) -> None:
    folder = shared_data / "real_tools_telemetry" / "restic"
    settings = {"asset_id": "vm", "captured_at": "2026-11-22T18:02:06Z"}
    states = {}
    for path in sorted(folder.glob("backup_*.jsonl")):
        assert claimants(path) == ["restic"]
        states[path.stem] = read("restic", path, **settings).only("replication_sample")["state"]
    assert [name for name, state in states.items() if state != "success"] == ["backup_09"]
    assert states["backup_09"] == "warning"
    stderr = folder / "backup_09.stderr"
    assert claimants(stderr) == ["restic"]
    assert read("restic", stderr, **settings).only("replication_sample")["state"] == "warning"


def test_real_listings_are_read_whole(shared_data: Path) -> None:
    folder = shared_data / "real_tools_telemetry" / "restic"
    for name, count in (("before", 8), ("after", 4), ("final", 7)):
        path = folder / f"snapshots_{name}.json"
        assert claimants(path) == ["restic"]
        rows = read("restic", path).rows["replication_sample"]
        assert len(rows) == count
        assert {row["asset_id"] for row in rows} == {"vm"}
        assert {row["job_id"] for row in rows} == {"job-nightly"}
