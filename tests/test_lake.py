"""A lake gives what files give; what it cannot give is refused, and then nothing is loaded."""

from __future__ import annotations

import random
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from toolkit import cli, verbs
from toolkit.casefile import CaseFolder
from toolkit.errors import EvidenceRefused, ToolkitError, UsageError
from toolkit.rebuild import rebuild
from toolkit.store import Store

pytest.importorskip("pyspark", reason="the Spark client is not installed: make test installs it")
pytest.importorskip("sqlglot", reason="sqlglot is not installed: make test installs it")

from benchmarks import lake as comparison
from toolkit.lake import cluster as clusters
from toolkit.lake.portable import stages

START = datetime(2022, 3, 1, tzinfo=UTC)
# From the inventory to the findings; what follows from these reads no more of the lake.
COMPARED = (
    "known_asset", "replication_run", "age_profile", "use_span", "span_use", "dependent_use",
    "state_interval", "protection_gap", "onset", "machine_gap", "machine_impact",
    "protection_copy", "finding",
)  # fmt: skip


@contextmanager
def sail() -> Iterator[tuple[str, Any]]:
    server = pytest.importorskip("pysail.spark", reason="Sail is not installed: make test does it")
    running = server.SparkConnectServer("127.0.0.1", 0)
    running.start(background=True)
    try:
        yield f"sc://127.0.0.1:{running.listening_address[1]}", running
    finally:
        with suppress(RuntimeError):  # stopped by the test
            running.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with sail() as (url, _):
        yield url


def samples(count: int = 900) -> list[dict[str, Any]]:
    """Samples of a few machines: states that change, ties, lags, recovery points, seeds, NULLs."""
    dice = random.Random(20220309)
    found = []
    for number in range(1, count + 1):
        machine, place = number % 6, number // 6
        at = START + timedelta(minutes=10 * place - (10 if dice.random() < 0.05 else 0))
        is_down = machine in (1, 4) and 60 < place < 90
        row = {"record_no": number, "sampled_at": at, "asset_id": f"vm-{machine}"}
        row["state"] = dice.choice(["success"] * 30 + ["warning", "running"])
        row["job_kind"] = dice.choice([None, "replicate"])
        row["job_id"] = dice.choice(["a", "b", None]) if machine == 2 else None
        row["target_asset"] = None if machine == 3 else f"vault-{machine % 2}"
        if machine == 2 and place % 3 == 0:
            row["target_asset"] = "Vault one"
        row["lag_seconds"] = dice.choice([None, 4.0625])
        row["recovery_point_at"] = None if machine else at - timedelta(seconds=dice.randrange(300))
        row["error"] = None
        if is_down:
            row |= {"state": "failure", "error": dice.choice([None, "link down"])}
        if machine == 1 and place == 95:
            row |= {"state": "success", "job_kind": "seed"}
        if machine == 5 and place > 100:
            row["lag_seconds"] = 9000.0
        found.append(row)
    return found


SCHEMA = pa.schema(
    [
        ("record_no", pa.int64()), ("sampled_at", pa.timestamp("us", "UTC")),
        ("asset_id", pa.string()), ("state", pa.string()), ("job_kind", pa.string()),
        ("job_id", pa.string()), ("target_asset", pa.string()), ("lag_seconds", pa.float64()),
        ("recovery_point_at", pa.timestamp("us", "UTC")), ("error", pa.string()),
    ]
)  # fmt: skip


def table(rows: list[dict[str, Any]], schema: pa.Schema = SCHEMA) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)


