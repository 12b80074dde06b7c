"""What the exports share: files that come whole or not at all, JSON that is inert, identifiers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from toolkit import resources, sqlfile
from toolkit.report import CaseFacts

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "postmortem-toolkit.invalid")


@dataclass(frozen=True, slots=True)
class Written:
    """What an export wrote, counted, and what it had to leave out, in words."""

    path: Path
    counts: Mapping[str, int]
    left_out: tuple[str, ...] = field(default=())


def saved(facts: CaseFacts, name: str) -> list[dict[str, Any]]:
    """The rows of `queries/exports/export_<name>.sql`, as they may be shown."""
    return facts.ask(sqlfile.read(resources.queries() / "exports" / f"export_{name}.sql").sql)


def instant(at: datetime) -> str:
    """ISO 8601 in UTC, with microseconds and offset."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def plain(value: Any) -> Any:
    """A value of a relation as JSON holds it."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def stated(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are there, as JSON holds them."""
    return {name: plain(value) for name, value in values.items() if value is not None}


def identifier(facts: CaseFacts, *key: object) -> str:
    """A UUID (version 5) of a thing of this case; the same evidence gives the same one."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join([facts.digest, *map(str, key)])))


def write_json(path: Path, value: Any) -> None:
    """Write JSON in ASCII: escapes leave nothing that could steer a terminal or break a line."""
    _write(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, in ASCII."""
    _write(path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))


def _write(path: Path, text: str) -> None:
    if path.is_dir():
        raise IsADirectoryError(0, "it is a folder")
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="ascii", newline="")
    part.replace(path)
