"""Logs without a year, and what other tools lose of a log: the whole file is read at once."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from reading import Reading, read

FOLDER = Path(__file__).parent / "years"


def read_copy(name: str, folder: Path, written: str) -> Reading:
    """Read a copy of the file that was written at a time; no year is declared."""
    place = Path(shutil.copyfile(FOLDER / f"{name}.log", folder / "messages"))
    at = datetime.fromisoformat(written).replace(tzinfo=UTC).timestamp()
    os.utime(place, (at, at))
    return read("syslog", place, zone="UTC")


@pytest.mark.parametrize(
    ("name", "written", "years", "account"),
    [
        pytest.param(
            "turn_of_the_year", "2017-02-03", {"2016": 6, "2017": 8}, (14, 0, 0),
            id="a late line of December stays in the old year",
        ),
        pytest.param(
            "two_hosts_interleaved", "2017-06-01", {"2017": 40}, (40, 0, 0),
            id="two hosts, eight days apart, are of one year",
        ),
        pytest.param(
            "leap_day", "2016-03-03", {"2016": 5}, (5, 0, 0), id="February 29 is of a leap year"
        ),
        pytest.param(
            "leap_day", "2019-03-03", {"2016": 5}, (5, 0, 0),
            id="February 29 is of the last leap year before the file was written",
        ),
        pytest.param(
            "stack_trace", "2022-03-10", {"2022": 20}, (20, 25, 0),
            id="the frames of a stack trace continue their event",
        ),
        pytest.param(
            "bad_lines", "2022-03-10", {"2022": 1100}, (1100, 0, 25),
            id="bad lines in a row are rejected one by one and end nothing",
        ),
        pytest.param(
            "fractions", "2030-01-01", {"2022": 204}, (204, 0, 0),
            id="lines with and without fractions of a second are read alike",
        ),
        pytest.param(
            "repeats", "2022-03-10", {"2022": 5}, (5, 0, 0), id="equal lines are kept, every one"
        ),
    ],
)  # fmt: skip
def test_every_line_is_accounted_for_in_the_right_year(
    name: str, written: str, years: dict[str, int], account: tuple[int, int, int], tmp_path: Path
) -> None:
    found = read_copy(name, tmp_path, written)
    rows = found.rows["maintenance_event"]
    assert Counter(row["occurred_at"][:4] for row in rows) == years
    assert account == tuple(found.account[key] for key in ("accepted", "continued", "rejected"))
    inferred = [flags for _, _, flags in found.time_notes if "year_inferred" in flags]
    assert len(inferred) == (0 if name == "fractions" else len(rows))
    assert all("file_time_used" in flags for flags in inferred)


def test_a_late_line_is_told_from_a_second_turn_of_the_year(tmp_path: Path) -> None:
    found = read_copy("turn_of_the_year", tmp_path, "2017-02-03")
    late = [number for number, _, flags in found.time_notes if "out_of_order" in flags]
    assert late == [10]
    (row,) = [row for row in found.rows["maintenance_event"] if row["record_no"] == 10]
    assert row["occurred_at"].startswith("2016-12-31T23:59:58")
