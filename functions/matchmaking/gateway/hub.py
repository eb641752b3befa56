"""All sockets of one gateway, and what it does for them in the background.

Everything that a player's socket needs from the store goes through here; what comes by the bus is handed to the sockets from here.
"""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from matchmaking.protocol import connection as protocol
from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.events import SESSION_UPDATE, StoredEvent, match_ready_decoder, publication_decoder, rfc3339
from matchmaking.protocol.messages import (
    ClientMessage,
    HelloData,
    QueuePlace,
    ReconnectData,
    SnapshotData,
)
from matchmaking.store import values
from matchmaking.store.bus import Bus
from matchmaking.store.errors import StoreError, StoreUnavailableError
from matchmaking.store.interface import Store
from matchmaking.store.tasks import end_tasks
from matchmaking.telemetry.logs import happened
from matchmaking.telemetry.metrics import GatewayMetrics

from .allocation import Allocations
from .events import BROADCAST_HANDLERS, PLAYER_HANDLERS, match_found
from .pools import Pools
from .session import CloseSocket, Session, Write
from .session_view import current_session

RECENT_MATCH = 60.0  # s; a client that comes back later than this after its match was found is not told of it again
_log = logging.getLogger(__name__)


class Superseded(msgspec.Struct, frozen=True):
    """Tells a gateway that one of its connections was taken over."""

    player: str
    generation: int


_superseded = msgspec.json.Decoder(Superseded)


Perform = Callable[["Hub", Session, Any], None]  # carries out one effect


