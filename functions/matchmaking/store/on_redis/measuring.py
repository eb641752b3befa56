"""What everybody counts together, and who exports it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from matchmaking.protocol.messages import Why
from matchmaking.store import keys
from matchmaking.store.interface import COUNTED_MS, EXPORTER_MS, MATCHER_MS
from matchmaking.telemetry.readings import QueueReading

from .base import RedisPart, pool_keys, queue_keys

_why = msgspec.json.Decoder(Why)
NOT_COUNTS = (
    b"minute:",
    b"waits:",
    b"mean_wait_ms",
    b"waited_ms",
    b"matches",
    b"tickets",
)  # fields of the statistics for players' estimates


class RedisMeasuring(RedisPart):
    """See `interface.MeasuringStore`."""

    async def count(self, pool: str, region: str, mode: str, matcher: str, batch: int, counts: Mapping[str, int]) -> bool:
        """See `count.lua`."""
        names = [queue_keys(pool, region, mode).statistics, keys.counted(pool, matcher)]
        pairs = [word for pair in counts.items() for word in pair]
        return bool((await self._calls.call("count", names, matcher, batch, COUNTED_MS, *pairs))[2])

    async def elect(self, gateway: str, *, leave: bool = False) -> bool:
        """See `elect.lua`."""
        return bool((await self._calls.call("elect", [keys.EXPORTER], gateway, EXPORTER_MS, "1" if leave else ""))[2])

    async def readings(self, pool: str, queues: Sequence[tuple[str, str]]) -> list[QueueReading]:
        """One pipeline for all queues of a pool."""
        now = await self._now_ms()
        pipeline = self._client.pipeline(transaction=False)
        for region, mode in queues:
            queue = queue_keys(pool, region, mode)
            pipeline.hgetall(queue.statistics)
            pipeline.zcard(queue.waiting)
            pipeline.zrange(queue.waiting, 0, 0, withscores=True)
            pipeline.zcount(queue.workers, now - MATCHER_MS, "+inf")
            pipeline.hvals(queue.reasons)
        replies = await self._plain(pipeline.execute())
        return [_reading(pool, region, mode, now, *replies[5 * i : 5 * i + 5]) for i, (region, mode) in enumerate(queues)]

    async def relay_backlog(self, pool: str) -> tuple[int, float]:
        """The stream's ids begin with the time of their writing."""
        outbox = pool_keys(pool).outbox
        length = int(await self._calls.command("XLEN", outbox))
        oldest = await self._calls.command("XRANGE", outbox, "-", "+", "COUNT", 1) if length else ()
        now = await self._now_ms()
        return length, max(0.0, (now - int(oldest[0][0].split(b"-")[0])) / 1000) if oldest else 0.0

    async def timer_backlog(self) -> tuple[int, float]:
        """Over all shards."""
        count, first = 0, float("inf")
        for shard in keys.timer_shards():
            length = int(await self._calls.command("ZCARD", shard))
            due = await self._plain(self._client.zrange(shard, 0, 0, withscores=True)) if length else ()
            count += length
            first = min([first, *(float(score) for _, score in due)])
        now = await self._now_ms()
        return count, max(0.0, (now - first) / 1000)


def _reading(
    pool: str,
    region: str,
    mode: str,
    now: int,
    statistics: dict[bytes, bytes],
    waiting: int,
    oldest: Any,
    matchers: int,
    reasons: list[bytes],
) -> QueueReading:
    counts = {name.decode(): int(number) for name, number in statistics.items() if not name.startswith(NOT_COUNTS)}
    age = max(0.0, (now - float(oldest[0][1])) / 1000) if oldest else 0.0
    return QueueReading(pool, region, mode, counts, waiting, age, matchers, Counter(_why.decode(reason).rule for reason in reasons))
