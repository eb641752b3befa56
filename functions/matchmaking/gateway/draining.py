"""How a gateway goes away without anybody losing anything (Hypercorn 0.18, Python 3.11 to 3.13).

Left to itself, Hypercorn cuts its sockets with 1011 after `graceful_timeout`, and only then runs the app's shutdown; from Python 3.12 on it first waits for
open sockets without end. So everything happens in our own shutdown trigger, before Hypercorn hears of it:

1. not ready any more, and upgrades are answered by 503: nobody new comes;
2. sockets on their way in are turned back with 1012;
3. every client is told `reconnect` with a moment of its own, and closed with 1012, in random order and evenly over half of the time: the other gateways see a
   stream, not a wave;
4. who has not answered the close within two seconds is cut;
5. HTTP requests under way get a moment, and what is left of the connections is reset, so that nothing is left to wait for.
"""

import asyncio
import logging
import random
import time

from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.messages import ReconnectData
from matchmaking.store.tasks import end_tasks
from matchmaking.telemetry.logs import happened

from .doorway import Doorway
from .hub import Hub
from .session import CLOSE_GRACE

SOONEST = 0.2  # s until a client should come back
EACH_SECOND = 2000  # clients that the other gateways take in comfortably
REQUESTS_GRACE = 1.0  # s for HTTP requests under way
STEP = 0.02  # s between two batches
_log = logging.getLogger(__name__)


async def drain(hub: Hub, doorway: Doorway, seconds: float) -> None:
    """Send everybody away within `seconds`."""
    started = time.monotonic()
    hub.draining = True
    for task in list(hub.opening):
        task.cancel()
    await _send_away(hub, seconds / 2)
    while (hub.sessions or hub.opening) and time.monotonic() - started < seconds - REQUESTS_GRACE:
        await asyncio.sleep(STEP)
    for session in list(hub.sessions.values()):
        session.abort()
    await doorway.shut(min(REQUESTS_GRACE, seconds))
    await end_tasks(hub.tasks)
    happened(_log, "gateway drained", gateway=hub.id, seconds=round(time.monotonic() - started, 2))


async def _send_away(hub: Hub, seconds: float) -> None:
    sessions = list(hub.sessions.values())
    random.shuffle(sessions)
    spread = max(1.0, len(sessions) / EACH_SECOND)
    batch = max(1, round(len(sessions) * STEP / max(STEP, seconds - CLOSE_GRACE)))
    for i, session in enumerate(sessions):
        if not session.connection.closing:
            session.send(ReconnectData(round(SOONEST + random.uniform(0, spread), 2)))
            session.close(CloseCode.SERVICE_RESTART)
        if i % batch == batch - 1:
            await asyncio.sleep(STEP)
