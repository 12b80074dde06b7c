"""Offsets of clocks: pairs whose order is certain, intervals that hold, conflicts by name."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from derive import START, Record, at, stored
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.clocks import measure
from toolkit.analysis.clocks import TRUE_TIME, Clock, Constraint, offsets
from toolkit.casefile import CaseFile, CaseFolder
from toolkit.rebuild import rebuild
from toolkit.store import Store

SECOND = 1_000_000


def built(
    folder: Path,
    sources: Iterable[int],
    declared: dict[int, float] | None = None,
    only: Collection[str] = ("clock_offset", "clock_pair"),
    **evidence: Any,
) -> Store:
    """A case of records that logs hold, with the declared offsets of their sources."""
    store = stored(**evidence)
    for number in sources:
        offset = (declared or {}).get(number, 0)
        store.execute(
            "insert into source (source_id, sha256, path, format, reader, reader_version, "
            "detected_by, declaration_sha256, bytes, encoding, records_read, accepted, continued, "
            "skipped, rejected, clock_offset_seconds, clock_basis, export_complete) values "
            "(?, ?, ?, 'syslog', 'syslog', 1, 'detected', '', 1, 'utf-8', 1, 1, 0, 0, 0, ?, ?, "
            "true)",
            [number, str(number), f"logs/{number}.log", offset, "declared" if offset else "none"],
        )
    rebuild(store, CaseFolder(folder, CaseFile(title="made up")), only)
    return store


def pair(step: int, cause: tuple[int, float], effect: tuple[int, float]) -> list[Record]:
    """A command as one host issues it and its result on another, by seconds on their clocks."""
    return [
        {
            "source_id": source,
            "occurred_at": START + timedelta(microseconds=round(seconds * SECOND)),
            "action": "detach",
            "target": "meta2",
            "change_id": "CHG1",
            "session_id": "s1",
            "step": str(step),
            "host": f"host{source}",
            "outcome": outcome,
        }
        for (source, seconds), outcome in ((cause, "unknown"), (effect, "success"))
    ]


def found(store: Store) -> dict[tuple[int, str], dict[str, Any]]:
    return {
        (row["source_id"], row["basis"]): row
        for row in store.rows("from clock_offset order by all")
    }


def test_the_interval_contains_the_planted_offset_of_every_one_of_200_sources(
    tmp_path: Path,
) -> None:
    dice = random.Random(20220309)
    sources = range(1, 201)
    planted = {source: round(dice.uniform(-300, 300), 6) for source in sources}
    events: list[Record] = []
    for source in sources:
        for number in range(12):
            other = dice.choice([each for each in sources if each != source])
            one, two = (source, other) if number % 2 else (other, source)
            true = dice.uniform(0, 86_400)
            arrives = true + dice.lognormvariate(-1.2, 0.8)
            events += pair(len(events), (one, true + planted[one]), (two, arrives + planted[two]))
    probe = {"host": "HOST1", "probed_at": START, "offset_ms": planted[1] * 1000}
    with built(tmp_path, sources, maintenance_event=events, clock_probe=[probe]) as store:
        offset = found(store)
    estimated = {key[0]: row for key, row in offset.items() if key[1] == "estimated"}
    assert estimated.keys() == set(sources)
    for source, row in estimated.items():
        assert row["conflict"] is None and row["relative_to"] is None
        assert row["lo_seconds"] - 2e-6 <= planted[source] <= row["hi_seconds"] + 2e-6
        assert row["hi_seconds"] - row["lo_seconds"] < 5
    assert offset[1, "probe"]["estimate_seconds"] == pytest.approx(planted[1])


def test_a_command_that_states_no_outcome_is_a_cause(tmp_path: Path) -> None:
    (cause, effect), (back, answer) = pair(1, (1, 0), (2, 10)), pair(2, (2, 20), (1, 16))
    events = [cause | {"outcome": None}, effect, back | {"outcome": None}, answer]
    with built(tmp_path, (1, 2), maintenance_event=events) as store:
        ((_, offset),) = found(store).items()
    assert offset["conflict"] is None
    assert (offset["lo_seconds"], offset["hi_seconds"]) == pytest.approx((4, 10), abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_simulated_clocks_are_bounded_truly_and_wrong_matches_are_named(seed: int) -> None:
    done = measure(40, seed=seed, wrong=2)
    assert (done.held, done.named, done.missed) == (40, 2, 0)
    assert done.median_width < 2


def test_pairs_that_cannot_all_hold_are_named_and_bound_nothing(tmp_path: Path) -> None:
    events = [
        *pair(1, (1, 0), (2, 10)),
        *pair(2, (2, 20), (1, 5)),  # an effect fifteen seconds before its cause, by both clocks
        *pair(3, (2, 30), (3, 33)),
        *pair(4, (3, 40), (4, 41)),
        *pair(5, (4, 50), (3, 51)),
    ]
    with built(tmp_path, range(1, 5), maintenance_event=events) as store:
        offset = found(store)
    for source in (1, 2):
        row = offset[source, "estimated"]
        assert row["lo_seconds"] is row["hi_seconds"] is row["estimate_seconds"] is None
        assert row["conflict"] == (
            "host1 of logs/1.log → host2 of logs/2.log → host1 of logs/1.log: "
            "issued 1:1 before 2:2; issued 2:3 before 1:4 cannot all hold, by 5.000000 s"
        )
    assert offset[4, "estimated"]["conflict"] is None
    assert offset[4, "estimated"]["relative_to"] == "host3 of logs/3.log"
    assert (offset[4, "estimated"]["lo_seconds"], offset[4, "estimated"]["hi_seconds"]) == (-1, 1)


def test_without_true_time_offsets_are_relative_and_one_sided_bounds_stay_open(
    tmp_path: Path,
) -> None:
    events = [*pair(1, (1, 0), (2, 7)), *pair(2, (1, 10), (3, 12)), *pair(3, (3, 20), (1, 21))]
    with built(tmp_path, range(1, 4), maintenance_event=events) as store:
        offset = found(store)
    assert (1, "estimated") not in offset
    two, three = offset[2, "estimated"], offset[3, "estimated"]
    assert (two["relative_to"], two["lo_seconds"], two["hi_seconds"]) == (
        "host1 of logs/1.log", None, 7,
    )  # fmt: skip
    assert (three["lo_seconds"], three["hi_seconds"], three["estimate_seconds"]) == (-1, 2, 0.5)
    assert three["evidence"] == ["1:3", "1:6", "3:4", "3:5"]


def test_a_declared_offset_is_that_of_the_file_and_anchors_the_others(tmp_path: Path) -> None:
    # Times of source 1 stand corrected by 60 s in the database.
    events = [*pair(1, (1, 0), (2, 3)), *pair(2, (2, 10), (1, 11))]
    with built(tmp_path, (1, 2), declared={1: 60.0}, maintenance_event=events) as store:
        offset = found(store)
    assert offset[1, "declared"]["estimate_seconds"] == 60
    assert offset[1, "estimated"]["lo_seconds"] == offset[1, "estimated"]["hi_seconds"] == 60
    assert offset[2, "estimated"]["relative_to"] is None
    assert (offset[2, "estimated"]["lo_seconds"], offset[2, "estimated"]["hi_seconds"]) == (-1, 3)


def test_a_clock_that_measured_clocks_show_to_be_off_is_an_exception(tmp_path: Path) -> None:
    probe = {"host": "host1", "probed_at": START, "offset_ms": 100}
    events = [
        *pair(1, (1, 0), (2, 41)), *pair(2, (2, 60), (1, 22)),
        *pair(3, (1, 90), (3, 91)), *pair(4, (3, 95), (1, 96)),
    ]  # fmt: skip
    only = ("evidence_quality", "EQ-02")
    told = {"maintenance_event": events, "clock_probe": [probe]}
    with built(tmp_path, (1, 2, 3), only=only, **told) as store:
        results = store.rows("select * from rule_result where rule = 'EQ-02' order by subject")
        issues = store.rows(
            "select subject, lo_seconds, hi_seconds, count from evidence_quality "
            "where issue = 'clock_estimated' order by subject"
        )
    assert [row["status"] for row in results] == ["ok", "exception", "ok"]
    assert "host2 was off by at least 38.100 s and at most 41.100 s" in results[1]["reason"]
    assert results[1]["evidence"] == ["1:1", "1:4", "1:9", "2:2", "2:3"]
    assert issues[1] == {"subject": "host2", "lo_seconds": 38.1, "hi_seconds": 41.1, "count": 2}


def kinds(store: Store) -> list[tuple[Any, ...]]:
    return [
        (row["kind"], row["cause"], row["effect"], row["slack_seconds"])
        for row in store.rows("from clock_pair order by all")
    ]


def event(source: int, hours: float, **values: object) -> Record:
    return {"source_id": source, "occurred_at": at(hours), "action": "detach", **values}


SAME = {"change_id": "CHG1", "step": "4", "target": "meta2"}


@pytest.mark.parametrize(
    ("evidence", "wanted"),
    [
        pytest.param(
            {"maintenance_event": [
                event(1, 0, host="a", recorded_at=at(0) + timedelta(seconds=2, microseconds=5))
            ]},
            [("recorded", "1:1", "1:1", 2.000005)],
            id="the recorder writes after the event",
        ),
        pytest.param(
            {"maintenance_event": [
                event(1, 0, host="a", ended_at=at(1) + timedelta(microseconds=1), **SAME),
                event(2, 0.5, host="b", **SAME),
            ]},
            [("within_end", "2:2", "1:1", 1800.000001), ("within_start", "1:1", "2:2", 1800.0)],
            id="an action lies within its span",
        ),
        pytest.param(
            {
                "alert": [{"source_id": 1, "alert_id": "P1", "fired_at": at(0)}],
                "ticket_event": [
                    {"source_id": 2, "ticket_id": "P1", "state": "triggered", "occurred_at": at(1)}
                ],
            },
            [("alerted", "1:1", "2:2", 3600.0)],
            id="a ticket follows the alert whose number it bears",
        ),
        pytest.param(
            {
                "maintenance_event": [event(1, 2, host="a", change_id="CHG1")],
                "ticket_event": [
                    {"source_id": 2, "ticket_id": "CHG1", "state": "New", "occurred_at": at(1)},
                    {"source_id": 2, "ticket_id": "CHG1", "state": "closed", "occurred_at": at(0)},
                ],
            },
            [("cited", "2:2", "1:1", 3600.0)],
            id="a number is cited after its ticket was opened",
        ),
        pytest.param(
            {
                "maintenance_event": [event(1, 1, host="a", change_id="CHG1")],
                "approval": [
                    {"source_id": 2, "change_id": "CHG1", "approver": "x", "decision": "approved",
                     "decided_at": at(0)}
                ],
            },
            [],
            id="an approval proves no order",
        ),
        pytest.param(
            {"maintenance_event": [
                event(1, 0, host="a", session_id="s", **SAME),
                event(1, 1, host="a", session_id="s", **SAME),
                event(2, 2, host="b", session_id="s", outcome="success", **SAME),
            ]},
            [],
            id="of a command that was repeated no pair is certain",
        ),
    ],
)  # fmt: skip
def test_a_pair_is_one_whose_order_is_certain(
    evidence: dict[str, Sequence[Record]], wanted: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    with built(tmp_path, (1, 2), **evidence) as store:
        assert kinds(store) == wanted


# -- the arithmetic --------------------------------------------------------------------------------

CLOCKS: list[Clock] = [TRUE_TIME, *((number, "") for number in range(1, 6))]
EDGES = st.lists(
    st.tuples(st.sampled_from(CLOCKS), st.sampled_from(CLOCKS), st.integers(-20, 40)).filter(
        lambda edge: edge[0] != edge[1]
    ),
    max_size=14,
).map(lambda edges: [Constraint(*edge) for edge in edges])


@given(edges=EDGES)
def test_bounds_are_those_of_all_paths_and_conflicts_are_those_of_all_cycles(
    edges: list[Constraint],
) -> None:
    """Against Floyd and Warshall, who find all shortest paths at once."""
    far = {(one, two): 0 if one == two else None for one in CLOCKS for two in CLOCKS}
    for edge in edges:
        known = far[edge.cause, edge.effect]
        far[edge.cause, edge.effect] = edge.slack if known is None else min(known, edge.slack)
    for middle in CLOCKS:
        for one in CLOCKS:
            for two in CLOCKS:
                before, after = far[one, middle], far[middle, two]
                if before is not None and after is not None:
                    known = far[one, two]
                    far[one, two] = before + after if known is None else min(known, before + after)
    feasible = all(far[clock, clock] == 0 for clock in CLOCKS)
    result = offsets(edges)
    assert any(offset.conflict for offset in result.values()) == (not feasible)
    if feasible:
        for clock, offset in result.items():
            hi, minus_lo = far[offset.reference, clock], far[clock, offset.reference]
            assert offset.hi == hi
            assert offset.lo == (None if minus_lo is None else -minus_lo)


@given(edges=EDGES)
def test_the_order_of_the_constraints_does_not_matter(edges: list[Constraint]) -> None:
    assert offsets(edges) == offsets(reversed(edges))
