"""Reports of a small case: what they say, what they hide, and that they repeat byte for byte."""

# ruff: noqa: E501

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pikepdf
import pytest
from conftest import ROOT

from tests import golden
from toolkit import frozen, report, resources, sqlfile, verbs
from toolkit.errors import UsageError
from toolkit.report import summary, timeline, wording
from toolkit.report.facts import CaseFacts, Pseudonyms
from toolkit.report.incident import Incident
from toolkit.report.model import (
    Facts,
    Figure,
    Listing,
    Paragraph,
    Report,
    Section,
    Table,
    plain,
)
from toolkit.report.words import letters, listed, number, percent, size, span, visible
from toolkit.report.words import without_markup as stripped
from toolkit.store import Store

SHARED = Path(__file__).parents[2] / "shared"
HOSTILE = "<script>alert(1)</script> \u202egnp.exe | **bold** `code` 中"

CASE = {
    "change.csv": """change_id,title,kind,risk,requested_by,implementer,window_start,window_end,targets,rollback_ref,impact_ref,procedure,closed_at,outcome
CHG1,Retire array one,decommission,low,ada.example,bert.example,2022-03-01T08:00:00Z,2022-03-01T12:00:00Z,arr-1,RB-1,IA-1,retire,2022-03-01T11:00:00Z,success
CHG2,"Retire array two <script>alert(1)</script>",decommission,low,ada.example,bert.example,2022-03-09T08:00:00Z,2022-03-09T12:00:00Z,arr-2,,,retire,2022-03-09T11:00:00Z,success
""",
    "approval.csv": """change_id,approver,decision,decided_at
CHG1,cleo.example,approved,2022-02-28T08:00:00Z
CHG2,ada.example,approved,2022-03-08T08:00:00Z
""",
    "maintenance_event.csv": """occurred_at,action,target,change_id,step,actor,session_id,outcome,flags,message
2022-03-01T08:10:00Z,check,arr-1,CHG1,verify-backup,bert.example,s1,success,,
2022-03-01T08:20:00Z,drain,arr-1,CHG1,drain,bert.example,s1,success,,
2022-03-01T09:00:00Z,decommission,arr-1,CHG1,decommission,bert.example,s1,success,,asked by ada.example
2022-03-09T08:20:00Z,drain,arr-2,CHG2,drain,bert.example,s2,warning,,
2022-03-09T09:00:00Z,decommission,arr-2,CHG2,decommission,bert.example,s2,success,--force,"{hostile}"
""",
    "asset.csv": """asset_id,kind,machine_type,site,region,zone,organization,redundancy_group,min_copies,protected_bytes,cadence_minutes,rpo_minutes
arr-1,array,,slc,US,America/Denver,,mds,1,,,
arr-2,array,,slc,US,America/Denver,,mds,1,,,
m1,machine,linux-server,slc,US,America/Denver,partner-01,,,1000000000,60,240
m2,machine,windows-server,slc,US,America/Denver,partner-02,,,2000000000,60,240
""",
    "dependency.csv": """from_asset,to_asset,relation
m1,arr-2,stores_metadata_on
m2,arr-2,stores_metadata_on
""",
    "status_update.csv": """posted_at,incident_id,state,update_id,title,body,kind,component,region,component_status
2022-03-09T13:00:00Z,i1,investigating,u1,Replication impaired,"{hostile}",incident,Cloud US,US,partial_outage
2022-03-10T13:00:00Z,i1,resolved,u2,Replication impaired,<p>All <b>fixed</b>.</p>,incident,Cloud US,US,operational
""",
}  # fmt: skip
PROCEDURE = """
id: retire
version: "1"
title: Retire an array
published_at: 2021-01-01T00:00:00Z
applies_to: [decommission]
steps:
  - {id: verify-backup, title: Restore a sample, kind: precheck, mandatory: true}
  - {id: drain, title: Move the dependents, kind: action, mandatory: true, needs: [verify-backup]}
  - {id: decommission, title: Remove, kind: action, mandatory: true, irreversible: true, needs: [drain]}
"""


