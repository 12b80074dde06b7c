"""Write the pages of docs/reference that code and SQL tell of, the man page, and the schemas for
editors.

    python docs/generate.py

None of these is edited by hand; tests hold them to what this writes.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from enum import EnumType
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args

from typer.main import get_command

from toolkit import Case, __version__, errors, resources, sqlfile
from toolkit.analysis import steps
from toolkit.casefile import CASE_FILE, CaseFolder, default_policy
from toolkit.cli import app
from toolkit.ingest.load import shipped_mappings
from toolkit.ingest.mapping import load_mapping
from toolkit.ingest.reader import Reader, readers
from toolkit.rebuild import rebuild
from toolkit.relations import RELATIONS
from toolkit.schemas import file_of, schemas
from toolkit.store import Store

FOLDER = Path(__file__).with_name("reference")
MAN = Path(__file__).with_name("postmortem.1")
WRITTEN = "Written by `python docs/generate.py`; do not edit it.\n"
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


def formats() -> str:
    """The page of formats, readers in the order of their names."""
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
    if reader.sample.startswith(b"PAR1"):
        return "A Parquet file of a layout of its own."
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


def relations() -> str:
    """The page of relations: what evidence is read into, then what is derived."""
    text = f"# Relations\n\n{WRITTEN}\n## Evidence\n\nColumns in bold must be there.\n"
    for relation in RELATIONS:
        rows = [
            (f"**{c.name}**" if c.required else c.name, c.kind, _words(c.comment, c.words))
            for c in relation.columns
        ]
        text += f"\n### {relation.name}\n\n{_sentence(relation.grain)}\n\n"
        text += _table(("column", "kind", "what it holds"), rows)
    text += "\n## Derived\n\nOne SQL file of `queries/relations/` each, or a step in Python.\n"
    for name, title, grain, columns in sorted(_derived(), key=lambda each: each[0]):
        text += f"\n### {name}\n\n{_sentence(title)} {_sentence(grain)}\n\n"
        text += _table(("column", "what it holds"), columns.items())
    text += "\n## Given\n\nWhat the case states, how its files were read, and what was run.\n"
    for name, grain, columns in _given():
        text += f"\n### {name}\n\n{_sentence(grain)}\n\n"
        text += _table(("column", "kind", "what it holds"), columns)
    return text


def _given() -> Iterator[tuple[str, str, list[tuple[str, str, str]]]]:
    """What stands in every case beside evidence and relations, as an empty one shows it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, CASE_FILE).write_text('title = "Nothing"\n', encoding="utf-8")
        case = CaseFolder.open(Path(folder))
        with Store.create(case.database) as store:
            rebuild(store, case)
        empty = Case(case)
        found = empty.relations().query("kind == 'given'")
        for name, grain in zip(found["name"], found["description"], strict=True):
            columns = empty.columns(name).fillna("")
            yield name, grain, [tuple(row) for row in columns.itertuples(index=False)]


def _derived() -> Iterator[tuple[str, str, str, Mapping[str, str]]]:
    for each in sqlfile.catalogue(resources.queries()).values():
        if isinstance(each.meta, sqlfile.RelationMeta):
            yield each.id, each.meta.title, each.meta.grain, each.meta.columns
    for step in steps().values():
        for name, made in step.writes.items():
            comments = {column: comment for column, (_, comment) in made.columns.items()}
            yield name, made.title, made.grain, comments


def rules() -> str:
    """The page of rules."""
    text = f"# Rules\n\n{WRITTEN}\nOne SQL file of `queries/findings/` each.\n"
    found = sqlfile.catalogue(resources.queries()).values()
    for each in sorted(found, key=lambda each: each.id):
        meta = each.meta
        if not isinstance(meta, sqlfile.FindingMeta):
            continue
        rows = [
            ("criteria", meta.criteria),
            ("effect", meta.effect),
            ("recommendation", meta.recommendation),
            ("to ask", " ".join(meta.questions)),
            ("severity", meta.severity),
            ("needs", ", ".join(name.replace("|", " or ") for name in meta.needs)),
            ("thresholds", ", ".join(meta.policy) or "none"),
            ("controls", ", ".join(meta.controls)),
            ("limits", meta.limitations or "none stated"),
        ]
        text += f"\n## {each.id} {meta.title}\n\n" + _table(("", ""), rows)
    return text


