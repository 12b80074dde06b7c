"""Syslog: three forms in one file, missing years and zones, events in key=value words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reading import check_golden, claimants, evidence, read

from toolkit.errors import EvidenceRefused
from toolkit.ingest import container, stampedlines
from toolkit.ingest.reader import SourceSettings, readers
from toolkit.ingest.sink import EvidenceSink


def events(text: str | bytes, **settings: object) -> list[dict[str, object]]:
    return read("syslog", text, **{"zone": "UTC", "year": 2022, **settings}).rows[
        "maintenance_event"
    ]


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("syslog")


def test_only_syslog_claims_its_sample() -> None:
    assert claimants(readers()["syslog"].sample) == ["syslog"]


def test_local_times_become_utc_and_keep_their_precision() -> None:
    (event,) = events("Mar  9 01:59:58 mds1 cron[7]: hello\n", zone="America/Denver")
    assert event["occurred_at"] == "2022-03-09T08:59:58+00:00"
    assert event["occurred_hi"] == "2022-03-09T08:59:58.999999+00:00"
    assert (event["action"], event["host"]) == ("log", "mds1")
    assert event["message"] == "cron[7]: hello"


def test_a_tool_line_becomes_an_event_with_its_words_in_any_order() -> None:
    (event,) = events(
        "Mar  9 02:14:05 mds1 stor-ctl[812]: outcome=success target=meta2 change=CHG0030142 "
        'action=decommission flags="--force --yes" actor=rvega session=s-118 step=4 '
        'msg="pool \\"meta2\\" gone"\n'
    )
    assert event["action"] == "decommission"
    assert (event["change_id"], event["target"], event["step"]) == ("CHG0030142", "meta2", "4")
    assert (event["actor"], event["session_id"]) == ("rvega", "s-118")
    assert event["flags"] == "--force --yes"
    assert event["message"] == 'pool "meta2" gone'
    assert event["outcome"] == "success"


def test_words_that_are_no_known_pair_stay_in_the_message() -> None:
    (event,) = events("Mar  9 02:14:05 h t: detach begins action=detach node=n7 target=a now\n")
    assert event["message"] == "detach begins node=n7 now"


def test_an_outcome_outside_of_the_vocabulary_is_unknown_and_noted() -> None:
    found = read(
        "syslog", "Mar  9 02:14:05 h t: action=detach outcome=meh\n", zone="UTC", year=2022
    )
    assert found.only("maintenance_event")["outcome"] == "unknown"
    assert found.value_notes == [(1, "outcome", "UNKNOWN_WORD", "meh")]


def test_a_line_without_a_recognised_action_is_kept_as_log() -> None:
    (event,) = events("Mar  9 02:14:05 h app: change=CHG1 target=x nothing done\n")
    assert event["action"] == "log"
    assert event["message"] == "app: change=CHG1 target=x nothing done"
    assert "change_id" not in event


def test_folded_lines_stay_one_row_with_their_text() -> None:
    (event,) = events(
        "Mar  9 02:14:05 h app: message repeated 5 times: [ action=detach target=x]\n"
    )
    assert event["action"] == "log"
    assert event["message"] == "app: message repeated 5 times: [ action=detach target=x]"


def test_a_key_that_stands_twice_with_two_values_rejects_the_line() -> None:
    found = read(
        "syslog", "Mar  9 02:14:05 h t: action=detach target=a target=b\n", zone="UTC", year=2022
    )
    assert found.rejects == [(1, "target", "KV_DUPKEY")]


def test_quotes_that_do_not_close_reject_the_line() -> None:
    found = read("syslog", 'Mar  9 02:14:05 h t: action=detach msg="cut o\n', zone="UTC", year=2022)
    assert found.rejects == [(1, "msg", "KV_QUOTE")]


def test_lines_that_are_no_syslog_are_rejected_and_wrapped_lines_continued() -> None:
    found = read(
        "syslog",
        b"Mar  9 02:14:05 h app: trace\n\tat line 1\n    at line 2\n\n%%% not a line\n"
        b"Mar  9 02:14:06 h app: \xff\xfe\nMar  9 02:14:07 h app: a\0b\n",
        zone="UTC",
        year=2022,
    )
    assert found.account == {"accepted": 1, "continued": 2, "skipped": 1, "rejected": 3}
    assert [code for *_, code in found.rejects] == ["LINE_FORM", "TEXT_ENCODING", "TEXT_NUL"]


def test_the_year_turns_once_and_a_late_line_stays_in_its_year() -> None:
    found = read(
        "syslog",
        "Dec 31 23:59:58 h a: 1\nJan  1 00:00:01 h a: 2\nDec 31 23:59:59 h a: late\n"
        "Jan  1 00:00:02 h a: 3\n",
        zone="UTC",
        year=2016,
    )
    years = [row["occurred_at"][:4] for row in found.rows["maintenance_event"]]
    assert years == ["2016", "2017", "2016", "2017"]
    assert {flags for _, _, flags in found.time_notes} == {
        "year_inferred",
        "out_of_order,year_inferred",
    }


def test_a_dated_line_of_the_same_file_anchors_the_years() -> None:
    rows = events(
        "Dec 30 10:00:00 h a: old form\nJan  2 10:00:00 h a: old form\n"
        "2020-01-03T10:00:00+00:00 h a: new form\n",
        year=None,
    )
    assert [str(row["occurred_at"])[:10] for row in rows] == [
        "2019-12-30",
        "2020-01-02",
        "2020-01-03",
    ]


def test_the_time_of_the_file_is_the_last_anchor_and_is_flagged(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    path.write_text("Feb 29 10:00:00 h a: 1\nMar  1 10:00:00 h a: 2\n")
    stamp = datetime(2018, 5, 1, tzinfo=UTC).timestamp()
    os.utime(path, (stamp, stamp))
    found = read("syslog", path, zone="UTC")
    assert [row["occurred_at"][:4] for row in found.rows["maintenance_event"]] == ["2016", "2016"]
    assert {flags for _, _, flags in found.time_notes} == {"file_time_used,year_inferred"}


def test_without_a_zone_lines_of_the_old_form_refuse_the_file() -> None:
    with pytest.raises(EvidenceRefused, match=r"evidence:2: occurred_at: .*TIME_NO_ZONE.*--zone"):
        read("syslog", "2022-03-09T10:00:00Z h a: 1\nMar  9 10:00:00 h a: 2\n", year=2022)


def test_without_any_anchor_for_the_year_the_file_is_refused() -> None:
    with pytest.raises(EvidenceRefused, match=r"TIME_NO_YEAR.*--year"):
        read("syslog", "Mar  9 10:00:00 h a: 2\n", zone="UTC")


def test_a_year_that_has_no_february_29_refuses_the_file() -> None:
    with pytest.raises(EvidenceRefused, match="February 29"):
        read("syslog", "Feb 29 10:00:00 h a: 2\n", zone="UTC", year=2021)


def test_a_day_outside_of_the_calendar_is_rejected_by_itself() -> None:
    found = read(
        "syslog", "Feb 30 10:00:00 h a: 1\nMar  1 10:00:00 h a: 2\n", zone="UTC", year=2022
    )
    assert [code for *_, code in found.rejects] == ["TIME_RANGE"]
    assert found.account["accepted"] == 1


def test_an_hour_that_happened_twice_keeps_both_readings() -> None:
    found = read("syslog", "Nov  6 01:30:00 h a: 1\n", zone="America/Denver", year=2022)
    row = found.only("maintenance_event")
    assert row["occurred_lo"] == "2022-11-06T07:30:00+00:00"
    assert row["occurred_hi"] == "2022-11-06T08:30:00.999999+00:00"
    assert found.time_notes == [(1, "occurred_at", "dst_ambiguous,year_inferred")]


def test_structured_data_states_an_event_too() -> None:
    (event,) = events(
        "<134>1 2022-03-09T06:59:58.003Z mds1 stor-ctl 812 DECOM "
        '[chg@32473 change="CHG0030001" action="decommission" target="a \\"b\\" \\]"] array gone\n'
    )
    assert (event["action"], event["change_id"]) == ("decommission", "CHG0030001")
    assert (event["target"], event["message"]) == ('a "b" ]', "array gone")


def test_what_the_sender_says_of_its_clock_widens_the_interval() -> None:
    found = read(
        "syslog",
        '<13>1 2022-03-09T06:00:00.000001Z h app - - [timeQuality tzKnown="1" isSynced="1" '
        'syncAccuracy="60000000"] hello\n'
        '<13>1 2022-03-09T06:00:00Z h app - - [timeQuality tzKnown="0" isSynced="0"] hello\n',
    )
    first, _ = found.rows["maintenance_event"]
    assert first["occurred_lo"] == "2022-03-09T05:59:00.000001+00:00"
    assert first["occurred_hi"] == "2022-03-09T06:01:00.000001+00:00"
    assert [flags for *_, flags in found.time_notes] == [
        "clock_accuracy_stated",
        "clock_not_synced,zone_not_known",
    ]


def test_the_nil_time_of_rfc_5424_is_rejected() -> None:
    found = read("syslog", "<13>1 - h app - - - hello\n<13>1 2022-03-09T06:00:00Z - - - - - x\n")
    assert found.rejects == [(1, "occurred_at", "TIME_NONE")]
    assert found.rows["maintenance_event"][0].get("host") is None


def test_application_logs_with_iso_times_are_not_claimed() -> None:
    assert claimants("2022-03-09T06:00:00Z INFO main: started\n") == []
    assert claimants("2026-11-22T18:01:12Z restic backup run=01 rc=0\n") == []


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=300).filter(lambda data: data.strip() != b""))
def test_recognition_never_raises(data: bytes) -> None:
    for mark in (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\x1f\x8b", b"PK"):
        if data.startswith(mark):
            return
    file = evidence(b"Mar  9 01:59:58 h t: m\n" + data)
    for reader in readers().values():
        reader.matches(file)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_every_line_is_accounted_for_whatever_it_holds(data: bytes) -> None:
    found = read("syslog", b"Mar  9 01:59:58 h t: m\n" + data, zone="Europe/Dublin", year=2022)
    assert sum(found.account.values()) == 1 + len(data.split(b"\n")) - data.endswith(b"\n") - (
        data == b""
    )


_WORD = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


@settings(deadline=None)
@given(_WORD.filter(str.strip), _WORD.filter(str.strip))
def test_any_quoted_value_comes_back_as_it_was_written(target: str, message: str) -> None:
    quoted = [text.replace("\\", "\\\\").replace('"', '\\"') for text in (target, message)]
    line = f'Mar  9 01:59:58 h t: action=x target="{quoted[0]}" msg="{quoted[1]}"\n'
    (event,) = events(line)
    assert (event["target"], event["message"]) == (target, message)


class LineSink(EvidenceSink):
    """A sink that takes no tables, so that every line goes by itself."""

    accept_timed = None


class TableSink(EvidenceSink):
    """A sink that keeps the tables of plain lines as they come."""

    def __init__(self, settings: SourceSettings) -> None:
        super().__init__(1, settings)
        self.taken: list[pa.Table] = []
        self.noted: list[pa.Table] = []

    def accept_timed(self, relation: str, rows: pa.Table, notes: pa.Table) -> None:
        assert relation == "maintenance_event"
        self.taken.append(rows)
        self.noted.append(notes)
        self.account.accepted += rows.num_rows


@contextmanager
def small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(container, "CHUNK_BYTES", 100)
        yield


_LINES = st.sampled_from(
    [
        b"Mar  9 01:59:58 h app[7]: plain",
        b"Mar 10 02:30:00 other plain without a tag",
        b"Nov  6 01:30:00 h app: twice",
        b"Apr  2 01:10:00 h app: before the half hour that is repeated on Lord Howe",
        b"Apr  2 01:40:00 h app: in it",
        b"Oct  1 02:20:00 h app: in the half hour that is left out there",
        b"Oct  1 02:40:00 h app: after it",
        b"Dec 31 23:59:59 h app: late",
        b"Jan  1 00:00:00 h app: turn",
        b"Feb 29 00:00:00 h app: leap",
        b"Feb 30 00:00:00 h app: no day",
        b"Mar  9 24:00:00 h app: midnight",
        b"Mar  9 01:59:60 h app: leap second",
        b"Mar  9 01:59:61 h app: no second",
        b"Mar 9 01:59:58 h app: short day",
        b"Mar 09 01:59:58 h app: padded with a nought",
        b"Mar  9 2023 01:59:58 h app: with a year",
        b"Mar  9 01:59:58.25 h app: fraction",
        b"Mar  9 01:59:58 h",
        b"Mar  9 01:59:58 h ",
        b"Mar  9 01:59:58 h  two blanks",
        b"Mar  9 01:59:58 h    ",
        b"Mar  9 01:59:58  no host",
        b"Mar  9 01:59:58 h tab\there",
        b"Mar  9 01:59:58\th tab",
        b"Mar  9 01:59:58 h nul\0",
        b"Mar  9 01:59:58 h \xff\xfe",
        "Mar  9 01:59:58 h \u00e9t\u00e9 \u2028 x".encode(),
        "Mar  9 01:59:58 h \u00a0".encode(),
        b"Mar  9 01:59:58 h app: action=drain target=a outcome=success",
        b"Mar  9 01:59:58 h app: action=drain target=a target=b",
        b"<13>Mar  9 01:59:58 h app: priority",
        b"<13>1 2024-03-09T06:00:00Z h app 1 - - hello",
        b"<13>1 - h app 1 - - hello",
        b"2024-03-09T06:00:00.5+01:00 h app: iso",
        b"2024-13-09T06:00:00+01:00 h app: no month",
        b"\tcontinued",
        b"  continued",
        b"",
        b"noise",
        b"Mar  9 01:59:58 h carriage return\r",
    ]
)
_ZONES = st.sampled_from(["America/Denver", "Australia/Lord_Howe", "UTC", "+05:30"])


@settings(deadline=None)
@given(st.lists(_LINES, min_size=1, max_size=40), st.booleans(), _ZONES)
@example([b"Mar  9 01:59:58 h app[7]: plain", b"\tcontinued"], True, "UTC")
@example([b"Mar  9 01:59:58 h app[7]: plain", b"Mar  9 01:59:58 h    "], False, "UTC")
@example([b"\tfirst", b"Mar  9 01:59:58 h app[7]: plain", b"\tcontinued"], True, "UTC")
@example([b"Apr  2 01:10:00 h app: x", b"Apr  2 01:40:00 h app: x"], True, "Australia/Lord_Howe")
@example([b"Oct  1 02:20:00 h app: x", b"Oct  1 02:40:00 h app: x"], True, "Australia/Lord_Howe")
@example([b"Mar 12 02:59:59 h app: x", b"Nov  5 01:00:00 h app: x"], True, "America/Denver")
def test_lines_taken_at_once_read_as_lines_taken_one_by_one(
    lines: list[bytes], is_closed: bool, zone: str
) -> None:
    data = b"\n".join(lines) + (b"\n" if is_closed else b"")
    if not data.strip():
        return
    settings = SourceSettings(zone=zone, year=2023)
    alone, together = LineSink(1, settings), TableSink(settings)
    refusals = []
    with small_blocks():
        for sink in (alone, together):
            try:
                readers()["syslog"].read(evidence(data), settings, sink)
            except EvidenceRefused as refusal:
                refusals.append(str(refusal))
    assert refusals in ([], refusals[:1] * 2)
    if refusals:
        return
    assert (
        together.account.total == alone.account.total == len(data.removesuffix(b"\n").split(b"\n"))
    )
    assert _rows(together) == _rows(alone)
    assert sorted(map(repr, together.rejects)) == sorted(map(repr, alone.rejects))
    assert _times(together) == _times(alone)


def _rows(sink: EvidenceSink) -> list[dict[str, object]]:
    tables = [table for _, table in sink.tables()]
    rows = [row for table in tables + getattr(sink, "taken", []) for row in table.to_pylist()]
    kept = [
        {key: value for key, value in row.items() if value is not None and key != "source_id"}
        for row in rows
    ]
    return sorted(kept, key=lambda row: int(str(row["record_no"])))


def _times(sink: EvidenceSink) -> list[tuple[object, ...]]:
    """The notes on flagged times, without the text that they quote."""
    found = [(note[1], note[2], *note[4:]) for note in sink.time_notes if note[5]]
    for table in getattr(sink, "noted", []):
        for note in table.to_pylist():
            found.append(
                tuple(
                    note[key] for key in ("record_no", "column_name", "basis", "flags", "lo", "hi")
                )
            )
    return sorted(found, key=lambda note: int(str(note[0])))


def test_blocks_hold_every_line_once() -> None:
    data = b"Mar  9 01:59:58 h a: 1\n\nx\r\n" * 50 + b"Mar  9 01:59:58 h a: end"
    with small_blocks():
        found = list(stampedlines.blocks(evidence(data)))
    assert len(found) > 10
    assert [block.record(i).raw for block in found for i in range(len(block))] == [
        line.removesuffix(b"\r") for line in data.split(b"\n")
    ]
    assert [block.number for block in found[:3]] == [1, 1 + len(found[0]), found[2].number]
    assert sum(int(block.stamped.sum()) for block in found) == 51


def test_a_real_auth_log_is_read_to_its_last_line(shared_data: Path) -> None:
    path = shared_data / "elastic_logs" / "auth.log"
    assert claimants(path) == ["syslog"]
    found = read("syslog", path, zone="UTC", year=2017)
    assert found.account == {"accepted": 7121, "continued": 0, "skipped": 0, "rejected": 0}
    rows = found.rows["maintenance_event"]
    assert {row["action"] for row in rows} == {"log"}
    assert {row["occurred_at"][:4] for row in rows} == {"2017"}
    assert rows[0]["message"] == "sshd[1291]: Server listening on 0.0.0.0 port 22."
