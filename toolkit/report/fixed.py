"""The fixed words of the reports, and their translation by a case.

A sentence that states a result is made for that result and stays English; what stands in every
report (headings, captions, heads of columns, the foot of a page) is looked up here.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from toolkit import resources
from toolkit.errors import UsageError, did_you_mean
from toolkit.report.model import Column, Document, Facts, Section, Table

Words = Mapping[str, Mapping[str, str]]


@cache
def english() -> Words:
    """The catalogue as delivered: words by key, by group."""
    path = resources.templates() / "words" / "en.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of one report: `page` for the templates, `told` from English for the rest.

    `missing` are the keys for which English stands in.
    """

    page: Mapping[str, str] = field(default_factory=lambda: english()["page"])
    told: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Wording:
        """A translation with the groups and keys of the catalogue; raises UsageError at others."""
        for group, words in given.items():
            if group not in english():
                raise UsageError(
                    "unknown group", field=group, remedy=did_you_mean(group, english())
                )
            if not isinstance(words, dict):
                raise UsageError("a group is a table", field=group, remedy=f"write [{group}]")
            for key, word in words.items():
                place = f"{group}.{key}"
                if key not in english()[group]:
                    raise UsageError(
                        "unknown key", field=place, remedy=did_you_mean(key, english()[group])
                    )
                if not isinstance(word, str) or not word.strip():
                    raise UsageError("the words are no text", field=place, remedy="write text")
                if key == "page_of" and not all(
                    word.count(part) == 1 for part in ("{page}", "{pages}")
                ):
                    raise UsageError(
                        "the words need {page} and {pages}, each once", field=place,
                        remedy='write as in "page {page} of {pages}"',
                    )  # fmt: skip
        return cls(
            page={**english()["page"], **given.get("page", {})},
            told={
                word: given[group][key]
                for group, words in english().items()
                if group != "page"
                for key, word in words.items()
                if key in given.get(group, {})
            },
            missing=tuple(
                f"{group}.{key}"
                for group, words in english().items()
                for key in words
                if key not in given.get(group, {})
            ),
        )

    def page_of(self) -> tuple[tuple[str, str], ...]:
        """The foot of a page in parts: (`text`, words) and (`counter`, `page` or `pages`)."""
        parts = []
        for chunk in self.page["page_of"].replace("{", "\0{").replace("}", "}\0").split("\0"):
            if chunk in ("{page}", "{pages}"):
                parts.append(("counter", chunk[1:-1]))
            elif chunk:
                parts.append(("text", chunk))
        return tuple(parts)

    def translated(self, document: Document) -> Document:
        """The document with its fixed words replaced; nothing else of it changes."""
        translated: Document = self._in(document) if self.told else document
        return translated

    def _in(self, part: Any) -> Any:
        """Walk what holds fixed words: the document, sections, tables and labelled facts."""
        match part:
            case Document() | Section():
                changes: dict[str, Any] = {
                    "title": self._word(part.title),
                    "sections": tuple(map(self._in, part.sections)),
                }
                if isinstance(part, Document):
                    changes["subtitle"] = self._word(part.subtitle)
                    changes["cover"] = tuple(map(self._in, part.cover))
                else:
                    changes["blocks"] = tuple(map(self._in, part.blocks))
            case Table():
                changes = {
                    "caption": self._word(part.caption),
                    "columns": tuple(map(self._in, part.columns)),
                }
            case Column():
                changes = {"title": self._word(part.title)}
            case Facts():
                changes = {"items": tuple((self._word(name), text) for name, text in part.items)}
            case _:
                return part
        return dataclasses.replace(part, **changes)

    def _word(self, word: str) -> str:
        return self.told.get(word, word)
