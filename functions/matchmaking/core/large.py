"""Rounds over large queues: most matches come out of columns, in bulk; only what is left is looked at ticket by ticket.

1. Backfill tickets, and (for teams) starving ones, are seeds of a search among their neighbours in rating.
2. Everything else goes through `duel_columns` or `team_columns`.
3. What is left, oldest first and at most `SEARCHED` tickets, goes the way of small queues; so does what spills between regions.

The matches stay arrays until somebody looks at one; so do the reasons.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from random import Random
from typing import overload

import numpy as np

from .candidate import Entry, Side, empty_sides
from .columns import Bucket, Columns, by_equals
from .duel import about_acquaintances, is_duel, rating_order, seat, seated, strangers
from .duel_columns import pair_columns
from .equals import gives_way, is_equality, must_be_equal
from .evaluate import Frame, judge
from .explain import LOOKED_AT, describe, reason_for
from .pool import DistanceRule, LatencyRule, PoolRules, Rule, TeamDistanceRule
from .round import Match, Reason, Round
from .small import entry_of, match_regions
from .team_columns import Groups, can_pack, keep_groups, pack_columns
from .teams import STARVING_NEIGHBOURS, team_up
from .ticket import Ticket

SEARCHED = 1000  # tickets left over after the bulk that are searched one by one: some 0.1 s
ALL_SEARCHED = 6000  # tickets that are searched in pools whose matches cannot be made in bulk (roles, unequal teams): some 0.7 s
STARVING_SEEDS = 100  # starving tickets, oldest first, that are seeds before the bulk


class Matches(Sequence[Match]):
    """A sequence of matches, each built when it is looked at.

    Args:
        built: those that are there already.
        parts: count and builder of the others.
    """

    def __init__(self, built: Sequence[Match], parts: Sequence[tuple[int, Callable[[int], Match]]]) -> None:
        self._parts = [(len(built), built.__getitem__), *parts]
        self._count = sum(count for count, _ in self._parts)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Match: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Match, ...]: ...
    def __getitem__(self, index: int | slice) -> Match | tuple[Match, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(self._count)))
        at = index + self._count if index < 0 else index
        if at >= 0:
            for count, build in self._parts:
                if at < count:
                    return build(at)
                at -= count
        raise IndexError(index)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


class Standing:
    """One queue in a round: which places of its rating order are still free, and how to look at one as an entry."""

    def __init__(self, frame: Frame, bucket: Bucket) -> None:
        self.frame, self.bucket = frame, bucket
        self.rating, self.slots = bucket.rating, bucket.slots
        self.free = np.ones(len(bucket), bool)
        self.backfills: list[Entry] = []
        self._tickets = bucket.share()

    def ticket(self, place: int) -> Ticket:
        """The ticket at a place, as it was when the round began."""
        ticket = self._tickets[int(self.slots[place])]
        if ticket is None:
            raise LookupError(f"place {place} holds no ticket")
        return ticket

    def entry(self, place: int) -> Entry:
        """The ticket at a place, as a search handles it."""
        ticket = self.ticket(place)
        return Entry(ticket, ticket.age(self.frame.now), float(self.rating[place]), place)

    def near(self, rating: float, count: int) -> list[int]:
        """The free places nearest to a rating, at most `count` to each side."""
        at, reach = int(np.searchsorted(self.rating, rating)), 8 * count
        start = max(0, at - reach)
        low = np.flatnonzero(self.free[start:at])[-count:] + start
        high = np.flatnonzero(self.free[at : at + reach])[:count] + at
        return [*low.tolist(), *high.tolist()]

    def oldest_free(self, count: int) -> list[int]:
        """The free places of the longest waiting tickets."""
        places = np.flatnonzero(self.free)
        if len(places) <= count:
            return [int(place) for place in places]
        since = (self.bucket.enqueued - self.bucket.head_start)[places]
        return [int(place) for place in places[np.argsort(since, kind="stable")[:count]]]


def match_large(columns: Columns, regions: Sequence[str], now: float, random: Random) -> Round:
    """A round over columns.

    Args:
        columns: merged.
        regions: where matches are played, in order.
    """
    rules = columns.rules
    built: list[Match] = []
    parts: list[tuple[int, Callable[[int], Match]]] = []
    reasons: list[Mapping[str, Reason]] = []
    for mode in rules.modes:
        queues = {
            region: Standing(Frame(rules, region, now), bucket)
            for (region, its_mode), bucket in columns.buckets.items()
            if its_mode == mode
        }
        for region, queue in queues.items():
            found = sorted(queue.bucket.backfills.values(), key=lambda ticket: (-ticket.age(now), ticket.id))
            queue.backfills = [entry_of(ticket, rules, now) for ticket in found]
            if region in regions:
                parts += _bulk(queue, random, built)
        _search(rules, now, regions, queues, built, random)
        reasons += [Left(queue) for queue in queues.values()]
    return Round(Matches(built, parts), _Chain(reasons), dict(columns.poisoned))


def _search(rules: PoolRules, now: float, regions: Sequence[str], queues: dict[str, Standing], built: list[Match], random: Random) -> None:
    """The way of small queues, for the longest waiting of what is left."""
    sides = empty_sides(rules)
    most = SEARCHED if is_duel(sides) or any(can_pack(sides, queue.frame) for queue in queues.values()) else ALL_SEARCHED
    places = {region: queue.oldest_free(most) for region, queue in queues.items()}
    searched = {region: [queue.entry(place) for place in places[region]] for region, queue in queues.items()}
    left = {region.name: list(searched.get(region.name, [])) for region in rules.regions}
    for region, queue in queues.items():
        left[region] += queue.backfills
    match_regions(rules, now, regions, left, built, random)
    for region, queue in queues.items():
        still = {entry.ticket.id for entry in left[region]}
        for place, entry in zip(places[region], searched[region], strict=True):
            queue.free[place] = entry.ticket.id in still
        queue.backfills = [entry for entry in queue.backfills if entry.ticket.id in still]


def _bulk(queue: Standing, random: Random, built: list[Match]) -> list[tuple[int, Callable[[int], Match]]]:
    """Seeds that come first, then everything at once."""
    sides = empty_sides(queue.frame.rules)
    duel = is_duel(sides)
    _seeded(queue, queue.backfills, built, random)
    if duel:
        return [_duels(queue, sides, random)] if len(queue.free) else []
    bound = queue.frame.rules.priority.starvation_bound
    starving = [entry for entry in map(queue.entry, queue.oldest_free(STARVING_SEEDS)) if entry.age >= bound]
    _seeded(queue, starving, built, random)
    return [_packed(queue, sides)] if can_pack(sides, queue.frame) else []


def _seeded(queue: Standing, seeds: Sequence[Entry], built: list[Match], random: Random) -> None:
    """Match each of these seeds with what is near it; those matched leave the queue."""
    done: set[str] = set()
    for seed in seeds:
        if seed.size and not queue.free[seed.place]:
            continue
        around = {place: queue.entry(place) for place in queue.near(seed.rating, STARVING_NEIGHBOURS)}
        place_of = {entry.ticket.id: place for place, entry in around.items()}
        others = [entry for entry in around.values() if entry.ticket.id != seed.ticket.id]
        own = Entry(seed.ticket, seed.age, seed.rating)
        for teams, _, backfill in team_up(queue.frame, rating_order([*others, own]), seeds=[own], random=random):
            built.append(describe(queue.frame, teams, backfill))
            for ticket in built[-1].tickets:
                done.add(ticket.id)
                if ticket.id in place_of:
                    queue.free[place_of[ticket.id]] = False
    queue.backfills = [entry for entry in queue.backfills if entry.ticket.id not in done]


def _duels(queue: Standing, sides: tuple[Side, ...], random: Random) -> tuple[int, Callable[[int], Match]]:
    """All pairs, as arrays; one is seated when it is looked at."""
    admits, rules = _admits(queue, sides), queue.frame.rules
    low = high = np.empty(0, np.intp)
    if must_be_equal(rules):
        places = by_equals(queue.bucket, rules, np.flatnonzero(queue.free & (queue.bucket.size == 1)))
        low, high = pair_columns(queue.frame, queue.bucket, random.random(), admits, places, by_rating=False)
        queue.free[low] = queue.free[high] = False
    if not must_be_equal(rules) or gives_way(rules):
        alone = queue.free & (queue.bucket.size == 1)
        some = pair_columns(queue.frame, queue.bucket, random.random(), admits, None if alone.all() else np.flatnonzero(alone))
        low, high = np.concatenate((low, some[0])), np.concatenate((high, some[1]))
        queue.free[low] = queue.free[high] = False

    def build(i: int) -> Match:
        a, b = queue.entry(int(low[i])), queue.entry(int(high[i]))
        taking = seated(queue.frame, sides, a, b)
        if taking is None:
            raise LookupError(f"{a.ticket.id} and {b.ticket.id} were paired against the rules")
        return describe(queue.frame, taking)

    return len(low), build


def _admits(queue: Standing, sides: tuple[Side, ...]) -> Callable[[int, int], bool] | None:
    """How to ask about a pair, if the pool has hard rules that no column holds."""
    if all(_has_column(queue.frame, rule) for rule in queue.frame.rules.rules) and not any(side.kind.roles for side in sides):
        return None
    rest = [rule for rule in queue.frame.rules.rules if not _has_column(queue.frame, rule)]
    glance = all(about_acquaintances(queue.frame, rule) for rule in rest) and not any(side.kind.roles for side in sides)
    known: dict[int, Entry] = {}

    def at(place: int) -> Entry:
        found = known.get(place)
        if found is None:
            found = known[place] = queue.entry(place)
        return found

    def admits(i: int, j: int) -> bool:
        if glance and strangers(queue.ticket(i).players[0], queue.ticket(j).players[0]):
            return True
        return seat(queue.frame, sides, at(i), at(j))[0] is not None

    return admits


def _has_column(frame: Frame, rule: Rule) -> bool:
    """Whether the bulk knows all there is to know of a rule."""
    if not frame.schedule.only_disables(rule.name):
        return False
    if isinstance(rule, DistanceRule):
        return not frame.schedule.vary_beyond(rule.name, "maxDistance")
    if isinstance(rule, LatencyRule):
        return rule.max_spread_ms is None and not frame.schedule.vary_beyond(rule.name, "maxLatencyMs")
    return isinstance(rule, TeamDistanceRule) or is_equality(rule) or rule.weight is not None


def _packed(queue: Standing, sides: tuple[Side, ...]) -> tuple[int, Callable[[int], Match]]:
    """All packed matches, as arrays; one is seated when it is looked at."""
    frame = queue.frame
    groups = pack_columns(frame, queue.bucket, sides, queue.free)
    if not all(_has_column(frame, rule) and not (isinstance(rule, DistanceRule) and rule.around == "team") for rule in frame.rules.rules):
        groups = _judged(queue, sides, groups)
    starts = np.append(groups.starts, len(groups.members))
    return len(groups.starts), lambda i: describe(frame, _seated(queue, sides, groups, int(starts[i]), int(starts[i + 1])))


def _seated(queue: Standing, sides: tuple[Side, ...], groups: Groups, start: int, end: int) -> tuple[Side, ...]:
    taken: list[list[Entry]] = [[] for _ in sides]
    for place, team in zip(groups.members[start:end].tolist(), groups.team[start:end].tolist(), strict=True):
        taken[team].append(queue.entry(place))
    return tuple(side.filled(tuple(entries)) for side, entries in zip(sides, taken, strict=True))


def _judged(queue: Standing, sides: tuple[Side, ...], groups: Groups) -> Groups:
    """Without the groups that break a rule which no column holds; their tickets are free again."""
    starts = np.append(groups.starts, len(groups.members))
    kept = np.array(
        [not judge(queue.frame, _seated(queue, sides, groups, int(a), int(b))).blocked for a, b in pairwise(starts)], bool
    ).reshape(-1)
    remaining = keep_groups(groups, kept)
    queue.free[groups.members] = True
    queue.free[remaining.members] = False
    return remaining


class Left(Mapping[str, Reason]):
    """Why the tickets of a large queue wait; each computed when it is asked for, against the nearest of those left with it."""

    def __init__(self, queue: Standing) -> None:
        self._queue = queue
        self._place_of: dict[str, int] | None = None
        self._backfills = {entry.ticket.id: entry for entry in queue.backfills}

    def _places(self) -> dict[str, int]:
        if self._place_of is None:
            self._place_of = {self._queue.ticket(place).id: place for place in np.flatnonzero(self._queue.free).tolist()}
        return self._place_of

    def __getitem__(self, ticket: str) -> Reason:
        entry = self._backfills.get(ticket) or self._queue.entry(self._places()[ticket])
        near = [self._queue.entry(place) for place in self._queue.near(entry.rating, LOOKED_AT // 2)]
        return reason_for(self._queue.frame, entry, [other for other in near if other.ticket.id != ticket])

    def __iter__(self) -> Iterator[str]:
        yield from self._places()
        yield from self._backfills

    def __len__(self) -> int:
        return int(self._queue.free.sum()) + len(self._backfills)


class _Chain(Mapping[str, Reason]):
    """Several queues' reasons as one mapping; their tickets are distinct."""

    def __init__(self, parts: Sequence[Mapping[str, Reason]]) -> None:
        self._parts = parts

    def __getitem__(self, ticket: str) -> Reason:
        for part in self._parts:
            found = part.get(ticket)
            if found is not None:
                return found
        raise KeyError(ticket)

    def __iter__(self) -> Iterator[str]:
        for part in self._parts:
            yield from part

    def __len__(self) -> int:
        return sum(map(len, self._parts))
