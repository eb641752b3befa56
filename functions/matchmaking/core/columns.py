"""A large queue's numbers as columns in rating order, kept between rounds.

Each queue (region × mode) has its own set of columns. What comes and goes is only noted; `merge` takes it up before a round: those gone are
compressed away, those new are sorted among themselves and inserted at their places, so that a round after few changes never sorts the
whole again. A ticket is found by its slot, an index into `tickets` that stays as long as it waits. Some 170 bytes a
ticket (measured: loadtest/bench_matching.py).

Beyond rating and times there is a column for each number that a rule needs (`extra`): sigma, attributes, latency in the queue's region, and codes for
words that must be equal.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from .admission import Admission, completed
from .candidate import number_of, ticket_number
from .equals import is_equality, must_be_equal
from .pool import DistanceRule, LatencyRule, PoolRules, TeamDistanceRule
from .ticket import Ticket

Floats = NDArray[np.float64]
Reader = Callable[[Ticket], float]
Key = tuple[str, str]  # region, mode


class Bucket:
    """One queue's columns.

    Attributes:
        rating, enqueued, head_start, size, extra: of the tickets in rating order; a party's rating is the pool's aggregate.
        slots: where each is in `tickets`.
        tickets: by slot; None where one has left.
        backfills: the backfill tickets, which are in no column.
    """

    def __init__(self, readers: dict[str, Reader], how: str) -> None:
        self.tickets: list[Ticket | None] = []
        self.slot_of: dict[str, int] = {}
        self.backfills: dict[str, Ticket] = {}
        self.rating = np.empty(0)
        self.enqueued = np.empty(0)
        self.head_start = np.empty(0)
        self.size = np.empty(0, np.int16)
        self.slots = np.empty(0, np.int32)
        self.extra: dict[str, Floats] = {name: np.empty(0) for name in readers}
        self._readers = readers
        self._how = how
        self._new: list[int] = []
        self._gone: list[int] = []
        self._free: list[int] = []
        self._shared = False

    def __len__(self) -> int:
        return len(self.slots)

    def add(self, ticket: Ticket) -> None:
        """Note a new ticket."""
        if ticket.backfill is not None:
            self.backfills[ticket.id] = ticket
            return
        self._own()
        slot = len(self.tickets)
        if self._free:
            slot = self._free.pop()
            self.tickets[slot] = ticket
        else:
            self.tickets.append(ticket)
        self.slot_of[ticket.id] = slot
        self._new.append(slot)

    def remove(self, ticket: Ticket) -> None:
        """Note that a ticket has left; its slot is used again only after the next merge."""
        self.backfills.pop(ticket.id, None)
        slot = self.slot_of.pop(ticket.id, None)
        if slot is not None:
            self._own()
            self.tickets[slot] = None
            self._gone.append(slot)

    def share(self) -> "list[Ticket | None]":
        """`tickets` as they are now: a later change is made in a copy, so that a round's result can be read whenever it is needed."""
        self._shared = True
        return self.tickets

    def _own(self) -> None:
        if self._shared:
            self.tickets, self._shared = self.tickets.copy(), False

    def ages(self, now: float) -> Floats:
        """Waiting times, head starts included, in seconds; the same arithmetic as `Ticket.age`."""
        ages = now - self.enqueued
        ages += self.head_start
        return np.maximum(ages, 0.0, out=ages)

    def sort(self) -> None:
        """Sort everything anew (what a first merge does; a benchmark's floor compares with it)."""
        order = np.argsort(self.rating)
        self._take(order)

    def merge(self) -> None:
        """Take up what was noted."""
        if self._gone:
            left = np.zeros(len(self.tickets), bool)
            left[self._gone] = True
            self._take(np.flatnonzero(~left[self.slots]))
        new = [slot for slot in self._new if self.tickets[slot] is not None]
        self._free += self._gone
        self._gone, self._new = [], []
        if new:
            self._insert(np.array(new, np.int32))

    def _take(self, places: NDArray[np.intp]) -> None:
        self.rating = self.rating[places]
        self.enqueued = self.enqueued[places]
        self.head_start = self.head_start[places]
        self.size = self.size[places]
        self.slots = self.slots[places]
        for name, column in self.extra.items():
            self.extra[name] = column[places]

    def _insert(self, slots: NDArray[np.int32]) -> None:
        tickets = [ticket for slot in slots.tolist() if (ticket := self.tickets[slot]) is not None]
        count = len(tickets)
        rating = np.fromiter(self._ratings(tickets), float, count)
        order = np.argsort(rating, kind="stable")
        at = np.searchsorted(self.rating, rating[order], side="right") + np.arange(count)
        kept = np.ones(len(self) + count, bool)
        kept[at] = False

        def merged(old: NDArray[np.generic], new: NDArray[np.generic]) -> NDArray[np.generic]:
            both = np.empty(len(kept), old.dtype)
            both[kept], both[at] = old, new[order]
            return both

        self.enqueued = merged(self.enqueued, np.fromiter(map(attrgetter("enqueued"), tickets), float, count))  # type: ignore[assignment]
        self.head_start = merged(self.head_start, np.fromiter(map(attrgetter("head_start"), tickets), float, count))  # type: ignore[assignment]
        self.size = merged(self.size, np.fromiter((len(ticket.players) for ticket in tickets), np.int16, count))  # type: ignore[assignment]
        for name, read in self._readers.items():
            self.extra[name] = merged(self.extra[name], np.fromiter(map(read, tickets), float, count))  # type: ignore[assignment]
        self.rating = merged(self.rating, rating)  # type: ignore[assignment]
        self.slots = merged(self.slots, slots)  # type: ignore[assignment]

    def _ratings(self, tickets: Iterable[Ticket]) -> Iterable[float]:
        how = self._how
        for ticket in tickets:
            players = ticket.players
            yield players[0].rating if len(players) == 1 else ticket_number(ticket, "rating", how) or 0.0


