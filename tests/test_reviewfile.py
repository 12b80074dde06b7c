"""The board's record: states, decisions that stay attached, coders, signers and their ties."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from derive import at, stored

from toolkit import resources, reviewfile, sqlfile
from toolkit.casefile import default_policy
from toolkit.errors import UsageError
from toolkit.relations import RELATIONS
from toolkit.store import Store

F1, F2 = "1" * 16, "2" * 16
DIGEST = "a" * 64


def _entry(do: str, minute: int, by: str = "m.keane", **values: object) -> reviewfile.Entry:
    made = datetime(2026, 5, 2, 9, minute, tzinfo=UTC).isoformat()
    return reviewfile.make(do, at=made, by=by, **values)


def _record(folder: Path, *entries: reviewfile.Entry) -> tuple[reviewfile.Placed, ...]:
    found: tuple[reviewfile.Placed, ...] = ()
    for entry in entries:
        found = reviewfile.add(folder, entry)
    return found


# -- the file --------------------------------------------------------------------------------------


def test_the_way_from_draft_to_superseded_and_to_the_next_version(tmp_path: Path) -> None:
    found = _record(
        tmp_path,
        _entry("freeze", 0, digest=DIGEST),
        _entry("submit", 1),
        _entry("request_changes", 2, text="Say which regions."),
        _entry("submit", 3),
        _entry("conclude", 4),
        _entry("sign", 5),
        _entry("supersede", 6, reason="New evidence came in."),
        _entry("freeze", 7, digest=DIGEST),
    )
    assert [(placed.version, placed.state) for placed in found] == [
        (1, "evidence_frozen"),
        (1, "in_review"),
        (1, "changes_requested"),
        (1, "in_review"),
        (1, "reviewed"),
        (1, "signed_off"),
        (1, "superseded"),
        (2, "evidence_frozen"),
    ]
    assert reviewfile.load(tmp_path) == found


@pytest.mark.parametrize("do", ["submit", "conclude", "sign", "request_changes"])
def test_a_draft_cannot_skip_states(tmp_path: Path, do: str) -> None:
    words = {"text": "no"} if do == "request_changes" else {}
    with pytest.raises(UsageError, match="not possible while the review is draft"):
        reviewfile.add(tmp_path, _entry(do, 0, **words))
    assert not (tmp_path / "review.yaml").exists()


def test_what_people_wrote_stays_to_the_letter(tmp_path: Path) -> None:
    path = tmp_path / "review.yaml"
    by_hand = (
        "# Board of May\nentries:\n- do: decide   # minuted\n  at: 2026-05-02T08:00:00+02:00\n"
        "  by: 'no'\n  text: |\n    Two lines,\n    as said.\n"
    )
    path.write_text(by_hand, encoding="utf-8")
    found = reviewfile.add(tmp_path, _entry("decide", 0, text="- # : 'odd' \"text\"\n\u2028é"))
    assert path.read_text(encoding="utf-8").startswith(by_hand)
    first, second = (placed.entry for placed in found)
    assert (first.by, first.at) == ("no", datetime(2026, 5, 2, 6, tzinfo=UTC))
    assert second.text == "- # : 'odd' \"text\"\n\u2028é"
    assert reviewfile.load(tmp_path) == found


def test_an_indented_list_is_added_to_and_odd_letters_stay(tmp_path: Path) -> None:
    path = tmp_path / "review.yaml"
    path.write_text(
        "entries:\n  - do: decide\n    at: 2026-05-02T08:00:00Z\n    by: a\n    text: b\n",
        encoding="utf-8",
    )
    odd = "first\nsecond\n\n  third \u2028x\x85y\ud7ff"
    found = reviewfile.add(tmp_path, _entry("decide", 0, text=odd))
    assert found[-1].entry.text == odd
    assert reviewfile.load(tmp_path) == found
    path.write_text("entries: [{do: decide, at: 2026-05-02T08:00:00Z, by: a, text: b}]\n")
    with pytest.raises(UsageError, match="one below another"):
        reviewfile.add(tmp_path, _entry("decide", 0, text="c"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- do: accept\n", "one list named entries"),
        ("entries: 3\n", "entries is no list"),
        ("entries:\n- do: acept\n  at: 2026-05-02T08:00:00Z\n  by: a\n", "did you mean 'accept'"),
        ("entries:\n- do: submit\n  by: a\n", "review.yaml:2: at: the key is missing"),
        (
            "entries:\n- do: decide\n  at: 2026-05-02T08:00:00Z\n  by: a\n  text: b\n  txt: c\n",
            "review.yaml:6: txt: unknown key; did you mean 'text'",
        ),
        ("entries:\n- do: decide\n  at: 2026-05-02T08:00:00\n  by: a\n  text: b\n", "no offset"),
        (
            "entries:\n- do: dismiss\n  at: 2026-05-02T08:00:00Z\n  by: a\n"
            f"  finding: {F1}\n  reason: ''\n",
            "review.yaml:6: reason:",
        ),
        (
            "entries:\n"
            "- {do: decide, at: 2026-05-02T08:00:00Z, by: a, text: b}\n"
            "- {do: decide, at: 2026-05-02T07:00:00Z, by: a, text: b}\n",
            "older than the one before",
        ),
        ("entries:\n- do: sign\n  at: 2026-05-02T08:00:00Z\n  by: a\n", "possible now: freeze"),
        ("entries: [\n", "not YAML"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "review.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        reviewfile.load(tmp_path)
    assert says in str(raised.value)


# -- the relations ---------------------------------------------------------------------------------


def _derived(
    found: tuple[reviewfile.Placed, ...], findings: tuple[str, ...] = (), **evidence: Any
) -> Store:
    """The relations of the review, over findings of one rule that are exceptions."""
    store = stored(**evidence)
    for declared in RELATIONS:
        store.execute(f'create view "{declared.name}" as select * from evidence."{declared.name}"')
    values = [[key, str(row["value"])] for key, row in default_policy().items()]
    store.load("policy", {"key": "varchar", "value": "varchar"}, values)
    store.load(
        "finding",
        {"finding_id": "varchar", "rule": "varchar", "status": "varchar"},
        [[each, "CF-02", "exception"] for each in findings],
    )
    store.load(
        "rule_catalogue", {"rule": "varchar", "candidate_codes": "varchar[]"},
        [["CF-02", ["HFACS:AE103"]]],
    )  # fmt: skip
    store.load("review_entry", reviewfile.COLUMNS, reviewfile.rows(found))
    store.execute((resources.queries() / "macros" / "macros.sql").read_text(encoding="utf-8"))
    files = {
        name: file
        for name, file in sqlfile.catalogue(resources.queries()).items()
        if name.startswith("review_")
    }
    for name in sqlfile.order({name: set(file.meta.reads) for name, file in files.items()}):
        if name in files:
            store.derive(name, files[name].sql)
            assert store.columns(name) == list(files[name].meta.columns)
    return store


def test_the_latest_decision_stands_and_orphans_are_kept(tmp_path: Path) -> None:
    found = _record(
        tmp_path,
        _entry("dismiss", 0, finding=F1, reason="Wrong target."),
        _entry("accept", 1, finding=F1),
        _entry("respond", 2, finding=F2, answer="partly", text="In part."),
    )
    with _derived(found, (F1,)) as store:
        rows = store.rows("select * from review_decision")
    assert [(r["finding_id"], r["decision"], r["reason"], r["replaced"]) for r in rows] == [
        (F1, "accepted", None, 1),
        (F2, None, None, 0),
    ]
    assert rows[1]["response"] == "partly"
    assert [row["is_orphaned"] for row in rows] == [False, True]


def test_two_coders_who_agree_confirm_a_code(tmp_path: Path) -> None:
    entries = [
        _entry("code", 0, by="ana", finding=F1, code="HFACS:AE103"),
        _entry("code", 1, by="Ana", finding=F1, code="HFACS:AE103"),
        _entry("code", 2, by="ana", finding=F2, code="HFACS:AE103"),
        _entry("code", 3, by="ben", finding=F2, code="HFACS:AE103"),
        _entry("code", 4, by="ana", finding=F1, code="SHERPA:A1"),
        _entry("code", 5, by="ben", finding=F1, code="SHERPA:A1", holds=False),
    ]
    # Two names of one person are one coder.
    entries.append(_entry("code", 6, by="a.nna", finding=F1, code="HFACS:AE103"))
    alias = [{"kind": "person", "alias": "a.nna", "canonical": "ana"}]
    with _derived(_record(tmp_path, *entries), (F1,), alias=alias) as store:
        rows = store.rows("select finding_id, code, coders, verdict, is_candidate from review_code")
        agreement = store.rows(
            "select coder_a, coder_b, codes, agreed, kappa from review_agreement"
        )
    assert [tuple(row.values()) for row in rows] == [
        (F1, "HFACS:AE103", 1, "one coder", True),
        (F1, "SHERPA:A1", 2, "disputed", False),
        (F2, "HFACS:AE103", 2, "confirmed", None),
    ]
    assert [tuple(row.values()) for row in agreement] == [("ana", "ben", 2, 1, 0.0)]


def test_only_independent_signatures_sign_off(tmp_path: Path) -> None:
    begin = [_entry("freeze", 0, digest=DIGEST), _entry("submit", 1), _entry("conclude", 2)]
    evidence = {
        "change": [{"change_id": "C1", "requested_by": "REQ", "window_start": at(0)}],
        "alias": [{"kind": "person", "alias": "rita", "canonical": "req"}],
    }
    signed = [
        _entry("sign", 3, by="ana"),
        _entry("sign", 4, by="Rita"),
        _entry("sign", 5, by="ANA"),
    ]
    with _derived(_record(tmp_path, *begin, *signed), (F1, F2), **evidence) as store:
        (row,) = store.rows("select * from review_state")
        signers = store.rows("select account, conflicts, counts from review_sign_off")
    assert (row["state"], row["signatures"], row["independent_signatures"]) == ("reviewed", 2, 1)
    assert row["frozen_digest"] == DIGEST
    assert signers == [
        {"account": "Rita", "conflicts": ["requested C1"], "counts": False},
        {"account": "ANA", "conflicts": [], "counts": True},
    ]
    assert (row["exceptions"], row["decided"]) == (2, 0)
    with _derived(_record(tmp_path, _entry("sign", 6, by="ben")), **evidence) as store:
        (row,) = store.rows("select * from review_state")
    assert row["state"] == "signed_off"
    assert row["since"] == datetime(2026, 5, 2, 9, 3, tzinfo=UTC)


def test_a_signature_of_another_state_is_refused_and_does_not_count_by_hand(
    tmp_path: Path,
) -> None:
    other = "b" * 64
    begin = [_entry("freeze", 0, digest=DIGEST), _entry("submit", 1), _entry("conclude", 2)]
    _record(tmp_path, *begin)
    with pytest.raises(UsageError, match=r"not as it was frozen: its digest is bbbbbbbbbbbb…"):
        reviewfile.add(tmp_path, _entry("sign", 3, by="ana", digest=other))
    found = reviewfile.add(tmp_path, _entry("sign", 3, by="ana", digest=DIGEST))
    assert found[-1].state == "signed_off"
    path = tmp_path / "review.yaml"
    for minute, by in ((4, "ben"), (5, "cleo")):
        with path.open("a") as file:
            file.write(f"- do: sign\n  at: 2026-05-02T09:0{minute}:00Z\n  by: {by}\n")
            if by == "ben":
                file.write(f"  digest: {other}\n")
    with _derived(reviewfile.load(tmp_path)) as store:
        signers = store.rows("select account, is_of_frozen, counts from review_sign_off")
        (row,) = store.rows("select signatures, independent_signatures from review_state")
    assert [tuple(each.values()) for each in signers] == [
        ("ana", True, True), ("ben", False, False), ("cleo", None, True),
    ]  # fmt: skip
    assert row == {"signatures": 3, "independent_signatures": 2}


def test_without_entries_the_review_is_a_draft() -> None:
    with _derived(()) as store:
        (row,) = store.rows("select version, state, since, is_current from review_state")
    assert row == {"version": 1, "state": "draft", "since": None, "is_current": True}


def test_an_action_is_replaced_by_its_later_entry_and_completed(tmp_path: Path) -> None:
    given = {"title": "Refuse removal while in use", "owner": "platform", "due": "2026-07-01"}
    found = _record(
        tmp_path,
        _entry("action", 0, id="A-1", strength="weaker", findings=[F1], **given),
        _entry("action", 1, id="A-1", strength="stronger", findings=[F1], **given),
        _entry("complete", 2, id="A-1", text="Seen in the drill."),
    )
    with _derived(found, (F2,)) as store:
        (row,) = store.rows("select * from review_action")
    assert (row["strength"], row["orphaned_findings"]) == ("stronger", [F1])
    assert row["completed_how"] == "Seen in the drill."
