"""Maintenance procedures: YAML files, read, checked, and compiled to rows of constraints."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from toolkit.errors import UsageError, did_you_mean
from toolkit.timestamps import TimeError, TimeRule, parse

Globs = tuple[str, ...]
TEMPLATES = (
    "existence", "absence", "exactly", "init", "response", "precedence", "succession",
    "alternate_response", "alternate_precedence", "alternate_succession",
    "chain_response", "chain_precedence", "chain_succession",
    "responded_existence", "co_existence", "not_co_existence",
    "not_succession", "not_chain_succession", "end",
)  # fmt: skip
COUNTED = ("existence", "absence", "exactly")
UNARY = ("existence", "absence", "exactly", "init", "end")
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Part):
    """Which events belong to a step: every given key must match one of its patterns."""

    action: Globs = Field(default=(), description="Patterns of the action, such as `drain*`.")
    target: Globs = Field(default=(), description="Patterns of the target.")
    host: Globs = Field(default=(), description="Patterns of the host.")
    message: Globs = Field(default=(), description="Patterns of the text of the record.")

    @field_validator("*", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class Where(_Part):
    """Which events of a step count for a constraint: every given key must fit one pattern."""

    action: Globs = Field(default=(), description="Patterns of the action.")
    target: Globs = Field(default=(), description="Patterns of the target.")
    host: Globs = Field(default=(), description="Patterns of the host.")
    actor: Globs = Field(default=(), description="Patterns of the actor.")
    outcome: Globs = Field(default=(), description="Patterns of the outcome.")
    flags: Globs = Field(default=(), description="Patterns of the flags.")

    @field_validator("*", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    def stated(self) -> list[str]:
        """The conditions as `field=pattern`, in the order of the fields."""
        return [
            f"{field}={pattern}"
            for field in type(self).model_fields
            for pattern in getattr(self, field)
        ]


class Step(_Part):
    """One step of a procedure."""

    id: str = Field(description="Name of the step, as records give it.")
    title: str = Field(default="", description="What is done.")
    role: str = Field(default="", description="Who does it; for the reader, and not judged.")
    match: Match = Field(
        default=Match(), description="Events that belong to the step, where they do not name it."
    )
    kind: Literal["action", "precheck", "verify", "approve"] = Field(
        default="action", description="Kind of step; `approve` is judged from approvals."
    )
    mandatory: bool = Field(default=False, description="Whether it must be done.")
    irreversible: bool | None = Field(
        default=None,
        description="Whether it cannot be undone; without it, `irreversible_actions` of the "
        "policy decide.",
    )
    needs: tuple[str, ...] = Field(default=(), description="Steps that must have succeeded before.")


class Rule(_Part):
    """One constraint of a procedure, in the words of the DECLARE family."""

    id: str = Field(description="Name of the constraint.")
    template: str = Field(description="What it says of a and b: see Templates.")
    a: str = Field(description="A step.")
    b: str | None = Field(default=None, description="The other step, for templates of two.")
    n: int | None = Field(
        default=None, ge=0, description="How often, for `existence`, `absence` and `exactly`."
    )
    within: str | None = Field(default=None, description="Time between the two, at most: `4h`.")
    by: Literal["different_actor", "same_actor"] | None = Field(
        default=None, description="Whether one person does both."
    )
    hold: str | None = Field(
        default=None, description="Time between the two, at least: `15m quiet`."
    )
    on: Literal["different_target", "same_target"] | None = Field(
        default=None, description="Whether both are done on one target."
    )
    where_a: Where = Field(default=Where(), description="Which events of step a count.")
    where_b: Where = Field(default=Where(), description="Which events of step b count.")
    severity: Literal["info", "low", "medium", "high", "critical"] = Field(
        default="medium", description="Severity of a violation."
    )
    control: str = Field(default="", description="Control that it serves, such as `soc2:CC8.1`.")

    @field_validator("template")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in TEMPLATES:
            raise ValueError(f"unknown template {value!r}; {did_you_mean(value, TEMPLATES)}")
        return value


class Procedure(_Part):
    """One version of a procedure."""

    id: str = Field(description="Name of the procedure.")
    version: str = Field(description="Version; one file each.")
    title: str = Field(default="", description="Title.")
    published_at: datetime | None = Field(default=None, description="From when on it is in force.")
    superseded_at: datetime | None = Field(default=None, description="Until when.")
    applies_to: Globs = Field(
        default=(), description="Kinds of change that it is for, compared without case."
    )
    steps: tuple[Step, ...] = Field(default=(), description="Its steps.")
    rules: tuple[Rule, ...] = Field(
        default=(), description="Constraints beyond those that the steps imply."
    )

    @field_validator("applies_to", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("published_at", "superseded_at", mode="before")
    @classmethod
    def _instant(cls, value: object) -> object:
        if value is None:
            return None
        try:
            return parse(str(value), TimeRule(zone="UTC" if _is_date(value) else None)).at
        except TimeError as error:
            raise ValueError(error.reason) from None


@dataclass(frozen=True, slots=True)
class ProcedureFile:
    """A procedure with the file that it stands in."""

    procedure: Procedure
    path: Path
    sha256: str


def load(folder: Path) -> tuple[ProcedureFile, ...]:
    """Read every procedure of a folder; raises UsageError with file, line and field."""
    if not folder.is_dir():
        return ()
    found = [read(path) for path in sorted(folder.glob("*.y*ml"))]
    seen: dict[tuple[str, str], Path] = {}
    for file in found:
        key = (file.procedure.id, file.procedure.version)
        if key in seen:
            raise UsageError(
                f"procedure {key[0]} version {key[1]} stands also in {seen[key].name}",
                path=file.path,
                remedy="give one of them another version",
            )
        seen[key] = file.path
    return tuple(found)


def seconds(duration: str) -> float:
    """A duration such as `15m`, `4 h` or `90s quiet` in seconds; raises ValueError."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|m|h|d)(?:\s+quiet)?\s*", duration)
    if found is None:
        raise ValueError(f"{duration!r} is no duration; write for example 15m")
    return float(found[1]) * _UNITS[found[2]]


