"""What one listing of a repository names and a later one does not."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import ROOT
from test_revisions import rebuilt

SNAPSHOTS = json.loads(
    (ROOT / "sample_data/lost-standby/evidence/restic/snapshots_before.json").read_text()
)
TOML = """
[[source]]
path = "evidence/*.json"
format = "restic"
asset_id = "vm"
target_asset = "repo"
"""


def gone(folder: Path, **listings: list[int]) -> list[tuple[str, int, int]]:
    """The second of each recovery point that is gone, of how many, and how many are left."""
    files = {
        f"{name}.json": json.dumps([SNAPSHOTS[number] for number in numbers])
        for name, numbers in listings.items()
    }
    with rebuilt(folder, files, TOML, only=None) as store:
        return [
            (row["second"], row["listed"], row["still_listed"])
            for row in store.rows(
                "select strftime(recovery_point_at at time zone 'UTC', '%M:%S') as second, listed, "
                "still_listed from delisted_copy"
            )
        ]


def test_a_recovery_point_that_a_later_listing_lacks_is_gone(tmp_path: Path) -> None:
    assert gone(tmp_path, a=[0, 1, 2], b=[0, 2, 3]) == [("01:16", 4, 3)]


def test_a_recovery_point_that_is_younger_than_a_listing_is_not_gone_from_it(
    tmp_path: Path,
) -> None:
    assert gone(tmp_path, a=[0, 1], b=[0, 1, 2, 3]) == []


def test_of_two_listings_that_end_alike_the_fuller_one_is_the_earlier(tmp_path: Path) -> None:
    assert gone(tmp_path, a=[1, 3], b=[0, 1, 2, 3]) == [("01:11", 4, 2), ("01:20", 4, 2)]
