"""Whether offsets of clocks are bounded truly: simulated sources, planted offsets, wrong pairs.

    python -m benchmarks.clocks --sources 200

Every source has a clock of its own offset. Causes and effects between sources give pairs, and one
source is probed. With clean pairs every interval must hold the planted offset. Then one pair of
some sources is turned round, as a wrong match would be: it must be named in a conflict, and no
interval that remains may miss its offset. Exits with 1 if either fails.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from random import Random

from toolkit.analysis.clocks import TRUE_TIME, Clock, Constraint, Offset, offsets

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
# Spread of the offsets, and pairs that each source begins.
_FAR = 300 * _SECOND
_PAIRS = 12


@dataclass(frozen=True, slots=True)
class Measured:
    """What a simulation came to; widths are those of the intervals, in seconds."""

    sources: int
    held: int
    median_width: float
    wrong: int
    named: int
    missed: int


def measure(sources: int, *, seed: int, wrong: int) -> Measured:
    """Estimate the offsets of simulated sources, with clean pairs and with `wrong` turned ones."""
    dice = Random(seed)
    clocks: Sequence[Clock] = [(number, "") for number in range(1, sources + 1)]
    planted = {clock: dice.randint(-_FAR, _FAR) for clock in clocks}
    clean = [
        Constraint(TRUE_TIME, clocks[0], planted[clocks[0]], "probe"),
        Constraint(clocks[0], TRUE_TIME, -planted[clocks[0]], "probe"),
    ]
    for clock in clocks:
        for number in range(_PAIRS):
            other = dice.choice([each for each in clocks if each != clock])
            cause, effect = (clock, other) if number % 2 else (other, clock)
            # Every pair is one that records show: two printed times, each by its own clock.
            began = dice.randrange(_DAY)
            arrived = began + round(dice.lognormvariate(-1.2, 0.8) * _SECOND)
            slack = (arrived + planted[effect]) - (began + planted[cause])
            clean.append(Constraint(cause, effect, slack, f"pair {len(clean)}"))
    found = offsets(clean)
    held = [
        clock
        for clock in clocks
        if _holds(found[clock], planted[clock])
        and found[clock].lo is not None
        and found[clock].hi is not None
    ]
    widths = [
        (offset.hi - offset.lo) / _SECOND
        for clock in clocks
        if (offset := found[clock]).lo is not None and offset.hi is not None
    ]

    turned = []
    for number, clock in enumerate(dice.sample(clocks[1:], wrong)):
        other = dice.choice([each for each in clocks if each != clock])
        # An effect recorded a minute before its cause, more than any delay explains.
        slack = planted[clock] - planted[other] - 60 * _SECOND
        turned.append(Constraint(other, clock, slack, f"wrong match {number:04}"))
    found = offsets([*clean, *turned])
    said = " / ".join(text for offset in found.values() for text in offset.conflict)
    named = [each for each in turned if each.why in said]
    missed = [
        clock
        for clock in clocks
        if clock in found
        and not found[clock].conflict
        and found[clock].reference == TRUE_TIME
        and not _holds(found[clock], planted[clock])
    ]
    return Measured(
        sources, len(held), statistics.median(widths or [nan]), len(turned), len(named), len(missed)
    )


def _holds(offset: Offset, planted: int) -> bool:
    """Whether no bound excludes the truth."""
    return (offset.lo is None or offset.lo <= planted) and (
        offset.hi is None or planted <= offset.hi
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sources", type=int, default=200)
    parser.add_argument("--wrong", type=int, default=5, help="pairs to turn round")
    parser.add_argument("--seed", type=int, default=20220309)
    given = parser.parse_args(arguments)
    done = measure(given.sources, seed=given.seed, wrong=given.wrong)
    print(f"clean pairs: {done.held} of {done.sources} intervals hold the planted offset")
    print(f"median width of the intervals: {done.median_width:.3f} s")
    print(f"turned pairs: {done.named} of {done.wrong} are named in a conflict")
    print(f"intervals that remain beside them and miss the offset: {done.missed}")
    return 0 if (done.held, done.named, done.missed) == (done.sources, done.wrong, 0) else 1


if __name__ == "__main__":
    sys.exit(main())
