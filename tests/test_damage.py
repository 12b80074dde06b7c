"""Damaged evidence, fault by fault: what is rejected, what is refused, and in which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_ingest import EVENTS, GOOD, load, make_case, refusal

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.load import ingest
from toolkit.ingest.reader import SourceSettings, readers
from toolkit.ingest.recognise import recognise
from toolkit.store import Store

AT = '"occurred_at": "2022-03-09T09:14:05Z"'


def rejects(path: Path) -> list[dict[str, object]]:
    with Store.open(path) as store:
        return store.rows("select record_no, field, code, raw from reject order by record_no")


# -- JSON lines ------------------------------------------------------------------------------------


def test_half_of_a_surrogate_pair_rejects_its_line(tmp_path: Path) -> None:
    lines = [
        "{" + AT + ', "action": "seed", "target": "m1"}',
        "{" + AT + r', "action": "seed", "target": "m\ud800"}',
        "{" + AT + r', "action": "seed", "target": "m\ud83d\ude00"}',
        "{" + AT + r', "action": "seed", "outcome": "\udc00"}',
        r'{"occurred_at": "2022\ud800", "action": "seed"}',
    ]
    case = make_case(tmp_path / "case", {"a.jsonl": "\n".join(lines)})
    (file,) = load(case).files
    assert (file.accepted, file.rejected) == (2, 3)
    found = rejects(case.database)
    assert [(row["record_no"], row["field"], row["code"]) for row in found] == [
        (2, "target", "TEXT_SURROGATE"), (4, "outcome", "TEXT_SURROGATE"),
        (5, "occurred_at", "TIME_SYNTAX"),
    ]  # fmt: skip
    assert found[0]["raw"] == lines[1].encode()


def test_a_note_shows_half_of_a_surrogate_pair_escaped(tmp_path: Path) -> None:
    page = json.loads(readers()["statuspage"].sample)
    update = page["incidents"][0]["incident_updates"][0]
    update["affected_components"][0]["old_status"] = "\ud800"
    case = make_case(tmp_path / "case", {"a.json": json.dumps(page)})
    load(case)
    with Store.open(case.database) as store:
        assert {"raw": "\\ud800"} in store.rows("select raw from value_note")


def test_a_key_that_the_spread_of_lines_did_not_show_rejects_its_line(tmp_path: Path) -> None:
    lines = ["{" + AT + f', "action": "seed", "target": "m{n}"' + "}" for n in range(1000)]
    lines[501] = lines[501][:-1] + ', "reason": "x"}'
    case = make_case(tmp_path / "case", {"a.jsonl": "\n".join(lines)})
    (file,) = load(case).files
    assert (file.accepted, file.rejected) == (999, 1), file
    (found,) = rejects(case.database)
    assert (found["record_no"], found["field"], found["code"]) == (502, "reason", "JSON_KEY")


def test_a_cut_last_line_is_rejected_by_itself(tmp_path: Path) -> None:
    lines = "".join("{" + AT + f', "action": "seed", "target": "m{n}"' + "}\n" for n in range(30))
    case = make_case(tmp_path / "case", {"a.jsonl": lines[:-20]})
    (file,) = load(case).files
    assert (file.accepted, file.rejected) == (29, 1)


def test_a_region_without_a_component_is_no_lost_column(tmp_path: Path) -> None:
    rows = "posted_at,incident_id,state,region\n2022-03-09T09:14:05Z,i1,investigating,{}\n"
    case = make_case(
        tmp_path / "case", {"a.csv": rows.format("") + rows.format("US").split("\n")[1]}
    )
    (file,) = load(case).files
    assert (file.accepted, file.rejected) == (1, 1)
    assert [row["field"] for row in rejects(case.database)] == ["component"]


# -- formats that are declared wrongly -------------------------------------------------------------


@pytest.mark.parametrize("declared", ["feed", "ansible", "xes", "borg", "syslog", "zfs_list"])
def test_a_file_of_another_format_than_declared_is_refused(declared: str, tmp_path: Path) -> None:
    toml = f'[[source]]\npath = "evidence/*"\nformat = "{declared}"\nzone = "UTC"\nyear = 2022\n'
    case = make_case(tmp_path / "case", {"a.json": readers()["opsgenie"].sample}, toml)
    assert "evidence/a.json" in refusal(case)


def test_no_sample_declared_as_another_format_loads_without_a_record(tmp_path: Path) -> None:
    toml = '[[source]]\npath = "evidence/*"\nzone = "America/Denver"\nyear = 2022\nasset_id = "a"\n'
    others = ["kopia", "otlp", "kubernetes_audit", "statuspage", "terraform", "shell_history"]
    for name in ("prometheus", "cloudtrail", "jira", "slack"):
        case = make_case(tmp_path / name, {"a": readers()[name].sample}, toml)
        with Store.create() as store:
            for other in others:
                (file,) = ingest(store, case, overrides=SourceSettings(format=other)).files
                assert file.outcome == "refused" or file.accepted, (name, other)


def test_a_declared_format_is_refused_only_where_the_file_is_clearly_of_one_other() -> None:
    names = readers().keys() - {"mapped"}
    for name in sorted(names):
        file = EvidenceFile(Path("evidence"), readers()[name].sample)
        for other in sorted(names - {name}):
            with pytest.raises(
                EvidenceRefused, match=f"declared as {other}, and looks like {name}"
            ):
                recognise(file, SourceSettings(format=other))
    for unsure in (b"Mar  9 01:00 nothing\n", b'{"a": 1}', b"a,b\n1,2\n"):
        file = EvidenceFile(Path("evidence"), unsure)
        assert recognise(file, SourceSettings(format="syslog"))[1] == "declared"


def test_an_export_without_records_is_evidence_of_none(tmp_path: Path) -> None:
    page = json.loads(readers()["statuspage"].sample)
    page["incidents"] = []
    toml = '[[source]]\npath = "evidence/*"\nformat = "statuspage"\n'
    case = make_case(tmp_path / "case", {"a.json": json.dumps(page)}, toml)
    (file,) = load(case).files
    assert (file.outcome, file.records_read) == ("loaded", 0)


# -- hostile words ---------------------------------------------------------------------------------


def test_a_word_of_a_million_letters_is_kept_whole_and_quoted_short(tmp_path: Path) -> None:
    word = "x\x1b[31m" * 200_000
    rows = EVENTS + GOOD + f"{word},decommission,a,,\n"
    case = make_case(tmp_path / "case", {"a.csv": rows})
    load(case)
    with Store.open(case.database) as store:
        (found,) = store.rows("select reason, raw from reject")
    assert len(found["reason"]) <= 501
    assert found["reason"].isprintable()
    assert len(found["raw"]) > 1_000_000


@pytest.mark.parametrize(
    "header",
    ["occurred_at,action,\x1b]0;owned\x07", "occurred_at,action," + "y" * 60_000, "x" * (1 << 20)],
)
def test_a_refusal_is_one_short_line_that_steers_no_terminal(header: str, tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", {"a.csv": header + "\n" + GOOD})
    text = refusal(case)
    assert len(text) < 1100
    assert text.isprintable()
