"""PDF reports as documents of their own: their signatures, attachments, and the digest they print.

Nothing is fetched: certificates are trusted when they lead to given roots at the time that the
signature states, and revocation is not looked up.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import VerificationFailed
from toolkit.report.attach import DIGESTS, MANIFEST

FAILED, PASSED, NOTE = "failed", "passed", "note"
MAX_PAGES = 2000
_FOOTER = re.compile(r"Case digest\s*([0-9a-f]{64})(?![0-9a-f])")


def signatures(path: Path, roots: Sequence[Any]) -> list[tuple[str, str]]:
    """What is found of every signature of a PDF: outcome and words."""
    try:
        return _signatures(path, roots)
    except Exception as error:
        # The parser of a stranger's bytes may fail in any way; every one of them means the same.
        return [(FAILED, f"the PDF cannot be read ({type(error).__name__}: {str(error)[:120]})")]


def _signatures(path: Path, roots: Sequence[Any]) -> list[tuple[str, str]]:
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import SignatureCoverageLevel, validate_pdf_signature
    from pyhanko.sign.validation.settings import KeyUsageConstraints
    from pyhanko_certvalidator import ValidationContext

    found: list[tuple[str, str]] = []
    with path.open("rb") as file:
        reader = PdfFileReader(file)
        for signature in reader.embedded_signatures:
            said = signature.self_reported_timestamp
            context = ValidationContext(
                trust_roots=list(roots),
                allow_fetching=False,
                revocation_mode="soft-fail",
                **({"moment": said} if said else {}),
            )
            status = validate_pdf_signature(
                signature,
                context,
                key_usage_settings=KeyUsageConstraints(
                    key_usage={"digital_signature", "non_repudiation"}
                ),
            )
            name = _one_line(signature.signer_cert.subject.human_friendly)
            when = f" at a stated {said:%Y-%m-%d %H:%M:%S %Z}" if said else ""
            told = f"signature {_one_line(signature.field_name)}: {name}{when}"
            covers = status.coverage >= SignatureCoverageLevel.ENTIRE_REVISION
            if not (status.intact and status.valid):
                found.append((FAILED, f"{told}: the signed bytes have changed"))
            elif not covers or not status.docmdp_ok:
                found.append((FAILED, f"{told}: the file was changed after it was signed"))
            elif status.trusted:
                found.append((PASSED, f"{told}: holds, and leads to a given root"))
            else:
                why = "leads to no given root" if roots else "no roots given"
                found.append((NOTE, f"{told}: holds; trust not established: {why}"))
    return found or [(NOTE, "the report is not signed")]


@dataclass(frozen=True, slots=True)
class Carried:
    """What a PDF prints and carries: the case digests of each page, and its files by name."""

    pages: list[list[str]]
    files: dict[str, bytes]


def read(path: Path) -> Carried:
    """Read a report; raises VerificationFailed where it is no PDF that can be read."""
    from pypdf import PdfReader

    try:
        reader = PdfReader(path)
        if reader.is_encrypted:
            # Archival PDF allows none; what a password changes is not what was sealed.
            raise VerificationFailed(
                "the PDF is encrypted, which no report is: give the report as it was written",
                path=path.name,
            )
        if len(reader.pages) > MAX_PAGES:
            raise ValueError(f"more than {MAX_PAGES} pages")
        pages = [_FOOTER.findall(page.extract_text()) for page in reader.pages]
        return Carried(pages, {name: parts[-1] for name, parts in reader.attachments.items()})
    except VerificationFailed:
        raise
    except Exception as error:
        # The parser of a stranger's bytes may fail in any way; every one of them means the same.
        told = f"the PDF cannot be read ({type(error).__name__}: {_one_line(str(error))[:120]})"
        raise VerificationFailed(told, path=path.name) from None


def content(carried: Carried, digest: str | None) -> list[tuple[str, str]]:
    """Whether footers and attachments agree with each other, and with a case digest if given."""
    pages, files = carried.pages, carried.files
    found: list[tuple[str, str]] = []
    printed = {each for page in pages for each in page}
    bare = [number for number, page in enumerate(pages, start=1) if not page]
    if bare:
        found.append((FAILED, f"page {bare[0]} prints no case digest"))
    if len(printed) > 1:
        found.append((FAILED, "its pages print different case digests"))
    wanted = digest or (min(printed) if printed else None)
    if wanted is not None and printed - {wanted}:
        found.append((FAILED, f"the printed case digest is not {wanted}"))
    if not files:
        found.append((NOTE, "the report carries no files, so that its digest stands alone"))
    elif MANIFEST not in files or DIGESTS not in files:
        found.append((FAILED, f"the report does not carry {MANIFEST} and {DIGESTS}"))
    else:
        found += _attachment_faults(files, wanted)
    if not any(outcome == FAILED for outcome, _ in found):
        told = f"{len(pages)} pages print the case digest {wanted}"
        if files:
            told += f", which is that of its manifest; {len(files)} attached files agree with it"
        found.append((PASSED, told))
    return found


def _attachment_faults(files: dict[str, bytes], digest: str | None) -> list[tuple[str, str]]:
    found = []
    listed = {
        name: told
        for told, _, name in (
            line.partition("  ") for line in files[DIGESTS].decode("utf-8", "replace").splitlines()
        )
    }
    for name in sorted(files.keys() - {DIGESTS} | listed.keys()):
        if name not in files:
            found.append((FAILED, f"the attachment {name} is missing"))
        elif hashlib.sha256(files[name]).hexdigest() != listed.get(name):
            found.append((FAILED, f"the attachment {name} is not the one that {DIGESTS} lists"))
    if hashlib.sha256(files[MANIFEST]).hexdigest() != digest:
        found.append((FAILED, f"the case digest is not that of the attached {MANIFEST}"))
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())
