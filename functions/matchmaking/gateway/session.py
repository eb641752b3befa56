"""One player's socket: feeds what happens to the pure connection, carries out what it says, and writes to the wire.

While the peer takes what is written, frames go straight to the transport. Once the transport holds `HIGH` bytes, further ones wait in a queue that is bounded by count
and bytes and has one writer, which exists only then and has a deadline. In it, of states that replace each other only the latest is kept. A client that still
reads too slowly is closed (it may resume), and never holds up anybody else: nothing is written to it any more, what it says is not read while it does not
take the answers, and if a thousand fall behind at the same announcement, their ends are spread over `CUT_SPREAD`.
"""

import asyncio
import contextlib
import math
import random
import time
from collections import deque
from typing import TYPE_CHECKING

from matchmaking.protocol import connection as protocol
from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.messages import SERVER_TYPES, BadMessageError, QueueUpdateData, ServerData, decode, encode

from .bounded_stream import text_frame
from .lean_websocket import Socket

if TYPE_CHECKING:
    from .hub import Hub

HIGH = 8 * 1024  # bytes in the transport above which frames wait in our queue
UNSENT_MESSAGES = 64
UNSENT_BYTES = 256 * 1024
WRITE_DEADLINE = 5.0  # s
CLOSE_GRACE = 2.0  # s for the client to answer a close
CUT_SPREAD = 2.0  # s; an end costs most of a millisecond


