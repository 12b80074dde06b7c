"""The command `postmortem`: options in, one call of the library, exit code out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

from toolkit import __version__, cli_review
from toolkit.errors import (
    ConditionMet,
    EvidenceRefused,
    ToolkitError,
    UsageError,
    VerificationFailed,
    did_you_mean,
)
from toolkit.listing import Format, printable, render, write, write_all

if TYPE_CHECKING:
    from toolkit.case import Case, Ran
    from toolkit.casefile import CaseFolder
    from toolkit.ingest.load import Ingested, Progress

app = typer.Typer(
    name="postmortem",
    help="Rebuild what happened in an outage from the evidence, test every maintenance operation "
    "against its procedure, and report with numbers that can be re-performed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
mapping_app = typer.Typer(help="Draft and test mapping files for foreign headers.")
app.add_typer(mapping_app, name="mapping")
procedure_app = typer.Typer(help="Check procedure files, and import models as such.")
app.add_typer(procedure_app, name="procedure")
app.add_typer(cli_review.app, name="review")

CaseArgument = Annotated[Path, typer.Argument(metavar="CASE", help="The case folder.")]
FormatOption = Annotated[Format, typer.Option("--format", "-F", help="Form of the listing.")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write to this file, not to the terminal.")
]
WhereOption = Annotated[
    str | None, typer.Option("--where", help="A condition in SQL, for example: rule = 'CF-02'")
]


class Kind(StrEnum):
    """Kinds of report."""

    review = "review"
    audit = "audit"
    summary = "summary"


class Profile(StrEnum):
    """What a bag shows of people."""

    full = "full"
    redacted = "redacted"


KindOption = Annotated[
    list[Kind] | None, typer.Option("--kind", help="Report to make; may be given several times.")
]
ToOption = Annotated[
    str, typer.Option("--to", help="Forms of the report, separated by commas: pdf,html,json,md")
]
FailOption = Annotated[
    str | None,
    typer.Option(
        "--fail-on", help="End with exit code 5 if a finding has this status, e.g. exception."
    ),
]


@app.callback(invoke_without_command=True)
def _global(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    if version:
        typer.echo(f"postmortem {__version__}")
        raise typer.Exit


@app.command()
def demo(
    into: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write.")] = Path(
        "postmortem-demo"
    ),
    to: ToOption = "pdf,html",
) -> None:
    """Write the sample cases below DIR and run them to their reports."""
    from toolkit import case

    for ran in case.demo(into, formats=_forms(to)):
        _say_ran(ran)


@app.command()
def new(
    path: Annotated[Path, typer.Argument(metavar="CASE", help="Folder to lay out.")],
    title: Annotated[str | None, typer.Option(help="Title of the review.")] = None,
) -> None:
    """Lay out an empty case folder with a commented case.toml."""
    from toolkit import case

    made = case.new(path, title=title)
    _say(f"{made.path} is ready: copy exports into {made.path / 'evidence'}, then run:")
    _say(f"  postmortem run {made.path}")


@app.command()
def ingest(
    path: CaseArgument,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files; default: all.")
    ] = None,
    as_format: Annotated[
        str | None, typer.Option("--as", help="Read the files in this format.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Zone of times that state none.")] = None,
    year: Annotated[int | None, typer.Option(help="Year of the file's first record.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read, but load nothing.")] = False,
) -> None:
    """Load evidence into the case database; each file whole or not at all."""
    from toolkit import case
    from toolkit.casefile import CaseFolder
    from toolkit.ingest.reader import SourceSettings
    from toolkit.timestamps import TimeError, check_zone

    if zone:
        try:
            check_zone(zone)
        except TimeError as error:
            raise UsageError(error.reason, field="--zone") from None
    given = SourceSettings(format=as_format, zone=zone, year=year)
    with _progress("reading") as progress:
        done = case.ingest_case(
            path,
            paths or (),
            overrides=given if given != SourceSettings() else None,
            dry_run=dry_run,
            progress=progress,
        )
    _say_ingested(done)
    _say_unmatched(CaseFolder.open(path))
    _end_refused(done)


@app.command()
def rebuild(path: CaseArgument) -> None:
    """Derive every relation and finding anew from the evidence."""
    from toolkit import case

    made = case.rebuild_case(path)
    _say(f"{len(made.relations)} relations, {_by_status(made.findings)}")


@app.command()
def run(
    path: Annotated[Path, typer.Argument(metavar="CASE|FOLDER", help="Case or plain folder.")],
    kind: KindOption = None,
    to: ToOption = "pdf,html",
    fail_on: FailOption = None,
) -> None:
    """Ingest what is new, rebuild, and report; a plain folder of exports becomes a case."""
    from toolkit import case, decisions

    with _progress("reading") as progress:
        ran = case.run(path, kinds=_kinds(kind), formats=_forms(to), progress=progress)
    _say_ran(ran)
    _say_unmatched(ran.case)
    if missing := decisions.missing_decisions(ran.case, ran.ingested.refusals):
        _say("\nMissing decisions, to paste into case.toml:\n")
        _say(missing)
    _end_failed(fail_on, ran.rebuilt.findings)
    _end_refused(ran.ingested)


@app.command()
def report(
    path: CaseArgument,
    kind: KindOption = None,
    to: ToOption = "pdf,html",
) -> None:
    """Render the reports of a case that has been rebuilt."""
    from toolkit import case

    for written in case.report(path, kinds=_kinds(kind), formats=_forms(to)):
        _say(f"wrote {written}")
    _say_untranslated(path)


@app.command()
def export(
    path: CaseArgument,
    to: Annotated[
        str, typer.Option("--to", help="timesketch, ocel, oscal, dora, veris, csv or parquet.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File, or folder of csv and parquet, to write."),
    ] = None,
    names: Annotated[
        bool, typer.Option("--names", help="Keep the names of people, who else appear as roles.")
    ] = False,
) -> None:
    """Write a rebuilt case in the form of another tool, or of an authority."""
    from toolkit import case

    made = case.export(path, to, names=names, target=output)
    told = ", ".join(f"{count} {what}" for what, count in made.counts.items())
    _say(f"wrote {made.path}: {told}")
    for each in made.left_out:
        _say(f"left out: {each}")


@app.command()
def seal(
    path: Annotated[Path, typer.Argument(metavar="CASE|BAG", help="A case, or a bag to sign.")],
    profile: Annotated[
        Profile, typer.Option(help="Evidence as it is, or people as roles throughout.")
    ] = Profile.full,
    ssh_key: Annotated[
        Path | None, typer.Option(help="Sign the bag with this SSH key (ssh-keygen).")
    ] = None,
    timestamp: Annotated[
        Path | None, typer.Option(help="Keep this RFC 3161 reply for tagmanifest-sha256.txt.")
    ] = None,
) -> None:
    """Make a bag that others can check and re-perform, or sign one that is made already."""
    from toolkit import case

    if (path / "bagit.txt").is_file():
        if ssh_key is None and timestamp is None:
            raise UsageError("this is a bag already", path=path, remedy="give --ssh-key to sign it")
        bag = path
    else:
        made = case.seal(path, profile=profile.value)
        bag = made.bag
        for written in made.written:
            _say(f"wrote {written}")
        for stale in made.stale:
            _say(f"{stale} is not what the case gives now; the bag holds what it gives")
        _say(f"sealed {bag}; case digest {made.case_digest}")
        _say(f"SHA-256 of its tag manifest: {made.digest}")
    for key, token in ((ssh_key, None), (None, timestamp)):
        if key or token:
            _say(f"added {case.countersign(bag, ssh_key=key, timestamp=token)}")


@app.command()
def sign(
    report: Annotated[Path, typer.Argument(metavar="PDF", help="A report as PDF.")],
    key: Annotated[Path, typer.Option(help="The signer's key and certificate (PKCS#12).")],
    role: Annotated[str, typer.Option(help="preparer, reviewer, management or auditor.")],
    passphrase_env: Annotated[
        str | None, typer.Option(help="Environment variable that holds the key's passphrase.")
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the key's passphrase.")
    ] = None,
    output: OutputOption = None,
) -> None:
    """Sign a PDF report in a role; several people can sign, one after the other."""
    from toolkit import case

    secret = _passphrase(passphrase_env, passphrase_file)
    _say(f"signed {case.sign(report, key, role, passphrase=secret, output=output)}")


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(metavar="BAG|PDF", help="A bag, or a PDF report.")],
    allowed_signers: Annotated[
        Path | None, typer.Option(help="SSH keys that are trusted (see ssh-keygen).")
    ] = None,
    roots: Annotated[
        Path | None, typer.Option(help="Certificates that are trusted, as PEM.")
    ] = None,
    form: FormatOption = Format.table,
    output: OutputOption = None,
) -> None:
    """Check that a bag is whole, who signed it, and that its numbers come out again."""
    from toolkit import case

    checks = case.verify(path, allowed_signers=allowed_signers, roots=roots)
    if form is Format.table and output is None:
        for check in checks:
            typer.echo(printable(f"{check.outcome}: {check.part}: {check.told}"))
    else:
        _write(checks, form, output)
    failed = dict.fromkeys(check.part for check in checks if check.outcome == "failed")
    if failed:
        raise VerificationFailed(f"{path} does not hold: {', '.join(failed)}")


@app.command()
def timeline(
    path: CaseArgument,
    where: WhereOption = None,
    form: FormatOption = Format.table,
    output: OutputOption = None,
) -> None:
    """Every event of every source, in order, with the interval in which it can lie."""
    _list(path, "timeline", where, form, output)


@app.command()
def findings(
    path: CaseArgument,
    where: WhereOption = None,
    form: FormatOption = Format.table,
    output: OutputOption = None,
    fail_on: FailOption = None,
) -> None:
    """What every rule says of every operation."""
    frame = _list(path, "finding", where, form, output)
    if fail_on:
        _end_failed(fail_on, frame["status"].value_counts().to_dict())


@app.command()
def query(
    path: CaseArgument,
    name: Annotated[str, typer.Argument(help="A relation or a saved query.")],
    where: WhereOption = None,
    form: FormatOption = Format.table,
    output: OutputOption = None,
) -> None:
    """Print a relation or a saved query."""
    _list(path, name, where, form, output)


@app.command()
def queries(
    path: Annotated[Path | None, typer.Argument(metavar="[CASE]")] = None,
    form: FormatOption = Format.table,
    output: OutputOption = None,
) -> None:
    """List the SQL catalogue: relations, rules and saved queries."""
    from toolkit import case

    _write(case.catalogue_of_queries(path), form, output)


@app.command()
def sql(
    path: CaseArgument,
    statement: Annotated[str | None, typer.Argument(metavar="[SQL]")] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="Read the SQL here.")] = None,
    scratch: Annotated[
        Path | None,
        typer.Option(help="A DuckDB file of your own, for tables named scratch.NAME."),
    ] = None,
    memory_gb: Annotated[float, typer.Option(help="Memory limit in GB.", min=0.1)] = 4,
    seconds: Annotated[float, typer.Option(help="Time limit in seconds.", min=1)] = 60,
    form: FormatOption = Format.table,
    output: OutputOption = None,
) -> None:
    """Run SQL on the case, read-only: no file, network, extension or setting can be reached.

    Several statements are answered one after another. Without SQL, and at a terminal, a prompt
    opens; else the SQL is read from standard input.
    """
    from toolkit.case import Case

    if statement is not None and file is not None:
        raise UsageError("give either a statement or -f FILE")
    case = Case.open(path)
    limits = {"memory_gb": memory_gb, "seconds": seconds}
    if statement is None and file is None:
        if sys.stdin.isatty():
            from toolkit import shell

            _say_snapshot(case)
            shell.run(case, scratch, limits, form)
            return
        statement = sys.stdin.read()
        if not statement.strip():
            raise UsageError("give either a statement or -f FILE")
    if file is not None:
        try:
            statement = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(str(error), path=file, remedy="check the path") from None
    _say_snapshot(case)
    write_all(list(case.answers(str(statement), scratch=scratch, **limits)), form, output)


@app.command()
def snapshot(
    path: CaseArgument,
    keep: Annotated[int, typer.Option(help="How many of the newest to keep.", min=1)] = 3,
) -> None:
    """Publish a read-only copy of the case database, to be asked while the case is rebuilt."""
    from toolkit import case

    typer.echo(case.snapshot(path, keep=keep))


def _say_snapshot(case: Case) -> None:
    if (asked := case.database) != case.folder.database:
        typer.echo(f"The case is being written to; answered from {asked.name}.", err=True)


@app.command()
def formats(form: FormatOption = Format.table, output: OutputOption = None) -> None:
    """List the formats that can be read, what they fill, and where an export is had."""
    from toolkit import case

    _write(case.catalogue_of_formats(), form, output)


@app.command()
def sniff(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    form: FormatOption = Format.table,
    output: OutputOption = None,
) -> None:
    """Say which format a file is in, and what must be declared to read it."""
    from toolkit.ingest.load import sniff as recognise

    found, reader, how = recognise(file)
    row = {
        "file": str(file), "format": reader.name, "title": reader.title, "how": how,
        "bytes": found.bytes, "encoding": found.encoding, "sha256": found.sha256,
        "fills": ", ".join(reader.fills), "needs_zone": reader.needs_zone,
    }  # fmt: skip
    _write([row], form, output)


@mapping_app.command("init")
def mapping_init(
    file: Annotated[Path, typer.Argument(metavar="FILE")], output: OutputOption = None
) -> None:
    """Draft a mapping from a file's header and values; asks for what must not be guessed."""
    from toolkit.ingest.archive import open_one
    from toolkit.ingest.mapping import draft_mapping

    draft = draft_mapping(open_one(file))
    if output is None:
        typer.echo(printable(draft), nl=False)
    else:
        output.write_text(draft, encoding="utf-8")


