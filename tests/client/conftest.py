"""A gateway that says what a test tells it to, on a real loopback socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from matchmaking.protocol.messages import HelloData, ServerData, encode

TOKEN = "t0ken"


class Peer:
    """The server's side of one socket."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket

    async def send(self, data: ServerData, seq: int | None = None) -> None:
        """Send a message."""
        await self.socket.send(encode(data, seq))

    async def greet(self, hello: HelloData) -> None:
        """Say hello."""
        await self.send(msgspec.structs.replace(hello, resume_token=TOKEN))

    async def say(self, type_: str, seq: int | None = None, **data: Any) -> None:
        """Send a message of any type."""
        await self.socket.send(json.dumps({"type": type_, "data": data} | ({} if seq is None else {"seq": seq})))

    async def receive(self, type_: str | None = None) -> dict[str, Any]:
        """The client's next message, or its next one of a type."""
        async with asyncio.timeout(5):
            while True:
                message: dict[str, Any] = json.loads(await self.socket.recv())
                if type_ is None or message["type"] == type_:
                    return message


class FakeGateway:
    """Takes connections; each waits for the test to `accept` it."""

    def __init__(self) -> None:
        self.sockets: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self.interval = 30.0
        self.server: Server | None = None

    @property
    def url(self) -> str:
        """Its address."""
        assert self.server is not None
        return f"ws://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def handle(self, socket: ServerConnection) -> None:
        """Hand the socket to the test, and keep it open."""
        await self.sockets.put(socket)
        await socket.wait_closed()

    async def accept(self, seq: int = 0, *, greet: bool = True, epoch: str = "e1", resumed: bool = False) -> Peer:
        """The next connection, greeted."""
        async with asyncio.timeout(5):
            peer = Peer(await self.sockets.get())
        if greet:
            await peer.greet(HelloData("alice", self.interval, epoch, seq, 1, resumed))
        return peer


@pytest.fixture
async def fake_gateway() -> AsyncIterator[FakeGateway]:
    """A scripted gateway."""
    gateway = FakeGateway()
    async with serve(gateway.handle, "127.0.0.1", 0, subprotocols=[Subprotocol("gsm.v1")], compression=None) as server:
        gateway.server = server
        yield gateway
