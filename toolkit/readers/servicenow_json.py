"""Change requests of ServiceNow, as JSON from its Table API.

Source: the Table API of the baseline product, table change_request.
"""

from __future__ import annotations

from typing import ClassVar

from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import Reader, Sink, SourceSettings
from toolkit.ingest.statuspages import Unreadable
from toolkit.ingest.tableapi import ROW_LIMIT, cells, fields, records, times_are_stored
from toolkit.readers.servicenow import OF_A_CHANGE, OF_ANOTHER_TABLE, TEXTS
from toolkit.readers.servicenow import _send as send_change
from toolkit.timestamps import TimeRule

TIME_COLUMNS = ("window_start", "window_end", "closed_at")
CODES = {"state", "type", "risk", "close_code"}
STORED = {TEXTS[column] for column in TIME_COLUMNS} | CODES
READ = {*TEXTS.values(), *CODES}


class ServiceNowJson(Reader):
    """An answer of the Table API for the change_request table."""

    name = "servicenow_json"
    title = "ServiceNow change requests (Table API, JSON)"
    fills = ("change",)
    obtain = (
        "curl 'https://INSTANCE/api/now/table/change_request?sysparm_display_value=all"
        "&sysparm_limit=10000&sysparm_query=…'"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "stored times are UTC; an answer with sysparm_display_value=true holds the times that the"
        " user sees, and needs a zone",
        "without display values, people and assets are sys_ids",
        "the API answers with sysparm_limit rows at most, 10,000 if none was given",
        "only the last state is in the answer: who approved and when is in sysapproval_approver",
        "planned start and end may have been typed after the fact",
    )
    sample = b"""{"result":[{"number":{"display_value":"CHG0039901","value":"CHG0039901"},
"type":{"display_value":"Normal","value":"normal"},
"short_description":{"display_value":"Replace shelf 4","value":"Replace shelf 4"},
"risk":{"display_value":"Moderate","value":"3"},"state":{"display_value":"Closed","value":"3"},
"cmdb_ci":{"display_value":"arr-example-1","link":"https://example.org/x","value":"0f2bexample"},
"start_date":{"display_value":"2022-02-01 14:00:00","value":"2022-02-01 21:00:00"},
"end_date":{"display_value":"2022-02-01 16:00:00","value":"2022-02-01 23:00:00"},
"close_code":{"display_value":"Successful","value":"successful"}}]}
"""

    def matches(self, file: EvidenceFile) -> bool:
        found = fields(file)
        return (
            found is not None
            and "number" in found
            and len(found & OF_A_CHANGE) >= 2
            and not found & OF_ANOTHER_TABLE
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        result = records(file)
        if times_are_stored(file, result, settings):
            for column in TIME_COLUMNS:
                sink.rule(column, TimeRule(zone="UTC"))
        for record, change in file.elements(result):
            try:
                found = cells(change, READ, STORED)
            except Unreadable as fault:
                sink.reject(record, fault.code, fault.reason, field=fault.field or None)
            else:
                send_change(record, found, sink)
        if len(result) >= ROW_LIMIT:
            sink.incomplete("as many rows as the API answers with, if no limit was given")
