"""One player's socket: feeds what happens to the pure connection, and carries out what it says.

There is one writer for each socket, which exists only while there is something to write; what waits is bounded by count and bytes, and each write has a
deadline. A client that reads too slowly is closed (it may resume), and never holds up anybody else.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from matchmaking.protocol import connection as protocol
from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.messages import SERVER_TYPES, BadMessageError, ServerData, decode, encode

if TYPE_CHECKING:
    from .hub import Hub

UNSENT_MESSAGES = 64
UNSENT_BYTES = 256 * 1024
WRITE_DEADLINE = 5.0  # s
CLOSE_GRACE = 2.0  # s for the client to answer a close

Write = Callable[[str], Awaitable[None]]
CloseSocket = Callable[[int, str], Awaitable[None]]


class Session:
    """A signed-in player's live socket."""

    __slots__ = (
        "_bytes", "_close_socket", "_handler", "_hub", "_latest", "_unsent", "_write", "_writing", "connection", "issued_ms", "renewing",
    )  # fmt: skip

    def __init__(self, hub: "Hub", connection: protocol.Connection, write: Write, close_socket: CloseSocket, issued_ms: int = 0) -> None:
        self.connection = connection
        self.issued_ms = issued_ms  # when the sign-in token was issued
        self.renewing = False  # it begins anew just now: its generation may be stale without anybody else having connected
        self._hub = hub
        self._write = write
        self._close_socket = close_socket
        self._unsent: deque[str | None] = deque()  # None: where the latest state goes
        self._latest: str | None = None
        self._bytes = 0
        self._writing = False
        self._handler = asyncio.current_task()

    @property
    def player(self) -> str:
        """Whose socket it is."""
        return self.connection.player

    async def began_anew_since(self, generation: int) -> bool:
        """Whether this connection has another generation by now, although nobody took it over; waits for a renewal that is under way."""
        while self.renewing:
            await asyncio.sleep(0.02)
        return not self.connection.closing and self.connection.generation != generation

    @property
    def unsent(self) -> int:
        """Messages that wait for the socket."""
        return len(self._unsent)

    def feed(self, event: protocol.Event, now: float | None = None) -> None:
        """Something happened; do what follows from it."""
        self.connection, effects = protocol.step(self.connection, event, time.time() if now is None else now)
        for effect in effects:
            self._hub.perform[type(effect)](self._hub, self, effect)

    def receive(self, frame: str | bytes) -> None:
        """A frame came from the client."""
        if isinstance(frame, bytes):
            self.close(CloseCode.UNSUPPORTED_DATA)
            return
        began = self._hub.metrics.sampled()
        try:
            message = decode(frame)
        except BadMessageError as error:
            self._hub.metrics.received.count("invalid")
            self.feed(protocol.Malformed(error.code, str(error)))
            return
        self._hub.count_received(type(message))
        self.feed(protocol.Received(message))
        if began:
            self._hub.metrics.handling.observe(time.perf_counter() - began)

    def send(self, data: ServerData, seq: int | None = None) -> None:
        """Write a message, in order, when the socket takes it."""
        self._hub.count_sent(SERVER_TYPES[type(data)])
        self.send_text(encode(data, seq))

    def send_latest(self, text: str) -> None:
        """Write a state that the next one replaces, if the socket has not taken it by then: a client that is behind gets the latest only."""
        waits, self._latest = self._latest is not None, text
        if not waits:
            self._enter(None)

    def send_text(self, text: str) -> None:
        """Write an encoded message; fan-out encodes once."""
        self._bytes += len(text)
        self._enter(text)

    def _enter(self, text: str | None) -> None:
        self._unsent.append(text)
        if len(self._unsent) > UNSENT_MESSAGES or self._bytes > UNSENT_BYTES:
            self._unsent.clear()
            self._bytes, self._latest = 0, None
            self.close(CloseCode.SLOW_CONSUMER)
        elif not self._writing:
            self._writing = True
            self._hub.spawn(self._write_out())

    def close(self, code: CloseCode) -> None:
        """Close the socket after what is still to be written; the handler ends even if the client never answers."""
        if not self.connection.closing:
            self.connection = protocol.closing(self.connection)
        self._hub.metrics.closed.labels(str(int(code))).inc()
        self._hub.spawn(self._close(code))

    async def _write_out(self) -> None:
        try:
            while self._unsent:
                text = self._unsent.popleft()
                if text is None:
                    text, self._latest = self._latest, None
                    if text is None:
                        continue
                else:
                    self._bytes -= len(text)
                async with asyncio.timeout(WRITE_DEADLINE):
                    await self._write(text)
        except TimeoutError:
            self._unsent.clear()
            self.close(CloseCode.SLOW_CONSUMER)
        finally:
            self._writing = False

    async def _close(self, code: CloseCode) -> None:
        deadline = asyncio.get_running_loop().time() + CLOSE_GRACE
        while self._writing and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        with contextlib.suppress(RuntimeError, TimeoutError):  # closed already, or the client does not read
            async with asyncio.timeout_at(deadline):
                await self._close_socket(int(code), code.name.lower())
        await asyncio.sleep(CLOSE_GRACE)
        if self._handler is not None and not self._handler.done():
            self._handler.cancel()
