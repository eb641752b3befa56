"""A deployment of our own for a run: real processes on the loopback address, scaled by KEDA's arithmetic; a game server where a pool wants one."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import psutil
import yaml

from deployment import POOLS, Deployment, deployment, free_port
from matchmaking.core.pool import PoolRules, encode_rules, load_pool
from matchmaking.core.scaling import desired_matchers
from matchmaking.local import keys

from .watch import Sample

POLL = 1.0  # s, as KEDA's pollingInterval in the chart


class Own:
    """It, while it runs."""

    def __init__(self, running: Deployment, pools: Sequence[str], settings: Mapping[str, str]) -> None:
        self.running = running
        self.pools: dict[str, PoolRules] = {}
        self._matchers: dict[tuple[str, str], list[subprocess.Popen[bytes]]] = {}
        self._spent: dict[str, dict[int, float]] = {}  # CPU by name and process; the dead keep theirs
        self._known: dict[int, psutil.Process] = {}
        self._wanted: tuple[int, Path] | None = None  # the game server's port and secret
        self._game_server: subprocess.Popen[bytes] | None = None
        self._settings: dict[str, str] = {"jwks_file": str(keys.jwks_file()), "issuer": keys.ISSUER, "audience": keys.AUDIENCE, **settings}
        for pool in pools:
            self._declare(pool)

    def _declare(self, name: str) -> None:
        manifest = yaml.safe_load((POOLS / f"{name}.yaml").read_text())
        if manifest["spec"].get("allocation", {}).get("type") == "webhook":
            port = free_port()
            manifest["spec"]["allocation"]["url"] = f"http://127.0.0.1:{port}/allocate"
            secret = self.running.folder / "allocation-secret"
            secret.write_text(secrets.token_urlsafe(32))
            self._settings["allocation_secret_file"] = str(secret)
            self._wanted = (port, secret)
        self.pools[name] = load_pool(manifest).spec
        self.running.redis.hset("pools", name, msgspec.json.encode((1, msgspec.Raw(encode_rules(self.pools[name])))))

    def start_gateways(self, count: int) -> None:
        """Gateways, and the game server that speaks to the first."""
        for _ in range(count):
            self.running.add_gateway(**self._settings)
        if self._wanted is not None:
            port, secret = self._wanted
            words = [sys.executable, str(Path(__file__).parents[1] / "game_server.py"), "--gateway", self.urls[0], "--port", str(port)]
            words += ["--secret-file", str(secret), "--states", "3", "--pace", "0.5"]
            environment = {**os.environ, "MATCHMAKING_TOKEN": keys.issue_token("load-game-server", "server")}
            self._game_server = self.running.start(words, environment)

    @property
    def urls(self) -> list[str]:
        """The gateways."""
        return [gateway.url for gateway in self.running.gateways]

    def stop_gateway(self, which: int) -> None:
        """SIGKILL."""
        self.running.gateways[which].process.kill()
        self.running.gateways[which].process.wait()

    def start_gateway(self, which: int) -> None:
        """The same gateway again, at the same port."""
        old = self.running.gateways[which]
        self.running.gateways[which] = self.running.add_gateway(**self._settings, port=str(old.port))
        self.running.gateways.pop()

    async def scale(self) -> None:
        """Start matchers as KEDA would, until cancelled."""
        while True:
            for name, rules in self.pools.items():
                for region in rules.regions:
                    queue = [f"pool:{{{name}}}:queue:{region.name}:{mode}:waiting" for mode in rules.modes]
                    waiting = [int(self.running.redis.zcard(key)) for key in queue]
                    running = [each for each in self._matchers.get((name, region.name), []) if each.poll() is None]
                    wanted = desired_matchers(rules, region.name, waiting, len(running))
                    running += [self.running.add_matcher(name, region.name) for _ in range(wanted)]
                    self._matchers[name, region.name] = running
            await asyncio.sleep(POLL)

    def sample(self) -> Sample:
        """How things are; dead processes' CPU stays in the sum."""
        sample = Sample(0.0, {}, {}, {}, 0)
        names = {gateway.process.pid: "gateway" for gateway in self.running.gateways} | {self.running.redis_process.pid: "redis"}
        if self._game_server is not None:
            names[self._game_server.pid] = "game server"
        for matchers in list(self._matchers.values()):
            alive = [each.pid for each in matchers if each.poll() is None]
            names |= dict.fromkeys(alive, "matchers")
            sample.matchers += len(alive)
        for pid, name in names.items():
            with suppress(psutil.NoSuchProcess):
                process = self._known.setdefault(pid, psutil.Process(pid))
                self._spent.setdefault(name, {})[pid] = sum(process.cpu_times()[:2])
                sample.memory[name] = sample.memory.get(name, 0) + int(process.memory_info().rss)
        sample.cpu = {name: sum(spent.values()) for name, spent in self._spent.items()}
        for name, rules in self.pools.items():
            for region in rules.regions:
                for mode in rules.modes:
                    length = int(self.running.redis.zcard(f"pool:{{{name}}}:queue:{region.name}:{mode}:waiting"))
                    sample.queues[f"{name}/{region.name}/{mode}"] = length
        return sample


@asynccontextmanager
async def own(pools: Sequence[str], gateways: int, settings: Mapping[str, str]) -> AsyncIterator[Own]:
    """Everything started, and gone at the end of the block."""
    with deployment(0) as running:
        before = os.environ.get("MATCHMAKING_DEV_DIR")
        os.environ["MATCHMAKING_DEV_DIR"] = str(running.folder / "keys")  # processes of players sign with this key
        try:
            made = Own(running, pools, settings)
            await asyncio.to_thread(made.start_gateways, gateways)
            scaling = asyncio.create_task(made.scale())
            try:
                yield made
            finally:
                scaling.cancel()
                with suppress(asyncio.CancelledError):
                    await scaling
        finally:
            if before is None:
                del os.environ["MATCHMAKING_DEV_DIR"]
            else:
                os.environ["MATCHMAKING_DEV_DIR"] = before
