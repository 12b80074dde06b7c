"""`postmortem doctor` finds what is missing, and says what to do."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from toolkit import cli, doctor, resources


def _of(name: str) -> doctor.Check:
    (found,) = [check for check in doctor.examine() if check.name == name]
    return found


def test_nothing_is_missing_where_the_tests_run() -> None:
    checks = doctor.examine()
    assert [check for check in checks if not check.ok and not check.optional] == []
    names = {check.name for check in checks}
    assert {"Python", "fonts", "queries", "duckdb", "weasyprint", "ssh-keygen"} <= names


def test_a_broken_font_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(resources.templates() / "fonts", tmp_path / "fonts")
    monkeypatch.setattr(resources, "templates", lambda: tmp_path)
    assert _of("fonts").ok
    (tmp_path / "fonts" / "ReportSans-Bold.ttf").write_bytes(b"<html>")
    assert (_of("fonts").ok, "ReportSans-Bold.ttf" in _of("fonts").found) == (False, True)


def test_a_version_out_of_bounds_and_a_missing_package_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = ["duckdb<2.1,>=2.0.0", "no-such-thing>=1", "matters-not>=1; extra == 'more'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: asked)
    assert _of("duckdb").ok
    assert (_of("no-such-thing").ok, _of("no-such-thing").found) == (False, "missing")
    assert "pip install" in _of("no-such-thing").remedy
    assert _of("matters-not").optional
    asked[0] = "duckdb<1,>=0.9"
    assert not _of("duckdb").ok


@pytest.mark.parametrize(
    ("version", "bounds", "answer"),
    [
        ("2.0.0", "<2.1,>=2.0.0", True), ("2.1.0", "<2.1,>=2.0.0", False), ("3.1", ">=3,<4", True),
        ("70", "==70.0", True), ("2026.6", ">=2025.1", True), ("0.9", ">=0.10", False),
        ("1", "", True),
    ],
)  # fmt: skip
def test_versions_are_compared_by_number(version: str, bounds: str, answer: bool) -> None:
    assert doctor.meets(version, bounds) is answer


def test_a_full_disk_and_a_missing_program_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 0))
    assert not _of("space for cases here").ok
    assert not _of("space for temporary files").ok
    monkeypatch.setattr(shutil, "which", lambda name: None)
    check = _of("ssh-keygen")
    assert (check.ok, check.optional) == (False, True)


def test_what_is_optional_does_not_fail_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = [doctor.Check("tool", False, "missing", "install it", optional=True)]
    monkeypatch.setattr(doctor, "examine", lambda: checks)
    monkeypatch.setattr("sys.argv", ["postmortem", "doctor"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code, "install it" in capsys.readouterr().out) == (0, True)
    checks[0] = doctor.Check("tool", False, "missing", "install it")
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
