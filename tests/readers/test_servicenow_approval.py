"""Approvals: decisions, and requests that nobody decided on."""

from __future__ import annotations

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.readers.servicenow_approval import ServiceNowApproval


def test_the_golden_export_reads_as_expected() -> None:
    check_golden("servicenow_approval")


def test_the_golden_answer_of_the_api_reads_as_expected() -> None:
    check_golden("servicenow_approval", "servicenow_approval_json")


def test_times_without_a_zone_refuse_the_file() -> None:
    with pytest.raises(EvidenceRefused, match="the times carry no zone"):
        read("servicenow_approval", ServiceNowApproval.sample)


def test_a_header_of_labels_is_read_like_one_of_element_names() -> None:
    data = "State,Approver,Approval for,Updated\nApproved,op-z,CHG1,2022-03-09 01:00:00\n"
    assert claimants(data) == ["servicenow_approval"]
    row = read("servicenow_approval", data, zone="UTC").only("approval")
    assert (row["change_id"], row["approver"]) == ("CHG1", "op-z")


@pytest.mark.parametrize("state", ["Requested", "Not Yet Requested", "No Longer Required", ""])
def test_a_request_without_a_decision_is_no_approval(state: str) -> None:
    data = f"state,approver,sysapproval,sys_updated_on\n{state},op-z,CHG1,2022-03-09 01:00:00\n"
    found = read("servicenow_approval", data, zone="UTC")
    assert found.account["skipped"] == 1


def test_a_word_that_may_be_either_is_rejected_not_guessed() -> None:
    data = "state,approver,sysapproval,sys_updated_on\nGenehmigt,op-z,CHG1,2022-03-09 01:00:00\n"
    found = read("servicenow_approval", data, zone="UTC")
    assert found.rejects == [(2, "state", "WORD_UNKNOWN")]