class Session:
    """A signed-in player's live socket.

    Attributes:
        address: the client's.
        issued_ms: when the sign-in token was issued.
        renewing: it begins anew just now: its generation may be stale without anybody else having connected.
    """

    __slots__ = (
        "_bytes", "_closing", "_corked", "_hub", "_latest", "_over", "_socket", "_unsent", "_writer", "address", "connection", "issued_ms", "renewing",
    )  # fmt: skip

    def __init__(self, hub: "Hub", connection: protocol.Connection, socket: Socket, address: str, issued_ms: int) -> None:
        self.connection, self.address, self.issued_ms, self.renewing = connection, address, issued_ms, False
        self._hub, self._socket = hub, socket
        self._unsent: deque[bytes | str] | None = None  # frames, and kinds of states of which the latest goes here
        self._latest: dict[str, bytes] | None = None
        self._corked: bytearray | None = None  # what follows from one event goes out by one write
        self._bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._closing = self._over = False

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
        return len(self._unsent or ())

    # --- what happens ----------------------------------------------------------------------------------------------------

    def feed(self, event: protocol.Event, now: float | None = None) -> None:
        """Something happened; do what follows from it."""
        self.connection, effects = protocol.step(self.connection, event, time.time() if now is None else now)
        corks = len(effects) > 1 and self._corked is None
        if corks:
            self._corked = bytearray()
        try:
            for effect in effects:
                self._hub.perform[type(effect)](self._hub, self, effect)
        finally:
            if corks:
                corked, self._corked = self._corked, None
                if corked:
                    self._socket.wire.write(bytes(corked))

    def receive(self, frame: str | bytes) -> None:
        """A frame came from the client."""
        if isinstance(frame, bytes):
            self.close(CloseCode.UNSUPPORTED_DATA)
            return
        began, now = self._hub.metrics.sampled(), time.time()
        wait = self._hub.limits.message(self, self.player, self.address, now)
        try:
            message = decode(frame)
        except BadMessageError as error:
            self._hub.count_received("invalid")
            self.feed(protocol.Malformed(error.code, str(error)), now)
            return
        if wait:
            self._hub.count_received("limited")
            self.feed(protocol.Limited(math.ceil(wait * 100) / 100, getattr(message.data, "op_id", "")), now)
            return
        self._hub.count_received(str(message.__struct_config__.tag))
        self.feed(protocol.Received(message), now)
        if began:
            self._hub.metrics.handling.observe(time.perf_counter() - began)

    # --- writing ---------------------------------------------------------------------------------------------------------

    def send(self, data: ServerData, seq: int | None = None) -> None:
        """Write a message, in order, when the socket takes it."""
        kind = SERVER_TYPES[type(data)]
        self._hub.count_sent(kind)
        if isinstance(data, QueueUpdateData):
            self.send_latest(encode(data, seq), kind)
        else:
            self.send_text(encode(data, seq))

    def send_latest(self, text: str, kind: str = "game_state_update") -> None:
        """Write a state that the next one replaces, if the socket has not taken it by then: a client that is behind gets the latest only."""
        frame = text_frame(text)
        if self._unsent is not None and self._latest is not None and kind in self._latest:
            self._bytes += len(frame) - len(self._latest[kind])
            self._latest[kind] = frame
        else:
            self.send_frame(frame, kind)

    def send_text(self, text: str) -> None:
        """Write an encoded message."""
        self.send_frame(text_frame(text))

    def send_frame(self, frame: bytes, kind: str = "") -> None:
        """Write a frame; fan-out makes one for everybody."""
        if self._over:
            return
        wire = self._socket.wire
        if self._unsent is None and wire.unsent <= HIGH:
            if self._corked is None:
                wire.write(frame)
            else:
                self._corked += frame
            return
        if self._unsent is None:
            self._unsent, self._latest = deque(), {}
        if kind and self._latest is not None:
            self._latest[kind] = frame
        self._unsent.append(kind or frame)
        self._bytes += len(frame)
        if len(self._unsent) > UNSENT_MESSAGES or self._bytes > UNSENT_BYTES:
            self._fall_behind()
        elif self._writer is None:
            self._writer = self._hub.spawn(self._write_out())

    async def caught_up(self) -> None:
        """Wait until nothing waits for the socket: whoever does not take answers need not ask for more."""
        if self._writer is not None:
            await asyncio.wait((self._writer,))

    async def _write_out(self) -> None:
        wire = self._socket.wire
        try:
            while self._unsent:
                async with asyncio.timeout(WRITE_DEADLINE):
                    await wire.drain()
                while self._unsent and wire.unsent <= HIGH:
                    entry = self._unsent.popleft()
                    frame = self._latest.pop(entry) if isinstance(entry, str) and self._latest else entry
                    if isinstance(frame, bytes):
                        self._bytes -= len(frame)
                        wire.write(frame)
        except TimeoutError:
            self._fall_behind()
        except (OSError, RuntimeError):
            self._over = True  # the client is gone; the reader sees it as well
        finally:
            self._writer = None
            self._forget_unsent()

    def _fall_behind(self) -> None:
        self._over = True
        self._forget_unsent()
        self.close(CloseCode.SLOW_CONSUMER)

    def _forget_unsent(self) -> None:
        self._unsent = self._latest = None
        self._bytes = 0

    # --- the end ---------------------------------------------------------------------------------------------------------

    def close(self, code: CloseCode) -> None:
        """Close the socket after what is still to be written; it ends even if the client never answers."""
        if not self.connection.closing:
            self.connection = protocol.closing(self.connection)
        if not self._closing:
            self._closing = True
            self._hub.count_closed(code)
            self._hub.spawn(self._close(code))

    def end(self) -> None:
        """The socket is gone."""
        self._over = True
        self.connection = protocol.closing(self.connection)
        self._forget_unsent()

    def abort(self) -> None:
        """End it without waiting for the client."""
        self._socket.wire.abort()

    async def _close(self, code: CloseCode) -> None:
        loop = asyncio.get_running_loop()
        if self._over:
            await asyncio.sleep(random.uniform(0, CUT_SPREAD))
        deadline = loop.time() + CLOSE_GRACE
        if self._writer is not None and not self._over:
            await asyncio.wait((self._writer,), timeout=CLOSE_GRACE)
        self._over = True
        with contextlib.suppress(OSError, RuntimeError, TimeoutError):  # gone already, or the client does not read
            async with asyncio.timeout_at(deadline):
                await self._socket.close(int(code), code.name.lower())
        loop.call_at(deadline, self.abort)
