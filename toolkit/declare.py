"""Procedures from DECLARE models in the text format of Declare Miner, RuM and Declare4Py (`.decl`).

A line is `activity NAME`, `bind NAME: attribute, …`, `attribute: values`, or a constraint such as
`Response[A, B] |A.target is x |T.actor in (ann, bob) |0,10,m`. `A.` speaks of the event that asks,
`T.` of the one that fulfils. A constraint whose conditions cannot all be said in a procedure is
left out as a whole, since without them it would say something else.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from toolkit.bpmn import literal, names
from toolkit.errors import UsageError, did_you_mean

TEMPLATES = {
    "existence": "existence", "absence": "absence", "exactly": "exactly", "init": "init",
    "end": "end", "response": "response", "precedence": "precedence", "succession": "succession",
    "alternate response": "alternate_response", "alternate precedence": "alternate_precedence",
    "alternate succession": "alternate_succession", "chain response": "chain_response",
    "chain precedence": "chain_precedence", "chain succession": "chain_succession",
    "responded existence": "responded_existence", "co existence": "co_existence",
    "not co existence": "not_co_existence", "not responded existence": "not_co_existence",
    "not succession": "not_succession", "not response": "not_succession",
    "not precedence": "not_succession", "not chain succession": "not_chain_succession",
    "not chain response": "not_chain_succession", "not chain precedence": "not_chain_succession",
}  # fmt: skip
UNKNOWN_HERE = ("choice", "exclusive choice")
COUNTED = ("existence", "absence", "exactly")
BOTH_ASK = ("succession", "alternate_succession", "chain_succession", "co_existence")
FIELDS = {
    "org:resource": "actor", "resource": "actor", "actor": "actor", "target": "target",
    "host": "host", "outcome": "outcome", "flags": "flags", "action": "action",
}  # fmt: skip
_CONSTRAINT = re.compile(r"([A-Za-z][A-Za-z -]*?)\s*(\d*)\s*\[([^\[\]]*)\]\s*(?:\|(.*))?")
_TEST = re.compile(r"([AT])\.(\S+)\s+(?:is\s+([^\s()]+)|in\s*\(([^()]*)\))", re.IGNORECASE)
_SHARED = re.compile(r"(same|different)\s+(\S+)", re.IGNORECASE)


class _LeftOut(Exception):
    """Why a constraint is not taken over."""


def read(raw: bytes, path: Path) -> tuple[dict[str, Any], list[str]]:
    """A procedure, as the content of its YAML file, and what was not taken over.

    Raises UsageError with the line where the file is no such model.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("the file is not UTF-8", path=path, remedy="save it as UTF-8") from None
    activities: list[str] = []
    stated: list[tuple[int, str, re.Match[str]]] = []
    left_out: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        if words.startswith("activity "):
            name = words.removeprefix("activity ").strip()
            if name in activities:
                raise UsageError(f"activity {name!r} stands twice", path=path, line=number)
            activities.append(name)
        elif found := _CONSTRAINT.fullmatch(words):
            stated.append((number, words, found))
        elif words.startswith("bind ") or re.match(r"[^|\[\]]+:\s", words):
            left_out.append(f"line {number}: {words}; attributes are not declared in a procedure")
        else:
            raise UsageError(
                f"{words[:80]!r} is no line of a DECLARE model", path=path, line=number,
                remedy="mend the line, or begin it with # to leave it out",
            )  # fmt: skip
    if not activities:
        raise UsageError("no line `activity …`", path=path, remedy="give a DECLARE model")
    step = dict(zip(activities, names(activities), strict=True))
    rules = []
    for number, words, found in stated:
        try:
            rules.append({"id": f"line-{number}", **_rule(found, step, path, number)})
        except _LeftOut as reason:
            left_out.append(f"line {number}: {words}; {reason}")
    procedure = {
        "id": names([path.stem])[0],
        "version": "1",
        "title": path.stem,
        "steps": [
            {"id": step[name], "title": name, "match": {"action": literal(name)}}
            for name in activities
        ],
        "rules": rules,
    }
    return procedure, left_out


