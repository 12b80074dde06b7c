"""What the page said, when, and whether it was true."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from derive import at, derive, hourly

from toolkit.report import page

Post = tuple[float, str, str]

# Twenty machines of which ten fail at hour 10 and recover at hour 30; the record ends at hour 47.
MACHINES = [
    {"asset_id": f"{region}-{n}", "kind": "machine", "region": region}
    for region in ("IE", "US")
    for n in range(10)
]
TELEMETRY = [
    row
    for machine in MACHINES
    for row in (
        [
            *hourly(machine["asset_id"], 0, 10),
            *hourly(machine["asset_id"], 10, 30, "failure"),
            *hourly(machine["asset_id"], 30, 48),
        ]
        if machine["region"] == "IE"
        else hourly(machine["asset_id"], 0, 48)
    )
]


def posts(*said: Post, incident: str = "i1", **values: object) -> list[dict[str, Any]]:
    """Updates of one incident: hours after the start, state, text."""
    return [
        {
            "posted_at": at(hours),
            "incident_id": incident,
            "update_id": f"{incident}-u{n}",
            "state": state,
            "body": body,
            "kind": "incident",
            **values,
        }
        for n, (hours, state, body) in enumerate(said)
    ]


def components(*said: tuple[int, str, str | None], incident: str = "i1") -> list[dict[str, Any]]:
    """What updates of an incident say of components: number of the update, component, status."""
    return [
        {
            "incident_id": incident,
            "update_id": f"{incident}-u{n}",
            "component": component,
            "component_status": status,
        }
        for n, component, status in said
    ]


REGIONS = {"Service Ireland": "IE", "Service US": "US"}


# -- status_region, status_accuracy ------------------------------------------------------------


def test_a_region_is_taken_as_stated_else_from_the_case() -> None:
    named = components((0, "Service US", "operational"), (0, "Other", None))
    named += [{**components((0, "Service Ireland", "major_outage"))[0], "region": "Dublin"}]
    with derive(
        "status_region",
        status_update=posts((1, "investigating", "")),
        status_component=named,
        components=REGIONS,
    ) as store:
        found = store.rows("select component, region, region_basis from status_region")
    assert [tuple(row.values()) for row in found] == [
        ("Other", None, "not stated"),
        ("Service Ireland", "Dublin", "stated"),
        ("Service US", "US", "declared"),
    ]


def accuracy(**evidence: Any) -> list[tuple[Any, ...]]:
    """Region, hours from and to, said, measured, verdict."""
    with derive(
        "status_accuracy", replication_sample=TELEMETRY, asset=MACHINES, components=REGIONS,
        **evidence,
    ) as store:  # fmt: skip
        rows = store.rows("select * from status_accuracy order by region, started_at")
    return [
        (
            row["region"],
            (row["started_at"] - at(0)) / timedelta(hours=1),
            (row["ended_at"] - at(0)) / timedelta(hours=1),
            row["said"],
            row["measured"],
            row["verdict"],
        )
        for row in rows
    ]


def test_the_page_is_held_against_the_measured_state_of_each_region() -> None:
    found = accuracy(
        status_update=posts((12, "investigating", ""), (25, "resolved", "")),
        status_component=components(
            (0, "Service Ireland", "partial_outage"),
            (0, "Service US", "degraded_performance"),
            (1, "Service Ireland", "operational"),
            (1, "Service US", "operational"),
        ),
    )
    assert found == [
        ("IE", 0, 9, "operational", "ok", "agree"),
        ("IE", 9, 10, "operational", "unknown", "unknown"),
        ("IE", 10, 12, "operational", "degraded", "over_claim"),
        ("IE", 12, 25, "partial_outage", "degraded", "agree"),
        ("IE", 25, 30, "operational", "degraded", "over_claim"),
        ("IE", 30, 47, "operational", "ok", "agree"),
        ("US", 0, 12, "operational", "ok", "agree"),
        ("US", 12, 25, "degraded_performance", "ok", "under_claim"),
        ("US", 25, 47, "operational", "ok", "agree"),
    ]


def test_a_closing_update_without_components_closes_those_of_its_incident() -> None:
    found = accuracy(
        status_update=posts((12, "investigating", ""), (25, "resolved", "")),
        status_component=components((0, "Service Ireland", "partial_outage")),
    )
    assert ("IE", 25, 30, "operational", "degraded", "over_claim") in found


def test_the_impact_stands_for_a_component_whose_status_is_not_stated() -> None:
    found = accuracy(
        status_update=posts((12, "investigating", ""), impact="critical"),
        status_component=components((0, "Service Ireland", None)),
    )
    assert ("IE", 12, 30, "major_outage", "degraded", "agree") in found


def test_an_open_incident_that_rates_no_impact_says_at_least_degraded() -> None:
    found = accuracy(status_update=posts((12, "investigating", "")))
    assert ("all", 12, 30, "degraded_performance", "degraded", "agree") in found
    found = accuracy(status_update=posts((12, "investigating", ""), impact="none"))
    assert ("all", 10, 30, "operational", "degraded", "over_claim") in found


def test_the_worst_component_speaks_for_its_region() -> None:
    found = accuracy(
        status_update=[
            *posts((12, "identified", "")),
            *posts((13, "identified", ""), incident="j"),
        ],
        status_component=[
            *components((0, "Service Ireland", "partial_outage")),
            *components((0, "Ireland 2", "degraded_performance"), incident="j"),
        ],
    )
    assert ("IE", 12, 30, "partial_outage", "degraded", "agree") in found


def test_maintenance_agrees_with_either_and_an_announcement_says_nothing() -> None:
    found = accuracy(
        status_update=posts((2, "scheduled", ""), (8, "in_progress", ""), kind="maintenance"),
        status_component=components(
            (0, "Service Ireland", "operational"), (1, "Service Ireland", "under_maintenance")
        ),
    )
    assert found[:4] == [
        ("IE", 0, 8, "operational", "ok", "agree"),
        ("IE", 8, 9, "under_maintenance", "ok", "agree"),
        ("IE", 9, 10, "under_maintenance", "unknown", "agree"),
        ("IE", 10, 30, "under_maintenance", "degraded", "agree"),
    ]


def test_a_page_that_names_no_region_is_held_against_all() -> None:
    found = accuracy(status_update=posts((12, "investigating", ""), impact="major"))
    assert found == [
        ("all", 0, 9, "operational", "ok", "agree"),
        ("all", 9, 10, "operational", "unknown", "unknown"),
        ("all", 10, 12, "operational", "degraded", "over_claim"),
        ("all", 12, 30, "partial_outage", "degraded", "agree"),
        ("all", 30, 47, "partial_outage", "ok", "under_claim"),
    ]


def test_what_an_edited_update_named_at_first_is_not_taken_as_said() -> None:
    said = posts((12, "investigating", ""), (20, "identified", ""))
    said[0]["edited_at"] = at(40)
    named = components((0, "Service Ireland", "partial_outage"))
    found = accuracy(status_update=said, status_component=named)
    assert ("IE", 12, 30, None, "degraded", "unknown") in found
    # A later update that says it anew settles it from there on.
    again = components((1, "Service Ireland", "partial_outage"))
    found = accuracy(status_update=said, status_component=named + again)
    assert ("IE", 12, 20, None, "degraded", "unknown") in found
    assert ("IE", 20, 30, "partial_outage", "degraded", "agree") in found


def test_a_claim_is_decided_where_all_that_the_page_can_have_shown_comes_to_the_same() -> None:
    said = posts((11, "investigating", ""), (12, "identified", ""))
    said[1]["edited_at"] = at(20)
    named = components(
        (0, "Service Ireland", "partial_outage"), (1, "Service Ireland", "major_outage")
    )
    found = accuracy(status_update=said, status_component=named)
    assert ("IE", 12, 20, None, "degraded", "agree") in found
    assert ("IE", 20, 30, "major_outage", "degraded", "agree") in found


def test_an_edit_and_the_interval_of_the_onset_leave_a_claim_between_bounds() -> None:
    said = posts((12, "investigating", ""))
    said[0]["edited_at"] = at(20)
    named = components((0, "Service Ireland", "partial_outage"))
    evidence = {"replication_sample": TELEMETRY, "asset": MACHINES, "status_component": named}
    claim = measures(status_update=said, **evidence)["over_claim", "IE"]
    assert (claim["value_lo"], claim["value"], claim["value_hi"]) == (120, 120, 60 + 120 + 480)
    assert claim["detail"] == (
        "The page said operational while the region was measured as degraded; at least, since an "
        "update was edited later and its earlier wording is not on record."
    )
    # Beyond the capture of the page nothing bounds it.
    claim = measures(
        status_update=[{**post, "edited_at": None, "captured_at": at(20)} for post in said],
        **evidence,
    )["over_claim", "IE"]
    assert (claim["value_lo"], claim["value_hi"]) == (120, None)


def test_a_claim_reads_as_what_is_decided_of_it() -> None:
    said = [
        page.claimed({"value_lo": least, "value_hi": most})
        for least, most in ((120, 120.5), (120, 660), (0, 60), (120, None))
    ]
    assert [words.replace("\u00a0", " ") for words in said] == [
        "2 h",
        "between 2 h and 11 h",
        "at most 1 h",
        "at least 2 h",
    ]


def test_what_the_page_said_after_its_last_capture_is_not_known() -> None:
    found = accuracy(
        status_update=posts((12, "investigating", ""), impact="major", captured_at=at(20))
    )
    assert ("all", 20, 30, None, "degraded", "unknown") in found


def test_outside_of_the_telemetry_nothing_is_measured() -> None:
    found = accuracy(
        status_update=posts((12, "investigating", ""), impact="major"), window=(at(-5), at(60))
    )
    assert found[0] == ("all", -5, 0, "operational", "unknown", "unknown")
    assert found[-1] == ("all", 47, 60, "partial_outage", "unknown", "unknown")


def test_a_page_without_telemetry_and_telemetry_without_a_page_make_no_claim() -> None:
    with derive(
        "status_accuracy", status_update=posts((1, "investigating", ""), (2, "resolved", ""))
    ) as store:
        assert store.value("select list(distinct verdict) from status_accuracy") == ["unknown"]
    with derive("status_accuracy", replication_sample=TELEMETRY, asset=MACHINES) as store:
        assert store.value("select count(*) from status_accuracy") == 0


# -- promises ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "kind", "due"),
    [
        ("Next update in 30 minutes.", "time", 0.5),
        ("We will provide another update within 2 hours", "time", 2),
        ("We'll share an update within the next hour.", "time", 1),
        ("Next update by 17:40 UTC.", "time", 17 + 40 / 60),
        ("Our next update will be posted by 3 January 16:00 UTC.", "time", 64),
        ("next update: at 00:30 UTC", "time", 0.5),
        ("We will post updates daily.", "interval", 24),
        ("Updates will follow every 2 hours.", "interval", 2),
        ("We will update you in 45 mins", "time", 0.75),
        ("Further updates within the next 4 hours", "time", 4),
        ("We will provide you with an update within the hour", "time", 1),
    ],
)
def test_a_promise_is_read_with_the_time_that_it_names(words: str, kind: str, due: float) -> None:
    with derive("status_promise", status_update=posts((0, "investigating", words))) as store:
        (row,) = store.rows("select * from status_promise")
    assert row["promise_kind"] == kind
    assert row["due_at"] == at(due)


@pytest.mark.parametrize(
    "words",
    [
        "This update fixes it within 30 minutes of use.",
        "The firmware was updated in 2 hours.",
        "We updated the system at 17:40 UTC.",
        "Next update by 5pm PT.",
        "Next update by 31 February 10:00 UTC.",
        "Next update by 25:00 UTC.",
        "More information soon.",
        "",
    ],
)
def test_what_names_no_time_for_a_next_update_is_no_promise(words: str) -> None:
    with derive("status_promise", status_update=posts((0, "investigating", words))) as store:
        assert store.rows("select promise, due_at from status_promise") == []


def test_a_time_of_day_that_has_passed_means_the_next_day_and_a_month_the_next_year() -> None:
    said = posts((-1, "investigating", "Next update by 10:00 UTC"), incident="a")
    said += posts((-1, "investigating", "Next update by 2 January 10:00 UTC"), incident="b")
    with derive("status_promise", status_update=said) as store:
        found = store.rows("select incident_id, due_at from status_promise order by incident_id")
    # The posts are of 31 December, 23:00.
    assert [row["due_at"] for row in found] == [at(10), at(34)]


def test_a_promise_is_kept_broken_or_undecided() -> None:
    said = posts(
        (0, "investigating", "Next update in 1 hour"),
        (1.1, "identified", "Next update in 1 hour"),
        (3, "monitoring", "Next update in 1 hour"),
    )
    with derive("status_promise", status_update=said) as store:
        found = store.rows("select verdict, late_minutes from status_promise")
    assert [row["verdict"] for row in found] == ["kept", "broken", "undetermined"]
    assert found[1]["late_minutes"] == pytest.approx(54)
    for row in said:
        row["captured_at"] = at(9)
    with derive("status_promise", status_update=said) as store:
        assert store.value("select verdict from status_promise where posted_at = ?", [at(3)]) == (
            "broken"
        )


def test_a_promise_of_which_a_later_wording_alone_is_on_record_is_not_decided() -> None:
    said = posts((0, "investigating", "Next update in 1 hour"), (1, "identified", "We look."))
    for edited, verdict in ((0.5, "kept"), (3, "undetermined")):
        said[0]["edited_at"] = at(edited)
        with derive("status_promise", status_update=said) as store:
            found = store.rows("select verdict, edited_before_at from status_promise")
        assert found == [{"verdict": verdict, "edited_before_at": at(edited)}]


# -- communication -----------------------------------------------------------------------------


def measures(**evidence: Any) -> dict[tuple[str, str], dict[str, Any]]:
    with derive("communication", components=REGIONS, **evidence) as store:
        return {(row["metric"], row["scope"]): row for row in store.rows("from communication")}


def test_the_first_post_is_measured_from_the_onset_with_its_bounds() -> None:
    found = measures(
        replication_sample=TELEMETRY,
        asset=MACHINES,
        status_update=posts((16, "investigating", ""), (20, "identified", "")),
        status_component=components((1, "Service Ireland", "partial_outage")),
    )
    first = found["time_to_first_post", "all"]
    assert (first["value_lo"], first["value_hi"]) == (360, 420)
    assert first["value_lo"] <= first["value"] <= first["value_hi"]
    assert first["evidence"] == ["1:981"]
    assert found["time_to_first_post", "IE"]["value_lo"] == 600
    assert ("time_to_first_post", "US") not in found
    assert found["scope_overlap", "all"]["value"] == 1


def test_a_region_is_surely_named_only_from_an_edit_on_where_the_first_words_are_lost() -> None:
    said = posts((16, "investigating", ""), (20, "identified", ""), (24, "identified", ""))
    named = components(
        (1, "Service Ireland", "partial_outage"), (2, "Service Ireland", "partial_outage")
    )
    evidence = {"replication_sample": TELEMETRY, "asset": MACHINES, "status_component": named}
    said[1]["edited_at"] = at(40)
    first = measures(status_update=said, **evidence)["time_to_first_post", "IE"]
    assert (first["value_lo"], first["value_hi"]) == (600, 900)
    assert first["detail"].endswith(
        "first post that surely names the region 2026-01-02 00:00:00 UTC; expected within 30 min. "
        "The post of 2026-01-01 20:00:00 UTC that names it was edited later, and its earlier "
        "wording is not on record."
    )
    assert first["edited_from"] == at(20)
    said[1]["edited_at"] = None
    first = measures(status_update=said, **evidence)["time_to_first_post", "IE"]
    assert first["edited_from"] is None


def test_posts_before_the_onset_are_no_disclosure_of_it() -> None:
    found = measures(
        replication_sample=TELEMETRY, asset=MACHINES, status_update=posts((3, "resolved", ""))
    )
    assert found["time_to_first_post", "all"]["value"] is None
    assert found["posts", "all"]["value"] == 0


def test_silences_count_until_the_closing_post_or_the_capture() -> None:
    closed = posts((0, "investigating", ""), (2, "identified", ""), (5, "resolved", ""),
                   (9, "postmortem", ""))  # fmt: skip
    found = measures(status_update=closed)
    assert found["gap_max", "all"]["value"] == 180
    assert found["gap_median", "all"]["value"] == 150
    still = posts((0, "investigating", ""), (2, "identified", ""), captured_at=at(12))
    assert measures(status_update=still)["gap_max", "all"]["value"] == 600


def test_the_time_between_a_closing_post_and_its_taking_up_is_no_silence() -> None:
    said = posts((0, "investigating", ""), (2, "resolved", ""), (20, "investigating", ""),
                 (23, "resolved", ""))  # fmt: skip
    found = measures(status_update=said)
    assert found["gap_max", "all"]["value"] == 180
    assert found["gap_median", "all"]["value"] == 150
    assert found["gap_median", "all"]["detail"] == (
        "Median of 2 intervals between posts while the page had it open."
    )
    share = found["gap_share_over_4_h", "all"]
    assert (share["value"], share["evidence"]) == (0, [])
    assert "the time in which the page had it open" in share["detail"]


def test_what_9_of_10_intervals_stay_within_is_told_of_ten_or_more() -> None:
    few = measures(status_update=posts(*((n, "investigating", "") for n in range(10))))
    assert few["gap_p90", "all"]["value"] is None
    assert few["gap_p90", "all"]["detail"] == (
        "Given from 10 intervals on; there are 9 intervals between posts while the page had it "
        "open."
    )
    many = measures(status_update=posts(*((n, "investigating", "") for n in range(11))))
    assert many["gap_p90", "all"]["value"] == 60
    assert many["gap_p90", "all"]["detail"].endswith("; interpolated.")


def test_edits_after_posting_and_resolutions_taken_back_are_counted() -> None:
    said = posts((0, "investigating", ""), (2, "resolved", ""), (3, "investigating", ""),
                 (4, "resolved", ""))  # fmt: skip
    said[0]["edited_at"] = at(8)
    said[1]["edited_at"] = at(2)
    found = measures(status_update=said)
    assert (found["retroactive_edits", "all"]["value"], found["posts", "all"]["value"]) == (1, 4)
    assert found["premature_resolved", "all"]["evidence"] == ["1:2"]
    assert found["premature_resolved", "all"]["detail"] == (
        "Updates that say resolved: 1 taken back by a later one, and nothing was measured that "
        "could contradict one."
    )
    for post in said:
        post.pop("edited_at", None)
    assert measures(status_update=said)["retroactive_edits", "all"]["value"] is None


def test_a_resolution_while_machines_are_in_a_gap_is_premature() -> None:
    found = measures(
        replication_sample=TELEMETRY,
        asset=MACHINES,
        status_update=posts((12, "investigating", ""), (20, "resolved", ""), impact="major"),
    )
    assert found["premature_resolved", "all"]["value"] == 1
    assert found["premature_resolved", "all"]["detail"] == (
        "Updates that say resolved: 0 taken back by a later one, 1 made while machines are "
        "measured in a gap."
    )
    assert found["over_claim", "all"]["value"] == 120 + 600


def test_updates_without_a_time_say_nothing_of_disclosure() -> None:
    undated = posts((0, "investigating", "Next update in 1 hour"))
    undated[0]["posted_at"] = None
    assert measures(status_update=undated) == {}


def test_an_incident_outside_of_the_window_is_not_in_review() -> None:
    said = [*posts((0, "resolved", "")), *posts((30, "resolved", ""), incident="i2")]
    with derive("status_incident", status_update=said, window=(at(20), at(40))) as store:
        found = store.rows("select incident_id, in_review from status_incident")
    assert [tuple(row.values()) for row in found] == [("i1", False), ("i2", True)]


# -- announced maintenance ---------------------------------------------------------------------


def test_announced_maintenance_is_held_against_its_own_posts_and_the_schedule_before_it() -> None:
    def post(hours: float, incident: str, state: str, end: float | None) -> dict[str, Any]:
        return {
            "posted_at": at(hours), "incident_id": incident, "state": state, "kind": "maintenance",
            "title": incident, "scheduled_start_at": at(10),
            "scheduled_end_at": None if end is None else at(end),
        }  # fmt: skip

    updates = [
        post(0, "late", "scheduled", 12),
        post(9.5, "late", "in_progress", 12),
        # The schedule is moved once the work has run over.
        post(15, "late", "completed", 16),
        post(0, "kept", "scheduled", 12),
        post(10, "kept", "in_progress", 12),
        post(12, "kept", "completed", 12),
        post(0, "never-told", "scheduled", 12),
        post(0, "no-end", "scheduled", None),
        post(10, "no-end", "in_progress", None),
        post(30, "no-end", "completed", None),
    ]
    change = [
        {"change_id": "C1", "window_start": at(1), "window_end": at(2), "closed_at": at(5)},
        {"change_id": "C2"},
    ]
    done = [
        {"occurred_at": at(1.5), "action": "drain", "change_id": "C1"},
        {"occurred_at": at(2.5), "action": "remove", "change_id": "C1"},
    ]
    with derive(
        "maintenance_overrun", status_update=updates, change=change, maintenance_event=done
    ) as store:
        found = store.rows("select * from maintenance_overrun")
    assert {
        row["subject"]: (row["verdict"], row["early_minutes"], row["overrun_minutes"])
        for row in found
    } == {
        "C1": ("outside", 0, 30),
        "late": ("outside", 30, 180),
        "kept": ("within", 0, 0),
        "never-told": ("unknown", None, None),
        "no-end": ("unknown", 0, None),
    }
