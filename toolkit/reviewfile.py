"""The board's own record, `review.yaml`: what was decided, by whom, when, and to which state.

The file is a list of entries in the order in which they were made, each one act of one person.
`postmortem review` adds entries; people may write them by hand. Nothing is taken back: a later
entry about the same thing stands, and the earlier one stays on record.

    entries:
    - do: freeze
      at: 2022-05-02T09:00:00Z
      by: m.keane
      role: secretary of the board
      digest: 9f…
    - do: dismiss
      …
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from ruamel.yaml import YAML

from toolkit.errors import UsageError, did_you_mean
from toolkit.ingest.plain import Location, read_yaml

REVIEW_FILE = "review.yaml"
State = Literal[
    "draft", "evidence_frozen", "in_review", "changes_requested", "reviewed", "signed_off",
    "superseded",
]  # fmt: skip
# From the strongest to the weakest: the hierarchy of actions of VA NCPS and AHRQ.
Strength = Literal["stronger", "intermediate", "weaker"]
Words = Annotated[str, Field(min_length=1, max_length=20_000)]


class _Entry(BaseModel):
    """What every entry says: when it was made, by which account, in which role."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: datetime
    by: Words
    role: str = ""

    @field_validator("at")
    @classmethod
    def _has_offset(cls, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise ValueError("the time has no offset; write for example 2022-03-01T00:00:00Z")
        return value.astimezone(UTC)


class _AboutFinding(_Entry):
    finding: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


class Freeze(_Entry):
    """The evidence and the results stand; `digest` is that of the case, as reports print it."""

    do: Literal["freeze"] = "freeze"
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Submit(_Entry):
    """The report goes to the board."""

    do: Literal["submit"] = "submit"
    text: str = ""


class RequestChanges(_Entry):
    do: Literal["request_changes"] = "request_changes"
    text: Words


class Conclude(_Entry):
    """The board has dealt with every finding that it means to deal with."""

    do: Literal["conclude"] = "conclude"
    text: str = ""


class Sign(_Entry):
    """A signature; `digest` is that of the case which the signer had before them."""

    do: Literal["sign"] = "sign"
    text: str = ""
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class Supersede(_Entry):
    """The version is no longer in force; the next one begins as a draft."""

    do: Literal["supersede"] = "supersede"
    reason: Words


class Accept(_AboutFinding):
    do: Literal["accept"] = "accept"
    reason: str = ""


class Dismiss(_AboutFinding):
    do: Literal["dismiss"] = "dismiss"
    reason: Words


class Code(_AboutFinding):
    """One coder's answer to whether a candidate code holds; two who agree confirm it."""

    do: Literal["code"] = "code"
    code: Words
    holds: bool = True
    reason: str = ""


class Respond(_AboutFinding):
    """The response of the management."""

    do: Literal["respond"] = "respond"
    answer: Literal["agree", "partly", "disagree"]
    text: Words


class Decide(_Entry):
    """A decision of the board in its own words."""

    do: Literal["decide"] = "decide"
    text: Words
    findings: tuple[str, ...] = ()


class Action(_Entry):
    """Something to be done; a later entry of the same `id` replaces it."""

    do: Literal["action"] = "action"
    id: Words
    title: Words
    owner: Words
    due: date
    strength: Strength
    findings: tuple[str, ...] = ()
    verified_how: str = ""


class Complete(_Entry):
    """An action is done, as verified."""

    do: Literal["complete"] = "complete"
    id: Words
    text: Words


class Confirm(_Entry):
    """A person confirms, or not, that the public record discloses an item of the checklist."""

    do: Literal["confirm"] = "confirm"
    item: Annotated[int, Field(ge=1, le=15)]
    holds: bool = True
    text: str = ""


Entry = Annotated[
    Freeze | Submit | RequestChanges | Conclude | Sign | Supersede | Accept | Dismiss | Code
    | Respond | Decide | Action | Complete | Confirm,
    Field(discriminator="do"),
]  # fmt: skip
_ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)
_KINDS: dict[str, type[_Entry]] = {
    kind.model_fields["do"].default: kind
    for kind in (
        Freeze, Submit, RequestChanges, Conclude, Sign, Supersede, Accept, Dismiss, Code, Respond,
        Decide, Action, Complete, Confirm,
    )
}  # fmt: skip

