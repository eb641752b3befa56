"""Sessions' timers: any gateway takes up what is due, by pushing its time ahead, and does what the session says. If it dies over that, another one does."""

import asyncio
import logging
import random
import time

from matchmaking.store import keys
from matchmaking.store.errors import StoreError
from matchmaking.store.session_values import Timer
from matchmaking.store.sessions import attend
from matchmaking.telemetry.logs import happened

from . import sessions
from .hub import Hub

EVERY = 0.2  # s
AHEAD = 3.0  # s; longer than a look takes under load
LIMIT = 100  # matches of one shard at once
_log = logging.getLogger(__name__)


async def keep_time(hub: Hub) -> None:
    """Look after sessions for ever."""
    while True:
        await asyncio.sleep(EVERY * random.uniform(0.8, 1.2))
        try:
            if hub.stale_states:
                hub.stale_states = False
                await sessions.send_states(hub)
            await look(hub)
        except StoreError as error:
            happened(_log, "timers put off", level=logging.WARNING, error=str(error))


async def look(hub: Hub) -> int:
    """Attend to what is due now; how many matches that were."""
    taken = await asyncio.gather(*(hub.store.timer_take(shard, AHEAD, LIMIT) for shard in keys.timer_shards()))
    timers = [timer for shard in taken for timer in shard]
    results = await asyncio.gather(*(_attend(hub, timer) for timer in timers), return_exceptions=True)
    for result in results:
        if isinstance(result, StoreError):
            raise result
        if isinstance(result, BaseException):
            _log.error("a session could not be attended to", exc_info=result)  # taken up again after AHEAD; it holds up no other
    return len(timers)


async def _attend(hub: Hub, timer: Timer) -> None:
    session = await attend(hub.store, timer)
    if session is not None and session.wants_server(time.time() + 1):
        hub.spawn(hub.allocation.allocate(hub.store, session))
