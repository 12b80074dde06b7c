"""The records of evidence that a document cites, and where in it they are printed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolkit.report.facts import CaseFacts, Pointer
from toolkit.report.model import (
    Block,
    Code,
    Document,
    Facts,
    Listing,
    Paragraph,
    Record,
    Section,
    Table,
    Text,
)
from toolkit.report.words import cut

MOST = 500  # records that a document prints beside those on its pages
LONGEST = 700  # characters of a record that are printed

_CITED = re.compile(r"\d+:\d+(, \d+:\d+)*( …)?")
_POINTER = re.compile(r"(\d+:\d+)")


def pointers(text: str) -> list[str]:
    """A quoted text cut into what is a pointer (odd places) and what is not (even places).

    Only a text that holds nothing else than pointers is cut: a time of day is none.
    """
    return _POINTER.split(text) if _CITED.fullmatch(text) else [text]


def records(facts: CaseFacts, document: Document) -> tuple[Record, ...]:
    """The records that a document cites and does not print, in the order of their source.

    At most `MOST`, those cited first; a document for others has none, as its records stay inside.
    """
    if document.public:
        return ()
    printed = {block.pointer for block in _blocks(document.sections) if isinstance(block, Record)}
    cited = dict.fromkeys(pointer for text in _quoted(document) for pointer in pointers(text)[1::2])
    wanted = [pointer for pointer in cited if pointer not in printed][:MOST]
    found = []
    for pointer in sorted(filter(None, map(Pointer.read, wanted)), key=_place):
        record = facts.record(pointer)
        if record is not None:
            found.append(
                Record(
                    f"{pointer.source_id}:{pointer.record_no}", record[0], cut(record[1], LONGEST)
                )
            )
    return tuple(found)


def _place(pointer: Pointer) -> tuple[int, int]:
    return pointer.source_id, pointer.record_no


def anchors(document: Document) -> dict[str, Record]:
    """The place at which each printed record is linked to: its first."""
    found: dict[str, Record] = {}
    for block in (*_blocks(document.sections), *document.records):
        if isinstance(block, Record):
            found.setdefault(block.pointer, block)
    return found


def _blocks(sections: tuple[Section, ...]) -> Iterator[Block]:
    for section in sections:
        yield from section.blocks
        yield from _blocks(section.sections)


def _quoted(document: Document) -> Iterator[str]:
    for block in _blocks(document.sections):
        for text in _texts(block):
            for part in text if isinstance(text, tuple) else (text,):
                if isinstance(part, Code):
                    yield part.text


def _texts(block: Block) -> Iterator[Text]:
    match block:
        case Paragraph():
            yield block.text
        case Listing():
            yield from block.items
        case Facts():
            for _, value in block.items:
                yield from value.items if isinstance(value, Listing) else (value,)
        case Table():
            for row in block.rows:
                yield from row
