"""Gateways die under two thousand waiting players, and are told to go under load.

    python loadtest/prove_gateway_death.py [--players 2000]

Starts a Redis and two gateways on free ports of the loopback address, and two processes of SDK clients, all of them first on the first gateway and waiting in a
queue that no matcher serves.

1. `kill -9` of that gateway. All must resume on the other one: when each was back, how long its connection took, whether its ticket and its place are the same.
   Then matchers come, and everybody must be told of exactly one match.
2. SIGTERM to a gateway, with all players on it and joins and leaves under way: every socket must get `reconnect` and close code 1012, the process must end
   within 30 s, and all must be back with their tickets.
"""

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from random import Random
from typing import Any

import uvloop

from deployment import Deployment, Table, deployment, percentile, raise_file_limit
from matchmaking.client import Backoff, Client, MatchFoundData, QueueUpdateData, RefusedError
from swarm import Swarms

PROCESSES = 2
PATIENT = Backoff(base=4.0)  # 2,000 clients on two cores: an even return over four seconds is what the machine can serve at ease
QUEUE = ("duel", "us-east", "casual")
WITHIN = 60.0  # s


class Crowd:
    """The SDK clients of one process."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self.clients: dict[str, Client] = {}
        self.places: dict[str, tuple[str, int]] = {}
        self.matches: Counter[str] = Counter()
        self.back: list[float] = []

    async def connect(self, urls: list[str], tokens: dict[str, str]) -> dict[str, Any]:
        """Connect everybody, and join."""
        random = Random(1)
        slots = asyncio.Semaphore(50)

        async def one(name: str, token: str) -> None:
            async with slots:
                connecting = Client.connect(urls, name, token=token, backoff=PATIENT, random=random)
                self.clients[name] = client = await self._stack.enter_async_context(connecting)
                client.on("*", lambda event: self.heard(name, event))
                await client.join(*QUEUE)

        await asyncio.gather(*(one(*pair) for pair in tokens.items()))
        return {"connected": len(self.clients)}

    def heard(self, name: str, event: object) -> None:
        """An event."""
        if isinstance(event, QueueUpdateData):
            self.places[name] = (event.ticket_id, event.position)
        elif isinstance(event, MatchFoundData):
            self.matches[name] += 1

    async def look(self) -> dict[str, Any]:
        """Who has which place."""
        return {
            "places": {name: list(place) for name, place in self.places.items()},
            "tickets": sum(client.ticket is not None for client in self.clients.values()),
        }

    async def return_(self, killed: float, connections: int) -> dict[str, Any]:
        """Wait until everybody is back."""
        self.places.clear()
        waiting, back = dict(self.clients), []
        with suppress(TimeoutError):
            async with asyncio.timeout(WITHIN):
                while waiting:
                    for name, client in list(waiting.items()):
                        if client.connected and client.connections >= connections:
                            back.append(time.time() - killed)
                            del waiting[name]
                    await asyncio.sleep(0.02)
        opened = [client.opened_in for client in self.clients.values()]
        await asyncio.sleep(8)  # positions are told every few seconds
        return {"back": back, "opened": opened, "resumed": sum(client.resumed for client in self.clients.values()), "missing": len(waiting)}

    async def matched(self) -> dict[str, Any]:
        """Wait until everybody was told of a match."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WITHIN):
                while len(self.matches) < len(self.clients):
                    await asyncio.sleep(0.1)
        await asyncio.sleep(2)  # for what comes twice
        return {"matches": dict(self.matches)}

    async def serve(self) -> None:
        """Do what is said on standard input."""
        reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            command, arguments = json.loads(line)
            print(json.dumps(await getattr(self, command)(**arguments)), flush=True)


