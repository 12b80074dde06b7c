"""Answers of ServiceNow's Table API: records as plain cells, and whether their times are stored.

With `sysparm_display_value=all` every field is an object of its stored value and of what the user
sees; with `true` a field is what the user sees, and a reference an object of that and a link; with
`false` it is the stored value. Stored times are UTC, shown ones are in the zone of the user.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import SourceSettings
from toolkit.ingest.statuspages import Unreadable, document, text

ROW_LIMIT = 10_000


def fields(file: EvidenceFile) -> set[str] | None:
    """The element names that every record of an answer has; None where the file is no answer."""
    value = file.json
    result = value.get("result") if isinstance(value, dict) else None
    if not isinstance(result, list) or not result:
        return None
    if not all(isinstance(each, dict) for each in result):
        return None
    return set.intersection(*(set(each) for each in result))


def records(file: EvidenceFile) -> list[Any]:
    """The records of an answer; raises `EvidenceRefused` where the file is none."""
    value = document(file, "download it again, as the API's answer")
    result = value.get("result") if isinstance(value, dict) else None
    if not isinstance(result, list):
        raise EvidenceRefused(
            "the answer has no list named result",
            path=file.path,
            field="result",
            remedy="give the API's answer, unchanged",
        )
    return result


def times_are_stored(file: EvidenceFile, found: list[Any], settings: SourceSettings) -> bool:
    """Whether the times are stored ones, and so UTC.

    Raises `EvidenceRefused` where they are not, and the case does not say whose zone they are in.
    """
    values = [each for record in found if isinstance(record, dict) for each in record.values()]
    objects = [each for each in values if isinstance(each, dict)]
    states = [str(each.get("state", "")) for each in found if isinstance(each, dict)]
    # Without references, only the code of a state tells stored values from displayed ones.
    stored = (
        all("value" in each for each in objects)
        if objects
        else bool(states) and all(state.lstrip("-").isdigit() for state in states)
    )
    if not stored and settings.zone is None:
        raise EvidenceRefused(
            "the answer does not show whether its times are stored ones, which are UTC",
            path=file.path,
            remedy="ask the API with sysparm_display_value=all, or state the time zone of the"
            " user who asked as zone in the case file, or as ingest --zone",
        )
    return stored


def cells(record: Any, wanted: Collection[str], stored: Collection[str]) -> dict[str, str]:
    """The wanted fields of a record as plain cells; raises `Unreadable` for a field that is none.

    Those in `stored` (times, and choices, whose codes mean the same in every language) are taken
    as stored, all others as shown: of references, the stored value is a bare sys_id.
    """
    if not isinstance(record, dict):
        raise Unreadable("", "not a JSON object", "RECORD_SHAPE")
    plain = {
        name: _value(each, stored=name in stored) if isinstance(each, dict) else each
        for name, each in record.items()
        if name in wanted
    }
    return {name: text(plain, name) or "" for name in plain}


def _value(field: Mapping[str, Any], *, stored: bool) -> Any:
    value, shown = field.get("value"), field.get("display_value")
    if stored:
        return shown if value is None else value
    return value if shown is None else shown
