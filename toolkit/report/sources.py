"""The register of sources: what was read, how it adds up, and who obtained it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from toolkit.report.facts import CaseFacts, Row
from toolkit.report.model import (
    Block,
    Code,
    Paragraph,
    Section,
    Status,
    Strong,
    Table,
    Text,
    columns,
)
from toolkit.report.words import (
    be,
    cut,
    fine,
    listed,
    number,
    numbers,
    plural,
)

QUOTED, QUOTE = 3, 160  # rejected records of one code that are printed, and characters of each
CUSTODY = ("system_of_record", "obtained_by", "obtained_at", "obtained_how", "expected_records")


def section(facts: CaseFacts) -> Section:
    sources = facts.rows("source")
    if not sources:
        return Section("sources", "Sources", (Paragraph("No source was read."),))
    unread = facts.rows("unread_file")
    parts = (
        Section(
            "source-register", "Source register", (_register(facts, sources), *_unread(unread))
        ),
        Section("reconciliation", "Reconciliation", tuple(_reconciliation(facts, sources))),
        Section("times", "How times were read", tuple(_times(facts))),
        Section("custody", "Chain of custody", tuple(_custody(facts, sources))),
    )
    return Section(
        "sources",
        "Sources",
        (
            Paragraph(
                f"{plural(len(sources), 'file')} {be(len(sources), 'was', 'were')} read"
                + (
                    f", {number(len(unread))} {be(len(unread), 'was', 'were')} not"
                    if unread
                    else ""
                )
                + ". The digests are of the bytes of each file as it lies in the case folder."
            ),
        ),
        parts,
        new_page=True,
    )


# A report keeps the word for what people do; here a file is meant.
_UNREAD = {"ignored": "left out"}


def _unread(rows: list[Row]) -> Iterable[Block]:
    """The files of the case that no reader took: they are in no number of these papers."""
    if rows:
        yield Table(
            "Files that were not read",
            columns("File, and SHA-256 {digest 60} | Why {29} | Bytes {number 11}"),
            tuple(
                (
                    (
                        Strong(str(row["path"])),
                        *(("\n", Code(row["sha256"])) if row["sha256"] else ()),
                    ),
                    f"{_UNREAD.get(row['outcome'], row['outcome'])}: {row['reason']}",
                    "not known" if row["bytes"] is None else number(row["bytes"]),
                )
                for row in rows
            ),
            "unread_file",
            "Left out: as the case file says; refused: no record of it was taken; repeated: its "
            "bytes are those of another file; unnamed: no entry of the case file names it.",
        )


def _register(facts: CaseFacts, sources: list[Row]) -> Table:
    narrative = _narrative(facts)
    timed = _zones(facts)
    elsewhere = _from_elsewhere(facts)
    rows: list[tuple[Text, ...]] = []
    for row in sources:
        told = [
            f"{row['format']} (reader version {row['reader_version']}, {row['detected_by']})",
            elsewhere[row["source_id"]]
            if row["source_id"] in elsewhere
            else f"zone {row['zone']}"
            if row["zone"]
            else timed.get(row["source_id"], "no time read"),
        ]
        if row["clock_offset_seconds"]:
            told.append(f"clock {row['clock_offset_seconds']:+g} s, {row['clock_basis']}")
        if row["first_at"]:
            first, last = facts.day(row["first_at"]), facts.day(row["last_at"])
            told.append(first if first == last else f"{first} to {last}")
        rows.append(
            (
                str(row["source_id"]),
                (Strong(str(row["path"])), "\n", Code(row["sha256"]), "\n" + "; ".join(told)),
                _grade(row, narrative),
                number(row["bytes"]),
            )
        )
    return Table(
        "Files of evidence with SHA-256",
        columns(
            "No. {5} | File, SHA-256, and how it was read {digest 79} | Grade {6} | "
            "Bytes {number 10}"
        ),
        tuple(rows),
        "source",
        "Grade of evidence: B export of a system, where the case file states how it was obtained; "
        "C export where it does not; D narrative (posts, notices, statements, and what the case "
        "file says stands in notes of people), which shows that something was said. A, from a "
        "third party or signed where it was made, is given to none: the case file has no field "
        "for it.",
    )


_NARRATIVE = ("status_update", "notice", "statement")


def _narrative(facts: CaseFacts) -> set[int]:
    """The sources that hold what was said, and no other record."""
    return {row["source_id"] for name in _NARRATIVE for row in facts.rows(name)} | facts.notes


def _grade(source: Row, narrative: set[int]) -> str:
    if source["source_id"] in narrative:
        return "D"
    return "B" if source["obtained_how"] else "C"


def _reconciliation(facts: CaseFacts, sources: list[Row]) -> Iterable[Block]:
    names = ("records_read", "accepted", "continued", "skipped", "rejected")
    rows: list[tuple[Text, ...]] = []
    for row in sources:
        read, *parts = (row[name] for name in names)
        rows.append(
            (
                str(row["source_id"]),
                str(row["path"]),
                *(number(row[name]) for name in names),
                Status("ok") if read == sum(parts) else Status("exception"),
            )
        )
    totals = [sum(row[name] for row in sources) for name in names]
    rows.append(
        (
            "all",
            Strong("Total"),
            *(Strong(number(total)) for total in totals),
            Status("ok") if totals[0] == sum(totals[1:]) else Status("exception"),
        )
    )
    yield Paragraph(
        (
            "Nothing is lost silently: for every source, ",
            Strong("read = accepted + continued + skipped + rejected"),
            f". In total {number(totals[0])} = {number(totals[1])} + {number(totals[2])} + "
            f"{number(totals[3])} + {number(totals[4])}. A continued record is a further line of "
            "the record before it; a skipped one says nothing by definition of its format.",
        ),
        query="source",
    )
    yield Table(
        "Account of every source",
        columns(
            "No. {5} | File {39} | Read {number 10} | Accepted {number 11} | Continued {number "
            "11} | "
            "Skipped {number 9} | Rejected {number 10} | Holds"
        ),
        tuple(rows),
        "source",
    )
    rejects = facts.rows("reject")
    if rejects:
        grouped: dict[tuple[int, str], list[Row]] = defaultdict(list)
        for row in rejects:
            grouped[row["source_id"], row["code"]].append(row)
        yield Table(
            "Rejected records by source and code",
            columns(
                "No. {6} | Code {code 15} | Records {number 9} | First record {number 9} | "
                "Reason given for the first {21} | Original records"
            ),
            tuple(
                (
                    str(key[0]),
                    Code(str(key[1])),
                    number(len(found)),
                    number(found[0]["record_no"]),
                    str(found[0]["reason"]),
                    "\n".join(_quoted(facts, row) for row in found[:QUOTED])
                    + (f"\n{number(len(found) - QUOTED)} more" if len(found) > QUOTED else ""),
                )
                for key, found in sorted(grouped.items())
            ),
            "reject",
            f"Of each group the first {QUOTED} records are quoted by their number, at most "
            f"{QUOTE} characters of each.",
        )
    else:
        yield Paragraph("No record was rejected.", query="reject")
    skipped = facts.rows("skipped")
    if skipped:
        omitted: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for row in skipped:
            omitted[str(row["reason"])][row["source_id"]] += row["records"]
        yield Table(
            "Skipped records by source and reason",
            columns("Reason {24} | Sources | Records {number 14}"),
            _by_word(omitted),
            "skipped",
        )


def _quoted(facts: CaseFacts, row: Row) -> str:
    """A rejected record as it stands in its file, on one line."""
    raw = row["raw"]
    if not raw:
        return f"{row['record_no']}: not kept"
    text = bytes(raw[: 8 * QUOTE]).decode(errors="backslashreplace")
    words = cut(" ".join(facts.text(text).split()), QUOTE)
    return f"{row['record_no']}: “{words}”"


def _zones(facts: CaseFacts) -> dict[int, str]:
    """What tells the zone of the times of a source whose entry in the case file names none."""
    declared: dict[int, set[bool]] = defaultdict(set)
    for row in facts.rows("source_column"):
        declared[row["source_id"]].add(row["basis"] == "zone_declared")
    told = {
        (True,): "zone as its mapping declares it",
        (False,): "zone as stated in the records",
        (False, True): "zone as stated in the records, of some columns as declared",
    }
    return {source: told[tuple(sorted(kinds))] for source, kinds in declared.items()}


def _from_elsewhere(facts: CaseFacts) -> dict[int, str]:
    """What the times of a source rest on where none of its records states one."""
    read: dict[int, int] = defaultdict(int)
    for row in facts.rows("source_column"):
        read[row["source_id"]] += row["readings"] or 0
    flagged: dict[str, dict[int, int]] = {flag: defaultdict(int) for flag in _ELSEWHERE}
    for row in facts.rows("time_note"):
        for flag in set(str(row["flags"] or "").split(",")) & set(_ELSEWHERE):
            flagged[flag][row["source_id"]] += 1
    return {
        source: told
        for flag, told in _ELSEWHERE.items()
        for source, count in flagged[flag].items()
        if count == read[source]
    }


_ELSEWHERE = {
    "captured_at_used": "time of its capture",
    "file_name_time": "time from its name",
}


def _by_word(counts: Mapping[str, Mapping[int, int]]) -> tuple[tuple[str, str, str], ...]:
    """One row per word, with its sources and their sum: many files of a kind are told once."""
    return tuple(
        (word, numbers(found), number(sum(found.values())))
        for word, found in sorted(counts.items())
    )


def _times(facts: CaseFacts) -> Iterable[Block]:
    notes = facts.rows("time_note")
    read = facts.rows("source_column")
    if read:
        grouped: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in read:
            grouped[(str(row["format"]), str(row["basis"]))].append(row)
        yield Table(
            "Forms of time and what their instants rest on",
            columns("Form | Basis | Sources {22} | Readings {number} | Deviating {number}"),
            tuple(
                (
                    Code(key[0]),
                    key[1].replace("_", " "),
                    numbers(row["source_id"] for row in rows),
                    number(sum(row["readings"] or 0 for row in rows)),
                    number(sum(row["deviating"] or 0 for row in rows)),
                )
                for key, rows in sorted(grouped.items())
            ),
            "source_column",
        )
    flags: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for row in notes:
        for flag in str(row["flags"] or "no flag").replace(",", " ").split():
            flags[flag.replace("_", " ")][row["source_id"]] += 1
    if flags:
        yield Table(
            "Times that were not read in the usual way",
            columns("Note {24} | Sources | Times {number 14}"),
            _by_word(flags),
            "time_note",
        )
    else:
        yield Paragraph("No time needed a note.", query="time_note")
    yield from _clocks(facts)
    yield from _revisions(facts)


def _clocks(facts: CaseFacts) -> Iterable[Block]:
    """Offsets of clocks, measured or estimated, and whether the case file applies them."""
    rows = facts.rows("clock_offset")
    if not rows:
        yield Paragraph(
            "No clock could be compared: neither probes nor pairs of records that tie two clocks "
            "are on record.",
            query="clock_offset",
        )
        return
    yield Table(
        "Offsets of clocks, recorded less true time",
        columns("No. {6} | Host {20} | Basis {16} | From {number 13} | To {number 13} | "
                "Pairs {number 8} | Applied"),
        tuple(
            (
                "" if row["source_id"] is None else str(row["source_id"]),
                str(row["host"] or "not stated"),
                str(row["basis"]),
                fine(row["lo_seconds"], "least"),
                fine(row["hi_seconds"], "most"),
                number(row["pairs"]),
                _applied(facts, row),
            )
            for row in rows[:40]
        ),
        "clock_offset, source",
        "An offset changes a time only where the case file states it (clock_offset_seconds).",
    )  # fmt: skip


def _applied(facts: CaseFacts, row: Row) -> str:
    source = facts.sources.get(row["source_id"])
    stated = source["clock_offset_seconds"] if source else None
    return f"yes, {stated:+g}\u00a0s" if stated else "no; times stand as recorded"


def _revisions(facts: CaseFacts) -> Iterable[Block]:
    """What later captures of the same records changed."""
    rows = facts.rows("revision")
    if not rows:
        yield Paragraph(
            "No record was captured twice with other content. An edit between two captures would "
            "show here; one before the first shows only where the record itself tells of it.",
            query="revision",
        )
        return
    yield Table(
        "Records that differ between captures",
        columns("Relation {14} | Record {16} | Column {13} | Then {22} | Later {22} | "
                "Pointers {code}"),
        tuple(
            (
                str(row["relation"]),
                str(row["key"]),
                str(row["column_name"]),
                cut(str(row["from_value"] if row["from_value"] is not None else "empty"), 120),
                cut(str(row["to_value"] if row["to_value"] is not None else "empty"), 120),
                Code(f"{row['from_pointer']} {row['to_pointer']}"),
            )
            for row in rows[:25]
        ),
        "revision",
        f"{number(len(rows) - 25)} more stand in revisions.csv." if len(rows) > 25 else "",
    )  # fmt: skip


def _custody(facts: CaseFacts, sources: list[Row]) -> Iterable[Block]:
    grouped: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    missing: Counter[str] = Counter()
    for row in sources:
        missing.update(name for name in CUSTODY if row[name] is None)
        told = [_stated(row[name]) for name in CUSTODY[:4]]
        export = "no limit known" if row["export_complete"] else row["export_note"] or "incomplete"
        grouped[(*told, str(export))].append(row)
    yield Paragraph(
        "No source states a digest taken where it was exported: the digests show that a file is "
        "the one that was read, not that it is the one that was exported."
    )
    if missing:
        groups: dict[int, list[str]] = defaultdict(list)
        for name in CUSTODY:
            if missing[name]:
                groups[missing[name]].append(_CUSTODY_WORDS[name])
        told = [
            f"{listed(names, 'or')} for {_of(count, len(sources))}"
            for count, names in groups.items()
        ]
        yield Paragraph(
            (
                Strong("Limitation. "),
                f"The case file does not state {'; '.join(told)}. For "
                f"{be(max(groups), 'it', 'these')}, integrity rests on the digests taken at ingest "
                "alone.",
            )
        )
    yield Table(
        "Who obtained what, when and how",
        columns(
            "Sources {12} | System of record {18} | By {14} | At {time 14} | How {22} | "
            "Export {9} | Records"
        ),
        tuple(
            (numbers(row["source_id"] for row in rows), *told, _expected(rows))
            for told, rows in grouped.items()
        ),
        "source",
    )


_CUSTODY_WORDS = {
    "system_of_record": "the system of record",
    "obtained_by": "who obtained it",
    "obtained_at": "when",
    "obtained_how": "how",
    "expected_records": "how many records to expect",
}


def _of(count: int, whole: int) -> str:
    if count < whole:
        return f"{number(count)} of {plural(whole, 'source')}"
    return "the one source" if whole == 1 else f"any of the {plural(whole, 'source')}"


def _stated(value: object) -> str:
    if value is None:
        return "not stated"
    return re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):00(?:\+00:00|Z)$", r"\1 \2", str(value))


def _expected(rows: list[Row]) -> str:
    told = [
        f"{row['source_id']}: {number(row['accepted'])} of {number(row['expected_records'])} "
        "expected"
        for row in rows
        if row["expected_records"] is not None
    ]
    return "\n".join(told) or "number not stated"
