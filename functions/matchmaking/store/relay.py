"""The relay: copies entries of a pool's outbox to the outboxes of the players whom they concern.

Whoever committed an entry relays it at once. If that process dies first, the entry stays pending in the consumer group, and any gateway or matcher takes it
up after `LEFT_BEHIND`. Delivering twice does nothing, so nobody needs to know who else is at it.
"""

import asyncio

from . import values
from .interface import Store
from .sessions import after_opening, open_session

LEFT_BEHIND = 2.0  # s; longer than a relay takes under load, shorter than a player's patience
SWEEP = 100  # entries at once


async def relay(store: Store, pending: values.PendingEntry) -> dict[str, int]:
    """Deliver an entry to each of its players, then settle it.

    Returns:
        player id → the event's number in that player's outbox (0: delivered before).
    """
    opening = await open_session(store, pending.entry)
    entry = opening.entry
    numbers = await asyncio.gather(*(store.deliver(player, ticket, entry) for player, ticket in entry.players.items()))
    await store.settle(entry.pool, pending)
    await after_opening(store, opening)
    return dict(zip(entry.players, numbers, strict=True))


async def sweep(store: Store, pool: str, idle: float = LEFT_BEHIND) -> int:
    """Relay what others left behind; how many entries that were."""
    pendings = await store.left_behind(pool, idle, SWEEP)
    await asyncio.gather(*(relay(store, pending) for pending in pendings))
    return len(pendings)
