"""Ends background tasks, for certain.

On Python 3.11 a cancellation that meets `asyncio.wait_for` just as its inner future is done is lost (CPython issue 86296), and redis-py writes every command under
one. A task that was cancelled once may so go on for ever; cancelled again, it ends.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN = 0.1  # s


async def end_tasks(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    """Cancel tasks until all of them are done; what they raise is dropped."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=AGAIN)
        for task in done:
            if not task.cancelled():
                task.exception()
