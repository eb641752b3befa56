"""Leaving against being matched, over the wire: every leaver must be told exactly one thing, and it must be true.

    python loadtest/races.py [--races 10000] [--players 200]

Starts `matchmaking dev` without bots on free ports of the loopback address; this process plays the players. Each joins and leaves again after a random moment, while
matchers match whom they can. Told are: that the ticket was left (then no match may ever come for it), or `already_matched` with the match's id (then exactly this match
comes, or has come). Prints how often which, and each lie; exit code 1 if there was one. Stops by itself, and sends nothing beyond loopback.
"""

import argparse
import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from contextlib import AsyncExitStack, suppress
from random import Random

import uvloop

from matchmaking.client import Client, MatchFoundData, QueueLeftData, RefusedError


def free_port() -> int:
    """A port that is free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Player:
    """One player, and what the service said of each of its tickets."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.matches: dict[str, str] = {}
        self.left: set[str] = set()
        self.heard = asyncio.Event()

    async def listen(self) -> None:
        """Note ends of tickets."""
        async for event in self.client.events():
            if isinstance(event, MatchFoundData):
                self.matches[event.ticket_id] = event.match_id
            elif isinstance(event, QueueLeftData):
                self.left.add(event.ticket_id)
            else:
                continue
            self.heard.set()

    async def race(self, random: Random, told: Counter[str], lies: list[str]) -> None:
        """Join, leave, compare."""
        ticket = (await self.client.join("duel", "local", random.choice(["ranked", "casual"]))).ticket_id
        await asyncio.sleep(random.uniform(0, 0.03))
        try:
            await self.client.leave()
            told["left"] += 1
            self.left.add(ticket)
        except RefusedError as error:
            told[error.code] += 1
            named = re.search(r"match ([0-9a-f]{24})", str(error))
            async with asyncio.timeout(10):
                while ticket not in self.matches and ticket not in self.left:
                    self.heard.clear()
                    await self.heard.wait()
            if error.code != "already_matched" or named is None or self.matches.get(ticket) != named[1]:
                lies.append(f"ticket {ticket}: told {error}, found {self.matches.get(ticket)}")


async def run(arguments: argparse.Namespace, port: int) -> int:
    """All races; the number of lies."""
    random, told, lies = Random(arguments.seed), Counter[str](), list[str]()
    left = iter(range(arguments.races))
    async with AsyncExitStack() as stack:
        players = []
        for i in range(arguments.players):
            name = f"racer-{i}"
            headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{port}"}
            request = urllib.request.Request(f"http://127.0.0.1:{port}/dev/token", json.dumps({"player": name}).encode(), headers)
            with urllib.request.urlopen(request) as answer:
                token = json.load(answer)["token"]
            player = Player(await stack.enter_async_context(Client.connect(f"http://127.0.0.1:{port}", name, token=token)))
            players.append(player)
            task = asyncio.ensure_future(player.listen())
            stack.callback(task.cancel)

        async def races(player: Player) -> None:
            for _ in left:
                await player.race(random, told, lies)

        started = time.perf_counter()
        await asyncio.gather(*map(races, players))
        took = time.perf_counter() - started
        await asyncio.sleep(2)
        for player in players:
            lies += [f"ticket {ticket}: left, and matched as {player.matches[ticket]}" for ticket in player.left & player.matches.keys()]
    print(f"{sum(told.values())} races in {took:.0f} s: {dict(told)}; {len(lies)} lies")
    for lie in lies[:20]:
        print(lie)
    return len(lies)


def main(arguments: argparse.Namespace) -> int:
    """Start the system, race, stop it."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        words = [
            sys.executable,
            "-m",
            "matchmaking.cli",
            "dev",
            "--port",
            str(port),
            "--metrics-port",
            str(free_port()),
            "--bots",
            "0",
            "--no-browser",
        ]
        environment = {**os.environ, "MATCHMAKING_DEV_DIR": folder, "MATCHMAKING_LOG_LEVEL": "ERROR"}
        system = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
        try:
            for _ in range(400):
                time.sleep(0.05)
                with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        break
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return 1 if runner.run(run(arguments, port)) else 0
        finally:
            system.terminate()
            system.wait(20)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--races", type=int, default=10_000)
    parser.add_argument("--players", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(main(parser.parse_args()))
