"""OCEL 2.0: what related objects are to an event."""

from __future__ import annotations

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("ocel")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["ocel"].sample) == ["ocel"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("ocel")


def test_a_qualifier_says_more_than_the_type_of_the_object() -> None:
    text = readers()["ocel"].sample.replace(b'"qualifier":"by"', b'"qualifier":"target"')
    row = read("ocel", text).only("maintenance_event")
    assert row["target"] == "meta2;op-x"
    assert "actor" not in row


def test_attributes_without_a_column_are_kept_beside_a_message() -> None:
    more = b'"success"},{"name":"message","value":"removed"},{"name":"colour","value":"red"}]'
    text = readers()["ocel"].sample.replace(b'"success"}]', more)
    said = str(read("ocel", text).only("maintenance_event")["message"])
    assert said.startswith("removed ")
    assert "colour" in said
    assert "red" in said
