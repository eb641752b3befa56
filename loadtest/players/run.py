"""One run: a target, processes of players, a start together, incidents, and everything that was seen."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from matchmaking.local.keys import issue_token

from .crowd import SENT_AT
from .ledger import Books
from .rates import Rate
from .scenarios import SCENARIOS, Scenario
from .watch import Sample, Watch, read_metrics
from .worker import ADMIN, Ended, Orders, Ready, Report, Start, Tell, Wrote, read_tokens

HERE = Path(__file__).parent
LEAD = 1.0  # s between everybody's being ready and the start
PREPARE_WITHIN = 300.0  # s
LONGEST_LINE = 64 * 1024 * 1024  # bytes


class Options(Struct, frozen=True):
    """What was asked for.

    Attributes:
        url: gateways of a deployment that runs; none: start our own.
        metrics: addresses of its gateways' metrics.
        tokens: a file with a player and a token in each line; else tokens are signed as `matchmaking token` does it.
        one_address: all players come from one address, also on the loopback network.
        settings: of gateways that are started here, by name.
        settle: seconds that those who wait at the end may still be matched; then they leave.
    """

    scenario: str
    rate: str
    seconds: float
    seed: int
    players: int
    processes: int
    gateways: int
    settle: float
    url: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    tokens: str = ""
    one_address: bool = False
    settings: dict[str, str] = {}


class Outcome(Struct):
    """What was seen."""

    options: Options
    books: Books
    samples: list[Sample]
    load: tuple[float, float]  # the machine's load average before and after
    incidents: list[tuple[float, str]]

    @property
    def broken(self) -> int:
        """How often a promise was broken."""
        return sum(times for _, times, _ in self.books.verdicts(self.options.processes))


class Processes:
    """The processes of players."""

    def __init__(self, options: Options, urls: list[str], books: Books) -> None:
        self._options, self._urls, self._books = options, urls, books
        self._running: list[asyncio.subprocess.Process] = []
        self._ready = 0
        self.connected = 0
        self._readers: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()

    async def start(self) -> None:
        """Start all, each with its share of the players."""
        options, count = self._options, self._options.processes
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])}
        for i in range(count):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"{HERE.name}.worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                limit=LONGEST_LINE,
                env=environment,
            )
            self._running.append(process)
            players = options.players // count + (i < options.players % count)
            orders = Orders(
                *(i, count, options.scenario, self._urls, options.seed, options.seconds, options.settle, options.rate, players),
                *(options.tokens, options.one_address),
            )
            await self._send(process, orders)
            self._readers.append(asyncio.create_task(self._read(process)))

    async def ready(self) -> None:
        """Wait until everybody is connected.

        Raises:
            RuntimeError: a process ended, or it took too long.
        """
        async with asyncio.timeout(PREPARE_WITHIN):
            while self._ready < len(self._running):
                if any(process.returncode is not None for process in self._running):
                    raise RuntimeError("a process of players ended before the start; what it said is above")
                self._news.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.5)

    async def tell(self, command: Start | Tell) -> None:
        """Tell all of them."""
        for process in self._running:
            with suppress(ConnectionError):
                await self._send(process, command)

    async def ended(self, within: float) -> None:
        """Wait until all have said their last word."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await asyncio.gather(*self._readers)

    async def stop(self) -> None:
        """End those that have not."""
        for process in self._running:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
            await process.wait()

    async def _send(self, process: asyncio.subprocess.Process, what: Struct) -> None:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(what) + b"\n")
        await process.stdin.drain()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        decoder = msgspec.json.Decoder(Report)
        while line := await process.stdout.readline():
            match decoder.decode(line):
                case Ready(connected=connected):
                    self._ready += 1
                    self.connected += connected
                    self._news.set()
                case Wrote(page=page):
                    self._books.pages.append(page)
                case Ended(closing=closing):
                    self._books.closings.append(closing)


class Set:
    """What incidents can do; see `scenarios.Stage`."""

    def __init__(self, options: Options, processes: Processes, urls: list[str], own: Any, start: float) -> None:
        self.seconds, self.happened = options.seconds, list[tuple[float, str]]()
        self._options, self._processes, self._urls, self._own, self._start = options, processes, urls, own, start

    async def at(self, share: float) -> None:
        await asyncio.sleep(max(0.0, self._start + share * self.seconds - time.time()))

    async def tell(self, what: str) -> None:
        self._note(what)
        await self._processes.tell(Tell(what))

    async def announce(self) -> None:
        self._note("announcement")
        given = self._options.tokens
        token = read_tokens(given).get(ADMIN) if given else issue_token(ADMIN, "admin")
        if token is None:
            raise RuntimeError(f"announcements need a token of {ADMIN} with the scope `admin` in {given}")
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(headers=headers, trust_env=False) as api:
            body = {"message": f"{SENT_AT}{time.time():.6f}"}
            answer = await api.post(f"{self._urls[-1]}/api/v1/announcements", json=body)
        if answer.status_code != 200:
            raise RuntimeError(f"the announcement was refused: {answer.status_code} {answer.text[:200]}")

    async def stop_gateway(self, which: int) -> None:
        if self._own is not None:
            self._note("gateway killed")
            await asyncio.to_thread(self._own.stop_gateway, which)

    async def start_gateway(self, which: int) -> None:
        if self._own is not None:
            await asyncio.to_thread(self._own.start_gateway, which)
            self._note("gateway back")

    def _note(self, what: str) -> None:
        self.happened.append((round(time.time() - self._start, 2), what))


@asynccontextmanager
async def target(options: Options) -> AsyncIterator[tuple[list[str], Callable[[], Sample], Any]]:
    """Gateways, a look at what they cost, and our own deployment if it is one."""
    if options.url:
        yield list(options.url), lambda: read_metrics(options.metrics), None
        return
    from .own import own  # needs more libraries than the image has

    async with own(SCENARIOS[options.scenario].pools, options.gateways, options.settings) as running:
        yield running.urls, running.sample, running


async def run(options: Options, on_page: Callable[[float, Books], None]) -> Outcome:
    """Play; `on_page` is called now and then, with the seconds since the start (negative before).

    Raises:
        RuntimeError: players could not be started, or an incident could not be made.
    """
    scenario: type[Scenario] = SCENARIOS[options.scenario]
    books, before = Books(), os.getloadavg()[0]
    async with target(options) as (urls, take, own):
        processes = Processes(options, urls, books)
        try:
            await processes.start()
            await processes.ready()
            start = time.time() + LEAD
            stage, watch = Set(options, processes, urls, own, start), Watch(take)
            await processes.tell(Start(start))
            besides = [asyncio.create_task(watch.run(start)), asyncio.create_task(_progress(start, books, on_page))]
            incidents = asyncio.create_task(scenario.incidents(stage))
            try:
                await processes.ended(LEAD + options.seconds + 2 * options.settle + 60.0)
            finally:
                await _ended([*besides, incidents], incidents)
        finally:
            await processes.stop()
    return Outcome(options, books, watch.samples, (before, os.getloadavg()[0]), stage.happened)


async def _ended(tasks: Sequence["asyncio.Task[Any]"], incidents: "asyncio.Task[None]") -> None:
    failed = incidents.exception() if incidents.done() and not incidents.cancelled() else None
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if failed is not None:
        raise failed


async def _progress(start: float, books: Books, on_page: Callable[[float, Books], None]) -> None:
    while True:
        on_page(time.time() - start, books)
        await asyncio.sleep(0.25)


def peak(options: Options) -> float:
    """The highest rate that was asked for."""
    return Rate.parse(options.rate).peak
