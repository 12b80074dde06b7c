"""A plain folder of exports becomes a case, and what it lacks is asked for once, ready to paste."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT
from typer.testing import CliRunner

from toolkit import decisions
from toolkit.casefile import CaseFolder
from toolkit.cli import app
from toolkit.errors import EvidenceRefused, UsageError
from toolkit.ingest.load import Ingested, ingest, shipped_mappings
from toolkit.ingest.mapping import load_mapping
from toolkit.store import Store

SAMPLES = ROOT / "sample_data" / "draas-2022" / "evidence"
BORG = (
    '{{"archive": {{"end": "2022-03-09T03:00:0{n}.000000", "name": "m{n}", "start": '
    '"2022-03-09T02:00:0{n}.000000", "stats": {{"original_size": 1}}, "command_line": [], '
    '"id": "{n}"}}, "encryption": {{"mode": "none"}}, "repository": {{"id": "r", '
    '"last_modified": "2022-03-09T03:00:00.000000", "location": "/r"}}}}'
)
ODD = 'Änderungen [2022] "x" #1.csv'
DATES = "occurred_at,action,target\n03/04/2022 10:00:00,detach,{0}\n05/06/2022 10:00:00,seed,{0}\n"
FOREIGN = "Started,Machine,Result\n03/04/2022 10:00:00,fs1,OK\n"


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """A folder as people hand it over, in a folder that is itself called output."""
    folder = tmp_path / "output" / "handed over"
    (folder / "a" / "b c").mkdir(parents=True)
    (folder / ".git").mkdir()
    shutil.copy(SAMPLES / "status" / "incidents.json", folder / "a" / "b c" / "status.json")
    shutil.copy(SAMPLES / "changes" / "change_request.csv", folder / "a" / ODD)
    shutil.copy(SAMPLES / "hosts" / "ctl-us.log", folder / "a" / "ctl-us.log")
    shutil.copy(folder / "a" / "ctl-us.log", folder / "copy of ctl-us.log")
    for number in (1, 2, 3):
        (folder / "a" / f"create_{number}.json").write_text(BORG.format(n=number))
    (folder / "events.csv").write_text(DATES.format("fs1"))
    (folder / "jobs.csv").write_text(FOREIGN)
    (folder / "tool.log").write_text("[2022-03-09 01:02:03] removed meta2\n" * 3)
    (folder / "empty.log").touch()
    (folder / "empty too.log").touch()
    (folder / "report.pdf").write_bytes(b"%PDF-1.7\n%\xe2\xe3\n1 0 obj\n")
    (folder / "shot.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    (folder / ".hidden").write_text("x")
    (folder / ".git" / "config").write_text("x")
    return folder


def read(folder: Path) -> tuple[CaseFolder, Ingested]:
    case = CaseFolder.open(folder)
    with Store.create(case.database) as store:
        return case, ingest(store, case)


def test_what_the_case_ignores_is_accounted_for_and_not_read(messy: Path) -> None:
    decisions.scaffold_around(messy)
    read(messy)
    toml = (messy / "case.toml").read_text()
    (messy / "case.toml").write_text('ignore = ["*.pdf", "*.png", "a/**/*.json"]\n' + toml)
    _, done = read(messy)
    names = ["a/b c/status.json", "report.pdf", "shot.png"]
    ignored = [row.path for row in done.files if row.outcome == "ignored"]
    assert [name for name in ignored if "create_" not in name] == names
    assert not {Path(str(each.path)).name for each in done.refusals} & {"report.pdf", "shot.png"}
    with Store.open(messy / "case.duckdb") as store:
        # It was read before the case said that it is none.
        assert store.value("select count(*) from source where path = 'a/b c/status.json'") == 0


def test_what_is_pasted_and_filled_in_settles_every_decision(messy: Path) -> None:
    decisions.scaffold_around(messy)
    case, done = read(messy)
    assert [row.path for row in done.files if row.outcome == "loaded"] == ["a/b c/status.json"]
    asked = decisions.missing_decisions(case, done.refusals)
    assert re.findall(r"^path = (.*)$", asked, re.MULTILINE) == [
        '"a/b c/status.json"', '"a/create_*.json"', '"a/ctl-us.log"',
        '"a/Änderungen [2022] \\"x\\" #1.csv"',
        '"events.csv"', '"jobs.csv"', '"tool.log"',
    ]  # fmt: skip
    assert re.findall(r"^(\w+) =   #", asked, re.MULTILINE) == [
        "captured_at", "zone", "asset_id", "zone", "year", "zone", "order", "zone", "mapping",
        "mapping",
    ]  # fmt: skip
    assert re.findall(r"^#   (.*)$", asked, re.MULTILINE)[-3:] == [
        '"empty too.log"', '"empty.log"', 'ignore = ["*.pdf", "*.png"]',
    ]  # fmt: skip

    toml = (messy / "case.toml").read_text()
    # Unfilled, the entries are no TOML: a decision cannot be pasted and forgotten.
    (messy / "case.toml").write_text(toml + "\n" + asked)
    with pytest.raises(UsageError, match="not valid TOML"):
        CaseFolder.open(messy)

    answers = {
        "zone": '"America/Denver"',
        "order": '"day-first"',
        "asset_id": '"fs9"',
        "year": "2021",
        "captured_at": '"2022-04-20T08:00:00Z"',
    }
    filled = re.sub(r"^(\w+) =  ", lambda key: f"{key[1]} = {answers.get(key[1], '?')} ", asked,
                    flags=re.MULTILINE).replace("mapping = ?", "# mapping = ?")  # fmt: skip
    (messy / "case.toml").write_text(toml + "\n" + filled)
    _, done = read(messy)
    refused = [row.path for row in done.files if row.outcome == "refused"]
    assert refused == [
        "empty too.log",
        "empty.log",
        "jobs.csv",
        "report.pdf",
        "shot.png",
        "tool.log",
    ]
    (copy,) = [row for row in done.files if row.path == "copy of ctl-us.log"]
    assert copy.reason == "the same bytes as a/ctl-us.log"


def test_a_year_that_rests_on_the_time_of_a_file_is_asked_for_until_it_is_declared(
    tmp_path: Path,
) -> None:
    (tmp_path / "messages").write_text("Mar  9 01:02:03 ctl-us app: one\n" * 2)
    declared = 'title = "t"\n[[source]]\npath = "messages"\nzone = "UTC"\n'
    (tmp_path / "case.toml").write_text(declared)
    case, done = read(tmp_path)
    assert not done.refusals
    asked = decisions.missing_decisions(case, ()).splitlines()
    assert asked[1:4] == ["# replaces the entry at line 2", "[[source]]", 'path = "messages"']
    assert asked[4] == 'zone = "UTC"'
    assert asked[5].startswith("year =   #")
    (tmp_path / "case.toml").write_text(declared + "year = 2022\n")
    case, _ = read(tmp_path)
    assert decisions.missing_decisions(case, ()) == ""


def test_an_entry_that_is_there_is_printed_whole_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(DATES.format("fs1"))
    (tmp_path / "case.toml").write_text(
        'title = "t"\n\n[[source]]\nexpected_records = 2\npath = "events.csv"\n'
        'obtained_by = "ops \\"x\\""\nzone = "UTC"\n'
    )
    case, done = read(tmp_path)
    assert decisions.missing_decisions(case, done.refusals).splitlines()[1:] == [
        "# replaces the entry at line 3",
        "[[source]]",
        'path = "events.csv"',
        'zone = "UTC"',
        'obtained_by = "ops \\"x\\""',
        "expected_records = 2",
        'order =   # "day-first", "month-first" or "year-first"',
    ]


def test_one_entry_for_many_files_names_none_that_needs_nothing(tmp_path: Path) -> None:
    """A glob that would also hold files that loaded would declare something of them."""
    for number in range(4):
        text = DATES.format(f"fs{number}")
        (tmp_path / f"e{number}.csv").write_text(
            text.replace("03/04/2022", "2022-03-04").replace("05/06/2022", "2022-06-05") if number
            else "occurred_at,action\n2022-03-04T10:00:00Z,detach\n"
        )  # fmt: skip
    decisions.scaffold_around(tmp_path)
    case, done = read(tmp_path)
    asked = decisions.missing_decisions(case, done.refusals)
    assert re.findall(r"^path = (.*)$", asked, re.MULTILINE) == [
        '"e1.csv"', '"e2.csv"', '"e3.csv"',
    ]  # fmt: skip


def test_what_is_left_out_of_a_folder_is_named(messy: Path) -> None:
    (messy / "procedures").mkdir()
    (messy / "procedures" / "p.yaml").write_text("x")
    (messy / "own.yaml").write_text("# columns of ours\nmapping: 1\n")
    (messy / "link.txt").symlink_to(ROOT / "README.md")
    (Path(os.fsdecode(os.fsencode(messy) + b"/bad\xff.log"))).write_text("x")
    decisions.scaffold_around(messy)
    left_out = [
        line for line in (messy / "case.toml").read_text().splitlines() if "left out" in line
    ]
    assert left_out == [
        '# left out: ".git/config" (hidden)',
        '# left out: ".hidden" (hidden)',
        '# left out: "bad\\\\udcff.log" (its name is not UTF-8: rename it)',
        '# left out: "link.txt" (a link that leads out of the folder: copy the file instead)',
        '# left out: "own.yaml" (a mapping, which says how others are read)',
        '# left out: "procedures/p.yaml" (procedures/ belongs to the case)',
    ]


def test_a_mapping_that_is_shipped_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    (sample, *_) = load_mapping(shipped_mappings()["arcserve"]).spec.samples
    assert sample.row is not None
    (tmp_path / "jobs.csv").write_text(
        ",".join(sample.row) + "\n" + ",".join(f'"{cell}"' for cell in sample.row.values()) + "\n"
    )
    decisions.scaffold_around(tmp_path)
    case, done = read(tmp_path)
    asked = decisions.missing_decisions(case, done.refusals)
    assert 'mapping =   # "arcserve" was made for such a header' in asked
    assert "\nzone =   #" in asked


def test_where_every_file_is_refused_the_decisions_are_listed_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(DATES.format("fs1"))
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7\n%\xe2\xe3\n1 0 obj\n")
    result = CliRunner().invoke(app, ["run", str(tmp_path)])
    assert "\norder =   #" in result.output and "\nzone =   #" in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "output").exists()


ONE = "occurred_at,action\n2022-03-04T10:00:0{}Z,detach\n"


@pytest.fixture
def around(tmp_path: Path) -> Path:
    """A case around a plain folder, of which all files are read."""
    folder = tmp_path / "handed over"
    folder.mkdir()
    for number, name in enumerate(("a.csv", "b.csv")):
        (folder / name).write_text(ONE.format(number))
    decisions.scaffold_around(folder)
    _, done = read(folder)
    assert [row.outcome for row in done.files] == ["loaded", "loaded"]
    return folder


def unread(folder: Path) -> dict[str, str]:
    with Store.open(folder / "case.duckdb") as store:
        if not store.has("unread_file"):
            return {}
        return {row["path"]: row["outcome"] for row in store.rows("from unread_file")}


def test_a_file_that_no_entry_names_is_told_kept_as_unread_and_asked_for(around: Path) -> None:
    (around / "new.csv").write_text(ONE.format(5))
    (around / "local.csv").write_text(DATES.format("fs1").replace("/", "-"))
    (around / "scan.pdf").write_bytes(b"%PDF-1.7")
    # None of these is evidence that somebody forgot to name.
    (around / "own.yaml").write_text("mapping: 1\n")
    (around / "brand.toml").write_text('logo = "logo.svg"\nlogo_text = "us"\n')
    for name in (".hidden", "logo.svg", "review.yaml"):
        (around / name).write_text("x")
    for name in (
        "output/a.csv", "procedures/p.yaml", "queries/q.sql", "report_templates/x.css",
        "case.duckdb.tmp/block",
    ):  # fmt: skip
        (around / name).parent.mkdir()
        (around / name).write_text("x")
    (around / "me.p12").write_bytes(b"\x30\x82")
    (around / "signer").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n")
    result = CliRunner().invoke(app, ["ingest", str(around)])
    assert isinstance(result.exception, EvidenceRefused) and result.exception.exit_code == 3
    assert "no [[source]] of case.toml names: local.csv, new.csv, scan.pdf; " in result.output
    assert str(result.exception) == "3 files were not read, as no [[source]] names them"
    assert unread(around) == dict.fromkeys(("local.csv", "new.csv", "scan.pdf"), "unnamed")

    case, done = read(around)
    asked = decisions.missing_decisions(case, done.refusals, done.unnamed)
    assert '# no entry names it\n[[source]]\npath = "new.csv"\n' in asked
    assert 'path = "local.csv"\norder =   #' in asked
    assert '#   ignore = ["*.pdf"]' in asked
    toml = (around / "case.toml").read_text()
    (around / "case.toml").write_text(
        f'ignore = ["*.pdf", "local.csv"]\n{toml}\n[[source]]\npath = "new.csv"\n'
    )
    result = CliRunner().invoke(app, ["ingest", str(around)])
    assert result.exit_code == 0
    assert unread(around) == dict.fromkeys(("local.csv", "scan.pdf"), "ignored")


def test_a_file_whose_entry_is_gone_is_withdrawn_with_the_reason(around: Path) -> None:
    (around / "case.toml").write_text(
        'title = "t"\n[[source]]\npath = "a.csv"\n[[source]]\npath = "bb.csv"\n'
    )
    result = CliRunner().invoke(app, ["ingest", str(around)])
    assert isinstance(result.exception, EvidenceRefused) and result.exception.exit_code == 3
    why = "no [[source]] names it any more; what it said is evidence no longer"
    assert f"withdrawn: b.csv: {why}" in result.output
    assert "no file matches [[source]] path 'bb.csv'; did you mean 'b.csv'?" in result.output
    assert unread(around) == {"b.csv": "unnamed"}
    (around / "b.csv").unlink()
    assert [row.reason for row in read(around)[1].files] == [None]


def test_other_files_of_a_case_with_a_folder_of_evidence_are_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "a.csv").write_text(ONE.format(1))
    (tmp_path / "README.md").write_text("x")
    (tmp_path / "case.toml").write_text('title = "t"\n[[source]]\npath = "evidence/*"\n')
    assert read(tmp_path)[1].unnamed == ()
    # Beside it, folders that hold evidence are looked through, and not the folder of the case.
    toml = (tmp_path / "case.toml").read_text()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.csv").write_text(ONE.format(2))
    (tmp_path / "case.toml").write_text(f'{toml}[[source]]\npath = "more/b.csv"\n')
    assert read(tmp_path)[1].unnamed == ()
    (tmp_path / "more" / "c.csv").write_text(ONE.format(3))
    assert read(tmp_path)[1].unnamed == ("more/c.csv",)
    (tmp_path / "case.toml").write_text(toml)
    (tmp_path / "more" / "b.csv").unlink()
    (tmp_path / "more" / "c.csv").unlink()
    assert [row.reason for row in read(tmp_path)[1].files if row.path == "more/b.csv"] == [
        "it is no longer there"
    ]
    (tmp_path / "evidence" / "a.csv").unlink()
    assert [row.reason for row in read(tmp_path)[1].files] == ["it is no longer there"]


def test_a_member_of_an_archive_is_asked_for_and_settled_by_its_entry(tmp_path: Path) -> None:
    (tmp_path / "dirs").mkdir()
    with zipfile.ZipFile(tmp_path / "dirs" / "ex.zip", "w") as archive:
        for name in ("c1.csv", "c2.csv", "c3.csv"):
            archive.writestr(name, DATES.format(name))
        archive.writestr("ok.csv", ONE.format(1))
        archive.writestr("damaged.bin", b"\x00\x01")
    result = CliRunner().invoke(app, ["run", str(tmp_path), "--kind", "summary", "--to", "md"])
    assert isinstance(result.exception, EvidenceRefused) and result.exception.exit_code == 3
    assert 'path = "dirs/ex.zip!c*.csv"\norder =   #' in result.output
    assert '#   "dirs/ex.zip!damaged.bin"' in result.output
    # The archive is read where an entry names a member alone.
    (tmp_path / "case.toml").write_text(
        'title = "t"\nignore = ["*.bin"]\n'
        '[[source]]\npath = "dirs/ex.zip!c*.csv"\nzone = "UTC"\norder = "day-first"\n'
    )
    case, done = read(tmp_path)
    assert not done.refusals and not done.unnamed and not case.unmatched()
    assert {row.outcome for row in done.files} == {"loaded", "unchanged", "ignored"}
    toml = (tmp_path / "case.toml").read_text()
    (tmp_path / "case.toml").write_text(toml.replace("dirs/ex.zip", "dirs/*.zip"))
    case, done = read(tmp_path)
    assert not done.refusals and not done.unnamed and not case.unmatched()


def test_an_archive_that_no_entry_names_is_asked_for_where_a_member_cannot_be_read(
    around: Path,
) -> None:
    with zipfile.ZipFile(around / "ex.zip", "w") as archive:
        archive.writestr("ok.csv", ONE.format(7))
        archive.writestr("damaged.bin", b"\x00\x01")
    case, done = read(around)
    asked = decisions.missing_decisions(case, done.refusals, done.unnamed)
    assert '# no entry names it\n[[source]]\npath = "ex.zip"\n' in asked
    assert '#   "ex.zip!damaged.bin"' in asked


def test_one_member_of_an_archive_is_ingested_by_its_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ex.zip", "w") as archive:
        archive.writestr("a.csv", ONE.format(1))
        archive.writestr("b.csv", ONE.format(2))
    decisions.scaffold_around(tmp_path)
    case = CaseFolder.open(tmp_path)
    with Store.create() as store:
        done = ingest(store, case, [tmp_path / "ex.zip!b.csv"])
        assert [row.path for row in done.files] == ["ex.zip!b.csv"]
        with pytest.raises(EvidenceRefused, match="no such member"):
            ingest(store, case, [tmp_path / "ex.zip!c.csv"])


def test_what_loaded_files_wait_for_is_asked_for_too(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "status" / "incidents.json", tmp_path / "status.json")
    (tmp_path / "pg.csv").write_text(
        "sampled_at,application_name,state,sent_lsn,replay_lsn\n"
        "2022-03-09T06:00:00Z,standby1,streaming,0/5,0/5\n"
        "2022-03-09T06:00:10Z,pg_basebackup,backup,0/5,\n"
    )
    status = '{"message_type":"status","percent_done":0.5,"total_files":1}\n'
    run = '{"message_type":"summary","files_new":1,"total_bytes_processed":10,"snapshot_id":"a"}\n'
    (tmp_path / "restic.jsonl").write_text(status + run)
    decisions.scaffold_around(tmp_path)
    case, done = read(tmp_path)
    # That only its progress can be passed over does not make the run readable.
    (refusal,) = done.refusals
    assert refusal.remedy == "declare captured_at = … in case.toml"
    asked = decisions.missing_decisions(case, done.refusals)
    assert re.findall(r'^path = "(.*)"$|^(\w+) =   #', asked, re.MULTILINE) == [
        ("pg.csv", ""), ("", "asset_id"), ("status.json", ""), ("", "captured_at"),
        ("restic.jsonl", ""), ("", "captured_at"), ("", "asset_id"),
    ]  # fmt: skip
    answers = {"asset_id": '"db"', "captured_at": '"2022-05-01T08:00:00Z"'}
    filled = re.sub(r"^(\w+) =  ", lambda key: f"{key[1]} = {answers[key[1]]} ", asked,
                    flags=re.MULTILINE)  # fmt: skip
    with (tmp_path / "case.toml").open("a") as file:
        file.write("\n" + filled)
    case, done = read(tmp_path)
    assert not done.refusals and not sum(row.rejected for row in done.files)
    assert decisions.missing_decisions(case, ()) == ""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('captured_at = "22.11.2026 19:10"', 'write it as "2022-03-10T08:00:00Z"'),
        ('order = "dayfirst"', "'day-first', 'month-first' or 'year-first'"),
    ],
)
def test_a_decision_that_cannot_be_read_is_a_fault_of_the_case_file(
    around: Path, line: str, told: str
) -> None:
    with (around / "case.toml").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(UsageError) as fault:
        read(around)
    assert told in str(fault.value) and fault.value.line


def test_what_is_refused_says_what_it_is_and_what_may_be_meant(around: Path) -> None:
    (around / "scan.dat").write_bytes(b"%PDF-1.7, x\n%\xe2\xe3\n1 0 obj\n")
    (around / "jobs.csv").write_text(FOREIGN)
    (around / "veeam.yaml").write_text("mapping: 1\n")
    toml = (around / "case.toml").read_text() + '[[source]]\npath = "scan.dat"\n'
    (around / "case.toml").write_text(f'{toml}[[source]]\npath = "jobs.csv"\nmapping = "veeam"\n')
    shipped, document = read(around)[1].refusals
    assert document.message == "the file is a PDF document, which holds no records"
    assert "the shipped mapping 'veeam' is not for such a file" in str(shipped.remedy)
    (around / "case.toml").write_text(
        f'{toml}[[source]]\npath = "jobs.csv"\nmapping = "veem.yaml"\n'
    )
    with pytest.raises(UsageError, match=r"no such mapping; did you mean 'veeam\.yaml'\?"):
        read(around)
    with pytest.raises(UsageError, match=r"did you mean .*handed over'\? A new case"):
        CaseFolder.open(around.with_name("handed ovr"))


def test_a_draft_of_a_mapping_writes_over_nothing_and_is_of_text_alone(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text(FOREIGN)
    (tmp_path / "own.yaml").write_text("mine")
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 80)
    words = ["mapping", "init", str(tmp_path / "jobs.csv"), "-o", str(tmp_path / "own.yaml")]
    assert "is there already" in str(CliRunner().invoke(app, words).exception)
    assert (tmp_path / "own.yaml").read_text() == "mine"
    assert CliRunner().invoke(app, [*words, "--force"]).exit_code == 0
    assert (tmp_path / "own.yaml").read_text().startswith("mapping: 1\n")
    done = CliRunner().invoke(app, ["mapping", "init", str(tmp_path / "noise.bin")])
    assert isinstance(done.exception, EvidenceRefused)
    assert done.exception.message == "the file is not text"
