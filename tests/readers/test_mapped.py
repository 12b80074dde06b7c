"""Mapping files: what they may say, how they prove themselves, what they do with a record."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from evidence import GOLDEN, claimed_by, expected, read
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import EvidenceRefused, ToolkitError, UsageError
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.mapping import draft_mapping, load_mapping
from toolkit.ingest.plain import read_yaml
from toolkit.ingest.quantity import QuantityError, amount
from toolkit.ingest.reader import SourceSettings
from toolkit.readers.mapped import Mapped

PLAIN = """\
mapping: 1
file: {kind: csv}
into: maintenance_event
time: {zone: UTC}
fields:
  occurred_at: {from: ts}
  action: {from: action, map: {go: start, "*": log}}
  message: {from: action}
samples:
  - row: {ts: 2022-03-09 10:00:00, action: go}
    expect: {occurred_at: 2022-03-09T10:00:00Z, action: start, message: go}
"""


def mapping(tmp_path: Path, text: str = PLAIN) -> Path:
    path = tmp_path / "mapping.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def run(tmp_path: Path, data: bytes, text: str = PLAIN, **declared: Any) -> dict[str, Any]:
    return read("mapped", data, mapping=str(mapping(tmp_path, text)), **declared)


@pytest.mark.parametrize("folder", ["csv", "jsonl", "json", "regex"])
def test_the_golden_files_read_as_expected(folder: str) -> None:
    golden = GOLDEN / f"mapped_{folder}"
    (file,) = (each for each in golden.iterdir() if each.stem not in ("mapping", "expected"))
    found = read("mapped", file, mapping=str(golden / "mapping.yaml"))
    assert found == expected(f"mapped_{folder}")


def test_nothing_is_mapped_without_being_asked_for() -> None:
    assert "mapped" not in claimed_by(Mapped.sample)
    with pytest.raises(UsageError, match="no mapping"):
        read("mapped", Mapped.sample)


def test_a_mapping_is_known_by_the_digest_of_its_file(tmp_path: Path) -> None:
    path = mapping(tmp_path)
    assert load_mapping(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("into:", "inot:", r":3: inot: unknown key; did you mean 'into'"),
        ("from: ts", "form: ts", r":6: fields.occurred_at.form: unknown key; did you mean 'from'"),
        ("occurred_at: {", "ocurred_at: {", r":6: .*no such column; did you mean 'occurred_at'"),
        ("maintenance_event", "maintenance_evnt", r":3: into: no such relation; did you mean"),
        ("zone: UTC", "zone: Mars/Base", r":4: time.zone:"),
        ("zone: UTC", 'zone: "?"', r":4: time.zone: still open"),
        ("  message: {", '  "?3": {', r":8: .*still open"),
        ("  message: {from: action}", "", r":5: fields: .*"),
        ("kind: csv", "kind: regex", r":2: file: kind regex needs a pattern"),
        ("kind: csv", "kind: cvs", r":2: file.kind: Input should be"),
        ("{from: ts}", "{from: ts, unit: weeks}", r":6: fields.occurred_at.unit: no unit of time"),
        ("{from: action}", "{from: action, concat: [a]}", r":8: .*one of from and concat"),
        ("{from: action}", "{from: action, match: [{pattern: '(', value: x}]}", r":8: .*regular"),
        ("mapping: 1", "mapping: 2", r":1: mapping: Input should be '1'"),
        ("mapping: 1", "mapping: 1\nmapping: 1", r":2: mapping: the key occurs twice"),
        ("fields:", "fields: [", r"not YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_a_remedy(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = PLAIN.replace(old, new, 1)
    if "fields: .*" in message:
        text = PLAIN.replace("  occurred_at: {from: ts}\n", "", 1)
    with pytest.raises(UsageError, match=message):
        load_mapping(mapping(tmp_path, text))


def test_a_word_outside_of_the_vocabulary_is_found_before_anything_is_read(tmp_path: Path) -> None:
    text = PLAIN.replace("  message:", "  outcome: {from: action, map: {go: sucess}}\n  message:")
    with pytest.raises(UsageError, match=r":8: fields.outcome.map.go: .*did you mean 'success'"):
        load_mapping(mapping(tmp_path, text))


def test_samples_are_mandatory_and_must_hold(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="samples: missing"):
        load_mapping(mapping(tmp_path, PLAIN[: PLAIN.index("samples")]))
    wrong = PLAIN.replace("action: start, message", "action: stop, message")
    assert load_mapping(mapping(tmp_path, wrong)).test() == [
        "sample 1: action: expected stop, got start"
    ]
    with pytest.raises(UsageError, match="expected stop, got start"):
        run(tmp_path, b"ts,action\n2022-03-09 10:00:00,go\n", wrong)


def test_the_mapping_and_the_case_may_not_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"time.zone: the mapping says UTC, the case says Asia"):
        run(tmp_path, b"ts,action\n", zone="Asia/Tokyo")


def test_what_the_mapping_leaves_open_the_case_may_declare(tmp_path: Path) -> None:
    text = PLAIN.replace("time: {zone: UTC}\n", "")
    assert "TIME_NO_ZONE" in load_mapping(mapping(tmp_path, text)).test()[0]
    moved = text.replace("T10:00:00Z", "T17:00:00Z")
    assert load_mapping(mapping(tmp_path, moved)).test(SourceSettings(zone="-07:00")) == []
    found = run(tmp_path, b"ts,action\n2022-03-09 10:00:00,go\n", moved, zone="America/Denver")
    assert found["maintenance_event"][0]["occurred_at"] == "2022-03-09T17:00:00+00:00"


def test_a_mapped_column_that_the_file_lacks_refuses_it(tmp_path: Path) -> None:
    with pytest.raises(EvidenceRefused, match=r"no column 'action' \(did you mean 'actions'\?\)"):
        run(tmp_path, b"ts,actions\n2022-03-09 10:00:00,go\n")


def test_a_key_that_no_json_record_has_refuses_the_file(tmp_path: Path) -> None:
    text = PLAIN.replace("kind: csv", "kind: jsonl")
    with pytest.raises(EvidenceRefused, match="action: no record has this key"):
        run(tmp_path, b'{"ts": "2022-03-09 10:00:00"}\n', text)


def test_a_pattern_that_matches_no_line_refuses_the_file(tmp_path: Path) -> None:
    text = PLAIN.replace("kind: csv", "kind: regex, pattern: '(?P<ts>.+) (?P<action>go|stop)'")
    text = text.replace(
        "row: {ts: 2022-03-09 10:00:00, action: go}", "line: 2022-03-09 10:00:00 go"
    )
    with pytest.raises(EvidenceRefused, match="matches no line"):
        run(tmp_path, b"something else\n", text)


def test_a_mapping_is_not_used_for_files_that_it_is_not_for(tmp_path: Path) -> None:
    with pytest.raises(EvidenceRefused, match=r"is for files named \*.csv"):
        run(tmp_path, b"ts,action\n", PLAIN.replace("file:", 'match: {glob: "*.csv"}\nfile:', 1))


def test_a_value_without_an_entry_rejects_the_record(tmp_path: Path) -> None:
    text = PLAIN.replace(', "*": log', "")
    found = run(tmp_path, b"ts,action\n2022-03-09 10:00:00,go\n2022-03-09 10:00:00,run\n", text)
    assert found["rejected"] == [[3, "action", "UNMAPPED_VALUE"]]


def test_the_case_may_state_the_asset_of_telemetry_that_names_none(tmp_path: Path) -> None:
    text = """\