class Columns:
    """The columns of every queue in a view, and the tickets that no round can take.

    Args:
        rules: the pool's; they say which columns there are.
        tickets: to begin with.
    """

    def __init__(self, rules: PoolRules, tickets: Iterable[Ticket]) -> None:
        self.rules = rules
        self.buckets: dict[Key, Bucket] = {}
        self.poisoned: dict[str, str] = {}
        self._admission = Admission(rules)
        self._codes: dict[object, float] = {}
        self._holder: dict[str, str] = {}
        for ticket in sorted(tickets, key=attrgetter("enqueued", "id")) if _has_times(tickets) else tickets:
            self.add(ticket)

    def add(self, ticket: Ticket) -> None:
        """Note a new ticket, or what is wrong with it."""
        found = self._admission.flaw(ticket)
        if found is not None:
            self.poisoned[ticket.id] = str(found)
            return
        for i, player in enumerate(ticket.players):
            other = self._holder.get(player.id)
            if other is not None:
                self.poisoned[ticket.id] = f"players[{i}].id: `{player.id[:80]}` waits already, in ticket {other}"
                return
        for player in ticket.players:
            self._holder[player.id] = ticket.id
        key = ticket.region, ticket.mode
        bucket = self.buckets.get(key)
        if bucket is None:
            bucket = self.buckets[key] = Bucket(_readers(self.rules, ticket.region, self._codes), self.rules.party.rating_aggregation)
        bucket.add(completed(ticket, self.rules))

    def remove(self, ticket: Ticket) -> None:
        """Note that a ticket has left."""
        if self.poisoned.pop(ticket.id, None) is not None:
            return
        for player in ticket.players:
            self._holder.pop(player.id, None)
        bucket = self.buckets.get((ticket.region, ticket.mode))
        if bucket is not None:
            bucket.remove(ticket)

    def merge(self) -> None:
        """Take up what was noted, in every queue."""
        for bucket in self.buckets.values():
            bucket.merge()


def _has_times(tickets: Iterable[Ticket]) -> bool:
    """Whether the tickets can be ordered by time: NaN cannot."""
    return all(ticket.enqueued == ticket.enqueued for ticket in tickets)


def _readers(rules: PoolRules, region: str, codes: dict[object, float]) -> dict[str, Reader]:
    """Column name → how to read it from a ticket; NaN where there is nothing."""
    how, found = rules.party.rating_aggregation, {}

    def number(attribute: str) -> Reader:
        def read(ticket: Ticket) -> float:
            value = ticket_number(ticket, attribute, how)
            return np.nan if value is None else value

        return read

    def code(attribute: str) -> Reader:
        def read(ticket: Ticket) -> float:
            values = {
                number_of(player, attribute) if attribute == "rating" else player.attributes.get(attribute) for player in ticket.players
            }
            value = values.pop()
            return np.nan if values or value is None or isinstance(value, list) else codes.setdefault(value, float(len(codes)))

        return read

    for rule in rules.rules:
        if isinstance(rule, DistanceRule | TeamDistanceRule) and rule.attribute != "rating":
            found[f"number {rule.attribute}"] = number(rule.attribute)
        if isinstance(rule, DistanceRule) and rule.uncertainty:
            found["sigma"] = lambda ticket: sum(player.sigma for player in ticket.players) / len(ticket.players)
        if isinstance(rule, LatencyRule):
            found["highest latency"] = lambda ticket: max((p.latency.get(region, np.nan) for p in ticket.players), default=np.nan)
        if is_equality(rule):
            found[f"code {rule.attribute}"] = code(rule.attribute)  # type: ignore[union-attr]
    return found


def by_equals(bucket: Bucket, rules: PoolRules, places: NDArray[np.intp]) -> NDArray[np.intp]:
    """These places with those side by side whose words must be equal; in rating order among themselves."""
    codes = [bucket.extra[f"code {attribute}"][places] for attribute in must_be_equal(rules)]
    return places[np.lexsort(codes)] if codes else places
