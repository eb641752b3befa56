"""The pools as this gateway knows them, refreshed from the store in the background."""

import asyncio
import logging
import time

from matchmaking.core.admission import Admission
from matchmaking.core.pool import PoolRules
from matchmaking.store.errors import StoreError
from matchmaking.store.interface import Store
from matchmaking.telemetry.logs import happened

REFRESH_EVERY = 2.0  # s
MISS_PAUSE = 0.1  # s
_log = logging.getLogger(__name__)


class Pools:
    """Name → rules, with the revision that the operator gave them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[int, PoolRules]] = {}
        self._doors: dict[str, Admission] = {}
        self._read = float("-inf")
        self._lock = asyncio.Lock()

    def get(self, name: str) -> PoolRules | None:
        """The rules of a pool, as last read."""
        found = self._known.get(name)
        return found[1] if found else None

    def door(self, name: str, rules: PoolRules) -> Admission:
        """What a pool with these rules takes; what it has found out is kept for as long as they are the same object."""
        door = self._doors.get(name)
        if door is None or door.rules is not rules:
            door = self._doors[name] = Admission(rules)
        return door

    def items(self) -> list[tuple[str, PoolRules]]:
        """All pools, by name."""
        return [(name, rules) for name, (_, rules) in sorted(self._known.items())]

    def revisions(self) -> dict[str, tuple[int, PoolRules]]:
        """All pools: name → revision and rules."""
        return dict(sorted(self._known.items()))

    async def find(self, name: str) -> PoolRules | None:
        """The rules of a pool; a name that is unknown is looked up, but however many ask, the store is read at most every `MISS_PAUSE`."""
        asked = time.monotonic()
        if name not in self._known:
            async with self._lock:
                if self._read <= asked:  # else the read that we waited for has answered us too
                    await asyncio.sleep(max(0.0, self._read + MISS_PAUSE - asked))
                    await self.refresh()
        return self.get(name)

    async def refresh(self) -> None:
        """Read all pools."""
        self._read = time.monotonic()
        pools = await self._store.pools()
        for name in pools.keys() | self._known.keys():
            before, after = self._known.get(name, (0, None))[0], pools.get(name, (0, None))[0]
            if before != after:
                happened(_log, "pool changed", pool=name, revision=after)
        self._known = {name: known if (known := self._known.get(name)) == found else found for name, found in pools.items()}
        self._doors = {name: door for name, door in self._doors.items() if name in pools}

    async def keep_fresh(self) -> None:
        """Refresh for ever."""
        while True:
            try:
                await self.refresh()
            except StoreError as error:
                happened(_log, "pools not refreshed", level=logging.WARNING, error=str(error))
            await asyncio.sleep(REFRESH_EVERY)
