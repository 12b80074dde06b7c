"""Cases with part of the evidence only: what can be said is said, and what cannot is left open."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from toolkit import report
from toolkit.casefile import CaseFolder
from toolkit.ingest.load import ingest
from toolkit.rebuild import rebuild
from toolkit.report.incident import rivals
from toolkit.report.model import Facts, Listing, plain
from toolkit.report.words import rule_list
from toolkit.store import Store

CASES = Path(__file__).parent / "cases"


@pytest.fixture(scope="module")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The rebuilt case that the test is given by name; the tests of one case share it."""
    folder = tmp_path_factory.mktemp("made") / request.param
    shutil.copytree(CASES / request.param, folder)
    case = CaseFolder.open(folder)
    store = Store.create()
    assert not ingest(store, case).refusals
    rebuild(store, case)
    return store


def _told(made: Store, kind: report.Kind) -> str:
    """A report as text."""
    return report.render(report.build(made), kind, "md").decode()


@pytest.mark.parametrize("made", ["status-only"], indirect=True)
def test_what_only_the_page_says_is_told_as_said(made: Store) -> None:
    for kind in ("summary", "review"):
        text = _told(made, kind)
        assert "every incident" not in text  # there is one
        assert (
            "called resolved 2025-05-06 13:40:00 UTC, taken up again 2025-05-07 08:05:00 UTC, "
            "resolved 2025-05-08 16:30:00 UTC"
        ) in text
        assert (
            "The status page showed as impaired the regions North and South and the components "
            "Replication North and Replication South"
        ) in text
        assert "What the tests of operations would show: none of the 35 rules could run" in text
        # Nothing was measured, so that nothing is drawn or counted as measured.
        assert "How long page and measurement agreed" not in text
        assert (
            "North: degraded performance for 38 min, partial outage for 3 h 42 min and operational"
        ) in text.replace("\u00a0", " ")
        assert "gap\\_cadences" not in text  # no gap is measured
    text = _told(made, "review")
    # No rule asks who was hit, but no page can say it without telemetry.
    assert "3 rules did not run, and whether and when replication was impaired, and whom" in text
    assert "Not run: no record of change, nor of approval. | CF-11, CF-12 |" in text
    assert "CF-01 to CF-08, CF-13, CF-14, CF-16, CF-19, CF-21 to CF-27, CF-29, EQ-01 to" in text
    assert "Interval promises made" in text
    assert "Interval promises kept" not in text  # none was made
    assert "of the onset" not in text.partition("## Communication")[2]
    assert "None of them is named as the reason" not in text  # there is no deviation to name
    assert "No rule could be tested, so there is neither an exception" in _told(made, "audit")
    picture = report.render(report.build(made), "summary", "html").decode()
    assert "page said" in picture
    assert ">measured<" not in picture


@pytest.mark.parametrize("made", ["status-only"], indirect=True)
def test_a_status_page_alone_gives_a_timeline_and_a_communication_audit(made: Store) -> None:
    metrics = {
        row["metric"]: row["value"]
        for row in made.rows("select * from communication where scope = 'all'")
    }
    assert metrics["posts"] == 5
    assert (metrics["promises_made"], metrics["promises_kept"]) == (2, 1)
    assert metrics["gap_max"] == 1945
    assert metrics["gap_share_over_4_h"] == round(1945 / (38 + 222 + 1945), 6)
    assert (metrics["scope_overlap"], metrics["time_to_first_post"]) == (None, None)
    assert (metrics["items_disclosed"], metrics["premature_resolved"]) == (6, 1)
    items = {row["item_no"]: row["status"] for row in made.rows("select * from disclosure")}
    assert (items[3], items[4], items[6], items[12]) == (
        "explicit", "absent", "explicit", "explicit",
    )  # fmt: skip
    assert made.value("select count(*) from timeline") == 5
    assert made.value("select count(*) from status_accuracy where verdict <> 'unknown'") == 0
    assert made.value("select count(*) from machine_impact") == 0
    assert made.value("select count(*) from finding where status <> 'not_run'") == 0
    details = [row["detail"] for row in made.rows("select detail from communication")]
    assert not [told for told in details if "while open" in told]  # it was shown as resolved


