"""Reports say one thing in one way: every time in one zone, every basis as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import golden
import pytest
from test_revisions import rebuilt

from toolkit import report
from toolkit.report import opening, recovery, sources
from toolkit.report.facts import CaseFacts

CHANGES = (
    "change_id,title,implementer,window_start,window_end,targets\n"
    "C1,Remove,op-x,2026-11-22T17:55:00Z,2026-11-22T18:30:00Z,bk-1\n"
)
EVENTS = (
    "occurred_at,action,target,change_id,message\n"
    "2026-11-22T18:02:00Z,delete,bk-1,C1,done at 2026-11-22 18:02:01 UTC\n"
)


@pytest.mark.parametrize(("zone", "told"), [
    ("Europe/Berlin", "2026-11-22 19:02:00 +01:00"), ("UTC", "2026-11-22 18:02:00 UTC"),
])  # fmt: skip
def test_sentences_of_rules_name_times_in_the_zone_of_the_case(
    zone: str, told: str, tmp_path: Path
) -> None:
    files = {"changes.csv": CHANGES, "events.csv": EVENTS}
    with rebuilt(tmp_path, files, f'display_zone = "{zone}"\n', only=None) as store:
        facts = CaseFacts(store, local=True)
        (row,) = [row for row in facts.rows("finding") if row["rule"] == "CF-14"]
        assert told in row["reason"]
        # What lies in attached files and in exports is compared with the database.
        assert "18:02:00 UTC" in next(
            row["reason"] for row in facts.recorded("finding") if row["rule"] == "CF-14"
        )
        # Words of the evidence stay letter by letter.
        assert any("18:02:01 UTC" in row["summary"] for row in facts.rows("timeline"))
        page = report.render(report.build(store), "audit", "html").decode()
        assert told in page
        assert ("at 2026-11-22 18:02:00 UTC" in page) == (zone == "UTC")


def test_what_people_wrote_and_what_quotes_a_file_stays_letter_by_letter(tmp_path: Path) -> None:
    files = {"events.csv": EVENTS}
    with rebuilt(tmp_path, files, 'display_zone = "Europe/Berlin"\n', only=["finding"]) as store:
        facts = CaseFacts(store, local=True)
        said = [{"reason": "closed, as the mail of 2026-11-22 18:02:01 UTC asks"}]
        facts.recorded = lambda relation: said  # type: ignore[method-assign]
        assert facts.rows("review_decision") == facts.rows("reject") == said
        assert "19:02:01 +01:00" in facts.rows("finding")[0]["reason"]


def test_the_register_says_where_the_zone_of_a_source_comes_from() -> None:
    """A zone that a mapping declares is none that the records state."""
    read = [(1, "zone_declared"), (1, "zone_declared"), (2, "utc"), (3, "offset"),
            (3, "zone_declared")]  # fmt: skip
    rows = [{"source_id": source, "basis": basis} for source, basis in read]
    facts = SimpleNamespace(rows=lambda relation: rows if relation == "source_column" else [])
    assert sources._zones(cast(Any, facts)) == {
        1: "zone as its mapping declares it",
        2: "zone as stated in the records",
        3: "zone as stated in the records, of some columns as declared",
    }


def test_what_is_open_about_an_irreversible_step_is_named(tmp_path: Path) -> None:
    case = golden.FOLDER / "findings" / "cf_09" / "undetermined"
    _, store = golden.build(case, tmp_path / "case", ["CF-09"], in_memory=True)
    with store:
        assert store.value("select reason from rule_result where rule = 'CF-09'").endswith(
            "; open is whether it was carried out, since its outcome is not stated."
        )


POSTS = (
    "posted_at,incident_id,state,title,body,kind,scheduled_start_at,scheduled_end_at,component,"
    "region,component_status\n"
    "{year}-02-11T18:00:00Z,m{year},in_progress,Work {year},Begun,maintenance,"
    "{year}-02-11T19:00:00Z,{year}-02-11T20:00:00Z,bk-{year},EU,operational\n"
)


def test_lists_of_the_review_cover_the_window_and_say_what_they_leave_out(tmp_path: Path) -> None:
    head, row = POSTS.splitlines(keepends=True)
    posts = head + row.format(year=2021) + row.format(year=2026)
    window = "[window]\nstart = 2026-01-01T00:00:00Z\nend = 2026-12-01T00:00:00Z\n"
    jobs = "sampled_at,asset_id,state\n2026-02-01T00:00:00Z,m1,success\n"
    files = {"posts.csv": posts, "jobs.csv": jobs}
    with rebuilt(tmp_path, files, window, only=None) as store:
        assert store.value("select count(*) from maintenance_overrun") == 2
        claims = store.value(
            "select count(*) from finding where rule = 'EQ-05' and occurred_at < '2026-01-01'"
        )
        asked = store.value(
            "select coalesce(string_agg(why, ' '), '') from evidence_request where relation is null"
        )
        built = report.build(store)
        pages = {
            "review": report.render(built, "review", "md").decode(),
            "audit": report.render(built, "audit", "md").decode(),
        }
    assert "2021-02-11" not in asked
    assert "Work 2026" in pages["review"]
    assert "Work 2021" not in pages["review"]
    assert "1 that lies outside of the window under review is left out" in pages["review"]
    assert claims == 1
    for page in pages.values():
        assert "1 answer about no operation that lies outside of the window under review" in page


def test_the_opening_tells_the_machines_of_the_onset_apart_from_those_that_fell_later() -> None:
    at = datetime(2026, 11, 22, 18, tzinfo=UTC)
    machines = [
        {"asset_id": name, "region": None, "organization": None, "open": False,
         "onset_relation": relation, "recovery_class": "unknown"}
        for name, relation in (("m1", "struck"), ("m2", "later"))
    ]  # fmt: skip
    onset = {
        "onset_at": at,
        "onset_lo": at,
        "onset_hi": at,
        "affected": 2,
        "population": 5,
        "ended_at": None,
    }
    rows = {"machine_impact": machines, "machine_recovery": machines}
    facts = SimpleNamespace(
        rows=lambda relation: rows.get(relation, []), zone=UTC, has_telemetry=True,
        date=lambda at: f"{at:%-d %B %Y}", count=lambda relation: 0,
    )  # fmt: skip
    incident = SimpleNamespace(
        facts=facts, onset=onset, trigger=None, triggers=[], operation=None, reviewed=[],
        operations={}, exceptions=[], findings=[], rivals=[],
    )  # fmt: skip
    told = "".join(
        part if isinstance(part, str) else part.text
        for part in opening.sentence(cast(Any, incident), board=True)
    )
    assert "standstill for 1 of 5 machines. The evidence ties no operation" not in told
    assert "came to a standstill for 1 of 5 machines: until it was good again, it got no" in told
    assert told.endswith(" While this lasted, 1 more machine came to a standstill.")
    assert recovery._whose(cast(Any, facts)).startswith("1 machine that fell with the onset and 1 ")
