"""Exports: complete, the same bytes twice, roles for people, hostile text inert, schemas kept."""

# ruff: noqa: E501

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from published import faults

from toolkit import tables, verbs
from toolkit.casefile import CaseFolder
from toolkit.errors import UsageError
from toolkit.export import bundle, formats
from toolkit.ingest.load import ingest
from toolkit.report.facts import LONGEST
from toolkit.store import Store

HOSTILE = '=HYPERLINK(""http://x""),\u202egnp.exe\u2028next\n</script><b>*bold*'
LONG = "W" * 1_000_000
EVIDENCE = {
    "change.csv": """change_id,title,kind,risk,requested_by,implementer,window_start,window_end,targets,rollback_ref,impact_ref,procedure,closed_at,outcome
CHG1,Retire array one,decommission,low,ada.example,bert.example,2022-03-01T08:00:00Z,2022-03-01T12:00:00Z,arr-1,RB-1,IA-1,retire,2022-03-01T11:00:00Z,success
CHG2,Retire array two,decommission,low,ada.example,bert.example,2022-03-09T08:00:00Z,2022-03-09T12:00:00Z,arr-2,,,retire,2022-03-09T11:00:00Z,success
""",
    "approval.csv": """change_id,approver,decision,decided_at
CHG1,cleo.example,approved,2022-02-28T08:00:00Z
CHG2,ada.example,approved,2022-03-08T08:00:00Z
""",
    "maintenance_event.csv": f"""occurred_at,action,target,change_id,step,actor,session_id,outcome,flags,message
2022-03-01T08:20:00Z,drain,arr-1,CHG1,drain,bert.example,s1,success,,'quoted
2022-03-01T09:00:00Z,decommission,arr-1,CHG1,decommission,bert.example,s1,success,,asked by Ada.Example
2022-03-09T08:20:00Z,drain,arr-2,CHG2,drain,bert.example,s2,warning,,"{HOSTILE}"
2022-03-09T09:00:00.123456Z,decommission,arr-2,CHG2,decommission,bert.example,s2,success,--force,a line of /home/bert.example/x
""",
    "alias.csv": """kind,alias,canonical,basis
person,Bert Ertl,bert.example,staff list
""",
    "status_update.csv": f"""posted_at,incident_id,state,update_id,title,body
2022-03-09T13:00:00Z,i1,investigating,u1,Replication impaired,"Bert Ertl: {HOSTILE}"
""",
    "asset.csv": """asset_id,kind,region,machine_type,organization,criticality,cadence_minutes
arr-1,array,US,,,,
arr-2,array,US,,,,
m1,machine,US,small,org-a,critical,60
m2,machine,US,small,org-b,normal,60
""",
    "statement.jsonl": json.dumps(
        {
            "published_at": "2022-03-09T15:00:00Z",
            "claim": f"@{HOSTILE} {LONG}",
            "source_name": "x",
        }
    )
    + "\n",
    "dependency.csv": """from_asset,to_asset,relation
m1,arr-2,stores_metadata_on
m2,arr-2,stores_metadata_on
""",
}
PEOPLE = ("ada.example", "bert.example", "cleo.example", "bert ertl")
BUNDLES = ("csv", "parquet")


def replication(open_gap: bool) -> str:
    lines = ["sampled_at,asset_id,state"]
    start = datetime(2022, 3, 8, tzinfo=UTC)
    for hour in range(60):
        at = start + timedelta(hours=hour)
        for number, asset in enumerate(("m1", "m2")):
            failed = 33 < hour < 45 + 3 * number or (open_gap and hour >= 45 and asset == "m2")
            lines.append(f"{at:%Y-%m-%dT%H:%M:%SZ},{asset},{'failure' if failed else 'success'}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases") / "arrays"
    return make(folder, EVIDENCE | {"replication_sample.csv": replication(open_gap=False)})