def constraints(procedure: Procedure) -> list[dict[str, Any]]:
    """Every constraint of a procedure: those that its steps imply, then those that it declares."""
    found: list[dict[str, Any]] = []

    def add(rule_id: str, template: str, a: str, b: str | None, origin: str, **more: Any) -> None:
        found.append(
            {
                "rule_id": rule_id, "template": template, "a": a, "b": b, "n": None,
                "within_seconds": None, "by_actor": None, "hold_seconds": None,
                "on_target": None, "where_a": [], "where_b": [],
                "severity": "high", "control": "", "origin": origin, **more,
            }
        )  # fmt: skip

    kinds = {step.id: step.kind for step in procedure.steps}
    for step in procedure.steps:
        if step.kind == "action" and step.mandatory:
            add(f"mandatory:{step.id}", "existence", step.id, None, "mandatory")
        if step.kind == "precheck":
            add(f"precheck:{step.id}", "existence_before", step.id, None, "precheck")
        if step.kind == "verify" and step.mandatory:
            add(f"verify:{step.id}", "existence", step.id, None, "verify")
        for needed in step.needs:
            if kinds.get(needed) != "approve" and step.kind != "approve":
                add(f"needs:{step.id}:{needed}", "precedence", needed, step.id, "needs")
    for rule in procedure.rules:
        add(
            rule.id, rule.template, rule.a, rule.b, "declared",
            n=rule.n,
            within_seconds=seconds(rule.within) if rule.within else None,
            by_actor=rule.by,
            on_target=rule.on,
            where_a=rule.where_a.stated(), where_b=rule.where_b.stated(),
            hold_seconds=seconds(rule.hold) if rule.hold else None,
            severity=rule.severity, control=rule.control,
        )  # fmt: skip
    return found


def _is_date(value: object) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)) is not None


