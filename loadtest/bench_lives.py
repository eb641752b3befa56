"""Complete lives of matches on one machine, over the wire: join, match, accept, server, three states, result.

    python loadtest/bench_lives.py [--lives 2000] [--seconds 30] [--updates 500]

Starts `matchmaking dev` without bots on free ports of the loopback address. This one process plays the players (with the Python client), the allocator and the game
servers (raw HTTP). Prints

- lives completed per minute, and the share of one core of each process meanwhile (in `dev` the gateway's process holds the autoscaler, too; the load generator is
  this one: if it is near a core, it is what limits the lives);
- from the last `match_accept` to `ready`, and from the result to `completed`, on the client;
- then, with sessions that run: from `POST …/state` to the players' sockets at so many updates per second.

Stops by itself, and sends nothing beyond loopback.
"""

import argparse
import asyncio
import json
import math
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import uvloop

from matchmaking.client import Client, GameStateUpdateData, MatchFoundData

ALLOCATOR = "127.0.0.2"  # this machine too, but none of the addresses at which `dev` puts a game server of its own
POOL = """
apiVersion: gamesessions.dev/v1alpha1
kind: MatchmakingPool
metadata: {{name: lives}}
spec:
  regions: [{{name: local}}]
  modes: [ranked]
  teams: [{{name: side, quantity: 2}}]
  acceptance: {{required: true, timeout: 20s}}
  allocation: {{type: webhook, url: "http://{host}:{port}/allocate"}}
  session: {{readyTimeout: 30s}}
"""
TARGETS = {"lives": 2000.0, "gateway": 60.0, "update": 50.0}  # per minute, % of one core, ms (p99)
CONNECTIONS = 32  # of the game servers to the gateway
PATIENCE = 60.0  # s until the last life is over
EARLY = 0.05  # s; a server that reports before its match is ready tries again after it


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free just now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


class Api:
    """The gateway's HTTP API by a few kept connections; cheap, because the load generator must not be what is measured."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def open(self, count: int) -> None:
        """Connect."""
        for _ in range(count):
            self._free.put_nowait(await asyncio.open_connection("127.0.0.1", self._port))

    async def post(self, path: str, body: Any) -> int:
        """The answer's status."""
        reader, writer = await self._free.get()
        text = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._token}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        try:
            writer.write(head.encode() + text)
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        except (asyncio.IncompleteReadError, ConnectionError):  # it was idle for too long: the server had closed it
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(head.encode() + text)
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(answer.split("content-length: ", 1)[1].split("\r\n", 1)[0]))
        self._free.put_nowait((reader, writer))
        return int(answer.split(" ", 2)[1])

    def close(self) -> None:
        """Disconnect."""
        while not self._free.empty():
            self._free.get_nowait()[1].close()


class Lives:
    """Players and servers, and what they measured."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.play_on = True  # whether a server posts its states and the result by itself
        self.free: asyncio.Queue[Client] = asyncio.Queue()
        self.completed: list[float] = []
        self.accepted: dict[str, float] = {}
        self.posted: dict[str, float] = {}
        self.ready_ms: list[float] = []
        self.end_ms: list[float] = []
        self.update_ms: list[float] = []
        self.early = 0
        self.running: list[str] = []
        self.tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Any) -> None:
        """Run something; its failure ends the benchmark's result as a missing life."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def allocate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The webhook."""
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                match = json.loads(await reader.readexactly(int(head.split("content-length: ", 1)[1].split("\r\n", 1)[0])))["match_id"]
                text = b'{"connection":{"address":"127.0.0.1","port":7777}}'
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
                self.spawn(self.play(match))
        writer.close()

    async def play(self, match: str) -> None:
        """A game server's part; no real one is up sooner than its match is ready, of which it hears a moment before."""
        await asyncio.sleep(EARLY)
        for turn in range(3 if self.play_on else 1):
            while await self.api.post(f"/api/v1/sessions/{match}/state", {"state": {"turn": turn, "score": [turn, 0]}}) == 409:
                self.early += 1
                await asyncio.sleep(EARLY)
        if not self.play_on:
            self.running.append(match)
            return
        self.posted[match] = time.perf_counter()
        if await self.api.post(f"/api/v1/sessions/{match}/result", {"winner": "side-1"}) == 200:
            self.completed.append(time.perf_counter())

    async def player(self, client: Client) -> None:
        """A player's part."""
        async for event in client.events():
            now = time.perf_counter()
            if isinstance(event, MatchFoundData):
                self.accepted[event.match_id] = now
                self.spawn(client.accept(event.match_id))
            elif isinstance(event, GameStateUpdateData):
                data: Any = event.state.get("data")
                if event.state["status"] == "ready":
                    self.ready_ms.append((now - self.accepted[event.session_id]) * 1000)
                elif event.state["status"] == "completed":
                    self.end_ms.append((now - self.posted[event.session_id]) * 1000)
                    self.free.put_nowait(client)
                elif isinstance(data, dict) and "sent" in data:
                    self.update_ms.append((time.time() - data["sent"]) * 1000)

    async def pair(self) -> None:
        """Two players queue."""
        one, other = await self.free.get(), await self.free.get()
        await asyncio.gather(one.join("lives", "local", "ranked"), other.join("lives", "local", "ranked"))


