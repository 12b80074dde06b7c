"""Bags: complete and repeatable, every change found and named, signatures, people as roles."""

# ruff: noqa: E501

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pypdf
import pytest
from conftest import ROOT

from toolkit import resources, verbs
from toolkit.casefile import CaseFolder
from toolkit.decisions import scaffold_around
from toolkit.errors import UsageError
from toolkit.seal import Check, Sealed, bag, check, numbers, pages, payload, seal, verify
from toolkit.store import Store

EVIDENCE = {
    "change.csv": """change_id,title,kind,risk,requested_by,implementer,window_start,window_end,targets,rollback_ref,impact_ref,procedure,closed_at,outcome
CHG1,Retire array one,decommission,low,ada.example,bert.example,2022-03-01T08:00:00Z,2022-03-01T12:00:00Z,arr-1,RB-1,IA-1,retire,2022-03-01T11:00:00Z,success
CHG2,Retire array two,decommission,low,ada.example,bert.example,2022-03-09T08:00:00Z,2022-03-09T12:00:00Z,arr-2,,,retire,2022-03-09T11:00:00Z,success
""",
    "approval.csv": """change_id,approver,decision,decided_at
CHG1,cleo.example,approved,2022-02-28T08:00:00Z
CHG2,ada.example,approved,2022-03-08T08:00:00Z
""",
    "maintenance_event.csv": """occurred_at,action,target,change_id,step,actor,session_id,outcome,flags,message
2022-03-01T08:20:00Z,drain,arr-1,CHG1,drain,bert.example,s1,success,,
2022-03-01T09:00:00Z,decommission,arr-1,CHG1,decommission,bert.example,s1,success,,asked by Ada.Example
2022-03-09T08:20:00Z,drain,arr-2,CHG2,drain,bert.example,tty_bert.example_2,warning,,
2022-03-09T09:00:00Z,decommission,arr-2,CHG2,decommission,bert.example,s2,success,--force,a line of /home/bert.example/x
""",
    "alias.csv": """kind,alias,canonical,basis
person,Bert Ertl,bert.example,staff list
""",
    "status_update.csv": """posted_at,incident_id,state,update_id,title,body
2022-03-09T13:00:00Z,i1,investigating,u1,Replication impaired,Bert Ertl looks into it
""",
}  # fmt: skip
PEOPLE = ("ada.example", "bert.example", "cleo.example", "bert ertl")
PROCEDURE = """
id: retire
version: "1"
title: Retire an array
published_at: 2021-01-01T00:00:00Z
applies_to: [decommission]
steps:
  - {id: drain, title: Move the dependents, kind: action, mandatory: true}
  - {id: decommission, title: Remove, kind: action, mandatory: true, irreversible: true,
     needs: [drain]}
"""  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def few_rules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """As if the toolkit came with few rules: a bag is rebuilt in nearly every test.

    That one with all of them holds is shown by the commands of docs/how-to/sealing.md.
    """
    few = Path(shutil.copytree(resources.queries(), tmp_path_factory.mktemp("few") / "queries"))
    for path in (few / "findings").glob("*.sql"):
        if not path.name.startswith(("cf_02", "cf_09", "cf_12", "eq_02")):
            path.unlink()
    folder = resources._folder
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resources, "_folder", lambda name: few if name == "queries" else folder(name))
        resources.delivered_queries.cache_clear()
        yield
    resources.delivered_queries.cache_clear()


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> CaseFolder:
    path = tmp_path_factory.mktemp("sealed") / "small"
    verbs.new(path, title="Two arrays")
    for name, text in EVIDENCE.items():
        (path / "evidence" / name).write_text(text)
    (path / "procedures" / "retire.yaml").write_text(PROCEDURE)
    (path / "case.toml").write_text(
        'title = "Two arrays"\n[policy]\nstatus_first_post_minutes = 20\n'
        '[[source]]\npath = "evidence/*.csv"\nobtained_by = "cleo.example"\n'
    )
    verbs.ingest_case(path)
    verbs.rebuild_case(path)
    return CaseFolder.open(path)


@pytest.fixture(scope="module")
def sealed(case: CaseFolder) -> Sealed:
    return seal(case, formats=("json", "md"))


@pytest.fixture
def copy(sealed: Sealed, tmp_path: Path) -> Path:
    """A bag to tamper with."""
    return Path(shutil.copytree(sealed.bag, tmp_path / "bag"))


