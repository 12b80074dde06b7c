"""What the reports read of a case: rows of relations, made fit to be shown.

Every string that leaves this module has gone through the same two steps: people appear as roles,
and characters that could deceive a reader are made visible. No report reads the store by another
way.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from toolkit import frozen
from toolkit.report.words import MINUTE, SECOND, letters, moment, offset, rounded_up, visible
from toolkit.store import Store

Row = dict[str, Any]
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_TO_SECONDS = "%Y-%m-%d %H:%M:%S"
LONGEST = 8_000  # characters of one value that a report shows

# Columns that hold accounts of people, by relation, with the time at which each one appears.
_ACTORS = (
    ("maintenance_event", "occurred_at", ("actor", "effective_actor")),
    ("change", "window_start", ("requested_by", "implementer")),
    ("approval", "decided_at", ("approver",)),
    ("duty", "duty_start", ("actor",)),
    ("handover", "given_at", ("from_actor", "to_actor")),
    ("ticket_event", "occurred_at", ("actor",)),
)
# Words that stay as they are in running text although somebody also uses them as an account.
_WORDS = (
    ("maintenance_event", ("action", "target", "host", "outcome")),
    ("change", ("kind",)),
    ("asset", ("asset_id", "kind", "site", "region", "organization")),
)
# Accounts that belong to a program on every machine: they name no person.
_PROGRAMS = frozenset(
    [
        "ansible",
        "apache",
        "backup",
        "cron",
        "daemon",
        "git",
        "jenkins",
        "mariadb",
        "mongodb",
        "mysql",
        "nginx",
        "nobody",
        "oracle",
        "postgres",
        "puppet",
        "redis",
        "system",
        "systemd",
        "www-data",
    ]
)
PEOPLE = frozenset(
    {"actor", "effective_actor", "actors", "requested_by", "implementer", "approver", "from_actor",
     "to_actor", "account", "decided_by"}
)  # fmt: skip


class Pseudonyms:
    """Names of people as roles, numbered by first appearance: `Operator A`, `Operator B`, …

    `name` translates an account, `text` every account that stands as a word in running text.
    """

    def __init__(
        self,
        accounts: Iterable[str],
        aliases: Mapping[str, str],
        keep: Iterable[str],
        reviewers: Iterable[str] = (),
        programs: Collection[str] = (),
    ):
        """`aliases` maps further names to accounts; names in `keep` are never touched in text.

        `reviewers` are accounts of the board; those that are no accounts of operators become
        `Reviewer A` and so on. Accounts among `programs` become `Automation A` and so on.
        """
        self._roles: dict[str, str] = {}
        counts: Counter[str] = Counter()
        for account in accounts:
            canonical = aliases.get(account, account).casefold()
            if canonical not in self._roles:
                kind = "Automation" if account in programs else "Operator"
                self._roles[canonical] = f"{kind} {letters(counts[kind])}"
                counts[kind] += 1
        board = 0
        for account in reviewers:
            canonical = aliases.get(account, account).casefold()
            if canonical not in self._roles:
                self._roles[canonical] = f"Reviewer {letters(board)}"
                board += 1
        for alias, canonical in aliases.items():
            role = self._roles.get(canonical.casefold())
            if role is not None:
                self._roles[alias.casefold()] = role
        kept = {word.casefold() for word in keep}
        names = sorted((name for name in self._roles if name not in kept), key=len, reverse=True)
        self._pattern = (
            re.compile(
                r"(?<![^\W_])(?:" + "|".join(map(re.escape, names)) + r")(?![^\W_])",
                re.IGNORECASE,
            )
            if names
            else None
        )

    def __len__(self) -> int:
        return len(set(self._roles.values()))

    def name(self, account: str) -> str:
        return self._roles.get(account.casefold(), account)

    def text(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._roles[found[0].casefold()], text)


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where a record of evidence stands: `source_id:record_no`."""

    source_id: int
    record_no: int

    @classmethod
    def read(cls, text: str | None) -> Pointer | None:
        match = re.search(r"\b(\d+):(\d+)\b", text or "")
        return cls(int(match[1]), int(match[2])) if match else None


