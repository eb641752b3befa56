"""A small deployment of real processes for benchmarks and proofs: a Redis, gateways, matchers, and tokens for players. Loopback only; all of it ends with the block.

What an operator does is done here by hand: the pools are written to Redis' `pools` hash, and matchers are started.
"""

import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import jwt
import msgspec
import psutil
import redis
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from matchmaking.core.pool import encode_rules, load_pool

POOLS = Path(__file__).parents[1] / "pools"
ISSUER = "https://sign-in.example"
AUDIENCE = "game-session-manager"
STARTS_WITHIN = 30.0  # s


def free_port() -> int:
    """A port that is free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def raise_file_limit() -> None:
    """As many open sockets as the system lets us have; children inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Keys:
    """An identity provider."""

    def __init__(self, folder: Path) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.jwks_file = folder / "jwks.json"
        public = {**json.loads(OKPAlgorithm.to_jwk(self._key.public_key())), "kid": "k", "alg": "EdDSA", "use": "sig"}
        self.jwks_file.write_text(json.dumps({"keys": [public]}))

    def token(self, player: str, scope: str = "player") -> str:
        """A token for a player, good for an hour."""
        now = int(time.time())
        claims = {"sub": player, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 3600, "scope": scope}
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": "k"})


class GatewayProcess:
    """A `matchmaking gateway`; what it logs goes to `log`."""

    def __init__(self, redis_url: str, jwks_file: Path, log: Path, environment: dict[str, str]) -> None:
        self.port = int(environment.get("MATCHMAKING_PORT", 0)) or free_port()
        self.metrics_port, self.log = free_port(), log
        chosen = {
            "MATCHMAKING_REDIS_URL": redis_url,
            "MATCHMAKING_PORT": str(self.port),
            "MATCHMAKING_METRICS_PORT": str(self.metrics_port),
            "MATCHMAKING_JWKS_FILE": str(jwks_file),
            "MATCHMAKING_ISSUER": ISSUER,
            "MATCHMAKING_AUDIENCE": AUDIENCE,
            "MATCHMAKING_LOG_LEVEL": "WARNING",
            **{
                f"MATCHMAKING_LIMIT_{what}": "off" for what in ("CONNECTION", "PLAYER", "ADDRESS")
            },  # all clients are one address here, and hasty
        }
        with log.open("wb") as out:
            words = [sys.executable, "-m", "matchmaking.cli", "gateway"]
            self.process = subprocess.Popen(words, env={**os.environ, **chosen, **environment}, stdout=out, stderr=subprocess.STDOUT)
        self.seen = psutil.Process(self.process.pid)

    @property
    def url(self) -> str:
        """Its HTTP address."""
        return f"http://127.0.0.1:{self.port}"

    def wait_ready(self) -> None:
        """Wait until it takes connections."""
        deadline = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/readyz", timeout=5):
                return
            time.sleep(0.05)
        raise RuntimeError(f"the gateway does not start:\n{self.log.read_text()[-2000:]}")

    def memory(self) -> int:
        """Resident bytes."""
        return int(self.seen.memory_info().rss)

    def cpu(self) -> float:
        """CPU seconds so far."""
        return float(sum(self.seen.cpu_times()[:2]))

    def metrics(self) -> str:
        """Prometheus' text."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())


class Deployment:
    """What runs."""

    def __init__(self, folder: Path, redis_options: Sequence[str] = ()) -> None:
        self.folder, self.keys = folder, Keys(folder)
        self.redis_port = free_port()
        self.redis_url = f"redis://127.0.0.1:{self.redis_port}/0"
        self.gateways: list[GatewayProcess] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        words = [find_redis(), "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), *redis_options]
        self.redis_process = self.start(words)
        self.redis = redis.Redis(port=self.redis_port)
        for _ in range(200):
            with suppress(redis.ConnectionError):
                self.redis.ping()
                break
            time.sleep(0.05)
        for name in ("duel", "squads"):
            rules = load_pool(yaml.safe_load((POOLS / f"{name}.yaml").read_text())).spec
            self.redis.hset("pools", name, msgspec.json.encode((1, msgspec.Raw(encode_rules(rules)))))

    def add_gateway(self, **environment: str) -> GatewayProcess:
        """Start a gateway and wait until it is ready; `environment`: further settings, without `MATCHMAKING_`, in lower case."""
        chosen = {f"MATCHMAKING_{name.upper()}": value for name, value in environment.items()}
        gateway = GatewayProcess(self.redis_url, self.keys.jwks_file, self.folder / f"gateway-{len(self.gateways)}.log", chosen)
        self.gateways.append(gateway)
        self._processes.append(gateway.process)
        gateway.wait_ready()
        return gateway

    def add_matcher(self, pool: str = "duel", region: str = "local", **settings: str) -> "subprocess.Popen[bytes]":
        """Start a matcher; `settings`: further variables of its environment."""
        environment = {**os.environ, "MATCHMAKING_REDIS_URL": self.redis_url, "MATCHMAKING_LOG_LEVEL": "WARNING", **settings}
        return self.start([sys.executable, "-m", "matchmaking.cli", "matcher", "--pool", pool, "--region", region], environment)

    async def keep_matcher(self, pool: str = "duel", region: str = "local") -> None:
        """Have one matcher running until cancelled: they end by themselves, and the autoscaler starts the next one."""
        matcher = self.add_matcher(pool, region)
        while True:
            await asyncio.sleep(0.5)
            if matcher.poll() is not None:
                matcher = self.add_matcher(pool, region)

    def announce(self, text: str) -> None:
        """Say something to everybody."""
        message = {"type": "announcement", "data": {"message": text}, "timestamp": "2031-05-06T07:08:09Z"}
        self.redis.publish("system:announcements", json.dumps({"channel": "system:announcements", "message": message}))

    def start(self, words: list[str], environment: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
        """Start another process, which ends with the rest."""
        process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
        self._processes.append(process)
        return process

    def close(self) -> None:
        """End everything."""
        self.redis.close()
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
        for process in self._processes:
            process.wait(20)


@contextmanager
def deployment(gateways: int = 1, **environment: str) -> Iterator[Deployment]:
    """A Redis and some gateways."""
    raise_file_limit()
    with tempfile.TemporaryDirectory(prefix="gsm-load-") as folder:
        running = Deployment(Path(folder))
        try:
            for _ in range(gateways):
                running.add_gateway(**environment)
            yield running
        finally:
            running.close()


def find_redis() -> str:
    """The redis-server of the PATH."""
    found = shutil.which("redis-server")
    if found is None:
        raise SystemExit("redis-server is needed on the PATH (on Debian: apt install redis-server)")
    return found


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile (nearest rank); 0 of nothing."""
    return sorted(values)[min(len(values) - 1, int(q / 100 * len(values)))] if values else 0.0


class Table:
    """Figures beside their targets; `missed` counts those that were not reached."""

    def __init__(self) -> None:
        self.missed = 0

    def line(self, name: str, value: float, unit: str, most: float | None = None) -> None:
        """A figure that must not exceed a target."""
        verdict = ""
        if most is not None:
            reached = value <= most
            self.missed += not reached
            verdict = f"target ≤ {most:g} {unit}: {'reached' if reached else 'MISSED'}"
        print(f"{name:74} {value:10.2f} {unit:5} {verdict}", flush=True)
