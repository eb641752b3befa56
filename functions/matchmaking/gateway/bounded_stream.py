"""Hypercorn's WebSocket stream with bounded memory, without extensions, and with a short way to the wire (Hypercorn 0.18).

Fragments
    Hypercorn appends a fragment before it looks at the message's size, and after its own close 1009 it goes on buffering: 120 MB of fragments that never end
    took 114 MiB. Here the size is checked first, and the TCP connection ends at once.
Compression
    Hypercorn always accepts permessage-deflate, which costs a browser's connection 100 KiB and lets a small frame grow to 220 MiB. Here no extension is offered.
Unreadable frames, and floods of pings
    Hypercorn ends a connection whose frames cannot be read (broken UTF-8, reserved bits) without a word, and answers any number of pings. Here the client is told by
    1007, 1002 or 4429.
Writing
    A message that goes through ASGI, wsproto and a lock costs three times what writing its bytes costs, and waits for the peer. A server's frames are not masked, so
    the same bytes serve every connection: the app is given the `Wire`, writes frames to the transport itself, and sees how much of them waits.
Reading
    A message that comes whole, as nearly all do, needs no parser of fragments and no queue: it goes straight to whoever `listen`s, in the task that reads the
    connection, unless earlier ones still wait. So a peer whose messages are not dealt with is not read, as before. Everything else goes Hypercorn's way.
After the handshake
    Headers, the HTTP parser and the scope are of no more use, and are let go: 8 KiB of each idle connection.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any, cast

import hypercorn.protocol.h11
from hypercorn.protocol.events import Data, Event, Request, StreamClosed
from hypercorn.protocol.ws_stream import FrameTooLargeError, WebsocketBuffer, WSStream
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping
from wsproto.frame_protocol import CloseReason

from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.rate import Rate, admit

PINGS = Rate(2, 60)  # of one connection; libraries send one every twenty seconds
_log = logging.getLogger(__name__)
WIRE = "matchmaking.wire"  # among the scope's extensions


def text_frame(text: str) -> bytes:
    """A whole text message as a server writes it (RFC 6455, section 5.2)."""
    data = text.encode()
    if len(data) < 126:
        return bytes((0x81, len(data))) + data
    if len(data) < 65536:
        return b"\x81\x7e" + len(data).to_bytes(2, "big") + data
    return b"\x81\x7f" + len(data).to_bytes(8, "big") + data


def whole_text(data: bytes, longest: int) -> str | None:
    """The text, if the data are exactly one masked frame that holds a whole text message of at most so many bytes; None if they are anything else."""
    if len(data) < 6 or data[0] != 0x81 or data[1] < 0x80:
        return None
    length, start = data[1] & 0x7F, 2
    if length > 125:
        if length == 127 or (length := int.from_bytes(data[2:4], "big")) < 126:
            return None
        start = 4
    mask, payload = data[start : start + 4], data[start + 4 :]
    if len(payload) != length or length > longest:
        return None
    masks = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
    try:
        return (int.from_bytes(payload, "big") ^ masks).to_bytes(length, "big").decode()
    except UnicodeDecodeError:
        return None


def ends_whole(data: bytes) -> bool:
    """Whether data that begin with a frame end with one, and none of them is a fragment of a message."""
    at = 0
    while at + 2 <= len(data):
        if not data[at] & 0x80 or data[at] & 0x0F == 0:
            return False
        length, start = data[at + 1] & 0x7F, at + 2
        if length > 125:
            start += 2 if length == 126 else 8
            length = int.from_bytes(data[at + 2 : start], "big")
        at = start + (4 if data[at + 1] & 0x80 else 0) + length
    return at == len(data)


Hear = Callable[[str | bytes], Awaitable[None]]


class Wire:
    """The transport under one WebSocket."""

    __slots__ = ("_server", "_stream")

    def __init__(self, server: Any, stream: "BoundedStream") -> None:
        self._server, self._stream = server, stream

    def write(self, frame: bytes) -> None:
        """Hand a frame to the transport, which never waits; after the connection's end to nobody."""
        connection = getattr(self._stream, "connection", None)  # none if the client was gone before its handshake was answered
        if connection is None or connection.state is not ConnectionState.OPEN:
            return  # nothing may follow a close frame
        try:
            self._server.writer.write(frame)
        except RuntimeError:  # the server has ended its side already, and the session will hear of it
            return

    def listen(self, hear: Hear) -> None:
        """From now on messages may go to `hear`, which is awaited before the next one is read; those that wait already still have to be received."""
        self._stream.hear = hear

    def received(self) -> None:
        """A message that was received has been dealt with."""
        self._stream.waiting -= 1

    @property
    def unsent(self) -> int:
        """Bytes that the transport holds because the peer does not take them."""
        size: int = self._server.writer.transport.get_write_buffer_size()
        return size

    async def drain(self) -> None:
        """Wait until the transport holds little. Raises OSError if the connection is gone."""
        await self._server.writer.drain()

    def abort(self) -> None:
        """End the connection without waiting for the peer."""
        self._server.writer.transport.abort()

    def signed_in(self, high: int) -> None:
        """The handshake is over, and the peer is known; `drain` waits above `high` bytes."""
        self._server.writer.transport.set_write_buffer_limits(high=high)
        self._stream.forget_handshake()
        if hasattr(self._server, "signed_in"):
            self._server.signed_in()


