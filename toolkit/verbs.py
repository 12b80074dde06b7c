"""What can be done with a case: the functions behind the commands."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit import decisions, frozen, resources, reviewfile, sqlfile
from toolkit.case import SNAPSHOTS, Case, number_of, snapshots
from toolkit.casefile import CASE_FILE, EVIDENCE, OUTPUT, PROCEDURES, CaseFolder
from toolkit.errors import UsageError
from toolkit.ingest.load import Ingested, Progress, ingest
from toolkit.ingest.reader import SourceSettings, readers
from toolkit.rebuild import Rebuilt, query_folders, rebuild
from toolkit.rebuild import refresh_review as _refresh
from toolkit.store import Store

if TYPE_CHECKING:
    from toolkit.export import Written
    from toolkit.report import Kind as ReportKind
    from toolkit.seal import Check, Profile, Sealed

SAMPLES = ("draas-2022", "lost-standby")
KINDS: tuple[ReportKind, ...] = ("review", "audit", "summary")


@dataclass(frozen=True, slots=True)
class Ran:
    """What `run` has done: files, relations and findings, and the reports that it wrote."""

    case: CaseFolder
    ingested: Ingested
    rebuilt: Rebuilt
    reports: tuple[Path, ...]


def new(path: Path, *, title: str | None = None) -> CaseFolder:
    """Lay out an empty case folder; refuses a folder that is a case already."""
    if (path / CASE_FILE).exists():
        raise UsageError("the folder is a case already", path=path / CASE_FILE)
    if path.exists() and not path.is_dir():
        raise UsageError("a file of that name exists", path=path, remedy="choose another name")
    for folder in (EVIDENCE, PROCEDURES, OUTPUT):
        (path / folder).mkdir(parents=True, exist_ok=True)
    decisions.scaffold(path, title or path.resolve().name)
    return CaseFolder.open(path)


def ingest_case(
    path: Path,
    paths: Sequence[Path] = (),
    *,
    overrides: SourceSettings | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Ingested:
    """Load the evidence of a case; see `toolkit.ingest.load.ingest`."""
    folder = CaseFolder.open(path)
    with Store.create(folder.database) as store:
        return ingest(store, folder, paths, overrides=overrides, dry_run=dry_run, progress=progress)


def ingest_lake(
    path: Path,
    url: str,
    table: str,
    *,
    zone: str | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> Ingested:
    """Reduce a table of telemetry where it lies, and load it; see `toolkit.lake.ingest_lake`."""
    from toolkit.lake import ingest_lake as reduce

    return reduce(path, url, table, zone=zone, told=told)


def rebuild_case(path: Path) -> Rebuilt:
    """Derive every relation and finding of a case anew."""
    folder = CaseFolder.open(path)
    _require_evidence(folder)
    with Store.create(folder.database) as store:
        return rebuild(store, folder)


def snapshot(path: Path, *, keep: int = 3) -> Path:
    """Publish the case database as `snapshots/case-<n>.duckdb`, read-only, for those who ask.

    Questions are answered from the newest snapshot while another process writes to the case. The
    file appears whole or not at all; all but the newest `keep` are removed. Raises UsageError where
    the case has not been rebuilt, or is being written to.
    """
    case = _rebuilt(path)
    folder = case.path / SNAPSHOTS
    folder.mkdir(exist_ok=True)
    have = snapshots(case)
    target = folder / f"case-{(number_of(have[-1]) if have else 0) + 1}.duckdb"
    part = target.with_suffix(".part")
    with Store.create(case.database) as store:
        store.checkpoint()
        shutil.copyfile(case.database, part)
    part.chmod(0o444)
    part.rename(target)
    for old in [*have, target][: -max(keep, 1)]:
        old.unlink()
    return target


def run(
    path: Path,
    *,
    kinds: Sequence[ReportKind] = KINDS,
    formats: Sequence[str] = ("pdf", "html"),
    progress: Progress | None = None,
) -> Ran:
    """Everything from a folder of exports to reports.

    A folder without `case.toml` becomes a case around the files that lie in it: a `case.toml` is
    written that names them where they are; none is moved or changed. Refused files are passed over
    and listed with what would settle them.
    """
    if path.is_file():
        raise UsageError("it is a file", path=path, remedy="give the folder that it lies in")
    if path.is_dir() and not (path / CASE_FILE).exists():
        decisions.scaffold_around(path)
    folder = CaseFolder.open(path)
    with Store.create(folder.database) as store:
        ingested = ingest(store, folder, progress=progress)
        loaded = store.value("select count(*) from source")
        if not loaded and not ingested.refusals:
            raise _no_evidence(folder)
        rebuilt = rebuild(store, folder)
    # Where every file was refused there is nothing to report, but much to decide.
    reports = report(path, kinds=kinds, formats=formats) if loaded else ()
    return Ran(folder, ingested, rebuilt, reports)


def report(
    path: Path,
    *,
    kinds: Sequence[ReportKind] = KINDS,
    formats: Sequence[str] = ("pdf", "html"),
) -> tuple[Path, ...]:
    """Render reports of a case that has been rebuilt; returns the files written."""
    from toolkit import report as reports

    folder = _rebuilt(path)
    brand = reports.load_brand(folder.path)
    with Store.open(folder.database) as store:
        model = reports.build(store, originals=reports.original_lines(store, folder.path))
    written: list[Path] = []
    for kind in kinds:
        written += reports.write(model, kind, formats, folder.output, brand)
    return tuple(written)


def export(path: Path, form: str, *, names: bool = False, target: Path | None = None) -> Written:
    """Write a rebuilt case in the form of another tool; see `toolkit.export`.

    The target is a file or folder below `output/export/` unless one is given. People appear as
    roles unless `names` keeps them.
    """
    from toolkit import export as exports

    case = _rebuilt(path)
    with Store.open(case.database) as store:
        folder = case.output / "export"
        return exports.export(store, form, folder, names=names, target=target)


def untranslated(path: Path) -> tuple[str, ...]:
    """The keys of fixed words that a case's own words lack, so that English stands in."""
    from toolkit.report import load_brand

    return load_brand(path).wording.missing


