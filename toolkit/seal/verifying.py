"""Verifying a bag or a report: is it whole, who signed it, and do its numbers come out again?

Nothing of a bag is trusted. Names are checked before anything is opened, nothing is written into
it, its SQL runs confined, and its Python does not run at all: steps that are code are performed by
this toolkit's own, and the answer says where that is not the sealed one.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolkit.casefile import CASE_FILE
from toolkit.errors import ToolkitError, UsageError, VerificationFailed
from toolkit.seal import bag, detached, numbers, pdf, trust
from toolkit.seal.check import FAILED, NOTE, PASSED, Check, Lines, limited

_TAGS = (bag.DECLARATION, bag.INFO, bag.MANIFEST, bag.TAG_MANIFEST)


def verify(
    path: Path, *, allowed_signers: Path | None = None, roots: Path | None = None
) -> tuple[Check, ...]:
    """Check a bag, or a single PDF report; any check that `failed` means that it does not hold.

    `allowed_signers` lists the SSH keys and `roots` the certificates that are trusted; without
    them a signature can hold, but its maker stays unknown. Where they are given, a signature that
    leads to them is asked for. Raises UsageError where there is nothing to check.
    """
    trusted = None if roots is None else detached.load_roots(roots)
    if path.is_dir():
        if not any((path / name).is_file() for name in _TAGS):
            bags = f"give {path / 'output' / 'bag'}, or seal the case first"
            remedy = bags if (path / CASE_FILE).is_file() else "give the folder with bagit.txt"
            raise UsageError("the folder is no bag", path=path, remedy=remedy)
        return tuple(_bag(path, allowed_signers, trusted))
    if path.is_file():
        if zipfile.is_zipfile(path):
            raise UsageError(
                "this is a ZIP archive", path=path, remedy="unpack it, then give the bag's folder"
            )
        return tuple(_report(path, trusted))
    raise UsageError("no such bag or report", path=path, remedy="give a bag's folder, or a PDF")


def _report(path: Path, roots: Sequence[Any] | None) -> Lines:
    try:
        carried = pdf.read(path)
    except VerificationFailed as error:
        yield Check("attachments and digest", FAILED, str(error))
        return
    yield from trust.of_report(path, roots)
    for outcome, told in pdf.content(carried, None):
        yield Check("attachments and digest", outcome, told)
    yield Check("numbers", NOTE, "not re-performed: that needs the bag, which holds the evidence")


def _bag(path: Path, allowed_signers: Path | None, roots: Sequence[Any] | None) -> Lines:
    unsafe = bag.unsafe(path)
    if unsafe is not None:
        yield Check("bag", FAILED, unsafe)
        yield Check("numbers", FAILED, "not re-performed: the bag cannot be read safely")
        return
    found = bag.faults(path)
    yield from limited("bag", found)
    if not found:
        count = len(bag.read_digests(path, bag.MANIFEST))
        told = f"complete and valid: {count} files as they were sealed; SHA-256 of its tag manifest"
        yield Check("bag", PASSED, f"{told} {bag.digest(path / bag.TAG_MANIFEST)}")
    if not (path / bag.PAYLOAD).is_dir():
        yield Check("numbers", FAILED, f"not re-performed: the bag has no folder {bag.PAYLOAD}")
        return
    yield from trust.of_bag(path, allowed_signers, roots)
    try:
        yield from numbers.of_bag(path)
    except ToolkitError as error:
        yield Check("numbers", FAILED, _within(path, f"not re-performed: {error}"))
    except RecursionError:
        yield Check("numbers", FAILED, "not re-performed: a file is nested too deeply")
    except Exception as error:
        # Files of a stranger may break any expectation; what cannot be read cannot be confirmed.
        told = f"not re-performed: {type(error).__name__}: {str(error)[:200]}"
        yield Check("numbers", FAILED, _within(path, told))


def _within(path: Path, text: str) -> str:
    """A message without the folders of this machine."""
    return text.replace(f"{path}/", "")
