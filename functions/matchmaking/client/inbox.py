"""Events between the socket's reader and the user's loop.

The reader never waits for the user, because replies come on the same socket. What piles up is bounded: an unread `queue_update` is replaced by the next
one, and a user who leaves `LIMIT` events unread is told so instead of losing one silently.
"""

import asyncio
from collections import deque
from typing import TypeAlias

from matchmaking.protocol.messages import (
    AnnouncementData,
    ErrorData,
    GameStateUpdateData,
    MatchFoundData,
    QueueLeftData,
    QueueUpdateData,
    SnapshotData,
)

from .errors import ClientError

ClientEvent: TypeAlias = (
    SnapshotData | QueueUpdateData | QueueLeftData | MatchFoundData | GameStateUpdateData | AnnouncementData | ErrorData
)
LIMIT = 4096  # events


class EventsUnreadError(ClientError):
    """The user does not read `events()`."""


class Inbox:
    """A bounded queue for one reader. Each event comes with its number (None: it has none)."""

    __slots__ = ("_end", "_error", "_events", "_waiter")

    def __init__(self) -> None:
        self._events: deque[tuple[ClientEvent, int | None]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._end = False
        self._error: Exception | None = None

    def put(self, event: ClientEvent, seq: int | None = None) -> None:
        """Add an event.

        Raises:
            EventsUnreadError: there are too many already.
        """
        if isinstance(event, QueueUpdateData) and self._events and isinstance(self._events[-1][0], QueueUpdateData):
            self._events[-1] = (event, seq)
        elif len(self._events) >= LIMIT:
            raise EventsUnreadError(f"{LIMIT} events were not read; iterate over `events()`")
        else:
            self._events.append((event, seq))
        self._wake()

    def close(self, error: Exception | None = None) -> None:
        """No more events come; the reader gets what is left, then the error, if there is one."""
        if not self._end:
            self._end, self._error = True, error
            self._wake()

    async def take(self) -> tuple[ClientEvent, int | None] | None:
        """The next event; None at the end.

        Raises:
            ClientError: the connection ended for good.
        """
        while not self._events:
            if self._end:
                if self._error is not None:
                    raise self._error
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._events.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
