"""What leaves a case: `report`, `export`, `seal`, `sign` and `verify`."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import (
    CaseArgument,
    FormatOption,
    KindOption,
    OutputOption,
    ToOption,
    examples,
    forms_of,
    kinds_of,
)
from toolkit.cli.told import say, say_untranslated, some, write_rows
from toolkit.errors import UsageError, VerificationFailed
from toolkit.listing import Format, printable

app = typer.Typer()


class Profile(StrEnum):
    """What a bag shows of people."""

    full = "full"
    redacted = "redacted"


@app.command(
    epilog=examples(
        "postmortem report outage-2022",
        "postmortem report outage-2022 --kind audit --to pdf,html,json,md",
    ),
)
def report(
    path: CaseArgument,
    kind: KindOption = None,
    to: ToOption = "pdf,html",
) -> None:
    """Render the reports of a case that has been rebuilt."""
    from toolkit import verbs

    for written in verbs.report(path, kinds=kinds_of(kind), formats=forms_of(to)):
        say(f"wrote {written}")
    say_untranslated(path)


@app.command(
    epilog=examples(
        "postmortem export outage-2022 --to ocel",
        "postmortem export outage-2022 --to csv --output tables",
    ),
)
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
    """Write a rebuilt case in the form of another tool.

    Or in that of an authority; people appear as roles.
    """
    from toolkit import verbs

    made = verbs.export(path, to, names=names, target=output)
    told = ", ".join(f"{count} {what}" for what, count in made.counts.items())
    say(f"wrote {made.path}: {told}")
    for each in made.left_out:
        say(f"left out: {each}")


@app.command(
    epilog=examples(
        "postmortem seal outage-2022 --ssh-key ~/.ssh/id_ed25519",
        "postmortem seal outage-2022 --profile redacted",
        "postmortem seal outage-2022/output/bag --timestamp reply.tsr",
    ),
)
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
    """Make a bag that others can check, or sign one.

    It holds evidence, queries, results and reports. A bag that is made already takes further
    signatures and time-stamps.
    """
    from toolkit import verbs

    if (path / "bagit.txt").is_file():
        if ssh_key is None and timestamp is None:
            raise UsageError("this is a bag already", path=path, remedy="give --ssh-key to sign it")
        bag = path
    else:
        made = verbs.seal(path, profile=profile.value)
        bag = made.bag
        for written in made.written:
            say(f"wrote {written}")
        for stale in made.stale:
            say(
                f"{stale} is not what the case gives now, which is in the bag; make it anew: "
                "postmortem report"
            )
        if made.strays:
            say(f"the bag also holds what no [[source]] names: {some(made.strays)}")
        say(f"sealed {bag}; case digest {made.case_digest}")
        say(f"SHA-256 of its tag manifest: {made.digest}")
    for key, token in ((ssh_key, None), (None, timestamp)):
        if key or token:
            say(f"added {verbs.countersign(bag, ssh_key=key, timestamp=token)}")


@app.command(
    epilog=examples(
        "postmortem sign output/audit.pdf --key me.p12 --role auditor",
    ),
)
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
    """Sign a PDF report in a role.

    Several people can sign, one after the other.
    """
    from toolkit import verbs

    secret = _passphrase(passphrase_env, passphrase_file)
    say(f"signed {verbs.sign(report, key, role, passphrase=secret, output=output)}")


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


@app.command(
    epilog=examples(
        "postmortem verify outage-2022/output/bag",
        "postmortem verify bag --allowed-signers signers --format json",
        "postmortem verify output/audit.signed.pdf --roots authority.pem",
    ),
)
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
    """Check a bag, or a PDF report.

    Whether it is whole, who signed it, and whether its numbers come out again.
    """
    from toolkit import verbs

    checks = verbs.verify(path, allowed_signers=allowed_signers, roots=roots)
    if form is Format.table and output is None:
        for check in checks:
            typer.echo(printable(f"{check.outcome}: {check.part}: {check.told}"))
    else:
        write_rows(checks, form, output)
    failed = dict.fromkeys(check.part for check in checks if check.outcome == "failed")
    if failed:
        raise VerificationFailed(f"{path} does not hold: {', '.join(failed)}")
