"""Damaged evidence of every format, plain and wrapped, through the real ingest.

    python tests/damaging.py [--count 10000] [--seed 20220309]

damages evidence that many times, and says what became of it: every file must be accounted for in
all its records or refused in one line, within 20 seconds. The tests run a small share of it.
"""

from __future__ import annotations

import argparse
import copy
import csv
import gzip
import io
import json
import random
import resource
import signal
import sys
import tempfile
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import zstandard
from openpyxl import Workbook

from toolkit.casefile import CaseFolder
from toolkit.ingest.load import Loaded, ingest
from toolkit.ingest.reader import readers
from toolkit.relations import RELATIONS
from toolkit.store import Store

GOLDEN = Path(__file__).parent / "readers" / "golden"
SECONDS = 20
# Kept between one file and the next, so that the database is made anew only now and then.
FILES_PER_DATABASE = 500

PIECES = (
    b"", b"\0", b"\xff", b"\xc3", b'"', b"'", b"\n", b"\r", b"\r\n", b"{", b"}", b"]", b"[", b"<",
    b">", b"&", b"null", b"NaN", b"-1", b"1e999", b"\\ud800", b"\\u0000", b"9" * 23,
    b'{"a":1}', b"[]", b" ", b"=", b":", b";", b",", b"\t", b"true", b"0000-00-00", b"24:00:00",
    b"2022-02-30T25:61:61Z", b"\xe2\x80\xae", b"\xed\xa0\x80", b"\x1b[31m", b"\xef\xbb\xbf", b"%s",
    b"../../x", b"(" * 40, b"A" * 3000,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**63, 10**25, 1.5, 1e300, "", " ", "\ud800", "\x00", "x" * 3000,
    "2022-03-13T02:30:00", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z", [], {}, [[]], [None],
    {"": None}, [{"id": 1}], "&lt;", "‮", "\n",
)  # fmt: skip


TABLES = {
    "table (JSON lines)": b"""\
{"occurred_at": "2022-03-09T09:14:05Z", "action": "decommission", "target": "mds-us-2"}
{"occurred_at": "2022-03-09T09:14:07.5+01:00", "action": "log", "message": "caf\\u00e9", "flags": ""}
{"occurred_at": "2022-03-13T02:30:00", "action": "verify", "outcome": "Success"}
""",  # noqa: E501
    "table (samples)": b"""\
sampled_at,asset_id,state,job_kind,lag_seconds,bytes,progress,error
2022-03-09T09:14:05Z,m1,success,,1.5,1000,,
2022-03-09T09:19:05Z,m1,failure,seed,,,0.25,"no
metadata"
2022-03-09T09:24:05Z,m1,paused,verify,1e3,12.0,1,
""",
    "table (status updates)": b"""\
posted_at;incident_id;state;update_id;title;body;kind;component;region;component_status
2022-03-09T09:14:05Z;i1;investigating;u1;Backups;"We look; closely";incident;Cloud;IE;major_outage
;i1;update;u2;Backups;x;incident;;;
""",
}


def evidence() -> list[tuple[str, str, bytes, dict[str, Any]]]:
    """Every sample of every format: its label, reader, bytes and what the case declares of it."""
    found = [
        (name, name, reader.sample, {}) for name, reader in readers().items() if name != "mapped"
    ]
    found += [(label, "table", data, {}) for label, data in TABLES.items()]
    for folder in sorted(GOLDEN.iterdir()):
        (given,) = (
            path for path in folder.iterdir() if path.name not in ("expected.json", "mapping.yaml")
        )
        reader = max(
            (name for name in readers() if folder.name.startswith(name)), key=len, default=""
        )
        declared: dict[str, Any] = {}
        if (folder / "mapping.yaml").exists():
            reader, declared = "mapped", {"mapping": (folder / "mapping.yaml").read_text()}
        data = given.read_bytes()
        if reader and len(data) < 1 << 16:
            found.append((f"{folder.name} (golden)", reader, data, declared))
    return found


EVIDENCE = evidence()


# -- how evidence is damaged -----------------------------------------------------------------------


def of_bytes(data: bytes, dice: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(damaged) + 1)
        damaged[at : at + dice.choice((0, 1, 1, 4, 30))] = dice.choice(PIECES)
    return bytes(damaged)


