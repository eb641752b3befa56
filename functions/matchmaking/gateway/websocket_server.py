"""Hypercorn and Quart made fit for many small, untrusted connections. Each part names what it mends (Hypercorn 0.18, Quart 0.22).

`LeanWebsocket`
    Quart starts two tasks for each socket and puts what comes in into a queue without a bound, so one fast sender fills the memory. Here the handler
    reads straight from the server, whose own queue is bounded: a slow handler slows its own client down, nobody else.
`BoundedStream`
    Hypercorn appends a fragment before it looks at the message's size, and after its own close 1009 it goes on buffering: 120 MB of fragments that never end
    took 114 MiB. Here the size is checked first and the connection ends at once. Hypercorn also always accepts permessage-deflate, which costs a browser's
    connection 100 KiB and lets a small frame grow to 220 MiB; here no extension is offered. And it ends a connection whose frames cannot be read (broken UTF-8,
    reserved bits) without a word; here the client is told by 1007 or 1002.
"""

from dataclasses import replace
from typing import Any, cast

import hypercorn.protocol.h11
from hypercorn.protocol.events import Event, Request, StreamClosed
from hypercorn.protocol.ws_stream import FrameTooLargeError, WebsocketBuffer, WSStream
from quart.asgi import ASGIWebsocketConnection
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping
from wsproto.frame_protocol import CloseReason


class DisconnectedError(Exception):
    """The client is gone; ends the handler."""


class LeanWebsocket(ASGIWebsocketConnection):
    """Quart's WebSocket protocol without its tasks and its queue; set as the app's `asgi_websocket_class`."""

    def __init__(self, app: Any, scope: Any) -> None:
        self.app, self.scope = app, scope
        self.queue = cast("Any", self)  # `self.queue.get` is what Quart gives the handler to receive with
        self._accepted = self._closed = False
        self._receive: Any = None

    async def __call__(self, receive: Any, send: Any) -> None:
        self._receive = receive
        await receive()  # websocket.connect
        await self.handle_websocket(self._create_websocket_from_scope(send), send)

    async def get(self) -> str | bytes:
        """The next message.

        Raises:
            DisconnectedError: there will be none.
        """
        event = await self._receive()
        if event["type"] != "websocket.receive":
            raise DisconnectedError
        text: str | None = event.get("text")
        return text if text is not None else cast("bytes", event["bytes"])

    async def send_data(self, send: Any, data: str | bytes) -> None:
        """Write a message; without the signals that nobody here listens to."""
        await send(
            {"type": "websocket.send", "bytes": None, "text": data} if isinstance(data, str) else {"type": "websocket.send", "bytes": data}
        )


class _BoundedBuffer(WebsocketBuffer):
    def extend(self, event: Message[Any]) -> None:
        if self.length + len(event.data) > self.max_length:
            raise FrameTooLargeError
        super().extend(event)


class BoundedStream(WSStream):
    """Hypercorn's WebSocket stream with bounded memory and without extensions."""

    def __init__(self, app: Any, config: Any, *rest: Any) -> None:
        super().__init__(app, config, *rest)
        self.buffer = _BoundedBuffer(config.websocket_max_message_size)

    async def handle(self, event: Event) -> None:
        """As the parent's, but no extension is negotiated."""
        if isinstance(event, Request):
            event = replace(event, headers=[header for header in event.headers if header[0].lower() != b"sec-websocket-extensions"])
        await super().handle(event)

    async def _handle_events(self) -> None:
        for event in self.connection.events():
            if isinstance(event, Message):
                try:
                    self.buffer.extend(event)
                except FrameTooLargeError:
                    await self._abort(CloseReason.MESSAGE_TOO_BIG)
                    return
                if event.message_finished and self.app_put is not None:
                    await self.app_put(self.buffer.to_message())
                    self.buffer.clear()
            elif isinstance(event, Ping):
                await self._send_wsproto_event(event.response())
            elif isinstance(event, CloseConnection):
                if self.connection.state == ConnectionState.OPEN:  # the client did not close: what it sent cannot be read
                    await self._abort(CloseReason(event.code))
                    return
                if self.connection.state == ConnectionState.REMOTE_CLOSING:
                    await self._send_wsproto_event(event.response())
                await self.send(StreamClosed(stream_id=self.stream_id))

    async def _abort(self, reason: CloseReason) -> None:
        """Say why, and end the TCP connection without waiting for the peer's consent."""
        self.buffer.clear()
        await self._send_wsproto_event(CloseConnection(code=reason))
        await self.send(StreamClosed(stream_id=self.stream_id))


def install() -> None:
    """Have Hypercorn use `BoundedStream`; its HTTP/1 protocol looks the class up by this name."""
    hypercorn.protocol.h11.WSStream = BoundedStream  # type: ignore[attr-defined, assignment]
