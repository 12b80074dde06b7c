"""What readers of status pages share: nested values as text, words, times, and sending records.

A status page answers with incidents that hold their updates. A reader flattens them into one
element per update and says which rows an element makes; what cannot be read ends as a reject.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile, parse_json
from toolkit.ingest.reader import Row, Sink
from toolkit.timestamps import Instant, TimeError, TimeRule, parse, parse_epoch

Notes = list[tuple[str, str, str]]
"""Column, code and raw value of what was taken, but not as it stood."""

Rows = list[tuple[str, Row]]

_SURROGATE = re.compile("[\ud800-\udfff]")


class Unreadable(ValueError):
    """A field of an element cannot be read; the record is rejected."""

    def __init__(self, field: str, reason: str, code: str = "FIELD_TYPE") -> None:
        super().__init__(reason)
        self.field, self.reason, self.code = field, reason, code


class Silent(Exception):
    """An element says nothing by its format's own definition; the record is skipped."""


def document(file: EvidenceFile, remedy: str) -> Any:
    """The whole file as JSON; raises `EvidenceRefused`, with the line, where it is none."""
    if file.json is not None:
        return file.json
    try:
        return parse_json(file.data)
    except (ValueError, RecursionError) as error:
        raise EvidenceRefused(
            f"the file is not JSON ({error})",
            path=file.path,
            line=getattr(error, "lineno", None),
            remedy=remedy,
        ) from None


def send(
    file: EvidenceFile,
    sink: Sink,
    elements: Sequence[Any],
    rows: Callable[[dict[str, Any], Notes], Rows],
) -> None:
    """Send every element to the sink as the rows that `rows` makes of it.

    `rows` raises `Unreadable` for what it cannot read and `Silent` for what says nothing.
    """
    for record, element in file.elements(elements):
        notes: Notes = []
        try:
            if not isinstance(element, dict):
                raise Unreadable("", "not a JSON object", "RECORD_SHAPE")
            found = rows(element, notes)
        except Silent as reason:
            sink.skip(record, str(reason))
        except Unreadable as fault:
            sink.reject(record, fault.code, fault.reason, field=fault.field or None)
        else:
            if sink.accept(record, *found):
                for column, code, raw in notes:
                    sink.note(record, column, code, raw)


def text(value: Mapping[str, Any], field: str) -> str | None:
    """A field as text; empty and absent are both NULL.

    Raises `Unreadable` for nested values and for half a character, which JSON can escape.
    """
    found = value.get(field)
    if found is None or found == "":
        return None
    if not isinstance(found, str | int | float):
        raise Unreadable(field, "a nested value where a text is expected")
    shown = str(found)
    if not shown.isascii() and _SURROGATE.search(shown):
        raise Unreadable(field, "half of a surrogate pair, which is no text", "TEXT_NOT_UNICODE")
    return shown


def inner(value: Mapping[str, Any], field: str) -> dict[str, Any]:
    """A field that holds an object; absent and null are the empty one."""
    found = value.get(field)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Unreadable(field, "not a JSON object", "RECORD_SHAPE")
    return found


def items(value: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    """A field that holds a list of objects; absent and null are the empty one."""
    found = value.get(field)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Unreadable(field, "not a list of objects", "RECORD_SHAPE")
    return found


def listed(file: EvidenceFile, value: Mapping[str, Any], field: str) -> list[Any]:
    """A list that the file's structure rests on; refuses the file where it is something else.

    Compatible pages write an empty one as null or leave it out.
    """
    found = value.get(field)
    if found is None:
        return []
    if not isinstance(found, list):
        raise EvidenceRefused(
            "not a list",
            path=file.path,
            field=field,
            remedy="give the answer of the page's API, unchanged",
        )
    return found


def flatten(incidents: Iterable[Any], updates: str, **about: Any) -> list[Any]:
    """One element per update: `{"incident": …, "update": …}`; an incident without any has one.

    `about` is added to every element. What is no incident is handed on as it is.
    """
    found: list[Any] = []
    for incident in incidents:
        if not isinstance(incident, dict):
            found.append(incident)
            continue
        bare = {name: each for name, each in incident.items() if name != updates}
        held = incident.get(updates)
        for update in (held if isinstance(held, list) else [held]) or [None]:
            found.append({**about, "incident": bare, "update": update})
    return found


def update_of(element: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The incident and the update of an element; None where the incident has no update."""
    update = element.get("update")
    if update is not None and not isinstance(update, dict):
        raise Unreadable("updates", "an update is not a JSON object", "RECORD_SHAPE")
    return inner(element, "incident"), update


def translate(raw: str | None, words: Mapping[str, str | None], column: str, notes: Notes) -> str:
    """A state of the format as one of ours; a word that is not known is `unknown`, and noted."""
    if raw is None:
        return "unknown"
    found = words.get(word(raw))
    if found is None:
        notes.append((column, "UNKNOWN_WORD", raw))
        return "unknown"
    return found


def component_word(
    raw: str | None, words: Mapping[str, str | None], column: str, notes: Notes
) -> str | None:
    """A component's status as one of ours; NULL where the page's word has no equal, and noted."""
    if raw is None:
        return None
    if word(raw) not in words:
        notes.append((column, "UNKNOWN_WORD", raw))
        return None
    return words[word(raw)]


def word(raw: str) -> str:
    """A word as it compares: lower case, without separators at its ends or within."""
    return re.sub(r"[\s_-]+", "_", raw.strip().lower())


def epoch(value: object, unit: str, field: str) -> Instant | None:
    """A number since 1970 as an instant; raises `Unreadable` with the code of the fault."""
    if value is None or value == "":
        return None
    if not isinstance(value, str | int | float):
        raise Unreadable(field, "a nested value where a time is expected")
    try:
        return parse_epoch(value, unit)
    except TimeError as error:
        raise Unreadable(field, error.reason, error.code) from None


def instant(raw: str, rule: TimeRule, field: str) -> Instant:
    """A time as an instant; raises `Unreadable` with the code of the fault."""
    try:
        return parse(raw, rule)
    except TimeError as error:
        raise Unreadable(field, error.reason, error.code) from None


def later(edited: str | None, written: str | None, zone: str | None = None) -> str | None:
    """The time of the last edit, if there was one after the update was written."""
    if edited is None or written is None:
        return edited
    try:
        rule = TimeRule(zone=zone)
        return edited if parse(edited, rule).at > parse(written, rule).at else None
    except TimeError:
        # The sink reads both again, and rejects the record with the field that is at fault.
        return edited


def plain_text(markup: str) -> str:
    """What an HTML fragment says: its text, with a line for every line or paragraph of it."""
    reader = _Text()
    reader.feed(markup)
    reader.close()
    lines = [" ".join(line.split()) for line in "".join(reader.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Text(HTMLParser):
    """Gathers the text of a fragment. Script and style are text that no page shows."""

    BREAKS = frozenset({"br", "p", "div", "li", "ul", "ol", "tr", "h1", "h2", "h3", "h4"})
    HIDDEN = frozenset({"script", "style"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in self.HIDDEN
        if tag in self.BREAKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in self.HIDDEN and self._hidden > 0
        if tag == "p":
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data.replace("\n", " "))
