"""Audit events as `ausearch --format csv` prints them.

Source: ausearch(8), and runs of the tool.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.readers.pg_stat_replication import table_rows
from toolkit.timestamps import Instant, TimeError, TimeRule, parse

_NEEDED = {"EVENT", "DATE", "TIME", "SERIAL_NUM", "EVENT_KIND", "SUBJ_PRIME", "ACTION", "RESULT"}
_EXTRA = {"YEAR", "MONTH", "DAY", "GMT_OFFSET"}
_OUTCOME = {"success": "success", "failed": "failure"}
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)", re.ASCII)
_ISO = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ORDERS = {"month-first": "%m/%d/%y", "day-first": "%d/%m/%y", "year-first": "%y/%m/%d"}
_EMPTY = ("", "unset", "unknown", "?", "(null)")


class AusearchReader(Reader):
    name = "ausearch"
    title = "Linux audit events (ausearch --format csv)"
    fills = ("maintenance_event",)
    obtain = "ausearch --format csv --extra-time --start 03/08/2022 > FILE.csv"
    traps: ClassVar[tuple[str, ...]] = (
        "without --extra-time a date has two digits for its year, in an order that the machine's"
        " language sets, and no zone: declare zone and order",
        "command lines are missing: a command is its program only; the raw log has them",
        "names of accounts are those of the machine on which ausearch ran",
    )
    sample = (
        b"NODE,EVENT,DATE,TIME,YEAR,MONTH,DAY,WEEKDAY,HOUR,GMT_OFFSET,SERIAL_NUM,EVENT_KIND,"
        b"SESSION,SUBJ_PRIME,SUBJ_SEC,SUBJ_KIND,ACTION,RESULT,OBJ_PRIME,OBJ_SEC,OBJ_KIND,HOW\n"
        b",SYSCALL,03/09/22,02:00:05,2022,3,9,3,2,-07:00,4211,audit-rule,7,op-x,root,"
        b"privileged-acct,executed,success,/usr/sbin/stor-ctl,,file,stor-ctl\n"
        b",SERVICE_STOP,03/09/22,02:00:09,2022,3,9,3,2,-07:00,4212,service,unset,system,,"
        b"sys-acct,stopped-service,success,replicator,,service,systemd\n"
    )

    def matches(self, file: EvidenceFile) -> bool:
        return file.header is not None and set(file.header) >= _NEEDED

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        header = set(file.header or ())
        for column in sorted(_NEEDED - header):
            raise EvidenceRefused(
                "the header has no such column",
                path=file.path,
                line=1,
                field=column,
                remedy="export again with ausearch --format csv --extra-time",
            )
        has_extra = header >= _EXTRA
        for record, cells in table_rows(file, sink):
            try:
                at = _extra_time(cells) if has_extra else _declared(file, cells, settings)
            except TimeError as error:
                sink.reject(record, error.code, error.reason, field="occurred_at")
                continue
            prime, second = _cell(cells, "SUBJ_PRIME"), _cell(cells, "SUBJ_SEC")
            shown = [cells.get(key) for key in ("ACTION", "OBJ_PRIME", "OBJ_SEC")]
            how = _cell(cells, "HOW")
            row: dict[str, Value] = {
                "occurred_at": at,
                "action": _cell(cells, "ACTION") or cells["EVENT_KIND"],
                "target": _cell(cells, "OBJ_PRIME") if cells.get("OBJ_KIND") == "service" else None,
                "actor": prime or second,
                "effective_actor": second if prime and second != prime else None,
                "session_id": _cell(cells, "SESSION"),
                "host": _cell(cells, "NODE") or settings.asset_id,
                "outcome": _OUTCOME.get(cells["RESULT"]),
                "message": " ".join([*filter(None, shown), *(("using", how) if how else ())]),
            }
            sink.accept(record, ("maintenance_event", row))


def _cell(cells: Mapping[str, str], column: str) -> str | None:
    value = cells.get(column, "")
    return None if value in _EMPTY else value


def _extra_time(cells: Mapping[str, str]) -> Instant:
    """The time by the columns of --extra-time, which say year and offset."""
    offset = _OFFSET.fullmatch(cells["GMT_OFFSET"])
    if offset is None:
        raise TimeError("TIME_NO_ZONE", "GMT_OFFSET is no offset such as -07:00")
    try:
        year, month, day = (int(cells[key]) for key in ("YEAR", "MONTH", "DAY"))
    except ValueError:
        raise TimeError("TIME_SYNTAX", "YEAR, MONTH and DAY are no numbers") from None
    milli = cells.get("MILLI", "")
    fraction = f".{milli.zfill(3)}" if milli.isdecimal() else ""
    return parse(f"{year:04}-{month:02}-{day:02}T{cells['TIME']}{fraction}{offset[1]}"
                 f"{offset[2]}:{offset[3]}")  # fmt: skip


def _declared(file: EvidenceFile, cells: Mapping[str, str], settings: SourceSettings) -> Instant:
    """The time by the local date, read as the case declares it."""
    if settings.zone is None:
        raise _refused(file, "the times state no zone (TIME_NO_ZONE)", "zone")
    stamp = f"{cells['DATE']} {cells['TIME']}"
    if _ISO.fullmatch(cells["DATE"]):
        return parse(stamp, TimeRule(zone=settings.zone))
    if settings.order is None:
        raise _refused(file, "the order of day and month is not stated (TIME_ORDER)", "order")
    form = f"{_ORDERS[settings.order]} %H:%M:%S"
    return parse(stamp, TimeRule(zone=settings.zone, format=form))


def _refused(file: EvidenceFile, message: str, key: str) -> EvidenceRefused:
    return EvidenceRefused(
        message,
        path=file.path,
        field="DATE",
        remedy=f"export with --extra-time, or declare {key} in case.toml",
    )