def failed(checks: Sequence[Check], part: str = "") -> list[str]:
    return [
        check.told
        for check in checks
        if check.outcome == "failed" and (not part or check.part == part)
    ]


def reseal(path: Path) -> None:
    """What somebody does who changes a bag and knows the format: write the manifests anew."""
    info = dict(line.split(": ", 1) for line in (path / bag.INFO).read_text().splitlines())
    bag.write(path, info)
    assert bag.faults(path) == []


# -- whole and repeatable --------------------------------------------------------------------------


def test_a_bag_that_nobody_touched_holds(sealed: Sealed) -> None:
    checks = verify(sealed.bag)
    assert failed(checks) == []
    assert [each.part for each in checks if each.outcome == "passed"] == ["bag", "numbers", "pages"]
    assert [each.told.split(":")[0] for each in checks if each.outcome == "note"] == [
        "the bag is not signed",
        "sealed without",
        "thresholds that the case sets",
    ]


def test_the_same_evidence_gives_the_same_bag(case: CaseFolder, sealed: Sealed) -> None:
    again = seal(case, formats=("json", "md"))
    assert again.digest == sealed.digest
    assert again.written == again.stale == ()


def test_sources_keep_the_numbers_by_which_the_case_cites_them(tmp_path: Path) -> None:
    path = tmp_path / "small"
    verbs.new(path, title="Two arrays")
    (path / "procedures" / "retire.yaml").write_text(PROCEDURE)
    # Read one after another, the last one again under a name that comes first.
    for name in sorted(EVIDENCE, reverse=True):
        (path / "evidence" / name).write_text(EVIDENCE[name])
        verbs.ingest_case(path)
    (path / "evidence" / "aaa.csv").write_text(EVIDENCE["change.csv"])
    verbs.ingest_case(path)
    verbs.rebuild_case(path)
    verbs.report(path, kinds=("audit",), formats=("json",))
    made = seal(CaseFolder.open(path), kinds=("audit",), formats=("json",))
    assert made.stale == made.written == ()
    register = json.loads((made.bag / "data" / "register.json").read_text())
    assert [row["path"] for row in register["sources"]] == [
        f"evidence/{name}" for name in sorted(EVIDENCE, reverse=True)
    ]
    assert failed(verify(made.bag)) == []
    register["sources"][0]["source_id"] = register["sources"][1]["source_id"]
    (made.bag / "data" / "register.json").write_text(json.dumps(register))
    reseal(made.bag)
    assert "a number of its own" in failed(verify(made.bag), "numbers")[-1]


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sealed, Sequence[Check]]:
    """The bag, and how it is verified, of a case around files that lie in one folder."""
    path = tmp_path_factory.mktemp("around") / "exports"
    path.mkdir()
    for name, text in EVIDENCE.items():
        (path / name).write_text(text)
    scaffold_around(path)
    (path / "notes.txt").write_text("not named")
    (path / "key").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n")
    (path / "brand.toml").write_text('classification = "Confidential"\n')
    verbs.ingest_case(path)
    verbs.rebuild_case(path)
    made = seal(CaseFolder.open(path), kinds=("summary",), formats=("json", "pdf"))
    return made, verify(made.bag)


def test_files_that_no_source_names_are_in_the_bag_and_said_to_be(
    around: tuple[Sealed, Sequence[Check]],
) -> None:
    made, checks = around
    assert made.strays == ("notes.txt",)
    assert (made.bag / "data" / "case" / "notes.txt").read_text() == "not named"
    assert not (made.bag / "data" / "case" / "key").exists()
    assert failed(checks) == []


def test_a_bag_of_a_branded_case_holds(around: tuple[Sealed, Sequence[Check]]) -> None:
    made, checks = around
    assert (made.bag / "data" / "case" / "brand.toml").is_file()
    assert any(each.told.endswith("look and words: brand.toml") for each in checks)
    assert failed(checks) == []


def test_the_digest_in_the_reports_is_that_of_the_sealed_manifest(sealed: Sealed) -> None:
    data = sealed.bag / "data"
    assert bag.digest(data / "manifest.jsonl") == sealed.case_digest
    for kind in ("review", "audit", "summary"):
        told = json.loads((data / "reports" / f"{kind}.json").read_text())
        assert told["case_digest"] == sealed.case_digest
    assert sealed.case_digest in (data / "README.txt").read_text()


