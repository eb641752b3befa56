"""Players who wait until a pool's rules let them meet: what is done to the system meanwhile must cost none of them its place."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from matchmaking.client import Client
from support.cluster import Manifest, eventually_async, pool
from support.release import Release, matched, player

CONNECTING = 50  # at once; the point is not how fast they come


def patience(name: str, distance: float) -> Manifest:
    """A pool in which players meet whose levels are no further apart."""
    rule = {"name": "level", "type": "distance", "attribute": "level", "maxDistance": distance}
    return pool(name, rules=[rule], ticket={"ttl": "15m", "reconnectGrace": "2m"})


@asynccontextmanager
async def crowd(release: Release, url: str, names: list[str]) -> AsyncIterator[list[Client]]:
    """Connected players."""
    slots = asyncio.Semaphore(CONNECTING)
    async with AsyncExitStack() as stack:

        async def connect(name: str) -> Client:
            async with slots:
                return await stack.enter_async_context(player(release, url, name))

        yield list(await asyncio.gather(*(connect(name) for name in names)))


@asynccontextmanager
async def waiting_players(release: Release, url: str, count: int) -> AsyncIterator[list[Client]]:
    """Players who all wait, and none of whom may meet another. At the end they may; then each is matched once, with the ticket that it had, or the test fails."""
    crew = secrets.token_hex(3)
    name = f"patience-{crew}"  # its own: a matcher of an earlier pool of that name would go by that pool's rules for a moment
    await asyncio.to_thread(release.declare, patience(name, 1))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, release.namespace.kubectl, "delete", "mmp", name, "--timeout=30s")
        players = await stack.enter_async_context(crowd(release, url, [f"{crew}-{i}" for i in range(count)]))
        joined = await asyncio.gather(*(each.join(name, "eu", "ranked", attributes={"level": 10.0 * i}) for i, each in enumerate(players)))
        yield players
        await eventually_async("every ticket is there", lambda: length(release, name) == count)
        await asyncio.to_thread(release.namespace.apply, patience(name, 1_000_000))
        found = await asyncio.wait_for(asyncio.gather(*(matched(each) for each in players)), 120)
        assert [each.ticket_id for each in found] == [each.ticket_id for each in joined]
        matches: dict[str, list[Any]] = {}
        for each in found:
            matches.setdefault(each.match_id, []).append(each)
        assert sorted(len(each) for each in matches.values()) == [2] * (count // 2)


def length(release: Release, name: str) -> int:
    """Tickets that wait, as KEDA sees them."""
    return int(release.redis("ZCARD", f"pool:{{{name}}}:queue:eu:ranked:waiting") or 0)
