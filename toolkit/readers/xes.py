"""Event logs in XES (IEEE 1849), the exchange format of process mining.

Source: https://xes-standard.org (IEEE Std 1849-2016; concept, time, org, lifecycle extensions).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree as SafeTree
from defusedxml.common import DefusedXmlException

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import compact
from toolkit.ingest.keyvalue import COLUMN_OF_KEY
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value

_ROOT = re.compile(r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*<log[\s>]", re.DOTALL)
_MARKS = ("xes.version", "xes.features", "xes-standard.org", "concept:name")
_COLUMNS = {
    "concept:name": "action",
    "time:timestamp": "occurred_at",
    "org:resource": "actor",
    **COLUMN_OF_KEY,
    "change_id": "change_id",
    "host": "host",
}
# What one of these says of its activity is that it was stopped, not how it ended.
_STOPPED = ("ate_abort", "pi_abort", "withdraw")


class XesReader(Reader):
    name = "xes"
    title = "XES event log (IEEE 1849)"
    fills = ("maintenance_event",)
    obtain = "export the log of the workflow or process mining tool as XES (gzip is read as it is)"
    traps: ClassVar[tuple[str, ...]] = (
        "a trace is read as a session: that it is a registered change must be stated, by an"
        " attribute change or change_id of the trace or the event",
        "lifecycle:transition complete says that an activity ended, not that it went well",
        "attributes without a column stay in the message",
    )
    sample = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<log xes.version="1849.2016" '
        b'xmlns="http://www.xes-standard.org/">\n<trace><string key="concept:name" '
        b'value="CHG0039901"/><event><string key="concept:name" value="detach"/><date '
        b'key="time:timestamp" value="2022-03-09T02:00:03.275-07:00"/><string key="org:resource" '
        b'value="op-x"/><string key="lifecycle:transition" value="complete"/><string '
        b'key="target" value="meta2"/></event></trace>\n</log>\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        return (
            _ROOT.match(file.head) is not None
            and any(mark in file.head for mark in _MARKS)
            and "<trace" in file.head
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        for record, event in file.elements(list(_events(_root(file)))):
            _send(record, event, sink)


def _root(file: EvidenceFile) -> Element:
    try:
        root: Element = SafeTree.fromstring(file.data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        line = error.position[0] if isinstance(error, ParseError) else None
        reason = "it declares entities" if isinstance(error, DefusedXmlException) else error
        raise EvidenceRefused(
            f"the file is not plain XML ({reason})",
            path=file.path,
            line=line,
            remedy="export the log again",
        ) from None
    if _local(root) != "log":
        raise EvidenceRefused(
            f"the root is {_local(root)[:40]!r}, not a log",
            path=file.path,
            remedy="export the log as XES",
        )
    return root


def _events(root: Element) -> Iterator[dict[str, dict[str, str]]]:
    """Every event with the attributes of its trace; what the log declares globally is none."""
    for node in root:
        if _local(node) == "event":
            yield {"trace": {}, "event": _attributes(node)}
        elif _local(node) == "trace":
            trace = _attributes(node)
            for child in node:
                if _local(child) == "event":
                    yield {"trace": trace, "event": _attributes(child)}


def _attributes(node: Element) -> dict[str, str]:
    """The attributes directly below a node, by key, with their values as written."""
    return {
        key: value
        for child in node
        if (key := child.get("key")) is not None and (value := child.get("value")) is not None
    }


def _local(node: Element) -> str:
    return str(node.tag).rpartition("}")[2]


def _send(record: Record, event: dict[str, Any], sink: Sink) -> None:
    trace, own = event["trace"], event["event"]
    change = trace.get("change_id") or trace.get("change")
    row: dict[str, Value] = {"session_id": trace.get("concept:name"), "change_id": change}
    rest = {key: value for key, value in own.items() if key not in _COLUMNS}
    for key, column in _COLUMNS.items():
        if key in own:
            row[column] = own[key]
    if own.get("lifecycle:transition") in _STOPPED:
        row.setdefault("outcome", "failure")
    row.setdefault("message", compact(rest))
    sink.accept(record, ("maintenance_event", row))
