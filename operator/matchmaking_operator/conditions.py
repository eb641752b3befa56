"""From what a reconcile met to the pool's conditions and status. Pure.

Each aspect has an outcome of its own; Ready and Degraded follow from the others. Reasons are stable words, messages say what to do.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import UNSET, Struct, UnsetType

from matchmaking.core.duration import Duration
from matchmaking.core.pool_status import CONDITIONS, Condition, PoolStatus, QueueStatus, Totals
from matchmaking.store.values import QueueStatistics, wait_quantile

from .plan import Declared

PROMISED = 0.95  # the quantile of waits that status and dashboards show
NEEDED = ("RulesValid", "Satisfiable", "QueuesConfigured", "AutoscalingReady")  # for Ready; a missing dashboard stops no player
WORKING = ("QueuesConfigured", "AutoscalingReady", "DashboardsReady")  # if one fails, the pool works in part: Degraded
LISTED = 5  # findings that a message names


class Outcome(Struct, frozen=True):
    """How one aspect stands: a condition without its times. `status` is True, False or None for unknown."""

    status: bool | None
    reason: str
    message: str


def rules_valid(pool: Declared) -> Outcome:
    """Whether the spec is a pool."""
    if pool.problem is not None:
        return Outcome(False, "InvalidSpec", f"{pool.problem}. Correct the field; the rules in effect before stay in effect.")
    return Outcome(True, "Valid", "The rules can be read.")


def satisfiable(pool: Declared) -> Outcome:
    """Whether a full match can be formed at all."""
    if pool.rules is None:
        return Outcome(None, "InvalidSpec", "Not looked at: the spec is invalid.")
    if pool.errors:
        told = "; ".join(f"{finding.path}: {finding.message} ({finding.proposal})" for finding in pool.errors[:LISTED])
        more = f"; and {len(pool.errors) - LISTED} more" if len(pool.errors) > LISTED else ""
        return Outcome(False, "Unsatisfiable", f"{told}{more}. The rules in effect before stay in effect.")
    if pool.warnings:
        told = "; ".join(f"{finding.path}: {finding.message} ({finding.proposal})" for finding in pool.warnings[:LISTED])
        return Outcome(True, "Doubtful", f"A match can be formed, but look again: {told}.")
    return Outcome(True, "Satisfiable", "A match can be formed.")


NOT_TRIED = Outcome(None, "NotTried", "Not tried: another condition stands in the way.")


def overall(outcomes: Mapping[str, Outcome], *, suspended: bool) -> dict[str, Outcome]:
    """Ready and Degraded, beside the rest."""
    bad = [name for name in NEEDED if outcomes[name].status is False]
    unsure = [name for name in NEEDED if outcomes[name].status is None]
    if bad:
        ready = Outcome(False, outcomes[bad[0]].reason, f"{bad[0]}: {outcomes[bad[0]].message}")
    elif suspended:
        ready = Outcome(False, "Suspended", "spec.suspend is true: no new tickets, no new matches. Set it to false to go on.")
    elif unsure:
        ready = Outcome(False, outcomes[unsure[0]].reason, f"{unsure[0]}: {outcomes[unsure[0]].message}")
    else:
        ready = Outcome(True, "PoolReady", "Players can queue and are matched.")
    broken = [name for name in WORKING if outcomes[name].status is False]
    if broken:
        told = " ".join(f"{name}: {outcomes[name].message}" for name in broken)
        degraded = Outcome(True, outcomes[broken[0]].reason, told)
    else:
        degraded = Outcome(False, "AsDeclared", "Everything that was declared and could be done is in place.")
    return {**outcomes, "Ready": ready, "Degraded": degraded}


def conditions(outcomes: Mapping[str, Outcome], before: Sequence[Condition], generation: int, now: str) -> tuple[Condition, ...]:
    """The whole list; `now` (RFC 3339) is the transition time of what changed its status."""
    known = {condition.type: condition for condition in before}
    return tuple(_condition(name, outcomes[name], known.get(name), generation, now) for name in CONDITIONS if name in outcomes)


def _condition(name: str, outcome: Outcome, before: Condition | None, generation: int, now: str) -> Condition:
    status = {True: "True", False: "False", None: "Unknown"}[outcome.status]
    since = before.last_transition_time if before is not None and before.status == status else now
    return Condition(
        type=name,
        status=status,  # type: ignore[arg-type] # one of the three
        reason=outcome.reason,
        message=outcome.message[:32000],
        observed_generation=generation,
        last_transition_time=since,
    )


def numbers(queues: Sequence[tuple[str, str]], statistics: Sequence[QueueStatistics] | None) -> tuple[Totals, tuple[QueueStatus, ...]]:
    """The queues' numbers; without statistics (the store cannot be reached) only how many there are."""
    if statistics is None:
        return Totals(queues=len(queues)), ()
    found = tuple(_queue(*queue, each) for queue, each in zip(queues, statistics, strict=True))
    together = [sum(counts) for counts in zip(*(each.recent_waits for each in statistics), strict=True)]
    p95 = wait_quantile(together, PROMISED)
    return (
        Totals(
            queues=len(queues),
            waiting=sum(each.waiting for each in statistics),
            matchers=_matchers(queues, statistics),
            wait_p95=UNSET if p95 is None else str(Duration(round(p95, 1))),
        ),
        found,
    )


def _matchers(queues: Sequence[tuple[str, str]], statistics: Sequence[QueueStatistics]) -> int:
    """A matcher serves all modes of its region: count it once."""
    by_region: dict[str, int] = {}
    for (region, _), each in zip(queues, statistics, strict=True):
        by_region[region] = max(by_region.get(region, 0), each.matchers)
    return sum(by_region.values())


def _queue(region: str, mode: str, statistics: QueueStatistics) -> QueueStatus:
    p95 = wait_quantile(statistics.recent_waits, PROMISED)
    return QueueStatus(
        region=region,
        mode=mode,
        waiting=statistics.waiting,
        matchers=statistics.matchers,
        wait_p95_seconds=UNSET if p95 is None else round(p95, 1),
        matches_per_minute=round(statistics.matches_per_minute, 1),
    )


def status(
    pool: Declared,
    revision: int | UnsetType,
    outcomes: Mapping[str, Outcome],
    before: PoolStatus | None,
    statistics: Sequence[QueueStatistics] | None,
    queues: Sequence[tuple[str, str]],
    now: str,
) -> PoolStatus:
    """The whole status."""
    totals, found = numbers(queues, statistics)
    listed = conditions(outcomes, before.conditions if before else (), pool.generation, now)
    return PoolStatus(observed_generation=pool.generation, revision=revision, totals=totals, queues=found, conditions=listed)


def worth_telling(before: Iterable[Condition], after: Iterable[Condition]) -> list[Condition]:
    """Conditions that became events: Ready whenever it changes, the others when they turn bad."""
    known = {condition.type: (condition.status, condition.reason) for condition in before}
    told = []
    for condition in after:
        bad = condition.status == ("True" if condition.type == "Degraded" else "False")
        changed = known.get(condition.type) != (condition.status, condition.reason)
        if changed and (bad or condition.type == "Ready") and not (condition.type == "Ready" and condition.reason == "WaitingForKeda"):
            told.append(condition)
    return told
