"""One subscription for a whole gateway: players' channels, the broadcast channels, and the gateway's own.

A subscription can die without a word (the client library counts no pongs), so the gateway publishes a canary to itself every `CANARY_EVERY` seconds; when
one that Redis took has not come back after `CANARY_LATE`, the subscription is given up. (A Redis or a gateway that is slow as a whole is no reason: dropping
subscriptions would only add to its work.)

A subscription lives exactly as long as its connection: whatever ends it, the next one is a new object on a new connection that asks for every channel in one
command. The library would make lost connections anew by itself, under the task that reads and under one that writes at the same time, and then one of the two
reads a connection to which nothing is sent any more; so it is told never to retry, and nothing is written to a connection that is lost.
What was published in between is lost: `on_resync` is called, and the gateway reads its players' outboxes. So a lost publication costs time, never an event,
and less than two seconds.

Thousands of players who come at once are subscribed to by few commands: all that are asked for while one is under way go into the next.
"""

import asyncio
import contextlib
import itertools
import logging
import math
import time
from collections.abc import Callable
from typing import Any, Self

from redis.exceptions import RedisError

from . import keys
from .calls import translate
from .connect import close_client, open_subscribers, parse_redis_url
from .errors import StoreError, StoreUnavailableError
from .interface import Store
from .tasks import end_tasks

CANARY_EVERY = 0.5  # s from one that came to the next
CANARY_LATE = 1.0  # s from Redis' answer that it was published; with the period, what an event in a dead subscription waits at most
UNHEALTHY = 3.0  # s without a canary, whatever the reason
BEGUN_WITHIN = 5.0  # s from the connection's beginning to its first channel's confirmation
AGAIN_AFTER = 0.2  # s
CONFIRMED_WITHIN = 1.0  # s; a command that a lost connection swallowed is sent again
SUBSCRIBE_TRIES = 5
CANARY = "canary"

OnMessage = Callable[[str, bytes], None]

_log = logging.getLogger(__name__)


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
        self._opened = open_subscribers(parse_redis_url(redis_url))
        self._clients = itertools.cycle(self._opened)
        self._store = store
        self._own = keys.gateway_channel(gateway)
        self._pubsub: Any = None
        self._hearing: asyncio.Task[None] | None = None
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
        await end_tasks([*self._tasks, *(task for task in (self._hearing, self._asking) if task)])
        for client in self._opened:
            await close_client(client)

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
        while self._asked:
            await self._begun.wait()
            pubsub, asked, self._asked = self._pubsub, self._asked, {}
            if pubsub is None or not pubsub.connection.is_connected:
                self._asked = {**asked, **self._asked}
                await asyncio.sleep(AGAIN_AFTER)
                continue
            wanted = [channel for channel, wants in asked.items() if wants]
            unwanted = [channel for channel, wants in asked.items() if not wants]
            try:
                if unwanted:
                    await pubsub.unsubscribe(*unwanted)
                if wanted and pubsub.connection.is_connected:
                    await pubsub.subscribe(*wanted)
            except (RedisError, OSError) as error:
                self._refuse(wanted, translate(error))
                self._give_up()

    def _refuse(self, channels: list[str], error: StoreError) -> None:
        for channel in channels:
            confirmed = self._confirmations.pop(channel, None)
            if confirmed is not None and not confirmed.done():
                confirmed.set_exception(error)
                confirmed.exception()  # whoever asked may have gone

    async def _listen(self) -> None:
        while True:
            self._hearing = asyncio.ensure_future(self._hear())
            await asyncio.wait((self._hearing,))
            self._broken = True
            self._begun.clear()
            error = None if self._hearing.cancelled() else self._hearing.exception()
            if error is not None and not isinstance(error, RedisError | OSError):
                _log.error("a subscription ended by a fault of our own", exc_info=error)
            await asyncio.sleep(AGAIN_AFTER)

    async def _hear(self) -> None:
        """One subscription, from its connection to whatever ends it."""
        pubsub: Any = next(self._clients).pubsub()
        try:
            self._asked.clear()  # all that was asked for is in this command
            await pubsub.subscribe(self._own, keys.QUEUE_STATUS_CHANNEL, keys.ANNOUNCEMENTS_CHANNEL, *self._users)
            self._pubsub = pubsub
            connection = pubsub.connection
            while connection.is_connected:
                # What `get_message` does, without its retries, which a subscription that ends with its connection has no use for.
                answer = await connection.read_response(timeout=math.inf, push_request=True)
                if answer and answer[0] == b"message":
                    self._message(answer[1].decode(), answer[2])
                elif answer:
                    self._handle(await pubsub.handle_message(answer, ignore_subscribe_messages=False))
        finally:
            self._pubsub = None
            with contextlib.suppress(RedisError, OSError):
                await pubsub.aclose()

    def _give_up(self) -> None:
        """End the subscription; `_listen` makes another."""
        if self._hearing is not None:
            self._hearing.cancel()

    def _message(self, channel: str, data: bytes) -> None:
        if channel == self._own and data.startswith(b'{"channel":"' + channel.encode() + b'","message":{"type":"' + CANARY.encode()):
            self._canary(data)
        else:
            self._on_message(channel, data)

    def _handle(self, message: dict[str, Any] | None) -> None:
        if message is not None and message["type"] == "subscribe":
            channel = message["channel"].decode()
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
        self._broken = False

    async def _watch(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._begun.wait(), BEGUN_WITHIN)
                self._canary_came.clear()
                await self._store.publish(self._own, CANARY, b"{}", f"{time.monotonic():.6f}")
                await asyncio.wait_for(self._canary_came.wait(), CANARY_LATE)
            except StoreError:  # nothing is published at all now
                pass
            except TimeoutError:
                self._broken = True
                self._give_up()
            await asyncio.sleep(CANARY_EVERY)