def test_standard_tools_check_the_manifests(sealed: Sealed) -> None:
    for manifest in (bag.TAG_MANIFEST, bag.MANIFEST):
        done = subprocess.run(
            ["sha256sum", "--strict", "-c", manifest], cwd=sealed.bag, capture_output=True
        )
        assert done.returncode == 0, done.stderr


def test_the_script_in_the_bag_runs_every_query_on_the_sealed_relations_alone(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sealed.bag / "data")
    script = re.sub(
        r"^\.read (\S+)$",
        lambda found: Path(found[1]).read_text(),
        Path("check.sql").read_text(),
        flags=re.M,
    )
    with duckdb.connect() as shell:
        shell.execute(script)
        rows = shell.execute("from difference").fetchall()
    assert len(rows) > 50
    assert [row for row in rows if row[3]] == []


# -- tampering -------------------------------------------------------------------------------------


def test_every_single_bit_flip_is_found(copy: Path) -> None:
    files = sorted(path for path in copy.rglob("*") if path.is_file())
    chance = random.Random(7)
    # Small files of the bag itself as often as the payload: they are where a bag is weakest.
    own = [path for path in files if path.parent == copy]
    for turn in range(60):
        path = chance.choice(own if turn % 2 else files)
        content = path.read_bytes()
        place = chance.randrange(len(content) * 8)
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        assert bag.faults(copy), f"{path.name}: bit {place}"
        path.write_bytes(content)
    assert bag.faults(copy) == []


def test_what_was_changed_is_named_though_the_manifests_were_written_anew(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copy / "data/case/evidence/maintenance_event.csv"
    path.write_text(
        path.read_text().replace("09:00:00Z,decommission,arr-2", "09:05:00Z,drain,arr-2")
    )
    assert bag.faults(copy) == [
        "data/case/evidence/maintenance_event.csv: its SHA-256 is not the one that was sealed"
    ]
    query = copy / "data/queries/findings/cf_12_self_approval.sql"
    query.write_text(query.read_text().replace("'exception'", "'ok'"))
    toml = copy / "data/case/case.toml"
    toml.write_text(toml.read_text().replace("minutes = 20", "minutes = 25"))
    page = copy / "data/reports/audit.json"
    page.write_text(page.read_text().replace('"CHG2"', '"CHG3"', 1))
    register = copy / "data/register.json"
    told = json.loads(register.read_text())
    next(row for row in told["queries"] if row["query_id"] == "known_asset")["row_count"] += 7
    register.write_text(json.dumps(told))
    reseal(copy)
    monkeypatch.setattr(check, "MOST_TOLD", 999)
    checks = verify(copy)
    told = failed(checks, "numbers")
    assert any(re.match(r"query known_asset: \d+ rows, sealed \d+", line) for line in told)
    torn = failed(checks, "pages")
    assert any(line.startswith("audit.json: case_digest says ") for line in torn)
    assert "evidence/maintenance_event.csv: the evidence is not the one that was sealed" in told
    assert any("cf_12_self_approval.sql: the query is not the one" in line for line in told)
    assert "policy status_first_post_minutes: 25 case, sealed 20 case" in told
    assert any(
        re.match(
            r"relation maintenance_event: record \d+:5: occurred_at is '2022-03-09 09:05", line
        )
        for line in told
    ), told


HOSTILE = (
    "copy (select 42) to '{target}'",
    "select 1; copy (select 42) to '{target}'",
    "select content from read_text('/etc/hostname')",
)


@pytest.mark.parametrize("sql", HOSTILE)
def test_sql_of_a_bag_reaches_nothing(sql: str, copy: Path, tmp_path: Path) -> None:
    target = tmp_path / "written"
    query = copy / "data/queries/relations/known_asset.sql"
    head = query.read_text().partition("-- ///\n")[0]
    query.write_text(head + "-- ///\n" + sql.format(target=target) + "\n")
    reseal(copy)
    told = failed(verify(copy), "numbers")
    assert re.search(r"not re-performed: \S*known_asset\.sql: ", told[-1])
    assert not target.exists()


def _traversal(path: Path) -> None:
    manifest = path / bag.MANIFEST
    manifest.write_text(manifest.read_text() + "0" * 64 + "  data/../../x\n")


def _link(path: Path) -> None:
    (path / "data" / "link").symlink_to("/etc/passwd")


def _twice(path: Path) -> None:
    manifest = path / bag.MANIFEST
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(lines[:1] + lines))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_traversal, "no plain name below the bag"),
        (_link, "a link or device has no place in a bag"),
        (_twice, "is listed twice"),
        (lambda path: (path / "fetch.txt").write_text("x"), "asks for files to be fetched"),
        (lambda path: (path / "data/new").write_text("x"), "data/new: the file is listed in no"),
        (lambda path: (path / "data/README.txt").unlink(), "README.txt: the file is missing"),
        (lambda path: (path / bag.MANIFEST).write_bytes(b"\xff\n"), "is not UTF-8"),
        (lambda path: (path / bag.MANIFEST).unlink(), "the file is missing"),
        (lambda path: (path / bag.DECLARATION).write_text("BagIt-Version: 0.97\n"), "not that of"),
    ],
)  # fmt: skip
def test_a_bag_of_another_form_gets_one_clear_line(change, words: str, copy: Path) -> None:  # type: ignore[no-untyped-def]
    change(copy)
    assert any(words in line for line in bag.faults(copy))


