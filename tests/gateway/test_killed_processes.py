"""Real processes, killed in every state of a session: it ends as it should, timers fire once, ratings are applied once.

Every day one of them; all of them with `make test-deep` (HYPOTHESIS_PROFILE=deep).
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from websockets.typing import Subprotocol

from matchmaking.client import Client, GameStateUpdateData, MatchFoundData, RefusedError, SnapshotData
from support.allocator import SECRET, allocator
from support.arena import put_arena
from support.gateways import Player
from support.redis_server import RedisServer, free_port
from support.tokens import AUDIENCE, ISSUER, Signer

STATES = ("proposed", "allocating", "ready", "active", "completed")
VICTIMS = ("gateway", "matcher", "redis")
EVERYDAY = {("allocating", "gateway")}
CASES = [(state, victim) for state in STATES for victim in VICTIMS]
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
COMMAND = (sys.executable, "-m", "matchmaking.cli")


class System:
    """Two gateways, a matcher, a Redis that writes everything down, each a process of its own."""

    def __init__(self, folder: Path, redis: RedisServer, signer: Signer) -> None:
        self.redis, self.signer = redis, signer
        (folder / "secret").write_bytes(SECRET)
        self.environment = {
            **os.environ,
            "MATCHMAKING_REDIS_URL": redis.url,
            "MATCHMAKING_JWKS_FILE": str(signer.jwks_file),
            "MATCHMAKING_ISSUER": ISSUER,
            "MATCHMAKING_AUDIENCE": AUDIENCE,
            "MATCHMAKING_ALLOCATION_SECRET_FILE": str(folder / "secret"),
            "MATCHMAKING_LOG_LEVEL": "ERROR",
        }
        self.ports = [free_port(), free_port()]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *words: str, **environment: str) -> None:
        self.processes[name] = subprocess.Popen([*COMMAND, *words], env=self.environment | environment, stderr=subprocess.DEVNULL)

    def start_gateway(self, i: int) -> None:
        self.start(f"gateway{i}", "gateway", MATCHMAKING_PORT=str(self.ports[i]), MATCHMAKING_METRICS_PORT=str(free_port()))

    def start_matcher(self) -> None:
        self.start("matcher", "matcher", "--pool", "arena", "--region", "local")

    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    async def ready(self, i: int) -> None:
        async with asyncio.timeout(60), httpx.AsyncClient() as client:
            while True:
                with suppress(httpx.HTTPError):
                    if (await client.get(f"{self.urls()[i]}/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.1)

    def kill(self, victim: str) -> None:
        """SIGKILL; what its supervisor would start again, starts again."""
        if victim == "redis":
            self.redis.kill()
            time.sleep(0.3)
            self.redis.start()
        elif victim == "matcher":
            self.processes["matcher"].send_signal(signal.SIGKILL)
            self.processes["matcher"].wait()
            self.start_matcher()
        else:
            self.processes["gateway0"].send_signal(signal.SIGKILL)
            self.processes["gateway0"].wait()

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """As the game server, of whichever gateway answers."""
        headers = {"Authorization": f"Bearer {self.signer.token('server', scope='server')}"}
        async with asyncio.timeout(60), httpx.AsyncClient() as client:
            while True:
                for url in self.urls():
                    with suppress(httpx.HTTPError):
                        answer = await client.request(method, f"{url}/api/v1/{path}", json=body, headers=headers)
                        if answer.status_code in (200, 409):
                            return answer.json()
                await asyncio.sleep(0.2)


@asynccontextmanager
async def system(folder: Path) -> AsyncIterator[System]:
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as redis:
        running = System(folder, redis, Signer(folder))
        try:
            for i in range(2):
                running.start_gateway(i)
            for i in range(2):
                await running.ready(i)
            yield running
        finally:
            for process in running.processes.values():
                process.kill()
                process.wait()


class Watcher:
    """A player who accepts whatever comes, and writes down what is said of the match."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.match = ""
        self.statuses: list[str] = []

    async def watch(self) -> None:
        async for event in self.client.events():
            if isinstance(event, MatchFoundData):
                self.match = event.match_id
            elif isinstance(event, GameStateUpdateData) and event.session_id == self.match:
                self.statuses.append(str(event.state["status"]))
            elif isinstance(event, SnapshotData) and self.match and event.session is None and "ready" in self.statuses:
                self.statuses.append("over")  # the store was rolled back, perhaps: the snapshot says all, and there is no session any more

    async def accept(self) -> None:
        with suppress(RefusedError):
            await self.client.accept(self.match)


