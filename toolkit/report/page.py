"""The status page: what it said against what was measured, and how it was kept."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from toolkit.report.facts import CaseFacts, Row
from toolkit.report.incident import Incident
from toolkit.report.model import (
    Block,
    Code,
    Figure,
    Paragraph,
    Section,
    Status,
    Stretch,
    Strip,
    Strips,
    Table,
    columns,
)
from toolkit.report.words import (
    be,
    capital,
    listed,
    number,
    percent,
    span,
    spans,
    without_markup,
)


def section(incident: Incident) -> Section:
    facts = incident.facts
    rows = facts.rows("status_accuracy")
    if not rows:
        return Section("status", "The status page against what was measured", (none(facts),))
    if not _is_measured(rows):
        return Section("status", "The status page against what was measured", strips(facts))
    totals = _totals(rows)
    claims = {
        (row["scope"], row["metric"]): claimed(row)
        for row in facts.rows("communication")
        if row["metric"] in ("over_claim", "under_claim")
    }
    blocks: list[Block] = [
        *strips(facts),
        Table(
            "How long page and measurement agreed",
            columns(
                "Region | Agree {number} | Over claim {number} | "
                "Under claim {number} | Not known {number}"
            ),
            tuple(
                (
                    region,
                    *(
                        claims.get((region, verdict))
                        or (span(told[verdict] * 60) if told[verdict] else "none")
                        for verdict in _WORDS
                    ),
                )
                for region, told in totals.items()
            ),
            "status_accuracy",
            "A claim with two figures is decided for the shorter time; the longer one adds what is "
            "not known of it."
            if any(" and " in words for words in claims.values())
            else "",
        ),
    ]
    differing = sorted(
        (row for row in rows if row["verdict"] in ("over_claim", "under_claim")),
        key=lambda row: (-(row["duration_minutes"] or 0), str(row["region"]), row["started_at"]),
    )[:10]
    if differing:
        blocks.append(
            Table(
                "The longest stretches in which they differ",
                columns(
                    "Region | From {time} | To {time} | Page said | "
                    "Measured | Machines in a gap {number} | Verdict"
                ),
                tuple(
                    (
                        str(row["region"] or "all"),
                        facts.day(row["started_at"]),
                        facts.day(row["ended_at"]) if row["ended_at"] else "end of record",
                        _state(row["said"]).replace("_", " "),
                        _state(row["measured"]).replace("_", " "),
                        percent(row["measured_share"]),
                        Status(str(row["verdict"])),
                    )
                    for row in differing
                ),
                "status_accuracy",
            )
        )
    return Section("status", "The status page against what was measured", tuple(blocks))


_WORDS = {
    "agree": "agreement",
    "over_claim": "over claim",
    "under_claim": "under claim",
    "unknown": "not known",
}


def claimed(row: Row) -> str:
    """How long a claim of the page lasted, between what is decided and what the evidence allows."""
    least, most = row["value_lo"], row["value_hi"]
    if most is None:
        return f"at least {span(least * 60, 'least')}"
    if most - least < 1:
        return span(least * 60)
    if not least:
        return f"at most {span(most * 60, 'most')}"
    return spans(least * 60, most * 60)


def _undecided(rows: list[Row]) -> str:
    """When page or measurement are not known although both are on record."""
    opened = [row for row in rows if row["can_be"]]
    times = [
        time
        for time, holds in (
            ("the interval of the onset", any(row["measured"] == "unknown" for row in opened)),
            (
                "the time from a post that was edited later, and whose earlier wording is not on "
                "record, to the next one that names the component",
                any(len(row["can_have_said"]) > 1 for row in opened),
            ),
        )
        if holds
    ]
    if not times:
        return ""
    return (
        f" Unknown {be(len(times))} also {listed(times)}, but where everything that can have been "
        "comes to the same."
    )


def none(facts: CaseFacts) -> Paragraph:
    """Said where there is no status history to compare."""
    return Paragraph(
        "No status history is among the evidence."
        if facts.has_telemetry
        else "No status history, and no replication telemetry to compare it with, is among the "
        "evidence.",
        query="status_accuracy",
    )


def said(facts: CaseFacts) -> Iterable[Section]:
    """The section for partners; none where the page said nothing that could be shown."""
    blocks = strips(facts)
    if blocks:
        yield Section("status", "The status page against what was measured", blocks)


def _is_measured(rows: list[Row]) -> bool:
    """Whether telemetry says anything of any region that the page speaks of."""
    return any(row["measured"] not in (None, "unknown") for row in rows)


def strips(facts: CaseFacts) -> tuple[Block, ...]:
    """The strips per region with what they mean; nothing where there is nothing to compare."""
    rows = facts.rows("status_accuracy")
    if not rows:
        return ()
    grouped = _by_region(rows)
    start = min(row["started_at"] for row in rows)
    end = max(row["ended_at"] or facts.dated for row in rows)
    start = max(start, facts.window_start) if facts.window_start else start
    end = min(end, facts.window_end) if facts.window_end else end
    measured = _is_measured(rows)
    drawn = tuple(
        Strip(
            region,
            tuple(
                Stretch(row["started_at"], row["ended_at"] or end, _state(row["said"]))
                for row in found
            ),
            tuple(
                Stretch(row["started_at"], row["ended_at"] or end, _state(row["measured"]))
                for row in found
                if measured
            ),
            tuple(
                Stretch(row["started_at"], row["ended_at"] or end, str(row["verdict"]))
                for row in found
            ),
        )
        for region, found in sorted(grouped.items())
    )
    if not measured:
        return (
            Paragraph(
                "What the page said of the components of each region. Before the first post it is "
                "read as operational. Nothing that was measured in these regions is among the "
                "evidence to compare it with.",
                query="status_accuracy",
            ),
            Figure(
                "What the page said of each region.",
                "One bar per region. " + _said_in_words(grouped, end),
                Strips(start, end, drawn),
                "status_accuracy",
            ),
        )
    return (
        Paragraph(
            "For each region, what the page said of its components and what replication "
            "telemetry shows of its machines. Before the first post the page is read as "
            "operational. A region counts as degraded from a share of "
            f"{percent(facts.policy('degraded_share'))} of its machines. Over claim: the page "
            "said better than was measured; under claim: worse." + _undecided(rows)
        ),
        Figure(
            "Page and measurement per region; brackets mark where they differ.",
            "Two bars per region. " + _verdicts_in_words(_totals(rows)),
            Strips(start, end, drawn),
            "status_accuracy",
        ),
    )


def _totals(rows: list[Row]) -> dict[str, dict[str, float]]:
    return {region: _minutes(found) for region, found in sorted(_by_region(rows).items())}


def _by_region(rows: list[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[str(row["region"] or "all")].append(row)
    return grouped


def _verdicts_in_words(totals: dict[str, dict[str, float]]) -> str:
    regions = []
    for region, minutes in totals.items():
        told = [f"{_WORDS[name]} for {span(n * 60)}" for name, n in minutes.items() if n]
        regions.append(f"{region}: {listed(told)}")
    return "; ".join(regions) + "."


def _said_in_words(regions: Mapping[str, list[Row]], end: datetime) -> str:
    """How long the page showed each region in each state."""
    told = []
    for region, rows in sorted(regions.items()):
        spans: dict[str, timedelta] = defaultdict(timedelta)
        for row in rows:
            spans[_state(row["said"])] += (row["ended_at"] or end) - row["started_at"]
        parts = [f"{state.replace('_', ' ')} for {span(time)}" for state, time in spans.items()]
        told.append(f"{region}: {listed(parts)}")
    return "; ".join(told) + "."


def _state(value: object) -> str:
    return "unknown" if value is None else str(value)


def _minutes(rows: list[Row]) -> dict[str, float]:
    found = dict.fromkeys(_WORDS, 0.0)
    for row in rows:
        found[str(row["verdict"])] = found.get(str(row["verdict"]), 0.0) + float(
            row["duration_minutes"] or 0
        )
    return found


# What the name of a metric alone would not tell.
_MEASURES = {
    "gap_median": "Median gap between posts",
    "gap_p90": "Gap that 9 of 10 stay within",
    "gap_max": "Longest gap between posts",
    "premature_resolved": "Resolved, then taken back or contradicted",
    "scope_overlap": "Regions named and hit alike",
    "over_claim": "Operational while degraded",
    "under_claim": "Impaired while well",
    "time_from_detection": "First alert to first post",
    "gap_share_over_30_min": "Time in gaps over 30 min",
    "gap_share_over_4_h": "Time in gaps over 4 h",
    "gap_share_over_24_h": "Time in gaps over 24 h",
}


def communication(incident: Incident) -> Section:
    facts = incident.facts
    rows = _promised(_once(facts.rows("communication")))
    blocks: list[Block] = []
    if rows:
        blocks.append(
            Table(
                "How the page was kept",
                columns("Measure {26} | Scope {12} | Value {number 16} | Detail"),
                tuple(
                    (
                        _MEASURES.get(row["metric"])
                        or capital(str(row["metric"]).replace("_", " ")),
                        str(row["scope"] or ""),
                        _measure(row),
                        str(row["detail"] or ""),
                    )
                    for row in rows
                ),
                "communication",
                f"The first post is expected within {facts.policy('status_first_post_minutes')} "
                "minutes of the onset."
                if incident.onset is not None
                else "",
            )
        )
    else:
        blocks.append(Paragraph("No status post is on record.", query="communication"))
    blocks += _edited(facts)
    blocks += _disclosed(facts)
    blocks += _promises(facts)
    said = facts.rows("statement")
    days = {
        _place(row)
        for row in facts.rows("time_note")
        if row["column_name"] == "published_at" and "date_only" in str(row["flags"])
    }
    if said:
        blocks.append(
            Table(
                "What was said elsewhere",
                columns("Published {time 18} | By {20} | Claim"),
                tuple(
                    (
                        facts.day(row["published_at"])[: 10 if _place(row) in days else None],
                        str(row["source_name"] or "not stated"),
                        without_markup(str(row["claim"])),
                    )
                    for row in sorted(said, key=lambda row: row["published_at"])[:12]
                ),
                "statement",
                "Quoted as published; that it was said is all that it proves.",
            )
        )
    return Section("communication", "Communication", tuple(blocks))


def _place(row: Row) -> tuple[int, int]:
    """Where the record stands; its notes on times stand under the same."""
    return row["source_id"], row["record_no"]


def _edited(facts: CaseFacts) -> Iterable[Block]:
    """What the page said at first of each post that it worded otherwise later."""
    in_review = {row["incident_id"] for row in facts.rows("status_incident") if row["in_review"]}
    rows = [
        row
        for row in facts.rows("status_text")
        if row["incident_id"] in in_review and (row["edit"] or row["edited_before_at"])
    ]
    if rows:
        yield Table(
            "What was edited on the page after it was posted",
            columns("Posted {time 18} | Edited {time 25} | What changed | Record {code 9}"),
            tuple(
                (
                    facts.day(row["posted_at"]),
                    _edit_time(facts, row),
                    without_markup(row["edit"])
                    if row["edit"]
                    else "not on record: the earliest copy is from after the edit",
                    Code(str(row["evidence"])),
                )
                for row in rows
            ),
            "status_text",
            "Told by comparing copies of the page. The timeline and the list of what was told give "
            "each wording that is on record at the time from which it surely stood there.",
        )


def _edit_time(facts: CaseFacts, row: Row) -> str:
    at = row["edited_before_at"] or row["said_at"]
    if at is None:
        return "not on record"
    if row["edited_before_at"] or row["said_lo"] == row["said_hi"]:
        return facts.day(at)
    early, late = facts.edges(row["said_lo"], row["said_hi"])
    return early if early == late else f"between {early} and {late}"


def _edited_out(facts: CaseFacts, row: Row) -> str:
    at = row["edited_out_at"]
    return f" (edited out by {facts.day(at)})" if at is not None else ""


def _named_later(row: Row) -> str:
    later = row.get("named_later")
    return f" (the first; {without_markup(str(later))})" if later else ""


def _disclosed(facts: CaseFacts) -> Iterable[Block]:
    rows = facts.rows("disclosure")
    if not rows:
        yield Paragraph(
            "The status page shows no incident in the window, so that nothing was to be disclosed "
            "there."
            if facts.rows("status_incident")
            else "Without a status history, what was disclosed cannot be told.",
            query="disclosure",
        )
        return
    yield Table(
        "What the page told of what customers need to know",
        columns(
            "Item {20} | Told {11} | First told {time 15} | In which words {26} | "
            "Confirmed by {12} | Asked for elsewhere"
        ),
        tuple(
            (
                f"{row['item_no']} {row['item']}",
                Status(str(row["status"])) if row["is_due"] else "not due",
                _first_told(facts, row),
                _whole_words(without_markup(str(row["matched_words"] or "")))
                + _edited_out(facts, row)
                + (f" (not named: {_names(row['lacking'])})" if row["lacking"] else "")
                + _named_later(row),
                _confirmed(row) if row["is_due"] else "",
                str(row["required_elsewhere"] or ""),
            )
            for row in rows
        ),
        "disclosure",
        "Found by fixed wordings in English posts; a person confirms each reading. Items 13 to 15 "
        "are due after closure. Asked for elsewhere: reports to authorities with a field for it."
        + (
            " Not after: the post was edited before the earliest copy on record, so that what it "
            "said until then is not known."
            if any(row["limitation"] for row in rows)
            else ""
        ),
    )


def _first_told(facts: CaseFacts, row: Row) -> str:
    """When an item was told first; where earlier wording is gone, by when at the latest."""
    if row["first_disclosed_at"] is None:
        return ""
    latest = "not after " if row["limitation"] else ""
    return latest + facts.day(row["first_disclosed_at"])


def _names(value: object) -> str:
    return listed([str(name) for name in value]) if isinstance(value, list) else str(value)


def _whole_words(text: str, limit: int = 120) -> str:
    """The beginning of a passage, ended between two words."""
    if len(text) <= limit:
        return text
    return text[: limit + 1].rpartition(" ")[0].rstrip() + " …"


def _confirmed(row: Row) -> str:
    told = [str(row["confirmed_by"])] if row["confirmed_by"] else []
    if row.get("contested_by"):
        told.append(f"contested by {row['contested_by']}")
    return "; ".join(told) or "not yet"


def _promises(facts: CaseFacts) -> Iterable[Block]:
    rows = facts.rows("status_promise")
    if rows:
        yield Table(
            "Promises of a next update",
            columns(
                "Posted {time 17} | Promise | Due {time 17} | Next post {time 17} | Late by "
                "{number 13} | Kept {12}"
            ),
            tuple(
                (
                    facts.day(row["posted_at"]),
                    without_markup(str(row["promise"])),
                    facts.day(row["due_at"]),
                    facts.day(row["next_posted_at"]) if row["next_posted_at"] else "none on record",
                    span(row["late_minutes"] * 60)
                    if row["late_minutes"] and row["late_minutes"] > 0
                    else "",
                    Status(str(row["verdict"])),
                )
                for row in rows[:12]
            ),
            "status_promise",
            "A promise in a post that was edited before the earliest copy on record is "
            "undetermined where the edit came after it was due: what was promised before is not "
            "known."
            if any(row["edited_before_at"] and row["verdict"] == "undetermined" for row in rows)
            else "",
        )


def _once(rows: list[Row]) -> list[Row]:
    """Leave out what an incident repeats of the whole, as where there is only one."""
    whole = {(row["metric"], row["value"], row["detail"]) for row in rows if row["scope"] == "all"}
    return [
        row
        for row in rows
        if row["scope"] == "all" or (row["metric"], row["value"], row["detail"]) not in whole
    ]


def _promised(rows: list[Row]) -> list[Row]:
    """Leave out how promises were kept where none of the kind was made."""
    none = {
        (row["scope"], row["metric"].removesuffix("made"))
        for row in rows
        if row["metric"].endswith("promises_made") and not row["value"]
    }
    return [
        row
        for row in rows
        if (row["scope"], re.sub("(?:kept|broken)$", "", row["metric"])) not in none
    ]


def _measure(row: Row) -> str:
    value, unit = row["value"], str(row["unit"] or "")
    if value is None:
        return "unknown"
    if row["metric"] in ("over_claim", "under_claim"):
        return claimed(row)
    if unit in ("minutes", "min"):
        return span(float(value) * 60)
    if unit in ("hours", "h"):
        return span(float(value) * 3600)
    if unit in ("seconds", "s"):
        return span(float(value))
    if unit == "share":
        return percent(value)
    return number(round(float(value), 2))
