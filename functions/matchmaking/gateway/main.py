"""Wires a gateway and serves it until it is told to stop."""

import asyncio
import errno
import gc
import logging
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from wsgiref.simple_server import WSGIServer

import uvloop
from hypercorn.asyncio import serve
from quart import Blueprint

from matchmaking.settings import Settings
from matchmaking.store.tasks import end_tasks
from matchmaking.telemetry.exposition import serve_metrics
from matchmaking.telemetry.logs import configure_logs, happened

from . import bounded_stream, doorway, http1_only, rounds
from .app import create_app
from .draining import drain
from .errors import PortTakenError
from .exporter import give_up
from .server_config import BACKLOG, hypercorn_config
from .services import Services, open_services

# Reference counts free nearly all that a message leaves behind. With Python's own thresholds (700, 10, 10) the search for cycles took a quarter of a busy
# gateway's time, most of it by walking over thousands of connections that live on, and made everybody wait for it.
GARBAGE = (50_000, 10, 20)
_log = logging.getLogger(__name__)


def bind(host: str, port: int, setting: str) -> socket.socket:
    """Listen on a port.

    Raises:
        PortTakenError: somebody else does.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(f"port {port} on {host} is taken; choose another one with {setting}") from error
        raise
    listener.setblocking(False)
    return listener


async def serve_gateway(
    settings: Settings, stop: asyncio.Event, *, blueprints: Sequence[Blueprint] = (), on_ready: Callable[[], None] | None = None
) -> None:
    """Serve until `stop` is set, then send the clients away and return.

    Args:
        blueprints: further pages.
        on_ready: called once connections are taken.

    Raises:
        PortTakenError: a port is taken.
        ConfigurationError: a setting is missing or wrong.
    """
    listener = bind(settings.host, settings.port, "MATCHMAKING_PORT")
    try:
        async with open_services(settings) as services:
            metrics_server, metrics_thread = _serve_metrics(settings, services)
            try:
                await _serve(services, listener, stop, blueprints, on_ready)
            finally:
                await asyncio.to_thread(metrics_server.shutdown)
                metrics_server.server_close()
                metrics_thread.join()
    finally:
        listener.close()


def _serve_metrics(settings: Settings, services: Services) -> tuple[WSGIServer, threading.Thread]:
    try:
        return serve_metrics(settings.metrics_port, settings.metrics_host, services.metrics.registry)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(
                f"port {settings.metrics_port} on {settings.metrics_host} is taken; choose another one with MATCHMAKING_METRICS_PORT"
            ) from error
        raise


async def _serve(
    services: Services, listener: socket.socket, stop: asyncio.Event, blueprints: Sequence[Blueprint], on_ready: Callable[[], None] | None
) -> None:
    bounded_stream.install()
    doorway.install()
    http1_only.install()
    settings, hub = services.settings, services.hub
    port = listener.getsockname()[1]
    app = create_app(services, blueprints)

    @app.before_serving
    async def ready() -> None:
        happened(_log, "gateway started", gateway=hub.id, host=settings.host, port=port)
        if on_ready is not None:
            asyncio.get_running_loop().call_soon(on_ready)

    async def drained() -> None:
        await stop.wait()
        happened(_log, "gateway drains", gateway=hub.id, count=len(hub.sessions))
        await drain(hub, services.doorway, settings.drain_seconds)

    tasks = [asyncio.ensure_future(work) for work in (*rounds.background(hub), services.keys.keep_fresh())]
    try:
        await serve(app, hypercorn_config(listener), shutdown_trigger=drained)
    finally:
        await end_tasks(tasks)
        await give_up(hub)
        happened(_log, "gateway stopped", gateway=hub.id)


def main() -> int:
    """`matchmaking gateway`: settings from the environment; ends on SIGTERM or SIGINT."""
    settings = Settings()
    configure_logs(settings.log_format, settings.log_level, id_key=settings.log_id_key.get_secret_value())
    logging.getLogger("hypercorn").setLevel(logging.WARNING)
    gc.set_threshold(*GARBAGE)
    gc.freeze()  # what was imported stays
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_signal(settings))
    return 0


async def _until_signal(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    await serve_gateway(settings, stop)
