"""Matches of teams: the oldest ticket is the seed, its neighbours in rating order join it, parties stay whole.

For each seed, oldest (and starving) first:
1. Candidates: the nearest waiting tickets to both sides that could share a match with the seed at all.
2. Groups: several stretches of that order around the seed, each gathered ticket by ticket under the rules that more tickets can only
   break further, until the places are full (or as full as the tickets allow, if the teams have a minimum below).
3. Split: `balance.split`, judged by all rules. The cheapest group wins; a seed without one waits.

Matches too large to be split by search are filled place by place instead (`fill`). A backfill ticket is a seed whose teams have
players already.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from random import Random

from .balance import split
from .candidate import Entry, Side, empty_sides
from .evaluate import GROUP, Frame, Verdict, judge_group
from .fill import fill
from .meeting import could_meet
from .pool import DistanceRule, Rule
from .ticket import BackfillSlots

LARGEST_SEARCHED = 20  # places in a match that is put together by search; larger ones are filled
NEIGHBOURS = 24  # candidates to each side of a seed, over and above the places of the match
STARVING_NEIGHBOURS = 200  # and of a seed that starves
HOPELESS = 100  # seeds without a match, oldest first, after which about as many others are tried, drawn by lot: a round over a sparse queue stays short
ENOUGH = 3  # groups that work before the best of them is taken

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
        random: which seeds are tried when `HOPELESS` of the oldest have failed.
        seeds: those to begin with; all if left out.
    """
    waiting = Waiting(ordered)
    empty = empty_sides(frame.rules)
    bound = frame.rules.priority.starvation_bound
    first = sorted(
        ordered if seeds is None else seeds, key=lambda entry: (entry.age < bound, -entry.age, entry.ticket.enqueued, entry.ticket.id)
    )
    found: list[Found] = []
    failed = 0
    for seed in first:
        if not waiting.has(seed) or (failed >= HOPELESS and random.random() > HOPELESS / len(first)):
            continue
        sides = backfilled(seed.ticket.backfill, empty) if seed.ticket.backfill else empty
        match = _match_of(frame, sides, seed, waiting, starving=seed.age >= bound)
        if match is None:
            failed += 1
            continue
        found.append(match)
        for entry in _members(match):
            waiting.take(entry)
    return found


def _members(match: Found) -> Iterator[Entry]:
    sides, _, backfill = match
    return chain((entry for side in sides for entry in side.entries), () if backfill is None else (backfill,))


def _match_of(frame: Frame, sides: tuple[Side, ...], seed: Entry, waiting: Waiting, *, starving: bool) -> Found | None:
    room = sum(max(0, side.kind.max_players - side.size) for side in sides)
    if room <= 0:
        return None
    candidates = _candidates(frame, sides, seed, waiting, room + (STARVING_NEIGHBOURS if starving else NEIGHBOURS))
    if sum(entry.size for entry in candidates) + seed.size < max(1, _least(frame, sides, seed)):
        return None
    if room > LARGEST_SEARCHED:
        return fill(frame, sides, seed, candidates)
    best: Found | None = None
    for worked, match in enumerate(_groups(frame, sides, seed, candidates, room), start=1):
        if best is None or match[1].cost < best[1].cost:
            best = match
        if worked == ENOUGH:
            break
    return best


def _least(frame: Frame, sides: Sequence[Side], seed: Entry) -> int:
    """The fewest players that must join; by the rules at the seed's age, or in the pool if an expansion could lower them elsewhere."""
    if frame.rules.expansions.age_selection != "oldest":
        return 1
    minimums = frame.schedule.at(seed.age).minimums
    return sum(max(0, minimums[side.kind.name] - len(side.present)) for side in sides)


def _candidates(frame: Frame, sides: Sequence[Side], seed: Entry, waiting: Waiting, count: int) -> list[Entry]:
    """The nearest tickets that could share a match with the seed, nearest first."""
    present = [player for side in sides for player in side.present]
    rating = sum(player.rating for player in present) / len(present) if present and not seed.size else seed.rating
    largest = max(side.kind.max_players - len(side.present) for side in sides)
    found: list[Entry] = []
    for looked, entry in enumerate(waiting.around(seed.place, rating)):
        if len(found) >= count or looked > count * 8:
            break
        if entry.ticket.backfill is None and entry.size <= largest and could_meet(frame, (seed, entry), present):
            found.append(entry)
    return found


def _groups(frame: Frame, sides: tuple[Side, ...], seed: Entry, candidates: list[Entry], room: int) -> Iterator[Found]:
    """Groups that work: around the seed, then stretches that reach further to one side; then smaller ones if nothing full works."""
    least = max(1, _least(frame, sides, seed))
    for size in range(room, least - 1, -1):
        any_worked = False
        for order in _stretches(seed, candidates):
            group = _gather(frame, sides, seed, order, size)
            match = group and _judged(frame, sides, seed, group)
            if match:
                any_worked = True
                yield match
        if any_worked:
            return


def _stretches(seed: Entry, candidates: list[Entry]) -> Iterator[list[Entry]]:
    yield candidates
    above = [entry for entry in candidates if entry.place > seed.place]
    below = [entry for entry in candidates if entry.place < seed.place]
    yield above + below
    yield below + above
    yield sorted(candidates, key=lambda entry: (-entry.size, abs(entry.rating - seed.rating)))
    for skipped in range(1, min(4, len(candidates))):
        yield candidates[skipped:]


def _gather(frame: Frame, sides: Sequence[Side], seed: Entry, order: Sequence[Entry], size: int) -> list[Entry] | None:
    """Take tickets in that order until there are exactly `size` players; None if it does not come out."""
    group = [seed]
    present = [player for side in sides for player in side.present]
    players = seed.size
    if players > size:
        return None
    rules: tuple[Rule, ...] = frame.schedule.at(frame.age(group)).rules
    pairwise = any(GROUP.get(type(rule)) and not isinstance(rule, DistanceRule) and rule.weight is None for rule in rules)
    for entry in order:
        if players == size:
            break
        if players + entry.size <= size and (not pairwise or could_meet(frame, [*group, entry], present)):
            group.append(entry)
            players += entry.size
    return group if players == size else None


def _judged(frame: Frame, sides: tuple[Side, ...], seed: Entry, group: list[Entry]) -> Found | None:
    present = [player for side in sides for player in side.present]
    in_force = frame.schedule.at(frame.age(group))
    verdict = judge_group(frame, group, present, in_force.rules)
    if verdict.blocked:
        return None
    playing = [entry for entry in group if entry.size]
    parts = split(frame, sides, playing, in_force)
    if parts is None:
        return None
    total = Verdict("", verdict.cost + parts[1].cost, verdict.broken + parts[1].broken)
    return parts[0], total, seed if seed.ticket.backfill else None