def make(folder: Path, evidence: Mapping[str, str]) -> Path:
    (folder / "evidence").mkdir(parents=True)
    (folder / "case.toml").write_text('title = "Arrays retired"\n', encoding="utf-8")
    for name, text in evidence.items():
        (folder / "evidence" / name).write_text(text, encoding="utf-8", newline="")
    assert not verbs.ingest_case(folder).refusals
    verbs.rebuild_case(folder)
    return folder


@pytest.fixture(scope="module")
def written(case: Path) -> dict[str, Path]:
    """Every export of the case, by format."""
    return {form: verbs.export(case, form).path for form in formats()}


def files(path: Path) -> dict[str, bytes]:
    found = [path] if path.is_file() else sorted(path.iterdir())
    return {each.name: each.read_bytes() for each in found}


def store_of(case: Path) -> Store:
    return Store.open(case / "case.duckdb")


# -- all of them -----------------------------------------------------------------------------------


def test_same_bytes_twice(case: Path, written: dict[str, Path], tmp_path: Path) -> None:
    for form, path in written.items():
        again = verbs.export(case, form, target=tmp_path / form / path.name).path
        assert files(path) == files(again), form


def test_people_are_roles_unless_names_are_asked_for(
    case: Path, written: dict[str, Path], tmp_path: Path
) -> None:
    for form, path in written.items():
        if form == "parquet":
            content = "\n".join(
                str(row)
                for each in path.glob("*.parquet")
                for row in duckdb.sql(f"from read_parquet('{each}')").fetchall()
            )
        else:
            content = "\n".join(each.decode() for each in files(path).values())
        assert "Operator A" in content or form in ("oscal", "dora", "veris"), form
        for name in PEOPLE:
            assert name not in content.casefold(), (form, name)
    named = verbs.export(case, "timesketch", names=True, target=tmp_path / "x.jsonl").path
    assert "bert.example" in named.read_text()


def test_text_files_hold_nothing_that_steers(written: dict[str, Path]) -> None:
    for form, path in written.items():
        for name, content in files(path).items():
            assert LONG[: LONGEST + 1].encode() not in content, form
            if name.endswith((".json", ".jsonl")):
                assert content.isascii() and b"\\u202e" not in content.replace(b"\\\\", b""), form


def test_what_cannot_be_written_is_one_line(case: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown form 'timesketh'; did you mean 'timesketch'"):
        verbs.export(case, "timesketh")
    with pytest.raises(UsageError, match="it is a folder"):
        verbs.export(case, "ocel", target=tmp_path)
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="the folder holds other files"):
        verbs.export(case, "csv", target=tmp_path)
    with pytest.raises(UsageError, match="a file of that name exists"):
        verbs.export(case, "csv", target=tmp_path / "mine.txt")
    with pytest.raises(UsageError, match="cannot be written"):
        verbs.export(case, "ocel", target=tmp_path / "mine.txt" / "ocel.json")
    assert (tmp_path / "mine.txt").read_text() == "keep"


# -- standards -------------------------------------------------------------------------------------


def test_every_export_keeps_its_standard(
    case: Path, written: dict[str, Path], tmp_path: Path
) -> None:
    for form, path in written.items():
        assert faults(form, path) == [], form
    for form in BUNDLES:
        done = verbs.export(case, form, names=True, target=tmp_path / form)
        assert faults(form, done.path) == [], form


@pytest.mark.parametrize(
    ("form", "found", "put"),
    [
        ("timesketch", '"timestamp": 16', '"timestamp": 17'),
        ("timesketch", '"timestamp_desc": "Recorded time"', '"timestamp_desc": ""'),
        ("ocel", '"value": "array"', '"value": 5'),
        ("ocel", '"type": "time"', '"type": "instant"'),
        ("oscal", '"methods": [', '"methods": [], "x": ['),
        ("oscal", '"state": "satisfied"', '"state": "undecided"'),
        ("oscal", '"algorithm": "SHA-256"', '"algorithm": ""'),
        ("dora", '"3.35": {', '"3.36": {'),
        ("veris", '"cloud": [', '"clouds": ['),
        ("csv", '"name": "approval"', '"title": "approval"'),
        ("csv", '"hash": "sha256:', '"hash": "'),
    ],
)
def test_a_departure_from_a_standard_is_seen(
    form: str, found: str, put: str, written: dict[str, Path], tmp_path: Path
) -> None:
    path = written[form] / "datapackage.json" if written[form].is_dir() else written[form]
    text = path.read_text()
    assert found in text
    (tmp_path / path.name).write_text(text.replace(found, put, 1))
    assert faults(form, tmp_path if written[form].is_dir() else tmp_path / path.name) != []


