"""A wheel holds all that the product needs, and works away from the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT


@pytest.mark.slow
def test_a_wheel_works_without_the_checkout(tmp_path: Path) -> None:
    hatch = Path(sys.executable).parent / "hatchling"
    if not hatch.exists():
        pytest.skip("hatchling is not installed: make test installs it")
    subprocess.run([hatch, "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True,
                   capture_output=True)  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
        names = archive.namelist()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("licenses/NOTICE") for name in names)
    assert "toolkit/py.typed" in names
    assert any(name.endswith(".data/data/share/man/man1/postmortem.1") for name in names)
    assert not [name for name in names if name.endswith((".duckdb", ".pyc", ".pdf"))]
    case = tmp_path / "case"
    (case / "evidence").mkdir(parents=True)
    (case / "case.toml").write_text('title = "From a wheel"\n')
    (case / "evidence" / "events.csv").write_text(
        "occurred_at,action\n2022-03-09T09:14:05Z,decommission\n"
    )
    program = (
        f"import sys; sys.path.insert(0, {str(installed)!r})\n"
        "import toolkit.resources as r, toolkit.cli\n"
        f"assert str(r.queries()).startswith({str(installed)!r}), r.queries()\n"
        "sys.argv = ['postmortem', *sys.argv[1:]]\n"
        "toolkit.cli.main()\n"
    )
    pdf = case / "output" / "review.pdf"
    for command in (
        ["run", case, "--kind", "review"],
        ["verify", pdf],
        ["export", case, "--to", "timesketch"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, *command], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, (command, done.stderr)
    assert pdf.read_bytes().startswith(b"%PDF-1.7")
