"""What the exports of ServiceNow share: headers, rows, local times, and choices.

A CSV export holds what the list of the user who made it shows: labels or element names as its
header, choices as labels or codes, and times in that user's zone and date format, without a mark.
An answer of the Table API is read as if it were one; see `toolkit.ingest.tableapi`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from toolkit.errors import EvidenceRefused
from toolkit.ingest import tableapi
from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.reader import Sink, SourceSettings
from toolkit.ingest.statuspages import Unreadable
from toolkit.timestamps import TimeError, TimeRule, prove_order

EXPORT_LIMIT = 10_000
CSV_REMEDY = "export the list with each column once"


def elements(header: Iterable[str], labels: Mapping[str, str]) -> list[str]:
    """The element names of a header, of which each cell may be a label of the English form."""
    words = [cell.strip().lower() for cell in header]
    return [labels.get(word, word) for word in words]


def element_names(file: EvidenceFile, labels: Mapping[str, str]) -> set[str]:
    """The element names of the file, whichever form it has; empty where it has neither."""
    return tableapi.fields(file) or set(elements(file.header or (), labels))


def columns(file: EvidenceFile, labels: Mapping[str, str], needed: Iterable[str]) -> list[str]:
    """The element names of the file's header, or those that can be in an answer.

    Refuses a file whose header lacks one of `needed`, or names a column twice.
    """
    if tableapi.fields(file) is not None:
        return list(dict.fromkeys(labels.values()))
    found = elements(file.header or (), labels)
    for name in needed:
        if name not in found:
            raise EvidenceRefused(
                "the header has no such column",
                path=file.path,
                line=1,
                field=name,
                remedy=f"export the list with its column {name}",
            )
    for name in set(labels.values()) & set(found):
        if found.count(name) > 1:
            raise EvidenceRefused(
                "the header names the column twice",
                path=file.path,
                line=1,
                field=name,
                remedy=CSV_REMEDY,
            )
    return found


def rows(
    file: EvidenceFile,
    settings: SourceSettings,
    sink: Sink,
    names: list[str],
    times: Mapping[str, str],
    codes: Collection[str] = (),
) -> Iterator[tuple[Record, dict[str, str]]]:
    """The rows of the file as cells by element name; those that are none go to the sink.

    `times` names the columns of the relation by the elements that fill them; of an answer with
    stored values, they are read as UTC, and `codes` are the choices that are taken as stored.
    Refuses a file of local times without a declared zone, and one whose rows contradict each other
    in the order of day and month; an order that nobody declared is taken where rows prove it, and
    noted with their number.
    """
    if tableapi.fields(file) is not None:
        yield from _answered(file, settings, sink, names, times, codes)
        return
    if settings.zone is None:
        raise EvidenceRefused(
            "the times carry no zone",
            path=file.path,
            line=1,
            remedy="state the time zone of the user who exported the file as zone in the case"
            " file, or as ingest --zone",
        )
    held: list[tuple[Record, dict[str, str]]] = []
    for record, cells in file.rows():
        if cells is None:
            sink.reject(record, "CSV_UNREADABLE", "not UTF-8, or a quote that does not close")
        elif not any(cell.strip() for cell in cells):
            sink.skip(record, "blank row")
        elif len(cells) != len(names):
            sink.reject(record, "CSV_FIELDS", f"{len(cells)} cells under {len(names)} columns")
        else:
            held.append((record, dict(zip(names, cells, strict=True))))
    if len(held) >= EXPORT_LIMIT:
        sink.incomplete(f"an export ends after {EXPORT_LIMIT:,} rows without a word")
    _prove_order(file, settings, sink, held, times)
    yield from held


def _answered(
    file: EvidenceFile,
    settings: SourceSettings,
    sink: Sink,
    names: Collection[str],
    times: Mapping[str, str],
    codes: Collection[str],
) -> Iterator[tuple[Record, dict[str, str]]]:
    result = tableapi.records(file)
    stored = tableapi.times_are_stored(file, result, settings)
    held: list[tuple[Record, dict[str, str]]] = []
    for record, each in file.elements(result):
        try:
            held.append((record, tableapi.cells(each, names, {*times, *codes})))
        except Unreadable as fault:
            sink.reject(record, fault.code, fault.reason, field=fault.field or None)
    if len(result) >= tableapi.ROW_LIMIT:
        sink.incomplete("as many rows as the API answers with, if no limit was given")
    if stored:
        for column in dict.fromkeys(times.values()):
            sink.rule(column, TimeRule(zone="UTC"))
    else:
        _prove_order(file, settings, sink, held, times)
    yield from held


def _prove_order(
    file: EvidenceFile,
    settings: SourceSettings,
    sink: Sink,
    held: list[tuple[Record, dict[str, str]]],
    times: Mapping[str, str],
) -> None:
    if settings.order is not None:
        return
    # One user exported the file, so that its time columns have one format.
    named = [name for name in times if held and name in held[0][1]]
    values = (cells.get(name, "") for _, cells in held for name in named)
    try:
        order, day_first, month_first = prove_order(values)
    except TimeError as error:
        raise EvidenceRefused(
            error.reason, path=file.path, remedy="export the file again in one date format"
        ) from None
    if order is None:
        return
    for column in dict.fromkeys(times.values()):
        sink.rule(column, TimeRule(zone=settings.zone, order=order))
    proof = f"{order}, by {day_first + month_first} values of the file"
    sink.note(held[0][0], times[named[0]], "ORDER_PROVEN", proof)


def cell(cells: Mapping[str, str], *names: str) -> str | None:
    """The first of the named cells that holds something; an empty one is NULL."""
    return next((found for name in names if (found := cells.get(name, "").strip())), None)


def choice(raw: str | None) -> str:
    """A choice as its code or its label, without the number that some labels start with."""
    word = (raw or "").strip().lower()
    head, dash, label = word.partition(" - ")
    return label if dash and head.lstrip("-").isdigit() else word
