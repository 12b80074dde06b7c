"""How machines came back: by which way, day by day."""

from __future__ import annotations

from datetime import date
from typing import Any

from derive import at, derive, hourly, samples

# Three types of machine fail at hour 30. One is relinked on the third day, one seeded on the
# fourth at the second attempt, one resumes by itself, one is lost, one is still being seeded.
TYPES = {"a": "vm", "b": "vm", "c": "vm", "d": "server", "e": "server"}
ASSETS = [
    {"asset_id": name, "kind": "machine", "machine_type": kind, "region": "IE",
     "protected_bytes": 1000 + number}
    for number, (name, kind) in enumerate(TYPES.items())
]  # fmt: skip
RECOVERY = [
    *samples("a", [(50, "running"), (52, "success")], job_kind="relink", job_id="relink-a"),
    *samples("b", [(50, "running"), (60, "failure"), (70, "running"), (80, "success")],
             job_kind="seed", job_id="seed-b"),
    *samples("d", [(53, "running"), (55, "failure")], job_kind="relink", job_id="relink-d",
             error="chain unreadable"),
    *samples("e", [(90, "running"), (119, "running")], job_kind="seed", job_id="seed-e"),
]  # fmt: skip
TELEMETRY = [
    *hourly("steady", 0, 120),
    *(row for name in TYPES for row in hourly(name, 0, 30)),
    *hourly("a", 30, 53, "failure"), *hourly("a", 53, 120),
    *hourly("b", 30, 81, "failure"), *hourly("b", 81, 120),
    *hourly("c", 30, 40, "failure"), *hourly("c", 40, 120),
    *hourly("d", 30, 120, "failure"),
    *hourly("e", 30, 120, "failure"),
]  # fmt: skip


def derived(wanted: str, **evidence: Any) -> list[dict[str, Any]]:
    given = {"asset": ASSETS, "replication_sample": [*TELEMETRY, *RECOVERY]} | evidence
    with derive(wanted, **given) as store:
        return store.rows(f'select * from "{wanted}"')


# -- machine_recovery --------------------------------------------------------------------------


def test_each_machine_shows_the_way_it_came_back() -> None:
    found = {row["asset_id"]: row for row in derived("machine_recovery")}
    assert {name: row["scenario"] for name, row in found.items()} == {
        "a": "relinked", "b": "reseeded", "c": "resumed", "d": "lost", "e": "open",
    }  # fmt: skip
    assert found["b"]["recovered_at"] == at(80)
    assert found["b"]["hours"] == 50
    assert (found["b"]["attempts"], found["b"]["failures"]) == (2, 1)
    assert (found["d"]["lost_at"], found["d"]["recovered_at"]) == (at(55), None)
    assert (found["e"]["is_running"], found["e"]["began_at"]) == (True, at(90))


def test_a_seed_that_reported_and_fell_silent_is_not_known_to_run() -> None:
    reports = samples(
        "e", [(90 + hour, "running") for hour in range(12)], job_kind="seed", job_id="seed-e"
    )
    silent = [*TELEMETRY, *(row for row in RECOVERY if row["asset_id"] != "e"), *reports]
    (row,) = [
        row
        for row in derived("machine_recovery", replication_sample=silent)
        if row["asset_id"] == "e"
    ]
    assert (row["scenario"], row["is_running"]) == ("open", False)
    assert (row["attempts"], row["failures"], row["began_at"]) == (1, 0, at(90))
    running = {
        row["day"]: row["running"]
        for row in derived("recovery_progress", replication_sample=silent)
        if row["machine_type"] == "server"
    }
    assert running[date(2026, 1, 4)] == 1  # its last report is of the next day
    assert running[date(2026, 1, 5)] == 0


def test_a_gap_after_the_seed_does_not_undo_the_recovery() -> None:
    again = [*TELEMETRY, *RECOVERY, *hourly("b", 120, 130, "failure"), *hourly("steady", 120, 130)]
    found = {row["asset_id"]: row for row in derived("machine_recovery", replication_sample=again)}
    assert (found["b"]["scenario"], found["b"]["recovered_at"]) == ("reseeded", at(80))


def test_a_machine_in_a_gap_already_counts_once_it_is_seeded() -> None:
    early = {name: [*hourly(name, 0, 20), *hourly(name, 20, 120, "failure")] for name in "fg"}
    seed = samples("f", [(60, "running"), (70, "success")], job_kind="seed", job_id="seed-f")
    given = [*TELEMETRY, *RECOVERY, *early["f"], *early["g"], *seed]
    rows = derived("machine_recovery", replication_sample=given, policy={"degraded_share": 0.5})
    found = {row["asset_id"]: row for row in rows}
    assert (found["f"]["scenario"], found["f"]["recovered_at"]) == ("reseeded", at(70))
    assert found["f"]["struck_at"] == at(29)  # the earliest onset, though its gap began before
    assert "g" not in found


def test_without_telemetry_there_is_no_recovery() -> None:
    for wanted in ("machine_recovery", "recovery_progress", "recovery_scenario"):
        assert not derived(wanted, replication_sample=[])


# -- recovery_progress -------------------------------------------------------------------------


def test_every_day_from_the_onset_to_the_end_of_the_record_has_a_row() -> None:
    found = derived("recovery_progress")
    assert [row["day"] for row in found if row["machine_type"] == "vm"] == [
        date(2026, 1, day) for day in (2, 3, 4, 5)
    ]


def test_what_is_struck_is_recovered_or_lost_or_remains() -> None:
    for row in derived("recovery_progress"):
        assert row["population"] == row["recovered_total"] + row["lost_total"] + row["remaining"]


def test_the_days_count_what_happened_on_them() -> None:
    days = {(row["day"].day, row["machine_type"]): row for row in derived("recovery_progress")}
    counted = ("seeded", "relinked", "resumed", "lost", "failed", "running", "remaining", "bytes")
    assert [days[2, "vm"][name] for name in counted] == [0, 0, 1, 0, 0, 0, 2, None]
    assert [days[3, "vm"][name] for name in counted] == [0, 1, 0, 0, 1, 1, 1, None]
    assert [days[4, "vm"][name] for name in counted] == [1, 0, 0, 0, 0, 0, 0, 1001]
    assert [days[3, "server"][name] for name in counted] == [0, 0, 0, 1, 1, 0, 1, None]
    assert [days[5, "server"][name] for name in counted] == [0, 0, 0, 0, 0, 1, 1, None]
    assert (days[5, "vm"]["seeded_total"], days[5, "vm"]["bytes_total"]) == (1, 1001)


# -- recovery_scenario -------------------------------------------------------------------------


def test_scenarios_are_counted_by_type_of_machine() -> None:
    found = [tuple(row.values())[:5] for row in derived("recovery_scenario")]
    assert found == [
        ("server", "lost", 1, 0.5, None),
        ("server", "open", 1, 0.5, None),
        ("vm", "relinked", 1, 0.333333, 22),
        ("vm", "reseeded", 1, 0.333333, 50),
        ("vm", "resumed", 1, 0.333333, 10),
    ]
