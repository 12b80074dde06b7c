"""Signatures of reports and bags: several signers, keys that are not known, bytes that changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pikepdf
import pytest
from conftest import ROOT
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.tools import verapdf
from toolkit import report
from toolkit.errors import UsageError
from toolkit.seal import bag, countersign, detached, pdf, sign, verify
from toolkit.store import Store

FROM, TO = datetime(2020, 1, 1), datetime(2090, 1, 1)  # noqa: DTZ001
SECRET = b"correct horse"


class Authority:
    """A certification authority for a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._issue("Test authority", self.key, None)
        self.roots = folder / "roots.pem"
        self.roots.write_bytes(self.certificate.public_bytes(forms.Encoding.PEM))

    def signer(self, name: str) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._issue(name, key, self.certificate)
        path = self.folder / f"{name}.p12"
        lock = forms.BestAvailableEncryption(SECRET)
        path.write_bytes(
            pkcs12.serialize_key_and_certificates(b"", key, made, [self.certificate], lock)
        )
        return path

    def _issue(
        self, name: str, key: ec.EllipticCurvePrivateKey, by: x509.Certificate | None
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        root = by is None
        usage = x509.KeyUsage(not root, not root, False, False, False, root, root, False, False)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(by.subject if by else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(FROM)
            .not_valid_after(TO)
            .add_extension(x509.BasicConstraints(root, None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self.key, hashes.SHA256())
        )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    with Store.create(None) as empty:
        names = ("key", "value", "unit", "origin", "meaning")
        row = ["status_first_post_minutes", "30", "minutes", "default", "Until the first post."]
        empty.load("policy", dict.fromkeys(names, "varchar"), [row])
        told = report.build(empty, case_title="Signed")
    (path,) = report.write(told, "review", ["pdf"], folder)
    return path


@pytest.fixture(scope="module")
def signed(plain: Path, authority: Authority) -> Path:
    """The report with the signatures of two people."""
    first = sign(plain, authority.signer("Dora Prüfer"), "preparer", passphrase=SECRET)
    assert [outcome for outcome, _ in pdf.signatures(first, ())] == ["note"]
    return sign(first, authority.signer("中 Emil"), "auditor", passphrase=SECRET)


def test_a_second_signature_leaves_the_first_valid(signed: Path, authority: Authority) -> None:
    found = pdf.signatures(signed, detached.load_roots(authority.roots))
    assert [outcome for outcome, _ in found] == ["passed", "passed"]
    assert "Dora Prüfer" in found[0][1]
    unknown = pdf.signatures(signed, ())
    assert all("trust not established" in told for _, told in unknown)


def test_the_signed_report_begins_with_the_bytes_of_the_report(signed: Path, plain: Path) -> None:
    assert signed.name == "review.signed.pdf"
    assert signed.read_bytes().startswith(plain.read_bytes())
    checks = verify(signed)
    assert [check for check in checks if check.outcome == "failed"] == []
    assert any("which is that of its manifest" in check.told for check in checks)


def test_changed_bytes_break_both_signatures(signed: Path, tmp_path: Path) -> None:
    content = bytearray(signed.read_bytes())
    content[len(content) // 3] ^= 4
    path = tmp_path / "changed.pdf"
    path.write_bytes(content)
    assert "failed" in [outcome for outcome, _ in pdf.signatures(path, ())]


def test_a_file_that_was_saved_anew_after_signing_is_found(signed: Path, tmp_path: Path) -> None:
    path = tmp_path / "saved.pdf"
    with pikepdf.open(signed) as opened:
        opened.save(path)
    assert "failed" in [outcome for outcome, _ in pdf.signatures(path, ())]


def test_signing_says_no_in_one_line(signed: Path, plain: Path, authority: Authority) -> None:
    key = authority.signer("Fay")
    with pytest.raises(UsageError, match="signed already"):
        sign(signed, key, "auditor", passphrase=SECRET)
    with pytest.raises(UsageError, match="did you mean 'auditor'"):
        sign(signed, key, "auditr", passphrase=SECRET)
    with pytest.raises(UsageError, match="cannot be opened"):
        sign(signed, key, "reviewer", passphrase=b"wrong")
    with pytest.raises(UsageError, match=r"sign review\.signed\.pdf to add"):
        sign(plain, key, "reviewer", passphrase=SECRET)
    with pytest.raises(UsageError, match="cannot be signed"):
        sign(key, key, "reviewer", passphrase=SECRET, output=key.with_suffix(".pdf"))


def test_an_attachment_that_was_changed_is_named(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "changed.pdf"
    with pikepdf.open(plain) as opened:
        opened.attachments["policy.csv"] = b"key,value\nstatus_first_post_minutes,90\n"
        opened.save(path)
    told = [check.told for check in verify(path) if check.outcome == "failed"]
    assert told == ["the attachment policy.csv is not the one that attachments-sha256.txt lists"]


@pytest.mark.parametrize("password", ["of a reader", ""])
def test_an_encrypted_report_gets_one_clear_line(
    password: str, plain: Path, authority: Authority, tmp_path: Path
) -> None:
    path = tmp_path / "locked.pdf"
    with pikepdf.open(plain) as document:
        document.save(path, encryption=pikepdf.Encryption(owner="of its owner", user=password))
    (check,) = verify(path, roots=authority.roots)
    assert (check.outcome, check.told.count("\n")) == ("failed", 0)
    assert "locked.pdf: the PDF is encrypted, which no report is" in check.told
    done = subprocess.run(
        [sys.executable, "-m", "toolkit", "verify", path], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, "Traceback" in done.stderr) == (4, False)
    with pytest.raises(UsageError, match="encrypted"):
        sign(path, authority.signer("Gil"), "preparer", passphrase=SECRET)


def test_with_roots_a_signature_must_lead_to_them(
    signed: Path, plain: Path, authority: Authority, tmp_path: Path
) -> None:
    def failed(path: Path, roots: Path | None) -> list[tuple[str, str]]:
        checks = verify(path, roots=roots)
        return [(check.part, check.told) for check in checks if check.outcome == "failed"]

    other = Authority(tmp_path)
    missing = [("signatures", "no signature of the report leads to a given root")]
    assert failed(signed, authority.roots) == failed(signed, None) == []
    assert failed(signed, other.roots) == failed(plain, authority.roots) == missing


def test_a_report_alone_does_not_claim_that_its_numbers_came_out_again(plain: Path) -> None:
    passed = [check.part for check in verify(plain) if check.outcome == "passed"]
    assert passed == ["attachments and digest"]
    assert any(check.part == "numbers" and "needs the bag" in check.told for check in verify(plain))


@pytest.mark.slow
def test_reports_conform_before_and_after_signing(plain: Path, signed: Path) -> None:
    try:
        good, told = verapdf.check([plain, signed])
    except verapdf.Unavailable as missing:
        pytest.skip(f"veraPDF cannot run here: {missing}")
    assert good, told


# -- beside the bag --------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A bag of one file."""
    path = tmp_path / "bag"
    (path / "data").mkdir(parents=True)
    (path / "data" / "file").write_text("content")
    bag.write(path, {"External-Identifier": "small"})
    return path


def _ssh_key(folder: Path, name: str) -> Path:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    path = folder / name
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True
    )
    return path


def test_an_ssh_signature_is_checked_against_the_allowed_signers(
    small: Path, tmp_path: Path
) -> None:
    key = _ssh_key(tmp_path, "ada")
    added = countersign(small, ssh_key=key)
    assert bag.faults(small) == []
    manifest = small / bag.TAG_MANIFEST
    allowed = tmp_path / "allowed"
    allowed.write_text(f"ada@example.org {key.with_suffix('.pub').read_text()}")
    found = detached.check_ssh(manifest, added, allowed)
    assert found.holds and found.trusted and "gives to ada@example.org" in found.told
    assert not detached.check_ssh(manifest, added, None).trusted
    other = tmp_path / "others"
    other.write_text(f"bert {_ssh_key(tmp_path, 'bert').with_suffix('.pub').read_text()}")
    found = detached.check_ssh(manifest, added, other)
    assert found.holds and not found.trusted
    manifest.write_text(manifest.read_text() + "\n")
    assert not detached.check_ssh(manifest, added, allowed).holds


def test_a_flipped_bit_of_a_signature_counts(small: Path, tmp_path: Path) -> None:
    added = countersign(small, ssh_key=_ssh_key(tmp_path, "ada"))
    for path in (added, small / bag.SIGNATURE_DIGESTS):
        content = path.read_bytes()
        for place in range(0, len(content) * 8, 7):
            flipped = bytearray(content)
            flipped[place // 8] ^= 1 << place % 8
            path.write_bytes(flipped)
            assert bag.faults(small), f"{path.name}: bit {place}"
        path.write_bytes(content)
    assert bag.faults(small) == []


_TSA = """
[tsa]
default_tsa = made
[made]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
"""


def test_a_time_stamp_is_kept_for_its_own_bag_only(
    small: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")

    def openssl(*arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    (tmp_path / "tsa.cnf").write_text(_TSA.format(folder=tmp_path))
    (tmp_path / "serial").write_text("01\n")
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=Clock",
        "-addext", "extendedKeyUsage=critical,timeStamping", "-addext",
        "keyUsage=critical,digitalSignature", "-keyout", tmp_path / "tsa.key", "-out",
        tmp_path / "tsa.pem",
    )  # fmt: skip
    query, reply = tmp_path / "query.tsq", tmp_path / "reply.tsr"
    manifest = small / bag.TAG_MANIFEST
    openssl("ts", "-query", "-data", manifest, "-sha256", "-cert", "-out", query)
    openssl(
        "ts", "-reply", "-config", tmp_path / "tsa.cnf", "-queryfile", query, "-out", reply
    )  # fmt: skip
    added = countersign(small, timestamp=reply)
    assert bag.faults(small) == []
    assert detached.check_token(manifest, added, ()).holds
    assert caplog.records == []  # what a library logs would reach the terminal
    found = detached.check_token(manifest, added, detached.load_roots(tmp_path / "tsa.pem"))
    assert found.trusted, found.told
    (small / "data" / "file").write_text("other")
    bag.write(small, {"External-Identifier": "small"})
    assert detached.check_token(manifest, added, ()).told == "does not fit the bag"
    with pytest.raises(UsageError, match="the token does not fit the bag"):
        countersign(small, timestamp=reply)
