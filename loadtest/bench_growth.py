"""How costs grow with the number of tickets and of connections; and what a connection costs beside the gateway's peers.

    python loadtest/bench_growth.py [--most 1000000] [--connections 100 1000 5000]

A round of the core over 10³ to 10⁶ waiting duels; one gateway's memory, and the CPU of an announcement, at ever more connections; memory per connection of raw ASGI on
Hypercorn, Starlette on Uvicorn and `websockets` at the same number. `bench.py` fits the exponents.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from random import Random

import psutil
import uvloop

from bench_gateway import HERE, until_open
from bench_matching import DUEL, NOW, best, pool, tickets_of
from deployment import Table, deployment, free_port
from matchmaking.core.matching import find_matches
from matchmaking.core.queue import QueueView
from swarm import Swarms
from wire import open_wire, upgrade

ANNOUNCEMENTS = 3
PEER_SOCKETS = 1000


def rounds(table: Table, most: int) -> None:
    """One round each over ever more tickets, columns kept."""
    count = 1000
    while count <= most:
        view, rules, random = QueueView(tickets_of(count)), pool(DUEL), Random(1)
        find_matches(view, rules, NOW, random)
        took = best(lambda view=view, rules=rules, random=random: find_matches(view, rules, NOW, random), 3)  # type: ignore[misc]
        table.line(f"growth: round over {count} tickets", took * 1000, "ms")
        count *= 10


async def connections(table: Table, counts: list[int]) -> None:
    """One gateway under ever more of them."""
    with deployment(1, heartbeat_interval="120") as running:
        gateway, there = running.gateways[0], 0
        async with Swarms(2) as swarms:
            await swarms.connect(gateway.port, {f"warm-{i}": running.keys.token(f"warm-{i}") for i in range(50)})
            await asyncio.sleep(1)
            before = gateway.memory()
            for count in counts:
                await swarms.connect(gateway.port, {f"p{i}": running.keys.token(f"p{i}") for i in range(there, count)})
                there = count
                await asyncio.sleep(2)
                table.line(f"growth: memory at {count} connections", (gateway.memory() - before) / 1024, "KiB")
                cpu, began = gateway.cpu(), time.perf_counter()
                for _ in range(ANNOUNCEMENTS):
                    running.announce("maintenance at noon")
                    await swarms.do("heard", count=(count + 50) // 2)
                table.line(f"growth: CPU of an announcement to {count} connections", (gateway.cpu() - cpu) / ANNOUNCEMENTS * 1000, "ms")
                table.line(f"growth: seconds of an announcement to {count} connections", (time.perf_counter() - began) / ANNOUNCEMENTS, "s")


async def peers(table: Table) -> None:
    """Memory per connection of those who do nothing but echo."""
    for name in ("hypercorn", "uvicorn", "websockets"):
        port = free_port()
        process = subprocess.Popen([sys.executable, str(HERE / "echo_peers.py"), name, str(port)])
        try:
            await until_open(port)
            seen = psutil.Process(process.pid)
            held = [await _open(port, i) for i in range(50)]
            await asyncio.sleep(0.5)
            before = seen.memory_info().rss
            held += [await _open(port, i) for i in range(PEER_SOCKETS)]
            await asyncio.sleep(1)
            table.line(f"memory per idle connection: {name}", (seen.memory_info().rss - before) / 1024 / PEER_SOCKETS, "KiB")
            for wire in held:
                wire.abort()
        finally:
            process.kill()
            process.wait()


async def _open(port: int, i: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
    return await open_wire(port, upgrade(port, f"/ws/m{i}", "", deflate=False), lambda _: None)


def main(arguments: argparse.Namespace) -> None:
    """Everything in turn."""
    table = Table()
    rounds(table, arguments.most)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(peers(table))
        runner.run(connections(table, arguments.connections))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--most", type=int, default=1_000_000, help="tickets (default 1,000,000)")
    parser.add_argument("--connections", type=int, nargs="+", default=[100, 1000, 5000])
    main(parser.parse_args())
