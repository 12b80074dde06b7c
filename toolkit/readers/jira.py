"""Issues of Jira with their changelog, as the search of its REST API answers.

An issue whose type is a change is also a registered change; its windows, risk and kind stand in
custom fields, which only the names in the answer (`expand=names`) tell apart.
Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from toolkit.ingest.container import EvidenceFile, Record
from toolkit.ingest.jsonfile import Object, items, load, part, peek, text
from toolkit.ingest.reader import Reader, Row, Sink, SourceSettings, Value

_CHANGE = "change"
# Names of the custom fields of Jira Service Management, as it creates them.
_CUSTOM = {
    "planned start date": "window_start",
    "change start date": "window_start",
    "planned end date": "window_end",
    "change completion date": "window_end",
    "change risk": "risk",
    "change type": "kind",
    "backout plan": "rollback_ref",
    "impact": "impact_ref",
    "affected services": "targets",
    "affected hardware": "targets",
}
_RISK = {"low": "low", "medium": "medium", "high": "high", "critical": "high"}
_OUTCOME = {
    "done": "success", "completed": "success", "successful": "success", "fixed": "success",
    "failed": "failure", "unsuccessful": "failure", "canceled": "cancelled",
    "cancelled": "cancelled", "won't do": "cancelled", "declined": "cancelled",
}  # fmt: skip


class JiraReader(Reader):
    name = "jira"
    title = "Jira issues with changelog (search JSON)"
    fills = ("ticket_event", "change")
    obtain = (
        "curl 'https://SITE/rest/api/3/search/jql?jql=project=CHG&expand=changelog,names&"
        "fields=*all&maxResults=100' > FILE.json"
    )
    traps: ClassVar[tuple[str, ...]] = (
        "without expand=changelog only the creation of an issue is known, without names no field"
        " of a change",
        "the answer is one page, and the changelog of an issue ends after 100 entries",
        "planned dates are custom fields that people type, also afterwards",
        "names of people are display names, which need not be unique",
    )
    sample = (
        b'{"names":{"customfield_10010":"Planned start date","customfield_10011":"Change risk"},'
        b'"issues":[{"id":"10001","key":"CHG-7","fields":{"summary":"Replace shelf 4","issuetype":'
        b'{"name":"Change"},"status":{"name":"Closed"},"created":"2022-03-01T10:02:03.000-0700",'
        b'"reporter":{"displayName":"op-x"},"assignee":{"displayName":"op-y"},"resolution":{"name":'
        b'"Done"},"resolutiondate":"2022-03-09T03:10:00.000-0700","customfield_10010":'
        b'"2022-03-09T02:00:00.000-0700","customfield_10011":{"value":"High"}},"changelog":'
        b'{"startAt":0,"maxResults":100,"total":1,"histories":[{"id":"1","author":{"displayName":'
        b'"op-z"},"created":"2022-03-08T09:00:11.321-0700","items":[{"field":"status","fieldtype":'
        b'"jira","fromString":"Review","toString":"Approved"}]}]}}],"isLast":true}\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        if not isinstance(file.json, dict) or not isinstance(file.json.get("issues"), list):
            return False
        found = peek(file, "issues")
        return bool(found) and all(
            {"key", "fields"} <= each.keys() and "issuetype" in part(each, "fields")
            for each in found
        )

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        answer = load(file)
        names = {
            key: _CUSTOM[label.lower()]
            for key, label in part(answer, "names").items()
            if isinstance(label, str) and label.lower() in _CUSTOM
        }
        for record, element in file.elements(list(_elements(answer))):
            if not isinstance(element["issue"], dict) or not isinstance(element["entry"], dict):
                sink.reject(record, "RECORD_SHAPE", "the record is not a JSON object")
            elif text(element["issue"], "key") is None:
                sink.reject(record, "ID_MISSING", "the issue has no key", field="key")
            elif element["entry"]:
                _send_entry(record, element["issue"], element["entry"], sink)
            else:
                _send_issue(record, element["issue"], names, sink)
        _check_limits(answer, sink)


def _elements(answer: Any) -> Iterator[dict[str, Any]]:
    """Every issue, and every entry of its changelog with what it belongs to."""
    issues = part(answer).get("issues")
    for issue in issues if isinstance(issues, list) else ():
        yield {"issue": issue, "entry": {}}
        if not isinstance(issue, dict):
            continue
        about = {
            "key": issue.get("key"),
            "fields": {"summary": part(issue, "fields").get("summary")},
        }
        histories = part(issue, "changelog").get("histories")
        for entry in histories if isinstance(histories, list) else ():
            yield {"issue": about, "entry": entry or None}


def _send_issue(record: Record, issue: Object, names: Mapping[str, str], sink: Sink) -> None:
    fields = part(issue, "fields")
    created: Row = {
        "occurred_at": text(fields, "created"),
        "ticket_id": text(issue, "key"),
        "state": "created",
        "actor": _person(fields, "creator") or _person(fields, "reporter"),
        "title": text(fields, "summary"),
    }
    rows: list[tuple[str, Row]] = [("ticket_event", created)]
    notes: list[tuple[str, str]] = []
    kind = text(fields, "issuetype", "name") or ""
    if _CHANGE in kind.lower():
        rows.append(("change", _change(issue, fields, names, notes)))
    if sink.accept(record, *rows):
        for column, raw in notes:
            sink.note(record, column, "UNKNOWN_WORD", raw)


def _change(
    issue: Object, fields: Object, names: Mapping[str, str], notes: list[tuple[str, str]]
) -> Row:
    row: dict[str, Value] = {
        "change_id": text(issue, "key"),
        "title": text(fields, "summary"),
        "requested_by": _person(fields, "reporter"),
        "implementer": _person(fields, "assignee"),
        "closed_at": text(fields, "resolutiondate"),
    }
    for key, column in names.items():
        value = _value(fields.get(key))
        if value is not None:
            row[column] = value
    risk = row.get("risk")
    if risk is not None:
        row["risk"] = _RISK.get(str(risk).lower())
        if row["risk"] is None:
            notes.append(("risk", str(risk)))
    if str(row.get("kind", "")).lower() == "emergency":
        row["emergency"] = True
    resolution = text(fields, "resolution", "name")
    if resolution is not None:
        row["outcome"] = _OUTCOME.get(resolution.lower(), "unknown")
        if row["outcome"] == "unknown":
            notes.append(("outcome", resolution))
    return row


def _send_entry(record: Record, issue: Object, entry: Object, sink: Sink) -> None:
    states = [
        text(each, "toString") for each in items(entry, "items") if each.get("field") == "status"
    ]
    if not states:
        sink.skip(record, "no change of state")
        return
    rows: list[tuple[str, Row]] = [
        (
            "ticket_event",
            {
                "occurred_at": text(entry, "created"),
                "ticket_id": text(issue, "key"),
                "state": state,
                "actor": _person(entry, "author"),
                "title": text(issue, "fields", "summary"),
            },
        )
        for state in states
    ]
    sink.accept(record, *rows)


def _person(value: Object, key: str) -> str | None:
    """A person by login where the server has logins, else by the name that it shows."""
    return (
        text(value, key, "name") or text(value, key, "displayName") or text(value, key, "accountId")
    )


def _value(value: Any) -> str | None:
    """A custom field as text: a scalar, a choice, or a list of them."""
    if isinstance(value, list):
        return ";".join(each for one in value if (each := _value(one))) or None
    if isinstance(value, dict):
        return text(value, "value") or text(value, "name")
    return text(value)


def _check_limits(answer: Any, sink: Sink) -> None:
    issues = items(answer, "issues")
    total = part(answer).get("total")
    if part(answer).get("isLast") is False or text(answer, "nextPageToken"):
        sink.incomplete("the answer says that there are further issues")
    elif isinstance(total, int) and total > len(issues):
        sink.incomplete(f"the answer holds {len(issues)} of {total} issues")
    for issue in issues:
        log = part(issue, "changelog")
        found = log.get("histories")
        held, total = len(found) if isinstance(found, list) else 0, log.get("total")
        if isinstance(total, int) and total > held:
            sink.incomplete("the changelog of an issue holds its first entries only")
