"""What the status page told of the checklist, when, and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from derive import at, derive, hourly

from toolkit import reviewfile
from toolkit.report import page

ITEMS = range(1, 16)


def posts(*said: tuple[float, str, str], **values: object) -> list[dict[str, Any]]:
    """Updates of one incident: hours after the start, state, text."""
    return [
        {"posted_at": at(hours), "incident_id": "i1", "update_id": f"u{number}", "state": state,
         "kind": "incident", "title": "Trouble", "body": body, **values}
        for number, (hours, state, body) in enumerate(said)
    ]  # fmt: skip


def disclosed(*said: tuple[float, str, str], **evidence: Any) -> dict[int, dict[str, Any]]:
    """The checklist by number, for the given posts."""
    given = {"status_update": posts(*said)} | evidence
    with derive("disclosure", **given) as store:
        return {row["item_no"]: row for row in store.rows("select * from disclosure")}


def status_of(item: int, body: str, state: str = "identified") -> str:
    return str(disclosed((1, state, body))[item]["status"])


def test_every_item_has_a_row_whether_told_or_not() -> None:
    found = disclosed((1, "investigating", "We know."))
    assert list(found) == list(ITEMS)
    assert {row["confirmed_by"] for row in found.values()} == {None}
    assert [number for number, row in found.items() if row["status"] != "absent"] == [1]


def test_without_a_page_there_is_no_checklist() -> None:
    assert not disclosed(status_update=[])


def test_a_page_that_only_announces_maintenance_is_no_disclosure() -> None:
    said = posts((1, "scheduled", "Maintenance since 9 March."), kind="maintenance")
    assert not disclosed(status_update=said)


@pytest.mark.parametrize(
    ("item", "body"),
    [
        (1, "Since 09:15 UTC machines are not replicated."),
        (4, "About 250 of the affected machines are in Ireland."),
        (4, "This concerns 3.5 % of customers."),
        (5, "Some machines cannot replicate."),
        (5, "Users are unable to log in."),
        (6, "No data has been lost."),
        (6, "We do not yet know whether customer data was affected."),
        (6, "About 4 TB cannot be read and are permanently lost."),
        (7, "The outage was caused by a configuration change."),
        (7, "During planned maintenance some metadata became unavailable."),
        (8, "We have restarted the service."),
        (8, "Machines are being re-seeded."),
        (9, "Customers should restart their agents."),
        (10, "We expect all machines to be restored by 14 April."),
        (10, "We have no ETA at this time."),
        (11, "Next update by 17:40 UTC."),
        (12, "Please contact support for your options."),
    ],
)
def test_what_is_said_outright_is_explicit(item: int, body: str) -> None:
    assert status_of(item, body) == "explicit"


@pytest.mark.parametrize(
    ("item", "body"),
    [
        (4, "Most of our customers are affected."),
        (5, "Replication is degraded."),
        (6, "Customer data may be lost."),
        (7, "The cause of the issue has been identified."),
        (8, "We are still investigating."),
        (9, "There are several recovery scenarios, depending on the type of machine."),
        (9, "We will write about the options for each type of machine."),
        (11, "Further updates will follow."),
    ],
)
def test_what_is_hinted_at_is_partial(item: int, body: str) -> None:
    assert status_of(item, body) == "partial"


@pytest.mark.parametrize(
    ("item", "body"),
    [
        (1, "We have been aware of it since."),
        (4, "Some machines are affected."),
        (4, "All affected machines are enabled again."),
        (6, "Some metadata was compromised."),
        (6, "A backlog of recovery points remains."),
        (7, "Following our policy, we post here."),
        (10, "We are restoring service as soon as possible."),
        (10, "Next update by 17:40 UTC."),
        (12, "The database host is back."),
    ],
)
def test_what_is_not_said_is_not_read_into_it(item: int, body: str) -> None:
    assert status_of(item, body) in ({"partial"} if item == 1 else {"absent"})


def test_a_row_quotes_the_words_and_names_the_first_post_that_said_them() -> None:
    row = disclosed(
        (1, "investigating", "We are investigating."),
        (2, "identified", "The cause has been identified."),
        (3, "identified", "It is due to a power cut. Work goes on."),
        (4, "identified", "It was due to the rain."),
    )[7]
    assert (row["first_disclosed_at"], row["update_id"]) == (at(3), "u2")
    assert (row["matched_words"], row["evidence"]) == ("due to a power cut", "1:3")
    assert (row["partly_at"], row["posts"]) == (at(2), 3)


def test_the_beginning_of_a_post_ends_with_a_word() -> None:
    short, long = "We know of it.", "We look into what was reported to us this morning and " * 2
    assert disclosed((1, "investigating", short))[1]["matched_words"] == short
    assert disclosed((1, "investigating", long))[1]["matched_words"] == (
        "We look into what was reported to us this morning and We look into what was …"
    )


def test_words_are_found_in_the_text_and_not_in_a_later_title() -> None:
    said = posts((1, "investigating", "We look."), title="Users are unable to log in")
    assert disclosed(status_update=said)[5]["status"] == "absent"
    bare = posts((1, "investigating", ""), title="Users are unable to log in")
    assert disclosed(status_update=bare)[5]["status"] == "explicit"


def test_components_and_their_regions_count_as_told() -> None:
    named = [{"incident_id": "i1", "update_id": "u0", "component": "Cloud Dublin"}]
    told = {"status_update": posts((1, "investigating", "We look.")), "status_component": named}
    found = disclosed(**told)
    assert (found[2]["status"], found[2]["matched_words"]) == ("explicit", "Cloud Dublin")
    assert found[3]["status"] == "absent"
    assert disclosed(**told, components={"Cloud Dublin": "IE"})[3]["status"] == "explicit"


def test_what_only_later_posts_name_is_told_with_its_time() -> None:
    said = posts((1, "investigating", "We look."), (2, "identified", "We know."))
    named = [
        {"incident_id": "i1", "update_id": update, "component": f"Cloud {where}", "region": where}
        for update, where in (("u0", "North"), ("u1", "North"), ("u1", "South"))
    ]
    found = disclosed(status_update=said, status_component=named)
    assert (found[2]["first_disclosed_at"], found[3]["first_disclosed_at"]) == (at(1), at(1))
    assert found[2]["named_later"] == "Cloud South from 2026-01-01 02:00:00 UTC"
    assert found[3]["named_later"] == "South from 2026-01-01 02:00:00 UTC"
    assert {row["named_later"] for number, row in found.items() if number > 3} == {None}
    assert page._named_later(found[3]) == " (the first; South from 2026-01-01 02:00:00 UTC)"
    first = disclosed(status_update=said[:1], status_component=named[:1])
    assert (first[3]["status"], first[3]["named_later"]) == ("explicit", None)


def test_a_known_region_counts_as_written_and_not_as_a_word_like_it() -> None:
    assets = [{"asset_id": "m", "kind": "machine", "region": "US"}]
    written = disclosed((1, "identified", "Machines in the US wait."), asset=assets)
    assert (written[3]["status"], written[3]["matched_words"]) == ("explicit", "US")
    assert disclosed((1, "identified", "Write to us."), asset=assets)[3]["status"] == "absent"


def test_regions_are_told_when_all_that_had_fallen_are_named() -> None:
    assets = [
        {"asset_id": f"m-{region}", "kind": "machine", "region": region}
        for region in ("IE", "US", "AU")
    ]
    telemetry = [
        row
        for asset in assets
        for row in (
            *hourly(asset["asset_id"], 0, 10),
            *hourly(asset["asset_id"], 10, 40, "success" if asset["region"] == "AU" else "failure"),
        )
    ]
    evidence = {"asset": assets, "replication_sample": telemetry}
    part = disclosed((15, "identified", "Machines in the US wait."), **evidence)[3]
    assert (part["status"], part["lacking"]) == ("partial", "IE")
    both = disclosed(
        (15, "identified", "Machines in the US wait."),
        (18, "identified", "Those in IE wait as well."),
        **evidence,
    )[3]
    assert (both["status"], both["lacking"], both["matched_words"]) == ("explicit", None, "IE")
    assert (both["first_disclosed_at"], both["partly_at"]) == (at(18), at(15))


def test_what_stood_in_a_post_before_it_was_edited_is_not_on_record() -> None:
    said = posts(
        (1, "investigating", "We look."),
        (2, "identified", "It is due to a power cut. Some machines cannot replicate."),
        (4, "identified", "Some machines cannot replicate."),
    )
    said[1]["edited_at"] = at(30)
    found = disclosed(status_update=said)
    assert (found[7]["first_disclosed_at"], found[7]["first_disclosed_lo"]) == (at(30), at(2))
    assert found[7]["limitation"] == (
        "by 2026-01-02 06:00:00 UTC at the latest; the post of 2026-01-01 02:00:00 UTC was edited "
        "later, and its earlier wording is not on record"
    )
    assert (found[5]["first_disclosed_at"], found[5]["first_disclosed_lo"]) == (at(4), at(2))
    assert "tells it too, but was edited later" in found[5]["limitation"]
    assert (found[8]["first_disclosed_lo"], found[8]["limitation"]) == (None, None)


def test_a_start_that_the_page_only_copied_from_its_first_post_is_no_start() -> None:
    own = posts((1, "investigating", "We look."), claimed_start_at=at(1))
    assert disclosed(status_update=own)[1]["status"] == "partial"
    earlier = posts((1, "investigating", "We look."), claimed_start_at=at(0))
    assert disclosed(status_update=earlier)[1]["status"] == "explicit"


def test_cause_prevention_and_remedy_are_due_after_closure() -> None:
    text = "It was due to a bug. We test so that it does not recur: to prevent it from recurring."
    early = disclosed((1, "identified", text))
    assert (early[7]["status"], early[13]["status"], early[13]["is_due"]) == (
        "explicit", "absent", False,
    )  # fmt: skip
    closed = disclosed((1, "identified", "We look."), (2, "resolved", text))
    assert (closed[13]["status"], closed[13]["is_due"]) == ("explicit", True)
    assert (closed[14]["status"], closed[15]["status"]) == ("explicit", "absent")


def test_delays_count_from_the_onset() -> None:
    telemetry = [*hourly("m", 0, 10), *hourly("m", 10, 40, "failure"), *hourly("m", 40, 60)]
    row = disclosed((15, "identified", "Machines cannot replicate."), replication_sample=telemetry)
    assert row[5]["disclosed_after_hours"] == 5.5  # the onset lies between hours 9 and 10
    assert disclosed((15, "identified", "Machines cannot replicate."))[5][
        "disclosed_after_hours"
    ] is None  # fmt: skip


def test_hostile_text_is_quoted_and_nothing_else() -> None:
    text = "<script>x</script> '; drop table disclosure; -- cannot replicate (a+)+$ \\b"
    assert disclosed((1, "identified", text))[5]["matched_words"].startswith("cannot replicate")


def test_a_person_confirms_or_contests_what_was_read() -> None:
    made = [
        reviewfile.Placed(
            number,
            1,
            "draft",
            reviewfile.make(
                "confirm", at=f"2026-02-01T09:0{number}:00Z", by=by, item=7, holds=holds
            ),
        )
        for number, by, holds in [(1, "ada", True), (2, "bert", False), (3, "ada", True)]
    ]
    text = "The cause was planned maintenance."
    with derive("disclosure", review=made, status_update=posts((1, "identified", text))) as store:
        (row,) = store.rows("select * from disclosure where item_no = 7")
    assert (row["confirmed_by"], row["contested_by"]) == ("ada", "bert")
