"""The contract of the input relations: which columns evidence is read into, and what they mean.

Every format ends in these relations. A column's kind says how its text is read:
`instant` (UTC, `TIMESTAMPTZ`), `text`, `number`, `count` (whole number), `flag` (boolean) or
`word` (one of a closed vocabulary; a word outside of it becomes `unknown` where the vocabulary
has that word, else the row is rejected).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Literal

Kind = Literal["instant", "text", "number", "count", "flag", "word"]

SQL_TYPE: dict[Kind, str] = {
    "instant": "TIMESTAMPTZ",
    "text": "VARCHAR",
    "number": "DOUBLE",
    "count": "BIGINT",
    "flag": "BOOLEAN",
    "word": "VARCHAR",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an input relation."""

    name: str
    kind: Kind
    comment: str
    required: bool = False
    words: tuple[str, ...] = ()
    may_be_empty: bool = True
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """One input relation: its columns, the key of its native identity, and its time column.

    `key` names the columns that identify a record in the system it came from; records with the
    same key and other content are revisions of one another. An empty key means that the format
    gives no identity and that every row stands for itself. Where `interval` is set, the database
    also holds the earliest and the latest instant that the time can mean (`occurred_lo`,
    `occurred_hi` beside `occurred_at`).
    """

    name: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    at: str | None = None
    interval: bool = False
    by_column: dict[str, Column] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_column", {column.name: column for column in self.columns})

    @property
    def bounds(self) -> tuple[str, str] | None:
        """Names of the columns that hold the interval of the time column."""
        if not self.interval or self.at is None:
            return None
        stem = self.at.removesuffix("_at")
        return f"{stem}_lo", f"{stem}_hi"

    @property
    def required(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns if column.required)


OUTCOMES = ("success", "failure", "warning", "unknown")
COMPONENT_STATUS = (
    "operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance",
)  # fmt: skip
UPDATE_STATES = (
    "investigating", "identified", "monitoring", "resolved", "postmortem", "scheduled",
    "in_progress", "verifying", "completed", "update", "unknown",
)  # fmt: skip
REPLICATION_STATES = (
    "success", "warning", "failure", "running", "connected", "disconnected", "skipped", "unknown",
)  # fmt: skip
JOB_KINDS = ("replicate", "seed", "relink", "failover_test", "restore_test", "verify")


def _relation(
    name: str,
    grain: str,
    text: str,
    *,
    key: str = "",
    at: str | None = None,
    interval: bool = False,
) -> Relation:
    """Read the compact table below, one column a line: `name kind comment`.

    A leading `*` marks a column that a header must have and whose cells must not be empty, `~` one
    that a header must have but whose cells may be.
    """
    words = {
        "outcome": OUTCOMES,
        "update_state": UPDATE_STATES,
        "component_status": COMPONENT_STATUS,
        "replication_state": REPLICATION_STATES,
        "job_kind": JOB_KINDS,
        "decision": ("approved", "rejected", "withdrawn"),
        "risk": ("low", "medium", "high"),
        "change_outcome": ("success", "failure", "partial", "cancelled", "unknown"),
        "asset_state": ("healthy", "degraded", "failed", "removed", "link_lost", "unknown"),
        "criticality": ("low", "normal", "high", "critical"),
        "status_kind": ("incident", "maintenance"),
        "check_kind": ("restore_test", "integrity"),
    }
    columns = []
    for line in text.strip().splitlines():
        label, kind, comment = line.split(maxsplit=2)
        vocabulary = words.get(kind, ())
        columns.append(
            Column(
                label.lstrip("*~"),
                "word" if vocabulary else kind,  # type: ignore[arg-type]
                comment,
                label[0] in "*~",
                vocabulary,
                not label.startswith("*"),
                "replicate" if kind == "job_kind" else None,
            )
        )
    return Relation(name, grain, tuple(columns), tuple(key.split()), at, interval)


