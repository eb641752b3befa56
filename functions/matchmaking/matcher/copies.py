"""A matcher's copy of one queue: one bulk read at its start, then only the changes."""

import heapq
from collections.abc import Iterable

import msgspec

from matchmaking.core.queue import QueueView
from matchmaking.core.ticket import Ticket
from matchmaking.store import values
from matchmaking.store.interface import Store
from matchmaking.store.joining import record_decoder

PAGE = 5000  # tickets in one read: some 10 ms of Redis' time


class QueueCopy:
    """The tickets of one queue, as of log entry `number`.

    Attributes:
        view: what rounds look at.
        unreadable: tickets whose record nobody can read; they are quarantined.
        changed: whether anything came or went since the last round.
        guests: how many tickets of neighbouring queues are in the view.
    """

    def __init__(self, pool: str, region: str, mode: str) -> None:
        self.pool, self.region, self.mode = pool, region, mode
        self.view = QueueView(region=region)
        self.number = 0
        self.unreadable: list[str] = []
        self.changed = True
        self.guests = 0

    @property
    def waiting(self) -> int:
        """How many tickets wait in this very queue; the view may have neighbours' besides."""
        return len(self.view) - self.guests

    async def load(self, store: Store) -> float:
        """Read the whole queue anew; returns the store's clock, seconds.

        Pages overlap by their last enqueue time; a page full of a single time is read again larger. Changes that come in between are in the log, after
        the number that the first page tells.
        """
        self.view, self.unreadable, self.changed, self.guests = QueueView(region=self.region), [], True, 0
        page = await store.page(self.pool, self.region, self.mode, None, PAGE)
        self.number, now, size = page.number, page.now, PAGE
        while True:
            for waiter in page.waiters:
                self._add(waiter)
            if len(page.waiters) < size:
                return now
            last = page.waiters[-1].enqueued_ms
            size = size * 2 if page.waiters[0].enqueued_ms == last else PAGE
            page = await store.page(self.pool, self.region, self.mode, last, size)

    def apply(self, changes: Iterable[values.Change]) -> bool:
        """Take up changes, in order.

        Returns:
            False if some are missing (the log was cut off before we read it): `load` again.
        """
        for change in changes:
            if change.number <= self.number:
                continue
            if change.number != self.number + 1:
                return False
            self.number = change.number
            self.changed = True
            if change.added is not None:
                self._add(change.added)
            self.drop(change.removed)
        return True

    def drop(self, tickets: Iterable[str]) -> None:
        """These wait no longer, whatever the log will say."""
        for ticket in tickets:
            self.view.remove(ticket)

    def _add(self, waiter: values.Waiter) -> None:
        if waiter.ticket in self.view:
            return
        try:
            ticket = record_decoder.decode(waiter.record or b"")
        except msgspec.MsgspecError:
            self.unreadable.append(waiter.ticket)
            return
        self._take_up(_waiting_since(ticket, waiter))

    def _take_up(self, ticket: Ticket) -> None:
        self.view.add(ticket)


class NeighborCopy(QueueCopy):
    """The copy of a neighbouring region's queue, whose tickets may be matched here once they have waited long enough.

    Args:
        home: the copy of our own queue of that mode; tickets that may spill are put into its view, and leave it with their own queue.
        after: seconds of waiting, head starts included, after which a ticket may spill.
    """

    def __init__(self, home: QueueCopy, region: str, after: float) -> None:
        super().__init__(home.pool, region, home.mode)
        self._home, self._after = home, after
        self._due: list[tuple[float, str]] = []  # heap: when a ticket may spill, its id

    def show(self, now: float) -> None:
        """Put the tickets that may spill by now into the home queue's view.

        Args:
            now: the store's clock, seconds.
        """
        while self._due and self._due[0][0] <= now:
            ticket = self.view.get(heapq.heappop(self._due)[1])
            if ticket is not None and ticket.id not in self._home.view:
                self._home.view.add(ticket)
                self._home.guests += 1
                self._home.changed = True

    def withdraw(self) -> None:
        """Take every ticket of this queue out of the home queue's view."""
        self.drop([ticket.id for ticket in self.view])

    async def load(self, store: Store) -> float:
        """As the parent's; what was shown before is withdrawn first."""
        self.withdraw()
        self._due = []
        return await super().load(store)

    def drop(self, tickets: Iterable[str]) -> None:
        """As the parent's, here and at home."""
        for ticket in tickets:
            if self.view.remove(ticket) is not None and self._home.view.remove(ticket) is not None:
                self._home.guests -= 1

    def _take_up(self, ticket: Ticket) -> None:
        super()._take_up(ticket)
        heapq.heappush(self._due, (ticket.enqueued - ticket.head_start + self._after, ticket.id))


def _waiting_since(ticket: Ticket, waiter: values.Waiter) -> Ticket:
    """The record with its enqueue time, which the store knows."""
    since = waiter.enqueued_ms / 1000
    return Ticket(waiter.ticket, ticket.region, ticket.mode, ticket.players, since, ticket.head_start, ticket.backfill, ticket.trace)
