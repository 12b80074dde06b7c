"""The audit: working papers that let somebody else re-perform every conclusion."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from toolkit.report.facts import CaseFacts, Pointer, Row, listed, number, plural, span
from toolkit.report.incident import SEVERITY, Incident
from toolkit.report.model import (
    Block,
    Code,
    Column,
    Document,
    Facts,
    Listing,
    Paragraph,
    Record,
    Ref,
    Section,
    Status,
    Strong,
    Table,
    Text,
)

RECORDS = 4  # records of evidence printed on the page of a finding
FINDING_PAGES = 34  # so that the papers stay within 60 pages; more are printed in short form
CUSTODY = ("system_of_record", "obtained_by", "obtained_at", "obtained_how", "expected_records")


def document(facts: CaseFacts) -> Document:
    incident = Incident(facts)
    return Document(
        "audit",
        "Audit working papers",
        "Sources, tests, findings and how to re-perform them",
        (
            _scope(incident),
            _sources(facts),
            _tests(incident),
            _findings(incident),
            _controls(incident),
            _limits(facts),
            _requests(facts),
            _queries(facts),
            _policy(facts),
            _sign_off(),
        ),
    )


# -- scope -------------------------------------------------------------------------------------


def _scope(incident: Incident) -> Section:
    facts = incident.facts
    operations = list(incident.operations.values())
    registered = [row for row in operations if row.get("registered", row["change_id"] is not None)]
    procedures = facts.rows("procedure")
    blocks: list[Block] = [
        Paragraph(
            "Objective: to test every maintenance operation on record against recorded criteria, "
            "and to state for each test what was examined, what was found and what the evidence "
            "does not decide. Every operation is tested, not a sample."
        ),
        Facts(
            (
                ("Window under review", facts.window),
                (
                    "Population",
                    f"{plural(len(operations), 'operation')}: {number(len(registered))} registered "
                    f"changes and {number(len(operations) - len(registered))} sessions of events "
                    "without one",
                ),
                (
                    "Criteria",
                    f"{plural(len(incident.rules), 'rule')} of the catalogue; "
                    f"{plural(len(procedures), 'procedure version')} on file; the thresholds in force "
                    "stand at the end of these papers",
                ),
                (
                    "Order of events",
                    "One event is said to come before another only where the latest reading of the "
                    "first lies before the earliest reading of the second; otherwise the test answers "
                    "undetermined",
                ),
                (
                    "People",
                    f"{plural(len(facts.people), 'account')} of people stand as roles, numbered by "
                    "first appearance in the evidence",
                ),
            )
        ),
        Table(
            "What the answers mean",
            (Column("Answer", share=18), Column("Meaning")),
            tuple(((Status(word)), meaning) for word, meaning in _ANSWERS),
        ),
    ]
    if procedures:
        blocks.append(
            Table(
                "Procedures on file",
                (
                    Column("Procedure"), Column("Version"), Column("Published", "time"),
                    Column("Superseded", "time"), Column("Applies to"), Column("SHA-256", "code"),
                ),
                tuple(
                    (
                        str(row["procedure"]),
                        str(row["version"]),
                        facts.day(row["published_at"]) if row["published_at"] else "always",
                        facts.day(row["superseded_at"]) if row["superseded_at"] else "in force",
                        listed(row["applies_to"]),
                        Code(row["sha256"][:16] + "…"),
                    )
                    for row in procedures
                ),
                "procedure",
            )
        )  # fmt: skip
    return Section("scope", "Scope and criteria", tuple(blocks), new_page=True)


_ANSWERS = (
    ("exception", "The record shows the deviation from the criterion."),
    ("ok", "The record shows that the deviation did not happen."),
    ("not_applicable", "Nothing in the operation activates the rule."),
    (
        "undetermined",
        "Evidence is there but does not decide: ties, overlapping times, an open operation, an "
        "event tied to a change only by inference.",
    ),
    ("not_run", "Records that the rule needs are absent. Missing evidence is never an ok."),
)


# -- sources -----------------------------------------------------------------------------------


def _sources(facts: CaseFacts) -> Section:
    sources = facts.rows("source")
    if not sources:
        return Section("sources", "Sources", (Paragraph("No source was read."),))
    parts = (
        Section("source-register", "Source register", (_register(facts, sources),)),
        Section("reconciliation", "Reconciliation", tuple(_reconciliation(facts, sources))),
        Section("times", "How times were read", tuple(_times(facts))),
        Section("custody", "Chain of custody", tuple(_custody(facts, sources))),
    )
    return Section(
        "sources",
        "Sources",
        (
            Paragraph(
                f"{plural(len(sources), 'file')} {_were(len(sources))} read. The digests are of the "
                "bytes of each file as it lies in the case folder."
            ),
        ),
        parts,
        new_page=True,
    )


def _register(facts: CaseFacts, sources: list[Row]) -> Table:
    rows: list[tuple[Text, ...]] = []
    for row in sources:
        zone = row["zone"] or "stated in the records"
        clock = f"{row['clock_offset_seconds']:+g} s ({row['clock_basis']})" if row["clock_offset_seconds"] else ""
        rows.append(
            (
                str(row["source_id"]),
                (str(row["path"]), "\n", Code(row["sha256"])),
                f"{row['format']}, reader version {row['reader_version']}, {row['detected_by']}",
                f"{zone}" + (f", clock {clock}" if clock else ""),
                number(row["bytes"]),
                f"{facts.day(row['first_at'])} to {facts.day(row['last_at'])}" if row["first_at"] else "no time",
            )
        )  # fmt: skip
    return Table(
        "Files of evidence with SHA-256",
        (
            Column("No.", share=5),
            Column("File and SHA-256", share=37),
            Column("Format", share=16),
            Column("Zone and clock", share=14),
            Column("Bytes", "number", share=11),
            Column("Covers", "time", share=17),
        ),
        tuple(rows),
        "source",
    )


def _reconciliation(facts: CaseFacts, sources: list[Row]) -> Iterable[Block]:
    names = ("records_read", "accepted", "continued", "skipped", "rejected")
    rows: list[tuple[Text, ...]] = []
    for row in sources:
        read, *parts = (row[name] for name in names)
        rows.append(
            (str(row["source_id"]), str(row["path"]), *(number(row[name]) for name in names),
             Status("ok") if read == sum(parts) else Status("exception"))
        )  # fmt: skip
    totals = [sum(row[name] for row in sources) for name in names]
    rows.append(
        ("", Strong("Total"), *(Strong(number(total)) for total in totals),
         Status("ok") if totals[0] == sum(totals[1:]) else Status("exception"))
    )  # fmt: skip
    yield Paragraph(
        (
            "Nothing is lost silently: for every source, ",
            Strong("read = accepted + continued + skipped + rejected"),
            f". In total {number(totals[0])} = {number(totals[1])} + {number(totals[2])} + "
            f"{number(totals[3])} + {number(totals[4])}. A continued record is a further line of the "
            "record before it; a skipped one says nothing by definition of its format.",
        ),
        query="source",
    )
    yield Table(
        "Account of every source",
        (
            Column("No.", share=5), Column("File", share=39), Column("Read", "number", 10),
            Column("Accepted", "number", 11), Column("Continued", "number", 11),
            Column("Skipped", "number", 9), Column("Rejected", "number", 10), Column("Holds"),
        ),
        tuple(rows),
        "source",
    )  # fmt: skip
    rejects = facts.rows("reject")
    if rejects:
        counts = Counter((row["source_id"], row["code"]) for row in rejects)
        first = {}
        for row in rejects:
            first.setdefault((row["source_id"], row["code"]), row)
        yield Table(
            "Rejected records by source and code",
            (
                Column("No.", share=6), Column("Code", "code", 20), Column("Records", "number", 10),
                Column("First record", "number", 12), Column("Reason given for the first"),
            ),
            tuple(
                (str(key[0]), Code(str(key[1])), number(count), number(first[key]["record_no"]),
                 str(first[key]["reason"]))
                for key, count in sorted(counts.items())
            ),
            "reject",
        )  # fmt: skip
    else:
        yield Paragraph("No record was rejected.", query="reject")
    skipped = facts.rows("skipped")
    if skipped:
        yield Table(
            "Skipped records by source and reason",
            (Column("No.", share=6), Column("Reason"), Column("Records", "number", 14)),
            tuple((str(row["source_id"]), str(row["reason"]), number(row["records"])) for row in skipped),
            "skipped",
        )


def _times(facts: CaseFacts) -> Iterable[Block]:
    notes = facts.rows("time_note")
    columns = facts.rows("source_column")
    if columns:
        grouped: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in columns:
            grouped[(str(row["format"]), str(row["basis"]))].append(row)
        yield Table(
            "Forms of time and what their instants rest on",
            (
                Column("Form"), Column("Basis"), Column("Sources", share=22),
                Column("Readings", "number"), Column("Deviating", "number"),
            ),
            tuple(
                (
                    Code(key[0]), key[1].replace("_", " "),
                    ", ".join(str(no) for no in sorted({row["source_id"] for row in rows})),
                    number(sum(row["readings"] or 0 for row in rows)),
                    number(sum(row["deviating"] or 0 for row in rows)),
                )
                for key, rows in sorted(grouped.items())
            ),
            "source_column",
        )  # fmt: skip
    flags: Counter[tuple[int, str]] = Counter()
    for row in notes:
        for flag in str(row["flags"] or "no flag").replace(",", " ").split():
            flags[(row["source_id"], flag)] += 1
    if flags:
        yield Table(
            "Times that were not read in the usual way",
            (Column("No.", share=6), Column("Note"), Column("Times", "number", 14)),
            tuple((str(no), flag.replace("_", " "), number(count)) for (no, flag), count in sorted(flags.items())),
            "time_note",
        )
    else:
        yield Paragraph("No time needed a note.", query="time_note")


def _custody(facts: CaseFacts, sources: list[Row]) -> Iterable[Block]:
    rows: list[tuple[Text, ...]] = []
    missing: Counter[str] = Counter()
    for row in sources:
        for name in CUSTODY:
            if row[name] is None:
                missing[name] += 1
        expected = row["expected_records"]
        rows.append(
            (
                str(row["source_id"]),
                str(row["system_of_record"] or "not stated"),
                str(row["obtained_by"] or "not stated"),
                str(row["obtained_at"] or "not stated"),
                str(row["obtained_how"] or "not stated"),
                "not stated" if expected is None else f"{number(expected)} expected, {number(row['accepted'])} accepted",
                "complete as far as known" if row["export_complete"] else str(row["export_note"] or "incomplete"),
            )
        )  # fmt: skip
    yield Table(
        "Who obtained what, when and how",
        (
            Column("No.", share=5), Column("System of record", share=17), Column("By", share=13),
            Column("At", "time", 15), Column("How", share=22), Column("Records", share=14), Column("Export"),
        ),
        tuple(rows),
        "source",
    )  # fmt: skip
    if missing:
        yield Paragraph(
            (
                Strong("Limitation. "),
                "The case file does not state: "
                + "; ".join(
                    f"{name.replace('_', ' ')} for {plural(count, 'source')}"
                    for name, count in missing.items()
                )
                + ". For these, integrity rests on the digests taken at ingest alone.",
            )
        )


# -- tests -------------------------------------------------------------------------------------


def conclusion(counts: Counter[str]) -> str:
    """The conclusion of a test in words, from how often each answer was given."""
    if counts["exception"]:
        return "Exceptions noted" + (", and cases open" if counts["undetermined"] else "")
    if counts["undetermined"]:
        return "Not decided by the evidence" if not counts["ok"] else "No exception; cases open"
    if counts["ok"]:
        return "No exception noted"
    if counts["not_run"]:
        return "Not run: records absent"
    return "Nothing to test"


def _counts(incident: Incident) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {rule: Counter() for rule in incident.rules}
    for row in incident.findings:
        counts.setdefault(row["rule"], Counter())[row["status"]] += 1
    return counts


def _tests(incident: Incident) -> Section:
    counts = _counts(incident)
    rows: list[tuple[Text, ...]] = []
    for rule, found in sorted(counts.items(), key=lambda item: _rule_key(item[0])):
        title = str(incident.rules.get(rule, {}).get("title", ""))
        population = found["exception"] + found["ok"] + found["undetermined"]
        rows.append(
            (
                (Strong(rule), " ", title),
                number(population),
                number(found["exception"] + found["ok"]),
                number(found["exception"]),
                number(found["undetermined"]),
                number(found["not_applicable"]),
                "yes" if found["not_run"] else "",
                conclusion(found),
            )
        )
    table = Table(
        "Tests: one row per rule",
        (
            Column("Rule", share=30), Column("Population", "number", 11), Column("Decided", "number", 9),
            Column("Exceptions", "number", 11), Column("Undeter-mined", "number", 10),
            Column("Not applicable", "number", 11), Column("Not run", share=7), Column("Conclusion"),
        ),
        tuple(rows),
        "finding, rule_catalogue",
        "The population of a rule is every operation or subject on record that activates it. All of "
        "it is tested; decided are those for which the evidence gives an answer.",
    )  # fmt: skip
    reasons = sorted(
        {(row["rule"], str(row["reason"])) for row in incident.findings if row["status"] == "not_run"},
        key=lambda item: _rule_key(item[0]),
    )
    blocks: list[Block] = [table]
    if reasons:
        blocks.append(
            Table(
                "Why rules were not run",
                (Column("Rule", share=12), Column("Reason")),
                tuple(reasons),
                "finding",
            )
        )
    return Section("tests", "Tests", tuple(blocks), new_page=True)


def _rule_key(rule: str) -> tuple[int, str]:
    return (0 if rule.startswith("CF-") else 1, rule)


# -- findings ----------------------------------------------------------------------------------


def _findings(incident: Incident) -> Section:
    exceptions = incident.exceptions
    if not exceptions:
        return Section(
            "findings",
            "Findings",
            (Paragraph("No test gave an exception.", query="finding"),),
            new_page=True,
        )
    full = exceptions[:FINDING_PAGES]
    blocks: list[Block] = [
        Paragraph(
            f"{plural(len(exceptions), 'exception')} {_is(len(exceptions))} on record. Each stands on a "
            "page of its own with criteria, condition, cause, effect and recommendation; the response "
            "of the management is to be filled in.",
            query="finding",
        ),
        Table(
            "Register of exceptions",
            (
                Column("Finding", "code", 17), Column("Rule", share=9), Column("Severity", share=10),
                Column("Operation or subject", share=24), Column("When", "time", 17), Column("Title"),
            ),
            tuple(
                (
                    Ref(row["finding_id"], f"finding-{row['finding_id']}")
                    if number_ < FINDING_PAGES
                    else Code(row["finding_id"]),
                    row["rule"],
                    str(row["severity"]),
                    _about(incident, row),
                    incident.facts.day(row["occurred_at"]) if row["occurred_at"] else "",
                    str(row["title"]),
                )
                for number_, row in enumerate(exceptions)
            ),
            "finding",
        ),
    ]  # fmt: skip
    sections = [_finding(incident, row) for row in full]
    rest = exceptions[FINDING_PAGES:]
    if rest:
        sections.append(_in_short(incident, rest))
    return Section("findings", "Findings", tuple(blocks), tuple(sections), new_page=True)


def _about(incident: Incident, row: Row) -> str:
    if row["change_id"]:
        return str(row["change_id"])
    return str(row["subject"] or row["operation_id"] or "")


def _finding(incident: Incident, row: Row) -> Section:
    facts = incident.facts
    rule = incident.rules.get(row["rule"], {})
    operation = incident.operations.get(row["operation_id"] or "")
    others = [
        f"{other['rule']} ({str(other['title'])[:1].lower()}{str(other['title'])[1:]})"
        for other in incident.of_operation(row["operation_id"], "exception")
        if other["finding_id"] != row["finding_id"]
    ] if row["operation_id"] else []  # fmt: skip
    cause = (
        f"Not determined by the record. Recorded of the same operation as well: {listed(others)}."
        if others
        else "Not determined by the record. No other deviation of the same operation is on record."
    )
    subject: list[tuple[str, Text]] = [
        ("Finding", (Code(row["finding_id"]), f"  severity {row['severity']}, class {_CLASS[row['rule_class']]}")),
        ("Subject", _subject(incident, row, operation)),
        ("Criteria", _criteria(rule, operation)),
        ("Condition", (Strong(str(row["reason"])), _when(facts, row))),
        ("Base rate", base_rate(row)),
        ("Cause", cause),
        ("Effect", str(rule.get("effect", "not stated"))),
        ("Recommendation", str(rule.get("recommendation", "not stated"))),
        ("Questions to ask", "\n".join(str(question) for question in rule.get("questions") or ())),
        ("Controls", ", ".join(rule.get("controls") or ()) or "none named"),
        ("Codes", _codes(rule)),
    ]  # fmt: skip
    blocks: list[Block] = [Facts(tuple(subject))]
    blocks += _evidence(facts, row)
    blocks.append(
        Paragraph(
            (
                "To re-perform: ",
                Code(
                    f"postmortem query {facts.case_id} finding "
                    f"--where \"finding_id = '{row['finding_id']}'\""
                ),
            )
        )
    )
    blocks.append(
        Table(
            "Management response",
            (Column("Agree, partly or disagree", share=22), Column("Response", share=44),
             Column("By", share=18), Column("On")),
            (("", "", "", ""),),
            form=True,
        )
    )  # fmt: skip
    return Section(
        f"finding-{row['finding_id']}",
        f"{row['rule']} {row['title']}: {_about(incident, row)}",
        tuple(blocks),
        new_page=True,
    )


_CLASS = {"D": "D, divergence from a recorded criterion", "I": "I, indicator"}


def base_rate(row: Row) -> str:
    """How usual the same deviation was in earlier operations of the kind that closed well."""
    n, k = row["base_rate_n"], row["base_rate_k"]
    if n is None:
        return "No comparison: the finding is not about an operation of a known kind."
    if n == 0:
        return "No earlier operation of this kind that closed as success was decided for this rule."
    return (
        f"{number(k or 0)} of {plural(n, 'earlier operation')} of this kind that closed as success "
        "had the same deviation."
    )


def _subject(incident: Incident, row: Row, operation: Row | None) -> str:
    if operation is None:
        return str(row["subject"] or "the case")
    title = f", {operation['title']}" if operation.get("title") else ""
    kind = f" ({operation['kind']})" if operation["kind"] else ""
    subject = str(row["subject"] or "")
    about = f"; {subject}" if subject and subject not in (row["change_id"], row["operation_id"]) else ""
    return f"{_capital(incident.operation_name(row['operation_id']))}{kind}{title}{about}"


def _criteria(rule: Row, operation: Row | None) -> str:
    text = str(rule.get("criteria", "not stated"))
    if operation is not None and operation.get("procedure"):
        version = operation.get("procedure_version") or "unknown"
        text += f" Procedure in force: {operation['procedure']}, version {version}."
    return text


def _when(facts: CaseFacts, row: Row) -> str:
    return f" Recorded at {facts.when(row['occurred_at'])}." if row["occurred_at"] else ""


def _codes(rule: Row) -> Text:
    codes = ", ".join(rule.get("codes") or ()) or "none"
    candidates = ", ".join(rule.get("candidate_codes") or ())
    return f"{codes}. Candidates, only once a named reviewer confirms them: {candidates}" if candidates else codes


def _evidence(facts: CaseFacts, row: Row) -> Iterable[Block]:
    pointers = [pointer for text in row["evidence"] or () if (pointer := Pointer.read(text))]
    event = Pointer.read(row["event"])
    if event is not None:
        pointers = [event, *(pointer for pointer in pointers if pointer != event)]
    if not pointers:
        yield Paragraph("Evidence: the deviation is that no record is there; the queries name what was searched.")
        return
    yield Paragraph((Strong("Evidence"), f" ({plural(len(pointers), 'record')}; source and record number)"))
    for pointer in pointers[:RECORDS]:
        found = facts.record(pointer)
        if found is not None:
            yield Record(f"{pointer.source_id}:{pointer.record_no}", found[0], _cut(found[1]))
    if len(pointers) > RECORDS:
        more = pointers[RECORDS:]
        told = ", ".join(f"{pointer.source_id}:{pointer.record_no}" for pointer in more[:24])
        rest = f" and {number(len(more) - 24)} more in findings.csv" if len(more) > 24 else ""
        yield Paragraph(("Further records: ", Code(told), rest))


def _cut(text: str, limit: int = 420) -> str:
    return text if len(text) <= limit else text[:limit] + " […]"


def _in_short(incident: Incident, rows: list[Row]) -> Section:
    return Section(
        "findings-short",
        "Further exceptions in short form",
        (
            Paragraph(
                "Criteria, effect and recommendation of these are those of their rule, as printed on "
                "the pages before; all columns stand in findings.csv, attached to this file."
            ),
            Table(
                "Further exceptions",
                (
                    Column("Finding", "code", 17), Column("Rule", share=8), Column("About", share=16),
                    Column("Condition"), Column("Evidence", "code", 16),
                ),
                tuple(
                    (
                        Code(row["finding_id"]), row["rule"], _about(incident, row), str(row["reason"]),
                        Code(", ".join((row["evidence"] or ())[:4])),
                    )
                    for row in rows
                ),
                "finding",
            ),
        ),
        new_page=True,
    )  # fmt: skip


# -- controls, limits, requests ----------------------------------------------------------------


def _controls(incident: Incident) -> Section:
    counts = _counts(incident)
    rules: dict[str, set[str]] = defaultdict(set)
    for rule, row in incident.rules.items():
        for control in row["controls"] or ():
            rules[control].add(rule)
    rows: list[tuple[Text, ...]] = []
    for control, names in sorted(rules.items()):
        total: Counter[str] = Counter()
        for name in names:
            total += counts.get(name, Counter())
        rows.append(
            (
                Code(control),
                ", ".join(sorted(names, key=_rule_key)),
                number(total["exception"]),
                number(total["undetermined"]),
                conclusion(total),
            )
        )
    return Section(
        "controls",
        "Control matrix",
        (
            Paragraph(
                "Which rule bears on which control. The matrix shows what the tests say about a "
                "control; it is not an opinion on its design or on its operation over a period."
            ),
            Table(
                "Controls, the rules that test them, and what was found",
                (
                    Column("Control", "code", 24), Column("Rules", share=32), Column("Exceptions", "number", 11),
                    Column("Open", "number", 9), Column("Conclusion"),
                ),
                tuple(rows),
                "rule_catalogue, finding",
            ),
        ),
        new_page=True,
    )  # fmt: skip


def _limits(facts: CaseFacts) -> Section:
    rows = facts.rows("evidence_quality")
    blocks: list[Block] = [
        Listing(
            (
                "Silence of a log is not proof that nothing was done: an absent record and an absent "
                "action look alike.",
                "Clocks of sources are taken as recorded unless an offset is stated; the interval of "
                "each time stands in the attached timeline.",
                "Records were tested as exported. Whether a system altered them before that is outside "
                "of what these papers can show.",
                "Text of people and of the status page is quoted, and proves that it was said.",
            )
        )
    ]
    if rows:
        blocks.append(
            Table(
                "Issues of the evidence, by source",
                (
                    Column("No.", share=5), Column("Issue", share=19), Column("Subject", share=20),
                    Column("Detail"), Column("Count", "number", 9),
                ),
                tuple(
                    (
                        "" if row["source_id"] is None else str(row["source_id"]),
                        str(row["issue"]).replace("_", " "),
                        str(row["subject"] or ""),
                        _cut(str(row["detail"] or "") + _seconds(row), 300),
                        "" if row["count"] is None else number(row["count"]),
                    )
                    for row in rows[:120]
                ),
                "evidence_quality",
                "" if len(rows) <= 120 else f"{number(len(rows) - 120)} more rows: postmortem query {facts.case_id} evidence_quality",
            )
        )  # fmt: skip
    return Section("limits", "Limits of the evidence", tuple(blocks), new_page=True)


def _seconds(row: Row) -> str:
    lo, hi = row.get("lo_seconds"), row.get("hi_seconds")
    if lo is None and hi is None:
        return ""
    return f" [{span(lo) if lo is not None else 'open'} to {span(hi) if hi is not None else 'open'}]"


def request_table(facts: CaseFacts) -> Table | None:
    """What would settle the open questions, and whom to ask for it."""
    rows = facts.rows("evidence_request")
    if not rows:
        return None
    return Table(
        "Evidence that would settle what is open",
        (
            Column("No.", share=5), Column("What", share=30), Column("Who holds it", share=20),
            Column("Why", share=25), Column("Rules"),
        ),
        tuple(
            (
                str(row["request_no"]),
                str(row["what"]),
                str(row["holder"]),
                str(row["why"] or ""),
                ", ".join(row["rules"] or ()),
            )
            for row in rows
        ),
        "evidence_request",
    )  # fmt: skip


def _requests(facts: CaseFacts) -> Section:
    table = request_table(facts)
    blocks: tuple[Block, ...] = (
        (table,) if table else (Paragraph("Nothing is open.", query="evidence_request"),)
    )
    return Section("requests", "Evidence requests", blocks)


# -- registers ---------------------------------------------------------------------------------


def _queries(facts: CaseFacts) -> Section:
    rows = facts.rows("query_catalogue")
    blocks: list[Block] = [
        Paragraph(
            (
                "Every number names in brackets the relations that it comes from. The SQL of each is "
                "attached as queries.sql. To re-perform one: ",
                Code(f"postmortem query {facts.case_id} QUERY"),
                ". The digest of a result is that of its rows as sorted lines of JSON.",
            )
        )
    ]
    if rows:
        blocks.append(
            Table(
                "Queries with digests of text and result",
                (
                    Column("Query", "code", 19), Column("Title", share=25), Column("Rows", "number", 8),
                    Column("SHA-256 of the query and of its result", "code"),
                ),
                tuple(
                    (
                        Code(str(row["query_id"])), str(row["title"]), number(row["row_count"]),
                        (Code(str(row["sha256"])), "\n", Code(str(row["result_sha256"]))),
                    )
                    for row in rows
                ),
                "query_catalogue",
            )
        )  # fmt: skip
    return Section("queries", "Query register", tuple(blocks), new_page=True)


def _policy(facts: CaseFacts) -> Section:
    rows = facts.rows("policy")
    return Section(
        "policy",
        "Policy in force",
        (
            Table(
                "Thresholds, with where each comes from",
                (
                    Column("Threshold", "code", 26), Column("Value", share=17), Column("Unit", share=11),
                    Column("Origin", share=11), Column("Meaning"),
                ),
                tuple(
                    (Code(str(row["key"])), str(row["value"]).replace(",", ", ") or "none", str(row["unit"]),
                     str(row["origin"]), str(row["meaning"]))
                    for row in rows
                ),
                "policy",
            ),
        ),
        new_page=True,
    )  # fmt: skip


def _sign_off() -> Section:
    columns = (Column("Role", share=26), Column("Name", share=26), Column("Signature", share=28), Column("Date"))
    return Section(
        "sign-off",
        "Sign-off",
        (
            Paragraph(
                "Signed by people who neither asked for, nor approved, nor carried out the operations "
                "under review. The signature covers the case digest at the foot of the page."
            ),
            Table(
                "Prepared and reviewed",
                columns,
                tuple((role, "", "", "") for role in ("Prepared by", "Reviewed by", "Accepted by the management", "Independent reviewer")),
                form=True,
            ),
        ),
        new_page=True,
    )  # fmt: skip


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
