"""The queue as a round sees it: tickets by id, kept up to date by the matcher, with room for a round's own caches."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .admission import Admission
from .pool import PoolRules
from .ticket import Ticket

if TYPE_CHECKING:
    from .columns import Columns


class QueueView:
    """The waiting tickets of one queue (and of its neighbours', once those may spill).

    Mutable on purpose: the matcher keeps one for its life and tells it what changed, so that a round need not start from nothing: what was found wrong
    with a ticket is remembered, and a large queue keeps its numbers in sorted columns (`columns`), into which changes are merged.

    Args:
        tickets: to begin with.
        region: where the queue's matches are played. Left out: each ticket's own region, and, once it may spill, its neighbours.
    """

    __slots__ = ("_admission", "_columns", "_flaws", "_tickets", "region")

    def __init__(self, tickets: Iterable[Ticket] = (), region: str | None = None) -> None:
        self.region = region
        self._tickets: dict[str, Ticket] = {}
        self._flaws: dict[str, str] = {}
        self._admission: Admission | None = None
        self._columns: Columns | None = None
        for ticket in tickets:
            self.add(ticket)

    def add(self, ticket: Ticket) -> None:
        """Put a ticket in; one with the same id is replaced."""
        before = self._tickets.get(ticket.id)
        if before is not None:
            self.remove(ticket.id)
        self._tickets[ticket.id] = ticket
        if self._columns is not None:
            self._columns.add(ticket)

    def remove(self, ticket_id: str) -> Ticket | None:
        """Take a ticket out; None if it was not there."""
        found = self._tickets.pop(ticket_id, None)
        if found is not None:
            self._flaws.pop(ticket_id, None)
            if self._columns is not None:
                self._columns.remove(found)
        return found

    def get(self, ticket_id: str) -> Ticket | None:
        """The ticket with that id."""
        return self._tickets.get(ticket_id)

    def flaw(self, ticket: Ticket, rules: PoolRules) -> str:
        """What keeps a ticket out of rounds under these rules, found out once; empty if nothing does."""
        if self._admission is None or self._admission.rules is not rules:
            self._flaws, self._admission = {}, Admission(rules)
        known = self._flaws.get(ticket.id)
        if known is None:
            found = self._admission.flaw(ticket)
            known = self._flaws[ticket.id] = "" if found is None else str(found)
        return known

    def columns(self, rules: PoolRules) -> "Columns":
        """The tickets' numbers in sorted columns, up to date. Loads the numeric library."""
        from .columns import Columns

        if self._columns is None or self._columns.rules is not rules:
            self._columns = Columns(rules, self._tickets.values())
        self._columns.merge()
        return self._columns

    def __len__(self) -> int:
        return len(self._tickets)

    def __contains__(self, ticket_id: object) -> bool:
        return ticket_id in self._tickets

    def __iter__(self) -> Iterator[Ticket]:
        return iter(self._tickets.values())
