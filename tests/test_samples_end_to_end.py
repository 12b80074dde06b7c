"""The two sample cases, from evidence to reports: what is there to be found is found."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from published import faults

from toolkit.export import formats
from toolkit.store import Store
from toolkit.verbs import export, run

pytestmark = pytest.mark.slow
SIGNATURE = ["CF-02", "CF-05", "CF-06", "CF-08"]


def rows(case: Path, sql: str) -> list[dict[str, Any]]:
    with Store.open(case / "case.duckdb") as store:
        return store.rows(sql)


def truth(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / "sample_data" / name / "truth.toml").read_text())


def test_the_flagship_shows_its_signature_on_one_decommission_alone(
    flagship: Path,
) -> None:
    planted = truth("draas-2022")
    found = rows(
        flagship,
        "select rule, list(finding.change_id order by finding.change_id) as changes "
        "from finding join operation "
        "using (operation_id) where finding.status = 'exception' and operation.kind = "
        "'array decommission' group by rule order by rule",
    )
    by_rule = {row["rule"]: row["changes"] for row in found}
    for rule in SIGNATURE:
        assert by_rule[rule] == [planted["trigger"]["change"]]


def test_the_flagship_shows_what_was_planted_and_nothing_on_clean_operations(
    flagship: Path,
) -> None:
    planted = truth("draas-2022")["rules"]
    found = rows(
        flagship,
        "select change_id, list(distinct rule order by rule) as rules from finding "
        "where status = 'exception' and change_id is not null and rule like 'CF-%' "
        "group by change_id",
    )
    by_change = {row["change_id"]: row["rules"] for row in found}
    fatal = by_change.pop(truth("draas-2022")["trigger"]["change"])
    assert set(planted["fatal"]) <= set(fatal)
    assert not set(planted["fatal_ok"]) & set(fatal)
    wanted = {
        change: [rule for rule in rules if rule.startswith("CF-")]
        for change, rules in (planted["decommissions"] | planted["others"]).items()
    }
    assert by_change == {change: rules for change, rules in wanted.items() if rules}


def test_the_flagship_keeps_the_promises_of_the_page_that_were_planted(flagship: Path) -> None:
    found = rows(
        flagship,
        "select verdict, count(*) as promises from status_promise where promise_kind = 'time' "
        "group by verdict",
    )
    planted = truth("draas-2022")["communication"]
    assert {row["verdict"]: row["promises"] for row in found} == {
        "kept": planted["promises_kept"],
        "broken": planted["promises_broken"],
        "undetermined": planted["promises_undecided"],
    }


def test_the_flagship_counts_its_machines(flagship: Path) -> None:
    planted = truth("draas-2022")["regions"]
    found = rows(
        flagship,
        "select region, count(*) filter (where recovery_class = 'relinked') as relinked, "
        "count(*) filter (where recovery_class = 'reseeded') as reseeded, "
        "count(*) filter (where recovery_class = 'lost') as lost "
        "from machine_impact group by region",
    )
    for row in found:
        region = planted[row["region"]]
        assert row["reseeded"] == region["reseeded"]
        assert row["lost"] == region["lost"]


def test_the_standby_case_shows_what_a_careful_reader_sees(standby: Path) -> None:
    open_gaps = rows(
        standby,
        "select strftime(started_lo at time zone 'UTC', '%H:%M:%S') as since from protection_gap "
        "where asset_id = 'pg-standby' and open order by since",
    )
    assert {row["since"] for row in open_gaps} == {"18:03:13", "18:03:14"}
    claims = rows(
        standby,
        "select subject, strftime(occurred_at at time zone 'UTC', '%H:%M:%S') as claimed "
        "from finding where rule = 'EQ-05' and status = 'exception' order by claimed, subject",
    )
    assert [(row["subject"], row["claimed"]) for row in claims] == [
        ("restic-repo", "18:02:05"),
        ("borg-repo", "18:02:06"),
        ("borg-repo", "18:02:12"),
        ("pg-standby", "18:04:07"),
        ("pg-standby", "18:04:16"),
    ]
    removal = rows(
        standby,
        "select target, action from operation_event where is_irreversible order by occurred_at",
    )
    assert removal == [
        {"target": "restic-repo", "action": "decommission"},
        {"target": "borg-repo", "action": "delete"},
    ]


def test_each_backup_tool_of_the_standby_case_is_held_against_its_own_rhythm(standby: Path) -> None:
    jobs = rows(
        standby,
        "select distinct target_asset, round(cadence_minutes * 60) as seconds from replication_run "
        "where asset_id = 'vm' order by all",
    )
    assert {row["target_asset"] for row in jobs} == {"borg-repo", "restic-repo"}
    assert all(5 <= row["seconds"] <= 6 for row in jobs)
    assert not rows(standby, "from protection_gap where asset_id = 'vm'")


def test_a_claim_is_held_against_records_that_come_after_it(standby: Path) -> None:
    cited = rows(
        standby,
        "select claim.occurred_at as claimed_at, sample.sampled_at as shown_at "
        "from (select occurred_at, unnest(evidence) as cited from finding where rule = 'EQ-05' "
        "and status = 'exception' and subject = 'pg-standby') as claim "
        "join replication_sample as sample "
        "on claim.cited = concat(sample.source_id, ':', sample.record_no)",
    )
    assert len(cited) == 4
    assert all(row["shown_at"] > row["claimed_at"] for row in cited)


def test_samples_against_a_claim_are_those_after_it(standby: Path) -> None:
    """The run of 71 that they are of began before either claim."""
    told = {
        row["claimed"]: row["reason"]
        for row in rows(
            standby,
            "select strftime(occurred_at at time zone 'UTC', '%H:%M:%S') as claimed, reason "
            "from finding where rule = 'EQ-05' and status = 'exception' "
            "and subject = 'pg-standby'",
        )
    }
    (planted,) = [
        claim["samples_against"]
        for claim in truth("lost-standby")["contradicted"]
        if "samples_against" in claim
    ]
    assert f"{planted} samples after it read disconnected" in told["18:04:16"]
    assert "31 samples after it read disconnected" in told["18:04:07"]


def test_the_standby_case_has_no_recovery(standby: Path) -> None:
    assert not rows(standby, "from incident_phase where phase = 'recovery'")
    assert not rows(standby, "from machine_recovery where is_running")


@pytest.mark.parametrize("name", ["flagship", "standby"])
def test_every_record_of_a_sample_is_accounted_for_and_the_report_says_so(
    name: str, request: pytest.FixtureRequest
) -> None:
    case = request.getfixturevalue(name)
    assert not rows(
        case,
        "select path from source where records_read <> accepted + continued + skipped + rejected",
    )
    totals = rows(case, "select sum(records_read)::bigint as read from source")[0]["read"]
    text = (case / "output" / "audit.html").read_text(encoding="utf-8")
    assert "read = accepted + continued + skipped + rejected" in text
    assert f"{totals:,}" in re.sub(r"(?<=\d)[\u00a0\u202f](?=\d)", ",", text)


@pytest.mark.parametrize("name", ["flagship", "standby"])
def test_a_second_run_changes_nothing(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    first = request.getfixturevalue(name)
    case = tmp_path / first.name
    shutil.copytree(first, case)
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (case / "output").iterdir()
    }
    # That pages in PDF come out the same is held where they are smaller.
    again = run(case, formats=("html", "json") if name == "flagship" else ("pdf", "html", "json"))
    assert {row.outcome for row in again.ingested.files} == {"unchanged"}
    assert digests == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (case / "output").iterdir()
    }


def test_the_findings_carry_the_columns_of_the_contract(flagship: Path) -> None:
    with Store.open(flagship / "case.duckdb") as store:
        assert store.columns("finding")[:11] == [
            "finding_id", "rule", "status", "subject", "change_id", "occurred_at", "reason",
            "evidence", "severity", "base_rate_n", "base_rate_k",
        ]  # fmt: skip
        assert store.columns("timeline")[:13] == [
            "event_no", "occurred_at", "occurred_lo", "occurred_hi", "lane", "kind", "region",
            "subject", "actor", "summary", "phase", "source_id", "record_no",
        ]  # fmt: skip
        repeated = store.value("select count(*) - count(distinct finding_id) from finding")
    assert repeated == 0
    assert json.loads((flagship / "output" / "review.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("sample", ["flagship", "standby"])
def test_every_export_of_a_sample_keeps_its_standard(
    sample: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    case = request.getfixturevalue(sample)
    # The description of a bundle says nothing of the rows: one case is enough for it.
    for form in sorted(formats().keys() - ({"csv", "parquet"} if sample == "flagship" else set())):
        path = export(case, form, target=tmp_path / form).path
        assert faults(form, path) == [], form
