"""Profiles, pools, numbers, and the store itself."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from matchmaking.core.pool import PoolRules, decode_rules, encode_rules
from matchmaking.store import keys, values
from matchmaking.store.interface import LONG_WINDOW_MS, MATCHER_MS, PRESENCE_MS, WAIT_WINDOW_MS, WAIT_WINDOWS

from .base import RedisPart, queue_keys, seconds

_encoder = msgspec.json.Encoder()
_Pool = msgspec.json.Decoder(tuple[int, msgspec.Raw])
STATISTICS_CHUNK = 300  # queues in one pipeline


class RedisPools(RedisPart):
    """See `interface.PoolStore`."""

    async def preferences(self, player: str) -> bytes | None:
        """A field of the profile."""
        found: bytes | None = await self._calls.command("HGET", keys.profile(player), "preferences")
        return found

    async def put_preferences(self, player: str, data: bytes) -> None:
        """A field of the profile."""
        await self._calls.command("HSET", keys.profile(player), "preferences", data)

    async def put_pool(self, name: str, rules: PoolRules) -> int:
        """One writer (the operator, or `matchmaking dev`), so reading before writing is no race."""
        keys.waiting(name, "check", "check")  # raises on a name that must not get into a key
        compiled = encode_rules(rules)
        held = await self._plain(self._client.hget(keys.POOLS, name))
        revision, before = _Pool.decode(held) if held else (0, msgspec.Raw(b""))
        if bytes(before) == compiled:
            return revision
        await self._plain(self._client.hset(keys.POOLS, name, cast("Any", _encoder.encode((revision + 1, msgspec.Raw(compiled))))))
        return revision + 1

    async def pools(self) -> dict[str, tuple[int, PoolRules]]:
        """The operator's hash."""
        found = await self._plain(self._client.hgetall(keys.POOLS))
        decoded = {name.decode(): _Pool.decode(data) for name, data in found.items()}
        return {name: (revision, decode_rules(bytes(rules))) for name, (revision, rules) in decoded.items()}

    async def queue_lengths(self, pool: str, queues: Sequence[tuple[str, str]]) -> list[int]:
        """ZCARDs, as KEDA reads them."""
        pipeline = self._client.pipeline(transaction=False)
        for region, mode in queues:
            pipeline.zcard(queue_keys(pool, region, mode).waiting)
        lengths: list[int] = await self._plain(pipeline.execute())
        return lengths

    async def queue_statistics(self, pool: str, queues: Sequence[tuple[str, str]]) -> list[values.QueueStatistics]:
        """Numbers of one pool's queues."""
        return await self.statistics_of([(pool, *queue) for queue in queues])

    async def statistics_of(self, queues: Sequence[tuple[str, str, str]]) -> list[values.QueueStatistics]:
        """The rate is that of the last 60 s, taking the previous minute's matches as evenly spread."""
        found: list[values.QueueStatistics] = []
        for i in range(0, len(queues), STATISTICS_CHUNK):
            found += await self._some_statistics(queues[i : i + STATISTICS_CHUNK])
        return found

    async def _some_statistics(self, queues: Sequence[tuple[str, str, str]]) -> list[values.QueueStatistics]:
        now = await self._now_ms()
        minute, part = divmod(now / 60_000, 1)
        pipeline = self._client.pipeline(transaction=False)
        for each in queues:
            queue = queue_keys(*each)
            pipeline.zcard(queue.waiting)
            pipeline.zcount(queue.workers, now - MATCHER_MS, "+inf")
            pipeline.hgetall(queue.statistics)
        replies = await self._plain(pipeline.execute())
        return [
            values.QueueStatistics(
                waiting,
                matchers,
                int(found.get(b"matches", 0)),
                int(found.get(b"tickets", 0)),
                int(found.get(b"minute:%d" % minute, 0)) + int(found.get(b"minute:%d" % (minute - 1), 0)) * (1 - part),
                seconds(found.get(b"mean_wait_ms", b"")),
                _recent_waits(found, now // WAIT_WINDOW_MS),
            )
            for waiting, matchers, found in zip(replies[::3], replies[1::3], replies[2::3], strict=True)
        ]

    async def window(self, pool: str, region: str, mode: str, quarters: int) -> values.WindowCounts:
        """See `window.lua`."""
        reply = await self._calls.call("window", [queue_keys(pool, region, mode).windows], LONG_WINDOW_MS, quarters)
        found = reply[2]
        return values.WindowCounts(int(reply[1]), {found[i].decode(): int(found[i + 1]) for i in range(0, len(found), 2)})

    async def connected(self) -> int:
        """Players with a recent sign of life."""
        now = await self._now_ms()
        return int(await self._plain(self._client.zcount(keys.PRESENCE, now - PRESENCE_MS, "+inf")))

    async def ping(self) -> None:
        """Raises if Redis does not answer."""
        await self._plain(self._client.ping())


def _recent_waits(statistics: dict[bytes, bytes], window: int) -> tuple[int, ...]:
    counts = [0] * (len(values.WAIT_BUCKETS) + 1)
    for field, count in statistics.items():
        if field.startswith(b"waits:"):
            of, bucket = field[6:].split(b":")
            if int(of) > window - WAIT_WINDOWS:
                counts[int(bucket)] += int(count)
    return tuple(counts)
