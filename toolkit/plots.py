"""The pictures of the reports, one at a time, for notebooks and pages of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import UsageError
from toolkit.report import drawn, page, timeline
from toolkit.report.facts import CaseFacts
from toolkit.report.incident import Incident
from toolkit.report.model import Block, Figure
from toolkit.report.render import svg
from toolkit.store import Store


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture as SVG that stands for itself, with what it shows in words.

    A notebook shows the picture; `print` gives the words. Text of the evidence is escaped, people
    appear as roles, and nothing is fetched.
    """

    caption: str
    words: str
    svg: str
    relations: tuple[str, ...]

    def save(self, path: Path | str) -> Path:
        """Write the picture to a file; returns its path."""
        target = Path(path)
        target.write_text(self.svg, encoding="utf-8")
        return target

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"{self.caption}\n{self.words}"


class Plots:
    """The pictures of one case, each named for the question that it answers.

    Each raises UsageError where the relations hold nothing to draw. None reads samples: what is
    drawn has been reduced before.
    """

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store

    def timeline(self, *, onset: bool = False) -> Plot:
        """Events in swim lanes over the whole window, or with `onset` the hours around it."""

        def figures(facts: CaseFacts) -> Figure | None:
            found = _figures(timeline.section(Incident(facts)).blocks)
            return found[int(onset)] if len(found) > int(onset) else None

        return self._drawn("timeline", figures)

    def page(self) -> Plot:
        """What the status page said of each region, against what was measured."""
        return self._drawn("page", lambda facts: next(iter(_figures(page.strips(facts))), None))

    def protection(self) -> Plot:
        """The share of each region's machines that had a gap in protection, by day."""
        return self._drawn("protection", drawn.heat_map)

    def lag(self) -> Plot:
        """How far replication was behind, or how old recovery points were."""
        return self._drawn("lag", drawn.lag_panels)

    def reach(self) -> Plot:
        """What irreversible events hit, and what depended on it."""
        return self._drawn("reach", lambda facts: drawn.blast_radius(Incident(facts)))

    def checks(self) -> Plot:
        """The checks between the operation under review and harm, by what their tests found."""
        return self._drawn("checks", lambda facts: drawn.barriers(Incident(facts)))

    def recovery(self) -> Plot:
        """How many machines remained to be recovered each day, and the latest forecast."""
        return self._drawn("recovery", drawn.burn_down)

    def _drawn(self, name: str, figure: Callable[[CaseFacts], Figure | None]) -> Plot:
        with self._store() as store:
            facts = CaseFacts(store)
            found = figure(facts)
            zone = facts.zone
        if found is None:
            raise UsageError(
                f"the relations hold nothing to draw of {name!r}",
                remedy="case.relations() shows which of them have rows",
            )
        return Plot(
            found.caption,
            found.description,
            svg(found.picture, found.description, f"plot-{name}", zone),
            tuple(found.query.split(", ")),
        )


def _figures(blocks: Sequence[Block]) -> list[Figure]:
    return [block for block in blocks if isinstance(block, Figure)]
