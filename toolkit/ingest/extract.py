"""What a lake gives back, as a file of evidence: runs, the samples that are cited, and an account.

The file is a Parquet file with one layout (`SCHEMA`), in which `kind` says what a row is: a `run`
of `reduced_run`, a kept `sample` of `replication_sample`, a `span` of `reduced_span`, a `reject`
or a `word` that was not known. Its metadata hold the `Head`: which table in which version it was,
and how many records stand behind the rows. So a case can be rebuilt, sealed and verified without
the lake.
"""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from toolkit.errors import EvidenceRefused
from toolkit.relations import BY_NAME, Column

KEY = b"postmortem.lake"
SAMPLE, RUN, SPAN, REJECT, WORD = "sample", "run", "span", "reject", "word"
# Which relation the rows of a kind belong to.
FILLS = {SAMPLE: "replication_sample", RUN: "reduced_run", SPAN: "reduced_span"}
_TYPES = {
    "instant": pa.timestamp("us", "UTC"),
    "number": pa.float64(),
    "count": pa.int64(),
    "flag": pa.bool_(),
}


class Head(BaseModel):
    """What was read and how it was accounted for; `records = accepted + rejected`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    layout: int = 1
    server: str
    engine: str
    table: str
    version: str
    columns: dict[str, str]
    statements_sha256: str
    records: int
    accepted: int
    rejected: int
    first_at: datetime | None
    last_at: datetime | None

    @model_validator(mode="after")
    def _adds_up(self) -> Head:
        if self.layout != 1:
            raise ValueError(f"layout {self.layout} is not known")
        if min(self.accepted, self.rejected) < 0 or self.records != self.accepted + self.rejected:
            raise ValueError("records are not the sum of accepted and rejected")
        return self


def _field(column: Column) -> pa.Field:
    return pa.field(column.name, _TYPES.get(column.kind, pa.string()))


def _fields() -> list[pa.Field]:
    found = {"kind": pa.field("kind", pa.string()), "record_no": pa.field("record_no", pa.int64())}
    for relation in FILLS.values():
        for column in BY_NAME[relation].columns:
            found.setdefault(column.name, _field(column))
    for name in ("field", "code", "reason", "raw"):
        found[name] = pa.field(name, pa.string())
    return list(found.values())


SCHEMA = pa.schema(_fields())


def rows(kind: str, table: pa.Table) -> pa.Table:
    """A table of some of the columns of `SCHEMA` as rows of a kind."""
    arrays = [
        pa.repeat(pa.scalar(kind), table.num_rows)
        if field.name == "kind"
        else table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def write(target: Path | io.BytesIO, head: Head, parts: list[pa.Table]) -> None:
    """Write rows as `rows` makes them; equal rows in equal order give equal bytes."""
    whole = pa.concat_tables([SCHEMA.empty_table(), *parts])
    whole = whole.replace_schema_metadata({KEY: head.model_dump_json().encode()})
    # A changed bit in a page is found when it is read.
    pq.write_table(whole, target, compression="zstd", write_page_checksum=True)


def head_of(data: bytes) -> Head | None:
    """The head of a file in this form; None for any other Parquet file, and for a damaged head."""
    try:
        metadata = pq.read_schema(io.BytesIO(data)).metadata or {}
        return Head.model_validate_json(metadata[KEY])
    except (pa.ArrowException, OSError, KeyError, ValidationError):
        return None


def is_extract(data: bytes) -> bool:
    """Whether a Parquet file says that it is one of these."""
    try:
        return KEY in (pq.read_schema(io.BytesIO(data)).metadata or {})
    except (pa.ArrowException, OSError):
        return False


def read(path: Path, data: bytes) -> tuple[Head, pa.Table]:
    """Head and rows of a file; refuses one that is damaged or of another layout."""
    remedy = "ask the lake again: postmortem ingest CASE --lake URL --table TABLE"
    head = head_of(data)
    if head is None:
        raise EvidenceRefused("the account of the lake is damaged", path=path, remedy=remedy)
    try:
        table = pq.read_table(io.BytesIO(data), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise EvidenceRefused(f"the file is damaged ({error})", path=path, remedy=remedy) from None
    if table.schema.remove_metadata() != SCHEMA:
        raise EvidenceRefused("the columns are not those of this version", path=path, remedy=remedy)
    return head, table


def example() -> bytes:
    """A small file in this form."""
    at = datetime.fromisoformat("2022-03-09T09:00:00+00:00")
    head = Head(
        server="sc://spark.example:15002", engine="4.1.1", table="telemetry.replication",
        version="delta 42", columns={"record_no": "bigint", "sampled_at": "timestamp"},
        statements_sha256="0" * 64, records=1000, accepted=999, rejected=1, first_at=at, last_at=at,
    )  # fmt: skip
    run = {
        "record_no": 1, "asset_id": "machine-1", "job_kind": "replicate", "run_no": 1,
        "state": "success", "worth": "good", "started_at": at, "last_sample_at": at,
        "recovery_point_at": at, "samples": 999, "last_record_no": 999,
    }  # fmt: skip
    sample = {"record_no": 1, "sampled_at": at, "asset_id": "machine-1", "state": "success",
              "job_kind": "replicate"}  # fmt: skip
    reject = {"record_no": 1000, "field": "sampled_at", "code": "VALUE_MISSING",
              "reason": "the value is missing", "raw": "{'sampled_at': None}"}  # fmt: skip
    parts = [
        rows(kind, pa.Table.from_pylist([row]))
        for kind, row in ((SAMPLE, sample), (RUN, run), (REJECT, reject))
    ]
    target = io.BytesIO()
    write(target, head, parts)
    return target.getvalue()
