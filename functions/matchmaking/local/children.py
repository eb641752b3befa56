"""Child processes that never outlive us.

On Linux the kernel kills a child whose parent is gone (PR_SET_PDEATHSIG), even if the parent had no time to. Each child has a session of its own, so that Ctrl-C
in the terminal reaches only us, and the children end in the order that we choose.
"""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

PR_SET_PDEATHSIG = 1  # linux/prctl.h
GRACE = 5.0  # s between SIGTERM and SIGKILL


class Child(Protocol):
    """What we need of a process; asyncio's has it."""

    @property
    def pid(self) -> int:
        """Its id."""

    @property
    def returncode(self) -> int | None:
        """None while it runs."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""

    async def wait(self) -> int:
        """Its exit code, once it has ended."""


def _bound_to_parent() -> Callable[[], None] | None:
    """What a new child runs before its program; None where the kernel has no such thing. Everything is looked up here, before the fork."""
    if sys.platform != "linux":
        return None
    prctl, parent, kill = ctypes.CDLL(None).prctl, os.getpid(), int(signal.SIGKILL)

    def bind() -> None:
        prctl(PR_SET_PDEATHSIG, kill, 0, 0, 0)
        if os.getppid() != parent:  # it went between the fork and the call above
            os._exit(1)

    return bind


async def spawn(*command: str | Path, env: Mapping[str, str] | None = None, output: IO[bytes] | None = None) -> asyncio.subprocess.Process:
    """Start a child.

    Args:
        env: variables in addition to our own.
        output: where its output goes; ours if not given.
    """
    return await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **(env or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=_bound_to_parent(),
    )


async def stop(children: Iterable[Child], grace: float = GRACE) -> None:
    """End children: politely, then, after `grace` seconds, for certain."""
    running = [child for child in children if child.returncode is None]
    if not running:
        return
    for child in running:
        _signal(child.terminate)
    waits = [asyncio.ensure_future(child.wait()) for child in running]
    _, late = await asyncio.wait(waits, timeout=grace)
    if late:
        for child in running:
            if child.returncode is None:
                _signal(child.kill)
        await asyncio.wait(late)


def _signal(send: Callable[[], None]) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        send()
