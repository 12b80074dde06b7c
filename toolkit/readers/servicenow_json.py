"""Change requests of ServiceNow, as JSON from its Table API.

Source: the Table API of the baseline product. With `sysparm_display_value=all`, every field is an
object of its stored value and of what the user sees; stored times are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.reader import Reader, Sink, SourceSettings
from toolkit.ingest.statuspages import Unreadable, document, text
from toolkit.readers.servicenow import OF_A_CHANGE, TEXTS
from toolkit.readers.servicenow import _send as send_change
from toolkit.timestamps import TimeRule

TIME_COLUMNS = ("window_start", "window_end", "closed_at")
TIMES = {TEXTS[column] for column in TIME_COLUMNS}
# Codes mean the same in every language; of references, the stored value is a bare sys_id.
CODES = {"state", "type", "risk", "close_code"}
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
        value = file.json
        if not isinstance(value, dict) or not isinstance(value.get("result"), list):
            return False
        return bool(value["result"]) and all(
            isinstance(each, dict) and "number" in each and len(each.keys() & OF_A_CHANGE) >= 2
            for each in value["result"]
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        value = document(file, "download it again, as the API's answer")
        result = value.get("result") if isinstance(value, dict) else None
        if not isinstance(result, list):
            raise EvidenceRefused(
                "the answer has no list named result",
                path=file.path,
                field="result",
                remedy="give the API's answer, unchanged",
            )
        if _holds_stored_times(result):
            for column in TIME_COLUMNS:
                sink.rule(column, TimeRule(zone="UTC"))
        elif settings.zone is None:
            raise EvidenceRefused(
                "the answer does not show whether its times are stored ones, which are UTC",
                path=file.path,
                remedy="ask the API with sysparm_display_value=all, or state the time zone of the"
                " user who asked as zone in the case file, or as --zone",
            )
        for record, change in file.elements(result):
            try:
                cells = _cells(change)
            except Unreadable as fault:
                sink.reject(record, fault.code, fault.reason, field=fault.field or None)
            else:
                send_change(record, cells, sink)
        if len(result) >= 10_000:
            sink.incomplete("as many rows as the API answers with, if no limit was given")


def _holds_stored_times(result: list[Any]) -> bool:
    """Whether fields are objects with their stored value, or bare values with bare references."""
    fields = [each for change in result if isinstance(change, dict) for each in change.values()]
    objects = [each for each in fields if isinstance(each, dict)]
    if objects:
        return all("value" in each for each in objects)
    # Without references, only the code of a state tells stored values from displayed ones.
    states = [str(each.get("state", "")) for each in result if isinstance(each, dict)]
    return bool(states) and all(state.lstrip("-").isdigit() for state in states)


def _cells(change: Any) -> dict[str, str]:
    """The change as plain cells; raises `Unreadable` for a field that is none."""
    if not isinstance(change, dict):
        raise Unreadable("", "not a JSON object", "RECORD_SHAPE")
    values = {
        name: _value(name, each) if isinstance(each, dict) else each
        for name, each in change.items()
    }
    return {name: text(values, name) or "" for name in values if name in READ}


def _value(name: str, field: Mapping[str, Any]) -> Any:
    stored, shown = field.get("value"), field.get("display_value")
    if name in TIMES or name in CODES:
        return shown if stored is None else stored
    return stored if shown is None else shown
