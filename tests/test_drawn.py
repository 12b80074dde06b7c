"""What is drawn of a case is what its relations hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from toolkit.report import drawn
from toolkit.report.facts import CaseFacts
from toolkit.report.incident import Incident
from toolkit.report.model import Barriers, BlastRadius, BurnDown, HeatMap, SmallMultiples
from toolkit.store import Store


@pytest.fixture(scope="module")
def large(flagship: Path) -> Iterator[Store]:
    store = Store.open(flagship / "case.duckdb")
    yield store
    store.close()


@pytest.fixture(scope="module")
def small(standby: Path) -> Iterator[Store]:
    store = Store.open(standby / "case.duckdb")
    yield store
    store.close()


def test_jobs_of_a_machine_that_become_too_old_at_once_have_a_panel_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    rows = [
        {"asset_id": "m1", "job_no": number, "job_id": None, "target_asset": None,
         "stale_at": noon + timedelta(minutes=late), "sampled_at": noon,
         "age_seconds": 60.0 * number}
        for number, late in ((1, 0), (2, 5), (3, 5))
    ]  # fmt: skip
    facts = SimpleNamespace(rows=lambda _: rows, count=lambda _: len(rows), zone=UTC)
    monkeypatch.setattr(drawn, "_panels", lambda _, series, *told: series)
    assert cast(Any, drawn._age(cast(Any, facts))) == {
        "m1: 11-22 12:00:00": [(noon, 60.0)],
        "m1: 11-22 12:05:00, job 1 of 2": [(noon, 120.0)],
        "m1: 11-22 12:05:00, job 2 of 2": [(noon, 180.0)],
    }


def test_a_panel_names_the_job_where_a_machine_has_several(small: Store) -> None:
    figure = drawn.lag_panels(CaseFacts(small))
    assert figure is not None and isinstance(figure.picture, SmallMultiples)
    assert sorted(panel.name for panel in figure.picture.panels) == [
        "pg-standby, unnamed job: 18:02:19",
        "pg-standby, walreceiver: 18:02:21",
    ]


@pytest.mark.slow
def test_a_cell_counts_each_machine_with_a_gap_on_the_day_once(large: Store) -> None:
    figure = drawn.heat_map(CaseFacts(large))
    assert figure is not None and isinstance(figure.picture, HeatMap)
    assert (figure.picture.days[0], figure.picture.days[-1]) == (
        date(2022, 3, 1),
        date(2022, 4, 19),
    )
    sql = """
        select count(distinct asset_id) / any_value(machines) as share
        from region_impact left join protection_gap
            on protection_gap.region = region_impact.region
            and started_hi < ?::date + 1 and coalesce(ended_at, record_ends_at) >= ?::date
        where region_impact.region = ?
    """
    for region, shares in figure.picture.rows:
        for n in (0, 3, 8, 9, 20, 49):
            day = figure.picture.days[n]
            assert shares[n] == pytest.approx(large.value(sql, [day, day, region]))


@pytest.mark.slow
def test_what_remains_is_the_sum_of_the_day_and_the_forecast_the_last_one(large: Store) -> None:
    figure = drawn.burn_down(CaseFacts(large))
    assert figure is not None and isinstance(figure.picture, BurnDown)
    sums = large.rows("select day, sum(remaining)::int as n from recovery_progress group by 1")
    assert {at.date(): n for at, n in figure.picture.remaining} == {
        row["day"]: row["n"] for row in sums
    }
    last = large.rows(
        "select * from recovery_forecast where scope_kind = 'all' order by as_of_at desc limit 1"
    )[0]
    assert figure.picture.as_of == last["as_of_at"] and figure.picture.late == last["p90_at"]
    assert "recorded as lost are left out" in figure.description


@pytest.mark.slow
def test_machines_are_grouped_by_what_they_depended_on(large: Store) -> None:
    figure = drawn.blast_radius(Incident(CaseFacts(large)))
    assert figure is not None and isinstance(figure.picture, BlastRadius)
    nodes = figure.picture.nodes
    assert [(node.id, node.state) for node in nodes if node.level == 0] == [
        ("mds-au-2", "cannot_be_undone"),
        ("mds-ie-2", "cannot_be_undone"),
        ("mds-us-2", "cannot_be_undone"),
    ]
    assert Counter(
        {(node.text, node.state): node.count for node in nodes if node.level == 1}
    ) == {("120 machines", "affected"): 120, ("70 machines", "affected"): 70,
          ("60 machines", "affected"): 60}  # fmt: skip
    assert {relation for *_, relation in figure.picture.edges} == {"stores_metadata_on"}


@pytest.mark.slow
def test_a_mean_age_is_that_of_the_gaps_at_the_instant(large: Store) -> None:
    figure = drawn.lag_panels(CaseFacts(large))
    assert figure is not None and isinstance(figure.picture, SmallMultiples)
    sql = """
        select coalesce(sum(epoch_us(?::timestamptz - good) / 86400e6), 0) / any_value(machines)
        from region_impact left join (
            select region, asset_id, min(last_good_at) as good from protection_gap
            where started_hi <= ? and coalesce(ended_at, record_ends_at) > ? group by all
        ) as stale on stale.region = region_impact.region
        where region_impact.region = ?
    """
    for panel in figure.picture.panels:
        for at, value in panel.points[7::90]:
            expected = large.value(sql, [at, at, at, panel.name])
            assert value == pytest.approx(expected, abs=1e-6)


def _states(store: Store) -> dict[str, str]:
    incident = Incident(CaseFacts(store))
    incident.__dict__["reviewed"] = incident.reviewed[:1]
    figure = drawn.barriers(incident)
    assert figure is not None and isinstance(figure.picture, Barriers)
    return {barrier.name: barrier.state for barrier in figure.picture.barriers}


@pytest.mark.slow
def test_barriers_say_what_the_findings_say(large: Store) -> None:
    states = _states(large)
    assert states["Independent approval"] == states["Approval in time"] == "held"
    assert states["Pre-check"] == states["Another healthy copy"] == "absent"
    assert states["Guards of the tool"] == "overridden"
    assert states["Alerts answered"] == "late"


def test_a_check_that_could_not_be_tested_is_none_that_held(small: Store) -> None:
    states = _states(small)
    assert states["Independent approval"] == "not_run"
    assert states["Pre-check"] == states["Verification afterwards"] == "undetermined"
    assert states["Another healthy copy"] == "absent"


def test_no_arrow_leads_from_one_of_several_operations_that_go_as_well_with_the_onset(
    small: Store,
) -> None:
    incident = Incident(CaseFacts(small))
    assert len(incident.reviewed) == 2
    assert drawn.barriers(incident) is None


def test_what_depends_through_others_stands_at_its_level(small: Store) -> None:
    figure = drawn.blast_radius(Incident(CaseFacts(small)))
    assert figure is not None and isinstance(figure.picture, BlastRadius)
    assert {node.id: (node.level, node.state) for node in figure.picture.nodes} == {
        "borg-repo": (0, "cannot_be_undone"),
        "restic-repo": (0, "cannot_be_undone"),
        "vm": (1, "unknown"),
        "pg-primary": (2, "unknown"),
        "pg-standby": (2, "affected"),
    }


def test_a_record_of_minutes_has_no_course_by_day(small: Store) -> None:
    assert drawn.heat_map(CaseFacts(small)) is None
    assert drawn.burn_down(CaseFacts(small)) is None


def test_relations_that_are_not_there_draw_nothing() -> None:
    facts = CaseFacts(Store.create())
    incident = Incident(facts)
    assert drawn.heat_map(facts) is drawn.burn_down(facts) is drawn.lag_panels(facts) is None
    assert drawn.blast_radius(incident) is drawn.barriers(incident) is None
