"""Conformance: verdicts against the textbook, over every course that the evidence allows."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from derived import derive, prepare, rows, run

from toolkit.casefile import CaseFolder
from toolkit.procedures import COUNTED, TEMPLATES, UNARY
from toolkit.store import Store

GIVEN = "operation_link operation_span operation_event constraint_part"
RELATIONS = f"{GIVEN} trace_variant constraint_verdict conformance"
STEPS = ("s0", "s1", "s2")
LONG = bool(os.environ.get("POSTMORTEM_LONG"))


# -- the textbook: one constraint and one known course of events at a time -------------------------


@dataclass(frozen=True)
class Event:
    """`lo` and `hi` are seconds; an event that is not sure may not belong to the operation."""

    no: int
    step: str
    lo: int
    hi: int
    sure: bool = True
    actor: str = "ann"
    target: str = "x"


@dataclass(frozen=True)
class Rule:
    """A constraint; `where` asks events of a and of b for a target."""

    template: str
    a: str
    b: str | None = None
    n: int = 1
    within: int | None = None
    hold: int | None = None
    by: str | None = None
    on: str | None = None
    where: tuple[str | None, str | None] = (None, None)

    def is_a(self, event: Event) -> bool:
        return event.step == self.a and self.where[0] in (None, event.target)

    def is_b(self, event: Event) -> bool:
        return event.step == self.b and self.where[1] in (None, event.target)

    def suits(self, one: Event, other: Event) -> bool:
        """Whether two events keep to the conditions that speak of both."""
        return (
            (self.within is None or abs(one.lo - other.lo) <= self.within)
            and (self.hold is None or abs(one.lo - other.lo) >= self.hold)
            and (self.by is None or (one.actor == other.actor) == (self.by == "same_actor"))
            and (self.on is None or (one.target == other.target) == (self.on == "same_target"))
        )


Course = tuple[Event, ...]
Is = Callable[[Event], bool]
States = dict[tuple[int, int], str]  # what each event that asks gets: violated, pending, satisfied


def found_among(rule: Rule, event: Event, others: Course, wanted: Is) -> str:
    for other in others:
        if wanted(other) and rule.hold is not None and abs(event.lo - other.lo) < rule.hold:
            return "too soon"
    return "yes" if any(wanted(o) and rule.suits(event, o) for o in others) else "no"


def beside(rule: Rule, event: Event, others: Course, wanted: Is) -> str:
    """Whether the first of the others is wanted; they are in order of nearness."""
    if not others:
        return "no"
    return "yes" if wanted(others[0]) and rule.suits(event, others[0]) else "never"


def textbook(rule: Rule, course: Course, is_open: bool, last: int) -> States:
    """What each event that asks gets, on a course that is known; `last` is the latest sure time."""
    count = sum(rule.is_a(event) for event in course)
    name = rule.template
    if name in COUNTED:
        if name == "existence":
            state = "satisfied" if count >= rule.n else "pending" if is_open else "violated"
        elif name == "absence":
            state = "violated" if count >= max(rule.n, 1) else "pending" if is_open else "satisfied"
        else:
            state = "satisfied" if count == rule.n else "violated"
            state = "pending" if is_open and count <= rule.n else state
        return {(0, 0): state}
    if name in ("init", "end"):
        if not course:
            return {}
        if name == "end" and is_open:
            return {(0, 0): "pending"}
        chosen = course[0 if name == "init" else -1]
        return {(0, 0): "satisfied" if rule.is_a(chosen) else "violated"}
    stem = name.removeprefix("not_")
    sides = []
    if stem.endswith(("response", "existence", "succession")):
        sides.append((rule.is_a, rule.is_b, "any" if stem.endswith("existence") else "after"))
    if stem.endswith("precedence") or (stem.endswith("succession") and stem == name):
        sides.append((rule.is_b, rule.is_a, "before"))
    if stem == "co_existence":
        sides.append((rule.is_b, rule.is_a, "any"))
    states: States = {}
    for side, (asks, wanted, where) in enumerate(sides):
        for at, event in enumerate(course):
            if not asks(event):
                continue
            later, earlier = course[at + 1 :], course[:at][::-1]
            others = {"after": later, "before": earlier, "any": earlier + later}[where]
            if stem.startswith("alternate"):
                others = tuple(o for o in others if rule.is_a(o) or rule.is_b(o))
            near = stem.startswith(("alternate", "chain"))
            answer = (beside if near else found_among)(rule, event, others, wanted)
            may_come = (
                is_open and where != "before" and answer == "no"
                and (rule.within is None or last - event.lo <= rule.within)
            )  # fmt: skip
            if may_come:
                states[event.no, side] = "pending"
            else:
                states[event.no, side] = (
                    "satisfied" if (answer == "yes") == (stem == name) else "violated"
                )
    return states


def courses(log: Course) -> list[Course]:
    """Every order of every choice of events that the evidence allows."""
    sure = [event for event in log if event.sure]
    doubtful = [event for event in log if not event.sure]
    return [
        order
        for size in range(len(doubtful) + 1)
        for chosen in itertools.combinations(doubtful, size)
        for order in itertools.permutations([*sure, *chosen])
        if all(not two.hi < one.lo for one, two in itertools.combinations(order, 2))
    ]


def judge(found: list[States]) -> str:
    """One verdict of all courses: each event that asks for itself, and the gravest of them."""
    grades = {0}
    for asker in {key for states in found for key in states}:
        seen = {states.get(asker) for states in found}
        if len(seen) == 1:
            grades.add({"violated": 5, "pending": 3, "satisfied": 2}[str(seen.pop())])
        else:
            grades.add(1 if seen == {None, "satisfied"} else 4)
    names = ("not_activated", "undetermined", "satisfied", "pending", "undetermined", "violated")
    return names[max(grades)]


# -- random logs and models -----------------------------------------------------------------------


def random_rule(draw: random.Random, *, conditions: bool) -> Rule:
    template = draw.choice(TEMPLATES)
    a, b = draw.sample(STEPS, 2)
    if template in UNARY:
        where = draw.choice([None, "x"]) if conditions and template in COUNTED else None
        return Rule(template, a, n=draw.randint(0, 3) if template in COUNTED else 1,
                    where=(where, None))  # fmt: skip
    if not conditions:
        return Rule(template, a, b)
    hold = draw.choice([None, None, 20])
    return Rule(
        template, a, b,
        within=draw.choice([None, 10, 30]),
        hold=hold if template in ("response", "precedence") else None,
        by=draw.choice([None, None, "same_actor", "different_actor"]),
        on=draw.choice([None, None, "same_target", "different_target"]),
        where=(draw.choice([None, None, "x"]), draw.choice([None, None, "x"])),
    )  # fmt: skip


def random_log(draw: random.Random, *, intervals: bool) -> Course:
    """Up to five events, most of them sure, some at the same time or (10 seconds apart) between."""
    events = []
    for no in range(1, draw.randint(1, 5) + 1):
        lo = 10 * draw.randint(0, 7)
        hi = lo + 10 * draw.randint(0, 3) if intervals else lo
        events.append(
            Event(no, draw.choice(STEPS), lo, hi, no == 1 or draw.random() < 0.85,
                  draw.choice(["ann", "bob"]), draw.choice("xy"))
        )  # fmt: skip
    return tuple(events)


def laboratory(folder: Path, rules: list[Rule]) -> Store:
    """A store with a procedure of these rules, and no events yet."""
    lines = ["id: p", 'version: "1"', "applies_to: x", "steps:"]
    lines += [f"  - {{id: {step}}}" for step in STEPS] + ["rules:"]
    for number, rule in enumerate(rules):
        stated = {
            "b": rule.b,
            "n": rule.n if rule.template in COUNTED else None,
            "within": rule.within and f"{rule.within}s",
            "hold": rule.hold and f"{rule.hold}s quiet",
            "by": rule.by,
            "on": rule.on,
            "where_a": rule.where[0] and f"{{target: {rule.where[0]}}}",
            "where_b": rule.where[1] and f"{{target: {rule.where[1]}}}",
        }
        more = "".join(f", {key}: {value}" for key, value in stated.items() if value is not None)
        lines.append(f"  - {{id: r{number}, template: {rule.template}, a: {rule.a}{more}}}")
    (folder / "procedures").mkdir(parents=True)
    (folder / "procedures" / "p.yaml").write_text("\n".join(lines))
    (folder / "case.toml").write_text('title = "Test"')
    store = Store.create()
    prepare(store, CaseFolder.open(folder))
    for relation in GIVEN.split():
        run(store, relation)
    return store


def verdicts(store: Store, logs: list[tuple[Course, bool]]) -> dict[tuple[str, str], str]:
    """The verdicts of the relation on the given logs, by operation and rule number."""
    spans, events = [], []
    for op, (log, is_open) in enumerate(logs):
        sure = sum(event.sure for event in log)
        closing = "null, 'unknown'" if is_open else "'2030-01-01', 'success'"
        spans.append(f"('C{op}', 'C{op}', 'p', '1', {closing}, {sure})")
        for event in log:
            basis = "explicit" if event.sure else "session"
            at = "timestamptz '2022-01-01 00:00:00Z'"
            lo, hi = f"{at} + to_seconds({event.lo})", f"{at} + to_seconds({event.hi})"
            events.append(
                f"('C{op}', 1, {op * 100 + event.no}, '{basis}', {lo}, {lo}, {hi}, "
                f"'{event.step}', 'success', '{event.actor}', '{event.target}', false)"
            )
    store.execute(
        "insert into operation_span (operation_id, change_id, procedure, procedure_version, "
        f"closed_at, outcome, explicit_event_count) values {', '.join(spans)}"
    )
    store.execute(
        "insert into operation_event (operation_id, source_id, record_no, basis, occurred_at, "
        "occurred_lo, occurred_hi, step, outcome, actor, target, is_irreversible) "
        f"values {', '.join(events)}"
    )
    for relation in ("trace_variant", "constraint_verdict", "conformance"):
        run(store, relation)
    found = rows(store, "select operation_id, rule_id, verdict from conformance")
    return {(operation, rule): verdict for operation, rule, verdict in found}


def compared(folder: Path, seed: int, logs: int, *, conditions: bool) -> Iterator[str]:
    """Where the relation and the textbook differ, on one model and so many logs."""
    draw = random.Random(seed)
    rules = [random_rule(draw, conditions=conditions) for _ in range(80)]
    drawn = [(random_log(draw, intervals=not conditions), draw.random() < 0.3) for _ in range(logs)]
    found = verdicts(laboratory(folder, rules), drawn)
    assert len(found) == len(rules) * len(drawn)
    for op, (log, is_open) in enumerate(drawn):
        last = max(event.lo for event in log if event.sure)
        possible = courses(log)
        for number, rule in enumerate(rules):
            states = [textbook(rule, course, is_open, last) for course in possible]
            got = found[f"C{op}", f"r{number}"]
            if got != judge(states):
                yield f"{rule} {is_open=} {log}: {judge(states)}, not {got}"
            elif got != "undetermined" and {judge([each]) for each in states} != {got}:
                yield f"{rule} {is_open=} {log}: {got} does not hold of every course"


@pytest.mark.parametrize("conditions", [False, True], ids=["intervals", "conditions"])
def test_verdicts_are_those_of_the_textbook_on_every_course(
    tmp_path: Path, conditions: bool
) -> None:
    for seed in range(5 if LONG else 1):
        logs = 100 if LONG else 60
        different = list(compared(tmp_path / str(seed), seed, logs, conditions=conditions))
        assert not different, f"{len(different)} differ:\n" + "\n".join(different[:5])


# -- what steps imply, conditions, and what is left undecided --------------------------------------

PROCEDURE = """
    id: retire
    version: "1"
    applies_to: decommission
    steps:
      - {id: approve, kind: approve, match: {action: approve}}
      - {id: check, kind: precheck, match: {action: check-copies}}
      - {id: drain, match: {action: drain}, mandatory: true}
      - {id: wipe, match: {action: wipe}, needs: [approve, drain]}
      - {id: verify, kind: verify, match: {action: verify}, mandatory: true}
    rules:
      - {id: soon, template: response, a: drain, b: wipe, within: 1h}
      - {id: quiet, template: precedence, a: drain, b: wipe, hold: 15m quiet}
      - {id: four-eyes, template: precedence, a: drain, b: wipe, by: different_actor}
      - {id: apart, template: not_co_existence, a: drain, b: verify, by: same_actor}
      - {id: signed, template: precedence, a: approve, b: wipe}
