"""What a report says, before anything decides how it looks.

A report is a tree of documents, sections and blocks. Every rendering (PDF, HTML, Markdown, JSON)
is made of this one tree, so that none of them can say something that the others do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, cast

Kind = Literal["review", "audit", "summary"]
KINDS: tuple[Kind, ...] = ("review", "audit", "summary")


# -- text --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Code:
    """Something quoted letter by letter: an identifier, a digest, a command."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """Words that carry the sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference to another section of the same document."""

    text: str
    target: str


@dataclass(frozen=True, slots=True)
class Status:
    """A word of a closed vocabulary; shown with a sign of its own, so that colour is no carrier."""

    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """The relations or queries that the words before it rest on."""

    text: str


Inline = str | Code | Strong | Ref | Status | Source
Text = Inline | tuple[Inline, ...]


def plain(text: Text) -> str:
    """The words of a text without their markup."""
    if isinstance(text, str):
        return text
    if isinstance(text, tuple):
        return "".join(plain(part) for part in text)
    return text.text


def without_source(text: Text) -> tuple[Inline, ...]:
    """A text without the relations that it rests on."""
    parts = text if isinstance(text, tuple) else (text,)
    return tuple(part for part in parts if not isinstance(part, Source))


# -- pictures ----------------------------------------------------------------------------------

Shape = Literal["event", "exception", "irreversible", "post", "alert", "notice", "change", "onset"]


@dataclass(frozen=True, slots=True)
class Mark:
    """One event in a lane; `number` is the row of the table that explains it.

    `early` and `late` bound the time where the evidence leaves it open by more than a minute.
    """

    at: datetime
    shape: Shape
    text: str
    number: int | None = None
    early: datetime | None = None
    late: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    name: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Swimlanes:
    """Events of several sources on one time axis, above the number of machines in a gap.

    `gaps` is a step function: from each instant on, so many machines lack a recovery point.
    """

    start: datetime
    end: datetime
    lanes: tuple[Lane, ...]
    gaps: tuple[tuple[datetime, int], ...] = ()

    def highest(self) -> int:
        """Most machines in a gap at one time between start and end."""
        before = [count for at, count in self.gaps if at <= self.start]
        inside = [count for at, count in self.gaps if self.start < at <= self.end]
        return max([*before[-1:], *inside], default=0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """An interval in which a state held."""

    start: datetime
    end: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Strip:
    """What was said and what was measured about one region."""

    name: str
    said: tuple[Stretch, ...]
    measured: tuple[Stretch, ...]
    verdict: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Strips:
    start: datetime
    end: datetime
    strips: tuple[Strip, ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """Parts of wholes, one bar per label; each part is (state, count)."""

    bars: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Shares per row and day, from 0 to 1; None where nothing is on record.

    `unit` says of what the share is, for the key: "machines without a recovery point".
    """

    days: tuple[date, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Node:
    """One asset, or `count` assets of one kind that depend on the same things.

    `state` is a word of: cannot_be_undone, failed, acted_on, affected, no_gap_on_record,
    unknown. `level` is the distance from what was acted on or failed (0).
    """

    id: str
    text: str
    level: int
    state: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """What depends on what was acted on: nodes by level, and (from, to, relation) between them."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Barrier:
    """A check that stands between an operation and harm, and what the record shows of it.

    `state` is a word of: held, absent, late, overridden, undetermined, not_run.
    """

    name: str
    state: str
    text: str


@dataclass(frozen=True, slots=True)
class Barriers:
    """From the step that was carried out, past each barrier, to what happened."""

    source: str
    barriers: tuple[Barrier, ...]
    outcome: str


@dataclass(frozen=True, slots=True)
class BurnDown:
    """How many remain at each time, and the forecast from `as_of` on.

    `remaining` is a step function. `early`, `middle` and `late` are when the forecast's 10, 50 and
    90 percent points reach zero; None where it does not say.
    """

    start: datetime
    end: datetime
    remaining: tuple[tuple[datetime, int], ...]
    unit: str
    as_of: datetime | None = None
    early: datetime | None = None
    middle: datetime | None = None
    late: datetime | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One series; `marks` are instants with a word, such as an onset."""

    name: str
    points: tuple[tuple[datetime, float], ...]
    marks: tuple[tuple[datetime, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SmallMultiples:
    """Series of one unit on one scale of time and value."""

    start: datetime
    end: datetime
    panels: tuple[Panel, ...]
    unit: str


Picture = Swimlanes | Strips | Bars | HeatMap | BlastRadius | Barriers | BurnDown | SmallMultiples


# -- blocks ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Paragraph:
    """`query` names the relations or queries that the numbers come from."""

    text: Text
    query: str = ""
    tone: Literal["plain", "lead", "note"] = "plain"


@dataclass(frozen=True, slots=True)
class Listing:
    """`more` follows the last item where the list goes on elsewhere."""

    items: tuple[Text, ...]
    ordered: bool = False
    more: Text = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Labelled facts, in the order in which they are read; one may be a list."""

    items: tuple[tuple[str, Text | Listing], ...]


ColumnKind = Literal["text", "number", "time", "code", "digest"]


@dataclass(frozen=True, slots=True)
class Column:
    """`share` is the column's part of the width; 0 leaves it to the content."""

    title: str
    kind: ColumnKind = "text"
    share: int = 0


def columns(head: str) -> tuple[Column, ...]:
    """The columns of a table head: `No. {number 5} | Time {time 20} | What is on record`."""
    found = []
    for part in head.split(" | "):
        title, _, rest = part.partition(" {")
        kind, share = "text", 0
        for word in rest.rstrip("}").split():
            if word.isdigit():
                share = int(word)
            else:
                kind = word
        found.append(Column(title, cast(ColumnKind, kind), share))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Table:
    """`form` marks a table whose empty cells are to be filled in by people."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Text, ...], ...]
    query: str = ""
    note: str = ""
    form: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A record of evidence as it was read."""

    pointer: str
    origin: str
    text: str


@dataclass(frozen=True, slots=True)
class Figure:
    """`description` says in words what the picture shows; it becomes the alternative text."""

    caption: str
    description: str
    picture: Picture
    query: str = ""


Block = Paragraph | Listing | Facts | Table | Record | Figure


@dataclass(frozen=True, slots=True)
class Section:
    id: str
    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()
    new_page: bool = False
    kept: bool = False  # on one page, where it is no longer than that


@dataclass(frozen=True, slots=True)
class Document:
    """`public` documents leave the house: the full lists do not travel with them.

    `cover` stands on the first page of what is printed, above the contents; it says nothing that
    the sections do not say. `records` are those that the sections cite and do not print; the page
    on screen links to them.
    """

    kind: Kind
    title: str
    subtitle: str
    sections: tuple[Section, ...]
    public: bool = False
    cover: tuple[Block, ...] = ()
    records: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that travels inside the PDF."""

    name: str
    description: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """A case as its reports tell it.

    `zone` is the IANA zone of the pictures' axes. `dated` is the end of what is reviewed, and
    stands in for a date of making: the same evidence gives the same bytes.
    """

    case_id: str
    title: str
    state: str
    window: str
    digest: str
    dated: datetime
    zone: str
    documents: Mapping[Kind, Document]
    attachments: tuple[Attached, ...]
