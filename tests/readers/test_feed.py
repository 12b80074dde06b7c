"""Atom and RSS history: updates inside of one HTML text, in years that it does not print."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused


def day(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def paragraph(at: datetime, state: str = "Update", zone: str = "UTC") -> str:
    return (
        f"<p><small>{at:%b} <var data-var='date'>{at.day:2}</var>, "
        f"<var data-var='time'>{at:%H:%M}</var> {zone}</small><br>"
        f"<strong>{state}</strong> - Text.</p>"
    )


def feed(body: str, published: str | None, updated: str | None = None) -> str:
    times = f"<published>{published}</published>" if published else ""
    times += f"<updated>{updated}</updated>" if updated else ""
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry>'
        f"<id>tag:status.example.org,2005:Incident/7</id>{times}"
        f"<title>T</title><content type='html'>{html.escape(body, quote=False)}</content>"
        "</entry></feed>"
    )


@pytest.mark.parametrize("folder", ["feed", "feed_rss", "feed_incidentio"])
def test_the_golden_history_reads_as_expected(folder: str) -> None:
    check_golden("feed", folder)


def test_a_real_history_is_read_without_a_reject(shared_data: Path) -> None:
    file = shared_data / "formats" / "github_history_3.atom"
    assert claimants(file) == ["feed"]
    found = read("feed", file)
    assert found.account == {"accepted": 19, "continued": 0, "skipped": 0, "rejected": 0}
    assert {flags for _, _, flags in found.time_notes} == {"year_inferred"}
    ids = {row["incident_id"] for row in found.rows["status_update"]}
    assert "bhbcjn4n3jzp" in ids
    posted = [row["posted_at"] for row in found.rows["status_update"]]
    assert posted[0] == "2026-08-21T00:37:00+00:00"


@given(
    newest=st.integers(0, 60 * 24 * 365 * 25).map(lambda n: day(2010, 1, 2) + timedelta(minutes=n)),
    steps=st.lists(st.integers(0, 60 * 24 * 300), max_size=6),
    edited=st.integers(0, 60 * 24 * 40),
)
def test_updates_newest_first_get_the_years_in_which_they_were_posted(
    newest: datetime, steps: list[int], edited: int
) -> None:
    times = [newest]
    for step in steps:
        times.append(times[-1] - timedelta(minutes=step))
    body = "".join(map(paragraph, times))
    changed = newest + timedelta(minutes=edited)
    data = feed(body, newest.isoformat(), changed.isoformat())
    found = read("feed", data).rows["status_update"]
    assert [row["posted_at"] for row in found] == [each.isoformat() for each in times]


def test_a_postmortem_comes_after_the_publication_and_before_the_last_change() -> None:
    body = paragraph(day(2022, 1, 20, 12), "Postmortem") + paragraph(
        day(2021, 12, 18, 11, 42), "Resolved"
    )
    found = read("feed", feed(body, "2021-12-18T11:42:59Z", "2022-01-20T12:00:20Z"))
    assert [row["posted_at"][:10] for row in found.rows["status_update"]] == [
        "2022-01-20",
        "2021-12-18",
    ]


def test_dates_that_fit_no_year_before_the_last_change_are_rejected() -> None:
    body = paragraph(day(2023, 2, 28)).replace("28", "29")
    found = read("feed", feed(body, "2023-03-01T00:00:00Z", "2023-03-01T00:00:00Z"))
    # The nearest February 29 is three years away from the entry.
    assert found.rejects == [(1, "posted_at", "TIME_NO_YEAR")]
    impossible = paragraph(day(2023, 2, 28)).replace("28", "31")
    found = read("feed", feed(impossible, "2023-03-01T00:00:00Z"))
    assert found.rejects == [(1, "posted_at", "TIME_RANGE")]


def test_an_entry_without_any_date_has_no_year() -> None:
    found = read("feed", feed(paragraph(day(2022, 3, 9)), None))
    assert found.rejects == [(1, "published", "TIME_NO_YEAR")]


def test_a_zone_of_several_meanings_is_read_where_one_is_declared() -> None:
    data = feed(paragraph(day(2022, 6, 1, 10), zone="CEST"), "2022-06-01T08:00:00Z")
    assert read("feed", data).rejects == [(1, "posted_at", "TIME_UNKNOWN_ZONE")]
    found = read("feed", data, zone="Europe/Berlin").only("status_update")
    assert found["posted_at"] == "2022-06-01T08:00:00+00:00"


def test_an_entry_without_a_link_is_named_by_the_number_of_its_tag() -> None:
    data = feed(paragraph(day(2022, 3, 9)), "2022-03-09T00:00:00Z")
    assert read("feed", data).only("status_update")["incident_id"] == "7"


def test_a_history_without_incidents_is_a_feed_without_records() -> None:
    data = "<?xml version='1.0'?><rss><channel><title>X - Incident History</title></channel></rss>"
    assert claimants(data) == ["feed"]
    assert read("feed", data).account["accepted"] == 0


def test_a_feed_of_something_else_is_not_claimed() -> None:
    assert "feed" not in claimants("<rss><channel><title>News</title><item/></channel></rss>")


def test_a_feed_in_utf_16_is_read_whatever_its_declaration_says() -> None:
    data = "<?xml version='1.0' encoding='UTF-16'?>" + feed(
        paragraph(day(2022, 3, 9)), "2022-03-09T00:00:00Z"
    )
    assert read("feed", data.encode("utf-16")).account["accepted"] == 1


def test_entities_and_what_is_no_xml_are_refused() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + feed("&b;", None)
    for data in (bomb, "<feed><entry>", "<rss>\x00</rss>"):
        with pytest.raises(EvidenceRefused, match="XML"):
            read("feed", data)


def test_scripts_are_no_text_of_an_update() -> None:
    body = paragraph(day(2022, 3, 9)).replace("Text.", "A<script>alert(1)</script>B &lt;i&gt;")
    found = read("feed", feed(body, "2022-03-09T00:00:00Z")).only("status_update")
    assert found["body"] == "AB <i>"
