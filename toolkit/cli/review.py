"""`postmortem review CASE …`: the acts of the board, each one entry of `review.yaml`."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from time import time
from typing import Annotated

import typer

from toolkit.cli.options import examples
from toolkit.cli.told import say
from toolkit.listing import Format, write

app = typer.Typer(
    help="Put down what the board decides, and show where it stands.\n\n"
    "Findings, codes, responses, actions and signatures are entries of review.yaml. Without a "
    "command, the state of the review is shown.",
    epilog=examples(
        "postmortem review outage-2022",
        "postmortem review outage-2022 freeze --by board-1 --role Secretary",
        "postmortem review outage-2022 accept f97b1b --by board-1 --role Chair",
        "postmortem review outage-2022 sign --by board-2 --role Reviewer",
    ),
    invoke_without_command=True,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Answer(StrEnum):
    """Answers of the management."""

    agree = "agree"
    partly = "partly"
    disagree = "disagree"


class Strength(StrEnum):
    """Strength of an action, by the hierarchy of actions."""

    stronger = "stronger"
    intermediate = "intermediate"
    weaker = "weaker"


ByOption = Annotated[str, typer.Option("--by", help="Account of the person who acts.")]
RoleOption = Annotated[str, typer.Option("--role", help="Role in which the person acts.")]
AtOption = Annotated[
    str | None, typer.Option("--at", help="When, with offset; default: now.", metavar="TIME")
]
FindingArgument = Annotated[
    str, typer.Argument(metavar="FINDING", help="finding_id, or its first letters.")
]
AnswerArgument = Annotated[
    Answer, typer.Argument(metavar="ANSWER", help="Answer of the management.")
]
FindingsOption = Annotated[
    list[str] | None, typer.Option("--finding", help="A finding that it is about; repeatable.")
]
TextOption = Annotated[str, typer.Option("--text", help="In your own words.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Reason, in your own words.")]


@app.callback()
def _of(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="CASE", help="The case folder.")],
) -> None:
    """Without a command: where the review stands."""
    context.obj = path
    if context.invoked_subcommand is None:
        from toolkit.case import Case
        from toolkit.verbs import refresh_review

        refresh_review(path)
        write(Case.open(path).frame("review_state"), Format.table, None)


@app.command()
def freeze(
    context: typer.Context, by: ByOption, role: RoleOption = "", at: AtOption = None
) -> None:
    """Put down that evidence and results stand as they are now."""
    from toolkit.verbs import digest_of

    _add(context, "freeze", by, role, at, digest=digest_of(context.obj))


@app.command()
def submit(
    context: typer.Context, by: ByOption, role: RoleOption = "", at: AtOption = None,
    text: TextOption = "",
) -> None:  # fmt: skip
    """Give the report to the board."""
    _add(context, "submit", by, role, at, text=text)


@app.command("request-changes")
def request_changes(
    context: typer.Context, by: ByOption, text: TextOption, role: RoleOption = "",
    at: AtOption = None,
) -> None:  # fmt: skip
    """Give the report back with what is to change."""
    _add(context, "request_changes", by, role, at, text=text)


@app.command()
def conclude(
    context: typer.Context, by: ByOption, role: RoleOption = "", at: AtOption = None,
    text: TextOption = "",
) -> None:  # fmt: skip
    """Put down that the board has dealt with the findings.

    The review can then be signed.
    """
    _add(context, "conclude", by, role, at, text=text)


@app.command()
def sign(
    context: typer.Context, by: ByOption, role: RoleOption, at: AtOption = None,
    text: TextOption = "",
) -> None:  # fmt: skip
    """Sign off.

    Whether the signer is tied to the changes under review is computed and shown.
    """
    _add(context, "sign", by, role, at, text=text)


@app.command()
def supersede(
    context: typer.Context, by: ByOption, reason: ReasonOption, role: RoleOption = "",
    at: AtOption = None,
) -> None:  # fmt: skip
    """Put this version out of force.

    The next begins as a draft.
    """
    _add(context, "supersede", by, role, at, reason=reason)


@app.command()
def accept(
    context: typer.Context, finding: FindingArgument, by: ByOption, role: RoleOption = "",
    at: AtOption = None, reason: ReasonOption = "",
) -> None:  # fmt: skip
    """Accept a finding."""
    _add(context, "accept", by, role, at, finding=finding, reason=reason)


@app.command()
def dismiss(
    context: typer.Context, finding: FindingArgument, by: ByOption, reason: ReasonOption,
    role: RoleOption = "", at: AtOption = None,
) -> None:  # fmt: skip
    """Dismiss a finding, with the reason."""
    _add(context, "dismiss", by, role, at, finding=finding, reason=reason)


@app.command()
def code(
    context: typer.Context, finding: FindingArgument,
    code: Annotated[str, typer.Argument(metavar="CODE", help="Candidate code of the rule.")],
    by: ByOption, role: RoleOption = "", at: AtOption = None,
    holds: Annotated[bool, typer.Option("--holds/--holds-not", help="Your judgement.")] = True,
    reason: ReasonOption = "",
) -> None:  # fmt: skip
    """Judge a candidate code; two coders who agree confirm it."""
    _add(context, "code", by, role, at, finding=finding, code=code, holds=holds, reason=reason)


@app.command()
def respond(
    context: typer.Context, finding: FindingArgument, answer: AnswerArgument, by: ByOption,
    text: TextOption, role: RoleOption = "", at: AtOption = None,
) -> None:  # fmt: skip
    """Put down the management's response to a finding."""
    _add(context, "respond", by, role, at, finding=finding, answer=answer.value, text=text)


