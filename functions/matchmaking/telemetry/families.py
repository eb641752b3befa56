"""Prometheus' families from our definitions."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from .metrics import Metric

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, of which nobody asks anything


class FrequentCounter(Collector):
    """A counter by one label for what happens with every message. Prometheus' own takes a lock, and ten times as long; here only the event loop's thread counts."""

    def __init__(self, metric: Metric, registry: CollectorRegistry) -> None:
        self._metric = metric
        self._counts: dict[str, int] = {}
        registry.register(self)

    def count(self, label: str, by: int = 1) -> None:
        """Add to the count of that label."""
        self._counts[label] = self._counts.get(label, 0) + by

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Called at each scrape, in a thread of its own."""
        family = CounterMetricFamily(self._metric.name, self._metric.what, labels=self._metric.labels)
        for label, number in self._counts.copy().items():
            family.add_metric((label,), number)
        return (family,)


class Families:
    """Makes families in a registry; the process's own CPU and memory are there from the start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        ProcessCollector(registry=registry)

    def counter(self, metric: Metric) -> Counter:
        """A counter."""
        return Counter(metric.name, metric.what, metric.labels, registry=self._registry)

    def frequent(self, metric: Metric) -> FrequentCounter:
        """A counter of what happens all the time."""
        return FrequentCounter(metric, self._registry)

    def gauge(self, metric: Metric) -> Gauge:
        """A gauge."""
        return Gauge(metric.name, metric.what, metric.labels, registry=self._registry)

    def histogram(self, metric: Metric) -> Histogram:
        """A histogram."""
        return Histogram(metric.name, metric.what, metric.labels, buckets=metric.buckets, registry=self._registry)
