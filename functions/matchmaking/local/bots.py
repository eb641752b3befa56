"""Players who are not there: they let one visitor find an opponent, and nobody notices them otherwise.

Every second they look at each queue's oldest tickets. When a human has waited for `PATIENCE` seconds, as many bots join as are missing for a whole match; so there
are never enough of them in one queue to make a match without a human, and two humans who come at about the same time get each other. When the humans are gone,
the bots leave.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress

from matchmaking.client import Client, ClientError, ClientEvent, GameStateUpdateData, MatchFoundData, QueueLeftData, RefusedError
from matchmaking.core.pool import MatchmakingPool, PoolRules
from matchmaking.core.session import OVER
from matchmaking.protocol.session_messages import MatchCancelledData
from matchmaking.store.errors import StoreError
from matchmaking.store.interface import Store
from matchmaking.store.joining import record_decoder
from matchmaking.store.tasks import end_tasks
from matchmaking.telemetry.logs import happened

from . import keys

LOOK_EVERY = 1.0  # s
PATIENCE = 3.0  # s that a human waits before bots come
RETIRE_AFTER = 30.0  # s that a bot beyond the asked number stays idle before it disconnects
MOST = 60  # bots at once, whatever is missing
OLDEST = 64  # tickets of a queue that are looked at; where more wait, nobody needs bots
PREFIX = "bot-"
NAMES = (
    *(
        "ada",
        "alan",
        "grace",
        "edsger",
        "barbara",
        "donald",
        "radia",
        "dennis",
        "margaret",
        "ken",
        "hedy",
        "john",
        "katherine",
        "annie",
        "frances",
    ),
    *("tony", "sophie", "linus", "adele", "guido", "jean", "bjarne", "mary", "leslie", "karen", "vint", "joan", "tim", "shafi", "niklaus"),
)

Queue = tuple[str, str, str]  # pool, region, mode
_log = logging.getLogger(__name__)


def bots_wanted(rules: PoolRules, ages: Sequence[float]) -> int:
    """How many bots a queue should have.

    Args:
        ages: seconds that each human has waited.
    """
    if not ages or max(ages) < PATIENCE:
        return 0
    return -len(ages) % rules.min_match_players


def names() -> Iterable[str]:
    """As many names as are asked for."""
    turn = 1
    while True:
        yield from (f"{PREFIX}{name}" if turn == 1 else f"{PREFIX}{name}-{turn}" for name in NAMES)
        turn += 1


class Bot:
    """One bot: a client that does what it is told.

    Attributes:
        queue: where it waits, or is about to, or came to the match from that it plays; None while it is idle.
        since: when it became idle, by the monotonic clock.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.queue: Queue | None = None
        self.since = time.monotonic()
        self.client: Client | None = None

    async def live(self, url: str) -> None:
        """Stay connected until cancelled, or until the service ends the connection for good."""

        async def token() -> str:
            return keys.issue_token(self.name)

        async with Client.connect(url, self.name, token_provider=token) as self.client:
            async for event in self.client.events():
                await self._hear(event)

    async def _hear(self, event: ClientEvent) -> None:
        assert self.client is not None  # noqa: S101 - it says so
        if isinstance(event, MatchFoundData) and event.accept_by is not None:
            with suppress(RefusedError):  # somebody else declined meanwhile
                await self.client.accept(event.match_id)
        elif isinstance(event, MatchCancelledData) and event.requeued:
            self.queue = (event.pool, event.region, event.mode)
        elif isinstance(event, MatchFoundData | QueueLeftData | MatchCancelledData) or (
            isinstance(event, GameStateUpdateData) and event.state.get("status") in OVER
        ):
            self.idle()

    def idle(self) -> None:
        """It waits no more."""
        self.queue, self.since = None, time.monotonic()

    async def join(self, queue: Queue) -> None:
        """Wait in a queue."""
        assert self.client is not None  # noqa: S101 - idle bots are connected
        try:
            await self.client.join(*queue)
        except RefusedError as error:
            self.idle()
            happened(_log, "bot refused", level=logging.WARNING, player=self.name, pool=queue[0], region=queue[1], code=error.code)

    async def leave(self) -> None:
        """Stop waiting. If a match was found meanwhile, its event makes the bot idle."""
        assert self.client is not None  # noqa: S101 - waiting bots are connected
        with suppress(RefusedError):
            await self.client.leave()