def policy() -> str:
    """The page of thresholds."""
    rows = [
        (name, f"`{entry['value']}`", entry.get("unit", ""), entry["meaning"])
        for name, entry in default_policy().items()
    ]
    head = f"# Policy\n\n{WRITTEN}\nA case overrides a threshold in `[policy]` of case.toml.\n\n"
    return head + _table(("threshold", "as delivered", "unit", "meaning"), rows)


KEYS_HEAD = f"""\
# Files that you write

{WRITTEN}
An unknown key is refused. Keys in bold must be there. Patterns are globs (`*`, `?`, `[…]`); those
of procedures are compared without case. `postmortem mapping schema case`, `… mapping` and
`… procedure` print the same as JSON Schemas, for an editor that completes and checks.
"""
FILES = {
    "case": ("case.toml", "What is reviewed, and what must not be guessed about its files. TOML."),
    "mapping": (
        "Mapping",
        "How an export of a shape of its own is read. YAML; see [Read an export of your own shape]"
        "(../how-to/mapping.md).",
    ),
    "procedure": (
        "Procedure",
        "How work is to be done. YAML below `procedures/`; see [Procedures](procedures.md).",
    ),
}


def keys() -> str:
    """The page of the files that people write: every key of every part."""
    text = KEYS_HEAD
    for name, (title, about) in FILES.items():
        schema = json.loads(file_of(name).read_text(encoding="utf-8"))
        text += f"\n## {title}\n\n{about}\n\n" + _keys(schema, schema["$defs"])
        parts: dict[str, str] = {}
        for place, part in _parts(schema, schema["$defs"]):
            parts.setdefault(part, place)
        for part, place in parts.items():
            inside = schema["$defs"][part]
            text += f"\n### {title}: {place}\n\n{inside['description']}\n\n"
            text += _keys(inside, schema["$defs"])
    return text


def _parts(schema: Any, parts: Any, above: str = "") -> Iterator[tuple[str, str]]:
    """Where the parts of a file stand in it, from the outside in."""
    for key, each in schema["properties"].items():
        for part in re.findall(r"#/\$defs/(\w+)", json.dumps(each)):
            yield f"{above}{key}", part
            yield from _parts(parts[part], parts, f"{above}{key}.")


def _keys(schema: Any, parts: Any) -> str:
    required = schema.get("required", ())
    rows = []
    for key, each in schema["properties"].items():
        # A key that says no more than its part does has no words of its own.
        said = each if "description" in each else parts[each["$ref"].rsplit("/", 1)[1]]
        name = f"**{key}**" if key in required else key
        rows.append((name, _kind(each), _sentence(said["description"])))
    return _table(("key", "kind", "what it says"), rows)


