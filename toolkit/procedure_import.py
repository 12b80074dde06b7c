"""Models that others drew, as procedure files of ours, with a list of what they lose on the way."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from toolkit import bpmn, declare
from toolkit.errors import UsageError
from toolkit.procedures import Procedure

MAX_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Draft:
    """A procedure file to be read over, and what of the model it does not say."""

    text: str
    left_out: tuple[str, ...]


def import_model(path: Path) -> Draft:
    """Read a BPMN 2.0 diagram (XML) or a DECLARE model (`.decl`).

    Raises UsageError with file and line where it is neither, or contradicts itself.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"cannot be read: {error.strerror}", path=path, remedy="give a model"
        ) from None
    if len(raw) > MAX_BYTES:
        raise UsageError(f"larger than {MAX_BYTES:,} bytes", path=path, remedy="export one process")
    is_xml = raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<" or raw[:2] in (
        b"\xff\xfe", b"\xfe\xff",
    )  # fmt: skip
    content, left_out = bpmn.read(raw, path) if is_xml else declare.read(raw, path)
    Procedure.model_validate(content)
    return Draft(_text(content, path, left_out), tuple(left_out))


def _text(content: dict[str, Any], path: Path, left_out: list[str]) -> str:
    printer = YAML()
    printer.width = 100
    printer.indent(mapping=2, sequence=4, offset=2)
    body = io.StringIO()
    printer.dump({key: value for key, value in content.items() if value != []}, body)
    head = [
        f"Imported from {_line(path.name)}.",
        "State when it applies: applies_to, published_at.",
    ]
    head += ["Not taken over:", *(f"- {_line(each)}" for each in left_out)] if left_out else []
    return "".join(f"# {line}\n" for line in head) + body.getvalue()


def _line(text: str) -> str:
    """Text for a comment: one line, without characters that control a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)
