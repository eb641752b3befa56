"""One process's players. Each is the SDK's client and a task that hears its events; what they hear goes into the ledger.

A machine's address has some 28,000 ports for one server, and closed connections keep theirs for a minute: on the loopback network each player connects from one of
many addresses (127.0.0.0/8 is all ours).
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random
from typing import Any
from urllib.parse import urlsplit

from matchmaking.client import (
    AnnouncementData,
    Client,
    ClientError,
    ClientEvent,
    ConnectionEndedError,
    GameStateUpdateData,
    MatchFoundData,
    QueueJoinedData,
    QueueLeftData,
    RefusedError,
)
from matchmaking.protocol.session_messages import MatchCancelledData

from .ledger import Ledger

AT_ONCE = 64  # connection attempts under way in one process
ADDRESSES = 250  # of the loopback network that one process takes turns with
CONNECT_WITHIN = 60.0  # s
NOTICE_EVERY = 0.02  # s
OVER = frozenset({"completed", "cancelled", "expired", "abandoned"})  # states after which a session's players are free
SENT_AT = "sent at "  # an announcement of ours says when it was sent, by the wall clock

Queue = tuple[str, str, str]  # pool, region, mode
Tokens = Callable[[str], str]


class Player:
    """One player.

    Attributes:
        due: when its present wait began, by the loop's clock; None while it does not wait.
        region: where it lives, for scenarios with several.
    """

    def __init__(self, name: str, crowd: "Crowd") -> None:
        self.name, self._crowd = name, crowd
        self.client: Client
        self.due: float | None = None
        self.region = ""
        self.lives = False  # is free only after the session
        self.party = False  # is in a party, and leaves it before it goes elsewhere
        self.at_hand = False  # may be sent
        self._cut_at: float | None = None
        self._connections = 0
        self._stack = AsyncExitStack()

    async def connect(self, urls: list[str], token: str, local: str | None) -> None:
        """Connect, and hear from now on."""
        began = time.perf_counter()
        client = Client.connect(
            urls, self.name, token=token, random=self._crowd.random, connect_timeout=CONNECT_WITHIN, local_address=local
        )
        self.client = await self._stack.enter_async_context(client)
        self._crowd.ledger.took("connect", time.perf_counter() - began)
        self._connections = 1
        task = asyncio.create_task(self._hear())
        self._stack.push_async_callback(_end, task)

    async def queue(self, queue: Queue, due: float) -> bool:
        """Wait in a queue since `due`; whether the service took the ticket."""
        self.due, sent = due, self._crowd.now()
        self._crowd.ledger.count("arrived")
        try:
            answer: QueueJoinedData = await self.client.join(*queue)
        except (RefusedError, ConnectionEndedError) as error:
            self._crowd.ledger.count(f"refused: {getattr(error, 'code', 'closed')}")
            self.free()
            return False
        self._crowd.ledger.took("join acknowledged", self._crowd.now() - sent)
        self._crowd.ledger.acknowledged(answer.ticket_id)
        return True

    def cut(self) -> None:
        """Lose the connection."""
        self._cut_at = self._crowd.now()
        self.client.cut()
        self._crowd.notice()

    @property
    def away(self) -> bool:
        """Whether it was cut off, and its return was not noticed yet."""
        return self._cut_at is not None

    def free(self) -> None:
        """It waits no more, and may be sent again."""
        self.due = None
        if self.party:
            self.party = False
            self._crowd.spawn(self._leave_party())
        else:
            self._crowd.free(self)

    async def _leave_party(self) -> None:
        with suppress(RefusedError, ConnectionEndedError):
            await self.client.leave_party()
        self._crowd.free(self)

    def look(self) -> bool:
        """Note a reconnection that happened; whether it is connected."""
        if self.client.connections > self._connections:
            self._connections = self.client.connections
            if self._cut_at is not None:
                self._crowd.ledger.took("back after a cut", self._crowd.now() - self._cut_at)
                self._cut_at = None
            self._crowd.ledger.count("reconnected")
        return self.client.connected

    async def _hear(self) -> None:
        with suppress(ConnectionEndedError):
            async for event in self.client.events():
                await self._heard(event)

    async def _heard(self, event: ClientEvent) -> None:
        ledger, now = self._crowd.ledger, self._crowd.now()
        if isinstance(event, MatchFoundData):
            if self.due is not None:
                ledger.took("match found", now - self.due)
                self.due = None
            ledger.matched(self.name, event.ticket_id, event.match_id, sum(len(team.players) for team in event.teams))
            if event.accept_by is not None:
                self._crowd.spawn(self._accept(event.match_id))
            elif not self.lives:
                self.free()
        elif isinstance(event, QueueLeftData):
            ledger.left(event.ticket_id, event.reason)
            self.free()
        elif isinstance(event, MatchCancelledData):
            ledger.count(f"match cancelled: {event.reason}")
            if event.requeued and event.ticket_id:
                ledger.back(event.ticket_id)
            else:
                self.free()
        elif isinstance(event, GameStateUpdateData):
            ledger.count("session states")
            if event.state.get("status") in OVER:
                ledger.count(f"sessions: {event.state['status']}")
                self.free()
        elif isinstance(event, AnnouncementData) and event.message.startswith(SENT_AT):
            ledger.took("announcement", time.time() - float(event.message.removeprefix(SENT_AT)))

    async def _accept(self, match: str) -> None:
        began = self._crowd.now()
        try:
            await self.client.accept(match)
            self._crowd.ledger.took("accept answered", self._crowd.now() - began)
        except (RefusedError, ConnectionEndedError) as error:
            self._crowd.ledger.count(f"accept refused: {getattr(error, 'code', 'closed')}")

    async def close(self) -> None:
        """Disconnect."""
        await self._stack.aclose()


class Crowd:
    """All players of this process."""

    def __init__(
        self, worker: int, urls: list[str], tokens: Tokens, ledger: Ledger, random: Random, names: Iterable[str] | None = None
    ) -> None:
        self.urls, self.ledger, self.random, self._tokens, self._worker = urls, ledger, random, tokens, worker
        self.players: list[Player] = []
        self.idle: deque[Player] = deque()
        self.one_address = False
        self._names = iter(names) if names is not None else (f"load-{worker}-{i}" for i in range(2**62))
        self._slots, self._tasks = asyncio.Semaphore(AT_ONCE), set[asyncio.Task[Any]]()
        self._loopback = all((urlsplit(url).hostname or "").startswith("127.") for url in urls)
        self._noticing: asyncio.Task[None] | None = None
        self.now = time.monotonic  # the loop's own clock stands still within a turn

    async def new(self) -> Player | None:
        """One more player, connected; None if that did not work, which is counted."""
        name = next(self._names, None)
        if name is None:
            self.ledger.count("nobody left to send")
            return None
        player = Player(name, self)
        turn = len(self.players) % ADDRESSES
        local = f"127.{16 + self._worker}.0.{turn + 1}" if self._loopback and not self.one_address else None
        try:
            async with self._slots:
                await player.connect(self.urls, self._tokens(name), local)
        except (ClientError, OSError) as error:
            self.ledger.count(f"not connected: {str(error)[:60]}")
            await player.close()
            return None
        self.players.append(player)
        return player

    async def gather(self, count: int) -> list[Player]:
        """So many new players, connected."""
        return [player for player in await asyncio.gather(*(self.new() for _ in range(count))) if player is not None]

    async def take_several(self, count: int) -> list[Player]:
        """So many players who do nothing just now; fewer if connecting failed."""
        return [player for player in [await self.take() for _ in range(count)] if player is not None]

    async def take(self) -> Player | None:
        """A player who does nothing just now, or else a new one: an open model keeps nobody waiting."""
        while self.idle:
            player = self.idle.popleft()
            player.at_hand = False
            if player.due is None and player.client.connected:
                return player
        return await self.new()

    def free(self, player: Player) -> None:
        """The player may be sent again."""
        if not player.at_hand:
            player.at_hand = True
            self.idle.append(player)

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Do something besides; what goes wrong in it is counted, not lost."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.ledger.count(f"generator failed: {type(error).__name__}: {str(error)[:80]}")

    @property
    def waiting(self) -> int:
        """Players who wait."""
        return sum(player.due is not None for player in self.players)

    def look(self) -> int:
        """Note reconnections; how many are connected."""
        return sum(player.look() for player in self.players)

    def notice(self) -> None:
        """Look more often while somebody is away."""
        if self._noticing is None or self._noticing.done():
            self._noticing = asyncio.create_task(self._notice())

    async def _notice(self) -> None:
        while any(player.away for player in self.players):
            await asyncio.sleep(NOTICE_EVERY)
            self.look()

    async def settle(self, seconds: float) -> None:
        """Let those who wait be matched; who still waits then leaves, so that every ticket has its end."""
        until = self.now() + seconds
        while (self.ledger.open or self._tasks or any(player.away for player in self.players)) and self.now() < until:
            await asyncio.sleep(0.1)
        leavers = [player for player in self.players if player.client.ticket is not None and player.client.connected]
        await asyncio.gather(*(self._leave(player) for player in leavers))
        until = self.now() + seconds
        while self.ledger.open and self.now() < until:
            await asyncio.sleep(0.1)

    async def _leave(self, player: Player) -> None:
        with suppress(RefusedError, ConnectionEndedError, TimeoutError):  # matched meanwhile: its event says so
            async with asyncio.timeout(10):
                await player.client.leave()

    async def close(self) -> None:
        """Everybody goes."""
        for task in [*self._tasks, *([self._noticing] if self._noticing else [])]:
            task.cancel()
        await asyncio.gather(*(player.close() for player in self.players), return_exceptions=True)


@asynccontextmanager
async def crowd(*arguments: Any, **options: Any) -> AsyncIterator[Crowd]:
    """A crowd, gone at the end of the block."""
    made = Crowd(*arguments, **options)
    try:
        yield made
    finally:
        await made.close()


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