def of_bits(data: bytes, dice: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def of_lines(data: bytes, dice: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    at, other = dice.randrange(len(lines)), dice.randrange(len(lines))
    match dice.randrange(6):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[other])
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case 3:
            lines[at] = lines[at][: dice.randrange(len(lines[at]) + 1)]
        case 4:
            lines[at] = lines[at].rstrip(b"\r\n")
        case _:
            lines.insert(at, dice.choice((b"\n", b"  \n", b"\tat x.y(Z.java:1)\n", b"\x00\n")))
    return b"".join(lines)


def of_extent(data: bytes, dice: random.Random) -> bytes:
    match dice.randrange(4):
        case 0:
            return data[: dice.randrange(1, len(data) + 1)]
        case 1:
            return data[dice.randrange(len(data)) :]
        case 2:
            return data + data
        case _:
            return data + b"\n" + dice.choice(EVIDENCE)[2]


def of_packing(data: bytes, dice: random.Random) -> bytes:
    match dice.randrange(6):
        case 0:
            packed = gzip.compress(data, mtime=0)
            return packed[: dice.randrange(1, len(packed))]
        case 1:
            return gzip.compress(of_bytes(data, dice), mtime=0)
        case 2:
            return data.decode("utf-8", "replace").encode("utf-16")[: dice.randrange(2, len(data))]
        case 3:
            return b"\xef\xbb\xbf" + data
        case 4:
            return data.replace(b"\n", b"\r\n")
        case _:
            return data.replace(b"\n", b"\r")


def of_values(data: bytes, dice: random.Random) -> bytes:
    """Replace, repeat or take out a value of a JSON file, or of one line of JSON lines."""
    try:
        return of_json(data, dice)
    except ValueError:
        lines = data.splitlines(keepends=True)
        at = dice.randrange(len(lines))
        try:
            lines[at] = of_json(lines[at], dice) + b"\n"
        except ValueError:
            return of_bytes(data, dice)
        return b"".join(lines)


def of_json(data: bytes, dice: random.Random) -> bytes:
    whole = copy.deepcopy(json.loads(data))
    places = list(containers(whole))
    if not places:
        raise ValueError("nothing to replace")
    inside = dice.choice(places)
    key = dice.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
    match dice.randrange(4):
        case 0:
            del inside[key]
        case 1 if isinstance(inside, dict):
            inside[dice.choice(list(inside)) + dice.choice(("", "_", "é"))] = inside[key]
        case 1:
            inside.append(inside[key])
        case _:
            inside[key] = dice.choice(VALUES)
    return json.dumps(whole, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")


def containers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        if value:
            yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from containers(each)


def of_wrapping(data: bytes, dice: random.Random) -> bytes:
    """Wrap evidence, damaged or not, and damage what it is wrapped in, or not."""
    inner = dice.choice((of_bytes, of_lines, of_extent, lambda given, _: given))(data, dice)
    wrap = dice.choice((gzipped, zstandard.compress, zipped, zipped, sheet, sheet))
    wrapped = wrap(inner)
    outer = dice.randrange(6)
    if outer < 2:
        return wrapped
    if outer < 5 and wrapped.startswith(b"PK"):
        return of_members(wrapped, dice)
    return dice.choice((of_bits, of_bytes, of_extent))(wrapped, dice)


def gzipped(data: bytes) -> bytes:
    half = len(data) // 2
    return gzip.compress(data[:half], mtime=0) + gzip.compress(data[half:], mtime=0)


def zipped(data: bytes) -> bytes:
    return packed({"one": data, "in/two.log": data[: len(data) // 2]})


def packed(members: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2022, 3, 9, 0, 0, 0)), data)
    return held.getvalue()


def sheet(data: bytes) -> bytes:
    text = data.decode("utf-8", "replace")
    text = "".join(each for each in text if each.isprintable() or each == "\n")
    book = Workbook(write_only=True)
    made = book.create_sheet("Page 1")
    for row in csv.reader(text.splitlines(), delimiter=max(",;", key=text.count)):
        made.append([int(cell) if cell.isdecimal() else cell[:30_000] for cell in row])
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()


def of_members(wrapped: bytes, dice: random.Random) -> bytes:
    """Damage a member of an archive or its name, so that the archive itself is sound."""
    with zipfile.ZipFile(io.BytesIO(wrapped)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(dice.randint(1, 2)):
        name = dice.choice(sorted(members))
        data = members.pop(name)
        if dice.random() < 0.2:
            name += dice.choice(("/", "/../../x", "\n", "!", ".zip", "é", " ", "x" * 300))
        if data:
            data = dice.choice((of_bits, of_bytes, of_bytes, of_extent))(data, dice)
        members[name] = data
    return packed(members)


DAMAGE: Sequence[Callable[[bytes, random.Random], bytes]] = (
    of_bytes, of_bytes, of_bits, of_lines, of_lines, of_extent, of_packing, of_values, of_values,
    of_wrapping, of_wrapping, of_wrapping,
)  # fmt: skip


# -- what must hold --------------------------------------------------------------------------------


class Hang(BaseException):
    """A file kept the ingest busy for longer than any small file may."""


@contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Hang(f"no answer within {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def make_case(folder: Path, reader: str | None, declared: dict[str, Any]) -> CaseFolder:
    (folder / "evidence").mkdir(parents=True, exist_ok=True)
    source = {"path": "evidence/*", "year": 2022, "asset_id": "a"}
    if "zone:" not in declared.get("mapping", ""):
        source["zone"] = "America/Denver"
    if reader is not None:
        source["format"] = reader
    if "mapping" in declared:
        (folder / "mapping.yaml").write_text(declared["mapping"])
        source["mapping"] = "mapping.yaml"
    lines = [f"{key} = {json.dumps(value)}" for key, value in source.items()]
    (folder / "case.toml").write_text("\n".join(['title = "Damaged"', "[[source]]", *lines]) + "\n")
    return CaseFolder.open(folder)


def holds(store: Store, loaded: Loaded) -> None:
    """The account of a file adds up, in what ingest answers and in the database."""
    assert (
        loaded.records_read == loaded.accepted + loaded.continued + loaded.skipped + loaded.rejected
    )
    (source,) = store.rows("select * from source where path = ?", [loaded.path])
    number = source["source_id"]
    assert source["records_read"] == loaded.records_read
    assert source["rejected"] == store.value(
        "select count(*) from reject where source_id = ?", [number]
    )
    assert source["skipped"] == store.value(
        "select coalesce(sum(records), 0) from skipped where source_id = ?", [number]
    )
    tables = " union ".join(
        f"select record_no from evidence.{relation.name} where source_id = {number}"
        for relation in RELATIONS
    )
    assert store.value(f"select count(*) from ({tables})") <= loaded.accepted


class Broken(AssertionError):
    """A damaged file that was neither accounted for nor refused in one line."""


def damage(
    store: Store, cases: Sequence[CaseFolder], data: bytes, dice: random.Random
) -> Counter[str]:
    """Damage a piece of evidence once and ingest it: how many sources came to which outcome."""
    damaged = dice.choice(DAMAGE)(data, dice)
    case = dice.choice(cases)
    (case.path / "evidence" / "sample").write_bytes(damaged)
    try:
        with no_longer_than(SECONDS):
            done = ingest(store, case)
        for refusal in done.refusals:
            text = str(refusal)
            assert text.isprintable(), text
            assert len(text) < 1500, text
        for file in done.files:
            if file.outcome in ("loaded", "reloaded"):
                holds(store, file)
    except (Exception, Hang) as error:
        kept = case.path / f"{dice.random()}.damaged"
        kept.write_bytes(damaged)
        raise Broken(f"kept as {kept}: {type(error).__name__}: {error}") from error
    return Counter(file.outcome for file in done.files)


def cases_of(reader: str, declared: dict[str, Any], folder: Path) -> list[CaseFolder]:
    """A case that declares the format, and one that leaves it to be recognised."""
    formats = [reader] if reader == "mapped" else [reader, None]
    return [make_case(folder / str(form), form, declared) for form in formats]


def main() -> int:
    """Damage evidence many times over; exit code 1 where one file came out wrong."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--count", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=20220309)
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="damaged-"))
    outcomes: Counter[str] = Counter()
    broken = 0
    made = [
        (label, data, cases_of(reader, declared, folder / str(number)))
        for number, (label, reader, data, declared) in enumerate(EVIDENCE)
    ]
    dice = random.Random(given.seed)
    store = Store.create()
    for number in range(given.count):
        if number and number % FILES_PER_DATABASE == 0:
            store.close()
            store = Store.create()
            print(f"{number} damaged, {broken} broken", file=sys.stderr, flush=True)
        label, data, cases = made[number % len(made)]
        try:
            outcomes += damage(store, cases, data, dice)
        except Broken as error:
            broken += 1
            print(f"{label}: {error}", flush=True)
            traceback.print_exception(error.__cause__, file=sys.stdout)
            store.close()
            store = Store.create()
    store.close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{given.count} mutations of {len(made)} pieces of evidence, seed {given.seed}")
    print(f"sources: {dict(sorted(outcomes.items()))}")
    print(f"tracebacks, hangs or broken accounts: {broken}")
    print(f"CPU: {used.ru_utime + used.ru_stime:.0f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