def _samples() -> str:
    """Hourly jobs that stop at the decommission and come back two days later for one machine."""
    rows = ["sampled_at,asset_id,state"]
    start = datetime(2022, 3, 7, tzinfo=UTC)
    for hour in range(24 * 5):
        at = start + timedelta(hours=hour)
        broken = datetime(2022, 3, 9, 9, tzinfo=UTC) < at
        for machine in ("m1", "m2"):
            repaired = machine == "m1" and at > datetime(2022, 3, 11, 9, tzinfo=UTC)
            state = "failure" if broken and not repaired else "success"
            rows.append(f"{at:%Y-%m-%dT%H:%M:%SZ},{machine},{state}")
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Store]]:
    source = tmp_path_factory.mktemp("source") / "small" / "case"
    (source / "procedures").mkdir(parents=True)
    for name, text in CASE.items():
        quoted = HOSTILE.replace('"', '""')
        (source / name).write_text(text.replace("{hostile}", quoted), encoding="utf-8")
    (source / "replication_sample.csv").write_text(_samples())
    (source / "procedures" / "retire.yaml").write_text(PROCEDURE)
    (source / "case.toml").write_text(
        'title = "Small <i>case</i>"\n[window]\nstart = 2022-03-01T00:00:00Z\n'
        "end = 2022-03-12T00:00:00Z\n"
    )
    case, made = golden.build(source, tmp_path_factory.mktemp("case") / "small")
    yield case.path, made
    made.close()


@pytest.fixture(scope="module")
def store(built: tuple[Path, Store]) -> Store:
    return built[1]


@pytest.fixture(scope="module")
def told(store: Store) -> Report:
    return report.build(store)


@pytest.fixture(scope="module")
def written(told: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("output")
    for kind in report.KINDS:
        report.write(told, kind, report.FORMATS, folder)
    return folder


def _pdf_text(path: Path) -> str:
    done = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, check=True)
    return done.stdout.decode()


def _everything(written: Path) -> dict[str, str]:
    found = {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(written.iterdir())
        if path.suffix != ".pdf"
    }
    for path in sorted(written.glob("*.pdf")):
        found[path.name] = _pdf_text(path)
        with pikepdf.open(path) as pdf:
            for name, attached in pdf.attachments.items():
                found[f"{path.name}/{name}"] = attached.get_file().read_bytes().decode()
    return found


def test_every_kind_is_written_in_every_format(written: Path) -> None:
    names = {path.name for path in written.iterdir()}
    assert names == {f"{kind}.{form}" for kind in report.KINDS for form in report.FORMATS}


def test_the_same_store_gives_the_same_bytes(store: Store, written: Path, tmp_path: Path) -> None:
    again = report.build(store)
    for kind in report.KINDS:
        # One PDF, the one with files in it, shows whether a second one is as the first.
        forms = [form for form in report.FORMATS if form != "pdf" or kind == "audit"]
        for path in report.write(again, kind, forms, tmp_path):
            assert path.read_bytes() == (written / path.name).read_bytes(), path.name


def test_no_account_of_a_person_stands_in_any_rendering(written: Path) -> None:
    for name, text in _everything(written).items():
        assert not re.search(r"(ada|bert|cleo)\.example", text), name
    assert re.search(r"Operator [A-C]", (written / "review.md").read_text())


def test_text_of_the_evidence_is_never_markup(written: Path) -> None:
    for kind in report.KINDS:
        page = (written / f"{kind}.html").read_text(encoding="utf-8")
        assert "<script>alert" not in page
        assert "<i>case</i>" not in page
        assert "\u202e" not in page
        told = (written / f"{kind}.md").read_text(encoding="utf-8")
        outside_code = re.sub(r"^(`{3,})\n.*?^\1$", "", told, flags=re.S | re.M)
        assert not re.search(r"(?<!\\)<(?!a id=|/a>|br>)", outside_code)


def test_html_asks_for_nothing_from_outside(written: Path) -> None:
    for kind in report.KINDS:
        page = (written / f"{kind}.html").read_text(encoding="utf-8")
        assert "default-src 'none'" in page
        assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
        assert "@import" not in page
        assert not re.search(r"url\((?!#)", page)


def test_characters_without_a_glyph_are_named_in_the_pdf(written: Path) -> None:
    assert "U+4E2D" in _pdf_text(written / "audit.pdf")


def test_the_case_digest_stands_on_every_page(told: Report, written: Path) -> None:
    text = _pdf_text(written / "audit.pdf")
    pages = text.split("\f")[:-1]
    assert len(pages) > 5
    for number_, page in enumerate(pages, start=1):
        assert told.digest in page
        assert f"page {number_} of {len(pages)}" in page


