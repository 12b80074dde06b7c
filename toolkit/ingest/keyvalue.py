"""What a log line carries: its text, its JSON object, and its `key=value` words.

Tools that log for this toolkit write `change= step= action= target= outcome= actor= session=
flags= msg=` in any order, with values that hold blanks in double quotes and backslash escapes
inside of them. A message with an `action=` is an event; every other message is kept as action
`log` with its text as it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from toolkit.ingest.container import DuplicateKey, EvidenceFile, Record, parse_json
from toolkit.ingest.reader import Row, Sink, Value
from toolkit.timestamps import Instant

COLUMN_OF_KEY = {
    "change": "change_id",
    "step": "step",
    "action": "action",
    "target": "target",
    "outcome": "outcome",
    "actor": "actor",
    "session": "session_id",
    "flags": "flags",
    "msg": "message",
}

_PAIR = re.compile(
    r"""(?<!\S)(?P<key>[A-Za-z_][\w.\-]*)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>\S*))"""
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CONTROL = {"n": "\n", "t": "\t", "r": "\r"}
# The syslog daemon folds equal messages; the fold is its record, not the tool's.
_FOLDED = re.compile(r"(?:last )?message repeated \d+ times")


class PayloadError(ValueError):
    """The words of a message contradict themselves; `code` and `field` go to the reject."""

    def __init__(self, code: str, reason: str, field: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.field = field


def event_words(
    message: str, fields: Iterable[tuple[str, str]] = ()
) -> dict[str, str | None] | None:
    """The columns of `maintenance_event` that a message and its structured fields state.

    `fields` are pairs that the format itself keeps apart (structured data of RFC 5424, fields of
    the journal). Returns None where no `action` is stated. `message` is the value of `msg=`, else
    the words that are no known pair, else None. Raises PayloadError where a known key stands
    twice with different values, or its quotes do not close.
    """
    pairs = [(key, value) for key, value in fields if key in COLUMN_OF_KEY]
    if not pairs and "action=" not in message:
        return None
    if _FOLDED.match(message):
        return None
    loose: list[str] = []
    end = 0
    for match in _PAIR.finditer(message):
        key, quoted, bare = match.group("key", "quoted", "bare")
        if key not in COLUMN_OF_KEY:
            continue
        if quoted is None and bare.startswith('"'):
            raise PayloadError("KV_QUOTE", f"the quotes of {key}= do not close", key)
        pairs.append((key, bare if quoted is None else _ESCAPE.sub(_unescape, quoted)))
        loose.append(message[end : match.start()].strip())
        end = match.end()
    loose.append(message[end:].strip())

    words: dict[str, str | None] = {}
    for key, value in pairs:
        column = COLUMN_OF_KEY[key]
        if words.get(column) not in (None, value):
            raise PayloadError("KV_DUPKEY", f"{key}= stands twice with different values", key)
        words[column] = value or None
    if words.get("action") is None:
        return None
    words.setdefault("message", " ".join(part for part in loose if part) or None)
    return words


def _unescape(match: re.Match[str]) -> str:
    return _CONTROL.get(match[1], match[1])


def message_row(
    row: Row,
    message: str,
    *,
    fields: Sequence[tuple[str, str]] = (),
    shown: str | None = None,
) -> dict[str, Value]:
    """The row of `maintenance_event` for one log message: an event where it states an action.

    `row` holds what the header of the record states; `shown` is the text to keep where the message
    is no event (by default the message). Raises PayloadError as `event_words` does.
    """
    words = event_words(message, fields)
    if words is None:
        return {**row, "action": "log", "message": (message if shown is None else shown) or None}
    # An outcome outside of the vocabulary becomes `unknown`, with a note, in the sink.
    return {**row, **words}


def mostly_lines(file: EvidenceFile, fits: Callable[[str], bool]) -> bool:
    """Whether at least half of the lines seen across a file fit.

    A line that is set in belongs to the one before it, and does not count.
    """
    if file.is_parquet:
        return False
    known = seen = 0
    for record in file.spread:
        if record.raw[:1] in (b" ", b"\t"):
            continue
        seen += 1
        known += fits(record.raw.decode("utf-8", errors="replace"))
    return known > 0 and known * 2 >= seen


def line_text(record: Record, sink: Sink) -> str | None:
    """The text of a record; None after rejecting one that is not UTF-8 or holds NUL bytes."""
    try:
        text = record.raw.decode("utf-8")
    except UnicodeDecodeError as error:
        sink.reject(record, "TEXT_ENCODING", f"byte {error.start} of the line is not UTF-8")
        return None
    if "\0" in text:
        sink.reject(record, "TEXT_NUL", "the line holds NUL bytes")
        return None
    return text


def line_object(record: Record, sink: Sink) -> dict[str, Any] | None:
    """The JSON object of a line; None after rejecting or, for a blank line, skipping it."""
    if not record.raw.strip():
        sink.skip(record, "blank line")
        return None
    try:
        value = parse_json(record.raw)
    except UnicodeDecodeError as error:
        sink.reject(record, "TEXT_ENCODING", f"byte {error.start} of the line is not UTF-8")
        return None
    except DuplicateKey as error:
        sink.reject(record, "JSON_DUPKEY", str(error))
        return None
    except json.JSONDecodeError as error:
        sink.reject(record, "JSON_SYNTAX", f"the line is not JSON ({error.msg})")
        return None
    except (ValueError, RecursionError) as error:
        sink.reject(record, "JSON_SYNTAX", f"the line is not JSON ({error})")
        return None
    if not isinstance(value, dict):
        sink.reject(record, "JSON_SYNTAX", "the line is JSON, but no object")
        return None
    return value


def objects(file: EvidenceFile) -> Sequence[dict[str, Any]]:
    """The JSON objects among a spread of the lines, for recognition.

    Empty unless the first line is one and at most one line, or one in ten, is none: a cut last
    line or a note of the wrapper must not hide what the file is. Nor must a repeated key, which
    rejects its line later.
    """
    if file.head.lstrip()[:1] != "{":
        return ()
    found: list[dict[str, Any]] = []
    others = 0
    for record in file.spread:
        try:
            value = json.loads(record.raw)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            found.append(value)
        elif not found:
            return ()
        else:
            others += 1
    return found if others <= max(1, len(found) // 10) else ()


def flagged(instant: Instant, *flags: str) -> Instant:
    """The same instant with more flags: how its reading came about, where a file says it."""
    return replace(instant, flags=tuple(sorted({*instant.flags, *flags})))
