"""A gateway on real sockets within the test's own process, and plain third-party clients for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import websockets
import yaml
from websockets.asyncio.client import ClientConnection

from matchmaking.core.pool import PoolRules, load_pool
from matchmaking.gateway.main import serve_gateway
from matchmaking.matcher.job import Job, Report
from matchmaking.settings import Settings
from matchmaking.store.connect import open_store
from support.redis_server import free_port
from support.tokens import AUDIENCE, ISSUER, Signer

POOLS = Path(__file__).parents[2] / "pools"
random = Random(1)


def shipped_pool(name: str) -> PoolRules:
    """A pool that ships with the project."""
    return load_pool(yaml.safe_load((POOLS / f"{name}.yaml").read_text())).spec


class Player:
    """A client that knows nothing of our SDK."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.hello: dict[str, Any] = {}
        self.snapshot: dict[str, Any] | None = None

    async def send(self, type_: str, **data: Any) -> None:
        """Send a message."""
        await self.socket.send(json.dumps({"type": type_, "data": data}))

    async def receive(self, type_: str | None = None, within: float = 5.0) -> dict[str, Any]:
        """The next message, or the next of a type."""
        async with asyncio.timeout(within):
            while True:
                message: dict[str, Any] = json.loads(await self.socket.recv())
                if type_ is None or message["type"] == type_:
                    return message

    async def greeted(self) -> None:
        """Read `hello`, and the `snapshot` that follows unless the session was resumed."""
        message = await self.receive()
        assert message["type"] == "hello", message
        self.hello = message["data"]
        if not self.hello["resumed"]:
            message = await self.receive()
            assert message["type"] == "snapshot", message
            self.snapshot = message["data"]

    def resuming(self, seq: int) -> str:
        """The subprotocol that resumes this session after an event."""
        return f"resume.{self.hello['epoch']}.{seq}.{self.hello['resume_token']}"

    async def join(self, pool: str = "duel", region: str = "local", mode: str = "ranked", op_id: str = "1") -> dict[str, Any]:
        """Join a queue; the answer."""
        await self.send("queue_join", pool=pool, region=region, mode=mode, op_id=op_id)
        while True:
            message = await self.receive()
            if message["type"] in ("queue_joined", "error"):
                return message

    async def closed(self, within: float = 5.0) -> tuple[int, str]:
        """Wait for the server's close; its code and reason."""
        async with asyncio.timeout(within):
            try:
                while True:
                    await self.socket.recv()
            except websockets.ConnectionClosed as error:
                assert error.rcvd is not None  # noqa: PT017 - it is what this function returns
                return error.rcvd.code, error.rcvd.reason


class Gateway:
    """A served gateway."""

    def __init__(self, settings: Settings, signer: Signer) -> None:
        self.settings, self.signer = settings, signer
        self.stop = asyncio.Event()

    @property
    def url(self) -> str:
        """Where its HTTP API is."""
        return f"http://127.0.0.1:{self.settings.port}"

    @property
    def websocket_url(self) -> str:
        """Where its sockets are, without the player."""
        return f"ws://127.0.0.1:{self.settings.port}/ws"

    async def open(self, player: str, token: str | None = None, **options: Any) -> Player:
        """Open a socket; with the player's own token unless another one is given."""
        headers = options.pop("additional_headers", {"Authorization": f"Bearer {token or self.signer.token(player)}"})
        subprotocols = options.pop("subprotocols", ["gsm.v1"])
        return Player(
            await websockets.connect(f"{self.websocket_url}/{player}", additional_headers=headers, subprotocols=subprotocols, **options)
        )

    @asynccontextmanager
    async def player(self, player: str, **options: Any) -> AsyncIterator[Player]:
        """A signed-in player who has been greeted."""
        opened = await self.open(player, **options)
        async with opened.socket:
            await opened.greeted()
            yield opened


@asynccontextmanager
async def gateway(redis_url: str, signer: Signer, *, pools: Sequence[str] = ("duel", "squads"), **settings: Any) -> AsyncIterator[Gateway]:
    """Serve a gateway on free ports, with shipped pools written beforehand."""
    async with open_store(redis_url) as store:
        for name in pools:
            await store.put_pool(name, shipped_pool(name))
    chosen = {
        "redis_url": redis_url,
        "port": free_port(),
        "metrics_port": free_port(),
        "jwks_file": signer.jwks_file,
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "drain_seconds": 2.0,
    }
    served = Gateway(Settings(**(chosen | settings)), signer)
    ready = asyncio.Event()
    task = asyncio.ensure_future(serve_gateway(served.settings, served.stop, on_ready=ready.set))
    waiting = asyncio.ensure_future(ready.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        task.result()
    try:
        yield served
    finally:
        served.stop.set()
        await asyncio.wait_for(task, 20)


@asynccontextmanager
async def matcher(redis_url: str, pool: str = "duel", region: str = "local") -> AsyncIterator[Job]:
    """A matcher job within the test's process."""
    stop = asyncio.Event()
    async with open_store(redis_url) as store:
        job = Job(store, pool, region, stop)
        task: asyncio.Task[Report] = asyncio.ensure_future(job.run())
        try:
            yield job
        finally:
            stop.set()
            await asyncio.wait_for(task, 20)
