"""Exports that nobody wrote for this project: all load, every reject is explained, no time is bent.

The data lie beside the project; without them these tests are skipped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, SHARED

from toolkit.casefile import CaseFolder
from toolkit.ingest.load import Ingested, ingest
from toolkit.store import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (SHARED / "data").is_dir(), reason="the real data of ../shared/data are not here"
    ),
]

# What the files themselves do not say, and whoever exported them knows.
DECLARED = {
    "elastic_logs/auth.log": 'zone = "UTC"',
    "formats/uci_incident_event_log_2000.csv": 'zone = "UTC"',
    "jenkins_status_cstate/content/issues/*.md": 'zone = "UTC"',
    "nab_cloudwatch/realAWSCloudwatch/*.csv": 'mapping = "mappings/cloudwatch.yaml"',
    "real_tools_telemetry/*operator_action_log.csv": 'mapping = "mappings/operator-log.yaml"',
    "real_tools_telemetry/*/operator_action_log.csv": 'mapping = "mappings/operator-log.yaml"',
    "real_tools_telemetry/*/jobs.log": 'mapping = "mappings/jobs-log.yaml"',
    "real_tools_telemetry/borg/*.json": 'zone = "UTC"\nasset_id = "vm"',
    "real_tools_telemetry/restic/*": 'asset_id = "vm"',
    "real_tools_telemetry/postgres_replication/standby_lag.csv": 'asset_id = "pg-standby"',
    "real_tools_telemetry/postgres_replication/pg_stat_replication.csv": 'asset_id = "pg-standby"',
    "upptime_cloudesire/history/summary.json": 'zone = "UTC"',
}
CLOUDWATCH = """\
mapping: 1
file: {kind: csv}
into: metric_sample
time: {zone: UTC}
const: {series: cloudwatch}
fields:
  sampled_at: {from: timestamp}
  value: {from: value}
samples:
  - row: {timestamp: "2014-01-16 00:05:00", value: "33.446"}
    expect: {sampled_at: "2014-01-16T00:05:00Z", value: 33.446}