@pytest.mark.parametrize("made", ["status-only"], indirect=True)
def test_a_region_is_closed_by_the_posts_on_it(made: Store) -> None:
    closed = {
        row["scope"]: (f"{row['started_at']:%m-%d %H:%M}", row["evidence"].rpartition(":")[2])
        for row in made.rows("select * from incident_phase where phase = 'closed'")
    }
    assert "by the posts that name it, or no region" in _told(made, "review")
    # The page resolved both regions on 6 May, and took up the South again the day after.
    assert closed == {
        "all": ("05-08 16:30", "8"), "North": ("05-06 13:40", "5"), "South": ("05-08 16:30", "8"),
    }  # fmt: skip
    # A row per component: each region has its own.
    found = made.rows("select scope, evidence from incident_phase where phase = 'diagnosis'")
    assert {row["scope"]: row["evidence"].rpartition(":")[2] for row in found} == {
        "all": "4", "North": "3", "South": "4",
    }  # fmt: skip


@pytest.mark.parametrize("made", ["telemetry-only"], indirect=True)
def test_telemetry_alone_gives_gaps_and_impact(made: Store) -> None:
    found = {
        row["onset_relation"]: row["n"]
        for row in made.rows("select onset_relation, count(*) as n from machine_impact group by 1")
    }
    assert found == {"struck": 6, "apart": 1}
    (region,) = made.rows("select * from region_impact")
    assert (region["region"], region["machines"], region["machines_open"]) == (None, 12, 2)
    asked = [row["what"] for row in made.rows("select what from evidence_request")]
    assert len(asked) == len(set(asked)) == 12  # each missing relation is asked for once
    text = report.render(report.build(made), "review", "html").decode()
    assert "Machines that remain to be recovered." not in text  # two on each day: no course
    assert "First impact by" in text  # the time shown is the latest of an interval
    assert "when the forecast sees the last one done" not in text  # there is no forecast
    assert (region["data_at_risk_bytes"], region["data_unknown"]) == (None, 7)
    assert "no log of maintenance is among the evidence." in text
    assert "2 with no recovery on record" in text
    assert "For none of the machines hit is region, partner or type on record." in text
    assert "Impact by partner" not in text  # it would repeat the one row of the regions
    # The pause of a machine on the day before is counted, and the onset is no first impact of it.
    assert (
        "Of the machines hit, 1 had only gaps apart from the onset; their hours and data are "
        "counted here too. With it fell 6."
    ) in text
    assert (
        "All 6 machines that fell replicate to vault-1; of the others, none does. In 6 of 6 gaps "
        "their jobs report “vault-1: index not readable”."
    ) in text
    assert "24 events lie in the window; the table shows all of them" in text
    assert "Gap of machine-01 to vault-1 begins: vault-1: index not readable" in text
    assert "Gap of machine-03 to vault-1 ends: the job succeeds again" in text
    assert "Onset: 6 of 12 machines in a gap" in text
    assert "replicate of machine-01 to vault-1 failure: vault-1: index not readable" in text
    assert "recorded as lost" not in text.partition("## Recovery and forecast")[2]
    assert (
        "By the targets of the jobs alone: no register of dependencies is among the evidence."
    ) in text
    assert "By the bounds of each machine alone, which suppose nothing, the onset lies" in text
    partners = _told(made, "summary")
    assert "What the page said" not in partners
    assert "vault-1" not in partners  # what jobs report is the board's
    assert made.value("select count(*) from communication") == 0
    assert made.value("select count(*) from finding where status <> 'not_run'") == 0


@pytest.mark.parametrize("made", ["went-well"], indirect=True)
def test_a_change_that_went_well_has_no_finding_against_it(made: Store) -> None:
    assert made.rows("select rule, reason from finding where status = 'exception'") == []
    for kind, name in (("summary", "array removal"), ("review", "Remove array-1")):
        text = _told(made, kind)
        assert (
            f"One operation is on record: change CHG-1 ({name}), carried out on 2 September 2025, "
            "20:05:00 to 21:55:00 UTC, closed as success. Tests found no deviation in it, and 4 "
            "tests did not decide."
        ) in text
        assert (
            "What 4 of 26 tests would show, which the evidence does not decide: whether an action "
            "under a change hit a target that the change does not name (CF-04); whether an "
        ) in text
        assert "What 6 of the 35 rules would show" in text
    assert "What the page said" not in _told(made, "summary")  # it said nothing
    text = _told(made, "review")
    assert "Carried out by: Operator C" in text.replace("*", "").replace("\u00a0", " ")
    assert "Witnessed or confirmed by" in text
    assert "Closed as success: Remove array-1 (implementer: Operator C)" in text
    assert "10 events lie in the window; the table shows all of them" in text
    plan = text.partition("## Plan against execution")[2].partition("## Contributing")[0]
    assert plan.count("no deviation on record") == 4  # one row per step
    assert "No change besides CHG-1 is on record, so there is none to compare with." in text
    assert "The one maintenance with a planned window was done within it." in text
    assert "Planned windows against what was done." in text  # the register announces nothing
    assert "The one operation with decided tests shows no deviation." in text
    assert "The one restore or integrity test on record passed." in text
    assert "3 of 3 machines rest on one copy, and none is without a current one." in text
    assert "1 irreversible event with step precheck before it" in text
    assert "verify: success" in text  # of an action without a target
    assert "Machines before" not in text  # there is no onset that anything could be before
    assert made.value("select count(*) from onset") == 0
    assert made.value("select count(*) from machine_impact") == 0
    (row,) = made.rows("select * from maintenance_overrun")
    assert (row["verdict"], row["early_minutes"], row["overrun_minutes"]) == ("within", 0, 0)


