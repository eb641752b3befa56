"""Keeps one player connected: a socket after the other, beats, acknowledgements.

One task connects, reads, and connects again as the close codes advise; beats and acknowledgements are timers, so an idle client costs one task and one
timer. What is said on the socket is the conversation's matter.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from matchmaking.protocol.close_codes import CloseCode, Meaning
from matchmaking.protocol.messages import Ack, AckData

from .conversation import HEARTBEAT, Conversation, encode
from .errors import ConnectionEndedError
from .opening import Ending, ending_of, open_socket
from .reconnect import Backoff, meaning_of

TokenProvider = Callable[[], Awaitable[str]]

ACK_DELAY = 1.0  # s; one acknowledgement for all the events that were dealt with in this time
GHOST_SECONDS = 30.0  # in which an attempt that we lost may still reach its gateway
HELLO_TIMEOUT = 10.0  # s from the open socket to the hello
MISSED_BEATS = 2  # intervals without anything from the server after which the socket counts as dead
LOST = 1006  # RFC 6455: no close frame came
UNREADABLE = 1007  # RFC 6455: data that is not what it claims to be


class Link:
    """One player's sockets, of which at most one lives.

    Attributes:
        said: what was said on them.
        connections: how many of them got a hello.
        resumed: how many of those went on where the one before had ended.
        opened_in: seconds from the latest attempt to its hello.
        first: done with the first hello, or with the error that kept us out.
        over: done when there will be no more sockets; its result is the error, if that was the reason.
    """

    def __init__(
        self,
        urls: Sequence[str],
        tokens: TokenProvider,
        backoff: Backoff,
        random: Random,
        *,
        renewable: bool,
        local_address: str | None = None,
    ) -> None:
        self.said = Conversation()
        self.connections = self.resumed = 0
        self.opened_in = 0.0
        self._urls, self._tokens, self._backoff, self._random, self._renewable = urls, tokens, backoff, random, renewable
        self._local_address = local_address
        self._loop = asyncio.get_running_loop()
        self.first: asyncio.Future[None] = self._loop.create_future()
        self.over: asyncio.Future[Exception | None] = self._loop.create_future()
        self._socket: ClientConnection | None = None
        self._heard = self._began = 0.0
        self._ghost = -GHOST_SECONDS
        self._dealt_with = self._acknowledged = self._hellos = 0
        self._beat_timer: asyncio.TimerHandle | None = None
        self._ack_timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def live(self) -> bool:
        """Whether there is a greeted socket just now."""
        return self._socket is not None

    async def stay_connected(self) -> None:
        """Connect for ever; ends with the connection for good, which everybody who waits is told."""
        try:
            await self._connect_again_and_again()
        except Exception as error:  # noqa: BLE001 - whatever it is (the token provider's, too), the user's loop gets it
            self.end(error)

    def end(self, error: Exception | None = None) -> None:
        """There will be no more sockets."""
        if self.over.done():
            return
        self.over.set_result(error)
        self.said.requests.fail(error or ConnectionEndedError(CloseCode.NORMAL, "the client was closed"))
        self.said.inbox.close(error)
        for sending in list(self._sending):
            sending.cancel()
        if error is None:
            self.first.cancel()
        elif not self.first.done():
            self.first.set_exception(error)

    def cut(self) -> None:
        """Abort the socket without a word."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def send(self, frame: str) -> None:
        """Send a frame; on a dead socket to nobody."""
        if self._socket is not None:
            with suppress(ConnectionClosed):  # the reader sees it as well
                await self._socket.send(frame)

    def dealt_with(self, seq: int) -> None:
        """The user is done with an event; the server may forget it, and is told so by and by."""
        if seq > self.said.last_seen:
            return  # a number from before the store's history changed
        self._dealt_with = max(self._dealt_with, seq)
        self._acknowledge_soon()

    # --- connecting -----------------------------------------------------------------------------------------------------

    async def _connect_again_and_again(self) -> None:
        attempt = refused_tokens = 0
        for turn in range(2**62):
            since = self._loop.time()
            ending = await self._one_connection(self._urls[turn % len(self._urls)])
            meaning = self._judged(ending)
            refused_tokens = refused_tokens + 1 if ending.code == CloseCode.UNAUTHORIZED else 0
            hopeless = meaning.reconnect == "new token" and (not self._renewable or refused_tokens > 1)
            if meaning.reconnect == "no" or hopeless:
                raise ConnectionEndedError(ending.code, self.said.refusal or meaning.what)
            if self.said.live and self._loop.time() - since > self._backoff.stable:
                attempt = 0
            asked = self.said.retry_after
            await asyncio.sleep(self._backoff.delay(attempt, meaning.wait if asked is None else asked, self._random))
            attempt += 1

    def _judged(self, ending: Ending) -> Meaning:
        """What an ending means: its code's meaning, but who is replaced by an own attempt, which was lost and yet reached its gateway late, comes back."""
        now = self._loop.time()
        if not self.said.live and ending.code in (0, LOST):
            self._ghost = now
        elif ending.code == CloseCode.REPLACED and now - self._ghost < GHOST_SECONDS:
            self._ghost = -GHOST_SECONDS
            return meaning_of(LOST)
        return ending.meaning

    async def _one_connection(self, url: str) -> Ending:
        self.said.opened()
        self._began = self._loop.time()
        socket = await open_socket(url, await self._tokens(), self.said.position, self._local_address)
        if isinstance(socket, Ending):
            self.said.refusal = socket.meaning.what
            return socket
        try:
            async with asyncio.timeout(HELLO_TIMEOUT):
                while not self.said.live:
                    self._received(socket, await socket.recv(decode=False))
            while True:
                self._received(socket, await socket.recv(decode=False))
        except ConnectionClosed:
            return ending_of(socket)
        except TimeoutError:
            return Ending(0, Meaning(f"The service said no hello within {HELLO_TIMEOUT:g} s.", "yes"))
        except msgspec.MsgspecError as error:
            return Ending(UNREADABLE, Meaning(f"The server sent what is no message: {error}.", "yes", 1.0))
        finally:
            self._detach()
            await socket.close()

    def _received(self, socket: ClientConnection, text: str | bytes) -> None:
        self._heard = self._loop.time()
        frames, hellos = self.said.received(text), self.said.hellos
        if hellos > self._hellos:  # the second one on a socket: the server begins the session anew
            self._hellos = hellos
            self._numbered_anew()
            if self._socket is None:
                self._attach(socket)
        for frame in frames:
            self._send_soon(frame)
        while self.said.undecided:
            op_id, wait = self.said.undecided.pop()
            self._loop.call_later(wait + self._random.uniform(0, wait), self._repeat, op_id)

    def _numbered_anew(self) -> None:
        if not self.said.resumed:
            self._dealt_with = self._acknowledged = 0

    def _attach(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.opened_in = self._loop.time() - self._began
        self.connections += 1
        self.resumed += self.said.resumed
        self._acknowledge_soon()
        self._beat_timer = self._loop.call_later(self._random.uniform(0, self.said.interval), self._beat)
        if not self.first.done():
            self.first.set_result(None)

    def _detach(self) -> None:
        self._socket = None
        for timer in (self._beat_timer, self._ack_timer):
            if timer is not None:
                timer.cancel()
        self._beat_timer = self._ack_timer = None

    # --- sending --------------------------------------------------------------------------------------------------------

    def _send_soon(self, frame: str) -> None:
        task = self._loop.create_task(self.send(frame))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _repeat(self, op_id: str) -> None:
        frame = self.said.requests.one_again(op_id) if self.live else None  # else the next hello repeats it
        if frame is not None:
            self._send_soon(frame)

    def _beat(self) -> None:
        if self._socket is None:
            return
        if self._loop.time() - self._heard > MISSED_BEATS * self.said.interval:
            self._socket.transport.abort()
            return
        self._send_soon(HEARTBEAT)
        self._beat_timer = self._loop.call_later(self.said.interval, self._beat)

    def _acknowledge_soon(self) -> None:
        if self._ack_timer is None and self._socket is not None and self._dealt_with > self._acknowledged:
            self._ack_timer = self._loop.call_later(ACK_DELAY, self._acknowledge)

    def _acknowledge(self) -> None:
        self._ack_timer = None
        self._acknowledged = self._dealt_with
        self._send_soon(encode(Ack(AckData(self._dealt_with))))
