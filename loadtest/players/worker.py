"""One process of players: `python -m players.worker`. Orders come by stdin, pages go out by stdout, a line of JSON each.

It ends by itself: after the run and the settling, or when stdin closes because whoever gave the orders is gone.
"""

import asyncio
import os
import resource
import sys
import time
from pathlib import Path
from random import Random

import msgspec
import uvloop
from msgspec import Struct

from matchmaking.local.keys import issue_token

from .crowd import Crowd, Tokens, crowd
from .ledger import Closing, Ledger, Page
from .rates import Rate
from .scenarios import SCENARIOS, Scenario, play

PAGE_EVERY = 1.0  # s
ADMIN = "load-admin"  # whose token announces


class Orders(Struct):
    """What a process is to do.

    Attributes:
        worker, workers: which of how many.
        urls: gateways.
        seconds: of arrivals; `settle` more for those who wait then.
        rate: of all processes together; see `Rate`.
        players: connected beforehand, in this process.
        tokens: a file with a player and a token in each line; else tokens are signed.
    """

    worker: int
    workers: int
    scenario: str
    urls: list[str]
    seed: int
    seconds: float
    settle: float
    rate: str
    players: int
    tokens: str = ""
    one_address: bool = False


class Ready(Struct, tag="ready"):
    """Those who are there from the beginning are connected."""

    worker: int
    connected: int


class Wrote(Struct, tag="page"):
    """A page."""

    page: Page


class Ended(Struct, tag="ended"):
    """The last word."""

    closing: Closing


Report = Ready | Wrote | Ended


class Start(Struct, tag="start"):
    """Begin at this time (the wall clock's)."""

    at: float


class Tell(Struct, tag="tell"):
    """Something happened to everybody."""

    what: str


_commands = msgspec.json.Decoder(Start | Tell)


def report(what: Report) -> None:
    """One line."""
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


def read_tokens(file: str) -> dict[str, str]:
    """Players and their tokens, one of each in a line."""
    return dict(line.split() for line in Path(file).read_text().splitlines() if line.strip())


def tokens_of(orders: Orders) -> tuple[Tokens, list[str] | None]:
    """Where tokens come from, and the players' names if they come with them."""
    if not orders.tokens:
        return issue_token, None
    known = read_tokens(orders.tokens)
    players = [player for player in known if player != ADMIN]
    return known.__getitem__, players[orders.worker :: orders.workers]


async def serve() -> None:
    """Carry the orders out."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    orders = msgspec.json.decode(await reader.readline(), type=Orders)
    ledger, random = Ledger(orders.worker), Random(f"{orders.seed}/{orders.worker}")
    arrivals = list(Rate.parse(orders.rate).arrivals(orders.seconds, random, 1 / orders.workers))
    tokens, names = tokens_of(orders)
    async with crowd(orders.worker, orders.urls, tokens, ledger, random, names) as people:
        people.one_address = orders.one_address
        scenario = SCENARIOS[orders.scenario](people, orders.players)
        await scenario.prepare()
        report(Ready(orders.worker, people.look()))
        start = await _start(reader)
        paging = asyncio.create_task(_pages(people, start))
        listening = asyncio.create_task(_listen(reader, scenario))
        await play(scenario, arrivals, people.now() + start - time.time())
        await asyncio.sleep(max(0.0, start + orders.seconds - time.time()))
        await people.settle(orders.settle)
        paging.cancel()
        listening.cancel()
        _page(people, start)
        report(Ended(ledger.close()))


async def _start(reader: asyncio.StreamReader) -> float:
    command = _commands.decode(await reader.readline())
    assert isinstance(command, Start)
    await asyncio.sleep(max(0.0, command.at - time.time()))
    return command.at


async def _listen(reader: asyncio.StreamReader, scenario: Scenario) -> None:
    while line := await reader.readline():
        command = _commands.decode(line)
        if isinstance(command, Tell):
            await scenario.told(command.what)
    os._exit(1)  # nobody is there any more who would read what we write


async def _pages(people: Crowd, start: float) -> None:
    for turn in range(1, 2**62):
        await asyncio.sleep(start + turn * PAGE_EVERY - time.time())
        _page(people, start)


def _page(people: Crowd, start: float) -> None:
    connected = people.look()
    page = people.ledger.turn(round(time.time() - start, 3))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    page.connected, page.waiting = connected, people.waiting
    page.cpu, page.memory = usage.ru_utime + usage.ru_stime, _resident()
    report(Wrote(page))


def _resident() -> int:
    """Bytes now; the peak where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