def test_rules_in_a_row_are_told_as_a_span() -> None:
    rules = ["CF-01", "CF-02", "CF-03", "CF-05", "CF-06", "CF-29", "EQ-01", "EQ-02", "EQ-03"]
    assert rule_list(rules) == "CF-01 to CF-03, CF-05, CF-06, CF-29, EQ-01 to EQ-03"
    assert rule_list(["CF-29", "EQ-30", "own", "own-2b"]) == "CF-29, EQ-30, own, own-2b"
    assert rule_list([]) == ""


def test_steps_of_nearly_the_same_score_are_not_set_apart() -> None:
    scores = [6.7, 6.7, 6.5, 5.8, 5.6]
    rows = [{"rank": no, "score": score} for no, score in enumerate(scores, start=1)]
    assert [row["rank"] for row in rivals(rows)] == [2, 3, 4]
    assert rivals(rows[:1]) == []


_NOUNS = (
    "machine|event|change|record|row|post|update|hour|minute|dependent|target|file|source|sample|"
    "job|seed|link|region|partner|alert|step|case|rule|interval|gap|asset|incident|action|account|"
    "operation|approval|character"
)
# "1 machines", and not "0 of 1 machines", "-1 hours" or the end of a time.
_ONE_OF_MANY = re.compile(rf"(?<![\w.,:/-])(?<!of )1 (?:[a-z]+ )?(?:{_NOUNS})s\b(?! that| of)")


def test_the_pattern_of_one_of_many_knows_the_cases() -> None:
    assert _ONE_OF_MANY.search("1 affected machines depended")
    assert _ONE_OF_MANY.search("Median of 3, 1 intervals between posts")
    assert not _ONE_OF_MANY.search("0 of 1 machines; 11 events; 10:01 events; 1 machine depends")


@pytest.mark.parametrize("made", [case.name for case in sorted(CASES.iterdir())], indirect=True)
def test_one_of_a_kind_is_told_in_the_singular(made: Store) -> None:
    columns = made.rows(
        "select table_name, column_name from duckdb_columns() where data_type = 'VARCHAR' "
        "and schema_name = 'main' and not internal "
        "and table_name not in ('query_catalogue', 'rule_catalogue')"
    )
    told = {
        f"{each['table_name']}.{each['column_name']}: {row['text']}"
        for each in columns
        for row in made.rows(
            f'select distinct "{each["column_name"]}" as text from "{each["table_name"]}" '
            f'where "{each["column_name"]}" is not null'
        )
        if _ONE_OF_MANY.search(row["text"])
    }
    assert not told


@pytest.mark.parametrize("made", ["went-well"], indirect=True)
def test_working_papers_read_as_a_sentence(made: Store) -> None:
    text = _told(made, "audit")
    assert (
        "The case file does not state the system of record, who obtained it, when, how or how many "
        "records to expect for any of the 7 sources. For these, integrity rests"
    ) in text
    assert "1 operation: 1 registered change and no session of events without one" in text
    assert "No test gave an exception; 4 of 26 that apply did not decide." in text
    assert "3 accounts stand as roles" in text  # whether of people, no record says
    assert re.search(r"soc2:CC4\.2.*Nothing to test; CF\\?-28 not run", text)
    assert re.search(r"iso27001:A\.5\.37.*No exception; CF\\?-23 not run", text)
    assert "in the records; 2025-08-30 12:00 | C |" in text  # one instant, not a span
    assert "Text of people" in text
    assert "was not" not in text.partition("## Source register")[0]


