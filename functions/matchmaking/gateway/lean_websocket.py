"""Sockets without Quart's share of them (Quart 0.22).

Quart starts two tasks for each socket and puts what comes in into a queue without a bound: one client that sends faster than the handler reads pushed 150 MB
into memory. A handler that reads straight from the server, whose own queue is bounded, slows its own client down and nobody else. And a socket that never becomes
Quart's `Websocket` saves its contexts, 10 KiB and 7 µs for each message. `asgi_websocket_class` is Quart's hook for it.
"""

from collections.abc import Mapping
from typing import Any

from .bounded_stream import WIRE, Wire


class DisconnectedError(Exception):
    """The client is gone; ends the handler."""


class Socket:
    """One WebSocket, before and after its handshake."""

    __slots__ = ("_receive", "_send", "headers", "path", "peer", "subprotocols", "wire")

    def __init__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        self.path: str = scope["path"]
        self.headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key = name.decode("latin-1").lower()
            self.headers[key] = f"{self.headers[key]},{value.decode('latin-1')}" if key in self.headers else value.decode("latin-1")
        self.subprotocols: list[str] = scope["subprotocols"]
        self.peer: str = (scope["client"] or ("",))[0]
        self.wire: Wire = scope["extensions"][WIRE]
        self._receive, self._send = receive, send

    async def receive(self) -> str | bytes:
        """The next message.

        Raises:
            DisconnectedError: there will be none.
        """
        event = await self._receive()
        if event["type"] != "websocket.receive":
            raise DisconnectedError
        text: str | None = event.get("text")
        found: str | bytes = text if text is not None else event["bytes"]
        return found

    async def accept(self, subprotocol: str | None) -> None:
        """Complete the handshake."""
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": []})

    async def deny(self, status: int, retry_after: float) -> None:
        """Answer the handshake by an HTTP status; nothing is upgraded."""
        headers = [(b"content-length", b"0"), (b"connection", b"close"), (b"retry-after", str(max(1, round(retry_after))).encode())]
        await self._send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await self._send({"type": "websocket.http.response.body", "body": b""})

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame."""
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    def forget_handshake(self) -> None:
        """Let go what only the handshake needed."""
        self.headers, self.subprotocols = {}, []


class LeanWebsocket:
    """The app's `asgi_websocket_class`: hands each socket to the app's own handler, `app.extensions["socket_handler"]`."""

    def __init__(self, app: Any, scope: Any) -> None:
        self._handler, self._scope = app.extensions["socket_handler"], scope

    async def __call__(self, receive: Any, send: Any) -> None:
        await receive()  # websocket.connect
        await self._handler(Socket(self._scope, receive, send))
