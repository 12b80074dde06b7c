"""The audit: working papers that let somebody else re-perform every conclusion."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from toolkit.report import board, findings, opening, sources
from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import Incident
from toolkit.report.model import (
    Block,
    Code,
    Document,
    Facts,
    Listing,
    Paragraph,
    Ref,
    Section,
    Status,
    Strong,
    Table,
    Text,
    columns,
)
from toolkit.report.words import (
    Bound,
    be,
    cut,
    fine,
    listed,
    number,
    numbers,
    plural,
    rule_list,
    span,
)


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
            findings.section(incident),
            _controls(incident),
            _limits(facts),
            _requests(facts),
            _queries(facts),
            _policy(facts),
            _sign_off(facts),
        ),
        cover=_cover(incident),
    )


def _cover(incident: Incident) -> tuple[Block, ...]:
    """What happened, what was tested and what came of it, before the first working paper."""
    files = incident.facts.count("source")
    return (
        Facts(
            (
                ("What happened", opening.sentence(incident, board=True)),
                (
                    "What was tested",
                    f"{plural(len(incident.operations), 'operation')} against "
                    f"{plural(len(incident.rules), 'rule')}, from {plural(files, 'file')} of "
                    "evidence",
                ),
                ("Result", _result(incident)),
            )
        ),
    )


def _result(incident: Incident) -> str:
    """How many tests apply, and what they gave; the table of tests has it by rule."""
    counts = Counter(row["status"] for row in incident.findings)
    ran = counts["ok"] + counts["exception"] + counts["undetermined"]
    idle = {row["rule"] for row in incident.findings if row["status"] == "not_run"}
    told = (
        f"{plural(ran, 'test')} {be(ran, 'applies', 'apply')}: {number(counts['ok'])} without "
        f"exception, {number(counts['exception'])} with one, {number(counts['undetermined'])} that "
        "the evidence does not decide"
        if ran
        else "no test could be decided"
    )
    if idle:
        told += (
            f"; {plural(len(idle), 'rule')} could not run, since records that "
            f"{be(len(idle), 'it needs', 'they need')} are absent"
        )
    return told


# -- scope -------------------------------------------------------------------------------------


_PAPERS = (
    ("WP-A", "Engagement: objective, criteria, scope", "scope", "Scope and criteria"),
    ("WP-B", "Sources, reconciliation, custody", "sources", "Sources"),
    ("WP-C", "Timeline with evidence", "", "timeline.csv; drawn in the review"),
    ("WP-D", "Tests: population, result, exceptions", "tests", "Tests"),
    ("WP-E", "Impact", "", "relations machine_impact, region_impact"),
    ("WP-F", "Communication", "", "relations communication, disclosure; shown in the review"),
    ("WP-G", "Findings", "findings", "Findings"),
    ("WP-H", "Responses (actions: in the review)", "findings", "at each finding"),
    ("WP-I", "Limits of the evidence, requests", "limits", "Limits of the evidence"),
    ("WP-J", "Sign-offs, versions", "sign-off", "Sign-off and version history"),
    ("WP-K", "Queries, policy, manifest", "queries", "Query register; manifest.jsonl"),
)


def _superseded(facts: CaseFacts, procedure: Row) -> str:
    if procedure["superseded_at"]:
        return facts.day(procedure["superseded_at"])
    begun = procedure["published_at"] is None or procedure["published_at"] <= facts.dated
    return "in force" if begun else "not in force yet"


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
            + (f" {incident.outside}" if incident.outside else "")
        ),
        Facts(
            (
                ("Window under review", facts.window),
                (
                    "Population",
                    _population(len(operations), len(registered)),
                ),
                ("Result", _result(incident)),
                (
                    "Criteria",
                    f"{plural(len(incident.rules), 'rule')} of the catalogue; "
                    f"{_or_no(len(procedures), 'procedure version')} on file; the thresholds in "
                    "force stand at the end of these papers",
                ),
                (
                    "Order of events",
                    "One event is said to come before another only where the latest reading of "
                    "the first lies before the earliest reading of the second; otherwise the "
                    "test answers undetermined",
                ),
                (
                    "People",
                    f"{plural(len(facts.people), 'account')} "
                    f"{be(len(facts.people), 'stands as a role', 'stand as roles')}, numbered by "
                    "first appearance; an account is what a record names or, where it names none, "
                    "what the declaration of its source states"
                    if len(facts.people)
                    else "no account of a person is on record",
                ),
            )
        ),
        Table(
            "Index of the working papers",
            columns("Paper {9} | What {43} | Where"),
            tuple(
                (name, what, Ref(where, target) if target else where + _listed_in(facts, name))
                for name, what, target, where in _PAPERS
            ),
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
                        _superseded(facts, row),
                        listed(row["applies_to"]),
                        Code(row["sha256"][:16] + "…"),
                    )
                    for row in procedures
                ),
                "procedure",
            )
        )
    return Section("scope", "Scope and criteria", tuple(blocks), new_page=True)


def _listed_in(facts: CaseFacts, paper: str) -> str:
    """The attached list of a working paper, where there is one."""
    return "; partners.csv" if paper == "WP-E" and facts.rows("partner_impact") else ""


def _or_no(count: int, what: str) -> str:
    return plural(count, what) if count else f"no {what}"


def _population(operations: int, registered: int) -> str:
    """What there is to test."""
    if not operations:
        return "no operation is on record: neither a registered change nor a maintenance event"
    return (
        f"{plural(operations, 'operation')}: {_or_no(registered, 'registered change')} and "
        f"{_or_no(operations - registered, 'session')} of events without one"
    )


_ANSWERS = (
    ("exception", "The record shows the deviation from the criterion."),
    ("ok", "What the record states shows no deviation; the answer names what it does not state."),
    (
        "not_applicable",
        "Nothing in the operation activates the rule, or its records state nothing that it "
        "compares.",
    ),
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
    rest = "; cases open" if counts["undetermined"] else ""
    if counts["exception"]:
        return f"Exceptions{rest}"
    if counts["ok"]:
        return f"No exception{rest}"
    if counts["undetermined"]:
        return "Not decided"
    return "Not run" if counts["not_run"] else "Nothing to test"


def _counts(incident: Incident) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {rule: Counter() for rule in incident.rules}
    for row in incident.findings:
        counts.setdefault(row["rule"], Counter())[row["status"]] += 1
    return counts


_UNKNOWN = "–"


def _tests(incident: Incident) -> Section:
    counts = _counts(incident)
    rows: list[tuple[Text, ...]] = []
    for rule, found in sorted(counts.items(), key=lambda item: _rule_key(item[0])):
        title = str(incident.rules.get(rule, {}).get("title", ""))
        population = found["exception"] + found["ok"] + found["undetermined"]
        # What a rule that did not run would have counted is not known.
        counted = (
            population,
            found["exception"] + found["ok"],
            found["exception"],
            found["undetermined"],
            found["not_applicable"],
        )
        rows.append(
            (
                (Strong(rule), " ", title),
                *(_UNKNOWN if found["not_run"] else number(count) for count in counted),
                conclusion(found),
            )
        )
    table = Table(
        "Tests: one row per rule",
        columns(
            "Rule {37} | Population {number 10} | Decided {number 9} | Exceptions {number 10} | "
            "Open {number 7} | Not applicable {number 10} | Conclusion"
        ),
        tuple(rows),
        "finding, rule_catalogue",
    )
    told = Paragraph(
        "The population of a rule is every operation or subject on record that activates it. All "
        "of it is tested; decided are those for which the evidence gives an answer, and open those "
        "for which it does not. A rule that did not run has counted nothing."
    )
    return Section("tests", "Tests", (told, table, *not_run(incident)))


def not_run(incident: Incident) -> Iterable[Table]:
    """Which rules could not run, by reason; nothing where all of them ran."""
    reasons: dict[str, set[str]] = defaultdict(set)
    for row in incident.findings:
        if row["status"] == "not_run":
            reasons[str(row["reason"])].add(row["rule"])
    if reasons:
        yield Table(
            "Rules that could not run",
            columns("Why not {60} | Rules"),
            tuple((reason, rule_list(sorted(rules))) for reason, rules in sorted(reasons.items())),
            "finding",
        )


def _rule_key(rule: str) -> tuple[int, str]:
    return (0 if rule.startswith("CF-") else 1, rule)


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
        unrun = [name for name in sorted(names, key=_rule_key) if counts[name]["not_run"]]
        ran = len(unrun) < len(names)
        if ran:
            del total["not_run"]
        rows.append(
            (
                Code(control),
                ", ".join(sorted(names, key=_rule_key)),
                number(total["exception"]) if ran else _UNKNOWN,
                number(total["undetermined"]) if ran else _UNKNOWN,
                conclusion(total) + (f"; {listed(unrun)} not run" if unrun and ran else ""),
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


_SAID = ("maintenance_event", "status_update", "statement", "notice", "ticket_event")


def _limits(facts: CaseFacts) -> Section:
    rows = facts.rows("evidence_quality")
    blocks: list[Block] = [
        Listing(
            (
                "These papers rest on records alone: nobody was interviewed, and no system was "
                "inspected. What people know and no record holds is not in them.",
                "Silence of a log is not proof that nothing was done: an absent record and an "
                "absent action look alike.",
                "Clocks of sources are taken as recorded unless an offset is stated; the "
                "interval of each time stands in the attached timeline.",
                "Records were tested as exported. Whether a system altered them before that is "
                "outside of what these papers can show.",
                *(
                    (
                        "Text of people and of the status page is quoted, and proves that it was "
                        "said. What it claims in free words is tested only where fixed wordings, "
                        "set out in the policy, find the claim.",
                    )
                    if any(facts.count(name) for name in _SAID)
                    else ()
                ),
            )
        )
    ]
    if rows:
        blocks.append(
            Table(
                "Issues of the evidence",
                columns("Issue {18} | Subject {20} | Sources {12} | Detail | Count {number 9}"),
                tuple(_issue(alike) for alike in _alike(rows)),
                "evidence_quality",
                "Issues that differ in their source alone share a row. Each one stands with its "
                "source in limits.csv.",
            )
        )
    return Section("limits", "Limits of the evidence", tuple(blocks), new_page=True)


# What may change a conclusion comes first; what says nothing by its definition comes last.
_FIRST = ("contradiction", "sources_disagree", "clock_conflict", "clock", "clock_declared",
          "clock_estimated", "records_missing", "export_incomplete", "samples_elsewhere",
          "reject")  # fmt: skip
_LAST = ("skipped", "chain_of_custody_missing")
_PLACE = re.compile(r"[,;]? first at record \d+")


def _alike(rows: list[Row]) -> list[list[Row]]:
    """Issues of one kind, subject and wording, whatever their source."""
    paths = {row["subject"] for row in rows if row["issue"] == "chain_of_custody_missing"}
    grouped: dict[tuple[str, str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        subject = "" if row["subject"] in paths else str(row["subject"] or "")
        detail = _PLACE.sub("", str(row["detail"] or ""))
        grouped[(str(row["issue"]), subject, detail, _seconds(row))].append(row)
    order = {issue: place for place, issue in enumerate(_FIRST)}
    order |= {issue: len(rows) + place for place, issue in enumerate(_LAST)}
    return sorted(grouped.values(), key=lambda found: order.get(str(found[0]["issue"]), len(order)))


def _issue(rows: list[Row]) -> tuple[Text, ...]:
    row, many = rows[0], len(rows) > 1
    detail = str(row["detail"] or "")
    if many:
        detail = _PLACE.sub("", detail)
    file = row["issue"] == "chain_of_custody_missing"
    subject = str(row["subject"] or "")
    if row["issue"] == "time_flag":
        subject = subject.replace("_", " ")
    counts = [row["count"] for row in rows if row["count"] is not None]
    return (
        str(row["issue"]).replace("_", " "),
        plural(len(rows), "file") if file and many else subject,
        numbers(row["source_id"] for row in rows if row["source_id"] is not None),
        cut(detail + _seconds(row), 300),
        number(sum(counts)) if counts else "",
    )


def _seconds(row: Row) -> str:
    lo, hi = row.get("lo_seconds"), row.get("hi_seconds")
    if lo is None and hi is None:
        return ""
    return f" [{_fine(lo, 'least')} to {_fine(hi, 'most')}]"


def _fine(seconds: float | None, bound: Bound) -> str:
    """A difference between clocks: in thousandths where whole seconds would hide it."""
    if seconds is None or abs(seconds) < 60:
        return fine(seconds, bound)
    return span(seconds, bound)


def request_table(facts: CaseFacts) -> Table | None:
    """What would settle the open questions, and whom to ask for it."""
    rows = facts.rows("evidence_request")
    if not rows:
        return None
    return Table(
        "Evidence that the tests lack",
        columns("No. {5} | What {24} | Who holds it {17} | Why {34} | Rules"),
        tuple(
            (
                str(row["request_no"]),
                str(row["what"]),
                str(row["holder"]),
                re.sub("^session:", "Session ", str(row["why"] or "")),
                rule_list(row["rules"] or ()),
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
                "Figures name in brackets the relations that they come from. The text of each, SQL "
                "or the step in Python, is attached in queries.sql. To re-perform one: ",
                Code(f"postmortem query {facts.case_id} QUERY"),
                ". The digest of a result is that of its rows as sorted lines of JSON.",
            )
        )
    ]
    departures = facts.rows("departure")
    departed = {row["name"] for row in departures if row["part"] == "query"}
    if departures:
        blocks.append(
            Table(
                "Not as delivered with the toolkit",
                columns("What {14} | Which {30} | In what it departs"),
                tuple(
                    (str(row["part"]), Code(str(row["name"])), str(row["told"]))
                    for row in departures
                ),
                "departure",
            )
        )
    elif rows and facts.has("departure"):
        blocks.append(
            Paragraph(
                "All queries, macros and thresholds are as delivered with the toolkit.",
                query="departure",
            )
        )
    if rows:
        blocks.append(
            Table(
                "Queries with digests of text and result",
                columns(
                    "Query {19} | Title {38} | Rows {number 10} | SHA-256 of the query {code 17} | "
                    "Of its result {code}"
                ),
                tuple(
                    (
                        Strong(str(row["query_id"])),
                        str(row["title"])
                        + (" (not as delivered)" if row["query_id"] in departed else ""),
                        "on demand" if row["row_count"] is None else number(row["row_count"]),
                        Code(str(row["sha256"])[:16]),
                        Code(str(row["result_sha256"] or "none")[:16]),
                    )
                    for row in rows
                ),
                "query_catalogue",
                "The first 16 letters of each digest; the whole ones stand in queries.csv.",
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
                columns("Threshold {code 26} | Value {22} | Unit {10} | Origin {8} | Meaning"),
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
    )


def _sign_off(facts: CaseFacts) -> Section:
    head = columns("Role {26} | Name {26} | Signature {28} | Date")
    form = Table(
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
    )
    signed = bool(facts.rows("review_sign_off"))
    return Section(
        "sign-off",
        "Sign-off and version history",
        (
            Paragraph(
                "To be signed by people who neither asked for, nor approved, nor carried out the "
                "operations under review. A signature covers the case digest at the foot of the "
                "page."
            ),
            *(board.signatures(facts) if signed else (form,)),
            *board.history(facts),
        ),
        new_page=signed,
        kept=not signed,
    )
