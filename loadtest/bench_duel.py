"""The first benchmark: duels on one machine, over the wire.

    python loadtest/bench_duel.py [--rate 100] [--seconds 20] [--idle 2000]

Starts `matchmaking dev` without bots on free ports of the loopback address, and from this one process plays seeded players at an open rate: each joins when
its time has come, whether or not others were matched. Prints

- `queue_join` sent → `match_found` read on the client: p50, p95, p99, with a matcher that runs;
- CPU seconds per 1,000 tickets by process (the load generator's own beside them, not counted);
- cold start: from the exec of a matcher to `match_found` on the client, two tickets waiting;
- memory per idle connection.

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
import time
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import msgspec
import psutil
import uvloop

from matchmaking.client import Client
from matchmaking.protocol.messages import MatchFoundData

WARM_UP = 2.0  # s of load before the counting begins
TARGETS = {"p99": 100.0, "cold": 250.0, "idle": 40.0}  # ms, ms, KiB


class Sample(msgspec.Struct):
    """One player's wait, milliseconds; `at` is when it joined, seconds from the start."""

    at: float
    wait: float


def free_port() -> int:
    """A port that is free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class System:
    """A running `matchmaking dev`, seen from outside."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes]") -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.process = psutil.Process(process.pid)

    def token(self, player: str) -> str:
        """Sign in as the demo page does."""
        headers = {"Content-Type": "application/json", "Origin": self.url}
        request = urllib.request.Request(f"{self.url}/dev/token", json.dumps({"player": player}).encode(), headers)
        with urllib.request.urlopen(request) as answer:
            token: str = json.load(answer)["token"]
            return token

    def children(self) -> dict[str, psutil.Process]:
        """The processes by what they are; several matchers count as one name each."""
        found = {"gateway and autoscaler": self.process}
        for child in self.process.children(recursive=True):
            words = " ".join(child.cmdline())
            name = "redis" if "redis-server" in words else f"matcher {child.pid}" if "matcher" in words else f"other {child.pid}"
            found[name] = child
        return found

    def cpu(self) -> dict[str, float]:
        """CPU seconds by process so far."""
        return {name: sum(process.cpu_times()[:2]) for name, process in self.children().items()}

    def memory(self) -> int:
        """The gateway's resident bytes."""
        return int(self.process.memory_info().rss)


@asynccontextmanager
async def system() -> AsyncIterator[System]:
    """Start everything, and stop it at the end."""
    port, metrics = free_port(), free_port()
    words = [
        sys.executable,
        "-m",
        "matchmaking.cli",
        "dev",
        "--port",
        str(port),
        "--metrics-port",
        str(metrics),
        "--bots",
        "0",
        "--no-browser",
    ]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    running = System(port, process)
    try:
        for _ in range(200):
            await asyncio.sleep(0.05)
            try:
                with urllib.request.urlopen(f"{running.url}/readyz") as answer:
                    if answer.status == 200:
                        break
            except OSError:
                continue
        yield running
    finally:
        process.terminate()
        process.wait(20)


async def play(client: Client, sent: "asyncio.Queue[float]", started: float, samples: list[Sample], free: "asyncio.Queue[Client]") -> None:
    """Note each match of one client, and put the client back."""
    async for event in client.events():
        if isinstance(event, MatchFoundData):
            at = sent.get_nowait()
            samples.append(Sample(at - started, (time.perf_counter() - at) * 1000))
            free.put_nowait(client)


async def load(running: System, rate: float, seconds: float, seed: int) -> tuple[list[Sample], dict[str, float], float, int]:
    """Duels at an open rate; waits, CPU by process after the warm-up, the generator's own CPU, and joins that found no free client."""
    random, samples, skipped = Random(seed), list[Sample](), 0
    free: asyncio.Queue[Client] = asyncio.Queue()
    sent: dict[Client, asyncio.Queue[float]] = {}
    async with AsyncExitStack() as stack:
        started = time.perf_counter()
        for i in range(max(20, int(rate))):
            name = f"load-{i}"
            client = await stack.enter_async_context(Client.connect(running.url, name, token=running.token(name), random=random))
            sent[client] = asyncio.Queue()
            task = asyncio.ensure_future(play(client, sent[client], started, samples, free))
            stack.callback(task.cancel)
            free.put_nowait(client)
        started = due = time.perf_counter()
        cpu: dict[str, float] | None = None
        own = 0.0
        joins: set[asyncio.Task[object]] = set()
        while due - started < WARM_UP + seconds:
            due += random.expovariate(rate)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if cpu is None and due - started > WARM_UP:
                cpu, own, samples[:] = running.cpu(), time.process_time(), []
            if free.empty():
                skipped += 1
                continue
            client = free.get_nowait()
            sent[client].put_nowait(time.perf_counter())
            task = asyncio.ensure_future(client.join("duel", "local", "ranked"))
            joins.add(task)
            task.add_done_callback(joins.discard)
        await asyncio.gather(*joins)
        await asyncio.sleep(1)  # the last ones' matches
        after = running.cpu()
        spent = {name: after[name] - (cpu or {}).get(name, 0.0) for name in after}
        return samples, spent, time.process_time() - own, skipped


