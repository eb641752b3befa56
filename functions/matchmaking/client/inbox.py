"""Events between the socket's reader and the user's loop.

The reader never waits for the user, because replies come on the same socket. What piles up is bounded: an unread `queue_update` is replaced by the next
one, and a user who leaves `LIMIT` events unread is told so instead of losing one silently.
"""

import asyncio
from collections import deque
from typing import Any, TypeAlias

from msgspec import Struct

from matchmaking.protocol.messages import QueueUpdateData, ServerData

from .errors import EventsUnreadError


class RawEvent(Struct, frozen=True):
    """A message that this version of the client has no type for: a newer server's.

    Attributes:
        type: the message's.
        data: as it came, decoded from JSON.
    """

    type: str
    data: Any


ClientEvent: TypeAlias = ServerData | RawEvent
Item: TypeAlias = tuple[str, ClientEvent, int | None]  # the message's type, its data, its number if it has one
LIMIT = 4096  # events


class Inbox:
    """A bounded queue for one reader."""

    __slots__ = ("_end", "_error", "_items", "_waiter")

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._end = False
        self._error: Exception | None = None

    def put(self, kind: str, event: ClientEvent, seq: int | None = None) -> None:
        """Add an event.

        Raises:
            EventsUnreadError: there are too many already.
        """
        if isinstance(event, QueueUpdateData) and self._items and isinstance(self._items[-1][1], QueueUpdateData):
            self._items[-1] = (kind, event, seq)
        elif len(self._items) >= LIMIT:
            raise EventsUnreadError(f"{LIMIT} events were not read; iterate over `events()`, or give callbacks to `on()`")
        else:
            self._items.append((kind, event, seq))
        self._wake()

    def close(self, error: Exception | None = None) -> None:
        """No more events come; the reader gets what is left, then the error, if there is one."""
        if not self._end:
            self._end, self._error = True, error
            self._wake()

    async def take(self) -> Item | None:
        """The next event; None at the end.

        Raises:
            ClientError: the connection ended for good.
        """
        while not self._items:
            if self._end:
                if self._error is not None:
                    raise self._error
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._items.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
