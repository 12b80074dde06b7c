"""Ingest: accounts hold, files load whole or not at all, bad input gets one clear line."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.casefile import CaseFolder
from toolkit.errors import EvidenceRefused, UsageError
from toolkit.ingest.load import Ingested, ingest
from toolkit.ingest.reader import SourceSettings, readers
from toolkit.store import Store

EVENTS = "occurred_at,action,target,change_id,outcome\n"
GOOD = "2022-03-09T09:14:05Z,decommission,mds-us-2,CHG1,success\n"


def make_case(folder: Path, files: dict[str, bytes | str], toml: str = "") -> CaseFolder:
    """Lay out a case with these files of evidence."""
    (folder / "evidence").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / "evidence" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "case.toml").write_text('title = "A case"\n' + toml)
    return CaseFolder.open(folder)


def load(case: CaseFolder) -> Ingested:
    with Store.create(case.database) as store:
        return ingest(store, case)


def refusal(case: CaseFolder) -> str:
    done = load(case)
    assert len(done.refusals) == 1, done
    with Store.open(case.database) as store:
        assert store.value("select count(*) from source") == 0
    return str(done.refusals[0])


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b" \n\n", "empty"),
        ("a.csv.gz", gzip.compress((EVENTS + GOOD * 5000).encode())[:-40], "cut off"),
        ("a.csv", b"\xff\xfe\x00", "utf-16"),
        ("a.csv", "when,what\n2022-03-09T09:14:05Z,x\n", "no column belongs"),
        ("a.csv", "occurred_at,action,shoe\n2022-03-09T09:14:05Z,x,1\n", "'shoe'"),
        ("a.csv", "occurred_at,target\n2022-03-09T09:14:05Z,x\n", "'action'"),
        ("a.csv", "occurred_at,action,action\n2022-03-09T09:14:05Z,x,y\n", "twice"),
        ("a.csv", "occurred_at,action\n2022-03-09 09:14:05,decommission\n", "zone"),
        ("a.csv", "occurred_at,action\n03/04/2022 09:14:05,decommission\n", "day"),
        ("a.bin", b"\x00\x01\x02\x03 no format", "no reader knows"),
        ("a.zip", b"PK\x03\x04 and so on", "zip data"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_one_line(
    name: str, content: bytes | str, words: str, tmp_path: Path
) -> None:
    case = make_case(tmp_path / "case", {name: content})
    text = refusal(case)
    assert words in text.lower(), text
    assert name in text
    assert "\n" not in text


def test_a_file_that_two_readers_claim_is_refused_with_both_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(readers()["syslog"]), "matches", lambda self, file: True)
    case = make_case(tmp_path / "case", {"a.csv": EVENTS + GOOD})
    assert "syslog and table" in refusal(case)


def test_rows_that_cannot_be_read_are_kept_with_their_bytes_and_place(tmp_path: Path) -> None:
    content = (
        EVENTS.encode()
        + GOOD.encode()
        + b"yesterday,decommission,a,CHG1,success\n"
        + b"2022-03-09T09:14:05Z,decommission,a\xff,CHG1,success\n"
        + b"2022-03-09T09:14:05Z,decommission,a\n"
        + b"2022-03-09T09:14:05Z,,a,CHG1,success\r\n"
        + b"\n"
        + GOOD.encode()
    )
    case = make_case(tmp_path / "case", {"a.csv": content})
    (loaded,) = load(case).files
    assert (loaded.records_read, loaded.accepted, loaded.skipped, loaded.rejected) == (7, 2, 1, 4)
    with Store.open(case.database) as store:
        rejects = store.rows("select * from reject order by record_no")
    assert [row["code"] for row in rejects] == [
        "TIME_SYNTAX", "TEXT_NOT_UTF8", "CSV_FIELDS", "VALUE_MISSING",
    ]  # fmt: skip
    assert [row["record_no"] for row in rejects] == [3, 4, 5, 6]
    for row in rejects:
        start = row["byte_offset"]
        assert content[start : start + len(row["raw"])] == row["raw"]


def test_an_unclosed_quote_swallows_nothing(tmp_path: Path) -> None:
    content = EVENTS + GOOD + '2022-03-09T09:14:05Z,"decommission,a,CHG1,success\n' + GOOD * 3
    case = make_case(tmp_path / "case", {"a.csv": content})
    (loaded,) = load(case).files
    assert (loaded.records_read, loaded.accepted, loaded.rejected) == (5, 1, 4)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("titel = 1\n", "did you mean 'title'"),
        ('[[source]]\npath = "evidence/*"\nzoen = "UTC"\n', "did you mean 'zone'"),
        ('[[source]]\npath = "evidence/*"\nzone = "Europe/Dublim"\n', "Europe/Dublin"),
        ("[policy]\nlog_gap_minuts = 3\n", "did you mean 'log_gap_minutes'"),
        ("[window]\nstart = 2022-03-01T00:00:00\n", "no offset"),
        ("x = \n", "TOML"),
    ],
)
def test_a_fault_of_the_case_file_is_named_with_its_line(
    toml: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as raised:
        case = make_case(tmp_path / "case", {"a.csv": EVENTS + GOOD}, toml)
        case.policy()
    assert words in str(raised.value)
    assert raised.value.line is not None
    assert "case.toml" in str(raised.value)


def test_samples_that_name_no_target_get_the_declared_one(tmp_path: Path) -> None:
    rows = [
        {"sampled_at": datetime(2022, 3, 9, hour, tzinfo=UTC), "asset_id": "m", "state": "success",
         "target_asset": target}
        for hour, target in ((1, None), (2, "other"))
    ]  # fmt: skip
    table = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), table)
    bare = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows).drop_columns(["target_asset"]), bare)
    lines = "\n".join(
        json.dumps({**row, "sampled_at": f"{row['sampled_at']:%FT%TZ}"}) for row in rows
    )
    borg = {
        "archive": {"start": "2022-03-09T01:00:00Z", "end": "2022-03-09T01:00:05Z", "name": "n"},
        "repository": {"id": "r", "location": "/r"},
    }
    told = "sampled_at,asset_id,state,target_asset\n2022-03-09T01:00:00Z,m,success,\n"
    files: dict[str, bytes | str] = {
        "a.csv": told, "b.jsonl": lines, "c.parquet": table.getvalue(), "d.parquet":
        bare.getvalue(), "e.json": json.dumps(borg), "asset.csv": "asset_id,kind\nm,machine\n",
    }  # fmt: skip
    declared = '[[source]]\npath = "evidence/*"\nasset_id = "m"\ntarget_asset = "store"\n'
    case = make_case(tmp_path, files, declared)
    assert not load(case).refusals
    with Store.open(case.database) as store:
        found = store.rows(
            "select path, list(target_asset order by record_no) as targets "
            "from evidence.replication_sample inner join source using (source_id) "
            "group by path order by path"
        )
    assert [row["targets"] for row in found] == [
        ["store"], ["store", "other"], ["store", "other"], ["store", "store"], ["store"],
    ]  # fmt: skip


# -- idempotence, revision, withdrawal -------------------------------------------------------------


def test_ingesting_twice_changes_nothing(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", {"a.csv": EVENTS + GOOD, "b.csv": EVENTS + GOOD * 2})
    assert [row.outcome for row in load(case).files] == ["loaded", "loaded"]
    assert [row.outcome for row in load(case).files] == ["unchanged", "unchanged"]


def test_true_repeats_are_kept_and_the_same_file_twice_is_one_source(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", {"a.csv": EVENTS + GOOD * 3})
    make_case(case.path, {"copy.csv": EVENTS + GOOD * 3})
    load(case)
    with Store.open(case.database) as store:
        assert store.value("select count(*) from evidence.maintenance_event") == 3
        assert store.value("select count(*) from source") == 1


def test_a_new_declaration_reads_the_file_again_under_its_number(tmp_path: Path) -> None:
    line = "occurred_at,action\n2022-03-09 09:14:05,decommission\n"
    zone = '[[source]]\npath = "evidence/a.csv"\nzone = "{}"\n'
    case = make_case(tmp_path / "case", {"a.csv": line}, zone.format("UTC"))
    load(case)
    case = make_case(case.path, {}, zone.format("America/Denver"))
    assert [row.outcome for row in load(case).files] == ["reloaded"]
    with Store.open(case.database) as store:
        assert store.rows(
            "select source_id, epoch(occurred_at)::bigint as at from evidence.maintenance_event"
        ) == [{"source_id": 1, "at": 1646842445}]


def test_a_file_that_is_gone_is_withdrawn(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", {"a.csv": EVENTS + GOOD, "b.csv": EVENTS + GOOD * 2})
    load(case)
    (case.path / "evidence" / "a.csv").unlink()
    assert [row.outcome for row in load(case).files] == ["withdrawn", "unchanged"]
    with Store.open(case.database) as store:
        assert store.value("select count(*) from evidence.maintenance_event") == 2


def test_times_carry_how_precisely_they_are_known(tmp_path: Path) -> None:
    content = "occurred_at,action\n2022-03-09T09:14Z,a\n2022-03-09,b\n2022-03-09T09:14:05.123Z,c\n"
    case = make_case(
        tmp_path / "case", {"a.csv": content}, '[[source]]\npath="evidence/a.csv"\nzone="UTC"\n'
    )
    load(case)
    with Store.open(case.database) as store:
        spans = store.rows(
            "select action, epoch_us(occurred_hi) - epoch_us(occurred_lo) as us "
            "from evidence.maintenance_event order by action"
        )
        flags = store.rows("select flags from time_note order by record_no")
    assert [row["us"] for row in spans] == [59_999_999, 86_399_999_999, 999]
    assert {"flags": "date_only"} in flags or any("date_only" in row["flags"] for row in flags)


# -- the account holds -----------------------------------------------------------------------------

CELLS = st.sampled_from(
    ["2022-03-09T09:14:05Z", "x", "", '"', '"a', ",", "\x00", "é", "03/04/2022", "\n", "\r", ";"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.lists(CELLS, max_size=7).map(",".join), max_size=12), chance=st.randoms())
def test_every_record_is_accounted_for_whatever_the_file_holds(
    lines: list[str], chance: random.Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray((EVENTS + GOOD + "\n".join(lines)).encode())
    if chance.random() < 0.5:
        content[chance.randrange(len(EVENTS), len(content))] = chance.randrange(256)
    case = make_case(tmp_path_factory.mktemp("case"), {"a.csv": bytes(content)})
    done = load(case)
    for row in done.files:
        if row.outcome == "loaded":
            assert row.records_read == row.accepted + row.continued + row.skipped + row.rejected
            assert row.records_read >= 1


@pytest.mark.parametrize("name", sorted(set(readers()) - {"mapped"}))
def test_exactly_one_reader_claims_the_sample_of_a_format(name: str, tmp_path: Path) -> None:
    from toolkit.ingest.container import EvidenceFile

    reader = readers()[name]
    path = tmp_path / getattr(reader, "sample_name", "sample")
    path.write_bytes(reader.sample)
    claims = [other.name for other in readers().values() if other.matches(EvidenceFile.open(path))]
    assert claims == [name]


# -- killed at any moment --------------------------------------------------------------------------


@pytest.mark.slow
def test_a_killed_ingest_leaves_every_source_whole_or_absent(tmp_path: Path) -> None:
    rows = "".join(
        f"2022-03-09T09:{i // 60 % 60:02}:{i % 60:02}Z,decommission,mds-{i},CHG{i % 7},success\n"
        for i in range(4000)
    )
    files = {f"part-{n:02}.csv": EVENTS + rows + GOOD * n for n in range(12)}
    case = make_case(tmp_path / "case", files)
    chance = random.Random(20220309)
    command = [sys.executable, "-m", "toolkit", "ingest", str(case.path)]
    killed = 0
    for _ in range(20):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(0.4 + chance.random() * 1.2)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
        if not case.database.exists():
            continue
        with Store.create(case.database) as store:
            sources = store.rows("select * from source order by source_id")
            for source in sources:
                held = store.value(
                    "select count(*) from evidence.maintenance_event where source_id = ?",
                    [source["source_id"]],
                )
                assert held == source["accepted"] == source["records_read"]
            strays = store.value(
                "select count(*) from evidence.maintenance_event "
                "where source_id not in (select source_id from source)"
            )
            assert strays == 0
            if len(sources) > 9:
                # Begin anew, so that every kill strikes a database that is being written.
                for source in sources:
                    for table in ("evidence.maintenance_event", "source_column", "source"):
                        store.execute(
                            f"delete from {table} where source_id = ?", [source["source_id"]]
                        )
    assert killed >= 10
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    with Store.open(case.database) as store:
        assert store.value("select count(*) from source") == 12
        assert store.value("select sum(accepted) from source") == 12 * 4000 + sum(range(12))


def test_a_refusal_of_one_file_leaves_the_others(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", {"a.csv": EVENTS + GOOD, "b.csv": b"\x00\x01"})
    done = load(case)
    assert [row.outcome for row in done.files] == ["loaded", "refused"]
    assert isinstance(done.refusals[0], EvidenceRefused)


def test_a_file_that_is_now_refused_says_nothing_any_more(tmp_path: Path) -> None:
    good = EVENTS + GOOD
    case = make_case(tmp_path, {"maintenance_event.csv": good})
    assert [row.outcome for row in load(case).files] == ["loaded"]
    make_case(tmp_path, {"maintenance_event.csv": good.replace("2022-03-09T09:14:05Z", "once")})
    with Store.create(case.database) as store:
        done = ingest(store, case, overrides=SourceSettings(zone="UTC"))
        assert [row.outcome for row in done.files] == ["refused"]
        assert store.value("select count(*) from evidence.maintenance_event") == 1
        done = ingest(store, case)
        assert [row.outcome for row in done.files] == ["refused", "withdrawn"]
        assert store.value("select count(*) from source") == 0
        assert store.value("select count(*) from evidence.maintenance_event") == 0
