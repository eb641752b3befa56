"""A WebSocket client of a few lines, so that ten thousand of them fit into one process and cost less than the server that is measured.

It is as much of RFC 6455 as benchmarks need: text frames in and out, close codes, no extensions in use. It offers permessage-deflate as browsers do. Its masking
key is zero, which the standard allows and which spares the masking.
"""

import asyncio
import base64
import os
from collections.abc import Callable
from typing import cast

OnText = Callable[[bytes], None]
GREETING = b'{"type":"hello"'
HEARTBEAT = b'{"type":"heartbeat"}'


class Wire(asyncio.Protocol):
    """One connection.

    Attributes:
        opened: done when the upgrade is accepted; its error says why not.
        closed: done when the connection is over, with the close code (1006: there was none).
    """

    def __init__(self, request: bytes, on_text: OnText | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[int] = loop.create_future()
        self.on_text = on_text
        self._request = request
        self._data = bytearray()
        self._code = 1006
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Whole frames go to `on_text`."""
        self._data += data
        if not self.opened.done():
            head, separator, rest = bytes(self._data).partition(b"\r\n\r\n")
            if not separator:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(ConnectionError(head.split(b"\r\n", 1)[0].decode()))
                self.abort()
                return
            self.opened.set_result(None)
            self._data = bytearray(rest)
        self._frames()

    def _frames(self) -> None:
        data = self._data
        while len(data) >= 2:
            start, length = 2, data[1] & 127
            if length == 126:
                start, length = 4, int.from_bytes(data[2:4])
            elif length == 127:
                start, length = 10, int.from_bytes(data[2:10])
            if len(data) < start + length:
                return
            opcode, payload = data[0] & 15, bytes(data[start : start + length])
            del data[: start + length]
            if opcode == 8:
                self._code = int.from_bytes(payload[:2]) if payload else 1005
                self.send_frame(8, payload[:2])
            elif self.on_text is not None:
                self.on_text(payload)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionError("closed before the upgrade"))
        if not self.closed.done():
            self.closed.set_result(self._code)

    def send(self, text: bytes) -> None:
        """Send a text frame."""
        self.send_frame(1, text)

    def write(self, data: bytes) -> None:
        """Send bytes as they are; on a closed connection to nobody."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def send_frame(self, opcode: int, payload: bytes, *, final: bool = True, rsv1: bool = False) -> None:
        """Send a frame of any kind."""
        first = (128 if final else 0) | (64 if rsv1 else 0) | opcode
        if len(payload) < 126:
            head = bytes((first, 128 | len(payload), 0, 0, 0, 0))
        elif len(payload) < 65536:
            head = bytes((first, 254, *len(payload).to_bytes(2), 0, 0, 0, 0))
        else:
            head = bytes((first, 255, *len(payload).to_bytes(8), 0, 0, 0, 0))
        self.write(head + payload)

    def abort(self) -> None:
        """End it without a word."""
        if self.transport is not None:
            self.transport.abort()


def upgrade(port: int, path: str, token: str = "", *subprotocols: str, headers: str = "", deflate: bool = True) -> bytes:
    """A request for the upgrade: browser-like, or without the offer to compress, which not every server declines."""
    if deflate:
        headers += "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
        f"Sec-WebSocket-Protocol: {', '.join(subprotocols or ('gsm.v1',))}\r\n{authorization}{headers}\r\n"
    ).encode()


async def open_wire(port: int, request: bytes, on_text: OnText | None = None) -> Wire:
    """Open a connection.

    Raises:
        ConnectionError: the upgrade was refused.
    """
    _, wire = await asyncio.get_running_loop().create_connection(lambda: Wire(request, on_text), "127.0.0.1", port)
    await wire.opened
    return wire
