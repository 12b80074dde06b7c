"""How a case wants its reports to look: `brand.toml`, a logo, words, templates of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from toolkit import casefile, resources
from toolkit.errors import UsageError
from toolkit.report import logo
from toolkit.report.fixed import Wording
from toolkit.report.logo import Logo
from toolkit.report.words import visible

FILE, TEMPLATES = "brand.toml", "report_templates"
CONTRAST = 4.5  # WCAG 2, success criterion 1.4.3, level AA, for text of usual size

Hex = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Palette(_Table):
    """Colours as `#rrggbb`; those of the statuses carry meaning and are not for choice."""

    ink: Hex | None = None
    muted: Hex | None = None
    accent: Hex | None = None
    rule: Hex | None = None
    tint: Hex | None = None


class BrandFile(_Table):
    """The content of `brand.toml`."""

    logo: str | None = None
    logo_text: Line | None = None
    title_text: str | None = Field(default=None, max_length=600)
    classification: Line | None = None
    paper: Literal["A4", "Letter"] = "A4"
    words: str | None = None
    colours: Palette = Palette()
    dark: Palette = Palette()

    @model_validator(mode="after")
    def _logo_has_words(self) -> BrandFile:
        if self.logo and not self.logo_text:
            raise ValueError("a logo needs logo_text: the words for those who do not see it")
        return self


@dataclass(frozen=True, slots=True)
class Brand:
    """What rendering needs to know of it; as made without arguments, the look as delivered.

    `colours` are pairs, for paper and light screens and for dark ones: only those of which the case
    sets one. `templates` is the case's folder of templates, where there is one.
    """

    logo: Logo | None = None
    logo_text: str = ""
    title_text: str = ""
    classification: str = ""
    paper: str = "A4"
    colours: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    wording: Wording = field(default_factory=Wording)
    templates: Path | None = None

    @property
    def styled(self) -> bool:
        """Whether the style sheets as delivered do not do."""
        return self != Brand(templates=self.templates)


def load(case: Path) -> Brand:
    """Read what a case says of its look; raises UsageError with file, line and key of a fault."""
    own = case / TEMPLATES
    templates = own if own.is_dir() else None
    path = case / FILE
    if not path.is_file():
        return Brand(templates=templates)
    told = casefile.read_table(path, BrandFile)
    colours = _colours(path, told)
    picture = logo.read(_within(case, told.logo, "logo")) if told.logo else None
    return Brand(
        logo=picture,
        logo_text=visible(told.logo_text or ""),
        title_text=visible(told.title_text or ""),
        classification=visible(told.classification or ""),
        paper=told.paper,
        colours=colours,
        wording=_wording(_within(case, told.words, "words")) if told.words else Wording(),
        templates=templates,
    )


def files(case: Path) -> Iterator[Path]:
    """The files that the look of a case rests on; what is not there is left out."""
    if (case / FILE).is_file():
        told = casefile.read_table(case / FILE, BrandFile)
        yield case / FILE
        for key, name in (("logo", told.logo), ("words", told.words)):
            if name:
                yield _within(case, name, key)
    if (case / TEMPLATES).is_dir():
        for path in sorted((case / TEMPLATES).rglob("*")):
            inside = path.resolve().is_relative_to((case / TEMPLATES).resolve())
            if path.is_file() and inside and not path.name.startswith("."):
                yield path


def _within(case: Path, name: str, field_: str) -> Path:
    """A file of the case, wherever links lead."""
    path = case / name
    if not path.resolve().is_relative_to(case.resolve()):
        message, remedy = f"{name!r} leads out of the case", "copy the file into the case"
    elif not path.is_file():
        message, remedy = f"there is no file {name!r}", "paths start at the case folder"
    else:
        return path
    place = case / FILE
    line = casefile.line_of(place, field_)
    raise UsageError(message, path=place, line=line, field=field_, remedy=remedy)


def _wording(path: Path) -> Wording:
    try:
        return Wording.of(casefile.read_toml(path))
    except UsageError as error:
        if error.path is None:
            error.path = path
            error.line = casefile.line_of(path, (error.field or "").rpartition(".")[2])
        raise


def _colours(path: Path, told: BrandFile) -> Mapping[str, tuple[str, str]]:
    """The pairs of which the case sets one; raises UsageError where text would be hard to read."""
    light, dark = (own.model_dump(exclude_none=True) for own in (told.colours, told.dark))
    pairs = delivered()
    for side, name, given in ((0, "colours", light), (1, "dark", dark)):
        colours = {key: pair[side] for key, pair in pairs.items()} | given
        for ground in ("paper", "tint"):
            for text in ("ink", "muted", "accent", "bad", "warn", "good"):
                ratio = contrast(colours[text], colours[ground])
                chosen = text if text in given else ground
                if ratio < CONTRAST and chosen in given:
                    raise UsageError(
                        f"{text} {colours[text]} on {ground} {colours[ground]} has a contrast of "
                        f"{int(ratio * 10) / 10}:1",
                        path=path,
                        line=casefile.line_of(path, chosen),
                        field=f"{name}.{chosen}",
                        remedy=f"text needs {CONTRAST}:1 (WCAG 2, AA)",
                    )
    return {
        key: (light.get(key, pair[0]), dark.get(key, pair[1]))
        for key, pair in pairs.items()
        if key in light or key in dark
    }


def delivered() -> Mapping[str, tuple[str, str]]:
    """The colours of the style sheet, light and dark, by name."""
    sheet = (resources.templates() / "screen.css").read_text(encoding="utf-8")
    pair = r"--([a-z]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)"
    return {name: (light, dark) for name, light, dark in re.findall(pair, sheet)}


def contrast(one: str, two: str) -> float:
    """The contrast of two colours `#rrggbb`, from 1 to 21, as WCAG 2 defines it."""
    high, low = sorted(map(_luminance, (one, two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    told = 0.0
    for at, weight in ((1, 0.2126), (3, 0.7152), (5, 0.0722)):
        part = int(colour[at : at + 2], 16) / 255
        told += weight * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
    return told
