"""Every metric, in one place: its name, labels, buckets, and who counts it.

Three kinds of source keep the sums right:

- `gateway`: what only one gateway can know (its sockets, its calls). Each gateway exports its own, so a sum over gateways is the truth.
- `store`: what belongs to all of them (queues, matches, outboxes). It is counted where it happens, in Redis, within the script that does it or by the
  matchers' tallies, and exported by the one gateway that holds the exporter's lease (`gateway/exporter.py`), so that nothing is counted twice and no
  process takes counts with it when it dies.
- `operator`: what the operator does.

Labels are bounded: pools, regions and modes are those declared; types, codes, phases and scripts those of the code. This module imports no Prometheus
library, because matchers count too and must start quickly.
"""

from bisect import bisect_left
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Literal

from msgspec import Struct

Kind = Literal["counter", "gauge", "histogram"]
Source = Literal["gateway", "store", "operator"]

QUEUE = ("pool", "region", "mode")
FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)  # s
SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # s
WAIT_BUCKETS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0)  # s
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
GAPS = (5.0, 10.0, 25.0, 50.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0)  # rating points
MILLI = 1000  # Redis counts whole numbers: histograms' sums are kept in thousandths

PHASES = ("read", "match", "commit", "relay")
PROPOSALS = ("committed", "conflict", "ghost")
ENDS = ("left", "expired", "disconnected", "quarantined", "pool_deleted", "queue_removed")
RESULTS = ("good", "bad")


class Metric(Struct, frozen=True):
    """One metric.

    Attributes:
        what: for people; its first sentence is Prometheus' help.
        key: its name within a queue's counts in Redis; empty if it is not counted there.
        values: the values that its own last label can have, where they are known beforehand, so that zeros are exported too.
    """

    name: str
    kind: Kind
    source: Source
    what: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    key: str = ""
    values: tuple[str, ...] = ()


# --- each gateway's own ----------------------------------------------------------------------------------------------

CONNECTIONS = Metric("game_websocket_connections", "gauge", "gateway", "WebSocket connections of signed-in players.")
CAPACITY = Metric("game_websocket_capacity", "gauge", "gateway", "Connections that this gateway is meant to hold at most.")
OPENED = Metric("game_websocket_opened_total", "counter", "gateway", "Connections that were signed in.")
CLOSED = Metric("game_websocket_closed_total", "counter", "gateway", "Connections closed by the gateway.", ("code",))
RECEIVED = Metric("game_websocket_messages_received_total", "counter", "gateway", "Messages from clients.", ("type",))
SENT = Metric("game_websocket_messages_sent_total", "counter", "gateway", "Messages to clients.", ("type",))
HANDLING = Metric(
    "game_message_seconds", "histogram", "gateway", "From a client's frame to what follows from it at once; every 16th frame.", (), FAST
)
REQUEST = Metric("game_request_seconds", "histogram", "gateway", "From a client's request to its answer.", ("type",), FAST)
SEND_QUEUE = Metric("game_send_queue_messages", "gauge", "gateway", "Messages that wait for slow sockets.")
SEND_QUEUE_LONGEST = Metric("game_send_queue_longest", "gauge", "gateway", "Messages that wait for the slowest socket.")
DELIVERY = Metric(
    "game_event_delivery_seconds", "histogram", "gateway", "From an event's writing to its write to the socket, while connected.", (), FAST
)
DENIED = Metric(
    "game_websocket_denied_total", "counter", "gateway", "Handshakes answered by 429: too fast, or too many not signed in.", ("why",)
)
REFUSED = Metric("game_queue_refused_total", "counter", "gateway", "Joins that were refused.", ("code",))
BUS = Metric("game_bus_latency_seconds", "histogram", "gateway", "A canary's way through Redis' publish and subscribe.", (), FAST)
BUS_RESYNCS = Metric("game_bus_resyncs_total", "counter", "gateway", "Subscriptions made anew, after which outboxes are read.")
REDIS_UP = Metric("game_redis_up", "gauge", "gateway", "1 while this gateway's canaries come back from Redis.")
REDIS_CALLS = Metric(
    "game_redis_call_seconds", "histogram", "gateway", "From a pipeline's sending to its replies, for each script in it.", ("script",), FAST
)
REDIS_ERRORS = Metric("game_redis_errors_total", "counter", "gateway", "Calls that Redis refused or did not answer.", ("script",))
RELAYED = Metric("game_relay_taken_over_total", "counter", "gateway", "Outbox entries relayed for somebody who had left them behind.")
SWEPT = Metric("game_tickets_swept_total", "counter", "gateway", "Tickets that this gateway's sweep ended.")
LOOP_LAG = Metric("game_loop_lag_seconds", "gauge", "gateway", "How late the event loop's last tick was.")
EXPORTER = Metric("game_exporter", "gauge", "gateway", "1 at the one gateway that exports what all of them share.")
BUILD = Metric("game_build_info", "gauge", "gateway", "Always 1.", ("version", "python"))