def read(path: Path) -> ProcedureFile:
    """Read one procedure; raises UsageError with file, line and field."""
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot be read: {error.strerror}", path=path, remedy="give a procedure file"
        ) from None
    except UnicodeDecodeError:
        raise UsageError("the file is not UTF-8", path=path, remedy="save it as UTF-8") from None
    try:
        # The base loader leaves every scalar a string: YAML's own reading of dates and versions
        # (1.10 → 1.1) would bend them.
        loader = YAML(typ="base", pure=True)
        content, tree = loader.load(text), loader.compose(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UsageError(
            f"not valid YAML: {getattr(error, 'problem', None) or error}".splitlines()[0],
            path=path,
            line=mark.line + 1 if mark else None,
            remedy="mend the line",
        ) from None
    except RecursionError:
        raise UsageError("nested too deeply", path=path, remedy="write a procedure") from None
    if not isinstance(content, dict):
        raise UsageError("no procedure: keys and values are asked for", path=path, line=1)
    try:
        procedure = Procedure.model_validate(_plain(content))
    except ValidationError as error:
        raise _fault(error, path, tree) from None
    _check(procedure, path, tree)
    return ProcedureFile(procedure, path, hashlib.sha256(raw).hexdigest())


def _fault(error: ValidationError, path: Path, tree: Any) -> UsageError:
    """What is wrong first, with its line and the key that may have been meant."""
    first = error.errors()[0]
    place = first["loc"]
    message = first["msg"].removeprefix("Value error, ")
    remedy = "correct the value"
    if first["type"] == "extra_forbidden":
        message, remedy = "unknown key", did_you_mean(str(place[-1]), _known_keys(place))
    elif first["type"] == "missing":
        message, remedy = "the key is missing", "add it"
    return UsageError(
        message, path=path, line=_line(tree, place), remedy=remedy,
        field=".".join(str(part) for part in place),
    )  # fmt: skip


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    models: dict[object, type[BaseModel]] = {
        "steps": Step, "rules": Rule, "match": Match, "where_a": Where, "where_b": Where,
    }  # fmt: skip
    above = [part for part in place[:-1] if isinstance(part, str)]
    return list(models.get(above[-1] if above else None, Procedure).model_fields)


def _line(tree: Any, place: Sequence[int | str]) -> int:
    """The line of a key or an item, else of what it should stand in; counted from 1."""
    line = int(tree.start_mark.line)
    for part in place:
        value = getattr(tree, "value", None)
        if isinstance(part, int) and isinstance(value, list) and part < len(value):
            tree = value[part]
            line = tree.start_mark.line
            continue
        pairs = value if isinstance(value, list) and isinstance(part, str) else []
        found = [pair for pair in pairs if isinstance(pair, tuple) and pair[0].value == part]
        if not found:
            break
        line, tree = found[0][0].start_mark.line, found[0][1]
    return line + 1


def _plain(value: Any) -> Any:
    """Words that stand for nothing become None; the rest stays as written."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if value in ("", "~", "null") else value


def _check(procedure: Procedure, path: Path, tree: Any) -> None:
    """What single keys do not show: names that are not there, or twice, and what fits together."""

    def refuse(message: str, *place: int | str, remedy: str) -> UsageError:
        named = ".".join(str(part) for part in place)
        return UsageError(message, path=path, line=_line(tree, place), field=named, remedy=remedy)

    steps = [step.id for step in procedure.steps]
    for number, step in enumerate(procedure.steps):
        if step.id in steps[:number]:
            raise refuse(
                f"step {step.id!r} stands twice", "steps", number, remedy="give it another id"
            )
        for needed in step.needs:
            if needed not in steps:
                raise refuse(
                    f"step {step.id!r} needs {needed!r}, which is no step",
                    "steps", number, "needs", remedy=did_you_mean(needed, steps),
                )  # fmt: skip
    rules = [rule.id for rule in procedure.rules]
    for number, rule in enumerate(procedure.rules):
        if rule.id in rules[:number]:
            raise refuse(
                f"rule {rule.id!r} stands twice", "rules", number, remedy="give it another id"
            )
        for key, side in (("a", rule.a), ("b", rule.b)):
            if side is not None and side not in steps:
                raise refuse(
                    f"rule {rule.id!r} names {side!r}, which is no step",
                    "rules", number, key, remedy=did_you_mean(side, steps),
                )  # fmt: skip
        for key, message in _misfits(rule):
            raise refuse(message, "rules", number, key, remedy="take it out or change the template")


def _misfits(rule: Rule) -> Iterator[tuple[str, str]]:
    """Keys of a rule that its template does not take, and durations that are none."""
    said = f"template {rule.template}"
    if (rule.b is None) != (rule.template in UNARY):
        yield "b", f"{said} takes {'no b' if rule.template in UNARY else 'a and b'}"
    if rule.n is not None and rule.template not in COUNTED:
        yield "n", f"{said} takes no number"
    for key in ("within", "by", "hold", "on", "where_b"):
        if rule.template in UNARY and getattr(rule, key) not in (None, Where()):
            yield key, f"{said} takes no such condition"
    if rule.template in ("init", "end") and rule.where_a != Where():
        yield "where_a", f"{said} takes no such condition"
    if rule.hold is not None and rule.template.startswith("not_"):
        yield "hold", f"{said} takes no quiet time"
    for key in ("within", "hold"):
        text = getattr(rule, key)
        try:
            if text is not None:
                seconds(text)
        except ValueError as error:
            yield key, str(error)