@mapping_app.command("schema")
def mapping_schema(
    name: Annotated[str, typer.Argument(metavar="[mapping|procedure|case]")] = "mapping",
) -> None:
    """Print the JSON Schema of mapping files, of procedures or of case.toml, for an editor."""
    from toolkit.schemas import NAMES, file_of

    if name not in NAMES:
        raise UsageError(f"there is no schema {name!r}", remedy=did_you_mean(name, NAMES))
    typer.echo(file_of(name).read_text(encoding="utf-8"), nl=False)


@mapping_app.command("test")
def mapping_test(mapping: Annotated[Path, typer.Argument(metavar="MAPPING")]) -> None:
    """Run the sample rows of a mapping."""
    from toolkit.ingest.mapping import load_mapping

    faults = load_mapping(mapping).test()
    if faults:
        raise UsageError(
            "; ".join(faults), path=mapping, remedy="correct the mapping or the sample"
        )
    _say(f"{mapping}: every sample gives what it expects")


@procedure_app.command("check")
def procedure_check(files: Annotated[list[Path], typer.Argument(metavar="FILE…")]) -> None:
    """Read procedure files as a rebuild does, and say what they hold."""
    from toolkit.procedures import constraints, read

    for path in files:
        found = read(path).procedure
        _say(
            f"{path}: {found.id} version {found.version}, {len(found.steps)} steps, "
            f"{len(constraints(found))} constraints"
        )