def digest_of(path: Path) -> str:
    """The digest of a rebuilt case, over its sources, queries and thresholds."""
    from toolkit.report import case_digest

    case = _rebuilt(path)
    with Store.open(case.database) as store:
        return case_digest(store)


@dataclass(frozen=True, slots=True)
class Entered:
    """An entry that was added to `review.yaml`.

    `number` counts the entries from 1, `state` is that of the review as `review_state` has it, and
    `notes` are sentences on what the entry leaves open: exceptions without a decision when the
    board concludes, what ties a signer to the changes under review.
    """

    number: int
    state: str
    notes: tuple[str, ...]


def add_to_review(path: Path, do: str, **values: object) -> Entered:
    """Add an entry to `review.yaml` and derive what rests on it; see `toolkit.reviewfile`.

    Findings may be named by the first letters of their id. A freeze also leaves a snapshot of what
    it fixes, see `toolkit.frozen`. Raises UsageError for a finding that
    is not there, a value that does not fit, an act that the state of the review does not allow, and
    a signature of another state of the case than the frozen one.
    """
    from toolkit.report import case_digest

    case = _rebuilt(path)
    with Store.create(case.database) as store:
        known = [row["finding_id"] for row in store.rows("select finding_id from finding")]
        if "finding" in values:
            values["finding"] = _finding(str(values["finding"]), known)
        if isinstance(named := values.get("findings"), list):
            values["findings"] = [_finding(str(each), known) for each in named]
        if do == "sign":
            values.setdefault("digest", case_digest(store))
        found = reviewfile.add(case.path, reviewfile.make(do, **values))
        if do == "freeze":
            frozen.write(case.path, str(values["digest"]), frozen.lines(store))
        _refresh(store, case)
        state = store.value("select state from review_state where is_current")
        notes = tuple(_left_open(store, do, str(values.get("by"))))
    return Entered(found[-1].number, str(state), notes)


