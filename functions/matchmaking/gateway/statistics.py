"""How every queue stands, for the API and the demo page; read from the store at most once a second, however many ask."""

import asyncio
import time

from msgspec import Struct

from matchmaking.core.pool import PoolRules
from matchmaking.protocol.events import rfc3339
from matchmaking.store.interface import Store

from .pools import Pools

FRESH = 1.0  # s


class QueueNumbers(Struct):
    """One queue: tickets waiting, matchers running, matches so far and per minute, recent mean wait in seconds (null before the first match)."""

    region: str
    mode: str
    waiting: int
    matchers: int
    matches: int
    matches_per_minute: float
    average_wait: float | None


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


class StatisticsReader:
    """Reads the numbers, and keeps them for a second."""

    def __init__(self, store: Store, pools: Pools) -> None:
        self._store, self._pools = store, pools
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")
        self._numbers: Statistics | None = None

    async def read(self) -> Statistics:
        """The numbers, at most a second old."""
        async with self._lock:
            if self._numbers is None or time.monotonic() - self._read_at > FRESH:
                pools = [await _pool(self._store, name, rules) for name, rules in self._pools.items()]
                self._numbers = Statistics(rfc3339(time.time()), await self._store.connected(), pools)
                self._read_at = time.monotonic()
            return self._numbers


async def _pool(store: Store, name: str, rules: PoolRules) -> PoolNumbers:
    queues = [(region.name, mode) for region in rules.regions for mode in rules.modes]
    numbers = await store.queue_statistics(name, queues)
    return PoolNumbers(
        name,
        [region.name for region in rules.regions],
        list(rules.modes),
        [team.max_players for team in rules.teams for _ in range(team.quantity)],
        [
            QueueNumbers(region, mode, n.waiting, n.matchers, n.matches, round(n.matches_per_minute, 1), n.mean_wait)
            for (region, mode), n in zip(queues, numbers, strict=True)
        ],
    )
