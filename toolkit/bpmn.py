"""Procedures from BPMN 2.0: what must go before what, what must happen, what excludes what.

Of the diagram only what holds of every complete run is taken: a step needs the tasks that every run
has done before it, is mandatory where no run ends without it, and excludes the steps of the other
branches of an exclusive choice. Sets of tasks are found as fixed points over the sequence flows: an
exclusive merge knows what all its branches have in common, a parallel join what any of them has.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from toolkit.errors import UsageError

NAMESPACE = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
TASKS = frozenset(
    {"task", "userTask", "manualTask", "serviceTask", "scriptTask", "sendTask", "receiveTask",
     "businessRuleTask"}
)  # fmt: skip
PASSED = {
    "subProcess": "the content of the sub-process",
    "adHocSubProcess": "the content of the sub-process",
    "transaction": "the content of the transaction",
    "callActivity": "the process that is called by",
    "intermediateCatchEvent": "the event",
    "intermediateThrowEvent": "the event",
    "complexGateway": "the condition of the gateway",
}
NODES = TASKS | PASSED.keys() | frozenset(
    {"startEvent", "endEvent", "boundaryEvent", "exclusiveGateway", "parallelGateway",
     "inclusiveGateway", "eventBasedGateway"}
)  # fmt: skip
EXCLUSIVE = frozenset({"exclusiveGateway", "eventBasedGateway"})
NOT_FLOW = {
    "messageFlow": "message flow",
    "dataObject": "data object",
    "association": "association",
    "textAnnotation": "annotation",
}


@dataclass(slots=True)
class Graph:
    """The sequence flows of one process; kinds are BPMN's element names."""

    kind: dict[str, str] = field(default_factory=dict)
    name: dict[str, str] = field(default_factory=dict)
    role: dict[str, str] = field(default_factory=dict)
    choosing: set[str] = field(default_factory=set)
    after: dict[str, list[str]] = field(default_factory=dict)
    before: dict[str, list[str]] = field(default_factory=dict)

    def joins_all(self, node: str) -> bool:
        """Whether the node waits for all that leads to it."""
        return self.kind[node] == "parallelGateway"

    def takes_all(self, node: str) -> bool:
        """Whether all that follows the node is done."""
        return (
            self.kind[node] in TASKS | {"parallelGateway", "startEvent"}
            and node not in self.choosing
        )

    def reached(self, first: str, without: Iterable[str] = ()) -> set[str]:
        """The nodes that can be reached from one, itself included."""
        found: set[str] = set()
        pending = [first]
        shut = set(without)
        while pending:
            node = pending.pop()
            if node not in found and node not in shut:
                found.add(node)
                pending += self.after[node]
        return found

    def always(self, *, earlier: bool) -> dict[str, set[str]]:
        """For each node the nodes that every run has passed before it (or passes after it)."""
        near = self.before if earlier else self.after
        united = self.joins_all if earlier else self.takes_all
        found = {node: set(self.kind) if near[node] else set() for node in self.kind}
        is_settled = False
        while not is_settled:
            is_settled = True
            for node in self.kind:
                parts = [found[other] | {other} for other in near[node]]
                if not parts:
                    continue
                merged = set.union(*parts) if united(node) else set.intersection(*parts)
                if merged != found[node]:
                    found[node] = merged
                    is_settled = False
        return found


def read(raw: bytes, path: Path) -> tuple[dict[str, Any], list[str]]:
    """A procedure, as the content of its YAML file, and what was not taken over.

    Raises UsageError where the file is no BPMN 2.0 diagram with one process that has tasks.
    """
    try:
        root = fromstring(raw, forbid_dtd=True)
    except DefusedXmlException:
        raise UsageError(
            "the file declares entities or a document type, which is not read", path=path,
            remedy="export the diagram without them",
        ) from None  # fmt: skip
    except (ParseError, ValueError, LookupError) as error:
        raise UsageError(f"not valid XML: {error}", path=path, remedy="export it again") from None
    if root.tag != f"{NAMESPACE}definitions":
        raise UsageError("no BPMN 2.0 diagram", path=path, remedy="export it as BPMN 2.0 XML")
    left_out: list[str] = []
    process = _process(root, path, left_out)
    graph = _graph(process, path, left_out)
    return _procedure(process, graph, left_out), left_out


