"""Gaps, their bounds and what they did: job records in, protection out."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

from derive import at, derive, hourly, samples
from derived import run

from toolkit import analysis, resources, sqlfile
from toolkit.store import Store

STEADY = hourly("other", 0, 48)  # a machine whose record goes on to the end


def gaps(*records: list[dict[str, object]], **evidence: Any) -> list[dict[str, Any]]:
    """The gaps of every machine but the steady one, in order."""
    telemetry = [*STEADY, *(row for part in records for row in part)]
    with derive("protection_gap", replication_sample=telemetry, **evidence) as store:
        return store.rows("select * from protection_gap where asset_id <> 'other'")


# -- gaps --------------------------------------------------------------------------------------


def test_a_gap_lasts_from_the_last_success_to_the_next() -> None:
    (gap,) = gaps(
        hourly("m", 0, 10), hourly("m", 10, 16, "failure", error="E1"), hourly("m", 16, 48)
    )
    assert (gap["last_good_at"], gap["started_lo"]) == (at(9), at(9))
    assert (gap["started_hi"], gap["ended_at"]) == (at(10), at(16))
    assert (gap["open"], gap["ended_by"], gap["rpo_breach"]) == (False, "job", None)
    assert (gap["duration_minutes"], gap["failures"], gap["error"]) == (420, 6, "E1")
    assert gap["evidence"] == ["1:58", "1:59", "1:65"]


def test_a_gap_needs_more_than_so_many_cadences() -> None:
    assert not gaps(hourly("m", 0, 10), hourly("m", 10, 13, "failure"), hourly("m", 13, 48))


def test_silence_begins_a_gap_once_a_cadence_is_missed() -> None:
    (gap,) = gaps(hourly("m", 0, 10), hourly("m", 20, 48))
    assert (gap["started_lo"], gap["started_hi"], gap["failures"]) == (at(9), at(10.5), 0)


def test_a_gap_stays_open_when_the_record_ends() -> None:
    (gap,) = gaps(hourly("m", 0, 10))
    assert (gap["open"], gap["ended_at"], gap["ended_by"]) == (True, None, None)
    assert gap["duration_minutes"] == 38 * 60


def test_the_recovery_point_counts_not_the_time_of_the_job() -> None:
    late = samples("m", [(9.5, "success")], recovery_point_at=at(9))
    (gap,) = gaps(hourly("m", 0, 9), late, hourly("m", 15, 48))
    assert (gap["last_good_at"], gap["started_lo"]) == (at(9), at(9.5))


def test_lag_stands_for_the_recovery_point_where_none_is_recorded() -> None:
    late = samples("m", [(9.5, "success")], lag_seconds=1800.0)
    (gap,) = gaps(hourly("m", 0, 9), late, hourly("m", 15, 48))
    assert gap["last_good_at"] == at(9)


def test_the_objective_goes_before_the_cadence() -> None:
    asset = [{"asset_id": "m", "kind": "machine", "rpo_minutes": 90.0}]
    (gap,) = gaps(hourly("m", 0, 10), hourly("m", 11, 48), asset=asset)
    assert (gap["rpo_breach"], gap["duration_minutes"]) == (True, 120)
    assert gap["started_hi"] == at(10.5)


def test_a_declared_cadence_goes_before_the_median() -> None:
    asset = [{"asset_id": "m", "kind": "machine", "cadence_minutes": 1440.0}]
    assert not gaps(hourly("m", 0, 10), hourly("m", 20, 48), asset=asset)


def test_a_job_that_was_never_good_has_a_gap_from_its_first_failure() -> None:
    (gap,) = gaps(hourly("m", 5, 20, "failure"))
    assert (gap["last_good_at"], gap["started_lo"]) == (None, None)
    assert (gap["started_hi"], gap["open"]) == (at(5), True)


def test_each_target_has_gaps_of_its_own() -> None:
    (gap,) = gaps(hourly("m", 0, 48, target_asset="near"), hourly("m", 0, 10, target_asset="far"))
    assert gap["target_asset"] == "far"


def test_without_cadence_or_objective_only_a_failure_shows_a_gap() -> None:
    assert not gaps(samples("m", [(0, "success")]))
    (gap,) = gaps(samples("m", [(0, "success"), (1, "failure")]))
    assert gap["started_hi"] == at(1)


def test_a_reported_start_is_no_beat_of_its_own() -> None:
    begun = hourly("m", 0, 20, "running")
    done = samples("m", [(hour + 0.1, "success") for hour in range(20)])
    (gap,) = gaps(begun, done)
    assert round(gap["cadence_minutes"], 6) == 60


def test_a_warning_is_good_only_with_a_recovery_point() -> None:
    warned = hourly("m", 10, 20, "warning")
    (gap,) = gaps(hourly("m", 0, 10), warned, hourly("m", 20, 48))
    assert (gap["last_good_at"], gap["failures"]) == (at(9), 0)
    for row in warned:
        row["recovery_point_at"] = row["sampled_at"]
    assert not gaps(hourly("m", 0, 10), warned, hourly("m", 20, 48))


def test_a_seed_of_the_same_target_ends_a_gap() -> None:
    down = hourly("m", 10, 30, "failure", target_asset="t")
    seed = samples("m", [(30, "success")], job_kind="seed", target_asset="t")
    found = gaps(
        hourly("m", 0, 10, target_asset="t"), down, seed, hourly("m", 31, 48, target_asset="t")
    )
    assert [(gap["ended_at"], gap["ended_by"]) for gap in found] == [(at(30), "seed")]


def test_a_relink_without_a_target_ends_a_gap_whatever_its_recovery_point() -> None:
    relink = samples("m", [(30, "success")], job_kind="relink", recovery_point_at=at(8))
    found = gaps(
        hourly("m", 0, 10, target_asset="t"), relink, hourly("m", 30.5, 48, target_asset="t")
    )
    assert [(gap["ended_at"], gap["ended_by"]) for gap in found] == [(at(30), "relink")]


def test_a_seed_of_another_target_leaves_the_gap_open() -> None:
    seed = samples("m", [(30, "success")], job_kind="seed", target_asset="other target")
    (gap,) = gaps(hourly("m", 0, 10, target_asset="t"), seed)
    assert gap["open"]


def test_protection_that_stops_again_after_a_seed_is_a_gap_again() -> None:
    seed = samples("m", [(20, "success")], job_kind="seed")
    found = gaps(hourly("m", 0, 10), seed, hourly("m", 21, 40, "failure"))
    assert [(gap["started_lo"], gap["ended_at"]) for gap in found] == [
        (at(9), at(20)),
        (at(20), None),
    ]


def test_a_failure_after_a_recovery_bounds_the_gap_that_follows() -> None:
    relink = samples("m", [(20, "success")], job_kind="relink")
    down = hourly("m", 10, 20, "failure") + hourly("m", 20.2, 40, "failure")
    found = gaps(hourly("m", 0, 10), down, relink)
    assert [(gap["started_lo"], gap["started_hi"], gap["failures"]) for gap in found] == [
        (at(9), at(10), 10),
        (at(20), at(20.2), 19),
    ]


def test_samples_on_record_twice_leave_the_cadence_as_it_is() -> None:
    (gap,) = gaps(hourly("m", 0, 10) * 2, hourly("m", 10, 20, "failure") * 2, hourly("m", 20, 48))
    assert (gap["cadence_minutes"], gap["started_lo"], gap["ended_at"]) == (60, at(9), at(20))


def test_a_cadence_of_nought_is_none() -> None:
    for cadence in (0.0, -5.0):
        asset = [{"asset_id": "m", "kind": "machine", "cadence_minutes": cadence}]
        (gap,) = gaps(hourly("m", 0, 10), hourly("m", 20, 48), asset=asset)
        assert (gap["cadence_minutes"], gap["last_good_at"]) == (60, at(9))


def test_a_lag_that_is_no_number_says_nothing_and_one_without_end_is_stale() -> None:
    (gap,) = gaps(hourly("m", 0, 10, lag_seconds=float("nan")), hourly("m", 20, 48))
    assert (gap["last_good_at"], gap["ended_at"]) == (at(9), at(20))
    for lag in (float("inf"), 1e20):
        (gap,) = gaps(hourly("m", 0, 10, lag_seconds=lag), hourly("m", 10, 48))
        assert (gap["last_good_at"], gap["started_hi"], gap["ended_at"]) == (None, at(0), at(10))


def runs(*hours: int, state: str = "success") -> list[dict[str, object]]:
    """Job records of `m` where every run has an id of its own."""
    return [
        row for hour in hours for row in samples("m", [(hour, state)], job_id=f"run-{hour:02d}")
    ]


def test_ids_that_name_runs_are_taken_as_one_job() -> None:
    (gap,) = gaps(runs(*range(20), *range(30, 48)), runs(*range(20, 30), state="failure"))
    assert (gap["job_id"], gap["cadence_minutes"], gap["failures"]) == (None, 60, 10)
    assert (gap["started_lo"], gap["started_hi"], gap["ended_at"]) == (at(19), at(20), at(30))


def test_a_recovery_counts_between_runs_with_ids_of_their_own() -> None:
    seed = samples("m", [(30, "success")], job_kind="seed")
    found = gaps(runs(*range(10), *range(40, 48)), seed)
    assert [(gap["last_good_at"], gap["ended_at"], gap["ended_by"]) for gap in found] == [
        (at(9), at(30), "seed"),
        (at(30), at(40), "job"),
    ]


def test_a_job_that_reports_nothing_more_is_continued_by_one_that_begins_later() -> None:
    found = gaps(hourly("m", 0, 20, job_id="old"), hourly("m", 30, 48, job_id="new"))
    assert [(gap["job_id"], gap["ended_at"], gap["ended_by"]) for gap in found] == [
        ("old", at(30), "continued")
    ]


def test_a_recovery_restores_the_job_at_hand_and_none_that_came_before_or_after() -> None:
    seed = samples("m", [(30, "success")], job_kind="seed")
    found = gaps(
        hourly("m", 0, 20, job_id="a"),
        hourly("m", 20, 28, job_id="b"),
        seed,
        hourly("m", 36, 48, job_id="c"),
    )
    assert [(gap["job_id"], gap["ended_at"], gap["ended_by"]) for gap in found] == [
        ("b", at(36), "continued")
    ]


def test_the_end_of_an_assets_validity_ends_its_gap() -> None:
    asset = [{"asset_id": "m", "kind": "machine", "valid_to": at(20)}]
    (gap,) = gaps(hourly("m", 0, 10), asset=asset)
    assert (gap["ended_at"], gap["ended_by"], gap["open"]) == (at(20), "retired", False)


def test_a_recovery_point_that_stands_still_is_a_gap_though_the_link_is_up() -> None:
    second = 1 / 3600
    steady = [(n * second, 0.5) for n in range(60)]
    stuck = [((60 + n) * second, float(n + 1)) for n in range(60)]
    link = [
        {"sampled_at": at(hours), "asset_id": "m", "state": "connected", "lag_seconds": lag}
        for hours, lag in steady + stuck
    ]
    (gap,) = gaps(link)
    # Cadence 1 s, so that a recovery point older than 4 s is a gap.
    assert gap["started_lo"] == gap["last_good_at"] == at(59 * second)
    assert abs(gap["started_hi"] - at(64 * second)) < timedelta(milliseconds=1)
    assert gap["open"]


def test_names_of_one_asset_are_one_machine() -> None:
    alias = [{"kind": "asset", "alias": "M.example", "canonical": "m"}] * 2
    assert not gaps(hourly("m", 0, 20), hourly("M.example", 20, 48), alias=alias)


def test_gaps_are_those_of_a_plain_reading_of_the_record() -> None:
    rng = random.Random(20220309)
    records, expected = [], []
    for n in range(60):
        name = f"m{n:02d}"
        hours = sorted(rng.sample(range(2, 46), rng.randint(5, 40)))
        states = [rng.choice(("success", "success", "failure", "running")) for _ in hours]
        records.append(samples(name, list(zip(hours, states, strict=True))))
        expected += [(name, *gap) for gap in _plain(hours, states, limit=5)]
    asset = [{"asset_id": f"m{n:02d}", "kind": "machine", "rpo_minutes": 300.0} for n in range(60)]
    found = [(gap["asset_id"], gap["last_good_at"], gap["ended_at"]) for gap in gaps(
        *records, asset=asset
    )]  # fmt: skip
    assert found == expected and len(found) > 60


def _plain(hours: list[int], states: list[str], limit: int) -> list[tuple[datetime | None, ...]]:
    """The same by a loop: last good and end of every gap longer than `limit` hours."""
    found: list[tuple[datetime | None, ...]] = []
    good: int | None = None
    bad: int | None = None
    for hour, state in zip([*hours, 47], [*states, "end"], strict=True):
        if state == "failure" and bad is None:
            bad = hour
        if state in ("success", "end"):
            since = good if good is not None else bad
            if since is not None and hour - since > limit:
                found.append((
                    None if good is None else at(good), at(hour) if state == "success" else None
                ))  # fmt: skip
            good, bad = hour, None
    return found


def test_intervals_of_states_are_runs_of_equal_samples() -> None:
    rng = random.Random(9)
    words = ("success", "failure", "running", "warning", "disconnected")
    states = [rng.choice(words[: 1 + n // 20]) for n in range(100)]
    telemetry = samples("m", [(n / 2, state) for n, state in enumerate(states)])
    runs = [(state, len(list(group))) for state, group in groupby(states)]
    with derive("state_interval", replication_sample=telemetry) as store:
        found = store.rows("select * from state_interval order by started_at")
    assert [(row["state"], row["samples"]) for row in found] == runs
    assert all(one["ended_at"] == two["started_at"] for one, two in pairwise(found))
    assert found[-1]["ended_at"] is None


# -- impact ------------------------------------------------------------------------------------


def test_hours_without_protection_are_the_union_of_gaps_within_the_window() -> None:
    telemetry = [
        *STEADY,
        *hourly("m", 0, 10, target_asset="near"),
        *hourly("m", 30, 48, target_asset="near"),
        *hourly("m", 0, 20, target_asset="far"),
    ]
    asset = [{"asset_id": "m", "kind": "machine", "protected_bytes": 7}]
    with derive(
        "machine_impact", window=(at(12), at(40)), replication_sample=telemetry, asset=asset
    ) as store:
        (row,) = store.rows("select * from machine_impact")
    assert (row["gap_hours"], row["gaps"], row["open"]) == (28, 2, True)
    assert (row["data_at_risk_bytes"], row["failover_blocked_hours"]) == (7, None)


def test_what_ended_a_gap_gives_the_recovery_class() -> None:
    names = ("relinked", "reseeded", "reseeding", "lost", "removed", "alone", "waiting")
    telemetry = [*STEADY, *(row for name in names for row in hourly(name, 0, 10))]
    telemetry += samples("relinked", [(20, "running"), (21, "success")], job_kind="relink")
    telemetry += samples("reseeded", [(20, "failure"), (30, "success")], job_kind="seed")
    telemetry += samples("reseeding", [(20, "failure"), (30, "running")], job_kind="seed")
    telemetry += samples(
        "lost", [(20, "failure")], job_kind="relink", error="chain unreadable, no longer exists"
    )
    telemetry += hourly("relinked", 21.5, 48) + hourly("reseeded", 31, 48) + hourly("alone", 31, 48)
    telemetry += samples("waiting", [(20, "failure")], job_kind="seed", error="reset by peer")
    state = [{"observed_at": at(11), "asset_id": "removed", "state": "removed"}]
    with derive("machine_impact", replication_sample=telemetry, asset_state=state) as store:
        found = store.rows("select asset_id, recovery_class, recovered_at from machine_impact")
    assert {row["asset_id"]: row["recovery_class"] for row in found} == {
        **{name: name for name in ("relinked", "reseeded", "reseeding", "lost")},
        "removed": "lost",
        "alone": "unknown",
        "waiting": "unknown",
    }
    assert {row["asset_id"] for row in found if row["recovered_at"]} == {
        "relinked", "reseeded", "alone",
    }  # fmt: skip


def test_machines_that_the_onset_struck_are_told_from_those_that_paused_by_themselves() -> None:
    telemetry = [row for n in range(30) for row in hourly(f"steady-{n:02d}", 0, 48)]
    telemetry += [row for n in range(4) for row in hourly(f"struck-{n}", 0, 24)]
    # Fails shortly before, and comes back by a seed only.
    telemetry += hourly("already", 0, 22) + hourly("already", 22, 30, "failure")
    telemetry += samples("already", [(40, "success")], job_kind="seed")
    telemetry += hourly("before", 0, 4) + hourly("before", 15, 48)
    telemetry += hourly("later", 0, 30) + hourly("later", 40, 48)
    with derive("machine_impact", replication_sample=telemetry) as store:
        found = store.rows("select asset_id, onset_relation from machine_impact")
    assert {row["asset_id"]: row["onset_relation"] for row in found} == {
        **{f"struck-{n}": "struck" for n in range(4)},
        "already": "struck",
        "before": "apart",
        "later": "later",
    }


def test_what_is_not_known_is_counted_and_never_a_nought() -> None:
    asset = [
        {"asset_id": "a", "kind": "machine", "region": "IE", "protected_bytes": 10},
        {"asset_id": "b", "kind": "machine", "region": "IE"},
    ]
    telemetry = [*STEADY, *hourly("a", 0, 10), *hourly("b", 0, 10)]
    telemetry += samples("b", [(20, "failure")], job_kind="seed", error="chain cannot be recovered")
    telemetry += samples("c", [(0, "success"), (1, "failure")])
    state = [
        {"observed_at": at(10), "asset_id": "a", "state": "link_lost"},
        {"observed_at": at(20), "asset_id": "a", "state": "healthy"},
    ]
    with derive(
        "region_impact", replication_sample=telemetry, asset=asset, asset_state=state
    ) as store:
        ie, none = store.rows("select * from region_impact")
    assert (ie["failover_blocked_hours"], ie["failover_known"], ie["failover_unknown"]) == (
        10, 1, 1,
    )  # fmt: skip
    assert (ie["data_at_risk_bytes"], ie["data_unknown"]) == (10, 1)
    assert (ie["machines_lost"], ie["data_lost_bytes"], ie["data_lost_unknown"]) == (1, None, 1)
    assert (ie["links_lost"], ie["recovery_points_missed"]) == (1, 76)
    assert (none["region"], none["recovery_points_missed"], none["recovery_points_unknown"]) == (
        None, None, 1,
    )  # fmt: skip


def test_failover_is_blocked_from_a_lost_link_to_the_next_healthy_state() -> None:
    observed = [
        {"observed_at": at(hours), "asset_id": "m", "state": state}
        for hours, state in ((1, "healthy"), (10, "link_lost"), (12, "link_lost"), (30, "healthy"))
    ]
    with derive(
        "machine_impact",
        replication_sample=[*STEADY, *hourly("m", 0, 10), *hourly("m", 30, 48)],
        asset_state=observed,
    ) as store:
        (row,) = store.rows("select * from machine_impact")
    assert (row["failover_blocked_hours"], row["links_lost"]) == (20, 1)


def test_partners_and_regions_are_told_after_their_first_gap() -> None:
    asset = [
        {"asset_id": name, "kind": "machine", "organization": f"p-{name}", "region": "IE",
         "protected_bytes": 10}
        for name in ("a", "b", "other")
    ]  # fmt: skip
    telemetry = [*STEADY, *hourly("a", 0, 10), *hourly("b", 0, 10)]
    sent = [
        {"organization": "p-a", "sent_at": at(2), "subject": "before"},
        {"organization": "p-a", "sent_at": at(20), "subject": "after"},
        {"organization": "p-b", "sent_at": at(1), "subject": "before"},
    ]
    with derive("partner_impact", replication_sample=telemetry, asset=asset, notice=sent) as store:
        found = store.rows("select * from partner_impact")
    assert [(row["organization"], row["notified_at"], row["notices"]) for row in found] == [
        ("p-a", at(20), 1),
        ("p-b", None, 0),
    ]
    assert found[0]["first_impact_at"] == at(10.5)
    assert found[0]["notice_delay_minutes"] == 9.5 * 60
    with derive("region_impact", replication_sample=telemetry, asset=asset) as store:
        (region,) = store.rows("select * from region_impact")
    assert (region["machines"], region["machines_impacted"]) == (3, 2)
    assert (region["data_at_risk_bytes"], region["notified_at"]) == (20, None)


def test_what_no_store_can_hold_stops_nothing() -> None:
    asset = [
        {"asset_id": name, "kind": "machine", "protected_bytes": 2**62} for name in ("a", "b", "c")
    ]
    telemetry = [*STEADY, *(row for name in "abc" for row in hourly(name, 0, 10))]
    with derive("region_impact", replication_sample=telemetry, asset=asset) as store:
        (region,) = store.rows("select * from region_impact")
    assert (region["machines_impacted"], region["data_at_risk_bytes"]) == (3, None)


# -- onset -------------------------------------------------------------------------------------


def test_the_interval_of_an_onset_covers_the_truth() -> None:
    rng = random.Random(7)
    telemetry, asset, truth = [], [], {}
    for n in range(40):
        region = f"r{n:02d}"
        truth[region] = 20 + 10 * rng.random()
        share = rng.choice((0.2, 0.5, 1.0))
        for m in range(30):
            name = f"{region}-{m:02d}"
            asset.append({"asset_id": name, "kind": "machine", "region": region})
            phase = rng.random()
            down = rng.random() < share
            telemetry += samples(
                name,
                [
                    (
                        hour + phase,
                        "failure"
                        if (down and hour + phase > truth[region]) or rng.random() < 0.004
                        else "success",
                    )
                    for hour in range(48)
                ],
            )
    with derive("onset", replication_sample=telemetry, asset=asset) as store:
        found = store.rows("select * from onset where scope_kind = 'region' and main")
    assert len(found) == 40
    covered = [row["onset_lo"] <= at(truth[row["scope"]]) <= row["onset_hi"] for row in found]
    assert sum(covered) >= 38
    assert all(row["onset_hi"] - row["onset_lo"] <= timedelta(hours=2) for row in found)
    assert all(row["onset_lo"] <= row["onset_at"] <= row["onset_hi"] for row in found)
    errors = sorted(abs(row["onset_at"] - at(truth[row["scope"]])) for row in found)
    assert errors[len(errors) // 2] < timedelta(minutes=5)
    assert {row["population"] for row in found} == {30}


def test_an_onset_ends_when_the_share_falls_below_again() -> None:
    telemetry = [*STEADY, *hourly("m", 0, 10), *hourly("m", 20, 30), *hourly("m", 40, 48)]
    with derive("onset", replication_sample=telemetry) as store:
        found = store.rows("select * from onset order by episode_no")
    assert [(row["scope"], row["onset_hi"], row["ended_at"]) for row in found] == [
        ("all", at(10.5), at(20)),
        ("all", at(30.5), at(40)),
    ]
    assert [row["main"] for row in found] == [True, False]


def test_a_dependency_has_an_onset_when_machines_fell_while_they_depended_on_it() -> None:
    telemetry = [*STEADY, *(row for name in "abc" for row in hourly(name, 0, 10))]
    links: list[dict[str, Any]] = [{"from_asset": name, "to_asset": "array"} for name in "ab"]
    links += [{"from_asset": "array", "to_asset": "rack"}]
    links += [{"from_asset": name, "to_asset": "old array", "valid_to": at(5)} for name in "abc"]
    links += [{"from_asset": name, "to_asset": "new array", "valid_from": at(30)} for name in "abc"]
    links += [{"from_asset": "c", "to_asset": "single"}]
    with derive("onset", replication_sample=telemetry, dependency=links) as store:
        found = store.rows("select * from onset where scope_kind = 'dependency'")
    assert [(row["scope"], row["affected"], row["population"]) for row in found] == [
        ("array", 2, 2),
        ("rack", 2, 2),
    ]


def test_dependencies_that_form_a_circle_are_followed_once() -> None:
    links = [{"from_asset": a, "to_asset": b} for a, b in (("a", "b"), ("b", "c"), ("c", "a"))]
    with derive("dependency_reach", dependency=links) as store:
        found = store.rows("select from_asset, to_asset from dependency_reach")
    assert len(found) == 6


# -- shape -------------------------------------------------------------------------------------


def test_nothing_after_the_reduction_reads_samples() -> None:
    reads = {name: file.meta.reads for name, file in sqlfile.catalogue(resources.queries()).items()}
    reads |= {name: step.reads for name, step in analysis.steps().items()}
    readers = {
        sample: {name for name, read in reads.items() if sample in read}
        for sample in ("replication_sample", "metric_sample")
    }
    # The inventory takes names; of use before an irreversible action, the samples within a run;
    # of jobs whose recovery points became too old, the samples before; of repositories, what their
    # listings name; of claims that are contradicted, the samples after them.
    assert readers == {
        "replication_sample": {
            "replication_run",
            "known_asset",
            "span_use",
            "age_profile",
            "delisted_copy",
            "EQ-05",
        },
        "metric_sample": {"lag_profile"},
    }


def test_without_telemetry_there_is_no_row_and_no_error() -> None:
    for relation in ("machine_impact", "region_impact", "partner_impact", "onset"):
        with derive(relation) as store:
            assert store.value(f"select count(*) from {relation}") == 0


def test_a_target_is_told_with_the_machines_that_have_no_other() -> None:
    store = Store.create()
    store.load(
        "machine_impact", {"asset_id": "varchar", "onset_relation": "varchar"},
        [["m1", "struck"], ["m2", "struck"], ["m3", "apart"]],
    )  # fmt: skip
    store.load(
        "replication_run",
        {"asset_id": "varchar", "job_kind": "varchar", "target_asset": "varchar"},
        [["m1", "replicate", "vault"], ["m1", "replicate", "vault"], ["m2", "replicate", "vault"],
         ["m2", "replicate", "far"], ["m3", "replicate", "vault"], ["m4", "replicate", "vault"],
         ["m4", "replicate", "other"], ["m1", "seed", "other"], ["m3", "replicate", None]],
    )  # fmt: skip
    store.load(
        "protection_gap", {"asset_id": "varchar", "error": "varchar"},
        [["m1", "z"], ["m1", "a"], ["m2", None], ["m2", None], ["m2", None], ["m3", "other"]],
    )  # fmt: skip
    run(store, "shared_target")
    assert [tuple(row.values()) for row in store.rows("from shared_target")] == [
        ("far", 2, 0, 0, 3, None, None),
        ("vault", 2, 1, 2, 5, "a", 1),
    ]
