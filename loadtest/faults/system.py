"""What is broken: a Redis that writes everything down, gateways, matchers, and processes of players; each of them may be killed, stopped and started again.

Everything that a supervisor would start again is started again here. Loopback only; all of it ends with the block.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import msgspec
import redis
import yaml

from deployment import AUDIENCE, ISSUER, POOLS, Keys, find_redis, free_port
from matchmaking.core.pool import encode_rules, load_pool

from .players import Habits, Plan

LOADTEST = Path(__file__).parents[1]
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
STARTS_WITHIN = 60.0  # s
PROCESSES = 1  # of players
QUEUE = ("duel", "local", "ranked")
Process = subprocess.Popen[bytes]


class Redis:
    """A redis-server with an append-only file."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self.folder, self.port, self.options = folder, free_port(), [*ALWAYS, *options]
        self.folder.mkdir(exist_ok=True)
        self.process: Process | None = None
        self.kills = 0
        self.client = redis.Redis(port=self.port, socket_timeout=10)

    async def start(self) -> None:
        """Start it, and wait until it has read its file."""
        words = [find_redis(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder), *self.options]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await eventually("Redis answers", self._answers)

    async def _answers(self) -> bool:
        with suppress(redis.RedisError):
            return bool(await asyncio.to_thread(self.client.ping))
        return False

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.kills += 1

    def signal(self, number: int) -> None:
        """SIGSTOP, SIGCONT."""
        assert self.process is not None
        self.process.send_signal(number)


class Children:
    """Processes of the product, and how they are started."""

    def __init__(self, folder: Path, redis_url: str, jwks: Path, mutation: str) -> None:
        self._folder = folder
        self.started: list[Process] = []
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(LOADTEST),
            "MATCHMAKING_REDIS_URL": redis_url,
            "MATCHMAKING_JWKS_FILE": str(jwks),
            "MATCHMAKING_ISSUER": ISSUER,
            "MATCHMAKING_AUDIENCE": AUDIENCE,
            "MATCHMAKING_LOG_LEVEL": "WARNING",
            **{f"MATCHMAKING_LIMIT_{what}": "off" for what in ("CONNECTION", "PLAYER", "ADDRESS")},
            "FAULTS_MUTATION": mutation,
        }

    def start(self, name: str, *words: str, dies: str = "", **environment: str) -> Process:
        """Start one; with `dies` it kills itself there (see `mortal`)."""
        chosen = {f"MATCHMAKING_{key}": value for key, value in environment.items()}
        module = "faults.mortal" if dies or self._environment["FAULTS_MUTATION"] else "matchmaking.cli"
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                env={**self._environment, **chosen, "FAULTS_DIES": dies},
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self.started.append(process)
        return process

    def end(self) -> None:
        """SIGKILL to all that are left."""
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
        for process in self.started:
            process.wait(20)


class Gateway:
    """A gateway that keeps its port over its deaths."""

    def __init__(self, children: Children, number: int) -> None:
        self.port, self.metrics_port, self.number = free_port(), free_port(), number
        self._children = children
        self.process: Process | None = None

    def start(self, dies: str = "") -> None:
        """Start it."""
        ports = {"PORT": str(self.port), "METRICS_PORT": str(self.metrics_port)}
        self.process = self._children.start(f"gateway-{self.number}", "gateway", dies=dies, **ports)

    async def ready(self) -> None:
        """Wait until it takes connections."""
        await eventually(f"gateway {self.number} is ready", self.is_ready)

    async def is_ready(self) -> bool:
        """Whether it takes connections."""

        def ask() -> bool:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5):
                return True
            return False

        return await asyncio.to_thread(ask)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    async def restart(self, dies: str = "") -> None:
        """SIGKILL, if it lives, and start it again."""
        self.kill()
        self.start(dies)
        await self.ready()