class Hub:
    """The sockets of one gateway; `perform` says what to do for each effect of a connection."""

    def __init__(
        self,
        redis_url: str,
        store: Store,
        pools: Pools,
        metrics: GatewayMetrics,
        heartbeat_interval: float,
        perform: "Mapping[type, Perform]",
        allocation: Allocations,
    ) -> None:
        self.id = f"gw-{secrets.token_hex(6)}"
        self.store, self.pools, self.metrics, self.perform = store, pools, metrics, perform
        self.sessions: dict[str, Session] = {}
        self.draining = False
        self.bus = Bus(redis_url, store, self.id, self._on_message, self._on_resync, metrics.bus_seconds.set)
        self.allocation = allocation
        self.stale_states = False
        self.stale_positions: set[tuple[str, str, str]] = set()
        self._heartbeat_interval = heartbeat_interval
        self._epoch = ""
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- connections -------------------------------------------------------------------------------------------------

    async def connect(self, player: str, write: Write, close_socket: CloseSocket) -> Session:
        """Make this socket the player's one live connection, and tell the client how it stands.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        if not self._epoch:
            self._epoch = await self.store.epoch()
        await self.bus.subscribe(player)  # first, so that nothing falls between the state read below and what is published
        state = await self.store.take_over(player, self.id, resumes=False)
        now = time.time()
        connection = protocol.Connection(player, state.generation, state.seq, now, self._heartbeat_interval)
        session = Session(self, connection, write, close_socket)
        older = self.sessions.get(player)
        self.sessions[player] = session
        if older is not None:
            older.feed(protocol.Superseded(state.generation))
        self.metrics.connections.set(len(self.sessions))
        session.send(HelloData(player, self._heartbeat_interval, self._epoch, state.seq, state.generation))
        await self._tell_state(session, state, now)
        self.spawn(self.store.presence([player]))
        return session

    async def _tell_state(self, session: Session, state: values.Takeover, now: float) -> None:
        waiting = match = None
        if state.held is not None:
            fate = await self.store.look(state.held, session.player)
            if fate.status == "waiting":
                held = state.held
                place = QueuePlace(held.ticket, held.pool, held.region, held.mode)
                waiting = protocol.Waiting(place, float(fate.detail) / 1000)
                session.connection = msgspec.structs.replace(session.connection, waiting=waiting)
                self.spawn(self.store.touch(held.pool, [held.ticket]))
                self.refresh_positions(held.pool, held.region, held.mode)
        elif state.match_data:
            ready = match_ready_decoder.decode(state.match_data)
            if rfc3339(now - RECENT_MATCH) < ready.timestamp:
                match = match_found(session.player, ready)
        current = await current_session(self.store, session.player)
        if waiting or match or current:
            session.send(SnapshotData(waiting.place if waiting else None, match, current))

    async def disconnect(self, session: Session) -> None:
        """The socket is gone; the ticket keeps its place for the pool's grace."""
        if self.sessions.get(session.player) is not session:
            return
        del self.sessions[session.player]
        self.metrics.connections.set(len(self.sessions))
        await self.bus.unsubscribe(session.player)
        try:
            if await self.store.disconnect(session.player, session.connection.generation):
                await self.store.absent(session.player)
        except StoreError as error:  # its signs of life stop anyway
            happened(_log, "disconnect not recorded", level=logging.WARNING, player=session.player, error=str(error))

    async def drain(self, seconds: float) -> None:
        """Send every client away, spread over the first half of the time given, and wait for them to go."""
        self.draining = True
        deadline = time.monotonic() + seconds
        sessions = list(self.sessions.values())
        pause = seconds / 2 / len(sessions) if sessions else 0.0
        for i, session in enumerate(sessions):
            session.send(ReconnectData(round(random.uniform(0.5, 3.0), 2)))
            session.close(CloseCode.SERVICE_RESTART)
            if pause > 0.001 or i % 100 == 99:
                await asyncio.sleep(min(pause, 0.02))
        while self.sessions and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        await end_tasks(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something in the background; what goes wrong is logged, never lost."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StoreUnavailableError):
            happened(_log, "store unavailable", level=logging.WARNING, error=str(error))
        elif error is not None:
            _log.error("a background task failed", exc_info=error)

    # --- what the bus brings -----------------------------------------------------------------------------------------

    def _on_message(self, channel: str, data: bytes) -> None:
        try:
            message = publication_decoder.decode(data).message
            kind, _, rest = channel.partition(":")
            if kind == "player":
                session = self.sessions.get(rest.removesuffix(":updates"))
                if session is None:
                    return
                if message.seq is not None:
                    session.feed(protocol.Published(StoredEvent(message.seq, message.type, bytes(message.data), message.timestamp)))
                elif message.type == SESSION_UPDATE and not session.connection.closing:
                    session.send_latest(f'{{"type":"game_state_update","data":{bytes(message.data).decode()}}}')
                    self.count_sent("game_state_update")
            elif kind == "gateway":
                taken = _superseded.decode(message.data)
                session = self.sessions.get(taken.player)
                if session is not None:
                    session.feed(protocol.Superseded(taken.generation))
            elif message.type in BROADCAST_HANDLERS:
                BROADCAST_HANDLERS[message.type](self, message)
        except msgspec.MsgspecError as error:  # somebody else's publication; it must not stop ours
            happened(_log, "bad publication", level=logging.WARNING, reason=channel, error=str(error))

    def _on_resync(self) -> None:
        happened(_log, "subscription renewed", count=len(self.sessions))
        self.stale_states = True
        for session in self.sessions.values():
            session.feed(protocol.Resync())

    def deliver(self, session: Session, event: StoredEvent) -> None:
        """Hand an outbox event to its handler."""
        handler = PLAYER_HANDLERS.get(event.type)
        if handler is None:
            happened(_log, "unknown event", level=logging.WARNING, reason=event.type)
            return
        handler(self, session, event)

    def refresh_positions(self, pool: str, region: str, mode: str) -> None:
        """This queue's players get their positions with the next tick."""
        self.stale_positions.add((pool, region, mode))

    def broadcast(self, text: str, kind: str) -> None:
        """Send an encoded message to everybody here."""
        for session in self.sessions.values():
            session.send_text(text)
        self.metrics.sent.labels(kind).inc(len(self.sessions))

    def count_received(self, kind: type[ClientMessage]) -> None:
        """Count a client's message."""
        self.metrics.received.labels(kind.__struct_config__.tag).inc()

    def count_sent(self, kind: str) -> None:
        """Count a message to a client."""
        self.metrics.sent.labels(kind).inc()
