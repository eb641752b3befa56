"""The operator's own metrics. How queues stand is not among them: the gateways export that (see `metrics.py`), and once is enough."""

from prometheus_client import CollectorRegistry

from . import metrics
from .families import Families


class OperatorMetrics:
    """The operator's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        make = Families(self.registry)
        self.reconciles = make.counter(metrics.RECONCILES)
        self.reconcile_seconds = make.histogram(metrics.RECONCILE)
        self.pools = make.gauge(metrics.POOLS)
        self.applied = make.counter(metrics.APPLIED)
        self.drift = make.counter(metrics.DRIFT)
        self.drained = make.counter(metrics.DRAINED)
        self.watch_lag = make.gauge(metrics.WATCH_LAG)
        for outcome in metrics.RECONCILES.values:
            self.reconciles.labels(outcome=outcome)
