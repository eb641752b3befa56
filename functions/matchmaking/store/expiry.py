"""Ends tickets that waited too long or whose players are gone. Any gateway or matcher may do it, any number at once: the script decides."""

import asyncio
import time

from matchmaking.core.pool import PoolRules
from matchmaking.protocol.events import rfc3339

from . import values
from .interface import Store
from .joining import record_decoder, ticket_ended
from .relay import relay

LIMIT = 200  # tickets of one queue at once


async def expire_overdue(store: Store, pool: str, region: str, mode: str, rules: PoolRules) -> int:
    """End a queue's overdue tickets and tell their players; how many ended."""
    ttl, grace = float(rules.ticket.ttl), float(rules.ticket.reconnect_grace)
    waiters = await store.overdue(pool, region, mode, ttl, grace, LIMIT)
    ended = await asyncio.gather(*(_expire(store, values.Place(w.ticket, pool, region, mode), w, ttl, grace) for w in waiters))
    return sum(ended)


async def _expire(store: Store, place: values.Place, waiter: values.Waiter, ttl: float, grace: float) -> bool:
    players = [player.id for player in record_decoder.decode(waiter.record).players] if waiter.record else []
    timestamp = rfc3339(time.time())
    entries = {reason: ticket_ended(place, players, reason, timestamp) for reason in ("expired", "disconnected")}
    leader = players[0] if players else ""
    expiry = await store.expire(place, leader, ttl, grace, entries["expired"], entries["disconnected"])
    if expiry.entry:
        await relay(store, values.PendingEntry(expiry.entry, entries[expiry.status]))
    return bool(expiry.entry)
