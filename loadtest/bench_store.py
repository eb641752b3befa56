"""What a store call costs its caller.

    python loadtest/bench_store.py [--calls 100000] [--concurrent 256]

The one programme here that is no black box: it calls the store's coalescing part itself, as the gateway does, against a Redis of its own on the loopback address.
Prints the CPU of this process per call, at one and at many calls under way, and the floor of the same run: the client library's own pipelines of 100.
"""

import argparse
import asyncio
import time

import uvloop
from redis.asyncio import Redis

from deployment import Table, deployment
from matchmaking.store.connect import open_store

TARGET = 12.0  # µs


async def cost(call: object, calls: int, concurrent: int) -> float:
    """CPU of this process per call, µs."""
    assert callable(call)

    async def caller(count: int) -> None:
        for _ in range(count):
            await call()

    began = time.process_time()
    await asyncio.gather(*(caller(calls // concurrent) for _ in range(concurrent)))
    return (time.process_time() - began) / calls * 1e6


async def pipelines(client: "Redis", calls: int) -> float:
    """The same commands in the library's own pipelines of 100."""
    began = time.process_time()
    for _ in range(calls // 100):
        pipeline = client.pipeline(transaction=False)
        for _ in range(100):
            pipeline.hget("player:{bench}:profile", "preferences")
        await pipeline.execute()
    return (time.process_time() - began) / calls * 1e6


async def measure(url: str, table: Table, calls: int, concurrent: int) -> None:
    """Calls of one frequent script-free kind, and of a script."""
    async with open_store(url) as store:
        await store.put_preferences("bench", b"{}")

        async def read() -> None:
            await store.preferences("bench")

        async def trim() -> None:
            await store.trim("bench", 0)

        for call in (read, trim):
            await cost(call, 2000, concurrent)
        table.line("CPU per store call, one at a time", await cost(read, calls // 10, 1), "µs")
        table.line(f"CPU per store call, {concurrent} concurrent: a command", await cost(read, calls, concurrent), "µs", TARGET)
        table.line(f"CPU per store call, {concurrent} concurrent: an acknowledgement", await cost(trim, calls, concurrent), "µs")
    client = Redis.from_url(url)
    table.line("the library's pipelines of 100, per command", await pipelines(client, calls), "µs")
    await client.aclose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--concurrent", type=int, default=256)
    arguments = parser.parse_args()
    with deployment(0) as running, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(running.redis_url, Table(), arguments.calls, arguments.concurrent))
