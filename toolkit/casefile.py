"""The case folder and its `case.toml`: what is reviewed, where evidence lies, how it is read."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from toolkit import resources
from toolkit.errors import UsageError, did_you_mean, nearest, one_line
from toolkit.timestamps import TimeError, TimeRule, check_zone, parse

EVIDENCE, PROCEDURES, OUTPUT = "evidence", "procedures", "output"
CASE_FILE, DATABASE = "case.toml", "case.duckdb"

_T = TypeVar("_T", bound=BaseModel)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(_Table):
    """What the review covers; open on a side that is not stated."""

    start: datetime | None = Field(
        default=None, description="First instant that the review covers, with offset."
    )
    end: datetime | None = Field(default=None, description="Instant at which it ends, with offset.")

    @field_validator("start", "end")
    @classmethod
    def _has_offset(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("the time has no offset; write for example 2022-03-01T00:00:00Z")
        return value

    @model_validator(mode="after")
    def _runs_forward(self) -> Window:
        if self.start and self.end and self.end <= self.start:
            raise ValueError("the window ends before it starts")
        return self


class Incident(_Table):
    """What kind of incident it is."""

    theme: str | None = Field(
        default=None,
        description="Theme of the incident, compared with the themes of earlier action items "
        "(CF-28).",
    )


class SourceDeclaration(_Table):
    """What the case says about the files that match `path`."""

    path: str = Field(
        description="Files that it speaks of: a path or a glob in the case folder; FILE!NAME for "
        "a member of an archive. Where several entries match, later ones win by key."
    )
    format: str | None = Field(
        default=None,
        description="Format to read the files in, where it is not recognised: see `postmortem "
        "formats`.",
    )
    zone: str | None = Field(
        default=None,
        description="Zone of times that state none: an IANA name, `UTC`, or an offset as `+05:30`.",
    )
    year: int | None = Field(
        default=None,
        ge=1970,
        le=2100,
        description="Year of the first record, where records state none.",
    )
    order: Literal["day-first", "month-first", "year-first"] | None = Field(
        default=None,
        description="Order of day, month and year in dates of numbers: `day-first`, `month-first` "
        "or `year-first`.",
    )
    clock_offset_seconds: float = Field(
        default=0.0,
        description="By how much the clock of the files was ahead of true time (behind: less than "
        "0). It is taken off their times; nothing else moves a time.",
    )
    mapping: str | None = Field(
        default=None, description="Mapping file of the case, or a shipped mapping by its name."
    )
    asset_id: str | None = Field(
        default=None, description="Asset that the files tell of, where they name none."
    )
    target_asset: str | None = Field(
        default=None,
        description="Asset that holds the copies of which the files tell, where they name none, "
        "such as a repository. Jobs of one machine to two targets are two jobs.",
    )
    captured_at: str | None = Field(
        default=None,
        description="When the files were made, where they do not say it: the state that they show "
        "held then.",
    )
    system_of_record: str | None = Field(
        default=None, description="System that the files come from."
    )
    obtained_by: str | None = Field(default=None, description="Role that made the export.")
    obtained_at: str | None = Field(default=None, description="When the export was made.")
    obtained_how: str | None = Field(
        default=None, description="How it was made: command, query, or page."
    )
    expected_records: int | None = Field(
        default=None,
        ge=0,
        description="Records that the system says it holds; a difference is listed in "
        "`evidence_quality`.",
    )

    @field_validator("obtained_at", "captured_at", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return value.isoformat() if isinstance(value, datetime | date | time) else value

    @field_validator("captured_at")
    @classmethod
    def _is_a_time(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse(value, TimeRule(zone="UTC"))
            except TimeError:
                raise ValueError(
                    f"{one_line(value)!r} is no time that reads in one way; write it as "
                    '"2022-03-10T08:00:00Z"'
                ) from None
        return value

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                check_zone(value)
            except TimeError as error:
                raise ValueError(error.reason) from None
        return value

    @property
    def digest(self) -> str:
        """Changes when the file would be read differently."""
        relevant = self.model_dump(exclude={"path"}, exclude_none=True)
        return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()


class CaseFile(_Table):
    """The content of `case.toml`."""

    title: str = Field(min_length=1, description="Title of the review.")
    display_zone: str = Field(
        default="UTC", description="Zone of the times in reports. Listings and exports are in UTC."
    )
    window: Window = Field(
        default=Window(), description="What the review covers; without it, all evidence."
    )
    incident: Incident = Field(default=Incident(), description="What kind of incident it is.")
    source: tuple[SourceDeclaration, ...] = Field(
        default=(),
        description="What must not be guessed about files, and how they were obtained; one table "
        "per path or glob.",
    )
    ignore: tuple[str, ...] = Field(
        default=(), description="Files that are no evidence: names or globs."
    )
    components: dict[str, str] = Field(
        default_factory=dict,
        description="Region of a component of the status page, by its name, where the page does "
        "not state it.",
    )
    policy: dict[str, int | float | str | tuple[str, ...]] = Field(
        default_factory=dict, description="Thresholds other than as delivered: see Policy."
    )

    @field_validator("display_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            check_zone(value)
        except TimeError as error:
            raise ValueError(error.reason) from None
        return value


@dataclass(frozen=True, slots=True)
class Threshold:
    """One value of the policy in force, with where it comes from (`default` or `case`)."""

    key: str
    value: str
    unit: str
    origin: str
    meaning: str


@dataclass(frozen=True, slots=True)
class CaseFolder:
    """A case on disk: its folder and what `case.toml` says."""

    path: Path
    file: CaseFile

    @classmethod
    def open(cls, path: Path) -> CaseFolder:
        """Read a case; raises UsageError with the line and key of the first fault."""
        if not path.is_dir():
            beside = sorted(each.name for each in path.parent.glob("*/"))
            near = nearest(path.name, beside)
            meant = f"did you mean {str(path.with_name(near))!r}?" if near else "check the path."
            raise UsageError(
                "no such case folder",
                path=path,
                remedy=f"{meant} A new case is made with: postmortem new",
            )
        toml = path / CASE_FILE
        if not toml.is_file():
            raise UsageError(
                f"the folder has no {CASE_FILE}",
                path=path,
                remedy=f"postmortem run {path} makes a case of a folder of exports",
            )
        return cls(path, read_table(toml, CaseFile))

    @property
    def id(self) -> str:
        return self.path.resolve().name

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    @property
    def output(self) -> Path:
        return self.path / OUTPUT

    def evidence(self) -> Iterator[tuple[Path, SourceDeclaration]]:
        """Every file of evidence with what is declared of it, in the order of their paths.

        These are the files that `[[source]]` entries match, archives of which they name a member,
        and every other file below `evidence/`. Links may lead out of the case: whoever opens a file
        looks where it lies.
        """
        found: dict[str, Path] = {}
        for pattern in [declared.path for declared in self.file.source] + [f"{EVIDENCE}/**/*"]:
            if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
                raise UsageError(
                    f"source path {pattern!r} leads out of the case",
                    path=self.path / CASE_FILE,
                    field="source.path",
                    remedy="copy the files below evidence/",
                )
            for path in _matching(self.path, pattern):
                if path.is_file() and not path.name.startswith("."):
                    found[path.relative_to(self.path).as_posix()] = path
        for name, path in sorted(found.items()):
            yield path, self.declaration(name)

    def ignores(self, name: str) -> bool:
        """Whether the case says that a file is no evidence, by `ignore`.

        A pattern without a folder in it holds in every folder; one that fits an archive
        (FILE!NAME) holds for all that it contains.
        """
        names = {name, name.split("!")[0]}
        names |= {PurePosixPath(each).name for each in names}
        return any(_glob(each, pattern) for each in names for pattern in self.file.ignore)

    def unmatched(self) -> Sequence[str]:
        """The paths of `[[source]]` entries that no file matches."""
        names = [path.relative_to(self.path).as_posix() for path, _ in self.evidence()]
        return [
            declared.path
            for declared in self.file.source
            if not any(
                # What lies in an archive is named as FILE!NAME, and is not looked up here.
                name == declared.path
                or declared.path.startswith(f"{name}!")
                or any(_glob(name, each) for each in (declared.path, *_outer(declared.path)))
                for name in names
            )
        ]

    def declaration(self, name: str, *, within: str | None = None) -> SourceDeclaration:
        """What the case says of a file; where several entries match, later ones win by key.

        What it says of an archive (`within`) holds for the members.
        """
        merged: dict[str, Any] = {"path": name}
        for declared in self.file.source:
            if any(
                each == declared.path or _glob(each, declared.path)
                for each in {name, within or name}
            ):
                merged |= declared.model_dump(exclude_unset=True, exclude={"path"})
        return SourceDeclaration(**merged)

    def policy(self) -> tuple[Threshold, ...]:
        """Every threshold in force, by key."""
        given = dict(self.file.policy)
        found = []
        for key, default in sorted(default_policy().items()):
            origin = "case" if key in given else "default"
            value = given.pop(key, default["value"])
            text = policy_text(value)
            if isinstance(default["value"], int | float) and not _is_number(text):
                raise UsageError(
                    f"{text!r} is no number", path=self.path / CASE_FILE, field=f"policy.{key}",
                    remedy=f"give it in {default['unit']}",
                )  # fmt: skip
            found.append(Threshold(key, text, default["unit"], origin, default["meaning"]))
        for key in given:
            raise UsageError(
                "unknown threshold", path=self.path / CASE_FILE,
                line=line_of(self.path / CASE_FILE, key), field=f"policy.{key}",
                remedy=did_you_mean(key, default_policy()),
            )  # fmt: skip
        return tuple(found)


def default_policy() -> Mapping[str, dict[str, Any]]:
    """The thresholds as delivered: value, unit and meaning by key."""
    return tomllib.loads((resources.queries() / "policy.toml").read_text(encoding="utf-8"))


def is_file(path: Path) -> bool:
    """Whether there is such a file; names of members and of patterns can be too long for one."""
    try:
        return path.is_file()
    except OSError:
        return False


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def policy_text(value: object) -> str:
    """The value of a threshold as the table `policy` holds it: lists with commas."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file of a case; raises UsageError with the line of the first fault."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise UsageError("the file is not UTF-8", path=path, remedy="save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+)", str(error))
        raise UsageError(
            f"not valid TOML: {error}",
            path=path,
            line=int(place[1]) if place else None,
            remedy="mend the line",
        ) from None


