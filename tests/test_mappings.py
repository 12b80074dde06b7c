"""The mappings that are shipped: each proves itself, and reads the file that it describes."""

from __future__ import annotations

import csv
import io
import json
import sys
from importlib import resources
from pathlib import Path

import pytest

from toolkit.errors import EvidenceRefused
from toolkit.ingest.mapping import Mapping, load_mapping
from toolkit.ingest.reader import SourceSettings

sys.path.insert(0, str(Path(__file__).parent / "readers"))
from evidence import read

FOLDER = Path(str(resources.files("toolkit") / "mappings"))
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
# Exports in the local time of a console, of which the case must state the zone.
LOCAL = {"arcserve": "America/Denver"}


def mapping(name: str) -> Mapping:
    return load_mapping(FOLDER / f"{name}.yaml")


def file_of(found: Mapping) -> bytes:
    """A file as the product would export it, made of the rows of the samples."""
    rows = [sample.row or {} for sample in found.spec.samples]
    if found.spec.file.kind == "json":
        key = found.spec.records.removeprefix("$").strip(".")
        return json.dumps({key: rows} if key else rows).encode()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def test_the_products_of_the_design_have_a_mapping() -> None:
    assert NAMES == ["acronis", "arcserve", "azure_site_recovery", "datto", "veeam", "zerto"]


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_mapping_proves_itself_on_its_samples(name: str) -> None:
    found = mapping(name)
    assert found.spec.name == name
    assert found.spec.into == "replication_sample"
    assert found.test(SourceSettings(zone=LOCAL.get(name))) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_mapping_reads_an_export_of_its_product(name: str) -> None:
    found = mapping(name)
    done = read("mapped", file_of(found), mapping=str(found.path), zone=LOCAL.get(name))
    expects = [sample.expect for sample in found.spec.samples]
    assert done["accepted"] == sum(isinstance(expect, dict) for expect in expects)
    assert sum(done["skipped"].values()) == expects.count("skip")
    assert len(done["rejected"]) == expects.count("reject")


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_mapping_refuses_a_file_of_another_shape(name: str) -> None:
    found = mapping(name)
    with pytest.raises(EvidenceRefused):
        read("mapped", b"when,what\n1,2\n", mapping=str(found.path), zone=LOCAL.get(name))


def test_local_times_of_a_console_are_not_read_without_a_zone() -> None:
    found = mapping("arcserve")
    assert any("TIME_NO_ZONE" in difference for difference in found.test())
