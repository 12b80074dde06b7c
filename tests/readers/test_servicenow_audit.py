"""The audit trail: what was changed in which record."""

from __future__ import annotations

import pytest
from reading import check_golden, claimants, read

from toolkit.errors import EvidenceRefused
from toolkit.readers.servicenow_audit import ServiceNowAudit

HEADER = "tablename,documentkey,fieldname,oldvalue,newvalue,sys_created_on,user"


def test_the_golden_export_reads_as_expected() -> None:
    check_golden("servicenow_audit")


def test_the_golden_answer_of_the_api_reads_as_expected() -> None:
    check_golden("servicenow_audit", "servicenow_audit_json")


def test_times_without_a_zone_refuse_the_file() -> None:
    with pytest.raises(EvidenceRefused, match="the times carry no zone"):
        read("servicenow_audit", ServiceNowAudit.sample)


def test_a_header_of_labels_is_claimed_like_one_of_element_names() -> None:
    header = "Table name,Document key,Field name,Old value,New value,Created,User"
    row = "incident,abc,incident_state,1,2,2022-03-09 01:00:00,op-x"
    assert claimants(f"{header}\n{row}\n") == ["servicenow_audit"]
    found = read("servicenow_audit", f"{header}\n{row}\n", zone="UTC").only("ticket_event")
    assert (found["ticket_id"], found["state"]) == ("abc", "2")


def test_a_change_of_a_field_is_no_act_on_an_asset() -> None:
    row = f"change_request,CHG0000001,notes,,{'x' * 900},2022-03-09 01:00:00,op-x"
    found = read("servicenow_audit", f"{HEADER}\n{row}\n", zone="UTC").only("maintenance_event")
    assert (found["action"], found["change_id"]) == ("log", "CHG0000001")
    assert len(found["message"]) < 600
