"""Draw the picture of the README: two pages of the review of the sample case, side by side.

    postmortem demo postmortem-demo
    python docs/picture.py postmortem-demo/draas-2022/output/review.pdf

It needs pdftoppm (poppler-utils).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageOps

PICTURE = Path(__file__).with_name("review.png")
FIRST, LAST = 2, 3
DOTS_PER_INCH, COLOURS, FRAME = 78, 24, "#9aa5b1"


def draw(report: Path) -> None:
    """Write the picture anew from a review as PDF."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(  # noqa: S603
            ["pdftoppm", "-png", "-r", str(DOTS_PER_INCH), "-f", str(FIRST), "-l", str(LAST),  # noqa: S607
             str(report), f"{folder}/page"],
            check=True,
        )  # fmt: skip
        pages = [
            ImageOps.expand(Image.open(path).convert("RGB"), border=1, fill=FRAME)
            for path in sorted(Path(folder).iterdir())
        ]
    whole = Image.new("RGB", (sum(page.width for page in pages), pages[0].height), "white")
    left = 0
    for page in pages:
        whole.paste(page, (left, 0))
        left += page.width
    whole.quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
