"""All sockets of one gateway, and what it does for them in the background.

Everything that a player's socket needs from the store goes through here; what comes by the bus is handed to the sockets from here.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from matchmaking.protocol import connection as protocol
from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.events import SESSION_UPDATE, StoredEvent, publication_decoder
from matchmaking.store.bus import Bus
from matchmaking.store.errors import StoreError, StoreUnavailableError
from matchmaking.store.interface import Store
from matchmaking.telemetry.gateway import GatewayMetrics
from matchmaking.telemetry.logs import happened
from matchmaking.telemetry.traces import NO_TRACES, NoTraces

from .allocation import Allocations
from .bounded_stream import text_frame
from .events import BROADCAST_HANDLERS, PLAYER_HANDLERS
from .limits import Limits
from .party_watch import PartyWatch
from .pools import Pools
from .session import Session
from .turns import Turns

SIGN_INS = 16  # under way at once: the store answers them together, and then they go on together
HASTY_EACH_ROUND = 16  # messages: half a millisecond
ARRIVALS_TOLD = 0.05  # s; who arrives within it is told of by one call
BROADCAST_SLICE = 100  # sockets written to before others get their turn
_log = logging.getLogger(__name__)


class Superseded(msgspec.Struct, frozen=True):
    """Tells a gateway that one of its connections was taken over, or that its player was shut out."""

    player: str
    generation: int


class Meanwhile:
    """What the bus brought while a session was not ready: the latest event's number, and the latest generation that supersedes it."""

    __slots__ = ("seq", "superseded")

    def __init__(self) -> None:
        self.seq = 0
        self.superseded = (0, CloseCode.REPLACED)


_superseded = msgspec.json.Decoder(Superseded)
SHUT_OUT = {"banned": CloseCode.BANNED, "signed_out": CloseCode.SIGNED_OUT}

