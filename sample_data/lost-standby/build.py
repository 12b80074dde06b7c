"""Copy the evidence of the sample case `lost-standby`: `python build.py FROM [TO]`.

FROM holds what the real tools wrote (folders `postgres_replication`, `restic`, `borg` and
`backup_operator_action_log.csv`). Nothing is changed, merged or cut: every file of COPIED has the
bytes of its original. What was left out, and why, stands in README.md.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

RUNS = [f"{n:02d}" for n in range(1, 12)]
COPIED = {  # folder of the original: (folder in the case, files)
    ".": ("evidence/operator", ["backup_operator_action_log.csv"]),
    "postgres_replication": (
        "evidence/postgres",
        [
            "operator_action_log.csv",
            "pg_stat_replication.csv",
            "standby_lag.csv",
            "primary.log",
            "standby.log",
        ],
    ),
    "postgres_replication/exporter_scrapes": ("evidence/postgres/exporter_scrapes", ["*.prom"]),
    "restic": (
        "evidence/restic",
        [
            "jobs.log",
            *(f"backup_{run}.jsonl" for run in RUNS),
            "backup_09.stderr",
            "snapshots_before.json",
            "snapshots_after.json",
            "snapshots_final.json",
        ],
    ),
    "borg": (
        "evidence/borg",
        [
            "jobs.log",
            *(f"create_{run}.json" for run in RUNS if run not in ("09", "10")),
            "create_09.log.jsonl",
            "create_10.log.jsonl",
            "list_before.json",
            "list_final.json",
            "check_after.jsonl",
            "repair.jsonl",
        ],
    ),
}
UNREAD = {  # kept for the human reader: no reader covers them, and they carry no time
    "restic": [
        "check_before.txt",
        "check_after.txt",
        "repair.txt",
        "restore_after.txt",
        "stats_before.json",
    ],
    "borg": ["extract_after.jsonl", "info_before.json"],
}


def build(source: Path, case: Path) -> dict[str, str]:
    """Copy the files and return the sha-256 of each, by its path in the case."""
    pairs = [
        (path, case / folder / path.name)
        for origin, (folder, patterns) in COPIED.items()
        for pattern in patterns
        for path in sorted((source / origin).glob(pattern))
    ]
    pairs += [
        (source / tool / name, case / "unread" / tool / name)
        for tool, names in UNREAD.items()
        for name in names
    ]
    digests = {}
    for original, copy in pairs:
        data = original.read_bytes()
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(data)
        digests[copy.relative_to(case).as_posix()] = hashlib.sha256(data).hexdigest()
    return dict(sorted(digests.items()))


if __name__ == "__main__":
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent
    for name, digest in build(Path(sys.argv[1]), target).items():
        print(f"{digest}  {name}")
