"""What each machine's protection hangs on: copies, and assets whose loss alone takes it down."""

from __future__ import annotations

from typing import Any

from derive import at, derive, hourly
from hypothesis import given
from hypothesis import strategies as st

from toolkit.analysis.posture import STEP, Needs, alternatives, single_points

NODES = "abcdefgh"


def needs(**wanted: str) -> Needs:
    """Needs written as `a="bc d"`: a needs one of b and c, and it needs d."""
    return {asset: [frozenset(need) for need in text.split()] for asset, text in wanted.items()}


# -- single points -----------------------------------------------------------------------------


def test_what_is_needed_is_a_single_point_and_a_choice_is_none() -> None:
    found = single_points(needs(a="bc d"))
    assert found["a"] == {"a", "d"}


def test_what_all_choices_hang_on_is_a_single_point() -> None:
    found = single_points(needs(a="bc", b="d", c="d"))
    assert found["a"] == {"a", "d"}


def test_assets_that_need_each_other_fall_together() -> None:
    found = single_points(needs(a="b", b="a c"))
    assert found["a"] == found["b"] == {"a", "b", "c"}


def falls(graph: Needs, lost: str) -> set[str]:
    """What goes down with one asset, by passing its loss on until nothing changes."""
    down = {lost}
    while True:
        more = {
            asset for asset, wanted in graph.items() if any(need <= down for need in wanted)
        } - down
        if not more:
            return down
        down |= more


graphs = st.dictionaries(
    st.sampled_from(NODES),
    st.lists(st.frozensets(st.sampled_from(NODES), min_size=1, max_size=3), max_size=3),
)


@given(graphs)
def test_single_points_are_those_whose_loss_is_passed_on(graph: Needs) -> None:
    found = single_points(graph)
    for lost in found:
        assert {asset for asset, points in found.items() if lost in points} == falls(graph, lost)


def test_targets_of_one_group_stand_for_one_another() -> None:
    links = [("m", "x1", "stores_on"), ("m", "x2", "stores_on"), ("m", "y", "stores_on")]
    assert alternatives(links, {"x1": "x", "x2": "x"}) == needs(m="") | {
        "m": [frozenset({"y"}), frozenset({"x1", "x2"})]
    }
    # what has failed is no alternative, unless nothing else is left
    assert frozenset({"x2"}) in alternatives(links, {"x1": "x", "x2": "x"}, frozenset({"x1"}))["m"]
    gone = alternatives(links, {"x1": "x", "x2": "x"}, frozenset({"x1", "x2"}))["m"]
    assert frozenset({"x1", "x2"}) in gone


def test_all_that_a_machine_replicates_to_stand_for_one_another() -> None:
    links = [("m", "v1", "replicates_to"), ("m", "v2", "replicates_to"), ("m", "m", "hosted_by")]
    assert alternatives(links, {}) == {"m": [frozenset({"v1", "v2"})]}


def test_storage_that_two_servers_share_is_the_single_point_of_both_and_of_their_pair() -> None:
    links = [
        ("m", "s1", "runs_on"), ("m", "s2", "runs_on"), ("n", "s1", "runs_on"),
        ("s1", "san", "stores_on"), ("s2", "san", "stores_on"),
        ("san", "p1", "powered_by"), ("san", "p2", "powered_by"),
    ]  # fmt: skip
    found = single_points(alternatives(links, {"s1": "s", "s2": "s", "p1": "p", "p2": "p"}))
    assert found["m"] == {"m", "san"}
    assert found["n"] == {"n", "s1", "san"}
    # Without a group on record every target of a link is needed.
    assert single_points(alternatives(links, {}))["m"] == {"m", "s1", "s2", "san", "p1", "p2"}


def test_a_pair_that_waits_for_itself_hangs_on_what_lies_outside() -> None:
    links = [
        ("a", "b", "needs"), ("b", "a", "needs"), ("b", "host", "hosted_by"), ("m", "a", "needs"),
    ]  # fmt: skip
    assert single_points(alternatives(links, {}))["m"] == {"m", "a", "b", "host"}


# -- copies ------------------------------------------------------------------------------------

