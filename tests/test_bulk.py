"""What the engine reads by itself is what reading record by record gives, to the last note."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import pytest

from toolkit.casefile import CaseFolder
from toolkit.ingest import bulk, container
from toolkit.ingest.load import Ingested, ingest
from toolkit.ingest.sink import EvidenceSink
from toolkit.store import Store

SAMPLES = "sampled_at,asset_id,state,job_id,bytes,lag_seconds,recovery_point_at,error\n"
METRICS = "series;value;sampled_at;unit\n"
STATES = "asset_id\tobserved_at\tstate\n"
_NOTES = ("reject", "skipped", "time_note", "value_note", "source_column")


@pytest.fixture(autouse=True, params=["part", "rows"])
def any_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files go to the engine as large ones do; each has a table of its own, or none."""
    monkeypatch.setattr(bulk, "MIN_BYTES", 0)
    monkeypatch.setattr(bulk, "PART_BYTES", 0 if request.param == "part" else 1 << 40)


def samples(rows: int, form: str = "2022-03-09T{:02}:{:02}:{:02}Z") -> bytes:
    lines = []
    for i in range(rows):
        at = form.format(i // 3600 % 24, i // 60 % 60, i % 60)
        point = at if i % 3 else ""
        lines.append(
            f"{at},m-{i % 7},{('success', 'failure', 'running')[i % 3]},job-{i % 5},"
            f"{i * 7919 % 100_000},{i * 31 % 1000 / 10},{point},{'no route' if i % 9 == 0 else ''}"
        )
    return (SAMPLES + "\n".join(lines) + "\n").encode()


def metrics(rows: int) -> bytes:
    lines = (f"up{{i={i % 3}}};{i / 7};2022-03-09 09:{i // 60 % 60:02}:{i % 60:02}.{i:06}+00:00;s"
             for i in range(rows))  # fmt: skip
    return (METRICS + "\n".join(lines)).encode()


def states(rows: int) -> bytes:
    lines = (f"mds-{i % 4}\t2022-03-09 09:{i // 60 % 60:02}:{i % 60:02}\thealthy\r"
             for i in range(rows))  # fmt: skip
    return (STATES.replace("\n", "\r\n") + "\n".join(lines) + "\n").encode()


def contents(
    folder: Path, name: str, data: bytes, toml: str = ""
) -> tuple[Ingested, dict[str, Any]]:
    """Everything that ingest makes of one file."""
    (folder / "evidence").mkdir(parents=True)
    (folder / "evidence" / name).write_bytes(data)
    (folder / "case.toml").write_text('title = "A case"\n' + toml)
    case = CaseFolder.open(folder)
    with Store.create(case.database) as store:
        done = ingest(store, case)
        found: dict[str, Any] = {"files": done.files, "refused": [str(r) for r in done.refusals]}
        for relation in ("replication_sample", "metric_sample", "asset_state"):
            found[relation] = store.rows(f"select * from evidence.{relation} order by record_no")
        for table in (*_NOTES, "source"):
            found[table] = store.rows(f"select * from {table} order by all")
    found["refused"] = [text.replace(str(folder), "") for text in found["refused"]]
    found["files"] = [
        tuple(getattr(row, field) for field in ("outcome", "accepted", "skipped", "rejected"))
        for row in done.files
    ]
    return done, found


def compare(folder: Path, name: str, data: bytes, toml: str = "") -> str:
    """Read a file both ways and compare; says which way the engine took."""
    ways = ["none"]
    read, copy = bulk._read, bulk._copy

    def read_watched(*given: Any) -> bulk.EngineRead:
        found = read(*given)
        ways.append("plain" if ways[-1] != "copying" else "copy")
        return found

    def copy_watched(*given: Any) -> bool:
        ways.append("copying")
        return copy(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "_read", read_watched)
        patch.setattr(bulk, "_copy", copy_watched)
        _, ours = contents(folder / "engine", name, data, toml)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EvidenceSink, "accept_file", lambda *_: None)
        _, theirs = contents(folder / "rows", name, data, toml)
    for part, rows in theirs.items():
        assert ours[part] == rows, part
    return ways[-1]


ASSET = '[[source]]\npath = "evidence/*"\nasset_id = "mds-1"\n'
TARGET = '[[source]]\npath = "evidence/*"\ntarget_asset = "store"\n'
SHIFTED = '[[source]]\npath = "evidence/*"\nclock_offset_seconds = -1.5\n'
UTC = '[[source]]\npath = "evidence/*"\nzone = "UTC"\n'


