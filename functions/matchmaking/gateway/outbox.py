"""A player's outbox as a socket needs it: read after a number, trimmed by an ack."""

import asyncio
import random

from matchmaking.protocol import connection as protocol
from matchmaking.store.errors import StoreUnavailableError

from .hub import Hub
from .session import Session


async def read(hub: Hub, session: Session, after: int) -> None:
    """Fetch what the socket has missed; tried until the store answers."""
    while hub.sessions.get(session.player) is session and not session.connection.closing:
        generation = session.connection.generation
        try:
            found = await hub.store.outbox(session.player, after)
        except StoreUnavailableError:
            await asyncio.sleep(random.uniform(0.2, 0.6))
            continue
        if session.connection.generation == generation and not session.renewing:  # else it began anew meanwhile
            session.feed(protocol.OutboxRead(found.events, found.seq, found.generation))
        return


async def trim(hub: Hub, session: Session, upto: int) -> None:
    """The client has dealt with its events up to a number."""
    await hub.store.trim(session.player, upto)
