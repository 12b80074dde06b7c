"""What every rule must say of a simulated incident, worked out from what was planted.

Written from the text of the rules over the planted objects, not over the files and not in SQL, so
that it shares nothing with the product but the text. A verdict is `exception`, `undetermined`
(the record cannot decide) or `open` (within the precision of the records, either is right);
everything else is neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf
from statistics import median
from zoneinfo import ZoneInfo

from benchmarks.operations import ADHOC, Act, Change, Operations, Step
from benchmarks.world import NEVER

Verdicts = dict[tuple[str, str], str]
SHARED = ("root", "admin", "administrator", "operator")
OVERRIDES = ("--force", "--yes", "--assume-yes", "--skip-checks", "--no-verify")
DECIDED = ("success", "warning")
INDICATORS = ("CF-19", "CF-21", "CF-22", "CF-23", "CF-25")  # not counted as usual (CF-27)
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
NARROW = timedelta(seconds=1)


class Oracle:
    """Verdicts of one simulated incident."""

    def __init__(
        self,
        ops: Operations,
        samples: Mapping[str, Sequence[datetime]],
        onsets: Mapping[tuple[str, str], datetime],
        theme: str,
    ) -> None:
        self.ops, self.world, self.registers = ops, ops.world, ops.registers
        self.samples, self.onsets, self.theme = samples, onsets, theme
        self.registered = [change for change in ops.changes if change.registered]
        self.last_use = max((each for rows in samples.values() for each in rows), default=NEVER)
        self.verdicts: Verdicts = {}

    def judge(self) -> Verdicts:
        """Every verdict that is not plainly `ok` or `not_applicable`."""
        for change in self.ops.changes:
            self._steps(change)
            self._irreversible(change)
            self._guards(change)
            self._people(change)
            self._claims(change)
            if change.registered:
                self._register(change)
                self._approvals(change)
                self._alerts(change)
        self._load()
        self._collisions()
        self._pace()
        self._usual()
        self._items()
        self._clocks()
        kept = self.registers
        optional = {"CF-17": kept.silences, "CF-18": kept.alerts, "CF-21": kept.duty,
                    "CF-23": kept.handovers, "CF-28": kept.items}  # fmt: skip
        idle = {rule for rule, rows in optional.items() if not rows}
        return {
            key: verdict for key, verdict in self.verdicts.items()
            if verdict != "ok" and key[0] not in idle
        }  # fmt: skip

    def say(self, rule: str, change: Change | str, verdict: str) -> None:
        """Keep the gravest verdict of an operation."""
        order = ("ok", "open", "undetermined", "exception")
        key = (rule, change if isinstance(change, str) else change.id)
        if order.index(verdict) >= order.index(self.verdicts.get(key, "ok")):
            self.verdicts[key] = verdict

    def steps(self, change: Change) -> tuple[Step, ...]:
        """The steps of the version in force; empty where no procedure is known."""
        first = change.first
        at = first.at if first else change.window[0]
        return self.ops.steps(change.kind, self.ops.version(at))

    def _steps(self, change: Change) -> None:
        steps = {step.id: step for step in self.steps(change)}
        if not steps:
            if change.actions:
                for rule in ("CF-02", "CF-03"):
                    self.say(rule, change, "undetermined")
                if change.critical:
                    self.say("CF-07", change, "undetermined")
            if change.actions or change.registered:
                for rule in ("CF-01", "CF-26"):
                    self.say(rule, change, "undetermined")
            return
        if change.version not in (None, "1", "2"):
            # Which steps were in force is not known where the version named is not on file.
            for rule in ("CF-01", "CF-02", "CF-03", "CF-07", "CF-26"):
                self.say(rule, change, "open")
        for step in steps.values():
            if step.kind in ("action", "verify") and step.mandatory:
                rule = "CF-01" if step.kind == "action" else "CF-26"
                good = DECIDED if step.kind == "action" else ("success",)
                acts = [act for act in change.acts if act.step == step.id]
                closed = change.closed_at or datetime.max.replace(tzinfo=UTC)
                before = [act for act in acts if act.done_at <= closed]
                if any(act.outcome in good and act.is_stated for act in before):
                    continue
                unknown = any(act.outcome in (None, "unknown") for act in before)
                if unknown or change.closed_at is None:
                    self.say(rule, change, "undetermined")
                elif not change.acts:
                    # Nothing at all is on record: EQ-06 says so; of the step it proves nothing.
                    self.say(rule, change, "open")
                else:
                    self.say(rule, change, "exception")
        for act in change.acts:
            if act.step in steps and not act.is_read_only:
                for need in steps[act.step].needs:
                    self._needed(change, act, need)
        for act in change.actions:
            if act.step not in steps and not act.is_witness:
                self.say("CF-03", change, "exception" if act.is_stated else "undetermined")

    def _needed(self, change: Change, act: Act, need: str) -> None:
        found = [each for each in change.acts if each.step == need]
        if any(each.done_at + NARROW < act.at and each.outcome == "success" for each in found):
            return
        possible = any(
            each.at <= act.at + NARROW and each.outcome in (None, "unknown", "success")
            for each in found
        )
        self.say("CF-02", change, "undetermined" if possible else "exception")

    def _irreversible(self, change: Change) -> None:
        for act in change.acts:
            if not act.irreversible:
                continue
            self._checks(change, act)
            self._health(change, act)
            self._use(change, act)
            self._tested(change, act)
            self._silence(change, act)
            self._hours(change, act)
            self._attended(change, act)
            if change.registered and change.rollback is None:
                done = act.outcome in DECIDED
                self.say("CF-09", change, "exception" if done else "undetermined")
            if not change.registered:
                self.say("CF-29", change, "exception")

    def _checks(self, change: Change, act: Act) -> None:
        for step in self.steps(change):
            if step.kind != "precheck" or not step.mandatory:
                continue
            ages = [act.at - each.done_at for each in change.acts
                    if each.step == step.id and each.outcome == "success"]  # fmt: skip
            if any(NARROW < age < DAY - NARROW for age in ages):
                continue
            near = any(-NARROW <= age <= NARROW or abs(age - DAY) <= NARROW for age in ages)
            self.say("CF-07", change, "undetermined" if near else "exception")

    def _health(self, change: Change, act: Act) -> None:
        array = next((each for each in self.world.arrays if each.id == act.target), None)
        if array is None:
            return
        healthy = 0
        for sibling in self.world.group_of(array.id):
            if sibling.id == array.id:
                continue
            states = [row for row in self.registers.states
                      if row[1] == sibling.id and row[0] < act.at]  # fmt: skip
            latest = max(states, default=None)
            removed = any(
                each.irreversible and each.target == sibling.id and each.at < act.at
                for other in self.ops.changes for each in other.acts
            )  # fmt: skip
            healthy += not removed and (latest is None or latest[2] == "healthy")
        if healthy < array.min_copies:
            done = act.outcome in DECIDED
            self.say("CF-05", change, "exception" if done else "undetermined")

    def _use(self, change: Change, act: Act) -> None:
        drains = [each for each in change.acts if each.step == "drain" and each.at < act.at
                  and each.target == act.target and each.outcome == "success"]  # fmt: skip
        since = max((each.at for each in drains), default=act.at - DAY)
        for machine in self.world.dependents(act.target or "", act.at):
            samples = self.samples.get(machine.id, ())
            edge = next(each for each in self.world.edges if each.machine == machine.id
                        and each.on == act.target and each.holds(act.at))  # fmt: skip
            begin = max(since, edge.since or since)
            if any(begin + NARROW <= each < act.at - NARROW for each in samples):
                self.say("CF-06", change, "exception")
            elif any(begin - NARROW <= each <= act.at + NARROW for each in samples):
                self.say("CF-06", change, "open")
            elif not samples or min(samples) > begin:
                # The telemetry does not reach back far enough to say that it was not used.
                self.say("CF-06", change, "undetermined")
            elif max(samples) < begin or self.last_use < act.at:
                # Whether it was heard of since, without use, or the telemetry ended, is left open.
                self.say("CF-06", change, "open")

    def _tested(self, change: Change, act: Act) -> None:
        members = {act.target}
        if any(each.id == act.target for each in self.world.arrays):
            members = {each.id for each in self.world.group_of(act.target or "")}
        ages = [act.at - row[2] for row in self.registers.checks if row[0] in members and row[3]]
        if not any(NARROW < age < 30 * DAY - NARROW for age in ages):
            self.say("CF-08", change, "exception")

    def _silence(self, change: Change, act: Act) -> None:
        if not change.registered:
            return
        source = sorted(
            (each for other in self.ops.changes if other.host == change.host
             for each in other.acts), key=lambda each: each.at,
        )  # fmt: skip
        own = sorted(change.acts, key=lambda each: each.at)
        place = own.index(act)
        lower = own[place - 1].at if place else act.at
        upper = own[place + 1].at if place + 1 < len(own) else act.at
        within = [each for each in source if lower <= each.at <= upper]
        pauses = [b.at - a.done_at for a, b in pairwise(within)]
        if lower == upper:
            self.say("EQ-01", change, "undetermined")
        elif any(pause > 20 * MINUTE + NARROW for pause in pauses):
            self.say("EQ-01", change, "exception")
        elif any(pause > 20 * MINUTE - NARROW for pause in pauses):
            self.say("EQ-01", change, "open")

    def _hours(self, change: Change, act: Act) -> None:
        region = next((each.region for each in self.world.arrays if each.id == act.target),
                      change.region)  # fmt: skip
        region = next((each for name, each, _ in self.ops.volumes if name == act.target), region)
        local = act.at.astimezone(ZoneInfo(region.zone))
        if 2 <= local.hour < 6:
            self.say("CF-22", change, "exception")
        since = [row for row in self.registers.duty if row[0] == act.actor and row[1] <= act.at]
        if not since:
            self.say("CF-21", change, "undetermined")
            return
        _, start, end = max(since, key=lambda row: row[1])
        if act.at - start > 12 * HOUR:
            over = end is not None and end < act.at
            self.say("CF-21", change, "undetermined" if over else "exception")

    def _attended(self, change: Change, act: Act) -> None:
        for other in change.acts:
            age = act.at - other.at
            if other.is_witness and other.actor != act.actor and other.outcome != "failure":
                if NARROW < age < 10 * MINUTE - NARROW:
                    return
                if -NARROW <= age <= NARROW or abs(age - 10 * MINUTE) <= NARROW:
                    self.say("CF-24", change, "open")
                    return
        self.say("CF-24", change, "exception")

    def _guards(self, change: Change) -> None:
        critical = [act for act in change.acts if act.irreversible]
        if not critical:
            return
        if any(set(act.flags.split()) & set(OVERRIDES) for act in change.acts):
            self.say("CF-16", change, "exception")
        for act in change.acts:
            if act.outcome == "warning":
                if any(each.at > act.at + NARROW for each in critical):
                    self.say("CF-16", change, "exception")
                elif any(each.at >= act.at - NARROW for each in critical if each is not act):
                    self.say("CF-16", change, "undetermined")

    def _people(self, change: Change) -> None:
        if change.registered and any(act.actor.lower() in SHARED for act in change.acts):
            self.say("EQ-03", change, "exception")
        for act in change.acts:
            written = act.recorded_at
            if written and (
                written - act.at > 4 * HOUR or (act.edited_at and act.edited_at > written)
            ):
                self.say("EQ-04", change, "exception")
        acts = sorted((act for act in change.actions if not act.is_witness), key=lambda a: a.at)
        if not change.registered:
            return
        stated = [act for act in acts if act.is_stated]
        for before, after in [*pairwise(stated), *pairwise(acts)]:
            if before.actor == after.actor:
                continue
            given = [
                row for row in self.registers.handovers
                if row[:3] == (change.id, before.actor, after.actor)
                and before.at - 30 * MINUTE <= row[3] <= after.at + 30 * MINUTE
            ]  # fmt: skip
            if not any(row[4] for row in given):
                # What does not name the change may not be of it, nor may who did it have been.
                between = {act.actor for act in acts
                           if not act.is_stated and before.at <= act.at <= after.at}  # fmt: skip
                sure = after.at - before.at > NARROW and before.is_stated and after.is_stated
                sure = sure and between <= {before.actor, after.actor}
                self.say("CF-23", change, "exception" if sure else "undetermined")

    def _claims(self, change: Change) -> None:
        """A verification claims that its target is in order; states observed since may tell."""
        for act in change.acts:
            states = sorted(row for row in self.registers.states if row[1] == act.target)
            if act.action != "verify" or act.outcome != "success" or not states:
                continue
            if states[-1][2] == "removed":
                continue
            before = [row[2] for row in states if row[0] < act.at - NARROW]
            after = [row[2] for row in states if row[0] > act.at + NARROW]
            if not after:
                self.say("EQ-05", act.target or "", "undetermined")
            elif after[0] != "healthy":
                was_good = bool(before) and before[-1] == "healthy"
                self.say("EQ-05", act.target or "", "undetermined" if was_good else "exception")

    def _register(self, change: Change) -> None:
        arrays = {each.id: each.criticality for each in self.world.arrays}
        rating = arrays | {name: rated for name, _, rated in self.ops.volumes}
        is_critical = any(rating.get(target) == "critical" for target in change.targets)
        if change.impact is None or (change.risk == "low" and is_critical):
            self.say("CF-10", change, "exception")
        for act in change.actions:
            if act.target is None:
                self.say("CF-04", change, "undetermined")
            elif act.target not in change.targets:
                self.say("CF-04", change, "exception")
            start, end = change.window
            if act.at + NARROW < start or act.at > end:
                self.say("CF-14", change, "exception" if act.is_stated else "undetermined")
            elif not start <= act.at <= end:
                self.say("CF-14", change, "open")
        if not change.actions:
            if change.outcome in ("success", "partial", "failure"):
                self.say("EQ-06", change, "exception")
            return
        is_known = change.kind != ADHOC and change.version in (None, "1", "2")
        begun = min(act.at for act in change.actions)
        if not is_known or (change.version == "1" and self.ops.version_at < begun):
            self.say("CF-15", change, "exception")

    def _approvals(self, change: Change) -> None:
        first = change.first
        if first is None:
            if change.outcome in ("success", "partial", "failure"):
                self._enough(change, None)
            return
        grace = 24 * HOUR if change.emergency else timedelta()
        limit = first.at + grace
        self._enough(change, limit)
        for _, decision, at in change.approvals:
            if decision == "approved" and at > limit:
                self.say("CF-13", change, "exception")

    def _enough(self, change: Change, limit: datetime | None) -> None:
        involved = (change.requested_by, change.implementer)
        latest: dict[str, str] = {}
        for approver, decision, at in sorted(change.approvals, key=lambda row: row[2]):
            if limit is None or at < limit:
                latest[approver] = decision
            if decision == "approved" and approver in involved:
                self.say("CF-12", change, "exception")
        independent = [who for who, decision in latest.items()
                       if decision == "approved" and who not in involved]  # fmt: skip
        if len(independent) < (change.approvals_required or 1):
            self.say("CF-11", change, "exception")
        elif limit is None:
            # No action is on record, so that nothing tells whether they stood before the first.
            self.say("CF-11", change, "undetermined")

    def _alerts(self, change: Change) -> None:
        start, end = change.window[0], change.closed_at or change.window[1]
        for _, fired, target, acked in self.registers.alerts:
            is_late = acked is None or acked - fired > 15 * MINUTE + NARROW
            if is_late and target in change.targets and start <= fired <= end:
                self.say("CF-18", change, "exception")
        for target, starts, ends, owner in self.registers.silences:
            if owner != change.id:
                continue
            beyond = (starts < change.window[0] or ends > change.window[1]
                      or target not in change.targets)  # fmt: skip
            for at in self.onsets.values():
                if beyond and starts <= at <= ends:
                    # The onset may lie as far back as the last use of a machine that fell.
                    sure = starts <= min(self._last_uses(at), default=at)
                    self.say("CF-17", change, "exception" if sure else "open")

    def _last_uses(self, at: datetime) -> list[datetime]:
        uses = (max((each for each in rows if each < at), default=at)
                for rows in self.samples.values())  # fmt: skip
        return list(uses)

    def _load(self) -> None:
        spans: dict[str, list[tuple[datetime, datetime, Change]]] = defaultdict(list)
        for change in self.registered:
            by_actor: dict[str, list[Act]] = defaultdict(list)
            for act in change.actions:
                if not act.is_witness:
                    by_actor[act.actor.lower()].append(act)
            for actor, acts in by_actor.items():
                spans[actor].append((min(a.at for a in acts), max(a.done_at for a in acts), change))
        for rows in spans.values():
            for start, end, change in rows:
                for other_start, other_end, other in rows:
                    if change is other:
                        continue
                    if start + NARROW < other_end and other_start + NARROW < end:
                        self.say("CF-19", change, "exception")
                    elif start <= other_end + NARROW and other_start <= end + NARROW:
                        self.say("CF-19", change, "open")

    def _collisions(self) -> None:
        group = {each.id: each.group for each in self.world.arrays}
        group |= {each.id: f"cluster-{each.region.name}" for each in self.world.hosts}
        for change in self.registered:
            for other in self.registered:
                if change is other or change.implementer == other.implementer:
                    continue
                if change.window[0] >= other.window[1] or other.window[0] >= change.window[1]:
                    continue
                for mine in change.targets:
                    for theirs in other.targets:
                        if group.get(mine, mine) == group.get(theirs, theirs):
                            self.say("CF-20", change, "exception")

    def _pace(self) -> None:
        # Since the action before, and since the one before that surely is of the change.
        paces: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for change in self.registered:
            acts = sorted(change.actions, key=lambda act: act.at)
            for place, (before, act) in enumerate(pairwise(acts), start=1):
                if act.step:
                    key = (change.kind, act.step)
                    sure = [each.at for each in acts[:place] if each.is_stated]
                    paces[key][change.id].append((
                        (act.at - before.at).total_seconds(),
                        (act.at - sure[-1]).total_seconds() if sure and act.is_stated else inf,
                    ))  # fmt: skip
        for by_change in paces.values():
            for name, own in by_change.items():
                others = [median(seconds for seconds, _ in rows)
                          for each, rows in by_change.items() if each != name]  # fmt: skip
                for seconds, most in own:
                    if len(others) < 3:
                        self.say("CF-25", name, "undetermined")
                    elif most < 0.5 * median(others) - 2:
                        self.say("CF-25", name, "exception")
                    elif seconds < 0.5 * median(others) - 2:
                        self.say("CF-25", name, "undetermined")
                    elif seconds < 0.5 * median(others) + 2:
                        self.say("CF-25", name, "open")

    def _usual(self) -> None:
        fired: dict[str, set[str]] = defaultdict(set)
        doubtful: dict[str, set[str]] = defaultdict(set)
        either: dict[str, set[str]] = defaultdict(set)
        kept = {"exception": fired, "undetermined": doubtful, "open": either}
        for (rule, name), verdict in self.verdicts.items():
            if rule.startswith("CF-") and rule not in INDICATORS:
                kept[verdict][name].add(rule)
        for change in self.registered:
            first = change.first
            if first is None:
                continue
            for rule in fired[change.id]:
                earlier = [
                    other for other in self.registered
                    if other.kind.lower() == change.kind.lower() and other.outcome == "success"
                    and other.closed_at is not None and other.closed_at < first.at
                ]  # fmt: skip
                sure = sum(rule in fired[other.id] for other in earlier)
                perhaps = sum(rule in doubtful[other.id] for other in earlier)
                vague = sum(rule in either[other.id] for other in earlier)
                if sure >= 2:
                    self.say("CF-27", change, "exception")
                elif sure + perhaps >= 2:
                    self.say("CF-27", change, "undetermined")
                elif sure + perhaps + vague >= 2:
                    self.say("CF-27", change, "open")

    def _items(self) -> None:
        whole = self.onsets.get(("all", "all"))
        began = whole or min(self.onsets.values(), default=None)
        for name, opened, theme, closed in self.registers.items:
            if theme.lower() != self.theme.lower():
                continue
            if began is None:
                self.say("CF-28", name, "undetermined")
            elif opened < began and (closed is None or closed > began):
                self.say("CF-28", name, "exception")

    def _clocks(self) -> None:
        for host in {change.host for change in self.ops.changes if change.acts}:
            acts = [act.at for change in self.ops.changes if change.host == host
                    for act in change.acts]  # fmt: skip
            near = [
                abs(offset) for name, at, offset in self.registers.probes
                if name == host and min(acts) - DAY <= at <= max(acts) + DAY
            ]  # fmt: skip
            subject = f"host:{host}"
            if any(offset > 2000 for offset in near):
                self.say("EQ-02", subject, "exception")
            elif not near:
                self.say("EQ-02", subject, "undetermined")
