"""The time at which a snapshot was taken, for formats that print none."""

from __future__ import annotations

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.keyvalue import flagged
from toolkit.ingest.reader import SourceSettings
from toolkit.timestamps import Instant, TimeError, TimeRule, parse

_GIVE = "give captured_at for this file in case.toml, as 2022-03-09T06:00:00Z"


def captured_at(file: EvidenceFile, settings: SourceSettings) -> Instant:
    """When the case says that the file was captured, flagged as such; refuses without it."""
    if settings.captured_at is None:
        raise EvidenceRefused(
            "the output states no time (TIME_NONE)",
            path=file.path,
            field="sampled_at",
            remedy=_GIVE,
        )
    try:
        moment = parse(settings.captured_at, TimeRule(zone=settings.zone))
    except TimeError as error:
        raise EvidenceRefused(
            f"{error.reason} ({error.code})", path=file.path, field="captured_at", remedy=_GIVE
        ) from None
    return flagged(moment, "captured_at_used")