RELATIONS: tuple[Relation, ...] = (
    _relation(
        "maintenance_event",
        "One row per action, claim or log line of an operator or a tool.",
        """
*occurred_at instant When it happened, as the record states it.
*action text What was done, in the record's own word; `log` where no action was recognised.
target text The asset acted upon; NULL where the record does not state one.
change_id text The change under which it was done, where the record names one.
step text The procedure step that the record names.
actor text Account that acted (the login, not the effective user).
effective_actor text Account whose rights were used, where it differs.
session_id text Session in which it was done.
host text Host that wrote the record.
outcome outcome How the action ended, as recorded.
flags text Command flags, separated by blanks.
message text The rest of the record.
ended_at instant When the action ended.
recorded_at instant When the record was written, where that differs from when it happened.
edited_at instant When the record was last edited.
""",
        at="occurred_at",
        interval=True,
    ),
    _relation(
        "change",
        "One row per registered change.",
        """
*change_id text Number of the change.
title text Short description.
kind text Kind of change; compared without case.
risk risk Risk as rated.
requested_by text Account that asked for the change.
implementer text Account assigned to carry it out.
approvals_required count Independent approvals that the change needs.
window_start instant Planned start.
window_end instant Planned end.
targets text Assets in scope, separated by semicolons.
rollback_ref text Reference of the rollback plan.
impact_ref text Reference of the impact assessment.
procedure text Procedure that applies, where the change names it.
procedure_version text Version of the procedure that the change names.
closed_at instant When the change was closed.
outcome change_outcome Outcome at closure.
emergency flag Whether it ran on the emergency path.
""",
        key="change_id",
        at="window_start",
    ),
    _relation(
        "approval",
        "One row per decision on a change.",
        """
*change_id text Number of the change.
*approver text Account that decided.
*decision decision What was decided.
*decided_at instant When it was decided.
""",
        at="decided_at",
        interval=True,
    ),
    _relation(
        "status_update",
        "One row per update of an incident or maintenance on a status page.",
        """
~posted_at instant When the page shows that it was posted; NULL where it shows no date.
*incident_id text The page's own id of the incident or maintenance.
*state update_state State that the update announces.
update_id text The page's own id of the update.
title text Title of the incident.
body text Text of the update, as posted.
kind status_kind Whether it is an incident or a maintenance.
impact text Impact as the page rates it.
created_at instant When the update was written.
edited_at instant When the update was last edited, where it was.
captured_at instant When this copy of the page was taken.
claimed_start_at instant Start of the impact, as the page claims.
claimed_end_at instant End of the impact, as the page claims.
scheduled_start_at instant Planned start of a maintenance.
scheduled_end_at instant Planned end of a maintenance.
""",
        key="incident_id update_id",
        at="posted_at",
        interval=True,
    ),
    _relation(
        "replication_sample",
        "One row per replication or backup job record, or sample of a replication state.",
        """
*sampled_at instant When the job record or sample was taken.
*asset_id text Machine or asset that is protected.
*state replication_state State of the job or link.
job_kind job_kind Kind of job; `replicate` where not stated.
job_id text Job or link.
target_asset text Where the copy goes.
started_at instant When the job started.
lag_seconds number How far the copy was behind, in seconds.
bytes count Bytes moved.
recovery_point_at instant Point in time that the copy can be restored to.
progress number Share done, 0 to 1.
error text Error text, as recorded.
""",
        at="sampled_at",
    ),
    _relation(
        "asset_state",
        "One row per observed state of an asset.",
        """
*observed_at instant When the state was observed.
*asset_id text The asset.
*state asset_state The state.
""",
        at="observed_at",
        interval=True,
    ),
    _relation(
        "metric_sample",
        "One row per sample of a metric that is neither a job nor a state.",
        """
*sampled_at instant When the sample was taken.
*series text Name and labels of the series.
*value number The value.
asset_id text Asset that it describes.
unit text Unit of the value.
""",
        at="sampled_at",
    ),
    _relation(
        "asset",
        "One row per asset and interval of validity.",
        """
*asset_id text The asset.
*kind text machine, array, server, volume, service, …
machine_type text Type of machine.
site text Site.
region text Region.
zone text IANA time zone of the site.
organization text Organization that the asset serves.
redundancy_group text Group of assets that hold copies of the same data.
min_copies count Healthy members that the group must keep.
criticality criticality How critical it is.
protected_bytes count Bytes that it protects.
cadence_minutes number Planned interval between recovery points, in minutes.
rpo_minutes number Recovery point objective, in minutes.
valid_from instant Start of validity.
valid_to instant End of validity.
""",
    ),
    _relation(
        "dependency",
        "One row per dependency between two assets and interval of validity.",
        """
*from_asset text The asset that depends.
*to_asset text The asset that it depends on.
relation text Nature of the dependency.
valid_from instant Start of validity.
valid_to instant End of validity.
""",
    ),
    _relation(
        "alert",
        "One row per alert.",
        """
*alert_id text The alert.
*fired_at instant When it fired.
target text Asset that it is about.
severity text Severity as recorded.
acked_at instant When it was acknowledged.
cleared_at instant When it cleared.
""",
        key="alert_id",
        at="fired_at",
        interval=True,
    ),
    _relation(
        "silence",
        "One row per silence of alerts.",
        """
*target text Asset that was silenced.
*starts_at instant Start.
*ends_at instant End.
change_id text Change for which it was set.
""",
        at="starts_at",
    ),
    _relation(
        "duty",
        "One row per duty period of a person.",
        """
*actor text Account.
*duty_start instant Start of duty.
duty_end instant End of duty.
""",
        at="duty_start",
    ),
    _relation(
        "handover",
        "One row per handover of a change.",
        """
*change_id text The change.
*from_actor text Account that handed over.
*to_actor text Account that took over.
*given_at instant When it was handed over.
ack_at instant When it was acknowledged.
""",
        at="given_at",
        interval=True,
    ),
    _relation(
        "ticket_event",
        "One row per event of internal detection and handling.",
        """
*occurred_at instant When it happened.
*ticket_id text The ticket or page.
*state text State that it entered.
actor text Account.
target text Asset that it is about.
related_change text Change that it refers to.
title text Title.
""",
        at="occurred_at",
        interval=True,
    ),
    _relation(
        "statement",
        "One row per statement made elsewhere: press, vendor, mail.",
        """
*published_at instant When it was published.
*claim text What was said.
source_name text Who said it.
about_at instant Time that it speaks of.
subject text What it is about.
""",
        at="published_at",
        interval=True,
    ),
    _relation(
        "alias",
        "One row per name that differs between systems.",
        """
*kind text person or asset.
*alias text Name as it occurs.
*canonical text Name that it stands for.
basis text Why the two are the same.
""",
    ),
    _relation(
        "protection_check",
        "One row per finished test of a copy.",
        """
*target text Asset whose copy was tested.
*kind check_kind Kind of test.
*finished_at instant When it ended.
*ok flag Whether it passed.
""",
        at="finished_at",
        interval=True,
    ),
    _relation(
        "notice",
        "One row per direct notice to an organization.",
        """
*organization text Organization that was told.
*sent_at instant When.
channel text How.
subject text Subject.
body text Text.
""",
        at="sent_at",
        interval=True,
    ),
    _relation(
        "action_item",
        "One row per action that an earlier review decided.",
        """
*item_id text The action.
*opened_at instant When it was opened.
source_incident text Incident that it came from.
theme text Theme that links it to incidents of the same kind.
due_at instant When it was due.
closed_at instant When it was closed.
title text Title.
""",
        key="item_id",
        at="opened_at",
    ),
    _relation(
        "clock_probe",
        "One row per measurement of a host's clock.",
        """
*host text The host.
*probed_at instant When it was measured.
*offset_ms number Host clock minus true time, in milliseconds.
""",
        at="probed_at",
    ),
    _relation(
        "status_component",
        "One row per status update and component that it names.",
        """
*incident_id text The page's own id of the incident.
update_id text The page's own id of the update.
posted_at instant When the update was posted.
*component text Component as named on the page.
region text Region, where the record states it.
component_status component_status Status after the update.
component_old_status component_status Status before the update.
""",
        key="incident_id update_id component",
        at="posted_at",
    ),
    _relation(
        "reduced_run",
        "One row per run of like samples that a lake has reduced; see `replication_run`.",
        """
*asset_id text Machine or asset that is protected, by its canonical name.
*job_kind job_kind Kind of job.
job_id text Job or link; NULL where the ids of the jobs each name one run only.
target_asset text Where the copy goes.
*run_no count Number of the run within its job and target.
*state replication_state State of every sample of the run.
*worth text What it is worth as protection: good, stale, bad or none.
*started_at instant First sample of the run.
*last_sample_at instant Last sample of the run.
recovery_point_at instant Recovery point of the last sample.
*samples count Samples in the run.
error text Error of the first sample of the run.
cadence_minutes number Interval between recovery points, as told or measured, in minutes.
measured_minutes number Median interval between samples, in minutes.
rpo_minutes number Recovery point objective that the lake was told, in minutes.
limit_minutes number Age that the lake took for too old, in minutes.
*last_record_no count Record of the last sample; that of the first is the record of the row.
""",
        at="started_at",
    ),
    _relation(
        "reduced_span",
        "One row per span of time for which a lake was asked for the last use of an asset; see "
        "`use_span`.",
        """
*asset text The asset, in lower case.
since_lo instant From when on use may count.
since_hi instant From when on use surely counts.
occurred_lo instant Earliest time of the event before which it counts.
occurred_hi instant Latest time of that event.
""",
    ),
)

BY_NAME: dict[str, Relation] = {relation.name: relation for relation in RELATIONS}

# What no table file states: the first stands with its update, the others a lake gives back.
_NO_TABLES = ("status_component", "reduced_run", "reduced_span")
# In a CSV, a status update and its components stand in one row; in the database they are two.
COMPONENT_COLUMNS = ("component", "region", "component_status", "component_old_status")


@cache
def table_headers() -> dict[str, tuple[Column, ...]]:
    """The columns that a table file may carry, by relation (components stand with updates)."""
    headers = {
        name: relation.columns for name, relation in BY_NAME.items() if name not in _NO_TABLES
    }
    component = BY_NAME["status_component"].by_column
    extra = tuple(
        Column(name, component[name].kind, component[name].comment, False, component[name].words)
        for name in COMPONENT_COLUMNS
    )
    headers["status_update"] += extra
    return headers
