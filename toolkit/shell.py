"""The prompt of `postmortem sql`: questions in SQL with history and completion."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from toolkit.case import Case
from toolkit.errors import ToolkitError
from toolkit.listing import Format, printable, write_all
from toolkit.store import literal

HELP = (
    "End a statement with a semicolon. \\d lists relations, \\d NAME its columns, \\m the macros, "
    "\\q leaves."
)
_WORDS = (
    "select from where group by order having limit join left using on and or not in is null case "
    "when then else end as with union all distinct count sum min max describe explain"
)
_RELATIONS = """
    select table_name as relation, comment from duckdb_tables() where schema_name = 'main'
    union all
    select view_name, comment from duckdb_views() where schema_name = 'main' and not internal
    order by relation
"""
_MACROS = """
    select function_name as macro, parameters, comment from duckdb_functions()
    where macro_definition is not null and not internal order by macro
"""
_COLUMNS = """
    select column_name, data_type, comment from duckdb_columns()
    where schema_name = 'main' and table_name = {} order by column_index
"""
_NAMES = """
    select table_name from duckdb_tables() where schema_name = 'main'
    union select view_name from duckdb_views() where schema_name = 'main' and not internal
    union select column_name from duckdb_columns() where schema_name = 'main'
    union select function_name from duckdb_functions()
    where macro_definition is not null and not internal
"""


def run(case: Case, scratch: Path | None, limits: Mapping[str, float], form: Format) -> None:
    """Ask until the end of input; a fault is told in one line and ends nothing."""
    history = _with_completion(case)
    print(HELP)
    pending = ""
    try:
        while True:
            try:
                line = input("postmortem> " if not pending else "        ... ")
            except KeyboardInterrupt:
                print()
                pending = ""
                continue
            except EOFError:
                print()
                return
            if not pending and line.strip() in ("\\q", "exit", "quit"):
                return
            if not pending and line.startswith("\\"):
                pending = _shorthand(line.strip())
                if not pending:
                    print(HELP)
                    continue
            else:
                pending += line + "\n"
            if not pending.rstrip().endswith(";"):
                continue
            asked, pending = pending, ""
            try:
                write_all(list(case.answers(asked, scratch=scratch, **limits)), form)
            except ToolkitError as error:
                print(printable(str(error)), file=sys.stderr)
            except KeyboardInterrupt:
                print("interrupted", file=sys.stderr)
    finally:
        if history is not None:
            import readline

            with suppress(OSError):
                readline.write_history_file(history)


def _shorthand(line: str) -> str:
    """The statement that a backslash stands for; nothing where it stands for none."""
    word, _, name = line.partition(" ")
    if word == "\\d" and name:
        return _COLUMNS.format(literal(name.strip())) + ";"
    statement = {"\\d": _RELATIONS, "\\m": _MACROS}.get(word)
    return statement + ";" if statement else ""


def _with_completion(case: Case) -> Path | None:
    """Complete names by Tab and keep a history, where the interpreter has readline."""
    try:
        import readline
    except ImportError:
        return None
    names = sorted({*_WORDS.split(), *map(str, case.sql(_NAMES).iloc[:, 0])})

    def complete(text: str, state: int) -> str | None:
        found = [name for name in names if name.startswith(text.lower())]
        return found[state] if state < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n,()=<>.;")
    readline.parse_and_bind("tab: complete")
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    history = Path(state) / "postmortem" / "sql_history"
    with suppress(OSError):
        history.parent.mkdir(parents=True, exist_ok=True)
        readline.read_history_file(history)
    return history