class Bots:
    """Keeps some bots connected, and sends them where humans wait."""

    def __init__(self, url: str, store: Store, pools: Sequence[MatchmakingPool], count: int) -> None:
        self._url, self._store, self._pools, self._count = url, store, pools, count
        self._bots: dict[str, Bot] = {}
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._errands: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def playing(self) -> AsyncIterator[None]:
        """Play for as long as the block lasts; without any bots asked for, there are none."""
        if not self._count:
            yield
            return
        task = asyncio.create_task(self._play(), name="bots")
        try:
            yield
        finally:
            await end_tasks([task])  # first, so that nobody new comes
            await end_tasks([*self._lives.values(), *self._errands])

    async def _play(self) -> None:
        while True:
            self._hire(self._count - len(self._bots))
            try:
                await self._look()
            except StoreError as error:
                happened(_log, "bots could not look", level=logging.WARNING, error=str(error))
            self._retire()
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self) -> None:
        """Look at each queue once, and send bots there or home."""
        present = Counter(bot.queue for bot in self._bots.values() if bot.queue)
        for pool in self._pools:
            queues = [(region.name, mode) for region in pool.spec.regions for mode in pool.spec.modes]
            lengths = await self._store.queue_lengths(pool.name, queues)
            for (region, mode), length in zip(queues, lengths, strict=True):
                queue = (pool.name, region, mode)
                if length or present[queue]:
                    wanted = bots_wanted(pool.spec, await self._human_ages(queue))
                    self._join(queue, wanted - present[queue])
                    self._leave(queue, present[queue] - wanted)

    async def _human_ages(self, queue: Queue) -> list[float]:
        page = await self._store.page(*queue, None, OLDEST)
        return [
            page.now - waiter.enqueued_ms / 1000
            for waiter in page.waiters
            if waiter.record is not None
            for player in record_decoder.decode(waiter.record).players
            if player.id not in self._bots
        ]

    def _join(self, queue: Queue, missing: int) -> None:
        if missing <= 0:
            return
        unoccupied = [bot for bot in self._bots.values() if not bot.queue]
        idle = sorted((bot for bot in unoccupied if bot.client and bot.client.connected), key=lambda bot: bot.since)
        for bot in idle[:missing]:
            bot.queue = queue
            self._send(bot.join(queue))
        self._hire(missing - len(unoccupied))  # they are there at the next look

    def _leave(self, queue: Queue, surplus: int) -> None:
        waiting = [bot for bot in self._bots.values() if bot.queue == queue and bot.client and bot.client.ticket]
        for bot in waiting[: max(0, surplus)]:
            self._send(bot.leave())

    def _hire(self, missing: int) -> None:
        free = (name for name in names() if name not in self._bots)
        for _ in range(min(missing, MOST - len(self._bots))):
            bot = Bot(next(free))
            self._bots[bot.name] = bot
            life = asyncio.create_task(bot.live(self._url), name=bot.name)
            self._lives[bot.name] = life
            life.add_done_callback(lambda task, name=bot.name: self._gone(name, task))  # type: ignore[misc]

    def _retire(self) -> None:
        now = time.monotonic()
        idle = [bot for bot in self._bots.values() if not bot.queue and now - bot.since > RETIRE_AFTER]
        for bot in idle[: max(0, len(self._bots) - self._count)]:
            self._lives[bot.name].cancel()

    def _gone(self, name: str, task: "asyncio.Task[None]") -> None:
        self._bots.pop(name, None)
        self._lives.pop(name, None)
        if not task.cancelled() and task.exception() is not None:
            happened(_log, "bot gone", level=logging.WARNING, player=name, error=str(task.exception()))

    def _send(self, errand: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(errand)
        self._errands.add(task)
        task.add_done_callback(self._returned)

    def _returned(self, task: "asyncio.Task[None]") -> None:
        self._errands.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ClientError):  # else its connection ended, and so does its life
            _log.error("a bot's errand failed", exc_info=error)