async def measure(arguments: argparse.Namespace, port: int, process: psutil.Process, token: Any) -> None:
    """Both phases, with a system that runs."""
    api = Api(port, token("bench-server", "server"))
    await api.open(CONNECTIONS)
    lives = Lives(api)
    allocator = await asyncio.start_server(lives.allocate, ALLOCATOR, arguments.allocator)
    async with AsyncExitStack() as stack:
        for i in range(arguments.players):
            name = f"life-{i}"
            client = await stack.enter_async_context(Client.connect(f"http://127.0.0.1:{port}", name, token=token(name)))
            lives.spawn(lives.player(client))
            lives.free.put_nowait(client)
        rate = arguments.lives / 60
        for _ in range(5):  # the first matcher starts
            await lives.pair()
        await asyncio.sleep(3)
        lives.completed.clear()
        lives.ready_ms.clear()
        lives.end_ms.clear()
        lives.early = 0
        load, started = Load(process), time.perf_counter()
        for turn in range(round(rate * arguments.seconds)):
            await asyncio.sleep(max(0.0, started + turn / rate - time.perf_counter()))
            lives.spawn(lives.pair())
        wall = time.perf_counter() - started
        shares, done, early = load.shares(), len(lives.completed), lives.early
        async with asyncio.timeout(PATIENCE):
            while lives.free.qsize() < arguments.players:  # the sessions under way would be none of those that only run
                await asyncio.sleep(0.1)
        print(f"{arguments.lives} lives per minute were begun for {wall:.0f} s; {os.cpu_count()} cores")
        line("lives completed per minute", done / wall * 60, "", TARGETS["lives"] * 0.98, more=True)
        for name, share in shares.items():
            line(f"{name}: share of one core", share, "%", TARGETS.get(name))
        line("states that were refused because their match was not ready, per life", early / max(1, done), "")
        line("match_found → ready on the client, p50", percentile(lives.ready_ms, 50), "ms")
        line("match_found → ready on the client, p99", percentile(lives.ready_ms, 99), "ms")
        line("result posted → completed on the client, p99", percentile(lives.end_ms, 99), "ms")
        await updates(arguments, lives, process)
        allocator.close()
        for task in list(lives.tasks):
            task.cancel()
        api.close()


async def updates(arguments: argparse.Namespace, lives: Lives, process: psutil.Process) -> None:
    """States of running sessions at a steady rate."""
    lives.play_on = False
    for _ in range(arguments.sessions):
        await lives.pair()
    while len(lives.running) < arguments.sessions:
        await asyncio.sleep(0.05)
    load, started, sent = Load(process), time.perf_counter(), 0
    while (now := time.perf_counter()) - started < arguments.update_seconds:
        due = int((now - started) * arguments.updates)
        while sent < due:
            match = lives.running[sent % len(lives.running)]
            lives.spawn(lives.api.post(f"/api/v1/sessions/{match}/state", {"state": {"sent": time.time(), "n": sent}, "replace": True}))
            sent += 1
        await asyncio.sleep(0.002)
    shares = load.shares()
    await asyncio.sleep(1)
    heard = len(lives.update_ms) / 2
    line(f"state updates per second ({arguments.sessions} sessions, two players each)", sent / arguments.update_seconds, "")
    for name, share in shares.items():
        line(f"{name}: share of one core", share, "%")
    line("of which reached the sockets (others were overtaken by newer ones)", heard / max(1, sent) * 100, "%")
    line("POST …/state → the players' sockets, p50", percentile(lives.update_ms, 50), "ms")
    line("POST …/state → the players' sockets, p99", percentile(lives.update_ms, 99), "ms", TARGETS["update"])