@pytest.mark.parametrize("made", ["telemetry-only"], indirect=True)
def test_what_is_absent_is_said_as_absent(made: Store) -> None:
    text = _told(made, "audit")
    assert "for the one source. For it, integrity rests" in text
    assert "no operation is on record: neither a registered change nor a maintenance event" in text
    assert "no procedure version on file" in text
    assert "no account of a person is on record" in text
    assert "Text of people" not in text  # there is none
    tests = text.partition("## Tests")[2].partition("Rules that could not run")[0]
    assert "| 0 |" not in tests  # what a rule that did not run would have counted is not known
    assert "no step of an operation" not in text.lower()


def test_files_that_no_reader_took_are_listed_with_the_reason(tmp_path: Path) -> None:
    folder = tmp_path / "went-well"
    shutil.copytree(CASES / "went-well", folder)
    evidence = folder / "evidence"
    (evidence / "notes.txt").write_text("seen by the night shift\n")
    (evidence / "again.csv").write_bytes((evidence / "change.csv").read_bytes())
    (evidence / "strange.bin").write_bytes(b"\x01\x02\x03")
    with (folder / "case.toml").open("a") as file:
        file.write('ignore = ["*.txt"]\n')
    case = CaseFolder.open(folder)
    store = Store.create()
    ingest(store, case)
    told = {row["path"]: row["outcome"] for row in store.rows("from unread_file")}
    assert told.pop("evidence/notes.txt") == "ignored"
    assert told.pop("evidence/strange.bin") == "refused"
    assert list(told.values()) == ["repeated"]  # the first of the two by name is read
    rebuild(store, case)
    text = _told(store, "audit")
    assert "7 files were read, 3 were not." in text
    assert "left out: case.toml names it as no evidence" in text
    assert hashlib.sha256((evidence / "notes.txt").read_bytes()).hexdigest() in text
    # What is read after all stands no longer among the unread, and the rest stays.
    (evidence / "strange.bin").unlink()
    ingest(store, case, [evidence / "notes.txt"])
    assert store.value("select count(*) from unread_file") == 3
    ingest(store, case)
    assert {row["outcome"] for row in store.rows("from unread_file")} == {"ignored", "repeated"}
    (evidence / "notes.txt").unlink()
    (evidence / "again.csv").unlink()
    ingest(store, case)
    assert not store.has("unread_file")


FIRST_PAGES = {
    "status-only": {
        "What happened": "the status page tells of “Replication delays”",
        "Whom it hit": "How many machines and partners that concerns is not shown.",
        "Not known": "nothing that was measured is among the evidence",
        "To decide": "can be decided (first no. 6, records of replication and backup jobs)",
    },
    "telemetry-only": {
        "What happened": "came to a standstill for 6 of 12 machines: until it was good again, "
        "or the record ends, they got no new recovery points",
        "Whom it hit": "7 of 12 machines had a gap in their recovery points at some time of the "
        "record: 6 from the onset and 1 apart from it. Whom they serve is not on record. At the "
        "end of the record 5 have no gap any more and 2 still have a gap.",
        "What preceded it": "No log of maintenance is among the evidence, so whether a step "
        "preceded it is not known. All 6 machines that fell replicate to vault-1",
        "Not known": "Which operation, if any, preceded the onset on the machines that fell.",
        "To decide": "How the 2 machines without a current recovery point are to be protected",
    },
    "went-well": {
        "What happened": "The record shows no impairment of replication: no gap in recovery points "
        "is on record for any of the 3 machines with "
        "telemetry, all that the register knows, between its first record and its last.",
        "Whom it hit": "No machine with telemetry: no gap is on record.",
        "Not known": "whether an irreversible action left fewer healthy copies than the minimum",
        "To decide": "Whether to obtain 10 further pieces of evidence",
    },
}


@pytest.mark.parametrize("made", FIRST_PAGES, indirect=True)
def test_the_first_page_tells_what_whom_what_not_and_what_next(made: Store) -> None:
    review = report.build(made).documents["review"]
    (facts,) = review.cover
    assert isinstance(facts, Facts)
    told = {
        label: " ".join(map(plain, value.items)) if isinstance(value, Listing) else plain(value)
        for label, value in facts.items
    }
    expected = FIRST_PAGES[str(made.value("select case_id from case_info"))]
    assert list(told) == list(expected)
    for label, words in expected.items():
        assert words in told[label].replace("\u00a0", " ")
