"""What a lake has reduced: the file that `postmortem ingest CASE --lake` leaves in the case."""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from toolkit.errors import EvidenceRefused, ToolkitError
from toolkit.ingest import extract
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.reader import Reader, Sink, SourceSettings
from toolkit.ingest.sink import EvidenceSink
from toolkit.relations import BY_NAME


class LakeReader(Reader):
    """Reads runs and kept samples; the records that stand behind them were counted by the lake."""

    name = "lake"
    title = "Telemetry that was reduced where it lies, on a Spark cluster"
    fills = tuple(extract.FILLS.values())
    obtain = "`postmortem ingest CASE --lake sc://host:15002 --table TABLE` writes it."
    traps = (
        "Its counts are those of the table; of the samples, those that are cited are kept.",
        "It holds for the inventory that the lake was told: ask again where that changes.",
    )
    sample: ClassVar[bytes] = extract.example()

    def matches(self, file: EvidenceFile) -> bool:
        return file.is_parquet and extract.is_extract(file.data)

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        if settings.clock_offset_seconds:
            raise EvidenceRefused(
                "a clock offset cannot be taken from what is reduced already", path=file.path,
                remedy="correct the times in a view of the table, and ask the lake for that",
            )  # fmt: skip
        if not isinstance(sink, EvidenceSink):
            raise ToolkitError("this sink takes no columns", path=file.path)
        head, table = extract.read(file.path, file.data)
        for kind, relation in extract.FILLS.items():
            columns = [column.name for column in BY_NAME[relation].columns]
            rows = table.filter(pc.equal(table.column("kind"), kind))
            sink.accept_table(relation, rows.select(["record_no", *columns]))
        told = table.filter(
            pc.is_in(table.column("kind"), pa.array([extract.REJECT, extract.WORD]))
        )
        for row in told.select(["kind", "record_no", "field", "code", "reason", "raw"]).to_pylist():
            record = Record(row["record_no"], (row["raw"] or "").encode())
            if row["kind"] == extract.REJECT:
                sink.reject(record, row["code"], row["reason"], field=row["field"])
            else:
                sink.note(record, row["field"], row["code"], row["raw"])
        file.read_count = head.records
        sink.counted_elsewhere(head.accepted, head.rejected, head.first_at, head.last_at)