# Columns that hold sentences of the product, and how the macro `utc` writes an instant in them.
_SENTENCES = frozenset({"reason", "detail", "basis", "why", "explanation", "named_later"})
_VALUES = frozenset({"from_value", "to_value"})
# Where a column of such a name holds what people wrote, or quotes what a file holds.
_QUOTING = frozenset({"alias", "reject", "review_decision", "skipped", "unread_file"})
_UTC = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC\b")


class CaseFacts:
    """The relations of one case, each read once, with people as roles.

    `originals` gives the original line of a record where the caller holds the evidence; without
    it a record is shown as its relation holds it. With `names` people keep their names. With
    `local` the sentences of rules and relations, which name instants in UTC, name them in the zone
    of the case, as a report does with every other time; what stands in evidence stays letter by
    letter.
    """

    def __init__(
        self,
        store: Store,
        *,
        case_title: str | None = None,
        originals: Callable[[int, int], str | None] | None = None,
        names: bool = False,
        local: bool = False,
    ) -> None:
        self._store = store
        self._local = local
        self.names = names
        self._originals = originals
        self._read: dict[str, list[Row]] = {}
        # What a report is made of does not change while it is made.
        self._known = store.names()
        info = self._raw("case_info")
        case = info[0] if info else {}
        self.case_id: str = visible(str(case.get("case_id") or "case"))
        self.title: str = visible(case_title or case.get("title") or self.case_id)
        self.zone = ZoneInfo(case.get("display_zone") or "UTC")
        self.window_start: datetime | None = case.get("window_start")
        self.window_end: datetime | None = case.get("window_end")

    # -- reading -------------------------------------------------------------------------------

    def rows(self, relation: str) -> list[Row]:
        """Every row of a relation in its stored order; nothing where there is no such relation."""
        if relation not in self._read:
            found = self.recorded(relation)
            is_quoting = relation in _QUOTING
            self._read[relation] = found if is_quoting else [self._told(row) for row in found]
        return self._read[relation]

    def recorded(self, relation: str) -> list[Row]:
        """The same with every sentence as the database holds it, for files that are compared."""
        return [self._shown(row) for row in self._raw(relation)]

    def _told(self, row: Row) -> Row:
        if not self._local or str(self.zone) == "UTC":
            return row
        return {
            name: _UTC.sub(self._instant, value)
            if isinstance(value, str)
            and (name in _SENTENCES or (name in _VALUES and _UTC.fullmatch(value)))
            else value
            for name, value in row.items()
        }

    def _instant(self, found: re.Match[str]) -> str:
        try:
            return self.when(datetime.fromisoformat(f"{found[1]}+00:00"))
        except (ValueError, OverflowError):
            return found[0]

    def ask(self, sql: str) -> list[Row]:
        """The rows of a query, shown as those of a relation are."""
        return [self._shown(row) for row in self._store.rows(sql)]

    def _raw(self, relation: str) -> list[Row]:
        if relation not in self._known:
            return []
        return self._store.rows(f'select * from "{relation}"')

    def has(self, relation: str) -> bool:
        """Whether the database knows a relation, be it empty."""
        return relation in self._known

    def count(self, relation: str) -> int:
        """Rows of a relation, without reading them."""
        if relation not in self._known:
            return 0
        return int(self._store.value(f'select count(*) from "{relation}"'))

    def record(self, pointer: Pointer) -> tuple[str, str] | None:
        """Origin and text of a record: its original line where that can be had, else its values."""
        source = self.sources.get(pointer.source_id)
        if source is None:
            return None
        origin = f"{source['path']}, record {pointer.record_no}"
        line = self._originals(pointer.source_id, pointer.record_no) if self._originals else None
        if line is not None:
            return origin, self.text(line) + self._gathered(pointer, line)
        for relation in self._relations_with_evidence:
            found = self._store.rows(
                f'select * from "{relation}" where source_id = ? and record_no = ? '
                "order by all limit 1",
                [pointer.source_id, pointer.record_no],
            )
            if found:
                row = self._shown(found[0])
                values = [
                    f"{name}={self.when(value) if isinstance(value, datetime) else value}"
                    for name, value in row.items()
                    if value is not None
                    and name not in ("source_id", "record_no")
                    and not name.endswith(("_lo", "_hi"))
                ]
                return f"{origin} (as read, relation {relation})", "  ".join(values)
        return None

    def _gathered(self, pointer: Pointer, line: str) -> str:
        """The error of a record that its line does not hold: it was read from lines beside it."""
        if pointer.source_id not in self._with_errors:
            return ""
        found = self._store.rows(
            "select error from replication_sample where source_id = ? and record_no = ? "
            "and error is not null order by error limit 1",
            [pointer.source_id, pointer.record_no],
        )
        if not found or found[0]["error"] in line:
            return ""
        return f"\nAs read, from other lines too: error={self.text(found[0]['error'])}"

    @cached_property
    def _with_errors(self) -> set[int]:
        if "replication_sample" not in self._known:
            return set()
        return {
            row["source_id"]
            for row in self._store.rows(
                "select distinct source_id from replication_sample where error is not null"
            )
        }

    @cached_property
    def _relations_with_evidence(self) -> list[str]:
        names = [row["relation"] for row in self._raw("relation_state") if row["row_count"]]
        return [name for name in names if name != "procedure" and name in self._known]

    @property
    def has_telemetry(self) -> bool:
        """Whether any record of replication is among the evidence."""
        return any(
            row["relation"] == "replication_sample" and row["row_count"]
            for row in self.rows("relation_state")
        )

    @cached_property
    def sources(self) -> dict[int, Row]:
        return {row["source_id"]: row for row in self.rows("source")}

    @cached_property
    def queries(self) -> list[Row]:
        """The register of queries as it is: it holds no names, and its text must not change."""
        return self._raw("query_catalogue")

    # -- people --------------------------------------------------------------------------------

    @cached_property
    def people(self) -> Pseudonyms:
        if self.names:
            return Pseudonyms((), {}, ())
        first: dict[str, datetime] = {}
        for relation, at, columns in _ACTORS:
            if relation not in self._known:
                continue
            for column in columns:
                for row in self._store.rows(
                    f'select "{column}" as name, min("{at}") as first_at from "{relation}" '
                    f'where "{column}" is not null group by all'
                ):
                    seen = row["first_at"] or datetime.max.replace(tzinfo=UTC)
                    first[row["name"]] = min(seen, first.get(row["name"], seen))
        aliases = {
            row["alias"]: row["canonical"]
            for row in self._raw("alias")
            if (row.get("kind") or "").lower() == "person"
        }
        patterns = self.patterns("shared_accounts")
        automatic = self.patterns("program_accounts")
        programs = {
            name for name in first if any(fnmatchcase(name.lower(), each) for each in automatic)
        }
        shared = {
            name
            for name in first
            if name.lower() in _PROGRAMS or any(fnmatchcase(name, pattern) for pattern in patterns)
        }
        accounts = [
            name
            for name in sorted(first, key=lambda name: (first[name], name))
            if name not in shared
        ]
        for canonical in sorted(set(aliases.values())):
            if canonical not in accounts:
                accounts.append(canonical)
        board = [row["account"] for row in self._raw("review_entry")]
        return Pseudonyms(accounts, aliases, self._kept_words() | shared, board, programs)

    def _kept_words(self) -> set[str]:
        words: set[str] = set()
        for relation, columns in _WORDS:
            if relation not in self._known:
                continue
            for column in columns:
                words |= {
                    row["word"]
                    for row in self._store.rows(
                        f'select distinct "{column}" as word from "{relation}" '
                        f'where "{column}" is not null'
                    )
                }
        return words

    def text(self, text: str) -> str:
        """A string of the evidence as it may be shown; one beyond LONGEST is cut with a note."""
        rest = len(text) - LONGEST
        note = f" [cut here: {rest} more characters stand in the evidence]" if rest > 0 else ""
        return visible(self.people.text(text[:LONGEST])) + note

    def _shown(self, row: Row) -> Row:
        return {name: self.shown(name, value) for name, value in row.items()}

    def shown(self, name: str, value: Any) -> Any:
        """A value of a column as it may be shown."""
        if isinstance(value, str):
            return visible(self.people.name(value)) if name in PEOPLE else self.text(value)
        if isinstance(value, list):
            return [self.shown(name, part) for part in value]
        return value

    # -- the case ------------------------------------------------------------------------------

    def policy(self, key: str) -> str | None:
        """The value of a threshold as text."""
        for row in self._raw_policy:
            if row["key"] == key:
                return str(row["value"])
        return None

    def patterns(self, key: str) -> list[str]:
        """The value of a threshold that is a list of patterns."""
        return [part.strip() for part in (self.policy(key) or "").split(",") if part.strip()]

    @cached_property
    def notes(self) -> frozenset[int]:
        """The sources in which people say what they did, by their system of record."""
        patterns = self.patterns("narrative_records")
        return frozenset(
            source["source_id"]
            for source in self.sources.values()
            if any(
                fnmatchcase(str(source["system_of_record"] or "").lower(), each)
                for each in patterns
            )
        )

    @cached_property
    def _raw_policy(self) -> list[Row]:
        return self._raw("policy")

    @cached_property
    def dated(self) -> datetime:
        """The end of the window, else the latest time of any record; stands in for a date."""
        if self.window_end is not None:
            return self.window_end.astimezone(UTC)
        found = [row["last_at"] for row in self._raw("source") if row["last_at"] is not None]
        return max(found).astimezone(UTC) if found else datetime(2000, 1, 1, tzinfo=UTC)

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.manifest).hexdigest()

    @cached_property
    def manifest(self) -> bytes:
        return case_manifest(self._store)

    @cached_property
    def fixed(self) -> list[tuple[str, str, str]]:
        """What a freeze would fix now; see `toolkit.frozen`."""
        return frozen.lines(self._store)

    @property
    def window(self) -> str:
        if self.window_start is None and self.window_end is None:
            return "all evidence"
        start = self.when(self.window_start) if self.window_start else "the first record"
        end = self.when(self.window_end) if self.window_end else "the last record"
        return f"{start} to {end}"

    def in_window(self, lo: datetime | None, hi: datetime | None) -> bool:
        """Whether a stretch of time touches what is reviewed; one without a time may, and does."""
        first, last = lo or hi, hi or lo
        return (self.window_start is None or last is None or last >= self.window_start) and (
            self.window_end is None or first is None or first <= self.window_end
        )

    # -- words ---------------------------------------------------------------------------------

    def when(self, at: datetime | None) -> str:
        """An instant in the zone of the case, to the second, with its offset."""
        if at is None:
            return "not on record"
        return moment(at, self.zone)

    def zone_at(self, at: datetime) -> str:
        """The name of the zone's offset at an instant: `UTC` or `+02:00`."""
        return offset(at.astimezone(self.zone))

    @cached_property
    def step(self) -> timedelta:
        """How fine the tables and lists of a report tell times: to the minute, and to the second
        where the incident lasted less than an hour, as far as it is on record."""
        onset = max(
            (row for row in self._raw("onset") if row["scope_kind"] == "all"),
            key=lambda row: (bool(row["main"]), -row["episode_no"]),
            default=None,
        )
        if onset is None:
            return MINUTE
        ends = [row["record_ends_at"] for row in self._raw("protection_gap")]
        end = onset["ended_at"] or max(ends, default=onset["onset_hi"])
        return SECOND if end - onset["onset_lo"] < timedelta(hours=1) else MINUTE

    def day(self, at: datetime | None) -> str:
        """An instant for a cell of a table: `2022-03-09 08:37`."""
        return "not on record" if at is None else self._told_in(at, self.step)

    def _told_in(self, at: datetime, step: timedelta) -> str:
        return f"{at.astimezone(self.zone):{'%Y-%m-%d %H:%M' if step == MINUTE else _TO_SECONDS}}"

    def date(self, at: datetime) -> str:
        """The day of an instant in the zone of the case: `9 March 2022`."""
        local = at.astimezone(self.zone)
        return f"{local.day} {MONTHS[local.month - 1]} {local.year}"

    def clock(self, at: datetime) -> str:
        """The time of day of an instant in the zone of the case, without its offset."""
        return f"{at.astimezone(self.zone):%H:%M:%S}"

    def days(self, lo: datetime | None, hi: datetime | None) -> str:
        """An interval for a cell of a table: `2022-03-09 08:37 … 09:31`."""
        if lo is None or hi is None:
            return self._one_sided(lo, hi)
        first, last = self.edges(lo, hi)
        if first == last:
            return first
        return f"{first} … {last[11:] if first[:10] == last[:10] else last}"

    def edges(self, lo: datetime, hi: datetime) -> tuple[str, str]:
        """Both ends of an interval, which they hold whole: the earliest is rounded down, the
        latest up. Where the minute would tell them as one, they are told to the second."""
        step = self.step
        early, late = (self._told_in(at, step) for at in (lo, hi))
        if early == late:
            if lo == hi or (step == MINUTE and lo.second == 0 and hi.second == 59):
                return early, late  # an instant, or a record that states the minute
            step = SECOND
            if self._told_in(lo, step) == self._told_in(hi, step):
                return (self._told_in(lo, step),) * 2
        return self._told_in(lo, step), self._told_in(rounded_up(hi, step), step)

    def by(self, at: datetime) -> str:
        """A latest bound for a cell of a table."""
        return self._told_in(rounded_up(at, self.step), self.step)

    def _one_sided(self, lo: datetime | None, hi: datetime | None) -> str:
        if lo is not None:
            return f"not before {self.day(lo)}"
        if hi is not None:
            return f"not after {self.by(hi)}"
        return "not on record"

    def stretch(self, start: datetime, end: datetime) -> str:
        """From when to when, in words: `on 2 September 2025, 20:05:00 to 21:55:00 UTC`."""
        if self.date(start) != self.date(end) or self.zone_at(start) != self.zone_at(end):
            return f"from {self.when(start)} to {self.when(end)}"
        return (
            f"on {self.date(start)}, {self.clock(start)} to {self.clock(end)} {self.zone_at(start)}"
        )

    def between(self, lo: datetime | None, hi: datetime | None) -> str:
        """An interval in words, which holds it whole; one instant where both ends agree."""
        if lo is None and hi is None:
            return "at a time that is not on record"
        if hi is None:
            return f"not before {self.when(lo)}"
        if lo is None:
            return f"not after {self.when(rounded_up(hi, SECOND))}"
        if self.when(lo) == self.when(hi):
            return f"at {self.when(lo)}"
        return f"between {self.when(lo)} and {self.when(rounded_up(hi, SECOND))}"


