"""What a freeze of the evidence fixes, so that a later report can say what has changed since.

A snapshot is a small file `review/frozen-<first twelve letters of the case digest>.json` beside
`review.yaml`: `{"digest": …, "lines": [[part, key, value], …]}`, sorted. Parts are `source` (path,
SHA-256), `declaration` (path, SHA-256 of how it is read and of its mapping), `query` (id, SHA-256),
`macros` (file, SHA-256), `policy` (threshold, value), `procedure` (id and version, SHA-256),
`component` (name, region), `case` (title, zone, window, theme) and `finding` (finding_id, rule and
status).
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from toolkit.errors import UsageError
from toolkit.store import Store

FOLDER = "review"
COLUMNS = {"digest": "varchar", "part": "varchar", "key": "varchar", "value": "varchar"}
Line = tuple[str, str, str]
_ASKED = (
    ("source", "select 'source', path, sha256 from source"),
    (
        "source",
        "select 'declaration', path, concat_ws(' ', declaration_sha256, mapping_sha256) "
        "from source",
    ),
    ("macro_file", "select 'macros', name, sha256 from macro_file"),
    (
        "case_info",
        "select 'case', unnest(['title', 'zone', 'window', 'theme']), unnest([title, display_zone, "
        "concat_ws(' to ', window_start::varchar, window_end::varchar), theme]) from case_info",
    ),
    ("query_catalogue", "select 'query', query_id, sha256 from query_catalogue"),
    ("policy", "select 'policy', key, value::varchar from policy"),
    ("procedure", "select 'procedure', procedure || ' ' || version, sha256 from procedure"),
    ("component_region", "select 'component', component, region from component_region"),
    ("finding", "select 'finding', finding_id, rule || ' ' || status from finding"),
)


def lines(store: Store) -> list[Line]:
    """(part, key, value) of all that a freeze fixes, sorted."""
    found: list[Line] = []
    known = store.names()
    for relation, sql in _ASKED:
        if relation in known:
            for row in store.rows(sql):
                part, key, value = ("" if each is None else str(each) for each in row.values())
                found.append((part, key, value))
    return sorted(found)


def write(folder: Path, digest: str, fixed: list[Line]) -> Path:
    """Write the snapshot of a case; the same state gives the same bytes."""
    path = folder / FOLDER / f"frozen-{digest[:12]}.json"
    path.parent.mkdir(exist_ok=True)
    told = ",\n".join(json.dumps(line, ensure_ascii=False) for line in fixed)
    part = path.with_name(path.name + ".part")
    part.write_text(f'{{"digest": "{digest}", "lines": [\n{told}\n]}}\n', encoding="utf-8")
    part.replace(path)
    return path


def files(folder: Path) -> list[Path]:
    """The snapshots of a case, by name."""
    return sorted((folder / FOLDER).glob("frozen-*.json"))


def load(folder: Path) -> list[list[str]]:
    """Rows (digest, part, key, value) of all snapshots; raises UsageError for one that is none."""
    return [[digest, *line] for path in files(folder) for digest, line in _read(path)]


def _read(path: Path) -> list[tuple[str, Line]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        digest, fixed = content["digest"], content["lines"]
        good = bool(re.fullmatch("[0-9a-f]{64}", digest)) and all(
            len(line) == 3 and all(isinstance(each, str) for each in line) for line in fixed
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        good = False
    if not good:
        raise UsageError(
            "the file is no snapshot of a freeze", path=path, remedy="restore it, or remove it"
        )
    return [(digest, (part, key, value)) for part, key, value in fixed]