def test_the_reconciliation_is_printed_and_holds(store: Store, written: Path) -> None:
    total = store.value("select sum(records_read) from source")
    text = (written / "audit.md").read_text(encoding="utf-8")
    assert f"In total {number(int(total))} =" in text


def test_every_exception_is_set_out_in_five_parts(store: Store, told: Report) -> None:
    audit = next(part for part in told.documents["audit"].sections if part.id == "findings")
    for row in store.rows("select finding_id from finding where status = 'exception'"):
        page = next(p for p in audit.sections if row["finding_id"] in json.dumps(_data(p)))
        text = json.dumps(_data(page))
        for part in ("Criteria", "Condition", "Cause", "Effect", "Recommendation", "response"):
            assert part in text, (row["finding_id"], part)
        assert "postmortem query small finding --where" in text


def _data(section: object) -> object:
    from toolkit.report.render import _plain

    return json.loads(json.dumps(section, default=_plain))


def test_every_test_of_the_catalogue_has_a_row(store: Store, told: Report) -> None:
    tests = next(part for part in told.documents["audit"].sections if part.id == "tests")
    table = next(block for block in tests.blocks if isinstance(block, Table))
    rules = {plain(row[0]).split()[0] for row in table.rows}
    assert rules == {row["rule"] for row in store.rows("select rule from rule_catalogue")}


def test_the_incident_is_told_with_its_uncertainty(told: Report) -> None:
    review = told.documents["review"]
    summary = next(part for part in review.sections if part.id == "summary")
    text = json.dumps(_data(summary))
    assert "replication came to a standstill for 2 of 2 machines in US" in text
    assert "between" in text.lower()
    assert "decommission" in text


def test_words_of_blame_are_not_used(written: Path) -> None:
    blame = re.compile(
        r"\b(failed to|should have|could have|root cause|human error|careless|negligen|neglected|"
        r"caused by|obviously|simply)\b",
        re.I,
    )
    for name, text in _everything(written).items():
        if not name.endswith(".sql"):
            assert not blame.search(text), (name, blame.search(text))


def test_attachments_carry_the_full_lists(written: Path) -> None:
    with pikepdf.open(written / "audit.pdf") as pdf:
        names = set(pdf.attachments)
        assert names == {
            "findings.csv", "timeline.csv", "sources.csv", "policy.csv", "queries.sql",
            "manifest.jsonl", "attachments-sha256.txt", "queries.csv", "partners.csv", "limits.csv",
        }  # fmt: skip
        for specification in pdf.Root.AF:
            assert specification.AFRelationship == pikepdf.Name.Data


def test_what_leaves_the_house_carries_no_lists_and_no_partner(written: Path) -> None:
    with pikepdf.open(written / "summary.pdf") as pdf:
        assert not pdf.attachments
    assert "partner-0" not in (written / "summary.json").read_text()


def test_an_empty_store_still_gives_reports(tmp_path: Path) -> None:
    with Store.create(None) as empty:
        told = report.build(empty, case_title="Nothing yet")
    for kind in report.KINDS:
        report.write(told, kind, ["html", "md", "json"], tmp_path)
    assert "Nothing yet" in (tmp_path / "audit.html").read_text()