def a_case(folder: Path, rows: list[dict[str, Any]] | None = None) -> Path:
    """A case with what the reduction rests on, and the samples as a file where they are given."""
    evidence = folder / "evidence"
    evidence.mkdir(parents=True)
    (folder / "case.toml").write_text('title = "Lake"\n', encoding="utf-8")
    texts = {
        "alias": "kind,alias,canonical\nasset,vm-3,VM three\nasset,Vault one,vault-1\n",
        "asset": "asset_id,kind,rpo_minutes,cadence_minutes\nvm-0,machine,30,\nvm-1,machine,,15\n"
        "array-1,array,,\n",
        "dependency": "from_asset,to_asset,relation\nvm-2,array-1,uses\nVM three,array-1,uses\n"
        "vm-2,vault-1,uses\n",
        "maintenance_event": "occurred_at,action,target,change_id,actor,outcome\n"
        "2022-03-01T20:14:05Z,decommission,array-1,CHG1,op-a,success\n"
        "2022-03-01T20:24:05Z,decommission,vault-1,CHG1,op-a,success\n",
    }
    for name, text in texts.items():
        (evidence / f"{name}.csv").write_text(text, encoding="utf-8")
    if rows is not None:
        pq.write_table(
            table(rows).drop_columns("record_no"), evidence / "replication_sample.parquet"
        )
    assert verbs.ingest_case(folder).refusals == ()
    return folder


def derived(folder: Path, wanted: tuple[str, ...] = COMPARED) -> dict[str, Any]:
    """Relations of a case; made again from its files, without any cluster."""
    opened = CaseFolder.open(folder)
    with Store.create(opened.database) as store:
        rebuild(store, opened, only=wanted)
        return {name: store.rows(f'from "{name}"') for name in wanted}


def test_every_relation_is_what_duckdb_makes_of_the_same_text(server: str, tmp_path: Path) -> None:
    comparison.make(tmp_path / "samples.parquet", 6000)
    with comparison.opened(tmp_path / "samples.parquet") as store:
        made = dict(comparison.by_duckdb(store))
        assert min(made.values()) > 0
        assert store.value("select count(*) from replication_sample where isnan(lag_seconds)")
        with clusters.connect(server) as cluster:
            cluster.open_table(str(tmp_path / "samples.parquet"))
            for name, rows in comparison.by_cluster(store, cluster):
                pq.write_table(rows, tmp_path / "rows.parquet")
                assert comparison.differences(store, name, tmp_path / "rows.parquet") == (0, 0)
                assert rows.num_rows == made[name]
                assert rows.column_names == store.columns(name)


def test_a_case_with_a_lake_is_the_case_with_the_files(server: str, tmp_path: Path) -> None:
    rows = samples()
    files = derived(a_case(tmp_path / "files" / "case", rows))
    pq.write_table(table(rows), tmp_path / "lake.parquet")
    folder = a_case(tmp_path / "lake" / "case")
    said: list[str] = []
    loaded = verbs.ingest_lake(folder, server, str(tmp_path / "lake.parquet"), told=said.append)
    (source,) = loaded.files
    assert (source.outcome, source.format, source.records_read) == ("loaded", "lake", 900)
    assert any("900 records" in line for line in said)
    found = derived(folder, (*COMPARED, "evidence_quality"))
    issues = {row["issue"]: row for row in found["evidence_quality"]}
    assert issues["samples_elsewhere"]["count"] == 900
    assert files["span_use"] and files["age_profile"] and files["protection_gap"]
    for name in COMPARED:
        assert found[name] == files[name], name
    used = {(row["target"], row["dependent"]): row["used_at"] for row in files["dependent_use"]}
    assert used["vault-1", "vm-2"] < used["array-1", "vm-2"]  # the last use was of another target
    with Store.open(folder / "case.duckdb") as store:
        kept = store.value("select count(*) from evidence.replication_sample")
    assert 0 < kept < 900
    # The file that came back is all that is needed: neither cluster nor database.
    (folder / "case.duckdb").unlink()
    assert verbs.ingest_case(folder).refusals == ()
    again = derived(folder)
    assert {name: len(again[name]) for name in COMPARED} == {
        name: len(files[name]) for name in COMPARED
    }
    # Asked again, the lake takes the place of what it gave before.
    (reloaded,) = verbs.ingest_lake(folder, server, str(tmp_path / "lake.parquet")).files
    assert reloaded.outcome == "unchanged"


