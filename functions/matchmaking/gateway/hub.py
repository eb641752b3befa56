"""All sockets of one gateway, and what it does for them in the background.

Everything that a player's socket needs from the store goes through here; what comes by the bus is handed to the sockets from here.
"""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Coroutine
from typing import Any

import msgspec

from matchmaking.protocol import connection as protocol
from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.events import StoredEvent, match_ready_decoder, publication_decoder, rfc3339
from matchmaking.protocol.messages import (
    ClientMessage,
    ErrorData,
    HelloData,
    QueueJoinData,
    QueuePlace,
    ReconnectData,
    SnapshotData,
)
from matchmaking.store import values
from matchmaking.store.bus import Bus
from matchmaking.store.errors import StoreError, StoreUnavailableError
from matchmaking.store.interface import Store
from matchmaking.store.joining import Join, JoinOutcome, join, leave
from matchmaking.store.tasks import end_tasks
from matchmaking.telemetry.logs import happened
from matchmaking.telemetry.metrics import GatewayMetrics

from .errors import RefusedError
from .events import BROADCAST_HANDLERS, PLAYER_HANDLERS, match_found
from .pools import Pools
from .session import CloseSocket, Session, Write
from .tickets import Preferences, build_ticket, check_wish, complete, needs_preferences, preferences_decoder

RECENT_MATCH = 60.0  # s; a client that comes back later than this after its match was found is not told of it again
OPERATION_BYTES = 8  # of an operation id that we make because the client gave none
_log = logging.getLogger(__name__)


class Superseded(msgspec.Struct, frozen=True):
    """Tells a gateway that one of its connections was taken over."""

    player: str
    generation: int


_superseded = msgspec.json.Decoder(Superseded)


class Hub:
    """The sockets of one gateway."""

    def __init__(self, redis_url: str, store: Store, pools: Pools, metrics: GatewayMetrics, heartbeat_interval: float) -> None:
        self.id = f"gw-{secrets.token_hex(6)}"
        self.store, self.pools, self.metrics = store, pools, metrics
        self.sessions: dict[str, Session] = {}
        self.draining = False
        self.bus = Bus(redis_url, store, self.id, self._on_message, self._on_resync, metrics.bus_seconds.set)
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
        if waiting or match:
            session.send(SnapshotData(waiting.place if waiting else None, match))

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

    # --- what clients ask for ----------------------------------------------------------------------------------------

    async def join(self, session: Session, wish: QueueJoinData) -> None:
        """Carry out a `queue_join`; the answer goes to the session."""
        try:
            rules = await self.pools.find(wish.pool)
            if rules is None:
                raise RefusedError(
                    "unknown_pool", f"there is no pool `{wish.pool}`; there are {', '.join(name for name, _ in self.pools.items())}"
                )
            wish = complete(wish, rules, await self._preferences(session.player) if needs_preferences(wish) else Preferences())
            check_wish(wish, rules, (session.player,))
            request = Join(
                (session.player,),
                session.connection.generation,
                wish.op_id or secrets.token_hex(OPERATION_BYTES),
                wish.pool,
                wish.region or "",
                wish.mode or "",
            )
            players = request.players
            outcome = await join(self.store, request, lambda place, found: build_ticket(wish, rules, players, place, found))
            self._joined(session, wish, outcome)
        except RefusedError as error:
            self.metrics.refused.labels(error.code).inc()
            session.feed(protocol.Refused(ErrorData(error.code, str(error), wish.op_id, error.retry_after), join=True))
        except StoreError:
            self.metrics.refused.labels("unavailable").inc()
            advice = "the service cannot reach its store; repeat the same operation"
            session.feed(protocol.Refused(ErrorData("unavailable", advice, wish.op_id, 2.0), join=True))
            raise

    async def _preferences(self, player: str) -> Preferences:
        data = await self.store.preferences(player)
        return preferences_decoder.decode(data) if data else Preferences()

    def _joined(self, session: Session, wish: QueueJoinData, outcome: JoinOutcome) -> None:
        place, enqueued = outcome.place, outcome.enqueued
        where = f"pool `{place.pool}`, region `{place.region}`, mode `{place.mode}`"
        match outcome.status:
            case "joined" | "repeated":
                shown = QueuePlace(place.ticket, place.pool, place.region, place.mode)
                since = enqueued.enqueued or time.time()
                event = protocol.Joined(shown, wish.op_id, enqueued.position, enqueued.length, since, enqueued.mean_wait)
                session.feed(event)
            case "already_queued":
                raise RefusedError("already_queued", f"you wait already: {where}; leave that queue first")
            case "already_matched":
                raise RefusedError("already_matched", f"your match of {where} is on its way", 1.0)
            case "stale":
                session.close(CloseCode.REPLACED)
            case "busy":
                raise RefusedError("busy", "several joins of yours are under way; repeat the last one", 1.0)

    async def leave(self, session: Session, op_id: str) -> None:
        """Carry out a `queue_leave`; the answer is the ticket's end, or an error."""
        try:
            outcome = await leave(self.store, session.player, session.connection.generation, op_id, rfc3339(time.time()))
        except StoreError:
            advice = "the service cannot reach its store; repeat the same operation"
            session.feed(protocol.Refused(ErrorData("unavailable", advice, op_id, 2.0)))
            raise
        match outcome.status:
            case "left" if outcome.entry is not None and outcome.numbers.get(session.player):
                entry = outcome.entry
                session.feed(
                    protocol.Published(StoredEvent(outcome.numbers[session.player], entry.type, bytes(entry.data), entry.timestamp))
                )
            case "left":
                session.feed(protocol.Resync())
            case "not_queued":
                session.feed(protocol.Refused(ErrorData("not_queued", "you do not wait in any queue", op_id)))
            case "already_matched":
                session.feed(protocol.Refused(ErrorData("already_matched", f"too late: match {outcome.detail} is on its way", op_id)))
            case "stale":
                session.close(CloseCode.REPLACED)

    async def read_outbox(self, session: Session, after: int) -> None:
        """Fetch what the socket has missed; tried until the store answers."""
        while self.sessions.get(session.player) is session and not session.connection.closing:
            try:
                events = await self.store.events_after(session.player, after)
            except StoreUnavailableError:
                await asyncio.sleep(random.uniform(0.2, 0.6))
                continue
            session.feed(protocol.OutboxRead(tuple(events)))
            return

    async def trim(self, session: Session, upto: int) -> None:
        """The client has dealt with its events up to a number."""
        await self.store.trim(session.player, upto)

    # --- what the bus brings -----------------------------------------------------------------------------------------

    def _on_message(self, channel: str, data: bytes) -> None:
        try:
            message = publication_decoder.decode(data).message
            kind, _, rest = channel.partition(":")
            if kind == "player":
                session = self.sessions.get(rest.removesuffix(":updates"))
                if session is not None and message.seq is not None:
                    session.feed(protocol.Published(StoredEvent(message.seq, message.type, bytes(message.data), message.timestamp)))
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
