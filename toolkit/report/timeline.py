"""The curated timeline: which events the board sees, and the pictures of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from toolkit.report.facts import CaseFacts, Pointer, Row
from toolkit.report.incident import Incident
from toolkit.report.model import (
    Block,
    Code,
    Figure,
    Lane,
    Mark,
    Paragraph,
    Section,
    Shape,
    Status,
    Swimlanes,
    Table,
    Text,
    columns,
)
from toolkit.report.words import (
    be,
    capital,
    cut,
    number,
    plural,
    without_markup,
)

TIMELINE_ROWS = 60
CANDIDATES = 4  # steps that may be tied to the onset, which the table always shows
FEW = 30  # events of a window that are all shown: choosing among them saves nothing
LANES = ("maintenance", "change", "telemetry", "status", "alert", "notice", "review")


class Curated:
    """The events that the board needs, in order; all of them travel in timeline.csv.

    An event is taken by how near it is to the operation, the page and the onset; within one rank
    the earlier goes first.
    """

    def __init__(self, incident: Incident) -> None:
        self._incident = incident
        names = {row["operation_id"] for row in incident.reviewed}
        self._changes = {row["change_id"] for row in incident.reviewed}
        self._onsets = {
            (row["scope"], row["onset_at"])
            for row in incident.facts.rows("onset")
            if row["scope_kind"] in ("all", "region") and row.get("main", True)
        }
        self._episodes = _other_episodes(incident.facts)
        self._own = _pointers(
            event
            for event in incident.facts.rows("operation_event")
            if event["operation_id"] in names and not event["is_read_only"]
        )
        self._told = _named_elsewhere(incident)
        self._irreversible = _pointers(
            event for event in incident.facts.rows("operation_event") if event["is_irreversible"]
        )
        self._exceptions = {
            pointer
            for row in incident.exceptions
            if (pointer := Pointer.read(row["event"])) is not None
        }
        self.contradicted = {
            pointer
            for row in incident.exceptions
            if row["rule"] == "EQ-05" and (pointer := Pointer.read(row["event"])) is not None
        }
        events = self._in_window(incident.facts)
        kept = self._kept(events)
        self.rows = [row for row in events if row["event_no"] in kept]
        self.others = [row for row in events if row["event_no"] not in kept]
        self.total = len(events)

    @staticmethod
    def _in_window(facts: CaseFacts) -> list[Row]:
        start, end = facts.window_start, facts.window_end
        return [
            row
            for row in facts.rows("timeline")
            if (start is None or row["occurred_at"] >= start)
            and (end is None or row["occurred_at"] <= end)
        ]

    def _kept(self, events: list[Row]) -> set[int]:
        if len(events) <= FEW:
            return {row["event_no"] for row in events}
        ranked: dict[float, list[int]] = defaultdict(list)
        for row in events:
            ranked[self._rank(row)].append(row["event_no"])
        kept: list[int] = []
        for rank in sorted(ranked):
            room = TIMELINE_ROWS - len(kept)
            limit = room if rank <= 2 else min(room, 8)
            if rank < 9:
                kept += _spread(ranked[rank], limit)
        return set(kept)

    def _rank(self, row: Row) -> float:
        pointer = pointer_of(row)
        if row["kind"] == "onset":
            onset = row["subject"], row["occurred_at"]
            return 1 if onset in self._onsets else 2.5 if onset in self._episodes else 9
        if pointer in self._own or pointer in self._told:
            return 1
        if row["lane"] == "status":
            return 2
        if pointer in self._exceptions and not self._incident.reviewed:
            return 3
        if row["lane"] == "change":
            return 3 if row["subject"] in self._changes else 9
        if row["kind"] in ("statement", "action_due"):
            return 4
        ranks = {"notice": 5, "alert": 6, "review": 8}
        if row["lane"] in ranks:
            return ranks[row["lane"]]
        if pointer in self._exceptions:
            return 7
        return 9

    def shape(self, row: Row) -> Shape:
        pointer = pointer_of(row)
        if row["kind"] == "onset":
            return "onset"
        if pointer in self._irreversible:
            return "irreversible"
        if pointer in self._exceptions:
            return "exception"
        return _SHAPES.get(str(row["lane"]), "event")


_SHAPES: dict[str, Shape] = {
    "status": "post",
    "alert": "alert",
    "notice": "notice",
    "change": "change",
}


def _other_episodes(facts: CaseFacts) -> set[tuple[str, datetime]]:
    """Onsets of further episodes; that of a region only where the whole has none at that time."""
    rows = [row for row in facts.rows("onset") if not row.get("main", True)]
    whole = {row["onset_at"] for row in rows if row["scope_kind"] == "all"}
    return {
        (row["scope"], row["onset_at"])
        for row in rows
        if row["scope_kind"] == "all"
        or (row["scope_kind"] == "region" and row["onset_at"] not in whole)
    }


def pointer_of(row: Row) -> Pointer | None:
    if row["source_id"] is None or row["record_no"] is None:
        return None
    return Pointer(row["source_id"], row["record_no"])


def _pointers(rows: Iterable[Row]) -> set[Pointer | None]:
    return {pointer_of(row) for row in rows} - {None}


def _named_elsewhere(incident: Incident) -> set[Pointer | None]:
    """Records that other parts of the report name: the starts of phases, the first candidates, and
    every step that may lie in the interval of the onset."""
    found = {Pointer.read(str(row["evidence"] or "")) for row in incident.phases}
    found |= {Pointer.read(str(row["event"] or "")) for row in incident.candidates()[:CANDIDATES]}
    onset = incident.onset
    if onset is not None:
        found |= _pointers(
            row
            for row in incident.facts.rows("operation_event")
            if not row["is_read_only"]
            and row["occurred_lo"] <= onset["onset_hi"]
            and row["occurred_hi"] >= onset["onset_lo"]
        )
    return found - {None}


def _spread(numbers: list[int], limit: int) -> list[int]:
    """At most so many of them, the first and the last among them, evenly between."""
    if len(numbers) <= limit:
        return numbers
    if limit <= 1:
        return numbers[:limit]
    return [numbers[round(i * (len(numbers) - 1) / (limit - 1))] for i in range(limit)]


def section(incident: Incident) -> Section:
    """The pictures and the table of the curated events."""
    facts, curated = incident.facts, Curated(incident)
    if not curated.total:
        return Section(
            "timeline",
            "Timeline",
            (Paragraph("No dated event lies in the window under review.", query="timeline"),),
        )
    blocks: list[Block] = [
        Paragraph(
            f"{_shown(curated)} Squares mark irreversible events, events "
            "with a deviation, and the onset; triangles mark alerts, circles all others; a bar "
            "through a sign spans the times that the record leaves open; small signs without a "
            "number are events that the table leaves out; of telemetry and logs no others are "
            "drawn. Where more signs meet than a lane has room for, later ones are not drawn.",
            query="timeline",
        )
    ]
    for caption, start, end in _views(incident, curated):
        picture = _swimlanes(incident, curated, start, end)
        if any(lane.marks for lane in picture.lanes):
            blocks.append(
                Figure(caption, _in_words(facts, picture), picture, "timeline, protection_gap")
            )
    blocks += _phases(incident)
    if not curated.rows:
        return Section("timeline", "Timeline", tuple(blocks))
    blocks.append(
        Table(
            "Events in order",
            columns(
                "No. {number 5} | Time {time 17} | Lane {11} | Subject {12} | What is on record | "
                "Record {code 9}"
            ),
            tuple(
                (
                    str(position),
                    _moment(facts, row),
                    str(row["lane"]),
                    ("host " if row["subject_is_host"] else "") + str(row["subject"] or ""),
                    _claim(row, curated),
                    Code(told(pointer_of(row))),
                )
                for position, row in enumerate(curated.rows, start=1)
            ),
            "timeline",
            _fell_later(incident),
        )
    )
    return Section("timeline", "Timeline", tuple(blocks))


def _fell_later(incident: Incident) -> str:
    """Why an onset counts more machines than the report says fell with it."""
    onset = incident.onset
    machines = incident.facts.rows("machine_impact")
    fell = sum(row["onset_relation"] == "struck" for row in machines)
    if onset is None or not fell or not onset["affected"] or onset["affected"] <= fell:
        return ""
    late = onset["affected"] - fell
    return (
        f"Onset: of the {plural(onset['affected'], 'machine')} with a gap while it lasts, "
        f"{number(fell)} fell with it; {number(late)} fell later."
    )


def _shown(curated: Curated) -> str:
    """How many events there are, how many the table shows, and where the others stand."""
    total, shown = curated.total, len(curated.rows)
    lie = f"{plural(total, 'event')} {be(total, 'lies', 'lie')} in the window"
    if total == shown:
        return f"{lie}; the table shows all of them, numbered as in the pictures."
    rest = "in timeline.csv, attached to this file."
    if not shown:
        return f"{lie}, none with a deviation, an onset or a post; all stand {rest}"
    return (
        f"{lie}; the table shows {number(shown)} of them, numbered as in the pictures. The others "
        f"stand {rest}"
    )


def _phases(incident: Incident) -> Iterable[Block]:
    """The phases of the whole incident and of each region, in the order of their numbers."""
    facts = incident.facts
    if not incident.phases:
        return
    scopes = list(dict.fromkeys(row["scope"] for row in incident.phases))[:5]
    names = list(
        dict.fromkeys(
            row["phase"] for row in sorted(incident.phases, key=lambda row: row.get("phase_no", 0))
        )
    )
    contradicted = _contradicted(incident)
    starts = {
        (name, scope): _phase(facts, incident.phase(name, scope), contradicted)
        for name in names
        for scope in scopes
    }
    yield Table(
        "Phases of the incident, by scope",
        columns("Phase {12} | " + " | ".join(f"{scope} {{time}}" for scope in scopes)),
        tuple(
            (
                _UNTOLD.get(name, capital(name)) if incident.rivals else capital(name),
                *(starts[name, scope] for scope in scopes),
            )
            for name in names
        ),
        "incident_phase",
        "Start of each phase as the record shows it, and in brackets the source and record; a "
        "phase without a record is empty."
        + (
            " Detection is when the first alert fired, whether or not anyone saw it; diagnosis and "
            "mitigation are when the page, or the state of a ticket, first said so, whether or not "
            "it held."
            if "detection" in names
            else ""
        )
        + (
            " Closed is when the page closed the last incident in review; for a region by the "
            "posts that name it, or no region."
            if "closed" in names
            else ""
        )
        + _of_mitigation(incident)
        + _of_steps(incident, names)
        + (
            " Contradicted: of what the record claims, telemetry or another record of the same "
            "time shows otherwise (EQ-05)."
            if any(str(start).endswith(_CONTRADICTED) for start in starts.values())
            else ""
        ),
    )


def _contradicted(incident: Incident) -> set[str | None]:
    """Records whose claim EQ-05 contradicts: of a post, also the row that names its subject."""
    claims = {
        (row["event"], row["subject"]) for row in incident.exceptions if row["rule"] == "EQ-05"
    }
    return {event for event, _ in claims} | {
        row["named_by"]
        for row in incident.facts.rows("status_region")
        if claims & {(row["evidence"], row["component"]), (row["evidence"], row["region"])}
    }


_CONTRADICTED = "; contradicted (EQ-05)"


# Where no step stands out, none is called by what it would have been to the incident.
_UNTOLD = {"latent": "First step that cannot be undone", "trigger": "Nearest such step"}


def _of_mitigation(incident: Incident) -> str:
    """What the record shows beside the first word of mitigation, by scope."""
    told = [
        f"{row['scope']}: {str(row['basis']).rstrip('.')}"
        for row in incident.phases
        if row["phase"] == "mitigation" and row["basis"]
    ]
    return f" Mitigation by scope: {'. '.join(told)}." if told else ""


def _of_steps(incident: Incident, names: list[str]) -> str:
    """What the phases before the onset name, and what that shows of it."""
    if incident.trigger is None:
        return ""
    near = (
        "the irreversible event nearest to the onset on something that affected machines depended "
        "on; that it lies near does not show that it brought the onset about."
    )
    if incident.rivals:
        return (
            " Of the steps on record none stands out, so that none is called the trigger. Nearest "
            f"is {near} The first is that of the same operation, whatever it acted on."
        )
    return f" Trigger names {near}" + (
        " Latent names the first irreversible event of the same operation, whatever it acted on."
        if "latent" in names
        else ""
    )


def _phase(facts: CaseFacts, row: Row | None, contradicted: set[str | None]) -> str:
    if row is None or row["started_at"] is None:
        return ""
    pointer = Pointer.read(str(row.get("evidence") or ""))
    wide = row["started_hi"] - row["started_lo"] > facts.step
    when = (
        facts.days(row["started_lo"], row["started_hi"]) if wide else facts.day(row["started_at"])
    )
    if pointer is None:
        return when
    return f"{when} [{told(pointer)}]{_CONTRADICTED if row['evidence'] in contradicted else ''}"


def _views(incident: Incident, curated: Curated) -> Iterable[tuple[str, datetime, datetime]]:
    """The whole span of what is shown, and the hours around the onset."""
    facts = incident.facts
    times = [row["occurred_at"] for row in curated.rows] or [
        row["occurred_at"] for row in curated.others
    ]
    start, end = min(times), max(times)
    if start == end:
        start, end = start - timedelta(hours=1), end + timedelta(hours=1)
    onset, trigger = incident.onset, incident.trigger
    first = facts.window_start or start
    if onset is not None:
        first = max(first, min(start, onset["onset_lo"] or onset["onset_at"]) - timedelta(days=3))
    last = min(facts.window_end or end, max(end, facts.dated if onset else end))
    yield "The whole of the window that holds the events below.", min(first, start), max(last, end)
    middle = onset["onset_at"] if onset else None
    if middle is None:
        return
    early = trigger["occurred_lo"] if trigger is not None else middle
    starts = [row["started_lo"] for row in incident.reviewed if row["started_lo"] is not None]
    early = min([early, *starts])
    if middle - early > timedelta(days=2):
        early = middle - timedelta(days=2)
    late = middle + timedelta(hours=12)
    disclosure = incident.phase("disclosure")
    if disclosure is not None and disclosure["started_at"] is not None:
        late = max(late, min(disclosure["started_at"], middle + timedelta(days=2)))
    late = min(late, max(last, end))
    if (late - early) * 3 < max(last, end) - min(first, start):
        margin = (late - early) / 12
        yield "The hours around the onset, enlarged.", early - margin, late + margin


def _swimlanes(incident: Incident, curated: Curated, start: datetime, end: datetime) -> Swimlanes:
    numbers = {row["event_no"]: position for position, row in enumerate(curated.rows, start=1)}
    marks: dict[str, list[Mark]] = {lane: [] for lane in LANES}
    for row in (*curated.rows, *curated.others):
        if not start <= row["occurred_at"] <= end:
            continue
        position = numbers.get(row["event_no"])
        if position is None and (row["lane"] == "telemetry" or row["kind"] == "log"):
            continue  # the area below shows the one; nobody acted in the other
        text = f"{incident.facts.when(row['occurred_at'])}: {cut(_what(row), 120)}"
        early, late = row["occurred_lo"], row["occurred_hi"]
        if early is None or late is None or late - early <= incident.facts.step:
            early = late = None
        mark = Mark(row["occurred_at"], curated.shape(row), text, position, early, late)
        marks.setdefault(str(row["lane"]), []).append(mark)
    lanes = tuple(
        Lane(_LANE_NAMES.get(name, name), tuple(found)) for name, found in marks.items() if found
    )
    return Swimlanes(start, end, lanes, _gap_steps(incident.facts))


_LANE_NAMES = {
    "maintenance": "Maintenance",
    "change": "Changes",
    "telemetry": "Telemetry",
    "status": "Status page",
    "alert": "Alerts",
    "notice": "Notices",
    "review": "Said elsewhere",
}


def _gap_steps(facts: CaseFacts) -> tuple[tuple[datetime, int], ...]:
    """How many machines lack a recovery point, from each instant on."""
    spans: dict[str, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    for row in facts.rows("protection_gap"):
        if row["started_hi"] is not None:
            spans[row["asset_id"]].append((row["started_hi"], row["ended_at"]))
    changes: Counter[datetime] = Counter()
    for intervals in spans.values():
        for begun, over in _united(intervals):
            changes[begun] += 1
            if over is not None:
                changes[over] -= 1
    steps, level = [], 0
    for at in sorted(changes):
        if changes[at]:
            level += changes[at]
            steps.append((at, level))
    return tuple(steps)


def _united(
    intervals: list[tuple[datetime, datetime | None]],
) -> list[tuple[datetime, datetime | None]]:
    found: list[tuple[datetime, datetime | None]] = []
    for begun, over in sorted(intervals, key=lambda pair: pair[0]):
        if found and (found[-1][1] is None or begun <= found[-1][1]):
            last = found[-1][1]
            found[-1] = (found[-1][0], None if last is None or over is None else max(last, over))
        else:
            found.append((begun, over))
    return found


def _in_words(facts: CaseFacts, picture: Swimlanes) -> str:
    lanes = ", ".join(f"{lane.name} {plural(len(lane.marks), 'event')}" for lane in picture.lanes)
    most = picture.highest()
    gaps = f" At most {plural(most, 'machine')} in a gap." if most else ""
    return (
        f"Swim lanes from {facts.when(picture.start)} to {facts.when(picture.end)}: "
        f"{lanes}.{gaps} The numbered events are those of the table."
    )


def _moment(facts: CaseFacts, row: Row) -> str:
    lo, hi = row["occurred_lo"], row["occurred_hi"]
    if lo is not None and hi is not None and (hi - lo) > facts.step:
        return facts.days(lo, hi)
    return f"{row['occurred_at'].astimezone(facts.zone):%Y-%m-%d %H:%M:%S}"


def _what(row: Row) -> str:
    text = without_markup(str(row["summary"] or row["kind"]))
    if not row["actor"] or str(row["actor"]) in text:
        return cut(text, 300)
    # A register of changes names who carries one out, not who opened or closed it.
    role = "implementer: " if row["kind"] in ("window_start", "window_end", "closed") else ""
    return f"{cut(text, 300)} ({role}{row['actor']})"


def _claim(row: Row, curated: Curated) -> Text:
    """What is on record, and whether other records contradict it."""
    if pointer_of(row) not in curated.contradicted:
        return _what(row)
    return (_what(row), "\n", Status("contradicted"), " by other records (EQ-05)")


def told(pointer: Pointer | None) -> str:
    return f"{pointer.source_id}:{pointer.record_no}" if pointer else ""
