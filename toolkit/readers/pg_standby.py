"""What a PostgreSQL standby says of itself, sampled into CSV: receipt, replay and its delay."""

from __future__ import annotations

import math
import re
from datetime import timedelta

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.readers.pg_stat_replication import earlier, table_rows
from toolkit.timestamps import TimeError, TimeRule, parse

_COLUMNS = ("sampled_at", "in_recovery", "receive_lsn", "replay_lsn", "replay_delay_seconds")
_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})", re.ASCII)
_TRUE, _FALSE = ("t", "true", "1"), ("f", "false", "0")
_LONGEST = timedelta(days=36_500).total_seconds()


class PgStandbyReader(Reader):
    name = "pg_standby"
    title = "PostgreSQL standby, its own view (CSV)"
    fills = ("replication_sample",)
    obtain = (
        "psql -c \"\\copy (select clock_timestamp() at time zone 'utc' || 'Z' as sampled_at, "
        "pg_is_in_recovery() as in_recovery, pg_last_wal_receive_lsn() as receive_lsn, "
        "pg_last_wal_replay_lsn() as replay_lsn, extract(epoch from clock_timestamp() - "
        "pg_last_xact_replay_timestamp()) as replay_delay_seconds) to 'FILE.csv' csv header\""
    )
    traps = (
        "the rows name no standby: declare asset_id",
        "a standby does not know whether the primary is ahead: it counts as connected only where"
        " more was received since the sample before, else its state is unknown",
        "replay_delay is the age of the last replayed transaction and grows while nothing is"
        " written; it is read as lag only where received data waits for replay or has just come",
        "the recovery point is that last transaction; the copy may be fresher, never staler",
        "an empty row says that the standby gave no answer: its state is unknown",
    )
    sample = (
        b"sampled_at,in_recovery,receive_lsn,replay_lsn,replay_delay_seconds\n"
        b"2022-03-09T06:00:00.120Z,t,0/5000060,0/5000000,1.250000\n"
        b"2022-03-09T06:00:10.118Z,,,,\n"
    )

    def matches(self, file: EvidenceFile) -> bool:
        return file.header is not None and set(_COLUMNS) <= set(file.header)

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        if settings.asset_id is None:
            raise EvidenceRefused(
                "the rows name no standby (ASSET_NONE)",
                path=file.path,
                line=1,
                field="asset_id",
                remedy="declare asset_id for this file in case.toml",
            )
        rule = TimeRule(zone=settings.zone)
        before: int | None = None
        for record, cells in table_rows(file, sink, needed=_COLUMNS):
            at_text, in_recovery, received_text, replayed_text, delay_text = (
                cells[column] for column in _COLUMNS
            )
            try:
                at = parse(at_text, rule)
            except TimeError as error:
                sink.reject(record, error.code, error.reason, field="sampled_at")
                continue
            row: dict[str, Value] = {"sampled_at": at, "asset_id": settings.asset_id}
            if not any((in_recovery, received_text, replayed_text, delay_text)):
                row |= {"state": "unknown", "error": "no answer from the standby"}
                sink.accept(record, ("replication_sample", row))
                continue
            if in_recovery.lower() not in (*_TRUE, *_FALSE):
                sink.reject(record, "VALUE_FLAG", "neither true nor false", field="in_recovery")
                continue
            try:
                received, replayed = _lsn(received_text), _lsn(replayed_text)
                delay = _seconds(delay_text)
            except ValueError as error:
                sink.reject(record, "VALUE_NUMBER", str(error))
                continue

            flowing = None not in (before, received) and (received or 0) > (before or 0)
            waiting = None not in (received, replayed) and (received or 0) > (replayed or 0)
            if received is not None:
                before = received
            if in_recovery.lower() in _FALSE:
                # A promoted server follows no primary any more.
                row["state"] = "disconnected"
            else:
                row["state"] = "connected" if flowing else "unknown"
                row["lag_seconds"] = delay if flowing or waiting else None
                row["recovery_point_at"] = None if delay is None else earlier(at, delay)
            sink.accept(record, ("replication_sample", row))


def _lsn(text: str) -> int | None:
    """A position in the write-ahead log (`16/B374D848`) as a number of bytes."""
    if not text:
        return None
    match = _LSN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no position in the log")
    return (int(match[1], 16) << 32) + int(match[2], 16)


def _seconds(text: str) -> float | None:
    if not text:
        return None
    value = float(text)
    if not math.isfinite(value) or abs(value) > _LONGEST:
        raise ValueError(f"{text[:40]!r} is no delay in seconds")
    return value
