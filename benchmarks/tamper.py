"""Every single-bit flip in a sealed bag is found: flips bits, one at a time, and asks.

    python -m benchmarks.tamper BAG [--flips 1000] [--seed 1]

Works on a copy of the bag. Half of the flips hit the files of the bag itself (manifests,
declaration, signatures), where a bag is weakest, the other half any file, by its size. The check is
that of `postmortem verify` without the numbers; ends with exit code 1 if any flip goes unseen.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from toolkit.seal import bag


def flips(path: Path, count: int, seed: int) -> list[str]:
    """The flips that were not found, as file and bit."""
    chance = random.Random(seed)
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.stat().st_size)
    own = [file for file in files if bag.PAYLOAD not in file.relative_to(path).parts[:1]]
    sizes = [file.stat().st_size for file in files]
    missed = []
    for turn in range(count):
        file = chance.choice(own) if turn % 2 else chance.choices(files, sizes)[0]
        place = chance.randrange(file.stat().st_size * 8)
        _flip(file, place)
        if not bag.faults(path):
            missed.append(f"{file.relative_to(path)}: bit {place}")
        _flip(file, place)
    return missed


def _flip(file: Path, place: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(place // 8)
        value = opened.read(1)[0]
        opened.seek(place // 8)
        opened.write(bytes([value ^ 1 << place % 8]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bag", type=Path)
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    before = time.process_time()
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(shutil.copytree(given.bag, Path(scratch) / "bag"))
        untouched = bag.faults(copy)
        missed = flips(copy, given.flips, given.seed)
        untouched += bag.faults(copy)
    spent = time.process_time() - before
    print(f"{given.flips} flips, {len(missed)} missed, {len(untouched)} false, {spent:.1f} CPU s")
    print("\n".join(missed))
    sys.exit(1 if missed or untouched else 0)


if __name__ == "__main__":
    main()
