"""ServiceNow change requests: words and local times of an export."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from evidence import GOLDEN, claimed_by, expected, read
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import EvidenceRefused, ToolkitError
from toolkit.readers.servicenow import ServiceNow

# A carriage return inside of a cell is a matter of how files are cut into rows.
WITHOUT_LONE_CR = st.binary(max_size=3).filter(lambda data: b"\r" not in data)
HEADER = "number,type,state,risk,start_date,end_date,close_code"


def change(row: str, header: str = HEADER, **settings: str) -> dict[str, object]:
    found = read("servicenow", f"{header}\n{row}\n".encode(), **{"zone": "UTC", **settings})
    assert found["rejected"] == []
    return found["change"][0]


def test_the_golden_export_reads_as_expected() -> None:
    file = GOLDEN / "servicenow" / "change_request.csv"
    assert read("servicenow", file, zone="America/Denver") == expected("servicenow")


def test_the_sample_is_claimed_by_this_reader_alone() -> None:
    assert claimed_by(ServiceNow.sample) == ["servicenow"]
    assert read("servicenow", ServiceNow.sample, zone="UTC")["accepted"] == 1


def test_an_event_log_of_incidents_is_not_taken_for_changes(shared_data: Path) -> None:
    file = shared_data / "formats" / "uci_incident_event_log_2000.csv"
    assert "servicenow" not in claimed_by(file.read_bytes())


def test_tasks_of_changes_are_not_taken_for_changes() -> None:
    header = "number,change_request,state,work_start,work_end,close_code"
    assert claimed_by(f"{header}\nCTASK1,CHG1,Open,,,\n".encode()) == ["servicenow_task"]


def test_times_without_a_zone_refuse_the_file() -> None:
    with pytest.raises(EvidenceRefused, match="the times carry no zone"):
        read("servicenow", ServiceNow.sample)


def test_a_header_of_labels_is_read_like_one_of_element_names() -> None:
    header = "Number,Type,State,Risk,Planned start date,Planned end date,Close code"
    row = "CHG1,Normal,Closed,Low,2022-03-09 01:00:00,2022-03-09 02:00:00,Unsuccessful"
    assert claimed_by(f"{header}\n{row}\n".encode()) == ["servicenow"]
    assert change(row, header) == change(row)
    assert change(row)["outcome"] == "failure"


def test_other_dates_are_read_by_the_declared_order_only() -> None:
    row = "CHG1,Normal,Closed,Low,03/09/2022 01:00:00,,"
    at = change(row, order="month-first")["window_start"]
    assert at == "2022-03-09T01:00:00+00:00"
    assert change(row, order="day-first")["window_start"] == "2022-09-03T01:00:00+00:00"


def test_an_order_that_a_row_proves_need_not_be_declared() -> None:
    proof = "CHG1,Normal,Closed,Low,22.11.2026 18:55:00,03.12.2026 19:55:00,Successful"
    row = change(proof)
    assert row["window_start"] == "2026-11-22T18:55:00+00:00"
    assert row["window_end"] == "2026-12-03T19:55:00+00:00"


def test_empty_cells_are_absent_values_not_false_ones() -> None:
    assert change("CHG1,,,,,,") == {"record_no": 2, "change_id": "CHG1"}


@pytest.mark.parametrize(
    ("risk", "word"),
    [("1", "high"), ("2", "high"), ("3", "medium"), ("4", "low"), ("High", "high")],
)
def test_risk_is_read_from_its_code_or_its_label(risk: str, word: str) -> None:
    assert change(f"CHG1,Normal,Closed,{risk},,,")["risk"] == word


def test_a_cancelled_change_was_not_carried_out_whatever_its_close_code_says() -> None:
    for state in ("4", "Canceled", "Cancelled"):
        assert change(f"CHG1,Normal,{state},Low,,,successful")["outcome"] == "cancelled"


def test_ten_thousand_rows_mean_that_the_export_may_be_cut() -> None:
    rows = "\n".join(f"CHG{n},Normal,New,Low,,," for n in range(10_000))
    found = read("servicenow", f"{HEADER}\n{rows}\n".encode(), zone="UTC")
    assert found["accepted"] == 10_000
    assert found["incomplete"]


@pytest.mark.parametrize("header", ["type,state,start_date,end_date", "number,number,type,risk"])
def test_a_header_that_does_not_name_the_number_once_is_refused(header: str) -> None:
    with pytest.raises(EvidenceRefused):
        read("servicenow", f"{header}\n1,2,3,4\n".encode(), zone="UTC")


@given(position=st.integers(0, 600), mutation=WITHOUT_LONE_CR)
def test_mutated_exports_are_accounted_for_or_refused(position: int, mutation: bytes) -> None:
    data = ServiceNow.sample[:position] + mutation + ServiceNow.sample[position + 1 :]
    with suppress(ToolkitError):
        read("servicenow", data, zone="America/Denver")