class _BoundedBuffer(WebsocketBuffer):
    def extend(self, event: Message[Any]) -> None:
        if self.length + len(event.data) > self.max_length:
            raise FrameTooLargeError
        super().extend(event)


class _Accepted:
    accepted = True


_ACCEPTED: Any = _Accepted()


class BoundedStream(WSStream):
    """What Hypercorn makes for each WebSocket, see above."""

    def __init__(self, app: Any, config: Any, *rest: Any) -> None:
        super().__init__(app, config, *rest)
        self.buffer = _BoundedBuffer(config.websocket_max_message_size)
        self._pings = 0.0
        self.hear: Hear | None = None
        self.waiting = 0  # messages handed to the app that it has not dealt with
        self._whole = True  # what was read so far ended with a frame, and with a message
        self._protocol: Any = self.send.__self__  # type: ignore[attr-defined]  # the HTTP/1 protocol
        self.app = partial(_with_wire, app, Wire(self._protocol.send.__self__, self))

    async def handle(self, event: Event) -> None:
        """As the parent's, but no extension is negotiated."""
        if isinstance(event, Request):
            event = replace(event, headers=[header for header in event.headers if header[0].lower() != b"sec-websocket-extensions"])
        await super().handle(event)

    @property
    def accepted(self) -> bool:
        """Whether the handshake is over."""
        handshake = getattr(self, "handshake", None)
        return handshake is not None and bool(handshake.accepted)

    async def take(self, data: bytes) -> None:
        """Data came after the handshake."""
        if self._whole:
            if self.connection.state is ConnectionState.OPEN and not self.closed:
                text = whole_text(data, self.buffer.max_length)
                if text is not None:
                    await self._message({"type": "websocket.receive", "bytes": None, "text": text})
                    return
            self._whole = ends_whole(data)
        await self.handle(Data(self.stream_id, data))

    async def _message(self, message: Any) -> None:
        if self.hear is None or self.waiting:
            self.waiting += 1
            if self.app_put is not None:
                await self.app_put(message)
            return
        try:
            await self.hear(message["text"] if message["text"] is not None else message["bytes"])
        except Exception:  # noqa: BLE001 - it must not end the task that reads, whoever made the mistake
            _log.exception("a message could not be dealt with")
            await self._abort(CloseReason.INTERNAL_ERROR)

    def forget_handshake(self) -> None:
        """Let go what only the handshake needed."""
        self.handshake = _ACCEPTED
        cast("dict[str, Any]", self.scope).clear()
        self._protocol.connection.h11_connection = None

    async def _handle_events(self) -> None:
        for event in self.connection.events():
            if isinstance(event, Message):
                try:
                    self.buffer.extend(event)
                except FrameTooLargeError:
                    await self._abort(CloseReason.MESSAGE_TOO_BIG)
                    return
                if event.message_finished and self.app_put is not None:
                    message = self.buffer.to_message()
                    self.buffer.clear()
                    await self._message(message)
            elif isinstance(event, Ping):
                self._pings, wait = admit(self._pings, PINGS, monotonic())
                if wait:
                    await self._abort(CloseCode.RATE_LIMITED)
                    return
                await self._send_wsproto_event(event.response())
            elif isinstance(event, CloseConnection):
                if self.connection.state == ConnectionState.OPEN:  # the client did not close: what it sent cannot be read
                    await self._abort(event.code)
                    return
                if self.connection.state == ConnectionState.REMOTE_CLOSING:
                    await self._send_wsproto_event(event.response())
                await self.send(StreamClosed(stream_id=self.stream_id))

    async def _abort(self, reason: int) -> None:
        """Say why, and end the TCP connection without waiting for the peer's consent."""
        self.buffer.clear()
        await self._send_wsproto_event(CloseConnection(code=reason))
        await self.send(StreamClosed(stream_id=self.stream_id))


async def _with_wire(app: Any, wire: Wire, scope: Any, *rest: Any) -> None:
    scope["extensions"][WIRE] = wire
    await app(scope, *rest)


def install() -> None:
    """Have Hypercorn use it; its HTTP/1 protocol looks the class up by this name."""
    hypercorn.protocol.h11.WSStream = BoundedStream  # type: ignore[attr-defined, assignment]
