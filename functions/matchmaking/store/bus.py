"""One subscription for a whole gateway: players' channels, the broadcast channels, and the gateway's own.

A subscription can die without a word (the client library counts no pongs), so the gateway publishes a canary to itself every `CANARY_EVERY` seconds; when
one is late the connection is dropped and made anew. The library makes lost connections anew by itself, too, and says nothing: but Redis then confirms the
gateway's own channel once more, and, as all channels are subscribed by one command, the others with it. What was published in between is lost: `on_resync` is
called, and the gateway reads its players' outboxes. So a lost publication costs time, never an event.
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

CANARY_EVERY = 1.0  # s
CANARY_LATE = 3.0  # s
SUBSCRIBE_TIMEOUT = 5.0  # s
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
        self._heard = time.monotonic()
        self._broken = self._subscribed = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.ensure_future(self._listen()), asyncio.ensure_future(self._watch())]
        return self

    async def __aexit__(self, *_: object) -> None:
        await end_tasks(self._tasks)
        with contextlib.suppress(RedisError, OSError):
            await self._pubsub.aclose()
        await close_client(self._client)

    @property
    def healthy(self) -> bool:
        """Whether canaries come through."""
        return not self._broken and time.monotonic() - self._heard < CANARY_LATE

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
            await self._command(self._pubsub.subscribe(channel))
        try:
            await asyncio.wait_for(asyncio.shield(confirmed), SUBSCRIBE_TIMEOUT)
        except TimeoutError as error:
            raise StoreUnavailableError("Redis has not confirmed a subscription in time") from error

    async def unsubscribe(self, player: str) -> None:
        """Hear a player's updates no more, once for each `subscribe`: connections of one player overlap."""
        channel = keys.updates_channel(player)
        users = self._users.get(channel, 0) - 1
        if users > 0:
            self._users[channel] = users
            return
        self._users.pop(channel, None)
        self._confirmations.pop(channel, None)
        with contextlib.suppress(StoreError):
            await self._command(self._pubsub.unsubscribe(channel))

    async def _command(self, command: Any) -> None:
        try:
            await command
        except (RedisError, OSError) as error:
            self._broken = True
            raise translate(error) from error

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

    def _canary(self, data: bytes) -> None:
        self._heard = time.monotonic()
        with contextlib.suppress(ValueError):
            self._on_canary(max(0.0, self._heard - float(data.rpartition(b'"timestamp":"')[2].rstrip(b'"}'))))
        if self._broken:
            self._broken = False
            self._on_resync()

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(StoreError):
                await self._store.publish(self._own, CANARY, b"{}", f"{time.monotonic():.6f}")
            await asyncio.sleep(CANARY_EVERY)
            if time.monotonic() - self._heard > CANARY_LATE:
                self._broken = True
                self._heard = time.monotonic()
                connection = self._pubsub.connection
                if connection is not None:
                    with contextlib.suppress(RedisError, OSError):
                        await connection.disconnect()
