"""What a PDF report costs beyond WeasyPrint's own time for the same page.

    python -m benchmarks.report CASE [--kind review --kind audit] [--times 3] [--json FILE]

Renders each report of a rebuilt case twice, each in a process of its own: as `postmortem report`
does, and by WeasyPrint alone from the same HTML, to the same variant, without attachments, with the
same fonts; `--times` over, in turn, of which the least counts. CPU seconds are user and system time
of the rendering, after all imports. Ends with exit code 1 if a report takes more than 1.2 times
WeasyPrint's own time, or has more than 60 pages.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pypdf import PdfReader

from toolkit import report
from toolkit.casefile import CaseFolder
from toolkit.report.render import _html, _own_fonts, pdf, within_fonts
from toolkit.store import Store

RATIO, PAGES = 1.2, 60


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds, and the highest memory of the process in megabytes."""

    seconds: float
    peak_mb: float
    pages: int
    size: int


def whole(told: report.Report, kind: report.Kind, brand: report.Brand) -> Cost:
    """The report as the toolkit makes it, from the model on."""
    return _measured(lambda: pdf(told, kind, brand))


def bare(told: report.Report, kind: report.Kind, brand: report.Brand) -> Cost:
    """WeasyPrint alone, from the HTML that the toolkit hands to it."""
    text = within_fonts(_html(told, kind, brand, "print"))

    def made() -> bytes:
        import weasyprint

        written: bytes = weasyprint.HTML(string=text).write_pdf(
            pdf_variant="pdf/a-3a", pdf_tags=True
        )
        return written

    with _own_fonts():
        return _measured(made)


def _measured(work: Callable[[], bytes]) -> Cost:
    with _own_fonts():
        import weasyprint

        weasyprint.HTML(string="<p>imports all that it needs</p>").write_pdf()
    before = time.process_time()
    written = work()
    seconds = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Cost(seconds, peak, len(PdfReader(io.BytesIO(written)).pages), len(written))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("case", type=Path)
    parser.add_argument("--kind", action="append", choices=report.KINDS)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    case = CaseFolder.open(given.case)
    with Store.open(case.database) as store:
        told = report.build(store, originals=report.original_lines(store, case.path))
    brand = report.load_brand(case.path)
    missed, found = False, []
    spawn = multiprocessing.get_context("spawn")
    for kind in given.kind or ("review", "audit"):
        costs: dict[object, list[Cost]] = {whole: [], bare: []}
        for way in [whole, bare] * given.times:
            with spawn.Pool(1) as pool:
                costs[way].append(pool.apply(way, (told, kind, brand)))
        ours, its = (min(each, key=lambda cost: cost.seconds) for each in costs.values())
        ratio = ours.seconds / its.seconds
        found.append({"kind": kind, "toolkit": asdict(ours), "weasyprint": asdict(its)})
        missed |= ratio > RATIO or ours.pages > PAGES
        print(
            f"{kind}: {ours.seconds:.1f} CPU s, WeasyPrint alone {its.seconds:.1f}: "
            f"{ratio:.2f} × (bar {RATIO}); {ours.pages} pages (bar {PAGES}), {ours.size} bytes; "
            f"peak {ours.peak_mb:.0f} MB, WeasyPrint alone {its.peak_mb:.0f} MB"
        )
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
