"""The queue as a round sees it: tickets by id, kept up to date by the matcher, with room for a round's own caches."""

from collections.abc import Iterable, Iterator

from .ticket import Ticket


class QueueView:
    """The waiting tickets of one queue (and of its neighbours', once those may spill).

    Mutable on purpose: the matcher keeps one for its life and tells it what changed, so that a round need not start from nothing.

    Args:
        tickets: to begin with.
        region: where the queue's matches are played. Left out: each ticket's own region, and, once it may spill, its neighbours.
    """

    __slots__ = ("_tickets", "region")

    def __init__(self, tickets: Iterable[Ticket] = (), region: str | None = None) -> None:
        self.region = region
        self._tickets: dict[str, Ticket] = {}
        for ticket in tickets:
            self.add(ticket)

    def add(self, ticket: Ticket) -> None:
        """Put a ticket in; one with the same id is replaced."""
        self._tickets[ticket.id] = ticket

    def remove(self, ticket_id: str) -> Ticket | None:
        """Take a ticket out; None if it was not there."""
        return self._tickets.pop(ticket_id, None)

    def get(self, ticket_id: str) -> Ticket | None:
        """The ticket with that id."""
        return self._tickets.get(ticket_id)

    def __len__(self) -> int:
        return len(self._tickets)

    def __contains__(self, ticket_id: object) -> bool:
        return ticket_id in self._tickets

    def __iter__(self) -> Iterator[Ticket]:
        return iter(self._tickets.values())
