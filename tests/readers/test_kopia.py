"""kopia: snapshots that are whole, lack items, or stopped."""

from __future__ import annotations

import json

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("kopia")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["kopia"].sample) == ["kopia"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("kopia")


def test_objects_one_after_another_are_read_alike() -> None:
    (one,) = json.loads(readers()["kopia"].sample)
    text = json.dumps(one, indent=2) + "\n" + json.dumps({**one, "id": "k2"}, indent=2)
    assert read("kopia", text).account["accepted"] == 2


def test_the_declared_asset_wins_over_the_host() -> None:
    row = read("kopia", readers()["kopia"].sample, asset_id="vm-7").only("replication_sample")
    assert row["asset_id"] == "vm-7"
