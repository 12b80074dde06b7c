"""Overlapping exports: one record is told once, and what a later copy says otherwise is shown."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
from test_ingest import load, make_case

from toolkit.casefile import CaseFolder
from toolkit.rebuild import rebuild
from toolkit.store import Store

UPDATES = "posted_at,incident_id,state,update_id,title,body\n"
FIRST = "2022-03-09T09:00:00Z,i1,investigating,u1,Backups,We are looking into it\n"
EDITED = "2022-03-09T09:00:00Z,i1,investigating,u1,Backups,A metadata volume was removed\n"
EVENTS = "occurred_at,action,target,host,message\n"
JOBS = "sampled_at,asset_id,state,lag_seconds\n"


def rebuilt(
    folder: Path,
    files: dict[str, str],
    toml: str = "",
    only: Collection[str] | None = ("revision",),
) -> Store:
    """A case of these files, with what is asked for; None asks for everything."""
    case = make_case(folder, dict(files), toml)
    assert not load(case).refusals
    store = Store.create(case.database)
    rebuild(store, CaseFolder.open(folder), only)
    return store


def test_an_edited_post_is_told_as_it_was_seen_last_and_its_edit_is_shown(tmp_path: Path) -> None:
    files = {"a-status.csv": UPDATES + FIRST, "b-status.csv": UPDATES + EDITED}
    toml = """
