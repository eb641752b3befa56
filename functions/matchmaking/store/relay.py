"""The relay: copies entries of a pool's outbox to the outboxes of the players whom they concern.

Whoever committed an entry relays it at once. If that process dies first, the entry stays pending in the consumer group, and any gateway or matcher takes it
up after `LEFT_BEHIND`. Delivering twice does nothing, so nobody needs to know who else is at it.
"""

import asyncio
from collections.abc import Sequence

from matchmaking.core.session import Arrival, Session

from . import values
from .interface import Store
from .session_values import seed_decoder
from .sessions import after_opening, is_plain, open_plain, open_session

LEFT_BEHIND = 2.0  # s; longer than a relay takes under load, shorter than a player's patience
SWEEP = 500  # entries at once
TOGETHER = 64  # entries that go through each step together
UNDER_WAY = 4  # of those at once

Seeded = tuple[values.PendingEntry, Session | Arrival | None]  # an entry and the session that it makes, decoded


async def relay(store: Store, pending: values.PendingEntry) -> dict[str, int]:
    """Deliver an entry to each of its players, then settle it.

    Returns:
        player id → the event's number in that player's outbox (0: delivered before).
    """
    opening = await open_session(store, pending.entry)
    entry = opening.entry
    numbers = await store.deliver_all([(player, ticket, entry) for player, ticket in entry.players.items()])
    await store.settle(entry.pool, [pending])
    await after_opening(store, opening)
    return dict(zip(entry.players, numbers, strict=True))


async def relay_all(store: Store, pool: str, seeded: Sequence[Seeded]) -> None:
    """The same for many entries of a pool. Those whose session needs nothing but to be written, which are most, go through each step together."""
    plain = [(pending, seed) for pending, seed in seeded if isinstance(seed, Session) and is_plain(seed)]
    others = [relay(store, pending) for pending, seed in seeded if not is_plain(seed)]
    slots = asyncio.Semaphore(UNDER_WAY)

    async def together(some: Sequence[tuple[values.PendingEntry, Session]]) -> None:
        async with slots:
            await open_plain(store, [(pending.entry, seed) for pending, seed in some])
            await store.deliver_all(
                [(player, ticket, pending.entry) for pending, _ in some for player, ticket in pending.entry.players.items()]
            )
            await store.settle(pool, [pending for pending, _ in some])

    await asyncio.gather(*(together(plain[i : i + TOGETHER]) for i in range(0, len(plain), TOGETHER)), *others)


async def sweep(store: Store, pool: str, idle: float = LEFT_BEHIND) -> int:
    """Relay what others left behind; how many entries that were."""
    pendings = await store.left_behind(pool, idle, SWEEP)
    await relay_all(store, pool, [(pending, seed_decoder.decode(pending.entry.seed)) for pending in pendings])
    return len(pendings)
