"""The findings: one self-contained page each, in the five parts that auditors expect."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from toolkit.report import board
from toolkit.report.facts import CaseFacts, Pointer, Row
from toolkit.report.incident import Incident
from toolkit.report.model import (
    Block,
    Code,
    Facts,
    Paragraph,
    Record,
    Ref,
    Section,
    Strong,
    Table,
    Text,
    columns,
)
from toolkit.report.words import be, capital, cut, number, plural

RECORDS = 4  # records of evidence printed on the page of a finding
READ = 60  # records looked into to choose these
PAGES = 36  # beyond so many exceptions, those of one rule in other operations share a page


def section(incident: Incident) -> Section:
    """The register of exceptions, then their pages."""
    exceptions = incident.exceptions
    if not exceptions:
        told = [row["status"] for row in incident.findings]
        ran = any(status != "not_run" for status in told)
        undecided = told.count("undetermined")
        none = Paragraph(
            f"No test gave an exception; {number(undecided)} of "
            f"{number(undecided + told.count('ok'))} that apply did not decide."
            if undecided
            else "No test gave an exception."
            if ran
            else "No rule could be tested, so there is neither an exception nor a sign that there "
            "was none.",
            query="finding",
        )
        return Section("findings", "Findings", (none,))
    pages = _pages(incident)
    anchors = {row["finding_id"]: page.id for page, rows in pages for row in rows}
    register = Table(
        "Register of exceptions",
        columns(
            "Finding {code 23} | Rule {7} | Severity {8} | About {14} | When {time 15} | Title"
        ),
        tuple(
            (
                Ref(row["finding_id"], anchors[row["finding_id"]]),
                row["rule"],
                str(row["severity"]),
                _about(row),
                incident.facts.day(row["occurred_at"]) if row["occurred_at"] else "",
                str(row["title"]),
            )
            for row in exceptions
        ),
        "finding",
    )
    intro = Paragraph(
        f"{plural(len(exceptions), 'exception')} {be(len(exceptions))} on record. Each is set out "
        "with criteria, condition, cause, effect and recommendation; the response of the "
        "management is to be filled in."
        + (
            ""
            if len(pages) == len(exceptions)
            else (" Those of one rule outside of the operation under review share a page.")
        )
        + " Codes are those of published schemes (HFACS, SHERPA, CREAM, STPA, DORA); they class "
        "what the record shows, so that cases can be compared, and judge nobody.",
        query="finding",
    )
    return Section(
        "findings", "Findings", (intro, register), tuple(page for page, _ in pages), new_page=True
    )


def _pages(incident: Incident) -> list[tuple[Section, list[Row]]]:
    rows = incident.exceptions
    if len(rows) <= PAGES:
        return [(_finding(incident, row), [row]) for row in rows]
    reviewed = {row["operation_id"] for row in incident.reviewed}
    grouped: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        own = row["finding_id"] if row["operation_id"] in reviewed else ""
        grouped[(row["rule"], own)].append(row)
    pages = Counter(rule for rule, _ in grouped)
    return [
        (
            _finding(incident, found[0])
            if len(found) == 1
            else _shared(incident, found, more=pages[found[0]["rule"]] > 1),
            found,
        )
        for found in grouped.values()
    ]


_CLASS = {"D": "D, divergence from a recorded criterion", "I": "I, indicator"}


def _finding(incident: Incident, row: Row) -> Section:
    facts = incident.facts
    rule = incident.rules.get(row["rule"], {})
    operation = incident.operations.get(row["operation_id"] or "")
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
        ("Base rate", base_rate(row, operation["kind"] if operation else None)),
        ("Cause", _cause(incident, row)),
        *_of_rule(rule),
        *_confirmed(facts, row),
    ]
    blocks: list[Block] = [
        Facts(tuple(subject)),
        *_evidence(facts, row),
        _reperform(facts, "finding_id", row["finding_id"]),
        *board.at_finding(facts, row["finding_id"]),
    ]
    return Section(
        f"finding-{row['finding_id']}",
        f"{row['rule']} {row['title']}: {_about(row)}",
        tuple(blocks),
        new_page=True,
    )


def _shared(incident: Incident, rows: list[Row], *, more: bool) -> Section:
    """One page for the exceptions of one rule in several operations or subjects.

    `more` says that others of the rule have pages of their own.
    """
    facts, rule = incident.facts, incident.rules.get(rows[0]["rule"], {})
    head = Facts(
        (
            (
                "Findings",
                f"{number(len(rows))}, severity {rows[0]['severity']}, class "
                f"{_CLASS[rows[0]['rule_class']]}",
            ),
            ("Criteria", _criteria(rule, None)),
            ("Cause", "Not determined by the record."),
            *_of_rule(rule),
        )
    )
    condition = Table(
        "Condition, one row per finding",
        columns(
            "Finding {code 19} | About {17} | Condition {36} | Base rate {16} | Evidence {code}"
        ),
        tuple(
            (
                Code(row["finding_id"]),
                _about(row),
                str(row["reason"]) + _when(facts, row),
                short_rate(row),
                Code(", ".join(_cited(row)[:6]) + (" …" if len(_cited(row)) > 6 else "")),
            )
            for row in rows
        ),
        "finding",
    )
    name = rows[0]["rule"]
    return Section(
        f"findings-{name.lower()}",
        f"{name} {rows[0]['title']}: {plural(len(rows), 'further finding' if more else 'finding')}",
        (
            head,
            condition,
            *_evidence(facts, *rows),
            _reperform(facts, "rule", name),
            *_responses(facts, rows),
        ),
        new_page=True,
    )


def _responses(facts: CaseFacts, rows: list[Row]) -> Iterable[Block]:
    """What is on record of each finding of a shared page, and one form for the others."""
    told = [(row, board.at_finding(facts, row["finding_id"])) for row in rows]
    for row, blocks in told:
        if len(blocks) > 1 or blocks[0] is not board.RESPONSE_FORM:
            yield Paragraph((Strong("Finding "), Code(row["finding_id"])))
            yield from (block for block in blocks if block is not board.RESPONSE_FORM)
    if any(board.RESPONSE_FORM in blocks for _, blocks in told):
        yield board.RESPONSE_FORM


def _of_rule(rule: Row) -> list[tuple[str, Text]]:
    return [
        ("Effect", str(rule.get("effect", "not stated"))),
        ("Recommendation", str(rule.get("recommendation", "not stated"))),
        ("Questions to ask", "\n".join(str(question) for question in rule.get("questions") or ())),
        ("Controls", ", ".join(rule.get("controls") or ()) or "none named"),
        ("Codes", _codes(rule)),
    ]


def _confirmed(facts: CaseFacts, row: Row) -> Iterable[tuple[str, Text]]:
    codes = board.confirmed_codes(facts, row["finding_id"])
    if codes:
        yield "Codes judged by people", codes


def _cause(incident: Incident, row: Row) -> str:
    """Never a verdict: which other deviations stand in the same operation, by rule."""
    rules = dict.fromkeys(
        other["rule"]
        for other in incident.of_operation(row["operation_id"] or "", "exception")
        if other["rule"] != row["rule"]
    )
    if not row["operation_id"] or not rules:
        return "Not determined by the record; for the board to judge with those who know the work."
    return f"Not determined by the record. In the same operation also: {', '.join(rules)}."


def _reperform(facts: CaseFacts, column: str, value: str) -> Paragraph:
    where = f"{column} = '{value}'" + (" and status = 'exception'" if column == "rule" else "")
    command = f'postmortem query {facts.case_id} finding --where "{where}"'
    return Paragraph(("To re-perform: ", Code(command)))


def short_rate(row: Row) -> str:
    """The base rate as `k of n`."""
    n, k = row["base_rate_n"], row["base_rate_k"]
    return "none to compare" if not n else f"{number(k or 0)} of {number(n)}"


def _cited(row: Row) -> list[str]:
    return [
        str(pointer)
        for pointer in dict.fromkeys([row["event"], *(row["evidence"] or ())])
        if pointer
    ]


def _about(row: Row) -> str:
    if row["change_id"]:
        return str(row["change_id"])
    return str(row["subject"] or row["operation_id"] or "")


def base_rate(row: Row, kind: str | None = None) -> str:
    """How usual the same deviation was in earlier operations of the kind that closed well."""
    n, k = row["base_rate_n"], row["base_rate_k"]
    if n is None:
        return (
            "No comparison: no action of the operation is on record, so that the earlier ones "
            "cannot be told."
            if kind
            else "No comparison: the finding is not about an operation of a known kind."
        )
    if n == 0:
        return "No earlier operation of this kind that closed as success was decided for this rule."
    return (
        f"{number(k or 0)} of {plural(n, 'earlier operation')} of this kind that closed as "
        "success had the same deviation."
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
    when = facts.when(row["occurred_at"])
    if row["occurred_at"] is None or when in row["reason"]:
        return ""
    return f" Stands at {when} in the order of events."


def _telling(facts: CaseFacts, rows: Iterable[Row], cited: list[Pointer]) -> list[Pointer]:
    """Those that name an asset of which the condition speaks come before the others."""
    if len(cited) <= RECORDS:
        return cited
    told = " ".join(str(row["reason"]) for row in rows)
    words = set(re.findall(r"[\w.-]*\w", told))
    names = [str(row["asset_id"]) for row in facts.rows("known_asset") if row["asset_id"] in words]

    def silent(pointer: Pointer) -> bool:
        found = facts.record(pointer)
        return found is None or not any(name in found[1] for name in names)

    return sorted(cited[:READ], key=silent) + cited[READ:]


def _codes(rule: Row) -> Text:
    """The codes that the record alone decides; candidates wait for a named reviewer, unprinted."""
    return ", ".join(rule.get("codes") or ()) or "none"


def _evidence(facts: CaseFacts, *rows: Row) -> Iterable[Block]:
    """Records that the findings rest on; the event of each comes before what else it cites."""
    events = [pointer for row in rows if (pointer := Pointer.read(row["event"]))]
    cited = [Pointer.read(text) for row in rows for text in row["evidence"] or ()]
    pointers = list(dict.fromkeys([*events, *(pointer for pointer in cited if pointer)]))
    pointers[len(set(events)) :] = _telling(facts, rows, pointers[len(set(events)) :])
    if not pointers:
        yield Paragraph(
            "Evidence: the deviation is that no record is there; the queries name what was "
            "searched."
        )
        return
    yield Paragraph(
        (
            Strong("Evidence"),
            f" ({plural(len(pointers), 'record')}, by source and record number; people as roles)",
        )
    )
    for pointer in pointers[:RECORDS]:
        found = facts.record(pointer)
        if found is not None:
            yield Record(f"{pointer.source_id}:{pointer.record_no}", found[0], cut(found[1], 700))
    if len(pointers) > RECORDS:
        more = pointers[RECORDS:]
        told = ", ".join(f"{pointer.source_id}:{pointer.record_no}" for pointer in more[:24])
        rest = f" and {number(len(more) - 24)} more in findings.csv" if len(more) > 24 else ""
        yield Paragraph(("Further records: ", Code(told), rest))
