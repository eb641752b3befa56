"""Who declared a pool, and the end of pools and queues that are declared no longer."""

from matchmaking.store import keys, values
from matchmaking.store.interface import MATCHER_MS

from .state import MemoryPart


class MemoryOwners(MemoryPart):
    """See `interface.OwnerStore`."""

    async def claim_pool(self, name: str, namespace: str) -> values.PoolOwner:
        """The first one owns it."""
        keys.waiting(name, "check", "check")
        owner = self._owners.setdefault(name, values.PoolOwner(namespace))
        if owner.namespace == namespace:
            owner = self._owners[name] = values.PoolOwner(namespace)
        return owner

    async def pool_owners(self) -> dict[str, values.PoolOwner]:
        """Name → owner."""
        return dict(self._owners)

    async def delete_pool(self, name: str) -> values.PoolOwner | None:
        """Rules go, tickets stay."""
        owner = self._owners.get(name)
        if owner is not None and owner.deleted_ms is None:
            owner = self._owners[name] = values.PoolOwner(owner.namespace, self._now())
        if owner is not None:
            self._rules.pop(name, None)
        return owner

    async def known_queues(self, pool: str) -> list[tuple[str, str]]:
        """Where tickets have waited."""
        return sorted((region, mode) for (name, region, mode), queue in self._queues.items() if name == pool and queue.number)

    async def forget_queue(self, pool: str, region: str, mode: str) -> bool:
        """See `forget_queue.lua`."""
        queue = self._queue(pool, region, mode)
        if queue.waiting or any(seen >= self._now() - MATCHER_MS for seen in queue.workers.values()):
            return False
        del self._queues[pool, region, mode]
        return True

    async def forget_pool(self, name: str) -> bool:
        """See `forget_pool.lua`."""
        if await self.known_queues(name) or self._pool(name).outbox:
            return False
        self._owners.pop(name, None)
        return True
