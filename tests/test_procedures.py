"""Procedure files: what is said of faults in them, and what models of others become."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from toolkit import bpmn, procedures
from toolkit.cli import app
from toolkit.errors import UsageError
from toolkit.procedure_import import import_model

MODELS = Path(__file__).parent / "golden" / "models"

GOOD = """\
id: p
version: 1.10
steps:
  - id: drain
  - id: wipe
    needs: [drain]
    match: {action: wipe}
rules:
  - id: r
    template: precedence
    a: drain
    b: wipe
"""
FAULTS = {
    "needs: [drain]|need: [drain]": ("6", "steps.1.need: unknown key; did you mean 'needs'?"),
    "{action: wipe}|{actoin: wipe}": ("7", "steps.1.match.actoin: unknown key; did you mean"),
    "needs: [drain]|needs: [drian]": ("6", "which is no step; did you mean 'drain'?"),
    "template: precedence|template: precedense": ("10", "did you mean 'precedence'?"),
    "    template: precedence\n|": ("9", "rules.0.template: the key is missing; add it"),
    "b: wipe|b: wiep": ("12", "did you mean 'wipe'?"),
    "    b: wipe\n|": ("9", "template precedence takes a and b"),
    "b: wipe|b: wipe\n    n: 2": ("13", "template precedence takes no number"),
    "b: wipe|b: wipe\n    within: soon": ("13", "'soon' is no duration"),
    "b: wipe|b: wipe\n    where_a: {targte: x}": ("13", "did you mean 'target'?"),
    "b: wipe|b: wipe\n    by: nobody": ("13", "rules.0.by: Input should be"),
    "- id: wipe|- id: drain": ("5", "step 'drain' stands twice"),
    "template: precedence|template: not_succession\n    hold: 5m": ("11", "takes no quiet time"),
    "steps:|steps: [": ("", "not valid YAML"),
}


def test_a_fault_is_one_line_with_file_line_field_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(GOOD)
    assert procedures.read(path).procedure.version == "1.10"
    for change, (line, message) in FAULTS.items():
        path.write_text(GOOD.replace(*change.split("|")))
        with pytest.raises(UsageError) as caught:
            procedures.read(path)
        said = str(caught.value)
        assert said.startswith(f"{path}:{line}"), (change, said)
        assert message in said, (change, said)
        assert "\n" not in said
    for raw in (b"", b"- a\n", b"\xff\xfe", b"[" * 5000, b"a: &x [*x]\n", b"just words"):
        path.write_bytes(raw)
        with pytest.raises(UsageError):
            procedures.read(path)


@pytest.mark.parametrize("name", ["removal.decl", "removal.bpmn"])
def test_a_model_becomes_the_procedure_that_it_says(name: str, tmp_path: Path) -> None:
    output = tmp_path / "made.yaml"
    done = CliRunner().invoke(
        app, ["procedure", "import", str(MODELS / name), "--output", str(output)]
    )
    assert done.exit_code == 0, done.output
    assert output.read_text() == (MODELS / f"{name}.yaml").read_text()
    assert done.stderr.count("not taken over") == len(import_model(MODELS / name).left_out) > 0
    assert procedures.read(output).procedure.steps
    checked = CliRunner().invoke(app, ["procedure", "check", str(output)])
    assert checked.exit_code == 0
    assert "version 1" in checked.stderr


HOSTILE = {
    "empty.decl": b"",
    "words.decl": b"activity A\nResponse(A, B)\n",
    "unknown.decl": b"activity A\nactivity B\nRespones[A, B] | | |\n",
    "missing.decl": b"activity A\nResponse[A, B] | | |\n",
    "binary.decl": bytes(range(256)),
    "entity.bpmn": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
    "external.bpmn": b'<!DOCTYPE x SYSTEM "file:///etc/hostname"><x/>',
    "cut.bpmn": b"<bpmn:definitions",
    "other.bpmn": b"<html/>",
    "bare.bpmn": b'<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"/>',
    "loose.bpmn": b'<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process '
    b'id="p"><task id="a"/><sequenceFlow sourceRef="a" targetRef="b"/></process></definitions>',
    "nameless.bpmn": b'<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process '
    b'id="p"><task/></process></definitions>',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_model_ends_in_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    done = CliRunner().invoke(app, ["procedure", "import", str(path)])
    assert isinstance(done.exception, UsageError), done.output
    assert "\n" not in str(done.exception)


# -- diagrams drawn at random, and what runs of them do ------------------------------------------


class Drawing:
    """A diagram of blocks: a task, a sequence, a choice, parallel branches, or a loop."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.nodes: list[str] = []
        self.flows: list[str] = []
        self.tree = self.block(3)
        first, last = self.lay(self.tree)
        self.nodes += ['<startEvent id="start"/>', '<endEvent id="end"/>']
        self.flow("start", first)
        self.flow(last, "end")

    def block(self, depth: int) -> list[object]:
        kind = self.draw.choice(["seq", "xor", "and", "loop", "task"]) if depth else "task"
        if kind == "task":
            return ["task", self.node("task")]
        count = 1 if kind == "loop" else self.draw.randint(2, 3)
        parts: list[object] = [self.block(depth - 1) for _ in range(count)]
        if kind == "xor" and self.draw.random() < 0.3:
            parts.append(["skip"])
        return [kind, *parts]

    def node(self, kind: str) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(f'<{kind} id="{name}"/>')
        return name

    def flow(self, first: str, second: str) -> None:
        self.flows.append(f'<sequenceFlow sourceRef="{first}" targetRef="{second}"/>')

    def lay(self, tree: list) -> tuple[str, str]:  # type: ignore[type-arg]
        kind, *parts = tree
        if kind == "task":
            return parts[0], parts[0]
        if kind == "seq":
            ends = [self.lay(part) for part in parts]
            for (_, last), (first, _) in itertools.pairwise(ends):
                self.flow(last, first)
            return ends[0][0], ends[-1][1]
        gateway = "parallelGateway" if kind == "and" else "exclusiveGateway"
        split, join = self.node(gateway), self.node(gateway)
        for part in parts:
            if part == ["skip"]:
                self.flow(split, join)
                continue
            first, last = self.lay(part)
            self.flow(split, first)
            self.flow(last, join)
        if kind == "loop":
            self.flow(join, split)
        return split, join

    def run(self, tree: list) -> list[str]:  # type: ignore[type-arg]
        """The tasks of one run, in one order that it can have."""
        kind, *parts = tree
        if kind == "task":
            return [parts[0]]
        if kind == "skip":
            return []
        if kind == "seq":
            return [task for part in parts for task in self.run(part)]
        if kind == "xor":
            return self.run(self.draw.choice(parts))
        if kind == "loop":
            return [t for _ in range(self.draw.randint(1, 3)) for t in self.run(parts[0])]
        rows = [self.run(part) for part in parts]
        mixed = []
        while any(rows):
            mixed.append(self.draw.choice([row for row in rows if row]).pop(0))
        return mixed

    @property
    def xml(self) -> bytes:
        body = "".join(self.nodes + self.flows)
        space = "http://www.omg.org/spec/BPMN/20100524/MODEL"
        text = f'<definitions xmlns="{space}"><process id="p">{body}</process></definitions>'
        return text.encode()


def test_every_run_of_a_diagram_keeps_to_the_procedure_made_of_it() -> None:
    needed = excluded = required = answered = 0
    for seed in range(150):
        drawing = Drawing(seed)
        made, _ = bpmn.read(drawing.xml, Path("drawn.bpmn"))
        for _ in range(20):
            run = drawing.run(drawing.tree)
            for step in made["steps"]:
                if step.get("mandatory"):
                    required += 1
                    assert step["id"] in run, (seed, step, run)
                for other in step.get("needs", ()) if step["id"] in run else ():
                    needed += 1
                    assert other in run[: run.index(step["id"])], (seed, step, run)
            for rule in made["rules"]:
                a, b = rule["a"], rule["b"]
                if rule["template"] == "not_co_existence":
                    excluded += 1
                    assert not {a, b} <= set(run), (seed, rule, run)
                else:
                    answered += 1
                    assert all(b in run[at:] for at, t in enumerate(run) if t == a), (seed, rule)
    assert min(needed, excluded, required, answered) > 100
