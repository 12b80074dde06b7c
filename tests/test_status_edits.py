"""Posts of a status page that two captures word differently: each wording is told at its time."""

from __future__ import annotations

from pathlib import Path

from test_revisions import UPDATES, rebuilt

from toolkit.store import Store

HEAD = UPDATES.strip() + ",captured_at,edited_at\n"
FIRST = (
    "2026-11-22T18:45:00Z,i1,investigating,u1,Backups,Some backups are delayed.,{c},\n"
    "2026-11-22T19:05:00Z,i1,identified,u2,Backups,"
    '"A cause was found; backups run late. No data is lost. Next update within 2 hours.",{c},\n'
)
LATER = (
    "2026-11-22T18:45:00Z,i1,investigating,u1,Backups,Some backups are delayed.,{c},\n"
    "2026-11-22T19:05:00Z,i1,identified,u2,Backups,"
    '"A cause was found; backups run late. Some restore points may be lost.",{c},{e}\n'
    "2026-11-24T08:00:00Z,i1,resolved,u3,Backups,Backups run again.,{c},\n"
)
ITEM = "from disclosure where item_no = 6"
READ = ("timeline", "disclosure", "status_promise", "communication")


def edited(folder: Path, edited_at: str = "") -> Store:
    return rebuilt(
        folder,
        {
            "a.csv": HEAD + FIRST.format(c="2026-11-22T19:10:00Z"),
            "b.csv": HEAD + LATER.format(c="2026-11-24T08:00:00Z", e=edited_at),
        },
        only=READ,
    )


def told(store: Store) -> list[tuple[object, ...]]:
    return [
        tuple(row.values())
        for row in store.rows(
            "select utc(occurred_at), utc(occurred_lo), kind, summary, evidence from timeline "
            "where lane = 'status'"
        )
    ]


def test_the_timeline_tells_at_each_time_what_the_page_said_then(tmp_path: Path) -> None:
    with edited(tmp_path) as store:
        posts = told(store)
    assert posts[1] == (
        "2026-11-22 19:05:00 UTC", "2026-11-22 19:05:00 UTC", "incident",
        "identified: A cause was found; backups run late. No data is lost. "
        "Next update within 2 hours.", "1:3",
    )  # fmt: skip
    assert posts[2] == (
        "2026-11-24 08:00:00 UTC", "2026-11-22 19:10:00 UTC", "edit",
        "Post edited: “… backups run late. No data is lost. Next update within 2 hours.” → “… "
        "backups run late. Some restore points may be lost.”", "2:3",
    )  # fmt: skip
    assert [post[2] for post in posts] == ["incident", "incident", "edit", "incident"]


def test_an_edit_stands_where_the_page_says_that_it_was_made(tmp_path: Path) -> None:
    with edited(tmp_path, "2026-11-23T07:00:00Z") as store:
        assert told(store)[2][:3] == (
            "2026-11-23 07:00:00 UTC", "2026-11-23 07:00:00 UTC", "edit",
        )  # fmt: skip


def test_disclosure_is_judged_on_every_wording_with_its_time(tmp_path: Path) -> None:
    with edited(tmp_path) as store:
        (item,) = store.rows(
            "select status, utc(first_disclosed_at) as first, evidence, matched_words, "
            f"utc(edited_out_at) as edited_out {ITEM}"
        )
        assert item == {
            "status": "explicit", "first": "2026-11-22 19:05:00 UTC", "evidence": "1:3",
            "matched_words": "No data is lost", "edited_out": "2026-11-24 08:00:00 UTC",
        }  # fmt: skip
        assert store.value("select promise from status_promise where evidence = '1:3'")
        assert store.value("select value from communication where metric = 'retroactive_edits'")
        # What stands in both wordings is not taken back.
        assert store.value(
            "select count(*) from disclosure where item_no = 7 and edited_out_at is null"
        )


def test_a_post_whose_first_words_are_on_no_copy_is_told_as_edited(tmp_path: Path) -> None:
    later = LATER.format(c="2026-11-24T08:00:00Z", e="2026-11-23T07:00:00Z")
    with rebuilt(tmp_path, {"b.csv": HEAD + later}, only=["timeline"]) as store:
        assert str(told(store)[1][3]).startswith("identified (as edited later): A cause")


def test_a_new_title_is_told_once_and_an_equal_copy_not_at_all(tmp_path: Path) -> None:
    first = FIRST.format(c="2026-11-22T19:10:00Z")
    files = {
        "a.csv": HEAD + first,
        "b.csv": HEAD + first.replace("T19:10", "T19:20"),
        "c.csv": HEAD + FIRST.format(c="2026-11-22T19:30:00Z").replace("Backups,", "Data,"),
    }
    with rebuilt(tmp_path, files, only=["timeline"]) as store:
        assert [row[1:] for row in told(store)][2:] == [
            ("2026-11-22 19:20:00 UTC", "edit", "Post edited: title “Backups” → “Data”", "3:2")
        ]


def test_an_edit_is_told_in_whole_words_and_not_where_markup_alone_differs(tmp_path: Path) -> None:
    link = "<a href='https://page.example/a' class='b c'>{}</a>"
    bodies = (
        f"<p>Backups run <b>late</b> in {link.format('two regions')}.</p>",
        "Backups run late in two regions.",
        f"<p>Backups run late in {link.format('all three regions')}.</p>",
    )
    files = {
        f"{name}.csv": f"{HEAD}2026-11-22T18:45:00Z,i1,identified,u1,Backups,{body},"
        f"2026-11-22T19:{minute}:00Z,\n"
        for name, minute, body in zip("abc", (10, 20, 30), bodies, strict=True)
    }
    with rebuilt(tmp_path, files, only=["timeline"]) as store:
        assert [row[2:] for row in told(store)][1:] == [
            (
                "edit", "Post edited: “… run late in two regions.” → “… run late in all three "
                "regions.”", "3:2",
            )
        ]  # fmt: skip
