"""The board's own record in the reports: state, decisions, codes, actions, signatures, history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from toolkit.report import decide
from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import Incident
from toolkit.report.model import (
    Block,
    Code,
    Facts,
    Listing,
    Paragraph,
    Section,
    Status,
    Strong,
    Table,
    Text,
    columns,
    without_source,
)
from toolkit.report.words import be, capital, cut, listed, number, plural

CHANGES = 40  # differences since the freeze that are printed one by one
RESPONSE_FORM = Table(
    "Management response",
    columns("Agree / partly / disagree {22} | Response {44} | By {18} | On"),
    (("", "", "", ""),),
    form=True,
)


def state(facts: CaseFacts) -> Row | None:
    """The row of the version that is being worked on."""
    return next((row for row in facts.rows("review_state") if row["is_current"]), None)


def cover(facts: CaseFacts) -> str:
    """State and version for the cover; a changed state says so."""
    row = state(facts)
    if row is None:
        return "draft"
    told = f"{str(row['state']).replace('_', ' ')}, version {row['version']}"
    return told + (", evidence or rules changed since the freeze" if _changed(facts) else "")


def _frozen(facts: CaseFacts) -> Row | None:
    """The latest freeze of any version."""
    rows = [row for row in facts.rows("review_state") if row["frozen_digest"]]
    return max(rows, key=lambda row: row["version"], default=None)


def _changed(facts: CaseFacts) -> bool:
    frozen = _frozen(facts)
    return frozen is not None and (
        frozen["frozen_digest"] != facts.digest or bool(_differences(facts, frozen))
    )


def _now(rows: list[Row]) -> list[Row]:
    """Those of the latest version."""
    last = max((row["version"] for row in rows), default=0)
    return [row for row in rows if row["version"] == last]


def _who(account: object, role: object) -> str:
    return f"{role} ({account})" if role else str(account)


# -- the section of the review -----------------------------------------------------------------


def section(incident: Incident) -> Section:
    facts = incident.facts
    if not facts.rows("review_entry"):
        first: Block = Paragraph(
            (
                "Nothing is on record of the board yet. These tables are to be filled in, or "
                "entered with ",
                Code("postmortem review"),
                ".",
            )
        )
        return Section(
            "decisions",
            "Decisions and actions",
            (first, _decision_form(incident), _action_form()),
            kept=True,
        )
    blocks: list[Block] = [*_standing(facts), *_since_freeze(facts)]
    blocks += _decided(incident)
    blocks += _actions(facts)
    blocks += _codes(facts)
    blocks += signatures(facts)
    blocks += history(facts)
    return Section("decisions", "Decisions and actions", tuple(blocks), new_page=True)


def _decision_form(incident: Incident) -> Table:
    """A form with a row for each point of `What to decide`, in its order, and two more."""
    asked: list[Text] = [*map(without_source, decide.points(incident, brief=True)), "", ""]
    return Table(
        "Decisions of the board",
        columns("No. {6} | To decide {40} | Decision {24} | Decided by {18} | On"),
        tuple((str(n), text, "", "", "") for n, text in enumerate(asked, start=1)),
        form=True,
    )


def _action_form() -> Table:
    return Table(
        "Actions",
        columns("No. {6} | Action {36} | Strength {14} | Owner {16} | Due {12} | Verified how"),
        tuple((str(n), "", "", "", "", "") for n in range(1, 7)),
        note=_STRENGTH,
        form=True,
    )


_STRENGTH = (
    "Strength: stronger (an interlock or a change of structure), intermediate (redundancy, "
    "checklist, tooling), weaker (training, a new instruction, a second look)."
)


def _standing(facts: CaseFacts) -> Iterable[Block]:
    row = state(facts)
    if row is None:
        return
    items: list[tuple[str, Text]] = [
        ("State", f"{str(row['state']).replace('_', ' ')}, version {row['version']}"),
        ("Since", facts.when(row["since"])),
        (
            "Findings decided",
            f"{number(row['decided'])} of {plural(row['exceptions'], 'exception')}"
            + (
                f"; {number(row['orphaned'])} without a finding any more" if row["orphaned"] else ""
            ),
        ),
        (
            "Signatures",
            f"{number(row['independent_signatures'])} independent of "
            f"{number(row['signatures_required'])} required"
            + (f"; {number(row['signatures'])} in all" if row["signatures"] else ""),
        ),
    ]
    if row["frozen_digest"]:
        items.append(("Frozen", (f"{facts.when(row['frozen_at'])}, case digest ",
                                 Code(str(row["frozen_digest"])))))  # fmt: skip
    yield Facts(tuple(items))


# -- what changed since the freeze -------------------------------------------------------------

_PARTS = (
    "case", "source", "declaration", "procedure", "policy", "component", "query", "macros",
    "finding",
)  # fmt: skip
# Snapshots of earlier versions of the toolkit know nothing of these.
_LATER = frozenset(["case", "declaration", "macros"])
_DIGESTS = frozenset(["source", "declaration", "query", "macros", "procedure"])
Difference = tuple[str, str, str, str]  # part, what, then, now


def _differences(facts: CaseFacts, frozen: Row) -> list[Difference] | None:
    """What differs from the snapshot of the freeze; None where there is no snapshot."""
    then = {
        (row["part"], row["key"]): str(row["value"])
        for row in facts.rows("review_snapshot")
        if row["digest"] == frozen["frozen_digest"]
    }
    if not then:
        return None
    now = {(part, facts.text(key)): facts.text(value) for part, key, value in facts.fixed}
    known = {part for part, _ in then}
    return [
        (part, key, then.get((part, key), ""), now.get((part, key), ""))
        for part in _PARTS
        if part in known or part not in _LATER
        for _, key in sorted(each for each in {*then, *now} if each[0] == part)
        if then.get((part, key)) != now.get((part, key))
    ]


def _since_freeze(facts: CaseFacts) -> Iterable[Block]:
    frozen = _frozen(facts)
    if frozen is None:
        return
    found = _differences(facts, frozen)
    same = frozen["frozen_digest"] == facts.digest
    if found is None:
        yield Paragraph(
            (
                Strong("Since the freeze: "),
                "evidence, rules and thresholds are as they were frozen."
                if same
                else "the case digest differs from the frozen one. What changed cannot be told, "
                "since the snapshot of the freeze is not in the folder review.",
            ),
            query="review_state",
        )
        return
    if not found:
        yield Paragraph(
            (Strong("Since the freeze: "),
             "sources, rules, thresholds, procedures and findings are as they were frozen."
             + ("" if same else " The title, the zone, the window or the declaration of a source "
                "in the case file differs.")),
            query="review_state, review_snapshot",
        )  # fmt: skip
        return
    counts = Counter(part for part, *_ in found)
    names = {"query": "rule or query", "policy": "threshold", "case": "case file"}
    told = [f"{names.get(part, part)} {number(n)}" for part, n in counts.items()]
    yield Table(
        f"What changed since the evidence was frozen at {facts.when(frozen['frozen_at'])}",
        columns("What {14} | Which {36} | Then {22} | Now"),
        tuple(
            (
                names.get(part, part),
                cut(key, 120),
                _value(part, before) or "not there",
                _value(part, after) or "no longer there",
            )
            for part, key, before, after in found[:CHANGES]
        ),
        "review_snapshot",
        f"Differences by kind: {listed(told)}."
        + (
            f" {number(len(found) - CHANGES)} more are not printed." if len(found) > CHANGES else ""
        ),
    )


def _value(part: str, value: str) -> str:
    return value[:16] if part in _DIGESTS else cut(value, 80)


# -- decisions and responses -------------------------------------------------------------------


def _decided(incident: Incident) -> Iterable[Block]:
    facts = incident.facts
    said = [row for row in _now(facts.rows("review_entry")) if row["verb"] == "decide"]
    if said:
        yield Table(
            "Decisions of the board",
            columns("Entry {number 7} | Decision {40} | Findings {code 18} | By {19} | On {time}"),
            tuple(
                (
                    number(row["entry_no"]),
                    str(row["text"]),
                    Code(", ".join(row["findings"] or ())),
                    _who(row["account"], row["role"]),
                    facts.day(row["made_at"]),
                )
                for row in said
            ),
            "review_entry",
        )
    else:
        yield _decision_form(incident)
    rows = _now(facts.rows("review_decision"))
    if rows:
        yield Table(
            "Findings as decided and answered",
            columns("Finding {code 19} | Rule {8} | Board {12} | Reason {24} | Management {11} | "
                    "Response"),
            tuple(
                (
                    (Code(str(row["finding_id"])),
                     *((" ", Strong("no longer found")) if row["is_orphaned"] else ())),
                    str(row["rule"] or ""),
                    str(row["decision"] or "open"),
                    str(row["reason"] or ""),
                    str(row["response"] or "none yet"),
                    str(row["response_text"] or ""),
                )
                for row in rows
            ),
            "review_decision",
            _orphans(rows),
        )  # fmt: skip


def _orphans(rows: list[Row]) -> str:
    gone = sum(bool(row["is_orphaned"]) for row in rows)
    if not gone:
        return ""
    return (
        f"{plural(gone, 'decision')} {be(len(rows[:gone]))} about a finding that the evidence no "
        "longer gives; kept as entered."
    )


def at_finding(facts: CaseFacts, finding_id: str) -> list[Block]:
    """What the board and the management say of a finding; a form where nothing is on record."""
    row = next(
        (r for r in _now(facts.rows("review_decision")) if r["finding_id"] == finding_id), None
    )
    blocks: list[Block] = []
    if row is not None:
        blocks.append(Facts(tuple(_said(facts, row))))
    if row is None or row["response"] is None:
        blocks.append(RESPONSE_FORM)
    return blocks


def _said(facts: CaseFacts, row: Row) -> Iterable[tuple[str, Text]]:
    if row["decision"]:
        by = _who(row["decided_by"], row["decided_role"])
        yield (
            "Board",
            (Strong(str(row["decision"])), f" by {by}, {facts.day(row['decided_at'])}",
             f": {row['reason']}" if row["reason"] else ""),
        )  # fmt: skip
    if row["response"]:
        role = f" ({row['response_role']})" if row["response_role"] else ""
        yield (
            "Management",
            (Strong(str(row["response"])), f"{role}, {facts.day(row['response_at'])}: ",
             str(row["response_text"] or "")),
        )  # fmt: skip


def confirmed_codes(facts: CaseFacts, finding_id: str) -> str:
    """Candidate codes of a finding that two coders confirmed, or how far they are judged."""
    found = [r for r in _now(facts.rows("review_code")) if r["finding_id"] == finding_id]
    return ", ".join(
        f"{row['code']} ({row['verdict']}, {number(row['holding'])} of "
        f"{plural(row['coders'], 'coder')})"
        for row in found
    )


# -- actions, codes, signatures, history -------------------------------------------------------


def _actions(facts: CaseFacts) -> Iterable[Block]:
    rows = _now(facts.rows("review_action"))
    if not rows:
        yield _action_form()
        return
    stronger = sum(row["strength"] == "stronger" for row in rows)
    weaker = sum(row["strength"] == "weaker" for row in rows)
    yield Paragraph(
        (
            Strong(f"Stronger actions: {number(stronger)} of {number(len(rows))}."),
            " All are weaker: they rest on people noticing or remembering, so that the "
            "same conditions can meet again. Weigh an interlock or a change of structure."
            if weaker == len(rows)
            else "",
        ),
        query="review_action",
    )
    yield Table(
        "Actions",
        columns("Action {9} | What {30} | Strength {13} | Owner {14} | Due {time 12} | "
                "Verified how {14} | Done"),
        tuple(
            (
                str(row["action_id"]),
                str(row["title"]) + _answers(row),
                str(row["strength"]),
                str(row["owner"]),
                f"{row['due']:%Y-%m-%d}",
                str(row["verified_how"] or "not stated"),
                f"{facts.day(row['completed_at'])}: {row['completed_how']}"
                if row["completed_at"]
                else "open",
            )
            for row in rows
        ),
        "review_action",
        _STRENGTH,
    )  # fmt: skip


def _answers(row: Row) -> str:
    findings, gone = row["findings"] or [], row["orphaned_findings"] or []
    told = f"\nanswers {', '.join(findings)}" if findings else ""
    return told + (f"\nno longer found: {', '.join(gone)}" if gone else "")


def _codes(facts: CaseFacts) -> Iterable[Block]:
    rows = _now(facts.rows("review_code"))
    if not rows:
        return
    yield Table(
        "Candidate codes as judged",
        columns("Finding {code 20} | Rule {9} | Code {code 34} | Coders {number 9} | "
                "Say it holds {number 9} | Verdict"),
        tuple(
            (Code(str(row["finding_id"])), str(row["rule"] or "no longer found"),
             Code(str(row["code"])), number(row["coders"]), number(row["holding"]),
             str(row["verdict"]))
            for row in rows
        ),
        "review_code",
        "Two coders who judge alike confirm a code; one alone confirms nothing.",
    )  # fmt: skip
    pairs = _now(facts.rows("review_agreement"))
    if not pairs:
        yield Paragraph("No two coders judged the same code.", query="review_agreement")
        return
    yield Listing(
        tuple(
            f"{row['coder_a']} and {row['coder_b']}: {number(row['agreed'])} of "
            f"{plural(row['codes'], 'code')} judged alike; Cohen's kappa "
            + ("not defined" if row["kappa"] is None else number(row["kappa"], 3))
            + "."
            for row in pairs
        )
    )


def signatures(facts: CaseFacts) -> Iterable[Block]:
    """Signatures with what ties each signer to the changes under review."""
    rows = _now(facts.rows("review_sign_off"))
    if not rows:
        yield Paragraph("No signature is on record.", query="review_sign_off")
        return
    yield Table(
        "Signatures",
        columns(
            "Signed by {24} | On {time 18} | Counts {9} | Signed what {16} | What ties the signer"
        ),
        tuple(
            (
                _who(row["account"], row["role"]),
                facts.when(row["signed_at"]),
                Status("yes" if row["counts"] else "no"),
                {True: "the frozen state", None: "not stated"}.get(
                    row["is_of_frozen"], f"another state, {str(row['digest'])[:12]}"
                ),
                capital("; ".join(row["conflicts"])) or "nothing on record",
            )
            for row in rows
        ),
        "review_sign_off",
        "A signature counts where nothing on record ties the signer to the changes under review, "
        "and where it states no other case digest than the frozen one.",
    )


def history(facts: CaseFacts) -> Iterable[Block]:
    """Every version with its entries, in order; nothing is taken back."""
    rows = facts.rows("review_entry")
    if not rows:
        return
    yield Table(
        "Version history",
        columns("Entry {number 7} | Version {number 8} | On {time 15} | By {18} | Act {11} | "
                "Leads to {13} | What"),
        tuple(
            (
                number(row["entry_no"]),
                number(row["version"]),
                facts.day(row["made_at"]),
                _who(row["account"], row["role"]),
                str(row["verb"]).replace("_", " "),
                str(row["state"]).replace("_", " "),
                cut(_about(row), 160),
            )
            for row in rows[-60:]
        ),
        "review_entry",
        "A signature leads to signed off once enough independent ones are on record."
        + (f" {number(len(rows) - 60)} earlier entries: review.yaml." if len(rows) > 60 else ""),
    )  # fmt: skip


def _about(row: Row) -> str:
    item = f"item {row['item_no']}" if row["item_no"] else None
    holds = "does not hold" if row["holds"] is False else None
    digest = f"digest {row['digest'][:16]}" if row["digest"] else None
    names = ("action_id", "code", "answer", "title", "text")
    parts = [row["finding_id"], item, holds, *(row[name] for name in names), digest]
    return " ".join(str(part) for part in parts if part)