class Players:
    """A process of players, seen from outside."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it."""
        environment = {**os.environ, "PYTHONPATH": str(LOADTEST)}
        words = (sys.executable, "-m", "faults.players")
        self._process = await asyncio.create_subprocess_exec(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self.say(msgspec.json.encode(self.plan).decode())

    def say(self, word: str) -> None:
        """Tell it something."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(word.encode() + b"\n")

    async def stop(self) -> dict[str, object]:
        """See the tickets to their ends; the process's figures."""
        self.say("stop")
        assert self._process is not None
        assert self._process.stdout is not None
        answer: dict[str, object] = json.loads(await self._process.stdout.readline())
        await self._process.wait()
        return answer

    async def end(self) -> None:
        """End it."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


class System:
    """Everything that runs in one scenario."""

    def __init__(self, folder: Path, random: Random, redis_options: Sequence[str] = (), mutation: str = "") -> None:
        self.folder, self.random, self.mutation = folder, random, mutation
        self.redis = Redis(folder / "redis", redis_options)
        self.keys = Keys(folder)
        self.children = Children(folder, self.redis_url, self.keys.jwks_file, mutation)
        self.gateways: list[Gateway] = []
        self.players: list[Players] = []
        self.matchers: list[Process] = []
        self.dies = ""  # where the next matcher dies
        self.matcher_kills = 0
        self._wanted, self._keeping = 0, asyncio.ensure_future(self._keep_matchers())

    @property
    def redis_url(self) -> str:
        """Where gateways and matchers find Redis."""
        return f"redis://127.0.0.1:{self.redis.port}/0"

    async def begin(self, gateways: int = 2, matchers: int = 2) -> None:
        """Start it all but the players."""
        await self.redis.start()
        self.declare_pool()
        self.gateways = [Gateway(self.children, i) for i in range(gateways)]
        for gateway in self.gateways:
            gateway.start()
        for gateway in self.gateways:
            await gateway.ready()
        self.want_matchers(matchers)

    def declare_pool(self) -> None:
        """As the operator does, again and again."""
        rules = load_pool(yaml.safe_load((POOLS / "duel.yaml").read_text())).spec
        self.redis.client.hset("pools", "duel", msgspec.json.encode((1, msgspec.Raw(encode_rules(rules)))))

    async def begin_players(self, count: int, rate: float, habits: Habits, ports: Sequence[int] = ()) -> None:
        """Let them begin; `rate`: tickets per second of all."""
        for i in range(PROCESSES):
            names = [f"p{n}" for n in range(i, count, PROCESSES)]
            plan = Plan(
                str(self.folder / f"players-{i}.jsonl"),
                list(ports) or [gateway.port for gateway in self.gateways],
                {name: self.keys.token(name) for name in names},
                self.random.getrandbits(32),
                rate / PROCESSES,
                QUEUE,
                habits,
            )
            self.players.append(Players(plan))
            await self.players[-1].start()

    def want_matchers(self, count: int) -> None:
        """As the autoscaler: so many run, and whoever ends is replaced."""
        self._wanted = count

    async def _keep_matchers(self) -> None:
        while True:
            self.matchers = [process for process in self.matchers if process.poll() is None]
            while len(self.matchers) > self._wanted:
                self.matchers.pop().terminate()
            while len(self.matchers) < self._wanted:
                dies, self.dies = self.dies, ""
                self.matchers.append(self.children.start("matchers", "matcher", "--pool", QUEUE[0], "--region", QUEUE[1], dies=dies))
            await asyncio.sleep(0.05)

    def kill_matcher(self) -> bool:
        """SIGKILL to any one of them; whether there was one."""
        alive = [process for process in self.matchers if process.poll() is None]
        if alive:
            self.random.choice(alive).kill()
            self.matcher_kills += 1
        return bool(alive)

    async def end_players(self) -> tuple[int, list[str]]:
        """See all tickets to their ends; how many there were, and what went wrong."""
        figures = await asyncio.gather(*(each.stop() for each in self.players))
        wrong = [f"{name} waits for the end of {ticket}" for each in figures for name, ticket in each["unended"].items()]  # type: ignore[attr-defined]
        return sum(int(str(each["tickets"])) for each in figures), wrong + [str(f) for each in figures for f in each["failures"]]  # type: ignore[attr-defined]

    async def end(self) -> None:
        """End it all."""
        self._keeping.cancel()
        for each in self.players:
            await each.end()
        self.children.end()
        if self.redis.process is not None:
            self.redis.signal(signal.SIGCONT)
            self.redis.kill()
        self.redis.client.close()


async def eventually(what: str, so: Callable[[], Awaitable[bool]], within: float = STARTS_WITHIN) -> None:
    """Wait until something is so.

    Raises:
        RuntimeError: it does not become so in time.
    """
    deadline = time.monotonic() + within
    while not await so():
        if time.monotonic() > deadline:
            raise RuntimeError(f"in vain for {within:g} s: {what}")
        await asyncio.sleep(0.05)


@asynccontextmanager
async def system(folder: Path, random: Random, redis_options: Sequence[str] = (), mutation: str = "") -> AsyncIterator[System]:
    """A system in a folder of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)  # noqa: ASYNC240 - before anything runs
    running = System(folder, random, redis_options, mutation)
    try:
        yield running
    finally:
        await running.end()
