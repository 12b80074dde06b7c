"""JSON evidence: its records as objects, and their values as text.

An export of one tool comes as a list, as an object around a list, as one object a line, or as
objects one after another, by how it was fetched. Values are picked by path; what is absent, empty
or of another shape than expected is None, so that a reader says what it needs and rejects the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import SPREAD, EvidenceFile, Record, parse_json
from toolkit.ingest.keyvalue import line_object, objects
from toolkit.ingest.reader import Sink

Object = dict[str, Any]

_BLANK = re.compile(r"[ \t\r\n]*")


def load(file: EvidenceFile) -> Any:
    """The whole file as one JSON value; refuses a file that is none, with the line of the fault."""
    if file.json is not None:
        return file.json
    try:
        return parse_json(file.data)
    except (ValueError, RecursionError) as error:
        raise _not_json(file, error) from None


def documents(file: EvidenceFile) -> list[Any]:
    """The JSON values of a file that holds one or several, one after another."""
    if file.json is not None:
        return [file.json]
    found: list[Any] = []
    try:
        text = file.data.decode("utf-8")
        start = _BLANK.match(text).end()  # type: ignore[union-attr]
        while start < len(text):
            _, end = json.JSONDecoder().raw_decode(text, start)
            found.append(parse_json(text[start:end]))
            start = _BLANK.match(text, end).end()  # type: ignore[union-attr]
    except (ValueError, RecursionError) as error:
        raise _not_json(file, error) from None
    return found


def records(file: EvidenceFile, sink: Sink, *lists: str) -> Iterator[tuple[Record, Object]]:
    """The records of a file as objects; what is no object ends in the sink.

    They are the elements of the file's list, or of the first list found under the keys `lists`;
    else the objects of its lines, or the file's single object. Refuses a file that is no JSON.
    """
    value = file.json
    found = _elements(value, lists)
    if found is None and value is None and objects(file):
        for record in file.lines():
            entry = line_object(record, sink)
            if entry is not None:
                yield record, entry
        return
    for record, element in file.elements([load(file)] if found is None else found):
        if isinstance(element, dict):
            yield record, element
        else:
            sink.reject(record, "RECORD_SHAPE", "the record is not a JSON object")


def peek(file: EvidenceFile, *lists: str) -> Sequence[Object]:
    """Up to 200 of the records that `records` would give, for recognition; empty if one is none."""
    value = file.json
    found = _elements(value, lists)
    if found is None:
        return [value] if isinstance(value, dict) else objects(file)
    if len(found) > SPREAD:
        step = (len(found) - 1) / (SPREAD - 1)
        found = [found[round(index * step)] for index in range(SPREAD)]
    return found if all(isinstance(element, dict) for element in found) else ()


def part(value: Any, *path: str) -> Object:
    """The object at a path of keys; empty where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def items(value: Any, *path: str) -> list[Object]:
    """The objects of the list at a path of keys; empty where there is none."""
    *above, last = path
    found = part(value, *above).get(last)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def text(value: Any, *path: str) -> str | None:
    """The scalar at a path of keys as text; None where it is absent, null, empty or nested.

    Characters that no text column can hold (NUL, halves of surrogate pairs) are shown escaped.
    """
    if path:
        *above, last = path
        value = part(value, *above).get(last)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return printable(value) or None if isinstance(value, str) else None


def printable(value: str) -> str:
    """Text without what no text column can hold: NUL and halves of surrogate pairs, escaped."""
    return value.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def compact(value: Any, limit: int = 2000) -> str | None:
    """A nested value as one line of JSON for people to read, cut after `limit` characters."""
    if value in (None, {}, []):
        return None
    shown = printable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _elements(value: Any, lists: Sequence[str]) -> list[Any] | None:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return next((value[key] for key in lists if isinstance(value.get(key), list)), None)
    return None


def _not_json(file: EvidenceFile, error: Exception) -> EvidenceRefused:
    return EvidenceRefused(
        f"the file is not JSON ({str(error)[:120]})",
        path=file.path,
        line=getattr(error, "lineno", None),
        remedy="export it again, and save the answer unchanged",
    )
