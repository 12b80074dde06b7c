"""One order over all sources, the phases of the incident, and the limits of the evidence."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from typing import Any

from derive import at, hourly, stored

from toolkit.casefile import CaseFile, CaseFolder
from toolkit.rebuild import rebuild
from toolkit.relations import RELATIONS
from toolkit.store import Store

SOURCE = {
    "source_id": 1, "sha256": "0" * 64, "path": "evidence/a.log", "format": "table",
    "reader": "table", "reader_version": 1, "detected_by": "detected",
    "declaration_sha256": "0" * 64, "bytes": 1, "encoding": "utf-8", "records_read": 3,
    "accepted": 2, "continued": 0, "skipped": 0, "rejected": 1, "clock_offset_seconds": 0.0,
    "clock_basis": "none", "export_complete": True,
}  # fmt: skip


READ = ("timeline", "incident_phase", "evidence_quality")


def rebuilt(tmp_path: Path, only: Collection[str] = READ, **evidence: Any) -> Store:
    """A case of a few hand-written records, with what is asked for here."""
    store = stored(**evidence)
    rebuild(store, CaseFolder(tmp_path, CaseFile(title="made up")), only)
    return store


# An array is removed at hour 10; its three machines fail; one is seeded again at hour 40.
INCIDENT: dict[str, Any] = {
    "asset": [
        {"asset_id": name, "kind": "machine", "region": "IE"} for name in ("m1", "m2", "m3")
    ]
    + [{"asset_id": "array", "kind": "array", "region": "IE"}],
    "dependency": [
        {"from_asset": name, "to_asset": "array", "valid_to": at(40)} for name in ("m1", "m2", "m3")
    ],
    "alias": [{"kind": "asset", "alias": "ARRAY.example", "canonical": "array"}],
    "replication_sample": [
        row
        for name in ("m1", "m2", "m3")
        for row in [
            *hourly(name, 0, 10),
            *hourly(name, 10.2, 40, "failure", error="no\nmetadata"),
        ]
    ]
    + [
        {"sampled_at": at(40), "asset_id": "m1", "state": "success", "job_kind": "seed"},
        *hourly("m1", 40.5, 48),
    ],
    "maintenance_event": [
        {"occurred_at": at(9.0), "action": "drain", "target": "array", "actor": "op",
         "session_id": "s", "outcome": "success"},
        {"occurred_at": at(9.5), "action": "delete", "target": "spare", "actor": "op",
         "session_id": "s", "outcome": "success"},
        {"occurred_at": at(10.0), "action": "decommission", "target": "ARRAY.example",
         "actor": "op", "session_id": "s", "outcome": "success"},
        {"occurred_at": at(11.0), "action": "log", "message": "unrelated", "host": "h"},
    ],
    "alert": [
        {"alert_id": "A1", "fired_at": at(5), "target": "array"},
        {"alert_id": "A2", "fired_at": at(10.5), "target": "elsewhere"},
        {"alert_id": "A3", "fired_at": at(12), "target": "array", "acked_at": at(13)},
    ],
    "status_update": [
        {"posted_at": at(hours), "incident_id": "i", "update_id": f"u{hours}", "state": state,
         "body": "We <b>look</b>.", "kind": "incident"}
        for hours, state in ((14, "investigating"), (20, "identified"), (47, "resolved"))
    ],
}  # fmt: skip


def test_phases_stand_on_the_first_record_of_each(tmp_path: Path) -> None:
    with rebuilt(tmp_path, **INCIDENT) as store:
        rows = store.rows("select * from incident_phase where scope = 'IE' or scope = 'all'")
    found = {row["phase"]: row["started_at"] for row in rows if row["scope"] == "all"}
    assert list(found) == [
        "latent", "trigger", "onset", "detection", "disclosure", "diagnosis", "recovery", "closed",
    ]  # fmt: skip
    assert found["latent"] == at(9.5)
    assert found["trigger"] == at(10)
    assert at(9) <= found["onset"] <= at(10.2)
    assert found["detection"] == at(10.5)  # not known to be about anything else
    assert (found["disclosure"], found["diagnosis"]) == (at(14), at(20))
    assert (found["recovery"], found["closed"]) == (at(40), at(47))
    region = {row["phase"]: row for row in rows if row["scope"] == "IE"}
    assert region["detection"]["basis"] == (
        "Alert A3 on array fired; acknowledged at 2026-01-01 13:00:00 UTC."
    )
    assert "disclosure" not in region  # the page names no region
    assert "3 affected machines" in region["trigger"]["basis"]


def test_a_phase_says_what_speaks_against_its_record(tmp_path: Path) -> None:
    evidence = INCIDENT | {
        "silence": [{"target": "ARRAY.example", "starts_at": at(8), "ends_at": at(30)}],
        "ticket_event": [
            {"ticket_id": "T1", "occurred_at": at(hours), "state": state, "target": "array"}
            for hours, state in ((14.5, "new"), (15, "major"))
        ],
        "alert": INCIDENT["alert"][2:],
        "status_update": [
            *INCIDENT["status_update"],
            {"posted_at": at(42), "incident_id": "i", "update_id": "u42", "state": "monitoring",
             "kind": "incident"},
        ],
    }  # fmt: skip
    with rebuilt(tmp_path, **evidence) as store:
        silence = store.value("select pointer(source_id, record_no) from silence")
        basis = {
            row["phase"]: row["basis"]
            for row in store.rows("select phase, basis from incident_phase where scope = 'all'")
        }
    assert basis["detection"] == (
        f"Alert A3 on array fired under a silence on its target ({silence}); acknowledged at "
        "2026-01-01 13:00:00 UTC; ticket T1 became new at 2026-01-01 14:30:00 UTC, the first "
        "ticket."
    )
    assert basis["mitigation"] == (
        "First post of the state monitoring; at that time the gaps of 2 of 3 affected machines had "
        "not ended; the first recovery is on record before it."
    )


def test_without_topology_no_event_is_called_the_trigger(tmp_path: Path) -> None:
    evidence = {name: rows for name, rows in INCIDENT.items() if name != "dependency"}
    with rebuilt(tmp_path, **evidence) as store:
        assert store.value("select count(*) from incident_phase where phase = 'trigger'") == 0


def recovery(folder: Path, **seeds: list[tuple[float, str]]) -> dict[str, Any] | None:
    """The recovery phase of the incident where its machines were seeded so, else as recorded."""
    plain = [row for row in INCIDENT["replication_sample"] if "job_kind" not in row]
    told = [
        {"sampled_at": at(hours), "asset_id": name, "state": state, "job_kind": "seed"}
        for name, states in seeds.items()
        for hours, state in states
    ]
    with rebuilt(folder, **INCIDENT | {"replication_sample": plain + told}) as store:
        rows = store.rows("from incident_phase where phase = 'recovery' and scope = 'IE'")
    return rows[0] if rows else None


def test_a_seed_that_brought_nothing_back_begins_no_recovery(tmp_path: Path) -> None:
    told = recovery(
        tmp_path,
        m2=[(20, "running"), (21, "failure"), (30, "running"), (35, "success")],
        m3=[(15, "running"), (16, "running")],
    )
    assert told is not None
    assert told["started_at"] == at(30)
    assert told["basis"] == "First seed on record that succeeded, of m2."


def test_without_a_seed_recovery_begins_where_a_job_goes_on(tmp_path: Path) -> None:
    told = recovery(tmp_path, m3=[(15, "running"), (16, "failure")])
    assert told is not None
    assert told["started_at"] == at(40.5)
    assert told["basis"] == (
        "First end of a gap on record, of m1: its own job succeeds again; no seed or relink that "
        "succeeded is on record."
    )


def test_the_timeline_is_one_total_order_with_a_record_behind_every_row(tmp_path: Path) -> None:
    with rebuilt(tmp_path, **INCIDENT) as store:
        rows = store.rows("select * from timeline order by event_no")
    assert [row["event_no"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(one["occurred_at"] <= two["occurred_at"] for one, two in pairwise(rows))
    assert all(row["occurred_lo"] <= row["occurred_at"] <= row["occurred_hi"] for row in rows)
    assert all(row["evidence"] for row in rows if row["kind"] != "onset")
    assert {row["lane"] for row in rows} == {"maintenance", "telemetry", "status", "alert"}
    assert sum(row["kind"] == "gap_start" for row in rows) == 3
    assert sum(row["kind"] == "gap_end" for row in rows) == 1
    failures = [row for row in rows if row["kind"] == "replicate"]
    assert {row["outcome"] for row in failures} == {"failure", "success"}
    assert len(failures) == 4  # three begin to fail, one goes on after its seed
    assert "no metadata" in failures[0]["summary"]
    (log,) = [row for row in rows if row["kind"] == "log"]
    assert (log["subject"], log["region"]) == ("h", None)
    (removal,) = [row for row in rows if row["summary"].startswith("decommission")]
    assert (removal["region"], removal["phase"]) == ("IE", "onset")


def test_the_timeline_leaves_no_dated_record_out(tmp_path: Path) -> None:
    evidence: dict[str, Any] = {
        "change": [{"change_id": "C", "window_start": at(1), "window_end": at(2)}],
        "approval": [{"change_id": "C", "approver": "x", "decision": "approved",
                      "decided_at": at(3)}],
        "handover": [{"change_id": "C", "from_actor": "x", "to_actor": "y", "given_at": at(4),
                      "ack_at": at(5)}],
        "silence": [{"target": "t", "starts_at": at(6), "ends_at": at(7)}],
        "ticket_event": [{"occurred_at": at(8), "ticket_id": "T", "state": "new"}],
        "notice": [{"organization": "o", "sent_at": at(9)}],
        "statement": [{"published_at": at(10), "claim": "so"}],
        "action_item": [{"item_id": "I", "opened_at": at(11), "due_at": at(12)}],
        "protection_check": [{"target": "t", "kind": "integrity", "finished_at": at(13),
                              "ok": False}],
        "asset_state": [{"observed_at": at(14), "asset_id": "t", "state": "failed"}],
    }  # fmt: skip
    with rebuilt(tmp_path, **evidence) as store:
        rows = store.rows("select kind, occurred_at, summary from timeline order by event_no")
    assert [row["occurred_at"] for row in rows] == [at(hours) for hours in range(1, 15)]
    assert rows[-2]["summary"] == "integrity of t did not pass"


def test_what_was_written_to_an_action_is_told_apart_from_it(tmp_path: Path) -> None:
    events = [
        {"occurred_at": at(1), "action": "decommission", "target": "repo", "outcome": "success",
         "flags": "--force --yes", "message": "maintenance:  removed =\npremature decommission"},
        {"occurred_at": at(2), "action": "log", "host": "h", "message": "sshd[1]: session opened"},
        {"occurred_at": at(3), "action": "drain", "outcome": "unknown"},
        {"occurred_at": at(4), "action": "log", "target": "db", "outcome": "failure"},
        {"occurred_at": at(5), "action": "verify", "target": "db", "message": "x" * 500},
    ]  # fmt: skip
    with rebuilt(tmp_path, maintenance_event=events) as store:
        told = [row["summary"] for row in store.rows("from timeline order by event_no")]
    assert told[:4] == [
        "decommission of repo, recorded as success, with --force --yes; note: “maintenance: "
        "removed = premature decommission”",
        "log: “sshd[1]: session opened”",
        "drain",
        "log of db, recorded as failure",
    ]
    assert told[4] == f"verify of db; note: “{'x' * 219}…”"


def test_a_change_and_an_onset_are_told_in_words(tmp_path: Path) -> None:
    change = {
        "change_id": "C1", "kind": "Array Decommission", "title": "Retire it", "outcome": "success",
        "window_start": at(8), "window_end": at(11), "closed_at": at(11),
    }  # fmt: skip
    bare = {"change_id": "C2", "window_start": at(8), "closed_at": at(9)}
    store = rebuilt(tmp_path, **INCIDENT | {"change": [change, bare]})
    told = {
        (row["subject"], row["kind"]): row["summary"]
        for row in store.rows("select * from timeline where lane = 'change' or kind = 'onset'")
    }
    assert told["C1", "window_start"] == "Window opens for array decommission: Retire it"
    assert told["C1", "window_end"] == "Window closes for array decommission: Retire it"
    assert told["C1", "closed"] == "Closed as success: Retire it"
    assert (told["C2", "window_start"], told["C2", "closed"]) == ("Window opens", "Closed")
    assert told["all", "onset"] == "Onset: 3 of 3 machines in a gap while it lasts"
    assert told["IE", "onset"] == "Onset in IE: 3 of 3 machines in a gap while it lasts"


def test_a_long_or_broken_text_is_one_short_line(tmp_path: Path) -> None:
    text = "<script>\n\talert(1)</script> " + "x" * 1000
    post = {"posted_at": at(1), "incident_id": "i", "state": "investigating", "body": text}
    with rebuilt(tmp_path, status_update=[post]) as store:
        summary = store.value("select summary from timeline")
    assert summary.startswith("investigating: <script> alert(1)</script> x") and len(summary) == 300


def test_an_uncertain_time_keeps_its_interval(tmp_path: Path) -> None:
    event = {"occurred_at": at(5), "occurred_lo": at(4), "occurred_hi": at(6), "action": "log"}
    with rebuilt(tmp_path, maintenance_event=[event]) as store:
        (row,) = store.rows("select * from timeline")
    assert (row["occurred_lo"], row["occurred_at"], row["occurred_hi"]) == (at(4), at(5), at(6))


def test_an_empty_case_has_an_empty_timeline(tmp_path: Path) -> None:
    wanted = (*READ, "communication")
    with rebuilt(tmp_path, wanted) as store:
        for relation in wanted:
            assert store.value(f"select count(*) from {relation}") == 0


def test_every_relation_may_stand_alone(tmp_path: Path) -> None:
    for relation in ("replication_sample", "status_update", "maintenance_event", "alert"):
        if relation in INCIDENT:
            with rebuilt(tmp_path, **{relation: INCIDENT[relation]}) as store:
                assert store.value("select count(*) from timeline") > 0
    assert {declared.name for declared in RELATIONS} >= set(INCIDENT)


def test_what_is_open_is_asked_for_as_open(tmp_path: Path) -> None:
    with rebuilt(tmp_path, ["evidence_request"], **INCIDENT) as store:
        asked = store.rows("from evidence_request where relation is null")
    assert asked
    for row in asked:
        (title,) = row["questions"]
        holds = "this holds: " if title.startswith("No ") else ""
        assert row["what"] == f"Records that decide whether {holds}{title[0].lower()}{title[1:]}"


# -- evidence_quality --------------------------------------------------------------------------


def quality(
    folder: Path, changes: dict[str, Any], *statements: str, **evidence: Any
) -> dict[str, Any]:
    """Issues by name, for one source that is changed as given."""
    with sourced(folder, changes, *statements, **evidence) as store:
        return {row["issue"]: row for row in store.rows("from evidence_quality")}


def sourced(
    folder: Path,
    changes: dict[str, Any],
    *statements: str,
    only: Collection[str] = ("evidence_quality",),
    **evidence: Any,
) -> Store:
    store = stored(**evidence)
    row = SOURCE | changes
    store.execute(
        f"insert into source ({', '.join(row)}) values ({', '.join('?' for _ in row)})",
        list(row.values()),
    )
    for statement in statements:
        store.execute(statement)
    rebuild(store, CaseFolder(folder, CaseFile(title="made up")), only)
    return store


CUSTODY = {"system_of_record": "s", "obtained_by": "b", "obtained_at": "a", "obtained_how": "h"}


def test_a_source_in_order_raises_no_issue(tmp_path: Path) -> None:
    assert quality(tmp_path, CUSTODY) == {}


def test_what_a_source_lacks_is_listed(tmp_path: Path) -> None:
    found = quality(
        tmp_path,
        {"export_complete": False, "export_note": "50 incidents", "expected_records": 5},
        "insert into reject values (1, 7, 99, 'target', 'TEXT', 'no target', null)",
        "insert into time_note values (1, 2, 'occurred_at', 'x', 'zone_declared', "
        "'dst_ambiguous,year_inferred', '2026-01-01 00:00Z', '2026-01-01 01:00Z')",
        "insert into value_note values (1, 2, 'impact', 'SOURCES_DISAGREE', 'major / minor')",
        "insert into skipped values (1, 'comment', 4, 1)",
    )
    assert found["export_incomplete"]["detail"] == "50 incidents"
    assert found["records_missing"]["count"] == 2
    assert found["reject"]["detail"] == "First at record 7: no target."
    assert found["chain_of_custody_missing"]["detail"].startswith("Not stated: system of record")
    assert "1 h 0 min" in found["time_flag"]["detail"]
    assert found["sources_disagree"]["subject"] == "impact"
    assert found["skipped"]["count"] == 4


def test_clocks_are_given_as_recorded_less_true(tmp_path: Path) -> None:
    probes = [
        {"host": "H", "probed_at": at(1), "offset_ms": 4100.0},
        {"host": "h", "probed_at": at(2), "offset_ms": 4300.0},
    ]
    event = {"occurred_at": at(1), "action": "log", "host": "h"}
    found = quality(tmp_path, CUSTODY, clock_probe=probes, maintenance_event=[event])
    assert (found["clock"]["lo_seconds"], found["clock"]["hi_seconds"]) == (4.1, 4.3)
    declared = quality(tmp_path, CUSTODY | {"clock_offset_seconds": 4.2, "clock_basis": "declared"})
    assert declared["clock_declared"]["lo_seconds"] == 4.2


def test_one_probe_is_told_as_one(tmp_path: Path) -> None:
    probe = {"host": "h", "probed_at": at(1), "offset_ms": 40.0}
    event = {"occurred_at": at(1), "action": "log", "host": "h"}
    only = ("evidence_quality", "EQ-02")
    told = {"clock_probe": [probe], "maintenance_event": [event]}
    with sourced(tmp_path, CUSTODY, only=only, **told) as store:
        assert store.value("select detail from evidence_quality where issue = 'clock'") == (
            "Measured by one probe at 2026-01-01 01:00:00 UTC."
        )
        assert store.value("select reason from rule_result where rule = 'EQ-02'") == (
            "The clock of h was off by 0.040 s at 2026-01-01 01:00:00 UTC, by the only probe near "
            "its events; the limit is 2 s."
        )


def test_a_statement_of_another_year_is_a_contradiction(tmp_path: Path) -> None:
    said = [
        {"published_at": at(1), "claim": "c", "about_at": at(-24 * days), "subject": "s"}
        for days in (1, 2, 3653)
    ]
    found = quality(tmp_path, CUSTODY, statement=said)
    assert found["contradiction"]["detail"] == (
        "Record 3, speaks of 2016-01-01; the other statements speak of 2025."
    )


def test_an_update_without_a_time_is_counted(tmp_path: Path) -> None:
    undated = [{"incident_id": "i", "state": "resolved"}]
    assert quality(tmp_path, CUSTODY, status_update=undated)["time_unknown"]["count"] == 1


def test_assets_that_the_inventory_lacks_are_counted(tmp_path: Path) -> None:
    found = quality(
        tmp_path,
        CUSTODY,
        asset=[{"asset_id": "known", "kind": "machine"}],
        replication_sample=hourly("unknown", 0, 3),
    )
    assert (found["unknown_asset"]["subject"], found["unknown_asset"]["count"]) == ("unknown", 1)
