"""Making a bag of a case. The same evidence gives the same bag, byte for byte: no clock is read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit import report
from toolkit.casefile import CaseFolder
from toolkit.errors import UsageError
from toolkit.seal import bag, detached, payload, reperform
from toolkit.seal.payload import Profile


@dataclass(frozen=True, slots=True)
class Sealed:
    """A bag that was made: where it lies, and what it is known by.

    `digest` is the SHA-256 of its tag manifest, which stands for the whole bag; `written` are
    reports that were missing in the case, `stale` those there that are not what the case gives now,
    and `strays` the files of the case that no source names and that the bag holds all the same.
    """

    bag: Path
    digest: str
    case_digest: str
    written: tuple[Path, ...] = ()
    stale: tuple[Path, ...] = ()
    strays: tuple[str, ...] = ()


def seal(
    case: CaseFolder,
    *,
    profile: Profile = "full",
    kinds: Sequence[report.Kind] = report.KINDS,
    formats: Sequence[str] = report.FORMATS,
) -> Sealed:
    """Make `output/bag/`, or `output/bag-redacted/`, of a case that has been rebuilt.

    The numbers are made anew from copies of the evidence, so that the bag gives them again.
    Reports that are missing in `output/` are added there. A bag that is signed already is kept
    when nothing has changed, and otherwise refused: signatures are not thrown away. Raises
    UsageError where the case database does not hold what the files say now.
    """
    into = case.output / ("bag" if profile == "full" else "bag-redacted")
    part = into.with_name(f".{into.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    data = part / bag.PAYLOAD
    signed = case.output.glob(f"*{payload.SIGNED}") if profile == "full" else ()
    promised = {
        "reports": sorted(f"{kind}.{form}" for kind in kinds for form in formats),
        "signed": sorted(path.name for path in signed),
    }
    try:
        (data / payload.REPORTS).mkdir(parents=True)
        full = data if profile == "full" else part / "unredacted"
        strays = payload.copy_case(case, full / payload.CASE, decisions=profile == "full")
        payload.copy_queries(case, data / payload.QUERIES)
        with reperform.rebuilt(
            full / payload.CASE,
            data / payload.QUERIES,
            case_id=case.id,
            source_numbers=reperform.source_numbers(case),
            own=case,
        ) as made:
            lacking: Sequence[str] = ()
            if profile == "full":
                payload.write_full(made, data, promised)
            else:
                left_out = payload.write_redacted(made, data, promised)
                lacking = [*left_out, "reports with signatures"]
            payload.write_reports(made, kinds, formats, data / payload.REPORTS)
        if profile == "full":
            payload.copy_signed(case.output, data / payload.REPORTS)
        else:
            shutil.rmtree(full)
        register = json.loads((data / payload.REGISTER).read_text(encoding="utf-8"))
        digest = register["case_digest"]
        title = CaseFolder.open(data / payload.CASE).file.title
        payload.write_readme(data, title, digest, lacking)
        sealed = bag.write(part, payload.info(register, title))
        _take_place(part, into)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    written, stale = _compare(into / bag.PAYLOAD / payload.REPORTS, case.output)
    return Sealed(into, sealed, digest, written, stale, strays if profile == "full" else ())


def countersign(path: Path, *, ssh_key: Path | None = None, timestamp: Path | None = None) -> Path:
    """Add a signature or a time-stamp token of the tag manifest to a bag; returns the file added.

    Raises VerificationFailed for a bag that is not whole, UsageError for a key or token that does
    not fit.
    """
    found = bag.faults(path)
    if found:
        raise UsageError(
            f"the bag is not whole: {found[0]}", path=path, remedy="seal the case anew"
        )
    if (ssh_key is None) == (timestamp is None):
        raise UsageError("give either a key or a time-stamp token")
    folder = path / bag.SIGNATURES
    folder.mkdir(exist_ok=True)
    added = (
        detached.sign(path / bag.TAG_MANIFEST, ssh_key, folder)
        if ssh_key is not None
        else detached.keep_token(path / bag.TAG_MANIFEST, timestamp, folder)  # type: ignore[arg-type]
    )
    names = [
        f"{bag.SIGNATURES}/{file.name}"
        for file in folder.iterdir()
        if file.suffix in detached.SUFFIXES
    ]
    bag.write_digests(path, bag.SIGNATURE_DIGESTS, names)
    return added


def _take_place(part: Path, into: Path) -> None:
    signatures = into / bag.SIGNATURES
    if signatures.is_dir():
        one, two = (folder / bag.TAG_MANIFEST for folder in (part, into))
        if one.read_bytes() != two.read_bytes():
            raise UsageError(
                "the bag there is signed, and the case gives another now",
                path=into,
                remedy="move it away, then seal again",
            )
        shutil.copytree(signatures, part / bag.SIGNATURES)
    shutil.rmtree(into, ignore_errors=True)
    part.replace(into)


def _compare(sealed: Path, output: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    written, stale = [], []
    for path in sorted(sealed.iterdir()):
        own = output / path.name
        if not own.exists():
            shutil.copyfile(path, own)
            written.append(own)
        elif own.read_bytes() != path.read_bytes():
            stale.append(own)
    return tuple(written), tuple(stale)
