"""A Spark cluster over Spark Connect. This is the only module that imports pyspark.

It is reached within a bounded time or not at all, and whatever it answers with instead of rows is
one line for the user. The server is the user's: temporary views and what is held in its memory are
all that is left on it, and only until the session ends.
"""

from __future__ import annotations

import hashlib
import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from toolkit.errors import EvidenceRefused, UsageError
from toolkit.lake.portable import Stage

_CONNECT_SECONDS = 10
_FIRST_ANSWER_SECONDS = 60
_PORT = 15002
_FORMATS = ("delta", "iceberg", "orc", "parquet")
_NAME = re.compile(r"[\w-]+(\.[\w-]+){0,3}")
_PATH = re.compile(rf"(?:({'|'.join(_FORMATS)}):)?(\S*/\S*)")
INSTALL = "pip install 'postmortem-toolkit[spark]'"


class Cluster:
    """One session on a server; `address` is what was reached, without what is secret in it."""

    def __init__(self, session: Any, address: str) -> None:
        self._session = session
        self._held: list[Any] = []
        self.address = address
        self.engine = _answered(address, lambda: str(session.version))
        _answered(address, lambda: session.conf.set("spark.sql.session.timeZone", "UTC"))

    def open_table(self, name: str) -> Table:
        """Make a table, or a path as FORMAT:PATH, readable as the view `lake_table`.

        Raises UsageError for what is neither, EvidenceRefused where it cannot be read.
        """
        source = _Source.of(name)
        return Table(self, source, *self._at_version(source))

    def _at_version(self, source: _Source) -> tuple[str, Any]:
        """The version of a table, and the table at this version.

        Delta and Iceberg number their versions; files are told by their names.
        """
        for column, label, query in source.versions:
            found = self._perhaps(query)
            if found:
                frame = self._frame_at(source, label, found[0][column])
                return f"{label} {found[0][column]}", frame
        frame = _answered(source.name, lambda: source.frame(self._session))
        try:
            files = sorted(frame.inputFiles())
        except Exception:
            files = []
        if files:
            digest = hashlib.sha256("\n".join(files).encode()).hexdigest()
            return f"{len(files)} files {digest[:16]}", frame
        return "not stated", frame

    def _frame_at(self, source: _Source, label: str, version: object) -> Any:
        return _answered(source.name, lambda: source.frame(self._session, label, version))

    def _perhaps(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a question that not every server or table can answer."""
        try:
            found: list[dict[str, Any]] = self._session.sql(sql).toArrow().to_pylist()
        except Exception:
            return []
        return found

    def view(self, name: str, frame: Any) -> None:
        """Name a frame for the statements that follow."""
        _answered(self.address, lambda: frame.createOrReplaceTempView(name))

    def define(self, name: str, sql: str) -> None:
        """Name the rows of a statement."""
        self.view(name, _answered(self.address, lambda: self._session.sql(sql)))

    def bring(self, name: str, rows: pa.Table) -> None:
        """Bring rows to the cluster under a name."""
        if rows.num_rows:
            frame = _answered(self.address, lambda: self._session.createDataFrame(rows))
            self.view(name, frame)
            return
        # An empty table has no types that the client would see.
        columns = ", ".join(
            f"cast(null as {_SPARK[str(field.type)]}) as `{field.name}`" for field in rows.schema
        )
        self.define(name, f"select {columns} where false")

    def run(self, stages: Sequence[Stage]) -> pa.Table:
        """The rows of a query; its stages are computed once, where the server can hold them."""
        for stage in stages[:-1]:
            assert stage.name is not None
            frame = _answered(self.address, lambda text=stage.sql: self._session.sql(text))
            self._held.append(_answered(self.address, frame.persist))
            self.view(stage.name, frame)
        return self.rows(stages[-1].sql)

    def rows(self, sql: str) -> pa.Table:
        """The rows of a statement."""
        return _answered(self.address, lambda: self._session.sql(sql).toArrow())

    def close(self) -> None:
        """End the session; a server that is gone has ended it."""
        with _quiet():
            for frame in self._held:
                try:
                    frame.unpersist()
                except Exception:
                    break
            try:
                self._session.stop()
            except Exception:
                return


_SPARK = {
    "string": "string", "double": "double", "int64": "bigint", "int32": "int", "bool": "boolean",
    "timestamp[us, tz=UTC]": "timestamp",
}  # fmt: skip


class Table:
    """A table of the lake at one version: its columns with their types in Spark's words."""

    def __init__(self, cluster: Cluster, source: _Source, version: str, frame: Any) -> None:
        self._cluster, self._source = cluster, source
        self.version = version
        types = _answered(source.name, lambda: frame.schema)
        self.columns: Mapping[str, str] = {
            field.name: str(field.dataType.simpleString()) for field in types.fields
        }
        cluster.view("lake_table", frame)

    def has_changed(self) -> bool:
        """Whether the table has another version now."""
        return self._cluster._at_version(self._source)[0] != self.version


class _Source:
    """A table by its name, or files by their path and format."""

    def __init__(self, name: str, form: str | None, path: str | None) -> None:
        self.name, self._form, self._path = name, form, path

    @classmethod
    def of(cls, name: str) -> _Source:
        if _NAME.fullmatch(name):
            return cls(name, None, None)
        if found := _PATH.fullmatch(name):
            return cls(name, found[1] or "parquet", found[2])
        raise UsageError(
            f"{name!r} is no table", field="--table",
            remedy=f"give catalogue.schema.table, a path, or FORMAT:PATH ({', '.join(_FORMATS)})",
        )  # fmt: skip

    @property
    def versions(self) -> Iterator[tuple[str, str, str]]:
        """Column, label and question of what may tell a version."""
        if self._path is None:
            place = ".".join(f"`{part}`" for part in self.name.split("."))
        elif self._form == "delta" and "`" not in self._path:
            place = f"delta.`{self._path}`"
        else:
            return
        yield "version", "delta", f"describe history {place} limit 1"
        if self._path is None:
            yield (
                "snapshot_id", "iceberg",
                f"select snapshot_id from {place}.snapshots order by committed_at desc limit 1",
            )  # fmt: skip

    def frame(self, session: Any, label: str | None = None, version: object = None) -> Any:
        """The rows of the table, at a version where one is given."""
        reader = session.read
        if label is not None:
            option = "versionAsOf" if label == "delta" else "snapshot-id"
            reader = reader.option(option, str(version))
        if self._path is None:
            return reader.table(self.name)
        return reader.format(self._form).load(self._path)


def is_installed() -> bool:
    """Whether the extra `spark` is there."""
    from importlib.util import find_spec

    return find_spec("pyspark") is not None and find_spec("grpc") is not None


@contextmanager
def connect(url: str) -> Iterator[Cluster]:
    """A session on the server at `sc://HOST:PORT`; raises UsageError for what is no such address or
    where the extra is missing, EvidenceRefused where no Spark Connect server answers in time."""
    target, address = _target(url)
    if not is_installed():
        raise UsageError("the extra `spark` is not installed", field="--lake", remedy=INSTALL)
    with _quiet():
        session = _session(target, address)
        cluster = Cluster(session, address)
        try:
            yield cluster
        finally:
            cluster.close()


def _target(url: str) -> tuple[str, str]:
    """The connection string, and what of it may be shown."""
    remedy = f"give sc://HOST:PORT, by default port {_PORT}"
    parts = urlsplit(url)
    try:
        port = parts.port or _PORT
    except ValueError:
        port = -1
    if parts.scheme not in ("sc", "spark") or not parts.hostname or port < 0:
        raise UsageError("that is no address of a Spark Connect server", field="--lake",
                         remedy=remedy)  # fmt: skip
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    options = parts.path if parts.path.startswith("/;") else ""
    return f"sc://{host}:{port}{options}", f"sc://{host}:{port}"


def _session(target: str, address: str) -> Any:
    import grpc
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client.core import DefaultChannelBuilder
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.proto import AnalyzePlanRequest, SparkConnectServiceStub

    try:
        builder = DefaultChannelBuilder(target)
        channel = builder.toChannel()
    except PySparkException as error:
        raise UsageError(_line(error), field="--lake", remedy="mend the address") from None
    try:
        grpc.channel_ready_future(channel).result(timeout=_CONNECT_SECONDS)
        # Any server of this protocol would do so far; only one of Spark knows its version.
        asked = AnalyzePlanRequest(session_id="00000000-0000-4000-8000-000000000000")
        asked.spark_version.SetInParent()
        stub_of: Any = SparkConnectServiceStub  # generated without types
        stub = stub_of(channel)
        stub.AnalyzePlan(asked, timeout=_FIRST_ANSWER_SECONDS, metadata=builder.metadata())
    except grpc.FutureTimeoutError:
        raise _unreachable(
            address, f"no Spark Connect server answers within {_CONNECT_SECONDS} seconds"
        ) from None
    except grpc.RpcError as error:
        raise _unreachable(address, f"the server does not speak Spark Connect ({_line(error)})") \
            from None  # fmt: skip
    finally:
        channel.close()
    session = _answered(address, lambda: SparkSession.builder.remote(target).create())
    # A server that has gone is noticed in seconds, not after the ten minutes of the default.
    session.client.set_retry_policies([DefaultPolicy(max_retries=4)])
    return session


def _unreachable(address: str, reason: str) -> EvidenceRefused:
    return EvidenceRefused(
        reason, path=address,
        remedy=f"check host and port ({_PORT} by default; that of a master, 7077, is another), and "
        "that sbin/start-connect-server.sh runs there",
    )  # fmt: skip


def _answered(place: str, ask: Any) -> Any:
    """What the server answers; what it refuses, or that it has gone, as one line."""
    from grpc import RpcError
    from pyspark.errors import PySparkException

    try:
        return ask()
    except (PySparkException, RpcError) as error:
        raise EvidenceRefused(
            f"the lake did not answer: {_line(error)}", path=place,
            remedy="nothing was loaded; see to the server or the table, and ask again",
        ) from None  # fmt: skip


def _line(error: Exception) -> str:
    """What an error says first; errors of gRPC say it in their details."""
    details = getattr(error, "details", None)
    text = str(details() if callable(details) else error) or type(error).__name__
    return next((line.strip() for line in text.splitlines() if line.strip()), text)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the client says of versions, and of a server that has gone, to the terminal."""
    logger = logging.getLogger("pyspark")
    others = [logging.getLogger(name) for name in ("SparkConnectClient", "SQLQueryContextLogger")]
    levels = [(each, each.level) for each in (logger, *others)]
    for each, _ in levels:
        each.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in levels:
            each.setLevel(level)
