"""Maintenance procedures: YAML files, read, checked, and compiled to rows of constraints."""

from __future__ import annotations

import hashlib
import re
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
UNARY = ("existence", "absence", "exactly", "init", "end")
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Part):
    """Which events belong to a step: every given key must match one of its patterns."""

    action: Globs = ()
    target: Globs = ()
    host: Globs = ()
    message: Globs = ()

    @field_validator("*", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class Where(_Part):
    """Which events of a step count for a constraint: every given key must fit one pattern."""

    action: Globs = ()
    target: Globs = ()
    host: Globs = ()
    actor: Globs = ()
    outcome: Globs = ()
    flags: Globs = ()

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

    id: str
    title: str = ""
    match: Match = Match()
    kind: Literal["action", "precheck", "verify", "approve"] = "action"
    mandatory: bool = False
    irreversible: bool | None = None
    needs: tuple[str, ...] = ()


class Rule(_Part):
    """One constraint of a procedure, in the words of the DECLARE family."""

    id: str
    template: str
    a: str
    b: str | None = None
    n: int | None = Field(default=None, ge=0)
    within: str | None = None
    by: Literal["different_actor", "same_actor"] | None = None
    hold: str | None = None
    on: Literal["different_target", "same_target"] | None = None
    where_a: Where = Where()
    where_b: Where = Where()
    severity: Literal["info", "low", "medium", "high", "critical"] = "medium"
    control: str = ""

    @field_validator("template")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in TEMPLATES:
            raise ValueError(f"unknown template {value!r}; {did_you_mean(value, TEMPLATES)}")
        return value


class Procedure(_Part):
    """One version of a procedure."""

    id: str
    version: str
    title: str = ""
    published_at: datetime | None = None
    superseded_at: datetime | None = None
    applies_to: Globs = ()
    steps: tuple[Step, ...] = ()
    rules: tuple[Rule, ...] = ()

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
    found = [_read(path) for path in sorted(folder.glob("*.y*ml"))]
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


def _read(path: Path) -> ProcedureFile:
    raw = path.read_bytes()
    try:
        # The base loader leaves every scalar a string: YAML's own reading of dates and versions
        # (1.10 → 1.1) would bend them.
        content = YAML(typ="base", pure=True).load(raw.decode("utf-8"))
        procedure = Procedure.model_validate(_plain(content))
    except UnicodeDecodeError:
        raise UsageError("the file is not UTF-8", path=path, remedy="save it as UTF-8") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UsageError(
            f"not valid YAML: {getattr(error, 'problem', error)}",
            path=path,
            line=mark.line + 1 if mark else None,
            remedy="mend the line",
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            first["msg"].removeprefix("Value error, "), path=path, field=field,
            remedy="see the procedure format in the documentation",
        ) from None  # fmt: skip
    _check(procedure, path)
    return ProcedureFile(procedure, path, hashlib.sha256(raw).hexdigest())


def _plain(value: Any) -> Any:
    """Words that stand for nothing become None; the rest stays as written."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if value in ("", "~", "null") else value


def _check(procedure: Procedure, path: Path) -> None:
    steps = [step.id for step in procedure.steps]
    for step in procedure.steps:
        if steps.count(step.id) > 1:
            raise UsageError(f"step {step.id!r} stands twice", path=path, field="steps")
        for needed in step.needs:
            if needed not in steps:
                raise UsageError(
                    f"step {step.id!r} needs {needed!r}, which is no step", path=path,
                    field="steps.needs", remedy=did_you_mean(needed, steps),
                )  # fmt: skip
    rules = [rule.id for rule in procedure.rules]
    for rule in procedure.rules:
        if rules.count(rule.id) > 1:
            raise UsageError(f"rule {rule.id!r} stands twice", path=path, field="rules")
        for side in (rule.a, rule.b):
            if side is not None and side not in steps:
                raise UsageError(
                    f"rule {rule.id!r} names {side!r}, which is no step", path=path,
                    field="rules", remedy=did_you_mean(side, steps),
                )  # fmt: skip
        if (rule.b is None) != (rule.template in UNARY):
            need = "no b" if rule.template in UNARY else "a and b"
            raise UsageError(f"template {rule.template} takes {need}", path=path, field=rule.id)
        for field, text in (("within", rule.within), ("hold", rule.hold)):
            try:
                if text is not None:
                    seconds(text)
            except ValueError as error:
                raise UsageError(str(error), path=path, field=f"{rule.id}.{field}") from None