def read_table(path: Path, model: type[_T]) -> _T:
    """A TOML file as what a model says of it; raises UsageError with line and key of a fault."""
    try:
        return model.model_validate(read_toml(path))
    except ValidationError as error:
        raise _fault(path, model, error) from None


def _fault(path: Path, model: type[BaseModel], error: ValidationError) -> UsageError:
    first = error.errors()[0]
    keys = [str(part) for part in first["loc"]]
    line = line_of(path, keys[-1]) if keys else None
    if first["type"] == "extra_forbidden":
        return UsageError(
            "unknown key",
            path=path,
            line=line,
            field=".".join(keys),
            remedy=did_you_mean(keys[-1], _known_keys(model, keys[:-1])),
        )
    if first["type"] == "missing":
        return UsageError(
            "the key is missing", path=path, field=".".join(keys), remedy="add it to the file"
        )
    message = first["msg"].removeprefix("Value error, ")
    return UsageError(
        message, path=path, line=line, field=".".join(keys), remedy="correct the value"
    )


def _known_keys(model: type[BaseModel], place: Sequence[str]) -> list[str]:
    """The keys of the table at a place of a file."""
    for part in place:
        if part in model.model_fields:
            kind = model.model_fields[part].annotation
            for inner in (kind, *get_args(kind)):
                if isinstance(inner, type) and issubclass(inner, BaseModel):
                    model = inner
    return list(model.model_fields)


def line_of(path: Path, key: str) -> int | None:
    """The line that sets a key, for messages; TOML parsers do not tell."""
    pattern = re.compile(rf'^\s*(\[+\s*)?"?{re.escape(key)}"?\s*[=\].]')
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if pattern.match(line):
            return number
    return None


def _glob(name: str, pattern: str) -> bool:
    """Match as pathlib globs do: `*` and `?` stay within a folder, `**` crosses folders."""
    parts = []
    for part in pattern.split("/"):
        if part == "**":
            parts.append("(?:[^/]+/)*")
        else:
            escaped = re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
            parts.append(escaped + "/")
    return re.fullmatch("".join(parts), name + "/") is not None


def _matching(folder: Path, pattern: str) -> list[Path]:
    """The one file of that name, else what the pattern matches, else the archive of a FILE!NAME."""
    for each in (pattern, *_outer(pattern)):
        literal = folder / each
        try:
            found = [literal] if is_file(literal) else list(folder.glob(each))
        except (OSError, ValueError):
            continue
        if found:
            return found
    return []


def _outer(pattern: str) -> list[str]:
    """What can be the archive in a FILE!NAME, the longest first."""
    return [pattern[: each.start()] for each in re.finditer("!", pattern)][::-1]
