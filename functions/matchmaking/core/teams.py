"""Matches of teams: the oldest ticket is the seed, its neighbours in rating order join it, parties stay whole.

For each seed, oldest (and starving) first:
1. Candidates: the nearest waiting tickets to both sides that could share a match with the seed at all; where teams are choosy, not
   more of one kind than a match has places, so that rare kinds are among them.
2. Groups: several stretches of that order around the seed, each gathered ticket by ticket under the rules that more tickets can only
   break further, until the places are full (or as full as the tickets allow, if the teams have a minimum below). Where teams are
   choosy, each ticket is seated as it is picked (`seating`).
3. Split: `balance.split`, judged by all rules. The cheapest group wins; a seed without one waits.

Matches too large to be split by search are filled place by place instead (`fill`). A backfill ticket is a seed whose teams have
players already.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import chain, islice
from random import Random

from .balance import split
from .candidate import Entry, Side, empty_sides
from .evaluate import GROUP, Frame, Verdict, judge_group
from .fill import fill
from .meeting import could_meet
from .pool import DistanceRule
from .seating import Likeness, Seats, enough_of_each
from .ticket import BackfillSlots

LARGEST_SEARCHED = 20  # places in a match that is put together by search; larger ones are filled
NEIGHBOURS = 24  # candidates to each side of a seed, over and above the places of the match
STARVING_NEIGHBOURS = 200  # and of a seed that starves
HOPELESS = 100  # seeds without a match, oldest first, after which about as many others are tried, drawn by lot: a round over a sparse queue stays short
WASTED = (
    3000  # candidates weighed for seeds without a match, after which the same holds: where teams are choosy one seed may cost a hundred
)
WEIGHED = (
    6000  # candidates weighed in all, after which younger seeds wait for the next round: some 0.5 s, nearly two hundred matches of ten
)
LEAST_HOPELESS = 30  # and of matches that are filled, each of which costs some ms
ORDERS_FILLED = 4  # orders in which a large match is tried around one seed
ENOUGH = 3  # groups that work before the best of them is taken
LOOKED_AT = 8  # tickets looked at for each candidate that is wanted
LOOKED_AT_BY_CHOOSY = 40  # and where most of those looked at are more of a kind that there is enough of
_STAGES = 4  # stages of the rules up to which younger tickets are left out of a group

Found = tuple[tuple[Side, ...], Verdict, Entry | None]  # the teams, how they fare, and the backfill ticket


class Waiting:
    """The tickets of a bucket in rating order, as a list from which tickets can be taken."""

    def __init__(self, ordered: Sequence[Entry]) -> None:
        self.ordered = ordered
        self._after = list(range(1, len(ordered) + 2))
        self._before = list(range(-1, len(ordered) + 1))
        self._gone = bytearray(len(ordered) + 1)

    def take(self, entry: Entry) -> None:
        """Take a ticket out."""
        i = entry.place
        self._gone[i] = 1
        after, before = self._after[i], self._before[i]
        self._before[after] = before
        if before >= 0:
            self._after[before] = after

    def has(self, entry: Entry) -> bool:
        """Whether the ticket still waits."""
        return not self._gone[entry.place]

    def around(self, place: int, rating: float) -> Iterator[Entry]:
        """Those who wait, nearest rating first; `place` itself left out."""
        low, high = self._before[place], self._after[place]
        while low >= 0 or high < len(self.ordered):
            down = rating - self.ordered[low].rating if low >= 0 else None
            up = self.ordered[high].rating - rating if high < len(self.ordered) else None
            if up is None or (down is not None and down <= up):
                yield self.ordered[low]
                low = self._before[low]
            else:
                yield self.ordered[high]
                high = self._after[high]


def backfilled(slots: BackfillSlots, sides: Sequence[Side]) -> tuple[Side, ...]:
    """The teams with the players who are there already."""
    return tuple(Side(side.name, side.kind, (), slots.teams.get(side.name, ())) for side in sides)


def team_up(frame: Frame, ordered: Sequence[Entry], *, random: Random, seeds: Sequence[Entry] | None = None) -> list[Found]:
    """The matches of one bucket of tickets in rating order (their `place` says where); each ticket at most once.

    Args:
        random: which seeds are tried when `HOPELESS` of the oldest have failed, or `WASTED` of the work.
        seeds: those to begin with; all if left out.

    The work is bounded by what is counted, not by a clock, so that equal queues give equal matches. Nobody starves of it: the oldest
    are first in each round, those without a match use up a bounded part, and the lot falls anew each time.
    """
    waiting = Waiting(ordered)
    search = _Search(frame, waiting)
    empty = empty_sides(frame.rules)
    bound = frame.rules.priority.starvation_bound
    first = sorted(
        ordered if seeds is None else seeds, key=lambda entry: (entry.age < bound, -entry.age, entry.ticket.enqueued, entry.ticket.id)
    )
    found: list[Found] = []
    failed = wasted = 0
    hopeless = max(LEAST_HOPELESS, HOPELESS * LARGEST_SEARCHED // max(LARGEST_SEARCHED, frame.rules.max_match_players))
    for seed in first:
        if wasted >= WASTED:
            hopeless = min(hopeless, failed)
        if not waiting.has(seed) or (failed >= hopeless and random.random() > hopeless / len(first)):
            continue
        if search.weighed >= WEIGHED:
            break
        before = search.weighed
        sides = backfilled(seed.ticket.backfill, empty) if seed.ticket.backfill else empty
        match = search.match_of(sides, seed, starving=seed.age >= bound)
        if match is None:
            failed, wasted = failed + 1, wasted + search.weighed - before
            continue
        found.append(match)
        for entry in _members(match):
            waiting.take(entry)
    return found


def _members(match: Found) -> Iterator[Entry]:
    sides, _, backfill = match
    return chain((entry for side in sides for entry in side.entries), () if backfill is None else (backfill,))


class _Search:
    """The search around one seed after another in one bucket.

    Attributes:
        weighed: candidates that were weighed for a place in a group so far; what the search's time goes with.
    """

    def __init__(self, frame: Frame, waiting: Waiting) -> None:
        self.weighed = 0
        self._frame, self._waiting = frame, waiting
        self._likeness = Likeness(frame)

    def match_of(self, sides: tuple[Side, ...], seed: Entry, *, starving: bool) -> Found | None:
        """The best match found around a seed."""
        room = sum(max(0, side.kind.max_players - side.size) for side in sides)
        if room <= 0:
            return None
        candidates = self._candidates(sides, seed, room + (STARVING_NEIGHBOURS if starving else NEIGHBOURS), room)
        available = sum(entry.size for entry in candidates) + seed.size
        if available < max(1, _least(self._frame, sides, seed)):
            return None
        if self._likeness.matters and not enough_of_each(self._frame, sides, [seed, *candidates], seed, self._likeness):
            return None
        if room > LARGEST_SEARCHED:
            for order in islice(_unlike(_stretches(self._frame, seed, candidates)), ORDERS_FILLED):
                self.weighed += len(order)
                filled = fill(self._frame, sides, seed, order, self._likeness)
                if filled:
                    return filled
            return None
        best: Found | None = None
        for worked, match in enumerate(self._groups(sides, seed, candidates, min(room, available)), start=1):
            if best is None or match[1].cost < best[1].cost:
                best = match
            if worked == ENOUGH:
                break
        return best

    def _candidates(self, sides: Sequence[Side], seed: Entry, count: int, room: int) -> list[Entry]:
        """The nearest tickets that could share a match with the seed, nearest first."""
        present = [player for side in sides for player in side.present]
        rating = sum(player.rating for player in present) / len(present) if present and not seed.size else seed.rating
        largest = max(side.kind.max_players - len(side.present) for side in sides)
        choosy = self._likeness.matters
        most_looked = count * (LOOKED_AT_BY_CHOOSY if choosy else LOOKED_AT)
        of_kind: Counter[Hashable] = Counter()
        found: list[Entry] = []
        for looked, entry in enumerate(self._waiting.around(seed.place, rating)):
            if len(found) >= count or looked > most_looked:
                break
            if entry.ticket.backfill is not None or entry.size > largest:
                continue
            kind = self._likeness.of(entry) if choosy else None
            if choosy and of_kind[kind] >= room:
                continue
            if could_meet(self._frame, (seed, entry), present):
                found.append(entry)
                of_kind[kind] += entry.size
        return found

    def _groups(self, sides: tuple[Side, ...], seed: Entry, candidates: list[Entry], room: int) -> Iterator[Found]:
        """Groups that work: around the seed, then stretches that reach further to one side; then smaller ones if nothing full works."""
        least = max(1, _least(self._frame, sides, seed))
        size, tried = room, set[frozenset[int]]()
        while size >= least:
            reached, any_worked = 0, False
            for order in _stretches(self._frame, seed, candidates):
                group, players, seats = self._gather(sides, seed, order, size)
                reached = max(reached, players)
                key = frozenset(entry.place for entry in group)
                if players < size or key in tried:
                    continue
                tried.add(key)
                match = _judged(self._frame, sides, seed, group, seats)
                if match:
                    any_worked = True
                    yield match
            if any_worked:
                return
            size = min(size - 1, reached)

    def _gather(self, sides: Sequence[Side], seed: Entry, order: Sequence[Entry], size: int) -> tuple[list[Entry], int, Seats | None]:
        """Take tickets in that order until there are exactly `size` players; with how many there are in the end, and how they sit."""
        group = [seed]
        present = [player for side in sides for player in side.present]
        players = seed.size
        if players > size:
            return group, 0, None
        in_force = self._frame.schedule.at(seed.age)
        pairwise = any(GROUP.get(type(rule)) and not isinstance(rule, DistanceRule) and rule.weight is None for rule in in_force.rules)
        seats = Seats(self._frame, sides, in_force, size, self._likeness) if self._likeness.matters else None
        if seats is not None and seed.size and not seats.take(seed):
            return group, 0, None
        for entry in order:
            if players == size:
                break
            if players + entry.size > size or (seats is not None and seats.refuses(entry)):
                continue
            self.weighed += 1
            if (not pairwise or could_meet(self._frame, [*group, entry], present)) and (seats is None or seats.take(entry)):
                group.append(entry)
                players += entry.size
        return group, players, seats


def _least(frame: Frame, sides: Sequence[Side], seed: Entry) -> int:
    """The fewest players that must join; by the rules at the seed's age, or in the pool if an expansion could lower them elsewhere."""
    if frame.rules.expansions.age_selection != "oldest":
        return 1
    minimums = frame.schedule.at(seed.age).minimums
    return sum(max(0, minimums[side.kind.name] - len(side.present)) for side in sides)