# Which states an entry may be made in, and the one it leads to (None: the state stays).
_OPEN: tuple[State, ...] = ("draft", "evidence_frozen", "in_review", "changes_requested")
_STEPS: dict[str, tuple[tuple[State, ...], State | None]] = {
    "freeze": (_OPEN, "evidence_frozen"),
    "submit": (("evidence_frozen", "changes_requested"), "in_review"),
    "request_changes": (("in_review", "reviewed", "signed_off"), "changes_requested"),
    "conclude": (("in_review",), "reviewed"),
    "sign": (("reviewed", "signed_off"), "signed_off"),
    "supersede": ((*_OPEN, "reviewed", "signed_off"), "superseded"),
    "complete": ((*_OPEN, "reviewed", "signed_off"), None),
}


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry with its number, the version of the review it belongs to and the state it leads to.

    The first version is 1. Signatures lead to `signed_off` here; whether enough of them count is
    for the relation `review_state` to say.
    """

    number: int
    version: int
    state: State
    entry: Entry


def load(folder: Path) -> tuple[Placed, ...]:
    """The entries of a case, none where there is no file.

    Raises UsageError with file, line and field for what cannot be understood, and for an entry
    that its state does not allow.
    """
    path = folder / REVIEW_FILE
    return _read(path, path.read_bytes()) if path.is_file() else ()


def state(entries: Sequence[Placed]) -> tuple[int, State]:
    """The version that is being worked on, and its state."""
    if not entries:
        return 1, "draft"
    return entries[-1].version, entries[-1].state


def add(folder: Path, entry: Entry) -> tuple[Placed, ...]:
    """Add an entry at the end of the file, whole or not at all; what stands there stays.

    Raises UsageError as `load` does, and for a signature of another state than the frozen one.
    """
    path = folder / REVIEW_FILE
    before = path.read_bytes() if path.is_file() else b""
    known = _read(path, before)
    if isinstance(entry, Sign):
        _require_frozen(path, known, entry)
    if not before.strip():
        before = b"# What the board decided, in order. See: postmortem review --help\nentries:\n"
    elif not known:
        raise UsageError(
            "the list of entries is empty", path=path, remedy="remove the file and try again"
        )
    for is_plain in (True, False):
        after = before.rstrip() + b"\n" + _dumped(entry, _indent(path, before), is_plain=is_plain)
        found = _read(path, after)
        if found[:-1] == known and found[-1].entry == entry:
            break
    else:
        raise UsageError("the text cannot be written as YAML", path=path, remedy="put it plainer")
    part = path.with_name(path.name + ".part")
    part.write_bytes(after)
    part.replace(path)
    return found


def _require_frozen(path: Path, known: Sequence[Placed], entry: Sign) -> None:
    frozen = [
        placed.entry.digest
        for placed in known
        if isinstance(placed.entry, Freeze) and placed.version == known[-1].version
    ]
    if frozen and entry.digest is not None and entry.digest != frozen[-1]:
        raise UsageError(
            f"the case is not as it was frozen: its digest is {entry.digest[:12]}…, the frozen one "
            f"{frozen[-1][:12]}…",
            path=path,
            field="digest",
            remedy="request changes, freeze and submit it again",
        )


def make(do: str, **values: object) -> Entry:
    """An entry of the kind `do`; raises UsageError naming the value that does not fit."""
    try:
        return _ENTRY.validate_python({"do": do} | values)
    except ValidationError as error:
        raise _fault(None, error, (), {}) from None


def _indent(path: Path, before: bytes) -> str:
    """How far the entries of the list are indented."""
    found = re.search(rb"(?m)^( *)- ", before)
    if found is None and not before.endswith(b"entries:\n"):
        raise UsageError(
            "the entries do not stand one below another", path=path,
            remedy="write each as a line that begins with a dash",
        )  # fmt: skip
    return found[1].decode() if found else ""


def _dumped(entry: Entry, indent: str, *, is_plain: bool) -> bytes:
    """An entry as one item of the list; not `is_plain`: with everything odd escaped."""
    stream = io.StringIO()
    yaml = YAML()
    yaml.width = 100
    yaml.allow_unicode = is_plain
    yaml.dump([_written(entry)], stream)
    lines = stream.getvalue().split("\n")
    return "\n".join(indent + line if line else line for line in lines).encode()


def _written(entry: Entry) -> dict[str, object]:
    values = entry.model_dump(mode="json", exclude_defaults=True)
    return {"do": entry.do} | values


def _read(path: Path, data: bytes) -> tuple[Placed, ...]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("the file is not UTF-8", path=path, remedy="save it as UTF-8") from None
    content, lines = read_yaml(path, text)
    if content is None:
        return ()
    if not isinstance(content, dict) or set(content) != {"entries"}:
        raise UsageError(
            "the file must hold one list named entries", path=path, line=1,
            remedy="see: postmortem review --help",
        )  # fmt: skip
    raw = content["entries"] or []
    if not isinstance(raw, list):
        raise UsageError("entries is no list", path=path, line=lines.get(("entries",)))
    found: list[Placed] = []
    version = 1
    now: State = "draft"
    for index, item in enumerate(raw):
        place: Location = ("entries", index)
        try:
            entry = _ENTRY.validate_python(item)
        except ValidationError as error:
            raise _fault(path, error, place, lines) from None
        if now == "superseded":
            version, now = version + 1, "draft"
        if found and entry.at < found[-1].entry.at:
            raise UsageError(
                "the entry is older than the one before it", path=path,
                line=lines.get((*place, "at")), field="at",
                remedy="entries stand in the order in which they were made",
            )  # fmt: skip
        now = _next(path, lines.get(place), entry, now)
        found.append(Placed(index + 1, version, now, entry))
    return tuple(found)


def _next(path: Path, line: int | None, entry: Entry, now: State) -> State:
    allowed, after = _STEPS.get(entry.do, ((*_OPEN, "reviewed"), None))
    if now in allowed:
        return after or now
    leads = [do for do, (states, _) in _STEPS.items() if now in states]
    raise UsageError(
        f"{entry.do} is not possible while the review is {now.replace('_', ' ')}",
        path=path,
        line=line,
        field="do",
        remedy=f"possible now: {', '.join(leads)}",
    )


def _fault(
    path: Path | None, error: ValidationError, place: Location, lines: dict[Location, int]
) -> UsageError:
    first = error.errors()[0]
    keys = first["loc"]
    kind = _KINDS.get(str(keys[0])) if keys else None
    if kind is not None:
        keys = keys[1:]
    at = tuple(keys)
    line = lines.get((*place, *at)) or lines.get(place)
    field = ".".join(str(key) for key in keys) or "do"
    if first["type"] == "extra_forbidden" and kind is not None:
        remedy = did_you_mean(str(keys[-1]), kind.model_fields)
        return UsageError("unknown key", path=path, line=line, field=field, remedy=remedy)
    if first["type"] == "missing":
        return UsageError("the key is missing", path=path, line=line, field=field, remedy="add it")
    if first["type"] == "union_tag_invalid":
        word = str(first.get("ctx", {}).get("tag", ""))
        return UsageError(
            f"unknown entry {word!r}", path=path, line=line, field="do",
            remedy=did_you_mean(word, _KINDS),
        )  # fmt: skip
    message = first["msg"].removeprefix("Value error, ")
    return UsageError(message, path=path, line=line, field=field, remedy="correct the value")


# -- as rows ---------------------------------------------------------------------------------------

COLUMNS: dict[str, str] = {
    "entry_no": "integer", "version": "integer", "state": "varchar", "verb": "varchar",
    "made_at": "timestamptz", "account": "varchar", "role": "varchar", "finding_id": "varchar",
    "answer": "varchar", "text": "varchar", "code": "varchar", "holds": "boolean",
    "action_id": "varchar", "title": "varchar", "owner": "varchar", "due": "date",
    "strength": "varchar", "findings": "varchar[]", "verified_how": "varchar",
    "item_no": "integer", "digest": "varchar",
}  # fmt: skip


def rows(entries: Sequence[Placed]) -> list[list[Any]]:
    """The entries as rows of the table `review_entry`, in the order of COLUMNS."""
    found = []
    for placed in entries:
        said = placed.entry.model_dump()
        found.append(
            [
                placed.number, placed.version, placed.state, said["do"], said["at"], said["by"],
                said["role"] or None, said.get("finding"), said.get("answer"),
                said.get("text") or said.get("reason") or None, said.get("code"),
                said.get("holds"), said.get("id"), said.get("title"), said.get("owner"),
                said.get("due"), said.get("strength"), list(said.get("findings", ())),
                said.get("verified_how") or None, said.get("item"), said.get("digest"),
            ]
        )  # fmt: skip
    return found