"""
OPEN, CLOSED = (
    "change_id,kind\nC,decommission",
    """
    change_id,kind,closed_at,outcome
    C,decommission,2022-03-01T18:00:00Z,success
""",
)


def judged(folder: Path, events: str, change: str = CLOSED) -> dict[str, str]:
    """Verdicts by rule; an event is `time action outcome actor` of 2022-03-01, change C."""
    lines = ["occurred_at,action,outcome,actor,change_id"]
    for event in events.strip().splitlines():
        at, action, outcome, actor = event.split()
        name = "" if outcome == "-" else outcome
        lines.append(f"2022-03-01T{at}:00Z,{action},{name},{actor},C")
    store = derive(
        folder, RELATIONS, change=change, procedures=PROCEDURE,
        maintenance_event="\n".join(lines),
    )  # fmt: skip
    found = dict(rows(store, "select rule_id, verdict from conformance"))
    for reason, evidence in rows(store, "select reason, evidence from conformance"):
        assert reason is not None and reason.endswith("."), reason
        assert evidence == sorted(set(evidence))
    return found


def test_an_operation_as_planned_satisfies_every_constraint(tmp_path: Path) -> None:
    found = judged(
        tmp_path,
        """
        10:00 check-copies success ann
        10:05 drain success ann
        10:30 wipe success bob
        10:40 verify success bob
        """,
    )
    assert set(found) == {
        "mandatory:drain", "needs:wipe:drain", "precheck:check", "verify:verify",
        "soon", "quiet", "four-eyes", "apart",
    }  # fmt: skip
    assert set(found.values()) == {"satisfied"}


def test_a_prerequisite_on_another_target_satisfies_and_the_sentence_says_so(
    tmp_path: Path,
) -> None:
    change = """
        change_id,kind,closed_at,outcome,targets
        C,decommission,2022-03-01T18:00:00Z,success,a-1;a-2
    """
    for drained, told in (
        ("A-2.example", "; the one cited is of A-2.example, not of a-1."),
        ("A-1.example", "."),
    ):
        store = derive(
            tmp_path / drained, RELATIONS, change=change, procedures=PROCEDURE,
            alias="kind,alias,canonical\nasset,A-1.example,a-1",
            maintenance_event=f"""
                occurred_at,action,outcome,target,change_id
                2022-03-01T10:05:00Z,drain,success,{drained},C
                2022-03-01T10:30:00Z,wipe,success,a-1,C
            """,
        )  # fmt: skip
        assert rows(
            store, "select verdict, reason from conformance where rule_id = 'needs:wipe:drain'"
        ) == [("satisfied", f"1 event of step wipe with step drain before it{told}")]


def test_a_prerequisite_counts_only_with_success_and_before(tmp_path: Path) -> None:
    needs = {
        "success": "satisfied", "warning": "violated", "failure": "violated",
        "unknown": "undetermined", "-": "undetermined",
    }  # fmt: skip
    for outcome, verdict in needs.items():
        found = judged(tmp_path / outcome, f"10:05 drain {outcome} ann\n10:30 wipe failure bob")
        assert found["needs:wipe:drain"] == verdict, outcome
    late = judged(tmp_path / "late", "10:05 wipe success ann\n10:30 drain success bob")
    assert late["needs:wipe:drain"] == "violated"
    tie = judged(tmp_path / "tie", "10:05 wipe success ann\n10:05 drain success bob")
    assert tie["needs:wipe:drain"] == "undetermined"


def test_a_mandatory_step_is_completed_with_success_or_warning_before_closure(
    tmp_path: Path,
) -> None:
    expected = {
        "10:00 drain success ann": "satisfied",
        "10:00 drain warning ann": "satisfied",
        "10:00 drain failure ann": "violated",
        "10:00 drain unknown ann": "undetermined",
        "18:00 drain success ann": "undetermined",
        "18:01 drain success ann": "violated",
        "10:00 wipe success ann": "violated",
    }
    for number, (event, verdict) in enumerate(expected.items()):
        found = judged(tmp_path / str(number), event)
        assert found["mandatory:drain"] == verdict, event


def test_an_open_operation_is_pending_and_one_without_events_undetermined(tmp_path: Path) -> None:
    found = judged(tmp_path / "open", "10:00 drain success ann", OPEN)
    assert (found["mandatory:drain"], found["verify:verify"]) == ("satisfied", "pending")
    assert found["soon"] == "pending"
    store = derive(
        tmp_path / "empty", RELATIONS, procedures=PROCEDURE,
        change="""
            change_id,kind,closed_at,outcome
            done,decommission,2022-03-01T18:00:00Z,success
            gone,decommission,2022-03-01T18:00:00Z,cancelled
        """,
    )  # fmt: skip
    assert rows(
        store,
        "select operation_id, verdict from conformance where rule_id = 'mandatory:drain'",
    ) == [("done", "undetermined"), ("gone", "not_activated")]


def test_a_pre_check_counts_for_its_time_before_every_irreversible_event(tmp_path: Path) -> None:
    expected = {
        "10:00 check-copies success ann\n10:30 wipe success ann": "satisfied",
        "10:00 check-copies warning ann\n10:30 wipe success ann": "violated",
        "10:00 check-copies - ann\n10:30 wipe success ann": "undetermined",
        "10:30 check-copies success ann\n10:30 purge failure ann": "undetermined",
        "10:31 check-copies success ann\n10:30 purge failure ann": "violated",
        "10:00 drain success ann": "not_activated",
    }
    for number, (events, verdict) in enumerate(expected.items()):
        found = judged(tmp_path / str(number), events)
        assert found["precheck:check"] == verdict, events
    stale = derive(
        tmp_path / "stale", RELATIONS, change=CLOSED, procedures=PROCEDURE,
        case="policy = {precheck_age_hours = 2}",
        maintenance_event="""
            occurred_at,action,outcome,change_id
            2022-03-01T10:00:00Z,check-copies,success,C
            2022-03-01T12:00:00Z,wipe,success,C
            2022-03-01T12:00:01Z,wipe,success,C
        """,
    )  # fmt: skip
    assert rows(
        stale,
        "select verdict, activating_event, activations, violations, reason from conformance "
        "where rule_id = 'precheck:check'",
    ) == [
        (
            "violated", "2:4", 2, 1,
            "The irreversible event at 2022-03-01 12:00:01 UTC: the nearest event of step check, "
            "at 2022-03-01 10:00:00 UTC, is no successful event before it within 2 h 0 min (1 of 2 "
            "irreversible events).",
        )
    ]  # fmt: skip


def test_conditions_on_time_quiet_and_account_are_tested(tmp_path: Path) -> None:
    late = judged(tmp_path / "late", "10:00 drain success ann\n11:01 wipe success bob")
    assert (late["soon"], late["quiet"], late["four-eyes"]) == (
        "violated",
        "satisfied",
        "satisfied",
    )
    exact = judged(tmp_path / "exact", "10:00 drain success ann\n11:00 wipe success bob")
    assert exact["soon"] == "satisfied"
    hasty = judged(
        tmp_path / "hasty",
        "10:00 drain success ann\n10:20 drain success ann\n10:30 wipe success Ann",
    )
    assert (hasty["soon"], hasty["quiet"], hasty["four-eyes"]) == (
        "satisfied", "violated", "violated",
    )  # fmt: skip
    store = derive(
        tmp_path / "told", RELATIONS, change=CLOSED, procedures=PROCEDURE,
        maintenance_event="""
            occurred_at,action,outcome,actor,change_id
            2022-03-01T10:00:00Z,drain,success,ann,C
            2022-03-01T10:20:00Z,drain,success,ann,C
            2022-03-01T10:30:00Z,wipe,success,Ann,C
        """,
    )  # fmt: skip
    assert rows(store, "select witness_event, reason from conformance where rule_id = 'quiet'") == [
        (
            "2:3",
            "Step wipe at 2022-03-01 10:30:00 UTC: the nearest event of step drain, at 2022-03-01 "
            "10:20:00 UTC, is no event before it with 15 min 0 s between.",
        )
    ]
    alone = judged(tmp_path / "alone", "10:00 drain success ann\n10:30 verify success ann")
    assert alone["apart"] == "violated"


def test_an_event_tied_by_inference_decides_nothing(tmp_path: Path) -> None:
    change = """
        change_id,kind,window_start,window_end,targets,closed_at,outcome
        C,decommission,2022-03-01T08:00:00Z,2022-03-01T17:00:00Z,meta,2022-03-01T18:00:00Z,success
    """
    store = derive(
        tmp_path, RELATIONS, change=change, procedures=PROCEDURE,
        maintenance_event="""
            occurred_at,action,outcome,target,change_id
            2022-03-01T10:00:00Z,drain,success,meta,
            2022-03-01T10:30:00Z,wipe,success,meta,C
            2022-03-01T10:40:00Z,verify,success,meta,
        """,
    )  # fmt: skip
    found = dict(rows(store, "select rule_id, verdict from conformance"))
    assert {found[rule] for rule in ("needs:wipe:drain", "mandatory:drain", "verify:verify")} == {
        "undetermined"
    }
    assert found["precheck:check"] == "violated"
    reason = store.value("select reason from conformance where rule_id = 'needs:wipe:drain'")
    assert "inference" in reason


def test_an_operation_whose_procedure_is_not_known_has_no_verdict(tmp_path: Path) -> None:
    change = "change_id,kind,closed_at\nC,reboot,2022-03-01T18:00:00Z"
    assert judged(tmp_path, "10:00 drain success ann", change) == {}


COUNTS = """
    id: wiping
    version: "1"
    applies_to: decommission
    steps:
      - {id: drain, match: {action: drain}, mandatory: true}
      - {id: wipe, match: {action: wipe}}
      - {id: verify, kind: verify, match: {action: verify}, mandatory: true}
    rules:
      - {id: twice, template: exactly, a: wipe, n: 2}
      - {id: once, template: exactly, a: wipe, n: 1}
      - {id: begun, template: existence, a: drain}
      - {id: drained, template: existence, a: wipe, n: 2}
      - {id: never, template: absence, a: wipe}
      - {id: few, template: absence, a: wipe, n: 3}
      - {id: other, template: absence, a: verify, n: 2}
