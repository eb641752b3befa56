"""Whoever asks for much waits for turns; whoever asks for little never waits for them.

The event loop serves all that is ready before it looks for what has come meanwhile. A thousand connections that begin at once, or send ten messages each at once,
would make one such round of half a second, and everybody else would wait for its end. So what comes in crowds queues here, and only few of it are let in in each
round. Nothing is lost by that while the loop has nothing else to do: then rounds are short.
"""

import asyncio
from collections import deque


class Turns:
    """A queue, first come first served.

    Args:
        each_round: how many are let in in one round of the event loop.
    """

    def __init__(self, each_round: int) -> None:
        self._each_round = each_round
        self._taken = 0  # of this round's turns
        self._queue: deque[asyncio.Future[None]] = deque()

    async def turn(self) -> None:
        """Wait for one's turn."""
        loop = asyncio.get_running_loop()
        if not self._taken:
            loop.call_soon(self._let_in)
        if self._taken < self._each_round and not self._queue:
            self._taken += 1
            return
        mine: asyncio.Future[None] = loop.create_future()
        self._queue.append(mine)
        await mine

    def _let_in(self) -> None:
        self._taken = min(self._each_round, len(self._queue))
        for _ in range(self._taken):
            mine = self._queue.popleft()
            if not mine.done():  # else its task was cancelled
                mine.set_result(None)
        if self._taken:
            asyncio.get_running_loop().call_soon(self._let_in)