async def cold_start(running: System) -> float:
    """From the exec of a matcher to `match_found` on the client, ms: an upper bound of its first round. The autoscaler's poll is not in it."""
    waits = []
    redis = running.children()["redis"]
    port = next(connection.laddr.port for connection in redis.net_connections() if connection.status == psutil.CONN_LISTEN)
    environment = {**os.environ, "MATCHMAKING_REDIS_URL": f"redis://127.0.0.1:{port}/0"}
    for attempt in range(5):
        names = [f"cold-{attempt}-{side}" for side in "ab"]
        async with (
            Client.connect(running.url, names[0], token=running.token(names[0])) as one,
            Client.connect(running.url, names[1], token=running.token(names[1])) as two,
        ):
            await one.join("duel", "us-east", "casual")
            await two.join("duel", "us-east", "casual")
            started = time.perf_counter()
            words = [sys.executable, "-m", "matchmaking.cli", "matcher", "--pool", "duel", "--region", "us-east"]
            matcher = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
            async for event in one.events():
                if isinstance(event, MatchFoundData):
                    waits.append((time.perf_counter() - started) * 1000)
                    break
            matcher.terminate()
            matcher.wait(10)
        for name, process in running.children().items():  # the autoscaler may have started one too
            if name.startswith("matcher"):
                process.terminate()
        await asyncio.sleep(1.5)
    return percentile(waits, 50)


async def idle_memory(running: System, connections: int) -> float:
    """KiB of the gateway per idle connection."""
    async with AsyncExitStack() as stack:
        before = running.memory()
        for i in range(connections):
            name = f"idle-{i}"
            await stack.enter_async_context(Client.connect(running.url, name, token=running.token(name)))
        await asyncio.sleep(2)
        return (running.memory() - before) / 1024 / connections


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile (nearest rank)."""
    return sorted(values)[min(len(values) - 1, math.ceil(q / 100 * len(values)) - 1)] if values else math.nan


def line(name: str, value: float, unit: str, target: float | None = None) -> None:
    """One row of the table."""
    verdict = "" if target is None else f"target ≤ {target:g} {unit}: {'reached' if value <= target else 'missed'}"
    print(f"{name:58} {value:9.2f} {unit:4} {verdict}")


async def main(arguments: argparse.Namespace) -> None:
    """Run everything, and print the table."""
    async with system() as running:
        cold = await cold_start(running)
        samples, cpu, own, skipped = await load(running, arguments.rate, arguments.seconds, arguments.seed)
    async with system() as running:
        idle = await idle_memory(running, arguments.idle)
    waits = [sample.wait for sample in samples]
    print(
        f"duels at {arguments.rate:g} joins/s for {arguments.seconds:g} s: {len(waits)} matched, {skipped} joins without a free client; {os.cpu_count()} cores"
    )
    for q in (50, 95, 99):
        line(f"queue_join → match_found, p{q}", percentile(waits, q), "ms", TARGETS.get(f"p{q}"))
    tickets = max(1, len(waits))
    for name, seconds in sorted(cpu.items()):
        line(f"CPU per 1,000 tickets: {name}", seconds / tickets * 1000, "s")
    line("CPU per 1,000 tickets: all", sum(cpu.values()) / tickets * 1000, "s")
    line("CPU per 1,000 tickets: load generator (not counted)", own / tickets * 1000, "s")
    line("matcher: exec → match_found on the client (median of 5)", cold, "ms", TARGETS["cold"])
    line(f"gateway: memory per idle connection ({arguments.idle} of them)", idle, "KiB", TARGETS["idle"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rate", type=float, default=100.0, help="joins per second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--idle", type=int, default=2000, help="idle connections")
    parser.add_argument("--seed", type=int, default=1)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(parser.parse_args()))
