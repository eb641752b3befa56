"""Runs the development environment in this process until a signal ends it."""

import asyncio
import logging
import signal

import uvloop

from matchmaking.settings import Settings
from matchmaking.telemetry.logs import configure_logs

from .development import Options, develop

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(options: Options) -> None:
    """Run until SIGINT, SIGTERM or the end of the terminal.

    Raises:
        PortTakenError: a port is taken.
        DevelopmentError: something is missing, or ended without being asked to.
    """
    configure_logs("text", Settings().log_level)
    logging.getLogger("hypercorn").setLevel(logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_signal(options))


async def _until_signal(options: Options) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in SIGNALS:
        loop.add_signal_handler(each, stop.set)
    await develop(options, stop)
