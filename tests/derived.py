"""Single derived relations of a few lines of evidence, without the rest of the catalogue."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from toolkit import procedures, rebuild, resources, sqlfile
from toolkit.casefile import PROCEDURES, CaseFolder
from toolkit.ingest.load import ingest
from toolkit.store import Store


def derive(folder: Path, relations: str, **files: str) -> Store:
    """A store with the named relations, in that order, derived of the given files.

    `files` maps an input relation to its CSV text; `procedures` is the text of one or more YAML
    files divided by `---`, `case` that of case.toml without the title.
    """
    evidence = folder / "evidence"
    evidence.mkdir(parents=True)
    (folder / PROCEDURES).mkdir()
    (folder / "case.toml").write_text('title = "Test"\n' + textwrap.dedent(files.pop("case", "")))
    for number, text in enumerate(files.pop("procedures", "").split("---\n")):
        if text.strip():
            (folder / PROCEDURES / f"{number}.yaml").write_text(textwrap.dedent(text))
    for name, text in files.items():
        lines = (line.strip() for line in text.strip().splitlines())
        (evidence / f"{name}.csv").write_text("\n".join(lines) + "\n")
    case = CaseFolder.open(folder)
    store = Store.create()
    done = ingest(store, case)
    assert not done.refusals, [str(refusal) for refusal in done.refusals]
    prepare(store, case)
    for relation in relations.split():
        run(store, relation)
    return store


def prepare(store: Store, case: CaseFolder) -> None:
    """What stands in the store before the first relation is derived."""
    rebuild._load_case(store, case, case.policy())
    rebuild._load_procedures(store, procedures.load(case.path / PROCEDURES))
    rebuild._expose_evidence(store)


def run(store: Store, relation: str) -> None:
    """Derive one relation, and hold its head against what its query does."""
    path = resources.queries() / "relations" / f"{relation}.sql"
    file = sqlfile.read(path)
    assert store.reads(file.sql) == set(file.meta.reads)
    rebuild._run_relation(store, file)
    assert store.columns(relation) == list(file.meta.columns)


def rows(store: Store, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query as tuples."""
    return [tuple(row.values()) for row in store.rows(sql)]
