"""One subscription for a whole gateway: players' channels, the broadcast channels, and the gateway's own.

A subscription can die without a word (the client library counts no pongs), so the gateway publishes a canary to itself every `CANARY_EVERY` seconds; when
one that Redis took has not come back after `CANARY_LATE`, the connection is dropped and made anew. (A Redis or a gateway that is slow as a whole is no reason: dropping
subscriptions would only add to its work.) The library makes lost connections anew by itself, too, and says nothing: but Redis then confirms the
gateway's own channel once more, and, as all channels are subscribed by one command, the others with it. What was published in between is lost: `on_resync` is
called, and the gateway reads its players' outboxes. So a lost publication costs time, never an event, and less than two seconds.

Thousands of players who come at once are subscribed to by few commands: all that are asked for while one is under way go into the next.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from . import keys
from .calls import translate
from .connect import close_client, open_client, parse_redis_url
from .errors import StoreError, StoreUnavailableError
from .interface import Store
from .tasks import end_tasks

CANARY_EVERY = 0.5  # s from one that came to the next
CANARY_LATE = 1.0  # s from Redis' answer that it was published; with the period, what an event in a dead subscription waits at most
UNHEALTHY = 3.0  # s without a canary, whatever the reason
CONFIRMED_WITHIN = 1.0  # s; a command that a lost connection swallowed is sent again
SUBSCRIBE_TRIES = 5
CANARY = "canary"

OnMessage = Callable[[str, bytes], None]


class Bus:
    """A gateway's subscription. Use as `async with Bus(...)`.

    Args:
        gateway: this gateway's id.
        on_message: called with the channel and the publication, in order of arrival; must not block.
        on_resync: called when publications may have been missed.
        on_canary: called with a canary's way through Redis, in seconds.
    """

    def __init__(
        self,
        redis_url: str,
        store: Store,
        gateway: str,
        on_message: OnMessage,
        on_resync: Callable[[], None],
        on_canary: Callable[[float], None],
    ) -> None:
        client = open_client(parse_redis_url(redis_url), subscriber=True)
        assert isinstance(client, Redis)  # noqa: S101 - what `subscriber` asks for
        self._client = client
        self._store = store
        self._own = keys.gateway_channel(gateway)
        self._pubsub: Any = client.pubsub()
        self._on_message, self._on_resync, self._on_canary = on_message, on_resync, on_canary
        self._users: dict[str, int] = {}
        self._confirmations: dict[str, asyncio.Future[None]] = {}
        self._asked: dict[str, bool] = {}  # by channel: whether we want to hear it
        self._asking: asyncio.Task[None] | None = None
        self._begun, self._canary_came = asyncio.Event(), asyncio.Event()
        self._heard = time.monotonic()
        self._broken = self._subscribed = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.ensure_future(self._listen()), asyncio.ensure_future(self._watch())]
        return self

    async def __aexit__(self, *_: object) -> None:
        await end_tasks([*self._tasks, *([self._asking] if self._asking else [])])
        with contextlib.suppress(RedisError, OSError):
            await self._pubsub.aclose()
        await close_client(self._client)

    @property
    def healthy(self) -> bool:
        """Whether canaries come through."""
        return not self._broken and time.monotonic() - self._heard < UNHEALTHY

    async def subscribe(self, player: str) -> None:
        """Hear a player's updates; returns when Redis has confirmed it.

        Raises:
            StoreUnavailableError: it has not within five seconds.
        """
        channel = keys.updates_channel(player)
        self._users[channel] = self._users.get(channel, 0) + 1
        confirmed = self._confirmations.get(channel)
        if confirmed is None:
            confirmed = self._confirmations[channel] = asyncio.get_running_loop().create_future()
            self._ask(channel, wanted=True)
        try:
            for _ in range(SUBSCRIBE_TRIES):
                if (await asyncio.wait((confirmed,), timeout=CONFIRMED_WITHIN))[0]:
                    return confirmed.result()
                self._ask(channel, wanted=True)
            raise StoreUnavailableError("Redis has not confirmed a subscription in time")
        except BaseException:
            self.unsubscribe(player)
            raise

    def unsubscribe(self, player: str) -> None:
        """Hear a player's updates no more, once for each `subscribe`: connections of one player overlap."""
        channel = keys.updates_channel(player)
        users = self._users.get(channel, 0) - 1
        if users > 0:
            self._users[channel] = users
            return
        self._users.pop(channel, None)
        self._confirmations.pop(channel, None)
        self._ask(channel, wanted=False)

    def _ask(self, channel: str, *, wanted: bool) -> None:
        self._asked[channel] = wanted
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._ask_redis())

    async def _ask_redis(self) -> None:
        await self._begun.wait()  # two that connect at once would get a connection each, and one is never read
        while self._asked:
            asked, self._asked = self._asked, {}
            wanted = [channel for channel, wants in asked.items() if wants]
            unwanted = [channel for channel, wants in asked.items() if not wants]
            try:
                if unwanted:
                    await self._pubsub.unsubscribe(*unwanted)
                if wanted:
                    await self._pubsub.subscribe(*wanted)
            except (RedisError, OSError) as error:
                self._broken = True
                self._refuse(wanted, translate(error))

    def _refuse(self, channels: list[str], error: StoreError) -> None:
        for channel in channels:
            confirmed = self._confirmations.pop(channel, None)
            if confirmed is not None and not confirmed.done():
                confirmed.set_exception(error)
                confirmed.exception()  # whoever asked may have gone

    async def _listen(self) -> None:
        while True:
            try:
                if not self._pubsub.subscribed:
                    await self._pubsub.subscribe(self._own, keys.QUEUE_STATUS_CHANNEL, keys.ANNOUNCEMENTS_CHANNEL)
                message = await self._pubsub.get_message(ignore_subscribe_messages=False, timeout=None)
            except (RedisError, OSError):
                self._broken = True
                await asyncio.sleep(0.2)  # the library subscribes to everything again once it is connected
                continue
            if message is not None:
                self._handle(message)

    def _handle(self, message: dict[str, Any]) -> None:
        channel = message["channel"].decode()
        if message["type"] == "message":
            if channel == self._own and message["data"].startswith(
                b'{"channel":"' + channel.encode() + b'","message":{"type":"' + CANARY.encode()
            ):
                self._canary(message["data"])
            else:
                self._on_message(channel, message["data"])
        elif message["type"] == "subscribe":
            confirmed = self._confirmations.get(channel)
            if confirmed is not None and not confirmed.done():
                confirmed.set_result(None)
            if channel == self._own:
                if self._subscribed:
                    self._on_resync()
                self._subscribed = True
                self._begun.set()

    def _canary(self, data: bytes) -> None:
        self._heard = time.monotonic()
        self._canary_came.set()
        with contextlib.suppress(ValueError):
            self._on_canary(max(0.0, self._heard - float(data.rpartition(b'"timestamp":"')[2].rstrip(b'"}'))))
        if self._broken:
            self._broken = False
            self._on_resync()

    async def _watch(self) -> None:
        while True:
            await self._begun.wait()
            self._canary_came.clear()
            try:
                await self._store.publish(self._own, CANARY, b"{}", f"{time.monotonic():.6f}")
            except StoreError:  # nothing is published at all now
                await asyncio.sleep(CANARY_EVERY)
                continue
            try:
                await asyncio.wait_for(self._canary_came.wait(), CANARY_LATE)
            except TimeoutError:
                self._broken = True
                await self._drop()
            else:
                await asyncio.sleep(CANARY_EVERY)

    async def _drop(self) -> None:
        connection = self._pubsub.connection
        if connection is not None:
            with contextlib.suppress(RedisError, OSError):
                await connection.disconnect()
