"""Does for one machine what KEDA's ScaledJobs do for a cluster: looks at each pool's queues every second, and starts matchers by the same arithmetic.

A matcher ends by itself when it is idle or at its lifetime; here it is only reaped, and stopped when we stop.
"""

import asyncio
import logging
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from matchmaking.core.pool import MatchmakingPool
from matchmaking.core.scaling import desired_matchers
from matchmaking.store.errors import StoreError
from matchmaking.store.interface import Store
from matchmaking.store.tasks import end_tasks
from matchmaking.telemetry.logs import happened

from . import children

POLL = 1.0  # s, as KEDA's pollingInterval in the chart
_log = logging.getLogger(__name__)

StartMatcher = Callable[[str, str], Awaitable[children.Child]]


def matcher_processes(redis_url: str, log_level: str) -> StartMatcher:
    """Starts real `matchmaking matcher` processes on this Redis."""
    env = {"MATCHMAKING_REDIS_URL": redis_url, "MATCHMAKING_LOG_FORMAT": "text", "MATCHMAKING_LOG_LEVEL": log_level}

    async def start(pool: str, region: str) -> children.Child:
        return await children.spawn(sys.executable, "-m", "matchmaking.cli", "matcher", "--pool", pool, "--region", region, env=env)

    return start


class Autoscaler:
    """Starts matchers for pools, and counts them."""

    def __init__(self, store: Store, pools: Sequence[MatchmakingPool], start: StartMatcher) -> None:
        self._store, self._pools, self._start = store, pools, start
        self._running: dict[tuple[str, str], set[children.Child]] = defaultdict(set)
        self._reaping: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """How many matchers run."""
        return sum(map(len, self._running.values()))

    @asynccontextmanager
    async def scaling(self) -> AsyncIterator[None]:
        """Scale for as long as the block lasts; then stop every matcher."""
        task = asyncio.create_task(self._scale(), name="autoscaler")
        try:
            yield
        finally:
            await end_tasks([task])
            await self.stop()

    async def poll(self) -> None:
        """Look at every pool's regions once, and start what is missing."""
        for pool in self._pools:
            rules = pool.spec
            lengths = await self._store.queue_lengths(pool.name, [(region.name, mode) for region in rules.regions for mode in rules.modes])
            for i, region in enumerate(rules.regions):
                waiting = lengths[i * len(rules.modes) : (i + 1) * len(rules.modes)]
                for _ in range(desired_matchers(rules, region.name, waiting, len(self._running[pool.name, region.name]))):
                    await self._start_one(pool.name, region.name)

    async def stop(self) -> None:
        """Stop every matcher, and wait until they are gone."""
        await children.stop([child for running in self._running.values() for child in running])
        if self._reaping:
            await asyncio.wait(self._reaping)

    async def _scale(self) -> None:
        while True:
            try:
                await self.poll()
            except StoreError as error:
                happened(_log, "autoscaler could not look", level=logging.WARNING, error=str(error))
            except OSError as error:
                happened(_log, "matcher not started", level=logging.ERROR, error=str(error))
            await asyncio.sleep(POLL)

    async def _start_one(self, pool: str, region: str) -> None:
        child = await self._start(pool, region)
        self._running[pool, region].add(child)
        happened(_log, "matcher process started", pool=pool, region=region, matcher=child.pid)
        task = asyncio.create_task(self._reap(pool, region, child), name=f"matcher {child.pid}")
        self._reaping.add(task)
        task.add_done_callback(self._reaping.discard)

    async def _reap(self, pool: str, region: str, child: children.Child) -> None:
        since = time.monotonic()
        code = await child.wait()
        self._running[pool, region].discard(child)
        level = logging.INFO if code == 0 else logging.WARNING
        seconds = round(time.monotonic() - since, 1)
        happened(_log, "matcher process ended", level=level, pool=pool, region=region, matcher=child.pid, code=code, seconds=seconds)