def _left_open(store: Store, do: str, by: str) -> Iterator[str]:
    if do == "conclude":
        (row,) = store.rows("select exceptions, decided from review_state where is_current")
        if left := row["exceptions"] - row["decided"]:
            yield f"{left} of {row['exceptions']} exceptions have no decision"
    if do == "sign":
        for row in store.rows(
            "select conflicts from review_sign_off inner join review_state using (version) "
            "where is_current and account = ?", [by],
        ):  # fmt: skip
            if row["conflicts"]:
                yield (
                    "the signature does not count as independent: the signer "
                    f"{', '.join(row['conflicts'])}"
                )


def refresh_review(path: Path) -> None:
    """Read `review.yaml` again and derive what rests on it."""
    case = _rebuilt(path)
    with Store.create(case.database) as store:
        _refresh(store, case)


def _finding(given: str, known: Sequence[str]) -> str:
    found = [each for each in known if each.startswith(given.lower())]
    if len(found) != 1 or len(given) < 4:
        raise UsageError(
            f"{'no' if not found else 'more than one'} finding begins with {given!r}",
            field="FINDING",
            remedy="postmortem findings CASE lists them; give at least four letters",
        )
    return found[0]


def seal(path: Path, *, profile: Profile = "full") -> Sealed:
    """Make a bag of a case that has been rebuilt; see `toolkit.seal.seal`."""
    from toolkit.seal import seal as make

    return make(_rebuilt(path), profile=profile)


def countersign(bag: Path, *, ssh_key: Path | None = None, timestamp: Path | None = None) -> Path:
    """Add a signature or a time-stamp to a bag; see `toolkit.seal.countersign`."""
    from toolkit.seal import countersign as add

    return add(bag, ssh_key=ssh_key, timestamp=timestamp)


def sign(
    pdf: Path,
    key: Path,
    role: str,
    *,
    passphrase: bytes | None = None,
    output: Path | None = None,
) -> Path:
    """Sign a PDF report; see `toolkit.seal.signing.sign`."""
    from toolkit.seal import sign as add

    return add(pdf, key, role, passphrase=passphrase, output=output)


def verify(
    path: Path, *, allowed_signers: Path | None = None, roots: Path | None = None
) -> tuple[Check, ...]:
    """Check a bag or a PDF report; see `toolkit.seal.verify`."""
    from toolkit.seal import verify as check

    return check(path, allowed_signers=allowed_signers, roots=roots)


def demo(into: Path, *, formats: Sequence[str] = ("pdf", "html")) -> tuple[Ran, ...]:
    """Copy the sample cases below a folder and run the first of them to its reports."""
    made = []
    for name in SAMPLES:
        target = into / name
        if not target.exists():
            shutil.copytree(
                resources.samples() / name, target, ignore=shutil.ignore_patterns("__pycache__")
            )
        made.append(run(target, formats=formats))
    return tuple(made)


def catalogue_of_formats() -> Sequence[Mapping[str, str]]:
    """What can be read: one row per format."""
    return [
        {
            "format": reader.name,
            "title": reader.title,
            "fills": ", ".join(reader.fills),
            "needs_zone": "yes" if reader.needs_zone else "no",
            "obtain": reader.obtain,
            "traps": " ".join(reader.traps),
        }
        for reader in readers().values()
    ]


def catalogue_of_queries(path: Path | None = None) -> Sequence[Mapping[str, str]]:
    """Every relation, rule and saved query: one row per file of the catalogue."""
    folders = query_folders(CaseFolder.open(path)) if path else [resources.queries()]
    return [
        {"id": file.id, "kind": file.kind, "title": file.meta.title, "file": file.path.name}
        for _, file in sorted(sqlfile.catalogue(*folders).items())
    ]


def _no_evidence(folder: CaseFolder) -> UsageError:
    return UsageError(
        "the case holds no evidence",
        path=folder.path / EVIDENCE,
        remedy="copy exports into it, then run: postmortem run CASE",
    )


def _require_evidence(folder: CaseFolder) -> None:
    with Store.open(folder.database) as store:
        if not store.value("select count(*) from source"):
            raise _no_evidence(folder)


def _rebuilt(path: Path) -> CaseFolder:
    """The folder of a case; raises UsageError where it has no evidence, or nothing is built."""
    case = Case.open(path)
    _require_evidence(case.folder)
    case.require_rebuilt()
    return case.folder