@procedure_app.command("import")
def procedure_import(
    file: Annotated[Path, typer.Argument(metavar="FILE")], output: OutputOption = None
) -> None:
    """Draft a procedure from a BPMN 2.0 diagram or a DECLARE model; lists what is lost."""
    from toolkit.procedure_import import import_model

    draft = import_model(file)
    if output is None:
        typer.echo(printable(draft.text), nl=False)
    else:
        output.write_text(draft.text, encoding="utf-8")
    for each in draft.left_out:
        _say(f"not taken over: {each}")


@app.command()
def doctor(form: FormatOption = Format.table, output: OutputOption = None) -> None:
    """Check what reports need: libraries, fonts, versions, space."""
    from toolkit.doctor import examine

    checks = examine()
    _write([vars_of(check) for check in checks], form, output)
    if not all(check.ok or check.optional for check in checks):
        raise UsageError("something that is needed is missing", remedy="see the list above")


def vars_of(check: Any) -> dict[str, Any]:
    """A check as a row."""
    return {
        "check": check.name, "ok": check.ok, "optional": check.optional, "found": check.found,
        "remedy": "" if check.ok else check.remedy,
    }  # fmt: skip


# -- plumbing --------------------------------------------------------------------------------------


def main() -> None:
    """Run the command; every error becomes one line on stderr and an exit code."""
    if sys.argv[1:] == ["--version"]:
        # Typer reads every option with Pydantic, which takes longer to load than all else here.
        typer.echo(f"postmortem {__version__}")
        return
    debug = "--debug" in sys.argv[1:]
    try:
        code = app(standalone_mode=False, prog_name="postmortem")
    except typer.Abort:
        code = 1
    except TyperException as error:
        _say(f"postmortem: {error}; --help shows what can be given")
        code = 2
    except ToolkitError as error:
        if debug:
            raise
        _say(f"postmortem: {error}")
        code = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        code = 0
    except KeyboardInterrupt:
        _say("postmortem: interrupted; what was loaded so far is whole")
        code = 1
    except Exception as error:
        if debug:
            raise
        _say(f"postmortem: unexpected {type(error).__name__}: {error}; --debug shows where")
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _passphrase(variable: str | None, file: Path | None) -> bytes | None:
    """The passphrase of a key: from the environment, a file, or the terminal; never an option."""
    if variable is not None:
        if variable not in os.environ:
            raise UsageError(f"the variable {variable} is not set", field="--passphrase-env")
        return os.environ[variable].encode()
    if file is not None:
        try:
            return file.read_bytes().split(b"\n")[0].removesuffix(b"\r")
        except OSError as error:
            raise UsageError(str(error), field="--passphrase-file") from None
    if sys.stdin.isatty():
        return str(typer.prompt("Passphrase of the key", hide_input=True, err=True)).encode()
    return None


