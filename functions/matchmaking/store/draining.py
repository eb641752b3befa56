"""Empties queues that are declared no longer: each waiting ticket is ended and its players told, then the queue's keys go.

Gateways learn of new rules within seconds and may let a ticket in meanwhile, so draining is not a deed but a habit: whoever keeps the rules calls it again
and again, and what came late is found the next time. Nothing is remembered between calls but what Redis holds, so a process may die at any step.
"""

import asyncio
import time
from collections.abc import Iterable

import msgspec

from matchmaking.protocol.events import rfc3339

from . import values
from .interface import LATE_JOIN_MS, Store
from .joining import record_decoder, ticket_ended
from .relay import relay, sweep

PAGE = 500  # tickets ended at once
SETTLED_MS = LATE_JOIN_MS + 10_000  # after a pool's deletion no join can be under way any more


async def drain_queues(store: Store, pool: str, declared: Iterable[tuple[str, str]], reason: str) -> int:
    """End the tickets of every queue of a pool that is not declared, and forget the queues; how many tickets ended."""
    ended = 0
    for region, mode in sorted(set(await store.known_queues(pool)) - set(declared)):
        while waiters := (await store.page(pool, region, mode, None, PAGE)).waiters:
            ended += sum(await asyncio.gather(*(_end(store, values.Place(w.ticket, pool, region, mode), w, reason) for w in waiters)))
        await store.forget_queue(pool, region, mode)
    return ended


async def _end(store: Store, place: values.Place, waiter: values.Waiter, reason: str) -> bool:
    try:
        players = [player.id for player in record_decoder.decode(waiter.record or b"").players]
    except msgspec.MsgspecError:
        players = []  # a record that nobody can read names nobody who could be told
    entry = ticket_ended(place, players, reason, rfc3339(time.time()))
    cancellation = await store.cancel(place, players[0] if players else "", reason, entry)
    if cancellation.status == "cancelled" and cancellation.detail:
        await relay(store, values.PendingEntry(cancellation.detail, entry))
    return cancellation.status == "cancelled"


async def drain_pool(store: Store, name: str) -> tuple[int, bool]:
    """Take one step of a pool's deletion: nobody joins it any more, its tickets are ended, at last its keys go.

    Returns:
        how many tickets ended, and whether the pool is gone for good.
    """
    owner = await store.delete_pool(name)
    if owner is None or owner.deleted_ms is None:
        return 0, True
    ended = await drain_queues(store, name, (), "pool_deleted")
    await sweep(store, name)
    if time.time() * 1000 < owner.deleted_ms + SETTLED_MS:
        return ended, False
    return ended, await store.forget_pool(name)
