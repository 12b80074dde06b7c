"""The document as Markdown (GitHub's flavour), with everything of the evidence escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolkit.report.model import (
    Block,
    Code,
    Document,
    Facts,
    Figure,
    Listing,
    Paragraph,
    Record,
    Ref,
    Report,
    Section,
    Source,
    Status,
    Strong,
    Table,
    Text,
)

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#~$&!])")


def document(report: Report, told: Document) -> str:
    """The whole document; headings carry anchors for the references."""
    head = [
        f"# {_escaped(report.title)}",
        f"{told.title}. {_escaped(told.subtitle)}",
        f"- Case: {_code(report.case_id)}\n- State: {report.state}\n- Window under review: "
        f"{_escaped(report.window)}\n- Case digest: {_code(report.digest)}",
    ]
    body = [part for section in told.sections for part in _section(section, 2)]
    return "\n\n".join([*head, *body]) + "\n"


def marked(text: str, classification: str) -> str:
    """The document with its classification above and below."""
    if not classification:
        return text
    return f"**{_escaped(classification)}**\n\n{text}\n**{_escaped(classification)}**\n"


def _section(section: Section, level: int) -> Iterator[str]:
    yield f'<a id="{section.id}"></a>\n\n{"#" * min(level, 6)} {_escaped(section.title)}'
    for block in section.blocks:
        yield _block(block)
    for inner in section.sections:
        yield from _section(inner, level + 1)


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return _text(block.text) + _source(block.query)
        case Listing():
            sign = "1." if block.ordered else "-"
            more = [_text(block.more)] if block.more else []
            return "\n".join([*(f"{sign} {_text(item)}" for item in block.items), *more])
        case Facts():
            return "\n".join(_fact(label, told) for label, told in block.items)
        case Table():
            return _table(block)
        case Record():
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", block.text)), default=0))
            return (
                f"{_code(block.pointer)} {_escaped(block.origin)}\n\n{fence}\n{block.text}\n{fence}"
            )
        case Figure():
            return (
                f"*{_escaped(block.caption)}* {_escaped(block.description)}{_source(block.query)}"
            )


def _fact(label: str, told: Text | Listing) -> str:
    head = f"- **{_escaped(label)}:**"
    if not isinstance(told, Listing):
        return f"{head} {_text(told)}"
    sign = "1." if told.ordered else "-"
    more = [f"  {_text(told.more)}"] if told.more else []
    return "\n".join([head, *(f"  {sign} {_text(item)}" for item in told.items), *more])


def _table(table: Table) -> str:
    lines = [
        f"**{_escaped(table.caption)}**{_source(table.query)}",
        "",
        "| " + " | ".join(_escaped(column.title) for column in table.columns) + " |",
        "|"
        + "|".join("---:" if column.kind == "number" else "---" for column in table.columns)
        + "|",
    ]
    for row in table.rows:
        lines.append("| " + " | ".join(_text(cell).replace("|", "\\|") for cell in row) + " |")
    if table.note:
        lines += ["", _escaped(table.note)]
    return "\n".join(lines)


def _text(text: Text) -> str:
    if isinstance(text, tuple):
        return "".join(_text(part) for part in text)
    match text:
        case Code():
            return _code(text.text)
        case Strong():
            # Markdown takes no sign of emphasis that a blank follows or precedes.
            words = text.text.strip()
            return text.text.replace(words, f"**{_escaped(words)}**", 1) if words else text.text
        case Ref():
            return f"[{_escaped(text.text)}](#{text.target})"
        case Source():
            return _source(text.text)
        case Status():
            return _escaped(text.text.replace("_", " "))
        case _:
            return _escaped(text)


def _source(query: str) -> str:
    return f" \\[{_escaped(query)}\\]" if query else ""


def _code(text: str) -> str:
    """A code span that no content can close and no table cell can split."""
    if not text:
        return ""
    text = text.replace("\n", " ")
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text).replace("\n", "<br>")
