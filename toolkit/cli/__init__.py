"""The command `postmortem`: options in, one call of the library, exit code out.

One module per concern, each with an `app` of its own; here they become one command. What a command
needs beyond Typer it loads when it is run.
"""

from __future__ import annotations

import errno
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from toolkit import __version__
from toolkit.cli import ask, build, deliver, doctor, formats, procedure, review
from toolkit.cli.options import examples
from toolkit.cli.told import say
from toolkit.errors import NO_RIGHT, ToolkitError, one_line

app = typer.Typer(
    name="postmortem",
    help="Rebuild what happened in an outage from the evidence, test every maintenance operation "
    "against its procedure, and report with numbers that can be re-performed.",
    epilog=examples(
        "postmortem demo                # two sample cases, with their reports",
        "postmortem run exports         # a folder of exports becomes a case, with reports",
        "postmortem findings exports    # what every rule says of it",
        "postmortem COMMAND --help      # options and examples of a command",
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# What the user can do where the system says no.
_REMEDIES = {
    errno.EACCES: NO_RIGHT,
    errno.EPERM: NO_RIGHT,
    errno.EROFS: NO_RIGHT,
    errno.ENOSPC: "free some space there, then run it again",
    errno.EDQUOT: "free some space there, then run it again",
    errno.ENAMETOOLONG: "give a shorter name",
}
# In the order in which `--help` lists them.
for each in (build, deliver, ask, formats, doctor):
    app.add_typer(each.app)
app.add_typer(procedure.app, name="procedure")
app.add_typer(review.app, name="review")


@app.callback(invoke_without_command=True)
def _global(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    if version:
        typer.echo(f"postmortem {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command; every error becomes one line on stderr and an exit code."""
    if sys.argv[1:] == ["--version"]:
        # Typer reads every option with Pydantic, which takes longer to load than all else here.
        typer.echo(f"postmortem {__version__}")
        return
    debug = "--debug" in sys.argv[1:]
    try:
        code = app(standalone_mode=False, prog_name="postmortem")
    except typer.Abort:
        code = 1
    except TyperException as error:
        # The formatted message alone names the option; the words of the validator say nothing.
        told = error.format_message().replace("Value error, ", "").rstrip(".")
        say(f"postmortem: {told}; --help shows what can be given")
        code = 2
    except ToolkitError as error:
        if debug:
            raise
        say(f"postmortem: {error}")
        code = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        code = 0
    except KeyboardInterrupt:
        say("postmortem: interrupted; what was loaded so far is whole")
        code = 1
    except OSError as error:
        if debug:
            raise
        place = f"{one_line(str(error.filename))}: " if error.filename else ""
        why = (error.strerror or str(error)).lower()
        say(f"postmortem: {place}{why}; {_REMEDIES.get(error.errno or 0, '--debug shows where')}")
        code = 2 if error.errno in _REMEDIES else 1
    except Exception as error:
        if debug:
            raise
        say(f"postmortem: unexpected {type(error).__name__}: {error}; --debug shows where")
        code = 1
    sys.exit(code if isinstance(code, int) else 0)
