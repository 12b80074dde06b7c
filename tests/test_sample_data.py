"""The sample cases are what their README and truth.toml say they are."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import json
import re
import sys
import tomllib
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

SAMPLES = Path(__file__).parent.parent / "sample_data"
DRAAS, LOST = SAMPLES / "draas-2022", SAMPLES / "lost-standby"
ORIGINALS = SAMPLES.parent.parent / "shared" / "data" / "real_tools_telemetry"


def module(path: Path) -> ModuleType:
    name = f"sample_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found  # dataclasses look their module up
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # a case holds no caches
    try:
        spec.loader.exec_module(found)
    finally:
        sys.dont_write_bytecode = before
    return found


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def truth(case: Path) -> dict[str, Any]:
    return tomllib.loads((case / "truth.toml").read_text())


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def generated() -> dict[str, bytes]:
    files: dict[str, bytes] = module(DRAAS / "generate.py").build()
    return files


def test_generator_writes_the_committed_bytes(generated: dict[str, bytes]) -> None:
    for name, data in generated.items():
        committed = (DRAAS / name).read_bytes()
        if name.endswith(".parquet") and committed != data:
            old, new = (pq.ParquetFile(io.BytesIO(each)) for each in (committed, data))
            assert old.metadata.created_by != new.metadata.created_by, name
            assert old.read().equals(new.read()), name
        else:
            assert committed == data, name


@pytest.mark.slow
def test_generator_is_deterministic(generated: dict[str, bytes]) -> None:
    assert module(DRAAS / "generate.py").build() == generated


@pytest.mark.parametrize("case", [DRAAS, LOST], ids=lambda case: case.name)
def test_a_case_is_small_and_holds_nothing_derived(case: Path) -> None:
    files = [path for path in case.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 8_000_000
    assert not [path for path in files if path.suffix in {".duckdb", ".wal", ".pdf"}]
    assert {"case.toml", "README.md", "truth.toml"} <= {path.name for path in files}


@pytest.mark.parametrize("case", [DRAAS, LOST], ids=lambda case: case.name)
def test_every_declared_source_exists_and_holds_the_expected_records(case: Path) -> None:
    sources = tomllib.loads((case / "case.toml").read_text())["source"]
    for source in sources:
        found = sorted(case.glob(source["path"]))
        assert found, source["path"]
        if "mapping" in source:
            assert (case / source["mapping"]).is_file()
        for path in found if "expected_records" in source else ():
            if path.suffix == ".csv":
                assert len(rows(path)) == source["expected_records"], path
            elif path.suffix == ".log":
                assert len(path.read_bytes().splitlines()) == source["expected_records"], path


def test_texts_of_the_flagship_case_say_whether_they_are_published_or_invented() -> None:
    texts = [row["claim"] for row in rows(DRAAS / "evidence/other/statement.csv")]
    texts += [row["body"] for row in rows(DRAAS / "evidence/other/notice.csv")]
    texts += [row["title"] for row in rows(DRAAS / "evidence/other/ticket_event.csv")]
    texts += [row["message"] for row in rows(DRAAS / "evidence/other/shift_log.csv")]
    texts += [update["body"] for update in status_updates("incidents")]
    texts += [update["body"] for update in status_updates("scheduled-maintenances")]
    for text in texts:
        assert text.startswith(("[published", "[invented for this sample]")), text


def status_updates(name: str) -> list[dict[str, Any]]:
    document = json.loads((DRAAS / f"evidence/status/{name}.json").read_text())
    (record,) = document[name.replace("-", "_")]
    return [update | {"record": record["id"]} for update in record["incident_updates"]]


def test_status_page_of_the_flagship_case_carries_the_published_dates() -> None:
    published = {
        update["display_at"][:10]
        for update in status_updates("incidents")
        if update["body"].startswith(("[published]", "[published, second-hand]"))
    }
    assert published == {"2022-03-09", "2022-03-12", "2022-04-06", "2022-04-16"}


def test_flagship_truth_agrees_with_status_page() -> None:
    expected = truth(DRAAS)["communication"]
    updates = status_updates("incidents")
    assert len(updates) == expected["incident_updates"]
    assert len(status_updates("scheduled-maintenances")) == expected["maintenance_updates"]
    edited = [update for update in updates if update["updated_at"] != update["created_at"]]
    assert len(edited) == expected["edited_updates"]
    first = min(instant(update["display_at"]) for update in updates)
    assert first == expected["first_post_at"]
    delay = first - expected["onset_at"]
    assert int(delay.total_seconds() // 60) == expected["minutes_to_first_post"]
    told = {row["organization"] for row in rows(DRAAS / "evidence/other/notice.csv")}
    partners = {f"partner-{n:02d}" for n in range(1, 25)}
    assert sorted(partners - told) == expected["partners_never_notified"]


def test_flagship_truth_agrees_with_changes_and_inventory() -> None:
    expected = truth(DRAAS)
    changes = rows(DRAAS / "evidence/changes/change_request.csv")
    assert len(changes) == expected["counts"]["changes"]
    assert len({change["number"] for change in changes}) == len(changes)
    decommissions = {row["number"] for row in changes if row["category"] == "Array decommission"}
    earlier = expected["rules"]["decommissions"]
    assert decommissions == {expected["trigger"]["change"], *earlier}
    assert len(earlier) == expected["base_rates"]["population"]
    for rule in ("CF-13", "CF-16"):
        assert sum(rule in found for found in earlier.values()) == expected["base_rates"][rule]
    assert not {rule for found in earlier.values() for rule in found} & set(
        expected["rules"]["signature"]
    )
    assert len(rows(DRAAS / "evidence/changes/approvals.csv")) == expected["counts"]["approvals"]
    assets = rows(DRAAS / "evidence/inventory/asset.csv")
    assert sum(row["kind"] == "machine" for row in assets) == expected["counts"]["machines"]
    known = {row["asset_id"] for row in assets}
    for row in rows(DRAAS / "evidence/inventory/dependency.csv"):
        assert {row["from_asset"], row["to_asset"]} <= known


@pytest.mark.parametrize("region", ["US", "IE", "AU"])
def test_flagship_truth_agrees_with_telemetry(region: str) -> None:
    expected = truth(DRAAS)["regions"][region]
    jobs = pq.read_table(DRAAS / f"evidence/telemetry/replication_sample-{region.lower()}.parquet")
    lost = jobs.filter(pc.match_substring(jobs["error"], "E1041"))
    lost = lost.filter(pc.equal(lost["job_kind"], "replicate"))
    assert pc.min(lost["sampled_at"]).as_py() == expected["first_failure_at"]
    assert expected["first_failure_at"] > expected["decommissioned_at"]
    # Daily jobs may be missing instead of failing, so that only silence shows all of them.
    start = pa.scalar(expected["decommissioned_at"], jobs["sampled_at"].type)
    end = pa.scalar(expected["decommissioned_at"] + timedelta(days=3), jobs["sampled_at"].type)
    soon = pc.and_(pc.greater(jobs["sampled_at"], start), pc.less(jobs["sampled_at"], end))
    well = pc.and_(pc.equal(jobs["job_kind"], "replicate"), pc.equal(jobs["state"], "success"))
    protected = set(jobs.filter(pc.and_(soon, well))["asset_id"].to_pylist())
    everyone = set(jobs["asset_id"].to_pylist())
    assert len(everyone) == expected["machines"]
    assert len(everyone - protected) == expected["affected"]
    for kind, outcomes in (("relink", ("relinked", "lost")), ("seed", ("reseeded", "reseeding"))):
        found = jobs.filter(pc.equal(jobs["job_kind"], kind))
        names = set(found["asset_id"].to_pylist())
        assert len(names) == sum(expected[outcome] for outcome in outcomes)
        done = found.filter(pc.equal(found["state"], "success"))
        assert len(set(done["asset_id"].to_pylist())) == expected[outcomes[0]]


@pytest.mark.parametrize("host", ["ctl-us", "ctl-au"])
def test_host_logs_begin_in_the_year_that_the_case_declares(host: str) -> None:
    lines = (DRAAS / f"evidence/hosts/{host}.log").read_bytes().splitlines()
    months = [line[:3] for line in lines]
    assert (months[0], months[-1]) == (b"Nov", b"Apr")
    turns = [pair for pair in pairwise(months) if pair == (b"Dec", b"Jan")]
    assert len(turns) == 1


def test_last_healthy_copy_stood_in_every_group_that_the_fatal_change_touched() -> None:
    removed = truth(DRAAS)["trigger"]["decommissioned"]
    at = truth(DRAAS)["communication"]["onset_at"]
    groups = {
        row["asset_id"]: row["redundancy_group"]
        for row in rows(DRAAS / "evidence/inventory/asset.csv")
    }
    states: dict[str, str] = {}
    for row in rows(DRAAS / "evidence/telemetry/asset_state.csv"):  # in order of time
        if instant(row["observed_at"]) < at:
            states[row["asset_id"]] = row["state"]
    for array in removed:
        members = [name for name, group in groups.items() if group == groups[array]]
        assert [name for name in members if states[name] == "healthy"] == [array]


def digests() -> dict[str, str]:
    text = (LOST / "README.md").read_text()
    return {path: digest for digest, path in re.findall(r"^([0-9a-f]{64})  (\S+)$", text, re.M)}


def test_copied_files_have_the_digests_that_the_readme_states() -> None:
    listed = digests()
    for path, digest in listed.items():
        assert hashlib.sha256((LOST / path).read_bytes()).hexdigest() == digest, path
    copied = {
        path.relative_to(LOST).as_posix()
        for folder in ("evidence", "unread")
        for path in (LOST / folder).rglob("*")
        if path.is_file() and "inventory" not in path.parts
    }
    assert copied == set(listed)


@pytest.mark.skipif(not ORIGINALS.is_dir(), reason="the originals are not here: ../shared/data")
def test_copies_equal_the_originals(tmp_path: Path) -> None:
    assert module(LOST / "build.py").build(ORIGINALS, tmp_path) == digests()


def test_replication_was_lost_and_is_open_at_the_end_of_the_record() -> None:
    expected = truth(LOST)["replication_lost"]
    samples = rows(LOST / "evidence/postgres/pg_stat_replication.csv")
    connected = [row for row in samples if row["state"] == "streaming"]
    without = [row for row in samples if row["state"] == "no_standby"]
    assert instant(connected[-1]["sampled_at"]) == expected["last_connected_sample"]
    assert instant(without[0]["sampled_at"]) == expected["first_sample_without"]
    assert instant(samples[-1]["sampled_at"]) == expected["last_sample"]
    assert samples[-1]["state"] == "no_standby" and expected["open_at_end_of_record"]
    assert len(without) == expected["samples_without_standby"]
    assert len(samples) - len(connected) - len(without) == expected["samples_of_base_backup"]
    scrapes = [path.read_text() for path in LOST.glob("evidence/postgres/exporter_scrapes/*.prom")]
    seen = sum("\npg_stat_replication_pg_wal_lsn_diff" in text for text in scrapes)
    assert (len(scrapes), seen) == (expected["scrapes"], expected["scrapes_with_replication"])


def test_claims_of_the_truth_stand_in_the_operators_notes_or_the_wrappers_log() -> None:
    notes = {
        (instant(row["ts"]), row["action"])
        for path in LOST.glob("evidence/*/*operator_action_log.csv")
        for row in rows(path)
    }
    jobs = set()
    for path in LOST.glob("evidence/*/jobs.log"):
        for line in path.read_text().splitlines():
            at, text = line.split(" ", 1)
            jobs.add((instant(at), text))
    assert len(notes) == truth(LOST)["counts"]["operator_notes"]
    assert len(jobs) == truth(LOST)["counts"]["wrapper_jobs"]
    for claim in [*truth(LOST)["contradicted"], *truth(LOST)["supported"]]:
        assert (claim["claimed_at"], claim["claim"]) in notes | jobs
        assert all((LOST / path).is_file() for path in claim.get("by", ()))


def test_repair_was_claimed_while_no_standby_was_connected() -> None:
    (claim,) = [c for c in truth(LOST)["contradicted"] if c["claim"].startswith("repair done")]
    after = [
        row["state"]
        for row in rows(LOST / "evidence/postgres/pg_stat_replication.csv")
        if instant(row["sampled_at"]) > claim["claimed_at"]
    ]
    assert after == ["no_standby"] * claim["samples_against"]


def test_snapshots_and_archives_are_missing_after_the_removal() -> None:
    expected = truth(LOST)["removal"]

    def snapshots(name: str) -> list[str]:
        found = json.loads((LOST / f"evidence/restic/snapshots_{name}.json").read_text())
        return [snapshot["short_id"] for snapshot in found]

    def archives(name: str) -> list[str]:
        found = json.loads((LOST / f"evidence/borg/list_{name}.json").read_text())
        return [archive["name"] for archive in found["archives"]]

    before, after = snapshots("before"), snapshots("after")
    assert (len(before), len(after)) == (
        expected["restic_snapshots_before"], expected["restic_snapshots_after"],
    )  # fmt: skip
    assert [name for name in before if name not in after] == expected["restic_snapshots_lost"]
    gone = [name for name in archives("before") if name not in archives("final")]
    assert gone == expected["borg_archives_lost"]
    repair = (LOST / "evidence/borg/repair.jsonl").read_text()
    zeroed = {
        archive: len(re.findall(rf"{archive}: \S+ New missing file chunk", repair))
        for archive in expected["borg_zeroed_chunks"]
    }
    assert zeroed == expected["borg_zeroed_chunks"]
