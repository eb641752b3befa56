"""Leaving against being matched: whoever leaves is told exactly one thing, and it is true."""

import asyncio
from random import Random

from matchmaking.protocol.events import MATCH_READY
from matchmaking.store.interface import Store
from matchmaking.store.joining import leave
from matchmaking.store.relay import relay
from support.arena import arena
from support.matches import commit, connect, join_arena, waiting

RACES = 150


async def race(store: Store, n: int, random: Random) -> str:
    """One race; what the leaver was told."""
    alice, bob, match = f"alice{n}", f"bob{n}", f"m{n}"
    await join_arena(store, alice)
    await join_arena(store, bob)
    mine = [ticket for ticket in await waiting(store) if ticket.players[0].id in (alice, bob)]
    generation = await connect(store, alice)

    async def commits() -> bool:
        await asyncio.sleep(random.uniform(0, 0.002))
        pending = await commit(store, match, arena(acceptance={}), [[mine[0]], [mine[1]]])
        if pending is None:
            return False
        await relay(store, pending)
        return True

    async def leaves():
        await asyncio.sleep(random.uniform(0, 0.002))
        return await leave(store, alice, generation, "", "2030-01-01T00:00:00.000Z")

    if n % 10 == 0:
        left, committed = await leaves(), await commits()
    elif n % 10 == 1:
        committed, left = await commits(), await leaves()
    else:
        committed, left = await asyncio.gather(commits(), leaves())
    events = [event.type for event in (await store.outbox(alice, 0)).events]
    if left.status == "left":
        assert not committed, "both had their way"
        assert events == ["ticket_ended"]
        assert [ticket.players[0].id for ticket in await waiting(store) if ticket.players[0].id == bob] == [bob], (
            "the other one lost the place"
        )
    else:
        assert committed
        assert events == [MATCH_READY]
        assert (left.status, left.detail) == ("already_matched", match)
    return left.status


async def test_leaving_against_being_matched(any_store: Store) -> None:
    random = Random(7)
    told: list[str] = []
    for batch in range(0, RACES, 10):
        told += await asyncio.gather(*(race(any_store, n, random) for n in range(batch, batch + 10)))
        for ticket in await waiting(any_store):  # so that the queue stays short
            name = ticket.players[0].id
            await leave(any_store, name, await connect(any_store, name), "", "2030-01-01T00:00:00.000Z")
    assert len(told) == RACES
    assert set(told) == {"left", "already_matched"}