# --- what all share: counted in Redis --------------------------------------------------------------------------------

WAITED = Metric(
    "game_queue_waiting_seconds", "histogram", "store", "How long tickets had waited when they were matched.", QUEUE, WAIT_BUCKETS, "waited"
)
SUCCESS = Metric("game_matchmaking_success_total", "counter", "store", "Players put into a match.", QUEUE, (), "players")
MATCHES = Metric("game_matches_total", "counter", "store", "Matches made.", QUEUE, (), "matched")
JOINED = Metric("game_tickets_joined_total", "counter", "store", "Tickets that began to wait.", QUEUE, (), "joined")
ENDED = Metric("game_tickets_ended_total", "counter", "store", "Tickets that ended without a match.", (*QUEUE, "reason"), (), "ended", ENDS)
QUALITY = Metric("game_match_quality", "histogram", "store", "Quality of matches: 1 is perfect.", QUEUE, SHARES, "quality")
GAP = Metric("game_match_rating_gap", "histogram", "store", "Greatest rating difference between two players.", QUEUE, GAPS, "gap")
IMBALANCE = Metric(
    "game_match_imbalance", "histogram", "store", "Greatest difference between two teams' average ratings.", QUEUE, GAPS, "imbalance"
)
FILL = Metric("game_match_fill_ratio", "histogram", "store", "Players in a match, of the most that it takes.", QUEUE, SHARES, "fill")
SLO = Metric(
    "game_slo_waits_total",
    "counter",
    "store",
    "Tickets within the pool's wait objective (good), and those matched later or never (bad).",
    (*QUEUE, "result"),
    (),
    "slo",
    RESULTS,
)
ROUNDS = Metric("game_rounds_total", "counter", "store", "Matchers' passes over a queue.", QUEUE, (), "rounds")
ROUND = Metric("game_round_seconds", "histogram", "store", "A round's time by phase.", (*QUEUE, "phase"), FAST, "phase", PHASES)
PROPOSED = Metric(
    "game_proposals_total",
    "counter",
    "store",
    "Proposed matches by what their commit said.",
    (*QUEUE, "outcome"),
    (),
    "proposed",
    PROPOSALS,
)
MATCHER_CALLS = Metric("game_matcher_redis_seconds", "histogram", "store", "The same of matchers' calls.", ("script",), FAST, "call")
READY_CHECKS = Metric(
    "game_ready_checks_total",
    "counter",
    "store",
    "Ready checks by how they ended.",
    (*QUEUE, "outcome"),
    (),
    "ready",
    ("accepted", "declined", "timeout"),
)
ALLOCATIONS = Metric(
    "game_allocations_total", "counter", "store", "Game servers asked for.", (*QUEUE, "outcome"), (), "allocated", ("allocated", "failed")
)
SESSIONS = Metric(
    "game_sessions_ended_total",
    "counter",
    "store",
    "Sessions by how they ended.",
    (*QUEUE, "outcome"),
    (),
    "session",
    ("completed", "cancelled", "expired", "abandoned"),
)
LENGTH = Metric("game_queue_length", "gauge", "store", "Tickets waiting.", QUEUE)
OLDEST = Metric("game_queue_oldest_seconds", "gauge", "store", "How long the oldest ticket has waited.", QUEUE)
MATCHERS = Metric("game_matchers", "gauge", "store", "Matchers with a recent heartbeat.", QUEUE)
BLOCKED = Metric("game_waiting_blocked", "gauge", "store", "Waiting tickets by the rule that blocks most.", (*QUEUE, "rule"))
OUTBOX = Metric("game_outbox_length", "gauge", "store", "Ends of tickets that are not yet relayed.", ("pool",))
RELAY_LAG = Metric("game_relay_lag_seconds", "gauge", "store", "Age of the oldest end of a ticket that is not yet relayed.", ("pool",))
PRESENT = Metric("game_players_connected", "gauge", "store", "Connected players, as Redis knows them.")
TIMERS = Metric("game_timers", "gauge", "store", "Timers of sessions that are set.")
TIMERS_LATE = Metric("game_timers_late_seconds", "gauge", "store", "How overdue the latest timer is.")
POOL_SLO = Metric("game_pool_slo_seconds", "gauge", "store", "The pool's wait objective for 95 of 100 tickets.", ("pool",))
POOL_MATCHERS = Metric("game_pool_max_matchers", "gauge", "store", "The most matchers of one region.", ("pool",))
POOL_STARVATION = Metric("game_pool_starvation_seconds", "gauge", "store", "The pool's starvation bound.", ("pool",))
POOL_POLLING = Metric("game_pool_polling_seconds", "gauge", "store", "The pool's polling interval.", ("pool",))
POOL_FEWEST = Metric("game_pool_min_tickets", "gauge", "store", "The fewest tickets that can make a match.", ("pool",))
POOL_REVISION = Metric("game_pool_revision", "gauge", "store", "The revision of the pool's rules.", ("pool",))

