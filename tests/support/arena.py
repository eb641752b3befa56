"""Pools with a ready check, and players who are brought together in them over the wire."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from matchmaking.core.pool import PoolRules, load_pool
from matchmaking.store.connect import open_store
from support.gateways import Gateway, Player, matcher


def arena(**spec: Any) -> PoolRules:
    """Two sides of one, a ready check, and what `spec` says."""
    usual = {
        "regions": [{"name": "local"}],
        "modes": ["ranked"],
        "teams": [{"name": "side", "quantity": 2}],
        "acceptance": {"required": True, "timeout": "20s", "cooldowns": ["30s", "5m"]},
    }
    manifest = {"apiVersion": "gamesessions.dev/v1alpha1", "kind": "MatchmakingPool", "metadata": {"name": "arena"}, "spec": usual | spec}
    return load_pool(manifest).spec


async def put_arena(redis_url: str, **spec: Any) -> None:
    """Write the pool `arena`."""
    async with open_store(redis_url) as store:
        await store.put_pool("arena", arena(**spec))


@asynccontextmanager
async def found(served: Gateway, redis_url: str, *names: str, **spec: Any) -> AsyncIterator[tuple[str, list[Player]]]:
    """Players to whom a match of `arena` was proposed: its id, and their sockets. The matcher goes on."""
    await put_arena(redis_url, **spec)
    async with AsyncExitStack() as stack:
        players = [await stack.enter_async_context(served.player(name)) for name in names]
        for player in players:
            assert (await player.join(pool="arena"))["type"] == "queue_joined"
        await stack.enter_async_context(matcher(redis_url, "arena"))
        matches = {(await player.receive("match_found"))["data"]["match_id"] for player in players}
        assert len(matches) == 1
        yield matches.pop(), players