def _local(element: Element) -> str:
    return str(element.tag).removeprefix(NAMESPACE)


def _label(element: Element) -> str:
    return " ".join((element.get("name") or element.get("id") or "").split())


def _process(root: Element, path: Path, left_out: list[str]) -> Element:
    with_tasks = [
        process
        for process in root.findall(f"{NAMESPACE}process")
        if any(_local(child) in TASKS for child in process)
    ]
    if len(with_tasks) != 1:
        raise UsageError(
            f"{len(with_tasks)} processes have tasks of their own, and a procedure is one",
            path=path, remedy="export one process that has tasks",
        )  # fmt: skip
    for local, word in NOT_FLOW.items():
        count = sum(1 for _ in root.iter(f"{NAMESPACE}{local}"))
        if count:
            left_out.append(f"{count} × {word}")
    return with_tasks[0]


def _graph(process: Element, path: Path, left_out: list[str]) -> Graph:
    graph = Graph()
    flows: list[tuple[str, str]] = []
    for element in process:
        local, node = _local(element), element.get("id") or ""
        if local == "sequenceFlow":
            flows.append((element.get("sourceRef") or "", element.get("targetRef") or ""))
            if element.find(f"{NAMESPACE}conditionExpression") is not None:
                left_out.append(f"the condition of the flow {_label(element)!r}")
                graph.choosing.add(element.get("sourceRef") or "")
        elif local in NODES:
            if not node or node in graph.kind:
                raise UsageError(
                    f"{local} {_label(element)!r} has no id of its own", path=path,
                    remedy="give every element one",
                )  # fmt: skip
            graph.kind[node] = local
            graph.name[node] = _label(element)
            graph.after[node], graph.before[node] = [], []
            if local == "boundaryEvent":
                flows.append((element.get("attachedToRef") or "", node))
                graph.choosing.add(element.get("attachedToRef") or "")
            left_out += _remarks(element, local)
    for first, second in dict.fromkeys(flows):
        if first not in graph.kind or second not in graph.kind:
            raise UsageError(
                f"a sequence flow leads from {first!r} to {second!r}, which are not both there",
                path=path, remedy="mend the diagram",
            )  # fmt: skip
        graph.after[first].append(second)
        graph.before[second].append(first)
    for lane in process.iter(f"{NAMESPACE}lane"):
        for reference in lane.findall(f"{NAMESPACE}flowNodeRef"):
            graph.role[(reference.text or "").strip()] = _label(lane)
    return graph


def _remarks(element: Element, local: str) -> list[str]:
    found = []
    label = _label(element)
    if local in PASSED:
        found.append(f"{PASSED[local]} {label!r}; the flow passes through it")
    if local == "boundaryEvent":
        found.append(f"the event {label!r}; it counts as another way out of its task")
    for child in element:
        kind = _local(child)
        if kind.endswith("LoopCharacteristics"):
            found.append(f"the repetition of {label!r}")
        if kind.endswith("EventDefinition") and local in ("startEvent", "endEvent"):
            found.append(f"the {kind.removesuffix('EventDefinition')} event {label!r}")
    return found


def _ends_all(process: Element) -> bool:
    return next(process.iter(f"{NAMESPACE}terminateEventDefinition"), None) is not None


