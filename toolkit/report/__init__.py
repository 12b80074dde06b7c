"""Reports: one model of a case, rendered as PDF, HTML, Markdown and JSON.

report = build(store)
write(report, "review", ["pdf", "html"], case / "output")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import get_args

from toolkit.errors import UsageError
from toolkit.report import attach, audit, board, cited, review, summary
from toolkit.report.brand import Brand
from toolkit.report.brand import files as brand_files
from toolkit.report.brand import load as load_brand
from toolkit.report.facts import CaseFacts, case_digest, case_manifest
from toolkit.report.model import KINDS, Kind, Report
from toolkit.report.originals import original_lines
from toolkit.report.render import RENDERERS
from toolkit.store import Store

__all__ = [
    "FORMATS", "KINDS", "Brand", "CaseFacts", "Kind", "Report", "brand_files", "build",
    "case_digest", "case_manifest", "load_brand", "original_lines", "render", "write",
]  # fmt: skip

FORMATS = tuple(RENDERERS)
Originals = Callable[[int, int], str | None]


def build(
    store: Store,
    *,
    case_title: str | None = None,
    originals: Originals | None = None,
) -> Report:
    """Read a case's relations into a report; the same store gives the same report.

    `case_title` replaces the title that the case states. `originals` gives the original line of a
    record (source_id, record_no) where the caller has the evidence at hand; records stand as read
    without it. Relations that are not there leave a sentence that says so.
    """
    facts = CaseFacts(store, case_title=case_title, originals=originals, local=True)
    documents = (review.document(facts), audit.document(facts), summary.document(facts))
    return Report(
        case_id=facts.case_id,
        title=facts.title,
        state=board.cover(facts),
        window=facts.window,
        digest=facts.digest,
        dated=facts.dated,
        zone=str(facts.zone),
        documents={
            document.kind: replace(document, records=cited.records(facts, document))
            for document in documents
        },
        attachments=attach.attachments(facts),
    )


def render(report: Report, kind: Kind, form: str, brand: Brand | None = None) -> bytes:
    """One document in one format; raises UsageError for an unknown kind or format.

    `brand` is the look that `load_brand` reads of a case; without it, the look as delivered.
    """
    if kind not in get_args(Kind):
        raise UsageError(f"unknown report {kind!r}", remedy=f"use one of {', '.join(KINDS)}")
    if form not in RENDERERS:
        raise UsageError(f"unknown format {form!r}", remedy=f"use one of {', '.join(FORMATS)}")
    content = RENDERERS[form](report, kind, brand or Brand())
    return content.encode() if isinstance(content, str) else content


def write(
    report: Report, kind: Kind, formats: Iterable[str], folder: Path, brand: Brand | None = None
) -> list[Path]:
    """Write one document as `<kind>.<format>` for each format; returns the paths in that order.

    A file is replaced whole or not at all.
    """
    written = []
    for name in formats:
        content = render(report, kind, name, brand)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{kind}.{name}"
        part = path.with_name(path.name + ".part")
        part.write_bytes(content)
        part.replace(path)
        written.append(path)
    return written