# -- Timesketch ------------------------------------------------------------------------------------


def test_timesketch_has_every_row_of_the_timeline(case: Path, written: dict[str, Path]) -> None:
    text = written["timesketch"].read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    assert text.count("\n") == len(rows)
    with store_of(case) as store:
        timeline = store.rows("from timeline order by event_no")
    assert [row["event_no"] for row in rows] == [row["event_no"] for row in timeline]
    for row, event in zip(rows, timeline, strict=True):
        assert {"message", "datetime", "timestamp", "timestamp_desc"} <= row.keys()
        at = datetime.fromisoformat(row["datetime"])
        assert at == event["occurred_at"]
        assert row["timestamp"] == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
            microseconds=1
        )
        assert datetime.fromisoformat(row["occurred_hi"]) == event["occurred_hi"]
        assert row.get("evidence") == event["evidence"]
        assert row["tag"][0] == event["lane"]
    assert "2022-03-09T09:00:00.123456+00:00" in text
    tagged = [row for row in rows if any(each.startswith("exception-") for each in row["tag"])]
    with store_of(case) as store:
        events = {
            row["event"]
            for row in store.rows("from finding where status = 'exception' and event is not null")
        }
    assert {row["evidence"] for row in tagged} == events & {row.get("evidence") for row in rows}


# -- OCEL ------------------------------------------------------------------------------------------


def test_ocel_declares_what_it_uses(written: dict[str, Path]) -> None:
    log = json.loads(written["ocel"].read_text())
    for things, types in (("objects", "objectTypes"), ("events", "eventTypes")):
        ids = [each["id"] for each in log[things]]
        assert len(ids) == len(set(ids))
        declared = {
            each["name"]: {one["name"] for one in each["attributes"]} for each in log[types]
        }
        for each in log[things]:
            assert {one["name"] for one in each["attributes"]} <= declared[each["type"]]
        assert declared.keys() == {each["type"] for each in log[things]}
    known = {each["id"] for each in log["objects"]}
    for each in log["objects"] + log["events"]:
        assert {one["objectId"] for one in each["relationships"]} <= known
    kinds = {each["id"]: each["type"] for each in log["objects"]}
    assert (
        kinds["CHG2"] == "change" and kinds["arr-2"] == "asset" and kinds["i1"] == "status_incident"
    )
    assert {"objectId": "arr-2", "qualifier": "stores_metadata_on"} in next(
        each["relationships"] for each in log["objects"] if each["id"] == "m1"
    )


def test_ocel_reads_back(case: Path, written: dict[str, Path], tmp_path: Path) -> None:
    """Through the reader of this project: every event, with its instant, target, actor, change."""
    folder = tmp_path / "back"
    (folder / "evidence").mkdir(parents=True)
    (folder / "case.toml").write_text('title = "Back"\n')
    (folder / "evidence" / "log.json").write_bytes(written["ocel"].read_bytes())
    store = Store.create()
    done = ingest(store, CaseFolder.open(folder))
    assert [row.format for row in done.files] == ["ocel"]
    assert store.value("select rejected + skipped from source") == 0
    back = store.rows(
        "select occurred_at, target, change_id, actor is not null as acted from "
        "evidence.maintenance_event order by record_no"
    )
    with store_of(case) as own:
        wanted = own.rows(
            "select occurred_at, if(lane in ('maintenance', 'telemetry', 'alert') and kind <> 'onset', subject, null) as target, "
            "change_id, actor is not null as acted from timeline order by event_no"
        )
    assert back == wanted


