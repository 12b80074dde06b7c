"""Damaged evidence: every record is accounted for, or the file is refused with one line."""

from __future__ import annotations

import random
from contextlib import suppress

from reading import evidence, read

from toolkit.errors import ToolkitError
from toolkit.ingest.reader import readers

_PIECES = (
    b"", b"\0", b"\xff", b'"', b"\n", b"{", b"}", b"]", b"null", b"-1", b"1e999", b"\\ud800",
    b"99999999999999999999999", b'{"a":1}', b"[]", b" ", b"=", b":", b"\t", b"true",
)  # fmt: skip


def survives_damage(reader: str, data: bytes | None = None, **settings: object) -> None:
    """Read 250 mutations of a piece of evidence, the same ones in every run."""
    data = readers()[reader].sample if data is None else data
    dice = random.Random(20220309)
    for _ in range(250):
        damaged = bytearray(data)
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(damaged) + 1)
            damaged[at : at + dice.choice((0, 1, 1, 4, 30))] = dice.choice(_PIECES)
        if not damaged.strip() or damaged[:2] in (b"\xff\xfe", b"\xfe\xff"):
            continue
        readers()[reader].matches(evidence(bytes(damaged)))
        with suppress(ToolkitError):
            read(reader, bytes(damaged), **settings)