ASSETS: list[dict[str, Any]] = [
    *({"asset_id": name, "kind": "machine", "site": "home", "region": "IE"} for name in "mno"),
    {"asset_id": "v1", "kind": "vault", "site": "home"},
    {"asset_id": "v2", "kind": "vault", "site": "away"},
]
# m keeps two copies until the second fails at hour 20; n keeps one; o has no job.
TELEMETRY = [
    *hourly("m", 0, 60, target_asset="v1", job_id="j1"),
    *hourly("m", 0, 20, target_asset="v2", job_id="j2"),
    *hourly("m", 20, 60, "failure", target_asset="v2", job_id="j2"),
    *hourly("n", 0, 60, target_asset="v1", job_id="j3"),
]
LINKS = [
    {"from_asset": "m", "to_asset": "v1", "relation": "replicates_to"},
    {"from_asset": "m", "to_asset": "v2", "relation": "replicates_to"},
    {"from_asset": "n", "to_asset": "v1", "relation": "replicates_to"},
    {"from_asset": "v1", "to_asset": "rack", "relation": "hosted_by"},
    {"from_asset": "v2", "to_asset": "rack", "relation": "hosted_by", "valid_from": at(30)},
]


def posture(**evidence: Any) -> dict[str, dict[tuple[str, str], dict[str, Any]]]:
    """The rows of the step's outputs by instant and asset."""
    given_ = {
        "asset": ASSETS, "replication_sample": TELEMETRY, "dependency": LINKS,
    } | evidence  # fmt: skip
    with derive("protection_copy", **given_) as store:
        made = STEP.run(store)
        assert made == STEP.run(store)
    found = {}
    for name, output in STEP.writes.items():
        rows = [dict(zip(output.columns, row, strict=True)) for row in made[name]]
        found[name] = {(row["as_of"], row["asset_id"]): row for row in rows}
        assert len(found[name]) == len(rows)
    return found


def test_copies_count_before_the_onset_and_today() -> None:
    found = posture()["protection_posture"]
    before, today = found["before", "m"], found["today", "m"]
    assert (before["copies"], before["sites"], before["targets"]) == (2, ["away", "home"], 2)
    assert (today["copies"], today["sites"], today["targets"]) == (1, ["home"], 2)
    assert (before["as_of_at"], today["as_of_at"]) == (at(19), at(59))


def test_3_2_1_can_be_seen_to_be_broken_but_not_to_be_met() -> None:
    found = posture()["protection_posture"]
    assert (found["before", "m"]["meets_3_2_1"], found["before", "m"]["lacks"]) == (None, None)
    assert (found["today", "m"]["meets_3_2_1"], found["today", "m"]["lacks"]) == (
        False, "a second copy",
    )  # fmt: skip
    both_home = [{**asset, "site": "home"} for asset in ASSETS]
    row = posture(asset=both_home)["protection_posture"]["before", "m"]
    assert row["lacks"] == "a copy off site"


def test_a_machine_of_the_inventory_without_a_job_has_no_copy() -> None:
    row = posture()["protection_posture"]["today", "o"]
    assert (row["copies"], row["targets"], row["lacks"]) == (0, 0, "any current copy")


def test_targets_of_one_redundancy_group_are_one_copy() -> None:
    grouped = [
        {**asset, "redundancy_group": "v" if asset["kind"] == "vault" else None} for asset in ASSETS
    ]
    assert posture(asset=grouped)["protection_posture"]["before", "m"]["copies"] == 1


def test_single_points_follow_the_dependencies_valid_at_the_time() -> None:
    found = posture()["protection_posture"]
    assert found["before", "m"]["single_points"] == []
    assert found["today", "m"]["single_points"] == ["rack"]
    assert found["today", "n"]["single_points"] == ["rack", "v1"]


def test_the_blast_radius_names_the_machines_that_fall() -> None:
    found = posture()["blast_radius"]
    assert found["before", "rack"]["machine_ids"] == ["n"]
    assert found["today", "rack"]["machine_ids"] == ["m", "n"]
    assert ("today", "v2") not in found


def test_an_asset_that_failed_is_no_alternative() -> None:
    state = [{"observed_at": at(10), "asset_id": "v2", "state": "failed"}]
    found = posture(asset_state=state)
    assert found["protection_posture"]["before", "m"]["single_points"] == ["rack", "v1"]


def test_without_telemetry_nothing_is_said() -> None:
    assert posture(replication_sample=[]) == {"protection_posture": {}, "blast_radius": {}}


def test_without_a_register_the_targets_of_the_jobs_are_what_a_machine_needs() -> None:
    found = posture(dependency=[])
    assert found["protection_posture"]["before", "m"]["copies"] == 2
    assert found["protection_posture"]["before", "m"]["single_points"] == []  # one of two suffices
    assert found["protection_posture"]["before", "n"]["single_points"] == ["v1"]
    assert found["blast_radius"]["before", "v1"]["machine_ids"] == ["n"]
    # What a register says of a machine stands; the jobs of another fill in.
    only_m = [link for link in LINKS if link["from_asset"] == "m" and link["to_asset"] == "v2"]
    found = posture(dependency=only_m)["protection_posture"]
    assert found["before", "m"]["single_points"] == ["v2"]
    assert found["before", "n"]["single_points"] == ["v1"]