# -- bundles ---------------------------------------------------------------------------------------


def read_back(connection: duckdb.DuckDBPyConnection, resource: Mapping[str, Any], folder: Path,
              types: Mapping[str, str]) -> str:  # fmt: skip
    """A statement that gives the rows of a file again, by the rules that the package states."""
    path = folder / resource["path"]
    if resource["format"] == "parquet":
        return f"from read_parquet('{path}')"
    cells = []
    for name, kind in types.items():
        if kind.endswith("[]"):
            cells.append(f'from_json("{name}", \'["{kind.removesuffix("[]")}"]\') as "{name}"')
        elif kind == "BLOB":
            cells.append(f'unhex("{name}") as "{name}"')
        elif kind in ("VARCHAR", "INTERVAL"):
            cells.append(
                f'if(starts_with("{name}", \'\'\'\'), "{name}"[2:], "{name}")::{kind} as "{name}"'
            )
        else:
            cells.append(f'"{name}"::{kind} as "{name}"')
    return (
        f"select {', '.join(cells)} from read_csv('{path}', all_varchar = true, header = true, "
        "delim = ',', quote = '\"', escape = '\"', nullstr = '', auto_detect = false, "
        f"columns = {{{', '.join(repr(name) + ': ' + repr('VARCHAR') for name in types)}}})"
    )


def spelled(column: str) -> str:
    """Text as the exports show it: cut with a note, direction spelled out, one kind of line end."""
    rest = f'length("{column}") - {LONGEST}'
    cut = (
        f"if({rest} > 0, concat(left(\"{column}\", {LONGEST}), ' [cut here: ', {rest}, "
        f"' more characters stand in the evidence]'), \"{column}\")"
    )
    return f"replace(replace({cut}, chr(8238), '\\u202e'), chr(13), '')"