def _kind(schema: Any) -> str:
    """What a value may be, of what JSON Schema says of it."""
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in dict.fromkeys(map(str, schema["enum"])))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        kinds = [_kind(each) for each in schema["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in schema:
        return "table"
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    if "items" in schema:
        return f"list of {_kind(schema['items'])}"
    if isinstance(more := schema.get("additionalProperties"), dict):
        return f"table of {_kind(more)}"
    return {
        "string": "instant" if schema.get("format") == "date-time" else "text",
        "integer": "number", "boolean": "yes or no", "object": "table",
    }.get(kind, kind)  # fmt: skip


COMPLETION = """
`postmortem --install-completion` lets the shell that you use (bash, zsh, fish, PowerShell) complete
commands, options and their values at the tabulator key, from the next session on;
`--show-completion` prints what it would install. `postmortem COMMAND --help` shows what stands
here, and `man postmortem` too where the wheel is installed.
"""


def commands() -> str:
    """The page of commands and exit codes."""
    text = f"# Commands\n\n{WRITTEN}{COMPLETION}"
    for name, command in _commands("postmortem", get_command(app)):
        text += f"\n## {name}\n\n{_sentence(command.help or '')}\n"
        rows = [
            (_called(each), _words(getattr(each, "help", None) or "", _choices(each)))
            for each in command.params
        ]
        text += "\n" + _table(("option", "what it does"), rows) if rows else ""
        if examples := _examples(command):
            text += "\n~~~sh\n" + "\n".join(examples) + "\n~~~\n"
    return text + "\n## Exit codes\n\n" + _table(("code", "when"), _codes())


def _examples(command: Any) -> list[str]:
    """How a command is called, of what stands below its options."""
    return [line.strip() for line in (command.epilog or "").splitlines()[2:]]


def _codes() -> list[tuple[str, str]]:
    codes = [("0", "Done."), ("5", _first(errors.ConditionMet))]
    kinds = (errors.UsageError, errors.EvidenceRefused, errors.VerificationFailed)
    codes += [(str(kind.exit_code), _first(kind)) for kind in kinds]
    return sorted([*codes, ("1", "Unexpected; `--debug` shows where.")])


def man() -> str:
    """The man page postmortem(1), in the macros of man(7)."""
    (_, whole), *rest = _commands("postmortem", get_command(app))
    first = whole.help.partition(",")[0]
    lines = [
        rf".\" {WRITTEN.strip()}",
        f'.TH POSTMORTEM 1 "" "postmortem {__version__}" "User Commands"',
        ".SH NAME",
        rf"postmortem \- {_roff(first[0].lower() + first[1:])}",
        ".SH SYNOPSIS",
        r".B postmortem",
        r"[\-\-debug] COMMAND [OPTIONS] [ARGUMENTS]",
        ".SH DESCRIPTION",
        _roff(_sentence(whole.help)),
        ".SH OPTIONS",
        *_roff_options(whole),
        ".SH COMMANDS",
    ]
    for name, command in rest:
        needed = [
            _roff_called(each)
            for each in command.params
            if each.param_type_name == "argument" or each.required
        ]
        lines += [f'.SS "{" ".join([_roff(name), *needed])}"', _roff(_sentence(command.help or ""))]
        lines += _roff_options(command)
        if examples := _examples(command):
            lines += [".PP", "Examples:", ".PP", ".nf", ".RS", *map(_roff, examples), ".RE", ".fi"]
    lines.append(".SH EXIT STATUS")
    for code, when in _codes():
        lines += [".TP", rf"\fB{code}\fR", _roff(when)]
    return "\n".join(lines) + "\n"


def _roff_options(command: Any) -> Iterator[str]:
    for each in command.params:
        help_, words = getattr(each, "help", None) or "", _choices(each)
        if each.param_type_name == "option" or help_:
            yield from (".TP", rf"\fB{_roff_called(each)}\fR", _roff(_words(help_, words)) or r"\&")


def _roff_called(parameter: Any) -> str:
    """A parameter with its value, as it is typed."""
    names = _called(parameter).replace("`", "")
    if parameter.param_type_name == "option" and not parameter.is_flag:
        names += f" {parameter.metavar or parameter.name.upper()}"
    return _roff(names)


def _roff(text: str) -> str:
    """Text that roff prints as it is."""
    plain = " ".join(text.replace("`", "").split())
    escaped = plain.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    escaped = "".join(each if each.isascii() else rf"\[u{ord(each):04X}]" for each in escaped)
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _called(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _choices(parameter: Any) -> Any:
    kind = parameter.type_descriptor.annotation
    kinds = (kind, *get_args(kind))
    return [word for each in kinds if isinstance(each, EnumType) for word in each]


def _first(kind: type) -> str:
    return (kind.__doc__ or "").split("\n")[0]


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for part, each in sorted(getattr(command, "commands", {}).items()):
        yield from _commands(f"{name} {part}", each)


def _words(comment: str, words: Any) -> str:
    listed = ", ".join(f"`{getattr(word, 'value', word)}`" for word in words)
    return f"{comment.rstrip('.')}: {listed}." if listed else comment


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(str(cell)) for cell in line)} |\n" for line in lines)


PAGES: Mapping[str, Callable[[], str]] = {
    "formats": formats,
    "relations": relations,
    "rules": rules,
    "policy": policy,
    "keys": keys,
    "commands": commands,
}

if __name__ == "__main__":
    for schema, text in schemas().items():
        file_of(schema).write_text(text, encoding="utf-8")
    for name, write in PAGES.items():
        (FOLDER / f"{name}.md").write_text(write(), encoding="utf-8")
    MAN.write_text(man(), encoding="utf-8")