# --- the operator's --------------------------------------------------------------------------------------------------

RECONCILES = Metric("matchmaking_reconciles_total", "counter", "operator", "Reconciles of pools.", ("outcome",), (), "", ("ok", "failed"))
RECONCILE = Metric("matchmaking_reconcile_seconds", "histogram", "operator", "How long a pool's reconcile took.", (), SLOW)
POOLS = Metric("matchmaking_pools", "gauge", "operator", "Pools by condition and its status.", ("condition", "status"))
APPLIED = Metric("matchmaking_objects_applied_total", "counter", "operator", "Objects written to the API server.", ("kind",))
DRIFT = Metric("matchmaking_drift_total", "counter", "operator", "Objects found changed or gone, and put right.", ("kind",))
DRAINED = Metric("matchmaking_tickets_drained_total", "counter", "operator", "Tickets ended because their queue is declared no longer.")
WATCH_LAG = Metric("matchmaking_watch_lag_seconds", "gauge", "operator", "For how long the watch has missed a change that a list shows.")

METRICS: tuple[Metric, ...] = tuple(value for value in globals().values() if isinstance(value, Metric))
COUNTED: tuple[Metric, ...] = tuple(metric for metric in METRICS if metric.key)


def count(counts: MutableMapping[str, int], metric: Metric, *labels: str, by: int = 1) -> None:
    """Add to a counter in a queue's counts; `labels` are its own, beyond the queue's."""
    field = "|".join((metric.key, *labels))
    counts[field] = counts.get(field, 0) + by


def observe(counts: MutableMapping[str, int], metric: Metric, value: float, *labels: str) -> None:
    """Put a value into a histogram in a queue's counts: one field for its bucket, one for the sum."""
    total, buckets = _fields(metric.key, len(metric.buckets), labels)
    field = buckets[bisect_left(metric.buckets, value)]
    counts[field] = counts.get(field, 0) + 1
    counts[total] = counts.get(total, 0) + round(value * MILLI)


@lru_cache(maxsize=1024)
def _fields(key: str, buckets: int, labels: tuple[str, ...]) -> tuple[str, list[str]]:
    """A histogram's fields: its sum's, and each bucket's. Putting the names together anew took longer than counting."""
    name = "|".join((key, *labels))
    return f"{name}|sum", [f"{name}|b{i}" for i in range(buckets + 1)]


def histogram(counts: Mapping[str, int], metric: Metric, *labels: str) -> tuple[list[tuple[str, float]], float]:
    """A histogram as Prometheus wants it: cumulated buckets by upper bound, and the sum."""
    name, total, buckets = "|".join((metric.key, *labels)), 0, []
    for i, bound in enumerate((*metric.buckets, None)):
        total += counts.get(f"{name}|b{i}", 0)
        buckets.append(("+Inf" if bound is None else str(bound), float(total)))
    return buckets, counts.get(f"{name}|sum", 0) / MILLI


def series(metric: Metric) -> tuple[str, ...]:
    """The names under which Prometheus knows a metric."""
    if metric.kind == "histogram":
        return tuple(f"{metric.name}_{part}" for part in ("bucket", "count", "sum"))
    return (metric.name,)