@pytest.mark.parametrize("form", BUNDLES)
def test_bundle_reads_back_row_by_row(case: Path, form: str, tmp_path: Path) -> None:
    """With names, and up to what is spelled out, a bundle is the database again."""
    folder = verbs.export(case, form, names=True, target=tmp_path / "bundle").path
    package = json.loads((folder / "datapackage.json").read_text())
    assert package["leftOut"] == []
    with store_of(case) as store:
        known = tables.relations(store)
        types = {
            name: {row["column_name"]: row["column_type"] for row in tables.columns(store, name)}
            for name in known
        }
    assert [each["name"] for each in package["resources"]] == list(known)
    compared = 0
    with duckdb.connect(str(case / "case.duckdb"), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for resource in package["resources"]:
            name, told = resource["name"], types[resource["name"]]
            path = folder / resource["path"]
            assert resource["hash"] == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
            assert [each["name"] for each in resource["schema"]["fields"]] == list(told)
            back = read_back(connection, resource, folder, told)
            shown = ", ".join(
                f'{spelled(each)} as "{each}"' if kind == "VARCHAR" and name not in bundle._OWN
                else f'"{each}"::VARCHAR as "{each}"'
                if form == "parquet" and re.search("HUGEINT|INTERVAL", kind)
                else f'"{each}"'
                for each, kind in told.items()
            )  # fmt: skip
            quoted = ".".join(f'"{part}"' for part in name.split("."))
            own = f"select {shown} from {quoted}"
            assert connection.sql(f"select count(*) from ({back})").fetchall() == [
                (resource["rows"],)
            ]
            for one, other in ((own, back), (back, own)):
                assert connection.sql(f"({one}) except all ({other})").fetchall() == [], name
            compared += resource["rows"]
    assert compared > 300


def test_csv_cells_are_inert_and_null_is_no_text(written: dict[str, Path]) -> None:
    package = json.loads((written["csv"] / "datapackage.json").read_text())
    texts = {
        each["path"]: {
            field["name"] for field in each["schema"]["fields"] if field["type"] == "string"
        }
        for each in package["resources"]
    }
    seen = 0
    for path in written["csv"].glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                for name in texts[path.name]:
                    seen += row[name].startswith("'=")
                    assert not row[name].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert seen
    events = (written["csv"] / "maintenance_event.csv").read_text(encoding="utf-8")
    assert "''quoted" in events and "\u202e" not in events


def test_bundle_says_what_it_leaves_out(case: Path, written: dict[str, Path]) -> None:
    package = json.loads((written["csv"] / "datapackage.json").read_text())
    assert [each.split(":")[0] for each in package["leftOut"]][1] == "reject.raw"
    assert not [each for each in package["resources"] if each["name"].startswith("review_")]
    described = {
        each["name"]: {
            field["name"]: field.get("description") for field in each["schema"]["fields"]
        }
        for each in package["resources"]
    }
    assert described["protection_gap"]["started_hi"].startswith("Latest start")
    assert described["change"]["change_id"] and described["change"]["source_id"]
    kinds = {field["name"]: field["type"] for each in package["resources"] if each["name"] == "operation"
             for field in each["schema"]["fields"]}  # fmt: skip
    assert (kinds["started_at"], kinds["actors"], kinds["exceptions"], kinds["registered"]) == (
        "datetime", "array", "integer", "boolean",
    )  # fmt: skip


# -- OSCAL -----------------------------------------------------------------------------------------


def test_oscal_counts_what_the_rules_found(case: Path, written: dict[str, Path]) -> None:
    document = json.loads(written["oscal"].read_text())["assessment-results"]
    result = document["results"][0]
    with store_of(case) as store:
        findings = store.rows("from finding")
        rules = {row["rule"] for row in store.rows("from rule_catalogue")}
        sources = {row["sha256"] for row in store.rows("from source")}
    exceptions = [row for row in findings if row["status"] == "exception"]
    assert exceptions and len(result["observations"]) == len(rules) + len(exceptions)
    states = {
        each["target"]["target-id"]: each["target"]["status"]["state"]
        for each in result["findings"]
    }
    failed = {row["rule"] for row in exceptions}
    held = {
        rule for rule in rules - failed
        if {row["status"] for row in findings if row["rule"] == rule} & {"ok", "undetermined"} == {"ok"}
    }  # fmt: skip
    assert states == dict.fromkeys(failed, "not-satisfied") | dict.fromkeys(held, "satisfied")
    assert {each["status"] for each in result["risks"]} == {"open"} and len(result["risks"]) == len(
        failed
    )
    for each in result["observations"]:
        assert (
            each["methods"] == ["TEST"]
            and datetime.fromisoformat(each["collected"]).utcoffset() is not None
        )
        for prop in each["props"]:
            assert re.fullmatch(r"\S(.*\S)?", prop["value"]) and re.fullmatch(
                r"[A-Za-z_][\w.-]*", prop["name"]
            )
    uuids = re.findall(r'"uuid": "([^"]+)"', written["oscal"].read_text())
    assert len(uuids) == len(set(uuids))
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", each)
        for each in uuids
    )
    named = set(re.findall(r'-uuid": "([^"]+)"', written["oscal"].read_text()))
    named |= {href[1:] for href in re.findall(r'"href": "(#[^"]+)"', written["oscal"].read_text())}
    assert named <= set(uuids)
    hashes = {
        one["hashes"][0]["value"]
        for each in document["back-matter"]["resources"]
        for one in each.get("rlinks", ())
    }
    assert hashes == sources
    controls = result["reviewed-controls"]["control-selections"][0]["include-controls"]
    assert {"control-id": "cp-9.1"} in controls


# -- DORA, VERIS -----------------------------------------------------------------------------------


