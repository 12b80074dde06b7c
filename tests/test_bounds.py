"""An interval that a report prints holds the one on record; times are as fine as the incident."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from test_revisions import rebuilt

from toolkit import report, resources
from toolkit.analysis import attribution
from toolkit.report import figures
from toolkit.report.facts import CaseFacts
from toolkit.report.incident import Incident
from toolkit.report.words import SECOND, fine, rounded_up, span, spans
from toolkit.store import Store

START = datetime(2026, 11, 22, 18, 3, 13, 671_000, tzinfo=UTC)
END = datetime(2026, 11, 22, 18, 3, 15, 405_000, tzinfo=UTC)


def test_a_duration_that_is_a_bound_is_rounded_outward() -> None:
    assert (span(72.8, "least"), span(74.2, "most")) == (
        "1\u00a0min 12\u00a0s",
        "1\u00a0min 15\u00a0s",
    )
    assert spans(72.8, 74.2) == "between 1\u00a0min 12\u00a0s and 1\u00a0min 15\u00a0s"
    assert (span(7259, "least"), span(7259, "most")) == ("2\u00a0h", "2\u00a0h 1\u00a0min")
    assert (span(90_001, "least"), span(90_001, "most")) == (
        "1\u00a0d 1\u00a0h",
        "1\u00a0d 2\u00a0h",
    )
    assert (span(-72.2, "least"), span(-72.8, "most")) == (
        "−1\u00a0min 13\u00a0s",
        "−1\u00a0min 12\u00a0s",
    )
    assert (fine(0.1004, "least"), fine(0.1004, "most")) == ("+0.100\u00a0s", "+0.101\u00a0s")
    assert (fine(0.1, "least"), fine(0.1, "most")) == ("+0.100\u00a0s",) * 2
    assert (fine(-0.1004, "least"), fine(-0.1004, "most")) == ("-0.101\u00a0s", "-0.100\u00a0s")


def test_the_latest_instant_is_rounded_up_and_the_last_of_all_stays() -> None:
    assert rounded_up(END, SECOND) == datetime(2026, 11, 22, 18, 3, 16, tzinfo=UTC)
    whole = END.replace(microsecond=0)
    assert rounded_up(whole, SECOND) == whole
    last = datetime.max.replace(tzinfo=UTC)
    assert rounded_up(last, SECOND) == last


def test_a_lag_of_a_step_holds_the_one_on_record() -> None:
    assert attribution._lag(72.8, 74.495) == "between 72 s and 75 s before the onset"
    assert attribution._lag(3 * 60 + 10, 50 * 60 + 5) == "between 3 min and 51 min before the onset"
    assert attribution._lag(7000, 7300) == "between 1.9 h and 2.1 h before the onset"
    assert attribution._lag(-1, 89.2) == "at most 90 s before the onset, if not after it"


def test_sentences_of_rules_and_relations_round_bounds_outward() -> None:
    with Store.create() as store:
        store.load("policy", {"key": "varchar", "value": "varchar"}, [])
        path = resources.queries() / "macros" / "macros.sql"
        store.execute(path.read_text(encoding="utf-8"))
        for sql, told in (
            (f"utc_bound(timestamptz '{END}')", "2026-11-22 18:03:16 UTC"),
            ("utc_bound(timestamptz '2026-11-22 18:03:15+00')", "2026-11-22 18:03:15 UTC"),
            ("in_words(up_to(86399999999))", "1 d 0 h"),
            ("in_words(up_to(3599999999))", "1 h 0 min"),
            ("in_words(up_to(999999))", "1.000 s"),
            ("thousandths(floor(thousand(2.0004::double)))::varchar", "2.000"),
            ("thousandths(ceil(thousand(2.0004::double)))::varchar", "2.001"),
            ("thousandths(ceil(thousand(1.001::double)))::varchar", "1.001"),
        ):
            assert store.value(f"select {sql}") == told, sql


def test_an_interval_in_a_table_holds_the_one_on_record() -> None:
    with Store.create() as store:
        facts = CaseFacts(store)
        assert facts.between(START, END) == (
            "between 2026-11-22 18:03:13 UTC and 2026-11-22 18:03:16 UTC"
        )
        assert facts.between(None, END) == "not after 2026-11-22 18:03:16 UTC"
        # What the minute would tell as one instant is told to the second.
        assert facts.days(START, END) == "2026-11-22 18:03:13 … 18:03:16"
        assert facts.days(START, END + timedelta(minutes=5)) == "2026-11-22 18:03 … 18:09"
        assert facts.days(START, END + timedelta(hours=6)) == "2026-11-22 18:03 … 2026-11-23 00:04"
        assert facts.days(None, END) == "not after 2026-11-22 18:04"
        # A record that states the minute is no interval of seconds.
        minute = datetime(2026, 11, 22, 18, 3, tzinfo=UTC)
        assert facts.days(minute, minute + timedelta(seconds=59.999999)) == "2026-11-22 18:03"
        assert facts.days(START, START) == "2026-11-22 18:03"
        onset = {"onset_lo": START, "onset_hi": END, "onset_at": START + (END - START) / 2}
        assert figures._began(facts, onset) == (
            "between 18:03:13 and 18:03:16 UTC; best estimate 18:03:14"
        )


@pytest.mark.parametrize(
    ("seconds", "told"), [(10, "2026-11-22 18:05:20"), (3600, "2026-11-23 14:00")]
)
def test_times_are_told_as_finely_as_the_incident_is_long(
    seconds: int, told: str, tmp_path: Path
) -> None:
    """Jobs of two machines, of which one stops for good after 32 samples."""
    start = datetime(2026, 11, 22, 18, tzinfo=UTC) - timedelta(hours=(seconds == 3600) * 12)
    samples = [
        f"{start + timedelta(seconds=seconds * n):%Y-%m-%dT%H:%M:%SZ},m{machine},"
        + ("failure" if machine == 1 and n >= 32 else "success")
        for n in range(60)
        for machine in (1, 2)
    ]
    jobs = "\n".join(["sampled_at,asset_id,state", *samples, ""])
    with rebuilt(tmp_path, {"replication_sample.csv": jobs}, only=None) as store:
        facts = CaseFacts(store)
        assert facts.step == timedelta(seconds=1 if seconds == 10 else 60)
        (gap,) = facts.rows("protection_gap")
        assert facts.by(gap["started_hi"]) == told
        page = report.render(report.build(store), "review", "md").decode()
        (row,) = [line for line in page.splitlines() if line.startswith("| Onset |")]
        onset = Incident(facts).onset
        assert onset is not None
        assert facts.days(onset["onset_lo"], onset["onset_hi"]) in row
        assert f"… {told[11:]}" in row
