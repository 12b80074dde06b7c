"""A day of a Slack channel, from a workspace export.

Source: https://slack.com/help/articles/220556107 (how exports are made and what they hold).
"""

from __future__ import annotations

import re
from typing import ClassVar

from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import Object, items, part, peek, records, text
from toolkit.ingest.reader import Reader, Sink, SourceSettings, Value
from toolkit.timestamps import TimeError, parse_epoch

_TS = re.compile(r"\d{9,10}\.\d{6}", re.ASCII)


class SlackReader(Reader):
    name = "slack"
    title = "Slack channel export (one day, JSON)"
    fills = ("maintenance_event",)
    obtain = "workspace export: unpack it, and give CHANNEL/YYYY-MM-DD.json of the channels"
    traps: ClassVar[tuple[str, ...]] = (
        "what people wrote is kept as action log: a chat message is no record of an action",
        "people are ids (U012AB): state alias rows to name them",
        "the file does not name its channel, and its day is in the zone of the exporter",
        "an edited message holds its last text only; a deleted one is absent",
        "a reply that was also sent to the channel may stand in two places",
    )
    sample = (
        b'[{"type":"message","user":"U0EXAMPLE1","text":"Detaching meta2 on mds-us-1 now &amp; '
        b'watching replication","ts":"1646816400.120309","team":"T0EXAMPLE"},\n'
        b'{"type":"message","subtype":"bot_message","bot_id":"B0EXAMPLE","username":"pager",'
        b'"text":"","attachments":[{"fallback":"[FIRING] replication lag on fs1"}],'
        b'"ts":"1646816461.000200","thread_ts":"1646816400.120309"}]\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        found = peek(file)
        return (
            isinstance(file.json, list)
            and bool(found)
            and all(
                each.get("type") == "message" and _TS.fullmatch(str(each.get("ts"))) is not None
                for each in found
            )
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        for record, message in records(file, sink):
            _send(record, message, sink)


def _send(record: Record, message: Object, sink: Sink) -> None:
    try:
        occurred = parse_epoch(_stamp(message, "ts"), "s")
        edited = part(message, "edited")
        row: dict[str, Value] = {
            "occurred_at": occurred,
            "action": "log",
            "actor": text(message, "user") or text(message, "username") or text(message, "bot_id"),
            "session_id": text(message, "thread_ts"),
            "message": _shown(message),
            "edited_at": parse_epoch(_stamp(edited, "ts"), "s") if "ts" in edited else None,
        }
    except TimeError as error:
        sink.reject(record, error.code, error.reason, field="ts")
        return
    sink.accept(record, ("maintenance_event", row))


def _stamp(value: Object, key: str) -> str:
    """A time as its text: as a number it would have lost digits."""
    stamp = value.get(key)
    if not isinstance(stamp, str):
        raise TimeError("TIME_SYNTAX", "the time is no text; export it as Slack writes it")
    return stamp


def _shown(message: Object) -> str | None:
    """The text, else that of its attachments, with the names of its files."""
    parts = [text(message, "text")]
    if parts == [None]:
        parts = [
            text(each, "fallback") or text(each, "text") for each in items(message, "attachments")
        ]
    parts += [f"[file: {text(each, 'name')}]" for each in items(message, "files")]
    shown = "\n".join(each for each in parts if each)
    for code, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        shown = shown.replace(code, sign)
    return shown or None