def _stretches(frame: Frame, seed: Entry, candidates: list[Entry]) -> Iterator[list[Entry]]:
    """Orders in which candidates are picked. Where the youngest ticket's age counts, also without those who would hold the others up."""
    yield candidates
    if frame.rules.expansions.age_selection != "oldest" and frame.rules.expansions.steps:
        yield from _grown(frame, seed, candidates)
    above = [entry for entry in candidates if entry.rating > seed.rating or (entry.rating == seed.rating and entry.place > seed.place)]
    below = [entry for entry in candidates if entry.rating < seed.rating or (entry.rating == seed.rating and entry.place < seed.place)]
    yield above + below
    yield below + above
    yield sorted(candidates, key=lambda entry: (-entry.size, abs(entry.rating - seed.rating)))
    for skipped in range(1, min(4, len(candidates))):
        yield candidates[skipped:]


def _grown(frame: Frame, seed: Entry, candidates: list[Entry]) -> Iterator[list[Entry]]:
    """The candidates for whom the rules have given way as far as for the seed; then those who are at most one, two, … stages behind."""
    stages = sorted({stage for entry in candidates if (stage := frame.schedule.stage(entry.age)) < frame.schedule.stage(seed.age)})
    for behind in stages[: -1 - _STAGES : -1]:
        yield [entry for entry in candidates if frame.schedule.stage(entry.age) > behind]


def _unlike(orders: Iterator[list[Entry]]) -> Iterator[list[Entry]]:
    """Each order once."""
    seen = set[tuple[int, ...]]()
    for order in orders:
        key = tuple(entry.place for entry in order)
        if key not in seen:
            seen.add(key)
            yield order


def _judged(frame: Frame, sides: tuple[Side, ...], seed: Entry, group: list[Entry], seats: Seats | None) -> Found | None:
    present = [player for side in sides for player in side.present]
    in_force = frame.schedule.at(frame.age(group))
    verdict = judge_group(frame, group, present, in_force.rules)
    if verdict.blocked:
        return None
    playing = [entry for entry in group if entry.size]
    parts = split(frame, sides, playing, in_force, None if seats is None else seats.sides)
    if parts is None:
        return None
    total = Verdict("", verdict.cost + parts[1].cost, verdict.broken + parts[1].broken)
    return parts[0], total, seed if seed.ticket.backfill else None