"""
# What is no evidence, or in no format that a reader knows, by the words of its refusal.
REFUSED = {
    "*LICENSE*": "no reader knows",
    "*README.md": "no reader knows",
    "*SOURCE_COMMIT.txt": "no reader knows",
    "jenkins_status_cstate/config.yml": "no reader knows",
    "jenkins_status_cstate/*.adoc": "no reader knows",
    "jenkins_status_cstate/content/services/_index.md": "empty",
    "nab_cloudwatch/combined_*.json": "no reader knows",
    "tcpd5/*": "no reader knows",
    "atlarge_cloud_incidents_raw/*.parquet": "no column belongs",
    "upptime_cloudesire/history_commits.tsv": "no column belongs",
    "real_tools_telemetry/borg/*.log.jsonl": "empty",
    "real_tools_telemetry/borg/create_*.json": "empty",
    "real_tools_telemetry/borg/extract_after.jsonl": "no reader knows",
    "real_tools_telemetry/borg/info_before.json": "no reader knows",
    # The restic of the test machine was older than the version that writes times.
    "real_tools_telemetry/restic/backup_*.jsonl": "states no time",
    "real_tools_telemetry/restic/backup_09.stderr": "states no time",
    "real_tools_telemetry/restic/*.stderr": "empty",
    "real_tools_telemetry/restic/*.txt": "no reader knows",
    "real_tools_telemetry/restic/stats_before.json": "no column belongs",
}
REJECTED = {
    ("real_tools_telemetry/borg/check_after.jsonl", "JSON_SYNTAX"): 1,
    ("real_tools_telemetry/borg/repair.jsonl", "TIME_NONE"): 2,
}


def read_all(
    folder: Path, declared: dict[str, str], files: Collection[str] = ("*",)
) -> tuple[Store, Ingested]:
    """Read the files of these names, with what is declared of them."""
    for path in sorted((SHARED / "data").rglob("*")):
        name = path.relative_to(SHARED / "data")
        if path.is_file() and any(fnmatch(str(name), form) for form in files):
            (folder / "evidence" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / "evidence" / name)
    shutil.copytree(ROOT / "sample_data" / "lost-standby" / "mappings", folder / "mappings")
    (folder / "mappings" / "cloudwatch.yaml").write_text(CLOUDWATCH)
    entries = (f'[[source]]\npath = "evidence/{path}"\n{text}\n' for path, text in declared.items())
    (folder / "case.toml").write_text('title = "Everything real"\n' + "".join(entries))
    written = datetime(2017, 5, 1, tzinfo=UTC).timestamp()
    os.utime(folder / "evidence" / "elastic_logs" / "auth.log", (written, written))
    store = Store.create()
    return store, ingest(store, CaseFolder.open(folder))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Ingested]]:
    store, done = read_all(tmp_path_factory.mktemp("real"), DECLARED)
    with store:
        yield store, done


def by_file(store: Store, sql: str) -> list[dict[str, Any]]:
    """Rows of a query on sources, their paths as they stand below the data."""
    return [
        row | {"path": str(row["path"]).removeprefix("evidence/")}
        for row in store.rows(f"{sql} order by all")
    ]


def test_every_file_is_loaded_or_refused_for_a_known_reason(
    everything: tuple[Store, Ingested],
) -> None:
    _, done = everything
    loaded = [file for file in done.files if file.outcome == "loaded"]
    assert len(loaded) >= 370
    for file in done.files:
        path = file.path.removeprefix("evidence/")
        if file.outcome == "refused":
            words = next((REFUSED[form] for form in REFUSED if fnmatch(path, form)), None)
            assert words is not None and words in str(file.reason), (path, file.reason)
        elif file.outcome == "unchanged":
            assert "the same bytes as" in str(file.reason)


def test_every_record_is_accounted_for_and_every_reject_is_known(
    everything: tuple[Store, Ingested],
) -> None:
    store, _ = everything
    for row in by_file(store, "from source"):
        assert row["records_read"] == sum(
            row[name] for name in ("accepted", "continued", "skipped", "rejected")
        )
    rejects = by_file(
        store,
        "select path, code, count(*) as n from reject join source using (source_id) group by all",
    )
    assert {(row["path"], row["code"]): row["n"] for row in rejects} == REJECTED
    raw = store.rows("select record_no, field, raw, reason from reject")
    assert all(row["raw"] and row["reason"] and row["record_no"] > 0 for row in raw)


def test_no_zone_year_or_order_of_day_and_month_is_invented(
    everything: tuple[Store, Ingested],
) -> None:
    store, _ = everything
    zoned = by_file(
        store,
        "select distinct path from source_column join source using (source_id) "
        "where basis = 'zone_declared'",
    )
    for row in zoned:
        text = "".join(text for form, text in DECLARED.items() if fnmatch(row["path"], form))
        assert "zone" in text or "cloudwatch" in text, row
    inferred = by_file(
        store,
        "select path, count(*) as n from time_note join source using (source_id) "
        "where flags like '%year_inferred%' group by all",
    )
    assert [(row["path"], row["n"]) for row in inferred] == [
        ("elastic_logs/auth.log", 7121), ("formats/github_history_3.atom", 19),
    ]  # fmt: skip


def test_the_years_of_a_log_without_years_follow_from_its_own_time(
    everything: tuple[Store, Ingested],
) -> None:
    store, _ = everything
    (found,) = store.rows(
        "select strftime(min(occurred_at), '%Y-%m-%d %H:%M:%S') as first, "
        "strftime(max(occurred_at), '%Y-%m-%d %H:%M:%S') as last, count(*) as n "
        "from evidence.maintenance_event join source using (source_id) "
        "where path like '%auth.log'"
    )
    assert found == {"first": "2017-03-27 13:06:56", "last": "2017-04-20 14:14:29", "n": 7121}
    assert store.value("select count(*) from time_note where flags like '%file_time_used%'") == 7121


def test_what_is_not_declared_is_asked_for_and_never_assumed(
    everything: tuple[Store, Ingested], tmp_path: Path
) -> None:
    """Of the files that nothing is declared of, what they state is known from the others' case."""
    asked = "select distinct path, basis from source_column join source using (source_id)"
    bases = [
        row
        for row in by_file(everything[0], asked)
        if not any(fnmatch(row["path"], form) for form in DECLARED)
    ]
    store, done = read_all(tmp_path, {}, DECLARED)
    with store:
        bases += store.rows(asked)
    assert {row["basis"] for row in bases} <= {"epoch", "utc", "offset", "zone_in_record"}
    refused = {
        file.path.removeprefix("evidence/"): str(file.reason)
        for file in done.files
        if file.outcome == "refused"
    }
    for path in (
        "elastic_logs/auth.log",
        "formats/uci_incident_event_log_2000.csv",
        "jenkins_status_cstate/content/issues/2021-10-01-ldap-outage.md",
        "real_tools_telemetry/borg/create_01.json",
        "upptime_cloudesire/history/summary.json",
    ):
        assert "zone" in refused[path]
    assert "asset_id" in refused["real_tools_telemetry/postgres_replication/standby_lag.csv"]
