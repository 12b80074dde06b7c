"""Where templates come from: those of the case before those delivered, and nowhere else."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from toolkit import resources
from toolkit.errors import UsageError, one_line

# What a template may look into: what a report consists of, and what templates are made of.
_OPEN = (
    "toolkit.report.",
    "builtins",
    "datetime",
    "decimal",
    "collections",
    "markupsafe",
    "jinja2.",
)


class SandboxedEnvironment(ImmutableSandboxedEnvironment):
    """For templates of a case: they see the report, and nothing by which to leave it."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may read this attribute; see jinja2.sandbox."""
        kind = obj if isinstance(obj, type) else type(obj)
        is_open = kind.__module__.startswith(_OPEN)
        return is_open and bool(super().is_safe_attribute(obj, attr, value))


class _Folder(jinja2.FileSystemLoader):
    """The files of one folder; a link that leads out of it leads nowhere."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder.resolve()

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        found = super().get_source(environment, template)
        if not Path(found[1]).resolve().is_relative_to(self._folder):
            raise jinja2.TemplateNotFound(template)
        return found


def loader(own: Path | None) -> jinja2.BaseLoader:
    """The templates as delivered, or with a case's own before them.

    `shipped/NAME` is the one delivered, for a template of the case that adds to it.
    """
    shipped = jinja2.FileSystemLoader(resources.templates())
    if own is None:
        return shipped
    return jinja2.ChoiceLoader([_Folder(own), shipped, jinja2.PrefixLoader({"shipped": shipped})])


@contextmanager
def faults_told(own: Path | None) -> Iterator[None]:
    """Tell what a case's own templates get wrong as file, line and one sentence."""
    if own is None:
        yield
        return
    remedy = "correct the template, or take it out of the folder"
    try:
        yield
    except jinja2.TemplateSyntaxError as error:
        raise UsageError(
            one_line(str(error.message)), path=error.filename, line=error.lineno, remedy=remedy
        ) from None
    except Exception as error:  # a template can raise anything
        what = one_line(str(error) or type(error).__name__)
        if isinstance(error, jinja2.TemplateNotFound):
            what = f"no template {what!r} lies in this folder or among those delivered"
        elif isinstance(error, UnicodeDecodeError):
            what = f"a template is not UTF-8: {what}"
        place = _place(error, own)
        raise UsageError(
            what, path=place[0] if place else own, line=place and place[1], remedy=remedy
        ) from None


def _place(error: Exception, own: Path) -> tuple[str, int] | None:
    """The last line of a template that ran; one of the case where there is any."""
    ran = [
        (frame.filename, frame.lineno or 1)
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(own)
        or Path(frame.filename).is_relative_to(resources.templates())
    ]
    mine = [place for place in ran if Path(place[0]).is_relative_to(own)]
    found = mine or ran
    return found[-1] if found else None
