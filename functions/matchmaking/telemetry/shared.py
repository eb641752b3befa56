"""What all gateways share, as the store knows it: read by the gateway that holds the lease, exported at the next scrape.

A scrape runs in a thread of its own and only looks at the latest reading, once: whether this gateway exports (`game_exporter`) and what it exports come from that
same look, so no scrape shows the one without the other. The lease is asked for every second, and everything is read every few: a reading is not shown if the lease
was not had within `FRESH`, because its gateway has lost Redis or the lease, and another one exports.
"""

import time
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from . import metrics
from .metrics import QUEUE, Metric
from .readings import PoolReading, QueueReading, Reading

FRESH = 3.0  # s; below the exporter's lease, so that two gateways never export at once

_OWN = {metric: metric.labels[len(QUEUE) :] for metric in metrics.COUNTED if metric is not metrics.MATCHER_CALLS}


class SharedCollector(Collector):
    """Exports the latest reading; `read_at` is the monotonic time at which it was read, if there is one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._shown: tuple[Reading | None, float] = (None, float("-inf"))  # replaced whole: a scrape must not see half of a change
        self.read_at = float("-inf")
        registry.register(self)

    def describe(self) -> Iterable[Family]:
        """Nothing beforehand: without it the registry would collect at once."""
        return ()

    def show(self, reading: Reading | None, held_at: float) -> None:
        """Export this from now on, or nothing; `held_at` is the monotonic time at which the lease was asked for."""
        self._shown = (reading, held_at)
        self.read_at = float("-inf") if reading is None else held_at

    def hold(self, held_at: float) -> None:
        """Go on exporting what is shown."""
        self._shown = (self._shown[0], held_at)

    def collect(self) -> Iterator[Family]:
        """Called at each scrape."""
        reading, held_at = self._shown
        exports = reading is not None and time.monotonic() - held_at <= FRESH
        yield _gauge(metrics.EXPORTER, {(): exports})
        if reading is None or not exports:
            return
        for metric, own in _OWN.items():
            yield _counted(metric, own, reading)
        yield _matcher_calls(reading)
        yield from _gauges(reading)


def _counted(metric: Metric, own: tuple[str, ...], reading: Reading) -> Family:
    family: CounterMetricFamily | HistogramMetricFamily
    if metric.kind == "histogram":
        family = HistogramMetricFamily(metric.name, metric.what, labels=metric.labels)
    else:
        family = CounterMetricFamily(metric.name, metric.what, labels=metric.labels)
    for queue in reading.queues:
        names = (queue.pool, queue.region, queue.mode)
        for labels in _labels(metric, own, queue.counts):
            if isinstance(family, HistogramMetricFamily):
                buckets, total = metrics.histogram(queue.counts, metric, *labels)
                family.add_metric((*names, *labels), buckets, total)
            else:
                family.add_metric((*names, *labels), _count(metric, labels, queue.counts))
    return family


def _labels(metric: Metric, own: tuple[str, ...], counts: Mapping[str, int]) -> Iterable[tuple[str, ...]]:
    """The values of the metric's own label: those known beforehand, and those counted (code chooses them, so there are few)."""
    if not own:
        return ((),)
    counted = (field.split("|")[1] for field in counts if field.startswith(f"{metric.key}|"))
    return ((value,) for value in dict.fromkeys((*metric.values, *counted)))


def _count(metric: Metric, labels: tuple[str, ...], counts: Mapping[str, int]) -> int:
    number = counts.get("|".join((metric.key, *labels)), 0)
    if metric is metrics.SLO and labels == ("bad",):  # who was never matched did not wait a short time
        number += counts.get("ended|expired", 0) + counts.get("ended|quarantined", 0)
    return number


def _matcher_calls(reading: Reading) -> Family:
    metric = metrics.MATCHER_CALLS
    family = HistogramMetricFamily(metric.name, metric.what, labels=metric.labels)
    summed: dict[str, int] = {}
    for queue in reading.queues:
        for field, number in queue.counts.items():
            if field.startswith(f"{metric.key}|"):
                summed[field] = summed.get(field, 0) + number
    for script in sorted({field.split("|")[1] for field in summed}):
        buckets, total = metrics.histogram(summed, metric, script)
        family.add_metric((script,), buckets, total)
    return family


def _gauge(metric: Metric, values: Mapping[tuple[str, ...], float]) -> Family:
    family = GaugeMetricFamily(metric.name, metric.what, labels=metric.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _gauges(reading: Reading) -> Iterator[Family]:
    def by_queue(metric: Metric, values: Iterable[float]) -> Family:
        return _gauge(metric, {(q.pool, q.region, q.mode): v for q, v in zip(reading.queues, values, strict=True)})

    queues: tuple[QueueReading, ...] = reading.queues
    yield by_queue(metrics.LENGTH, (queue.waiting for queue in queues))
    yield by_queue(metrics.OLDEST, (queue.oldest for queue in queues))
    yield by_queue(metrics.MATCHERS, (queue.matchers for queue in queues))
    blocked: dict[tuple[str, ...], float] = {(q.pool, q.region, q.mode, rule): float(n) for q in queues for rule, n in q.blocked.items()}
    yield _gauge(metrics.BLOCKED, blocked)
    yield _gauge(metrics.PRESENT, {(): reading.connected})
    yield _gauge(metrics.TIMERS, {(): reading.timers})
    yield _gauge(metrics.TIMERS_LATE, {(): reading.timers_late})
    for metric, field in POOL_GAUGES.items():
        yield _gauge(metric, {(pool.name,): float(getattr(pool, field)) for pool in reading.pools})


POOL_GAUGES = {
    metrics.OUTBOX: "outbox",
    metrics.RELAY_LAG: "relay_lag",
    metrics.POOL_SLO: "slo",
    metrics.POOL_MATCHERS: "max_matchers",
    metrics.POOL_STARVATION: "starvation_bound",
    metrics.POOL_POLLING: "polling_interval",
    metrics.POOL_FEWEST: "min_tickets",
    metrics.POOL_REVISION: "revision",
}
assert set(POOL_GAUGES.values()) <= set(PoolReading.__struct_fields__)  # noqa: S101 - a slip here would show only at a scrape