class Load:
    """What each process of the system, and this one, takes of a core from now on."""

    def __init__(self, system: psutil.Process) -> None:
        self.processes = {"gateway": system, **{self.role(child): child for child in system.children()}, "load generator": psutil.Process()}
        self.before, self.began = {name: self.busy(each) for name, each in self.processes.items()}, time.perf_counter()

    def shares(self) -> dict[str, float]:
        """Per cent by process; one that has ended meanwhile is left out."""
        wall = time.perf_counter() - self.began
        return {name: (self.busy(each) - self.before[name]) / wall * 100 for name, each in self.processes.items() if each.is_running()}

    @staticmethod
    def role(process: psutil.Process) -> str:
        """What one of the system's processes does."""
        words = process.cmdline()
        return "matcher" if "matcher" in words else Path(words[0].split(" ")[0]).name if words else "ended"

    @staticmethod
    def busy(process: psutil.Process) -> float:
        """Seconds of CPU."""
        return float(sum(process.cpu_times()[:2]))


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile (nearest rank)."""
    return sorted(values)[min(len(values) - 1, math.ceil(q / 100 * len(values)) - 1)] if values else math.nan


def line(name: str, value: float, unit: str, target: float | None = None, *, more: bool = False) -> None:
    """One row of the table."""
    reached = target is not None and (value >= target if more else value <= target)
    verdict = "" if target is None else f"target {'≥' if more else '≤'} {target:g} {unit}: {'reached' if reached else 'missed'}"
    print(f"{name:70} {value:9.2f} {unit:3} {verdict}", flush=True)


def main(arguments: argparse.Namespace) -> None:
    """Start the system, measure, stop it."""
    with tempfile.TemporaryDirectory() as folder:
        arguments.allocator = free_port(ALLOCATOR)
        manifest = Path(folder) / "lives.yaml"
        manifest.write_text(POOL.format(host=ALLOCATOR, port=arguments.allocator))
        environment = {**os.environ, "MATCHMAKING_DEV_DIR": folder, "MATCHMAKING_LOG_LEVEL": "ERROR"}
        port, metrics = free_port(), free_port()
        command = [sys.executable, "-m", "matchmaking.cli"]
        options = ["--port", str(port), "--metrics-port", str(metrics), "--bots", "0", "--no-browser", "--pool", str(manifest)]
        system = subprocess.Popen([*command, "dev", *options], env=environment, stdout=subprocess.DEVNULL)
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz")

            def token(name: str, scope: str = "player") -> str:
                if scope == "player":  # as the demo page does; one process for each would take minutes
                    headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{port}"}
                    request = urllib.request.Request(f"http://127.0.0.1:{port}/dev/token", json.dumps({"player": name}).encode(), headers)
                    with urllib.request.urlopen(request) as answer:
                        return str(json.load(answer)["token"])
                words = [*command, "token", name, "--scope", scope]
                return subprocess.check_output(words, env=environment, text=True).strip()

            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(measure(arguments, port, psutil.Process(system.pid), token))
        finally:
            system.terminate()
            system.wait(20)


def wait_for(url: str) -> None:
    """Until it answers 200."""
    for _ in range(400):
        time.sleep(0.05)
        with suppress(OSError), urllib.request.urlopen(url) as answer:
            if answer.status == 200:
                return
    raise SystemExit("the system did not start")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lives", type=int, default=2000, help="per minute (default 2000)")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--players", type=int, default=200)
    parser.add_argument("--updates", type=int, default=500, help="states per second (default 500)")
    parser.add_argument("--update-seconds", type=float, default=10.0)
    parser.add_argument("--sessions", type=int, default=50, help="that run while states are posted")
    main(parser.parse_args())
