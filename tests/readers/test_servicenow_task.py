"""Change tasks: work that was done, closed, or only planned."""

from __future__ import annotations

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.readers.servicenow_task import ServiceNowTask

HEADER = "number,change_request,change_task_type,work_start,work_end,closed_at,close_code"


def task(row: str) -> dict[str, object]:
    found = read("servicenow_task", f"{HEADER}\n{row}\n", zone="UTC")
    assert found.rejects == []
    return found.only("maintenance_event")


def test_the_golden_export_reads_as_expected() -> None:
    check_golden("servicenow_task")


def test_the_golden_answer_of_the_api_reads_as_expected() -> None:
    check_golden("servicenow_task", "servicenow_task_json")


def test_times_without_a_zone_refuse_the_file() -> None:
    with pytest.raises(EvidenceRefused, match="the times carry no zone"):
        read("servicenow_task", ServiceNowTask.sample)


def test_a_task_is_what_its_type_says_at_its_actual_start() -> None:
    row = task("CTASK1,CHG1,testing,2022-03-09 01:00:00,2022-03-09 01:10:00,,successful")
    assert (row["action"], row["outcome"]) == ("testing", "success")
    assert row["occurred_at"] == "2022-03-09T01:00:00+00:00"
    assert row["ended_at"] == "2022-03-09T01:10:00+00:00"


def test_a_task_that_was_only_closed_is_not_taken_for_an_act_at_that_time() -> None:
    row = task("CTASK1,CHG1,implementation,,,2022-03-09 03:00:00,successful")
    assert row["action"] == "log"


def test_a_task_that_neither_began_nor_ended_is_a_plan() -> None:
    found = read("servicenow_task", f"{HEADER}\nCTASK1,CHG1,planning,,,,\n", zone="UTC")
    assert found.account["skipped"] == 1


def test_changes_are_not_taken_for_tasks() -> None:
    header = "number,type,state,start_date,end_date,close_code"
    assert claimants(f"{header}\nCHG1,Normal,New,,,\n") == ["servicenow"]


@pytest.mark.parametrize("header", ["number,work_start,work_end", f"{HEADER},closed_at"])
def test_a_header_without_the_change_or_with_a_column_twice_is_refused(header: str) -> None:
    with pytest.raises(EvidenceRefused):
        read("servicenow_task", f"{header}\n", zone="UTC")
