"""A player's connection over all its sockets.

One task connects, reads, and connects again as the close codes advise; the beats are timers, so an idle client costs one task and one timer.
What is said on the socket is the conversation's matter.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from matchmaking.protocol.close_codes import CloseCode, Meaning
from matchmaking.protocol.messages import (
    Ack,
    AckData,
    QueueJoin,
    QueueJoinData,
    QueueJoinedData,
    QueueLeave,
    QueueLeaveData,
    QueueLeftData,
    QueuePlace,
)

from .conversation import HEARTBEAT, Conversation, encode
from .errors import ConnectionEndedError
from .inbox import ClientEvent
from .opening import Ending, ending_of, open_socket, socket_url
from .reconnect import STABLE, delay
from .requests import Answer, Pending

TokenProvider = Callable[[], Awaitable[str]]

ACK_DELAY = 1.0  # s; one acknowledgement for all the events that came in this time
MISSED_BEATS = 2  # intervals without anything from the server after which the socket counts as dead
UNREADABLE = 1007  # RFC 6455: data that is not what it claims to be


class Client:
    """One player's connection. Made by `connect`.

    Attributes:
        player: whose it is.
        connections: how many sockets it has had so far.
    """

    def __init__(self, url: str, player: str, tokens: TokenProvider, random: Random, *, renewable: bool) -> None:
        self.player = player
        self.connections = 0
        self._url, self._tokens, self._renewable, self._random = socket_url(url, player), tokens, renewable, random
        self._loop = asyncio.get_running_loop()
        self._first: asyncio.Future[None] = self._loop.create_future()
        self._said = Conversation()
        self._socket: ClientConnection | None = None
        self._heard = 0.0
        self._unacknowledged = 0
        self._beat_timer: asyncio.TimerHandle | None = None
        self._ack_timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        url: str,
        player: str,
        *,
        token: str | None = None,
        token_provider: TokenProvider | None = None,
        connect_timeout: float = 30.0,
        random: Random | None = None,
    ) -> "AsyncIterator[Client]":
        """Connect, and stay connected until the block ends.

        Args:
            url: the gateway's address: `ws://`, `wss://`, `http://` or `https://`, and a host.
            player: the `sub` of the token.
            token: a bearer token; or else
            token_provider: gives one for each connection, so that it may be renewed.
            connect_timeout: seconds for the first connection; within it the client tries again as it does later.
            random: spreads beats and reconnections.

        Raises:
            ConnectionEndedError: the service does not let us in, or could not be reached in time.
            ValueError: the address is none.
        """
        if (token is None) == (token_provider is None):
            raise TypeError("give either token or token_provider")

        async def fixed() -> str:
            return token or ""

        client = cls(url, player, token_provider or fixed, random or Random(), renewable=token is None)
        task = asyncio.create_task(client._stay_connected(), name=f"client {player}")
        try:
            await client._connected_first(url, connect_timeout)
            yield client
        finally:
            await client._close(task)

    @property
    def connected(self) -> bool:
        """Whether there is a live socket just now."""
        return self._socket is not None

    @property
    def ticket(self) -> QueuePlace | None:
        """Where the player waits, as far as the server has told."""
        return self._said.ticket

    async def join(
        self,
        pool: str,
        region: str | None = None,
        mode: str | None = None,
        *,
        latency: Mapping[str, float] | None = None,
        roles: Sequence[str] = (),
        attributes: Mapping[str, float | str | list[str]] | None = None,
        op_id: str | None = None,
    ) -> QueueJoinedData:
        """Wait in a queue; returns once the server has acknowledged the ticket. Survives reconnections; bound it with `asyncio.timeout` if need be.

        Args:
            region, mode: may be left out if the player's preferences name them.
            latency: measured round-trip milliseconds by region.
            op_id: repeating a join under the same operation id has no further effect; made up if not given.

        Raises:
            JoinRefusedError: the service says no.
            ConnectionEndedError: the connection ended for good.
        """
        op_id = op_id or self._said.requests.new_id()
        wish = QueueJoinData(pool, region, mode, op_id, dict(latency or {}), list(roles), dict(attributes or {}))
        answer = await self._request(op_id, self._said.requests.add(op_id, encode(QueueJoin(wish))))
        assert isinstance(answer, QueueJoinedData)  # noqa: S101 - by the operation id
        return answer

    async def leave(self) -> QueueLeftData:
        """Stop waiting.

        Raises:
            LeaveRefusedError: the player does not wait (`not_queued`), or a match is on its way (`already_matched`).
            ConnectionEndedError: the connection ended for good.
        """
        op_id = self._said.requests.new_id()
        frame = encode(QueueLeave(QueueLeaveData(op_id)))
        answer = await self._request(op_id, self._said.requests.add(op_id, frame, leaves=True))
        assert isinstance(answer, QueueLeftData)  # noqa: S101 - by the operation id
        return answer

    async def events(self) -> AsyncIterator[ClientEvent]:
        """What the server tells, in order, without repeats; ends when the client is closed.

        Raises:
            ConnectionEndedError: the connection ended for good, for example because the same player connected elsewhere.
        """
        while (item := await self._said.inbox.take()) is not None:
            event, seq = item
            if seq is not None:
                self._acknowledge(seq)
            yield event

    # --- connecting -----------------------------------------------------------------------------------------------------

    async def _connected_first(self, url: str, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._first
        except TimeoutError:
            why = self._said.refusal or "no answer"
            raise ConnectionEndedError(0, f"not connected to {url} within {timeout:g} s: {why}") from None

    async def _stay_connected(self) -> None:
        attempt = refused_tokens = 0
        try:
            while True:
                since = self._loop.time()
                ending = await self._one_connection()
                meaning = ending.meaning
                refused_tokens = refused_tokens + 1 if ending.code == CloseCode.UNAUTHORIZED else 0
                hopeless = meaning.reconnect == "new token" and (not self._renewable or refused_tokens > 1)
                if meaning.reconnect == "no" or hopeless:
                    raise ConnectionEndedError(ending.code, self._said.refusal or meaning.what)
                if self._said.live and self._loop.time() - since > STABLE:
                    attempt = 0
                asked = self._said.retry_after
                await asyncio.sleep(delay(attempt, meaning.wait if asked is None else asked, self._random))
                attempt += 1
        except Exception as error:  # noqa: BLE001 - whatever it is (the token provider's, too), the user's loop gets it
            self._end(error)

    async def _one_connection(self) -> Ending:
        self._said.opened()
        socket = await open_socket(self._url, await self._tokens())
        if isinstance(socket, Ending):
            self._said.refusal = socket.meaning.what
            return socket
        try:
            while True:
                self._received(socket, await socket.recv(decode=False))
        except ConnectionClosed:
            return ending_of(socket)
        except msgspec.MsgspecError as error:
            return Ending(UNREADABLE, Meaning(f"The server sent what is no message: {error}.", "yes", 1.0))
        finally:
            self._detach()
            await socket.close()

    def _received(self, socket: ClientConnection, text: str | bytes) -> None:
        self._heard = self._loop.time()
        frames = self._said.received(text)
        if self._said.live and self._socket is None:
            self._attach(socket)
        for frame in frames:
            self._send_soon(frame)

    def _attach(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.connections += 1
        self._unacknowledged = 0
        self._beat_timer = self._loop.call_later(self._random.uniform(0, self._said.interval), self._beat)
        if not self._first.done():
            self._first.set_result(None)

    def _detach(self) -> None:
        self._socket = None
        for timer in (self._beat_timer, self._ack_timer):
            if timer is not None:
                timer.cancel()
        self._beat_timer = self._ack_timer = None

    def _end(self, error: Exception) -> None:
        self._said.requests.fail(error)
        self._said.inbox.close(error)
        if not self._first.done():
            self._first.set_exception(error)

    async def _close(self, task: "asyncio.Task[None]") -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        for sending in list(self._sending):
            sending.cancel()
        self._said.requests.fail(ConnectionEndedError(CloseCode.NORMAL, "the client was closed"))
        self._said.inbox.close()
        self._first.cancel()

    # --- sending --------------------------------------------------------------------------------------------------------

    async def _request(self, op_id: str, pending: Pending) -> Answer:
        try:
            await self._send(pending.frame)
            return await pending.answer
        finally:
            self._said.requests.forget(op_id)

    async def _send(self, frame: str) -> None:
        if self._socket is not None:
            with suppress(ConnectionClosed):  # the reader sees it as well
                await self._socket.send(frame)

    def _send_soon(self, frame: str) -> None:
        task = self._loop.create_task(self._send(frame))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _beat(self) -> None:
        if self._socket is None:
            return
        if self._loop.time() - self._heard > MISSED_BEATS * self._said.interval:
            self._socket.transport.abort()
            return
        self._send_soon(HEARTBEAT)
        self._beat_timer = self._loop.call_later(self._said.interval, self._beat)

    def _acknowledge(self, seq: int) -> None:
        if seq > self._said.last_seen:
            return  # a number from before the store's history changed
        self._unacknowledged = max(self._unacknowledged, seq)
        if self._ack_timer is None and self._socket is not None:
            self._ack_timer = self._loop.call_later(ACK_DELAY, self._send_ack)

    def _send_ack(self) -> None:
        self._ack_timer = None
        self._send_soon(encode(Ack(AckData(self._unacknowledged))))
