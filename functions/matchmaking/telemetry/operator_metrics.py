"""Every metric of the operator. It reads the queues' numbers from Redis anyway, so it exports them: a short-lived matcher's last scrape would be lost."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from .metrics import QUEUE

RECONCILE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class OperatorMetrics:
    """The operator's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Counter("matchmaking_reconciles_total", "Reconciles of pools, by outcome.", ("outcome",), registry=self.registry)
        self.reconcile_seconds = Histogram(
            "matchmaking_reconcile_seconds", "How long a pool's reconcile took.", buckets=RECONCILE_BUCKETS, registry=self.registry
        )
        self.pools = Gauge("matchmaking_pools", "Pools by condition and its status.", ("condition", "status"), registry=self.registry)
        self.applied = Counter("matchmaking_objects_applied_total", "Objects written to the API server.", ("kind",), registry=self.registry)
        self.drift = Counter("matchmaking_drift_total", "Objects found changed or gone, and put right.", ("kind",), registry=self.registry)
        self.drained = Counter(
            "matchmaking_tickets_drained_total", "Tickets ended because their queue is declared no longer.", registry=self.registry
        )
        self.watch_lag = Gauge(
            "matchmaking_watch_lag_seconds", "For how long the watch has missed a change that a list shows.", registry=self.registry
        )
        self.waiting = Gauge("game_queue_tickets_waiting", "Tickets that wait.", QUEUE, registry=self.registry)
        self.matchers = Gauge("game_queue_matchers", "Matchers at work.", QUEUE, registry=self.registry)
