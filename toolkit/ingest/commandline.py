"""What a command line says: the program, its verb, and its flags.

A record of a command holds no name for what was done. The program is that name, and for programs
whose first argument is a verb (`zpool destroy`), both words are.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from toolkit.ingest.reader import Value

# Programs whose first argument names what they do.
_VERBS = frozenset({
    "apt", "apt-get", "aws", "az", "borg", "btrfs", "ceph", "crm", "cryptsetup", "dnf", "docker",
    "gcloud", "git", "helm", "ip", "kopia", "kubectl", "lvm", "nmcli", "pcs", "podman", "rbd",
    "rc-service", "restic", "service", "snap", "systemctl", "terraform", "tofu", "virsh", "yum",
    "zfs", "zpool", "zypper",
})  # fmt: skip


def split_command(command: str) -> list[str]:
    """The words of a command as a shell would cut them, or at blanks where its quotes are open."""
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def command_columns(words: Sequence[str]) -> dict[str, Value]:
    """Action and flags of a command, given as its words, for `maintenance_event`.

    The action is the program without its folder, with its verb where it has one; `command` where
    no word is left. Flags are kept without their values. The service of `service NAME VERB` comes
    before its verb.
    """
    if not words or not words[0].strip():
        return {"action": "command"}
    program = words[0].rsplit("/", 1)[-1].strip() or words[0]
    action = program
    arguments = list(words[1:])
    if program in ("service", "rc-service") and len(arguments) >= 2:
        arguments = [arguments[1]]
    if program in _VERBS and arguments and arguments[0][:1].isalpha():
        action = f"{program} {arguments[0]}"
    flags = [word.split("=", 1)[0] for word in words[1:] if word.startswith("-") and word != "-"]
    return {"action": action, "flags": " ".join(flags) or None}