def _list(path: Path, name: str, where: str | None, form: Format, output: Path | None) -> Any:
    from toolkit.case import Case

    case = Case.open(path)
    _say_snapshot(case)
    frame = case.frame(name, where=where)
    write(frame, form, output)
    return frame


def _write(rows: Sequence[Any], form: Format, output: Path | None) -> None:
    import pandas as pd

    write(pd.DataFrame(list(rows)), form, output)


def _say(text: str) -> None:
    typer.echo("\n".join(printable(line) for line in text.split("\n")), err=True)


def _say_ingested(done: Ingested) -> None:
    import pandas as pd

    shown = [
        {
            "file": row.path, "outcome": row.outcome, "format": row.format or "",
            "read": row.records_read, "accepted": row.accepted, "continued": row.continued,
            "skipped": row.skipped, "rejected": row.rejected,
        }
        for row in done.files
        if row.outcome != "refused"
    ]  # fmt: skip
    if shown:
        typer.echo(render(pd.DataFrame(shown), Format.table), err=True, nl=False)
    for refusal in done.refusals:
        _say(f"refused: {refusal}")


def _say_unmatched(folder: CaseFolder) -> None:
    for path in folder.unmatched():
        _say(f"{folder.path / 'case.toml'}: no file matches [[source]] path {path!r}; check it")