def case_digest(store: Store) -> str:
    """SHA-256 of the case's manifest: what the numbers of its reports rest on, in one figure."""
    return hashlib.sha256(case_manifest(store)).hexdigest()


def case_manifest(store: Store) -> bytes:
    """What a case rests on, as sorted lines of JSON, each ended by a line feed.

    `["source", SHA-256 of the file, of its declaration, of its mapping]`,
    `["query", id, SHA-256 of the file]`, `["macros", file, SHA-256 of the file]`,
    `["policy", key, value, origin]`,
    `["procedure", id, version, SHA-256 of the file]`, `["component", name, region]`, and
    `["case", title, zone, start and end of the window, theme]`.
    """
    lines: list[list[str]] = []
    asked = (
        ("source", "select 'source', sha256, declaration_sha256, mapping_sha256 from source"),
        ("query_catalogue", "select 'query', query_id, sha256 from query_catalogue"),
        ("macro_file", "select 'macros', name, sha256 from macro_file"),
        ("policy", "select 'policy', key, value::varchar, origin from policy"),
        ("procedure", "select 'procedure', procedure, version, sha256 from procedure"),
        ("component_region", "select 'component', component, region from component_region"),
        (
            "case_info",
            "select 'case', title, display_zone, window_start::varchar, window_end::varchar, theme "
            "from case_info",
        ),
    )
    known = store.names()
    for relation, sql in asked:
        if relation in known:
            for row in store.rows(sql):
                lines.append(["" if value is None else str(value) for value in row.values()])
    told = sorted(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return "".join(told).encode()