Perform = Callable[["Hub", Session, Any], object]  # carries out one effect


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
        limits: Limits,
        traces: NoTraces = NO_TRACES,
    ) -> None:
        self.id = f"gw-{secrets.token_hex(6)}"
        self.store, self.pools, self.metrics, self.perform = store, pools, metrics, perform
        self.sessions: dict[str, Session] = {}
        self.draining = False
        self.hasty = Turns(HASTY_EACH_ROUND)  # messages of clients that send several at once
        self.bus = Bus(redis_url, store, self.id, self._on_message, self._on_resync, metrics.bus_seconds.observe)
        self.allocation, self.limits, self.traces = allocation, limits, traces
        self.signing_in = asyncio.Semaphore(SIGN_INS)
        self.opening: set[asyncio.Task[Any]] = set()  # sockets on their way in
        self.stale_states = False
        self.parties = PartyWatch()
        self.stale_positions: set[tuple[str, str, str]] = set()
        self._arrived: list[str] = []  # players of whom the store has not been told that they are here
        self.heartbeat_interval = heartbeat_interval
        self._arriving: dict[str, list[Meanwhile]] = {}
        self._epoch = ""
        self._loop: asyncio.AbstractEventLoop | None = None  # asking for it anew costs a system call, at each join
        self.tasks: set[asyncio.Task[Any]] = set()

    # --- connections -------------------------------------------------------------------------------------------------

    async def current_epoch(self) -> str:
        """The name of the store's history.

        Raises:
            StoreUnavailableError: it is not known yet, and the store cannot be reached.
        """
        return self._epoch or await self.read_epoch()

    async def read_epoch(self) -> str:
        """Ask the store for it."""
        self._epoch = await self.store.epoch()
        return self._epoch

    @contextmanager
    def arriving(self, player: str) -> "Iterator[Meanwhile]":
        """Note what the bus brings for a player whose session is not ready for it yet."""
        notes = self._arriving.setdefault(player, [])
        meanwhile = Meanwhile()
        notes.append(meanwhile)
        try:
            yield meanwhile
        finally:
            notes.remove(meanwhile)
            if not notes:
                self._arriving.pop(player, None)

    def adopt(self, session: Session) -> None:
        """From now on this is the player's session here; an older one is closed (it may be the one that comes: arrivals can overtake each other)."""
        other = self.sessions.get(session.player)
        if other is not None and other.connection.generation > session.connection.generation:
            session.feed(protocol.Superseded(other.connection.generation))
            return
        self.sessions[session.player] = session
        self.metrics.opened.inc()
        if other is not None:
            other.feed(protocol.Superseded(session.connection.generation))
        self.metrics.connections.set(len(self.sessions))

    def arrived(self, player: str) -> None:
        """Tell the store soon that the player is here; a crowd costs few calls."""
        self._arrived.append(player)
        if len(self._arrived) == 1:
            self.spawn(self._tell_arrivals())

    async def _tell_arrivals(self) -> None:
        await asyncio.sleep(ARRIVALS_TOLD)
        players, self._arrived = self._arrived, []
        here = [player for player in players if player in self.sessions]
        if here:
            await self.store.presence(here)

    async def disconnect(self, session: Session) -> None:
        """The socket is gone; the ticket keeps its place for the pool's grace."""
        self.bus.unsubscribe(session.player)
        if self.sessions.get(session.player) is not session:
            return
        del self.sessions[session.player]
        self.metrics.connections.set(len(self.sessions))
        try:
            if await self.store.disconnect(session.player, session.connection.generation):
                await self.store.absent(session.player)
        except StoreError as error:  # its signs of life stop anyway
            happened(_log, "disconnect not recorded", level=logging.WARNING, player=session.player, error=str(error))

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run something in the background; what goes wrong is logged, never lost."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        task = self._loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self.tasks.discard(task)
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
                if message.seq is not None:
                    event = StoredEvent(message.seq, message.type, bytes(message.data), message.timestamp)
                    self._published(rest.removesuffix(":updates"), event)
                elif message.type == SESSION_UPDATE:
                    self._state_changed(rest.removesuffix(":updates"), bytes(message.data))
            elif kind == "gateway":
                taken = _superseded.decode(message.data)
                self._superseded(taken.player, taken.generation, SHUT_OUT.get(message.type, CloseCode.REPLACED))
            elif message.type in BROADCAST_HANDLERS:
                BROADCAST_HANDLERS[message.type](self, message)
        except msgspec.MsgspecError as error:  # somebody else's publication; it must not stop ours
            happened(_log, "bad publication", level=logging.WARNING, reason=channel, error=str(error))

    def _published(self, player: str, event: StoredEvent) -> None:
        for meanwhile in self._arriving.get(player, ()):
            meanwhile.seq = max(meanwhile.seq, event.seq)
        session = self.sessions.get(player)
        if session is not None:
            session.feed(protocol.Published(event))

    def _state_changed(self, player: str, data: bytes) -> None:
        session = self.sessions.get(player)
        if session is not None and not session.connection.closing:
            session.send_latest(f'{{"type":"game_state_update","data":{data.decode()}}}')
            self.count_sent("game_state_update")

    def _superseded(self, player: str, generation: int, code: CloseCode) -> None:
        for meanwhile in self._arriving.get(player, ()):
            meanwhile.superseded = max(meanwhile.superseded, (generation, code))
        session = self.sessions.get(player)
        if session is not None:
            session.feed(protocol.Superseded(generation, code))

    def _on_resync(self) -> None:
        self.metrics.bus_resyncs.inc()
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
        self.spawn(self._broadcast(text_frame(text), kind))

    async def _broadcast(self, frame: bytes, kind: str) -> None:
        """One frame for all; others get their turn in between."""
        for i, session in enumerate(list(self.sessions.values())):
            if i % BROADCAST_SLICE == BROADCAST_SLICE - 1:
                await asyncio.sleep(0)
            session.send_frame(frame)
            self.count_sent(kind)

    def count_received(self, kind: str) -> None:
        """Count a client's message."""
        self.metrics.received.count(kind)

    def count_sent(self, kind: str) -> None:
        """Count a message to a client."""
        self.metrics.sent.count(kind)

    def count_closed(self, code: CloseCode) -> None:
        """Count a socket that we close."""
        self.metrics.closed.labels(str(int(code))).inc()