def test_an_unknown_kind_or_format_is_refused(told: Report, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown report"):
        report.write(told, "novel", ["html"], tmp_path)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown format"):
        report.write(told, "review", ["docx"], tmp_path)


def test_the_digest_follows_sources_queries_and_policy() -> None:
    with Store.create(None) as one, Store.create(None) as two:
        for at, value in ((one, "30"), (two, "31")):
            at.load("policy", {"key": "varchar", "value": "varchar", "origin": "varchar"},
                    [["status_first_post_minutes", value, "default"]])  # fmt: skip
        assert report.case_digest(one) != report.case_digest(two)


def test_original_lines_replace_the_values_where_they_can_be_had(store: Store) -> None:
    told = report.build(store, originals=lambda source, record: f"line {record} by bert.example")
    text = json.dumps(_data(told.documents["audit"].sections))
    assert re.search(r"line \d+ by Operator [A-C]", text)


def test_original_lines_are_those_of_the_unchanged_file(
    built: tuple[Path, Store], tmp_path: Path
) -> None:
    folder, store = built
    row = store.rows("select source_id, path from source where path like '%approval.csv'")[0]
    line = report.original_lines(store, folder)
    assert line(row["source_id"], 3) == "CHG2,ada.example,approved,2022-03-08T08:00:00Z"
    assert line(row["source_id"], 99) is None
    assert line(999, 1) is None
    changed = tmp_path / row["path"]
    changed.parent.mkdir(parents=True)
    changed.write_text((folder / row["path"]).read_text().replace("CHG2", "CHG3"))
    assert report.original_lines(store, tmp_path)(row["source_id"], 3) is None


def test_the_report_reads_only_what_the_store_holds(store: Store) -> None:
    facts = CaseFacts(store)
    assert facts.rows("no_such_relation") == []
    assert facts.count("no_such_relation") == 0


@pytest.mark.skipif(not SHARED.exists(), reason="the validator is not at hand")
def test_pdfs_are_archival_and_accessible(written: Path) -> None:
    files = [written / f"{kind}.pdf" for kind in report.KINDS]
    done = subprocess.run(
        [SHARED / "tools" / "verapdf" / "verapdf", "3a,ua1", *files], capture_output=True
    )
    if done.returncode == 2:
        pytest.skip(done.stderr.decode())
    assert done.returncode == 0, done.stdout.decode()


# -- people and words --------------------------------------------------------------------------


def test_people_are_numbered_by_first_appearance() -> None:
    people = Pseudonyms(["zoe", "abe"], {}, ())
    assert people.name("zoe") == "Operator A"
    assert people.text("abe told zoe: Zoe, not zoey") == (
        "Operator B told Operator A: Operator A, not zoey"
    )
    # File names and identifiers join words by underscores; a name must not hide in one.
    assert people.text("runbook_zoe.md") == "runbook_Operator A.md"


def test_an_alias_is_the_same_role() -> None:
    people = Pseudonyms(["op-a", "op-a-2"], {"Ada L.": "op-a"}, ())
    assert people.text("Ada L. is op-a, but op-a-2 is not") == (
        "Operator A is Operator A, but Operator B is not"
    )
    assert len(people) == 2


def test_a_word_that_is_also_an_asset_stays_in_text() -> None:
    people = Pseudonyms(["backup"], {}, ["backup"])
    assert people.name("backup") == "Operator A"
    assert people.text("the backup ran") == "the backup ran"


def test_letters_go_on_after_z() -> None:
    assert [letters(n) for n in (0, 25, 26, 27, 701, 702)] == ["A", "Z", "AA", "AB", "ZZ", "AAA"]


def test_control_characters_are_shown() -> None:
    assert visible("a\x00b\u202ec\n") == "a\\u0000b\\u202ec\n"


def test_posts_lose_their_markup_and_nothing_else() -> None:
    assert stripped("<p>All <b>fixed</b>.</p><script>x()</script>") == "All fixed."
    assert stripped("lag < 5 min & falling <soon>") == "lag < 5 min & falling <soon>"


def test_values_read_as_people_write_them() -> None:
    assert number(1234567) == "1\u00a0234\u00a0567"
    assert size(2_500_000_000_000) == "2.5\u00a0TB"
    assert span(3600 * 25) == "1\u00a0d 1\u00a0h"
    assert span(0) == "0\u00a0s"
    assert span(-90) == "−1\u00a0min 30\u00a0s"
    assert percent(0.0512) == "5.1\u00a0%"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert (number(None), size(None), span(None)) == ("unknown",) * 3


# -- the first page ----------------------------------------------------------------------------


def test_the_first_sentence_says_what_stood_still_and_where(told: Report) -> None:
    first = told.documents["review"].sections[0].blocks[0]
    said = plain(first.text)  # type: ignore[union-attr]
    assert said.startswith(
        "On 9 March 2022, replication came to a standstill for 2 of 2 machines in US, which serve "
        "all 2 partners in the register: until it was good again, or the record ends, they got no "
        "new recovery points, the states to which a machine can be restored. At the time, the "
        "registered change CHG2 (Retire array two <script>alert(1)</script>) was being carried out."
    )
    assert "1 machine has no current recovery point" in said


def test_the_first_page_alone_says_what_happened_and_what_is_open(
    store: Store, told: Report, written: Path
) -> None:
    review = dict(told.documents["review"].cover[0].items)  # type: ignore[union-attr]
    assert list(review) == [
        "What happened", "Whom it hit", "What preceded it", "Not known", "To decide"
    ]  # fmt: skip
    sections = json.dumps(_data(told.documents["review"].sections))
    for told_list in (review["Not known"], review["To decide"]):
        assert isinstance(told_list, Listing)
        for part in (part for item in told_list.items for part in item if isinstance(part, str)):
            assert json.dumps(part)[1:-1] in sections
    audit = dict(told.documents["audit"].cover[0].items)  # type: ignore[union-attr]
    exceptions = store.value("select count(*) from finding where status = 'exception'")
    assert f"{exceptions} with one" in plain(audit["Result"])
    assert not told.documents["summary"].cover
    first = _pdf_text(written / "review.pdf").split("\f")[0]
    assert "To decide" in first and "When the record ends" in first


def test_open_tests_are_told_to_partners_only_where_nothing_else_is_unknown(store: Store) -> None:
    incident = Incident(CaseFacts(store))
    incident.findings.append({"rule": "CF-01", "status": "undetermined", "operation_id": None})
    assert "which the evidence does not decide" in str(summary.unknown(incident, True))
    assert "which the evidence does not decide" not in str(summary.unknown(incident, False))
    incident.facts._read["machine_impact"] = []
    incident.facts._read["partner_impact"] = []
    incident.onset = None
    assert "which the evidence does not decide" in str(summary.unknown(incident, False))


def test_every_recommendation_that_the_board_weighs_stands_in_the_review(told: Report) -> None:
    factors = next(part for part in told.documents["review"].sections if part.id == "factors")
    table = next(block for block in factors.blocks if isinstance(block, Table))
    assert table.columns[-1].title == "Recommendation"
    assert all(plain(row[-1]) for row in table.rows)


def test_an_onset_that_counts_more_machines_than_fell_with_it_says_why(store: Store) -> None:
    incident = Incident(CaseFacts(store))
    assert timeline._fell_later(incident) == ""
    assert incident.onset is not None
    incident.onset["affected"] = 4
    assert timeline._fell_later(incident) == (
        "Onset: of the 4 machines with a gap while it lasts, 2 fell with it; 2 fell later."
    )


def test_what_is_not_on_record_is_said_in_a_sentence(store: Store) -> None:
    text = json.dumps(_data(report.build(store).documents["review"].sections))
    for sentence in (
        "No register of actions of earlier incidents is among the evidence.",
        "Nothing is on record of the board yet.",
    ):
        assert sentence in text


def test_a_claim_that_other_records_contradict_is_marked(standby: Path) -> None:
    with Store.open(standby / "case.duckdb") as opened:
        document = report.build(opened).documents["review"]
    timeline = next(part for part in document.sections if part.id == "timeline")
    assert '"contradicted"' in json.dumps(_data(timeline))


# -- the board ---------------------------------------------------------------------------------


def test_the_board_and_what_changed_since_its_freeze(tmp_path: Path) -> None:
    source = tmp_path / "case"
    source.mkdir()
    for name, text in CASE.items():
        (source / name).write_text(text.replace("{hostile}", "x"), encoding="utf-8")
    (source / "case.toml").write_text('title = "Board"\n')
    made, store = golden.build(source, tmp_path / "made")
    store.close()
    verbs.refresh_review(made.path)
    with Store.open(made.database) as opened:
        (found,) = opened.rows(
            "select finding_id from finding where rule = 'CF-12' and status = 'exception'"
        )
    about = found["finding_id"]

    def enter(do: str, minute: int, by: str = "m.keane", **values: object) -> verbs.Entered:
        at = f"2022-05-02T09:{minute:02}:00Z"
        return verbs.add_to_review(made.path, do, by=by, at=at, **values)

    def review() -> tuple[str, str]:
        with Store.open(made.database) as opened:
            told = report.build(opened)
        return told.state, json.dumps(_data(told.documents["review"].sections[-1]))

    enter("freeze", 0, digest=verbs.digest_of(made.path))
    enter("accept", 1, finding=about, reason="The record is clear, says m.keane.")
    enter("action", 2, id="A-1", title="Remind", owner="ops", due="2022-06-30", strength="weaker")
    enter("decide", 3, by="ada.example", text="Go on.")
    state, text = review()
    assert state == "evidence frozen, version 1"
    assert "are as they were frozen" in text
    assert "Stronger actions: 0 of 1." in text and "All are weaker" in text
    assert "m.keane" not in text and "Reviewer A" in text and "Operator" in text

    enter("submit", 4)
    (left,) = enter("conclude", 5).notes
    assert re.fullmatch(r"(\d+) of (\d+) exceptions have no decision", left)
    (tied,) = enter("sign", 6, by="ada.example", role="Reviewer").notes
    assert "does not count" in tied and "requested CHG1, CHG2" in tied
    assert enter("sign", 7, role="Chair").notes == ()
    enter("request_changes", 8, text="Look again.")
    enter("freeze", 9, digest=verbs.digest_of(made.path))

    settings = made.path / "case.toml"
    settings.write_text(settings.read_text() + "[policy]\nalert_ack_minutes = 20\n")
    (made.path / "evidence" / "approval.csv").unlink()
    verbs.run(made.path, kinds=("review",), formats=("json",))
    state, text = review()
    assert state == "evidence frozen, version 1, evidence or rules changed since the freeze"
    assert "alert_ack_minutes" in text and "evidence/approval.csv" in text
    assert "no longer found" in text and about in text


def test_a_snapshot_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "review").mkdir()
    (tmp_path / "review" / "frozen-1.json").write_text('{"digest": "x", "lines": []}')
    with pytest.raises(UsageError, match="no snapshot of a freeze"):
        frozen.load(tmp_path)


