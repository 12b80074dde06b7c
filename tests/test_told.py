"""The review of the standby case tells what its records hold, and no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from toolkit import report
from toolkit.report import figures, sources
from toolkit.report.facts import CaseFacts, Pseudonyms
from toolkit.report.model import Table
from toolkit.store import Store


@pytest.fixture(scope="module")
def told(standby: Path) -> dict[str, str]:
    """The parts of the review by their title, and the summary for partners."""
    with Store.open(standby / "case.duckdb") as store:
        built = report.build(store)
    page = report.render(built, "review", "md").decode()
    parts = {part.split("\n", 1)[0]: part for part in page.split("\n## ")}
    return parts | {"partners": report.render(built, "summary", "md").decode()}


def test_a_gap_that_closed_before_the_onset_is_told(told: dict[str, str]) -> None:
    line = "**Gaps before or after it:** 1, begun between 18:02:14 and 18:02:20 UTC, ended 18:02:50"
    assert line in told["Summary"]
    assert line in told["partners"]
    (row,) = [row for row in told["Timeline"].splitlines() if "another episode" in row]
    assert "2026-11-22 18:02:14 … 18:02:16 | telemetry | all |" in row
    assert "which is until 2026-11-22 18:02:50 UTC" in row


def test_no_step_is_called_the_trigger_where_none_stands_out(told: dict[str, str]) -> None:
    assert "| Trigger |" not in told["Timeline"]
    assert "| Latent |" not in told["Timeline"]
    assert "| Nearest such step | 2026-11-22 18:02:00" in told["Timeline"]
    assert "so that none is called the trigger" in told["Timeline"]


def test_a_seed_that_others_contradict_stands_beside_those_that_failed(
    told: dict[str, str],
) -> None:
    cell = "| 0 recorded as failed; 1 claimed as done is contradicted (EQ-05) |"
    assert cell in told["Recovery and forecast"]


def test_a_machine_whose_record_ends_early_is_not_called_unaffected(told: dict[str, str]) -> None:
    """The jobs of `vm` end before one could be overdue, so that no gap of it is on record."""
    assert "directly: 1 asset, 1 unknown." in told["Impact"]
    assert "unaffected" not in told["Impact"]
    assert (
        "**1 machine has no current recovery point**. Of 1 other machine the record of jobs ends "
        "earlier: whether it has a current one then is not known."
    ) in told["Summary"]
    assert "1 has none that is current" in told["How machines are protected"]


def test_what_is_gone_from_the_repositories_is_told_with_its_records(told: dict[str, str]) -> None:
    """truth.toml: runs 03, 04, 05 and 07 of restic, nightly-07 of borg; no listing says why."""
    times = ", ".join(f"2026-11-22 18:01:{second}" for second in (20, 26, 31))
    row = (
        f"| vm | restic-repo | 11 | 7 | {times} and 2026-11-22 18:01:43 | `60:3, 60:4, 60:5, 60:7`"
    )
    assert row in told["Impact"]
    assert "| vm | borg-repo | 11 | 10 | 2026-11-22 18:01:45 | `14:7` |" in told["Impact"]
    assert (
        "1 of 11 recovery points of vm in borg-repo and 4 of 11 recovery points of vm in"
        in told["Summary"]
    )
    assert "the last “Finished full repository check, errors found.”" in told["Impact"]
    assert "the first “Archive metadata block" in told["Impact"]


def test_a_log_is_told_by_what_it_says_most(told: dict[str, str]) -> None:
    """truth.toml: 18 chunks of three archives were replaced by zeros, 13 objects were gone."""
    assert "18 × “nightly-…: " in told["Impact"]
    assert "Replacing with all-zero chunk.”" in told["Impact"]
    assert "4 messages at 2026-11-22 18:02:03 UTC, and 13 warnings, the first" in told["Impact"]
    plain = told["Impact"].replace("\\", "")
    assert "13 × warning “ID: … rebuilt index: <not found>" in plain
    (line,) = [line for line in plain.splitlines() if "create_09.log.jsonl" in line]
    assert "Most often" not in line


def test_what_people_noted_is_claimed_and_a_host_is_named_as_one(told: dict[str, str]) -> None:
    lines = told["Timeline"].splitlines()
    (note,) = [line for line in lines if "seed of pg-standby" in line and "re-seeded" in line]
    assert "claimed as success" in note
    (job,) = [line for line in lines if "borg create run=09" in line]
    assert "recorded as success" in job
    (resumed,) = [line for line in lines if "resume-replay" in line]
    assert "| host vm | resume-replay, claimed as success" in resumed


def test_an_earlier_action_on_another_copy_is_named_by_its_kind(told: dict[str, str]) -> None:
    assert "(restic-repo: decommission at 2026-11-22 18:02:00 UTC)" in told["Contributing factors"]
    assert "removed at" not in told["Contributing factors"]


def test_what_no_state_is_on_record_of_is_not_called_free_of_failure(
    told: dict[str, str],
) -> None:
    posture = told["How machines are protected"]
    assert "no failure on record" not in posture
    assert posture.count("| no state on record |") == 2
    assert (
        "For 1 machine the record of its own jobs ends before a gap could begin, and by the end of "
        "the whole record its last recovery point is no longer current; the same holds for 1 of "
        "the 1 without a current one before the onset."
    ) in posture


def test_what_a_gap_is_held_against_is_said_as_it_is_measured(told: dict[str, str]) -> None:
    assert "as many median intervals between the samples of its job" in told["Impact"]
    assert "Recovery point of the last good sample" in told["Impact"]
    assert "by the times of their recovery points, not by ids" in told["Impact"]


def test_notes_of_people_are_narrative_and_a_program_is_no_operator(standby: Path) -> None:
    with Store.open(standby / "case.duckdb") as store:
        facts = CaseFacts(store)
        narrative = sources._narrative(facts)
        grades = {row["path"]: sources._grade(row, narrative) for row in facts.sources.values()}
        assert sorted(path for path, grade in grades.items() if grade == "D") == [
            "evidence/inventory/asset.csv",
            "evidence/inventory/dependency.csv",
            "evidence/operator/backup_operator_action_log.csv",
            "evidence/postgres/operator_action_log.csv",
        ]
        assert grades["evidence/postgres/standby_lag.csv"] == "B"
        assert facts.people.name("job-wrapper") == "Automation A"
        assert facts.people.name("lab-operator") == "Operator A"


def test_a_rejected_record_can_be_read_in_the_papers(standby: Path) -> None:
    with Store.open(standby / "case.duckdb") as store:
        facts = CaseFacts(store)
        (table,) = [
            block
            for block in sources._reconciliation(facts, facts.rows("source"))
            if isinstance(block, Table) and block.query == "reject"
        ]
    told = [row[-1] for row in table.rows]
    assert told[0] == "18: “rc=1”"
    assert str(told[1]).startswith('1: “{"type": "question_prompt", "msgid": "BORG_CHECK')
    assert '…”\n2: “{"env_var": ' in str(told[1])


def test_a_rejected_record_is_quoted_on_one_line_and_obeyed_nowhere() -> None:
    with Store.create() as store:
        facts = CaseFacts(store)
    row = {"record_no": 7, "raw": b"a\n\x1b[2Jb\xff " + b"x" * 500}
    quoted = sources._quoted(facts, row)
    assert quoted.startswith("7: “a \\u001b[2Jb\\xff xxx") and quoted.endswith("x…”")
    assert len(quoted) < 170
    assert sources._quoted(facts, {"record_no": 8, "raw": None}) == "8: not kept"


def test_roles_of_programs_are_counted_apart() -> None:
    people = Pseudonyms(["zoe", "svc-b", "abe"], {}, (), (), {"svc-b"})
    assert [people.name(name) for name in ("zoe", "svc-b", "abe")] == [
        "Operator A", "Automation A", "Operator B",
    ]  # fmt: skip
    assert people.text("svc-b ran as zoe") == "Automation A ran as Operator A"


def test_several_gaps_apart_from_the_onset_are_told_as_one() -> None:
    at = datetime(2026, 11, 22, 18, tzinfo=UTC)
    gaps = [
        {"asset_id": name, "started_lo": at - timedelta(hours=hours, seconds=30), "open": False,
         "started_hi": at - timedelta(hours=hours), "ended_at": at - timedelta(hours=hours - 2)}
        for name, hours in (("m1", 9), ("m1", 5), ("m2", 4), ("m3", 1))
    ]  # fmt: skip
    with Store.create() as store:
        facts = CaseFacts(store)
        facts._read["machine_gap"] = gaps
        onset = {"onset_lo": at, "onset_at": at, "ended_at": None}
        # The gap of m3 goes on beyond the onset.
        assert list(figures._other_gaps(facts, onset)) == [
            ("Gaps before or after it",
             "3, of 2 machines, the first begun by 2026-11-22 09:00, "
             "the last ended 2026-11-22 16:00",
             "machine_gap"),
        ]  # fmt: skip


def test_what_people_note_of_their_own_work_is_a_claim(told: dict[str, str]) -> None:
    plan = told["Plan against execution"]
    assert "| pause-replay | pg-standby | success, as claimed |" in plan
    assert "**Outcome at closure:** no closure is on record" in plan
