"""OSCAL assessment results: what each rule tested, on how many operations, with what result.

Source: NIST OSCAL 1.1.3, assessment results model (https://pages.nist.gov/OSCAL).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from toolkit.export.writing import Written, identifier, instant, write_json
from toolkit.report import CaseFacts
from toolkit.report.facts import Pointer
from toolkit.store import Store

TITLE = "OSCAL 1.1.3 assessment results (JSON)"
NAME = "oscal-assessment-results.json"

_NS = "urn:postmortem-toolkit:oscal"
_NIST = re.compile(r"nist800-53r5:([A-Z]{2})-(\d+)(?:\((\d+)\))?")
# What Markdown would take for markup; text of the evidence is never markup.
_MARKUP = re.compile(r"([\\`*_\[\]<>~^&\"])")

Item = dict[str, Any]


def export(store: Store, facts: CaseFacts, target: Path) -> Written:
    """Observations of every rule and every exception; a finding for each rule that was decided.

    OSCAL knows a test as satisfied or not satisfied only. A rule that did not run, had nothing to
    test, or leaves a question open has an observation, and no finding.
    """
    told = _Results(facts)
    for rule in facts.rows("rule_catalogue"):
        told.add(rule, [row for row in facts.rows("finding") if row["rule"] == rule["rule"]])
    write_json(target, {"assessment-results": told.document()})
    counts = {
        "observations": len(told.observations), "findings": len(told.findings),
        "risks": len(told.risks),
    }  # fmt: skip
    left_out = (f"findings of {_listed(told.open)}: not decided by the evidence",) * bool(told.open)
    return Written(target, counts, left_out)


class _Results:
    def __init__(self, facts: CaseFacts) -> None:
        self._facts = facts
        self.observations: list[Item] = []
        self.findings: list[Item] = []
        self.risks: list[Item] = []
        self.open: list[str] = []
        self._controls: set[str] = set()
        self._collected = instant(facts.dated)
        current = [row["version"] for row in facts.rows("review_state") if row["is_current"]]
        self._decided = {
            row["finding_id"]: row["decision"]
            for row in facts.rows("review_decision")
            if row["version"] in current and row["decision"]
        }

    def add(self, rule: Item, rows: Sequence[Item]) -> None:
        counts = Counter(row["status"] for row in rows)
        name = rule["rule"]
        self._controls |= set(_control_ids(rule["controls"]))
        whole = self._observe(
            [name], f"{name}: {rule['slug']}", _sentence(rule["criteria"], rows, counts),
            [_prop("rule", name),
             *(_prop(f"count-{each}", number) for each, number in sorted(counts.items()))],
            [],
        )  # fmt: skip
        exceptions = [
            self._observe(
                [name, row["finding_id"]], f"{name}: exception", row["reason"],
                [_prop("rule", name), _prop("finding", row["finding_id"]),
                 _prop("severity", row["severity"]),
                 _prop("board", self._decided.get(row["finding_id"], "undecided"))],
                row["evidence"] or [],
            )
            for row in rows if row["status"] == "exception"
        ]  # fmt: skip
        if exceptions:
            self._find(rule, [whole, *exceptions], "not-satisfied")
        elif counts["ok"] and not counts["undetermined"]:
            self._find(rule, [whole], "satisfied")
        else:
            self.open.append(name)

    def _observe(
        self, key: Iterable[str], title: str, told: str, props: list[Item], evidence: list[str]
    ) -> str:
        uuid = identifier(self._facts, "observation", *key)
        item: Item = {
            "uuid": uuid, "title": _line(title), "description": _prose(told), "props": props,
            "methods": ["TEST"], "collected": self._collected,
        }  # fmt: skip
        if relevant := [found for each in evidence if (found := self._evidence(each))]:
            item["relevant-evidence"] = relevant
        self.observations.append(item)
        return uuid

    def _evidence(self, cited: str) -> Item | None:
        pointer = Pointer.read(cited)
        source = self._facts.sources.get(pointer.source_id) if pointer else None
        if pointer is None or source is None:
            return None
        return {
            "href": f"#{self._resource(source)}",
            "description": _prose(f"Record {pointer.record_no} of {source['path']}"),
            "props": [_prop("pointer", cited), _prop("sha256", source["sha256"])],
        }

    def _find(self, rule: Item, observed: Sequence[str], state: str) -> None:
        name = rule["rule"]
        finding: Item = {
            "uuid": identifier(self._facts, "finding", name),
            "title": _line(rule["title"] if state == "not-satisfied" else f"{name} holds"),
            "description": _prose(rule["criteria"]),
            "props": [
                _prop("rule-class", rule["rule_class"]),
                *(_prop("control", each) for each in rule["controls"]),
            ],
            "target": {"type": "objective-id", "target-id": name, "status": {"state": state}},
            "related-observations": [{"observation-uuid": uuid} for uuid in observed],
        }
        if state == "not-satisfied":
            uuid = identifier(self._facts, "risk", name)
            self.risks.append({
                "uuid": uuid, "title": _line(rule["title"]),
                "description": _prose(rule["criteria"]), "statement": _prose(rule["effect"]),
                "props": [_prop("severity", rule["severity"])], "status": "open",
                "remediations": [{
                    "uuid": identifier(self._facts, "remediation", name),
                    "lifecycle": "recommendation", "title": _line(f"{name}: recommendation"),
                    "description": _prose(rule["recommendation"]),
                }],
                "related-observations": [{"observation-uuid": each} for each in observed],
            })  # fmt: skip
            finding["related-risks"] = [{"risk-uuid": uuid}]
        self.findings.append(finding)

    def document(self) -> Item:
        facts = self._facts
        plan = identifier(facts, "plan")
        starts = [row["first_at"] for row in facts.sources.values() if row["first_at"]]
        start = facts.window_start or (min(starts) if starts else facts.dated)
        controls = [{"control-id": each} for each in sorted(self._controls)]
        selection: Item = {"include-controls": controls} if controls else {"include-all": {}}
        result: Item = {
            "uuid": identifier(facts, "result"),
            "title": _line(f"Tests of {facts.title}"),
            "description": _prose(f"Evidence of {facts.window}; case digest {facts.digest}."),
            "start": instant(start),
            "end": self._collected,
            "reviewed-controls": {"control-selections": [selection]},
        }
        for name in ("observations", "risks", "findings"):
            if found := getattr(self, name):
                result[name] = found
        return {
            "uuid": identifier(facts, "assessment-results"),
            "metadata": {
                "title": _line(facts.title), "last-modified": self._collected,
                "version": facts.digest, "oscal-version": "1.1.3",
            },
            "import-ap": {"href": f"#{plan}"},
            "results": [result],
            "back-matter": {"resources": [
                {"uuid": plan, "title": "The rules of the case",
                 "description": _prose("There is no assessment plan in OSCAL: the rules are SQL "
                                       "files, sealed with the case.")},
                *(self._source(row) for _, row in sorted(facts.sources.items())),
            ]},
        }  # fmt: skip

    def _source(self, source: Item) -> Item:
        return {
            "uuid": self._resource(source), "title": _line(source["path"]),
            "rlinks": [{
                "href": quote(source["path"]),
                "hashes": [{"algorithm": "SHA-256", "value": source["sha256"]}],
            }],
        }  # fmt: skip

    def _resource(self, source: Item) -> str:
        return identifier(self._facts, "source", source["source_id"])


def _control_ids(controls: Iterable[str]) -> Iterable[str]:
    for each in controls:
        if found := _NIST.match(each):
            family, number, part = found.groups()
            yield f"{family.lower()}-{number}" + (f".{part}" if part else "")


def _sentence(criteria: str, rows: Sequence[Item], counts: Counter[str]) -> str:
    if set(counts) == {"not_run"}:
        return f"{criteria} The rule did not run: {rows[0]['reason']}"
    told = ", ".join(f"{n} {each.replace('_', ' ')}" for each, n in sorted(counts.items()))
    return f"{criteria} Tested: {told or 'nothing'}."


def _prop(name: str, value: object) -> Item:
    return {"name": name, "ns": _NS, "value": _line(str(value))}


def _line(text: str) -> str:
    return " ".join(text.split()) or "not stated"


def _prose(text: str) -> str:
    return _MARKUP.sub(r"\\\1", _line(text))


def _listed(names: Sequence[str]) -> str:
    return f"{len(names)} rules ({', '.join(names)})"
