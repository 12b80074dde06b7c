"""Which format a file is in: exactly one reader may claim it, or the case says which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolkit.errors import EvidenceRefused, UsageError, did_you_mean
from toolkit.ingest import archive
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import Reader, SourceSettings, readers
from toolkit.readers import table

# How documents and pictures begin, which people keep beside their exports.
_DOCUMENTS = {
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture (PNG)",
    b"\xff\xd8\xff\xe0": "a picture (JPEG)",
    b"\xff\xd8\xff\xe1": "a picture (JPEG)",
    b"GIF8": "a picture (GIF)",
}


def recognise(file: EvidenceFile, settings: SourceSettings) -> tuple[Reader, str]:
    """Choose the reader of a file and say how: `declared`, `mapping` or `detected`.

    Exactly one reader may match; a file that none or several claim is refused. A declared format
    settles what is unsure: it is refused where the file is not like it and like one other.
    """
    known = readers()
    if settings.format is not None:
        if settings.format not in known:
            raise UsageError(
                f"unknown format {settings.format!r}", path=file.path,
                remedy=did_you_mean(settings.format, known),
            )  # fmt: skip
        claims = other_claims(file, known[settings.format])
        if len(claims) == 1:
            # Formats share field names, so some records of one read as others of another.
            raise EvidenceRefused(
                f"the file is declared as {settings.format}, and looks like {claims[0]}",
                path=file.path, remedy=f"declare it as {claims[0]}, or declare no format",
            )  # fmt: skip
        return known[settings.format], "declared"
    matching = [reader for reader in known.values() if reader.matches(file)]
    if settings.mapping is not None and not (
        len(matching) == 1 and getattr(matching[0], "takes_mapping", False)
    ):
        return known["mapped"], "mapping"
    if len(matching) == 1:
        return matching[0], "detected"
    if matching:
        names = " and ".join(reader.name for reader in matching)
        raise EvidenceRefused(
            f"the file looks like {names}", path=file.path,
            remedy="declare its format in case.toml, or give ingest --as FORMAT",
        )  # fmt: skip
    with file.stream() as stream:
        kind = _DOCUMENTS.get(stream.read(4))
    if kind:
        raise EvidenceRefused(
            f"the file is {kind}, which holds no records", path=file.path,
            remedy="export what it shows as CSV or JSON, or list it in ignore in case.toml",
        )  # fmt: skip
    if file.header or file.json_lines or file.is_parquet:
        raise table.why_not(file, settings)
    raise EvidenceRefused(
        "no reader knows this format", path=file.path,
        remedy="declare its format (see: postmortem formats), or write a mapping: "
        "postmortem mapping init FILE",
    )  # fmt: skip


def other_claims(file: EvidenceFile, declared: Reader) -> Sequence[str]:
    """The formats that a file looks like, if it is not like the one that is declared.

    A file that is read by a mapping may look like anything.
    """
    if declared.name == "mapped" or declared.matches(file):
        return ()
    return [other.name for other in readers().values() if other.matches(file)]


def sniff(path: Path, settings: SourceSettings | None = None) -> tuple[EvidenceFile, Reader, str]:
    """Open a file and say which reader claims it; raises EvidenceRefused where none does.

    A member of an archive or a sheet of a workbook is named as FILE!NAME.
    """
    file = archive.open_one(path)
    reader, how = recognise(file, settings or SourceSettings())
    return file, reader, how
