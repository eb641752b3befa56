"""Matches of two lone tickets, for queues of up to a few thousand: no numeric library.

1. Tickets in the order of their ratings.
2. Dynamic programming along that order. The best way to settle the first t tickets ends in one of six patterns (`_settle`): the last one
   waits, or the last two, three or four are settled together, pairs that skip or cross a neighbour included. The cost of waiting
   exceeds that of any pair, so as many as possible are matched; for the old it is higher, for the starving much higher.
3. What is left over tries augmenting paths (`augment`), which reach further than four neighbours.

As good as a minimum-weight maximum matching in pairs, and near it in gaps, at a small part of its cost (measured: loadtest/bench_matching.py).
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from .augment import enlarge
from .candidate import Entry, Side, empty_sides
from .evaluate import Frame, judge_group, judge_sides, set_of
from .pool import AvoidRecentOpponentsRule, BlocklistRule, DistanceRule, IntersectionRule, Rule, TeamDistanceRule
from .ticket import Player

WAITING = 1e7  # cost of leaving a ticket unmatched; over the sum of all gaps and weights of a pair (32 rules × 1,000 each)
STARVING = 4 * WAITING
AGE_SHARE = 2.0  # base windows that a ticket at the starvation bound is worth over a fresh one, when one of the two must wait
REACH = 24  # neighbours to each side that an augmenting path may use
REACH_OF_PICKY = 400  # and where most of them have nothing in common with the ticket: places to each side that are looked through

PairCost = Callable[[int, int], float]


def is_duel(sides: Sequence[Side]) -> bool:
    """Whether a match is always two players in two places of their own."""
    return sum(side.kind.max_players for side in sides) == 2 and all(side.kind.min_players == side.kind.max_players for side in sides)


def rating_order(entries: Sequence[Entry]) -> list[Entry]:
    """In order of rating; ties by time and id, so that the order of arrival in memory does not matter."""
    ordered = sorted(entries, key=lambda entry: (entry.rating, entry.ticket.enqueued, entry.ticket.id))
    for place, entry in enumerate(ordered):
        entry.place = place
    return ordered


def arrangements(sides: Sequence[Side], a: Entry, b: Entry) -> list[tuple[Side, ...]]:
    """The ways to seat two tickets: one, or two if the teams differ."""
    if len(sides) == 1:
        return [(sides[0].filled((a, b)),)]
    one, other = sides
    seated: list[tuple[Side, ...]] = [(one.filled((a,)), other.filled((b,)))]
    if one.kind is not other.kind:
        seated.append((one.filled((b,)), other.filled((a,))))
    return seated


def seat(frame: Frame, sides: Sequence[Side], a: Entry, b: Entry) -> tuple[tuple[Side, ...] | None, float]:
    """The better arrangement of a pair that the rules admit, and its cost; None if they admit none."""
    in_force = frame.schedule.at(frame.age((a, b)))
    group = judge_group(frame, (a, b), (), in_force.rules)
    if group.blocked:
        return None, math.inf
    best, least = None, math.inf
    for seated in arrangements(sides, a, b):
        verdict = judge_sides(frame, seated, in_force)
        if not verdict.blocked and verdict.cost < least:
            best, least = seated, verdict.cost
    return best, group.cost + least


def seated(frame: Frame, sides: Sequence[Side], a: Entry, b: Entry) -> tuple[Side, ...] | None:
    """The better arrangement of a pair that is known to be admitted. Where teams are alike there is only one, and nothing to judge."""
    ways = arrangements(sides, a, b)
    return ways[0] if len(ways) == 1 else seat(frame, sides, a, b)[0]


def strangers(a: Player, b: Player) -> bool:
    """Whether neither has anything against the other."""
    return not (
        (a.recent and b.id in a.recent)
        or (b.recent and a.id in b.recent)
        or (a.blocked and b.id in a.blocked)
        or (b.blocked and a.id in b.blocked)
    )


def about_acquaintances(frame: Frame, rule: Rule) -> bool:
    """Whether a hard rule keeps none but acquaintances apart."""
    return isinstance(rule, AvoidRecentOpponentsRule | BlocklistRule) and rule.weight is None and frame.schedule.only_disables(rule.name)


def pair_up(frame: Frame, entries: Sequence[Entry]) -> list[tuple[Entry, Entry]]:
    """The pairs of one bucket of lone tickets; each ticket at most once."""
    ordered = rating_order(entries)
    costs = PairCosts(frame, ordered)
    waiting = waiting_costs(frame, ordered)
    mates = _settle(len(ordered), costs.cost, waiting)
    left = sorted((i for i, mate in enumerate(mates) if mate < 0), key=lambda i: (-ordered[i].age, ordered[i].ticket.id))
    if len(left) > 1:
        enlarge(mates, left, _neighbours(costs), lambda i: waiting[i] >= STARVING)
    return [(ordered[i], ordered[j]) for i, j in enumerate(mates) if i < j]


def waiting_costs(frame: Frame, entries: Sequence[Entry]) -> list[float]:
    """What it costs to leave each ticket waiting."""
    bound = frame.rules.priority.starvation_bound
    return [STARVING if entry.age >= bound else WAITING + AGE_SHARE * entry.age / bound for entry in entries]


def _neighbours(costs: "PairCosts") -> Callable[[int], list[int]]:
    known: dict[int, list[int]] = {}

    def neighbours(i: int) -> list[int]:
        found = known.get(i)
        if found is None:
            near = [(costs.cost(min(i, j), max(i, j)), j) for j in costs.reach(i) if j != i]
            found = known[i] = [j for value, j in sorted(near) if value < math.inf]
        return found

    return neighbours


def _settle(count: int, cost: PairCost, waiting: Sequence[float]) -> list[int]:
    """Partners by dynamic programming over the order; -1 for who waits."""
    best = [0.0] * (count + 1)
    pattern = [0] * (count + 1)
    for t in range(1, count + 1):
        i = t - 1
        options = [best[t - 1] + waiting[i]]
        if t > 1:
            options.append(best[t - 2] + cost(i - 1, i))
        if t > 2:
            skip = cost(i - 2, i)
            options.append(best[t - 3] + skip + waiting[i - 1])
        if t > 3:
            far = cost(i - 3, i)
            options.append(best[t - 4] + cost(i - 3, i - 1) + skip)
            options.append(best[t - 4] + far + cost(i - 2, i - 1))
            options.append(best[t - 4] + far + waiting[i - 1] + waiting[i - 2])
        best[t] = min(options)
        pattern[t] = options.index(best[t])
    mates = [-1] * count
    t = count
    while t > 0:
        for a, b in _PATTERNS[pattern[t]][1]:
            mates[t - a], mates[t - b] = t - b, t - a
        t -= _PATTERNS[pattern[t]][0]
    return mates


# How many tickets a pattern settles, and who pairs with whom, counted back from its end.
_PATTERNS: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = (
    (1, ()),
    (2, ((2, 1),)),
    (3, ((3, 1),)),
    (4, ((4, 2), (3, 1))),
    (4, ((4, 1), (3, 2))),
    (4, ((4, 1),)),
)


class PairCosts:
    """What pairs cost, by places in the rating order.

    The hard windows on ratings, whose width depends on age alone, are looked at first: they say most of what there is to say, and how far a ticket can
    reach at all. Only pairs within them are judged by the other rules, each once.
    """

    def __init__(self, frame: Frame, ordered: Sequence[Entry]) -> None:
        self._frame, self._ordered = frame, ordered
        self._sides = empty_sides(frame.rules)
        self._ratings = [entry.rating for entry in ordered]
        self._ages = [entry.age for entry in ordered]
        self._oldest = frame.rules.expansions.age_selection == "oldest"
        self._windows = _windows(frame, self._ages)
        self._widest = max(self._windows, default=0.0)
        self._scale = sum(1.0 / base for base in frame.bases.values())
        self._known: dict[tuple[int, int], float] = {}
        self.cost = self._by_window if only_windows(frame) else self._met if only_windows(frame, about_acquaintances) else self._judged
        self._sets = _wishes(frame, ordered)

    def reach(self, i: int) -> Sequence[int]:
        """The places, at most `REACH` to each side, that a ticket's partners are among; its own place may be one of them."""
        far = REACH_OF_PICKY if self._sets else REACH
        low = bisect_left(self._ratings, self._ratings[i] - self._widest, max(0, i - far), i)
        high = bisect_right(self._ratings, self._ratings[i] + self._widest, i, min(len(self._ratings), i + far + 1))
        if not self._sets:
            return range(low, high)
        return [*self._alike(i, range(i - 1, low - 1, -1)), *self._alike(i, range(i + 1, high))]

    def _alike(self, i: int, places: Iterable[int]) -> Iterable[int]:
        """The first of these places whose tickets have enough in common with the one at `i`."""
        sets, wanted = self._sets, [(of[i], fewest) for of, fewest in self._sets]
        found = (j for j in places if all(len(own & of[j]) >= fewest for (own, fewest), (of, _) in zip(wanted, sets, strict=True)))
        return islice(found, REACH)

    def _by_window(self, i: int, j: int) -> float:
        gap = abs(self._ratings[j] - self._ratings[i])
        counts = i if (self._ages[i] >= self._ages[j]) == self._oldest else j
        return min(gap * self._scale, 1e6) if gap <= self._windows[counts] else math.inf

    def _met(self, i: int, j: int) -> float:
        found = self._by_window(i, j)
        a, b = self._ordered[i], self._ordered[j]
        if found == math.inf or strangers(a.ticket.players[0], b.ticket.players[0]):
            return found
        return found if self._judged(i, j) < math.inf else math.inf

    def _judged(self, i: int, j: int) -> float:
        found = self._known.get((i, j))
        if found is None:
            if self._by_window(i, j) == math.inf:
                return math.inf
            found = self._known[i, j] = seat(self._frame, self._sides, self._ordered[i], self._ordered[j])[1]
        return found