def test_the_command_ends_with_exit_code_4_and_names_what_failed(copy: Path) -> None:
    (copy / "data" / "README.txt").write_text("other words")
    _link(copy)
    done = subprocess.run(
        [sys.executable, "-m", "toolkit", "verify", copy], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 4
    assert "failed: bag: data/link: a link or device has no place in a bag" in done.stdout
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().endswith("does not hold: bag, numbers")


# -- people as roles -------------------------------------------------------------------------------


def _texts(path: Path) -> dict[str, str]:
    """Everything in a bag that can be read as text, file by file."""
    found = {}
    for file in sorted(path.rglob("*")):
        if file.suffix == ".parquet":
            found[file.name] = json.dumps(pq.read_table(file).to_pylist(), default=str)
        elif file.is_file():
            found[file.name] = file.read_bytes().decode("utf-8", "replace")
        if file.suffix == ".pdf":
            reader = pypdf.PdfReader(file)
            found[f"pages of {file.name}"] = " ".join(
                " ".join(page.extract_text().split()) for page in reader.pages
            )
            metadata = reader.root_object["/Metadata"].get_object().get_data()
            found[f"XMP of {file.name}"] = metadata.decode()
            for name, contents in reader.attachments.items():
                for content in contents:
                    found[f"{name} in {file.name}"] = content.decode("utf-8", "replace")
        found[f"name of {file.name}"] = file.name
    return found


def test_a_redacted_bag_names_nobody(case: CaseFolder) -> None:
    # That no rendering of any kind of report names anybody is held in test_report.py.
    forms = ("json", "md", "html", "pdf")
    redacted = seal(case, profile="redacted", kinds=("audit",), formats=forms)
    texts = _texts(redacted.bag)
    kinds = ("pages of ", "XMP of ", "queries.sql in ", "timeline.csv in ")
    assert all(any(name.startswith(kind) for name in texts) for kind in kinds), sorted(texts)
    assert "Operator A" in " ".join(texts[name] for name in texts if name.startswith("pages of"))
    for name, text in texts.items():
        for person in PEOPLE:
            assert person not in text.casefold(), name
    told = (redacted.bag / "data/README.txt").read_text()
    assert "the original evidence" in told
    assert 'obtained_by = "Operator ' in (redacted.bag / "data/case/case.toml").read_text()
    checks = verify(redacted.bag)
    assert failed(checks) == []
    assert any("not re-performed" in check.told for check in checks if check.outcome == "note")


# -- what cannot be sealed -------------------------------------------------------------------------


def test_evidence_that_changed_after_the_rebuild_is_not_sealed(
    case: CaseFolder, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(case.path, tmp_path / "small"))
    path = other / "evidence" / "approval.csv"
    path.write_text(path.read_text() + "CHG1,cleo.example,withdrawn,2022-02-28T09:00:00Z\n")
    with pytest.raises(UsageError, match=r"approval\.csv: the file is not read now as it stands"):
        seal(CaseFolder.open(other), formats=("json",))
    with Store.open(other / "case.duckdb") as store:
        assert store.value("select count(*) from approval") == 2
    assert not (other / "output" / ".bag.part").exists()


# -- what somebody changes who knows the format ----------------------------------------------------


MACRO_FILES = ("macros.sql", "analyst.sql")


def _more_macros(path: Path, text: str, *names: str) -> None:
    for name in names:
        macros = path / "data/queries/macros" / name
        macros.write_text(macros.read_text() + text)
    reseal(path)


def test_changed_macros_are_named(copy: Path) -> None:
    lines = [json.loads(line) for line in (copy / "data/manifest.jsonl").read_text().splitlines()]
    for name in MACRO_FILES:
        assert ["macros", name, bag.digest(copy / "data/queries/macros" / name)] in lines
    _more_macros(copy, "create or replace macro ok_by(basis) as 'ok';\n", *MACRO_FILES)
    told = failed(verify(copy), "numbers")
    for name in MACRO_FILES:
        assert f"queries/macros/{name}: the macros are not those of the manifest" in told
        assert any(line.startswith(f"macros {name}: ") for line in told)


@pytest.mark.parametrize(
    "text",
    [
        "create or replace table evidence.approval as from evidence.approval where false;\n",
        "/* /* */ create macro x() as 1; */ create table x as select 1;\n",
    ],
)
@pytest.mark.parametrize("name", MACRO_FILES)
def test_macros_that_do_more_are_not_run(name: str, text: str, copy: Path) -> None:
    _more_macros(copy, text, name)
    assert "more than define macros" in failed(verify(copy), "numbers")[-1]


def test_queries_in_the_sealed_case_are_not_run(copy: Path) -> None:
    own = copy / "data/case/queries/cf_12.sql"
    own.parent.mkdir()
    shutil.copy(copy / "data/queries/findings/cf_12_self_approval.sql", own)
    reseal(copy)
    assert "queries have no place in the sealed case" in failed(verify(copy), "numbers")[-1]


def test_derived_tables_scripts_and_further_files_are_compared(copy: Path, sealed: Sealed) -> None:
    path = copy / "data/relations/finding.parquet"
    table = pq.read_table(path)
    place = table.column_names.index("status")
    pq.write_table(table.set_column(place, "status", [["ok"] * table.num_rows]), path)
    (copy / "data/check.sql").write_text("select 'all fine';\n")
    (copy / "data/README.txt").write_text("Case digest: 00\n")
    (copy / "data/reports/audit.md").unlink()
    (copy / "data/reports/letter.txt").write_text("all is well\n")
    info = copy / bag.INFO
    info.write_text(re.sub("Case-Digest: .*", "Case-Digest: 00", info.read_text()))
    reseal(copy)
    checks = verify(copy)
    told = failed(checks, "numbers")
    assert [line for line in told if not line.startswith("relation finding: row ")] == [
        "bag-info.txt: Case-Digest is '00', by the register " + repr(sealed.case_digest)
    ]
    assert failed(checks, "pages") == [
        "reports/audit.md: the bag promises it, and does not hold it",
        "reports/letter.txt: the bag does not promise it",
        "README.txt: it is not what the evidence gives",
        "check.sql: it is not what the evidence gives",
    ]


def test_another_version_is_told_to_leave_pages_uncompared(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers, "__version__", "99.0")
    checks = verify(copy)
    assert failed(checks) == []
    assert any("pages and derived tables are not compared" in check.told for check in checks)


def test_a_report_that_was_taken_out_is_missed_or_told_to_lack(copy: Path) -> None:
    for form in ("json", "md"):
        (copy / f"data/reports/audit.{form}").unlink()
    register = copy / "data/register.json"
    told = json.loads(register.read_text())
    assert list(pages.promise_faults(copy / "data", told)) == [
        f"reports/audit.{form}: the bag promises it, and does not hold it"
        for form in ("json", "md")
    ]
    # Who takes the promise back as well leaves a bag that says so.
    told["reports"] = [name for name in told["reports"] if not name.startswith("audit")]
    register.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    info = payload.info(told, "Two arrays")
    bag.write(copy, info)
    checks = verify(copy)
    assert failed(checks) == []
    assert any(each.told.startswith("sealed without: audit, ") for each in checks)


def test_queries_that_are_not_as_delivered_are_told(case: CaseFolder, tmp_path: Path) -> None:
    other = Path(shutil.copytree(case.path, tmp_path / "small"))
    shutil.rmtree(other / "output")
    own = other / "queries"
    own.mkdir()
    shipped = resources.queries() / "findings" / "cf_12_self_approval.sql"
    (own / "mine.sql").write_bytes(
        shipped.read_bytes().replace(b"'exception'", b"'ok'").replace(b"\n", b"\r\n")
    )
    (own / "asked.sql").write_text(
        '-- /// query\n-- id = "asked"\n-- title = "Asked on demand"\n-- reads = ["change"]\n'
        '-- [columns]\n-- n = "How many."\n-- ///\nselect count(*) as n from change\n'
    )
    verbs.rebuild_case(other)
    made = seal(CaseFolder.open(other), kinds=("audit",), formats=("md",))
    checks = verify(made.bag)
    assert failed(checks) == []
    assert any(
        each.told == "queries not as delivered: CF-12 (the case's own, in place of the one "
        "delivered), asked (the case's own)"
        for each in checks
    )
    page = (made.bag / "data/reports/audit.md").read_text()
    assert "in place of the one delivered" in page and "(not as delivered)" in page
    assert "20 min, set by the case; as delivered 30" in page
    # What is only asked on demand stands in the manifest like the rest.
    asked = made.bag / "data/queries/own/asked.sql"
    assert (
        f'["query", "asked", "{bag.digest(asked)}"]'
        in (made.bag / "data/manifest.jsonl").read_text()
    )
    asked.write_text(asked.read_text().replace("count(*)", "0"))
    data = made.bag / "data"
    register = json.loads((data / "register.json").read_text())
    assert list(numbers._query_faults(data, register, (data / "manifest.jsonl").read_bytes()))[
        -1:
    ] == ["queries/own/asked.sql: the query is not the one of the manifest"]


def test_a_bag_of_an_edited_toolkit_is_told(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen from here, the toolkit that made it had another query, macro file and no threshold."""
    known = dict(resources.delivered_queries())
    known["findings/cf_12_self_approval.sql"] = known["macros/macros.sql"] = "0" * 64
    monkeypatch.setattr(resources, "delivered_queries", lambda: known)
    checks = verify(sealed.bag)
    assert any(
        "macros/macros.sql (not the text that was delivered), CF-12 (not the text" in each.told
        for each in checks
    )
    assert any(told.startswith("relation departure: ") for told in failed(checks))


def test_a_bag_of_a_form_that_is_not_known_names_the_version_that_made_it(copy: Path) -> None:
    register = copy / "data/register.json"
    told = json.loads(register.read_text()) | {"form": "postmortem-register-1", "toolkit": "0.1.0"}
    register.write_text(json.dumps(told))
    reseal(copy)
    assert "made by version 0.1.0 of the toolkit" in failed(verify(copy))[0]
    assert "verify it with version 0.1.0" in failed(verify(copy))[0]


def test_what_is_no_bag_gets_one_line(copy: Path, tmp_path: Path, case: CaseFolder) -> None:
    archive = shutil.make_archive(str(tmp_path / "sealed"), "zip", copy)
    for path, words in (
        (Path(archive), "this is a ZIP archive; unpack it"),
        (copy / "data", "the folder is no bag; give the folder with bagit.txt"),
        (case.path, "the folder is no bag; give .*output/bag"),
        (tmp_path / "nothing", "no such bag or report"),
    ):
        with pytest.raises(UsageError, match=words):
            verify(path)


def test_a_signed_report_must_go_on_from_the_report_beside_it(tmp_path: Path) -> None:
    (tmp_path / "audit.pdf").write_bytes(b"%PDF report")
    (tmp_path / "audit.signed.pdf").write_bytes(b"%PDF report, signed")
    assert list(numbers._signed_faults(tmp_path)) == []
    (tmp_path / "audit.signed.pdf").write_bytes(b"%PDF other, signed")
    (tmp_path / "review.signed.pdf").write_bytes(b"%PDF of nothing")
    assert list(numbers._signed_faults(tmp_path)) == [
        "audit.signed.pdf: what was signed is not the report audit.pdf",
        "review.signed.pdf: what was signed is not the report review.pdf",
    ]


@pytest.mark.parametrize("content", ["[]\n", "[" * 200_000, ""])
@pytest.mark.parametrize("name", ["register.json", "reports/audit.json", "manifest.jsonl"])
def test_json_of_another_shape_fails_in_one_line(name: str, content: str, copy: Path) -> None:
    (copy / "data" / name).write_text(content)
    reseal(copy)
    told = failed(verify(copy), "numbers")
    assert told and all("\n" not in line for line in told)


def test_nothing_of_a_bag_with_a_link_is_opened(copy: Path) -> None:
    (copy / "data/register.json").unlink()
    (copy / "data/register.json").symlink_to("/etc/hostname")
    Path(f"{copy}/\udcff").write_text("x")
    assert [check.part for check in verify(copy)] == ["bag", "numbers"]
    assert "cannot be read safely" in verify(copy)[1].told