async def raw(stack: AsyncExitStack, running: System, gateway: int, name: str) -> Player:
    """A socket that does not come back by itself."""
    headers = {"Authorization": f"Bearer {running.signer.token(name)}"}
    url = f"ws://127.0.0.1:{running.ports[gateway]}/ws/{name}"
    player = Player(
        await stack.enter_async_context(websockets.connect(url, additional_headers=headers, subprotocols=[Subprotocol("gsm.v1")]))
    )
    await player.greeted()
    return player


async def until(check: Callable[[], Any], within: float = 60.0) -> None:
    async with asyncio.timeout(within):
        while not check():
            await asyncio.sleep(0.05)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("state", "victim"),
    [pytest.param(*case, marks=() if DEEP or case in EVERYDAY else pytest.mark.skip("with make test-deep")) for case in CASES],
)
async def test_a_session_ends_as_it_should_whatever_is_killed(tmp_path: Path, state: str, victim: str) -> None:
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(system(tmp_path))
        hook = await stack.enter_async_context(allocator("hangs" if state == "allocating" else "works"))
        check = {"required": True, "timeout": "60s"}
        await put_arena(
            running.redis.url, allocation={"type": "webhook", "url": hook.url}, acceptance=check, session={"readyTimeout": "60s"}
        )
        running.start_matcher()
        watchers = []
        for name in ("alice", "bob"):
            client = await stack.enter_async_context(Client.connect(running.urls(), name, token=running.signer.token(name)))
            watcher = Watcher(client)
            watchers.append(watcher)
            task = asyncio.ensure_future(watcher.watch())
            stack.callback(task.cancel)
            await client.join("arena", "local", "ranked")
        await until(lambda: all(watcher.match for watcher in watchers))
        match = watchers[0].match

        if state == "proposed":
            running.kill(victim)
        await asyncio.gather(*(watcher.accept() for watcher in watchers))
        if state == "allocating":
            await until(lambda: hook.requests)
            hook.how = "works"
            running.kill(victim)
        await until(lambda: all({"ready", "active"} & {*watcher.statuses} for watcher in watchers))
        if state == "ready":
            running.kill(victim)
        await running.ask("POST", f"sessions/{match}/state", {"state": {"score": 1}})
        if state == "active":
            running.kill(victim)
        result = asyncio.ensure_future(running.ask("POST", f"sessions/{match}/result", {"winner": "side-1"}))
        if state == "completed":  # just as it is posted
            await asyncio.sleep(0.005)
            await asyncio.to_thread(running.kill, victim)
        assert (await result).get("status", "completed") == "completed"
        await running.ask("POST", f"sessions/{match}/result", {"winner": "side-1"})
        await until(lambda: all({"completed", "over"} & {*watcher.statuses} for watcher in watchers))
        for name in ("alice", "bob"):
            profile = await running.ask("GET", f"players/{name}/profile")
            history = await running.ask("GET", f"players/{name}/matches")
            assert profile["counts"]["matches"] == len(history["matches"]) == 1, "applied once"
        assert (await running.ask("GET", f"sessions/{match}"))["status"] == "completed"
        assert max(watcher.statuses.count("completed") for watcher in watchers) <= 1


async def test_who_is_cut_off_by_a_killed_gateway_keeps_the_place_and_pays_nothing(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(system(tmp_path))
        await put_arena(running.redis.url, acceptance={"required": True, "timeout": "3s", "cooldowns": ["60s"]})
        running.start_matcher()
        alice, bob = await raw(stack, running, 0, "alice"), await raw(stack, running, 1, "bob")
        for player in (alice, bob):
            await player.join(pool="arena")
        (match,) = {(await player.receive("match_found", 30))["data"]["match_id"] for player in (alice, bob)}
        running.processes["matcher"].kill()  # so that they are not matched again at once
        running.kill("gateway")
        await bob.send("match_accept", match_id=match)
        told = (await bob.receive("match_cancelled", 30))["data"]
        assert (told["reason"], told["requeued"]) == ("timeout", True)
        back = await raw(stack, running, 1, "alice")
        assert back.snapshot is not None
        assert back.snapshot["ticket"]["pool"] == "arena"
        await back.send("queue_leave")
        await back.receive("queue_left")
        assert (await back.join(pool="arena", op_id="again"))["type"] == "queue_joined"