def _rule(found: re.Match[str], step: dict[str, str], path: Path, line: int) -> dict[str, Any]:
    said = " ".join(found[1].lower().replace("-", " ").split())
    if said in UNKNOWN_HERE:
        raise _LeftOut("a procedure has no such template")
    if said not in TEMPLATES:
        raise UsageError(
            f"unknown template {found[1]!r}", path=path, line=line,
            remedy=did_you_mean(said, (*TEMPLATES, *UNKNOWN_HERE)),
        )  # fmt: skip
    template = TEMPLATES[said]
    named = [name.strip() for name in found[3].split(",")]
    if found[3].strip() in step:
        named = [found[3].strip()]
    is_unary = template in (*COUNTED, "init", "end")
    if len(named) != (1 if is_unary else 2):
        raise UsageError(
            f"{found[1]} takes {'one activity' if is_unary else 'two activities'}",
            path=path, line=line, remedy="see the names between the brackets",
        )  # fmt: skip
    for name in named:
        if name not in step:
            raise UsageError(
                f"{name!r} is no activity", path=path, line=line, remedy=did_you_mean(name, step)
            )
    rule: dict[str, Any] = {"template": template, "a": step[named[0]]}
    if not is_unary:
        rule["b"] = step[named[1]]
        if named[0] == named[1]:
            raise _LeftOut("both activities are the same")
    if found[2] and template not in COUNTED:
        raise UsageError(f"{found[1]} takes no number", path=path, line=line)
    if template in COUNTED:
        rule["n"] = int(found[2] or 1)
    parts = [part.strip() for part in (found[4] or "").split("|")]
    time = parts.pop() if len(parts) > (1 if is_unary else 2) else ""
    if len(parts) > (1 if is_unary else 2):
        raise UsageError("too many conditions", path=path, line=line, remedy="write at most three")
    asks = "b" if said.endswith("precedence") else "a"
    for number, part in enumerate(parts):
        _condition(part, number == 0, asks, rule)
    if time:
        rule["within"] = _within(time)
    conditions = rule.keys() - {"template", "a", "b", "n"}
    if conditions and template in BOTH_ASK:
        raise _LeftOut("both of its events ask, so that A. and T. could mean either")
    if conditions and template in ("init", "end"):
        raise _LeftOut(f"{template} takes no condition")
    if template.startswith("alternate") and conditions & {"within", "by", "on"}:
        raise _LeftOut("a condition on both events reads otherwise with an alternate template")
    return rule


def _condition(text: str, is_first: bool, asks: str, rule: dict[str, Any]) -> None:
    """Add what a condition says; all of it must be understood."""
    for test in re.split(r"\s+and\s+", text, flags=re.IGNORECASE) if text else ():
        if shared := _SHARED.fullmatch(test.strip()):
            field = FIELDS.get(shared[2].lower())
            if field not in ("actor", "target"):
                raise _LeftOut(f"{test.strip()!r} speaks of what no event here holds")
            rule["by" if field == "actor" else "on"] = f"{shared[1].lower()}_{field}"
            continue
        stated = _TEST.fullmatch(test.strip())
        if stated is None:
            raise _LeftOut(f"{test.strip()!r} cannot be said in a procedure")
        if (stated[1].upper() == "A") != is_first:
            raise _LeftOut(f"{test.strip()!r} stands in the other event's place")
        field = FIELDS.get(stated[2].lower())
        if field is None:
            raise _LeftOut(f"{stated[2]!r} is no column of an event here")
        values = [stated[3]] if stated[3] else [value.strip() for value in stated[4].split(",")]
        side = asks if is_first else "b" if asks == "a" else "a"
        where = rule.setdefault(f"where_{side}", {})
        if field in where:
            raise _LeftOut(f"two tests on {stated[2]!r}")
        where[field] = [literal(value) for value in values]


def _within(text: str) -> str:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*,\s*([smhd])", text)
    if found is None:
        raise _LeftOut(f"{text!r} is no stretch of time here; known are s, m, h, d")
    if float(found[1]) > 0:
        raise _LeftOut("a shortest distance is not the same as a quiet time")
    return f"{found[2]}{found[3]}"
