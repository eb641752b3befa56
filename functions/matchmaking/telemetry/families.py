"""Prometheus' families from our definitions."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from .metrics import Metric

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, of which nobody asks anything


class Families:
    """Makes families in a registry; the process's own CPU and memory are there from the start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        ProcessCollector(registry=registry)

    def counter(self, metric: Metric) -> Counter:
        """A counter."""
        return Counter(metric.name, metric.what, metric.labels, registry=self._registry)

    def gauge(self, metric: Metric) -> Gauge:
        """A gauge."""
        return Gauge(metric.name, metric.what, metric.labels, registry=self._registry)

    def histogram(self, metric: Metric) -> Histogram:
        """A histogram."""
        return Histogram(metric.name, metric.what, metric.labels, buckets=metric.buckets, registry=self._registry)