def _say_ran(ran: Ran) -> None:
    _say_ingested(ran.ingested)
    _say(f"{len(ran.rebuilt.relations)} relations, {_by_status(ran.rebuilt.findings)}")
    for path in ran.reports:
        _say(f"wrote {path}")
    _say_untranslated(ran.case.path)


def _say_untranslated(path: Path) -> None:
    from toolkit import case

    if missing := case.untranslated(path):
        _say(f"{path / 'brand.toml'}: words in English, as not translated: {', '.join(missing)}")


def _by_status(findings: Any) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in sorted(findings.items()))
    return f"findings: {counts or 'none'}"


def _end_refused(done: Ingested) -> None:
    if done.refusals:
        count = len(done.refusals)
        raise EvidenceRefused(f"{count} {'file was' if count == 1 else 'files were'} refused")


def _end_failed(fail_on: str | None, findings: Any) -> None:
    if fail_on and findings.get(fail_on):
        raise ConditionMet(f"{findings[fail_on]} findings are {fail_on}")


def _kinds(kind: list[Kind] | None) -> list[Any]:
    return [each.value for each in kind or Kind]


def _forms(to: str) -> list[str]:
    forms = [form.strip() for form in to.split(",") if form.strip()]
    for form in forms:
        if form not in ("pdf", "html", "json", "md"):
            raise UsageError(f"unknown form {form!r}", field="--to", remedy="use pdf,html,json,md")
    return forms


@contextmanager
def _progress(verb: str) -> Iterator[Progress | None]:
    """A progress bar on stderr, when it is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(verb, total=None)

        def step(name: str, done: int, total: int) -> None:
            text = escape(printable(f"{verb} {name}"))
            bar.update(task, description=text, completed=done, total=total)

        yield step