def _wishes(frame: Frame, ordered: Sequence[Entry]) -> list[tuple[list[frozenset[str]], int]]:
    """For each hard intersection that never changes: each ticket's set, and how much must be in common."""
    return [
        ([set_of(entry.ticket.players[0], rule.attribute) or frozenset() for entry in ordered], rule.min_count)
        for rule in frame.rules.rules
        if isinstance(rule, IntersectionRule) and rule.weight is None and not frame.schedule.changes(rule.name)
    ]


def _is_plain(frame: Frame, rule: Rule) -> bool:
    """Whether a rule is a hard window on ratings that depends on age alone."""
    return (
        isinstance(rule, DistanceRule | TeamDistanceRule)
        and rule.attribute == "rating"
        and rule.weight is None
        and not (isinstance(rule, DistanceRule) and (rule.uncertainty or rule.around == "team"))
        and not frame.schedule.vary_beyond(rule.name, "maxDistance")
        and frame.rules.expansions.age_selection != "average"
        and len(empty_sides(frame.rules)) == 2
    )


def only_windows(frame: Frame, besides: Callable[[Frame, Rule], bool] = lambda _frame, _rule: False) -> bool:
    """Whether such windows are all the rules that the pool has; `besides`: rules that may be there too."""
    rules, teams = frame.rules.rules, frame.rules.teams
    return all(_is_plain(frame, rule) or besides(frame, rule) for rule in rules) and not any(team.roles for team in teams)


def _windows(frame: Frame, ages: Sequence[float]) -> list[float]:
    """The narrowest plain window at each age; infinite if there is none."""
    plain = {rule.name for rule in frame.rules.rules if _is_plain(frame, rule)}
    found = []
    for age in ages:
        rules = frame.schedule.at(age).rules
        wide = (rule.max_distance for rule in rules if isinstance(rule, DistanceRule | TeamDistanceRule) and rule.name in plain)
        found.append(min(wide, default=math.inf))
    return found