def _procedure(process: Element, graph: Graph, left_out: list[str]) -> dict[str, Any]:
    tasks = [node for node, kind in graph.kind.items() if kind in TASKS]
    ids = names([graph.name[task] for task in tasks])
    step = dict(zip(tasks, ids, strict=True))
    earlier = graph.always(earlier=True)
    later = graph.always(earlier=False)
    starts = [node for node in graph.kind if not graph.before[node]]
    if not starts:
        left_out.append("the order of the steps: the flow has no beginning")
        earlier = later = {node: set() for node in graph.kind}
    looped = [task for task in tasks if any(task in graph.reached(n) for n in graph.after[task])]
    for task in looped:
        left_out.append(f"the loop through {graph.name[task]!r}; how often it runs is not judged")
    mandatory: set[str] = set()
    if _ends_all(process):
        left_out.append("which steps are mandatory: an end event ends all branches")
        later = {node: set() for node in graph.kind}
    elif starts:
        mandatory = set.intersection(*(later[node] | {node} for node in starts))
    steps = []
    for task in tasks:
        needed = _nearest(earlier[task] & set(tasks) - {task}, earlier)
        entry: dict[str, Any] = {"id": step[task], "title": graph.name[task]}
        entry["match"] = {"action": literal(graph.name[task])}
        if task in mandatory:
            entry["mandatory"] = True
        if needed:
            entry["needs"] = [step[each] for each in tasks if each in needed]
        if task in graph.role:
            entry["role"] = graph.role[task]
        steps.append(entry)
    rules = []
    for task in tasks:
        if task not in mandatory:
            follow = _nearest(later[task] & set(tasks) - mandatory - {task}, later)
            rules += [("response", task, each) for each in tasks if each in follow]
    rules += [("not_co_existence", *pair) for pair in _exclusive(graph, tasks, earlier, left_out)]
    return {
        "id": names([_label(process)])[0],
        "version": "1",
        "title": _label(process),
        "steps": steps,
        "rules": [
            {"id": f"flow-{number}", "template": template, "a": step[a], "b": step[b]}
            for number, (template, a, b) in enumerate(rules, start=1)
        ],
    }


def _nearest(found: set[str], further: Mapping[str, set[str]]) -> set[str]:
    """Those that do not follow from another one of the set."""
    return {each for each in found if not any(each in further[o] for o in found - {each})}


def _exclusive(
    graph: Graph, tasks: list[str], earlier: Mapping[str, set[str]], left_out: list[str]
) -> list[tuple[str, str]]:
    """Pairs of the first tasks on branches of one choice, where no run can take both."""
    found: dict[tuple[str, str], None] = {}
    for gate in graph.kind:
        branches = graph.after[gate]
        if graph.kind[gate] not in EXCLUSIVE or len(branches) < 2:
            continue
        if _may_repeat(graph, gate):
            left_out.append(
                f"that the branches of {graph.name[gate]!r} exclude one another; it can be "
                "passed more than once"
            )
            continue
        reached = [graph.reached(branch) for branch in branches]
        own = []
        for number, nodes in enumerate(reached):
            others = set[str]().union(*(r for n, r in enumerate(reached) if n != number))
            alone = {t for t in tasks if t in nodes - others and gate in earlier[t]}
            own.append([t for t in tasks if t in alone and not earlier[t] & alone])
        for first, second in itertools.combinations(own, 2):
            found |= dict.fromkeys(itertools.product(first, second))
    return list(found)


def _may_repeat(graph: Graph, gate: str) -> bool:
    if any(gate in graph.reached(node) for node in graph.after[gate]):
        return True
    joins = [n for n in graph.kind if graph.joins_all(n) and len(graph.before[n]) > 1]
    return any(
        sum(gate in graph.reached(branch, joins) for branch in graph.after[node]) > 1
        for node in graph.kind
        if graph.kind[node] not in EXCLUSIVE
    )


def names(labels: list[str]) -> list[str]:
    """Identifiers for labels: lower case, words joined by hyphens, each of them once."""
    found: list[str] = []
    for label in labels:
        words = "".join(c if c.isalnum() else " " for c in label.lower()).split()
        stem = "-".join(words) or "step"
        name, number = stem, 1
        while name in found:
            number += 1
            name = f"{stem}-{number}"
        found.append(name)
    return found


def literal(text: str) -> str:
    """A pattern that fits this text only."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)
