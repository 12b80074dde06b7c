"""Samples of the PostgreSQL view `pg_stat_replication`, taken on the primary, as CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.timestamps import Instant, TimeError, TimeRule, parse

_VIEW = (
    *("pid", "usesysid", "usename", "application_name", "client_addr", "client_hostname"),
    *("client_port", "backend_start", "backend_xmin", "sent_lsn", "write_lsn", "flush_lsn"),
    *("replay_lsn", "write_lag", "flush_lag", "replay_lag", "sync_priority", "sync_state"),
    "reply_time",
)
_STATES = {
    "streaming": "connected",
    "catchup": "running",
    "startup": "running",
    "backup": "running",
    "stopping": "unknown",
}
_BASE_BACKUP = "pg_basebackup"


class PgStatReplicationReader(Reader):
    name = "pg_stat_replication"
    title = "PostgreSQL pg_stat_replication samples (CSV)"
    fills = ("replication_sample",)
    obtain = (
        "psql -c \"\\copy (select clock_timestamp() at time zone 'utc' as sampled_at_utc, * from "
        "pg_stat_replication) to 'FILE.csv' csv header\" on the primary, as a member of pg_monitor"
    )
    traps = (
        "the view holds no time; without sampled_at the file is refused",
        "a standby that is lost is a missing row; a row with nothing but its time says that no"
        " standby was connected, and counts for every standby named before it",
        "lag is empty, not zero, while nothing is written; then no recovery point is stated",
        "walreceiver is the default application_name and names no standby: declare asset_id",
        "a base backup names no standby: without asset_id its rows are rejected",
    )
    sample = (
        b"sampled_at,application_name,client_addr,state,sent_lsn,write_lsn,flush_lsn,replay_lsn,"
        b"write_lag,flush_lag,replay_lag\n"
        b"2022-03-09T06:00:00.120Z,standby1,192.0.2.8,streaming,0/5000060,0/5000060,0/5000060,"
        b"0/5000000,00:00:00.000412,00:00:00.001007,00:00:01.250000\n"
        b"2022-03-09T06:00:10.118Z,,,,,,,,,,\n"
    )

    def matches(self, file: EvidenceFile) -> bool:
        needed = {"application_name", "state", "sent_lsn", "replay_lsn"}
        return file.header is not None and needed <= set(file.header)

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        header = file.header or ()
        at_column = next(
            (name for name in ("sampled_at", "sampled_at_utc") if name in header), None
        )
        if at_column is None:
            raise EvidenceRefused(
                "the rows state no time of sampling (TIME_NONE)",
                path=file.path,
                line=1,
                field="sampled_at",
                remedy="sample with clock_timestamp() at time zone 'utc' as sampled_at_utc",
            )
        rule = TimeRule(zone="UTC" if at_column == "sampled_at_utc" else settings.zone)
        standbys: dict[tuple[str, str | None], None] = {}
        for record, cells in table_rows(file, sink, needed=("application_name", "state")):
            try:
                at = parse(cells[at_column], rule)
            except TimeError as error:
                sink.reject(record, error.code, error.reason, field="sampled_at")
                continue
            name = cells["application_name"] or None
            word = cells["state"]
            if word in ("", "no_standby") and not any(cells.get(column) for column in _VIEW):
                known = list(standbys) or ([(settings.asset_id, None)] if settings.asset_id else [])
                if not known:
                    sink.reject(
                        record,
                        "ASSET_NONE",
                        "no standby is connected, and none is named before; declare asset_id",
                        field="asset_id",
                    )
                    continue
                lost = [
                    {"sampled_at": at, "asset_id": asset, "state": "disconnected", "job_id": job}
                    for asset, job in known
                ]
                sink.accept(record, *(("replication_sample", row) for row in lost))
                continue

            seeding = name == _BASE_BACKUP or word == "backup"
            asset_id = settings.asset_id or (None if seeding else name)
            if asset_id is None:
                reason = "the row names no standby; declare asset_id for this file"
                sink.reject(record, "ASSET_NONE", reason, field="asset_id")
                continue
            try:
                lag = interval_seconds(cells.get("replay_lag", ""))
            except ValueError as error:
                sink.reject(record, "VALUE_INTERVAL", str(error), field="replay_lag")
                continue
            row: dict[str, Value] = {
                "sampled_at": at,
                "asset_id": asset_id,
                "state": _STATES.get(word, "unknown"),
                "job_kind": "seed" if seeding else None,
                "job_id": name,
                "lag_seconds": lag,
                "recovery_point_at": None if lag is None or seeding else earlier(at, lag),
            }
            if not seeding:
                standbys[asset_id, name] = None
            if sink.accept(record, ("replication_sample", row)) and word not in _STATES:
                sink.note(record, "state", "UNKNOWN_WORD", word)


def table_rows(
    file: EvidenceFile, sink: Sink, *, needed: Sequence[str] = ()
) -> Iterator[tuple[Record, Mapping[str, str]]]:
    """The rows of a CSV as cells by column, blanks cut; rows that are none end in the sink.

    Refuses a file whose header repeats a column or lacks one of those needed.
    """
    header = file.header or ()
    missing = [name for name in needed if name not in header]
    if missing:
        raise EvidenceRefused(
            "the header lacks a column that the format has",
            path=file.path,
            line=1,
            field=missing[0],
            remedy="export it again with its header, or declare another format",
        )
    if len(set(header)) != len(header):
        raise EvidenceRefused(
            "a column stands twice in the header",
            path=file.path,
            line=1,
            remedy="name every column once, and export again",
        )
    for record, cells in file.rows():
        if cells is None:
            sink.reject(record, "CSV_SYNTAX", "the row is not UTF-8 text with closed quotes")
        elif not cells:
            sink.skip(record, "blank line")
        elif len(cells) != len(header):
            reason = f"the row has {len(cells)} cells, the header {len(header)}"
            sink.reject(record, "CSV_FIELDS", reason)
        else:
            yield record, dict(zip(header, (cell.strip() for cell in cells), strict=True))


def earlier(instant: Instant, seconds: float) -> Instant:
    """The instant so many seconds before, with the same uncertainty."""
    by = timedelta(seconds=seconds)
    return replace(instant, at=instant.at - by, lo=instant.lo - by, hi=instant.hi - by, nanos=0)


_CLOCK = re.compile(
    r"(?:(?P<days>[+-]?\d{1,6})(?: days?)? )?(?P<sign>[+-]?)"
    r"(?P<h>\d{1,6}):(?P<m>\d\d):(?P<s>\d\d(?:\.\d{1,9})?)|(?P<only>[+-]?\d{1,6}) days?",
    re.ASCII,
)
_ISO = re.compile(
    r"P(?:(?P<days>-?\d{1,6})D)?(?:T(?:(?P<h>-?\d{1,6})H)?(?:(?P<m>-?\d{1,6})M)?"
    r"(?:(?P<s>-?\d{1,9}(?:\.\d{1,9})?)S)?)?",
    re.ASCII,
)
_VERBOSE = re.compile(
    r"@ (?:(?P<days>-?\d{1,6}) days? ?)?(?:(?P<h>-?\d{1,6}) hours? ?)?"
    r"(?:(?P<m>-?\d{1,6}) mins? ?)?(?:(?P<s>-?\d{1,9}(?:\.\d{1,9})?) secs?)?(?P<ago> ?ago)?",
    re.ASCII,
)


def interval_seconds(text: str) -> float | None:
    """Length of an interval in any IntervalStyle of PostgreSQL, in seconds; None where empty.

    Raises ValueError for other text, and for months and years, which have no fixed length.
    """
    if not text:
        return None
    match = _CLOCK.fullmatch(text)
    if match is not None:
        if match["only"]:
            return float(match["only"]) * 86_400
        clock = int(match["h"]) * 3600 + int(match["m"]) * 60 + float(match["s"])
        return int(match["days"] or 0) * 86_400 + (-clock if match["sign"] == "-" else clock)
    match = _ISO.fullmatch(text) or _VERBOSE.fullmatch(text)
    if match is None or not any(match.group("days", "h", "m", "s")):
        raise ValueError(f"{text[:40]!r} is no interval of days and hours")
    days, hours, minutes, seconds = (float(match[part] or 0) for part in ("days", "h", "m", "s"))
    total = days * 86_400 + hours * 3600 + minutes * 60 + seconds
    return -total if match.groupdict().get("ago") else total
