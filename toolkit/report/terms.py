"""What the words of a report mean, for a reader who meets them first here."""

from __future__ import annotations

from collections.abc import Callable

from toolkit.report.incident import Incident
from toolkit.report.model import Facts, Section

# Term, meaning, and whether the case gives rise to it.
_TERMS: tuple[tuple[str, str, Callable[[Incident], object]], ...] = (
    (
        "Recovery point",
        "A state of a machine's data that it can be brought back to, or fail over with.",
        lambda incident: incident.facts.has_telemetry,
    ),
    (
        "Gap",
        "A stretch in which a machine had no recovery point young enough; it is open where the "
        "record ends before the next good one.",
        lambda incident: incident.facts.count("protection_gap"),
    ),
    (
        "Onset",
        "When so large a share of machines was in a gap that protection counts as degraded. It is "
        "an interval: the record shows when each machine was last good and first not good.",
        lambda incident: incident.onset,
    ),
    (
        "Fell with the onset",
        "A machine whose gap can have begun in the interval of the onset of its region, as far as "
        "its own record tells, or was open then and did not end by the job itself.",
        lambda incident: incident.onset,
    ),
    (
        "Linked again, seeded anew",
        "Two ways back: the link to the copy that exists is made again, or all data is copied "
        "once more.",
        lambda incident: incident.facts.count("machine_recovery"),
    ),
    (
        "Machine",
        "An asset that has records of replication or backup, whatever the register calls it.",
        lambda incident: incident.facts.has_telemetry,
    ),
    (
        "Operation, session",
        "An operation is maintenance work as one piece: what was done under one change or, where "
        "no change is named, in one session of one account.",
        lambda incident: incident.operations,
    ),
    (
        "Rule, exception, undetermined, not run",
        "A rule asks one thing of an operation. An exception is on record where the evidence shows "
        "otherwise; undetermined says that it does not decide, not run that records are absent.",
        lambda incident: incident.rules,
    ),
    (
        "Earlier operations, base rate",
        "How often the same exception stands in earlier operations of the kind that ended well: "
        "what was usual tells of the way of working, not of one day.",
        lambda incident: any(row["base_rate_n"] for row in incident.exceptions),
    ),
    (
        "8 of 10 draws",
        "Recovery is simulated many times from its own past days; in 8 of 10 of these it ends "
        "within the days that are named.",
        lambda incident: incident.facts.count("recovery_forecast"),
    ),
)


def section(incident: Incident) -> Section:
    """Those terms that the case gives rise to."""
    found = tuple((term, meaning) for term, meaning, arises in _TERMS if arises(incident))
    return Section("terms", "Terms", (Facts(found),), kept=True)