@pytest.mark.parametrize(
    ("name", "data", "toml", "way"),
    [
        ("replication_sample.csv", samples(300), "", "plain"),
        ("replication_sample.csv", samples(300), SHIFTED, "plain"),
        ("replication_sample.csv", samples(300).rstrip(), "", "plain"),
        ("replication_sample.csv", samples(300).replace(b"m-3", b""), ASSET, "plain"),
        ("replication_sample.csv", samples(300), TARGET, "plain"),
        (
            "replication_sample.csv",
            samples(300).replace(b",bytes,", b",target_asset,"),
            TARGET,
            "plain",
        ),
        ("replication_sample.csv", samples(300).replace(b"\n", b"\r\n"), "", "plain"),
        ("replication_sample.csv", samples(300, "2022-03-09 {:02}:{:02}:{:02}"), UTC, "plain"),
        ("replication_sample.csv", samples(300) + b"\n\n", "", "copy"),
        ("replication_sample.csv", b"\xef\xbb\xbf" + samples(300), "", "none"),
        ("odd*[name].csv", samples(300), "", "plain"),
        ("metric_sample.csv", metrics(300), "", "plain"),
        ("asset_state.csv", states(300), UTC, "plain"),
    ],
)
def test_plain_files_are_read_by_the_engine(
    name: str, data: bytes, toml: str, way: str, tmp_path: Path
) -> None:
    assert compare(tmp_path, name, data, toml) == way


def test_large_packed_files_are_read_by_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "MAX_HELD_BYTES", 1000)
    packed = gzip.compress(samples(300), mtime=0)
    assert compare(tmp_path, "replication_sample.csv.gz", packed) == "plain"


CELLS = (
    "", " ", "\t", '"', '"x"', '"a,b"', '"a\nb"', "\r", "\0", "é", "\u00a0", "\u2003", "x", "NULL",
    "SUCCESS", " success", "s\u212Aipped", "fa\u0130lure", "Unknown", "oops", "0", "-0", "+5",
    "1.5", "2.0", "1e3", "1_000", "_1", "0x1F", "+-5", " -3 ", "-.5", "nan", "inf", "1e400",
    "9007199254740993", "99999999999999999999", "-9223372036854775808", "٣",
    "2022-03-09T09:14:05", "2022-03-09", "2022-03-09 09:14:05Z", "2022-03-09T09:14:05+02:00",
    "2022-03-09T24:00:00Z", "2022-03-09T09:14:60Z", "2022-02-30T09:14:05Z", "1969-12-31T23:59:59Z",
    "2101-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2100-12-31T23:59:59Z", "2022-3-009T9:14:05Z",
    "2022-03-09T 9:14:05Z", "2022-03-09T09:14:5.Z", "2022-03-09T09:14:05.123Z", "03/04/2022 10:00Z",
    "2022-03-09t09:14:05z", "yesterday", "," * 3, ",", "x" * 140_000,
)  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_come_to_the_same_either_way(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    name, data, mark = dice.choice(
        (
            ("replication_sample.csv", samples(80), ","),
            ("metric_sample.csv", metrics(80), ";"),
            ("asset_state.csv", states(80), "\t"),
        )
    )
    lines = data.decode().split("\n")
    for _ in range(dice.choice((1, 1, 2, 5))):
        index = dice.randrange(1, len(lines))
        cells = lines[index].split(mark)
        place = dice.randrange(len(cells))
        action = dice.random()
        if action < 0.7:
            cells[place] = dice.choice(CELLS)
        elif action < 0.8:
            cells.insert(place, dice.choice(CELLS))
        elif action < 0.9:
            del cells[place]
        else:
            cells = [dice.choice(("", " ", "\r", "#"))]
        lines[index] = mark.join(cells)
    damaged = bytearray("\n".join(lines).encode())
    if dice.random() < 0.3:
        damaged[dice.randrange(len(lines[0]) + 2, len(damaged))] = dice.randrange(256)
    toml = dice.choice((UTC, UTC, UTC + 'asset_id = "mds-9"\n', UTC + "clock_offset_seconds = 2\n"))
    compare(tmp_path, name, bytes(damaged), toml)


def test_a_few_bad_lines_leave_the_rest_to_the_engine(tmp_path: Path) -> None:
    lines = samples(500).split(b"\n")
    lines[100] = b"yesterday,m-1,success,job-1,1,1,,"
    lines[200] = b"2022-03-09T09:14:05Z,m-1,oops,job-1,1,1,,"
    assert compare(tmp_path / "plain", "replication_sample.csv", b"\n".join(lines)) == "plain"
    lines[300] = b"2022-03-09T09:14:05Z,m-1"
    lines[400] += b","
    assert compare(tmp_path / "copy", "replication_sample.csv", b"\n".join(lines)) == "copy"


def test_a_time_read_otherwise_at_the_start_makes_it_the_usual_one(tmp_path: Path) -> None:
    lines = samples(300).split(b"\n")
    lines[1] = lines[1].replace(b"Z", b"+01:00", 1)
    compare(tmp_path, "replication_sample.csv", b"\n".join(lines))


def test_progress_counts_every_byte_of_every_file_once(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "case.toml").write_text('title = "A case"\n')
    sizes = []
    for name, rows in (("replication_sample.csv", 300), ("replication_sample-2.csv", 200)):
        (tmp_path / "evidence" / name).write_bytes(samples(rows))
        sizes.append(len(samples(rows)))
    told: list[tuple[str, int, int]] = []
    case = CaseFolder.open(tmp_path)
    with Store.create(case.database) as store:
        ingest(store, case, progress=lambda *step: told.append(step))
    done = [count for _, count, _ in told]
    assert {total for *_, total in told} == {sum(sizes)}
    assert done == sorted(done) and done[0] == 0 and done[-1] <= sum(sizes)
    assert len({name for name, *_ in told}) == 2
