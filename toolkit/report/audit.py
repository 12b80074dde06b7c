"""The audit: working papers that let somebody else re-perform every conclusion."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from toolkit.report import sources
from toolkit.report.facts import CaseFacts, Pointer, Row
from toolkit.report.incident import Incident
from toolkit.report.model import (
    Block,
    Code,
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
    columns,
)
from toolkit.report.words import be, capital, cut, listed, number, plural, span

RECORDS = 4  # records of evidence printed on the page of a finding
FINDING_PAGES = 34  # so that the papers stay within 60 pages; more are printed in short form


def document(facts: CaseFacts) -> Document:
    incident = Incident(facts)
    return Document(
        "audit",
        "Audit working papers",
        "Sources, tests, findings and how to re-perform them",
        (
            _scope(incident),
            sources.section(facts),
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
            columns("Answer {18} | Meaning"),
            tuple(((Status(word)), meaning) for word, meaning in _ANSWERS),
        ),
    ]
    if procedures:
        blocks.append(
            Table(
                "Procedures on file",
                columns(
                    "Procedure | Version | Published {time} | Superseded {time} | "
                    "Applies to | SHA-256 {code}"
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
        )
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
        columns(
            "Rule {30} | Population {number 11} | Decided {number 9} | Exceptions {number 11} | Undeter-mined {number 10} | "
            "Not applicable {number 11} | Not run {7} | Conclusion"
        ),
        tuple(rows),
        "finding, rule_catalogue",
        "The population of a rule is every operation or subject on record that activates it. All of "
        "it is tested; decided are those for which the evidence gives an answer.",
    )
    reasons = sorted(
        {
            (row["rule"], str(row["reason"]))
            for row in incident.findings
            if row["status"] == "not_run"
        },
        key=lambda item: _rule_key(item[0]),
    )
    blocks: list[Block] = [table]
    if reasons:
        blocks.append(
            Table(
                "Why rules were not run", columns("Rule {12} | Reason"), tuple(reasons), "finding"
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
            f"{plural(len(exceptions), 'exception')} {be(len(exceptions))} on record. Each stands on a "
            "page of its own with criteria, condition, cause, effect and recommendation; the response "
            "of the management is to be filled in.",
            query="finding",
        ),
        Table(
            "Register of exceptions",
            columns(
                "Finding {code 17} | Rule {9} | Severity {10} | Operation or subject {24} | "
                "When {time 17} | Title"
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
    ]
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
    others = (
        [
            f"{other['rule']} ({str(other['title'])[:1].lower()}{str(other['title'])[1:]})"
            for other in incident.of_operation(row["operation_id"], "exception")
            if other["finding_id"] != row["finding_id"]
        ]
        if row["operation_id"]
        else []
    )
    cause = (
        f"Not determined by the record. Recorded of the same operation as well: {listed(others)}."
        if others
        else "Not determined by the record. No other deviation of the same operation is on record."
    )
    subject: list[tuple[str, Text]] = [
        (
            "Finding",
            (
                Code(row["finding_id"]),
                f"  severity {row['severity']}, class {_CLASS[row['rule_class']]}",
            ),
        ),
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
    ]
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
            columns("Agree {22} | Response {44} | By {18} | On"),
            (("", "", "", ""),),
            form=True,
        )
    )
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
    about = (
        f"; {subject}" if subject and subject not in (row["change_id"], row["operation_id"]) else ""
    )
    return f"{capital(incident.operation_name(row['operation_id']))}{kind}{title}{about}"


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
    return (
        f"{codes}. Candidates, only once a named reviewer confirms them: {candidates}"
        if candidates
        else codes
    )


def _evidence(facts: CaseFacts, row: Row) -> Iterable[Block]:
    pointers = [pointer for text in row["evidence"] or () if (pointer := Pointer.read(text))]
    event = Pointer.read(row["event"])
    if event is not None:
        pointers = [event, *(pointer for pointer in pointers if pointer != event)]
    if not pointers:
        yield Paragraph(
            "Evidence: the deviation is that no record is there; the queries name what was searched."
        )
        return
    yield Paragraph(
        (Strong("Evidence"), f" ({plural(len(pointers), 'record')}; source and record number)")
    )
    for pointer in pointers[:RECORDS]:
        found = facts.record(pointer)
        if found is not None:
            yield Record(f"{pointer.source_id}:{pointer.record_no}", found[0], cut(found[1], 420))
    if len(pointers) > RECORDS:
        more = pointers[RECORDS:]
        told = ", ".join(f"{pointer.source_id}:{pointer.record_no}" for pointer in more[:24])
        rest = f" and {number(len(more) - 24)} more in findings.csv" if len(more) > 24 else ""
        yield Paragraph(("Further records: ", Code(told), rest))


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
                columns(
                    "Finding {code 17} | Rule {8} | About {16} | Condition | Evidence {code 16}"
                ),
                tuple(
                    (
                        Code(row["finding_id"]),
                        row["rule"],
                        _about(incident, row),
                        str(row["reason"]),
                        Code(", ".join((row["evidence"] or ())[:4])),
                    )
                    for row in rows
                ),
                "finding",
            ),
        ),
        new_page=True,
    )


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
                columns(
                    "Control {code 24} | Rules {32} | Exceptions {number 11} | "
                    "Open {number 9} | Conclusion"
                ),
                tuple(rows),
                "rule_catalogue, finding",
            ),
        ),
        new_page=True,
    )


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
                columns("No. {5} | Issue {19} | Subject {20} | Detail | Count {number 9}"),
                tuple(
                    (
                        "" if row["source_id"] is None else str(row["source_id"]),
                        str(row["issue"]).replace("_", " "),
                        str(row["subject"] or ""),
                        cut(str(row["detail"] or "") + _seconds(row), 300),
                        "" if row["count"] is None else number(row["count"]),
                    )
                    for row in rows[:120]
                ),
                "evidence_quality",
                ""
                if len(rows) <= 120
                else f"{number(len(rows) - 120)} more rows: postmortem query {facts.case_id} evidence_quality",
            )
        )
    return Section("limits", "Limits of the evidence", tuple(blocks), new_page=True)


def _seconds(row: Row) -> str:
    lo, hi = row.get("lo_seconds"), row.get("hi_seconds")
    if lo is None and hi is None:
        return ""
    return (
        f" [{span(lo) if lo is not None else 'open'} to {span(hi) if hi is not None else 'open'}]"
    )


def request_table(facts: CaseFacts) -> Table | None:
    """What would settle the open questions, and whom to ask for it."""
    rows = facts.rows("evidence_request")
    if not rows:
        return None
    return Table(
        "Evidence that would settle what is open",
        columns("No. {5} | What {30} | Who holds it {20} | Why {25} | Rules"),
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
    )


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
                columns(
                    "Query {code 19} | Title {25} | Rows {number 8} | "
                    "SHA-256 of the query and of its result {code}"
                ),
                tuple(
                    (
                        Code(str(row["query_id"])),
                        str(row["title"]),
                        number(row["row_count"]),
                        (Code(str(row["sha256"])), "\n", Code(str(row["result_sha256"]))),
                    )
                    for row in rows
                ),
                "query_catalogue",
            )
        )
    return Section("queries", "Query register", tuple(blocks), new_page=True)


def _policy(facts: CaseFacts) -> Section:
    rows = facts.rows("policy")
    return Section(
        "policy",
        "Policy in force",
        (
            Table(
                "Thresholds, with where each comes from",
                columns("Threshold {code 26} | Value {17} | Unit {11} | Origin {11} | Meaning"),
                tuple(
                    (
                        Code(str(row["key"])),
                        str(row["value"]).replace(",", ", ") or "none",
                        str(row["unit"]),
                        str(row["origin"]),
                        str(row["meaning"]),
                    )
                    for row in rows
                ),
                "policy",
            ),
        ),
        new_page=True,
    )


def _sign_off() -> Section:
    head = columns("Role {26} | Name {26} | Signature {28} | Date")
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
                head,
                tuple(
                    (role, "", "", "")
                    for role in (
                        "Prepared by",
                        "Reviewed by",
                        "Accepted by the management",
                        "Independent reviewer",
                    )
                ),
                form=True,
            ),
        ),
        new_page=True,
    )
