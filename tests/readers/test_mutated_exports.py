"""Exports of status pages and ticket systems, broken at any place: accounted for, or refused."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import GOLDEN, evidence, read

from toolkit.errors import ToolkitError
from toolkit.ingest.reader import readers

JSON_GOLDEN = {
    "gcp_status": "gcp_status",
    "aws_status": "aws_status",
    "aws_data": "aws_status",
    "instatus": "instatus",
    "cachet": "cachet",
    "cachet_3": "cachet",
    "uptime_kuma": "uptime_kuma",
    "kuma_beats": "uptime_kuma",
    "upptime_issues": "upptime",
    "betterstack": "betterstack",
    "servicenow_json": "servicenow_json",
}
OF_BYTES = [
    "feed", "upptime", "gcp_status", "servicenow_task", "servicenow_audit", "servicenow_approval",
    "servicenow_incident",
]  # fmt: skip
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "0", "2022-03-09T08:31:00Z", "2022-03-13 02:30:00", "\ud800", "\x00"])
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "status", "name", "value", "updates"]), inner)
    ),
    max_leaves=8,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values inside of a value."""
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    else:
        inside = []
    return [path for key, each in inside for path in [(*at, key), *places(each, (*at, key))]]


def replaced(value: Any, at: tuple[Any, ...], by: Any) -> Any:
    found = copy.deepcopy(value)
    inside = found
    for key in at[:-1]:
        inside = inside[key]
    inside[at[-1]] = by
    return found


@pytest.mark.parametrize("folder", JSON_GOLDEN)
@given(data=st.data(), by=VALUES)
def test_any_value_at_any_place_is_accounted_for_or_refused(
    folder: str, data: st.DataObject, by: Any
) -> None:
    (given_file,) = (GOLDEN / folder).glob("[!e]*.json")
    whole = json.loads(given_file.read_text(encoding="utf-8"))
    broken = replaced(whole, data.draw(st.sampled_from(places(whole))), by)
    text = json.dumps(broken)
    readers()[JSON_GOLDEN[folder]].matches(evidence(text))
    with suppress(ToolkitError):
        read(JSON_GOLDEN[folder], text, zone="America/Denver")


@pytest.mark.parametrize("name", OF_BYTES)
@given(position=st.integers(0, 1500), by=st.binary(max_size=3))
def test_any_bytes_at_any_place_are_accounted_for_or_refused(
    name: str, position: int, by: bytes
) -> None:
    # A carriage return inside of a cell is a matter of how files are cut into rows.
    by = by.replace(b"\r", b"")
    reader = readers()[name]
    broken = reader.sample[:position] + by + reader.sample[position + 1 :]
    with suppress(ToolkitError):
        reader.matches(evidence(broken))
        read(name, broken, zone="America/Denver")