def test_records_that_cannot_be_read_are_counted_and_kept(server: str, tmp_path: Path) -> None:
    rows = samples(120)
    rows[10]["sampled_at"] = None
    rows[11]["asset_id"] = ""
    rows[12]["job_kind"] = "nightly"
    rows[13]["lag_seconds"] = float("nan")
    rows[14]["state"] = "Odd"
    rows[15]["state"] = " FAILURE "
    pq.write_table(table(rows), tmp_path / "lake.parquet")
    notes = {}
    for name in ("files", "lake"):
        folder = a_case(tmp_path / name / "case", rows if name == "files" else None)
        if name == "lake":
            verbs.ingest_lake(folder, server, str(tmp_path / "lake.parquet"))
        with Store.open(folder / "case.duckdb") as store:
            notes[name] = [
                store.rows("select record_no, field, code, reason from reject order by all"),
                store.rows("select record_no, column_name, code, raw from value_note order by all"),
                store.rows(
                    "select records_read, accepted, rejected, first_at, last_at from source "
                    "order by source_id desc limit 1"
                ) if name == "lake" else store.rows(
                    "select records_read, accepted, rejected, first_at, last_at from source "
                    "where path like '%replication_sample%'"
                ),
            ]  # fmt: skip
    assert notes["lake"] == notes["files"]
    assert len(notes["lake"][0]) == 4 and notes["lake"][2][0]["rejected"] == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found.drop_columns("record_no"), "no column 'record_no'"),
        (lambda found: found.drop_columns("state"), "no column 'state'"),
        (lambda found: found.set_column(7, "lag_seconds", found.column("asset_id")), "type string"),
        (
            lambda found: found.set_column(
                1, "sampled_at", found.column("sampled_at").cast(pa.timestamp("us"))
            ),
            "times are local",
        ),
        (lambda found: pa.concat_tables([found, found.slice(3, 1)]), "number"),
        (lambda found: found.set_column(0, "record_no", pa.array([0] * 60)), "from 1 to 2"),
        (lambda found: found.slice(0, 0), "no record can be read"),
    ],
)
def test_a_table_that_is_not_fit_is_refused(
    server: str, tmp_path: Path, change: Any, message: str
) -> None:
    pq.write_table(change(table(samples(60))), tmp_path / "lake.parquet")
    folder = a_case(tmp_path / "case")
    with pytest.raises(EvidenceRefused, match=message):
        verbs.ingest_lake(folder, server, str(tmp_path / "lake.parquet"))
    assert not list(folder.glob("evidence/lake/*"))


def test_local_times_are_taken_as_utc_where_that_is_declared(server: str, tmp_path: Path) -> None:
    found = table(samples(60))
    local = found.column("sampled_at").cast(pa.timestamp("us"))
    pq.write_table(found.set_column(1, "sampled_at", local), tmp_path / "lake.parquet")
    folder = a_case(tmp_path / "case")
    verbs.ingest_lake(folder, server, str(tmp_path / "lake.parquet"), zone="UTC")
    with Store.open(folder / "case.duckdb") as store:
        first = store.value("select first_at from source where reader = 'lake'")
    assert first == min(row["sampled_at"] for row in samples(60))


def test_a_server_that_goes_half_way_leaves_nothing(tmp_path: Path) -> None:
    pq.write_table(table(samples(300)), tmp_path / "lake.parquet")
    folder = a_case(tmp_path / "case")
    before = [each for each in sorted(folder.rglob("*")) if each.is_file()]
    with sail() as (url, running):

        def told(line: str) -> None:
            if "reduced to" in line:
                running.stop()

        began = time.monotonic()
        with pytest.raises(EvidenceRefused, match="the lake did not answer"):
            verbs.ingest_lake(folder, url, str(tmp_path / "lake.parquet"), told=told)
        assert time.monotonic() - began < 120
    assert [each for each in sorted(folder.rglob("*")) if each.is_file()] == before
    with Store.open(folder / "case.duckdb") as store:
        assert store.value("select count(*) from source where reader = 'lake'") == 0
        assert store.value("select count(*) from evidence.reduced_run") == 0


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


