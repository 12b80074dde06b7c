"""JSON Schemas of the files that people write, for their editors: case, mapping, procedure.

They are made from the models that read these files; `python docs/generate.py` writes them. A file
that its schema allows can still be refused, for what no schema can say (columns of a relation, a
zone that is none, the order of a window).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.casefile import CaseFile
from toolkit.ingest.mapping_spec import MappingSpec
from toolkit.procedures import TEMPLATES, Procedure

FOLDER = Path(__file__).parent
NAMES = ("case", "mapping", "procedure")
# Every scalar of a YAML file is taken as the text that stands there, whatever an editor thinks.
_SCALAR = ["string", "number", "boolean"]


def file_of(name: str) -> Path:
    """The file that holds a schema."""
    return FOLDER / f"{name}.schema.json"


def schemas() -> Mapping[str, str]:
    """The text of every schema, by its name."""
    case = CaseFile.model_json_schema()
    mapping = _text_scalars(MappingSpec.model_json_schema())
    procedure = _text_scalars(Procedure.model_json_schema())
    parts = procedure["$defs"]
    template = parts["Rule"]["properties"]["template"]
    del template["type"]
    template["enum"] = list(TEMPLATES)
    # One pattern can stand without the list around it.
    for place in (
        *parts["Match"]["properties"].values(),
        *parts["Where"]["properties"].values(),
        procedure["properties"]["applies_to"],
    ):
        place["type"] = [*_SCALAR, "array"]
    found = {"case": case, "mapping": mapping, "procedure": procedure}
    return {name: json.dumps(_head(found[name]), indent=2) + "\n" for name in NAMES}


def _head(schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _text_scalars(schema: Any) -> Any:
    """The schema with every text also allowed as the number or the truth value it looks like."""
    if isinstance(schema, list):
        return [_text_scalars(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    loose: dict[str, Any] = {}
    for key, each in schema.items():
        # The names below these are the file's own, not those of a schema.
        named = key in ("properties", "$defs")
        loose[key] = (
            {name: _text_scalars(part) for name, part in each.items()}
            if named
            else _text_scalars(each)
        )
    if "const" in loose:
        text = str(loose.pop("const"))
        loose["enum"] = [text, int(text)] if text.isdigit() else [text]
        loose.pop("type", None)
    elif loose.get("type") == "string" and "enum" not in loose:
        loose["type"] = _SCALAR
        loose.pop("format", None)
    return loose
