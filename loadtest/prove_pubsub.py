"""Redis drops its subscribers again and again; no event comes late.

    python loadtest/prove_pubsub.py [--seconds 30]

Starts a Redis and a gateway on free ports of the loopback address. `CLIENT KILL TYPE pubsub` is sent five times a second, while 20 players join and leave all the
time through one gateway, and 20 on two gateways are matched by a matcher process again and again. Prints how long events took from what caused them to the client.
"""

import argparse
import asyncio
import sys
import time
from contextlib import AsyncExitStack, suppress
from datetime import datetime

import uvloop

from deployment import Deployment, Table, deployment, percentile
from matchmaking.client import Client, MatchFoundData, RefusedError

PLAYERS = 20
LATEST = 2.0  # s
PAUSE = 0.2  # s between two kills


async def kill(running: Deployment, until: float) -> int:
    """Kill the subscribers' connections; how often."""
    kills = 0
    while time.monotonic() < until:
        kills += int(running.redis.client_kill_filter(_type="pubsub"))
        await asyncio.sleep(PAUSE)
    return kills


async def be_matched(client: Client, until: float, late: list[float]) -> int:
    """Queue again after each match: how long after it was committed its event came."""
    matched = asyncio.Event()

    def heard(match: MatchFoundData) -> None:
        late.append(time.time() - datetime.fromisoformat(match.timestamp).timestamp())
        matched.set()

    client.on("match_found", heard)
    matches = 0
    while time.monotonic() < until:
        matched.clear()
        try:
            await client.join("duel", "local", "ranked")
        except RefusedError as error:  # the match whose event came still holds the player for a moment
            await asyncio.sleep(error.retry_after or 0.1)
            continue
        with suppress(TimeoutError):
            await asyncio.wait_for(matched.wait(), max(5.0, until - time.monotonic()))
        matches += matched.is_set()
    return matches


async def leave_again(client: Client, until: float, late: list[float]) -> None:
    """Join and leave: how long the end took to come as an event."""
    ended: asyncio.Queue[float] = asyncio.Queue()
    client.on("queue_left", lambda _: ended.put_nowait(time.monotonic()))
    while time.monotonic() < until:
        with suppress(RefusedError):
            await client.join("duel", "eu-west", "casual")
            began = time.monotonic()
            await client.leave()
            late.append(await asyncio.wait_for(ended.get(), 60) - began)
        await asyncio.sleep(0.05)


async def announcements(running: Deployment, client: Client, until: float) -> tuple[int, int]:
    """Announcements are news of the moment: some may fall into a gap of the subscription. How many were said and heard."""
    heard: list[object] = []
    client.on("announcement", heard.append)
    said = 0
    while time.monotonic() < until:
        running.announce("news")
        said += 1
        await asyncio.sleep(0.25)
    await asyncio.sleep(1)
    return said, len(heard)


async def prove(running: Deployment, seconds: float) -> int:
    """Kill, and measure."""
    table, met, left = Table(), list[float](), list[float]()
    one, other = running.gateways
    async with AsyncExitStack() as stack:

        async def client(name: str, url: str) -> Client:
            return await stack.enter_async_context(Client.connect(url, name, token=running.keys.token(name)))

        players = [await client(f"player-{i}", (one, other)[i % 2].url) for i in range(PLAYERS)]
        leavers = [await client(f"leaver-{i}", one.url) for i in range(20)]
        listener = await client("listener", one.url)
        until = time.monotonic() + seconds
        work = [be_matched(each, until, met) for each in players]
        leaving = [leave_again(each, until, left) for each in leavers]
        kills, (said, heard), matches, _ = await asyncio.gather(
            kill(running, until), announcements(running, listener, until), asyncio.gather(*work), asyncio.gather(*leaving)
        )
        table.line("subscriptions killed", kills, "")
        table.line("match_found: heard", sum(matches), "")
        table.line("match_found: from the commit to the client, p99", percentile(met, 99), "s")
        table.line("match_found: from the commit to the client, latest", max(met, default=0.0), "s", LATEST)
        table.line("queue_left: from the request to the event, p99", percentile(left, 99), "s")
        table.line("queue_left: from the request to the event, latest", max(left, default=0.0), "s", LATEST)
        table.line("announcements that were said", said, "")
        table.line("announcements that were heard (they are not kept)", heard, "")
    return table.missed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    with deployment(2) as running, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        running.add_matcher()
        missed = runner.run(prove(running, arguments.seconds))
    sys.exit(1 if missed else 0)
