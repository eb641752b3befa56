"""Thousands of players in a few processes: each process holds its share of connections and answers commands, so that the clients never wait for each other.

A `Swarm` is one process. It is told, by lines of JSON, to connect players, to drop them, to connect them again with what they need to resume, to count an
announcement; it answers each with a line of figures.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import Any, Self

import msgspec
import uvloop

from deployment import raise_file_limit
from wire import HEARTBEAT, Wire, open_wire, upgrade

AT_ONCE = 200  # connection attempts under way in one process
ATTEMPT_WITHIN = 60.0  # s


class Player:
    """One player's connection, and what resumes it."""

    def __init__(self, swarm: "Players", name: str, token: str) -> None:
        self.name, self.token, self._swarm = name, token, swarm
        self.wire: Wire | None = None
        self.position = ""
        self.greeted: asyncio.Future[bool] | None = None

    async def connect(self, port: int, *, beats: bool) -> tuple[float, bool]:
        """Connect; seconds until the hello, and whether the session was resumed."""
        began = time.perf_counter()
        self.greeted = asyncio.get_running_loop().create_future()
        offered = ("gsm.v1", self.position) if self.position else ("gsm.v1",)
        self.wire = await open_wire(port, upgrade(port, f"/ws/{self.name}", self.token, *offered), self.on_text)
        self.wire.closed.add_done_callback(self._closed)
        resumed = await self.greeted
        if beats:
            self._swarm.beat(self.wire)
        return time.perf_counter() - began, resumed

    def on_text(self, text: bytes) -> None:
        """Note what matters."""
        if text.startswith(b'{"type":"announcement"'):
            self._swarm.announced.append(time.time())
        elif text.startswith(b'{"type":"hello"'):
            hello = msgspec.json.decode(text)["data"]
            self.position = f"resume.{hello['epoch']}.{hello['seq']}.{hello['resume_token']}"
            if self.greeted is not None and not self.greeted.done():
                self.greeted.set_result(hello["resumed"])
        elif text.startswith(b'{"type":"reconnect"'):
            self._swarm.advised += 1

    def _closed(self, closed: "asyncio.Future[int]") -> None:
        self._swarm.codes[closed.result()] += 1
        if self.greeted is not None and not self.greeted.done():
            self.greeted.set_exception(ConnectionError(f"closed with {closed.result()}"))


class Players:
    """All players of this process."""

    player = Player

    def __init__(self) -> None:
        self.players: dict[str, Player] = {}
        self.announced: list[float] = []
        self.codes: Counter[int] = Counter()
        self.advised = 0
        self.interval = 0.0

    def beat(self, wire: Wire) -> None:
        """Send heartbeats for as long as the socket lives."""
        if not wire.closed.done():
            wire.send(HEARTBEAT)
            asyncio.get_running_loop().call_later(self.interval, self.beat, wire)

    async def connect(self, port: int, tokens: dict[str, str], interval: float = 0.0, within: float = 0.0) -> dict[str, Any]:
        """Connect players (again); spread over `within` seconds, each tried until it works."""
        self.interval = interval
        slots, began, waits, done, resumed, failures = asyncio.Semaphore(AT_ONCE), time.perf_counter(), [], [], 0, Counter[str]()

        async def one(index: int, name: str, token: str) -> None:
            nonlocal resumed
            player = self.players.setdefault(name, self.player(self, name, token))
            await asyncio.sleep(within * index / max(1, len(tokens)))
            for attempt in range(20):
                try:
                    async with slots, asyncio.timeout(ATTEMPT_WITHIN):
                        wait, was_resumed = await player.connect(port, beats=interval > 0)
                except (OSError, TimeoutError) as error:
                    failures[str(error)[:50]] += 1
                    await asyncio.sleep(0.2 * (attempt + 1))
                    continue
                waits.append(wait)
                done.append(time.perf_counter() - began)
                resumed += was_resumed
                return

        await asyncio.gather(*(one(i, name, token) for i, (name, token) in enumerate(tokens.items())))
        return {"waits": waits, "done": done, "resumed": resumed, "failures": dict(failures)}

    async def drop(self) -> dict[str, Any]:
        """Abort all connections at once."""
        self.codes.clear()
        for player in self.players.values():
            if player.wire is not None:
                player.wire.abort()
        await asyncio.sleep(0)
        return {"dropped": len(self.players)}

    async def heard(self, count: int, timeout: float = 30.0) -> dict[str, Any]:
        """Wait until so many announcements came; when each came, by the wall clock."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while len(self.announced) < count:
                    await asyncio.sleep(0.02)
        heard, self.announced = self.announced, []
        return {"heard": heard}

    async def ended(self, timeout: float = 60.0) -> dict[str, Any]:
        """Wait until all connections are closed; by which codes, and how many were told to reconnect."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while any(player.wire is not None and not player.wire.closed.done() for player in self.players.values()):
                    await asyncio.sleep(0.05)
        return {"codes": dict(self.codes), "advised": self.advised}


class Swarm:
    """A process of players, seen from outside; `program` is what runs in it."""

    def __init__(self, program: str = __file__) -> None:
        self._program = program
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Start it."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, self._program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=64 * 1024 * 1024
        )

    async def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Tell it to do something; its figures."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([command, arguments]).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return answer

    async def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


class Swarms:
    """Several processes; players are dealt out to them."""

    def __init__(self, count: int, program: str = __file__) -> None:
        self._swarms = [Swarm(program) for _ in range(count)]

    @property
    def pids(self) -> list[int]:
        """The processes."""
        return [swarm.pid for swarm in self._swarms]

    async def __aenter__(self) -> Self:
        await asyncio.gather(*(swarm.start() for swarm in self._swarms))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(swarm.stop() for swarm in self._swarms))

    async def connect(self, port: int, tokens: dict[str, str], **options: Any) -> dict[str, Any]:
        """Connect players; figures of all of them."""
        dealt: list[dict[str, str]] = [{} for _ in self._swarms]
        for i, (name, token) in enumerate(tokens.items()):
            dealt[i % len(dealt)][name] = token
        parts = await asyncio.gather(
            *(swarm.do("connect", port=port, tokens=part, **options) for swarm, part in zip(self._swarms, dealt, strict=True))
        )
        return _merged(parts)

    async def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The same to all; their figures merged."""
        return _merged(await asyncio.gather(*(swarm.do(command, **arguments) for swarm in self._swarms)))


def _merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            if isinstance(value, dict):
                merged[name] = dict(Counter(merged.get(name, {})) + Counter(value))
            else:
                merged[name] = merged[name] + value if name in merged else value
    return merged


async def serve(players: Players) -> None:
    """Do what the lines on the standard input say, until it ends."""
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command, arguments = json.loads(line)
        print(json.dumps(await getattr(players, command)(**arguments)), flush=True)


if __name__ == "__main__":
    raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Players()))
