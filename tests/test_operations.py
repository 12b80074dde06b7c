"""Operations: which event belongs to which, when they began, and which procedure was in force."""

from __future__ import annotations

from pathlib import Path

from derived import derive, rows

SPAN = "operation_link operation_span"
EVENT = f"{SPAN} operation_event"
CHANGE = """
    change_id,kind,window_start,window_end,targets,closed_at,outcome
    C1,Decommission,2022-03-01T10:00:00Z,2022-03-01T12:00:00Z,meta-1;meta-2,2022-03-01T13:00:00Z,success
    C2,Upgrade,2022-03-01T11:00:00Z,2022-03-01T14:00:00Z,meta-2; web-1,,
"""


def links(store: object) -> list[tuple[object, ...]]:
    return rows(store, "select record_no, operation_id, basis from operation_link")  # type: ignore[arg-type]


def test_an_event_belongs_to_the_change_that_it_names_registered_or_not(tmp_path: Path) -> None:
    store = derive(
        tmp_path, SPAN, change=CHANGE,
        maintenance_event="""
            occurred_at,action,target,change_id,actor
            2022-03-09T10:00:00Z,drain,elsewhere,C1,ann
            2022-03-09T10:01:00Z,drain,meta-1,C9,ann
            2022-03-09T10:02:00Z,list,meta-1,C8,ann
        """,
    )  # fmt: skip
    assert links(store) == [(2, "C1", "explicit"), (3, "C9", "explicit")]
    assert rows(store, "select operation_id, change_id, registered from operation_span") == [
        ("C1", "C1", True), ("C2", "C2", True), ("C9", "C9", False),
    ]  # fmt: skip