def test_dora_fills_what_records_decide_and_nothing_else(
    case: Path, written: dict[str, Path]
) -> None:
    fields = json.loads(written["dora"].read_text())["fields"]
    assert len(fields) == 76
    filled = {number: each for number, each in fields.items() if each["status"] == "filled"}
    assert filled.keys() == {"3.2"}
    with store_of(case) as store:
        onset = store.rows("from incident_phase where scope = 'all' and phase = 'onset'")[0]
        again = store.value(
            "select max(recovered_at) from machine_impact where onset_relation = 'struck'"
        )
    assert datetime.fromisoformat(fields["3.2"]["value"]) == onset["started_at"]
    # That machines have recovery points again does not say that the service was restored.
    for number in ("3.3", "3.15"):
        assert fields[number]["status"] == "open"
        told = [each for each in fields[number]["known"] if "last_of_them_at" in each]
        assert [datetime.fromisoformat(each["last_of_them_at"]) for each in told] == [again]
    for number in ("4.1", "4.2", "4.3", "4.5"):
        assert fields[number]["status"] == "open" and fields[number]["who"] == "review board"
        assert "known" not in fields[number]
    assert all(each["who"] for each in fields.values() if each["status"] == "open")


def test_veris_leaves_unknown_what_evidence_does_not_decide(written: dict[str, Path]) -> None:
    incident = json.loads(written["veris"].read_text())
    assert {"schema_version", "incident_id", "security_incident", "summary", "timeline", "actor",
            "action", "asset", "attribute", "discovery_method"} <= incident.keys()  # fmt: skip
    for each in ("action", "actor"):
        assert list(incident[each]) == ["unknown"] and "does not decide" in str(incident[each])
    assert incident["security_incident"] == "Suspected"
    assert incident["timeline"]["incident"] == {"year": 2022, "month": 3, "day": 9}
    assert incident["attribute"]["availability"]["variety"] == ["Interruption"]
    assert incident["asset"]["assets"] == [{"variety": "Unknown", "amount": 2}]
    assert "for 25.00 machine-hours" in incident["attribute"]["availability"]["notes"]


def test_codes_of_the_board_reach_both_and_open_gaps_leave_the_end_open(
    case: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "coded"
    shutil.copytree(case, folder)
    with Store.create(folder / "case.duckdb") as store:
        store.execute(
            "update protection_gap set open = true, ended_at = null where asset_id = 'm2'"
        )
        store.execute(
            "create or replace table review_state as select * replace (true as is_current) from "
            "(select * from review_state limit 0) union all by name select 1 as version, "
            "'draft' as state, true as is_current"
        )
        for code, verdict in (
            ("dora:4.3.change_management", "confirmed"), ("dora:4.3.backup_and_restore", "disputed"),
            ("veris:error.maintenance", "confirmed"), ("veris:misuse.unapproved_workaround", "one coder"),
        ):  # fmt: skip
            store.execute(
                "insert into review_code (version, code, verdict) values (1, ?, ?)", [code, verdict]
            )
    fields = json.loads(verbs.export(folder, "dora").path.read_text())["fields"]
    assert fields["4.3"]["status"] == "open"
    assert [each["confirmed_by_the_board"] for each in fields["4.3"]["known"]] == [
        "dora:4.3.change_management"
    ]
    assert fields["3.3"]["status"] == fields["3.15"]["status"] == "open"
    assert any(each.get("open_at_end_of_record") for each in fields["3.3"]["known"])
    incident = json.loads(verbs.export(folder, "veris").path.read_text())
    assert incident["action"] == {
        "error": {"variety": ["Maintenance error"], "vector": ["Unknown"]}
    }


def test_no_incident_is_said_in_one_line(case: Path, tmp_path: Path) -> None:
    folder = tmp_path / "quiet"
    shutil.copytree(case, folder)
    with Store.create(folder / "case.duckdb") as store:
        store.execute("delete from incident_phase")
    for form in ("dora", "veris"):
        with pytest.raises(UsageError, match="the evidence shows no incident"):
            verbs.export(folder, form)
