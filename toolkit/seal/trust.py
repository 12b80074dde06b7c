"""Who signed a bag or a report, as far as given keys and certificates tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolkit.seal import bag, detached, payload, pdf
from toolkit.seal.check import FAILED, NOTE, PASSED, Check, Lines

_UNSIGNED = (
    "the bag is not signed: who made it, and whether of all the evidence, it cannot tell; compare "
    "the SHA-256 of its tag manifest with one that you have from another source"
)


def of_report(path: Path, roots: Sequence[Any] | None, name: str = "") -> Lines:
    """What is found of the signatures of a PDF; with roots, one of them must lead there."""
    found = pdf.signatures(path, roots or ())
    for outcome, told in found:
        yield Check("signatures", outcome, f"{name}{told}")
    if roots is not None and not any(outcome == PASSED for outcome, _ in found):
        yield Check("signatures", FAILED, f"{name}no signature of the report leads to a given root")


def of_bag(path: Path, allowed_signers: Path | None, roots: Sequence[Any] | None) -> Lines:
    manifest = path / bag.TAG_MANIFEST
    found: list[tuple[str, detached.Signature]] = []
    folder = path / bag.SIGNATURES
    for file in sorted(folder.iterdir()) if folder.is_dir() and manifest.is_file() else ():
        if file.suffix == ".sig":
            found.append((file.name, detached.check_ssh(manifest, file, allowed_signers)))
        elif file.suffix == ".tsr":
            found.append((file.name, detached.check_token(manifest, file, roots or ())))
    for name, signature in found:
        kind = "time-stamp" if name.endswith(".tsr") else "signature"
        yield Check(
            "signatures",
            _outcome(signature),
            f"{bag.SIGNATURES}/{name}: the {kind} {signature.told}",
        )
    reports = path / bag.PAYLOAD / payload.REPORTS
    signed = sorted(reports.glob(f"*{payload.SIGNED}")) if reports.is_dir() else []
    for file in signed:
        yield from of_report(file, roots, f"{file.name}: ")
    if allowed_signers is not None and not any(
        signature.trusted for name, signature in found if name.endswith(".sig")
    ):
        yield Check("signatures", FAILED, "no signature of the bag is by an allowed signer")
    if (
        roots is not None
        and not signed
        and not any(signature.trusted for name, signature in found if name.endswith(".tsr"))
    ):
        yield Check("signatures", FAILED, "no report is signed, and no time-stamp leads to a root")
    if not found and not signed:
        yield Check("signatures", NOTE, _UNSIGNED)


def _outcome(signature: detached.Signature) -> str:
    return FAILED if not signature.holds else PASSED if signature.trusted else NOTE
