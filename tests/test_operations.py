"""Operations: which event belongs to which, when they began, and which procedure was in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from derived import derive, rows, run

from toolkit.store import Store

SPAN = "operation_link operation_span"
EVENT = f"{SPAN} operation_event"
CHANGE = """
    change_id,kind,window_start,window_end,targets,closed_at,outcome
    C1,Decommission,2022-03-01T10:00:00Z,2022-03-01T12:00:00Z,meta-1;META-2,2022-03-01T13:00:00Z,success
    C2,Upgrade,2022-03-01T11:00:00Z,2022-03-01T14:00:00Z,meta-2; web-1,,
"""
PROCEDURE = """
    id: retire
    version: "1"
    applies_to: Decommission
    steps:
      - {id: ask, kind: approve, match: {action: approve}}
      - {id: Drain, match: {action: drain*}}
      - {id: wipe-meta, match: {action: [retire], target: "meta-*"}, irreversible: true}
      - {id: wipe-any, match: {action: [retire]}, irreversible: false}
      - {id: look}
      - {id: check-a, kind: verify, match: {action: compare}}
      - {id: check-b, kind: verify, match: {action: compare}, irreversible: true}
"""


def links(store: Store) -> list[tuple[Any, ...]]:
    return rows(store, "select record_no, operation_id, basis from operation_link")


def test_an_event_belongs_to_the_change_that_it_names_registered_or_not(tmp_path: Path) -> None:
    store = derive(
        tmp_path, SPAN, change=CHANGE,
        maintenance_event="""
            occurred_at,action,target,change_id,actor
            2022-03-09T10:00:00Z,drain,elsewhere,C1,ann
            2022-03-09T10:01:00Z,drain,meta-1,C9,ann
            2022-03-09T10:02:00Z,list,meta-1,C8,ann
        """,
    )  # fmt: skip
    assert links(store) == [(2, "C1", "explicit"), (3, "C9", "explicit")]
    assert rows(store, "select operation_id, change_id, registered from operation_span") == [
        ("C1", "C1", True), ("C2", "C2", True), ("C9", "C9", False),
    ]  # fmt: skip


def test_window_and_target_tie_an_event_to_the_only_change_that_fits(tmp_path: Path) -> None:
    store = derive(
        tmp_path, SPAN, change=CHANGE,
        maintenance_event="""
            occurred_at,action,target,actor
            2022-03-01T10:30:00Z,drain,META-1,ann
            2022-03-01T11:30:00Z,drain,meta-2,bob
            2022-03-01T13:30:00Z,drain,meta-2,cid
            2022-03-01T12:00:00Z,drain,meta-1,dan
            2022-03-01T11:00:00Z,list,web-1,ann
        """,
    )  # fmt: skip
    assert links(store) == [
        (2, "C1", "window_and_target"),
        (3, "session:bob@unknown:20220301T113000Z", "explicit"),
        (4, "C2", "window_and_target"),
        (5, "session:dan@unknown:20220301T120000Z", "explicit"),
        (6, "C2", "window_and_target"),
    ]


def test_a_session_ties_its_other_events_to_the_one_change_that_it_names(tmp_path: Path) -> None:
    store = derive(
        tmp_path, SPAN, change=CHANGE,
        maintenance_event="""
            occurred_at,action,change_id,session_id
            2022-03-01T10:30:00Z,drain,C1,s1
            2022-03-01T10:40:00Z,wipe,,s1
            2022-03-01T10:50:00Z,drain,C1,s2
            2022-03-01T10:51:00Z,drain,C2,s2
            2022-03-01T10:52:00Z,wipe,,s2
            2022-03-02T10:53:00Z,list,,s2
        """,
    )  # fmt: skip
    assert [(no, operation, basis) for no, operation, basis in links(store) if no in (3, 6, 7)] == [
        (3, "C1", "session"),
        (6, "session:s2:20220301T105200Z", "explicit"),
        (7, "session:s2:20220301T105200Z", "explicit"),
    ]


def test_a_long_pause_ends_a_session_without_a_name_and_read_only_events_open_none(
    tmp_path: Path,
) -> None:
    store = derive(
        tmp_path, SPAN, case="policy = {session_gap_minutes = 30}",
        maintenance_event="""
            occurred_at,action,actor,host,ended_at
            2022-03-01T10:00:00Z,drain,ann,h1,2022-03-01T10:40:00Z
            2022-03-01T11:05:00Z,wipe,ann,h1,
            2022-03-01T11:06:00Z,log,ann,h1,
            2022-03-01T10:20:00Z,list,ann,h1,
            2022-03-01T12:00:00Z,wipe,ann,h1,
            2022-03-01T12:01:00Z,log,eve,h1,
        """,
    )  # fmt: skip
    assert links(store) == [
        (2, "session:ann@h1:20220301T100000Z", "explicit"),
        (3, "session:ann@h1:20220301T100000Z", "explicit"),
        (5, "session:ann@h1:20220301T100000Z", "explicit"),
        (6, "session:ann@h1:20220301T120000Z", "explicit"),
    ]


def test_a_change_without_events_has_an_operation_that_never_started(tmp_path: Path) -> None:
    store = derive(tmp_path, SPAN, change=CHANGE, procedures=PROCEDURE)
    assert rows(
        store,
        "select operation_id, started_at, kind, targets, actors, procedure, procedure_version, "
        "procedure_basis, outcome, event_count from operation_span",
    ) == [
        ("C1", None, "decommission", ["META-2", "meta-1"], [], "retire", "1", "kind", "success", 0),
        ("C2", None, "upgrade", ["meta-2", "web-1"], [], None, None, "unknown", "unknown", 0),
    ]


def test_start_and_end_leave_out_read_only_events_approvals_and_inferred_ones(
    tmp_path: Path,
) -> None:
    store = derive(
        tmp_path, SPAN, change=CHANGE, procedures=PROCEDURE,
        maintenance_event="""
            occurred_at,action,target,change_id,actor,ended_at
            2022-03-01T10:01:00Z,list,meta-1,C1,ann,
            2022-03-01T10:02:00Z,approve,meta-1,C1,boss,
            2022-03-01T10:03:00Z,drain,meta-1,,eve,
            2022-03-01T10:04:00Z,drain,meta-1,C1,bob,2022-03-01T10:20:00Z
            2022-03-01T10:05:00Z,status,meta-1,C1,ann,
        """,
    )  # fmt: skip
    assert rows(
        store,
        "select utc(started_at), utc(ended_at), actors, started_basis, event_count, "
        "explicit_event_count from operation_span where operation_id = 'C1'",
    ) == [("2022-03-01 10:04:00 UTC", "2022-03-01 10:20:00 UTC", ["bob", "eve"], "explicit", 5, 4)]


VERSIONS = """
    id: p
    version: "1"
    published_at: 2022-01-01
    superseded_at: 2022-02-01
    applies_to: [a]
