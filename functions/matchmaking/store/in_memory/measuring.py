"""What everybody counts together, and who exports it."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from matchmaking.protocol.messages import Why
from matchmaking.store.calls import OnCalls
from matchmaking.store.interface import EXPORTER_MS, MATCHER_MS
from matchmaking.telemetry.readings import QueueReading

from .state import MemoryPart

_why = msgspec.json.Decoder(Why)


class MemoryMeasuring(MemoryPart):
    """See `interface.MeasuringStore`."""

    async def count(self, pool: str, region: str, mode: str, matcher: str, batch: int, counts: Mapping[str, int]) -> bool:
        """See `count.lua`."""
        of = self._pool(pool)
        if of.counted.get(matcher, 0) >= batch:
            return False
        of.counted[matcher] = batch
        self._queue(pool, region, mode).count(counts)
        return True

    def observe(self, on_calls: OnCalls) -> None:
        """There are no calls."""

    async def elect(self, gateway: str, *, leave: bool = False) -> bool:
        """See `elect.lua`."""
        holder, until = self._exporter
        if holder != gateway and until > self._now():
            return False
        self._exporter = ("", 0) if leave else (gateway, self._now() + EXPORTER_MS)
        return not leave

    async def readings(self, pool: str, queues: Sequence[tuple[str, str]]) -> list[QueueReading]:
        """How queues stand."""
        found, now = [], self._now()
        for name in queues:
            queue = self._queue(pool, *name)
            age = max(0.0, (now - min(queue.waiting.values())) / 1000) if queue.waiting else 0.0
            matchers = sum(seen >= now - MATCHER_MS for seen in queue.workers.values())
            blocked = Counter(_why.decode(reason).rule for reason in queue.reasons.values())
            found.append(QueueReading(pool, *name, dict(queue.counts), len(queue.waiting), age, matchers, blocked))
        return found

    async def relay_backlog(self, pool: str) -> tuple[int, float]:
        """Entries and the age of the first."""
        since = [written for _, written in self._pool(pool).outbox.values()]
        return len(since), (self._now() - min(since)) / 1000 if since else 0.0

    async def timer_backlog(self) -> tuple[int, float]:
        """Over all matches."""
        due = self._timers.values()
        return len(due), max(0.0, (self._now() - min(due)) / 1000) if due else 0.0
