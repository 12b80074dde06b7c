"""Write docs/formats.md, the formats of evidence as readers and mappings tell of them, and schemas.

    python docs/generate.py

Neither the page nor the schemas are edited by hand; tests hold them to what this writes.
"""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

from toolkit.ingest.load import shipped_mappings
from toolkit.ingest.mapping import load_mapping
from toolkit.ingest.reader import Reader, readers
from toolkit.schemas import file_of, schemas

PAGE = Path(__file__).with_name("formats.md")
HEAD = """\
# Formats of evidence

Written by `python docs/generate.py` from the readers and mappings; do not edit it.

A format is recognised by traits that no other has; `postmortem sniff FILE` says which reader claims
a file, `format = "…"` in case.toml settles it. Exports of other shapes are read with a mapping:
`postmortem mapping init FILE` drafts one, and some [are shipped](#shipped-mappings). Any of them
may be packed with gzip or zstd.

Editors complete and check mapping files, procedures and case.toml by the JSON Schemas that
`postmortem mapping schema`, `… schema procedure` and `… schema case` print.
"""
MAPPINGS = """
## Shipped mappings

For exports whose header an administrator, a version or a language decides, mappings are shipped:
`mapping = "NAME"` in case.toml uses one. Every mapping proves itself on its own samples before a
file is read. One that is marked was written from the product's documentation, and nobody has held
it against a real export: compare the first line of the file before use.

| mapping | what it reads | fills | checked against a real export |
|---|---|---|---|
"""
UNCHECKED = "NOT CHECKED"
SAMPLE_LINES, SAMPLE_WIDTH = 8, 160


def page() -> str:
    """The whole page, readers in the order of their names."""
    found = [reader for _, reader in sorted(readers().items())]
    table = "\n".join(
        f"| [{reader.name}](#{reader.name}) | {_cell(reader.title)} | {_fills(reader)} | "
        f"{'yes' if reader.needs_zone else ''} |"
        for reader in found
    )
    contents = f"\n| format | what it is | fills | needs a zone |\n|---|---|---|---|\n{table}\n"
    return HEAD + contents + "".join(_section(reader) for reader in found) + _mappings()


def _mappings() -> str:
    rows, notes = [], []
    for name, path in shipped_mappings().items():
        # The comment at the head of the file says what it reads and where to get that.
        lines = path.read_text(encoding="utf-8").splitlines()
        head = [line[2:] for line in takewhile(lambda line: line.startswith("#"), lines)]
        spec = load_mapping(path).spec
        checked = "no" if any(UNCHECKED in line for line in head) else "yes"
        title = head[0].rstrip(".")
        rows.append(f"| [{name}](#mapping-{name}) | {_cell(title)} | `{spec.into}` | {checked} |\n")
        text = "\n".join(head[1:]).strip("\n")
        notes.append(f"\n### Mapping {name}\n\n{title}.\n\n~~~text\n{text}\n~~~\n")
    return MAPPINGS + "".join(rows + notes)


def _fills(reader: Reader) -> str:
    names = dict.fromkeys(reader.fills)
    return "every relation" if len(names) > 10 else ", ".join(f"`{name}`" for name in names)


def _section(reader: Reader) -> str:
    zone = "\n\nIts times are local: declare `zone` in case.toml." if reader.needs_zone else ""
    traps = "".join(f"\n- {_sentence(trap)}" for trap in reader.traps)
    return (
        f"\n## {reader.name}\n\n{reader.title}.\n\n"
        f"Fills {_fills(reader)}.{zone}\n\n"
        f"**Where to get it.** {_sentence(reader.obtain)}\n"
        + (f"\n**What to mind.**\n{traps}\n" if traps else "")
        + f"\n**What it looks like.**\n\n{_sample(reader)}\n"
    )


def _sample(reader: Reader) -> str:
    lines = reader.sample.decode("utf-8", "replace").expandtabs(4).splitlines()
    shown = [
        line if len(line) <= SAMPLE_WIDTH else line[: SAMPLE_WIDTH - 2] + " …"
        for line in lines[:SAMPLE_LINES]
    ]
    if len(lines) > SAMPLE_LINES:
        shown.append("…")
    return "\n".join(("~~~text", *(line.rstrip() for line in shown), "~~~"))


def _sentence(text: str) -> str:
    """A phrase as a sentence."""
    whole = " ".join(text.split())
    first = whole.split(" ", 1)[0]
    # A name or a command keeps its own case.
    if first.isalpha() and first.islower():
        whole = whole[0].upper() + whole[1:]
    return whole if whole.endswith((".", "!", "?", "…")) else whole + "."


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    for schema, text in schemas().items():
        file_of(schema).write_text(text, encoding="utf-8")
