"""A gateway's own metrics, and the ones that it exports for all while it holds the exporter's lease."""

import platform
import time
from collections.abc import Coroutine
from typing import Any, TypeVar, get_args

from prometheus_client import CollectorRegistry, Histogram

from matchmaking import __version__
from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.error_codes import ERROR_CODES
from matchmaking.protocol.messages import SERVER_TYPES, ClientMessage

from . import metrics
from .families import Families
from .shared import SharedCollector

SAMPLE = 16  # frames for each one that is timed
T = TypeVar("T")


class GatewayMetrics:
    """One gateway's metrics in a registry of their own.

    Args:
        capacity: connections that the gateway is meant to hold at most.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._calls = 0
        self.registry = CollectorRegistry()
        self.shared = SharedCollector(self.registry)
        make = Families(self.registry)
        self.connections = make.gauge(metrics.CONNECTIONS)
        self.opened = make.counter(metrics.OPENED)
        self.closed = make.counter(metrics.CLOSED)
        self.received = make.frequent(metrics.RECEIVED)
        self.sent = make.frequent(metrics.SENT)
        self.handling = make.histogram(metrics.HANDLING)
        self.requests = make.histogram(metrics.REQUEST)
        self._request = _Children(self.requests)
        self.send_queue = make.gauge(metrics.SEND_QUEUE)
        self.send_queue_longest = make.gauge(metrics.SEND_QUEUE_LONGEST)
        self.delivery_seconds = make.histogram(metrics.DELIVERY)
        self.denied = make.counter(metrics.DENIED)
        self.refused = make.counter(metrics.REFUSED)
        self.bus_seconds = make.histogram(metrics.BUS)
        self.bus_resyncs = make.counter(metrics.BUS_RESYNCS)
        self.redis_up = make.gauge(metrics.REDIS_UP)
        self.redis_calls = make.histogram(metrics.REDIS_CALLS)
        self._call = _Children(self.redis_calls)
        self.redis_errors = make.counter(metrics.REDIS_ERRORS)
        self.relayed = make.counter(metrics.RELAYED)
        self.ended = make.counter(metrics.SWEPT)
        self.loop_lag = make.gauge(metrics.LOOP_LAG)
        make.gauge(metrics.CAPACITY).set(capacity)
        make.gauge(metrics.BUILD).labels(__version__, platform.python_version()).set(1)
        self._start_at_zero()

    def sampled(self) -> float:
        """The time, at every `SAMPLE`-th call; else 0. Timing each frame would cost a good part of handling it."""
        self._calls += 1
        return 0.0 if self._calls % SAMPLE else time.perf_counter()

    async def timed(self, request: str, work: Coroutine[Any, Any, T]) -> T:
        """Time a request's work."""
        began = time.perf_counter()
        try:
            return await work
        finally:
            self._request.of(request).observe(time.perf_counter() - began)

    def called(self, script: str, seconds: float, failed: int) -> None:
        """Calls of one script came back in one pipeline; see `store.calls.OnCalls`."""
        self._call.of(script).observe(seconds)
        if failed:
            self.redis_errors.labels(script).inc(failed)

    def _start_at_zero(self) -> None:
        """Labels that are known beforehand: the first of its kind must already count as an increase."""
        for kind in get_args(ClientMessage):
            self.received.count(str(kind.__struct_config__.tag), 0)
        for name in SERVER_TYPES.values():
            self.sent.count(name, 0)
        for code in CloseCode:
            self.closed.labels(str(int(code)))
        for why in ("rate", "unsigned"):
            self.denied.labels(why)
        for name in ERROR_CODES:
            self.refused.labels(name)
        self.redis_errors.labels("command")


class _Children:
    """A histogram by one label: looking a child up costs more than observing, so they are kept."""

    def __init__(self, metric: Histogram) -> None:
        self._metric = metric
        self._children: dict[str, Histogram] = {}

    def of(self, label: str) -> Histogram:
        """The child of that label."""
        child = self._children.get(label)
        if child is None:
            child = self._children[label] = self._metric.labels(label)
        return child


class NoMetrics(GatewayMetrics):
    """Counts nothing, so that a benchmark can tell what counting costs."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def __getattr__(self, _name: str) -> Any:
        return _NOTHING

    def sampled(self) -> float:
        """Never."""
        return 0.0

    async def timed(self, request: str, work: Coroutine[Any, Any, T]) -> T:  # noqa: ARG002
        """Untimed."""
        return await work


class _Nothing:
    """Takes every call and does nothing; Prometheus' objects are called in one way or another."""

    def __getattr__(self, _name: str) -> "_Nothing":
        return self

    def __call__(self, *_: object, **__: object) -> "_Nothing":
        return self


_NOTHING = _Nothing()
