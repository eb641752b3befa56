"""Who declared a pool, and the end of pools and queues that are declared no longer."""

from typing import Any, cast

import msgspec

from matchmaking.store import keys, values
from matchmaking.store.interface import MATCHER_MS

from .base import RedisPart, pool_keys, queue_keys

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(values.PoolOwner)


class RedisOwners(RedisPart):
    """See `interface.OwnerStore`."""

    async def claim_pool(self, name: str, namespace: str) -> values.PoolOwner:
        """HSETNX decides between two who claim at once."""
        keys.waiting(name, "check", "check")  # raises on a name that must not get into a key
        mine = _encoder.encode(values.PoolOwner(namespace))
        await self._plain(self._client.hsetnx(keys.POOL_OWNERS, name, cast("Any", mine)))
        owner = (await self.pool_owners())[name]
        if owner.namespace == namespace and owner.deleted_ms is not None:
            await self._plain(self._client.hset(keys.POOL_OWNERS, name, cast("Any", mine)))
            return values.PoolOwner(namespace)
        return owner

    async def pool_owners(self) -> dict[str, values.PoolOwner]:
        """Name → owner."""
        found = await self._plain(self._client.hgetall(keys.POOL_OWNERS))
        return {name.decode(): _decoder.decode(data) for name, data in found.items()}

    async def delete_pool(self, name: str) -> values.PoolOwner | None:
        """The mark first: who dies in between is continued by whoever finds it."""
        owner = (await self.pool_owners()).get(name)
        if owner is None:
            return None
        if owner.deleted_ms is None:
            owner = values.PoolOwner(owner.namespace, await self._now_ms())
            await self._plain(self._client.hset(keys.POOL_OWNERS, name, cast("Any", _encoder.encode(owner))))
        await self._plain(self._client.hdel(keys.POOLS, name))
        return owner

    async def known_queues(self, pool: str) -> list[tuple[str, str]]:
        """The change logs' numbers name them."""
        found = await self._plain(self._client.hkeys(pool_keys(pool).counters))
        queues = (field.decode().split(":") for field in found)
        return sorted((region, mode) for region, mode in queues)

    async def forget_queue(self, pool: str, region: str, mode: str) -> bool:
        """See `forget_queue.lua`."""
        queue = queue_keys(pool, region, mode)
        names = [queue.waiting, queue.log, queue.reasons, queue.workers, queue.statistics, pool_keys(pool).counters, queue.windows]
        reply = await self._calls.call("forget_queue", names, f"{region}:{mode}", MATCHER_MS)
        return bool(reply[1])

    async def forget_pool(self, name: str) -> bool:
        """See `forget_pool.lua`."""
        pool = pool_keys(name)
        reply = await self._calls.call("forget_pool", [pool.tickets, pool.alive, pool.counters, pool.outbox])
        if reply[1]:
            await self._plain(self._client.hdel(keys.POOL_OWNERS, name))
        return bool(reply[1])