@app.command()
def decide(
    context: typer.Context, by: ByOption, text: TextOption, finding: FindingsOption = None,
    role: RoleOption = "", at: AtOption = None,
) -> None:  # fmt: skip
    """Put down a decision of the board."""
    _add(context, "decide", by, role, at, text=text, findings=finding or [])


@app.command()
def action(
    context: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="For example A-1.")],
    title: Annotated[str, typer.Option(help="What is to be done.")],
    owner: Annotated[str, typer.Option(help="Role or team that does it.")],
    due: Annotated[str, typer.Option(help="Day by which it is done, as 2022-06-30.")],
    strength: Annotated[Strength, typer.Option(help="By the hierarchy of actions.")],
    by: ByOption, role: RoleOption = "", at: AtOption = None, finding: FindingsOption = None,
    verified_how: Annotated[str, typer.Option(help="How it will be seen that it works.")] = "",
) -> None:  # fmt: skip
    """Put down an action.

    A later entry of the same ID replaces it.
    """
    _add(
        context, "action", by, role, at, id=id, title=title, owner=owner, due=due,
        strength=strength.value, findings=finding or [], verified_how=verified_how,
    )  # fmt: skip


@app.command()
def complete(
    context: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="Identifier of the action.")],
    by: ByOption, text: TextOption, role: RoleOption = "", at: AtOption = None,
) -> None:  # fmt: skip
    """Put down that an action is done, and how that was seen."""
    _add(context, "complete", by, role, at, id=id, text=text)


@app.command()
def confirm(
    context: typer.Context,
    item: Annotated[int, typer.Argument(metavar="ITEM", help="Item of the disclosure list.")],
    by: ByOption, role: RoleOption = "", at: AtOption = None,
    holds: Annotated[bool, typer.Option("--holds/--holds-not", help="Your judgement.")] = True,
    text: TextOption = "",
) -> None:  # fmt: skip
    """Confirm, or not, that an item was disclosed publicly."""
    _add(context, "confirm", by, role, at, item=item, holds=holds, text=text)


def _add(
    context: typer.Context, do: str, by: str, role: str, at: str | None, **values: object
) -> None:
    from toolkit.verbs import add_to_review

    when = at or datetime.fromtimestamp(int(time()), UTC).isoformat()
    made = add_to_review(context.obj, do, by=by, role=role, at=when, **values)
    say(
        f"entry {made.number}: {do.replace('_', ' ')}; the review is {made.state.replace('_', ' ')}"
    )
    for note in made.notes:
        say(f"note: {note}")