---
    id: p
    version: "2"
    published_at: 2022-02-01
    applies_to: [a, b]
---
    id: q
    version: "1"
    applies_to: [b]
"""


def test_the_version_in_force_is_the_latest_published_at_the_first_action(tmp_path: Path) -> None:
    store = derive(
        tmp_path, SPAN, procedures=VERSIONS,
        change="""
            change_id,kind,procedure,procedure_version,window_start
            early,a,,,2021-12-01T00:00:00Z
            first,A,,,2022-01-15T00:00:00Z
            later,a,,,2022-03-01T00:00:00Z
            named,b,Q,,2022-03-01T00:00:00Z
            older,a,p,1,2022-03-01T00:00:00Z
            other,a,nowhere,,2022-03-01T00:00:00Z
            several,b,,,2022-03-01T00:00:00Z
            unsure,a,,,2022-03-01T00:00:00Z
        """,
        maintenance_event="""
            occurred_at,action,change_id
            2022-01-15T00:00:00Z,drain,later
        """,
    )  # fmt: skip
    assert rows(
        store,
        "select operation_id, procedure, procedure_version, procedure_basis from operation_span",
    ) == [
        ("early", "p", None, "unknown"),
        ("first", "p", "1", "kind"),
        ("later", "p", "1", "kind"),
        ("named", "q", "1", "named"),
        ("older", "p", "2", "named"),
        ("other", None, None, "unknown"),
        ("several", None, None, "ambiguous"),
        ("unsure", "p", "2", "kind"),
    ]


def test_a_version_published_within_the_uncertainty_of_the_first_action_is_not_known(
    tmp_path: Path,
) -> None:
    store = derive(tmp_path, "", procedures=VERSIONS, change="change_id,kind\nC,a")
    store.execute(
        "insert into evidence.maintenance_event (source_id, record_no, occurred_at, occurred_lo, "
        "occurred_hi, action, change_id) values (9, 1, '2022-02-01 00:00:00Z', "
        "'2022-01-31 23:00:00Z', '2022-02-01 01:00:00Z', 'drain', 'C')"
    )
    for relation in SPAN.split():
        run(store, relation)
    assert rows(store, "select procedure_version, procedure_basis from operation_span") == [
        (None, "ambiguous")
    ]


def test_the_step_is_the_one_named_else_the_one_whose_match_fits_best(tmp_path: Path) -> None:
    store = derive(
        tmp_path, EVENT, change=CHANGE, procedures=PROCEDURE,
        maintenance_event="""
            occurred_at,action,target,change_id,step
            2022-03-01T10:01:00Z,anything,meta-1,C1,drain
            2022-03-01T10:02:00Z,Draining,meta-1,C1,
            2022-03-01T10:03:00Z,retire,META-1,C1,
            2022-03-01T10:04:00Z,retire,web-1,C1,
            2022-03-01T10:05:00Z,compare,web-1,C1,
            2022-03-01T10:06:00Z,Look,web-1,C1,
            2022-03-01T10:07:00Z,purge,web-1,C1,
            2022-03-01T10:08:00Z,list,web-1,C1,
            2022-03-01T10:09:00Z,retire,,C1,no-such-step
            2022-03-01T10:10:00Z,reboot,web-1,C2,7
        """,
    )  # fmt: skip
    assert rows(
        store,
        "select record_no, step, step_kind, possible_steps, is_irreversible, is_read_only "
        "from operation_event",
    ) == [
        (2, "Drain", "action", None, False, False),
        (3, "Drain", "action", None, False, False),
        (4, "wipe-meta", "action", None, True, False),
        (5, "wipe-any", "action", None, False, False),
        (6, None, None, ["check-a", "check-b"], None, False),
        (7, "look", "action", None, False, False),
        (8, None, None, None, True, False),
        (9, None, None, None, False, True),
        (10, "wipe-any", "action", None, False, False),
        (11, "7", None, None, False, False),
    ]


def test_nothing_on_record_gives_empty_relations(tmp_path: Path) -> None:
    judged = "constraint_part trace_variant constraint_verdict conformance"
    store = derive(tmp_path, f"{EVENT} {judged}")
    for relation in ("operation_link", "operation_span", "operation_event", "conformance"):
        assert store.value(f"select count(*) from {relation}") == 0
