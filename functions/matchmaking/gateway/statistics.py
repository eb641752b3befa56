"""How every queue stands, for the API and the demo page; read from the store at most once a second, however many ask."""

import asyncio
import time
from collections.abc import Sequence

from msgspec import Struct

from matchmaking.core.distribution import BEYOND, distribution
from matchmaking.core.pool import PoolRules
from matchmaking.protocol.events import rfc3339
from matchmaking.store.interface import LONG_WINDOWS, Store
from matchmaking.store.values import WAIT_BUCKETS, wait_quantile

from .pools import Pools

FRESH = 1.0  # s


class WaitPercentiles(Struct):
    """Seconds that 50, 90, 95 and 99 % of the tickets waited at most, estimated within fixed buckets; null if nothing was matched."""

    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class QueueNumbers(Struct):
    """One queue: tickets waiting, matchers running, matches so far and per minute, recent mean wait in seconds (null before the first match), and the
    percentiles of the waits of the last 10 to 15 minutes."""

    region: str
    mode: str
    waiting: int
    matchers: int
    matches: int
    matches_per_minute: float
    average_wait: float | None
    waits: WaitPercentiles


class PoolNumbers(Struct):
    """One pool and its queues; `team_sizes` are the most players of each team of a match."""

    name: str
    regions: list[str]
    modes: list[str]
    team_sizes: list[int]
    queues: list[QueueNumbers]


class Statistics(Struct):
    """The whole service: players connected anywhere, and every pool."""

    timestamp: str
    connected: int
    pools: list[PoolNumbers]


class QueueWindow(Struct):
    """One queue's matches in a window: how many, of how many tickets, how long those waited (seconds), and how the matches are distributed.

    Attributes:
        waiting: tickets that wait now.
        wait: tickets by the upper bound of the seconds that they waited.
        quality, gap: matches by the upper bound of their quality (0 to 1) and of the gap between their players' ratings.
    """

    region: str
    mode: str
    waiting: int
    matches: int
    tickets: int
    average_wait: float | None
    waits: WaitPercentiles
    wait: dict[str, int]
    quality: dict[str, int]
    gap: dict[str, int]


class PoolWindow(Struct):
    """A pool's queues in a window that begins at `since` (RFC 3339) and ends now."""

    pool: str
    window: str
    since: str
    queues: list[QueueWindow]


WINDOWS = {"hour": 5, "day": LONG_WINDOWS}  # quarters of an hour: the present one and those that make the window whole
PERCENTILES = (0.5, 0.9, 0.95, 0.99)


def percentiles(counts: Sequence[int]) -> WaitPercentiles:
    """Of waits counted in `WAIT_BUCKETS`."""
    found = (wait_quantile(counts, each) for each in PERCENTILES)
    return WaitPercentiles(*(None if value is None else round(value, 3) for value in found))


class StatisticsReader:
    """Reads the numbers, and keeps them for a second."""

    def __init__(self, store: Store, pools: Pools) -> None:
        self._store, self._pools = store, pools
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")
        self._numbers: Statistics | None = None
        self._windows: dict[tuple[str, str], tuple[float, PoolWindow]] = {}

    async def read(self) -> Statistics:
        """The numbers, at most a second old."""
        async with self._lock:
            if self._numbers is None or time.monotonic() - self._read_at > FRESH:
                pools = [await _pool(self._store, name, rules) for name, rules in self._pools.items()]
                self._numbers = Statistics(rfc3339(time.time()), await self._store.connected(), pools)
                self._read_at = time.monotonic()
            return self._numbers

    async def window(self, pool: str, rules: PoolRules, window: str) -> PoolWindow:
        """A pool's numbers of a window of `WINDOWS`, at most a second old; only declared pools are kept, so they are few."""
        async with self._lock:
            read_at, found = self._windows.get((pool, window), (float("-inf"), None))
            if found is None or time.monotonic() - read_at > FRESH:
                found = await _window(self._store, pool, rules, window)
                self._windows = {key: kept for key, kept in self._windows.items() if self._pools.get(key[0]) is not None}
                self._windows[pool, window] = (time.monotonic(), found)
            return found


async def _window(store: Store, pool: str, rules: PoolRules, window: str) -> PoolWindow:
    queues = [(region.name, mode) for region in rules.regions for mode in rules.modes]
    lengths = await store.queue_lengths(pool, queues)
    counted = await asyncio.gather(*(store.window(pool, *queue, WINDOWS[window]) for queue in queues))
    bounds = [*(f"{bound:g}" for bound in WAIT_BUCKETS), BEYOND]
    found = []
    for (region, mode), waiting, of in zip(queues, lengths, counted, strict=True):
        tickets, spread = of.counts.get("tickets", 0), distribution(of.counts)
        mean = round(of.counts["waited_ms"] / tickets / 1000, 3) if tickets else None
        wait = dict(zip(bounds, of.waits, strict=True))
        matches = of.counts.get("matches", 0)
        found.append(
            QueueWindow(region, mode, waiting, matches, tickets, mean, percentiles(of.waits), wait, spread["quality"], spread["gap"])
        )
    return PoolWindow(pool, window, rfc3339(min(of.since_ms for of in counted) / 1000), found)


async def _pool(store: Store, name: str, rules: PoolRules) -> PoolNumbers:
    queues = [(region.name, mode) for region in rules.regions for mode in rules.modes]
    numbers = await store.queue_statistics(name, queues)
    return PoolNumbers(
        name,
        [region.name for region in rules.regions],
        list(rules.modes),
        [team.max_players for team in rules.teams for _ in range(team.quantity)],
        [
            QueueNumbers(
                region, mode, n.waiting, n.matchers, n.matches, round(n.matches_per_minute, 1), n.mean_wait, percentiles(n.recent_waits)
            )
            for (region, mode), n in zip(queues, numbers, strict=True)
        ],
    )
