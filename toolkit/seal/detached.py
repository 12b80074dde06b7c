"""Signatures and time-stamps that lie beside what they sign: SSH signatures, RFC 3161 tokens.

Signatures are made and checked by `ssh-keygen`, which auditors have; tokens are checked without any
network. Neither says more than that the holder of a key, or a time-stamping authority, has seen
these bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from toolkit.errors import UsageError

NAMESPACE = "postmortem-seal"
SUFFIXES = (".sig", ".tsr")
MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Signature:
    """What is found of a signature: whether it holds, whether its maker is known, in words."""

    holds: bool
    trusted: bool
    told: str


# -- SSH -------------------------------------------------------------------------------------------


def sign(file: Path, key: Path, folder: Path) -> Path:
    """Sign a file with an SSH key; the signature is named for the key. May ask for a passphrase."""
    if not key.is_file():
        raise UsageError("no such key", path=key, remedy="give a private SSH key")
    with tempfile.TemporaryDirectory(prefix="postmortem-") as scratch:
        copy = Path(scratch) / file.name
        shutil.copyfile(file, copy)
        done = _ssh_keygen("-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(copy))
        made = copy.with_name(copy.name + ".sig")
        if done.returncode != 0 or not made.is_file():
            raise UsageError(
                f"ssh-keygen did not sign: {_last_line(done)}",
                path=key,
                remedy="check the key and its passphrase",
            )
        target = folder / f"ssh-{_fingerprint(key)}.sig"
        shutil.copyfile(made, target)
    return target


def check_ssh(file: Path, signature: Path, allowed_signers: Path | None) -> Signature:
    """Check an SSH signature of a file; `allowed_signers` is the list of keys that are trusted."""
    if signature.stat().st_size > MAX_BYTES:
        return Signature(False, False, "is too large for a signature")
    content = file.read_bytes()
    given = ("-n", NAMESPACE, "-s", str(signature))
    done = _ssh_keygen("-Y", "check-novalidate", *given, content=content)
    if done.returncode != 0:
        return Signature(False, False, f"does not fit the bag ({_last_line(done)})")
    key = re.search(r"with (.+)$", _last_line(done))
    told = f"was made with {key[1] if key else 'an unknown key'}"
    if allowed_signers is None:
        return Signature(True, False, f"{told}; trust not established: no allowed signers given")
    if not allowed_signers.is_file():
        raise UsageError("no such file", path=allowed_signers, field="--allowed-signers")
    found = _ssh_keygen("-Y", "find-principals", "-f", str(allowed_signers), "-s", str(signature))
    names = found.stdout.decode("utf-8", "replace").split()
    for name in names:
        if name.startswith("-"):
            continue
        done = _ssh_keygen(
            "-Y", "verify", "-f", str(allowed_signers), "-I", name, *given, content=content
        )
        if done.returncode == 0:
            return Signature(True, True, f"{told}, which {allowed_signers.name} gives to {name}")
    return Signature(
        True, False, f"{told}; trust not established: the key is not among the allowed"
    )


def _ssh_keygen(
    *arguments: str, content: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise UsageError("ssh-keygen is not installed", remedy="install the OpenSSH client")
    return subprocess.run([program, *arguments], input=content, capture_output=True)  # noqa: S603


def _fingerprint(key: Path) -> str:
    done = _ssh_keygen("-l", "-E", "sha256", "-f", str(key))
    return hashlib.sha256(done.stdout.split(b" ")[1]).hexdigest()[:16]


def _last_line(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "no message"


# -- RFC 3161 --------------------------------------------------------------------------------------


def keep_token(file: Path, token: Path, folder: Path) -> Path:
    """Keep a time-stamp token of a file beside it, once it is known to be one of this file."""
    if not token.is_file() or token.stat().st_size > MAX_BYTES:
        raise UsageError("no such token", path=token, remedy="give the reply of the authority")
    content = token.read_bytes()
    target = folder / f"time-{hashlib.sha256(content).hexdigest()[:16]}.tsr"
    found = check_token(file, token, ())
    if not found.holds:
        raise UsageError(
            f"the token {found.told}", path=token,
            remedy=f"have {file.name} of this bag time-stamped",
        )  # fmt: skip
    target.write_bytes(content)
    return target


def check_token(file: Path, token: Path, roots: Sequence[Any]) -> Signature:
    """Check a time-stamp token of a file; `roots` are the certificates that are trusted."""
    from asn1crypto import tsp
    from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
    from pyhanko_certvalidator import ValidationContext

    content = token.read_bytes()
    try:
        reply = tsp.TimeStampResp.load(content, strict=True)
        signed = reply["time_stamp_token"]["content"]
        at: datetime = signed["encap_content_info"]["content"].parsed["gen_time"].native
        context = ValidationContext(
            trust_roots=list(roots), allow_fetching=False, moment=at, revocation_mode="soft-fail"
        )
        status = asyncio.run(
            validate_tst_signed_data(
                signed,
                context,
                lambda algorithm: hashlib.new(algorithm, file.read_bytes()).digest(),
            )
        )
    except Exception as error:
        # The parser of a stranger's bytes may fail in any way; every one of them means the same.
        return Signature(False, False, f"cannot be read as a time-stamp ({type(error).__name__})")
    if not (status["intact"] and status["valid"]):
        return Signature(False, False, "does not fit the bag")
    told = f"says {at:%Y-%m-%d %H:%M:%S} UTC"
    if status["trust_problem_indic"] is None and status.get("validation_path") is not None:
        return Signature(True, True, f"{told}, by {_subject(status['signing_cert'])}")
    why = "the authority leads to no given root" if roots else "no roots given"
    return Signature(True, False, f"{told}; trust not established: {why}")


def load_roots(path: Path | None) -> tuple[Any, ...]:
    """The certificates of a PEM or DER file."""
    if path is None:
        return ()
    from pyhanko.keys import load_certs_from_pemder

    try:
        return tuple(load_certs_from_pemder([str(path)]))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no certificates can be read: {error}", path=path, remedy="give PEM or DER"
        ) from None


def _subject(certificate: Any) -> str:
    return str(certificate.subject.human_friendly)
