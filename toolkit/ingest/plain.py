"""Nested values as plain text: YAML without its types, and fields of JSON objects by path.

Configuration that people review must mean what it shows: a YAML reader that turns `2022-03-09`
into a date or `no` into false has already changed it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from toolkit.errors import UsageError

Location = tuple[str | int, ...]


def read_yaml(path: Path, text: str) -> tuple[Any, dict[Location, int]]:
    """YAML with every scalar as text (a plain null is None), and the line of every value.

    Raises `UsageError`, with the line, for what is not YAML and for keys that occur twice.
    """
    lines: dict[Location, int] = {}
    try:
        node = YAML(typ="safe", pure=True).compose(text)
        return _plain(path, node, (), lines, frozenset()), lines
    except MarkedYAMLError as error:
        line = None if error.problem_mark is None else error.problem_mark.line + 1
        raise UsageError(f"not YAML ({error.problem})", path=path, line=line) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"not YAML ({error})", path=path) from None


def pick(value: Mapping[str, Any], names: Iterable[str]) -> dict[str, str | None]:
    """The named fields of a JSON object that are there, as text; `a.b` looks into `a`.

    Lists of scalars are joined with semicolons. Raises `ValueError`, with the name as its
    argument, for a field that holds objects.
    """
    found: dict[str, str | None] = {}
    for name in names:
        each: Any = value
        for key in (name,) if name in value else name.split("."):
            if not isinstance(each, dict) or key not in each:
                break
            each = each[key]
        else:
            found[name] = _text(name, each)
    return found


def quote(text: str) -> str:
    """Text as a YAML string on one line that no terminal can be misled by."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(
        each if each.isprintable() and each != "\ufeff" else _escape(ord(each)) for each in quoted
    )


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _text(name: str, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        return ";".join(_text(name, each) or "" for each in value)
    if isinstance(value, dict | list):
        raise ValueError(name)
    return str(value)


def _plain(
    path: Path,
    node: Node | None,
    at: Location,
    lines: dict[Location, int],
    above: frozenset[int],
) -> Any:
    if node is None:
        return None
    line = node.start_mark.line + 1
    lines.setdefault(at, line)
    if id(node) in above:
        raise UsageError("an alias refers to what it is part of", path=path, line=line)
    above |= {id(node)}
    if isinstance(node, SequenceNode):
        return [
            _plain(path, each, (*at, number), lines, above)
            for number, each in enumerate(node.value)
        ]
    if isinstance(node, MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in found:
                raise UsageError(
                    "the key occurs twice",
                    path=path,
                    line=key_node.start_mark.line + 1,
                    field=".".join(str(part) for part in (*at, key)),
                    remedy="keep one of the two",
                )
            lines[(*at, key)] = key_node.start_mark.line + 1
            found[key] = _plain(path, value_node, (*at, key), lines, above)
        return found
    assert isinstance(node, ScalarNode)
    is_null = node.style is None and node.tag == "tag:yaml.org,2002:null"
    return None if is_null else str(node.value)
