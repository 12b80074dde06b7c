"""Sentences of the reports on made-up rows: they agree, add up, and claim no more than is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from toolkit import resources, sqlfile
from toolkit.casefile import Threshold, default_policy, policy_text
from toolkit.delivered import thresholds
from toolkit.report import (
    audit,
    decide,
    earlier,
    figures,
    findings,
    impact,
    opening,
    page,
    plan,
    posture,
    recovery,
    review,
    sources,
    timeline,
    trigger,
)
from toolkit.report.facts import CaseFacts, Pointer, Pseudonyms, Row
from toolkit.report.incident import Incident, rivals
from toolkit.report.model import Table, plain
from toolkit.report.words import numbers
from toolkit.store import Store

NOON = datetime(2022, 3, 9, 12, tzinfo=UTC)


class Told(CaseFacts):
    """The facts of a case that holds these relations and nothing else."""

    def __init__(self, store: Store, **relations: list[Row]) -> None:
        super().__init__(store)
        self._told = relations

    def rows(self, name: str) -> list[Row]:
        return self._told.get(name, [])


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.create(None) as made:
        yield made


def issue(source: int, name: str, subject: str, detail: str, **others: object) -> Row:
    return {
        "source_id": source, "issue": name, "subject": subject, "detail": detail,
        "lo_seconds": None, "hi_seconds": None, "count": None,
    } | others  # fmt: skip


def limits(store: Store, rows: list[Row]) -> Table:
    table = audit._limits(Told(store, evidence_quality=rows)).blocks[-1]
    assert isinstance(table, Table)
    return table


def test_issues_that_differ_in_their_source_alone_share_a_row(store: Store) -> None:
    rows = [
        issue(no, "skipped", "comment", f"Says nothing; first at record {no}.", count=no)
        for no in range(1, 61)
    ] + [
        issue(no, "chain_of_custody_missing", f"evidence/{no}.csv", "Not stated: obtained at.")
        for no in (1, 2, 3, 9)
    ]
    rows.append(issue(61, "contradiction", "date", "Record 6 speaks of 2012.", count=1))
    told = [tuple(map(plain, row)) for row in limits(store, rows).rows]
    assert told == [
        ("contradiction", "date", "61", "Record 6 speaks of 2012.", "1"),
        ("skipped", "comment", "1–60", "Says nothing.", "1\u00a0830"),
        ("chain of custody missing", "4 files", "1–3, 9", "Not stated: obtained at.", ""),
    ]


def test_issues_with_other_words_stay_apart_and_one_alone_keeps_its_place(store: Store) -> None:
    rows = [
        issue(1, "reject", "JSON_SYNTAX", "Not JSON, first at record 4."),
        issue(2, "reject", "TIME_NONE", "No time, first at record 1."),
    ]
    assert [plain(row[3]) for row in limits(store, rows).rows] == [
        "Not JSON, first at record 4.", "No time, first at record 1.",
    ]  # fmt: skip


def test_a_clock_is_told_in_thousandths_of_a_second(store: Store) -> None:
    rows = [issue(3, "clock", "ctl-au", "Measured.", lo_seconds=-0.049, hi_seconds=-0.011)]
    assert plain(limits(store, rows).rows[0][3]) == "Measured. [-0.049\u00a0s to -0.011\u00a0s]"


def test_numbers_of_sources_read_as_ranges() -> None:
    assert numbers([3, 1, 2, 7, 8, 10]) == "1–3, 7, 8, 10"
    assert numbers([]) == ""


def test_a_threshold_that_the_case_sets_to_what_it_was_is_no_departure() -> None:
    def row(key: str, value: str) -> Threshold:
        return Threshold(key, value, "", "case", "")

    usual = {key: policy_text(found["value"]) for key, found in default_policy().items()}
    assert thresholds(row(key, value) for key, value in usual.items()) == []
    (departed,) = thresholds([row("override_flags", "--yes")])
    assert departed[2] == f"--yes , set by the case; as delivered {usual['override_flags']}"


def test_an_effect_states_no_act_and_no_knowledge_that_no_record_shows() -> None:
    """The effect of a finding is printed as a fact about each operation that the rule fires on."""
    guesses = (
        "nobody",
        "not known",
        "was not looked at",
        "without a way back",
        "had been prepared",
        "could no longer use",
        "can no longer be read",
    )
    rules = [
        file for file in sqlfile.catalogue(resources.queries()).values() if file.kind == "finding"
    ]
    assert len(rules) == 35
    told = {file.id: str(file.meta.model_dump()["effect"]) for file in rules}
    assert {
        name: text for name, text in told.items() if any(guess in text for guess in guesses)
    } == {}


def exception(**given: object) -> Row:
    return {
        "rule": "CF-16", "rule_class": "D", "severity": "high", "title": "A guard was overridden",
        "finding_id": "f1", "change_id": None, "subject": "cache-1", "operation_id": None,
        "reason": "It ran.", "occurred_at": NOON, "event": None, "evidence": [], "level": "act",
        "base_rate_n": None, "base_rate_k": None,
    } | given  # fmt: skip


def test_a_finding_without_a_time_in_its_words_is_not_said_to_be_recorded_then(
    store: Store,
) -> None:
    told = findings._when(CaseFacts(store), exception())
    assert told == " Stands at 2022-03-09 12:00:00 UTC in the order of events."
    assert "ecorded" not in told


def test_why_nothing_can_be_compared_is_told_as_it_is() -> None:
    assert "no action of the operation is on record" in findings.base_rate(exception(), "capacity")
    assert "not about an operation" in findings.base_rate(exception(), None)


def test_exceptions_of_one_rule_are_called_further_only_beside_others_of_it(store: Store) -> None:
    fired = [
        exception(finding_id=f"{rule}-{no}", rule=rule, operation_id=operation)
        for rule, operations in (("CF-16", ("own", "b", "c")), ("CF-13", ("b", "c")))
        for no, operation in enumerate(operations)
    ]
    fired += [exception(finding_id=f"x{no}", rule=f"X-{no}") for no in range(findings.PAGES)]
    incident = SimpleNamespace(
        facts=CaseFacts(store), reviewed=[{"operation_id": "own"}], operations={}, rules={},
        exceptions=fired, of_operation=lambda *_: [], operation_name=str,
    )  # fmt: skip
    titles = [section.title for section, _ in findings._pages(incident)]  # type: ignore[arg-type]
    assert any(title.endswith("2 further findings") and "CF-16" in title for title in titles)
    assert any(title.endswith(": 2 findings") and "CF-13" in title for title in titles)


def test_a_shared_page_cites_the_records_of_all_its_findings(store: Store) -> None:
    rows = [exception(event=f"5:{no}", evidence=[f"5:{no}", "9:1"]) for no in (136, 523)]
    text = plain(next(iter(findings._evidence(Told(store), *rows))).text)  # type: ignore[union-attr]
    assert "(3 records," in text


def test_events_of_a_step_stand_in_the_order_of_time(store: Store) -> None:
    events = [
        {
            "step": "drain", "occurred_at": NOON + timedelta(minutes=minute), "source_id": source,
            "record_no": 1, "action": "drain", "target": target, "outcome": "success",
            "actor": None, "basis": "explicit",
        }
        for minute, source, target in ((90, 3, "au"), (10, 4, "us"), (50, 5, "ie"))
    ]  # fmt: skip
    told = plain(plan._done(CaseFacts(store), {"step": "drain", "kind": "action"}, events, {}))
    assert [line.split()[3] for line in told.split("\n")] == ["us:", "ie:", "au:"]


def test_a_passage_of_a_post_ends_between_two_words() -> None:
    assert page._whole_words("short enough") == "short enough"
    cut = page._whole_words("some words " * 20)
    assert cut.endswith(("words …", "some …"))
    assert len(cut) <= 122


def test_a_day_without_an_hour_is_not_told_with_one(store: Store) -> None:
    said = [
        {"source_id": 17, "record_no": no, "published_at": NOON, "source_name": "press",
         "claim": "It was said."}
        for no in (2, 3)
    ]  # fmt: skip
    note = {"source_id": 17, "record_no": 2, "column_name": "published_at", "flags": "date_only"}
    facts = Told(store, statement=said, time_note=[note])

    section = page.communication(SimpleNamespace(facts=facts))  # type: ignore[arg-type]
    table = next(block for block in section.blocks if isinstance(block, Table))
    assert [plain(row[0]) for row in table.rows] == ["2022-03-09", "2022-03-09 12:00"]


def test_recovery_says_which_machines_it_counts(store: Store) -> None:
    machines = [
        {"asset_id": name, "onset_relation": relation}
        for name, relation in (("a", "struck"), ("b", "struck"), ("c", "later"), ("d", "apart"))
    ]
    counted = [{"asset_id": name} for name in "abc"]
    facts = Told(store, machine_impact=machines, machine_recovery=counted)
    assert recovery._whose(facts) == (
        "2 machines that fell with the onset and 1 more whose gap began while it lasted."
    )
    facts = Told(store, machine_impact=machines[:2], machine_recovery=counted[:2])
    assert recovery._whose(facts) == "Machines that fell with the onset."


def forecast(kind: str, scope: str, late: int | None) -> Row:
    return {
        "scope_kind": kind, "scope": scope, "as_of_at": NOON, "remaining": 3, "p50_at": NOON,
        "p10_at": NOON + timedelta(days=1),
        "p90_at": None if late is None else NOON + timedelta(days=late),
    }  # fmt: skip


PASSES = ", if capacity that one region frees passes to the others; if not, up to "


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([20], f"{PASSES}29 March in IE"),
        ([300], f"{PASSES}3 January 2023 in IE"),
        ([None], f"{PASSES}a day beyond ten years in IE"),
        ([5], ""),
        ([], ""),
    ],
)
def test_a_region_that_ends_after_the_whole_is_told_beside_it(
    store: Store, parts: list[int | None], told: str
) -> None:
    whole = forecast("all", "all", 10)
    rows = [whole, *(forecast("region", "IE", late) for late in parts)]
    assert figures._slowest(Told(store, recovery_forecast=rows), whole) == told


def test_the_first_day_of_a_band_keeps_its_year_only_where_the_last_has_another() -> None:
    assert figures._without_year("23 April 2022", "4 May 2022") == "23 April"
    assert figures._without_year("23 December 2022", "4 May 2023") == "23 December 2022"


def test_steps_that_score_alike_are_named_and_none_is_set_apart(store: Store) -> None:
    class Incident:
        facts = CaseFacts(store)
        scores = (6.7, 6.7, 6.3)
        gains = (0.0, 0.0, 0.0)  # what the steps gain as such that cannot be undone
        onset = None
        trigger: Row | None = None
        shared_target: Row | None = None

        def candidates(self) -> list[Row]:
            return [
                {"rank": no, "score": score, "action": "stop", "target": f"db-{no}",
                 "operation_id": "s", "event": f"1:{no}", "topology_term": 0.0, "placebos": 0,
                 "p_value": None,
                 "time_term": score - gain, "occurred_at": NOON + timedelta(minutes=no),
                 "explanation": "stop at noon; 1 of 2 machines fell; a ranking only."}
                for no, (score, gain) in enumerate(
                    zip(self.scores, self.gains, strict=True), start=1
                )
            ]  # fmt: skip

        @property
        def rivals(self) -> list[Row]:
            return rivals(self.candidates())

        def operation_name(self, name: str) -> str:
            return name

    told = plain(opening._tie(Incident()))  # type: ignore[arg-type]
    assert told.startswith(
        "Of the steps on record none stands out: the scores of stop of db-1, stop of db-2 and stop "
        "of db-3 differ by less than 1, so that they hardly set one apart. No comparable moment"
    )
    Incident.onset = {
        "onset_lo": NOON + timedelta(minutes=3),
        "onset_hi": NOON + timedelta(hours=1),
    }
    told = plain(opening._tie(Incident()))  # type: ignore[arg-type]
    assert "In the interval of the onset itself lies stop of db-3. " in told
    (told,) = opening.in_short(Incident(), board=False)  # type: ignore[arg-type]
    assert "Several steps on record go about equally well with it, by time and by" in told
    assert "db-1" not in told
    (told,) = opening.in_short(Incident(), board=True)  # type: ignore[arg-type]
    assert (
        "which machines fell: stop of db-1, stop of db-2 and stop of db-3. Which of them led to "
        "it, if any, this does not decide."
    ) in told
    assert told.startswith("In the interval of the onset itself lies stop of db-3. ")
    # The first is so by its kind alone: another one goes better with the onset.
    Incident.scores, Incident.gains = (6.7, 5.5, 1.0), (1.6, 0.0, 0.0)
    told = plain(opening._tie(Incident()))  # type: ignore[arg-type]
    assert "goes best" not in told
    assert (
        "stop of db-1 under s ranks first, since a step that cannot be undone has more weight in "
        "the score; without that weight, stop of db-2 would. Which machines fell does not speak "
        "for the first: 1 of 2 machines fell."
    ) in told
    Incident.scores, Incident.gains = (6.7, 2.0, 1.0), (0.0, 0.0, 0.0)
    told = plain(opening._tie(Incident()))  # type: ignore[arg-type]
    assert told.startswith("Of all steps on record, stop of db-1 under s goes best")


def test_partners_told_late_or_never_are_no_merit(store: Store) -> None:
    told = [{"notified_at": NOON, "notice_delay_minutes": minutes} for minutes in (60, 1440 * 12)]
    facts = Told(store, partner_impact=[*told, {"notified_at": None}])
    assert review._told_directly(facts, told) == (
        "2 of 3 affected partners were told directly, the first 1\u00a0h and the last 12\u00a0d "
        "after the first impact on it."
    )


def test_that_nothing_was_captured_twice_is_not_said_to_show_that_nothing_was_edited(
    store: Store,
) -> None:
    (said,) = sources._revisions(Told(store))
    text = json.dumps(plain(said.text))  # type: ignore[union-attr]
    assert "no later edit shows" not in text
    assert "only where the record itself tells of it" in text


def test_the_zone_of_times_that_no_record_states_is_not_said_to_stand_in_the_records(
    store: Store,
) -> None:
    read = [
        {"source_id": 1, "readings": 2}, {"source_id": 2, "readings": 2},
        {"source_id": 3, "readings": 1},
    ]  # fmt: skip
    notes = [
        *({"source_id": 1, "flags": "file_name_time"} for _ in range(2)),
        {"source_id": 2, "flags": "captured_at_used"},  # the other one stands in its record
        {"source_id": 3, "flags": "captured_at_used"},
    ]
    facts = Told(store, source_column=read, time_note=notes)
    assert sources._from_elsewhere(facts) == {
        1: "time from its name", 3: "time of its capture",
    }  # fmt: skip


def test_who_only_watched_did_not_carry_the_operation_out() -> None:
    facts = SimpleNamespace(policy={"witness_actions": "Witness, Confirm"}.get)
    events = [
        {"actor": "Operator A", "action": "Confirm"},
        {"actor": "Operator B", "action": "stop"},
    ]
    told = plan._hands(facts, {"actors": ["Operator A", "Operator B"]}, events)  # type: ignore[arg-type]
    assert dict(told) == {
        "Carried out by": "Operator B", "Witnessed or confirmed by": "Operator A",
    }  # fmt: skip
    alone = plan._hands(facts, {"actors": ["Operator B"]}, events[1:])  # type: ignore[arg-type]
    assert dict(alone) == {"Carried out by": "Operator B"}
    none = plan._hands(facts, {"actors": []}, [])  # type: ignore[arg-type]
    assert dict(none) == {"Carried out by": "not stated"}


def test_a_seed_without_an_end_on_record_is_told_beside_those_that_did_not_succeed() -> None:
    assert recovery._running([{"running": 0}, {"running": None}]) == ""
    assert recovery._running([{"running": 1}]) == (
        " 1 machine has a seed or relink without an end on record; it counts neither as a failure "
        "nor as a recovery."
    )


def test_an_error_that_was_read_from_other_lines_stands_beside_the_line_of_its_record(
    store: Store,
) -> None:
    class Gathered(CaseFacts):
        sources = {1: {"path": "backup.jsonl"}}  # noqa: RUF012
        _with_errors = {1}  # noqa: RUF012
        people = Pseudonyms((), {}, ())
        _store = SimpleNamespace(rows=lambda *_: [{"error": "items not read: 1"}])

    facts = Gathered.__new__(Gathered)
    facts._originals = lambda *_: '{"files_new": 39}'
    _, told = facts.record(Pointer(1, 8)) or ("", "")
    assert told == '{"files_new": 39}\nAs read, from other lines too: error=items not read: 1'
    facts._originals = lambda *_: "warning: items not read: 1"
    _, told = facts.record(Pointer(1, 8)) or ("", "")
    assert told == "warning: items not read: 1"


@pytest.mark.parametrize(
    ("n", "k", "before"),
    [
        (None, None, ""),
        (10, 0, "; not so in any of 10 earlier operations of the kind"),
        (1, 1, "; so too in 1 of 1 earlier operation of the kind"),
    ],
)
def test_a_decision_names_what_it_answers_and_how_usual_that_was(
    n: int | None, k: int | None, before: str
) -> None:
    row = {"rule": "CF-05", "title": "An action left too few", "base_rate_n": n, "base_rate_k": k}
    assert decide._deviation(row) == f"an action left too few (CF-05{before})"


@pytest.mark.parametrize(
    ("procedure", "told"),
    [
        ("removal", "wipe of db-1 (marked so by the procedure)"),
        (None, "wipe of db-1 (by the kind of action; no procedure is tied to the work)"),
    ],
)
def test_what_only_the_policy_takes_for_irreversible_is_said_to_be_so_by_its_kind(
    store: Store, procedure: str | None, told: str
) -> None:
    event = {
        "operation_id": "s", "occurred_at": NOON, "action": "wipe", "target": "db-1",
        "outcome": "success", "is_irreversible": True, "source_id": 1,
    }  # fmt: skip
    incident = SimpleNamespace(
        reviewed=[{"operation_id": "s", "procedure": procedure}],
        facts=Told(store, operation_event=[event]),
    )
    ((_, said, _),) = figures._irreversible(incident, board=True)  # type: ignore[arg-type]
    assert said == told


def test_a_step_whose_own_match_is_not_beyond_chance_is_told_so(store: Store) -> None:
    def row(scope: str, rank: int, p_value: float | None) -> Row:
        return {"scope_kind": "region", "scope": scope, "rank": rank, "p_value": p_value}

    au, ie = row("AU", 1, 0.073), row("IE", 1, 0.05)
    facts = Told(store, trigger_candidate=[row("AU", 0, 0.073), au, ie])
    assert trigger.alone(facts, au, board=True) == " (taken alone not beyond chance, p = 0.073)"
    assert trigger.alone(facts, au, board=False) == " (taken alone not beyond chance)"
    assert trigger.alone(facts, ie, board=True) == ""


def test_what_work_is_held_against_is_named_by_its_source() -> None:
    change: Row = {"source": "change"}
    status: Row = {"source": "status"}
    assert earlier._planned([change]) == "Planned windows"
    assert earlier._planned([status, status]) == "Announced maintenance"
    assert earlier._planned([change, status]) == "Planned and announced windows"


def test_a_phase_whose_record_is_contradicted_is_told_so(store: Store) -> None:
    def row(phase: str, evidence: str) -> Row:
        return {
            "scope": "all", "phase": phase, "evidence": evidence,
            "started_at": NOON, "started_lo": NOON, "started_hi": NOON,
        }  # fmt: skip

    phases = {name: row(name, where) for name, where in (("diagnosis", "5:1"), ("closed", "5:2"))}
    incident = SimpleNamespace(
        facts=Told(store), phases=list(phases.values()), trigger=None, rivals=[],
        phase=lambda name, scope: phases[name],
        exceptions=[exception(rule="EQ-05", event="5:2"), exception(rule="EQ-04", event="5:1")],
    )  # fmt: skip
    (table,) = timeline._phases(incident)  # type: ignore[arg-type]
    assert isinstance(table, Table)
    told = {plain(name): plain(start) for name, start in table.rows}
    assert not told["Diagnosis"].endswith("contradicted (EQ-05)")
    assert told["Closed"].endswith("[5:2]; contradicted (EQ-05)")
    assert "telemetry or another record of the same time shows otherwise" in table.note


def test_a_row_of_a_contradicted_post_is_contradicted_where_it_names_the_subject(
    store: Store,
) -> None:
    rows = [
        {"evidence": "5:2", "component": name, "region": None, "named_by": where}
        for name, where in (("South", "5:2"), ("North", "5:1"), ("West", "5:3"))
    ]
    claim = exception(rule="EQ-05", event="5:2", subject="North")
    incident = SimpleNamespace(facts=Told(store, status_region=rows), exceptions=[claim])
    assert timeline._contradicted(incident) == {"5:2", "5:1"}  # type: ignore[arg-type]


def test_what_an_edit_and_the_onset_leave_unknown_is_told_beside_the_picture() -> None:
    def row(can_be: list[str] | None, can_have_said: list[str], measured: str) -> Row:
        return {"can_be": can_be, "can_have_said": can_have_said, "measured": measured}

    either = ["agree", "over_claim"]
    assert page._undecided([row(None, ["operational"], "unknown")]) == ""
    onset = row(either, ["operational"], "unknown")
    assert page._undecided([onset]) == (
        " Unknown is also the interval of the onset, but where everything that can have been comes "
        "to the same."
    )
    edited = row(either, ["operational", "partial_outage"], "degraded")
    assert (
        "are also the interval of the onset and the time from a post that was edited later, and "
        "whose earlier wording is not on record, to the next one that names the component, "
        "but where"
    ) in page._undecided([onset, edited])


def test_posture_and_impact_say_by_which_definition_they_count_machines(store: Store) -> None:
    facts = Told(store, relation_state=[{"relation": "replication_sample", "row_count": 1}])
    (table, *_) = posture._copies(facts, [{"as_of": "before", "copies": 1}])
    assert isinstance(table, Table)
    assert "by the age of its last good recovery point" in table.note
    assert "The impact counts a machine from the first sign of its gap" in table.note
    section = impact.section(Incident(facts))
    intro = plain(section.blocks[0].text)  # type: ignore[union-attr]
    assert "counted by the age of the recovery point instead" in intro
    assert "protect while they are in a gap" in intro
