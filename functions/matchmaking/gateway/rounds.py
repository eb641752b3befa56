"""What a gateway does again and again: signs of life, positions, and sweeping up what others left behind."""

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from matchmaking.protocol import connection as protocol
from matchmaking.protocol.messages import Why
from matchmaking.store.errors import StoreError
from matchmaking.store.expiry import expire_overdue
from matchmaking.store.own_faults import SIGN_EVERY
from matchmaking.store.relay import sweep
from matchmaking.telemetry.logs import happened

from . import arrival, timers
from .exporter import EXPORT_EVERY, export_shared, measure_sockets, watch_loop
from .hub import Hub
from .party_watch import look_after_parties

TICK = 1.0  # s
TOUCH_EVERY = 5.0  # s; far below every pool's reconnect grace
PRESENCE_EVERY = 10.0  # s; PRESENCE_MS forgets a player after four and a half of them
EPOCH_EVERY = 1.0  # s
KEEP_EVERY = 3600.0  # s; CONNECTION_SECONDS is 25 of them
SWEEP_EVERY = 1.0  # s
PARTIES_EVERY = 2.0  # s
POSITIONS_EVERY = 2.0  # s, for queues of which no round tells
CHUNK = 1000  # players or tickets in one script call

_why = msgspec.json.Decoder(Why)
_log = logging.getLogger(__name__)
Queue = tuple[str, str, str]


def background(hub: Hub) -> list[Coroutine[Any, Any, None]]:
    """All of a gateway's periodic work, to be awaited together."""
    return [
        _every(SIGN_EVERY, hub, give_sign, at_once=True),
        _every(TICK, hub, tick),
        _every(TICK, hub, push_positions),
        _every(EPOCH_EVERY, hub, check_epoch),
        _every(KEEP_EVERY, hub, keep_connections),
        _every(POSITIONS_EVERY, hub, mark_positions),
        _every(TOUCH_EVERY, hub, touch_tickets),
        _every(PRESENCE_EVERY, hub, show_presence),
        _every(SWEEP_EVERY, hub, sweep_pools),
        _every(PARTIES_EVERY, hub, look_after_parties),
        _every(EXPORT_EVERY, hub, export_shared),
        _every(TICK, hub, measure_sockets),
        watch_loop(hub),
        hub.pools.keep_fresh(),
        timers.keep_time(hub),
    ]


async def _every(seconds: float, hub: Hub, work: Callable[[Hub], Awaitable[None]], *, at_once: bool = False) -> None:
    while True:
        if not at_once:
            await asyncio.sleep(seconds * random.uniform(0.9, 1.1))  # gateways started together drift apart
        at_once = False
        try:
            await work(hub)
        except StoreError as error:
            happened(_log, "background work put off", level=logging.WARNING, reason=work.__name__, error=str(error))


async def give_sign(hub: Hub) -> None:
    """This gateway lives: its players' silence is their own. At once, because it may die before the first half second is over."""
    await hub.store.gateway_lives(hub.id)


async def tick(hub: Hub) -> None:
    """Close sockets whose client has gone silent."""
    now = time.time()
    for session in list(hub.sessions.values()):
        session.feed(protocol.Tick(), now)


async def check_epoch(hub: Hub) -> None:
    """What was stored may have been rolled back: then every session begins anew."""
    before = await hub.current_epoch()
    if await hub.read_epoch() != before:
        happened(_log, "the store's history changed", level=logging.WARNING, count=len(hub.sessions))
        await arrival.renew_all(hub)


async def keep_connections(hub: Hub) -> None:
    """What the store knows of a player who stays connected must not expire."""
    players = list(hub.sessions)
    for i in range(0, len(players), CHUNK):
        await hub.store.keep(players[i : i + CHUNK])


def _waiting(hub: Hub) -> dict[Queue, list[str]]:
    queues: dict[Queue, list[str]] = defaultdict(list)
    for player, session in hub.sessions.items():
        waiting = session.connection.waiting
        if waiting is not None:
            place = waiting.place
            queues[place.pool, place.region, place.mode].append(player)
    return queues


async def touch_tickets(hub: Hub) -> None:
    """The tickets of players who are connected here are alive."""
    pools: dict[str, list[str]] = defaultdict(list)
    for session in hub.sessions.values():
        if session.connection.waiting is not None:
            place = session.connection.waiting.place
            pools[place.pool].append(place.ticket_id)
    for pool, tickets in pools.items():
        for i in range(0, len(tickets), CHUNK):
            await hub.store.touch(pool, tickets[i : i + CHUNK])


async def show_presence(hub: Hub) -> None:
    """The players who are connected here are connected."""
    players = list(hub.sessions)
    for i in range(0, max(1, len(players)), CHUNK):
        await hub.store.presence(players[i : i + CHUNK])


async def mark_positions(hub: Hub) -> None:
    """Every queue with waiting players here is looked at now and then, whether or not a matcher runs."""
    hub.stale_positions.update(_waiting(hub))


async def push_positions(hub: Hub) -> None:
    """Tell waiting players how they stand, if it changed."""
    queues = _waiting(hub)
    stale, hub.stale_positions = hub.stale_positions, set()
    for queue in stale & queues.keys():
        players = queues[queue]
        for i in range(0, len(players), CHUNK):
            await _push(hub, queue, players[i : i + CHUNK])


async def _push(hub: Hub, queue: Queue, players: list[str]) -> None:
    sessions = [session for player in players if (session := hub.sessions.get(player)) and session.connection.waiting]
    tickets = [session.connection.waiting.place.ticket_id for session in sessions if session.connection.waiting]
    standings = await hub.store.positions(*queue, tickets)
    for session, ticket, standing in zip(sessions, tickets, standings.tickets, strict=True):
        reason = _why.decode(standing.reason) if standing.reason else None
        session.feed(protocol.Looked(ticket, standing.position, standings.length, standings.mean_wait, reason))


async def sweep_pools(hub: Hub) -> None:
    """Relay what others left behind, and end overdue tickets. Every gateway does; the scripts see to it that nothing happens twice."""
    for name, rules in hub.pools.items():
        hub.metrics.relayed.inc(await sweep(hub.store, name))
        queues = [(region.name, mode) for region in rules.regions for mode in rules.modes]
        lengths = await hub.store.queue_lengths(name, queues)
        for (region, mode), length in zip(queues, lengths, strict=True):
            if length:
                hub.metrics.ended.inc(await expire_overdue(hub.store, name, region, mode, rules))