class Crowds:
    """Processes of SDK clients, seen from outside."""

    def __init__(self) -> None:
        self._processes: list[asyncio.subprocess.Process] = []

    async def start(self) -> None:
        """Start them."""
        for _ in range(PROCESSES):
            words = (sys.executable, __file__, "--crowd")
            self._processes.append(await asyncio.create_subprocess_exec(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=2**26))

    async def do(self, command: str, each: list[dict[str, Any]] | None = None, **arguments: Any) -> list[dict[str, Any]]:
        """The same to all, or to each its own."""

        async def one(process: asyncio.subprocess.Process, own: dict[str, Any]) -> dict[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps([command, arguments | own]).encode() + b"\n")
            answer: dict[str, Any] = json.loads(await process.stdout.readline())
            return answer

        return await asyncio.gather(*(one(process, own) for process, own in zip(self._processes, each or [{}] * PROCESSES, strict=True)))

    async def stop(self) -> None:
        """End them."""
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def killed(running: Deployment, table: Table, players: int) -> None:
    """`kill -9`."""
    crowds = Crowds()
    await crowds.start()
    try:
        urls = [gateway.url for gateway in running.gateways]
        shares: list[dict[str, Any]] = [{"tokens": {}} for _ in range(PROCESSES)]
        for i in range(players):
            shares[i % PROCESSES]["tokens"][f"waiting-{i}"] = running.keys.token(f"waiting-{i}")
        await crowds.do("connect", shares, urls=urls)
        await asyncio.sleep(8)
        before = merged(await crowds.do("look"), "places")
        running.gateways[0].process.kill()
        returns = await crowds.do("return_", killed=time.time(), connections=2)
        after = merged(await crowds.do("look"), "places")
        print(f"kill -9 of a gateway with {players} waiting players")
        table.line("not back on the other one", sum(part["missing"] for part in returns), "", 0)
        table.line("not resumed", players - sum(part["resumed"] for part in returns), "", 0)
        table.line("all back after", max(max(part["back"], default=WITHIN) for part in returns), "s")
        opened = [wait for part in returns for wait in part["opened"]]
        table.line("p50 from a client's attempt to its hello", percentile(opened, 50) * 1000, "ms")
        table.line("p99 from a client's attempt to its hello", percentile(opened, 99) * 1000, "ms", 500)
        shown = before.keys() & after.keys()
        table.line("places that were shown before and after", len(shown), "")
        table.line("of these with another ticket or another position", sum(before[name] != after[name] for name in shown), "", 0)
        running.add_matcher("duel", "us-east")
        matches = merged(await crowds.do("matched"), "matches")
        table.line("players who were told of no match", players - len(matches), "", players % 2)
        table.line("players who were told of more than one", sum(count > 1 for count in matches.values()), "", 0)
    finally:
        await crowds.stop()


async def terminated(running: Deployment, table: Table, players: int) -> None:
    """SIGTERM under load."""
    leaving, staying = running.add_gateway(), running.gateways[1]
    tokens = {f"leaving-{i}": running.keys.token(f"leaving-{i}") for i in range(players)}
    async with Swarms(PROCESSES) as swarms:
        await swarms.connect(leaving.port, tokens, interval=1.0, within=3.0)
        tickets = 0
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(
                    Client.connect([leaving.url, staying.url], f"busy-{i}", token=running.keys.token(f"busy-{i}"))
                )
                for i in range(20)
            ]
            loads = [asyncio.ensure_future(busy(client)) for client in clients]
            await asyncio.sleep(2)
            began = time.monotonic()
            leaving.process.send_signal(signal.SIGTERM)
            ended = await swarms.do("ended")
            while leaving.process.poll() is None and time.monotonic() - began < WITHIN:
                await asyncio.sleep(0.05)
            took = time.monotonic() - began
            back = await swarms.connect(staying.port, tokens, within=4.0)
            await asyncio.sleep(5)
            for load in loads:
                load.cancel()
            tickets = sum(client.connected and client.connections == 2 for client in clients)
        print(f"SIGTERM to a gateway with {players} players, 20 of them busy")
        codes = {int(code): count for code, count in ended["codes"].items()}
        table.line("sockets that were not closed with 1012", players - codes.get(1012, 0), "", 0)
        table.line("sockets that were closed with 1011", codes.get(1011, 0), "", 0)
        table.line("players who were not told to reconnect", players - ended["advised"], "", 0)
        table.line("exit code of the gateway", abs(leaving.process.poll() or 0), "", 0)
        table.line("until it had ended", took, "s", 30)
        table.line("players who did not resume on the other gateway", players - back["resumed"], "", 0)
        table.line("busy clients that are not back", len(clients) - tickets, "", 0)


async def busy(client: Client) -> None:
    """Join and leave all the time."""
    client.on("*", lambda _: None)
    while True:
        with suppress(RefusedError):
            await client.join("duel", "eu-west", "casual")
            await client.leave()
        await asyncio.sleep(0.01)


def merged(parts: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """One field of all processes."""
    return {key: value for part in parts for key, value in part[name].items()}


async def prove(players: int) -> int:
    """Both."""
    table = Table()
    with deployment(2) as running:
        await killed(running, table, players)
        await terminated(running, table, players)
    return table.missed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--players", type=int, default=2000)
    parser.add_argument("--crowd", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if arguments.crowd:
            runner.run(Crowd().serve())
        else:
            sys.exit(1 if runner.run(prove(arguments.players)) else 0)
