"""What the store tells the exporter, as plain values."""

from collections.abc import Mapping

from msgspec import Struct


class QueueReading(Struct, frozen=True):
    """One queue: its counts (see `metrics.count`), and how it stands now; `oldest` in seconds, `blocked` the waiting tickets by blocking rule."""

    pool: str
    region: str
    mode: str
    counts: Mapping[str, int]
    waiting: int = 0
    oldest: float = 0.0
    matchers: int = 0
    blocked: Mapping[str, int] = {}


class PoolReading(Struct, frozen=True):
    """One pool: its outbox, and those of its rules that alerts compare with; times in seconds."""

    name: str
    outbox: int = 0
    relay_lag: float = 0.0
    slo: float = 0.0
    max_matchers: int = 0
    starvation_bound: float = 0.0
    polling_interval: float = 0.0
    min_tickets: int = 0
    revision: int = 0


class Reading(Struct, frozen=True):
    """Everything shared, as of one moment."""

    queues: tuple[QueueReading, ...] = ()
    pools: tuple[PoolReading, ...] = ()
    connected: int = 0
    timers: int = 0
    timers_late: float = 0.0