"""


def test_sentences_on_counts_say_what_is_on_record_and_what_is_asked_for(tmp_path: Path) -> None:
    def told(name: str, change: str) -> dict[str, str]:
        store = derive(
            tmp_path / name, RELATIONS, change=change, procedures=COUNTS,
            maintenance_event="""
                occurred_at,action,outcome,change_id
                2022-03-01T10:00:00Z,drain,success,C
                2022-03-01T11:00:00Z,wipe,success,C
                2022-03-01T12:00:00Z,wipe,success,C
                2022-03-01T13:00:00Z,verify,success,C
            """,
        )  # fmt: skip
        return dict(rows(store, "select rule_id, reason from conformance"))

    closed = told("closed", CLOSED)
    assert {rule: closed[rule] for rule in closed if not rule.startswith("precheck")} == {
        "mandatory:drain": "Step drain has a completed event on record, as asked.",
        "verify:verify": "Step verify has a successful event on record, as asked.",
        "twice": "Step wipe has exactly 2 events on record, as asked.",
        "once": "Step wipe has another number of events on record; the procedure asks for exactly "
        "1.",
        "begun": "Step drain has an event on record, as asked.",
        "drained": "Step wipe has at least 2 events on record, as asked.",
        "never": "Step wipe has 1 event or more on record; the procedure asks for none.",
        "few": "Step wipe has fewer than 3 events on record, as asked.",
        "other": "Step verify has fewer than 2 events on record, as asked.",
    }
    assert told("open", OPEN)["twice"] == (
        "Step wipe is to have exactly 2 events on record when the change closes; the change is "
        "open."
    )