[[source]]
path = "evidence/a-status.csv"
obtained_at = "2022-03-10T00:00:00Z"
[[source]]
path = "evidence/b-status.csv"
obtained_at = "2022-03-11T00:00:00Z"
"""
    with rebuilt(tmp_path, files, toml) as store:
        assert store.value("select body from status_update") == "A metadata volume was removed"
        assert store.rows("select * exclude seen_at, utc(seen_at) as seen from revision") == [
            {
                "relation": "status_update", "key": "i1 u1", "column_name": "body",
                "from_value": "We are looking into it",
                "to_value": "A metadata volume was removed",
                "from_pointer": "1:2", "to_pointer": "2:2", "seen": "2022-03-11 00:00:00 UTC",
            }
        ]  # fmt: skip


def test_what_was_taken_last_counts_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    files = {"a.csv": UPDATES + EDITED, "b.csv": UPDATES + FIRST}
    toml = '[[source]]\npath = "evidence/{}.csv"\nobtained_at = "2022-03-{}T00:00:00Z"\n'
    with rebuilt(tmp_path, files, toml.format("a", 11) + toml.format("b", 10)) as store:
        assert store.value("select body from status_update") == "A metadata volume was removed"
        assert store.value("select from_pointer || ' ' || to_pointer from revision") == "2:2 1:2"


def test_an_update_without_an_id_is_told_by_its_time_and_its_place(tmp_path: Path) -> None:
    head = "posted_at,incident_id,state,title,body\n"
    one = "2022-03-09T09:00:00Z,i1,investigating,Backups,We are looking into it\n"
    two = "2022-03-09T09:00:00Z,i1,update,Backups,Still looking\n"
    files = {"a.csv": head + one + two, "b.csv": head + one + two.replace("Still", "Always")}
    with rebuilt(tmp_path, files) as store:
        assert store.value("select count(*) from status_update") == 2
        (found,) = store.rows("from revision")
        assert (found["column_name"], found["to_value"]) == ("body", "Always looking")


def test_a_change_that_two_exports_hold_alike_is_one_change_without_revision(
    tmp_path: Path,
) -> None:
    head = "change_id,title,outcome\n"
    files = {
        "a.csv": head + "C1,Detach,\nC2,Other,\n",
        "b.csv": head + "C1,Detach,success\nC2,Other,\n",
    }
    with rebuilt(tmp_path, files) as store:
        assert store.value("select count(*) from change") == 2
        (found,) = store.rows("from revision")
        assert (found["key"], found["from_value"], found["to_value"]) == ("C1", None, "success")


@pytest.mark.parametrize(
    ("relation", "head", "rows"),
    [
        ("maintenance_event", EVENTS, "2022-03-09T09:{m:02}:00Z,log,,h1,line {m}\n"),
        ("replication_sample", JOBS, "2022-03-09T09:{m:02}:00Z,m1,success,\n"),
        ("metric_sample", "sampled_at,series,value\n", "2022-03-09T09:{m:02}:00Z,lag,{m}\n"),
    ],
)
def test_rows_of_overlapping_exports_count_once_and_true_repeats_stay(
    relation: str, head: str, rows: str, tmp_path: Path
) -> None:
    minutes = [rows.format(m=minute) for minute in range(6)]
    first = head + "".join([*minutes[:4], minutes[2]])  # the third line stands twice
    second = head + "".join([minutes[2], minutes[2], minutes[2], *minutes[3:]])
    with rebuilt(tmp_path, {"a.csv": first, "b.csv": second}) as store:
        assert store.value(f"select count(*) from evidence.{relation}") == 11
        # Six lines, of which one occurs three times in the export that holds the most of it.
        assert store.value(f"select count(*) from {relation}") == 8
        assert store.rows(
            "select record_no, of_source_id, of_record_no from record_copy order by all"
        ) == [
            {"record_no": 2, "of_source_id": 1, "of_record_no": 4},
            {"record_no": 3, "of_source_id": 1, "of_record_no": 6},
            {"record_no": 5, "of_source_id": 1, "of_record_no": 5},
        ]


def test_logs_of_other_hosts_and_other_times_are_left_as_they_are(tmp_path: Path) -> None:
    line = "2022-03-09T09:{m:02}:00Z,log,,{h},same words\n"
    files = {
        "a.csv": EVENTS + line.format(m=1, h="h1") + line.format(m=5, h="h1"),
        "b.csv": EVENTS + line.format(m=1, h="h2") + line.format(m=5, h="h2"),
        "c.csv": EVENTS + line.format(m=30, h="h1") * 2,
    }
    with rebuilt(tmp_path, files) as store:
        assert store.value("select count(*) from maintenance_event") == 6
        assert store.value("select count(*) from record_copy") == 0


def test_a_ticket_that_was_exported_again_is_told_once_and_its_edit_is_a_revision(
    tmp_path: Path,
) -> None:
    head = "occurred_at,ticket_id,state,actor,title\n"
    opened = "2022-03-09T09:00:00Z,INC1,opened,desk,Slow\n"
    # The same page to the same person twice in one second: two events.
    paged = "2022-03-09T09:01:00Z,INC1,notified,op-x,Slow\n" * 2
    closed = "2022-03-10T09:00:00Z,INC1,closed,desk,Volume gone\n"
    files = {
        "a.csv": head + opened + paged,
        "b.csv": head + opened.replace("Slow", "Volume gone") + paged + closed,
    }
    with rebuilt(tmp_path, files) as store:
        assert store.rows(
            "select state, title, count(*) as n from ticket_event group by all order by all"
        ) == [
            {"state": "closed", "title": "Volume gone", "n": 1},
            {"state": "notified", "title": "Slow", "n": 2},
            {"state": "opened", "title": "Volume gone", "n": 1},
        ]
        assert store.rows("select key, column_name, from_value, to_value from revision") == [
            {
                "key": "INC1 opened desk at 2022-03-09 09:00:00 UTC #1", "column_name": "title",
                "from_value": "Slow", "to_value": "Volume gone",
            }
        ]  # fmt: skip


def test_a_register_that_was_exported_twice_counts_once(tmp_path: Path) -> None:
    head = "change_id,approver,decision,decided_at\n"
    one = "C1,op-z,approved,2022-03-09T09:00:00Z\n"
    two = "C1,op-y,approved,2022-03-09T10:00:00Z\n"
    files = {"a.csv": head + one, "b.csv": head + one + two, "c.csv": head + two + two}
    with rebuilt(tmp_path, files) as store:
        assert store.value("select count(*) from approval") == 3
        assert store.value("select count(*) from record_copy where relation = 'approval'") == 2


FEED = "posted_at,incident_id,state,title,body\n"


def test_an_update_that_a_feed_tells_without_its_id_is_told_once_and_compared(
    tmp_path: Path,
) -> None:
    files = {
        "a.csv": UPDATES
        + FIRST.replace("09:00:00Z", "09:00:12Z")
        + "2022-03-09T09:00:47Z,i1,investigating,u2,Backups,Still <b>looking</b>\n",
        "b.csv": FEED
        + "2022-03-09T09:00Z,i1,investigating,Backups,Still looking.\n"
        + "2022-03-09T09:00Z,i1,investigating,Backup,We look into it\n",
    }
    with rebuilt(tmp_path, files, only=["evidence_quality"]) as store:
        assert store.rows("select update_id from status_update order by posted_at") == [
            {"update_id": "u1"}, {"update_id": "u2"},
        ]  # fmt: skip
        assert store.rows(
            "select record_no, of_source_id, of_record_no from record_copy order by all"
        ) == [
            {"record_no": 2, "of_source_id": 1, "of_record_no": 3},
            {"record_no": 3, "of_source_id": 1, "of_record_no": 2},
        ]
        found = store.rows(
            "select source_id, subject, detail, count from evidence_quality "
            "where issue = 'sources_disagree' order by subject"
        )
    assert [(row["source_id"], row["subject"], row["count"]) for row in found] == [
        (2, "body", 1), (2, "title", 1),
    ]  # fmt: skip
    assert found[0]["detail"] == (
        "Of an update that two sources hold, record 3 (incident i1) says “We look into it”, "
        "1:2 says “We are looking into it”."
    )


def test_components_that_a_feed_tells_belong_to_the_update_that_stands_for_its_own(
    tmp_path: Path,
) -> None:
    """The page names the components of the first update, and none of the second."""
    head = "posted_at,incident_id,state,update_id,title,body,component,component_status\n"
    page = (
        "2022-03-09T09:00:12Z,i1,investigating,u1,Backups,Looking,Vault,partial_outage\n"
        "2022-03-09T10:00:12Z,i1,identified,u2,Backups,Found,,\n"
    )
    feed = (
        "2022-03-09T09:00Z,i1,investigating,,Backups,Looking,Gate,major_outage\n"
        "2022-03-09T10:00Z,i1,identified,,Backups,Found,Vault,major_outage\n"
        "2022-03-09T11:00Z,i1,resolved,,Backups,Done,Vault,operational\n"
    )
    files = {"a.csv": head + page, "b.csv": head + feed}
    with rebuilt(tmp_path, files, only=["status_region"]) as store:
        shown = "update_id, component, component_status"
        told = [("u1", "Vault", "partial_outage"), ("u2", "Vault", "major_outage"),
                (None, "Vault", "operational")]  # fmt: skip
        for relation in ("status_component", "status_region"):
            rows = store.rows(f"select {shown} from {relation} order by posted_at")
            assert [tuple(row.values()) for row in rows] == told


def test_what_a_feed_alone_tells_is_kept(tmp_path: Path) -> None:
    """More updates of one minute than the page has ids for, and one of another state."""
    files = {
        "a.csv": UPDATES + FIRST,
        "b.csv": FEED
        + "2022-03-09T09:00Z,i1,investigating,Backups,Second\n"
        + "2022-03-09T09:00Z,i1,investigating,Backups,We are looking into it\n"
        + "2022-03-09T09:00Z,i1,identified,Backups,Third\n"
        + "2022-03-09T09:01Z,i1,investigating,Backups,We are looking into it\n"
        + "2022-03-09T09:00Z,i2,investigating,Backups,We are looking into it\n",
    }
    with rebuilt(tmp_path, files) as store:
        assert store.rows("select source_id, record_no from record_copy") == [
            {"source_id": 2, "record_no": 3}
        ]
        assert store.value("select count(*) from status_update") == 5


@pytest.mark.parametrize(
    ("record", "counted"), [("detach,,,", 2), ("detach,,h1,", 1), ("detach,m1,,", 1)]
)
def test_alike_rows_of_two_files_are_one_record_only_where_they_say_of_what(
    tmp_path: Path, record: str, counted: int
) -> None:
    row = f"2022-03-09T09:00:00Z,{record}\n"
    files = {"a.csv": EVENTS + row, "b.csv": EVENTS + row.replace("\n", "\n\n")}
    with rebuilt(tmp_path, files) as store:
        assert store.value("select count(*) from maintenance_event") == counted


def test_an_update_without_id_on_several_components_is_one_update(tmp_path: Path) -> None:
    head = "posted_at,incident_id,state,title,body,component,region,component_status\n"
    one = "2022-03-09T09:00:00Z,i1,investigating,Backups,Looking,Cloud {r},{r},major_outage\n"
    lines = [
        one.format(r="US"), one.format(r="EU"),  # one update on two components
        "2022-03-09T09:30:00Z,i1,identified,Backups,Found,Cloud US,US,major_outage\n",
        "2022-03-09T10:00:00Z,i1,update,Backups,Still,,,\n",
        "2022-03-09T10:00:00Z,i1,update,Backups,Still,,,\n",  # a true repeat
    ]  # fmt: skip
    wanted = ("communication", "timeline", "revision", "status_region")
    with rebuilt(tmp_path, {"status_update.csv": head + "".join(lines)}, only=wanted) as store:
        assert [row["body"] for row in store.rows(
            "select body from status_update order by posted_at, body"
        )] == ["Looking", "Found", "Still", "Still"]  # fmt: skip
        assert store.value("select count(*) from status_component") == 3
        assert store.value("select value from communication where metric = 'posts'") == 4
        assert store.value("select count(*) from timeline") == 4
        assert store.value("select count(*) from revision") == 0
        said = store.rows(
            "select posted_at, component from status_region where component is not null "
            "order by all"
        )
        assert len(said) == 3