# -- words -------------------------------------------------------------------------------------


def _literals(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of the literals of a module without those that stand alone, which document it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.lineno, node.value


def test_no_sentence_of_the_reports_judges_people() -> None:
    toolkit = ROOT / "toolkit"
    spoken = [
        *(toolkit / "report").rglob("*.py"), *(toolkit / "analysis").rglob("*.py"),
        *(toolkit / "export").rglob("*.py"), toolkit / "declare.py", toolkit / "plots.py",
    ]  # fmt: skip
    said = {
        f"{path.name}:{line}": text
        for path in spoken
        # The fields of the form of DORA bear the names that the law gives them.
        if path.name not in ("wording.py", "dora.py")
        for line, text in _literals(path)
    }
    templates = ROOT / "report_templates"
    for path in (*templates.rglob("*.j2"), *templates.rglob("*.toml")):
        said[path.name] = path.read_text(encoding="utf-8")
    for path in (ROOT / "queries" / "macros").glob("*.sql"):
        said[path.name] = path.read_text(encoding="utf-8")
    assert {"en.toml", "macros.sql", "report.html.j2"} <= said.keys()
    for file in sqlfile.catalogue(resources.queries()).values():
        code = re.sub(r"--.*", "", file.sql)
        for number_, text in enumerate(re.findall(r"'((?:[^']|'')*)'", code)):
            said[f"{file.id}, text {number_}"] = text
        said[f"{file.id}, head"] = " ".join(map(str, file.meta.model_dump().values()))
    verdict = {"violated"}  # the word of the conformance vocabulary; reports print "differs"
    assert not {
        where: faults
        for where, text in said.items()
        if (faults := set(wording.faults(text)) - verdict)
    }


@pytest.mark.parametrize(
    "text",
    ["He failed to look.", "It should have been seen.", "The root cause was", "caused by a drain"],
)
def test_words_that_judge_are_found(text: str) -> None:
    assert wording.faults(text)


def test_a_value_of_a_megabyte_is_cut_with_a_note(store: Store) -> None:
    shown = CaseFacts(store).text("x" * 1_000_000)
    assert len(shown) < 9_000
    assert "[cut here: 992000 more characters stand in the evidence]" in shown


def _sentences(sections: Iterable[Section]) -> Iterator[str]:
    """What the reports say in their own words; cells and records quote the evidence."""
    for section in sections:
        yield section.title
        for block in section.blocks:
            match block:
                case Paragraph():
                    yield plain(block.text)
                case Listing():
                    yield from map(plain, block.items)
                case Facts():
                    yield from (label for label, _ in block.items)
                case Table():
                    yield from (block.caption, block.note)
                    yield from (column.title for column in block.columns)
                case Figure():
                    yield from (block.caption, block.description)
        yield from _sentences(section.sections)


def test_no_rendered_sentence_judges_people(told: Report, standby: Path) -> None:
    with Store.open(standby / "case.duckdb") as opened:
        reports = [told, report.build(opened)]
    for made in reports:
        for document in made.documents.values():
            sentences = list(_sentences(document.sections))
            assert len(sentences) > 10
            assert not [text for text in sentences if wording.faults(text)]
