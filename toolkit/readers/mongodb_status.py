"""The state of a MongoDB replica set: `rs.status()` as extended JSON.

Source: https://www.mongodb.com/docs/manual/reference/command/replSetGetStatus/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import Object, documents, items, part, peek, text
from toolkit.ingest.reader import Reader, Row, Sink, SourceSettings, Value
from toolkit.timestamps import Instant, TimeError, parse, parse_epoch

# State of a member as (replication_sample, asset_state); an arbiter holds no data.
_STATES: dict[str, tuple[str, str]] = {
    "PRIMARY": ("connected", "healthy"),
    "SECONDARY": ("connected", "healthy"),
    "STARTUP": ("running", "degraded"),
    "STARTUP2": ("running", "degraded"),
    "RECOVERING": ("running", "degraded"),
    "ROLLBACK": ("running", "degraded"),
    "ARBITER": ("skipped", "healthy"),
    "DOWN": ("disconnected", "failed"),
    "(not reachable/healthy)": ("disconnected", "failed"),
    "REMOVED": ("disconnected", "removed"),
    "UNKNOWN": ("unknown", "unknown"),
}


class MongodbStatusReader(Reader):
    name = "mongodb_status"
    title = "MongoDB replica set status (extended JSON)"
    fills = ("replication_sample", "asset_state")
    obtain = "mongosh --quiet --eval 'EJSON.stringify(rs.status())' > FILE.json"
    traps: ClassVar[tuple[str, ...]] = (
        "it is the view of one member: a member that it cannot reach may be well",
        "lag is the primary's last operation less the member's: while nothing is written it is 0",
        "what the shell prints without EJSON.stringify is not JSON and is refused",
    )
    sample = (
        b'{"set":"vault","date":{"$date":"2022-03-09T09:00:05.120Z"},"myState":1,"members":[{"_id":'
        b'0,"name":"mds-us-1:27017","health":1,"state":1,"stateStr":"PRIMARY","uptime":8121,'
        b'"optimeDate":{"$date":"2022-03-09T09:00:04Z"}},{"_id":1,"name":"mds-us-2:27017","health":'
        b'1,"state":2,"stateStr":"SECONDARY","optimeDate":{"$date":"2022-03-09T08:59:47Z"},'
        b'"lastHeartbeatMessage":""},{"_id":2,"name":"mds-us-3:27017","health":0,"state":8,'
        b'"stateStr":"(not reachable/healthy)","optimeDate":{"$date":{"$numberLong":"0"}},'
        b'"lastHeartbeatMessage":"Connection refused"}],"ok":1}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        if file.head.lstrip()[:1] == "{" and "ISODate(" in file.head:
            return "stateStr" in file.head and "optimeDate" in file.head
        found = peek(file)
        return bool(found) and all(
            {"set", "date", "members"} <= each.keys()
            and all("stateStr" in member for member in items(each, "members"))
            for each in found
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        if file.json is None and "ISODate(" in file.head:
            raise EvidenceRefused(
                "the output of the shell is not JSON",
                path=file.path,
                remedy="save EJSON.stringify(rs.status()) instead",
            )
        for record, element in file.elements(list(_members(documents(file)))):
            try:
                _send(record, element, settings, sink)
            except TimeError as error:
                sink.reject(record, error.code, error.reason, field="date")


def _members(statuses: list[Any]) -> Iterator[dict[str, Any]]:
    """Every member with the set and the time of its status, and where the primary stood."""
    for status in (each for value in statuses for each in _list(value)):
        members = items(status, "members")
        primary = next((each for each in members if each.get("stateStr") == "PRIMARY"), None)
        for member in members:
            yield {
                "set": text(status, "set"),
                "date": part(status).get("date"),
                "primary": None if primary is None else primary.get("optimeDate"),
                "member": member,
            }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _send(record: Record, element: dict[str, Any], settings: SourceSettings, sink: Sink) -> None:
    member: Object = element["member"]
    name, word = text(member, "name"), text(member, "stateStr") or ""
    at = _date(element["date"])
    if name is None or at is None:
        sink.reject(record, "VALUE_MISSING", "the value is missing", field="name" if at else "date")
        return
    state, asset_state = _STATES.get(word, ("unknown", "unknown"))
    if text(member, "health") == "0":
        state, asset_state = "disconnected", "failed"
    observed: Row = {"observed_at": at, "asset_id": name, "state": asset_state}
    rows: list[tuple[str, Row]] = [("asset_state", observed)]
    if word not in ("PRIMARY", "ARBITER"):
        row: dict[str, Value] = {
            "sampled_at": at,
            "asset_id": name,
            "state": state,
            "job_id": element["set"],
            "error": text(member, "lastHeartbeatMessage"),
        }
        applied, newest = _date(member.get("optimeDate")), _date(element["primary"])
        if applied is not None and applied.at.year > 1970:
            row["recovery_point_at"] = applied
            if newest is not None and applied.at <= newest.at:
                row["lag_seconds"] = (newest.at - applied.at).total_seconds()
        rows.append(("replication_sample", row))
    if sink.accept(record, *rows) and word not in _STATES:
        sink.note(record, "state", "UNKNOWN_WORD", word)


def _date(value: Any) -> Instant | None:
    """A date of extended JSON: `{"$date": "…Z"}`, or milliseconds in one of two forms."""
    held = part(value).get("$date")
    number = part(held).get("$numberLong")
    if number is not None or type(held) is int:
        return parse_epoch(str(held if number is None else number), "ms")
    return parse(held) if isinstance(held, str) else None
