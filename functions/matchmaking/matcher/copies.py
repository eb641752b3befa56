"""A matcher's copy of one queue: one bulk read at its start, then only the changes."""

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
    """

    def __init__(self, pool: str, region: str, mode: str) -> None:
        self.pool, self.region, self.mode = pool, region, mode
        self.view = QueueView()
        self.number = 0
        self.unreadable: list[str] = []
        self.changed = True

    async def load(self, store: Store) -> float:
        """Read the whole queue anew; returns the store's clock, seconds.

        Pages overlap by their last enqueue time; a page full of a single time is read again larger. Changes that come in between are in the log, after
        the number that the first page tells.
        """
        self.view, self.unreadable, self.changed = QueueView(), [], True
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
            for ticket in change.removed:
                self.view.remove(ticket)
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
        self.view.add(_waiting_since(ticket, waiter))


def _waiting_since(ticket: Ticket, waiter: values.Waiter) -> Ticket:
    """The record with its enqueue time, which the store knows."""
    return Ticket(waiter.ticket, ticket.region, ticket.mode, ticket.players, waiter.enqueued_ms / 1000, ticket.head_start, ticket.backfill)
