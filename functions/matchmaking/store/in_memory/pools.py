"""Profiles, pools, numbers, and the store itself."""

from collections.abc import Sequence

from matchmaking.core.pool import PoolRules
from matchmaking.store import keys, values
from matchmaking.store.interface import LONG_WINDOW_MS, MATCHER_MS, PRESENCE_MS, WAIT_WINDOW_MS, WAIT_WINDOWS

from .state import MemoryPart


class MemoryPools(MemoryPart):
    """See `interface.PoolStore`."""

    async def preferences(self, player: str) -> bytes | None:
        """The player's preferences."""
        return self._player(player).preferences

    async def put_preferences(self, player: str, data: bytes) -> None:
        """Replace them."""
        self._player(player).preferences = data

    async def put_pool(self, name: str, rules: PoolRules) -> int:
        """A new revision if anything changed."""
        keys.waiting(name, "check", "check")
        revision, before = self._rules.get(name, (0, None))
        if before != rules:
            revision += 1
            self._rules[name] = (revision, rules)
        return revision

    async def pools(self) -> dict[str, tuple[int, PoolRules]]:
        """Name → revision and rules."""
        return dict(self._rules)

    async def queue_lengths(self, pool: str, queues: Sequence[tuple[str, str]]) -> list[int]:
        """Waiting tickets."""
        return [len(self._queue(pool, *queue).waiting) for queue in queues]

    async def queue_statistics(self, pool: str, queues: Sequence[tuple[str, str]]) -> list[values.QueueStatistics]:
        """Numbers of one pool's queues."""
        return await self.statistics_of([(pool, *queue) for queue in queues])

    async def statistics_of(self, queues: Sequence[tuple[str, str, str]]) -> list[values.QueueStatistics]:
        """Numbers of queues."""
        minute, part = divmod(self._now() / 60_000, 1)
        found = []
        for name in queues:
            queue = self._queue(*name)
            workers = sum(seen >= self._now() - MATCHER_MS for seen in queue.workers.values())
            rate = queue.minutes.get(int(minute), 0) + queue.minutes.get(int(minute) - 1, 0) * (1 - part)
            mean = None if queue.mean_ms is None else queue.mean_ms / 1000
            counts = [0] * (len(values.WAIT_BUCKETS) + 1)
            for (window, bucket), count in queue.waits.items():
                counts[bucket] += count if window > self._now() // WAIT_WINDOW_MS - WAIT_WINDOWS else 0
            found.append(values.QueueStatistics(len(queue.waiting), workers, queue.matches, queue.tickets, rate, mean, tuple(counts)))
        return found

    async def window(self, pool: str, region: str, mode: str, quarters: int) -> values.WindowCounts:
        """See `window.lua`."""
        first = self._now() // LONG_WINDOW_MS - quarters + 1
        sums: dict[str, int] = {}
        for (window, counter), number in self._queue(pool, region, mode).windows.items():
            if window >= first:
                sums[counter] = sums.get(counter, 0) + number
        return values.WindowCounts(first * LONG_WINDOW_MS, sums)

    async def connected(self) -> int:
        """Players with a recent sign of life."""
        return sum(seen >= self._now() - PRESENCE_MS for seen in self._presence.values())

    async def epoch(self) -> str:
        """One life long."""
        return self._epoch

    async def ping(self) -> None:
        """Always answers."""