def test_what_is_no_spark_connect_server_is_told_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "_CONNECT_SECONDS", 2)
    folder = a_case(tmp_path / "case")
    with socket.create_server(("127.0.0.1", 0)) as silent, HTTPServer(
        ("127.0.0.1", 0), _Page
    ) as web:  # fmt: skip
        threading.Thread(target=web.serve_forever, daemon=True).start()
        closed = socket.create_server(("127.0.0.1", 0))
        ports = [closed.getsockname()[1], silent.getsockname()[1], web.server_port]
        closed.close()
        for port in ports:
            began = time.monotonic()
            with pytest.raises(EvidenceRefused, match="no Spark Connect server answers") as caught:
                verbs.ingest_lake(folder, f"sc://127.0.0.1:{port}/;token=secret", "t")
            assert time.monotonic() - began < 20
            assert "\n" not in str(caught.value) and "secret" not in str(caught.value)
            assert "start-connect-server" in str(caught.value)
        web.shutdown()


def test_commands_end_with_the_code_of_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "_CONNECT_SECONDS", 1)
    folder = str(a_case(tmp_path / "case"))
    for code, arguments in (
        (3, ["--lake", "sc://127.0.0.1:1", "--table", "t"]),
        (3, ["--lake", "spark://127.0.0.1:1", "--table", "t"]),
        (2, ["--lake", "127.0.0.1", "--table", "t"]),
        (2, ["--lake", "sc://host:99999", "--table", "t"]),
        (2, ["--lake", "sc://127.0.0.1:1"]),
        (2, ["--table", "t"]),
        (2, ["--lake", "sc://127.0.0.1:1", "--table", "t", "--dry-run"]),
    ):
        monkeypatch.setattr("sys.argv", ["postmortem", "ingest", folder, *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr().err
        assert ended.value.code == code, (arguments, said)
        assert "Traceback" not in said


def test_a_table_that_is_not_there_is_refused(server: str, tmp_path: Path) -> None:
    folder = a_case(tmp_path / "case")
    with pytest.raises(EvidenceRefused, match="the lake did not answer"):
        verbs.ingest_lake(folder, server, "no.such_table")
    with pytest.raises(UsageError, match="is no table"):
        verbs.ingest_lake(folder, server, "drop table x; --")


def test_without_the_extra_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "is_installed", lambda: False)
    with pytest.raises(UsageError, match=r"postmortem-toolkit\[spark\]"):
        verbs.ingest_lake(a_case(tmp_path / "case"), "sc://127.0.0.1:1", "t")


@pytest.fixture(scope="module")
def reduced(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case with a lake, made once."""
    place = tmp_path_factory.mktemp("reduced")
    pq.write_table(table(samples(600)), place / "lake.parquet")
    folder = a_case(place / "case")
    verbs.ingest_lake(folder, server, str(place / "lake.parquet"))
    return folder


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("asset", "asset_id,kind,rpo_minutes\nvm-0,machine,31\n", "cadence or limit"),
        ("alias", "kind,alias,canonical\nasset,vm-4,VM four\n", "other aliases"),
        ("replication_sample", "sampled_at,asset_id,state,job_kind\n"
         "2022-03-02T00:00:00Z,vm-1,success,seed\n", "holds samples of vm-1, too"),
        ("maintenance_event", "occurred_at,action,target,outcome\n"
         "2022-03-01T14:14:05Z,delete,array-1,success\n", "was last used"),
    ],
)  # fmt: skip
def test_what_a_lake_was_not_told_is_refused_when_relations_are_built(
    reduced: Path, tmp_path: Path, name: str, text: str, message: str
) -> None:
    folder = tmp_path / "case"
    shutil.copytree(reduced, folder)
    derived(folder, ("dependent_use",))
    (folder / "evidence" / f"{name}.csv").write_text(text, encoding="utf-8")
    assert verbs.ingest_case(folder).refusals == ()
    with pytest.raises(ToolkitError, match=message) as caught:
        derived(folder, ("dependent_use",))
    assert caught.value.exit_code == 2


def test_a_function_that_spark_lacks_is_refused_before_it_is_asked() -> None:
    with pytest.raises(UsageError, match="no counterpart"):
        stages("select time_bucket_odd(a) from t", {})
    (stage,) = stages("select epoch_us(a) as b from t order by b", {})
    assert stage.sql == "SELECT UNIX_MICROS(a) AS b FROM t ORDER BY b NULLS LAST"


def test_to_ask_for_a_table_that_is_not_there_does_not_end_a_transaction() -> None:
    with Store.create() as store, store.transaction():
        assert not store.has("no_such_table")
        assert store.has("source")
