"""The schemas for editors are current, and allow what the toolkit reads."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from toolkit import resources
from toolkit.ingest.load import shipped_mappings
from toolkit.schemas import NAMES, file_of, schemas

SAMPLES = resources.samples()
MAPPINGS = [*shipped_mappings().values(), *sorted(SAMPLES.glob("*/mappings/*.yaml"))]
PROCEDURES = sorted(SAMPLES.glob("*/procedures/*.yaml"))


def faults(name: str, value: Any) -> list[str]:
    schema = json.loads(file_of(name).read_text(encoding="utf-8"))
    return [error.message for error in Draft202012Validator(schema).iter_errors(_plain(value))]


def _plain(value: Any) -> Any:
    """A file's content as an editor sees it: times are texts."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


def yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_what_the_models_say(name: str) -> None:
    written = file_of(name).read_text(encoding="utf-8")
    assert written == schemas()[name], "write it anew: python docs/generate.py"
    Draft202012Validator.check_schema(json.loads(written))


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.stem)
def test_every_mapping_keeps_to_its_schema(path: Path) -> None:
    assert faults("mapping", yaml(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", PROCEDURES, ids=lambda path: path.stem)
def test_every_procedure_keeps_to_its_schema(path: Path) -> None:
    assert faults("procedure", yaml(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/case.toml")), ids=lambda p: p.parent.name)
def test_every_case_keeps_to_its_schema(path: Path) -> None:
    assert faults("case", tomllib.loads(path.read_text(encoding="utf-8"))) == []


def test_what_is_spelt_wrongly_is_shown_by_the_editor() -> None:
    assert faults("case", {"title": "x", "sourse": []})
    assert faults("case", {"title": "x", "source": [{"path": "a", "order": "day first"}]})
    mapping = (ROOT / "toolkit" / "mappings" / "veeam.yaml").read_text(encoding="utf-8")
    assert faults("mapping", yaml(mapping.replace("skip_if", "skipif")))
    assert faults("mapping", yaml(mapping.replace("mapping: 1", "mapping: 2")))
    procedure = PROCEDURES[0].read_text(encoding="utf-8")
    assert faults("procedure", yaml(procedure.replace("kind: precheck", "kind: pre-check")))
