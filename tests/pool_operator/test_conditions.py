"""Conditions are pure: from outcomes to Ready and Degraded, to times, to events."""

from matchmaking.core.pool_status import CONDITIONS, Condition
from matchmaking.store.errors import StoreError, StoreUnavailableError
from matchmaking.store.values import WAIT_BUCKETS, QueueStatistics
from matchmaking_operator import conditions
from matchmaking_operator.conditions import NOT_TRIED, Outcome
from matchmaking_operator.objects import autoscaling
from matchmaking_operator.plan import declared
from matchmaking_operator.reconciler import store_trouble
from pool_operator.pools import resource

WELL = {
    "RulesValid": Outcome(True, "Valid", "."),
    "Satisfiable": Outcome(True, "Satisfiable", "."),
    "QueuesConfigured": Outcome(True, "Configured", "."),
    "AutoscalingReady": Outcome(True, "Scaling", "."),
    "DashboardsReady": Outcome(True, "Applied", "."),
}


def ready(changed: dict[str, Outcome], suspended: bool = False) -> tuple[Outcome, Outcome]:
    whole = conditions.overall(WELL | changed, suspended=suspended)
    return whole["Ready"], whole["Degraded"]


def test_ready_names_what_stands_in_the_way_and_a_dashboard_does_not() -> None:
    fine, degraded = ready({})
    assert (fine.status, fine.reason, degraded.status) == (True, "PoolReady", False)
    refused, degraded = ready({"QueuesConfigured": Outcome(False, "RedisRefused", "Look.")})
    assert (refused.status, refused.reason, refused.message) == (False, "RedisRefused", "QueuesConfigured: Look.")
    assert (degraded.status, degraded.reason) == (True, "RedisRefused")
    fine, degraded = ready({"DashboardsReady": Outcome(False, "ApplyRefused", "Look.")})
    assert (fine.status, degraded.status) == (True, True)
    unsure, degraded = ready({"AutoscalingReady": Outcome(None, "WaitingForKeda", "Wait.")})
    assert (unsure.status, unsure.reason, degraded.status) == (False, "WaitingForKeda", False)
    assert ready({}, suspended=True)[0].reason == "Suspended"


def test_an_invalid_spec_is_told_with_its_path() -> None:
    pool = declared(resource("duel", modes=[]))
    told = conditions.rules_valid(pool)
    assert (told.status, told.reason) == (False, "InvalidSpec")
    assert told.message.startswith("spec.modes: ")
    whole = conditions.overall(
        {"RulesValid": told, "Satisfiable": conditions.satisfiable(pool)}
        | dict.fromkeys(("QueuesConfigured", "AutoscalingReady", "DashboardsReady"), NOT_TRIED),
        suspended=False,
    )
    assert (whole["Ready"].status, whole["Ready"].reason, whole["Degraded"].status) == (False, "InvalidSpec", False)


def listed(before: tuple[Condition, ...], outcomes: dict[str, Outcome], now: str) -> tuple[Condition, ...]:
    return conditions.conditions(conditions.overall(outcomes, suspended=False), before, 3, now)


def test_a_transition_time_moves_only_when_the_status_does() -> None:
    first = listed((), WELL, "then")
    assert [condition.type for condition in first] == list(CONDITIONS)
    worse = listed(first, WELL | {"AutoscalingReady": Outcome(False, "KedaMissing", "Install it.")}, "now")
    moved = {condition.type for condition in worse if condition.last_transition_time == "now"}
    assert moved == {"Ready", "AutoscalingReady", "Degraded"}


def test_changes_for_worse_become_events_and_ready_either_way() -> None:
    waiting = listed((), WELL | {"AutoscalingReady": Outcome(None, "WaitingForKeda", "Wait.")}, "t")
    assert conditions.worth_telling((), waiting) == [], "nobody needs to be told that something has just begun"
    fine = listed(waiting, WELL, "t")
    assert [condition.reason for condition in conditions.worth_telling(waiting, fine)] == ["PoolReady"]
    worse = listed(fine, WELL | {"QueuesConfigured": Outcome(False, "RedisUnreachable", "Look.")}, "t")
    assert {condition.type for condition in conditions.worth_telling(fine, worse)} == {"Ready", "QueuesConfigured", "Degraded"}
    assert conditions.worth_telling(worse, worse) == []


def test_redis_troubles_are_told_apart() -> None:
    assert store_trouble(StoreUnavailableError("Redis: ConnectionError: refused")).reason == "RedisUnreachable"
    assert store_trouble(StoreUnavailableError("Redis: AuthenticationError: invalid username-password pair")).reason == "RedisRefused"
    assert store_trouble(StoreError("Redis: NoPermissionError: this user has no permissions")).reason == "RedisRefused"


def test_what_keda_says_becomes_one_outcome() -> None:
    def job(name: str, ready: str | None) -> dict[str, object]:
        said = [{"type": "Ready", "status": ready, "message": "no such secret"}] if ready else None
        return {"metadata": {"name": name}, "status": {"conditions": said}}

    assert autoscaling([job("a", "True"), job("b", "True")]).status is True
    assert autoscaling([job("a", "True"), job("b", None)]).reason == "WaitingForKeda"
    failed = autoscaling([job("a", None), job("b", "False")])
    assert (failed.status, failed.reason) == (False, "KedaNotReady")
    assert "ScaledJob b: no such secret" in failed.message


def test_numbers_of_queues_count_a_regions_matcher_once() -> None:
    counts = tuple(20 if n == 5 else 0 for n in range(len(WAIT_BUCKETS) + 1))
    each = QueueStatistics(3, 2, 10, 20, 1.5, 2.0, counts)
    totals, queues = conditions.numbers([("eu", "ranked"), ("eu", "casual"), ("us", "ranked")], [each] * 3)
    assert (totals.queues, totals.waiting, totals.matchers) == (3, 9, 4)
    assert str(totals.wait_p95).endswith("s")
    assert WAIT_BUCKETS[4] < queues[0].wait_p95_seconds <= WAIT_BUCKETS[5]  # type: ignore[operator]
    assert conditions.numbers([("eu", "ranked")], None)[0].queues == 1