mapping: 1
file: {kind: csv}
into: replication_sample
const: {state: success}
fields: {sampled_at: {from: at}}
samples: [{row: {at: 2022-03-09T10:00:00Z}, expect: {sampled_at: 2022-03-09T10:00:00Z}}]
"""
    data = b"at,x\n2022-03-09T10:00:00Z,1\n"
    found = run(tmp_path, data, text, asset_id="db-1")
    assert found["replication_sample"][0]["asset_id"] == "db-1"
    assert run(tmp_path, data, text)["rejected"] == [[2, "asset_id", "VALUE_MISSING"]]


def test_yaml_means_what_it_shows(tmp_path: Path) -> None:
    text = 'a: no\nb: 2022-03-09\nc: 1.10\nd: null\ne: "null"\nf: ~\n0: 010'
    value, lines = read_yaml(tmp_path, text)
    assert value == {
        "a": "no", "b": "2022-03-09", "c": "1.10", "d": None, "e": "null", "f": None, "0": "010",
    }  # fmt: skip
    assert lines["c",] == 3


@pytest.mark.parametrize(
    ("text", "base", "how", "result"),
    [
        ("1.5 GB", "bytes", {"form": "size", "binary": True}, 1610612736),
        ("1.5 GB", "bytes", {"form": "size", "binary": False}, 1500000000),
        ("2 KiB", "bytes", {"form": "size"}, 2048),
        ("0 B", "bytes", {"form": "size"}, 0),
        ("12", "bytes", {"unit": "MB"}, 12000000),
        ("1 day, 02:03:04.5", "s", {"form": "duration"}, 93784.5),
        ("PT1H30M", "min", {"form": "duration"}, 90),
        ("1h 5m", "s", {"form": "duration"}, 3900),
        ("90", "min", {"form": "duration", "unit": "s"}, 1.5),
        ("45", "1", {"unit": "%"}, 0.45),
        ("NaN", "s", {"unit": "s"}, None),
    ],
)
def test_amounts_come_out_in_the_unit_of_the_column(
    text: str, base: str, how: dict[str, Any], result: float | None
) -> None:
    found = amount(text, base, **how)
    assert found == result if result is None else float(found or 0) == result


@pytest.mark.parametrize(
    ("text", "base", "how", "code"),
    [
        ("1.5 GB", "bytes", {"form": "size"}, "NUMBER_UNIT"),
        ("10 Gb", "bytes", {"form": "size", "binary": True}, "NUMBER_UNIT"),
        ("12", "bytes", {"form": "size"}, "NUMBER_UNIT"),
        ("12:30", "s", {"form": "duration"}, "NUMBER_SYNTAX"),
        ("1,234", "s", {"unit": "s"}, "NUMBER_SYNTAX"),
        ("1e999999999", "bytes", {"unit": "bytes"}, "NUMBER_RANGE"),
    ],
)
def test_an_amount_that_is_not_certain_is_no_amount(
    text: str, base: str, how: dict[str, Any], code: str
) -> None:
    with pytest.raises(QuantityError) as refused:
        amount(text, base, **how)
    assert refused.value.code == code


DRAFTED = {
    "csv": b'Start Time,Host Name,Result\n03/09/2022 01:00:00,fs01,ok\n03/09/2022 02:00:00,fs"2,\n',
    "jsonl": b'{"at": "2022-03-09T10:00:00Z", "a": {"b": 1}}\n{"at": "x", "a": {"b": 2}}\n',
    "json": b'{"data": {"items": [{"at": "2022-03-09T10:00:00Z"}]}}',
    "regex": b"2022-03-09T10:00:00Z run=1\x1b[31m \xf0\x9f\x98\x80\n",
}


@pytest.mark.parametrize("kind", DRAFTED)
def test_a_draft_asks_for_what_must_not_be_guessed(kind: str, tmp_path: Path) -> None:
    draft = draft_mapping(EvidenceFile(Path("jobs.out"), DRAFTED[kind]))
    assert f"kind: {kind}" in draft
    assert "\x1b" not in draft
    with pytest.raises(UsageError, match="still open"):
        load_mapping(mapping(tmp_path, draft))
    if kind == "csv":
        assert 'zone: "?", order: "?"' in draft


def test_a_completed_draft_reads_its_file(tmp_path: Path) -> None:
    file = EvidenceFile(Path("jobs.out"), DRAFTED["regex"])
    draft = draft_mapping(file).replace('into: "?"', "into: maintenance_event")
    draft = draft.replace('"?1"', "occurred_at").replace('"?2"', "message")
    draft = draft.replace("const: {}", "const: {action: log}")
    draft = draft.replace('{"?": "?"}', "{occurred_at: 2022-03-09T10:00:00Z, action: log}")
    found = read("mapped", file, mapping=str(mapping(tmp_path, draft)))
    assert found["accepted"] == 1
    assert found["maintenance_event"][0]["message"] == "run=1\x1b[31m \U0001f600"


@given(data=st.binary(min_size=1, max_size=200).filter(lambda data: b"\r" not in data))
def test_any_bytes_can_be_drafted_or_are_refused(data: bytes) -> None:
    with suppress(ToolkitError):
        draft_mapping(EvidenceFile(Path("evidence"), data))


@given(rows=st.lists(st.text(max_size=30), max_size=6))
def test_any_rows_are_accounted_for(rows: list[str]) -> None:
    golden = GOLDEN / "mapped_csv"
    header = (golden / "jobs.csv").read_text(encoding="utf-8").split("\n", 1)[0]
    data = "\n".join([header, *rows]).encode("utf-8", "surrogatepass")
    file = EvidenceFile(Path("jobs.csv"), data)
    read("mapped", file, mapping=str(golden / "mapping.yaml"))


def test_a_draft_says_which_order_of_day_and_month_the_values_prove() -> None:
    data = b"Started,Machine\n29/02/2016 01:16,fs1\n05/03/2016 02:00,fs1\n"
    draft = draft_mapping(EvidenceFile(Path("jobs.csv"), data))
    assert "1 of the values seen prove day-first" in draft
    assert 'time: {zone: "?", order: day-first}' in draft
    undecided = draft_mapping(EvidenceFile(Path("jobs.csv"), data.replace(b"29/02", b"05/02")))
    assert 'time: {zone: "?", order: "?"}' in undecided
