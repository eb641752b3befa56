"""Wires everything that `matchmaking dev` runs, from the inside out: Redis, the pools, the autoscaler, the gateway, the bots. It ends in the opposite order."""

import asyncio
import errno
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from matchmaking.gateway.errors import PortTakenError
from matchmaking.gateway.main import serve_gateway
from matchmaking.settings import Settings
from matchmaking.store.connect import open_store

from . import keys
from .autoscaler import Autoscaler, matcher_processes
from .bots import Bots
from .embedded_redis import EmbeddedRedis, embedded_redis, free_port
from .errors import DevelopmentError
from .game_servers import game_server, secret_file
from .manifests import default_files, read_pools
from .page import demo_page

HOST = "127.0.0.1"
METRICS_PORT = 9090  # if nobody uses it
DRAIN = 2.0  # s that clients have to leave at the end


class Options(NamedTuple):
    """What the command line says; `metrics_port` None: 9090, or any other one if that is taken."""

    port: int = 8080
    metrics_port: int | None = None
    bots: int = 6
    pools: tuple[Path, ...] = ()
    browser: bool = True


async def develop(options: Options, stop: asyncio.Event) -> None:
    """Run the whole system until `stop` is set.

    Raises:
        PortTakenError: a port is taken; nothing was started.
        DevelopmentError: something is missing, or ended without being asked to.
    """
    manifests = read_pools(options.pools or default_files())
    _check_port(options.port, "--port", "PORT")
    page = f"http://{HOST}:{options.port}"
    async with embedded_redis() as redis, open_store(redis.url) as store, game_server(manifests, page) as pools:
        settings = _settings(options, redis)
        for pool in pools:
            await store.put_pool(pool.name, pool.spec)
        autoscaler = Autoscaler(store, pools, matcher_processes(redis.url, settings.log_level))
        async with autoscaler.scaling(), _serving(settings) as gateway, Bots(page, store, pools, options.bots).playing():
            print(_banner(page, settings.metrics_port, redis), flush=True)
            if options.browser and _has_display():
                threading.Thread(
                    target=webbrowser.open, args=(page,), daemon=True
                ).start()  # some browsers return only when they are closed
            await _until_stopped(stop, gateway, redis)


def _settings(options: Options, redis: EmbeddedRedis) -> Settings:
    return Settings(
        redis_url=SecretStr(redis.url),
        host=HOST,
        port=options.port,
        metrics_host=HOST,
        metrics_port=_metrics_port(options.metrics_port),
        jwks_file=keys.jwks_file(),
        allocation_secret_file=secret_file(),
        issuer=keys.ISSUER,
        audience=keys.AUDIENCE,
        drain_seconds=DRAIN,
        log_format="text",
    )


def _metrics_port(asked: int | None) -> int:
    if asked is not None:
        _check_port(asked, "--metrics-port", "METRICS_PORT")
        return asked
    return METRICS_PORT if _is_free(METRICS_PORT) else free_port()


def _check_port(port: int, option: str, variable: str) -> None:
    if not _is_free(port):
        raise PortTakenError(
            f"port {port} on {HOST} is taken; choose another one with `{option} {port + 1}` (or `{variable}={port + 1} make run`)"
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise DevelopmentError(f"port {port} on {HOST} cannot be used: {error.strerror}; choose another one") from error
    return True


@asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator["asyncio.Task[None]"]:
    """A gateway that takes connections, for as long as the block lasts."""
    stop, ready = asyncio.Event(), asyncio.Event()
    gateway = asyncio.create_task(serve_gateway(settings, stop, blueprints=[demo_page()], on_ready=ready.set), name="gateway")
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait([gateway, waiting], return_when=asyncio.FIRST_COMPLETED)
        if gateway.done():
            gateway.result()
        yield gateway
    finally:
        waiting.cancel()
        stop.set()
        await asyncio.wait([gateway])
    gateway.result()


async def _until_stopped(stop: asyncio.Event, gateway: "asyncio.Task[None]", redis: EmbeddedRedis) -> None:
    stopped, redis_ended = asyncio.create_task(stop.wait()), asyncio.create_task(redis.process.wait())
    try:
        await asyncio.wait([stopped, redis_ended, gateway], return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            return
        await asyncio.wait([redis_ended], timeout=1.0)  # a gateway that gives up may have noticed first
        if redis_ended.done():
            raise DevelopmentError(f"the embedded Redis ended by itself with code {redis_ended.result()}; start again")
    finally:
        for task in (stopped, redis_ended):
            task.cancel()


def _has_display() -> bool:
    """Whether a browser window would be seen by anybody."""
    if os.environ.get("CI"):
        return False
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _banner(page: str, metrics_port: int, redis: EmbeddedRedis) -> str:
    return f"""
  Game Session Manager, everything on this machine

    demo page  {page}/            two windows, two names: they get matched
    API        {page}/docs
    metrics    http://{HOST}:{metrics_port}/metrics
    Redis      {redis.url}    ({redis.binary})

    a token    matchmaking token alice
    stop       Ctrl-C
"""
